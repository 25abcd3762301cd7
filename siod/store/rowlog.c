#include "siod/store/rowlog.h"

#include "libshared/alloc.h"
#include "libshared/map.h"

struct rowlog_row {
    int64_t business_id;
    int64_t at_ms;
    size_t room, event, args, origin; /* lengths; one after the other in bytes */
};

struct rowlog_business {
    int64_t id;
    int64_t rows;
    int64_t next;
    UT_hash_handle hh;
};

static struct rowlog_business *find(const struct store_rowlog *log, int64_t business_id)
{
    struct rowlog_business *business;

    HASH_FIND(hh, log->businesses, &business_id, sizeof(business_id), business);
    return business;
}

static void forget(struct store_rowlog *log, struct rowlog_business *business)
{
    HASH_DEL(log->businesses, business);
    free(business);
}

void rowlog_clear(struct store_rowlog *log)
{
    struct rowlog_business *business, *next;

    HASH_ITER (hh, log->businesses, business, next) {
        forget(log, business);
    }
    log->count = 0;
    buf_clear(&log->bytes);
}

void rowlog_finish(struct store_rowlog *log)
{
    rowlog_clear(log);
    buf_finish(&log->bytes);
    free(log->rows);
    *log = (struct store_rowlog) { 0 };
}

bool rowlog_knows(const struct store_rowlog *log, int64_t business_id)
{
    return find(log, business_id) != NULL;
}

static void count_row(struct store_rowlog *log, int64_t business_id)
{
    struct rowlog_business *business = find(log, business_id);

    if (business == NULL) {
        business = xnew(struct rowlog_business);
        business->id = business_id;
        HASH_ADD(hh, log->businesses, id, sizeof(business->id), business);
    }
    business->rows++;
}

void rowlog_append(struct store_rowlog *log, int64_t at_ms, const struct store_event *event)
{
    if (log->count == log->cap) {
        log->cap = MAX(log->cap * 2, (size_t)64);
        log->rows = xrealloc(log->rows, log->cap * sizeof(*log->rows));
    }
    log->rows[log->count++] = (struct rowlog_row) {
        .business_id = event->business_id,
        .at_ms = at_ms,
        .room = event->room.len,
        .event = event->event.len,
        .args = event->args.len,
        .origin = event->origin.len,
    };
    buf_add_str(&log->bytes, event->room);
    buf_add_str(&log->bytes, event->event);
    buf_add_str(&log->bytes, event->args);
    buf_add_str(&log->bytes, event->origin);
    count_row(log, event->business_id);
}

struct rowlog_mark rowlog_mark(const struct store_rowlog *log)
{
    return (struct rowlog_mark) { log->count, log->bytes.len };
}

void rowlog_undo(struct store_rowlog *log, struct rowlog_mark mark)
{
    while (log->count > mark.rows) {
        struct rowlog_business *business = find(log, log->rows[--log->count].business_id);

        if (--business->rows == 0) {
            forget(log, business);
        }
    }
    log->bytes.len = mark.bytes;
}

static int by_business(const void *a, const void *b)
{
    int64_t left = ((const struct rowlog_count *)a)->business_id;
    int64_t right = ((const struct rowlog_count *)b)->business_id;

    return (left > right) - (left < right);
}

struct rowlog_count *rowlog_counts(const struct store_rowlog *log, size_t *ret_count)
{
    size_t count = HASH_COUNT(log->businesses), i = 0;
    struct rowlog_count *counts;
    struct rowlog_business *business, *next;

    *ret_count = count;
    if (count == 0) {
        return NULL;
    }
    counts = xcalloc(count, sizeof(*counts));
    HASH_ITER (hh, log->businesses, business, next) {
        counts[i].business_id = business->id;
        counts[i++].rows = business->rows;
    }
    qsort(counts, count, sizeof(*counts), by_business);
    return counts;
}

static struct str cut(char **at, size_t len)
{
    struct str part = { *at, len };

    *at += len;
    return part;
}

struct store_events *rowlog_pack(struct store_rowlog *log, const struct rowlog_count *counts,
                                 size_t count)
{
    size_t head = sizeof(struct store_events) + log->count * sizeof(struct store_event);
    struct store_events *events = xmalloc(head + log->bytes.len);
    char *bytes = (char *)events + head;

    for (size_t i = 0; i < count; i++) {
        find(log, counts[i].business_id)->next = counts[i].first;
    }
    memcpy(bytes, log->bytes.data, log->bytes.len);
    events->count = log->count;
    events->rows = (struct store_event *)(events + 1);
    for (size_t i = 0; i < log->count; i++) {
        const struct rowlog_row *row = &log->rows[i];
        struct store_event *event = &events->rows[i];

        event->business_id = row->business_id;
        event->position = find(log, row->business_id)->next++;
        event->at_ms = row->at_ms;
        event->room = cut(&bytes, row->room);
        event->event = cut(&bytes, row->event);
        event->args = cut(&bytes, row->args);
        event->origin = cut(&bytes, row->origin);
    }
    return events;
}
