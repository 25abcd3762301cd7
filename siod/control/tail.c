/* `tail`: every emission, as it happens.
 *
 * A reader that does not keep up never holds the daemon: while more than control_behind() waits for
 * it, records are left out, and when it has read everything, or has caught up at the next record,
 * it is told which sequence numbers it missed. Filters are applied first, so that a gap may name
 * records that the reader did not ask for, but leaves out none that it did.
 *
 * With --since the log is read first, page by page and only as fast as the reader takes it. What is
 * emitted meanwhile is in the log too, so it is not kept: when a page ends where the emissions
 * stand, or beyond, the stream goes on with these, less those that the page had already. Where
 * positions are missing, a gap record says so: retention, or the erasure of a contact, has removed
 * them. A reader that does not keep up later on gets the log again from where it was, and misses
 * only what is not stored. */
#include "siod/control/tail.h"

#include <string.h>

#include "libshared/alloc.h"
#include "libshared/ctl/argument.h"
#include "libshared/json.h"
#include "libshared/json_text.h"
#include "siod/chat/desk.h"
#include "siod/chat/message.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"
#include "siod/metrics/metrics.h"

enum { PAGE_ROWS = 250, PAGE_BYTES = 128 * 1024 };

/* Reading the log. */
struct tail_log {
    struct store_query query;
    bool reading;   /* not live yet */
    bool from_time; /* the position is still to be found */
    bool more;      /* the page ended before the log did */
    bool beyond;    /* nobody has got that far */
    int64_t since_ms;
    int64_t position; /* of the last row that was read */
    struct buf page;  /* records, one behind the other */
    struct buf ends;  /* struct page_end, one a record */
    unsigned rows;
};

struct page_end {
    size_t at;
    bool gap;
};

struct tail {
    struct desk_tap tap;
    struct control_call *call;
    struct tail_log log;
    int64_t log_business_id; /* whose log it is, 0 = it has none */
    bool fell_behind;        /* the log is read for the second time, and more */
    bool over;               /* to be finished when the reader of the log is back */
    struct timer end, idle;
    uint64_t gap_from, gap_to; /* 0 = no gap */
    uint64_t records;
    uint64_t count; /* 0 = no limit */
    bool ends_idle;
    uint64_t idle_ms;
};

static void tail_free(void *state)
{
    struct tail *tail = state;

    desk_tap_remove(control_config(tail->call)->desk, &tail->tap);
    tail->call->control->tails--;
    timer_clear(&tail->end);
    timer_clear(&tail->idle);
    buf_finish(&tail->log.page);
    buf_finish(&tail->log.ends);
    free(tail);
}

static void add_number_or_null(struct buf *out, int64_t number)
{
    if (number > 0) {
        buf_add_i64(out, number);
    } else {
        buf_add_cstr(out, "null");
    }
}

