#include "siod/chat/content.h"

#include <stdint.h>
#include <string.h>

#include "libshared/base.h"
#include "libshared/json.h"

enum { TYPE_MAX = 64 };

enum shape {
    PLAIN, /* nothing but the text */
    MEDIA,
    OBJECT, /* shown as it came */
    LIST,
};

static const struct kind {
    struct str type;
    enum shape shape;
    const char *text; /* the key of its body or caption, NULL if it has none */
} kinds[] = {
    { STR_INIT("text"), PLAIN, "body" },        { STR_INIT("image"), MEDIA, "caption" },
    { STR_INIT("video"), MEDIA, "caption" },    { STR_INIT("audio"), MEDIA, NULL },
    { STR_INIT("voice"), MEDIA, NULL }, /* the old name of a voice note */
    { STR_INIT("document"), MEDIA, "caption" }, { STR_INIT("sticker"), MEDIA, NULL },
    { STR_INIT("location"), OBJECT, NULL },     { STR_INIT("contacts"), LIST, NULL },
    { STR_INIT("interactive"), OBJECT, NULL },  { STR_INIT("button"), OBJECT, NULL },
    { STR_INIT("order"), OBJECT, NULL },        { STR_INIT("system"), OBJECT, "body" },
    { STR_INIT("unsupported"), OBJECT, NULL },
};

