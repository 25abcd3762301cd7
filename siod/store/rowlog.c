#include "siod/store/rowlog.h"

#include "libshared/alloc.h"
#include "libshared/map.h"

struct rowlog_row {
    struct rowlog_business *business;
    int64_t at_ms;
    unsigned job;
    size_t room, event, args, origin; /* lengths; one after the other in bytes */
};

struct rowlog_business {
    int64_t id;
    int64_t rows; /* 0: all of its jobs were undone */
    int64_t next; /* while packing: the position of its next row */
    UT_hash_handle hh;
};

static struct rowlog_business *find(const struct store_rowlog *log, int64_t business_id)
{
    struct rowlog_business *business;

    HASH_FIND(hh, log->businesses, &business_id, sizeof(business_id), business);
    return business;
}

void rowlog_clear(struct store_rowlog *log)
{
    struct rowlog_business *business = log->businesses, *next;

    HASH_CLEAR(hh, log->businesses);
    for (; business != NULL; business = next) {
        next = business->hh.next;
        free(business);
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

int64_t rowlog_rows(const struct store_rowlog *log, int64_t business_id)
{
    const struct rowlog_business *business = find(log, business_id);

    return business != NULL ? business->rows : 0;
}

static struct rowlog_business *ensure(struct store_rowlog *log, int64_t business_id)
{
    struct rowlog_business *business = find(log, business_id);

    if (business == NULL) {
        business = xnew(struct rowlog_business);
        business->id = business_id;
        HASH_ADD(hh, log->businesses, id, sizeof(business->id), business);
    }
    return business;
}

void rowlog_append(struct store_rowlog *log, int64_t at_ms, const struct store_event *event)
{
    struct rowlog_business *business = ensure(log, event->business_id);

    if (log->count == log->cap) {
        log->cap = MAX(log->cap * 2, (size_t)64);
        log->rows = xrealloc(log->rows, log->cap * sizeof(*log->rows));
    }
    log->rows[log->count++] = (struct rowlog_row) {
        .business = business,
        .at_ms = at_ms,
        .job = log->job,
        .room = event->room.len,
        .event = event->event.len,
        .args = event->args.len,
        .origin = event->origin.len,
    };
    buf_add_str(&log->bytes, event->room);
    buf_add_str(&log->bytes, event->event);
    buf_add_str(&log->bytes, event->args);
    buf_add_str(&log->bytes, event->origin);
    business->rows++;
}

struct rowlog_mark rowlog_mark(const struct store_rowlog *log)
{
    return (struct rowlog_mark) { log->count, log->bytes.len };
}

void rowlog_undo(struct store_rowlog *log, struct rowlog_mark mark)
{
    while (log->count > mark.rows) {
        log->rows[--log->count].business->rows--;
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
    struct rowlog_count *counts;
    struct rowlog_business *business;
    size_t count = 0;

    *ret_count = 0;
    if (log->count == 0) {
        return NULL;
    }
    counts = xcalloc(HASH_COUNT(log->businesses), sizeof(*counts));
    for (business = log->businesses; business != NULL; business = business->hh.next) {
        if (business->rows > 0) {
            counts[count].business = business;
            counts[count].business_id = business->id;
            counts[count++].rows = business->rows;
        }
    }
    qsort(counts, count, sizeof(*counts), by_business);
    *ret_count = count;
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
        counts[i].business->next = counts[i].first;
    }
    memcpy(bytes, log->bytes.data, log->bytes.len);
    events->count = log->count;
    events->rows = (struct store_event *)(events + 1);
    for (size_t i = 0; i < log->count; i++) {
        const struct rowlog_row *row = &log->rows[i];
        struct store_event *event = &events->rows[i];

        event->business_id = row->business->id;
        event->position = row->business->next++;
        event->at_ms = row->at_ms;
        event->job = row->job;
        event->room = cut(&bytes, row->room);
        event->event = cut(&bytes, row->event);
        event->args = cut(&bytes, row->args);
        event->origin = cut(&bytes, row->origin);
    }
    return events;
}
