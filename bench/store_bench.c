/* How fast does the store take webhooks? Jobs as the receiver of webhooks makes them, `window` of
 * them under way at a time, for some seconds:
 *
 *     store_bench DIR [SECONDS [WINDOW [full|normal [CONTACTS [BODY_BYTES]]]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/store/store.h"

enum { BUSINESS = 1, ARGS_BYTES = 700 };

struct bench {
    struct loop *loop;
    struct store *store;
    struct timer end;
    char *body, *args;
    size_t body_len;
    uint64_t started, done, failed, jobs_before_end;
    unsigned contacts;
    bool ending;
};

struct hook {
    struct store_job job;
    struct bench *bench;
    uint64_t number;
    char wamid[64], sender[16];
};

static enum err contact_of(struct store_tx *tx, struct hook *hook, int64_t *ret_id)
{
    struct store_contact contact = { .business_id = BUSINESS,
                                     .name = STR("Ann Example"),
                                     .phone = str_of(hook->sender),
                                     .wa_id = str_of(hook->sender) };
    enum err err = store_contact_by_alias(tx, BUSINESS, STORE_ALIAS_WA_ID, contact.wa_id, ret_id);

    if (err == OK && *ret_id != 0) {
        contact.id = *ret_id;
        return store_contact_update(tx, &contact);
    }
    if (err == OK) {
        err = store_contact_create(tx, &contact, ret_id);
    }
    if (err == OK) {
        err = store_contact_alias_add(tx, BUSINESS, *ret_id, STORE_ALIAS_WA_ID, contact.wa_id);
    }
    return err;
}

static enum err message_of(struct store_tx *tx, struct hook *hook, int64_t business_id,
                           int64_t contact_id)
{
    struct store_chat chat = { .business_id = business_id,
                               .phone_number_id = STR("100000000000001"),
                               .contact.id = contact_id };
    struct store_message message = { .business_id = business_id,
                                     .contact_id = contact_id,
                                     .phone_number_id = chat.phone_number_id,
                                     .wamid = str_of(hook->wamid),
                                     .type = STR("text"),
                                     .text = { hook->bench->args, 60 },
                                     .raw = { hook->bench->args, 250 },
                                     .wa_timestamp_s = 1700000000 + (int64_t)hook->number / 1000 };
    struct store_waiting reopened;
    int64_t message_id;
    bool created, inserted;
    enum err err = store_chat_ensure(tx, &chat, &message.chat_id, &created);

    if (err == OK) {
        err = store_message_append(tx, &message, &message_id, &inserted);
    }
    return err == OK ? store_chat_touch(tx, message.chat_id, message_id, message.wa_timestamp_s,
                                        true, &reopened)
                     : err;
}

static enum err hook_apply(struct store_job *job, struct store_tx *tx)
{
    struct hook *hook = CONTAINER_OF(job, struct hook, job);
    struct bench *bench = hook->bench;
    struct store_webhook webhook = { .received_at_ms = store_tx_now_ms(tx),
                                     .app = STR("main"),
                                     .body = { bench->body, bench->body_len },
                                     .counts = STR("{\"inbound\":1}") };
    struct str args = { bench->args, ARGS_BYTES };
    int64_t business_id, contact_id, webhook_id;
    enum err err = store_business_by_phone(tx, STR("100000000000001"), &business_id);

    if (err == OK) {
        err = contact_of(tx, hook, &contact_id);
    }
    if (err == OK) {
        err = message_of(tx, hook, business_id, contact_id);
    }
    if (err == OK) {
        err = store_webhook_append(tx, &webhook, &webhook_id);
    }
    if (err == OK) {
        err = store_log_append(tx, business_id, STR("chat_1234"), STR("new_message"), args);
    }
    return err == OK ? store_log_append(tx, business_id, STR("business_1"),
                                        STR("whatsapp_message_received"), args)
                     : err;
}

static void hook_submit(struct hook *hook)
{
    struct bench *bench = hook->bench;
    uint64_t scattered;

    hook->number = bench->started++;
    scattered = hook->number * 0x9e3779b97f4a7c15u;
    snprintf(hook->sender, sizeof(hook->sender), "49%09u",
             (unsigned)(scattered >> 33) % bench->contacts);
    snprintf(hook->wamid, sizeof(hook->wamid), "wamid.HBgL%s%016llXQ0E5%016llX", hook->sender,
             (unsigned long long)scattered, (unsigned long long)(scattered * scattered));
    if (!store_submit(bench->store, &hook->job)) {
        fprintf(stderr, "refused\n");
        exit(1);
    }
}

static void hook_done(struct store_job *job, enum err err)
{
    struct hook *hook = CONTAINER_OF(job, struct hook, job);
    struct bench *bench = hook->bench;

    bench->done++;
    bench->failed += err != OK;
    if (!bench->ending) {
        hook_submit(hook);
    } else if (bench->done == bench->started) {
        loop_stop(bench->loop);
    }
}

static void on_end(struct timer *timer)
{
    CONTAINER_OF(timer, struct bench, end)->ending = true;
}

static void on_commit(void *arg, struct store_events *events)
{
    (void)arg;
    store_events_free(events);
}

static enum err setup_apply(struct store_job *job, struct store_tx *tx)
{
    static const struct str phone = STR_INIT("100000000000001");
    struct store_business business = { .id = BUSINESS,
                                       .phone_number_ids = &phone,
                                       .phone_number_count = 1 };

    (void)job;
    return store_business_put(tx, &business, NULL);
}

static void setup_done(struct store_job *job, enum err err)
{
    (void)job;
    if (err != OK) {
        fprintf(stderr, "setup: %s\n", err_text(err));
        exit(1);
    }
}

static uint64_t cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
}

static void report(struct bench *bench, const char *mode, double seconds, uint64_t cpu)
{
    struct store_stats stats;

    store_stats(bench->store, &stats);
    printf("%s: %.0f jobs/s, %.1f jobs and %.1f log rows a commit, %.2f ms a commit, "
           "%.1f us CPU a job, %.0f bytes a job, %llu failed\n",
           mode, (double)bench->done / seconds, (double)stats.jobs / (double)stats.commits,
           (double)stats.rows_logged / (double)stats.commits,
           (double)stats.commit_ns / (double)stats.commits / 1e6, (double)cpu / (double)bench->done,
           (double)stats.bytes / (double)bench->done, (unsigned long long)bench->failed);
}

static void run(struct bench *bench, unsigned seconds, unsigned window, const char *mode)
{
    struct store_job setup = { .apply = setup_apply, .done = setup_done };
    struct hook *hooks = xcalloc(window, sizeof(*hooks));
    uint64_t start_ns = clock_monotonic_ns(), cpu = cpu_us();

    if (!store_submit(bench->store, &setup)) {
        exit(1);
    }
    for (unsigned i = 0; i < window; i++) {
        hooks[i] =
            (struct hook) { .job = { .apply = hook_apply, .done = hook_done }, .bench = bench };
        hook_submit(&hooks[i]);
    }
    timer_set(bench->loop, &bench->end, seconds * 1000, on_end);
    loop_run(bench->loop);
    report(bench, mode, (double)(clock_monotonic_ns() - start_ns) / 1e9, cpu_us() - cpu);
    store_close(bench->store);
    loop_free(bench->loop);
    free(hooks);
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 2 ? (unsigned)atoi(argv[2]) : 3;
    unsigned window = argc > 3 ? (unsigned)atoi(argv[3]) : 64;
    const char *mode = argc > 4 ? argv[4] : "full";
    struct bench bench = { .contacts = argc > 5 ? (unsigned)atoi(argv[5]) : 1000,
                           .body_len = argc > 6 ? (size_t)atol(argv[6]) : 1024 };
    struct errmsg msg;

    if (argc < 2) {
        fprintf(stderr, "usage: %s DIR [SECONDS [WINDOW [full|normal [CONTACTS [BODY]]]]]\n",
                argv[0]);
        return 2;
    }
    autofree char *path = xasprintf("%s/store_bench.db", argv[1]);
    autofree char *url = xasprintf("sqlite:%s", path);
    struct store_config config = { .url = url,
                                   .synchronous_full = strcmp(mode, "normal") != 0,
                                   .on_commit = on_commit };

    bench.body = xmalloc(bench.body_len + 1);
    memset(bench.body, 'b', bench.body_len);
    bench.args = xmalloc(ARGS_BYTES);
    memset(bench.args, 'a', ARGS_BYTES);
    unlink(path);
    bench.loop = loop_new();
    if (store_open(bench.loop, &config, &bench.store, &msg) != OK) {
        fprintf(stderr, "%s\n", msg.text);
        return 1;
    }
    run(&bench, seconds, window, mode);
    free(bench.body);
    free(bench.args);
    unlink(path);
    return 0;
}
