/* Connections that do nothing: how fast they are taken, what memory each holds, and what the server
 * spends while it holds them, heartbeats included when --hold is longer than their interval. */
#include "bench/load/scenario.h"

void scenario_idle(struct scenario *scenario)
{
    const struct options *options = scenario->options;
    struct crowd_config config = { .count = options->conns,
                                   .first_user = USERS_DESK,
                                   .business = options->desk,
                                   .per_business = PER_BUSINESS,
                                   .jwt_key_file = options->jwt_key };
    double resident_kb = server_resident_kb(options->pid), seconds;
    struct reading start, opened, held, end;
    struct crowd crowd;

    crowd_init(&crowd, scenario->loop, &config);
    start = reading_take(options->pid);
    seconds = crowd_open(&crowd, options->connecting);
    opened = reading_take(options->pid);
    loop_run_for(scenario->loop, 1); /* presence settles */
    held = reading_take(options->pid);
    loop_run_for(scenario->loop, options->hold);
    end = reading_take(options->pid);

    scenario_count(scenario, "conns", options->conns);
    scenario_rate(scenario, "per_s", options->conns, seconds);
    reading_report(scenario->result, &start, &opened, options->conns);
    resident_kb = server_resident_kb(options->pid) - resident_kb;
    json_object_set_new(scenario->result, "kb_each", json_real(resident_kb / options->conns));
    json_object_set_new(scenario->result, "idle_load", json_real(reading_load(&held, &end)));
    scenario_count(scenario, "lost", crowd.lost);
    crowd_finish(&crowd);
}
