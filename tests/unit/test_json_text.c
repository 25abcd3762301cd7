/* Reading JSON text in place, and binding it to structs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/json.h"
#include "libshared/json_text.h"

/* What the functions promise to read: exactly the bytes of a normalised text, on the heap, so that
 * a sanitizer sees the first byte behind it. */
struct text {
    char *bytes;
    struct str str;
};

static void text_finish(struct text *text)
{
    free(text->bytes);
}

static struct text normal(const char *json)
{
    const struct json_limits limits = { .depth = 0, .keys = 0 };
    autobuf struct buf scratch = BUF_INIT;
    struct errmsg msg = { "" };
    struct text text;
    struct str str;

    if (json_normalise(str_of(json), &limits, &scratch, &str, &msg) != OK) {
        fail_msg("%s: %s", json, msg.text);
    }
    text.bytes = malloc(str.len);
    assert_non_null(text.bytes);
    memcpy(text.bytes, str.data, str.len);
    text.str = (struct str) { text.bytes, str.len };
    return text;
}
#define autotext CLEANUP(text_finish)

static void an_array_is_taken_value_by_value(void **state)
{
    static const char *const expected[] = {
        "1",    "-2.5e+3", "\"a,\\\"]\"", "[1,[2,\"]\"],{\"}\":[]}]", "{ \"a\" : [ 1 ] }",
        "true", "null",    "\"\"",
    };
    autotext struct text text =
        normal(" [ 1 , -2.5e+3,\"a,\\\"]\"\t, [1,[2,\"]\"],{\"}\":[]}],{ \"a\" : [ 1 ] }\n,true,"
               "null , \"\" ] ");
    struct str list = json_text_inside(text.str), value;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_true(json_text_take(&list, &value));
        assert_true(str_eq(value, str_of(expected[i])));
    }
    assert_int_equal(list.len, 0);
    assert_false(json_text_take(&list, &value));
}

static void an_object_is_taken_member_by_member(void **state)
{
    autotext struct text text = normal("{ \"a\" : 1 ,\"b\\\"\":{\"a\":[{}]}, \"\":\"x:y,\"\r\n}");
    struct str list = json_text_inside(text.str), key, value;

    (void)state;
    assert_true(json_text_take_member(&list, &key, &value));
    assert_true(str_eq(key, STR("\"a\"")) && str_eq(value, STR("1")));
    assert_true(json_text_take_member(&list, &key, &value));
    assert_true(str_eq(key, STR("\"b\\\"\"")) && str_eq(value, STR("{\"a\":[{}]}")));
    assert_true(json_text_take_member(&list, &key, &value));
    assert_true(str_eq(key, STR("\"\"")) && str_eq(value, STR("\"x:y,\"")));
    assert_false(json_text_take_member(&list, &key, &value));
}

static void empty_containers_hold_nothing(void **state)
{
    static const char *const texts[] = { "[]", "{}", "[ ]", "{\n}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        autotext struct text text = normal(texts[i]);
        struct str list = json_text_inside(text.str), key = STR("k"), value = STR("v");

        assert_false(json_text_take(&list, &value));
        assert_false(json_text_take_member(&list, &key, &value));
        assert_true(str_eq(key, STR("k")) && str_eq(value, STR("v")));
    }
}

