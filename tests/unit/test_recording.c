/* Recordings: what is written is read back byte by byte, and what is no recording is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/base64.h"
#include "libshared/wire/recording.h"

static const char head[] = "{\"siorec\":1}\n";

static struct recording opened(struct str text)
{
    struct recording recording;
    struct errmsg msg = { "" };

    assert_int_equal(recording_open(text, &recording, &msg), OK);
    return recording;
}

/* The line behind a plain first one. */
static enum err read_line(const char *line, struct recorded *ret_recorded, struct errmsg *msg)
{
    autobuf struct buf text = BUF_INIT;
    struct recording recording;

    buf_add_cstr(&text, head);
    buf_add_cstr(&text, line);
    recording = opened(buf_str(&text));
    return recording_next(&recording, ret_recorded, msg);
}

static void assert_str(struct str text, struct str expected)
{
    assert_int_equal(text.len, expected.len);
    assert_memory_equal(text.data != NULL ? text.data : "", expected.data, expected.len);
}

static void what_is_written_is_read_back(void **state)
{
    static const struct str bodies[] = {
        STR_INIT("{\"object\":\"whatsapp_business_account\",\"entry\":[]}"),
        STR_INIT("{\"t\":\"\\u00e4 \\ud83d\\ude00 \xc3\xa4 \xf0\x9f\x98\x80 \\/ \\u0000\"}\r\n"),
        STR_INIT(""),
        STR_INIT("\xef\xbb\xbf{}"),
        STR_INIT("a\0b"),
        STR_INIT("\xff\xfe not UTF-8 \xed\xa0\xbd"),
        STR_INIT("\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct recorded in = {
            .at_ms = 12, .webhook_id = 7, .app = STR("main"), .body = bodies[i]
        };
        autobuf struct buf text = BUF_INIT;
        struct recording recording;
        struct recorded out;

        in.headers[0] = (struct recording_header) { STR("Content-Type"), STR("a/b; c=\"d\"") };
        in.headers[1] = (struct recording_header) { STR("X-Other"), STR("") };
        in.header_count = 2;
        recording_add_info(&text, &(struct recording_info) { .started_at_ms = 1772357400123,
                                                             .redacted = true,
                                                             .source = "siod 0.1.0" });
        recording_add(&text, &in);
        recording = opened(buf_str(&text));
        assert_int_equal(recording.info.started_at_ms, 1772357400123);
        assert_true(recording.info.redacted);
        assert_string_equal(recording.info.source, "siod 0.1.0");
        assert_int_equal(recording_next(&recording, &out, NULL), OK);
        assert_int_equal(out.at_ms, 12);
        assert_int_equal(out.webhook_id, 7);
        assert_false(out.sign);
        assert_str(out.app, STR("main"));
        assert_int_equal(out.header_count, 2);
        assert_str(recorded_header(&out, STR("content-type")), STR("a/b; c=\"d\""));
        assert_null(recorded_header(&out, STR("Content")).data);
        assert_str(out.body, bodies[i]);
        recorded_finish(&out);
        assert_int_equal(recording_next(&recording, &out, NULL), ERR_NOT_FOUND);
    }
}

static void text_is_kept_as_text_while_that_is_short(void **state)
{
    autobuf struct buf text = BUF_INIT;

    (void)state;
    recording_add(&text, &(struct recorded) { .body = STR("{\"a\":\"\xc3\xa4\"}"), .sign = true });
    assert_string_equal(text.data,
                        "{\"at_ms\":0,\"sign\":true,\"body\":\"{\\\"a\\\":\\\"\xc3\xa4\\\"}\"}\n");
    buf_clear(&text);
    recording_add(&text, &(struct recorded) { .body = STR("\xff") });
    assert_string_equal(text.data, "{\"at_ms\":0,\"sign\":false,\"body_b64\":\"/w==\"}\n");
}

