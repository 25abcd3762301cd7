/* From a whole body to its commit.
 *
 * One struct moves through the threads: parsed on the loop, or on the pool's thread when it is
 * large; applied on the store's writer thread in one transaction, raw body and rows together;
 * finished on the loop after the commit. A delivery that fails for its own reason comes back once
 * more as a job that stores nothing but its raw body, in quarantine: what was sent is never lost.
 * The tree of a large body is also freed on the pool's thread, it takes as long as parsing. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/metrics/metrics.h"
#include "siod/webhook/delivery.h"

enum {
    PARSE_INLINE_MAX = 16 * 1024,
    /* What the platform sends has an array or object in 30 to 100 bytes; 4 MiB of nothing else
     * would become a tree of 400 MB. */
    CONTAINERS_MIN = 10000,
    CONTAINER_BYTES = 8,
};

/* ---- the end */

static void count_post(const struct delivery *delivery, enum err err)
{
    switch (err) {
    case OK:
        metric_add(METRIC_WEBHOOKS_ACCEPTED, 1);
        break;
    case ERR_SYNTAX:
        metric_add(METRIC_WEBHOOKS_MALFORMED, 1);
        break;
    case ERR_BUSY:
        metric_add(METRIC_WEBHOOKS_BUSY, 1);
        return;
    default:
        metric_add(METRIC_WEBHOOKS_FAILED, 1);
        return;
    }
    metric_add(METRIC_WEBHOOKS_QUARANTINED, delivery->reasons.len > 0);
}

static void count_result(const struct delivery *delivery, enum err err)
{
    const unsigned *of = delivery->result.counts.of;

    if (delivery->source.kept_id == 0) {
        count_post(delivery, err);
    }
    if (err != OK && err != ERR_SYNTAX) {
        return;
    }
    metric_add(METRIC_MESSAGES_INBOUND, (uint64_t)of[WA_INBOUND] + of[WA_SYSTEM] + of[WA_REACTION] +
                                            of[WA_EDIT] + of[WA_REVOKE]);
    metric_add(METRIC_MESSAGES_OUTBOUND, of[WA_ECHO]);
    metric_add(METRIC_MESSAGES_DUPLICATE, of[WA_DUPLICATE]);
    metric_add(METRIC_STATUSES, of[WA_STATUS]);
}

static void log_result(struct delivery *delivery, enum err err)
{
    unsigned suppressed;

    log_debug(LOG_WEBHOOK, "webhook done", "id=%lld app=%s bytes=%zu result=%s",
              (long long)delivery->result.webhook_id, delivery->source.app, delivery->body.len,
              err_code(err));
    if ((err == OK || err == ERR_SYNTAX) && delivery->reasons.len > 0 &&
        log_gate_pass(&delivery->receiver->quarantine_gate, &suppressed)) {
        log_warn(LOG_WEBHOOK, "webhook in quarantine", "id=%lld app=%s reason=\"%s\" suppressed=%u",
                 (long long)delivery->result.webhook_id, delivery->source.app,
                 delivery->reasons.data, suppressed);
    }
}

static void release_tree(struct delivery *delivery)
{
    wa_delivery_finish(&delivery->decoded);
    json_decref(delivery->root);
    delivery->root = NULL;
}

static void delivery_free(struct delivery *delivery)
{
    release_tree(delivery);
    buf_finish(&delivery->body);
    buf_finish(&delivery->reasons);
    buf_finish(&delivery->known_owners);
    buf_finish(&delivery->owners);
    buf_finish(&delivery->waiting);
    buf_finish(&delivery->merges);
    receiver_unref(delivery->receiver);
    free(delivery);
}

static void release_run(struct pool_job *job, unsigned thread)
{
    (void)thread;
    release_tree(CONTAINER_OF(job, struct delivery, pooled));
}

static void release_done(struct pool_job *job)
{
    delivery_free(CONTAINER_OF(job, struct delivery, pooled));
}

static bool is_large(const struct delivery *delivery)
{
    return delivery->body.len > PARSE_INLINE_MAX;
}

static void delivery_end(struct delivery *delivery, enum err err)
{
    struct webhook_receiver *receiver = delivery->receiver;

    receiver->deliveries--;
    receiver->bytes -= delivery->body.len;
    count_result(delivery, err);
    log_result(delivery, err);
    delivery->result.reasons = buf_str(&delivery->reasons);
    if (delivery->source.kept_id > 0) {
        delivery->result.counts = delivery->total;
    }
    if (!receiver->closed || delivery->source.outlives_receiver) {
        delivery->source.done(delivery->source.arg, err, &delivery->result);
    }
    if (is_large(delivery) && !receiver->closed) {
        delivery->pooled.run = release_run;
        delivery->pooled.done = release_done;
        pool_submit(receiver->pool, &delivery->pooled);
    } else {
        delivery_free(delivery);
    }
}

static void submit(struct delivery *delivery,
                   enum err (*apply)(struct store_job *job, struct store_tx *tx),
                   void (*done)(struct store_job *job, enum err err))
{
    delivery->job.apply = apply;
    delivery->job.done = done;
    if (delivery->receiver->closed || !store_submit(delivery->receiver->store, &delivery->job)) {
        delivery_end(delivery, ERR_BUSY);
    }
}

/* ---- on the loop */

