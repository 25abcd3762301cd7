#include "tests/fuzz/fake_loop.h"

#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/net/budget.h"
#include "siod/net/loop.h"
#include "siod/net/timer_wheel.h"

enum { START_MS = 1000000 };

struct loop {
    uint64_t now_ms;
    struct timer_wheel wheel;
    struct budget budget;
    struct loop_hook *hooks;
    struct loop_call *posted, **posted_end;
};

struct loop *loop_new(void)
{
    struct loop *loop = xnew(struct loop);

    loop->now_ms = START_MS;
    loop->posted_end = &loop->posted;
    timer_wheel_init(&loop->wheel, loop->now_ms);
    budget_init(&loop->budget);
    return loop;
}

static void run_posted(struct loop *loop)
{
    struct loop_call *call = loop->posted;

    loop->posted = NULL;
    loop->posted_end = &loop->posted;
    while (call != NULL) {
        struct loop_call *next = call->next;

        call->fn(call);
        call = next;
    }
}

void loop_free(struct loop *loop)
{
    run_posted(loop);
    free(loop);
}

void fake_loop_begin(struct loop *loop, uint64_t ms)
{
    loop->now_ms += ms;
    timer_wheel_advance(&loop->wheel, loop->now_ms);
}

void fake_loop_end(struct loop *loop)
{
    run_posted(loop);
    for (struct loop_hook *hook = loop->hooks; hook != NULL; hook = hook->next) {
        hook->fn(hook->arg);
    }
}

struct budget *loop_budget(struct loop *loop)
{
    return &loop->budget;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

int64_t loop_wall_ms(const struct loop *loop)
{
    return (int64_t)loop->now_ms;
}

void timer_set(struct loop *loop, struct timer *timer, uint64_t delay_ms,
               void (*fire)(struct timer *timer))
{
    timer_wheel_set(&loop->wheel, timer, loop->now_ms + delay_ms, fire);
}

void loop_post(struct loop *loop, struct loop_call *call)
{
    call->next = NULL;
    *loop->posted_end = call;
    loop->posted_end = &call->next;
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

    while (*link != hook) {
        link = &(*link)->next;
    }
    *link = hook->next;
}

void loop_wake(struct loop *loop)
{
    (void)loop;
}
