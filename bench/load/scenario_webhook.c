/* Customers write: signed webhooks over --http connections, and --conns agents of the business that
 * must each be told of every message once. In the closed loop a connection posts again when it was
 * answered; with --rate a message that falls due waits for a free connection, and its latency
 * counts from when it was due.
 *
 * A message's id names the run and counts up, so that an event says which one it tells of. */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "bench/lib/fail.h"
#include "bench/load/poster.h"
#include "bench/load/scenario.h"
#include "libshared/alloc.h"
#include "libshared/clock.h"

enum {
    MESSAGES_MAX = 1 << 20, /* of one run: warm-up, measurement and all */
    DUE_MAX = 1 << 16,
    DRAIN_S = 10,
    NUMBER_DIGITS = 8,
    SECRET_MAX = 256,
};

struct webhook {
    struct scenario *scenario;
    struct crowd agents;
    struct poster *posters, **idle;
    unsigned idle_count, connected;
    char secret[SECRET_MAX];
    size_t secret_len;
    struct str wamid; /* up to the number */
    char wamid_text[32];
    struct buf body;
    bool sending;
    uint64_t posted, answered, refused; /* webhooks */
    uint64_t bytes;                     /* in them */
    uint64_t messages, delivered, doubled, foreign;
    uint64_t sent_ns[MESSAGES_MAX];
    uint64_t due_ns[DUE_MAX]; /* ring of what waits for a connection */
    unsigned due_first, due_end;
    struct histogram reply, delivery;
};

static uint64_t customer_of(const struct options *options, uint64_t number)
{
    const uint64_t stride = 7919; /* a prime: they come in no order that an index would like */

    return 15550000000 + number * stride % options->customers;
}

static void profiles_write(struct webhook *webhook, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t customer = customer_of(webhook->scenario->options, first + i);

        buf_printf(&webhook->body,
                   "%s{\"profile\":{\"name\":\"Customer %" PRIu64 "\"},\"wa_id\":\"%" PRIu64 "\"}",
                   i > 0 ? "," : "", customer, customer);
    }
}

static void messages_write(struct webhook *webhook, uint64_t first, uint64_t count)
{
    for (uint64_t number = first; number < first + count; number++) {
        buf_printf(&webhook->body,
                   "%s{\"from\":\"%" PRIu64 "\",\"id\":\"%.*s%0*" PRIx64
                   "\",\"timestamp\":\"%" PRId64 "\",\"text\":{\"body\":\"Is number %" PRIu64
                   " still in stock, and can it be here by Friday?\"},\"type\":\"text\"}",
                   number > first ? "," : "", customer_of(webhook->scenario->options, number),
                   STR_ARG(webhook->wamid), NUMBER_DIGITS, number, clock_wall_ms() / 1000, number);
    }
}

