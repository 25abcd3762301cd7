/* History and echoes: rows that nobody is told of, media that come after their placeholders, and
 * what an answer on the phone does. */
#include "inbound_fixture.h"

static struct inbound_message past(const char *wamid, enum store_direction direction,
                                   int64_t second)
{
    struct inbound_message message = text_of(wamid, "491", "Amara");

    message.historic = true;
    message.opens_window = false;
    message.direction = direction;
    message.past_status = STORE_STATUS_READ;
    message.wa_timestamp_s = second;
    return message;
}

static struct inbound_message echo(const char *wamid, int64_t second)
{
    struct inbound_message message = text_of(wamid, "491", "Amara");

    message.direction = STORE_OUTBOUND;
    message.opens_window = false;
    message.wa_timestamp_s = second;
    return message;
}

static struct inbound_message at(const char *wamid, int64_t second)
{
    struct inbound_message message = text_of(wamid, "491", "Amara");

    message.wa_timestamp_s = second;
    return message;
}

struct glance {
    int64_t chat_id, agent_id;
    int64_t unread, last_id;
    struct buf text;
};

static enum err glance_body(struct store_reader *reader, void *arg)
{
    struct glance *want = arg;
    struct store_chat chat;
    struct store_glance glance;
    enum err err = store_chat_get(reader, want->chat_id, &chat);

    if (err == OK) {
        err = store_chat_glance(reader, &chat, want->agent_id, &glance);
    }
    if (err == OK) {
        want->unread = glance.unread;
        want->last_id = glance.last.id;
        buf_clear(&want->text);
        buf_add_str(&want->text, glance.last.text);
    }
    return err;
}

static int64_t unread(struct fixture *f, int64_t agent_id)
{
    struct glance glance = { .chat_id = 1, .agent_id = agent_id };

    assert_int_equal(read_now(f, glance_body, &glance), OK);
    buf_finish(&glance.text);
    return glance.unread;
}

/* ---- history */

static void history_is_stored_and_nobody_is_told(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, past("w1", STORE_INBOUND, 100)));
    assert_true(store_message(f, past("w2", STORE_OUTBOUND, 200)));
    assert_false(store_message(f, past("w2", STORE_OUTBOUND, 200)));
    assert_int_equal(seen.len, 0);
    assert_int_equal(work.waiting.chat_id, 0);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_CLOSED);
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms FROM chat"), 0);
    assert_int_equal(sql_int(f, "SELECT last_message_id FROM chat"), 2);
    assert_int_equal(sql_int(f, "SELECT status FROM message WHERE id = 2"), STORE_STATUS_READ);
    assert_int_equal(unread(f, 7), 0);
    assert_true(store_message(f, text_of("w3", "491", "Amara")));
    assert_int_equal(work.waiting.chat_id, 1);
    assert_int_equal(unread(f, 7), 1);
}

static void chunks_come_in_any_order_and_behind_live_messages(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, text_of("w5", "491", "Amara")));
    buf_clear(&seen);
    assert_true(store_message(f, past("w3", STORE_INBOUND, 300)));
    assert_true(store_message(f, past("w1", STORE_INBOUND, 100)));
    assert_false(store_message(f, past("w5", STORE_INBOUND, 1772357401)));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT last_message_id FROM chat"), 1);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_WAITING);
    assert_int_equal(unread(f, 7), 1);
}

static void a_medium_takes_the_place_of_its_placeholder_once(void **state)
{
    struct fixture *f = *state;
    struct inbound_message placeholder = past("w1", STORE_INBOUND, 100), image = placeholder;

    placeholder.type = STR("media_placeholder");
    placeholder.text = STR_NONE;
    image.type = STR("image");
    image.text = STR("a caption");
    assert_true(store_message(f, placeholder));
    assert_false(store_message(f, placeholder));
    assert_true(store_message(f, image));
    assert_false(store_message(f, image));
    assert_false(store_message(f, placeholder));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message WHERE type = CAST('image' AS BLOB)"
                                " AND text = CAST('a caption' AS BLOB)"),
                     1);
}

