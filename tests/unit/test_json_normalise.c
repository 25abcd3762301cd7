/* json_normalise: what passes untouched, what is changed and how, what is refused. Every accepted
 * text must also be one that jansson takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/utf8.h"

static const struct json_limits no_limits = { .depth = 0, .keys = 0 };

static void assert_jansson_takes(struct str text)
{
    json_t *root = json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    assert_non_null(root);
    json_decref(root);
}

static void assert_normal_is(struct str in, struct str want)
{
    autobuf struct buf scratch = BUF_INIT;
    struct errmsg msg = { "" };
    struct str out = STR_NONE;

    if (json_normalise(in, &no_limits, &scratch, &out, &msg) != OK) {
        fail_msg("%.*s: %s", STR_ARG(in), msg.text);
    }
    if (!str_eq(out, want)) {
        fail_msg("%.*s became %.*s, not %.*s", STR_ARG(in), STR_ARG(out), STR_ARG(want));
    }
    assert_jansson_takes(out);
}

static void assert_refused(struct str in, enum err want, const struct json_limits *limits)
{
    autobuf struct buf scratch = BUF_INIT;
    struct errmsg msg = { "" };
    struct str out = STR("untouched");
    /* an exact copy on the heap lets AddressSanitizer see a read behind the end */
    autofree char *copy = xmemdup(in.data, in.len);
    enum err err = json_normalise((struct str) { copy, in.len }, limits, &scratch, &out, &msg);

    if (err != want) {
        fail_msg("%.*s gave %s", STR_ARG(in), err_code(err));
    }
    assert_true(msg.text[0] != '\0');
    assert_string_equal(out.data, "untouched");
}

static void texts_that_need_no_change_are_borrowed(void **state)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.0",
        "-1.5e-3",
        "1E+2",
        "9223372036854775807",
        "-9223372036854775808",
        "1e-400",
        "0e999999999999999999999",
        "0.000e400",
        "1.7976931348623157e308",
        "17976931348623157e292",
        "0.00017976931348623157e312",
        "\"\"",
        "\"plain ASCII that is longer than two machine words\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u00DF\"",
        "\"\\ud83d\\ude00\"",
        "\"\\u0000\"",
        "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"",
        "[]",
        "{}",
        "[[],{},[{}]]",
        "[1,\"a\",null]",
        "{ \"a\" : [ 1 ,\t2\r\n] , \"a\" : \"b\" }",
        "{\"\":0}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        autobuf struct buf scratch = BUF_INIT;
        struct str in = str_of(texts[i]), out;
        struct errmsg msg;

        if (json_normalise(in, &no_limits, &scratch, &out, &msg) != OK) {
            fail_msg("%s: %s", texts[i], msg.text);
        }
        assert_ptr_equal(out.data, in.data);
        assert_int_equal(out.len, in.len);
        assert_int_equal(scratch.len, 0);
        assert_jansson_takes(out);
    }
}