static void body_write(struct webhook *webhook, uint64_t first, uint64_t count)
{
    struct buf *body = &webhook->body;

    buf_clear(body);
    buf_printf(
        body,
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102290129340398\","
        "\"changes\":[{\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":{"
        "\"display_phone_number\":\"15550783881\",\"phone_number_id\":\"%s\"},\"contacts\":[",
        webhook->scenario->options->phone);
    profiles_write(webhook, first, count);
    buf_add_cstr(body, "],\"messages\":[");
    messages_write(webhook, first, count);
    buf_add_cstr(body, "]},\"field\":\"messages\"}]}]}");
}

static void post(struct webhook *webhook, struct poster *poster, uint64_t due_ns)
{
    uint64_t first = webhook->messages, count = webhook->scenario->options->batch;

    if (first + count > MESSAGES_MAX) {
        bench_fail("more than %d messages in one run: measure for less time", MESSAGES_MAX);
    }
    webhook->posted++;
    webhook->messages += count;
    for (uint64_t i = 0; i < count; i++) {
        webhook->sent_ns[first + i] = due_ns;
    }
    body_write(webhook, first, count);
    webhook->bytes += webhook->body.len;
    poster_post(poster, webhook->scenario->options->path,
                (struct str) { webhook->secret, webhook->secret_len }, buf_str(&webhook->body),
                due_ns);
}

static void post_due(struct webhook *webhook)
{
    while (webhook->due_first != webhook->due_end && webhook->idle_count > 0) {
        post(webhook, webhook->idle[--webhook->idle_count],
             webhook->due_ns[webhook->due_first++ % DUE_MAX]);
    }
}

static void send_due(void *arg, uint64_t due_ns)
{
    struct webhook *webhook = arg;

    if (webhook->due_end - webhook->due_first == DUE_MAX) {
        bench_fail("the server is too far behind the rate");
    }
    webhook->due_ns[webhook->due_end++ % DUE_MAX] = due_ns;
    post_due(webhook);
}

static void on_ready(struct poster *poster)
{
    struct webhook *webhook = poster->data;

    webhook->idle[webhook->idle_count++] = poster;
    webhook->connected++;
}

static void on_answered(struct poster *poster, unsigned status)
{
    struct webhook *webhook = poster->data;

    histogram_add(&webhook->reply, loop_now(webhook->scenario->loop) - poster->sent_ns);
    webhook->answered++;
    webhook->refused += status != 200;
    if (webhook->sending && webhook->scenario->options->rate <= 0) {
        post(webhook, poster, clock_monotonic_ns());
    } else {
        webhook->idle[webhook->idle_count++] = poster;
        post_due(webhook);
    }
}

static const struct poster_ops poster_ops = { .ready = on_ready, .answered = on_answered };

/* Which message of this run an event tells of; false when of none. */
static bool number_of(const struct webhook *webhook, struct str packet, uint64_t *ret_number)
{
    const char *at = memmem(packet.data, packet.len, webhook->wamid.data, webhook->wamid.len);
    char digits[NUMBER_DIGITS + 1] = { 0 };

    if (at == NULL) {
        return false;
    }
    at += webhook->wamid.len;
    if (packet.data + packet.len - at < NUMBER_DIGITS) {
        return false;
    }
    memcpy(digits, at, NUMBER_DIGITS);
    *ret_number = strtoull(digits, NULL, 16);
    return *ret_number < webhook->messages;
}

static void on_event(struct client *client, struct str packet)
{
    static const struct str told = STR_INIT("[\"whatsapp_message_received\",");
    struct webhook *webhook = CONTAINER_OF(client->crowd, struct webhook, agents);
    uint8_t *seen = client->data;
    uint64_t number;

    if (!str_starts_with(packet, told)) {
        return;
    }
    if (!number_of(webhook, packet, &number)) {
        webhook->foreign++;
    } else if (seen[number]++ > 0) {
        webhook->doubled++;
    } else {
        webhook->delivered++;
        histogram_add(&webhook->delivery, loop_now(client->crowd->loop) - webhook->sent_ns[number]);
    }
}

static bool all_connected(void *arg)
{
    struct webhook *webhook = arg;

    return webhook->connected == webhook->scenario->options->http;
}

/* What the agents have to be told. */
static uint64_t deliveries(const struct webhook *webhook)
{
    return (webhook->posted - webhook->refused) * webhook->scenario->options->batch *
           webhook->agents.count;
}

static bool all_delivered(void *arg)
{
    struct webhook *webhook = arg;

    return webhook->answered == webhook->posted && webhook->delivered >= deliveries(webhook);
}

static void secret_read(struct webhook *webhook)
{
    const char *path = webhook->scenario->options->secret;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, webhook->secret, sizeof(webhook->secret)) : -1;

    if (len <= 0) {
        bench_fail("--app-secret: %s cannot be read or is empty", path);
    }
    close(fd);
    webhook->secret_len = (size_t)len - (webhook->secret[len - 1] == '\n');
}

static void agents_open(struct webhook *webhook)
{
    const struct options *options = webhook->scenario->options;
    struct crowd_config config = { .count = options->conns,
                                   .first_user = USERS_DESK,
                                   .business = options->business,
                                   .jwt_key_file = options->jwt_key };

    crowd_init(&webhook->agents, webhook->scenario->loop, &config);
    for (unsigned i = 0; i < options->conns; i++) {
        webhook->agents.clients[i].data = xcalloc(MESSAGES_MAX, 1); /* touched as it is used */
    }
    (void)crowd_open(&webhook->agents, options->connecting);
    webhook->agents.ops = (struct client_ops) { .event = on_event };
}

