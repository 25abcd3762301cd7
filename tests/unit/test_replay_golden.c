/* What a replay brought about, as lines that do not depend on ids, times and chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/json.h"
#include "sioctl/replay/golden.h"

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);

    assert_non_null(value);
    return value;
}

static void add_event(struct golden *golden, const char *text)
{
    autojson json_t *event = parse(text);

    golden_add_event(golden, event);
}

static void add_answer(struct golden *golden, size_t record, const char *text)
{
    autojson json_t *answer = parse(text);

    golden_add_answer(golden, record, answer);
}

/* Chats are 15550001 and so on, by their ids, and those that end in 666 are gone; every message
 * that is asked for has a wamid. */
static void finish(struct golden *golden, struct golden_lines *lines)
{
    enum golden_kind kind;
    int64_t id;

    while (golden_ask(golden, &kind, &id)) {
        autojson json_t *answer =
            kind == GOLDEN_MESSAGE ? json_pack("{s:o}", "wamid", json_sprintf("wamid.%d", (int)id))
                                   : json_pack("{s:s,s:{s:o}}", "phoneNumberId", "P", "contact",
                                               "waId", json_sprintf("1555%04d", (int)id % 1000));

        golden_tell(golden, kind, id, id % 1000 == 666 ? NULL : answer);
    }
    golden_take_lines(golden, lines);
    golden_free(golden);
}

static void assert_lines(const struct golden_lines *lines, const char *const *want)
{
    size_t count = 0;

    for (; want[count] != NULL; count++) {
        assert_true(count < lines->count);
        assert_string_equal(lines->list[count].text, want[count]);
    }
    assert_int_equal(lines->count, count);
}

static void ids_and_times_are_taken_out_and_chats_are_put_in_order(void **state)
{
    static const char *const want[] = {
        "{\"answer\":\"a.json\",\"counts\":{\"inbound\":1},\"status\":200}",
        "{\"answer\":\"b.siorec:2\",\"counts\":{},\"reason\":\"not JSON\",\"status\":400}",
        "{\"event\":\"user_online\",\"payload\":{\"timestamp\":\"<time>\",\"userId\":7},"
        "\"room\":\"business_1\"}",
        "{\"chat\":\"15550002@P\",\"event\":\"new_message\",\"payload\":{\"message\":"
        "{\"chatId\":\"15550002@P\",\"createdAt\":\"<time>\",\"id\":\"<id>\",\"text\":\"hi\","
        "\"wamid\":\"wamid.A\"}},\"record\":\"a.json\",\"room\":\"chat\"}",
        "{\"chat\":\"15550002@P\",\"event\":\"message_status_update\",\"payload\":"
        "{\"chatId\":\"15550002@P\",\"messageId\":\"wamid.A\",\"status\":\"read\"},"
        "\"record\":\"b.siorec:2\",\"room\":\"chat\"}",
        "{\"chat\":\"15550002@P\",\"event\":\"chat_waiting\",\"payload\":{\"chatId\":"
        "\"15550002@P\",\"customerInfo\":\"<customer>\"},\"room\":\"business_1\"}",
        "{\"chat\":\"15550003@P\",\"event\":\"message_status_update\",\"payload\":"
        "{\"chatId\":\"15550003@P\",\"messageId\":\"wamid.40\",\"status\":\"sent\"},"
        "\"room\":\"chat\"}",
        "{\"chat\":\"gone\",\"event\":\"chat_closed\",\"payload\":{\"chatId\":\"gone\"},"
        "\"room\":\"business_1\"}",
        NULL,
    };
    struct golden *golden = golden_new(NULL, true);
    struct golden_lines lines;

    (void)state;
    golden_add_record(golden, "a.json", STR("{\"messages\":[{\"id\":\"wamid.A\"}]}"));
    golden_add_record(golden, "b.siorec:2",
                      STR("{\"statuses\":[{\"id\":\"wamid.A\",\"status\":\"read\"}]}"));
    add_answer(golden, 1,
               "{\"status\":400,\"webhookId\":9,\"counts\":{\"inbound\":0},"
               "\"reason\":\"not JSON\"}");
    add_answer(golden, 0,
               "{\"status\":200,\"webhookId\":8,\"counts\":{\"inbound\":1,\"dups\":0},"
               "\"reason\":null}");
    add_event(golden, "{\"event\":\"message_status_update\",\"room\":\"chat_3\",\"payload\":"
                      "{\"chatId\":3,\"messageId\":40,\"status\":\"sent\"}}");
    add_event(golden, "{\"event\":\"chat_waiting\",\"room\":\"business_1\",\"payload\":"
                      "{\"chatId\":2,\"customerInfo\":{\"id\":5,\"lastMessage\":{}}}}");
    add_event(golden, "{\"event\":\"new_message\",\"room\":\"chat_2\",\"payload\":{\"message\":"
                      "{\"id\":4,\"chatId\":2,\"wamid\":\"wamid.A\",\"text\":\"hi\","
                      "\"createdAt\":\"2026-03-01T09:30:00.000Z\"}}}");
    add_event(golden, "{\"event\":\"user_online\",\"room\":\"business_1\",\"payload\":"
                      "{\"userId\":7,\"timestamp\":\"2026-03-01T09:30:00.000Z\"}}");
    add_event(golden, "{\"event\":\"chat_closed\",\"room\":\"business_1\",\"payload\":"
                      "{\"chatId\":666}}");
    add_event(golden, "{\"event\":\"message_status_update\",\"room\":\"chat_2\",\"payload\":"
                      "{\"chatId\":2,\"messageId\":4,\"status\":\"read\"}}");
    finish(golden, &lines);
    assert_lines(&lines, want);
    golden_lines_finish(&lines);
}

