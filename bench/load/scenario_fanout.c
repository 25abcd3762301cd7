/* Chats with several agents each, one of whom types: every keystroke goes to the others. With
 * --window each room has that many messages under way, a message being done when its last receiver
 * has it; with --rate they fall due at fixed times, room after room.
 *
 * user_typing carries nothing that tells two of them apart, but a room has one sender and keeps
 * order: the n-th that a receiver sees is the n-th that was sent. What a receiver has less than the
 * sender sent is lost, what it has more is doubled. */
#include "bench/lib/fail.h"
#include "bench/load/scenario.h"
#include "libshared/alloc.h"
#include "libshared/clock.h"

enum { ROOM_TIMES = 1 << 14, DRAIN_S = 5, JOIN_S = 30 };

struct room {
    struct client *members; /* the first one types */
    uint64_t sent, done;    /* messages; done: as many deliveries as they have receivers */
    unsigned left;          /* deliveries until the next one is done */
    struct buf text;
    uint64_t times[ROOM_TIMES]; /* when message n was sent, or due: at n % ROOM_TIMES */
};

struct fanout {
    struct scenario *scenario;
    struct crowd crowd;
    struct room *rooms;
    unsigned room_count, receivers, joined, turn;
    bool sending;
    uint64_t sent, delivered;
    struct histogram latency;
};

static const struct str delivery = STR_INIT("[\"user_typing\",");

static void room_send(struct fanout *fanout, struct room *room, uint64_t time_ns)
{
    room->times[room->sent++ % ROOM_TIMES] = time_ns;
    fanout->sent++;
    client_send(room->members, buf_str(&room->text));
}

static void room_fill(struct fanout *fanout, struct room *room)
{
    while (room->sent - room->done < fanout->scenario->options->window) {
        room_send(fanout, room, clock_monotonic_ns());
    }
}

static void on_event(struct client *client, struct str packet)
{
    struct room *room = client->data;
    struct fanout *fanout = CONTAINER_OF(client->crowd, struct fanout, crowd);
    uint64_t now = loop_now(client->crowd->loop);

    if (room == NULL || !str_starts_with(packet, delivery)) {
        return;
    }
    histogram_add(&fanout->latency, now - room->times[client->count++ % ROOM_TIMES]);
    fanout->delivered++;
    if (--room->left == 0) {
        room->left = fanout->receivers;
        room->done++;
        if (fanout->sending && fanout->scenario->options->rate <= 0) {
            room_fill(fanout, room);
        }
    }
}

static void on_ack(struct client *client, uint64_t id, struct str args)
{
    (void)id;
    CONTAINER_OF(client->crowd, struct fanout, crowd)->joined += client_ack_ok(args);
}

static bool all_joined(void *arg)
{
    struct fanout *fanout = arg;

    return fanout->joined == fanout->crowd.count;
}

static bool all_delivered(void *arg)
{
    struct fanout *fanout = arg;

    return fanout->delivered >= fanout->sent * fanout->receivers;
}

static void send_due(void *arg, uint64_t due_ns)
{
    struct fanout *fanout = arg;
    struct room *room = &fanout->rooms[fanout->turn++ % fanout->room_count];

    if (room->sent - room->done >= ROOM_TIMES / 2) {
        bench_fail("the server is too far behind the rate");
    }
    room_send(fanout, room, due_ns);
}

static void join(struct fanout *fanout)
{
    const unsigned members = fanout->receivers + 1;
    char text[64];

    fanout->crowd.ops = (struct client_ops) { .event = on_event, .ack = on_ack };
    for (unsigned i = 0; i < fanout->crowd.count; i++) {
        int len = snprintf(text, sizeof(text), "420[\"join_chat\",%u]", i / members + 1);

        client_send(&fanout->crowd.clients[i], (struct str) { text, (size_t)len });
    }
    if (!loop_run_until(fanout->scenario->loop, JOIN_S, all_joined, fanout)) {
        bench_fail("%u of %u agents were let into their chat", fanout->joined, fanout->crowd.count);
    }
    loop_run_for(fanout->scenario->loop, 0.3); /* presence settles */
}

