#include "siod/store/mention.h"

#include <string.h>

#include "libshared/json.h"
#include "siod/store/mention_place.h"
#include "siod/store/mention_text.h"

/* A row of the log is several values without brackets around them. */
bool mention_in(struct str args, const struct mention_names *names)
{
    static const struct json_limits limits = { .mend_utf8 = true };
    static const struct mention_spot nowhere = { .key = NULL };
    const struct mention_search search = { .names = names };
    autobuf struct buf list = BUF_INIT;
    autojson json_t *values = NULL;

    if (!mention_text_may(args, names)) {
        return false;
    }
    buf_add_char(&list, '[');
    buf_add_str(&list, args);
    buf_add_char(&list, ']');
    values = json_read(buf_str(&list), &limits, NULL);
    return values == NULL || mention_in_value(&search, &nowhere, values);
}

/* ------------------------------------------------------------------ the parts of a body */

static const struct mention_spot top = { .key = NULL };
static const struct mention_spot in_changes = { .key = "changes", .item = true };
static const struct mention_spot in_entry = { .key = "entry", .item = true };

/* False for a change of others. */
static bool search_change(const json_t *change, const struct mention_names *names,
                          const struct mention_numbers *numbers, struct mention_search *ret_search)
{
    json_t *metadata = json_object_get(json_object_get(change, "value"), "metadata");
    char digits[24];
    struct str id = json_id_text(json_object_get(metadata, "phone_number_id"), digits);
    enum mention_owner owner = id.len > 0 ? numbers->owner(numbers->arg, id) : MENTION_OF_NOBODY;

    *ret_search = (struct mention_search) {
        .names = names,
        .places_only = owner == MENTION_OF_NOBODY,
        .past = str_eq(json_str_at(change, "field"), STR("history")),
        .desk_number = json_str_at(metadata, "display_phone_number"),
        .desk_id = json_str_at(metadata, "phone_number_id"),
        .metadata = metadata,
    };
    return owner != MENTION_OF_OTHERS;
}

/* What is no list of entries with changes never becomes a business's. */
static struct mention_search search_rest(const struct mention_names *names)
{
    return (struct mention_search) { .names = names };
}

static bool change_mentions(const json_t *change, const struct mention_names *names,
                            const struct mention_numbers *numbers)
{
    struct mention_search search;

    return search_change(change, names, numbers, &search) &&
           mention_in_value(&search, &in_changes, change);
}

static bool entry_mentions(const json_t *entry, const struct mention_names *names,
                           const struct mention_numbers *numbers)
{
    const json_t *changes = json_object_get(entry, "changes"), *change;
    const struct mention_search rest = search_rest(names);
    size_t i;

    if (!json_is_array(changes)) {
        return mention_in_value(&rest, &in_entry, entry);
    }
    json_array_foreach(changes, i, change)
    {
        if (change_mentions(change, names, numbers)) {
            return true;
        }
    }
    return false;
}

static json_t *read_body(struct str body)
{
    static const struct json_limits limits = { 0 };

    return json_read(body, &limits, NULL);
}

