/* The log rows of a batch while it runs: appended by jobs, cut back when a job is undone, and
 * packed into one allocation when all of them are known. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/buf.h"
#include "libshared/str.h"
#include "siod/store/store.h"

struct rowlog_row;

/* A business that has rows in the batch. */
struct rowlog_business;

struct store_rowlog {
    struct rowlog_row *rows;
    size_t count, cap;
    struct buf bytes;
    struct rowlog_business *businesses; /* uthash by id */
    unsigned job;                       /* whose rows are appended; counts on */
};

struct rowlog_mark {
    size_t rows, bytes;
};

void rowlog_finish(struct store_rowlog *log);
void rowlog_clear(struct store_rowlog *log);
/* How many rows the business has so far. */
int64_t rowlog_rows(const struct store_rowlog *log, int64_t business_id);
void rowlog_append(struct store_rowlog *log, int64_t at_ms, const struct store_event *event);
struct rowlog_mark rowlog_mark(const struct store_rowlog *log);
void rowlog_undo(struct store_rowlog *log, struct rowlog_mark mark);

/* How many rows each business has, by ascending id. The caller fills in `first`. */
struct rowlog_count {
    struct rowlog_business *business;
    int64_t business_id;
    int64_t rows;
    int64_t first; /* position of its first row */
};
/* Returns owned (free()); NULL when there are no rows. */
NODISCARD
struct rowlog_count *rowlog_counts(const struct store_rowlog *log, size_t *ret_count);
/* All rows in the order in which they were appended, numbered from `first` of their business.
 * Returns owned. */
NODISCARD
struct store_events *rowlog_pack(struct store_rowlog *log, const struct rowlog_count *counts,
                                 size_t count);
