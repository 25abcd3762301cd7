/* From committed log rows to rooms.
 *
 * A commit may bring thousands of rows (one webhook holds up to a thousand messages and more), so
 * each business has a queue of what is still to be emitted, and a round emits a slice of it. All
 * agents of a business are in its room: while one of them is far behind but still taking something,
 * that business's queue waits, and nobody else's. Rows leave in the order of the commits, so a
 * business sees its positions ascend without a gap. */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/merge.h"
#include "siod/metrics/metrics.h"

enum {
    SLICE_ROWS = 256,
    SLICE_BYTES = 256 * 1024,
    LOOK_AGAIN_MS = 10,
    STALLED_MS = 2000, /* an agent who takes nothing for so long is not waited for */
    HOLD_MAX_MS = 30000,
    QUEUE_KEPT = 1024, /* rows of room that an empty queue may keep */
};

/* The rows of one commit; freed with the last one. */
struct emit_batch {
    struct store_events *events;
    size_t left;
};

struct emit_item {
    struct emit_batch *batch;
    const struct store_event *row;
};

/* ---- one event */

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

bool desk_may_emit(struct str event)
{
    static const struct str reserved[] = {
        STR_INIT("connect"),       STR_INIT("connect_error"), STR_INIT("disconnect"),
        STR_INIT("disconnecting"), STR_INIT("newListener"),   STR_INIT("removeListener"),
    };

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (str_eq(event, reserved[i])) {
            return false;
        }
    }
    return event.len > 0;
}

unsigned desk_emit(struct desk *desk, int64_t business_id, const struct sio_broadcast *broadcast)
{
    struct desk_emission emission = { .business_id = business_id,
                                      .at_ms = loop_wall_ms(desk->config.loop) };

    return emit(desk, &emission, broadcast);
}

static void emit_row(struct tenant *tenant, const struct store_event *row)
{
    struct sio_broadcast broadcast = {
        .room = row->room, .event = row->event, .args = row->args, .position = row->position
    };
    struct desk_emission emission = { .business_id = row->business_id,
                                      .position = row->position,
                                      .at_ms = row->at_ms };

    if (row->origin.len > 0) {
        broadcast.except = sio_socket_find(tenant->desk->nsp, row->origin);
    }
    tenant->position = row->position;
    merge_rooms(tenant->desk, row);
    emit(tenant->desk, &emission, &broadcast);
}

/* ---- a business's queue */

static void push(struct tenant *tenant, struct emit_batch *batch, const struct store_event *row)
{
    struct emit_queue *queue = &tenant->queue;

    if (queue->end == queue->cap && queue->first > queue->cap / 2) { /* it need not grow */
        memmove(queue->items, queue->items + queue->first,
                (queue->end - queue->first) * sizeof *queue->items);
        queue->end -= queue->first;
        queue->first = 0;
    }
    if (queue->end == queue->cap) {
        queue->cap = queue->cap > 0 ? queue->cap * 2 : 16;
        queue->items = xrealloc(queue->items, queue->cap * sizeof *queue->items);
    }
    queue->items[queue->end++] = (struct emit_item) { batch, row };
    tenant->desk->backlog_rows++;
}

static void release(struct emit_batch *batch)
{
    if (--batch->left == 0) {
        store_events_free(batch->events);
        free(batch);
    }
}

static void pop(struct tenant *tenant)
{
    struct emit_queue *queue = &tenant->queue;

    release(queue->items[queue->first++].batch);
    tenant->desk->backlog_rows--;
    if (queue->first < queue->end) {
        return;
    }
    queue->first = queue->end = 0;
    if (queue->cap > QUEUE_KEPT) {
        free(queue->items);
        queue->items = NULL;
        queue->cap = 0;
    }
}

static bool is_waiting(const struct tenant *tenant)
{
    return tenant->queue.first < tenant->queue.end;
}

/* ---- waiting for agents who are behind */

struct lag {
    size_t limit, bytes; /* bytes: what waits for those who have more than the limit */
};

