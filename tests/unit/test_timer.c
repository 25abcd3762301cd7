#include <pthread.h>

#include "siod/net/timer_wheel.h"
#include "tests/unit/net_fixture.h"

/* A timer that notes when it fired, by the clock that the test moves. */
struct probe {
    struct timer timer;
    uint64_t due_ms, fired_ms;
    unsigned fired;
    struct probe *clears, *sets;
};

static struct timer_wheel wheel;
static uint64_t now_ms;

static void on_fire(struct timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

    assert_false(timer_is_set(timer));
    probe->fired++;
    probe->fired_ms = now_ms;
    if (probe->clears != NULL) {
        timer_clear(&probe->clears->timer);
    }
    if (probe->sets != NULL) {
        timer_wheel_set(&wheel, &probe->sets->timer, now_ms, on_fire);
    }
}

static void set(struct probe *probe, uint64_t delay_ms)
{
    probe->due_ms = now_ms + delay_ms;
    timer_wheel_set(&wheel, &probe->timer, probe->due_ms, on_fire);
}

/* Runs the wheel the way the loop does until nothing is set. */
static void run_out(void)
{
    uint64_t next;

    while ((next = timer_wheel_next_ms(&wheel)) != UINT64_MAX) {
        assert_true(next > now_ms || next <= now_ms + WHEEL_TICK_MS);
        now_ms = MAX(next, now_ms + 1);
        timer_wheel_advance(&wheel, now_ms);
    }
}

static void timers_fire_once_never_early_and_within_a_tick(void **state)
{
    static const uint64_t delays[] = { 0,        1,         9,       10,      11,
                                       100,      630,       639,     640,     641,
                                       25000,    40959,     40960,   40961,   60000,
                                       86400000, 604800000, 2621439, 2621440, 31536000000 };
    static const uint64_t starts[] = { 0, 5, 639, 640, 123456789, 1ull << 40 };

    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
        struct probe probes[ARRAY_SIZE(delays)] = { 0 };

        now_ms = starts[s];
        timer_wheel_init(&wheel, now_ms);
        for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
            set(&probes[i], delays[i]);
        }
        run_out();
        for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
            assert_int_equal(probes[i].fired, 1);
            assert_true(probes[i].fired_ms >= probes[i].due_ms);
            assert_true(probes[i].fired_ms <= probes[i].due_ms + 2 * WHEEL_TICK_MS);
        }
    }
}

static void many_random_timers_moved_and_cleared_fire_as_a_list_would(void **state)
{
    enum { COUNT = 3000 };
    struct probe *probes = xcalloc(COUNT, sizeof *probes);
    bool *cleared = xcalloc(COUNT, sizeof *cleared);

    (void)state;
    srandom(7);
    now_ms = 1000003;
    timer_wheel_init(&wheel, now_ms);
    for (int i = 0; i < COUNT; i++) {
        set(&probes[i], (uint64_t)random() % (1u << (random() % 28)));
    }
    for (int i = 0; i < COUNT; i += 3) {
        now_ms += (uint64_t)random() % 50;
        timer_wheel_advance(&wheel, now_ms);
        if (random() % 2 == 0 && probes[i].fired == 0) {
            timer_clear(&probes[i].timer);
            cleared[i] = true;
        } else if (probes[i].fired == 0) {
            set(&probes[i], (uint64_t)random() % 100000);
        }
    }
    run_out();
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(probes[i].fired, cleared[i] ? 0 : 1);
        assert_true(cleared[i] || probes[i].fired_ms >= probes[i].due_ms);
    }
    free(probes);
    free(cleared);
}

static void a_wheel_that_was_not_looked_at_for_long_catches_up_in_order(void **state)
{
    struct probe late = { 0 }, early = { 0 };

    (void)state;
    now_ms = 0;
    timer_wheel_init(&wheel, now_ms);
    set(&late, 500000);
    set(&early, 100);
    early.sets = &early; /* would fire for ever if a timer set now fired now */
    now_ms = 10000000;
    timer_wheel_advance(&wheel, now_ms);
    assert_int_equal(early.fired, 1);
    assert_int_equal(late.fired, 1);
    assert_true(timer_is_set(&early.timer));
    timer_clear(&early.timer);
}

static void a_timer_may_clear_another_that_is_due_at_the_same_time(void **state)
{
    struct probe a = { 0 }, b = { 0 };

    (void)state;
    now_ms = 0;
    timer_wheel_init(&wheel, now_ms);
    a.clears = &b;
    b.clears = &a;
    set(&a, 100);
    set(&b, 100);
    run_out();
    assert_int_equal(a.fired + b.fired, 1);
}

static bool fired;

static void note_fired(struct timer *timer)
{
    (void)timer;
    fired = true;
}

static void the_loop_fires_its_timers(void **state)
{
    struct loop *loop = loop_new();
    struct timer timer = { 0 };
    uint64_t start;

    (void)state;
    fired = false;
    start = loop_now_ms(loop);
    timer_set(loop, &timer, 50, note_fired);
    WAIT_FOR(loop, NULL, fired);
    assert_true(loop_now_ms(loop) >= start + 50);
    loop_free(loop);
}

static void dawdle(struct timer *timer)
{
    uint64_t end_ns = clock_monotonic_ns() + 2 * LOOP_SLOW_MS * UINT64_C(1000000);

    (void)timer;
    while (clock_monotonic_ns() < end_ns) {
    }
    fired = true;
}

