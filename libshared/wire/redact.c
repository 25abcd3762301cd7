#include "libshared/wire/redact.h"

#include <stdlib.h>

#include "libshared/json.h"
#include "libshared/wire/redact_rule.h"

enum { NESTED_MAX = 3 }; /* documents in strings in documents in strings */

struct redactor {
    struct pseudonyms *pseudonyms;
    unsigned nested;
};

/* Where a value stands: the member it is in, and the member that its object is in. Elements of an
 * array stand where the array does. */
struct position {
    const char *parent, *key;
};

static json_t *redact(struct redactor *redactor, struct position at, const json_t *value);

static json_t *string_of(const struct buf *text)
{
    return json_stringn(text->data != NULL ? text->data : "", text->len);
}

static json_t *redact_document(struct redactor *redactor, struct str text)
{
    const struct json_limits limits = { .depth = REDACT_DEPTH_MAX };
    autojson json_t *document = json_read(text, &limits, NULL);
    autojson json_t *redacted = NULL;
    autobuf struct buf out = BUF_INIT;

    if (document == NULL || redactor->nested == NESTED_MAX) {
        return NULL;
    }
    redactor->nested++;
    redacted = redact(redactor, (struct position) { "", "" }, document);
    redactor->nested--;
    json_add_tree(&out, redacted);
    return string_of(&out);
}

static json_t *redact_string(struct redactor *redactor, enum redact_kind kind, struct str text)
{
    autobuf struct buf out = BUF_INIT;
    enum pseudonym class;

    if (kind == REDACT_JSON) {
        json_t *document = redact_document(redactor, text);

        if (document != NULL) {
            return document;
        }
    }
    if (redact_keeps(kind, text, &class)) {
        return json_stringn(text.data, text.len);
    }
    pseudonym_add(redactor->pseudonyms, class, text, &out);
    return string_of(&out);
}

static json_t *redact_integer(struct redactor *redactor, enum redact_kind kind, const json_t *value)
{
    int64_t number = json_integer_value(value);
    char digits[24];

    if (redact_keeps_integer(kind, number)) {
        return json_integer(number);
    }
    if (!redact_is_large(kind, number)) {
        return json_integer(0);
    }
    return json_integer(pseudonym_integer(redactor->pseudonyms, json_id_text(value, digits)));
}

static json_t *redact_real(struct redactor *redactor, enum redact_kind kind, double number)
{
    autobuf struct buf text = BUF_INIT;

    if (redact_keeps_real(kind, number)) {
        return json_real(number);
    }
    if (kind != REDACT_DEGREES) {
        return json_real(0);
    }
    buf_printf(&text, "%.17g", number);
    return json_real(pseudonym_degrees(redactor->pseudonyms, buf_str(&text)));
}

static void redact_member(struct redactor *redactor, struct position at, const json_t *value,
                          struct str key, json_t *to)
{
    autobuf struct buf name = BUF_INIT;
    json_t *member = redact(redactor, at, value);

    if (redact_keeps_key(key)) {
        buf_add_str(&name, key);
    } else if (key.len > 0) {
        pseudonym_add(redactor->pseudonyms, PSEUDONYM_KEY, key, &name);
    }
    json_object_setn_new_nocheck(to, name.data != NULL ? name.data : "", name.len, member);
}

static json_t *redact_object(struct redactor *redactor, struct position at, const json_t *object)
{
    json_t *redacted = json_object();
    const char *key;
    json_t *value;
    size_t len;

    json_object_keylen_foreach((json_t *)(uintptr_t)object, key, len, value)
    {
        redact_member(redactor, (struct position) { at.key, key }, value, (struct str) { key, len },
                      redacted);
    }
    return redacted;
}

static json_t *redact_array(struct redactor *redactor, struct position at, const json_t *array)
{
    json_t *redacted = json_array();
    json_t *value;
    size_t i;

    json_array_foreach(array, i, value)
    {
        json_array_append_new(redacted, redact(redactor, at, value));
    }
    return redacted;
}

static json_t *redact(struct redactor *redactor, struct position at, const json_t *value)
{
    enum redact_kind kind = redact_kind(at.parent, at.key);

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return redact_object(redactor, at, value);
    case JSON_ARRAY:
        return redact_array(redactor, at, value);
    case JSON_STRING:
        return redact_string(redactor, kind, json_str(value));
    case JSON_INTEGER:
        return redact_integer(redactor, kind, value);
    case JSON_REAL:
        return redact_real(redactor, kind, json_real_value(value));
    case JSON_TRUE:
        return json_true();
    case JSON_FALSE:
        return json_false();
    case JSON_NULL:
        break;
    }
    return json_null();
}

void redact_body(struct pseudonyms *pseudonyms, struct str body, struct buf *out)
{
    const struct json_limits limits = { .depth = REDACT_DEPTH_MAX };
    struct redactor redactor = { .pseudonyms = pseudonyms };
    autojson json_t *document = json_read(body, &limits, NULL);
    autojson json_t *redacted = NULL;

    if (document == NULL) {
        buf_printf(out, REDACT_NO_JSON "%zu", body.len);
        return;
    }
    redacted = redact(&redactor, (struct position) { "", "" }, document);
    json_add_tree(out, redacted);
}
