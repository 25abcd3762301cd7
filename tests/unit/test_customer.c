/* Who is who: names, what is told of them, and contacts that turn out to be one. */
#include "inbound_fixture.h"

static struct inbound_message named(const char *wamid, const char *number, const char *user_id)
{
    struct inbound_message message = text_of(wamid, number, NULL);

    message.party.user_id = str_of(user_id);
    return message;
}

/* The customer `number` or `user_id` is called otherwise from now on. */
static struct inbound_message change(const char *wamid, const char *number, const char *user_id,
                                     const char *new_number, const char *new_user_id)
{
    struct inbound_message message = named(wamid, number, user_id);

    message.type = STR("system");
    message.opens_window = false;
    message.new_wa_id = str_of(new_number);
    message.new_user_id = str_of(new_user_id);
    return message;
}

static struct inbound_message at(struct inbound_message message, int64_t second)
{
    message.wa_timestamp_s = second;
    return message;
}

static void assert_text(struct fixture *f, const char *sql, const char *want)
{
    autofree char *check = xasprintf("SELECT (%s) = CAST('%s' AS BLOB)", sql, want);

    if (sql_int(f, check) != 1) {
        fail_msg("%s is not %s", sql, want);
    }
}

/* Contacts, chats and messages of the first chat. */
static void assert_counts(struct fixture *f, int64_t contacts, int64_t chats, int64_t messages)
{
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), contacts);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), chats);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE chat_id = 1"), messages);
}

/* ---- changes of number and user id */

static void a_customer_who_changes_number_keeps_the_chat(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "492", "Jonas")));
    assert_true(store_message(f, change("w2", "492", NULL, "493", NULL)));
    assert_true(store_message(f, text_of("w3", "493", "Jonas")));
    assert_true(store_message(f, at(text_of("w4", "492", "Jonas"), 100)));
    assert_counts(f, 1, 1, 4);
    assert_text(f, "SELECT phone FROM contact", "493");
    assert_text(f, "SELECT wa_id FROM contact", "493");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact_alias"), 2);
}

static void a_new_number_is_the_wa_id_too_where_nothing_else_is_said(void **state)
{
    struct fixture *f = *state;

    struct inbound_message back;

    assert_true(store_message(f, text_of("w1", "492", NULL)));
    assert_true(store_message(f, change("w2", "492", NULL, "493", NULL)));
    back = text_of("w3", "492", NULL);
    back.party.wa_id = STR_NONE;
    assert_true(store_message(f, back));
    assert_text(f, "SELECT phone FROM contact", "492");
    assert_text(f, "SELECT wa_id FROM contact", "492");
}

static void a_customer_who_changes_user_id_keeps_the_chat(void **state)
{
    struct fixture *f = *state;
    struct inbound_message changed = change("w2", NULL, "DE.1", NULL, "DE.2");

    changed.new_parent_user_id = STR("DE.ENT.2");
    assert_true(store_message(f, named("w1", NULL, "DE.1")));
    assert_true(store_message(f, changed));
    assert_true(store_message(f, named("w3", NULL, "DE.2")));
    assert_counts(f, 1, 1, 3);
    assert_text(f, "SELECT user_id FROM contact", "DE.2");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact_alias WHERE kind = 2"), 1);
}

static enum err put_session(struct store_tx *tx, void *arg)
{
    return store_session_put(tx, arg);
}

static void add_session(struct fixture *f, const char *id, int64_t business_id, const char *state)
{
    struct store_session session = { str_of(id), business_id, 7, str_of(state) };

    assert_int_equal(write_now(f, put_session, &session), OK);
}

static void no_session_outlives_the_chat_that_it_was_in(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "492", "Jonas")));
    assert_true(store_message(f, at(text_of("w2", "493", "Jonas B."), 1772357500)));
    add_session(f, "in_the_one_that_goes", 1, "\6chat_2\n");
    add_session(f, "in_the_one_that_stay", 1, "\6chat_1\n");
    add_session(f, "of_another_business_", 2, "\6chat_2\n");
    assert_true(store_message(f, change("w3", "492", NULL, "493", NULL)));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM session"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM session WHERE business_id = 1"
                                " AND instr(state, CAST('chat_2' AS BLOB))"),
                     0);
}

