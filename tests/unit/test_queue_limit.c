/* What may wait for one peer beside the limit (siod/net/queue_limit.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "siod/net/queue_limit.h"

enum { LIMIT = 1000 };

static void who_has_caught_up_takes_a_burst_of_any_size(void **state)
{
    uint32_t extra = 0;

    (void)state;
    assert_true(queue_limit_admit(&extra, LIMIT, 500, 9000));
    assert_false(queue_limit_exceeded(extra, LIMIT, 9500 - 10, 10));
    assert_false(queue_limit_exceeded(extra, LIMIT, 9500, LIMIT)); /* the limit beside it */
    assert_true(queue_limit_exceeded(extra, LIMIT, 9500, LIMIT + 1));
}

static void who_is_behind_takes_what_there_is_room_for(void **state)
{
    uint32_t extra = 0;

    (void)state;
    assert_true(queue_limit_admit(&extra, LIMIT, 501, 499));
    assert_false(queue_limit_admit(&extra, LIMIT, 501, 500));
    assert_int_equal(extra, 0);
    assert_true(queue_limit_admit(&extra, LIMIT, 0, 5000));
    assert_true(queue_limit_admit(&extra, LIMIT, 5000, LIMIT));
    assert_false(queue_limit_admit(&extra, LIMIT, 5000, LIMIT + 1));
    assert_int_equal(extra, 5000);
}

static void an_empty_queue_has_the_limit_alone_again(void **state)
{
    uint32_t extra = 0;

    (void)state;
    assert_true(queue_limit_admit(&extra, LIMIT, 0, 5000));
    assert_true(queue_limit_admit(&extra, LIMIT, 1, 10));
    assert_int_equal(extra, 5000); /* the rest of the burst may still come */
    assert_true(queue_limit_admit(&extra, LIMIT, 0, 10));
    assert_int_equal(extra, 0);
}

static void one_packet_passes_alone_and_no_limit_admits_all(void **state)
{
    uint32_t extra = 0;

    (void)state;
    assert_false(queue_limit_exceeded(0, LIMIT, 0, 5000));
    assert_true(queue_limit_exceeded(0, LIMIT, 1, 5000));
    assert_true(queue_limit_admit(&extra, 0, 5000, 5000));
    assert_false(queue_limit_exceeded(extra, 0, 5000, 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_caught_up_takes_a_burst_of_any_size),
        cmocka_unit_test(who_is_behind_takes_what_there_is_room_for),
        cmocka_unit_test(an_empty_queue_has_the_limit_alone_again),
        cmocka_unit_test(one_packet_passes_alone_and_no_limit_admits_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
