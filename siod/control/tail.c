/* `tail`: every emission, as it happens.
 *
 * A reader that does not keep up never holds the daemon: while more than control_behind() waits for
 * it, records are left out, and when it has read everything, or has caught up at the next record,
 * it is told which sequence numbers it missed. Filters are applied first, so that a gap may name
 * records that the reader did not ask for, but leaves out none that it did. */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/chat/desk.h"
#include "siod/chat/message.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"
#include "siod/metrics/metrics.h"

struct tail {
    struct desk_tap tap;
    struct control_call *call;
    struct timer end, idle;
    uint64_t gap_from, gap_to; /* 0 = no gap */
    uint64_t records;
    uint64_t count; /* 0 = no limit */
    uint64_t idle_ms;
};

static void tail_free(void *state)
{
    struct tail *tail = state;

    desk_tap_remove(control_config(tail->call)->desk, &tail->tap);
    tail->call->control->tails--;
    timer_clear(&tail->end);
    timer_clear(&tail->idle);
    free(tail);
}

static bool listed(const json_t *list, struct str text)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (str_eq(json_str(item), text)) {
            return true;
        }
    }
    return list == NULL;
}

static bool wanted(const struct control_call *call, const struct desk_emission *emission)
{
    int64_t business_id = control_arg_int(call, "business");

    return (business_id == 0 || business_id == emission->business_id) &&
           listed(control_arg(call, "event"), emission->event) &&
           listed(control_arg(call, "room"), emission->room);
}

/* The first of some JSON values that are separated by commas. */
static struct str first_value(struct str values)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < values.len; i++) {
        char c = values.data[i];

        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == ',' && depth == 0) {
            return (struct str) { values.data, i };
        } else {
            quoted = c == '"';
            depth += (c == '{' || c == '[');
            depth -= (c == '}' || c == ']');
        }
    }
    return values;
}

static void render(struct buf *out, const struct desk_emission *emission)
{
    struct str payload = first_value(emission->args);

    buf_add_cstr(out, "{\"seq\":");
    buf_add_u64(out, emission->seq);
    buf_add_cstr(out, ",\"position\":");
    if (emission->position > 0) {
        buf_add_i64(out, emission->position);
    } else {
        buf_add_cstr(out, "null");
    }
    buf_add_cstr(out, ",\"timestamp\":");
    time_render(out, emission->at_ms);
    buf_add_cstr(out, ",\"event\":");
    json_add_string(out, emission->event);
    buf_add_cstr(out, ",\"room\":");
    json_add_string(out, emission->room);
    buf_add_cstr(out, ",\"businessId\":");
    buf_add_i64(out, emission->business_id);
    buf_add_cstr(out, ",\"payload\":");
    buf_add_str(out, payload.len > 0 ? payload : STR("null"));
    buf_add_char(out, '}');
}

static void tell_gap(struct tail *tail)
{
    autobuf struct buf text = BUF_INIT;

    if (tail->gap_from == 0) {
        return;
    }
    buf_add_cstr(&text, "{\"type\":\"gap\",\"from\":");
    buf_add_u64(&text, tail->gap_from);
    buf_add_cstr(&text, ",\"to\":");
    buf_add_u64(&text, tail->gap_to);
    buf_add_char(&text, '}');
    control_piece(tail->call, buf_str(&text));
    metric_add(METRIC_TAIL_GAPS, 1);
    tail->gap_from = 0;
}

static void on_drain(struct control_call *call)
{
    tell_gap(call->state);
}

/* Frees the tail. */
static void finish(struct tail *tail)
{
    autobuf struct buf text = BUF_INIT;

    tell_gap(tail);
    buf_add_cstr(&text, "{\"records\":");
    buf_add_u64(&text, tail->records);
    buf_add_char(&text, '}');
    control_reply(tail->call, buf_str(&text));
}

static void on_end(struct timer *timer)
{
    finish(CONTAINER_OF(timer, struct tail, end));
}

static void on_idle(struct timer *timer)
{
    finish(CONTAINER_OF(timer, struct tail, idle));
}

static void rest(struct tail *tail)
{
    if (tail->idle_ms > 0) {
        timer_set(control_config(tail->call)->loop, &tail->idle, tail->idle_ms, on_idle);
    }
}

static void on_emission(struct desk_tap *tap, const struct desk_emission *emission)
{
    struct tail *tail = CONTAINER_OF(tap, struct tail, tap);
    autobuf struct buf text = BUF_INIT;

    if (!wanted(tail->call, emission)) {
        return;
    }
    rest(tail);
    if (control_behind(tail->call)) {
        tail->gap_from = tail->gap_from > 0 ? tail->gap_from : emission->seq;
        tail->gap_to = emission->seq;
        return;
    }
    tell_gap(tail);
    render(&text, emission);
    control_piece(tail->call, buf_str(&text));
    if (++tail->records == tail->count) {
        finish(tail);
    }
}

void control_tail(struct control_call *call)
{
    struct tail *tail = xnew(struct tail);
    int64_t for_ms = control_arg_int(call, "for");

    tail->call = call;
    tail->count = (uint64_t)control_arg_int(call, "count");
    tail->idle_ms = (uint64_t)control_arg_int(call, "idle");
    tail->tap.fn = on_emission;
    call->state = tail;
    call->release = tail_free;
    call->on_drain = on_drain;
    call->control->tails++;
    desk_tap_add(control_config(call)->desk, &tail->tap);
    control_piece(call, STR_NONE);
    rest(tail);
    if (control_arg(call, "for") != NULL) {
        timer_set(control_config(call)->loop, &tail->end, (uint64_t)for_ms, on_end);
    }
}
