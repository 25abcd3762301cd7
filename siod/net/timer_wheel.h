/* A hierarchical timer wheel: seven levels of 64 slots, 10 ms a tick, 1400 years in all.
 *
 * A timer waits in the level where its distance fits and falls to a finer one when its slot comes
 * round, at most six times in its life. A bitmap a level tells which slots may hold timers, so that
 * empty ones cost nothing and the next deadline is found without walking. Loop thread only. */
#pragma once

#include <stdint.h>

#include "libshared/base.h"
#include "siod/net/loop.h"

enum { WHEEL_TICK_MS = 10, WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_LEVELS = 7 };

struct timer_wheel {
    uint64_t tick; /* everything due at or before this tick has fired */
    uint64_t occupied[WHEEL_LEVELS];
    struct timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);
void timer_wheel_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms,
                     void (*fire)(struct timer *timer));
/* Fires what is due at now_ms. A timer set meanwhile fires at the next call at the earliest. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);
/* When to call advance next; never later than the first deadline. UINT64_MAX when no timer is set.
 */
uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel);
