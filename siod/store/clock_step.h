/* Has the wall clock lately stepped forward? What is told from ages would then think all that is
 * there too old. Pure: it is given the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    CLOCK_STEP_MS = 60 * 60 * 1000,       /* or more is a step, and no correction of a drift */
    CLOCK_STEADY_MS = 24 * CLOCK_STEP_MS, /* without another step: it is right */
};

struct clock_step {
    int64_t lead_ms;          /* of the wall clock before the monotonic one, last seen */
    uint64_t steady_after_ms; /* monotonic */
};

void clock_step_init(struct clock_step *step, int64_t wall_ms, uint64_t monotonic_ms);
/* To be asked often. Returns how far it has stepped forward since it was last asked, 0 if not. */
int64_t clock_step_take(struct clock_step *step, int64_t wall_ms, uint64_t monotonic_ms);
bool clock_step_is_steady(const struct clock_step *step, uint64_t monotonic_ms);