static void what_other_readers_refuse_is_rewritten(void **state)
{
    static const struct {
        const char *in, *out;
    } vectors[] = {
        { "\"\\ud83d\"", "\"\\ufffd\"" },
        { "\"\\uDE00\"", "\"\\ufffd\"" },
        { "\"\\ud83d\\ud83d\"", "\"\\ufffd\\ufffd\"" },
        { "\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\"" },
        { "\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\"" },
        { "\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\"" },
        { "\"\\ud83dx\\n\"", "\"\\ufffdx\\n\"" },
        { "\"\\\\ud83d\"", "\"\\\\ud83d\"" },
        { "{\"\\ud83d\":1}", "{\"\\ufffd\":1}" },
        { "{\"a\\u0000b\":\"c\\u0000d\"}", "{\"a\\\\u0000b\":\"c\\u0000d\"}" },
        { "9223372036854775808", "\"9223372036854775808\"" },
        { "-9223372036854775809", "\"-9223372036854775809\"" },
        { "[10000000000000000000,1]", "[\"10000000000000000000\",1]" },
        { "123456789012345678901234567890", "\"123456789012345678901234567890\"" },
        { "1E400", "\"1E400\"" },
        { "-1e999999999999999999999999", "\"-1e999999999999999999999999\"" },
        { "1.8e308", "\"1.8e308\"" },
        { "1.7976931348623159e308", "\"1.7976931348623159e308\"" },
        { "0.0018e311", "\"0.0018e311\"" },
        { " \n\t1e309\r\n ", "\"1e309\"" },
        { "{\"n\": 1e309 , \"k\": [ 1e309 ] }", "{\"n\": \"1e309\" , \"k\": [ \"1e309\" ] }" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        assert_normal_is(str_of(vectors[i].in), str_of(vectors[i].out));
    }
}

/* 2^1024 - 2^970: the smallest value that rounds to infinity. */
static const char edge[] = "179769313486231580793728971405303415079934132710037826936173778980444"
                           "968292764750946649017977587207096330286416692887910946555547851940402"
                           "630657488671505820681908902000708383676273854845817711531764475730270"
                           "069855571366959622842914819860834936475292719074168444365510704342711"
                           "559699508093042880177904174497792";

static void the_edge_of_a_double_is_decided_by_its_digits(void **state)
{
    autofree char *at = xasprintf("%s.0", edge);
    autofree char *shifted = xasprintf("0.%se309", edge);
    autofree char *below = xasprintf("%se0", edge);
    autofree char *quoted_at = xasprintf("\"%s\"", at);
    autofree char *quoted_shifted = xasprintf("\"%s\"", shifted);

    (void)state;
    assert_int_equal(strlen(edge), 309);
    below[308]--;
    assert_normal_is(str_of(below), str_of(below));
    assert_normal_is(str_of(at), str_of(quoted_at));
    assert_normal_is(str_of(shifted), str_of(quoted_shifted));
}

static void white_space_around_the_value_is_dropped(void **state)
{
    (void)state;
    assert_normal_is(STR(" \r\n\t{\"a\": 1}\n"), STR("{\"a\": 1}"));
}

static void malformed_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "  ",
        "nul",
        "nullx",
        "True",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{\"a\",1}",
        "{\"a\":1]",
        "1 2",
        "{} {}",
        "01",
        "-01",
        "-",
        "+1",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "-Infinity",
        "1_000",
        "\"",
        "\"abc",
        "\"abc\\",
        "\"abc\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud83d\\u12\"",
        "\"\\U0041\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"eight by\x1ftes\"",
        "'a'",
        "// comment\n1",
        "\xef\xbb\xbf{}",
        "\"\x80\"",
        "\"\xbf\"",
        "\"\xc0\x80\"",
        "\"\xc1\xbf\"",
        "\"\xc3\"",
        "\"\xc3(\"",
        "\"\xe0\x80\x80\"",
        "\"\xe0\x9f\xbf\"",
        "\"\xe2\x82\"",
        "\"\xed\xa0\x80\"",
        "\"\xed\xbf\xbf\"",
        "\"\xf0\x80\x80\x80\"",
        "\"\xf0\x8f\xbf\xbf\"",
        "\"\xf0\x9f\x98\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xff\"",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_refused(str_of(texts[i]), ERR_SYNTAX, &no_limits);
    }
    assert_refused(STR("\"a\0b\""), ERR_SYNTAX, &no_limits);
    assert_refused(STR("1\0"), ERR_SYNTAX, &no_limits);
}

static void arrays_and_objects_may_be_counted(void **state)
{
    static const struct json_limits three = { .containers = 3 };
    static const char *const within[] = { "[[],{},1,2,3,\"[]\"]", "{\"a\":[],\"b\":{}}", "[[[]]]" };

    (void)state;
    assert_refused(STR("[[],{},[]]"), ERR_TOO_LARGE, &three);
    assert_refused(STR("[[[[]]]]"), ERR_TOO_LARGE, &three);
    for (size_t i = 0; i < ARRAY_SIZE(within); i++) {
        autobuf struct buf scratch = BUF_INIT;
        struct str out;

        assert_int_equal(json_normalise(str_of(within[i]), &three, &scratch, &out, NULL), OK);
    }
}

