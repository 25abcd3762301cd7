/* Reading and rendering of JSON. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/json.h"

static const struct json_limits no_limits = { .depth = 0, .keys = 0 };

static json_t *parse(const char *text)
{
    struct errmsg msg = { "" };
    json_t *root = json_read(str_of(text), &no_limits, &msg);

    if (root == NULL) {
        fail_msg("%s: %s", text, msg.text);
    }
    return root;
}

static void a_path_is_followed_until_something_is_missing(void **state)
{
    autojson json_t *root = parse("{\"a\":{\"b\":{\"c\":7}},\"list\":[1]}");

    (void)state;
    assert_int_equal(json_integer_value(json_dig(root, "a", "b", "c", NULL)), 7);
    assert_ptr_equal(json_dig(root, NULL), root);
    assert_null(json_dig(root, "a", "x", "c", NULL));
    assert_null(json_dig(root, "list", "b", NULL));
    assert_null(json_dig(NULL, "a", NULL));
}

static void strings_are_read_with_their_length(void **state)
{
    autojson json_t *root = parse("{\"s\":\"a\\u0000b\",\"empty\":\"\",\"n\":1}");

    (void)state;
    assert_true(str_eq(json_str_at(root, "s"), STR("a\0b")));
    assert_non_null(json_str_at(root, "empty").data);
    assert_int_equal(json_str_at(root, "empty").len, 0);
    assert_null(json_str_at(root, "n").data);
    assert_null(json_str_at(root, "missing").data);
    assert_null(json_str(NULL).data);
}

static void ids_are_positive_integers_or_their_digits(void **state)
{
    static const struct {
        const char *text;
        int64_t id; /* 0: refused */
    } vectors[] = {
        { "1", 1 },
        { "\"1\"", 1 },
        { "\"007\"", 7 },
        { "9007199254740991", 9007199254740991 },
        { "\"9007199254740991\"", 9007199254740991 },
        { "9007199254740992", 0 },
        { "\"9007199254740992\"", 0 },
        { "99999999999999999999", 0 },
        { "0", 0 },
        { "-1", 0 },
        { "\"-1\"", 0 },
        { "1.5", 0 },
        { "1.0", 1 },
        { "1e3", 1000 },
        { "9007199254740991.0", 9007199254740991 },
        { "9007199254740992.0", 0 },
        { "0.0", 0 },
        { "1e-1", 0 },
        { "1e300", 0 },
        { "\"1.0\"", 0 },
        { "\"\"", 0 },
        { "\" 1\"", 0 },
        { "\"1a\"", 0 },
        { "\"1\\u0000\"", 0 },
        { "true", 0 },
        { "null", 0 },
        { "[1]", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autojson json_t *value = parse(vectors[i].text);
        int64_t id = 0;

        if (json_id(value, &id) != (vectors[i].id != 0) || id != vectors[i].id) {
            fail_msg("%s gave %lld", vectors[i].text, (long long)id);
        }
    }
    assert_false(json_id(NULL, &(int64_t) { 0 }));
}

static void ids_as_text_keep_their_digits(void **state)
{
    static const struct {
        const char *json, *text;
    } vectors[] = {
        { "\"1594823461234567\"", "1594823461234567" },
        { "9223372036854775807", "9223372036854775807" },
        { "-9223372036854775808", "-9223372036854775808" },
        { "123456789012345678901234567890", "123456789012345678901234567890" },
        { "\"wamid.HBg=\"", "wamid.HBg=" },
    };
    char digits[24];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autojson json_t *value = parse(vectors[i].json);

        assert_true(str_eq(json_id_text(value, digits), str_of(vectors[i].text)));
    }
    assert_null(json_id_text(NULL, digits).data);
    assert_null(json_id_text(json_true(), digits).data);
}

