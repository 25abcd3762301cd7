/* What waits for a message that never came: statuses and changes of it. They are found only by
 * walking through all of each, a slice at a time, one table after the other. */
#include "siod/store/sqlite_backend.h"

enum { ROWS_LOOKED_AT = 1000 };

struct orphans {
    enum sqlite_statement end, purge;
    const char *end_sql, *purge_sql;
};

#define END_OF(table)                                                                              \
    "SELECT phone_number_id, wamid FROM " table " WHERE (phone_number_id, wamid) > (?1, ?2)"       \
    " ORDER BY phone_number_id, wamid LIMIT 1 OFFSET ?3 - 1"

/* `old`: a condition with ?4, milliseconds; `target`: the column with the message's wamid. */
#define PURGE_OF(table, target, old)                                                               \
    "DELETE FROM " table " WHERE (phone_number_id, wamid) IN (SELECT phone_number_id, wamid"       \
    " FROM " table " WHERE (phone_number_id, wamid) > (?1, ?2) ORDER BY phone_number_id, wamid"    \
    " LIMIT ?3) AND " old " AND NOT EXISTS (SELECT 1 FROM message WHERE"                           \
    " message.phone_number_id = " table ".phone_number_id AND message.wamid = " table "." target   \
    ")"

static const struct orphans orphans[] = {
    { ST_PURGE_STATUSES_END, ST_PURGE_STATUSES, END_OF("status"),
      PURGE_OF("status", "wamid", "seen_at_us < ?4 * 1000") },
    { ST_PURGE_CHANGES_END, ST_PURGE_CHANGES, END_OF("message_change"),
      PURGE_OF("message_change", "target", "seen_at_ms < ?4") },
};

static void put_slice(struct query *q, const struct sqlite_walk *walk)
{
    put_str_full(q, buf_str(&walk->phone_number_id));
    put_str_full(q, buf_str(&walk->wamid));
    put_int(q, ROWS_LOOKED_AT);
}

void sqlite_walk_finish(struct sqlite_walk *walk)
{
    buf_finish(&walk->phone_number_id);
    buf_finish(&walk->wamid);
}

/* The last row of this slice; empty when the table ends in it. */
static enum err find_end(struct sqlite_writer *writer, const struct orphans *kind,
                         struct sqlite_walk *ret_end, bool *ret_more)
{
    struct query q = query_begin(&writer->conn, kind->end, kind->end_sql);

    put_slice(&q, &writer->walk);
    *ret_more = query_row(&q);
    if (*ret_more) {
        buf_add_str(&ret_end->phone_number_id, get_str(&q));
        buf_add_str(&ret_end->wamid, get_str(&q));
    }
    return query_end(&q);
}

/* A slice of one table; *ret_more: it goes on behind it. */
static enum err purge_slice(struct sqlite_writer *writer, struct store_purge *purge, bool *ret_more)
{
    const struct orphans *kind = &orphans[writer->walk.table];
    struct sqlite_walk next = { .table = writer->walk.table };
    struct query q;
    enum err err = find_end(writer, kind, &next, ret_more);

    if (err == OK) {
        q = query_begin(&writer->conn, kind->purge, kind->purge_sql);
        put_slice(&q, &writer->walk);
        put_int(&q, purge->webhooks_before_ms);
        err = query_run(&q);
    }
    if (err != OK) {
        sqlite_walk_finish(&next);
        return err;
    }
    *(kind->purge == ST_PURGE_STATUSES ? &purge->statuses : &purge->changes) +=
        (uint64_t)sqlite3_changes64(writer->conn.db);
    if (!*ret_more) {
        next.table = (next.table + 1) % ARRAY_SIZE(orphans);
    }
    sqlite_walk_finish(&writer->walk);
    writer->walk = next;
    return OK;
}

/* Where a table ends, the next one begins in the same job: mostly there is little in any. */
enum err sqlite_orphans_purge(struct sqlite_writer *writer, struct store_purge *purge)
{
    bool more;
    enum err err;

    do {
        err = purge_slice(writer, purge, &more);
    } while (err == OK && !more && writer->walk.table > 0);
    purge->more |= err == OK && more;
    return err;
}
