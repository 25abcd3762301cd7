#include "siod/store/mention.h"

#include <ctype.h>
#include <string.h>

#include "libshared/json.h"
#include "libshared/json_text.h"

struct entry {
    enum mention kind;
    size_t len;
};

void mention_names_add(struct mention_names *names, enum mention kind, struct str name)
{
    if (kind == MENTION_USERNAME && str_starts_with(name, STR("@"))) {
        name = str_skip(name, 1);
    }
    if (name.len > 0) {
        const struct entry entry = { kind, name.len };

        buf_add_str(&names->bytes, name);
        buf_add(&names->entries, &entry, sizeof entry);
    }
}

void mention_names_finish(struct mention_names *names)
{
    buf_finish(&names->bytes);
    buf_finish(&names->entries);
}

/* ------------------------------------------------------------------ in a text */

/* What is before and behind a place where a name was found. */
struct place {
    struct str before, behind;
};

static bool is_alnum_at(struct str text, size_t at)
{
    return at < text.len && isalnum((unsigned char)text.data[at]);
}

static bool stands_alone(const struct place *place)
{
    return !is_alnum_at(place->before, place->before.len - 1) && !is_alnum_at(place->behind, 0);
}

static struct str without_spaces(struct str text)
{
    while (text.len > 0 && json_text_is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

static bool ends_with(struct str text, struct str end)
{
    return text.len >= end.len && memcmp(text.data + text.len - end.len, end.data, end.len) == 0;
}

static bool is_value_of(struct str before, struct str quoted_key)
{
    before = without_spaces(before);
    if (!ends_with(before, STR(":"))) {
        return false;
    }
    before.len--;
    return ends_with(without_spaces(before), quoted_key);
}

static bool is_word_at(struct str text, size_t at)
{
    return is_alnum_at(text, at) || (at < text.len && text.data[at] == '_');
}

/* A dot may be the end of the sentence. */
static bool username_ends(struct str behind)
{
    return !is_word_at(behind, 0) && !(str_starts_with(behind, STR(".")) && is_word_at(behind, 1));
}

/* What has a letter before its @ is an address. */
static bool is_username(const struct place *place)
{
    struct str before = place->before;
    bool called = ends_with(before, STR("@"));

    if (!username_ends(place->behind)) {
        return false;
    }
    before.len -= called;
    if (called && !is_word_at(before, before.len - 1)) {
        return true;
    }
    return ends_with(before, STR("\"")) && str_starts_with(place->behind, STR("\"")) &&
           is_value_of((struct str) { before.data, before.len - 1 }, STR("\"username\""));
}

static bool is_meant(enum mention kind, const struct place *place)
{
    switch (kind) {
    case MENTION_ID:
        return stands_alone(place);
    case MENTION_USERNAME:
        return is_username(place);
    case MENTION_CONTACT:
        return stands_alone(place) && is_value_of(place->before, STR("\"contactId\""));
    }
    return false;
}

static bool has_name(struct str text, enum mention kind, struct str name)
{
    const char *at = text.data, *end = text.data + text.len;

    while (at != NULL && at < end &&
           (at = memmem(at, (size_t)(end - at), name.data, name.len)) != NULL) {
        const struct place place = { { text.data, (size_t)(at - text.data) },
                                     { at + name.len, (size_t)(end - at) - name.len } };

        if (is_meant(kind, &place)) {
            return true;
        }
        at++;
    }
    return false;
}

static bool has_any(struct str text, const struct mention_names *names)
{
    const char *name = names->bytes.data;

    for (size_t at = 0; at < names->entries.len; at += sizeof(struct entry)) {
        struct entry entry;

        memcpy(&entry, names->entries.data + at, sizeof entry);
        if (has_name(text, entry.kind, (struct str) { name, entry.len })) {
            return true;
        }
        name += entry.len;
    }
    return false;
}

/* A row of the log is several values without brackets around them. */
bool mention_in(struct str text, const struct mention_names *names)
{
    const struct json_limits limits = { .mend_utf8 = true };
    autobuf struct buf list = BUF_INIT;
    autobuf struct buf scratch = BUF_INIT;
    autobuf struct buf plain = BUF_INIT;
    struct str normal;

    if (text.len == 0 || memchr(text.data, '\\', text.len) == NULL) {
        return has_any(text, names);
    }
    buf_add_char(&list, '[');
    buf_add_str(&list, text);
    buf_add_char(&list, ']');
    if (json_normalise(buf_str(&list), &limits, &scratch, &normal, NULL) != OK) {
        return has_any(text, names);
    }
    json_add_decoded(&plain, normal);
    return has_any(buf_str(&plain), names);
}

/* ------------------------------------------------------------------ in a document */

static bool value_mentions(const json_t *value, const struct mention_names *names)
{
    autobuf struct buf text = BUF_INIT;

    json_add_tree(&text, value);
    return mention_in(buf_str(&text), names);
}

static bool is_container(const json_t *value)
{
    return json_is_array(value) || json_is_object(value);
}

/* With its value, unless that is a list or an object. */
static bool member_mentions(const char *key, const json_t *value, const struct mention_names *names)
{
    autobuf struct buf text = BUF_INIT;

    buf_add_char(&text, '{');
    json_add_cstr(&text, key);
    buf_add_char(&text, ':');
    if (is_container(value)) {
        buf_add_cstr(&text, "null");
    } else {
        json_add_tree(&text, value);
    }
    buf_add_char(&text, '}');
    return mention_in(buf_str(&text), names);
}

static bool remove_from(json_t *value, const struct mention_names *names);

static void remove_from_list(json_t *list, const struct mention_names *names)
{
    for (size_t i = json_array_size(list); i > 0; i--) {
        if (remove_from(json_array_get(list, i - 1), names)) {
            json_array_remove(list, i - 1);
        }
    }
}

static bool remove_from_object(json_t *object, const struct mention_names *names)
{
    bool left = false;
    const char *key;
    json_t *member;

    json_object_foreach(object, key, member)
    {
        left = member_mentions(key, member, names) || left;
        left = (is_container(member) && remove_from(member, names)) || left;
    }
    return left;
}

/* True if it still mentions them. The depth is that of what was received, which has a limit. */
static bool remove_from(json_t *value, const struct mention_names *names)
{
    if (json_is_array(value)) {
        remove_from_list(value, names);
        return false;
    }
    return json_is_object(value) ? remove_from_object(value, names) : value_mentions(value, names);
}

/* A change with nothing but who it was sent to. */
static bool holds_something(const json_t *root)
{
    static const char *const frame[] = { "messaging_product", "metadata", "contacts" };
    json_t *entry, *change, *member;
    const char *key;
    size_t i, j;

    json_array_foreach(json_object_get(root, "entry"), i, entry)
    {
        json_array_foreach(json_object_get(entry, "changes"), j, change)
        {
            json_object_foreach(json_object_get(change, "value"), key, member)
            {
                bool framing = false;

                for (size_t k = 0; k < ARRAY_SIZE(frame); k++) {
                    framing = framing || strcmp(key, frame[k]) == 0;
                }
                if (!framing && !(json_is_array(member) && json_array_size(member) == 0)) {
                    return true;
                }
            }
        }
    }
    return false;
}

bool mention_remove(struct str json, const struct mention_names *names, struct buf *to)
{
    struct errmsg msg;
    const struct json_limits limits = { 0 };
    autojson json_t *root = json_read(json, &limits, &msg);
    size_t start = to->len;

    if (root == NULL) {
        return false;
    }
    (void)remove_from(root, names);
    if (!holds_something(root)) {
        return false;
    }
    json_add_tree(to, root);
    if (mention_in((struct str) { to->data + start, to->len - start }, names)) {
        to->len = start;
        to->data[start] = '\0';
        return false;
    }
    return true;
}

/* Whether something in it was taken. */
static bool collect_from(const json_t *value, const struct mention_names *names, struct buf *to)
{
    bool taken = false;
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        taken = collect_from(member, names, to) || taken;
    }
    json_array_foreach(value, i, member)
    {
        if (!value_mentions(member, names)) {
            continue;
        }
        taken = true;
        if (json_object_get(member, "changes") != NULL ||
            json_object_get(member, "value") != NULL) {
            (void)collect_from(member, names, to);
        } else {
            json_add_tree(to, member);
            buf_add_char(to, ',');
        }
    }
    return taken;
}

void mention_collect(struct str json, const struct mention_names *names, struct buf *to)
{
    struct errmsg msg;
    const struct json_limits limits = { 0 };
    autojson json_t *root = json_read(json, &limits, &msg);
    size_t start = to->len;

    if (root != NULL) {
        (void)collect_from(root, names, to);
        if (to->len > start) {
            to->data[--to->len] = '\0';
        }
    }
}