static void strings_are_rendered_with_the_escapes_json_needs(void **state)
{
    static const struct {
        struct str in;
        const char *out;
    } vectors[] = {
        { STR_INIT(""), "\"\"" },
        { STR_INIT("plain"), "\"plain\"" },
        { STR_INIT("\"\\/"), "\"\\\"\\\\/\"" },
        { STR_INIT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
        { STR_INIT("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"" },
        { STR_INIT("\xc3\xa4\xe2\x80\xa8\xf0\x9f\x98\x80"),
          "\"\xc3\xa4\xe2\x80\xa8\xf0\x9f\x98\x80\"" },
        { STR_INIT("a\xff"), "\"a\xef\xbf\xbd\"" },
        { STR_INIT("\xc3"), "\"\xef\xbf\xbd\"" },
        { STR_INIT("\xed\xa0\x80z"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autobuf struct buf buf = BUF_INIT;

        json_add_string(&buf, vectors[i].in);
        assert_string_equal(buf.data, vectors[i].out);
    }
}

static void absent_texts_are_rendered_as_null(void **state)
{
    autobuf struct buf buf = BUF_INIT;

    (void)state;
    json_add_cstr(&buf, NULL);
    json_add_cstr(&buf, "x");
    json_add_str_or_null(&buf, STR_NONE);
    json_add_str_or_null(&buf, STR(""));
    json_add_tree(&buf, NULL);
    assert_string_equal(buf.data, "null\"x\"null\"\"null");
}

static void every_byte_survives_rendering_and_reading(void **state)
{
    autobuf struct buf text = BUF_INIT;
    char bytes[128];
    json_t *value;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)i;
    }
    json_add_string(&text, (struct str) { bytes, sizeof bytes });
    value = json_read(buf_str(&text), &no_limits, NULL);
    assert_true(str_eq(json_str(value), (struct str) { bytes, sizeof bytes }));
    json_decref(value);
}

static void trees_are_rendered_compact_and_in_order(void **state)
{
    static const char *const texts[] = {
        "{\"z\":1,\"a\":[true,false,null,-5,\"x\\\"\"],\"m\":{}}",
        "[]",
        "37.48",
        "-122.148981",
        "0.1",
        "1.0",
        "1e+300",
        "2.2250738585072014e-308",
        "1.7976931348623157e+308",
        "9223372036854775807",
        "-9223372036854775808",
        "{\"\xc3\xa4\\n\":\"a\\u0000b\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        autobuf struct buf buf = BUF_INIT;
        autojson json_t *root = parse(texts[i]);

        json_add_tree(&buf, root);
        assert_string_equal(buf.data, texts[i]);
    }
}

/* What is read here, and by jansson, which knows the same language more slowly. */
static void a_tree_is_the_one_that_jansson_reads(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "true",
        "[null,true,false]",
        "9223372036854775807",
        "[-9223372036854775808, -1 ,1]",
        "[0.1,-2.5e-3,1E+3,1e400,-0.0]",
        "123456789012345678901234567890",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"a\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\u0000z\"",
        "\"\\ud800 \\udc00\\ud800\\ud800\"",
        "\"\xc3\xa9\xf0\x9f\x98\x80\"",
        " { \"a\" : [ 1 , { \"b\" : \"c\" } , [ ] ] ,\n\t\"d\" : { } } ",
        "{\"a\":{\"x\":1},\"b\":2,\"a\":3}",
        "{\"\":\"\",\"\\u0061\\\"\":\"\\u0062\",\"k\\u0000\":[\"\\\\\"]}",
        "[[[[[]],[]]],{\"a\":[{\"b\":[{}]}]}]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        autobuf struct buf scratch = BUF_INIT, ours = BUF_INIT, theirs = BUF_INIT;
        struct str normal;

        assert_int_equal(json_normalise(str_of(texts[i]), &no_limits, &scratch, &normal, NULL), OK);

        autojson json_t *tree = json_tree(normal);
        autojson json_t *reference =
            json_loadb(normal.data, normal.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

        json_add_tree(&ours, tree);
        json_add_tree(&theirs, reference);
        if (!json_equal(tree, reference) || !str_eq(buf_str(&ours), buf_str(&theirs))) {
            fail_msg("%s: %.*s instead of %.*s", texts[i], (int)ours.len, ours.data,
                     (int)theirs.len, theirs.data);
        }
    }
}

static void the_deepest_tree_is_read(void **state)
{
    autobuf struct buf text = BUF_INIT;
    const json_t *at;
    unsigned depth = 0;

    (void)state;
    for (unsigned i = 0; i < JSON_DEPTH_MAX; i++) {
        buf_add_char(&text, '[');
    }
    for (unsigned i = 0; i < JSON_DEPTH_MAX; i++) {
        buf_add_char(&text, ']');
    }
    autojson json_t *root = json_read(buf_str(&text), &no_limits, NULL);

    for (at = root; at != NULL; at = json_array_get(at, 0)) {
        depth++;
    }
    assert_int_equal(depth, JSON_DEPTH_MAX);
}

/* Strings of every length from 0 to `count`, so that blocks of every size are in use at once. */
static json_t *all_lengths(char letter, size_t count)
{
    json_t *list = json_array();
    char text[512];

    memset(text, letter, sizeof text);
    for (size_t len = 0; len < count; len++) {
        json_array_append_new(list, json_stringn(text, len));
    }
    return list;
}

static void assert_all_lengths(const json_t *list, char letter)
{
    size_t len;
    json_t *text;

    json_array_foreach(list, len, text)
    {
        const char *bytes = json_string_value(text);

        assert_int_equal(json_string_length(text), len);
        assert_int_equal(strspn(bytes, (char[]) { letter, '\0' }), len);
    }
}

static void blocks_that_are_kept_are_nobodys_twice(void **state)
{
    (void)state;
    json_blocks_keep();
    for (unsigned round = 0; round < 8; round++) {
        autojson json_t *a = all_lengths('a', 400);
        json_t *b = all_lengths('b', 400);
        autojson json_t *c = NULL;

        assert_all_lengths(b, 'b');
        json_decref(b);
        c = all_lengths('c', 400);
        assert_all_lengths(a, 'a');
        assert_all_lengths(c, 'c');
    }
    json_blocks_release();
}

static void *free_tree(void *tree)
{
    json_decref(tree);
    return NULL;
}

static void a_tree_may_end_where_nothing_is_kept(void **state)
{
    pthread_t thread;
    json_t *tree;

    (void)state;
    json_blocks_keep();
    tree = all_lengths('a', 400);
    assert_int_equal(pthread_create(&thread, NULL, free_tree, tree), 0);
    pthread_join(thread, NULL);
    tree = all_lengths('b', 400);
    json_blocks_release();
    assert_all_lengths(tree, 'b');
    json_decref(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_the_one_that_jansson_reads),
        cmocka_unit_test(the_deepest_tree_is_read),
        cmocka_unit_test(a_path_is_followed_until_something_is_missing),
        cmocka_unit_test(strings_are_read_with_their_length),
        cmocka_unit_test(ids_are_positive_integers_or_their_digits),
        cmocka_unit_test(ids_as_text_keep_their_digits),
        cmocka_unit_test(strings_are_rendered_with_the_escapes_json_needs),
        cmocka_unit_test(absent_texts_are_rendered_as_null),
        cmocka_unit_test(every_byte_survives_rendering_and_reading),
        cmocka_unit_test(trees_are_rendered_compact_and_in_order),
        cmocka_unit_test(blocks_that_are_kept_are_nobodys_twice),
        cmocka_unit_test(a_tree_may_end_where_nothing_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