static void add_merge(struct golden *golden, int chat, int into)
{
    autojson json_t *event = json_pack("{s:s,s:s,s:{s:i,s:i}}", "event", "chat_merged", "room",
                                       "business_1", "payload", "chatId", chat, "into", into);

    golden_add_event(golden, event);
}

static void a_chat_that_was_merged_is_gone_and_the_other_one_has_its_name(void **state)
{
    static const char *const want[] = {
        "{\"chat\":\"gone\",\"event\":\"chat_merged\",\"payload\":{\"chatId\":\"gone\",\"into\":"
        "\"15550002@P\"},\"room\":\"business_1\"}",
        NULL,
    };
    struct golden *golden = golden_new(NULL, true);
    struct golden_lines lines;

    (void)state;
    add_merge(golden, 666, 2);
    finish(golden, &lines);
    assert_lines(&lines, want);
    golden_lines_finish(&lines);
}

/* Who waits is announced a moment later: a chat may be gone by then. */
static void decisions_about_a_chat_that_was_merged_do_not_show(void **state)
{
    static const char *const want[] = {
        "{\"chat\":\"15550002@P\",\"event\":\"chat_waiting\",\"payload\":{\"chatId\":"
        "\"15550002@P\"},\"room\":\"business_1\"}",
        "{\"chat\":\"gone\",\"event\":\"chat_closed\",\"payload\":{\"chatId\":\"gone\"},"
        "\"room\":\"business_1\"}",
        "{\"chat\":\"gone\",\"event\":\"chat_merged\",\"payload\":{\"chatId\":\"gone\",\"into\":"
        "\"15550002@P\"},\"room\":\"business_1\"}",
        NULL,
    };
    struct golden *golden = golden_new(NULL, true);
    struct golden_lines lines;

    (void)state;
    add_event(golden, "{\"event\":\"chat_waiting\",\"room\":\"business_1\",\"payload\":"
                      "{\"chatId\":666}}");
    add_event(golden, "{\"event\":\"chat_waiting\",\"room\":\"business_1\",\"payload\":"
                      "{\"chatId\":2}}");
    add_event(golden, "{\"event\":\"chat_assigned\",\"room\":\"business_1\",\"payload\":"
                      "{\"chatId\":666,\"agentId\":7}}");
    add_event(golden, "{\"event\":\"chat_closed\",\"room\":\"business_1\",\"payload\":"
                      "{\"chatId\":666}}");
    add_merge(golden, 666, 2);
    finish(golden, &lines);
    assert_lines(&lines, want);
    golden_lines_finish(&lines);
}

static void render_merges(const int (*merges)[2], size_t count, struct buf *out)
{
    struct golden *golden = golden_new(NULL, true);
    struct golden_lines lines;

    for (size_t i = 0; i < count; i++) {
        add_merge(golden, merges[i][0], merges[i][1]);
    }
    finish(golden, &lines);
    golden_render(out, &lines);
    golden_lines_finish(&lines);
}

static void which_of_two_customers_was_merged_first_does_not_show(void **state)
{
    static const int one[][2] = { { 666, 1666 }, { 1666, 2 }, { 2666, 3 } };
    static const int other[][2] = { { 2666, 3 }, { 666, 1666 }, { 1666, 2 } };
    static const int loop[][2] = { { 666, 1666 }, { 1666, 666 } };
    autobuf struct buf a = BUF_INIT;
    autobuf struct buf b = BUF_INIT;

    (void)state;
    render_merges(one, ARRAY_SIZE(one), &a);
    render_merges(other, ARRAY_SIZE(other), &b);
    assert_string_equal(a.data, b.data);
    render_merges(loop, ARRAY_SIZE(loop), &a); /* no daemon does that, and it ends */
}

static void repetitions_do_not_show_in_an_answer(void **state)
{
    static const char *const want[] = {
        "{\"answer\":\"a\",\"counts\":{\"inbound\":1},\"status\":200}",
        "{\"answer\":\"b\",\"counts\":{\"dups\":1},\"status\":200}",
        "{\"answer\":\"c\",\"counts\":{},\"status\":503}",
        NULL,
    };
    struct golden *golden = golden_new(NULL, true);
    struct golden_lines lines;

    (void)state;
    golden_add_record(golden, "a", STR("{}"));
    golden_add_record(golden, "b", STR("{}"));
    golden_add_record(golden, "c", STR("{}"));
    add_answer(golden, 0, "{\"status\":200,\"counts\":{\"inbound\":0,\"dups\":1}}");
    add_answer(golden, 0, "{\"status\":200,\"counts\":{\"inbound\":1,\"dups\":0}}");
    add_answer(golden, 1, "{\"status\":200,\"counts\":{\"inbound\":0,\"dups\":1}}");
    add_answer(golden, 1, "{\"status\":200,\"counts\":{\"inbound\":0,\"dups\":1}}");
    add_answer(golden, 2, "{\"status\":200,\"counts\":{\"inbound\":1}}");
    add_answer(golden, 2, "{\"status\":503,\"counts\":{}}");
    add_answer(golden, 2, "{\"status\":200,\"counts\":{\"inbound\":1}}");
    finish(golden, &lines);
    assert_lines(&lines, want);
    golden_lines_finish(&lines);
}