bool mention_in_body(struct str body, const struct mention_names *names,
                     const struct mention_numbers *numbers)
{
    const struct mention_search rest = search_rest(names);
    autojson json_t *root = NULL;
    const json_t *entries, *entry;
    size_t i;

    if (!mention_text_may(body, names)) {
        return false;
    }
    root = read_body(body);
    entries = json_object_get(root, "entry");
    if (root == NULL || !json_is_array(entries)) {
        return root == NULL || mention_in_value(&rest, &top, root);
    }
    json_array_foreach(entries, i, entry)
    {
        if (entry_mentions(entry, names, numbers)) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ removing */

static bool remove_from(struct mention_search *search, const struct mention_spot *spot,
                        json_t *value);

static void remove_from_list(struct mention_search *search, const struct mention_spot *spot,
                             json_t *list)
{
    const struct mention_spot at = mention_spot_item(spot);

    for (size_t i = json_array_size(list); i > 0; i--) {
        if (remove_from(search, &at, json_array_get(list, i - 1))) {
            json_array_remove(list, i - 1);
            search->removed++;
        }
    }
}

static bool remove_from_object(struct mention_search *search, const struct mention_spot *spot,
                               json_t *object)
{
    bool left = false;
    const char *key;
    json_t *member;

    json_object_foreach(object, key, member)
    {
        const struct mention_spot at = mention_spot_member(spot, key);

        left = mention_in_key(search, key) || left;
        left = remove_from(search, &at, member) || left;
    }
    return left;
}

/* True if it still mentions them. The depth is that of what was received, which has a limit. */
static bool remove_from(struct mention_search *search, const struct mention_spot *spot,
                        json_t *value)
{
    if (value == search->metadata) {
        return false;
    }
    if (json_is_array(value)) {
        remove_from_list(search, spot, value);
        return false;
    }
    return json_is_object(value) ? remove_from_object(search, spot, value)
                                 : mention_in_scalar(search, spot, value);
}

/* More than who it was sent to. */
static bool holds_something(const json_t *change)
{
    static const char *const frame[] = { "messaging_product", "metadata", "contacts", NULL };
    const char *key;
    json_t *member;

    json_object_foreach(json_object_get(change, "value"), key, member)
    {
        if (!cstr_in(key, frame) && !(json_is_array(member) && json_array_size(member) == 0)) {
            return true;
        }
    }
    return false;
}

/* True if it is not to be kept. */
static bool remove_from_change(json_t *change, const struct mention_names *names,
                               const struct mention_numbers *numbers)
{
    struct mention_search search;

    if (!search_change(change, names, numbers, &search)) {
        return false;
    }
    return remove_from(&search, &in_changes, change) ||
           (search.removed > 0 && !holds_something(change));
}

static bool remove_from_entry(json_t *entry, const struct mention_names *names,
                              const struct mention_numbers *numbers)
{
    json_t *changes = json_object_get(entry, "changes");
    struct mention_search rest = search_rest(names);
    size_t before = json_array_size(changes);

    if (!json_is_array(changes)) {
        return remove_from(&rest, &in_entry, entry);
    }
    for (size_t i = before; i > 0; i--) {
        if (remove_from_change(json_array_get(changes, i - 1), names, numbers)) {
            json_array_remove(changes, i - 1);
        }
    }
    return before > 0 && json_array_size(changes) == 0;
}

/* False if nothing of the body is to be kept. */
static bool remove_from_body(json_t *root, const struct mention_names *names,
                             const struct mention_numbers *numbers)
{
    json_t *entries = json_object_get(root, "entry");
    struct mention_search rest = search_rest(names);

    if (!json_is_array(entries)) {
        return !remove_from(&rest, &top, root);
    }
    for (size_t i = json_array_size(entries); i > 0; i--) {
        if (remove_from_entry(json_array_get(entries, i - 1), names, numbers)) {
            json_array_remove(entries, i - 1);
        }
    }
    return json_array_size(entries) > 0;
}

bool mention_remove(struct str body, const struct mention_names *names,
                    const struct mention_numbers *numbers, struct buf *to)
{
    autojson json_t *root = read_body(body);

    if (root == NULL || !remove_from_body(root, names, numbers)) {
        return false;
    }
    json_add_tree(to, root);
    return true;
}

/* ------------------------------------------------------------------ collecting */

static void collect(const json_t *value, struct buf *to)
{
    json_add_tree(to, value);
    buf_add_char(to, ',');
}

/* Chunks and threads of the past have messages of many. */
static bool is_shared(const json_t *item)
{
    return json_object_get(item, "threads") != NULL;
}

static void collect_from(const struct mention_search *search, const struct mention_spot *spot,
                         const json_t *value, struct buf *to)
{
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const struct mention_spot at = mention_spot_member(spot, key);

        collect_from(search, &at, member, to);
    }
    json_array_foreach(value, i, member)
    {
        const struct mention_spot at = mention_spot_item(spot);

        if (is_shared(member)) {
            collect_from(search, &at, member, to);
        } else if (mention_in_value(search, &at, member)) {
            collect(member, to);
        }
    }
}

/* What is in none of its lists is told with all of it. */
static void collect_part(const struct mention_search *search, const struct mention_spot *spot,
                         const json_t *part, struct buf *to)
{
    size_t before = to->len;

    if (mention_in_value(search, spot, part)) {
        collect_from(search, spot, part, to);
        if (to->len == before) {
            collect(part, to);
        }
    }
}

static void collect_from_entry(const json_t *entry, const struct mention_names *names,
                               const struct mention_numbers *numbers, struct buf *to)
{
    const json_t *changes = json_object_get(entry, "changes"), *change;
    struct mention_search search = search_rest(names);
    size_t i;

    if (!json_is_array(changes)) {
        collect_part(&search, &in_entry, entry, to);
    }
    json_array_foreach(changes, i, change)
    {
        if (search_change(change, names, numbers, &search)) {
            collect_part(&search, &in_changes, change, to);
        }
    }
}

void mention_collect(struct str body, const struct mention_names *names,
                     const struct mention_numbers *numbers, struct buf *to)
{
    autojson json_t *root = read_body(body);
    const json_t *entries = json_object_get(root, "entry"), *entry;
    const struct mention_search rest = search_rest(names);
    size_t start = to->len, i;

    if (root != NULL && !json_is_array(entries)) {
        collect_part(&rest, &top, root, to);
    }
    json_array_foreach(entries, i, entry)
    {
        collect_from_entry(entry, names, numbers, to);
    }
    if (to->len > start) {
        to->data[--to->len] = '\0';
    }
}
