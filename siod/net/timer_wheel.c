#include "siod/net/timer_wheel.h"

#include <assert.h>
#include <string.h>

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->tick = now_ms / WHEEL_TICK_MS;
}

static void link_timer(struct timer **head, struct timer *timer)
{
    timer->next = *head;
    timer->link = head;
    if (timer->next != NULL) {
        timer->next->link = &timer->next;
    }
    *head = timer;
}

/* The wheel's bitmap may keep a bit for the slot that became empty: advance() clears it. */
void timer_clear(struct timer *timer)
{
    if (timer->link == NULL) {
        return;
    }
    *timer->link = timer->next;
    if (timer->next != NULL) {
        timer->next->link = timer->link;
    }
    timer->next = NULL;
    timer->link = NULL;
}

/* The first tick at which the deadline has passed. */
static uint64_t due_tick(const struct timer *timer)
{
    return timer->due_ms / WHEEL_TICK_MS + (timer->due_ms % WHEEL_TICK_MS != 0);
}

/* The level is that of the highest digit in which the two ticks differ, so that a slot is never
 * reached before the wheel's own digits above it are equal. */
static void place(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t due = due_tick(timer);
    uint64_t at = due > wheel->tick ? due : wheel->tick + 1;
    unsigned top = 63 - (unsigned)__builtin_clzll(at ^ wheel->tick);
    unsigned level = top / WHEEL_BITS;
    unsigned slot;

    if (level >= WHEEL_LEVELS) {
        level = WHEEL_LEVELS - 1;
        slot = (unsigned)((wheel->tick >> (WHEEL_BITS * level)) - 1) % WHEEL_SLOTS;
    } else {
        slot = (unsigned)(at >> (WHEEL_BITS * level)) % WHEEL_SLOTS;
    }
    wheel->occupied[level] |= UINT64_C(1) << slot;
    link_timer(&wheel->slots[level][slot], timer);
}

void timer_wheel_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms,
                     void (*fire)(struct timer *timer))
{
    assert(fire != NULL);
    timer_clear(timer);
    timer->due_ms = due_ms;
    timer->fire = fire;
    place(wheel, timer);
}

/* The first tick after the present one at which a slot has to be looked at; UINT64_MAX if none. */
static uint64_t next_tick(const struct timer_wheel *wheel)
{
    uint64_t best = UINT64_MAX;

    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        unsigned shift = WHEEL_BITS * level;
        uint64_t digit = wheel->tick >> shift;
        unsigned turn = (unsigned)(digit + 1) % WHEEL_SLOTS;
        uint64_t bits = wheel->occupied[level];
        uint64_t at;

        if (bits == 0) {
            continue;
        }
        bits = bits >> turn | bits << ((WHEEL_SLOTS - turn) % WHEEL_SLOTS);
        at = (digit + 1 + (unsigned)__builtin_ctzll(bits)) << shift;
        best = MIN(best, at);
    }
    return best;
}

uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel)
{
    uint64_t tick = next_tick(wheel);

    return tick == UINT64_MAX ? UINT64_MAX : tick * WHEEL_TICK_MS;
}

/* Moves a slot's timers to *to and forgets the slot. */
static void empty_slot(struct timer_wheel *wheel, unsigned level, unsigned slot, struct timer **to)
{
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    while (wheel->slots[level][slot] != NULL) {
        struct timer *timer = wheel->slots[level][slot];

        timer_clear(timer);
        link_timer(to, timer);
    }
}

/* wheel->tick has just arrived: take the slots that begin here, coarse ones first, append what is
 * due to the list that ends at expired_end (its new end is returned), and spread the rest over the
 * finer levels. */
static struct timer **collect(struct timer_wheel *wheel, struct timer **expired_end)
{
    struct timer *fallen = NULL;

    for (unsigned level = WHEEL_LEVELS; level-- > 0;) {
        uint64_t digit = wheel->tick >> (WHEEL_BITS * level);
        unsigned slot = (unsigned)digit % WHEEL_SLOTS;

        if (digit << (WHEEL_BITS * level) == wheel->tick &&
            (wheel->occupied[level] >> slot & 1) != 0) {
            empty_slot(wheel, level, slot, &fallen);
        }
    }
    while (fallen != NULL) {
        struct timer *timer = fallen;

        timer_clear(timer);
        if (due_tick(timer) <= wheel->tick) {
            link_timer(expired_end, timer);
            expired_end = &timer->next;
        } else {
            place(wheel, timer);
        }
    }
    return expired_end;
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms)
{
    uint64_t now = now_ms / WHEEL_TICK_MS;
    struct timer *expired = NULL, **end = &expired;

    while (wheel->tick < now) {
        uint64_t next = next_tick(wheel);

        if (next > now) {
            wheel->tick = now;
            break;
        }
        wheel->tick = next;
        end = collect(wheel, end);
    }
    /* One at a time: a timer that fires may clear others that are waiting here. */
    while (expired != NULL) {
        struct timer *timer = expired;

        timer_clear(timer);
        timer->fire(timer);
    }
}