static void a_change_that_comes_after_the_new_name_joins_the_two(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "492", "Jonas")));
    assert_true(store_message(f, at(text_of("w2", "493", "Jonas B."), 1772357500)));
    buf_clear(&seen);
    assert_true(store_message(f, change("w3", "492", NULL, "493", NULL)));
    assert_counts(f, 1, 1, 3);
    assert_text(f, "SELECT phone FROM contact", "493");
    assert_seen("1 business_1 chat_merged {\"chatId\":2,\"into\":1,\"timestamp\":\"");
    assert_seen("1 chat_1 new_message {\"message\":{\"id\":3,\"chatId\":1,");
    assert_int_equal(seen_count("\n"), 3);
    buf_clear(&seen);
    assert_false(store_message(f, change("w3", "492", NULL, "493", NULL)));
    assert_int_equal(seen.len, 0);
}

static void a_change_of_somebody_unknown_is_of_the_one_who_has_the_new_name(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "493", "Jonas")));
    assert_true(store_message(f, change("w2", "492", NULL, "493", NULL)));
    assert_counts(f, 1, 1, 2);
    assert_text(f, "SELECT phone FROM contact", "493");
    assert_true(store_message(f, at(text_of("w3", "492", NULL), 5)));
    assert_counts(f, 1, 1, 3);
}

/* ---- two who are one */

static void who_wrote_last_says_how_the_two_are_called(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "492", "Jonas")));
    assert_true(store_message(f, at(text_of("w4", "494", "Jonas Berg"), 1772357700)));
    assert_true(store_message(f, at(change("w3", "493", NULL, "494", NULL), 1772357600)));
    assert_true(store_message(f, at(change("w2", "492", NULL, "493", NULL), 1772357500)));
    assert_counts(f, 1, 1, 4);
    assert_text(f, "SELECT phone FROM contact", "494");
    assert_text(f, "SELECT wa_id FROM contact", "494");
    assert_text(f, "SELECT name FROM contact", "Jonas Berg");
}

static struct inbound_message in_group(const char *wamid, const char *from, int64_t second)
{
    struct inbound_message message = at(text_of(wamid, from, NULL), second);

    message.group_id = STR("G");
    return message;
}

static void a_late_message_does_not_make_its_writer_the_last_one_of_the_group(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, in_group("w1", "492", 1772357500)));
    assert_true(store_message(f, in_group("w2", "493", 1772357400)));
    assert_text(f, "SELECT contact.phone FROM chat JOIN contact ON contact.id = chat.contact_id",
                "492");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat_participant"), 2);
    assert_true(store_message(f, in_group("w3", "493", 1772357500)));
    assert_text(f, "SELECT contact.phone FROM chat JOIN contact ON contact.id = chat.contact_id",
                "493");
}

static void a_message_with_both_names_joins_their_contacts(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "494", "Noor Haddad")));
    assert_true(store_message(f, named("w2", NULL, "DE.7")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 2);
    buf_clear(&seen);
    assert_true(store_message(f, named("w3", "494", "DE.7")));
    assert_counts(f, 1, 1, 3);
    assert_text(f, "SELECT user_id FROM contact", "DE.7");
    assert_text(f, "SELECT name FROM contact", "Noor Haddad");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE contact_id = 1"), 3);
    assert_int_equal(sql_int(f, "SELECT last_message_id FROM chat"), 3);
    assert_int_equal(seen_count("\"chatId\":2,\"into\":1"), 1);
    assert_text(f,
                "SELECT considered FROM decision WHERE outcome = CAST('merged' AS BLOB)"
                " AND chat_id = 1",
                "{\"chatId\":2}");
    buf_clear(&seen);
    assert_false(store_message(f, named("w3", "494", "DE.7")));
    assert_true(store_message(f, named("w4", NULL, "DE.7")));
    assert_true(store_message(f, text_of("w5", "494", NULL)));
    assert_int_equal(seen_count("chat_merged"), 0);
    assert_counts(f, 1, 1, 5);
}

