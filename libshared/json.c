#include "libshared/json.h"

#include <stdarg.h>

#include "libshared/id.h"

json_t *json_read(struct str text, const struct json_limits *limits, struct errmsg *msg)
{
    autobuf struct buf scratch = BUF_INIT;
    struct str normal;

    return json_normalise(text, limits, &scratch, &normal, msg) == OK ? json_tree(normal) : NULL;
}

json_t *json_dig(json_t *root, ...)
{
    const char *key;
    va_list keys;

    va_start(keys, root);
    while (root != NULL && (key = va_arg(keys, const char *)) != NULL) {
        root = json_object_get(root, key);
    }
    va_end(keys);
    return root;
}

struct str json_str(const json_t *value)
{
    return json_is_string(value)
               ? (struct str) { json_string_value(value), json_string_length(value) }
               : STR_NONE;
}

struct str json_str_at(const json_t *object, const char *key)
{
    return json_str(json_object_get(object, key));
}

struct str json_id_text(const json_t *value, char digits[24])
{
    int len;

    if (!json_is_integer(value)) {
        return json_str(value);
    }
    len = snprintf(digits, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return (struct str) { digits, (size_t)len };
}

bool json_id(const json_t *value, int64_t *ret_id)
{
    json_int_t id;

    if (json_is_real(value)) {
        return id_from_double(json_real_value(value), ret_id);
    }
    if (!json_is_integer(value)) {
        return id_parse(json_str(value), ret_id);
    }
    id = json_integer_value(value);
    if (id < 1 || id >= ID_MAX) {
        return false;
    }
    *ret_id = id;
    return true;
}
