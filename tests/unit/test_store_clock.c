/* What retention makes of a wall clock that steps: linked so that clock_wall_ms() is the test's. */
#include "siod/store/clock_step.h"
#include "store_fixture.h"

static const int64_t day_ms = INT64_C(86400000);
static _Atomic int64_t ahead_ms;

int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void);

int64_t __wrap_clock_wall_ms(void)
{
    return __real_clock_wall_ms() + ahead_ms;
}

/* ------------------------------------------------------------------ the rule */

static void test_a_step_forward_is_told_once_and_must_be_a_day_old(void **state)
{
    struct clock_step step;

    (void)state;
    clock_step_init(&step, 5000000, 1000);
    assert_true(clock_step_is_steady(&step, 1000));
    assert_int_equal(clock_step_take(&step, 5000000 + 60000, 61000), 0);
    assert_int_equal(clock_step_take(&step, 5000000 + 121000 + day_ms, 121000), day_ms + 1000);
    assert_int_equal(clock_step_take(&step, 5000000 + 181000 + day_ms, 181000), 0);
    assert_false(clock_step_is_steady(&step, 181000));
    assert_false(clock_step_is_steady(&step, 121000 + CLOCK_STEADY_MS - 1));
    assert_true(clock_step_is_steady(&step, 121000 + CLOCK_STEADY_MS));
}

static void test_a_drift_and_a_step_back_are_no_step_forward(void **state)
{
    struct clock_step step;

    (void)state;
    clock_step_init(&step, day_ms, 0);
    for (int64_t i = 1; i <= 1000; i++) {
        assert_int_equal(clock_step_take(&step, day_ms + i * (60000 + 50), (uint64_t)i * 60000), 0);
    }
    assert_int_equal(clock_step_take(&step, 0, UINT64_C(1001) * 60000), 0);
    assert_true(clock_step_is_steady(&step, UINT64_C(1001) * 60000));
}

static void test_another_step_begins_the_day_anew(void **state)
{
    struct clock_step step;

    (void)state;
    clock_step_init(&step, 0, 0);
    assert_int_equal(clock_step_take(&step, day_ms, 0), day_ms);
    assert_int_equal(clock_step_take(&step, 3 * day_ms - 1, CLOCK_STEADY_MS - 1), day_ms);
    assert_false(clock_step_is_steady(&step, CLOCK_STEADY_MS));
    assert_true(clock_step_is_steady(&step, 2 * (uint64_t)CLOCK_STEADY_MS - 1));
}

/* ------------------------------------------------------------------ what is done */

/* Looks at the store now, and whether that has been done. */
static void look(struct fixture *f)
{
    sql_exec(f, "DELETE FROM growth");
    f->config.retention.raw_body_days++;
    store_reconfigure(f->store, &f->config);
    WAIT_FOR(f, sql_int(f, "SELECT count(*) FROM growth") == 1);
}

static int64_t rows(struct fixture *f)
{
    return sql_int(f, "SELECT (SELECT sum(length(body) > 0) FROM webhook)"
                      " + (SELECT count(*) FROM log) + (SELECT count(*) FROM message)"
                      " + (SELECT count(*) FROM gone)");
}

static void test_nothing_goes_after_the_clock_has_stepped_forward(void **state)
{
    struct fixture *f = fixture_new("");
    struct delivery_job job = { .business_id = 1, .wamid = "wamid.1", .sender = "491" };

    (void)state;
    f->config.retention = (struct store_retention) { 9, 9, 9 };
    f->config.retention_after_ms = 1;
    fixture_open(f);
    WAIT_FOR(f, sql_int(f, "SELECT count(*) FROM growth") == 1);
    assert_int_equal(write_now(f, delivery_body, &job), OK);
    sql_exec(f, "UPDATE webhook SET received_at_ms = (SELECT max(at_ms) FROM log);"
                "INSERT INTO gone SELECT x'01', max(at_ms) + 86400000 FROM log");
    look(f);
    assert_int_equal(rows(f), 1 + 2 + 1 + 1);
    ahead_ms = 100 * day_ms;
    look(f);
    assert_int_equal(rows(f), 1 + 2 + 1 + 1);
    fixture_close(f);
    fixture_open(f);
    WAIT_FOR(f, rows(f) == 0);
    fixture_free(f);
    ahead_ms = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_forward_is_told_once_and_must_be_a_day_old),
        cmocka_unit_test(test_a_drift_and_a_step_back_are_no_step_forward),
        cmocka_unit_test(test_another_step_begins_the_day_anew),
        cmocka_unit_test(test_nothing_goes_after_the_clock_has_stepped_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
