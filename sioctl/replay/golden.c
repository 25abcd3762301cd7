#include "sioctl/replay/golden.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "libshared/map.h"

/* What a chat or a message is called. */
struct label {
    int64_t id;
    char *text; /* NULL: nobody has said so yet */
    UT_hash_handle hh;
};

/* Which record is about a message, or about a status of one: "wamid.X read". */
struct origin {
    char *key, *record;
    UT_hash_handle hh;
};

struct seen {
    json_t *event;
    const char *chat; /* the chat's label; NULL: none */
    bool decided;     /* siod's own decision: its place among the others is by chance */
    size_t at;
};

struct golden {
    const struct replay_ids *ids;
    bool counted;
    struct label *labels[2];
    struct origin *origins;
    struct record {
        char *name;
        json_t *answer;
    } * records;
    size_t record_count;
    struct seen *events;
    size_t count, room;
};

struct golden *golden_new(const struct replay_ids *ids, bool counted)
{
    struct golden *golden = xnew(struct golden);

    golden->ids = ids;
    golden->counted = counted;
    return golden;
}

void golden_free(struct golden *golden)
{
    struct label *label, *next_label;
    struct origin *origin, *next_origin;

    for (size_t kind = 0; kind < ARRAY_SIZE(golden->labels); kind++) {
        HASH_ITER (hh, golden->labels[kind], label, next_label) {
            HASH_DEL(golden->labels[kind], label);
            free(label->text);
            free(label);
        }
    }
    HASH_ITER (hh, golden->origins, origin, next_origin) {
        HASH_DEL(golden->origins, origin);
        free(origin->key);
        free(origin->record);
        free(origin);
    }
    for (size_t i = 0; i < golden->count; i++) {
        json_decref(golden->events[i].event);
    }
    for (size_t i = 0; i < golden->record_count; i++) {
        free(golden->records[i].name);
        json_decref(golden->records[i].answer);
    }
    free(golden->records);
    free(golden->events);
    free(golden);
}

/* An id as it was recorded. */
static struct str original(const struct golden *golden, struct str id)
{
    struct str old = golden->ids != NULL ? replay_ids_original(golden->ids, id) : STR_NONE;

    return old.data != NULL ? old : id;
}

/* ---- records and answers */

static char *origin_key(struct str id, struct str status)
{
    return status.len > 0 ? xasprintf("%.*s %.*s", STR_ARG(id), STR_ARG(status))
                          : xstrndup(id.data, id.len);
}

static const char *find_origin(const struct golden *golden, struct str id, struct str status)
{
    autofree char *key = origin_key(id, status);
    struct origin *origin;

    HASH_FIND(hh, golden->origins, key, strlen(key), origin);
    return origin != NULL ? origin->record : NULL;
}

struct adding {
    struct golden *golden;
    const char *name;
};

/* The first record counts. */
static void add_origin(void *arg, struct str id, struct str status)
{
    const struct adding *adding = arg;
    struct golden *golden = adding->golden;
    struct str old = original(golden, id);
    struct origin *origin;

    if (find_origin(golden, old, status) != NULL) {
        return;
    }
    origin = xnew(struct origin);
    origin->key = origin_key(old, status);
    origin->record = xstrdup(adding->name);
    HASH_ADD_KEYPTR(hh, golden->origins, origin->key, strlen(origin->key), origin);
}

void golden_add_record(struct golden *golden, const char *name, struct str body)
{
    struct adding adding = { golden, name };

    if ((golden->record_count & (golden->record_count - 1)) == 0) { /* it is full, as below */
        size_t room = golden->record_count > 0 ? golden->record_count * 2 : 1;

        golden->records = xrealloc(golden->records, room * sizeof *golden->records);
    }
    golden->records[golden->record_count++] = (struct record) { .name = xstrdup(name) };
    replay_ids_find(body, add_origin, &adding);
}

static void add_line(struct golden_lines *lines, const json_t *root, const char *about)
{
    if ((lines->count & (lines->count - 1)) == 0) { /* a power of two, or 0: it is full */
        size_t room = lines->count > 0 ? lines->count * 2 : 1;

        lines->list = xrealloc(lines->list, room * sizeof *lines->list);
    }
    lines->list[lines->count++] =
        (struct golden_line) { .text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS),
                               .about = xstrdup(about) };
}

static json_t *text_of(const char *text)
{
    json_t *value = json_string(text);

    return value != NULL ? value : json_string("?"); /* no UTF-8 */
}

/* What a repetition did not count again was counted once; that it was one counts only if it was
 * one each time. */
static void merge_counts(json_t *counts, const json_t *more)
{
    json_t *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)more, key, value)
    {
        json_int_t before = json_integer_value(json_object_get(counts, key));
        json_int_t now = json_integer_value(value);

        if (strcmp(key, "dups") == 0 ? now < before : now > before) {
            json_object_set(counts, key, value);
        }
    }
}