static void strings_are_decoded(void **state)
{
    static const struct {
        const char *json;
        struct str text;
    } vectors[] = {
        { "\"\"", STR_INIT("") },
        { "\"plain\"", STR_INIT("plain") },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", STR_INIT("\"\\/\b\f\n\r\t") },
        { "\"a\\u0000b\"", STR_INIT("a\0b") },
        { "\"\\u0041\\u00e4\\u20AC\\uFFFF\"", STR_INIT("A\xc3\xa4\xe2\x82\xac\xef\xbf\xbf") },
        { "\"\\ud83d\\ude00!\"", STR_INIT("\xf0\x9f\x98\x80!") },
        { "\"\\uD800\\uDC00\\udbff\\udfff\"", STR_INIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
        { "\"\\ud83d\"", STR_INIT("\xef\xbf\xbd") },
        { "\"\xc3\xa4\\n\"", STR_INIT("\xc3\xa4\n") },
        { "123456789012345678901234567890", STR_INIT("123456789012345678901234567890") },
    };
    autobuf struct buf scratch = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autotext struct text text = normal(vectors[i].json);
        struct str decoded;

        assert_true(json_text_string(text.str, &scratch, &decoded));
        if (!str_eq(decoded, vectors[i].text)) {
            fail_msg("%s gave %.*s", vectors[i].json, STR_ARG(decoded));
        }
    }
}

static void only_strings_are_strings(void **state)
{
    static const char *const texts[] = { "1", "null", "true", "[\"a\"]", "{\"a\":\"b\"}" };
    autobuf struct buf scratch = BUF_INIT;
    struct str decoded = STR_NONE;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_false(json_text_string(str_of(texts[i]), &scratch, &decoded));
    }
    assert_false(json_text_string(STR_NONE, &scratch, &decoded));
    assert_null(decoded.data);
    assert_null(scratch.data);
}

static void ids_are_positive_integers_or_their_digits(void **state)
{
    static const struct {
        const char *json;
        int64_t id; /* 0: refused */
    } vectors[] = {
        { "1", 1 },
        { "\"1\"", 1 },
        { "\"007\"", 7 },
        { "\"\\u0031\\u0032\"", 12 },
        { "9007199254740991", 9007199254740991 },
        { "\"9007199254740991\"", 9007199254740991 },
        { "9007199254740992", 0 },
        { "\"9007199254740992\"", 0 },
        { "99999999999999999999", 0 },
        { "0", 0 },
        { "-0", 0 },
        { "-1", 0 },
        { "\"-1\"", 0 },
        { "1.5", 0 },
        { "1.0", 1 },
        { "1e3", 1000 },
        { "9007199254740991.0", 9007199254740991 },
        { "9007199254740992.0", 0 },
        { "0.0", 0 },
        { "-1.0", 0 },
        { "1e-1", 0 },
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
        autotext struct text text = normal(vectors[i].json);
        int64_t id = 0;

        if (json_text_id(text.str, &id) != (vectors[i].id != 0) || id != vectors[i].id) {
            fail_msg("%s gave %lld", vectors[i].json, (long long)id);
        }
    }
    assert_false(json_text_id(STR_NONE, &(int64_t) { 0 }));
}

static void integers_are_read_to_their_ends(void **state)
{
    static const struct {
        const char *json;
        int64_t number;
    } vectors[] = {
        { "0", 0 },
        { "-0", 0 },
        { "-17", -17 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
    };
    static const char *const others[] = { "1.0", "1e2", "\"1\"", "9223372036854775808", "null" };
    int64_t number = 5;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        autotext struct text text = normal(others[i]);

        assert_false(json_text_int(text.str, &number));
    }
    assert_false(json_text_int(STR_NONE, &number));
    assert_int_equal(number, 5);
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autotext struct text text = normal(vectors[i].json);

        assert_true(json_text_int(text.str, &number));
        assert_int_equal(number, vectors[i].number);
    }
}