static void posters_open(struct webhook *webhook)
{
    const struct options *options = webhook->scenario->options;

    webhook->posters = xcalloc(options->http, sizeof(struct poster));
    webhook->idle = xcalloc(options->http, sizeof(struct poster *));
    for (unsigned i = 0; i < options->http; i++) {
        webhook->posters[i] = (struct poster) { .ops = &poster_ops, .data = webhook };
        poster_open(&webhook->posters[i], webhook->scenario->loop);
    }
    if (!loop_run_until(webhook->scenario->loop, DRAIN_S, all_connected, webhook)) {
        bench_fail("%u of %u webhook connections are open", webhook->connected, options->http);
    }
    loop_run_for(webhook->scenario->loop, 0.3); /* presence settles */
}

static void measure(struct webhook *webhook)
{
    struct scenario *scenario = webhook->scenario;
    struct pace pace = { .send_due = send_due, .arg = webhook };
    struct reading start, end;
    uint64_t answered, bytes;

    webhook->sending = true;
    while (scenario->options->rate <= 0 && webhook->idle_count > 0) {
        post(webhook, webhook->idle[--webhook->idle_count], clock_monotonic_ns());
    }
    scenario_drive(scenario, &pace, scenario->options->warmup);
    histogram_clear(&webhook->reply);
    histogram_clear(&webhook->delivery);
    answered = webhook->answered;
    bytes = webhook->bytes;
    start = reading_take(scenario->options->pid);
    scenario_drive(scenario, &pace, scenario->options->seconds);
    end = reading_take(scenario->options->pid);
    answered = webhook->answered - answered;
    bytes = webhook->bytes - bytes;
    webhook->sending = false;

    scenario_rate(scenario, "per_s", answered, reading_seconds(&start, &end));
    scenario_rate(scenario, "bytes_s", bytes, reading_seconds(&start, &end));
    reading_report(scenario->result, &start, &end, answered);
    scenario_latency(scenario, "latency_us", &webhook->delivery);
    scenario_latency(scenario, "reply_us", &webhook->reply);
}

static void report_losses(struct webhook *webhook)
{
    struct scenario *scenario = webhook->scenario;
    uint64_t expected;

    loop_run_until(scenario->loop, DRAIN_S, all_delivered, webhook);
    loop_run_for(scenario->loop, 0.2); /* a second copy would arrive by then */
    expected = deliveries(webhook);
    scenario_count(scenario, "sent", webhook->posted);
    scenario_count(scenario, "answered", webhook->answered);
    scenario_count(scenario, "refused", webhook->refused);
    scenario_count(scenario, "lost", expected - MIN(expected, webhook->delivered));
    scenario_count(scenario, "doubled", webhook->doubled);
    scenario_count(scenario, "foreign", webhook->foreign);
    scenario_count(scenario, "closed", webhook->agents.lost);
}

static void webhook_finish(struct webhook *webhook)
{
    for (unsigned i = 0; i < webhook->scenario->options->http; i++) {
        conn_close(&webhook->posters[i].conn);
    }
    for (unsigned i = 0; i < webhook->agents.count; i++) {
        free(webhook->agents.clients[i].data);
    }
    crowd_finish(&webhook->agents);
    buf_finish(&webhook->body);
    free(webhook->posters);
    free(webhook->idle);
    free(webhook);
}

void scenario_webhook(struct scenario *scenario)
{
    struct webhook *webhook = xnew(struct webhook);

    webhook->scenario = scenario;
    snprintf(webhook->wamid_text, sizeof(webhook->wamid_text), "wamid.%012" PRIx64 ".",
             clock_monotonic_ns() & 0xffffffffffff);
    webhook->wamid = str_of(webhook->wamid_text);
    secret_read(webhook);
    agents_open(webhook);
    posters_open(webhook);
    measure(webhook);
    report_losses(webhook);
    webhook_finish(webhook);
}