/* The first answer that is not 200 stands for all. */
void golden_add_answer(struct golden *golden, size_t record, const json_t *answer)
{
    json_t **merged = &golden->records[record].answer;
    bool accepted = json_integer_value(json_object_get(*merged, "status")) == 200;

    if (*merged == NULL) {
        *merged = json_deep_copy(answer);
    } else if (accepted && json_integer_value(json_object_get(answer, "status")) != 200) {
        json_decref(*merged);
        *merged = json_deep_copy(answer);
    } else if (accepted) {
        merge_counts(json_object_get(*merged, "counts"), json_object_get(answer, "counts"));
    }
}

static json_t *nonzero_counts(const json_t *counts)
{
    json_t *some = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)counts, key, value)
    {
        if (json_integer_value(value) != 0) {
            json_object_set(some, key, value);
        }
    }
    return some;
}

static void add_answer_line(const struct golden *golden, const struct record *record,
                            struct golden_lines *lines)
{
    autojson json_t *line = json_object();
    const json_t *reason = json_object_get(record->answer, "reason");

    json_object_set_new(line, "answer", text_of(record->name));
    json_object_set(line, "status", json_object_get(record->answer, "status"));
    if (golden->counted) {
        json_object_set_new(line, "counts",
                            nonzero_counts(json_object_get(record->answer, "counts")));
    }
    if (golden->counted && json_is_string(reason)) {
        json_object_set_new(line, "reason", json_copy((json_t *)(uintptr_t)reason));
    }
    add_line(lines, line, record->name);
}

/* ---- what the events tell about chats and messages */

static struct label *label_of(struct golden *golden, enum golden_kind kind, int64_t id)
{
    struct label *label;

    HASH_FIND(hh, golden->labels[kind], &id, sizeof id, label);
    if (label == NULL) {
        label = xnew(struct label);
        label->id = id;
        HASH_ADD(hh, golden->labels[kind], id, sizeof label->id, label);
    }
    return label;
}

static const char *label_text(const struct golden *golden, enum golden_kind kind, int64_t id)
{
    struct label *label;

    HASH_FIND(hh, golden->labels[kind], &id, sizeof id, label);
    return label != NULL && label->text != NULL ? label->text : "?";
}

static bool ends_with(const char *key, const char *end)
{
    size_t len = strlen(key), end_len = strlen(end);

    return len >= end_len && strcmp(key + len - end_len, end) == 0;
}

