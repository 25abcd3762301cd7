/* Webhooks that somebody looks for, and those in quarantine. Rows are large: no more of one is read
 * than its first page, unless its body is wanted. */
#include "siod/store/sqlite_backend.h"

enum { CLOCK_SLACK_MS = 24 * 60 * 60 * 1000 };

/* ERR_NOT_FOUND, ERR_CONFLICT. */
static enum err check_quarantined(struct sqlite_writer *writer, int64_t webhook_id)
{
    struct query q =
        query_begin(&writer->conn, ST_WEBHOOK_STATE, "SELECT state FROM webhook WHERE id = ?");
    bool found, quarantined;
    enum err err;

    put_int(&q, webhook_id);
    found = query_row(&q);
    quarantined = found && get_int(&q) == STORE_WEBHOOK_QUARANTINED;
    err = query_end(&q);
    return err != OK || quarantined ? err : found ? ERR_CONFLICT : ERR_NOT_FOUND;
}

enum err sqlite_webhook_settle(struct store_tx *tx, const struct store_webhook *webhook)
{
    struct sqlite_writer *writer = writer_of(tx);
    enum err err = check_quarantined(writer, webhook->id);
    struct query q;

    if (err != OK) {
        return err;
    }
    q = query_begin(&writer->conn, ST_WEBHOOK_SETTLE,
                    "UPDATE webhook SET state = ?, counts = ?, reason = ?,"
                    " owners = coalesce(?, owners) WHERE id = ?");
    put_int(&q, webhook->state);
    put_str_full(&q, webhook->counts);
    put_str_full(&q, webhook->reason);
    put_str(&q, webhook->owners);
    put_int(&q, webhook->id);
    return query_run(&q);
}

enum err sqlite_webhook_drop(struct store_tx *tx, int64_t webhook_id)
{
    struct sqlite_writer *writer = writer_of(tx);
    enum err err = check_quarantined(writer, webhook_id);
    struct query q;

    if (err != OK) {
        return err;
    }
    q = query_begin(&writer->conn, ST_WEBHOOK_DROP, "UPDATE webhook SET state = ? WHERE id = ?");
    put_int(&q, STORE_WEBHOOK_DROPPED);
    put_int(&q, webhook_id);
    return query_run(&q);
}

static enum err all_ids(struct sqlite_conn *conn, int64_t *ret_first, int64_t *ret_last)
{
    struct query q = query_begin(conn, ST_WEBHOOK_IDS,
                                 "SELECT (SELECT id FROM webhook ORDER BY id LIMIT 1),"
                                 " (SELECT id FROM webhook ORDER BY id DESC LIMIT 1)");

    if (query_row(&q)) {
        *ret_first = get_int(&q);
        *ret_last = get_int(&q);
    }
    return query_end(&q);
}

/* When the first one from this id on came. */
static enum err time_at(struct sqlite_conn *conn, int64_t id, int64_t *ret_ms)
{
    struct query q =
        query_begin(conn, ST_WEBHOOK_AT,
                    "SELECT received_at_ms FROM webhook WHERE id >= ? ORDER BY id LIMIT 1");

    put_int(&q, id);
    *ret_ms = query_row(&q) ? get_int(&q) : INT64_MAX;
    return query_end(&q);
}