static void what_is_not_said_has_its_default(void **state)
{
    static const char text[] = "\n{\"siorec\":1,\"later\":{\"x\":[1]}}\r\n"
                               "{\"body\":\"1\"}\r\n"
                               "\n"
                               "{\"at_ms\":50,\"body_b64\":\"Mg==\",\"new\":null}\n"
                               " \t\n"
                               "{\"body\":\"3\"}";
    static const struct {
        int64_t at_ms;
        size_t line;
    } expected[] = { { 0, 3 }, { 50, 5 }, { 50, 7 } };
    struct recording recording = opened(str_of(text));
    struct recorded out;

    (void)state;
    assert_false(recording.info.redacted);
    assert_int_equal(recording.info.started_at_ms, 0);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_int_equal(recording_next(&recording, &out, NULL), OK);
        assert_int_equal(out.at_ms, expected[i].at_ms);
        assert_int_equal(recording.line, expected[i].line);
        assert_true(out.sign);
        assert_int_equal(out.body.data[0], '1' + (int)i);
        recorded_finish(&out);
    }
    assert_int_equal(recording_next(&recording, &out, NULL), ERR_NOT_FOUND);
}

static void a_bad_first_line_is_named(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        const char *message;
    } cases[] = {
        { "", ERR_SYNTAX, "line 1: not a recording: it is empty" },
        { "\n\n", ERR_SYNTAX, "line 1: not a recording: it is empty" },
        { "\nhello\n", ERR_SYNTAX, "line 2: " },
        { "[1]\n", ERR_SYNTAX, "line 1: not a JSON object" },
        { "{\"object\":1}\n", ERR_SYNTAX, "line 1: not a recording" },
        { "{\"siorec\":\"1\"}\n", ERR_INVALID, "line 1: siorec: a number" },
        { "{\"siorec\":2}\n", ERR_UNSUPPORTED, "line 1: siorec: version 2" },
        { "{\"siorec\":1,\"started_at\":\"soon\"}\n", ERR_INVALID, "line 1: started_at: a time" },
        { "{\"siorec\":1,\"redacted\":1}\n", ERR_INVALID, "line 1: redacted: true or false" },
        { "{\"siorec\":1,\"source\":[]}\n", ERR_INVALID, "line 1: source: a string" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recording recording;
        struct errmsg msg = { "" };

        assert_int_equal(recording_open(str_of(cases[i].text), &recording, &msg), cases[i].err);
        if (strncmp(msg.text, cases[i].message, strlen(cases[i].message)) != 0) {
            fail_msg("%s: %s", cases[i].text, msg.text);
        }
    }
}

