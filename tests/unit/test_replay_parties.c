/* Which deliveries concern the same chats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libshared/base.h"
#include "sioctl/replay/records.h"

enum { RECORDS = 4 };

/* Each record's set is the number of its first one. */
static void assert_sets(const char *const bodies[RECORDS], const size_t want[RECORDS])
{
    struct replay_record list[RECORDS] = { 0 };
    struct replay_records records = { list, RECORDS };

    for (size_t i = 0; i < RECORDS; i++) {
        list[i].body = str_of(bodies[i]);
    }
    replay_records_find_sets(&records);
    for (size_t i = 0; i < RECORDS; i++) {
        assert_int_equal(list[i].set, want[i]);
    }
}

static void a_customer_a_group_or_a_message_in_common_is_one_set(void **state)
{
    static const char *const bodies[RECORDS] = {
        "{\"messages\":[{\"id\":\"wamid.A\",\"from\":\"491\",\"group_id\":\"R3Jv\"}]}",
        "{\"messages\":[{\"id\":\"wamid.B\",\"from\":\"492\"}]}",
        "{\"statuses\":[{\"id\":\"wamid.B\",\"status\":\"read\"}]}",
        "{\"messages\":[{\"id\":\"wamid.C\",\"from\":\"493\",\"group_id\":\"R3Jv\"}]}",
    };

    (void)state;
    assert_sets(bodies, (const size_t[RECORDS]) { 0, 1, 1, 0 });
}

static void names_that_a_later_delivery_links_are_one_set(void **state)
{
    static const char *const bodies[RECORDS] = {
        "{\"messages\":[{\"id\":\"wamid.A\",\"from\":\"491\"}]}",
        "{\"messages\":[{\"id\":\"wamid.B\",\"from_user_id\":\"DE.1\"}]}",
        "{\"messages\":[{\"id\":\"wamid.C\",\"from\":\"492\"}]}",
        "{\"contacts\":[{\"wa_id\":\"491\",\"user_id\":\"DE.1\"}]}",
    };

    (void)state;
    assert_sets(bodies, (const size_t[RECORDS]) { 0, 0, 2, 0 });
}

static void a_member_of_a_group_is_who_a_status_says_it_is(void **state)
{
    static const char *const bodies[RECORDS] = {
        "{\"messages\":[{\"id\":\"wamid.A\",\"from\":\"492\"}]}",
        "{\"statuses\":[{\"id\":\"wamid.9\",\"recipient_participant_id\":\"492\"}]}",
        "{\"statuses\":[{\"id\":\"wamid.8\",\"recipient_participant_user_id\":\"DE.1\"}]}",
        "{\"messages\":[{\"id\":\"wamid.B\",\"from_user_id\":\"DE.1\"}]}",
    };

    (void)state;
    assert_sets(bodies, (const size_t[RECORDS]) { 0, 0, 2, 2 });
}

static void the_business_itself_links_nobody(void **state)
{
    static const char *const bodies[RECORDS] = {
        "{\"value\":{\"metadata\":{\"display_phone_number\":\"+49 155\",\"phone_number_id\":77},"
        "\"message_echoes\":[{\"id\":\"wamid.A\",\"from\":\"49155\",\"to\":\"491\"}]}}",
        "{\"value\":{\"metadata\":{\"display_phone_number\":\"49155\"},\"messages\":[{\"id\":"
        "\"wamid.B\",\"from\":\"492\",\"context\":{\"from\":\"49155\",\"id\":\"wamid.Z\"}}]}}",
        "{\"value\":{\"metadata\":{\"phone_number_id\":\"77\"},\"calls\":[{\"id\":\"wacid.A\","
        "\"from\":\"491\",\"to\":\"77\"}]}}",
        "{\"value\":{\"metadata\":{\"display_phone_number\":\"49156\"},\"messages\":[{\"id\":"
        "\"wamid.C\",\"from\":\"49155\"}]}}",
    };

    (void)state;
    assert_sets(bodies, (const size_t[RECORDS]) { 0, 1, 0, 3 });
}

static void a_body_that_names_nobody_is_a_set_of_its_own(void **state)
{
    static const char *const bodies[RECORDS] = { "", "{\"no", "[]", "{\"from\":\"\"}" };
    struct replay_records none = { NULL, 0 };

    (void)state;
    assert_sets(bodies, (const size_t[RECORDS]) { 0, 1, 2, 3 });
    replay_records_find_sets(&none);
}

static void a_thread_of_a_history_is_its_customers(void **state)
{
    static const char *const bodies[RECORDS] = {
        "{\"history\":[{\"threads\":[{\"id\":\"491\",\"messages\":[]}]}]}",
        "{\"messages\":[{\"id\":\"wamid.A\",\"from\":\"492\"}]}",
        "{\"messages\":[{\"id\":\"wamid.B\",\"from\":\"491\"}]}",
        "{\"messages\":[{\"id\":\"wamid.C\",\"from\":\"493\"}]}",
    };

    (void)state;
    assert_sets(bodies, (const size_t[RECORDS]) { 0, 1, 0, 3 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_customer_a_group_or_a_message_in_common_is_one_set),
        cmocka_unit_test(names_that_a_later_delivery_links_are_one_set),
        cmocka_unit_test(a_member_of_a_group_is_who_a_status_says_it_is),
        cmocka_unit_test(the_business_itself_links_nobody),
        cmocka_unit_test(a_body_that_names_nobody_is_a_set_of_its_own),
        cmocka_unit_test(a_thread_of_a_history_is_its_customers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