static void a_status_of_a_message_from_the_past_still_counts(void **state)
{
    struct fixture *f = *state;
    struct inbound_message message = past("w1", STORE_OUTBOUND, 100);

    message.past_status = STORE_STATUS_SENT;
    assert_true(report(f, "w1", "delivered", ""));
    assert_true(store_message(f, message));
    assert_int_equal(sql_int(f, "SELECT status FROM message"), STORE_STATUS_DELIVERED);
    assert_true(report(f, "w1", "read", ""));
    assert_int_equal(seen_count("message_status_update"), 1);
}

/* ---- echoes */

static void an_answer_on_the_phone_leaves_nothing_unread(void **state)
{
    struct fixture *f = *state;

    assert_true(store_message(f, at("w1", 1000)));
    assert_true(store_message(f, at("w2", 1001)));
    sql_exec(f, "INSERT INTO read_cursor VALUES (1, 7, 1000, 1, 0)");
    assert_int_equal(unread(f, 7), 1);
    assert_int_equal(unread(f, 8), 2);
    assert_true(store_message(f, echo("w3", 1002)));
    assert_int_equal(unread(f, 7), 0);
    assert_int_equal(unread(f, 8), 0);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_WAITING);
    assert_true(store_message(f, at("w4", 1003)));
    assert_int_equal(unread(f, 7), 1);
    assert_false(store_message(f, echo("w3", 1002)));
    assert_int_equal(unread(f, 7), 1);
    assert_true(store_message(f, echo("w5", 900)));
    assert_int_equal(unread(f, 8), 1);
}

static void what_the_business_writes_to_a_group_needs_no_recipient(void **state)
{
    struct fixture *f = *state;
    struct inbound_message first = echo("w1", 1000), answer = at("w2", 1001);

    first.group_id = answer.group_id = STR("R3JvdXA=");
    first.party = (struct inbound_party) { .name = STR_NONE };
    assert_true(store_message(f, first));
    assert_seen("\"status\":\"sent\",\"contact\":null,");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 0);
    assert_true(store_message(f, answer));
    assert_int_equal(sql_int(f, "SELECT contact_id FROM chat"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 1);
}

/* ---- what a list shows */

static void notes_are_not_unread_and_the_last_message_is_by_second_and_id(void **state)
{
    struct fixture *f = *state;
    struct inbound_message note = at("w3", 1005);
    struct glance glance = { .chat_id = 1, .agent_id = 7 };

    note.type = STR("system");
    note.text = STR("changed");
    note.opens_window = false;
    assert_true(store_message(f, at("w1", 1002)));
    assert_true(store_message(f, at("w2", 1001)));
    assert_int_equal(read_now(f, glance_body, &glance), OK);
    assert_int_equal(glance.unread, 2);
    assert_int_equal(glance.last_id, 1);
    assert_true(store_message(f, note));
    assert_int_equal(read_now(f, glance_body, &glance), OK);
    assert_int_equal(glance.unread, 2);
    assert_int_equal(glance.last_id, 3);
    assert_string_equal(glance.text.data, "changed");
    buf_finish(&glance.text);
}

static void a_long_text_is_cut(void **state)
{
    struct fixture *f = *state;
    struct inbound_message message = at("w1", 1000);
    struct glance glance = { .chat_id = 1 };
    char text[STORE_GLANCE_TEXT + 10];

    memset(text, 'x', sizeof text);
    message.text = (struct str) { text, sizeof text };
    assert_true(store_message(f, message));
    assert_int_equal(read_now(f, glance_body, &glance), OK);
    assert_int_equal(glance.text.len, STORE_GLANCE_TEXT);
    buf_finish(&glance.text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, inbound_setup, inbound_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(history_is_stored_and_nobody_is_told),
        TEST(chunks_come_in_any_order_and_behind_live_messages),
        TEST(a_medium_takes_the_place_of_its_placeholder_once),
        TEST(a_status_of_a_message_from_the_past_still_counts),
        TEST(an_answer_on_the_phone_leaves_nothing_unread),
        TEST(what_the_business_writes_to_a_group_needs_no_recipient),
        TEST(notes_are_not_unread_and_the_last_message_is_by_second_and_id),
        TEST(a_long_text_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
