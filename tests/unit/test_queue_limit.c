/* What may wait for one peer beside the limit (siod/net/queue_limit.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "siod/net/queue_limit.h"

enum { LIMIT = 1000 };

static void a_burst_of_any_size_waits_beside_the_limit(void **state)
{
    struct queue_extra extra = { 0 };

    (void)state;
    assert_true(queue_limit_admit(&extra, LIMIT, LIMIT, 9000));
    assert_false(queue_limit_exceeded(extra, LIMIT, 10000 - 10, 10));
    assert_false(queue_limit_exceeded(extra, LIMIT, 10000, LIMIT)); /* the limit beside it */
    assert_true(queue_limit_exceeded(extra, LIMIT, 10000, LIMIT + 1));
}

static void a_second_burst_waits_behind_the_first_and_a_third_does_not(void **state)
{
    struct queue_extra extra = { 0 };

    (void)state;
    assert_true(queue_limit_admit(&extra, LIMIT, 0, 5000));
    assert_true(queue_limit_admit(&extra, LIMIT, 5000, LIMIT)); /* there is room anyway */
    assert_true(queue_limit_admit(&extra, LIMIT, 5000, 7000));
    assert_false(queue_limit_exceeded(extra, LIMIT, 12000, LIMIT));
    assert_false(queue_limit_admit(&extra, LIMIT, 12000, LIMIT + 1));
    assert_false(queue_limit_admit(&extra, LIMIT, LIMIT + 1, 13000));
    assert_true(queue_limit_admit(&extra, LIMIT, LIMIT, 13000)); /* it is the first again */
    assert_true(queue_limit_admit(&extra, LIMIT, 14000, 15000));
}

static void an_empty_queue_has_the_limit_alone_again(void **state)
{
    struct queue_extra extra = { 0 };

    (void)state;
    assert_true(queue_limit_admit(&extra, LIMIT, 0, 5000));
    assert_true(queue_limit_admit(&extra, LIMIT, 1, 10));
    assert_int_equal(extra.bytes, 5000); /* the rest of the burst may still come */
    assert_true(queue_limit_admit(&extra, LIMIT, 0, 10));
    assert_int_equal(extra.bytes, 0);
}

static void one_packet_passes_alone_and_no_limit_admits_all(void **state)
{
    struct queue_extra extra = { 0 };

    (void)state;
    assert_false(queue_limit_exceeded(extra, LIMIT, 0, 5000));
    assert_true(queue_limit_exceeded(extra, LIMIT, 1, 5000));
    assert_true(queue_limit_admit(&extra, 0, 5000, 5000));
    assert_false(queue_limit_exceeded(extra, 0, 5000, 5000));
    assert_false(queue_limit_is_behind(0, 5000));
}

static void an_answer_leaves_room_for_what_cannot_wait(void **state)
{
    (void)state;
    assert_false(queue_limit_is_behind(LIMIT, LIMIT / 4));
    assert_true(queue_limit_is_behind(LIMIT, LIMIT / 4 + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_any_size_waits_beside_the_limit),
        cmocka_unit_test(a_second_burst_waits_behind_the_first_and_a_third_does_not),
        cmocka_unit_test(an_empty_queue_has_the_limit_alone_again),
        cmocka_unit_test(one_packet_passes_alone_and_no_limit_admits_all),
        cmocka_unit_test(an_answer_leaves_room_for_what_cannot_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