static void the_older_chat_stays_also_where_the_contact_is_the_younger(void **state)
{
    struct fixture *f = *state;
    struct inbound_message first = named("w1", NULL, "DE.7"), here = named("w3", NULL, "DE.7");

    sql_exec(f, "INSERT INTO phone_number VALUES (CAST('101' AS BLOB), 1)");
    first.phone_number_id = STR("101");
    assert_true(store_message(f, first));
    assert_true(store_message(f, text_of("w2", "494", "Noor")));
    assert_true(store_message(f, here));
    assert_true(store_message(f, named("w4", "494", "DE.7")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE chat_id = 2"), 3);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat WHERE contact_id = 1"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE contact_id = 1"), 4);
    assert_int_equal(seen_count("\"chatId\":3,\"into\":2"), 1);
}

static void a_repetition_joins_nobody(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w1", "494", "Noor")));
    assert_true(store_message(f, named("w2", NULL, "DE.7")));
    assert_false(store_message(f, named("w1", "494", "DE.7")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 2);
    assert_int_equal(seen_count("chat_merged"), 0);
}

static void tenants_are_never_joined(void **state)
{
    struct fixture *f = *state;
    struct inbound_message other = named("w2", NULL, "DE.7");

    other.phone_number_id = STR("200");
    assert_true(store_message(f, text_of("w1", "494", "Noor")));
    assert_true(store_message(f, other));
    assert_true(store_message(f, named("w3", "494", "DE.7")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 2);
    assert_int_equal(seen_count("chat_merged"), 0);
}

static void a_group_follows_its_participants(void **state)
{
    struct fixture *f = *state;
    struct inbound_message group = named("w2", NULL, "DE.7");

    group.group_id = STR("R3JvdXA=");
    assert_true(store_message(f, text_of("w1", "494", "Noor")));
    assert_true(store_message(f, group));
    assert_true(store_message(f, named("w3", "494", "DE.7")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat WHERE contact_id = 1"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE contact_id = 1"), 3);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat_participant WHERE contact_id = 1"), 1);
    assert_int_equal(seen_count("chat_merged"), 0);
}

/* ---- who serves the joined chat */

/* What the business had written to a group was of whom it was addressed to, up to schema 15. */
static void who_was_only_written_to_in_a_group_is_nobody_there(void **state)
{
    struct fixture *f = *state;

    fixture_at_schema(
        f, 15,
        "INSERT INTO business (id, name, source, created_at_ms) VALUES (1, x'', 0, 0);"
        "INSERT INTO contact (id, business_id, name, created_at_ms)"
        " VALUES (1, 1, x'', 0), (2, 1, x'', 0);"
        "INSERT INTO chat (id, business_id, phone_number_id, contact_id, group_id,"
        " created_at_ms) VALUES (1, 1, x'70', 2, x'67', 0);"
        "INSERT INTO chat_participant VALUES (1, 1);"
        "INSERT INTO message (id, chat_id, business_id, contact_id, direction, status,"
        " sender_user_id, wa_timestamp_s, created_at_ms, phone_number_id, type, raw)"
        " VALUES (1, 1, 1, 1, 0, 0, 0, 0, 0, x'70', x'', x''),"
        " (2, 1, 1, 2, 1, 0, 0, 0, 0, x'70', x'', x'');"
        "UPDATE sequence SET last = 2");
    fixture_open(f);
    assert_int_equal(sql_int(f, "SELECT contact_id IS NULL FROM chat"), 1);
    assert_int_equal(sql_int(f, "SELECT contact_id FROM message WHERE id = 1"), 1);
    assert_int_equal(sql_int(f, "SELECT contact_id IS NULL FROM message WHERE id = 2"), 1);
    assert_int_equal(sql_int(f, "SELECT last FROM sequence WHERE name = 'contact'"), 2);
}

static void agents(struct fixture *f)
{
    sql_exec(f, "INSERT INTO agent (business_id, user_id, name, role, created_at_ms, online)"
                " VALUES (1, 7, x'', x'', 0, 1), (1, 8, x'', x'', 0, 1)");
}

/* Two chats in these states, then the message that joins them. */
static void join(struct fixture *f, const char *older, const char *younger)
{
    autofree char *sql = xasprintf(
        "UPDATE chat SET %s WHERE id = 1; UPDATE chat SET %s WHERE id = 2", older, younger);

    agents(f);
    assert_true(store_message(f, text_of("w1", "494", "Noor")));
    assert_true(store_message(f, named("w2", NULL, "DE.7")));
    sql_exec(f, sql);
    buf_clear(&seen);
    assert_true(store_message(f, named("w3", "494", "DE.7")));
}

#define ASSIGNED(agent_)                                                                           \
    "state = 1, agent_id = " agent_ ", last_agent_id = " agent_ ", waiting_since_ms = 0"
#define CLOSED          "state = 2, waiting_since_ms = 0, closed_at_ms = 5"
#define WAITING(since_) "state = 0, waiting_told = 1, waiting_since_ms = " since_

static void the_older_chats_agent_keeps_it(void **state)
{
    struct fixture *f = *state;
    const struct store_merge *merge;

    join(f, ASSIGNED("7"), ASSIGNED("8"));
    assert_int_equal(sql_int(f, "SELECT agent_id FROM chat WHERE state = 1"), 7);
    assert_int_equal(seen_count("chat_assigned"), 0);
    assert_int_equal(work.waiting.chat_id, 0);
    merge = (const void *)work.merges.data;
    assert_int_equal(work.merges.len, sizeof *merge);
    assert_int_equal(merge->agent_id, 8);
    assert_int_equal(merge->joined_agent_id, 7);
    assert_int_equal(merge->waiting.chat_id, 0);
}

static void the_younger_chats_agent_takes_over_what_nobody_has(void **state)
{
    struct fixture *f = *state;

    join(f, WAITING("900"), ASSIGNED("8"));
    assert_int_equal(sql_int(f, "SELECT agent_id FROM chat WHERE state = 1"), 8);
    assert_int_equal(sql_int(f, "SELECT waiting_since_ms FROM chat"), 0);
    assert_seen("1 business_1 chat_assigned {\"chatId\":1,\"agentId\":8,\"customerInfo\":{");
}

static void who_waits_in_either_waits_as_long_as_in_the_older_wait(void **state)
{
    struct fixture *f = *state;
    const struct store_merge *merge;

    join(f, WAITING("900"), WAITING("500"));
    merge = (const void *)work.merges.data;
    assert_int_equal(merge->waiting.chat_id, 1);
    assert_int_equal(merge->waiting.since_ms, 500);
    assert_true(merge->waiting.told);
    assert_int_equal(merge->waiting.version, sql_int(f, "SELECT version FROM chat"));
}

static void a_closed_chat_that_is_joined_by_a_waiting_one_waits_untold(void **state)
{
    struct fixture *f = *state;
    const struct store_merge *merge;

    join(f, CLOSED, WAITING("500"));
    merge = (const void *)work.merges.data;
    assert_int_equal(merge->waiting.chat_id, 1);
    assert_int_equal(merge->waiting.since_ms, 500);
    assert_false(merge->waiting.told);
    assert_int_equal(sql_int(f, "SELECT closed_at_ms FROM chat"), 0);
}

static void two_closed_chats_are_woken_by_the_message(void **state)
{
    struct fixture *f = *state;

    join(f, CLOSED, CLOSED);
    assert_int_equal(work.waiting.chat_id, 1);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_WAITING);
}

/* ---- what was read */

static void read_up_to(struct fixture *f, int chat, int user, int message)
{
    autofree char *sql =
        xasprintf("INSERT INTO read_cursor SELECT %d, %d, wa_timestamp_s, id, 0 FROM message"
                  " WHERE id = %d",
                  chat, user, message);

    sql_exec(f, sql);
}

static int64_t cursor_of(struct fixture *f, int user)
{
    autofree char *sql =
        xasprintf("SELECT coalesce((SELECT message_id FROM read_cursor WHERE chat_id = 1"
                  " AND user_id = %d), 0)",
                  user);

    return sql_int(f, sql);
}

static void what_was_unread_in_either_chat_stays_unread(void **state)
{
    struct fixture *f = *state;

    /* In the order of time: 1 and 4 of chat 1, 2 and 3 of chat 2. */
    assert_true(store_message(f, at(text_of("w1", "494", "Noor"), 10)));
    assert_true(store_message(f, at(named("w2", NULL, "DE.7"), 20)));
    assert_true(store_message(f, at(named("w3", NULL, "DE.7"), 30)));
    assert_true(store_message(f, at(text_of("w4", "494", "Noor"), 40)));
    read_up_to(f, 1, 7, 4); /* has read all of one, nothing of the other */
    read_up_to(f, 1, 8, 4); /* everything */
    read_up_to(f, 2, 8, 3);
    read_up_to(f, 2, 9, 3); /* only the other */
    read_up_to(f, 1, 10, 4);
    read_up_to(f, 2, 10, 2);
    assert_true(store_message(f, at(named("w5", "494", "DE.7"), 50)));
    assert_int_equal(cursor_of(f, 7), 1);
    assert_int_equal(cursor_of(f, 8), 4);
    assert_int_equal(cursor_of(f, 9), 0);
    assert_int_equal(cursor_of(f, 10), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM read_cursor"), 3);
}

/* ---- two who are not one */

static void a_number_with_a_new_owner_goes_to_the_account_that_uses_it(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, named("w1", "494", "DE.7")));
    assert_true(store_message(f, named("w2", NULL, "DE.8")));
    assert_true(store_message(f, named("w3", "494", "DE.8")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE chat_id = 2"), 2);
    assert_true(store_message(f, text_of("w4", "494", NULL)));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE chat_id = 2"), 3);
    assert_int_equal(seen_count("chat_merged"), 0);
}

static void a_stranger_on_a_number_that_was_left_is_somebody_new(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, named("w1", "492", "DE.7")));
    assert_true(store_message(f, change("w2", "492", "DE.7", "493", NULL)));
    assert_true(store_message(f, named("w3", "492", "DE.9")));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE chat_id = 2"), 1);
    assert_true(store_message(f, text_of("w4", "492", NULL)));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE chat_id = 2"), 2);
}

/* ---- what is told of them */

static void a_late_message_brings_no_old_name_back(void **state)
{
    struct fixture *f = *state;
    struct inbound_message late = at(text_of("w2", "491", "Old Name"), 100);

    late.party.username = STR("@old");
    assert_true(store_message(f, text_of("w1", "491", "New Name")));
    assert_true(store_message(f, late));
    assert_text(f, "SELECT name FROM contact", "New Name");
    assert_text(f, "SELECT username FROM contact", "@old");
    assert_true(store_message(f, at(text_of("w3", "491", "Newest"), 1772357402)));
    assert_text(f, "SELECT name FROM contact", "Newest");
}

static void who_has_only_a_username_is_addressed_by_it(void **state)
{
    struct fixture *f = *state;
    struct inbound_message message = named("w1", NULL, "DE.7");

    message.party.username = STR("@noor");
    assert_true(store_message(f, message));
    assert_seen("\"first_name\":\"@noor\",\"last_name\":\"\",\"name\":null,\"phone\":null,"
                "\"waId\":null,\"userId\":\"DE.7\",\"username\":\"@noor\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, inbound_setup, inbound_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_customer_who_changes_number_keeps_the_chat),
        TEST(a_new_number_is_the_wa_id_too_where_nothing_else_is_said),
        TEST(a_customer_who_changes_user_id_keeps_the_chat),
        TEST(no_session_outlives_the_chat_that_it_was_in),
        TEST(a_change_that_comes_after_the_new_name_joins_the_two),
        TEST(a_change_of_somebody_unknown_is_of_the_one_who_has_the_new_name),
        TEST(who_wrote_last_says_how_the_two_are_called),
        TEST(a_late_message_does_not_make_its_writer_the_last_one_of_the_group),
        TEST(a_message_with_both_names_joins_their_contacts),
        TEST(the_older_chat_stays_also_where_the_contact_is_the_younger),
        TEST(a_repetition_joins_nobody),
        TEST(tenants_are_never_joined),
        TEST(a_group_follows_its_participants),
        TEST(who_was_only_written_to_in_a_group_is_nobody_there),
        TEST(the_older_chats_agent_keeps_it),
        TEST(the_younger_chats_agent_takes_over_what_nobody_has),
        TEST(who_waits_in_either_waits_as_long_as_in_the_older_wait),
        TEST(a_closed_chat_that_is_joined_by_a_waiting_one_waits_untold),
        TEST(two_closed_chats_are_woken_by_the_message),
        TEST(what_was_unread_in_either_chat_stays_unread),
        TEST(a_number_with_a_new_owner_goes_to_the_account_that_uses_it),
        TEST(a_stranger_on_a_number_that_was_left_is_somebody_new),
        TEST(a_late_message_brings_no_old_name_back),
        TEST(who_has_only_a_username_is_addressed_by_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
