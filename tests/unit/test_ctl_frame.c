#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/ctl/frame.h"
#include "libshared/json.h"

static void lines_come_out_whole_whatever_the_pieces(void **state)
{
    static const char input[] = "{\"a\":1}\r\n\n{\"b\":2}\nrest";
    static const char *const lines_expected[] = { "{\"a\":1}", "", "{\"b\":2}" };

    (void)state;
    for (size_t piece = 1; piece < sizeof(input); piece++) {
        struct ctl_lines lines = { 0 };
        struct str line;
        size_t seen = 0;

        for (size_t at = 0; at < sizeof(input) - 1; at += piece) {
            struct str bytes = { input + at, MIN(piece, sizeof(input) - 1 - at) };

            assert_int_equal(ctl_lines_add(&lines, bytes, 16), OK);
            while (ctl_lines_next(&lines, &line)) {
                assert_true(seen < ARRAY_SIZE(lines_expected));
                assert_true(str_eq(line, str_of(lines_expected[seen])));
                seen++;
            }
        }
        assert_int_equal(seen, ARRAY_SIZE(lines_expected));
        buf_finish(&lines.buf);
    }
}

static void a_line_beyond_the_limit_is_refused(void **state)
{
    struct ctl_lines lines = { 0 };
    struct str line;

    (void)state;
    assert_int_equal(ctl_lines_add(&lines, STR("0123456789"), 10), OK);
    assert_false(ctl_lines_next(&lines, &line));
    assert_int_equal(ctl_lines_add(&lines, STR("x"), 10), ERR_TOO_LARGE);
    assert_int_equal(ctl_lines_add(&lines, STR("\nnext"), 10), OK);
    assert_true(ctl_lines_next(&lines, &line));
    assert_int_equal(line.len, 10);
    assert_int_equal(ctl_lines_add(&lines, STR("678901\n"), 9), ERR_TOO_LARGE);
    buf_finish(&lines.buf);
}

static void a_request_survives_encoding_and_decoding(void **state)
{
    autojson json_t *args = json_pack("{s:s}", "room", "caf\xc3\xa9 \"x\"\n");
    autobuf struct buf out = BUF_INIT;
    struct ctl_request request;

    (void)state;
    ctl_request_encode(&out, 7, STR("room show"), args);
    assert_int_equal(out.data[out.len - 1], '\n');
    assert_null(memchr(out.data, '\n', out.len - 1));
    assert_int_equal(ctl_request_decode((struct str) { out.data, out.len - 1 }, &request, NULL),
                     OK);
    assert_string_equal(request.id, "7");
    assert_string_equal(request.cmd, "room show");
    assert_true(json_equal(request.args, args));
    ctl_request_finish(&request);
}

