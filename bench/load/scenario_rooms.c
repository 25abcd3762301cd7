/* Chats entered and left: --conns agents share --rooms chats among them, each chat with one member,
 * enter them all and leave them all again, --cycles times, with some requests under way each. What
 * matters is the server's memory after each cycle. With --hold the chats of the last cycle are held
 * before they are left. */
#include "bench/load/scenario.h"
#include "libshared/alloc.h"

enum { UNDER_WAY = 32, STEP_S = 120 };

struct rooms {
    struct scenario *scenario;
    struct crowd crowd;
    const char *event;
    unsigned sent, answered; /* of this half of a cycle */
};

/* The next chat of this client: its number, the number of clients further on, and so on. */
static void request_next(struct rooms *rooms, struct client *client)
{
    const struct options *options = rooms->scenario->options;
    uint64_t room = client->number + client->count * options->conns;
    char text[64];
    int len;

    if (room >= options->rooms) {
        return;
    }
    len = snprintf(text, sizeof(text), "420[\"%s\",%llu]", rooms->event,
                   (unsigned long long)room + 1);
    client->count++;
    rooms->sent++;
    client_send(client, (struct str) { text, (size_t)len });
}

static void on_ack(struct client *client, uint64_t id, struct str args)
{
    struct rooms *rooms = CONTAINER_OF(client->crowd, struct rooms, crowd);

    (void)id;
    if (!client_ack_ok(args)) {
        bench_fail("%s was answered with %.*s", rooms->event, (int)MIN(args.len, 200), args.data);
    }
    rooms->answered++;
    request_next(rooms, client);
}

static bool all_answered(void *arg)
{
    struct rooms *rooms = arg;

    return rooms->answered == rooms->scenario->options->rooms;
}

static void go_through(struct rooms *rooms, const char *event)
{
    rooms->event = event;
    rooms->sent = rooms->answered = 0;
    for (unsigned i = 0; i < rooms->crowd.count; i++) {
        struct client *client = &rooms->crowd.clients[i];

        client->count = 0;
        for (unsigned window = 0; window < UNDER_WAY; window++) {
            request_next(rooms, client);
        }
    }
    if (!loop_run_until(rooms->scenario->loop, STEP_S, all_answered, rooms)) {
        bench_fail("%u of %u %s were answered", rooms->answered, rooms->scenario->options->rooms,
                   event);
    }
}

static void cycle(struct rooms *rooms, json_t *entered_kb, json_t *left_kb, bool last)
{
    const struct options *options = rooms->scenario->options;

    go_through(rooms, "join_chat");
    json_array_append_new(entered_kb, json_real(server_resident_kb(options->pid)));
    if (last) {
        loop_run_for(rooms->scenario->loop, options->hold);
    }
    go_through(rooms, "leave_chat");
    json_array_append_new(left_kb, json_real(server_resident_kb(options->pid)));
}

void scenario_rooms(struct scenario *scenario)
{
    const struct options *options = scenario->options;
    struct crowd_config config = { .count = options->conns,
                                   .first_user = USERS_DESK,
                                   .business = options->desk,
                                   .jwt_key_file = options->jwt_key };
    struct rooms rooms = { .scenario = scenario };
    json_t *entered_kb = json_array(), *left_kb = json_array();
    struct reading start, end;

    crowd_init(&rooms.crowd, scenario->loop, &config);
    crowd_open(&rooms.crowd, options->connecting);
    loop_run_for(scenario->loop, 0.3); /* presence settles */
    rooms.crowd.ops = (struct client_ops) { .ack = on_ack };
    start = reading_take(options->pid);
    for (unsigned i = 1; i <= options->cycles; i++) {
        cycle(&rooms, entered_kb, left_kb, i == options->cycles);
    }
    end = reading_take(options->pid);
    reading_report(scenario->result, &start, &end, 2ULL * options->rooms * options->cycles);
    json_object_set_new(scenario->result, "entered_kb", entered_kb);
    json_object_set_new(scenario->result, "left_kb", left_kb);
    scenario_count(scenario, "closed", rooms.crowd.lost);
    crowd_finish(&rooms.crowd);
}
