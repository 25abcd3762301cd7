#include "siod/store/mention_place.h"

#include <ctype.h>
#include <string.h>

#include "libshared/json.h"
#include "siod/store/mention_text.h"

struct mention_spot mention_spot_member(const struct mention_spot *object, const char *key)
{
    return (struct mention_spot) { .key = key,
                                   .list = object->item ? object->key : NULL,
                                   .object = object->item ? NULL : object->key };
}

struct mention_spot mention_spot_item(const struct mention_spot *list)
{
    return (struct mention_spot) { .key = list->key, .item = true };
}

static bool is_key(const char *key, const char *expected)
{
    return key != NULL && strcmp(key, expected) == 0;
}

static bool is_customers(const struct mention_spot *spot)
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
        NULL,
    };

    return cstr_in(spot->key, keys) || (is_key(spot->key, "id") && is_key(spot->list, "threads"));
}

/* Times, ids of messages, and whatever tells a number of the platform's. */
static bool is_never_a_customers(const struct mention_spot *spot)
{
    static const char *const keys[] = {
        "display_phone_number",
        "phone_number_id",
        "phoneNumberId",
        "timestamp",
        "wamid",
        "wacid",
        NULL,
    };
    static const char *const ends[] = { "_timestamp", "Timestamp", "_time", "At" };

    if (cstr_in(spot->key, keys) || (is_key(spot->key, "id") && is_key(spot->list, "entry"))) {
        return true;
    }
    for (size_t i = 0; spot->key != NULL && i < ARRAY_SIZE(ends); i++) {
        if (str_ends_with(str_of(spot->key), str_of(ends[i]))) {
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
static bool is_desk(const struct mention_search *search, const struct mention_spot *spot,
                    struct str name)
{
    bool sender = is_key(spot->key, "from") && is_key(spot->list, "messages") && !search->past;

    if (!str_eq(name, search->desk_id) && !has_digits_of(name, search->desk_number)) {
        return false;
    }
    return !is_customers(spot) ||
           ((is_key(spot->key, "from") || is_key(spot->key, "to")) && !sender);
}

static bool id_is_in(const struct mention_search *search, const struct mention_spot *spot,
                     struct str text, struct str name)
{
    bool counts = is_customers(spot) ||
                  (!search->places_only && !is_never_a_customers(spot) && !is_id_of_message(text));

    return counts && !is_desk(search, spot, name) && mention_text_has(text, MENTION_ID, name);
}

static bool username_is_in(const struct mention_search *search, const struct mention_spot *spot,
                           struct str text, struct str name)
{
    if (is_key(spot->key, "username") && !spot->item &&
        str_eq(str_starts_with(text, STR("@")) ? str_skip(text, 1) : text, name)) {
        return true;
    }
    return !search->places_only && mention_text_has(text, MENTION_USERNAME, name);
}

static bool is_contact(const struct mention_spot *spot)
{
    return is_key(spot->key, "contactId") ||
           (is_key(spot->key, "id") &&
            (is_key(spot->object, "contact") || is_key(spot->object, "customerInfo")));
}

static bool name_is_in(const struct mention_search *search, const struct mention_spot *spot,
                       const json_t *value, const struct mention_name *name)
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
        return is_contact(spot) && !spot->item && json_is_integer(value) &&
               str_eq(text, name->text);
    case MENTION_CHAT:
        return is_key(spot->key, "chatId") && !spot->item && json_is_integer(value) &&
               str_eq(text, name->text);
    }
    return false;
}

bool mention_in_scalar(const struct mention_search *search, const struct mention_spot *spot,
                       const json_t *value)
{
    struct mention_name name;

    if (!json_is_string(value) && !json_is_integer(value)) {
        return false;
    }
    for (size_t at = 0; mention_names_next(search->names, &at, &name);) {
        if (name_is_in(search, spot, value, &name)) {
            return true;
        }
    }
    return false;
}

bool mention_in_key(const struct mention_search *search, const char *key)
{
    static const struct mention_spot nowhere = { .key = NULL };
    struct mention_name name;

    for (size_t at = 0; mention_names_next(search->names, &at, &name);) {
        if (name.kind == MENTION_ID ? id_is_in(search, &nowhere, str_of(key), name.text)
            : name.kind == MENTION_USERNAME
                ? username_is_in(search, &nowhere, str_of(key), name.text)
                : false) {
            return true;
        }
    }
    return false;
}

bool mention_in_value(const struct mention_search *search, const struct mention_spot *spot,
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
        const struct mention_spot at = mention_spot_member(spot, key);

        if (mention_in_key(search, key) || mention_in_value(search, &at, member)) {
            return true;
        }
    }
    json_array_foreach(value, i, member)
    {
        const struct mention_spot at = mention_spot_item(spot);

        if (mention_in_value(search, &at, member)) {
            return true;
        }
    }
    return mention_in_scalar(search, spot, value);
}
