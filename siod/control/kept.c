/* Webhooks that are kept: `webhook show`, and `webhook fetch`, of which sioctl makes `webhook
 * export`.
 *
 * A fetch goes through the store in pieces, and no faster than its peer reads: first it finds out
 * which webhooks are meant, then it reads their bodies, a page of them at a time. What is purged in
 * between is left out. Bodies travel in base64, large ones in several records, so that no line is
 * longer than a reader of the protocol has to take. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/base64.h"
#include "libshared/json.h"
#include "libshared/utf8.h"
#include "siod/control/call.h"
#include "siod/control/webhook.h"

enum {
    SHOWN_MAX = 16 * 1024 * 1024, /* bytes of a body in one line */
    PART_BYTES = 3 * 512 * 1024,  /* of a body in one record; a multiple of three */
    PAGE_BYTES = 256 * 1024,
    PAGE_ROWS = 256,
    SCAN_PIECES = 16, /* of a walk, in one read job */
    LIMIT_MAX = 1000000,
};

/* ---- show */

struct show {
    struct store_query query;
    struct control_call *call;
    struct buf text;
};

static void show_free(void *state)
{
    struct show *show = state;

    buf_finish(&show->text);
    free(show);
}

static void add_body(struct buf *out, struct str body)
{
    if (body.len == 0) {
        buf_add_cstr(out, ",\"body\":null");
    } else if (utf8_valid(body)) {
        buf_add_cstr(out, ",\"body\":");
        json_add_string(out, body);
    } else {
        buf_add_cstr(out, ",\"bodyB64\":\"");
        base64_add(out, body);
        buf_add_char(out, '"');
    }
}

static enum err show_fetch(struct store_query *query, struct store_reader *reader)
{
    struct show *show = CONTAINER_OF(query, struct show, query);
    struct store_webhook webhook;
    enum err err = store_webhook_get(reader, control_arg_int(show->call, "webhook"), &webhook);

    if (err == OK && webhook.bytes > SHOWN_MAX) {
        err = ERR_TOO_LARGE;
    }
    buf_clear(&show->text);
    if (err == OK) {
        control_webhook_render(&show->text, &webhook);
        buf_printf(&show->text, ",\"bytes\":%lld", (long long)webhook.bytes);
        add_body(&show->text, webhook.body);
        buf_add_char(&show->text, '}');
    }
    return err;
}

static void show_done(struct store_query *query, enum err err)
{
    struct show *show = CONTAINER_OF(query, struct show, query);
    struct control_call *call = show->call;
    long long id;

    if (!control_unhold(call)) {
        return;
    }
    id = (long long)control_arg_int(call, "webhook");
    if (err == ERR_NOT_FOUND) {
        control_fail(call, err, "no webhook %lld", id);
    } else if (err == ERR_TOO_LARGE) {
        control_fail(call, err, "webhook %lld is larger than %d bytes: export it", id, SHOWN_MAX);
    } else if (err != OK) {
        control_fail(call, err, NULL);
    } else {
        control_reply(call, buf_str(&show->text));
    }
}

void control_webhook_show(struct control_call *call)
{
    struct show *show = xnew(struct show);

    show->query.fetch = show_fetch;
    show->query.done = show_done;
    show->call = call;
    call->state = show;
    call->release = show_free;
    control_hold(call);
    store_ask(control_config(call)->store, &show->query);
}

void control_webhook_quarantine_show(struct control_call *call)
{
    control_webhook_show(call);
}

/* ---- fetch */

struct fetch {
    struct store_query query;
    struct control_call *call;
    struct control_webhook_walk walk;
    size_t limit;   /* the newest so many; 0 = all */
    bool named;     /* the ids were given: each must be there */
    struct buf ids; /* int64_t: to be sent, from `at` on, in this order */
    size_t at;
    bool scan_over;  /* all ids are known */
    int64_t missing; /* a named one that is not there */
    struct buf page; /* records, one behind the other */
    struct buf ends; /* size_t: where each of them ends */
    size_t sent, sent_ends;
    uint64_t records;
};

static void fetch_free(void *state)
{
    struct fetch *fetch = state;

    buf_finish(&fetch->ids);
    buf_finish(&fetch->page);
    buf_finish(&fetch->ends);
    free(fetch);
}

static size_t id_count(const struct fetch *fetch)
{
    return fetch->ids.len / sizeof(int64_t);
}

static int64_t *id_list(const struct fetch *fetch)
{
    return (int64_t *)(void *)fetch->ids.data;
}

static bool note_id(void *arg, const struct store_webhook *webhook)
{
    struct fetch *fetch = arg;

    if (webhook->bytes > 0) {
        buf_add(&fetch->ids, &webhook->id, sizeof webhook->id);
    }
    return fetch->limit == 0 || id_count(fetch) < fetch->limit;
}

