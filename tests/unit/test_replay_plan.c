/* Which deliveries a replay makes, in which order and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/base.h"
#include "sioctl/replay/plan.h"

enum { MANY = 2000 };

static const struct replay_time three[] = {
    { .file = 0, .started_at_ms = 1000, .at_ms = 0 },
    { .file = 0, .started_at_ms = 1000, .at_ms = 500 },
    { .file = 1, .started_at_ms = 800, .at_ms = 300 },
};

static void assert_steps(const struct replay_options *options, const struct replay_time *times,
                         size_t count, const size_t *records, const uint64_t *due_us)
{
    struct replay_plan plan;

    replay_plan_make(options, times, count, &plan);
    assert_int_equal(plan.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(plan.steps[i].record, records[i]);
        assert_int_equal(plan.steps[i].due_us, due_us[i]);
        assert_int_equal(plan.steps[i].copy, 0);
    }
    replay_plan_finish(&plan);
}

static void the_order_of_the_files_is_kept_and_nothing_waits(void **state)
{
    (void)state;
    assert_steps(&(struct replay_options) { .seed = 1 }, three, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 0, 0, 0 });
}

static void a_speed_follows_the_times_of_one_file_after_the_other(void **state)
{
    (void)state;
    assert_steps(&(struct replay_options) { .speed = 2 }, three, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 0, 250000, 400000 });
    assert_steps(&(struct replay_options) { .speed = 0.5 }, three, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 0, 1000000, 1600000 });
}

static void by_time_several_files_become_one(void **state)
{
    static const struct replay_time unknown[] = {
        { .file = 0, .started_at_ms = 1000, .at_ms = 0 },
        { .file = 1, .started_at_ms = 0, .at_ms = 0 },
        { .file = 2, .started_at_ms = 1000, .at_ms = 50 },
    };

    (void)state;
    assert_steps(&(struct replay_options) { .order = REPLAY_TIME, .speed = 1 }, three, 3,
                 (size_t[]) { 0, 2, 1 }, (uint64_t[]) { 0, 100000, 500000 });
    assert_steps(&(struct replay_options) { .order = REPLAY_TIME, .speed = 1 }, unknown, 3,
                 (size_t[]) { 1, 0, 2 }, (uint64_t[]) { 0, 0, 50000 });
}

static void a_time_that_goes_back_does_not_wait_twice(void **state)
{
    static const struct replay_time back[] = { { .at_ms = 100 },
                                               { .at_ms = 50 },
                                               { .at_ms = 130 } };

    (void)state;
    assert_steps(&(struct replay_options) { .speed = 1 }, back, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 100000, 100000, 130000 });
}

static void a_rate_spaces_them_evenly(void **state)
{
    (void)state;
    assert_steps(&(struct replay_options) { .rate = 4 }, three, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 0, 250000, 500000 });
}

static void what_is_due_after_ages_is_due_after_ages(void **state)
{
    static const struct replay_time far[] = { { 0, 0, 0 },
                                              { 0, 0, (int64_t)1 << 53 },
                                              { 1, 0, (int64_t)1 << 53 } };
    const uint64_t max_us = (uint64_t)REPLAY_DUE_MAX_US;

    (void)state;
    assert_steps(&(struct replay_options) { .rate = 1e-16 }, three, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 0, max_us, max_us });
    assert_steps(&(struct replay_options) { .rate = 1e-320 }, three, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 0, max_us, max_us });
    assert_steps(&(struct replay_options) { .speed = 1 }, far, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 0, max_us, max_us });
    assert_steps(&(struct replay_options) { .speed = 1e-300 }, far, 3, (size_t[]) { 0, 1, 2 },
                 (uint64_t[]) { 0, max_us, max_us });
    assert_true(max_us * 1000 < UINT64_MAX / 2); /* in nanoseconds, to which a clock is added */
}

static void make_many(const struct replay_options *options, struct replay_plan *plan)
{
    static struct replay_time times[MANY];

    for (size_t i = 0; i < MANY; i++) {
        times[i].at_ms = (int64_t)i;
    }
    replay_plan_make(options, times, MANY, plan);
}

static void assert_all_there(const struct replay_plan *plan)
{
    unsigned *seen = calloc(MANY, sizeof *seen);
    uint64_t before_us = 0;

    for (size_t i = 0; i < plan->count; i++) {
        assert_true(plan->steps[i].record < MANY);
        seen[plan->steps[i].record]++;
        assert_true(plan->steps[i].due_us >= before_us);
        before_us = plan->steps[i].due_us;
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_true(seen[i] >= 1);
    }
    free(seen);
}

