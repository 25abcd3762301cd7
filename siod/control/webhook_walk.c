#include <string.h>

#include "libshared/ctl/argument.h"
#include "libshared/json.h"
#include "siod/chat/message.h"
#include "siod/control/call.h"
#include "siod/control/webhook.h"
#include "siod/net/loop.h"

enum {
    PIECE_IDS = 8 * 1024,                    /* rows whose first page is read */
    PIECE_QUARANTINE_IDS = 64 * 1024 * 1024, /* of them only those in the index are */
};

void control_webhook_render(struct buf *out, const struct store_webhook *webhook)
{
    buf_add_cstr(out, "{\"webhookId\":");
    buf_add_i64(out, webhook->id);
    buf_add_cstr(out, ",\"receivedAt\":");
    time_render(out, webhook->received_at_ms);
    buf_add_cstr(out, ",\"state\":");
    json_add_cstr(out, store_webhook_state_name(webhook->state));
    buf_add_cstr(out, ",\"app\":");
    json_add_string(out, webhook->app);
    buf_add_cstr(out, ",\"counts\":");
    buf_add_str(out, webhook->counts.len > 0 ? webhook->counts : STR("{}"));
    if (webhook->fields.len > 0) {
        buf_add_cstr(out, ",\"fields\":");
        buf_add_str(out, webhook->fields);
    }
    buf_add_cstr(out, ",\"reason\":");
    json_add_str_or_null(out, webhook->reason.len > 0 ? webhook->reason : STR_NONE);
}

static void take_time(const struct control_call *call, const char *key, int64_t *ret_ms)
{
    int64_t now_ms = loop_wall_ms(control_config(call)->loop), at_ms;

    if (ctl_time_ms(control_arg_str(call, key), now_ms, &at_ms)) {
        *ret_ms = at_ms;
    }
}

void control_webhook_times(struct control_call *call, struct store_webhook_search *ret_filter)
{
    ret_filter->since_ms = INT64_MIN;
    ret_filter->until_ms = INT64_MAX;
    take_time(call, "since", &ret_filter->since_ms);
    take_time(call, "until", &ret_filter->until_ms);
}

static enum err begin(struct control_webhook_walk *walk, struct store_reader *reader)
{
    int64_t first = 0, last = 0;
    enum err err =
        store_webhook_ids(reader, walk->filter.since_ms, walk->filter.until_ms, &first, &last);

    walk->begun = err == OK;
    walk->over = last == 0;
    walk->next_id = walk->filter.newest_first ? last : first;
    walk->end_id = walk->filter.newest_first ? first : last;
    return err;
}

/* How far the next piece goes. */
static int64_t piece_end(const struct control_webhook_walk *walk)
{
    const enum store_webhook_state *state = walk->filter.state;
    int64_t ids = state != NULL && *state != STORE_WEBHOOK_DONE ? PIECE_QUARANTINE_IDS : PIECE_IDS;

    return walk->filter.newest_first ? MAX(walk->end_id, walk->next_id - ids + 1)
                                     : MIN(walk->end_id, walk->next_id + ids - 1);
}

static void go_behind(struct control_webhook_walk *walk, int64_t id)
{
    walk->over = id == walk->end_id;
    walk->next_id = walk->filter.newest_first ? id - 1 : id + 1;
}

struct piece {
    struct control_webhook_walk *walk;
    bool (*fn)(void *arg, const struct store_webhook *webhook);
    void *arg;
    bool stopped;
};

static bool pass_on(void *arg, const struct store_webhook *webhook)
{
    struct piece *piece = arg;

    go_behind(piece->walk, webhook->id);
    piece->stopped = !piece->fn(piece->arg, webhook);
    return !piece->stopped;
}

enum err control_webhook_walk_on(struct control_webhook_walk *walk, struct store_reader *reader,
                                 bool (*fn)(void *arg, const struct store_webhook *webhook),
                                 void *arg)
{
    struct piece piece = { .walk = walk, .fn = fn, .arg = arg };
    int64_t end;
    enum err err = walk->begun ? OK : begin(walk, reader);

    if (err != OK || walk->over) {
        return err;
    }
    end = piece_end(walk);
    walk->filter.first_id = MIN(walk->next_id, end);
    walk->filter.last_id = MAX(walk->next_id, end);
    err = store_webhooks_find(reader, &walk->filter, pass_on, &piece);
    if (err == OK && !piece.stopped) {
        go_behind(walk, end);
    }
    return err;
}