static void exchanged_ids_are_what_they_were(void **state)
{
    static const unsigned char salt[REPLAY_SALT_SIZE] = { 1 };
    static const char *const want[] = {
        "{\"answer\":\"a\",\"counts\":{},\"status\":200}",
        "{\"chat\":\"15550001@P\",\"event\":\"new_message\",\"payload\":{\"message\":{\"chatId\":"
        "\"15550001@P\",\"context\":{\"id\":\"wamid.A\"},\"id\":\"<id>\",\"wamid\":\"wamid.A\"}},"
        "\"record\":\"a\",\"room\":\"chat\"}",
        NULL,
    };
    struct replay_ids *ids = replay_ids_new(salt);
    struct golden *golden = golden_new(ids, true);
    struct golden_lines lines;
    autobuf struct buf body = BUF_INIT;
    autobuf struct buf event = BUF_INIT;

    (void)state;
    replay_ids_learn(ids, STR("{\"messages\":[{\"id\":\"wamid.A\"}]}"));
    replay_ids_exchange(ids, STR("{\"messages\":[{\"id\":\"wamid.A\"}]}"), &body);
    golden_add_record(golden, "a", buf_str(&body));
    add_answer(golden, 0, "{\"status\":200,\"counts\":{}}");
    replay_ids_exchange(ids,
                        STR("{\"event\":\"new_message\",\"room\":\"chat_1\",\"payload\":"
                            "{\"message\":{\"id\":4,\"chatId\":1,\"wamid\":\"wamid.A\","
                            "\"context\":{\"id\":\"wamid.A\"}}}}"),
                        &event);
    assert_null(strstr(event.data, "wamid.A"));
    add_event(golden, event.data);
    finish(golden, &lines);
    assert_lines(&lines, want);
    golden_lines_finish(&lines);
    replay_ids_free(ids);
}

static void a_file_is_read_back_as_it_was_written(void **state)
{
    static const char text[] = "{\"siogolden\":1,\"counted\":true}\n"
                               "{\"answer\":\"a\",\"counts\":{},\"status\":200}\n"
                               "{\"chat\":\"x\",\"room\":\"chat\"}\n";
    struct golden_lines lines;
    autobuf struct buf out = BUF_INIT;
    struct errmsg msg = { "" };

    (void)state;
    assert_int_equal(golden_parse(str_of(text), &lines, &msg), OK);
    assert_string_equal(lines.list[0].about, "a");
    assert_string_equal(lines.list[1].about, "chat x");
    golden_render(&out, &lines);
    assert_string_equal(out.data, text);
    golden_uncount(&lines);
    assert_string_equal(lines.list[0].text, "{\"answer\":\"a\",\"status\":200}");
    golden_lines_finish(&lines);
    assert_int_equal(golden_parse(STR("{\"siogolden\": 1, \"counted\": true}\r\n\n"
                                      "{\"room\": \"chat\", \"chat\": \"x\"}"),
                                  &lines, &msg),
                     OK);
    assert_string_equal(lines.list[0].text, "{\"chat\":\"x\",\"room\":\"chat\"}");
    golden_lines_finish(&lines);
}

static void a_bad_file_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *msg;
    } bad[] = {
        { "", "line 1: it is empty" },
        { "{}\n", "line 1: not a golden file of this version" },
        { "{\"siogolden\":2}\n", "line 1: not a golden file of this version" },
        { "{\"siogolden\":1}\n[]\n", "line 2: not an object" },
        { "{\"siogolden\":1}\n\n{\"a\":}\n", "line 3: " },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct golden_lines lines;
        struct errmsg msg = { "" };

        assert_int_equal(golden_parse(str_of(bad[i].text), &lines, &msg), ERR_SYNTAX);
        assert_memory_equal(msg.text, bad[i].msg, strlen(bad[i].msg));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_times_are_taken_out_and_chats_are_put_in_order),
        cmocka_unit_test(a_chat_that_was_merged_is_gone_and_the_other_one_has_its_name),
        cmocka_unit_test(decisions_about_a_chat_that_was_merged_do_not_show),
        cmocka_unit_test(which_of_two_customers_was_merged_first_does_not_show),
        cmocka_unit_test(repetitions_do_not_show_in_an_answer),
        cmocka_unit_test(exchanged_ids_are_what_they_were),
        cmocka_unit_test(a_file_is_read_back_as_it_was_written),
        cmocka_unit_test(a_bad_file_is_refused_with_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