static void requests_that_are_none_are_refused_with_their_id(void **state)
{
    static const struct {
        const char *line, *id;
        enum err err;
    } vectors[] = {
        { "", "null", ERR_SYNTAX },
        { "nonsense", "null", ERR_SYNTAX },
        { "[1]", "null", ERR_SYNTAX },
        { "{\"cmd\":\"status\"}", "null", ERR_INVALID },
        { "{\"id\":1.5,\"cmd\":\"status\"}", "null", ERR_INVALID },
        { "{\"id\":18446744073709551616,\"cmd\":\"status\"}", "null", ERR_INVALID },
        { " {\"id\":9223372036854775808 ,\"cmd\":\"status\"} ", "null", ERR_INVALID },
        { "{\"id\":1,\"\\u0069d\":1e999,\"cmd\":\"status\"}", "null", ERR_INVALID },
        { "{\"cmd\":\"\\ud800\",\"id\":\"\\udc00\"}", "null", ERR_INVALID },
        { "{\"id\":{},\"cmd\":\"status\"}", "null", ERR_INVALID },
        { "{\"id\":1}", "1", ERR_INVALID },
        { "{\"id\":1,\"cmd\":\"status\\u0000\"}", "1", ERR_INVALID },
        { "{\"id\":\"a\\\"b\",\"cmd\":7}", "\"a\\\"b\"", ERR_INVALID },
        { "{\"id\":2,\"cmd\":\"status\",\"args\":[]}", "2", ERR_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct errmsg msg = { "" };
        struct ctl_request request;

        assert_int_equal(ctl_request_decode(str_of(vectors[i].line), &request, &msg),
                         vectors[i].err);
        assert_string_equal(request.id, vectors[i].id);
        assert_int_not_equal(msg.text[0], '\0');
        ctl_request_finish(&request);
    }
}

static void an_id_comes_back_as_it_was_sent(void **state)
{
    static const struct {
        const char *line, *id;
    } vectors[] = {
        { "{\"id\":\"x\",\"cmd\":\"status\"}", "\"x\"" },
        { "{\"id\":\"18446744073709551616\",\"cmd\":\"status\"}", "\"18446744073709551616\"" },
        { "{\"id\":-9223372036854775808,\"cmd\":\"status\"}", "-9223372036854775808" },
        { "{\"id\":1e999,\"cmd\":\"status\",\"id\":9223372036854775807}", "9223372036854775807" },
        { "{\"id\":7,\"cmd\":\"status\",\"more\":{\"id\":1e999},\"\\ud800\":1}", "7" },
        { "{\"id\":\"a\\u0000\",\"cmd\":\"status\"}", "\"a\\u0000\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct ctl_request request;

        assert_int_equal(ctl_request_decode(str_of(vectors[i].line), &request, NULL), OK);
        assert_string_equal(request.id, vectors[i].id);
        assert_int_equal(json_object_size(request.args), 0);
        ctl_request_finish(&request);
    }
}

static void replies_survive_encoding_and_decoding(void **state)
{
    autobuf struct buf out = BUF_INIT;
    struct ctl_reply reply;

    (void)state;
    ctl_reply_encode(&out, STR("3"), true, STR("[1,2]"));
    assert_int_equal(ctl_reply_decode((struct str) { out.data, out.len - 1 }, &reply, NULL), OK);
    assert_int_equal(reply.id, 3);
    assert_true(reply.ok && reply.more);
    assert_int_equal(json_array_size(reply.result), 2);
    ctl_reply_finish(&reply);

    buf_clear(&out);
    ctl_error_encode(&out, STR("4"), STR("not_found"), STR("no chat 7"));
    assert_int_equal(ctl_reply_decode((struct str) { out.data, out.len - 1 }, &reply, NULL), OK);
    assert_false(reply.ok || reply.more);
    assert_string_equal(reply.code, "not_found");
    assert_string_equal(reply.message, "no chat 7");
    ctl_reply_finish(&reply);

    assert_int_equal(ctl_reply_decode(STR("{\"id\":1}"), &reply, NULL), ERR_SYNTAX);
    assert_int_equal(ctl_reply_decode(STR("{"), &reply, NULL), ERR_SYNTAX);
}

static void a_greeting_of_another_protocol_is_refused(void **state)
{
    autobuf struct buf out = BUF_INIT;

    (void)state;
    ctl_greeting_encode(&out, STR("9.9"));
    assert_string_equal(out.data, "{\"siod\":\"9.9\",\"protocol\":1}\n");
    assert_int_equal(ctl_greeting_decode(buf_str(&out), NULL), OK);
    assert_int_equal(ctl_greeting_decode(STR("{\"siod\":\"9\",\"protocol\":2}"), NULL),
                     ERR_UNSUPPORTED);
    assert_int_equal(ctl_greeting_decode(STR("220 smtp ready"), NULL), ERR_SYNTAX);
    assert_int_equal(ctl_greeting_decode(STR("{\"protocol\":1}"), NULL), ERR_SYNTAX);
}

static void pieces_are_put_together(void **state)
{
    static const struct {
        const char *whole, *piece, *expected;
    } vectors[] = {
        { NULL, "[1]", "[1]" },
        { "[1]", "[2,3]", "[1,2,3]" },
        { "{\"a\":[1]}", "{\"a\":[2],\"b\":3}", "{\"a\":[1,2],\"b\":3}" },
        { "{\"a\":{\"x\":[1]}}", "{\"a\":{\"x\":[2]}}", "{\"a\":{\"x\":[1,2]}}" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":2}" },
        { "[1]", NULL, "[1]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        json_t *whole = vectors[i].whole != NULL ? json_loads(vectors[i].whole, 0, NULL) : NULL;
        json_t *piece = vectors[i].piece != NULL ? json_loads(vectors[i].piece, 0, NULL) : NULL;
        autojson json_t *merged = ctl_merge(whole, piece);
        autobuf struct buf text = BUF_INIT;

        json_add_tree(&text, merged);
        assert_string_equal(text.data, vectors[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_out_whole_whatever_the_pieces),
        cmocka_unit_test(a_line_beyond_the_limit_is_refused),
        cmocka_unit_test(a_request_survives_encoding_and_decoding),
        cmocka_unit_test(requests_that_are_none_are_refused_with_their_id),
        cmocka_unit_test(an_id_comes_back_as_it_was_sent),
        cmocka_unit_test(replies_survive_encoding_and_decoding),
        cmocka_unit_test(a_greeting_of_another_protocol_is_refused),
        cmocka_unit_test(pieces_are_put_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
