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

static bool is_number_of_desk(const struct place *place)
{
    struct str before = place->before;

    if (!ends_with(before, STR("\""))) {
        return false;
    }
    before.len--;
    return is_value_of(before, STR("\"display_phone_number\"")) ||
           is_value_of(before, STR("\"phone_number_id\""));
}

static bool is_meant(enum mention kind, const struct place *place)
{
    switch (kind) {
    case MENTION_ID:
        return stands_alone(place) && !is_number_of_desk(place);
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

/* ------------------------------------------------------------------ each of them */

struct name {
    enum mention kind;
    struct str text;
};

/* *at: 0 for the first one. */
static bool next_name(const struct mention_names *names, size_t *at, struct name *name)
{
    struct entry entry;

    if (*at * sizeof entry >= names->entries.len) {
        return false;
    }
    memcpy(&entry, names->entries.data + *at * sizeof entry, sizeof entry);
    name->text.data = *at == 0 ? names->bytes.data : name->text.data + name->text.len;
    name->text.len = entry.len;
    name->kind = entry.kind;
    ++*at;
    return true;
}

static bool has_any(struct str text, const struct mention_names *names)
{
    struct name name;

    for (size_t at = 0; next_name(names, &at, &name);) {
        if (has_name(text, name.kind, name.text)) {
            return true;
        }
    }
    return false;
}

/* Whether a closer look can find one: nearly all rows end here, and no tree is made of them. */
static bool may_mention(struct str text, const struct mention_names *names)
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

/* ------------------------------------------------------------------ a place in a document */

/* What is looked for in a part of a document. */
struct search {
    const struct mention_names *names;
    bool places_only;                /* nothing but a customer's place counts */
    bool past;                       /* the field `history`: its messages may be the desk's own */
    struct str desk_number, desk_id; /* what it came to */
    const json_t *metadata;          /* which says so, and is not looked at */
    unsigned removed;                /* members of lists, so far */
};

struct spot {
    const char *key;  /* the value's, or that of the list it is in */
    const char *list; /* the key of the list in which the object is that has the key, or NULL */
    bool item;        /* of that list, itself */
};

static struct spot spot_of_member(const struct spot *object, const char *key)
{
    return (struct spot) { .key = key, .list = object->item ? object->key : NULL };
}

static struct spot spot_of_item(const struct spot *list)
{
    return (struct spot) { .key = list->key, .item = true };
}

static bool is_one_of(const char *key, const char *const *keys, size_t count)
{
    for (size_t i = 0; key != NULL && i < count; i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_key(const char *key, const char *expected)
{
    return key != NULL && strcmp(key, expected) == 0;
}

static bool is_customers(const struct spot *spot)
{
    static const char *const keys[] = {
        "from",
        "from_user_id",
        "from_parent_user_id",
        "to",
        "to_user_id",
        "to_parent_user_id",
        "wa_id",
        "new_wa_id",
        "user_id",
        "parent_user_id",
        "customer",
        "input",
        "recipient",
        "recipient_id",
        "recipient_user_id",
        "recipient_parent_user_id",
        "parent_recipient_user_id",
        "recipient_participant_id",
        "recipient_participant_user_id",
        "recipient_participant_parent_user_id",
        "phone",
        "phone_number",
    };

    return is_one_of(spot->key, keys, ARRAY_SIZE(keys)) ||
           (is_key(spot->key, "id") && is_key(spot->list, "threads"));
}

/* Times, ids of messages, and whatever tells a number of the platform's. */
static bool is_never_a_customers(const struct spot *spot)
{
    static const char *const keys[] = {
        "display_phone_number", "phone_number_id", "phoneNumberId", "timestamp", "wamid", "wacid",
    };
    static const char *const ends[] = { "_timestamp", "Timestamp", "_time", "At" };

    if (is_one_of(spot->key, keys, ARRAY_SIZE(keys)) ||
        (is_key(spot->key, "id") && is_key(spot->list, "entry"))) {
        return true;
    }
    for (size_t i = 0; spot->key != NULL && i < ARRAY_SIZE(ends); i++) {
        if (ends_with(str_of(spot->key), str_of(ends[i]))) {
            return true;
        }
    }
    return false;
}

/* "wamid." and base64, in which any short number may stand alone. */
static bool is_id_of_message(struct str text)
{
    if (!str_starts_with(text, STR("wamid.")) && !str_starts_with(text, STR("wacid."))) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!isalnum((unsigned char)text.data[i]) && strchr("+/=-_.:", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* The number that is displayed may have any form. */
static bool has_digits_of(struct str number, struct str displayed)
{
    size_t at = 0;

    for (size_t i = 0; i < displayed.len; i++) {
        if (!isdigit((unsigned char)displayed.data[i])) {
            continue;
        }
        if (at == number.len || number.data[at++] != displayed.data[i]) {
            return false;
        }
    }
    return at > 0 && at == number.len;
}

/* Is it what the change came to, where that may be meant? A customer may have that number elsewhere
 * only: what is certainly a customer's is believed. */
static bool is_desk(const struct search *search, const struct spot *spot, struct str name)
{
    bool sender = is_key(spot->key, "from") && is_key(spot->list, "messages") && !search->past;

    if (!str_eq(name, search->desk_id) && !has_digits_of(name, search->desk_number)) {
        return false;
    }
    return !is_customers(spot) ||
           ((is_key(spot->key, "from") || is_key(spot->key, "to")) && !sender);
}

static bool id_is_in(const struct search *search, const struct spot *spot, struct str text,
                     struct str name)
{
    bool counts = is_customers(spot) ||
                  (!search->places_only && !is_never_a_customers(spot) && !is_id_of_message(text));

    return counts && !is_desk(search, spot, name) && has_name(text, MENTION_ID, name);
}

static bool username_is_in(const struct search *search, const struct spot *spot, struct str text,
                           struct str name)
{
    if (is_key(spot->key, "username") && !spot->item &&
        str_eq(str_starts_with(text, STR("@")) ? str_skip(text, 1) : text, name)) {
        return true;
    }
    return !search->places_only && has_name(text, MENTION_USERNAME, name);
}

static bool name_is_in(const struct search *search, const struct spot *spot, const json_t *value,
                       const struct name *name)
{
    char digits[24];
    struct str text = json_id_text(value, digits);

    switch (name->kind) {
    case MENTION_ID:
        return json_is_string(value) ? id_is_in(search, spot, text, name->text)
                                     : is_customers(spot) && str_eq(text, name->text) &&
                                           !is_desk(search, spot, name->text);
    case MENTION_USERNAME:
        return json_is_string(value) && username_is_in(search, spot, text, name->text);
    case MENTION_CONTACT:
        return is_key(spot->key, "contactId") && !spot->item && json_is_integer(value) &&
               str_eq(text, name->text);
    }
    return false;
}

static bool scalar_mentions(const struct search *search, const struct spot *spot,
                            const json_t *value)
{
    struct name name;

    if (!json_is_string(value) && !json_is_integer(value)) {
        return false;
    }
    for (size_t at = 0; next_name(search->names, &at, &name);) {
        if (name_is_in(search, spot, value, &name)) {
            return true;
        }
    }
    return false;
}

/* A key is a text like others. */
static bool key_mentions(const struct search *search, const char *key)
{
    static const struct spot nowhere = { .key = NULL };
    struct name name;

    for (size_t at = 0; next_name(search->names, &at, &name);) {
        if (name.kind == MENTION_ID ? id_is_in(search, &nowhere, str_of(key), name.text)
            : name.kind == MENTION_USERNAME
                ? username_is_in(search, &nowhere, str_of(key), name.text)
                : false) {
            return true;
        }
    }
    return false;
}

static bool value_mentions(const struct search *search, const struct spot *spot,
                           const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (value == search->metadata) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const struct spot at = spot_of_member(spot, key);

        if (key_mentions(search, key) || value_mentions(search, &at, member)) {
            return true;
        }
    }
    json_array_foreach(value, i, member)
    {
        const struct spot at = spot_of_item(spot);

        if (value_mentions(search, &at, member)) {
            return true;
        }
    }
    return scalar_mentions(search, spot, value);
}

/* A row of the log is several values without brackets around them. */
bool mention_in(struct str args, const struct mention_names *names)
{
    static const struct json_limits limits = { .mend_utf8 = true };
    static const struct spot nowhere = { .key = NULL };
    const struct search search = { .names = names };
    autobuf struct buf list = BUF_INIT;
    autojson json_t *values = NULL;

    if (!may_mention(args, names)) {
        return false;
    }
    buf_add_char(&list, '[');
    buf_add_str(&list, args);
    buf_add_char(&list, ']');
    values = json_read(buf_str(&list), &limits, NULL);
    return values == NULL || value_mentions(&search, &nowhere, values);
}

/* ------------------------------------------------------------------ the parts of a body */

static const struct spot top = { .key = NULL };
static const struct spot in_changes = { .key = "changes", .item = true };
static const struct spot in_entry = { .key = "entry", .item = true };

/* False for a change of others. */
static bool search_change(const json_t *change, const struct mention_names *names,
                          const struct mention_numbers *numbers, struct search *ret_search)
{
    json_t *metadata = json_object_get(json_object_get(change, "value"), "metadata");
    char digits[24];
    struct str id = json_id_text(json_object_get(metadata, "phone_number_id"), digits);
    enum mention_owner owner = id.len > 0 ? numbers->owner(numbers->arg, id) : MENTION_OF_NOBODY;

    *ret_search = (struct search) {
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
static struct search search_rest(const struct mention_names *names)
{
    return (struct search) { .names = names };
}

static bool change_mentions(const json_t *change, const struct mention_names *names,
                            const struct mention_numbers *numbers)
{
    struct search search;

    return search_change(change, names, numbers, &search) &&
           value_mentions(&search, &in_changes, change);
}

static bool entry_mentions(const json_t *entry, const struct mention_names *names,
                           const struct mention_numbers *numbers)
{
    const json_t *changes = json_object_get(entry, "changes"), *change;
    const struct search rest = search_rest(names);
    size_t i;

    if (!json_is_array(changes)) {
        return value_mentions(&rest, &in_entry, entry);
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
    const struct search rest = search_rest(names);
    autojson json_t *root = NULL;
    const json_t *entries, *entry;
    size_t i;

    if (!may_mention(body, names)) {
        return false;
    }
    root = read_body(body);
    entries = json_object_get(root, "entry");
    if (root == NULL || !json_is_array(entries)) {
        return root == NULL || value_mentions(&rest, &top, root);
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

static bool remove_from(struct search *search, const struct spot *spot, json_t *value);

static void remove_from_list(struct search *search, const struct spot *spot, json_t *list)
{
    const struct spot at = spot_of_item(spot);

    for (size_t i = json_array_size(list); i > 0; i--) {
        if (remove_from(search, &at, json_array_get(list, i - 1))) {
            json_array_remove(list, i - 1);
            search->removed++;
        }
    }
}

static bool remove_from_object(struct search *search, const struct spot *spot, json_t *object)
{
    bool left = false;
    const char *key;
    json_t *member;

    json_object_foreach(object, key, member)
    {
        const struct spot at = spot_of_member(spot, key);

        left = key_mentions(search, key) || left;
        left = remove_from(search, &at, member) || left;
    }
    return left;
}

/* True if it still mentions them. The depth is that of what was received, which has a limit. */
static bool remove_from(struct search *search, const struct spot *spot, json_t *value)
{
    if (value == search->metadata) {
        return false;
    }
    if (json_is_array(value)) {
        remove_from_list(search, spot, value);
        return false;
    }
    return json_is_object(value) ? remove_from_object(search, spot, value)
                                 : scalar_mentions(search, spot, value);
}

/* More than who it was sent to. */
static bool holds_something(const json_t *change)
{
    static const char *const frame[] = { "messaging_product", "metadata", "contacts" };
    const char *key;
    json_t *member;

    json_object_foreach(json_object_get(change, "value"), key, member)
    {
        if (!is_one_of(key, frame, ARRAY_SIZE(frame)) &&
            !(json_is_array(member) && json_array_size(member) == 0)) {
            return true;
        }
    }
    return false;
}

/* True if it is not to be kept. */
static bool remove_from_change(json_t *change, const struct mention_names *names,
                               const struct mention_numbers *numbers)
{
    struct search search;

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
    struct search rest = search_rest(names);
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
    struct search rest = search_rest(names);

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

static void collect_from(const struct search *search, const struct spot *spot, const json_t *value,
                         struct buf *to)
{
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const struct spot at = spot_of_member(spot, key);

        collect_from(search, &at, member, to);
    }
    json_array_foreach(value, i, member)
    {
        const struct spot at = spot_of_item(spot);

        if (is_shared(member)) {
            collect_from(search, &at, member, to);
        } else if (value_mentions(search, &at, member)) {
            collect(member, to);
        }
    }
}

/* What is in none of its lists is told with all of it. */
static void collect_part(const struct search *search, const struct spot *spot, const json_t *part,
                         struct buf *to)
{
    size_t before = to->len;

    if (value_mentions(search, spot, part)) {
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
    struct search search = search_rest(names);
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
    const struct search rest = search_rest(names);
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
