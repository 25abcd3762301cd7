#include "sioctl/replay/names.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "libshared/map.h"

/* What a chat or a message is called. */
struct label {
    int64_t id;
    char *text;   /* NULL: nobody has said so yet */
    int64_t into; /* the chat that this one was merged into, 0 = none */
    UT_hash_handle hh;
};

void names_finish(struct names *names)
{
    struct label *label, *next;

    for (size_t kind = 0; kind < ARRAY_SIZE(names->labels); kind++) {
        HASH_ITER (hh, names->labels[kind], label, next) {
            HASH_DEL(names->labels[kind], label);
            free(label->text);
            free(label);
        }
    }
}

struct str names_original(const struct names *names, struct str id)
{
    struct str old = names->ids != NULL ? replay_ids_original(names->ids, id) : STR_NONE;

    return old.data != NULL ? old : id;
}

json_t *names_text(const char *text)
{
    json_t *value = json_string(text);

    return value != NULL ? value : json_string("?"); /* no UTF-8 */
}

/* ---- chats and messages */

static struct label *label_of(struct names *names, enum golden_kind kind, int64_t id)
{
    struct label *label;

    HASH_FIND(hh, names->labels[kind], &id, sizeof id, label);
    if (label == NULL) {
        label = xnew(struct label);
        label->id = id;
        HASH_ADD(hh, names->labels[kind], id, sizeof label->id, label);
    }
    return label;
}

const char *names_of(const struct names *names, enum golden_kind kind, int64_t id)
{
    struct label *label;

    HASH_FIND(hh, names->labels[kind], &id, sizeof id, label);
    return label != NULL && label->text != NULL ? label->text : "?";
}

int64_t names_last_chat(const struct names *names, int64_t id)
{
    size_t steps = HASH_COUNT(names->labels[GOLDEN_CHAT]); /* so it ends in any case */
    struct label *label;

    for (; steps > 0; steps--) {
        HASH_FIND(hh, names->labels[GOLDEN_CHAT], &id, sizeof id, label);
        if (label == NULL || label->into == 0) {
            break;
        }
        id = label->into;
    }
    return id;
}

/* "chatId", "intoChatId", and "into" beside it: the store's own id of what? */
static bool which_kind(const char *key, enum golden_kind *ret_kind)
{
    static const struct {
        const char *key, *end;
    } keys[] = {
        [GOLDEN_CHAT] = { "chatId", "ChatId" }, [GOLDEN_MESSAGE] = { "messageId", "MessageId" }
    };

    if (strcmp(key, "into") == 0) {
        *ret_kind = GOLDEN_CHAT;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (strcmp(key, keys[i].key) == 0 || str_ends_with(str_of(key), str_of(keys[i].end))) {
            *ret_kind = (enum golden_kind)i;
            return true;
        }
    }
    return false;
}

static void set_label(struct label *label, struct str text)
{
    if (label->text == NULL) {
        label->text = xstrndup(text.data, text.len);
    }
}

static void learn_merge(struct names *names, const json_t *value)
{
    const json_t *chat = json_object_get(value, "chatId");
    const json_t *into = json_object_get(value, "into");

    if (json_is_integer(chat) && json_is_integer(into)) {
        label_of(names, GOLDEN_CHAT, json_integer_value(chat))->into = json_integer_value(into);
    }
}

void names_learn(struct names *names, json_t *value)
{
    struct str wamid = names_original(names, json_str_at(value, "wamid"));
    const json_t *id = json_object_get(value, "id");
    enum golden_kind kind;
    json_t *member;
    const char *key;
    size_t i;

    if (wamid.len > 0 && json_is_integer(id)) {
        set_label(label_of(names, GOLDEN_MESSAGE, json_integer_value(id)), wamid);
    }
    learn_merge(names, value);
    json_array_foreach(value, i, member)
    {
        names_learn(names, member);
    }
    json_object_foreach(value, key, member)
    {
        if (json_is_integer(member) && which_kind(key, &kind)) {
            (void)label_of(names, kind, json_integer_value(member));
        }
        names_learn(names, member);
    }
}

bool names_ask(const struct names *names, enum golden_kind *ret_kind, int64_t *ret_id)
{
    for (unsigned kind = 0; kind < ARRAY_SIZE(names->labels); kind++) {
        struct label *label, *next;

        HASH_ITER (hh, names->labels[kind], label, next) {
            if (label->text == NULL) {
                *ret_kind = (enum golden_kind)kind;
                *ret_id = label->id;
                return true;
            }
        }
    }
    return false;
}

static char *name_chat(const json_t *chat)
{
    static const char *const names[] = { "waId", "phone", "userId" };
    struct str group = json_str_at(chat, "groupId");
    struct str phone = json_str_at(chat, "phoneNumberId");
    struct str who = group;

    for (size_t i = 0; i < ARRAY_SIZE(names) && who.len == 0; i++) {
        who = json_str_at(json_object_get(chat, "contact"), names[i]);
    }
    return xasprintf("%.*s@%.*s", STR_ARG(who), STR_ARG(phone));
}

void names_tell(struct names *names, enum golden_kind kind, int64_t id, const json_t *answer)
{
    struct label *label = label_of(names, kind, id);
    struct str wamid = names_original(names, json_str_at(answer, "wamid"));

    if (answer == NULL) {
        set_label(label, STR("gone"));
    } else if (kind == GOLDEN_MESSAGE) {
        set_label(label, wamid.len > 0 ? wamid : STR("no wamid"));
    } else if (label->text == NULL) {
        label->text = name_chat(answer);
    }
}

/* ---- normalised */

/* Ids of the store's own; those of businesses, users and agents are given to it. */
static bool is_own_id(const char *key)
{
    static const char *const given[] = { "businessId", "userId", "agentId" };

    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        if (strcmp(key, given[i]) == 0) {
            return false;
        }
    }
    return strcmp(key, "id") == 0 || str_ends_with(str_of(key), STR("Id"));
}

static json_t *normal_member(const struct names *names, const char *key, const json_t *value)
{
    enum golden_kind kind;

    if (json_is_integer(value) && which_kind(key, &kind)) {
        return names_text(names_of(names, kind, json_integer_value(value)));
    }
    if (json_is_integer(value) && is_own_id(key)) {
        return json_string("<id>");
    }
    /* As the customer was when the decision was made, or a moment later: the chat says who. */
    if (strcmp(key, "customerInfo") == 0 && json_is_object(value)) {
        return json_string("<customer>");
    }
    return names_normal(names, value);
}

static json_t *normal_string(const struct names *names, const json_t *value)
{
    struct str text = names_original(names, json_str(value));
    int64_t ms;

    if (text.len == CLOCK_ISO_SIZE - 1 && clock_iso_parse(text, &ms)) {
        return json_string("<time>");
    }
    return json_stringn_nocheck(text.data, text.len);
}

json_t *names_normal(const struct names *names, const json_t *value)
{
    json_t *copy, *member;
    const char *key;
    size_t i;

    if (json_is_string(value)) {
        return normal_string(names, value);
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, member)
        {
            json_array_append_new(copy, names_normal(names, member));
        }
        return copy;
    }
    if (!json_is_object(value)) {
        return json_copy((json_t *)(uintptr_t)value);
    }
    copy = json_object();
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        json_object_set_new_nocheck(copy, key, normal_member(names, key, member));
    }
    return copy;
}
