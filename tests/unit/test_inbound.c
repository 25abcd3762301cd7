/* Messages and statuses become rows and events, on the real store. */
#include "inbound_fixture.h"

/* ---- messages */

static void a_first_message_makes_contact_chat_and_events(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "491", "Amara Okafor")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat WHERE state = 0"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE direction = 0"), 1);
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms / 1000 FROM chat"),
                     1772357401 + 24 * 3600);
    assert_seen("1 business_1 whatsapp_message_received {\"chatId\":1,\"message\":{\"id\":1,"
                "\"chatId\":1,\"businessId\":1,\"wamid\":\"w1\",\"direction\":\"inbound\","
                "\"type\":\"text\",\"text\":\"hello\",\"status\":\"received\",\"contact\":{");
    assert_seen("1 chat_1 new_message {\"message\":{\"id\":1,");
    assert_seen("\"first_name\":\"Amara\",\"last_name\":\"Okafor\"");
    assert_int_equal(seen_count("\n"), 2);
}

static void a_duplicate_changes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "491", "Old Name")));
    assert_true(store_message(f, text_of("w2", "491", "New Name")));
    buf_clear(&seen);
    assert_false(store_message(f, text_of("w1", "491", "Old Name")));
    assert_false(store_message(f, text_of("w1", "499", "Somebody Else")));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(
        sql_int(f, "SELECT count(*) FROM contact WHERE name = CAST('New Name' AS BLOB)"), 1);
}

static void an_unknown_number_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct message_job job = { .message = text_of("w1", "491", "") };

    job.message.phone_number_id = STR("999");
    assert_int_equal(write_now(f, message_body, &job), ERR_NOT_FOUND);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 0);
    assert_int_equal(seen.len, 0);
}

static void the_number_decides_the_tenant(void **state)
{
    struct fixture *f = *state;
    struct inbound_message other = text_of("w1", "491", "Amara");

    other.phone_number_id = STR("200");
    assert_true(store_message(f, text_of("w1", "491", "Amara")));
    assert_true(store_message(f, other));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 2);
    assert_seen("1 business_1 whatsapp_message_received {\"chatId\":1,");
    assert_seen("2 business_2 whatsapp_message_received {\"chatId\":2,");
    assert_int_equal(seen_count("\n"), 4);
}

static void a_customer_is_found_by_user_id_and_by_number(void **state)
{
    struct fixture *f = *state;
    struct inbound_message bsuid = text_of("w1", NULL, "Noor");
    struct inbound_message both = text_of("w2", "494", "Noor Haddad");

    bsuid.party.user_id = both.party.user_id = STR("DE.7");
    assert_true(store_message(f, bsuid));
    assert_true(store_message(f, both));
    assert_true(store_message(f, text_of("w3", "494", NULL)));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 1);
    assert_int_equal(seen_count("\"phone\":null,\"waId\":null,\"userId\":\"DE.7\""), 2);
    assert_int_equal(seen_count("\"phone\":\"494\",\"waId\":\"494\",\"userId\":\"DE.7\""), 4);
}

