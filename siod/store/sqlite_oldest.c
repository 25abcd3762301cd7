/* Which rows of a table are old enough to go.
 *
 * Ids count up, so the oldest rows have the smallest ones: a slice looks at no more rows than it
 * takes, and one. What was written while the clock was ahead says nothing by its time, but is no
 * younger than the next row that was not: it goes with that one. Such rows lie together, so where
 * they fill a slice the first one behind them is found by halving. */
#include "siod/store/sqlite_backend.h"

enum { SLICE_BYTES = 1 << 20 /* of bodies and texts, about */ };

static const struct {
    enum sqlite_statement find, probe;
    const char *find_sql, *probe_sql;
} tables[] = {
#define AGED(id, table, time, bytes)                                                               \
    [SQLITE_AGED_##id] = { ST_OLDEST_##id, ST_OLDEST_BEHIND_##id,                                  \
                           "SELECT id, " time ", " bytes " FROM " table " ORDER BY id LIMIT ?",    \
                           "SELECT id, " time " FROM " table                                       \
                           " WHERE id >= ? ORDER BY id LIMIT 1" }
    AGED(WEBHOOKS, "webhook", "received_at_ms", "length(body)"),
    AGED(LOG, "log", "at_ms", "length(args)"),
    AGED(DECISIONS, "decision", "at_ms", "0"),
    AGED(MESSAGES, "message", "created_at_ms", "length(raw)"),
#undef AGED
};

struct slice {
    int64_t last;  /* old enough, and all before it */
    int64_t ahead; /* the last one from a clock that was ahead */
    bool full;
};

static enum err read_slice(struct sqlite_writer *writer, const struct sqlite_aged *aged,
                           struct slice *ret)
{
    struct query q =
        query_begin(&writer->conn, tables[aged->table].find, tables[aged->table].find_sql);
    int64_t bytes = 0;
    unsigned rows = 0;

    *ret = (struct slice) { .last = 0 };
    put_int(&q, (int64_t)aged->limit + 1);
    while (query_row(&q)) {
        int64_t id = get_int(&q), at_ms = get_int(&q);

        if (at_ms >= aged->before_ms && at_ms <= aged->ahead_ms) {
            break;
        }
        if (rows == aged->limit || bytes > SLICE_BYTES) {
            ret->full = true;
            break;
        }
        bytes += get_int(&q);
        *(at_ms > aged->ahead_ms ? &ret->ahead : &ret->last) = id;
        rows++;
    }
    return query_end(&q);
}

struct row {
    int64_t id, at_ms; /* id 0: there is none */
};

/* The first one that has this id or a larger one. */
static enum err probe(struct sqlite_writer *writer, const struct sqlite_aged *aged, int64_t id,
                      struct row *ret)
{
    struct query q =
        query_begin(&writer->conn, tables[aged->table].probe, tables[aged->table].probe_sql);

    *ret = (struct row) { .id = 0 };
    put_int(&q, id);
    if (query_row(&q)) {
        ret->id = get_int(&q);
        ret->at_ms = get_int(&q);
    }
    return query_end(&q);
}

/* Is the first row behind this one that was not written ahead of time old enough? */
static enum err is_old_behind(struct sqlite_writer *writer, const struct sqlite_aged *aged,
                              int64_t ahead, bool *ret_old)
{
    int64_t low = ahead, high = 0; /* at `high` begins what is not ahead */
    struct row row, behind = { .id = 0 };
    enum err err = OK;

    for (int64_t step = 1; err == OK && (high == 0 || high - low > 1); step *= 2) {
        int64_t id = high == 0 ? low + step : low + (high - low) / 2;

        err = probe(writer, aged, id, &row);
        if (err == OK && row.id != 0 && row.at_ms > aged->ahead_ms) {
            low = row.id;
        } else {
            high = id;
            behind = row;
        }
    }
    *ret_old = behind.id != 0 && behind.at_ms < aged->before_ms;
    return err;
}

enum err sqlite_oldest(struct sqlite_writer *writer, const struct sqlite_aged *aged,
                       int64_t *ret_last, bool *ret_more)
{
    struct slice slice;
    bool old = true;
    enum err err = read_slice(writer, aged, &slice);

    if (err == OK && slice.full && slice.ahead > slice.last) {
        err = is_old_behind(writer, aged, slice.ahead, &old);
        slice.last = old ? slice.ahead : slice.last;
    }
    *ret_last = slice.last;
    *ret_more = slice.full && old;
    return err;
}
