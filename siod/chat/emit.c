/* From committed log rows to rooms.
 *
 * A commit may bring thousands of rows (one webhook holds up to a thousand messages and more), so
 * each business has a queue of what is still to be emitted, and a round emits a slice of it. Rows
 * leave in the order of the commits, so a business sees its positions ascend without a gap.
 *
 * What one webhook makes is a burst, and may be more than a client's queue holds. Whoever has not
 * two of them waiting is sent all of it, however slowly it reads, and nobody waits for that. Only
 * when there is an agent (all of them are in their business's room) who has no room for the next
 * burst, that business's queue waits, and nobody else's: for as long as that agent takes megabytes
 * in each quarter of a second, more and more of them. So of webhooks by the dozen nobody is cut who
 * reads as fast as a network carries, and who is slow or does not read costs the others one such
 * moment. */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/history.h"
#include "siod/chat/merge.h"
#include "siod/metrics/metrics.h"

enum {
    SLICE_ROWS = 256,
    SLICE_BYTES = 256 * 1024,
    LOOK_AGAIN_MS = 10,
    WINDOW_MS = 250,
    WINDOW_BYTES = 1 << 20, /* to be taken in the first window, twice as much in the second … */
    WINDOWS_COUNTED = 8,    /* … and so on up to this one */
    ROW_BYTES = 160,        /* of an event beside its arguments: names, offset, frame */
    QUEUE_KEPT = 1024,      /* rows of room that an empty queue may keep */
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
    if (UNLIKELY(tenant->desk->readings != NULL)) {
        history_note(tenant->desk, row);
    }
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

/* ---- bursts */

static size_t row_bytes(const struct store_event *row)
{
    return row->args.len + ROW_BYTES;
}

static bool same_job(const struct emit_item *a, const struct emit_item *b)
{
    return a->batch == b->batch && a->row->job == b->row->job;
}

/* The next burst: the rows of one job, or of several that are a slice together. */
static void begin_burst(struct emit_queue *queue)
{
    const struct emit_item *item = &queue->items[queue->first], *end = &queue->items[queue->end];

    queue->hold.is_over = false;
    do {
        queue->burst_bytes += row_bytes(item->row);
        queue->burst_rows++;
        item++;
    } while (item < end && (same_job(item, item - 1) ||
                            (queue->burst_rows < SLICE_ROWS && queue->burst_bytes < SLICE_BYTES)));
}

/* ---- waiting for agents who are behind */

struct admission {
    size_t bytes;
    size_t pending; /* of those who were refused */
    bool refused;
};

/* Everybody is asked: who is asked may be sent it. */
static bool admit(void *arg, struct sio_socket *member)
{
    struct admission *admission = arg;
    struct eio_session *session = sio_socket_session(member);

    if (!eio_session_admit(session, admission->bytes)) {
        admission->refused = true;
        admission->pending += eio_session_pending(session);
    }
    return true;
}

static struct admission ask_all(struct tenant *tenant)
{
    struct admission admission = { .bytes = tenant->queue.burst_bytes };
    char room[BUSINESS_ROOM_SIZE];

    sio_room_members_each(tenant->desk->nsp, (uint64_t)tenant->business_id,
                          business_room(tenant->business_id, room), admit, &admission);
    return admission;
}

/* Have they taken so much that waiting for them goes on? The longer a business has waited, the
 * faster they must be. */
static bool is_worth_waiting(struct emit_hold *hold, size_t pending)
{
    size_t wanted = MIN(++hold->windows, WINDOWS_COUNTED) * (size_t)WINDOW_BYTES;

    return pending + wanted <= hold->pending;
}

/* Should the rest of the burst wait for somebody? */
static bool must_hold(struct tenant *tenant)
{
    uint64_t now_ms = loop_now_ms(tenant->desk->config.loop);
    struct emit_hold *hold = &tenant->queue.hold;
    struct admission admission = ask_all(tenant);

    if (!admission.refused || hold->is_over) {
        hold->since_ms = 0;
        return false;
    }
    if (hold->since_ms == 0) {
        hold->since_ms = now_ms;
        hold->pending = admission.pending;
    } else if (now_ms - hold->since_ms >= WINDOW_MS) {
        hold->is_over = !is_worth_waiting(hold, admission.pending); /* who has no room is cut */
        hold->since_ms = now_ms;
        hold->pending = admission.pending;
    }
    return !hold->is_over;
}

/* ---- slices */

static void emit_slice(struct tenant *tenant)
{
    struct emit_queue *queue = &tenant->queue;
    size_t rows = 0, bytes = 0;

    while (queue->burst_rows > 0 && rows < SLICE_ROWS && bytes < SLICE_BYTES) {
        const struct store_event *row = queue->items[queue->first].row;

        queue->burst_rows--;
        queue->burst_bytes -= row_bytes(row);
        rows++;
        bytes += row_bytes(row);
        emit_row(tenant, row);
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
    if (queue->burst_rows == 0) {
        begin_burst(queue);
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
    } else {
        queue->hold.windows = 0;
    }
}

/* Of every business that has rows in the commit; `last` is the last row's. */
static void work_off_all(struct desk *desk, const struct store_events *events, struct tenant *last)
{
    for (size_t i = 1; i < events->count; i++) {
        if (events->rows[i].business_id != events->rows[i - 1].business_id) {
            work_off(desk_tenant(desk, events->rows[i - 1].business_id));
        }
    }
    work_off(last);
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

        if (tenant == NULL || tenant->business_id != row->business_id) {
            tenant = desk_tenant(desk, row->business_id);
        }
        push(tenant, batch, row);
    }
    work_off_all(desk, events, tenant);
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