static void white_space_between_tokens_is_dropped(void **state)
{
    static const struct {
        const char *json, *compact;
    } vectors[] = {
        { "{ \"a b\" : [ 1 ,\n\t2 ] ,\r\n\"c\\\"  \":\" x \" }",
          "{\"a b\":[1,2],\"c\\\"  \":\" x \"}" },
        { "[]", "[]" },
        { "7", "7" },
        { "\"  \"", "\"  \"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autotext struct text text = normal(vectors[i].json);
        autobuf struct buf compact = BUF_INIT;

        json_add_compact(&compact, text.str);
        assert_string_equal(compact.data, vectors[i].compact);
    }
}

/* ---- binding */

enum colour { RED, GREEN };

struct sample {
    int64_t id, number;
    bool flag;
    struct str text;
    int colour;
    struct str any;
};

static const struct json_name colours[] = { { "red", RED }, { "green", GREEN }, { NULL, 0 } };
static const struct json_field sample_fields[] = {
    { "id", JSON_FIELD_ID, offsetof(struct sample, id), true, 0, NULL },
    { "number", JSON_FIELD_INT, offsetof(struct sample, number), false, 0, NULL },
    { "flag", JSON_FIELD_BOOL, offsetof(struct sample, flag), false, 0, NULL },
    { "text", JSON_FIELD_STR, offsetof(struct sample, text), false, 4, NULL },
    { "colour", JSON_FIELD_ENUM, offsetof(struct sample, colour), false, 0, colours },
    { "any", JSON_FIELD_ANY, offsetof(struct sample, any), false, 0, NULL },
    JSON_FIELDS_END,
};

static void a_full_object_is_bound(void **state)
{
    autotext struct text text =
        normal("{\"id\":\"12\" , \"number\":-3,\"flag\":true,\"text\":\"abcd\","
               "\"colour\":\"green\",\"any\":null,\"unknown\":{\"id\":1}}");
    autobuf struct buf scratch = BUF_INIT;
    struct sample sample = { 0 };

    (void)state;
    assert_int_equal(json_bind(text.str, sample_fields, &scratch, &sample, NULL), OK);
    assert_int_equal(sample.id, 12);
    assert_int_equal(sample.number, -3);
    assert_true(sample.flag);
    assert_true(str_eq(sample.text, STR("abcd")));
    assert_int_equal(sample.colour, GREEN);
    assert_true(str_eq(sample.any, STR("null")));
}

static void absent_and_null_optional_fields_stay_untouched(void **state)
{
    autotext struct text text = normal("{\"id\":1,\"number\":null}");
    struct sample sample = { .number = 42, .colour = GREEN };

    (void)state;
    assert_int_equal(json_bind(text.str, sample_fields, NULL, &sample, NULL), OK);
    assert_int_equal(sample.number, 42);
    assert_int_equal(sample.colour, GREEN);
    assert_null(sample.any.data);
}

static void of_a_key_that_is_there_twice_the_last_counts(void **state)
{
    autotext struct text text = normal(
        "{\"number\":\"bad\",\"id\":1,\"i\\u0064\":2,\"number\":3,\"flag\":1,\"flag\":null}");
    struct sample sample = { .flag = true };

    (void)state;
    assert_int_equal(json_bind(text.str, sample_fields, NULL, &sample, NULL), OK);
    assert_int_equal(sample.id, 2);
    assert_int_equal(sample.number, 3);
    assert_true(sample.flag);
}

static void escapes_are_decoded_in_keys_and_words(void **state)
{
    autotext struct text text = normal("{\"\\u0069d\":1,\"te\\u0078t\":\"\\u00e4\\n\",\"colour\":"
                                       "\"gr\\u0065en\",\"any\":[\"\\n\"]}");
    autobuf struct buf scratch = BUF_INIT;
    struct sample sample = { 0 };

    (void)state;
    assert_int_equal(json_bind(text.str, sample_fields, &scratch, &sample, NULL), OK);
    assert_int_equal(sample.id, 1);
    assert_true(str_eq(sample.text, STR("\xc3\xa4\n")));
    assert_int_equal(sample.colour, GREEN);
    assert_true(str_eq(sample.any, STR("[\"\\n\"]")));
}

/* A name that only begins like a field, or goes on behind it, is another. */
static void similar_keys_are_unknown_keys(void **state)
{
    autotext struct text text =
        normal("{\"i\":5,\"idx\":6,\"\":7,\"id\\u0000\":8,\"ID\":9,\"id\":1}");
    struct sample sample = { 0 };

    (void)state;
    assert_int_equal(json_bind(text.str, sample_fields, NULL, &sample, NULL), OK);
    assert_int_equal(sample.id, 1);
}

struct two_texts {
    struct str first, second;
};

static void decoded_strings_do_not_disturb_one_another(void **state)
{
    static const struct json_field fields[] = {
        { "first", JSON_FIELD_STR, offsetof(struct two_texts, first), true, 0, NULL },
        { "second", JSON_FIELD_STR, offsetof(struct two_texts, second), true, 0, NULL },
        JSON_FIELDS_END,
    };
    autotext struct text text = normal(
        "{\"second\":\"\\n"
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\","
        "\"first\":\"\\t"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}");
    autobuf struct buf scratch = BUF_INIT;
    struct two_texts texts = { STR_NONE, STR_NONE };

    (void)state;
    assert_int_equal(json_bind(text.str, fields, &scratch, &texts, NULL), OK);
    assert_int_equal(texts.first.len, texts.second.len);
    assert_true(str_starts_with(texts.first, STR("\taa")));
    assert_true(str_starts_with(texts.second, STR("\nbb")));
}

static void the_first_bad_field_is_named(void **state)
{
    static const struct {
        const char *json, *message;
    } vectors[] = {
        { "[]", "object expected" },
        { "7", "object expected" },
        { "{}", "id: missing" },
        { "{\"id\":null}", "id: missing" },
        { "{\"id\":0}", "id: positive integer expected" },
        { "{\"id\":\"x\"}", "id: positive integer expected" },
        { "{\"flag\":1,\"id\":true}", "id: positive integer expected" },
        { "{\"id\":1,\"number\":\"1\"}", "number: integer expected" },
        { "{\"id\":1,\"number\":1.5}", "number: integer expected" },
        { "{\"id\":1,\"flag\":1}", "flag: true or false expected" },
        { "{\"id\":1,\"flag\":\"true\"}", "flag: true or false expected" },
        { "{\"id\":1,\"text\":1}", "text: string expected" },
        { "{\"id\":1,\"text\":\"abcde\"}", "text: longer than 4 bytes" },
        { "{\"id\":1,\"text\":\"\\u00e4\\u00e4a\"}", "text: longer than 4 bytes" },
        { "{\"id\":1,\"colour\":\"blue\"}", "colour: not one of the known words" },
        { "{\"id\":1,\"colour\":\"red\\u0000\"}", "colour: not one of the known words" },
        { "{\"id\":1,\"colour\":0}", "colour: not one of the known words" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autotext struct text text = normal(vectors[i].json);
        autobuf struct buf scratch = BUF_INIT;
        struct sample sample = { 0 };
        struct errmsg msg = { "" };

        assert_int_equal(json_bind(text.str, sample_fields, &scratch, &sample, &msg), ERR_INVALID);
        assert_string_equal(msg.text, vectors[i].message);
    }
    assert_int_equal(json_bind(STR_NONE, sample_fields, NULL, &(struct sample) { 0 }, NULL),
                     ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_is_taken_value_by_value),
        cmocka_unit_test(an_object_is_taken_member_by_member),
        cmocka_unit_test(empty_containers_hold_nothing),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(only_strings_are_strings),
        cmocka_unit_test(ids_are_positive_integers_or_their_digits),
        cmocka_unit_test(integers_are_read_to_their_ends),
        cmocka_unit_test(white_space_between_tokens_is_dropped),
        cmocka_unit_test(a_full_object_is_bound),
        cmocka_unit_test(absent_and_null_optional_fields_stay_untouched),
        cmocka_unit_test(of_a_key_that_is_there_twice_the_last_counts),
        cmocka_unit_test(escapes_are_decoded_in_keys_and_words),
        cmocka_unit_test(similar_keys_are_unknown_keys),
        cmocka_unit_test(decoded_strings_do_not_disturb_one_another),
        cmocka_unit_test(the_first_bad_field_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
