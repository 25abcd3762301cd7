/* fuzz: links shared */
/* Reading a text in place must find what jansson finds in its tree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/json.h"
#include "libshared/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_scalar(struct str value, const json_t *tree)
{
    autobuf struct buf scratch = BUF_INIT;
    int64_t number = 0, other = 0;
    struct str text;

    must(json_text_string(value, &scratch, &text) == json_is_string(tree));
    must(!json_is_string(tree) || str_eq(text, json_str(tree)));
    must(json_text_int(value, &number) == json_is_integer(tree));
    must(!json_is_integer(tree) || number == json_integer_value(tree));
    must(json_text_id(value, &number) == json_id(tree, &other));
    must(json_text_is_null(value) == json_is_null(tree));
    must(json_text_is_object(value) == json_is_object(tree));
}

static void check(struct str value, const json_t *tree, unsigned depth);

static void check_array(struct str value, const json_t *tree, unsigned depth)
{
    struct str list = json_text_inside(value), element;
    size_t count = 0;

    while (json_text_take(&list, &element)) {
        check(element, json_array_get(tree, count++), depth);
    }
    must(count == json_array_size(tree));
}

/* Is this member the last one of its key? The tree has no others. */
static bool is_last(struct str list, struct str key)
{
    struct str other, value;

    while (json_text_take_member(&list, &other, &value)) {
        autobuf struct buf scratch = BUF_INIT;
        struct str text;

        must(json_text_string(other, &scratch, &text));
        if (str_eq(text, key)) {
            return false;
        }
    }
    return true;
}

static void check_object(struct str value, const json_t *tree, unsigned depth)
{
    struct str list = json_text_inside(value), quoted, member, key;
    size_t count = 0;

    while (json_text_take_member(&list, &quoted, &member)) {
        autobuf struct buf scratch = BUF_INIT;

        must(json_text_string(quoted, &scratch, &key));
        if (is_last(list, key)) {
            check(member, json_object_getn(tree, key.data, key.len), depth);
            count++;
        }
    }
    must(count == json_object_size(tree));
}

static void check(struct str value, const json_t *tree, unsigned depth)
{
    must(tree != NULL);
    check_scalar(value, tree);
    if (depth > 0 && json_is_array(tree)) {
        check_array(value, tree, depth - 1);
    } else if (depth > 0 && json_is_object(tree)) {
        check_object(value, tree, depth - 1);
    }
}

struct bound {
    int64_t id, number;
    bool flag;
    struct str text, any;
};

static const struct json_field fields[] = {
    { "id", JSON_FIELD_ID, offsetof(struct bound, id), false, 0, NULL },
    { "n", JSON_FIELD_INT, offsetof(struct bound, number), false, 0, NULL },
    { "f", JSON_FIELD_BOOL, offsetof(struct bound, flag), false, 0, NULL },
    { "s", JSON_FIELD_STR, offsetof(struct bound, text), false, 0, NULL },
    { "a", JSON_FIELD_ANY, offsetof(struct bound, any), false, 0, NULL },
    JSON_FIELDS_END,
};

static bool absent(const json_t *value)
{
    return value == NULL || json_is_null(value);
}

static void check_binding(struct str value, const json_t *tree)
{
    const json_t *id = json_object_get(tree, "id"), *number = json_object_get(tree, "n"),
                 *flag = json_object_get(tree, "f"), *text = json_object_get(tree, "s");
    autobuf struct buf scratch = BUF_INIT;
    struct bound bound = { 0 };
    int64_t expected = 0;
    bool good = json_is_object(tree) && (absent(id) || json_id(id, &expected)) &&
                (absent(number) || json_is_integer(number)) &&
                (absent(flag) || json_is_boolean(flag)) && (absent(text) || json_is_string(text));

    must((json_bind(value, fields, &scratch, &bound, NULL) == OK) == good);
    if (good) {
        must(bound.id == expected);
        must(absent(number) || bound.number == json_integer_value(number));
        must(bound.flag == json_is_true(flag));
        must(absent(text) || str_eq(bound.text, json_str(text)));
        must((bound.any.data != NULL) == (json_object_get(tree, "a") != NULL));
    }
}

static void check_compact(struct str value, const json_t *tree)
{
    static const struct json_limits limits = { 0 };
    autobuf struct buf compact = BUF_INIT;
    autojson json_t *again = NULL;

    json_add_compact(&compact, value);
    again = json_read(buf_str(&compact), &limits, NULL);
    must(again != NULL && json_equal(again, tree));
    must(memchr(compact.data, '\n', compact.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = { .depth = 100, .keys = 1000 };
    autobuf struct buf scratch = BUF_INIT;
    autojson json_t *tree = NULL;
    struct str text = { (const char *)data, size }, normal;

    if (json_normalise(text, &limits, &scratch, &normal, NULL) != OK) {
        return 0;
    }
    tree = json_loadb(normal.data, normal.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    check(normal, tree, 8);
    check_binding(normal, tree);
    check_compact(normal, tree);
    return 0;
}
