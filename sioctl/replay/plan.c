/* Each delivery gets a key, and the plan is in the order of the keys. Undisturbed the key is the
 * place in the wanted order; a shuffle draws it, a window adds less than its width to it, so that
 * nothing moves by more, and a copy comes a little behind what it copies. When they are due is
 * worked out for the undisturbed order: the n-th delivery is due when the n-th of that order is. */
#include "sioctl/replay/plan.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/base.h"

enum { COPY_WITHIN = 32 }; /* places behind the one that it copies */

static const int64_t line_max_ms = INT64_MAX / 2;

/* ---- splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators") */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 ≤ x < 1 */
static double draw_unit(uint64_t *state)
{
    return (double)(draw(state) >> 11) * 0x1p-53;
}

/* What is further away is as good as never, and no sum of it overflows. */
static uint64_t due_us(double after_us)
{
    return after_us < REPLAY_DUE_MAX_US ? (uint64_t)after_us : (uint64_t)REPLAY_DUE_MAX_US;
}

/* ---- the wanted order */

struct place {
    size_t record;
    int64_t came_ms;
    uint64_t due_us;
};

static int by_time(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->came_ms != y->came_ms) {
        return x->came_ms < y->came_ms ? -1 : 1;
    }
    return x->record < y->record ? -1 : x->record > y->record;
}

/* Milliseconds of one time line through all records: in the order of the files each goes on where
 * the one before has ended; by time it is the clock's. */
static void place_all(const struct replay_options *options, const struct replay_time *times,
                      size_t count, struct place *places)
{
    int64_t line_ms = 0, before_ms = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t at_ms = times[i].at_ms;

        if (i == 0 || times[i].file != times[i - 1].file) {
            before_ms = 0;
        }
        line_ms = MIN(line_ms + MAX(at_ms - before_ms, 0), line_max_ms);
        before_ms = MAX(at_ms, before_ms);
        places[i].record = i;
        places[i].came_ms =
            options->order == REPLAY_TIME ? times[i].started_at_ms + at_ms : line_ms;
    }
    if (options->order == REPLAY_TIME && count > 0) {
        qsort(places, count, sizeof *places, by_time);
    }
}

/* Those whose time is not known come first under REPLAY_TIME, and are no beginning for the rest. */
static int64_t first_known_ms(const struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (places[i].came_ms > 0) {
            return places[i].came_ms;
        }
    }
    return 0;
}

static void set_due(const struct replay_options *options, struct place *places, size_t count)
{
    int64_t start_ms = options->order == REPLAY_TIME ? first_known_ms(places, count) : 0;

    for (size_t i = 0; i < count; i++) {
        int64_t after_ms = MAX(places[i].came_ms - start_ms, 0);

        places[i].due_us =
            options->speed > 0 ? due_us((double)after_ms * 1000 / options->speed) : 0;
    }
}

/* ---- the plan */

struct keyed {
    double key;
    size_t at; /* among those of one key, and for a stable order */
    struct replay_step step;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;

    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

struct making {
    const struct replay_options *options;
    uint64_t random;
    struct keyed *list;
    size_t count, cap;
};

static void add_step(struct making *making, const struct place *place, double key, unsigned copy)
{
    if (making->count == making->cap) {
        making->cap = making->cap * 2 + 64;
        making->list = xrealloc(making->list, making->cap * sizeof *making->list);
    }
    making->list[making->count] = (struct keyed) {
        .key = key,
        .at = making->count,
        .step = { .record = place->record, .copy = copy, .due_us = place->due_us }
    };
    making->count++;
}

static double draw_key(struct making *making, size_t at, unsigned copy)
{
    const struct replay_options *options = making->options;
    double key = (double)at;

    if (options->order == REPLAY_SHUFFLE) {
        return draw_unit(&making->random);
    }
    if (copy > 0) {
        key += 0.5 + COPY_WITHIN * draw_unit(&making->random);
    }
    if (options->reorder > 0) {
        key += (double)options->reorder * draw_unit(&making->random);
    }
    return key;
}

static void add_place(struct making *making, const struct place *place, size_t at)
{
    unsigned copy = 0;

    do {
        add_step(making, place, draw_key(making, at, copy), copy);
    } while (++copy < REPLAY_COPIES_MAX && draw_unit(&making->random) < making->options->dup);
}

/* Copies are added behind what they copy: so the times of the list, as it was made, ascend. */
static void finish_steps(struct making *making, struct replay_plan *plan)
{
    uint64_t *times_us = xcalloc(making->count + 1, sizeof *times_us);

    for (size_t i = 0; i < making->count; i++) {
        times_us[i] = making->list[i].step.due_us;
    }
    if (making->count > 0) {
        qsort(making->list, making->count, sizeof *making->list, by_key);
    }
    plan->count = making->count;
    plan->steps = xcalloc(making->count + 1, sizeof *plan->steps);
    for (size_t i = 0; i < making->count; i++) {
        plan->steps[i] = making->list[i].step;
        plan->steps[i].due_us = making->options->rate > 0
                                    ? due_us((double)i * 1e6 / making->options->rate)
                                    : times_us[i];
    }
    free(times_us);
}

void replay_plan_make(const struct replay_options *options, const struct replay_time *times,
                      size_t count, struct replay_plan *ret_plan)
{
    struct place *places = xcalloc(count + 1, sizeof *places);
    struct making making = { .options = options, .random = options->seed };

    place_all(options, times, count, places);
    set_due(options, places, count);
    for (size_t i = 0; i < count; i++) {
        add_place(&making, &places[i], i);
    }
    finish_steps(&making, ret_plan);
    free(making.list);
    free(places);
}

void replay_plan_finish(struct replay_plan *plan)
{
    free(plan->steps);
    *plan = (struct replay_plan) { 0 };
}