static void a_window_moves_nothing_by_more_than_its_width(void **state)
{
    size_t moved = 0;
    struct replay_plan plan;

    (void)state;
    make_many(&(struct replay_options) { .reorder = 10, .seed = 3, .speed = 1 }, &plan);
    assert_int_equal(plan.count, MANY);
    assert_all_there(&plan);
    for (size_t i = 0; i < MANY; i++) {
        long by = (long)plan.steps[i].record - (long)i;

        assert_true(labs(by) <= 10);
        moved += by != 0;
    }
    assert_true(moved > MANY / 2);
    replay_plan_finish(&plan);
}

static void a_shuffle_has_each_once_far_from_its_place(void **state)
{
    size_t far = 0;
    struct replay_plan plan;

    (void)state;
    make_many(&(struct replay_options) { .order = REPLAY_SHUFFLE, .seed = 3 }, &plan);
    assert_int_equal(plan.count, MANY);
    assert_all_there(&plan);
    for (size_t i = 0; i < MANY; i++) {
        far += labs((long)plan.steps[i].record - (long)i) > MANY / 10;
    }
    assert_true(far > MANY / 2);
    replay_plan_finish(&plan);
}

static void copies_are_as_many_as_asked_for_and_come_later(void **state)
{
    static unsigned copies[MANY];
    struct replay_plan plan;

    (void)state;
    make_many(&(struct replay_options) { .dup = 0.25, .seed = 3 }, &plan);
    assert_all_there(&plan);
    assert_in_range(plan.count, MANY * 1.25, MANY * 1.42); /* 1 / (1 - 0.25) on the average */
    memset(copies, 0, sizeof copies);
    for (size_t i = 0; i < plan.count; i++) {
        if (copies[plan.steps[i].record]++ == 0) {
            assert_int_equal(plan.steps[i].copy, 0);
        }
    }
    replay_plan_finish(&plan);
    make_many(&(struct replay_options) { .dup = 1 }, &plan);
    assert_int_equal(plan.count, MANY * REPLAY_COPIES_MAX);
    replay_plan_finish(&plan);
}

static bool same(const struct replay_plan *a, const struct replay_plan *b)
{
    bool equal = a->count == b->count;

    for (size_t i = 0; i < a->count && equal; i++) {
        equal = a->steps[i].record == b->steps[i].record && a->steps[i].copy == b->steps[i].copy &&
                a->steps[i].due_us == b->steps[i].due_us;
    }
    return equal;
}

static void the_seed_alone_decides(void **state)
{
    static const enum replay_order orders[] = { REPLAY_RECORDED, REPLAY_SHUFFLE };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        struct replay_options options = { .order = orders[i], .dup = 0.1, .reorder = 5, .seed = 7 };
        struct replay_plan a, b, c;

        make_many(&options, &a);
        make_many(&options, &b);
        options.seed = 8;
        make_many(&options, &c);
        assert_true(same(&a, &b));
        assert_false(same(&a, &c));
        replay_plan_finish(&a);
        replay_plan_finish(&b);
        replay_plan_finish(&c);
    }
}

static void nothing_makes_an_empty_plan(void **state)
{
    struct replay_plan plan;

    (void)state;
    replay_plan_make(&(struct replay_options) { .order = REPLAY_TIME, .dup = 1 }, NULL, 0, &plan);
    assert_int_equal(plan.count, 0);
    replay_plan_finish(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_the_files_is_kept_and_nothing_waits),
        cmocka_unit_test(a_speed_follows_the_times_of_one_file_after_the_other),
        cmocka_unit_test(by_time_several_files_become_one),
        cmocka_unit_test(a_time_that_goes_back_does_not_wait_twice),
        cmocka_unit_test(a_rate_spaces_them_evenly),
        cmocka_unit_test(what_is_due_after_ages_is_due_after_ages),
        cmocka_unit_test(a_window_moves_nothing_by_more_than_its_width),
        cmocka_unit_test(a_shuffle_has_each_once_far_from_its_place),
        cmocka_unit_test(copies_are_as_many_as_asked_for_and_come_later),
        cmocka_unit_test(the_seed_alone_decides),
        cmocka_unit_test(nothing_makes_an_empty_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
