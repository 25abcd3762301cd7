#include <assert.h>

#include "libshared/json_text.h"

static bool is_named(const struct json_field *field, struct str key)
{
    return strncmp(field->name, key.data, key.len) == 0 && field->name[key.len] == '\0';
}

/* Sets values[i] to the text of fields[i], the last one that is there. */
static void collect(struct str object, const struct json_field *fields, struct str *values)
{
    autobuf struct buf decoded = BUF_INIT;
    struct str list = json_text_inside(object), quoted, value, key;

    while (json_text_take_member(&list, &quoted, &value)) {
        buf_clear(&decoded);
        if (!json_text_string(quoted, &decoded, &key)) {
            continue;
        }
        for (size_t i = 0; fields[i].name != NULL; i++) {
            if (is_named(&fields[i], key)) {
                values[i] = value;
                break;
            }
        }
    }
}

static enum err bind_str(struct str value, const struct json_field *field, struct buf *scratch,
                         void *member, struct errmsg *msg)
{
    struct str text;

    if (!json_text_string(value, scratch, &text)) {
        return err_set(msg, ERR_INVALID, "%s: string expected", field->name);
    }
    if (field->max > 0 && text.len > field->max) {
        return err_set(msg, ERR_INVALID, "%s: longer than %zu bytes", field->name, field->max);
    }
    *(struct str *)member = text;
    return OK;
}

static enum err bind_enum(struct str value, const struct json_field *field, void *member,
                          struct errmsg *msg)
{
    autobuf struct buf decoded = BUF_INIT;
    struct str text;

    if (json_text_string(value, &decoded, &text)) {
        for (const struct json_name *name = field->names; name->name != NULL; name++) {
            if (str_eq(text, str_of(name->name))) {
                *(int *)member = name->value;
                return OK;
            }
        }
    }
    return err_set(msg, ERR_INVALID, "%s: not one of the known words", field->name);
}

static enum err bind_bool(struct str value, const struct json_field *field, void *member,
                          struct errmsg *msg)
{
    if (value.data[0] != 't' && value.data[0] != 'f') {
        return err_set(msg, ERR_INVALID, "%s: true or false expected", field->name);
    }
    *(bool *)member = value.data[0] == 't';
    return OK;
}

static enum err bind_value(struct str value, const struct json_field *field, struct buf *scratch,
                           void *member, struct errmsg *msg)
{
    switch (field->type) {
    case JSON_FIELD_ID:
        return json_text_id(value, member)
                   ? OK
                   : err_set(msg, ERR_INVALID, "%s: positive integer expected", field->name);
    case JSON_FIELD_INT:
        return json_text_int(value, member)
                   ? OK
                   : err_set(msg, ERR_INVALID, "%s: integer expected", field->name);
    case JSON_FIELD_BOOL:
        return bind_bool(value, field, member, msg);
    case JSON_FIELD_STR:
        return bind_str(value, field, scratch, member, msg);
    case JSON_FIELD_ENUM:
        return bind_enum(value, field, member, msg);
    case JSON_FIELD_ANY:
        *(struct str *)member = value;
        return OK;
    }
    return err_set(msg, ERR_INTERNAL, "%s: unknown field type", field->name);
}

static size_t count_fields(const struct json_field *fields)
{
    size_t count = 0;

    while (fields[count].name != NULL) {
        count++;
    }
    return count;
}

enum err json_bind(struct str value, const struct json_field *fields, struct buf *scratch,
                   void *ret_struct, struct errmsg *msg)
{
    struct str values[JSON_FIELDS_MAX];
    size_t count = count_fields(fields);

    assert(count <= JSON_FIELDS_MAX);
    if (!json_text_is_object(value)) {
        return err_set(msg, ERR_INVALID, "object expected");
    }
    memset(values, 0, count * sizeof values[0]);
    collect(value, fields, values);
    if (scratch != NULL) {
        json_text_reserve(scratch, value);
    }
    for (size_t i = 0; i < count; i++) {
        enum err err;

        /* JSON.stringify drops undefined but keeps null: both mean that nothing was given */
        if (values[i].data == NULL ||
            (json_text_is_null(values[i]) && fields[i].type != JSON_FIELD_ANY)) {
            if (fields[i].required) {
                return err_set(msg, ERR_INVALID, "%s: missing", fields[i].name);
            }
            continue;
        }
        err =
            bind_value(values[i], &fields[i], scratch, (char *)ret_struct + fields[i].offset, msg);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}