static void a_slow_round_is_counted(void **state)
{
    struct loop *loop = loop_new();
    struct timer timer = { 0 };
    struct loop_stats before, after;

    (void)state;
    fired = false;
    loop_stats(loop, &before);
    timer_set(loop, &timer, 10, dawdle);
    WAIT_FOR(loop, NULL, fired);
    loop_once(loop); /* a round is over when the next wait begins */
    loop_stats(loop, &after);
    assert_true(after.rounds > before.rounds);
    assert_true(after.slow_rounds > before.slow_rounds);
    assert_true(after.longest_ns >= 2 * LOOP_SLOW_MS * UINT64_C(1000000));
    loop_free(loop);
}

struct stopper {
    struct timer timer;
    struct loop *loop;
};

static void stop_loop(struct timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct stopper, timer)->loop);
}

static void a_blocked_loop_wakes_up_for_a_timer(void **state)
{
    struct stopper stopper = { .loop = loop_new() };

    (void)state;
    timer_set(stopper.loop, &stopper.timer, 30, stop_loop);
    loop_run(stopper.loop);
    assert_false(timer_is_set(&stopper.timer));
    loop_free(stopper.loop);
}

enum { POSTS = 5000, THREADS = 4 };

struct posting {
    struct loop_call call;
    int thread, index;
};

static struct loop *post_loop;
static int seen[THREADS], total;

static void on_posted(struct loop_call *call)
{
    struct posting *posting = CONTAINER_OF(call, struct posting, call);

    assert_int_equal(seen[posting->thread], posting->index); /* in order for each thread */
    seen[posting->thread]++;
    total++;
    free(posting);
}

static void *post_many(void *arg)
{
    for (int i = 0; i < POSTS; i++) {
        struct posting *posting = xnew(struct posting);

        posting->call.fn = on_posted;
        posting->thread = *(int *)arg;
        posting->index = i;
        loop_post(post_loop, &posting->call);
    }
    return NULL;
}

static void posts_of_a_thread_run_in_order(void **state)
{
    pthread_t threads[THREADS];
    int ids[THREADS];

    (void)state;
    post_loop = loop_new();
    total = 0;
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        seen[i] = 0;
        pthread_create(&threads[i], NULL, post_many, &ids[i]);
    }
    WAIT_FOR(post_loop, NULL, total == POSTS * THREADS);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    loop_free(post_loop);
}

struct job {
    struct pool_job job;
    int input, output;
};

static int jobs_done, jobs_sum;

static void run_job(struct pool_job *job, unsigned thread)
{
    struct job *mine = CONTAINER_OF(job, struct job, job);

    assert_true(thread < 3);
    mine->output = mine->input * 2;
}

static void job_done(struct pool_job *job)
{
    jobs_done++;
    jobs_sum += CONTAINER_OF(job, struct job, job)->output;
}

static void the_pool_runs_every_job_and_reports_on_the_loop(void **state)
{
    enum { JOBS = 1000 };
    struct loop *loop = loop_new();
    struct pool *pool = pool_new(loop, "test", 3);
    struct job *jobs = xcalloc(JOBS, sizeof *jobs);

    (void)state;
    jobs_done = jobs_sum = 0;
    for (int i = 0; i < JOBS; i++) {
        jobs[i].input = i;
        jobs[i].job.run = run_job;
        jobs[i].job.done = job_done;
        pool_submit(pool, &jobs[i].job);
    }
    pool_free(pool); /* waits */
    WAIT_FOR(loop, NULL, jobs_done == JOBS);
    assert_int_equal(jobs_sum, JOBS * (JOBS - 1));
    loop_free(loop);
    free(jobs);
}

static char trace[16];

struct tracer {
    struct loop_hook hook;
    char mark;
};

static void on_hook(void *arg)
{
    struct tracer *tracer = arg;
    size_t len = strlen(trace);

    if (len + 1 < sizeof trace) {
        trace[len] = tracer->mark;
    }
}

static void hooks_run_every_round_in_their_order(void **state)
{
    struct loop *loop = loop_new();
    struct tracer a = { .mark = 'a' }, b = { .mark = 'b' };

    (void)state;
    memset(trace, 0, sizeof trace);
    a.hook = (struct loop_hook) { NULL, on_hook, &a };
    b.hook = (struct loop_hook) { NULL, on_hook, &b };
    loop_hook_add(loop, &a.hook);
    loop_hook_add(loop, &b.hook);
    loop_once(loop);
    loop_once(loop);
    loop_hook_remove(loop, &a.hook);
    loop_once(loop);
    assert_string_equal(trace, "ababb");
    loop_hook_remove(loop, &b.hook);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_never_early_and_within_a_tick),
        cmocka_unit_test(many_random_timers_moved_and_cleared_fire_as_a_list_would),
        cmocka_unit_test(a_wheel_that_was_not_looked_at_for_long_catches_up_in_order),
        cmocka_unit_test(a_timer_may_clear_another_that_is_due_at_the_same_time),
        cmocka_unit_test(the_loop_fires_its_timers),
        cmocka_unit_test(a_slow_round_is_counted),
        cmocka_unit_test(a_blocked_loop_wakes_up_for_a_timer),
        cmocka_unit_test(posts_of_a_thread_run_in_order),
        cmocka_unit_test(the_pool_runs_every_job_and_reports_on_the_loop),
        cmocka_unit_test(hooks_run_every_round_in_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