static void quarantine_done(struct store_job *job, enum err err)
{
    struct delivery *delivery = CONTAINER_OF(job, struct delivery, job);

    if (err != OK && err != ERR_STORE && !delivery->unsettled) {
        log_error(LOG_WEBHOOK, "webhook not stored", "app=%s bytes=%zu error=%s",
                  delivery->source.app, delivery->body.len, err_code(err));
        err = ERR_STORE;
    }
    delivery_end(delivery, err == OK ? delivery->answer : err);
}

/* Nothing but the raw body is stored, or the new reason of one that is kept already; `answer` is
 * the result when that is done. */
static void quarantine(struct delivery *delivery, enum err answer)
{
    delivery->answer = answer;
    delivery->result = (struct webhook_result) { .webhook_id = 0 };
    submit(delivery, delivery_apply_raw, quarantine_done);
}

static void report_merges(const struct delivery *delivery)
{
    const struct webhook_receiver *receiver = delivery->receiver;
    const struct store_merge *merges = (const void *)delivery->merges.data;

    for (size_t i = 0; i < delivery->merges.len / sizeof *merges; i++) {
        if (receiver->on_merged != NULL) {
            receiver->on_merged(receiver->arg, &merges[i]);
        }
    }
}

static void report_waiting(const struct delivery *delivery)
{
    const struct webhook_receiver *receiver = delivery->receiver;
    const struct store_waiting *chats = (const void *)delivery->waiting.data;

    for (size_t i = 0; i < delivery->waiting.len / sizeof *chats; i++) {
        if (receiver->on_waiting != NULL) {
            receiver->on_waiting(receiver->arg, &chats[i]);
        }
    }
}

static void applied(struct store_job *job, enum err err)
{
    struct delivery *delivery = CONTAINER_OF(job, struct delivery, job);

    if (err == OK || err == ERR_STORE || delivery->unsettled) {
        if (err == OK && !delivery->receiver->closed) {
            report_merges(delivery);
            report_waiting(delivery);
        }
        delivery_end(delivery, err);
        return;
    }
    buf_clear(&delivery->reasons);
    wa_reason_add(&delivery->reasons, "not processed: %s", err_text(err));
    quarantine(delivery, OK);
}

static void parse(struct delivery *delivery)
{
    /* A broken character is not worth the other messages of a batch. */
    const struct json_limits limits = {
        .depth = delivery->json_depth,
        .containers = CONTAINERS_MIN + delivery->body.len / CONTAINER_BYTES,
        .mend_utf8 = true,
    };

    delivery->root = json_read(buf_str(&delivery->body), &limits, &delivery->syntax);
    if (delivery->root != NULL) {
        wa_decode(delivery->root, delivery->received_ms / 1000, &delivery->decoded);
    }
}

static void parsed(struct delivery *delivery)
{
    if (delivery->root == NULL) {
        wa_reason_add(&delivery->reasons, "not JSON: %s", delivery->syntax.text);
        if (delivery->body.len > DELIVERY_GARBAGE_KEPT) {
            wa_reason_add(&delivery->reasons, "%d of %zu bytes are kept", DELIVERY_GARBAGE_KEPT,
                          delivery->body.len);
        }
        quarantine(delivery, ERR_SYNTAX);
    } else if (delivery->decoded.foreign && delivery->source.kept_id == 0) {
        delivery->result.counts = delivery->decoded.counts;
        delivery_end(delivery, OK);
    } else {
        submit(delivery, delivery_apply, applied);
    }
}

static void parse_run(struct pool_job *job, unsigned thread)
{
    (void)thread;
    parse(CONTAINER_OF(job, struct delivery, pooled));
}

static void parse_done(struct pool_job *job)
{
    parsed(CONTAINER_OF(job, struct delivery, pooled));
}

void delivery_start(struct webhook_receiver *receiver, const struct delivery_source *source,
                    struct buf *body)
{
    struct delivery *delivery = xnew(struct delivery);

    receiver_ref(receiver);
    receiver->deliveries++;
    delivery->receiver = receiver;
    delivery->source = *source;
    delivery->received_ms =
        source->kept_id > 0 ? source->received_ms : loop_wall_ms(receiver->loop);
    delivery->json_depth = receiver->json_depth;
    buf_add_str(&delivery->known_owners, source->owners);
    delivery->source.owners = STR_NONE;
    delivery->body = *body;
    *body = (struct buf)BUF_INIT;
    if (is_large(delivery) && !receiver->closed) {
        delivery->pooled.run = parse_run;
        delivery->pooled.done = parse_done;
        pool_submit(receiver->pool, &delivery->pooled);
    } else {
        parse(delivery);
        parsed(delivery);
    }
}

void webhook_deliver(struct webhook_receiver *receiver, const char *app, struct str body,
                     webhook_done *done, void *arg)
{
    const struct webhook_result nothing = { .webhook_id = 0 };
    struct buf copy = BUF_INIT;

    if (receiver->body_bytes > 0 && body.len > receiver->body_bytes) {
        metric_add(METRIC_LIMITED_BODIES, 1);
        done(arg, ERR_TOO_LARGE, &nothing);
        return;
    }
    if (store_health(receiver->store, NULL) != STORE_OK) {
        done(arg, ERR_STORE, &nothing);
        return;
    }
    if (!receiver_has_room(receiver, 0, body.len) || !store_accepting(receiver->store)) {
        (void)receiver_count_busy(receiver);
        done(arg, ERR_BUSY, &nothing);
        return;
    }
    buf_add_str(&copy, body);
    receiver->bytes += body.len;
    delivery_start(receiver, &(struct delivery_source) { .app = app, .done = done, .arg = arg },
                   &copy);
}