static bool add_lag(void *arg, struct sio_socket *member)
{
    struct lag *lag = arg;
    size_t pending = eio_session_pending(sio_socket_session(member));

    if (pending > lag->limit) {
        lag->bytes += pending;
    }
    return true;
}

static size_t measure_lag(const struct tenant *tenant)
{
    const struct desk *desk = tenant->desk;
    struct lag lag = { .limit = desk->config.queue_bytes / 2 };
    char room[BUSINESS_ROOM_SIZE];

    if (desk->config.queue_bytes > 0) {
        sio_room_members_each(desk->nsp, (uint64_t)tenant->business_id,
                              business_room(tenant->business_id, room), add_lag, &lag);
    }
    return lag.bytes;
}

/* Should the queue wait for somebody? Not for one who takes nothing, and not for ever. */
static bool must_hold(struct tenant *tenant)
{
    uint64_t now_ms = loop_now_ms(tenant->desk->config.loop);
    struct emit_queue *queue = &tenant->queue;
    size_t lag = measure_lag(tenant);

    if (lag == 0) {
        queue->held_since_ms = 0;
        return false;
    }
    if (queue->held_since_ms == 0) {
        queue->held_since_ms = queue->progress_ms = now_ms;
    } else if (lag < queue->lag) {
        queue->progress_ms = now_ms;
    }
    queue->lag = lag;
    return now_ms - queue->progress_ms < STALLED_MS && now_ms - queue->held_since_ms < HOLD_MAX_MS;
}

/* ---- slices */

static void emit_slice(struct tenant *tenant)
{
    size_t rows = 0, bytes = 0;

    while (is_waiting(tenant) && rows < SLICE_ROWS && bytes < SLICE_BYTES) {
        const struct store_event *row = tenant->queue.items[tenant->queue.first].row;

        emit_row(tenant, row);
        rows++;
        bytes += row->args.len;
        pop(tenant);
    }
}

static void work_off(struct tenant *tenant);

static void look_again(struct timer *timer)
{
    work_off(CONTAINER_OF(timer, struct tenant, queue.retry));
}

static void next_round(struct loop_call *call)
{
    struct tenant *tenant = CONTAINER_OF(call, struct tenant, queue.again);

    tenant->queue.scheduled = false;
    work_off(tenant);
}

static void work_off(struct tenant *tenant)
{
    struct emit_queue *queue = &tenant->queue;

    if (queue->scheduled || timer_is_set(&queue->retry) || !is_waiting(tenant)) {
        return;
    }
    if (must_hold(tenant)) {
        timer_set(tenant->desk->config.loop, &queue->retry, LOOK_AGAIN_MS, look_again);
        return;
    }
    emit_slice(tenant);
    if (is_waiting(tenant)) {
        queue->scheduled = true;
        queue->again.fn = next_round;
        loop_post(tenant->desk->config.loop, &queue->again);
    }
}

void desk_on_commit(void *arg, struct store_events *events)
{
    struct desk *desk = arg;
    struct tenant *tenant = NULL;
    struct emit_batch *batch;
    size_t count = events->count;

    if (count == 0) {
        store_events_free(events);
        return;
    }
    batch = xnew(struct emit_batch);
    batch->events = events;
    batch->left = count + 1; /* our own hold, while rows of it are emitted below */
    for (size_t i = 0; i < count; i++) {
        const struct store_event *row = &events->rows[i];

        if (tenant != NULL && tenant->business_id != row->business_id) {
            work_off(tenant);
        }
        tenant = desk_tenant(desk, row->business_id);
        push(tenant, batch, row);
    }
    work_off(tenant);
    release(batch);
}

size_t desk_backlog(const struct desk *desk)
{
    return desk->backlog_rows;
}

void tenant_drop_queue(struct tenant *tenant)
{
    timer_clear(&tenant->queue.retry);
    while (is_waiting(tenant)) {
        pop(tenant);
    }
    free(tenant->queue.items);
}