static const struct kind *kind_of(struct str type)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (str_eq(type, kinds[i].type)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static json_t *object_of(struct str type, const json_t *element)
{
    return json_object_getn(element, type.data, type.len);
}

struct str content_type(const json_t *element)
{
    struct str type = json_str_at(element, "type");

    return type.len > 0 && type.len <= TYPE_MAX ? type : STR("unknown");
}

/* ---- the text */

static const json_t *text_of(struct str type, const json_t *element)
{
    const struct kind *kind = kind_of(type);

    if (json_str_at(element, "type").len == 0) {
        return json_object_get(json_object_get(element, "text"), "body"); /* all that is known */
    }
    return kind != NULL && kind->text != NULL
               ? json_object_get(object_of(type, element), kind->text)
               : NULL;
}

struct str content_text(struct str type, const json_t *element, struct buf *scratch)
{
    const json_t *text = text_of(type, element);

    if (text == NULL || json_is_null(text) || json_is_string(text)) {
        return json_str(text);
    }
    buf_clear(scratch);
    json_add_tree_within(scratch, text, CONTENT_DEPTH_MAX);
    return buf_str(scratch);
}

/* ---- the other members */

static bool is_id(const char *key)
{
    size_t len = strlen(key);

    return strcmp(key, "id") == 0 || strcmp(key, "from") == 0 ||
           (len > 3 && strcmp(key + len - 3, "_id") == 0);
}

/* Gives each member that is_id() and a number the same digits as text. In `check` only tells
 * whether there is one. */
static bool ids_as_text(json_t *value, unsigned levels, bool check)
{
    const char *key;
    json_t *member;
    void *next;
    size_t i;
    bool found = false;

    if (levels == 0) {
        return false;
    }
    json_array_foreach(value, i, member)
    {
        found = ids_as_text(member, levels - 1, check) || found;
    }
    json_object_foreach_safe(value, next, key, member)
    {
        char digits[24];

        if (json_is_integer(member) && is_id(key)) {
            struct str text = json_id_text(member, digits);

            found = true;
            if (!check) {
                json_object_set_new(value, key, json_stringn(text.data, text.len));
            }
        } else {
            found = ids_as_text(member, levels - 1, check) || found;
        }
    }
    return found;
}

/* WhatsApp's object, with the ids as text. */
static void add_tree(struct buf *out, const char *key, const json_t *value)
{
    autojson json_t *copy = NULL;

    if (ids_as_text((json_t *)(uintptr_t)value, CONTENT_DEPTH_MAX, true)) {
        copy = json_deep_copy(value);
        (void)ids_as_text(copy, CONTENT_DEPTH_MAX, false);
    }
    buf_add_cstr(out, key);
    json_add_tree_within(out, copy != NULL ? copy : value, CONTENT_DEPTH_MAX);
}

static void add_object(struct buf *out, const char *key, const json_t *value)
{
    if (json_object_size(value) > 0) {
        add_tree(out, key, value);
    }
}

/* One that came without its brackets gets them. */
static void add_list(struct buf *out, const char *key, const json_t *value)
{
    if (json_array_size(value) > 0) {
        add_tree(out, key, value);
    } else if (json_object_size(value) > 0) {
        buf_add_cstr(out, key);
        add_tree(out, "[", value);
        buf_add_char(out, ']');
    }
}

/* A text, or an id in whatever JSON type it came. */
static void add_text(struct buf *out, const char *key, const json_t *value)
{
    char digits[24];

    buf_add_cstr(out, key);
    json_add_str_or_null(out, json_id_text(value, digits));
}

static void add_flag(struct buf *out, const char *key, const json_t *value)
{
    if (json_is_boolean(value)) {
        buf_add_cstr(out, key);
        buf_add_cstr(out, json_is_true(value) ? "true" : "false");
    }
}

static void add_media(struct buf *out, struct str type, const json_t *media)
{
    const json_t *url = json_object_get(media, "url");

    if (json_object_size(media) == 0) {
        return;
    }
    add_text(out, ",\"media\":{\"id\":", json_object_get(media, "id"));
    add_text(out, ",\"mimeType\":", json_object_get(media, "mime_type"));
    add_text(out, ",\"sha256\":", json_object_get(media, "sha256"));
    add_text(out, ",\"caption\":", json_object_get(media, "caption"));
    add_text(out, ",\"filename\":", json_object_get(media, "filename"));
    if (str_eq(type, STR("voice"))) {
        buf_add_cstr(out, ",\"voice\":true");
    } else {
        add_flag(out, ",\"voice\":", json_object_get(media, "voice"));
    }
    add_flag(out, ",\"animated\":", json_object_get(media, "animated"));
    if (json_is_string(url)) {
        add_text(out, ",\"url\":", url);
    }
    buf_add_char(out, '}');
}

/* With the one it replies to under the name that it has in a message. */
static void add_context(struct buf *out, json_t *context)
{
    const char *key;
    json_t *value;

    if (json_object_size(context) == 0) {
        return;
    }
    if (json_is_true(json_object_get(context, "forwarded")) ||
        json_is_true(json_object_get(context, "frequently_forwarded"))) {
        buf_add_cstr(out, ",\"forwarded\":true");
    }
    add_text(out, ",\"context\":{\"wamid\":", json_object_get(context, "id"));
    json_object_foreach(context, key, value)
    {
        if (str_eq(str_of(key), STR("wamid"))) {
            continue;
        }
        buf_add_char(out, ',');
        json_add_cstr(out, key);
        if (is_id(key)) {
            add_text(out, ":", value);
        } else {
            add_tree(out, ":", value);
        }
    }
    buf_add_char(out, '}');
}

static void add_own(struct buf *out, const struct kind *kind, const json_t *object)
{
    char key[32];

    snprintf(key, sizeof key, ",\"%s\":", kind->type.data);
    switch (kind->shape) {
    case PLAIN:
        break;
    case MEDIA:
        add_media(out, kind->type, object);
        break;
    case OBJECT:
        add_object(out, key, object);
        break;
    case LIST:
        add_list(out, key, object);
        break;
    }
}

void content_render(struct buf *out, struct str type, const json_t *element, const json_t *errors)
{
    const struct kind *kind = kind_of(type);

    if (kind != NULL && kind->shape != PLAIN) {
        add_own(out, kind, object_of(type, element));
    }
    add_context(out, json_object_get(element, "context"));
    add_object(out, ",\"referral\":", json_object_get(element, "referral"));
    add_object(out, ",\"identity\":", json_object_get(element, "identity"));
    add_list(out, ",\"errors\":", errors);
}

bool content_is_there(struct str type, const json_t *element)
{
    return object_of(type, element) != NULL;
}

/* ---- edits */

static bool is_only_caption(struct str type, const json_t *object)
{
    const struct kind *kind = kind_of(type);

    return kind != NULL && kind->shape == MEDIA && json_is_object(object) &&
           json_object_get(object, "id") == NULL;
}

/* The object of another type than the edit's is no part of the message any more. */
static void drop_own(json_t *element, struct str type)
{
    struct str own = json_str_at(element, "type");

    if (own.len > 0 && !str_eq(own, type)) {
        json_object_deln(element, own.data, own.len);
    }
}

void content_edit(json_t *element, json_t *edited)
{
    json_t *type = json_object_get(edited, "type");
    json_t *context = json_object_get(edited, "context");
    json_t *before, *after;

    if (json_is_object(context)) {
        json_object_set(element, "context", context);
    }
    if (!json_is_string(type)) {
        return;
    }
    drop_own(element, json_str(type));
    before = object_of(json_str(type), element);
    after = object_of(json_str(type), edited);
    if (is_only_caption(json_str(type), after) && json_is_object(before)) {
        json_object_update(before, after);
    } else if (after != NULL) {
        json_object_setn(element, json_string_value(type), json_string_length(type), after);
    }
    json_object_set(element, "type", type);
}
