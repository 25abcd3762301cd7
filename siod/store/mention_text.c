#include "siod/store/mention_text.h"

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

bool mention_names_next(const struct mention_names *names, size_t *at, struct mention_name *name)
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

/* ------------------------------------------------------------------ one of them */

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

static bool is_value_of(struct str before, struct str quoted_key)
{
    before = json_text_trim(before);
    if (!str_ends_with(before, STR(":"))) {
        return false;
    }
    before.len--;
    return str_ends_with(json_text_trim(before), quoted_key);
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
    bool called = str_ends_with(before, STR("@"));

    if (!username_ends(place->behind)) {
        return false;
    }
    before.len -= called;
    if (called && !is_word_at(before, before.len - 1)) {
        return true;
    }
    return str_ends_with(before, STR("\"")) && str_starts_with(place->behind, STR("\"")) &&
           is_value_of((struct str) { before.data, before.len - 1 }, STR("\"username\""));
}

static bool is_number_of_desk(const struct place *place)
{
    struct str before = place->before;

    if (!str_ends_with(before, STR("\""))) {
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
        return stands_alone(place) && (is_value_of(place->before, STR("\"contactId\"")) ||
                                       is_value_of(place->before, STR("\"id\"")));
    case MENTION_CHAT:
        return stands_alone(place) && is_value_of(place->before, STR("\"chatId\""));
    }
    return false;
}

bool mention_text_has(struct str text, enum mention kind, struct str name)
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

/* ------------------------------------------------------------------ any of them */

static bool has_any(struct str text, const struct mention_names *names)
{
    struct mention_name name;

    for (size_t at = 0; mention_names_next(names, &at, &name);) {
        if (mention_text_has(text, name.kind, name.text)) {
            return true;
        }
    }
    return false;
}

bool mention_text_may(struct str text, const struct mention_names *names)
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