static void broken_characters_are_mended_where_that_is_wanted(void **state)
{
    static const struct json_limits mending = { .mend_utf8 = true };
    static const struct {
        const char *text, *normal;
    } cases[] = {
        { "\"\xff\"", "\"\xef\xbf\xbd\"" },
        { "\"a\xc3(\xe2\x82z\"", "\"a\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbdz\"" },
        { "{\"\x80k\":\"\xed\xa0\x80\\ud800\"}",
          "{\"\xef\xbf\xbdk\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\ufffd\"}" },
        { "[\"\xf0\x9f\x98\x80\",\"\xf0\x9f\x98\"]",
          "[\"\xf0\x9f\x98\x80\",\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf scratch = BUF_INIT;
        struct str normal;

        assert_int_equal(json_normalise(str_of(cases[i].text), &mending, &scratch, &normal, NULL),
                         OK);
        assert_true(str_eq(normal, str_of(cases[i].normal)));
    }
    assert_refused(STR("\"a\nb\""), ERR_SYNTAX, &mending);
    assert_refused(STR("\xff"), ERR_SYNTAX, &mending);
    assert_refused(STR("\"\xff"), ERR_SYNTAX, &mending);
}

static void numbers_are_kept_where_that_is_wanted(void **state)
{
    static const struct json_limits keeping = { .keep_numbers = true };
    struct str text = STR("[12345678901234567890,-1e400, {\"a\":1.0,\"b\":-0}]");
    autobuf struct buf scratch = BUF_INIT;
    struct str normal;

    (void)state;
    assert_int_equal(json_normalise(text, &keeping, &scratch, &normal, NULL), OK);
    assert_true(str_eq(normal, text));
    assert_int_equal(json_normalise(STR("[1e999,\"\\ud800\"]"), &keeping, &scratch, &normal, NULL),
                     OK);
    assert_true(str_eq(normal, STR("[1e999,\"\\ufffd\"]")));
    assert_refused(STR("1e"), ERR_SYNTAX, &keeping);
    assert_refused(STR("01"), ERR_SYNTAX, &keeping);
}

static void every_cut_of_a_document_is_refused(void **state)
{
    struct str whole = STR("{\"k\\u0000\":[1.5e3,\"\\ud83d\\ude00\xf0\x9f\x98\x80\",true,null,-0],"
                           "\"l\":{}}");

    (void)state;
    assert_normal_is(whole, STR("{\"k\\\\u0000\":[1.5e3,\"\\ud83d\\ude00\xf0\x9f\x98\x80\",true,"
                                "null,-0],\"l\":{}}"));
    for (size_t len = 0; len < whole.len; len++) {
        assert_refused((struct str) { whole.data, len }, ERR_SYNTAX, &no_limits);
    }
}

static void an_error_names_the_byte(void **state)
{
    autobuf struct buf scratch = BUF_INIT;
    struct errmsg msg;
    struct str out;

    (void)state;
    assert_int_equal(json_normalise(STR("{\"a\": tru}"), &no_limits, &scratch, &out, &msg),
                     ERR_SYNTAX);
    assert_string_equal(msg.text, "unknown word at byte 6");
}

static void special_bytes_are_found_at_every_offset(void **state)
{
    (void)state;
    for (size_t at = 0; at < 24; at++) {
        char text[] = "\"abcdefghijklmnopqrstuvwxyz\"";

        text[1 + at] = '\n';
        assert_refused(str_of(text), ERR_SYNTAX, &no_limits);
        text[1 + at] = '\xff';
        assert_refused(str_of(text), ERR_SYNTAX, &no_limits);
        text[1 + at] = '"';
        assert_refused(str_of(text), ERR_SYNTAX, &no_limits);
        text[1 + at] = '\\';
        text[2 + at] = 'q';
        assert_refused(str_of(text), ERR_SYNTAX, &no_limits);
    }
}

static char *nested(unsigned depth, const char *open, const char *inner, const char *close)
{
    struct buf text = BUF_INIT;

    for (unsigned i = 0; i < depth; i++) {
        buf_add_cstr(&text, open);
    }
    buf_add_cstr(&text, inner);
    for (unsigned i = 0; i < depth; i++) {
        buf_add_cstr(&text, close);
    }
    return buf_take(&text);
}

static void depth_is_limited(void **state)
{
    const struct json_limits five = { .depth = 5, .keys = 0 };
    autofree char *at_limit = nested(5, "[", "1", "]");
    autofree char *above = nested(6, "{\"a\":", "1", "}");
    autobuf struct buf scratch = BUF_INIT;
    struct str out;

    (void)state;
    assert_int_equal(json_normalise(str_of(at_limit), &five, &scratch, &out, NULL), OK);
    assert_refused(str_of(above), ERR_TOO_LARGE, &five);
}

static void without_a_limit_depth_ends_where_jansson_does(void **state)
{
    autofree char *deepest = nested(JSON_DEPTH_MAX, "[", "0", "]");
    autofree char *deepest_object = nested(JSON_DEPTH_MAX, "{\"a\":", "0", "}");
    autofree char *deeper = nested(JSON_DEPTH_MAX + 1, "[", "", "]");
    autofree char *abyss = nested(1000000, "[", "", "");

    (void)state;
    assert_normal_is(str_of(deepest), str_of(deepest));
    assert_normal_is(str_of(deepest_object), str_of(deepest_object));
    assert_refused(str_of(deeper), ERR_TOO_LARGE, &no_limits);
    assert_refused(str_of(abyss), ERR_TOO_LARGE, &no_limits);
}

static void kinds_of_containers_are_told_apart_at_every_depth(void **state)
{
    struct buf text = BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        buf_add_cstr(&text, i % 3 == 0 ? "{\"k\":" : "[");
    }
    buf_add_cstr(&text, "1e999");
    for (unsigned i = 200; i-- > 0;) {
        buf_add_char(&text, i % 3 == 0 ? '}' : ']');
    }
    assert_int_equal(strstr(text.data, "1e999") != NULL, true);
    {
        autobuf struct buf scratch = BUF_INIT;
        struct str out;

        assert_int_equal(json_normalise(buf_str(&text), &no_limits, &scratch, &out, NULL), OK);
        assert_jansson_takes(out);
    }
    text.data[text.len - 1] = ']'; /* the outermost is an object */
    assert_refused(buf_str(&text), ERR_SYNTAX, &no_limits);
    buf_finish(&text);
}

