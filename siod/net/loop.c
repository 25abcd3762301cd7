/* The loop thread, on libev.
 *
 * Order within a round: the check watcher reads the clocks once and fires timers, input and posted
 * calls are handled, then the prepare watcher runs the hooks just before the loop may block. The
 * transport's own prepare watcher has a lower priority, so that it sees what the hooks produced. */
#include "siod/net/loop.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <ev.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/net/budget.h"
#include "siod/net/timer_wheel.h"

enum { LONGEST_WINDOW_MS = 30000 };

struct loop {
    struct ev_loop *ev;
    ev_prepare prepare;
    ev_prepare last; /* sets the alarm, when nothing more can change the wheel */
    ev_check check;
    ev_timer alarm;            /* the wheel's next deadline */
    ev_async arrival;          /* something was posted */
    uint64_t now_ms, round_ns; /* when the round began */
    int64_t wall_ms;
    uint64_t rounds, slow_rounds;
    uint64_t longest_ns, longest_before_ns, longest_since_ms; /* in this window, in the last one */
    uint64_t alarm_ms; /* what the alarm is set to, UINT64_MAX = off */
    struct loop_hook *hooks;
    struct loop_hook *hook_at; /* the one that runs next, while hooks run */
    struct timer_wheel wheel;
    struct budget budget;

    pthread_mutex_t lock; /* guards the posted calls */
    struct loop_call *posted, **posted_end;
    atomic_uint posting; /* threads that may still touch this after what they posted has run */
};

static void read_clocks(struct loop *loop)
{
    loop->round_ns = clock_monotonic_ns();
    loop->now_ms = loop->round_ns / 1000000;
    loop->wall_ms = clock_wall_ms();
}

static void count_round(struct loop *loop)
{
    uint64_t took_ns = clock_monotonic_ns() - loop->round_ns;

    loop->rounds++;
    loop->slow_rounds += took_ns > LOOP_SLOW_MS * UINT64_C(1000000);
    if (loop->now_ms - loop->longest_since_ms >= LONGEST_WINDOW_MS) {
        loop->longest_before_ns = loop->longest_ns;
        loop->longest_ns = 0;
        loop->longest_since_ms = loop->now_ms;
    }
    loop->longest_ns = MAX(loop->longest_ns, took_ns);
}

struct budget *loop_budget(struct loop *loop)
{
    return &loop->budget;
}

void loop_stats(const struct loop *loop, struct loop_stats *ret_stats)
{
    *ret_stats =
        (struct loop_stats) { .rounds = loop->rounds,
                              .slow_rounds = loop->slow_rounds,
                              .longest_ns = MAX(loop->longest_ns, loop->longest_before_ns) };
}

/* False: there was nothing. */
static bool run_posted(struct loop *loop)
{
    struct loop_call *call;
    bool any;

    pthread_mutex_lock(&loop->lock);
    call = loop->posted;
    loop->posted = NULL;
    loop->posted_end = &loop->posted;
    pthread_mutex_unlock(&loop->lock);
    any = call != NULL;
    while (call != NULL) {
        struct loop_call *next = call->next;

        call->fn(call);
        call = next;
    }
    return any;
}

static void on_arrival(struct ev_loop *ev, ev_async *watcher, int revents)
{
    (void)watcher;
    (void)revents;
    (void)run_posted(ev_userdata(ev));
}

static void on_check(struct ev_loop *ev, ev_check *watcher, int revents)
{
    struct loop *loop = ev_userdata(ev);

    (void)watcher;
    (void)revents;
    read_clocks(loop);
    timer_wheel_advance(&loop->wheel, loop->now_ms);
}

/* The alarm only ends the wait; the check watcher fires the timers. */
static void on_alarm(struct ev_loop *ev, ev_timer *watcher, int revents)
{
    struct loop *loop = ev_userdata(ev);

    (void)watcher;
    (void)revents;
    loop->alarm_ms = UINT64_MAX;
}

static void on_last(struct ev_loop *ev, ev_prepare *watcher, int revents)
{
    struct loop *loop = ev_userdata(ev);
    uint64_t next_ms = timer_wheel_next_ms(&loop->wheel);
    uint64_t now_ms;

    (void)watcher;
    (void)revents;
    count_round(loop);
    if (next_ms == loop->alarm_ms) {
        return;
    }
    ev_timer_stop(loop->ev, &loop->alarm);
    loop->alarm_ms = next_ms;
    if (next_ms != UINT64_MAX) {
        now_ms = clock_monotonic_ms();
        ev_now_update(loop->ev);
        ev_timer_set(&loop->alarm, next_ms > now_ms ? (double)(next_ms - now_ms) / 1000.0 : 0., 0.);
        ev_timer_start(loop->ev, &loop->alarm);
    }
}

