/* The loop thread: libev, timers, the end of a round, and the way in for other threads.
 *
 * One struct loop owns all live state of the daemon. Everything here is called on its thread, but
 * for loop_post(). A round is one pass of libev: input is handled, then the round-end hooks run in
 * the order in which they were added (the transport's is the last: it writes what the round
 * produced). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/base.h"

struct budget;
struct loop;
struct ev_loop;

/* Returns owned; release with loop_free() when every module has let go of it. */
NODISCARD
struct loop *loop_new(void);
void loop_free(struct loop *loop);
/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* For what all connections of the loop keep waiting; without a limit at first. */
struct budget *loop_budget(struct loop *loop);

/* For transport.c and signal watchers only. */
struct ev_loop *loop_ev(struct loop *loop);

/* Monotonic milliseconds, read once a round. */
uint64_t loop_now_ms(const struct loop *loop);
/* Wall clock in milliseconds since 1970, read once a round: the timestamp of what this round emits.
 */
int64_t loop_wall_ms(const struct loop *loop);

/* How long rounds took, from the end of the wait to the next one. */
enum { LOOP_SLOW_MS = 5 };
struct loop_stats {
    uint64_t rounds;
    uint64_t slow_rounds; /* those that took longer than LOOP_SLOW_MS */
    uint64_t longest_ns;  /* of the last half minute, or of the one before */
};
void loop_stats(const struct loop *loop, struct loop_stats *ret_stats);

/* A one-shot deadline in the hierarchical timer wheel: O(1) to set, move and clear, 10 ms
 * granularity, never early. Embed it in the object it guards; zero-initialised means not set. */
struct timer {
    struct timer *next, **link; /* the wheel's; link != NULL while set */
    uint64_t due_ms;
    void (*fire)(struct timer *timer);
};

void timer_set(struct loop *loop, struct timer *timer, uint64_t delay_ms,
               void (*fire)(struct timer *timer));
void timer_clear(struct timer *timer);
static inline bool timer_is_set(const struct timer *timer)
{
    return timer->link != NULL;
}

/* Work handed to the loop thread by another one. The struct is embedded in the job and belongs to
 * the loop until fn runs; fn may free it. Posts of one thread run in order. */
struct loop_call {
    struct loop_call *next;
    void (*fn)(struct loop_call *call);
};
/* Any thread. */
void loop_post(struct loop *loop, struct loop_call *call);
/* At the end, when the loop does not run any more: runs what was posted, until there is nothing. */
void loop_flush(struct loop *loop);

/* Runs fn(arg) at the end of this and every later round until removed. */
struct loop_hook {
    struct loop_hook *next;
    void (*fn)(void *arg);
    void *arg;
};
void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop *loop, struct loop_hook *hook);
/* Makes the next round start at once even if no input comes: for work that is cut into slices. */
void loop_wake(struct loop *loop);

/* How much of a round such work takes: begin in each round, and stop when it is over, which is not
 * before some steps were taken. */
enum { LOOP_SLICE_US = 1000, LOOP_SLICE_STEPS = 16 };
struct loop_slice {
    uint64_t end_ns;
    unsigned steps;
};
struct loop_slice loop_slice_begin(void);
/* After each step. */
bool loop_slice_over(struct loop_slice *slice);
/* Likewise after a long one. */
bool loop_slice_spent(const struct loop_slice *slice);

/* A fixed pool of threads for blocking or long work: run() on one of them, then done() on the loop
 * thread. The job is embedded in its owner's struct, belongs to the pool until done(), and jobs
 * start in the order of submission. */
struct pool;
struct pool_job {
    struct loop_call call;
    struct pool_job *next;
    void (*run)(struct pool_job *job, unsigned thread);
    void (*done)(struct pool_job *job);
};
NODISCARD
struct pool *pool_new(struct loop *loop, const char *name, unsigned threads);
/* Waits for the jobs that were submitted; their done() calls still arrive through the loop. */
void pool_free(struct pool *pool);
void pool_submit(struct pool *pool, struct pool_job *job);
