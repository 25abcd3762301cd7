/* What sioctl prints, in each format. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sioctl/output.h"

/* What was written to the file, owned; closes it. */
static char *taken(FILE *file)
{
    struct buf text = BUF_INIT;
    size_t len = (size_t)lseek(fileno(file), 0, SEEK_END);

    assert_int_equal(pread(fileno(file), buf_reserve(&text, len), len, 0), len);
    text.len = len;
    fclose(file);
    return buf_take(&text);
}

/* Prints `json` as the result of `command`; returns owned. */
static char *printed(enum ctl_command_id command, enum output_format format, bool header,
                     const char *json)
{
    json_t *result = json_loads(json, 0, NULL);
    FILE *file = tmpfile();
    struct output out;

    assert_non_null(result);
    output_open(&out, fileno(file), format, command);
    out.header = header;
    output_result(&out, result);
    output_close(&out);
    assert_false(out.failed);
    json_decref(result);
    return taken(file);
}

static char *streamed(enum output_format format, bool header, const char *const *records)
{
    FILE *file = tmpfile();
    struct output out;

    output_open(&out, fileno(file), format, CTL_CMD_tail);
    out.header = header;
    for (; *records != NULL; records++) {
        json_t *record = json_loads(*records, 0, NULL);

        assert_true(output_record(&out, record));
        json_decref(record);
    }
    output_close(&out);
    return taken(file);
}

static const char rooms[] =
    "[{\"room\":\"chat_1\",\"namespace\":\"/\",\"businessId\":1,\"members\":2},"
    "{\"room\":\"business_456\",\"namespace\":\"/\",\"businessId\":456,\"members\":13}]";