static void render(struct buf *out, const struct desk_emission *emission)
{
    struct str payload = tail_payload(emission->args);

    buf_add_cstr(out, "{\"seq\":");
    add_number_or_null(out, (int64_t)emission->seq);
    buf_add_cstr(out, ",\"position\":");
    add_number_or_null(out, emission->position);
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

static void finish_soon(struct tail *tail)
{
    if (tail->call->holds > 0) {
        tail->over = true;
    } else {
        finish(tail);
    }
}

static void on_end(struct timer *timer)
{
    finish_soon(CONTAINER_OF(timer, struct tail, end));
}

static void on_idle(struct timer *timer)
{
    finish_soon(CONTAINER_OF(timer, struct tail, idle));
}

static void rest(struct tail *tail)
{
    if (tail->ends_idle) {
        timer_set(control_config(tail->call)->loop, &tail->idle, tail->idle_ms, on_idle);
    }
}

static void miss(struct tail *tail, const struct desk_emission *emission)
{
    tail->gap_from = tail->gap_from > 0 ? tail->gap_from : emission->seq;
    tail->gap_to = emission->seq;
}

static void send_emission(struct tail *tail, const struct desk_emission *emission)
{
    autobuf struct buf text = BUF_INIT;

    tell_gap(tail);
    render(&text, emission);
    control_piece(tail->call, buf_str(&text));
    if (++tail->records == tail->count) {
        finish(tail);
    }
}

static bool next_page(struct control_call *call);

/* What its log has, too: nothing of it is missed. */
static void on_stored(struct tail *tail, const struct desk_emission *emission)
{
    bool wanted = tail_wanted(tail->call, emission);

    if (tail->log.reading || emission->position <= tail->log.position) {
        return;
    }
    if (wanted) {
        rest(tail);
    }
    if (wanted && control_behind(tail->call)) {
        tail->log.reading = true;
        tail->fell_behind = true;
        control_produce(tail->call, next_page);
        return;
    }
    tail->log.position = emission->position;
    if (wanted) {
        send_emission(tail, emission);
    }
}

static void on_emission(struct desk_tap *tap, const struct desk_emission *emission)
{
    struct tail *tail = CONTAINER_OF(tap, struct tail, tap);

    if (emission->position > 0 && emission->business_id == tail->log_business_id) {
        on_stored(tail, emission);
        return;
    }
    if ((tail->log.reading && !tail->fell_behind) || !tail_wanted(tail->call, emission)) {
        return;
    }
    rest(tail);
    if (tail->log.reading || control_behind(tail->call)) {
        miss(tail, emission);
    } else {
        send_emission(tail, emission);
    }
}

/* ---- the log first */

static void end_record(struct tail_log *log, bool gap)
{
    const struct page_end end = { .at = log->page.len, .gap = gap };

    buf_add(&log->ends, &end, sizeof end);
}

/* Up to this position there is nothing behind the one that was read last. */
static void skip_to(struct tail_log *log, int64_t position)
{
    if (position > log->position) {
        buf_add_cstr(&log->page, "{\"type\":\"gap\",\"from\":");
        buf_add_i64(&log->page, log->position + 1);
        buf_add_cstr(&log->page, ",\"to\":");
        buf_add_i64(&log->page, position);
        buf_add_cstr(&log->page, ",\"reason\":\"removed\"}");
        end_record(log, true);
        log->position = position;
    }
}

static bool add_row(void *arg, const struct store_event *event)
{
    struct tail *tail = arg;
    struct tail_log *log = &tail->log;
    const struct desk_emission emission = { .position = event->position,
                                            .business_id = event->business_id,
                                            .at_ms = event->at_ms,
                                            .room = event->room,
                                            .event = event->event,
                                            .args = event->args };

    skip_to(log, event->position - 1);
    log->position = event->position;
    log->rows++;
    if (tail_wanted(tail->call, &emission)) {
        render(&log->page, &emission);
        end_record(log, false);
    }
    log->more = log->rows == PAGE_ROWS || log->page.len >= PAGE_BYTES;
    return !log->more;
}

static enum err log_fetch(struct store_query *query, struct store_reader *reader)
{
    struct tail *tail = CONTAINER_OF(query, struct tail, log.query);
    struct tail_log *log = &tail->log;
    int64_t business_id = control_arg_int(tail->call, "business"), end = 0;
    enum err err = store_snapshot(reader, business_id, &end);

    log->rows = 0;
    log->more = false;
    buf_clear(&log->page);
    buf_clear(&log->ends);
    if (err == OK && log->from_time) {
        err = store_log_position_at(reader, business_id, log->since_ms, &log->position);
        log->from_time = err != OK;
    }
    if (err != OK) {
        return err;
    }
    log->beyond = log->position > end;
    err = store_log_since(reader, business_id, log->position, PAGE_ROWS, add_row, tail);
    if (err == OK && !log->more && !log->beyond) {
        skip_to(log, end);
    }
    return err;
}

/* False: that was enough, and the tail is gone. */
static bool send_page(struct tail *tail)
{
    const struct tail_log *log = &tail->log;
    size_t start = 0;

    for (size_t at = 0; at < log->ends.len; at += sizeof(struct page_end)) {
        struct page_end end;

        memcpy(&end, log->ends.data + at, sizeof(end));
        control_piece(tail->call, (struct str) { log->page.data + start, end.at - start });
        start = end.at;
        if (!end.gap && ++tail->records == tail->count) {
            finish(tail);
            return false;
        }
    }
    return true;
}

static bool next_page(struct control_call *call)
{
    struct tail *tail = call->state;

    control_produce_stop(call);
    control_hold(call);
    store_ask(control_config(call)->store, &tail->log.query);
    return false;
}

static void log_done(struct store_query *query, enum err err)
{
    struct tail *tail = CONTAINER_OF(query, struct tail, log.query);
    struct control_call *call = tail->call;
    int64_t business_id = control_arg_int(call, "business");

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK || tail->log.beyond) {
        control_fail(call, err != OK ? err : ERR_NOT_FOUND,
                     err != OK ? NULL : "--since: the log of business %lld does not go so far",
                     (long long)business_id);
        return;
    }
    if (!send_page(tail)) {
        return;
    }
    if (tail->over) {
        finish(tail);
    } else if (tail->log.more ||
               tail->log.position < desk_position(control_config(call)->desk, business_id)) {
        control_produce(call, next_page);
    } else {
        tail->log.reading = false;
        tell_gap(tail);
        rest(tail);
    }
}

static void start_log(struct tail *tail, const json_t *since)
{
    struct tail_log *log = &tail->log;
    struct str text = json_str(since);

    tail->log_business_id = control_arg_int(tail->call, "business");
    log->query.fetch = log_fetch;
    log->query.done = log_done;
    log->reading = true;
    log->position = json_integer_value(since);
    log->from_time =
        ctl_time_ms(text, loop_wall_ms(control_config(tail->call)->loop), &log->since_ms);
    (void)next_page(tail->call);
}

void control_tail(struct control_call *call)
{
    const json_t *since = control_arg(call, "since");
    int64_t for_ms = control_arg_int(call, "for");
    struct tail *tail;

    if (since != NULL && control_arg(call, "business") == NULL) {
        control_fail(call, ERR_INVALID, "--since needs --business: each has a log of its own");
        return;
    }
    if (!control_stream(call)) {
        return;
    }
    tail = xnew(struct tail);
    tail->call = call;
    tail->count = (uint64_t)control_arg_int(call, "count");
    tail->ends_idle = control_arg(call, "idle") != NULL;
    tail->idle_ms = (uint64_t)control_arg_int(call, "idle");
    tail->tap.fn = on_emission;
    call->state = tail;
    call->release = tail_free;
    call->on_drain = on_drain;
    call->control->tails++;
    desk_tap_add(control_config(call)->desk, &tail->tap);
    control_piece(call, STR_NONE);
    if (since != NULL) {
        start_log(tail, since);
    } else {
        rest(tail);
    }
    if (control_arg(call, "for") != NULL) {
        timer_set(control_config(call)->loop, &tail->end, (uint64_t)for_ms, on_end);
    }
}
