/* From committed log rows to rooms.
 *
 * A commit may bring thousands of rows (one webhook holds up to a thousand messages), so they are
 * emitted in slices, one slice a round, and the queue pauses while receivers that do read are
 * behind. Rows leave in the order of the commits, so each business sees its positions ascend
 * without a gap. */
#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/chat/desk_state.h"
#include "siod/metrics/metrics.h"

enum { SLICE_ROWS = 256, SLICE_BYTES = 512 * 1024, RETRY_MS = 10 };

static void tell_taps(struct desk *desk, const struct desk_emission *emission)
{
    for (struct desk_tap *tap = desk->taps, *next; tap != NULL; tap = next) {
        next = tap->next;
        tap->fn(tap, emission);
    }
}

static unsigned emit(struct desk *desk, struct desk_emission *emission,
                     const struct sio_broadcast *broadcast)
{
    emission->receivers = sio_emit(desk->nsp, (uint64_t)emission->business_id, broadcast);
    emission->seq = ++desk->seq;
    emission->room = broadcast->room;
    emission->event = broadcast->event;
    emission->args = broadcast->args;
    metric_add(METRIC_EVENTS_EMITTED, 1);
    tell_taps(desk, emission);
    return emission->receivers;
}

unsigned desk_emit(struct desk *desk, int64_t business_id, const struct sio_broadcast *broadcast)
{
    struct desk_emission emission = { .business_id = business_id,
                                      .at_ms = loop_wall_ms(desk->config.loop) };

    return emit(desk, &emission, broadcast);
}

static void emit_row(struct desk *desk, const struct store_event *row)
{
    struct sio_broadcast broadcast = { .room = row->room, .event = row->event, .args = row->args };
    struct desk_emission emission = { .business_id = row->business_id,
                                      .position = row->position,
                                      .at_ms = row->at_ms };

    if (row->origin.len > 0) {
        broadcast.except = sio_socket_find(desk->nsp, row->origin);
    }
    desk_tenant(desk, row->business_id)->position = row->position;
    emit(desk, &emission, &broadcast);
}

static void pop_batch(struct desk *desk)
{
    struct emit_batch *batch = desk->backlog.head;

    desk->backlog.head = batch->next;
    if (desk->backlog.head == NULL) {
        desk->backlog.tail = NULL;
    }
    store_events_free(batch->events);
    free(batch);
}

static void emit_slice(struct desk *desk)
{
    size_t rows = 0, bytes = 0;

    while (desk->backlog.head != NULL && rows < SLICE_ROWS && bytes < SLICE_BYTES) {
        struct emit_batch *batch = desk->backlog.head;
        const struct store_event *row = &batch->events->rows[batch->next_row++];

        emit_row(desk, row);
        rows++;
        bytes += row->args.len;
        desk->backlog.rows--;
        if (batch->next_row == batch->events->count) {
            pop_batch(desk);
        }
    }
}

static void emit_some(struct desk *desk);

static void emit_later(struct loop_call *call)
{
    struct desk *desk = CONTAINER_OF(call, struct desk, backlog.again);

    desk->backlog.scheduled = false;
    emit_some(desk);
}

static void emit_retry(struct timer *timer)
{
    emit_some(CONTAINER_OF(timer, struct desk, backlog.retry));
}

static void emit_some(struct desk *desk)
{
    if (desk->backlog.scheduled || timer_is_set(&desk->backlog.retry)) {
        return;
    }
    if (desk->config.congested != NULL && desk->config.congested(desk->config.arg)) {
        timer_set(desk->config.loop, &desk->backlog.retry, RETRY_MS, emit_retry);
        return;
    }
    emit_slice(desk);
    if (desk->backlog.head != NULL) {
        desk->backlog.scheduled = true;
        loop_post(desk->config.loop, &desk->backlog.again);
    }
}

void desk_on_commit(void *arg, struct store_events *events)
{
    struct desk *desk = arg;
    struct emit_batch *batch;

    if (events->count == 0) {
        store_events_free(events);
        return;
    }
    batch = xnew(struct emit_batch);
    batch->events = events;
    desk->backlog.rows += events->count;
    if (desk->backlog.tail != NULL) {
        desk->backlog.tail->next = batch;
    } else {
        desk->backlog.head = batch;
    }
    desk->backlog.tail = batch;
    emit_some(desk);
}

size_t desk_backlog(const struct desk *desk)
{
    return desk->backlog.rows;
}

void desk_backlog_init(struct desk *desk)
{
    desk->backlog.again.fn = emit_later;
}

void desk_backlog_finish(struct desk *desk)
{
    timer_clear(&desk->backlog.retry);
    while (desk->backlog.head != NULL) {
        pop_batch(desk);
    }
}
