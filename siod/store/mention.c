#include "siod/store/mention.h"

#include <ctype.h>
#include <string.h>

#include "libshared/json.h"

void mention_names_add(struct mention_names *names, struct str name)
{
    if (name.len > 0) {
        buf_add_str(&names->bytes, name);
        buf_add(&names->lengths, &name.len, sizeof name.len);
    }
}

void mention_names_finish(struct mention_names *names)
{
    buf_finish(&names->bytes);
    buf_finish(&names->lengths);
}

static bool stands_alone(struct str text, const char *at, size_t len)
{
    const char *end = text.data + text.len;

    return (at == text.data || !isalnum((unsigned char)at[-1])) &&
           (at + len == end || !isalnum((unsigned char)at[len]));
}

static bool has_name(struct str text, struct str name)
{
    const char *at = text.data, *end = text.data + text.len;

    while (at != NULL && at < end &&
           (at = memmem(at, (size_t)(end - at), name.data, name.len)) != NULL) {
        if (stands_alone(text, at, name.len)) {
            return true;
        }
        at++;
    }
    return false;
}

bool mention_in(struct str text, const struct mention_names *names)
{
    const char *name = names->bytes.data;

    for (size_t at = 0; at < names->lengths.len; at += sizeof(size_t)) {
        size_t len;

        memcpy(&len, names->lengths.data + at, sizeof len);
        if (has_name(text, (struct str) { name, len })) {
            return true;
        }
        name += len;
    }
    return false;
}

static bool value_mentions(const json_t *value, const struct mention_names *names)
{
    autobuf struct buf text = BUF_INIT;

    json_add_tree(&text, value);
    return mention_in(buf_str(&text), names);
}

static void remove_from(json_t *value, const struct mention_names *names);

static void remove_from_list(json_t *list, const struct mention_names *names)
{
    for (size_t i = json_array_size(list); i > 0; i--) {
        json_t *item = json_array_get(list, i - 1);

        if (value_mentions(item, names)) {
            remove_from(item, names);
            if (value_mentions(item, names)) {
                json_array_remove(list, i - 1);
            }
        }
    }
}

/* The depth is that of what was received, which has a limit. */
static void remove_from(json_t *value, const struct mention_names *names)
{
    const char *key;
    json_t *member;

    if (json_is_array(value)) {
        remove_from_list(value, names);
    }
    json_object_foreach(value, key, member)
    {
        remove_from(member, names);
    }
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
    remove_from(root, names);
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