static void a_bad_delivery_is_named(void **state)
{
    static const struct {
        const char *line;
        enum err err;
        const char *message;
    } cases[] = {
        { "{\"body\":\"cut o", ERR_SYNTAX, "line 2: " },
        { "\"x\"", ERR_SYNTAX, "line 2: not a JSON object" },
        { "{}", ERR_INVALID, "line 2: body: either body or body_b64" },
        { "{\"body\":\"\",\"body_b64\":\"\"}", ERR_INVALID, "line 2: body: either" },
        { "{\"body\":{}}", ERR_INVALID, "line 2: body: a string" },
        { "{\"body_b64\":1}", ERR_INVALID, "line 2: body_b64: a string" },
        { "{\"body_b64\":\"a\"}", ERR_INVALID, "line 2: body_b64: not base64" },
        { "{\"body\":\"\",\"at_ms\":-1}", ERR_INVALID, "line 2: at_ms: an integer" },
        { "{\"body\":\"\",\"at_ms\":1.5}", ERR_INVALID, "line 2: at_ms: an integer" },
        { "{\"body\":\"\",\"at_ms\":9007199254740993}", ERR_INVALID, "line 2: at_ms: an integer" },
        { "{\"body\":\"\",\"webhook_id\":\"1\"}", ERR_INVALID, "line 2: webhook_id: an integer" },
        { "{\"body\":\"\",\"sign\":\"yes\"}", ERR_INVALID, "line 2: sign: true or false" },
        { "{\"body\":\"\",\"app\":1}", ERR_INVALID, "line 2: app: a string" },
        { "{\"body\":\"\",\"headers\":[]}", ERR_INVALID, "line 2: headers: an object" },
        { "{\"body\":\"\",\"headers\":{\"a b\":\"\"}}", ERR_INVALID, "line 2: headers: a name" },
        { "{\"body\":\"\",\"headers\":{\"\":\"\"}}", ERR_INVALID, "line 2: headers: a name" },
        { "{\"body\":\"\",\"headers\":{\"A\":1}}", ERR_INVALID, "line 2: headers: A: a string" },
        { "{\"body\":\"\",\"headers\":{\"A\":\"x\\r\\nB: y\"}}", ERR_INVALID,
          "line 2: headers: A: a string" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recorded recorded;
        struct errmsg msg = { "" };

        assert_int_equal(read_line(cases[i].line, &recorded, &msg), cases[i].err);
        if (strncmp(msg.text, cases[i].message, strlen(cases[i].message)) != 0) {
            fail_msg("%s: %s", cases[i].line, msg.text);
        }
    }
}

static void reading_goes_on_behind_a_bad_line(void **state)
{
    struct recording recording = opened(STR("{\"siorec\":1}\n{}\n{\"body\":\"x\"}\n"));
    struct recorded recorded;
    struct errmsg msg = { "" };

    (void)state;
    assert_int_equal(recording_next(&recording, &recorded, &msg), ERR_INVALID);
    assert_int_equal(recording.line, 2);
    assert_int_equal(recording_next(&recording, &recorded, &msg), OK);
    recorded_finish(&recorded);
    assert_int_equal(recording_next(&recording, &recorded, &msg), ERR_NOT_FOUND);
}

static void more_headers_than_the_limit_are_refused(void **state)
{
    (void)state;
    for (unsigned count = RECORDING_HEADERS_MAX; count <= RECORDING_HEADERS_MAX + 1; count++) {
        autobuf struct buf line = BUF_INIT;
        struct recorded recorded;
        enum err err;

        buf_add_cstr(&line, "{\"body\":\"\",\"headers\":{");
        for (unsigned i = 0; i < count; i++) {
            buf_printf(&line, "%s\"H%u\":\"\"", i > 0 ? "," : "", i);
        }
        buf_add_cstr(&line, "}}");
        err = read_line(line.data, &recorded, NULL);
        assert_int_equal(err, count > RECORDING_HEADERS_MAX ? ERR_INVALID : OK);
        if (err == OK) {
            assert_int_equal(recorded.header_count, count);
            recorded_finish(&recorded);
        }
    }
}

static void payloads_are_told_from_recordings(void **state)
{
    (void)state;
    assert_true(recording_is(STR("{\"siorec\":1}")));
    assert_true(recording_is(STR("\n{\"siorec\":99,\"x\":1}\nrubbish")));
    assert_false(recording_is(STR("")));
    assert_false(recording_is(STR("{\"object\":\"x\"}\n{\"siorec\":1}\n")));
    assert_false(recording_is(STR("{\n\"siorec\":1}")));
    assert_false(recording_is(STR("[\"siorec\"]")));
}

static void base64_is_strict(void **state)
{
    static const struct {
        struct str text;
        bool good;
        struct str bytes;
    } cases[] = {
        { STR_INIT(""), true, STR_INIT("") },
        { STR_INIT("Zg=="), true, STR_INIT("f") },
        { STR_INIT("Zm8="), true, STR_INIT("fo") },
        { STR_INIT("Zm9v"), true, STR_INIT("foo") },
        { STR_INIT("Zm9vYg=="), true, STR_INIT("foob") },
        { STR_INIT("AP/+"), true, STR_INIT("\0\xff\xfe") },
        { STR_INIT("Zg"), false, STR_INIT("") },
        { STR_INIT("Zg="), false, STR_INIT("") },
        { STR_INIT("Zh=="), false, STR_INIT("") },
        { STR_INIT("Zm9="), false, STR_INIT("") },
        { STR_INIT("===="), false, STR_INIT("") },
        { STR_INIT("Z==="), false, STR_INIT("") },
        { STR_INIT("Zg==Zg=="), false, STR_INIT("") },
        { STR_INIT("Zm9v\n"), false, STR_INIT("") },
        { STR_INIT(" Zm9"), false, STR_INIT("") },
        { STR_INIT("Zm-_"), false, STR_INIT("") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf bytes = BUF_INIT;
        autobuf struct buf text = BUF_INIT;

        assert_int_equal(base64_decode(cases[i].text, &bytes), cases[i].good);
        if (cases[i].good) {
            assert_str(buf_str(&bytes), cases[i].bytes);
            base64_add(&text, buf_str(&bytes));
            assert_str(buf_str(&text), cases[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(text_is_kept_as_text_while_that_is_short),
        cmocka_unit_test(what_is_not_said_has_its_default),
        cmocka_unit_test(a_bad_first_line_is_named),
        cmocka_unit_test(a_bad_delivery_is_named),
        cmocka_unit_test(reading_goes_on_behind_a_bad_line),
        cmocka_unit_test(more_headers_than_the_limit_are_refused),
        cmocka_unit_test(payloads_are_told_from_recordings),
        cmocka_unit_test(base64_is_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