static void keys_are_counted_over_the_whole_document(void **state)
{
    const struct json_limits three = { .depth = 0, .keys = 3 };
    autobuf struct buf scratch = BUF_INIT;
    struct str out;

    (void)state;
    assert_int_equal(
        json_normalise(STR("[{\"a\":1},{\"a\":{\"b\":1}}]"), &three, &scratch, &out, NULL), OK);
    assert_refused(STR("[{\"a\":1},{\"a\":{\"b\":1}},{\"c\":0}]"), ERR_TOO_LARGE, &three);
}

static void a_used_scratch_buffer_can_be_used_again(void **state)
{
    autobuf struct buf scratch = BUF_INIT;
    struct str out;

    (void)state;
    assert_int_equal(json_normalise(STR("1e999"), &no_limits, &scratch, &out, NULL), OK);
    assert_int_equal(json_normalise(STR("2e999"), &no_limits, &scratch, &out, NULL), OK);
    assert_true(str_eq(out, STR("\"2e999\"")));
    assert_int_equal(json_normalise(STR("2"), &no_limits, &scratch, &out, NULL), OK);
    assert_true(str_eq(out, STR("2")));
}

static void json_read_keeps_nul_in_values_and_shows_it_in_keys(void **state)
{
    json_t *root = json_read(STR("{\"k\\u0000\":\"a\\u0000b\"}"), &no_limits, NULL);
    struct str value = json_str_at(root, "k\\u0000");

    (void)state;
    assert_true(str_eq(value, STR("a\0b")));
    json_decref(root);
}

static void json_read_says_where_it_failed(void **state)
{
    struct errmsg msg = { "" };

    (void)state;
    assert_null(json_read(STR("[1,"), &no_limits, &msg));
    assert_string_equal(msg.text, "unfinished document at byte 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_need_no_change_are_borrowed),
        cmocka_unit_test(what_other_readers_refuse_is_rewritten),
        cmocka_unit_test(the_edge_of_a_double_is_decided_by_its_digits),
        cmocka_unit_test(white_space_around_the_value_is_dropped),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(arrays_and_objects_may_be_counted),
        cmocka_unit_test(broken_characters_are_mended_where_that_is_wanted),
        cmocka_unit_test(numbers_are_kept_where_that_is_wanted),
        cmocka_unit_test(every_cut_of_a_document_is_refused),
        cmocka_unit_test(an_error_names_the_byte),
        cmocka_unit_test(special_bytes_are_found_at_every_offset),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(without_a_limit_depth_ends_where_jansson_does),
        cmocka_unit_test(kinds_of_containers_are_told_apart_at_every_depth),
        cmocka_unit_test(keys_are_counted_over_the_whole_document),
        cmocka_unit_test(a_used_scratch_buffer_can_be_used_again),
        cmocka_unit_test(json_read_keeps_nul_in_values_and_shows_it_in_keys),
        cmocka_unit_test(json_read_says_where_it_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