static int compare_ids(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

static void sort_ids(struct fetch *fetch)
{
    if (fetch->ids.len > 0) {
        qsort(fetch->ids.data, id_count(fetch), sizeof(int64_t), compare_ids);
    }
}

/* Newest first as long as there is a limit: all of them must be known before the oldest is sent.
 * Otherwise those that were found are sent before others are looked for. */
static enum err scan(struct fetch *fetch, struct store_reader *reader)
{
    enum err err = OK;

    if (fetch->limit == 0) {
        buf_clear(&fetch->ids);
        fetch->at = 0;
    }
    for (unsigned i = 0; i < SCAN_PIECES && err == OK && !fetch->walk.over; i++) {
        if (fetch->limit > 0 ? id_count(fetch) == fetch->limit : id_count(fetch) > 0) {
            break;
        }
        err = control_webhook_walk_on(&fetch->walk, reader, note_id, fetch);
    }
    fetch->scan_over = fetch->walk.over || (fetch->limit > 0 && id_count(fetch) == fetch->limit);
    if (fetch->scan_over && fetch->limit > 0) {
        sort_ids(fetch);
    }
    return err;
}

static void add_part(struct fetch *fetch, const struct store_webhook *webhook, struct str part,
                     bool more)
{
    struct buf *out = &fetch->page;

    control_webhook_render(out, webhook);
    buf_printf(out, ",\"bytes\":%lld,\"more\":%s,\"bodyB64\":\"", (long long)webhook->bytes,
               more ? "true" : "false");
    base64_add(out, part);
    buf_add_cstr(out, "\"}");
    buf_add(&fetch->ends, &out->len, sizeof out->len);
}

static void add_webhook(struct fetch *fetch, const struct store_webhook *webhook)
{
    struct str rest = webhook->body;

    do {
        struct str part = { rest.data, MIN(rest.len, (size_t)PART_BYTES) };

        rest = str_skip(rest, part.len);
        add_part(fetch, webhook, part, rest.len > 0);
    } while (rest.len > 0);
    fetch->records++;
}

/* A named one that is not there stays first in line. */
static enum err read_bodies(struct fetch *fetch, struct store_reader *reader)
{
    for (unsigned rows = 0;
         rows < PAGE_ROWS && fetch->page.len < PAGE_BYTES && fetch->at < id_count(fetch); rows++) {
        int64_t id = id_list(fetch)[fetch->at];
        struct store_webhook webhook;
        enum err err = store_webhook_get(reader, id, &webhook);
        bool there = err == OK && webhook.bytes > 0;

        if (err != OK && err != ERR_NOT_FOUND) {
            return err;
        }
        if (!there && fetch->named) {
            fetch->missing = id;
            return OK;
        }
        if (there) {
            add_webhook(fetch, &webhook);
        }
        fetch->at++;
    }
    return OK;
}

static enum err fetch_fetch(struct store_query *query, struct store_reader *reader)
{
    struct fetch *fetch = CONTAINER_OF(query, struct fetch, query);
    bool looking = !fetch->scan_over && (fetch->limit > 0 || fetch->at == id_count(fetch));

    buf_clear(&fetch->page);
    buf_clear(&fetch->ends);
    fetch->sent = 0;
    fetch->sent_ends = 0;
    return looking ? scan(fetch, reader) : read_bodies(fetch, reader);
}

static bool ask_page(struct control_call *call)
{
    struct fetch *fetch = call->state;

    control_produce_stop(call);
    control_hold(call);
    store_ask(control_config(call)->store, &fetch->query);
    return false;
}

static void finish(struct fetch *fetch)
{
    autobuf struct buf text = BUF_INIT;

    if (fetch->missing > 0) {
        control_fail(fetch->call, ERR_NOT_FOUND, "webhook %lld is not there, or not its body",
                     (long long)fetch->missing);
        return;
    }
    buf_printf(&text, "{\"records\":%llu}", (unsigned long long)fetch->records);
    control_reply(fetch->call, buf_str(&text));
}

/* One record of the page, or what comes after the last. */
static bool send_record(struct control_call *call)
{
    struct fetch *fetch = call->state;
    size_t end;

    if (fetch->sent_ends < fetch->ends.len) {
        memcpy(&end, fetch->ends.data + fetch->sent_ends, sizeof end);
        control_piece(call, (struct str) { fetch->page.data + fetch->sent, end - fetch->sent });
        fetch->sent = end;
        fetch->sent_ends += sizeof end;
        return true;
    }
    if (fetch->missing == 0 && (!fetch->scan_over || fetch->at < id_count(fetch))) {
        return ask_page(call);
    }
    control_produce_stop(call);
    finish(fetch);
    return false;
}

static void fetch_done(struct store_query *query, enum err err)
{
    struct fetch *fetch = CONTAINER_OF(query, struct fetch, query);
    struct control_call *call = fetch->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, NULL);
    } else {
        if (fetch->ends.len == 0) {
            control_piece(call, STR_NONE); /* it is still being looked for */
        }
        control_produce(call, send_record);
    }
}

static void drop_repeated(struct fetch *fetch)
{
    int64_t *ids = id_list(fetch);
    size_t kept = 0;

    for (size_t i = 0; i < id_count(fetch); i++) {
        if (kept == 0 || ids[i] != ids[kept - 1]) {
            ids[kept++] = ids[i];
        }
    }
    fetch->ids.len = kept * sizeof *ids;
}

static void take_named(struct fetch *fetch, const json_t *ids)
{
    json_t *value;
    size_t i;

    json_array_foreach(ids, i, value)
    {
        int64_t id = json_integer_value(value);

        buf_add(&fetch->ids, &id, sizeof id);
    }
    sort_ids(fetch);
    drop_repeated(fetch);
    fetch->named = fetch->scan_over = ids != NULL;
}

void control_webhook_fetch(struct control_call *call)
{
    int64_t limit = control_arg_int(call, "limit");
    struct fetch *fetch;

    if (limit > LIMIT_MAX) {
        control_fail(call, ERR_TOO_LARGE, "--limit: at most %d", LIMIT_MAX);
        return;
    }
    fetch = xnew(struct fetch);
    fetch->query.fetch = fetch_fetch;
    fetch->query.done = fetch_done;
    fetch->call = call;
    fetch->limit = (size_t)limit;
    fetch->walk.filter.newest_first = limit > 0;
    control_webhook_times(call, &fetch->walk.filter);
    take_named(fetch, control_arg(call, "id"));
    call->state = fetch;
    call->release = fetch_free;
    (void)ask_page(call);
}