static void a_result_is_printed_in_each_format(void **state)
{
    static const struct {
        enum ctl_command_id command;
        enum output_format format;
        bool header;
        const char *result, *expected;
    } vectors[] = {
        { CTL_CMD_room_list, OUTPUT_TEXT, false, rooms,
          "ROOM          NAMESPACE  BUSINESS  MEMBERS\n"
          "chat_1        /          1         2\n"
          "business_456  /          456       13\n" },
        { CTL_CMD_room_list, OUTPUT_TEXT, false, "[]", "ROOM  NAMESPACE  BUSINESS  MEMBERS\n" },
        { CTL_CMD_room_list, OUTPUT_JSON, false, "[]", "[]\n" },
        { CTL_CMD_room_list, OUTPUT_JSON, false, "[{\"room\":\"a\"}]",
          "[\n  {\n    \"room\": \"a\"\n  }\n]\n" },
        { CTL_CMD_room_list, OUTPUT_NDJSON, false, "[{\"room\":\"a\"},{\"room\":\"b\"}]",
          "{\"room\":\"a\"}\n{\"room\":\"b\"}\n" },
        { CTL_CMD_room_list, OUTPUT_NDJSON, false, "[]", "" },
        { CTL_CMD_room_list, OUTPUT_TSV, false, rooms,
          "chat_1\t/\t1\t2\nbusiness_456\t/\t456\t13\n" },
        { CTL_CMD_room_list, OUTPUT_TSV, true, "[]", "room\tnamespace\tbusinessId\tmembers\n" },
        { CTL_CMD_room_list, OUTPUT_TSV, false,
          "[{\"room\":\"a\\tb\\nc\\\\d\\r\",\"members\":null}]", "a\\tb\\nc\\\\d\\r\t\t\t\n" },
        { CTL_CMD_business_list, OUTPUT_TSV, false,
          "[{\"businessId\":1,\"name\":\"\",\"phoneNumberIds\":[\"1\",\"2\"],\"takesAny\":true}]",
          "1\t\t\t\ttrue\t[\"1\",\"2\"]\n" },
        { CTL_CMD_chat_show, OUTPUT_TEXT, false,
          "{\"chatId\":12,\"contact\":{\"name\":\"Ann\",\"phone\":null},\"tags\":[\"a\",\"b\"],"
          "\"e\":[]}",
          "chatId         12\ncontact.name   Ann\ncontact.phone  -\ntags           a,b\n"
          "e              -\n" },
        { CTL_CMD_chat_show, OUTPUT_TSV, false,
          "{\"chatId\":12,\"contact\":{\"name\":\"Ann\",\"phone\":null},\"tags\":[\"a\"]}",
          "chatId\t12\ncontact.name\tAnn\ncontact.phone\t\ntags\t[\"a\"]\n" },
        { CTL_CMD_chat_show, OUTPUT_NDJSON, false, "{\"chatId\":12}", "{\"chatId\":12}\n" },
        { CTL_CMD_room_show, OUTPUT_TEXT, false,
          "{\"room\":\"chat_1\",\"members\":[{\"socketId\":\"abc\",\"userId\":7}]}",
          "room  chat_1\n\nmembers:\nsocketId  userId\nabc       7\n" },
        { CTL_CMD_webhook_list, OUTPUT_TEXT, false,
          "[{\"webhookId\":1,\"state\":\"done\",\"counts\":{\"inbound\":2,\"dups\":0,\"statuses\":"
          "1}}]",
          "WEBHOOK  RECEIVED  STATE  APP  FIELDS  COUNTS                REASON\n"
          "1        -         done   -    -       inbound=2 statuses=1  -\n" },
        { CTL_CMD_token_mint, OUTPUT_TEXT, false, "{\"token\":\"a.b.c\"}", "a.b.c\n" },
        { CTL_CMD_token_mint, OUTPUT_TSV, false, "{\"token\":\"a.b.c\"}", "a.b.c\n" },
        { CTL_CMD_token_mint, OUTPUT_NDJSON, false, "{\"token\":\"a.b.c\"}",
          "{\"token\":\"a.b.c\"}\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        char *text =
            printed(vectors[i].command, vectors[i].format, vectors[i].header, vectors[i].result);

        assert_string_equal(text, vectors[i].expected);
        free(text);
    }
}

static void columns_are_aligned_by_what_a_terminal_shows(void **state)
{
    char *text = printed(CTL_CMD_business_list, OUTPUT_TEXT, false,
                         "[{\"businessId\":1,\"name\":\"\xc3\x9c\"},{\"businessId\":2,\"name\":"
                         "\"\xe6\x97\xa5\xe6\x9c\xac\"}]");

    (void)state;
    assert_string_equal(text,
                        "BUSINESS  NAME  SOURCE  POSITION  TAKES ANY  PHONE NUMBERS\n"
                        "1         \xc3\x9c     -       -         -          -\n"
                        "2         \xe6\x97\xa5\xe6\x9c\xac  -       -         -          -\n");
    free(text);
}

static void text_never_carries_control_characters(void **state)
{
    static const struct {
        const char *name, *shown;
    } vectors[] = {
        { "\"\\u001b[31mred\"", "\\x1b[31mred" },
        { "\"a\\nb\\u0000c\"", "a\\x0ab\\x00c" },
        { "\"\xc2\x9b"
          "31m\"",
          "\\x9b31m" },
        { "\"\xe2\x80\xae"
          "evil\"",
          "\\u202eevil" },
        { "\"\xf0\x9f\x99\x82\"", "\xf0\x9f\x99\x82" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        char json[128], expected[128];
        json_t *record;
        struct buf text = BUF_INIT;
        struct output out = { .command = CTL_CMD_chat_show };

        snprintf(json, sizeof(json), "{\"n\":%s}", vectors[i].name);
        snprintf(expected, sizeof(expected), "n  %s\n", vectors[i].shown);
        record = json_loads(json, JSON_ALLOW_NUL, NULL);
        assert_non_null(record);
        text_object(&text, &out, record);
        assert_string_equal(text.data, expected);
        buf_finish(&text);
        json_decref(record);
    }
}

static void a_stream_is_one_document_or_one_line_a_record(void **state)
{
    static const char *const two[] = {
        "{\"seq\":1,\"position\":null,\"event\":\"typing\",\"room\":\"chat_1\"}",
        "{\"seq\":2,\"position\":5,\"payload\":{\"a\":[1,\"\\t\"]}}",
        NULL,
    };
    static const char *const none[] = { NULL };
    static const struct {
        enum output_format format;
        bool header;
        const char *const *records;
        const char *expected;
    } vectors[] = {
        { OUTPUT_JSON, false, none, "[]\n" },
        { OUTPUT_JSON, false, two,
          "[\n{\"seq\":1,\"position\":null,\"event\":\"typing\",\"room\":\"chat_1\"},\n"
          "{\"seq\":2,\"position\":5,\"payload\":{\"a\":[1,\"\\t\"]}}\n]\n" },
        { OUTPUT_NDJSON, false, none, "" },
        { OUTPUT_TSV, true, none, "seq\tposition\ttimestamp\tevent\troom\tbusinessId\tpayload\n" },
        { OUTPUT_TSV, false, none, "" },
        { OUTPUT_TSV, true, two,
          "seq\tposition\ttimestamp\tevent\troom\tbusinessId\tpayload\n"
          "1\t\t\ttyping\tchat_1\t\t\n2\t5\t\t\t\t\t{\"a\":[1,\"\\t\"]}\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        char *text = streamed(vectors[i].format, vectors[i].header, vectors[i].records);

        assert_string_equal(text, vectors[i].expected);
        free(text);
    }
}

static void a_write_that_fails_is_remembered(void **state)
{
    json_t *record = json_loads("{\"seq\":1}", 0, NULL);
    FILE *full = fopen("/dev/full", "w");
    struct output out;

    (void)state;
    output_open(&out, fileno(full), OUTPUT_NDJSON, CTL_CMD_tail);
    assert_false(output_record(&out, record));
    assert_true(out.failed);
    assert_int_not_equal(out.error, 0);
    output_close(&out);
    fclose(full);
    json_decref(record);
}

static void every_list_and_stream_has_columns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        if (view_shape((enum ctl_command_id)i) == VIEW_OBJECT) {
            continue;
        }
        assert_non_null(view_next((enum ctl_command_id)i, VIEW_TEXT, NULL));
        assert_non_null(view_next((enum ctl_command_id)i, VIEW_TSV, NULL));
    }
}

static void no_format_has_what_a_terminal_would_obey(void **state)
{
    static const char rooms_of_evil[] =
        "[{\"room\":\"a\\u001b\\u009b\\u007f\\u202e\\t\",\"namespace\":[\"\\u009b\"]}]";
    static const struct {
        enum output_format format;
        const char *expected;
    } vectors[] = {
        { OUTPUT_NDJSON,
          "{\"room\":\"a\\u001b\\u009b\\u007f\\u202e\\t\",\"namespace\":[\"\\u009b\"]}\n" },
        { OUTPUT_TSV, "a\\x1b\\xc2\\x9b\\x7f\\xe2\\x80\\xae\\t\t[\"\\u009b\"]\t\t\n" },
        { OUTPUT_TEXT, "ROOM                     NAMESPACE  BUSINESS  MEMBERS\n"
                       "a\\x1b\\x9b\\x7f\\u202e\\x09  \\x9b       -         -\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        char *text = printed(CTL_CMD_room_list, vectors[i].format, false, rooms_of_evil);

        assert_string_equal(text, vectors[i].expected);
        free(text);
    }
}

static void a_table_fits_the_terminal_as_far_as_ids_allow(void **state)
{
    static const char list[] =
        "[{\"auditId\":1,\"timestamp\":\"2026-03-01T09:30:01.000Z\",\"who\":\"uid 0 pid 1234\","
        "\"command\":\"business add\",\"args\":{\"name\":\"日本語日本語日本語日本語\"}}]";
    static const struct {
        int columns;
        const char *expected;
    } vectors[] = {
        { 0, "AUDIT  TIME                      WHO             COMMAND       ARGS\n"
             "1      2026-03-01T09:30:01.000Z  uid 0 pid 1234  business add  "
             "{\"name\":\"日本語日本語日本語日本語\"}\n" },
        { 90, "AUDIT  TIME                      WHO             COMMAND       ARGS\n"
              "1      2026-03-01T09:30:01.000Z  uid 0 pid 1234  business add  "
              "{\"name\":\"日本語日本語日本…\n" },
        { 20, "AUDIT  TIME               WHO             COMMAND       ARGS\n"
              "1      2026-03-01T09:30…  uid 0 pid 1234  business add  {\"name\":\"日本語…\n" },
    };
    json_t *result = json_loads(list, 0, NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct output out = { .command = CTL_CMD_audit_list, .columns = vectors[i].columns };
        struct buf text = BUF_INIT;

        text_list(&text, &out, result);
        assert_string_equal(text.data, vectors[i].expected);
        buf_finish(&text);
    }
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_format_has_what_a_terminal_would_obey),
        cmocka_unit_test(a_table_fits_the_terminal_as_far_as_ids_allow),
        cmocka_unit_test(a_result_is_printed_in_each_format),
        cmocka_unit_test(columns_are_aligned_by_what_a_terminal_shows),
        cmocka_unit_test(text_never_carries_control_characters),
        cmocka_unit_test(a_stream_is_one_document_or_one_line_a_record),
        cmocka_unit_test(a_write_that_fails_is_remembered),
        cmocka_unit_test(every_list_and_stream_has_columns),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
