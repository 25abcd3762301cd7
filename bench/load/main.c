/* siod-load: loads a Socket.IO server from one core and prints what came of it as one line of JSON.
 *
 * It knows the protocol and nothing of siod: the same run measures any server that checks HS256
 * tokens with userId and businessId, acknowledges join_chat, relays typing_start to the room as
 * user_typing, and takes signed WhatsApp webhooks that it emits as whatsapp_message_received. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/lib/fail.h"
#include "bench/load/scenario.h"

static const struct {
    const char *name;
    void (*run)(struct scenario *scenario);
} scenarios[] = {
    { "idle", scenario_idle },       { "fanout", scenario_fanout }, { "ack", scenario_ack },
    { "webhook", scenario_webhook }, { "rooms", scenario_rooms },
};

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void idle_open(struct scenario *scenario)
{
    const struct options *options = scenario->options;
    struct crowd_config config = { .count = options->idle,
                                   .first_user = USERS_IDLE,
                                   .business = BUSINESS_IDLE,
                                   .per_business = PER_BUSINESS,
                                   .jwt_key_file = options->jwt_key };

    crowd_init(&scenario->idle, scenario->loop, &config);
    if (options->idle > 0) {
        (void)crowd_open(&scenario->idle, options->connecting);
    }
}

static void run(const struct options *options, void (*fn)(struct scenario *scenario))
{
    struct scenario scenario = { .options = options,
                                 .loop = loop_new(options->host, options->port),
                                 .result = json_object() };

    json_object_set_new(scenario.result, "server", json_string(options->label));
    idle_open(&scenario);
    fn(&scenario);
    if (scenario.idle.lost > 0) {
        bench_fail("%u idle connections were closed by the server", scenario.idle.lost);
    }
    json_dumpf(scenario.result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    crowd_finish(&scenario.idle);
    json_decref(scenario.result);
    loop_free(scenario.loop);
}

int main(int argc, char **argv)
{
    struct options options = { 0 };

    options_read(argc, argv, &options);
    raise_descriptor_limit();
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
        if (strcmp(options.scenario, scenarios[i].name) == 0) {
            run(&options, scenarios[i].run);
            return 0;
        }
    }
    bench_fail("there is no scenario %s", options.scenario);
}