static void on_prepare(struct ev_loop *ev, ev_prepare *watcher, int revents)
{
    struct loop *loop = ev_userdata(ev);
    struct loop_hook *hook;

    (void)watcher;
    (void)revents;
    for (hook = loop->hooks; hook != NULL; hook = loop->hook_at) {
        loop->hook_at = hook->next;
        hook->fn(hook->arg);
    }
    loop->hook_at = NULL;
}

struct loop *loop_new(void)
{
    struct loop *loop = xnew(struct loop);

    loop->ev = ev_loop_new(EVBACKEND_EPOLL);
    if (loop->ev == NULL) {
        loop->ev = ev_loop_new(EVFLAG_AUTO);
    }
    if (loop->ev == NULL) {
        abort();
    }
    ev_set_userdata(loop->ev, loop);
    read_clocks(loop);
    timer_wheel_init(&loop->wheel, loop->now_ms);
    budget_init(&loop->budget);
    loop->alarm_ms = UINT64_MAX;
    loop->posted_end = &loop->posted;
    pthread_mutex_init(&loop->lock, NULL);
    ev_timer_init(&loop->alarm, on_alarm, 0., 0.);
    ev_prepare_init(&loop->prepare, on_prepare);
    ev_prepare_start(loop->ev, &loop->prepare);
    ev_prepare_init(&loop->last, on_last);
    ev_set_priority(&loop->last, EV_MINPRI);
    ev_prepare_start(loop->ev, &loop->last);
    ev_check_init(&loop->check, on_check);
    ev_set_priority(&loop->check, EV_MAXPRI);
    ev_check_start(loop->ev, &loop->check);
    ev_async_init(&loop->arrival, on_arrival);
    ev_async_start(loop->ev, &loop->arrival);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (atomic_load(&loop->posting) > 0) {
        sched_yield();
    }
    (void)run_posted(loop);
    ev_loop_destroy(loop->ev);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

void loop_run(struct loop *loop)
{
    read_clocks(loop);
    ev_run(loop->ev, 0);
}

void loop_stop(struct loop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

struct ev_loop *loop_ev(struct loop *loop)
{
    return loop->ev;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

int64_t loop_wall_ms(const struct loop *loop)
{
    return loop->wall_ms;
}

void timer_set(struct loop *loop, struct timer *timer, uint64_t delay_ms,
               void (*fire)(struct timer *timer))
{
    timer_wheel_set(&loop->wheel, timer, loop->now_ms + delay_ms, fire);
}

void loop_post(struct loop *loop, struct loop_call *call)
{
    call->next = NULL;
    atomic_fetch_add(&loop->posting, 1);
    pthread_mutex_lock(&loop->lock);
    *loop->posted_end = call;
    loop->posted_end = &call->next;
    pthread_mutex_unlock(&loop->lock);
    ev_async_send(loop->ev, &loop->arrival); /* the loop may run at once, and wants the lock */
    atomic_fetch_sub(&loop->posting, 1);
}

void loop_flush(struct loop *loop)
{
    while (run_posted(loop)) {
    }
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
    struct loop_hook **link = &loop->hooks;

    while (*link != NULL) {
        link = &(*link)->next;
    }
    hook->next = NULL;
    *link = hook;
}

void loop_hook_remove(struct loop *loop, struct loop_hook *hook)
{
    struct loop_hook **link = &loop->hooks;

    while (*link != NULL && *link != hook) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        return;
    }
    *link = hook->next;
    if (loop->hook_at == hook) {
        loop->hook_at = hook->next;
    }
    hook->next = NULL;
}

void loop_wake(struct loop *loop)
{
    ev_async_send(loop->ev, &loop->arrival);
}

struct loop_slice loop_slice_begin(void)
{
    return (struct loop_slice) { .end_ns = clock_monotonic_ns() + LOOP_SLICE_US * UINT64_C(1000) };
}

bool loop_slice_spent(const struct loop_slice *slice)
{
    return clock_monotonic_ns() >= slice->end_ns;
}

bool loop_slice_over(struct loop_slice *slice)
{
    return ++slice->steps % LOOP_SLICE_STEPS == 0 && loop_slice_spent(slice);
}