/* The first id in [first, last + 1] from which on they came at that time or later. */
static enum err id_at(struct sqlite_conn *conn, int64_t first, int64_t last, int64_t at_ms,
                      int64_t *ret_id)
{
    int64_t end = last + 1, received_ms;

    while (first < end) {
        int64_t middle = first + (end - first) / 2;
        enum err err = time_at(conn, middle, &received_ms);

        if (err != OK) {
            return err;
        }
        if (received_ms < at_ms) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    *ret_id = first;
    return OK;
}

enum err sqlite_webhook_ids(struct store_reader *reader, int64_t since_ms, int64_t until_ms,
                            int64_t *ret_first, int64_t *ret_last)
{
    struct sqlite_conn *conn = &reader_of(reader)->conn;
    int64_t first = 0, last = 0, end = 0;
    enum err err = all_ids(conn, &first, &last);

    end = last + 1;
    if (err == OK && last > 0 && since_ms > INT64_MIN + CLOCK_SLACK_MS) {
        err = id_at(conn, first, last, since_ms - CLOCK_SLACK_MS, &first);
    }
    if (err == OK && last > 0 && until_ms < INT64_MAX - CLOCK_SLACK_MS) {
        err = id_at(conn, first, last, until_ms + CLOCK_SLACK_MS, &end);
    }
    if (err == OK) {
        *ret_first = first < end && last > 0 ? first : 0;
        *ret_last = first < end && last > 0 ? end - 1 : 0;
    }
    return err;
}

#define FOUND                                                                                      \
    "SELECT id, received_at_ms, state, app, counts, reason, length(body) FROM webhook"             \
    " WHERE id BETWEEN ?1 AND ?2 AND received_at_ms >= ?3 AND received_at_ms < ?4"                 \
    " AND (?5 IS NULL OR instr(reason, ?5) > 0)"
/* The first condition is the index's: nothing but what was once in quarantine is looked at. */
#define FOUND_IN_STATE FOUND " AND state <> 0 AND state = ?7"

static struct query find(struct sqlite_conn *conn, const struct store_webhook_search *filter)
{
    if (filter->state != NULL && *filter->state != STORE_WEBHOOK_DONE) {
        return filter->newest_first ? query_begin(conn, ST_WEBHOOKS_NEWEST_IN_STATE,
                                                  FOUND_IN_STATE " ORDER BY id DESC LIMIT ?6")
                                    : query_begin(conn, ST_WEBHOOKS_OLDEST_IN_STATE,
                                                  FOUND_IN_STATE " ORDER BY id LIMIT ?6");
    }
    return filter->newest_first ? query_begin(conn, ST_WEBHOOKS_NEWEST,
                                              FOUND " AND state = ifnull(?7, state)"
                                                    " ORDER BY id DESC LIMIT ?6")
                                : query_begin(conn, ST_WEBHOOKS_OLDEST,
                                              FOUND " AND state = ifnull(?7, state)"
                                                    " ORDER BY id LIMIT ?6");
}

static void get_found(struct query *q, struct store_webhook *ret_webhook)
{
    ret_webhook->id = get_int(q);
    ret_webhook->received_at_ms = get_int(q);
    ret_webhook->state = (enum store_webhook_state)get_int(q);
    ret_webhook->app = get_str(q);
    ret_webhook->counts = get_str(q);
    ret_webhook->reason = get_str(q);
    ret_webhook->bytes = get_int(q);
}

enum err sqlite_webhooks_find(struct store_reader *reader,
                              const struct store_webhook_search *filter,
                              bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg)
{
    struct query q = find(&reader_of(reader)->conn, filter);

    put_int(&q, filter->first_id);
    put_int(&q, filter->last_id);
    put_int(&q, filter->since_ms);
    put_int(&q, filter->until_ms);
    put_str(&q, filter->reason.len > 0 ? filter->reason : STR_NONE);
    put_int(&q, filter->limit > 0 ? (int64_t)filter->limit : -1);
    if (filter->state != NULL) {
        put_int(&q, *filter->state);
    } else {
        put_str(&q, STR_NONE);
    }
    while (query_row(&q)) {
        struct store_webhook webhook = { 0 };

        get_found(&q, &webhook);
        if (!fn(arg, &webhook)) {
            break;
        }
    }
    return query_end(&q);
}

enum err sqlite_webhook_get(struct store_reader *reader, int64_t webhook_id,
                            struct store_webhook *ret_webhook)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_WEBHOOK_GET,
                                 "SELECT id, received_at_ms, state, app, counts, reason,"
                                 " length(body), body, fields, owners FROM webhook WHERE id = ?");
    struct store_webhook webhook = { 0 };
    bool found;
    enum err err;

    put_int(&q, webhook_id);
    found = query_row(&q);
    if (found) {
        get_found(&q, &webhook);
        webhook.body = get_str(&q);
        webhook.fields = get_str(&q);
        webhook.owners = get_str(&q);
    }
    err = query_lend(&q);
    if (err != OK || !found) {
        return err != OK ? err : ERR_NOT_FOUND;
    }
    *ret_webhook = webhook;
    return OK;
}
