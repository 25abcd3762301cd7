#include "bench/load/scenario.h"

#include "libshared/clock.h"

void scenario_drive(struct scenario *scenario, struct pace *pace, double seconds)
{
    const uint64_t step_ns =
        scenario->options->rate > 0 ? (uint64_t)(1e9 / scenario->options->rate) : 0;
    const uint64_t round_ns = 1500000; /* epoll waits whole milliseconds */
    uint64_t end = clock_monotonic_ns() + (uint64_t)(seconds * 1e9), now;

    if (step_ns == 0) {
        loop_run_for(scenario->loop, seconds);
        return;
    }
    if (pace->next_due_ns == 0) {
        pace->next_due_ns = clock_monotonic_ns();
    }
    while ((now = clock_monotonic_ns()) < end) {
        for (; pace->next_due_ns <= now; pace->next_due_ns += step_ns) {
            pace->send_due(pace->arg, pace->next_due_ns);
        }
        loop_round(scenario->loop, pace->next_due_ns > now + round_ns ? 1 : 0);
    }
}

void scenario_count(struct scenario *scenario, const char *name, uint64_t count)
{
    json_object_set_new(scenario->result, name, json_integer((json_int_t)count));
}

void scenario_rate(struct scenario *scenario, const char *name, uint64_t count, double seconds)
{
    json_object_set_new(scenario->result, name, json_real((double)count / seconds));
}

void scenario_latency(struct scenario *scenario, const char *name,
                      const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double quantile;
    } points[] = { { "p50", 0.5 }, { "p99", 0.99 }, { "p999", 0.999 }, { "max", 1 } };
    json_t *object = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
        double us = (double)histogram_quantile(histogram, points[i].quantile) / 1e3;

        json_object_set_new(object, points[i].name, json_real(us));
    }
    json_object_set_new(scenario->result, name, object);
}
