/* Requests that are answered: each connection keeps --window join_chat of a chat of its own under
 * way. */
#include "bench/load/scenario.h"
#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/clock.h"

enum { DRAIN_S = 5 };

/* The requests of one connection, at id % slots; there are more slots than requests under way,
 * because answers may overtake each other. */
struct request {
    uint64_t id, sent_ns;
    bool open;
};

struct acks {
    struct scenario *scenario;
    struct crowd crowd;
    struct request *requests;
    unsigned slots;
    bool sending;
    struct buf text; /* of the request that is written */
    uint64_t sent, answered, refused, doubled;
    struct histogram latency;
};

static struct request *request_of(struct acks *acks, struct client *client, uint64_t id)
{
    return &acks->requests[(size_t)client->number * acks->slots + id % acks->slots];
}

static void request_send(struct acks *acks, struct client *client)
{
    uint64_t id = client->count++;
    struct request *request = request_of(acks, client, id);
    struct buf *text = &acks->text;

    buf_clear(text);
    buf_add_cstr(text, "42");
    buf_add_u64(text, id);
    buf_add_cstr(text, "[\"join_chat\",");
    buf_add_u64(text, client->number + 1);
    buf_add_char(text, ']');
    *request = (struct request) { .id = id, .sent_ns = clock_monotonic_ns(), .open = true };
    acks->sent++;
    client_send(client, buf_str(text));
}

static void on_ack(struct client *client, uint64_t id, struct str args)
{
    struct acks *acks = CONTAINER_OF(client->crowd, struct acks, crowd);
    struct request *request = request_of(acks, client, id);

    if (request->id != id || !request->open) {
        acks->doubled++;
        return;
    }
    request->open = false;
    acks->answered++;
    acks->refused += !client_ack_ok(args);
    histogram_add(&acks->latency, loop_now(acks->scenario->loop) - request->sent_ns);
    if (acks->sending) {
        request_send(acks, client);
    }
}

static bool all_answered(void *arg)
{
    struct acks *acks = arg;

    return acks->answered == acks->sent;
}

static void measure(struct acks *acks)
{
    struct scenario *scenario = acks->scenario;
    struct reading start, end;
    uint64_t answered;

    acks->sending = true;
    for (unsigned i = 0; i < acks->crowd.count * scenario->options->window; i++) {
        request_send(acks, &acks->crowd.clients[i % acks->crowd.count]);
    }
    loop_run_for(scenario->loop, scenario->options->warmup);
    histogram_clear(&acks->latency);
    answered = acks->answered;
    start = reading_take(scenario->options->pid);
    loop_run_for(scenario->loop, scenario->options->seconds);
    end = reading_take(scenario->options->pid);
    answered = acks->answered - answered;
    acks->sending = false;

    scenario_rate(scenario, "per_s", answered, reading_seconds(&start, &end));
    reading_report(scenario->result, &start, &end, answered);
    scenario_latency(scenario, "latency_us", &acks->latency);
}

void scenario_ack(struct scenario *scenario)
{
    const struct options *options = scenario->options;
    const unsigned slots_each = 16;
    struct crowd_config config = { .count = options->conns,
                                   .first_user = USERS_DESK,
                                   .business = options->desk,
                                   .jwt_key_file = options->jwt_key };
    struct acks *acks = xnew(struct acks);

    acks->scenario = scenario;
    acks->slots = options->window * slots_each;
    acks->requests = xcalloc((size_t)options->conns * acks->slots, sizeof(struct request));
    crowd_init(&acks->crowd, scenario->loop, &config);
    (void)crowd_open(&acks->crowd, options->connecting);
    loop_run_for(scenario->loop, 0.3); /* presence settles */
    acks->crowd.ops = (struct client_ops) { .ack = on_ack };
    measure(acks);
    loop_run_until(scenario->loop, DRAIN_S, all_answered, acks);
    loop_run_for(scenario->loop, 0.1);
    scenario_count(scenario, "sent", acks->sent);
    scenario_count(scenario, "lost", acks->sent - acks->answered);
    scenario_count(scenario, "refused", acks->refused);
    scenario_count(scenario, "doubled", acks->doubled);
    scenario_count(scenario, "closed", acks->crowd.lost);
    crowd_finish(&acks->crowd);
    buf_finish(&acks->text);
    free(acks->requests);
    free(acks);
}