static void a_number_that_differs_from_the_wa_id_is_the_same_customer(void **state)
{
    struct fixture *f = *state;
    struct inbound_message differing = text_of("w1", "5511999", "Ana");

    differing.party.wa_id = STR("551199");
    assert_true(store_message(f, differing));
    assert_true(store_message(f, text_of("w2", "551199", "Ana")));
    assert_true(store_message(f, text_of("w3", "5511999", "Ana")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
}

static void a_group_is_one_chat_of_many_senders(void **state)
{
    struct fixture *f = *state;
    struct inbound_message first = text_of("w1", "491", "Amara");
    struct inbound_message second = text_of("w2", "492", "Jonas");

    first.group_id = second.group_id = STR("R3JvdXA=");
    assert_true(store_message(f, first));
    assert_true(store_message(f, second));
    assert_true(store_message(f, text_of("w3", "491", "Amara")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE chat_id = 1"), 2);
    assert_int_equal(seen_count("\"first_name\":\"Jonas\""), 2);
}

static void an_echo_is_an_outbound_message_of_the_chat(void **state)
{
    struct fixture *f = *state;
    struct inbound_message echo = text_of("w2", "491", "Amara");

    echo.direction = STORE_OUTBOUND;
    echo.opens_window = false;
    assert_true(store_message(f, echo));
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms FROM chat"), 0);
    assert_int_equal(seen_count("whatsapp_message_received"), 0);
    assert_seen("1 chat_1 new_message {\"message\":{\"id\":1,\"chatId\":1,\"businessId\":1,"
                "\"wamid\":\"w2\",\"direction\":\"outbound\",\"type\":\"text\",\"text\":\"hello\","
                "\"status\":\"sent\"");
}

/* ---- statuses */

static void a_status_only_rises(void **state)
{
    static const struct {
        enum store_status now, next;
        bool rises;
    } cases[] = {
        { STORE_STATUS_RECEIVED, STORE_STATUS_READ, true },
        { STORE_STATUS_QUEUED, STORE_STATUS_ACCEPTED, true },
        { STORE_STATUS_SENT, STORE_STATUS_SENT, false },
        { STORE_STATUS_SENT, STORE_STATUS_READ, true },
        { STORE_STATUS_READ, STORE_STATUS_DELIVERED, false },
        { STORE_STATUS_READ, STORE_STATUS_PLAYED, true },
        { STORE_STATUS_QUEUED, STORE_STATUS_FAILED, true },
        { STORE_STATUS_SENT, STORE_STATUS_FAILED, true },
        { STORE_STATUS_DELIVERED, STORE_STATUS_FAILED, false },
        { STORE_STATUS_READ, STORE_STATUS_FAILED, false },
        { STORE_STATUS_PLAYED, STORE_STATUS_FAILED, false },
        { STORE_STATUS_FAILED, STORE_STATUS_FAILED, false },
        { STORE_STATUS_FAILED, STORE_STATUS_READ, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (status_rises(cases[i].now, cases[i].next) != cases[i].rises) {
            fail_msg("%s to %s", store_status_name(cases[i].now), store_status_name(cases[i].next));
        }
    }
}

/* ---- who needs an agent */

static void a_first_message_asks_for_an_agent_and_the_next_does_not(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 1);
    assert_int_equal(work.waiting.business_id, 1);
    assert_int_equal(work.waiting.version, sql_int(f, "SELECT version FROM chat"));
    assert_int_equal(work.waiting.since_ms, sql_int(f, "SELECT waiting_since_ms FROM chat"));
    assert_true(store_message(f, text_of("w2", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 0);
    assert_false(store_message(f, text_of("w1", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 0);
}

static void a_chat_that_begins_with_an_echo_asks_when_the_customer_answers(void **state)
{
    struct fixture *f = *state;
    struct inbound_message echo = text_of("w1", "491", "Amara");

    echo.direction = STORE_OUTBOUND;
    echo.opens_window = false;
    assert_true(store_message(f, echo));
    assert_int_equal(work.waiting.chat_id, 0);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_CLOSED);
    assert_true(store_message(f, text_of("w2", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 1);
    assert_int_equal(work.waiting.version, 2);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_WAITING);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM decision"
                                " WHERE outcome = CAST('reopened' AS BLOB)"),
                     1);
}

static void an_assigned_chat_asks_only_when_its_agent_is_offline(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "491", "Amara")));
    sql_exec(f, "INSERT INTO agent (business_id, user_id, name, role, created_at_ms, online)"
                " VALUES (1, 7, x'', x'', 0, 1);"
                "UPDATE chat SET state = 1, agent_id = 7, last_agent_id = 7");
    assert_true(store_message(f, text_of("w2", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 0);
    sql_exec(f, "UPDATE agent SET online = 0");
    assert_true(store_message(f, text_of("w3", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 1);
    assert_int_equal(work.waiting.last_agent_id, 7);
    assert_int_equal(sql_int(f, "SELECT agent_id FROM chat WHERE state = 0"), 0);
    assert_int_equal(sql_int(f, "SELECT last_message_id FROM chat"), 3);
}

static void a_rising_status_is_told_once(void **state)
{
    struct fixture *f = *state;

    store_message(f, echo_of("w1"));
    buf_clear(&seen);
    assert_true(report(f, "w1", "read", ""));
    assert_string_equal(seen.data,
                        "1 chat_1 message_status_update {\"messageId\":1,\"chatId\":1,"
                        "\"status\":\"read\",\"timestamp\":\"1970-01-21T12:19:17.500Z\"}\n");
    buf_clear(&seen);
    assert_false(report(f, "w1", "read", ""));
    assert_true(report(f, "w1", "delivered", ""));
    assert_true(report(f, "w1", "failed", ""));
    assert_true(report(f, "w1", "deleted", ""));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM status"), 4);
}

static void a_status_of_what_a_customer_wrote_is_kept_and_does_nothing(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w1", "491", "Amara"));
    buf_clear(&seen);
    assert_true(report(f, "w1", "read", ""));
    assert_true(report(f, "w1", "failed", ""));
    assert_true(report(f, "w1", "delivered", "492"));
    assert_int_equal(seen.len, 0);
    assert_shown(f, "\"status\":\"received\"");
    assert_not_shown(f, "participants");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM status"), 3);
}

static void a_failure_carries_its_error(void **state)
{
    struct fixture *f = *state;

    store_message(f, echo_of("w1"));
    assert_true(report(f, "w1", "failed", ""));
    assert_seen("\"status\":\"failed\",\"error\":{\"code\":131047},\"timestamp\":");
    buf_clear(&seen);
    assert_true(report(f, "w1", "delivered", ""));
    assert_int_equal(seen.len, 0);
}

static void early_statuses_wait_for_their_message(void **state)
{
    struct fixture *f = *state;

    assert_true(report(f, "w1", "sent", ""));
    assert_true(report(f, "w1", "delivered", ""));
    assert_true(report(f, "w2", "failed", ""));
    assert_int_equal(seen.len, 0);
    store_message(f, echo_of("w1"));
    store_message(f, echo_of("w2"));
    assert_seen("\"wamid\":\"w1\",\"direction\":\"outbound\",\"type\":\"text\",\"text\":\"hello\","
                "\"status\":\"delivered\",\"contact\"");
    assert_seen("\"wamid\":\"w2\",\"direction\":\"outbound\",\"type\":\"text\",\"text\":\"hello\","
                "\"status\":\"failed\",\"error\":{\"code\":131047},\"contact\"");
    assert_int_equal(seen_count("message_status_update"), 0);
}

static void each_participant_has_a_state_of_its_own(void **state)
{
    struct fixture *f = *state;

    store_message(f, text_of("w0", "492", "Jonas"));
    store_message(f, echo_of("w1"));
    buf_clear(&seen);
    assert_true(report(f, "w1", "delivered", "492"));
    assert_seen("{\"messageId\":2,\"chatId\":2,\"status\":\"delivered\",\"participant\":{\"id\":"
                "\"492\",\"contactId\":1,\"name\":\"Jonas\",\"status\":\"delivered\",\"timestamp\":"
                "\"2026-03-01T09:30:02.000Z\"},\"timestamp\":");
    assert_true(report(f, "w1", "read", "DE.3"));
    assert_true(report(f, "w1", "delivered", "DE.3"));
    assert_true(report(f, "w1", "read", "492"));
    assert_int_equal(seen_count("message_status_update"), 3);
    assert_int_equal(seen_count("\"chatId\":2,\"status\":\"read\",\"participant\""), 2);
    assert_shown(f,
                 "\"status\":\"read\",\"participants\":[{\"id\":\"492\",\"contactId\":1,\"name\":"
                 "\"Jonas\",\"status\":\"read\",\"timestamp\":\"2026-03-01T09:30:02.000Z\"},"
                 "{\"id\":\"DE.3\",\"contactId\":null,\"name\":null,\"status\":\"read\",");
}

/* Named once by number and once by user id. */
static void a_contact_is_one_participant_under_all_its_names(void **state)
{
    struct fixture *f = *state;
    struct inbound_message message = text_of("w0", "492", "Jonas");

    message.party.user_id = STR("DE.3");
    store_message(f, message);
    store_message(f, echo_of("w1"));
    assert_true(report(f, "w1", "delivered", "DE.3"));
    buf_clear(&seen);
    assert_true(report(f, "w1", "delivered", "492"));
    assert_int_equal(seen.len, 0);
    assert_true(report(f, "w1", "read", "492"));
    assert_seen("\"status\":\"read\",\"participant\":{\"id\":\"DE.3\",\"contactId\":1,");
    assert_true(report(f, "w1", "read", "493"));
    assert_shown(f, "\"participants\":[{\"id\":\"493\",\"contactId\":null,\"name\":null,\"status\":"
                    "\"read\",\"timestamp\":\"2026-03-01T09:30:02.000Z\"},{\"id\":\"DE.3\","
                    "\"contactId\":1,\"name\":\"Jonas\",\"status\":\"read\",");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM participant"), 2);
}

static void two_participants_that_turn_out_to_be_a_contact_are_one_from_then_on(void **state)
{
    struct fixture *f = *state;
    struct inbound_message message = text_of("w0", "492", "Jonas");

    message.party.user_id = STR("DE.3");
    store_message(f, echo_of("w1"));
    assert_true(report(f, "w1", "delivered", "DE.3"));
    assert_true(report(f, "w1", "sent", "492"));
    store_message(f, message);
    assert_true(report(f, "w1", "read", "492"));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM participant"), 1);
    assert_shown(f, "\"participants\":[{\"id\":\"DE.3\",\"contactId\":2,\"name\":\"Jonas\","
                    "\"status\":\"read\",");
}

static void one_participants_failure_is_not_the_groups(void **state)
{
    struct fixture *f = *state;

    store_message(f, echo_of("w1"));
    buf_clear(&seen);
    assert_true(report(f, "w1", "failed", "492"));
    assert_seen(
        "\"status\":\"sent\",\"participant\":{\"id\":\"492\",\"contactId\":null,\"name\":null,"
        "\"status\":\"failed\",\"error\":{\"code\":131047},\"timestamp\":");
    assert_true(report(f, "w1", "delivered", "492"));
    assert_int_equal(seen_count("message_status_update"), 2);
    assert_shown(f, "\"status\":\"delivered\",\"participants\":[{\"id\":\"492\",\"contactId\":null,"
                    "\"name\":null,\"status\":\"failed\"");
}

static void early_statuses_of_participants_wait_too(void **state)
{
    struct fixture *f = *state;

    assert_true(report(f, "w1", "sent", ""));
    assert_true(report(f, "w1", "delivered", "492"));
    assert_true(report(f, "w1", "failed", "493"));
    assert_true(report(f, "w1", "read", "492"));
    store_message(f, echo_of("w1"));
    assert_int_equal(seen_count("message_status_update"), 0);
    assert_seen(
        "\"status\":\"read\",\"participants\":[{\"id\":\"492\",\"contactId\":null,\"name\":null,"
        "\"status\":\"read\",");
    assert_seen(
        "{\"id\":\"493\",\"contactId\":null,\"name\":null,\"status\":\"failed\",\"error\":{");
}

static void a_status_of_an_unknown_number_is_refused(void **state)
{
    struct fixture *f = *state;
    struct status_job job = {
        .status = { .phone_number_id = STR("999"), .wamid = STR("w1"), .status = STR("sent") }
    };

    assert_int_equal(write_now(f, status_body, &job), ERR_NOT_FOUND);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM status"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, inbound_setup, inbound_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_message_makes_contact_chat_and_events),
        TEST(a_duplicate_changes_nothing),
        TEST(an_unknown_number_writes_nothing),
        TEST(the_number_decides_the_tenant),
        TEST(a_customer_is_found_by_user_id_and_by_number),
        TEST(a_number_that_differs_from_the_wa_id_is_the_same_customer),
        TEST(a_group_is_one_chat_of_many_senders),
        TEST(an_echo_is_an_outbound_message_of_the_chat),
        TEST(a_first_message_asks_for_an_agent_and_the_next_does_not),
        TEST(a_chat_that_begins_with_an_echo_asks_when_the_customer_answers),
        TEST(an_assigned_chat_asks_only_when_its_agent_is_offline),
        cmocka_unit_test(a_status_only_rises),
        TEST(a_rising_status_is_told_once),
        TEST(a_status_of_what_a_customer_wrote_is_kept_and_does_nothing),
        TEST(a_failure_carries_its_error),
        TEST(early_statuses_wait_for_their_message),
        TEST(each_participant_has_a_state_of_its_own),
        TEST(a_contact_is_one_participant_under_all_its_names),
        TEST(two_participants_that_turn_out_to_be_a_contact_are_one_from_then_on),
        TEST(one_participants_failure_is_not_the_groups),
        TEST(early_statuses_of_participants_wait_too),
        TEST(a_status_of_an_unknown_number_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
