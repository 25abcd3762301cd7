#include "sioctl/replay/golden.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/map.h"
#include "sioctl/replay/names.h"

/* Which record is about a message, or about a status of one: "wamid.X read". */
struct origin {
    char *key, *record;
    UT_hash_handle hh;
};

struct seen {
    json_t *event;
    const char *chat, *last; /* the label of the chat, of what it was merged into; NULL: none */
    bool decided;            /* siod's own decision: its place among the others is by chance */
    bool chance;             /* so is that it was made at all */
    size_t at;
};

struct golden {
    struct names names;
    bool counted;
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

    golden->names.ids = ids;
    golden->counted = counted;
    return golden;
}

void golden_free(struct golden *golden)
{
    struct origin *origin, *next_origin;

    names_finish(&golden->names);
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
    struct str old = names_original(&golden->names, id);
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

    json_object_set_new(line, "answer", names_text(record->name));
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

/* ---- events */

static int64_t chat_of(const json_t *event)
{
    json_t *payload = json_object_get(event, "payload");
    json_t *chat = json_object_get(payload, "chatId");

    if (chat == NULL) {
        chat = json_object_get(json_object_get(payload, "message"), "chatId");
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
    names_learn(&golden->names, json_object_get(event, "payload"));
}

bool golden_ask(const struct golden *golden, enum golden_kind *ret_kind, int64_t *ret_id)
{
    return names_ask(&golden->names, ret_kind, ret_id);
}

void golden_tell(struct golden *golden, enum golden_kind kind, int64_t id, const json_t *answer)
{
    names_tell(&golden->names, kind, id, answer);
}

/* ---- lines */

/* The record that an event comes from, NULL when there is none to name. */
static const char *record_of(const struct golden *golden, const struct seen *seen)
{
    json_t *payload = json_object_get(seen->event, "payload");
    json_t *id = json_object_get(payload, "messageId");
    struct str wamid =
        names_original(&golden->names, json_str_at(json_object_get(payload, "message"), "wamid"));
    const char *record = NULL;

    if (seen->decided) {
        return NULL;
    }
    if (wamid.data == NULL && json_is_integer(id)) {
        wamid = str_of(names_of(&golden->names, GOLDEN_MESSAGE, json_integer_value(id)));
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
        json_object_set_new(line, "chat", names_text(seen->chat));
    }
    json_object_set_new(line, "room", json_stringn_nocheck(room.data, room.len));
    json_object_set(line, "event", json_object_get(seen->event, "event"));
    if (record != NULL) {
        json_object_set_new(line, "record", names_text(record));
    }
    json_object_set_new(line, "payload",
                        names_normal(&golden->names, json_object_get(seen->event, "payload")));
    about = record != NULL       ? xstrdup(record)
            : seen->chat != NULL ? xasprintf("chat %s", seen->chat)
                                 : xasprintf("room %.*s", STR_ARG(room));
    add_line(lines, line, about);
}

static int compare_labels(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

/* Chats that are gone have one label: of two such chats neither's place is by chance. */
static int compare_events(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    int by_chat = compare_labels(x->chat, y->chat);
    int by_last = compare_labels(x->last, y->last);

    if (by_chat != 0 || by_last != 0) {
        return by_chat != 0 ? by_chat : by_last;
    }
    if (x->decided != y->decided) {
        return x->decided ? 1 : -1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Was the chat merged before it was decided who gets it, or after? Both may be. */
static void place_event(const struct golden *golden, struct seen *seen)
{
    static const char *const overtaken[] = { "chat_waiting", "chat_assigned", NULL };
    const char *name = json_string_value(json_object_get(seen->event, "event"));
    int64_t chat = chat_of(seen->event), last = names_last_chat(&golden->names, chat);

    if (chat > 0) {
        seen->chat = names_of(&golden->names, GOLDEN_CHAT, chat);
        seen->last = names_of(&golden->names, GOLDEN_CHAT, last);
        seen->chance = last != chat && cstr_in(name, overtaken);
    }
}

void golden_take_lines(struct golden *golden, struct golden_lines *ret_lines)
{
    struct golden_lines lines = { .counted = golden->counted };

    for (size_t i = 0; i < golden->record_count; i++) {
        add_answer_line(golden, &golden->records[i], &lines);
    }
    for (size_t i = 0; i < golden->count; i++) {
        place_event(golden, &golden->events[i]);
    }
    if (golden->count > 0) {
        qsort(golden->events, golden->count, sizeof *golden->events, compare_events);
    }
    for (size_t i = 0; i < golden->count; i++) {
        if (!golden->events[i].chance) {
            add_event_line(golden, &golden->events[i], &lines);
        }
    }
    *ret_lines = lines;
}