/* "chatId", "intoChatId": the store's own id of what? */
static bool names_kind(const char *key, enum golden_kind *ret_kind)
{
    static const struct {
        const char *key, *end;
    } names[] = {
        [GOLDEN_CHAT] = { "chatId", "ChatId" }, [GOLDEN_MESSAGE] = { "messageId", "MessageId" }
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(key, names[i].key) == 0 || ends_with(key, names[i].end)) {
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

static void learn(struct golden *golden, json_t *value)
{
    struct str wamid = original(golden, json_str_at(value, "wamid"));
    const json_t *id = json_object_get(value, "id");
    enum golden_kind kind;
    json_t *member;
    const char *key;
    size_t i;

    if (wamid.len > 0 && json_is_integer(id)) {
        set_label(label_of(golden, GOLDEN_MESSAGE, json_integer_value(id)), wamid);
    }
    json_array_foreach(value, i, member)
    {
        learn(golden, member);
    }
    json_object_foreach(value, key, member)
    {
        if (json_is_integer(member) && names_kind(key, &kind)) {
            (void)label_of(golden, kind, json_integer_value(member));
        }
        learn(golden, member);
    }
}

static int64_t chat_of(const json_t *event)
{
    json_t *payload = json_object_get(event, "payload");
    json_t *chat = json_object_get(payload, "chatId");

    if (chat == NULL) {
        chat = json_dig(payload, "message", "chatId", NULL);
    }
    return json_integer_value(chat);
}

void golden_add_event(struct golden *golden, json_t *event)
{
    struct str name = json_str_at(event, "event");
    struct seen *seen;

    if (golden->count == golden->room) {
        golden->room = golden->room * 2 + 64;
        golden->events = xrealloc(golden->events, golden->room * sizeof *golden->events);
    }
    seen = &golden->events[golden->count];
    *seen = (struct seen) { .event = json_incref(event),
                            .decided = str_starts_with(name, STR("chat_")),

                            .at = golden->count };
    golden->count++;
    learn(golden, json_object_get(event, "payload"));
}

bool golden_ask(const struct golden *golden, enum golden_kind *ret_kind, int64_t *ret_id)
{
    for (unsigned kind = 0; kind < ARRAY_SIZE(golden->labels); kind++) {
        struct label *label, *next;

        HASH_ITER (hh, golden->labels[kind], label, next) {
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

void golden_tell(struct golden *golden, enum golden_kind kind, int64_t id, const json_t *answer)
{
    struct label *label = label_of(golden, kind, id);
    struct str wamid = original(golden, json_str_at(answer, "wamid"));

    if (answer == NULL) {
        set_label(label, STR("gone"));
    } else if (kind == GOLDEN_MESSAGE) {
        set_label(label, wamid.len > 0 ? wamid : STR("no wamid"));
    } else if (label->text == NULL) {
        label->text = name_chat(answer);
    }
}

/* ---- lines */

static json_t *normal(const struct golden *golden, const json_t *value);

/* Ids of the store's own; those of businesses, users and agents are given to it. */
static bool is_own_id(const char *key)
{
    static const char *const given[] = { "businessId", "userId", "agentId" };

    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        if (strcmp(key, given[i]) == 0) {
            return false;
        }
    }
    return strcmp(key, "id") == 0 || ends_with(key, "Id");
}

static json_t *normal_member(const struct golden *golden, const char *key, const json_t *value)
{
    enum golden_kind kind;

    if (json_is_integer(value) && names_kind(key, &kind)) {
        return text_of(label_text(golden, kind, json_integer_value(value)));
    }
    if (json_is_integer(value) && is_own_id(key)) {
        return json_string("<id>");
    }
    /* As the customer was when the decision was made, or a moment later: the chat says who. */
    if (strcmp(key, "customerInfo") == 0 && json_is_object(value)) {
        return json_string("<customer>");
    }
    return normal(golden, value);
}

static json_t *normal_string(const struct golden *golden, const json_t *value)
{
    struct str text = original(golden, json_str(value));
    int64_t ms;

    if (text.len == CLOCK_ISO_SIZE - 1 && clock_iso_parse(text, &ms)) {
        return json_string("<time>");
    }
    return json_stringn_nocheck(text.data, text.len);
}

static json_t *normal(const struct golden *golden, const json_t *value)
{
    json_t *copy, *member;
    const char *key;
    size_t i;

    if (json_is_string(value)) {
        return normal_string(golden, value);
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, member)
        {
            json_array_append_new(copy, normal(golden, member));
        }
        return copy;
    }
    if (!json_is_object(value)) {
        return json_copy((json_t *)(uintptr_t)value);
    }
    copy = json_object();
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        json_object_set_new_nocheck(copy, key, normal_member(golden, key, member));
    }
    return copy;
}

/* The record that an event comes from, NULL when there is none to name. */
static const char *record_of(const struct golden *golden, const struct seen *seen)
{
    json_t *payload = json_object_get(seen->event, "payload");
    json_t *id = json_object_get(payload, "messageId");
    struct str wamid = original(golden, json_str(json_dig(payload, "message", "wamid", NULL)));
    const char *record = NULL;

    if (seen->decided) {
        return NULL;
    }
    if (wamid.data == NULL && json_is_integer(id)) {
        wamid = str_of(label_text(golden, GOLDEN_MESSAGE, json_integer_value(id)));
        record = find_origin(golden, wamid, json_str_at(payload, "status"));
    }
    return record != NULL || wamid.len == 0 ? record : find_origin(golden, wamid, STR_NONE);
}

static void add_event_line(const struct golden *golden, const struct seen *seen,
                           struct golden_lines *lines)
{
    struct str room = json_str_at(seen->event, "room");
    const char *record = record_of(golden, seen);
    autojson json_t *line = json_object();
    autofree char *about = NULL;

    if (str_starts_with(room, STR("chat_"))) {
        room = STR("chat");
    }
    if (seen->chat != NULL) {
        json_object_set_new(line, "chat", text_of(seen->chat));
    }
    json_object_set_new(line, "room", json_stringn_nocheck(room.data, room.len));
    json_object_set(line, "event", json_object_get(seen->event, "event"));
    if (record != NULL) {
        json_object_set_new(line, "record", text_of(record));
    }
    json_object_set_new(line, "payload", normal(golden, json_object_get(seen->event, "payload")));
    about = record != NULL       ? xstrdup(record)
            : seen->chat != NULL ? xasprintf("chat %s", seen->chat)
                                 : xasprintf("room %.*s", STR_ARG(room));
    add_line(lines, line, about);
}

static int compare_events(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    int by_chat = strcmp(x->chat != NULL ? x->chat : "", y->chat != NULL ? y->chat : "");

    if (by_chat != 0) {
        return by_chat;
    }
    if (x->decided != y->decided) {
        return x->decided ? 1 : -1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

void golden_take_lines(struct golden *golden, struct golden_lines *ret_lines)
{
    struct golden_lines lines = { .counted = golden->counted };

    for (size_t i = 0; i < golden->record_count; i++) {
        add_answer_line(golden, &golden->records[i], &lines);
    }
    for (size_t i = 0; i < golden->count; i++) {
        int64_t chat = chat_of(golden->events[i].event);

        golden->events[i].chat = chat > 0 ? label_text(golden, GOLDEN_CHAT, chat) : NULL;
    }
    if (golden->count > 0) {
        qsort(golden->events, golden->count, sizeof *golden->events, compare_events);
    }
    for (size_t i = 0; i < golden->count; i++) {
        add_event_line(golden, &golden->events[i], &lines);
    }
    *ret_lines = lines;
}
