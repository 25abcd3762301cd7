#include "libshared/json.h"

static enum err bind_str(const json_t *value, const struct json_field *field, void *member,
                         struct errmsg *msg)
{
    struct str text = json_str(value);

    if (text.data == NULL) {
        return err_set(msg, ERR_INVALID, "%s: string expected", field->name);
    }
    if (field->max > 0 && text.len > field->max) {
        return err_set(msg, ERR_INVALID, "%s: longer than %zu bytes", field->name, field->max);
    }
    *(struct str *)member = text;
    return OK;
}

static enum err bind_enum(const json_t *value, const struct json_field *field, void *member,
                          struct errmsg *msg)
{
    struct str text = json_str(value);

    for (const struct json_name *name = field->names; text.data != NULL && name->name; name++) {
        if (str_eq(text, str_of(name->name))) {
            *(int *)member = name->value;
            return OK;
        }
    }
    return err_set(msg, ERR_INVALID, "%s: not one of the known words", field->name);
}

static enum err bind_int(const json_t *value, const struct json_field *field, void *member,
                         struct errmsg *msg)
{
    if (!json_is_integer(value)) {
        return err_set(msg, ERR_INVALID, "%s: integer expected", field->name);
    }
    *(int64_t *)member = json_integer_value(value);
    return OK;
}

static enum err bind_value(json_t *value, const struct json_field *field, void *member,
                           struct errmsg *msg)
{
    switch (field->type) {
    case JSON_FIELD_ID:
        return json_id(value, member)
                   ? OK
                   : err_set(msg, ERR_INVALID, "%s: positive integer expected", field->name);
    case JSON_FIELD_INT:
        return bind_int(value, field, member, msg);
    case JSON_FIELD_BOOL:
        if (!json_is_boolean(value)) {
            return err_set(msg, ERR_INVALID, "%s: true or false expected", field->name);
        }
        *(bool *)member = json_is_true(value);
        return OK;
    case JSON_FIELD_STR:
        return bind_str(value, field, member, msg);
    case JSON_FIELD_ENUM:
        return bind_enum(value, field, member, msg);
    case JSON_FIELD_ANY:
        *(json_t **)member = value;
        return OK;
    }
    return err_set(msg, ERR_INTERNAL, "%s: unknown field type", field->name);
}

enum err json_bind(json_t *object, const struct json_field *fields, void *ret_struct,
                   struct errmsg *msg)
{
    if (!json_is_object(object)) {
        return err_set(msg, ERR_INVALID, "object expected");
    }
    for (; fields->name != NULL; fields++) {
        json_t *value = json_object_get(object, fields->name);
        enum err err;

        /* JSON.stringify drops undefined but keeps null: both mean that nothing was given */
        if (value == NULL || (json_is_null(value) && fields->type != JSON_FIELD_ANY)) {
            if (fields->required) {
                return err_set(msg, ERR_INVALID, "%s: missing", fields->name);
            }
            continue;
        }
        err = bind_value(value, fields, (char *)ret_struct + fields->offset, msg);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}
