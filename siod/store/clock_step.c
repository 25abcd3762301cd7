#include "siod/store/clock_step.h"

static int64_t lead(int64_t wall_ms, uint64_t monotonic_ms)
{
    return wall_ms - (int64_t)monotonic_ms;
}

void clock_step_init(struct clock_step *step, int64_t wall_ms, uint64_t monotonic_ms)
{
    *step = (struct clock_step) { .lead_ms = lead(wall_ms, monotonic_ms) };
}

int64_t clock_step_take(struct clock_step *step, int64_t wall_ms, uint64_t monotonic_ms)
{
    int64_t now = lead(wall_ms, monotonic_ms), gained = now - step->lead_ms;

    step->lead_ms = now;
    if (gained < CLOCK_STEP_MS) {
        return 0;
    }
    step->steady_after_ms = monotonic_ms + CLOCK_STEADY_MS;
    return gained;
}

bool clock_step_is_steady(const struct clock_step *step, uint64_t monotonic_ms)
{
    return monotonic_ms >= step->steady_after_ms;
}