static void fanout_init(struct fanout *fanout)
{
    const struct options *options = fanout->scenario->options;
    struct crowd_config config = { .count = options->rooms * options->members,
                                   .first_user = USERS_DESK,
                                   .users = options->users,
                                   .business = options->desk,
                                   .jwt_key_file = options->jwt_key };

    if (options->members < 2 || options->rooms < 1) {
        bench_fail("there is nothing to deliver in %u rooms of %u", options->rooms,
                   options->members);
    }
    fanout->room_count = options->rooms;
    fanout->receivers = options->members - 1;
    fanout->rooms = xcalloc(options->rooms, sizeof(struct room));
    crowd_init(&fanout->crowd, fanout->scenario->loop, &config);
    (void)crowd_open(&fanout->crowd, options->connecting);
    join(fanout);
    for (unsigned i = 0; i < config.count; i++) {
        fanout->crowd.clients[i].data = &fanout->rooms[i / options->members];
    }
    for (unsigned i = 0; i < options->rooms; i++) {
        struct room *room = &fanout->rooms[i];

        room->members = &fanout->crowd.clients[i * options->members];
        room->left = fanout->receivers;
        buf_printf(&room->text, "42[\"typing_start\",{\"chatId\":%u}]", i + 1);
    }
}

static void fanout_finish(struct fanout *fanout)
{
    for (unsigned i = 0; i < fanout->room_count; i++) {
        buf_finish(&fanout->rooms[i].text);
    }
    crowd_finish(&fanout->crowd);
    free(fanout->rooms);
    free(fanout);
}

static void measure(struct fanout *fanout)
{
    struct scenario *scenario = fanout->scenario;
    struct pace pace = { .send_due = send_due, .arg = fanout };
    struct reading start, end;
    uint64_t delivered;

    fanout->sending = true;
    for (unsigned i = 0; scenario->options->rate <= 0 && i < fanout->room_count; i++) {
        room_fill(fanout, &fanout->rooms[i]);
    }
    scenario_drive(scenario, &pace, scenario->options->warmup);
    histogram_clear(&fanout->latency);
    delivered = fanout->delivered;
    start = reading_take(scenario->options->pid);
    scenario_drive(scenario, &pace, scenario->options->seconds);
    end = reading_take(scenario->options->pid);
    delivered = fanout->delivered - delivered;
    fanout->sending = false;

    scenario_rate(scenario, "per_s", delivered, reading_seconds(&start, &end));
    reading_report(scenario->result, &start, &end, delivered);
    scenario_latency(scenario, "latency_us", &fanout->latency);
}

static void report_losses(struct fanout *fanout)
{
    uint64_t lost = 0, doubled = 0;

    /* What is more than expected would arrive by then as well. */
    loop_run_until(fanout->scenario->loop, DRAIN_S, all_delivered, fanout);
    loop_run_for(fanout->scenario->loop, 0.1);
    for (unsigned i = 0; i < fanout->crowd.count; i++) {
        struct client *client = &fanout->crowd.clients[i];
        struct room *room = client->data;
        uint64_t expected = client == room->members ? 0 : room->sent;

        lost += expected - MIN(expected, client->count);
        doubled += client->count - MIN(expected, client->count);
    }
    scenario_count(fanout->scenario, "sent", fanout->sent);
    scenario_count(fanout->scenario, "lost", lost);
    scenario_count(fanout->scenario, "doubled", doubled);
    scenario_count(fanout->scenario, "closed", fanout->crowd.lost);
}

void scenario_fanout(struct scenario *scenario)
{
    struct fanout *fanout = xnew(struct fanout);

    fanout->scenario = scenario;
    fanout_init(fanout);
    measure(fanout);
    report_losses(fanout);
    fanout_finish(fanout);
}
