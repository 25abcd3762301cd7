/* What has been kept long enough, a slice at a time, oldest first; and how large the store is.
 *
 * Messages leave a hash of their wamid behind for as long as Meta may deliver them again. */
#include <string.h>

#include <openssl/evp.h>

#include "libshared/alloc.h"
#include "siod/store/sqlite_backend.h"

enum { GONE_HASH = 16 /* bytes of it that are kept */ };

static const int64_t day_ms = INT64_C(86400000);
static const int64_t redelivery_days = 8; /* Meta tries for seven */

/* ------------------------------------------------------------------ messages that are gone */

/* A wamid cannot hold a NUL that matters: it is a key of its own with whichever number. */
static bool gone_hash(struct str phone_number_id, struct str wamid,
                      unsigned char ret[EVP_MAX_MD_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, phone_number_id.data, phone_number_id.len) == 1 &&
                EVP_DigestUpdate(context, "", 1) == 1 &&
                EVP_DigestUpdate(context, wamid.data, wamid.len) == 1 &&
                EVP_DigestFinal_ex(context, ret, NULL) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

enum err sqlite_gone_load(struct sqlite_writer *writer)
{
    struct query q = query_begin(&writer->conn, ST_GONE_ANY, "SELECT EXISTS (SELECT 1 FROM gone)");

    writer->any_gone = query_row(&q) && get_int(&q) != 0;
    return query_end(&q);
}

enum err sqlite_gone_add(struct sqlite_writer *writer, struct str phone_number_id, struct str wamid)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct query q;

    if (wamid.data == NULL) {
        return OK;
    }
    if (!gone_hash(phone_number_id, wamid, hash)) {
        return ERR_INTERNAL;
    }
    q = query_begin(&writer->conn, ST_GONE_ADD,
                    "INSERT OR REPLACE INTO gone (hash, until_ms) VALUES (?, ?)");
    put_str(&q, (struct str) { (const char *)hash, GONE_HASH });
    put_int(&q, writer->tx.now_ms + redelivery_days * day_ms);
    writer->any_gone = true;
    return query_run(&q);
}

enum err sqlite_gone_check(struct sqlite_writer *writer, struct str phone_number_id,
                           struct str wamid, bool *ret_gone)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct query q;

    *ret_gone = false;
    if (!writer->any_gone || wamid.data == NULL) {
        return OK;
    }
    if (!gone_hash(phone_number_id, wamid, hash)) {
        return ERR_INTERNAL;
    }
    q = query_begin(&writer->conn, ST_GONE_CHECK, "SELECT 1 FROM gone WHERE hash = ?");
    put_str(&q, (struct str) { (const char *)hash, GONE_HASH });
    *ret_gone = query_row(&q);
    return query_end(&q);
}

enum err sqlite_message_gone(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                             bool *ret_gone)
{
    return sqlite_gone_check(writer_of(tx), phone_number_id, wamid, ret_gone);
}

/* ------------------------------------------------------------------ raw webhooks */

/* Deletes a slice of what is old enough, by a statement for what is up to an id. *ret_last: 0 =
 * there was nothing. */
static enum err purge_slice(struct sqlite_writer *writer, const struct sqlite_aged *aged,
                            enum sqlite_statement statement, const char *sql, int64_t *ret_last,
                            bool *ret_more)
{
    struct query q;
    enum err err = sqlite_oldest(writer, aged, ret_last, ret_more);

    if (err != OK || *ret_last == 0) {
        return err;
    }
    q = query_begin(&writer->conn, statement, sql);
    put_int(&q, *ret_last);
    return query_run(&q);
}

/* The newest one stays, emptied, so that its id is not given once more. */
static enum err purge_webhooks(struct sqlite_writer *writer, struct store_purge *purge)
{
    const struct sqlite_aged aged = { SQLITE_AGED_WEBHOOKS, purge->webhooks_before_ms,
                                      purge->ahead_ms, purge->limit };
    struct query q;
    int64_t last;
    bool more;
    enum err err = purge_slice(writer, &aged, ST_PURGE_WEBHOOKS,
                               "DELETE FROM webhook WHERE id <= ?"
                               " AND id < (SELECT max(id) FROM webhook)",
                               &last, &more);

    if (err != OK || last == 0) {
        return err;
    }
    purge->webhooks += (uint64_t)sqlite3_changes64(writer->conn.db);
    purge->more |= more;
    if (more) {
        return OK;
    }
    q = query_begin(&writer->conn, ST_PURGE_WEBHOOK_LAST,
                    "UPDATE webhook SET body = x'', counts = CAST('{}' AS BLOB), reason = x'',"
                    " state = 0 WHERE id = ? AND length(body) > 0");
    put_int(&q, last);
    err = query_run(&q);
    purge->webhooks += (uint64_t)sqlite3_changes64(writer->conn.db);
    return err;
}

/* ------------------------------------------------------------------ the log and its decisions */

struct purged {
    int64_t business_id, position;
};

/* Businesses have few rows each in a slice, or it has few businesses. */
static void note_purged(struct buf *purged, int64_t business_id, int64_t position)
{
    struct purged *rows = (void *)purged->data;
    const struct purged row = { business_id, position };

    for (size_t i = purged->len / sizeof row; i > 0; i--) {
        if (rows[i - 1].business_id == business_id) {
            rows[i - 1].position = MAX(rows[i - 1].position, position);
            return;
        }
    }
    buf_add(purged, &row, sizeof row);
}

static enum err delete_log(struct sqlite_writer *writer, struct store_purge *purge, int64_t last,
                           struct buf *purged)
{
    struct query q = query_begin(&writer->conn, ST_PURGE_LOG,
                                 "DELETE FROM log WHERE id <= ? RETURNING business_id, position");

    put_int(&q, last);
    while (query_row(&q)) {
        int64_t business_id = get_int(&q);

        note_purged(purged, business_id, get_int(&q));
        purge->log++;
    }
    return query_end(&q);
}

static enum err purge_log(struct sqlite_writer *writer, struct store_purge *purge)
{
    const struct sqlite_aged aged = { SQLITE_AGED_LOG, purge->log_before_ms, purge->ahead_ms,
                                      purge->limit };
    autobuf struct buf purged = BUF_INIT;
    int64_t last;
    bool more;
    enum err err = sqlite_oldest(writer, &aged, &last, &more);

    if (err == OK && last > 0) {
        err = delete_log(writer, purge, last, &purged);
        purge->more |= more;
    }
    for (size_t at = 0; err == OK && at < purged.len; at += sizeof(struct purged)) {
        struct purged row;
        struct query q;

        memcpy(&row, purged.data + at, sizeof row);
        q = query_begin(&writer->conn, ST_PURGE_LOG_NOTE,
                        "UPDATE business SET log_purged = max(log_purged, ?) WHERE id = ?");
        put_int(&q, row.position);
        put_int(&q, row.business_id);
        err = query_run(&q);
    }
    return err;
}

static enum err purge_decisions(struct sqlite_writer *writer, struct store_purge *purge)
{
    const struct sqlite_aged aged = { SQLITE_AGED_DECISIONS, purge->log_before_ms, purge->ahead_ms,
                                      purge->limit };
    int64_t last;
    bool more = false;
    enum err err = purge_slice(writer, &aged, ST_PURGE_DECISIONS,
                               "DELETE FROM decision WHERE id <= ?"
                               " AND id < (SELECT max(id) FROM decision)",
                               &last, &more);

    purge->more |= err == OK && last != 0 && more;
    return err;
}

/* ------------------------------------------------------------------ messages */

#define LAST_BUT(column)                                                                           \
    "coalesce((SELECT message." column " FROM message WHERE chat_id = chat.id"                     \
    " AND message.id <> ?1 ORDER BY wa_timestamp_s DESC, message.id DESC LIMIT 1), 0)"

/* Its statuses go with it. Where it was its chat's last message, the one before it is that now. */
enum err sqlite_message_delete(struct sqlite_writer *writer, int64_t id, struct str phone_number_id,
                               struct str wamid)
{
    struct query q = query_begin(&writer->conn, ST_MESSAGE_STATUSES_DELETE,
                                 "DELETE FROM status WHERE phone_number_id = ? AND wamid = ?");
    enum err err;

    put_str_full(&q, phone_number_id);
    put_str_full(&q, wamid);
    err = query_run(&q);
    if (err == OK) {
        q = query_begin(&writer->conn, ST_MESSAGE_CHANGES_DELETE,
                        "DELETE FROM message_change WHERE phone_number_id = ? AND target = ?");
        put_str_full(&q, phone_number_id);
        put_str_full(&q, wamid);
        err = query_run(&q);
    }
    if (err == OK) {
        q = query_begin(&writer->conn, ST_MESSAGE_FORGET_LAST,
                        "UPDATE chat SET last_message_id = " LAST_BUT(
                            "id") ","
                                  " last_message_at_ms = " LAST_BUT(
                                      "wa_timestamp_s * 1000") " WHERE last_message_id = ?1"
                                                               " AND id = (SELECT chat_id FROM "
                                                               "message WHERE id = ?1)");
        put_int(&q, id);
        err = query_run(&q);
    }
    if (err == OK) {
        q = query_begin(&writer->conn, ST_MESSAGE_DELETE, "DELETE FROM message WHERE id = ?");
        put_int(&q, id);
        err = query_run(&q);
    }
    return err;
}

/* The oldest one, up to an id; *ret_found false when there is none. */
static enum err purge_message(struct sqlite_writer *writer, int64_t last, bool *ret_found)
{
    struct query q = query_begin(&writer->conn, ST_PURGE_MESSAGE_FIND,
                                 "SELECT id, created_at_ms, phone_number_id, wamid"
                                 " FROM message WHERE id <= ? ORDER BY id LIMIT 1");
    autobuf struct buf phone = BUF_INIT;
    autobuf struct buf wamid = BUF_INIT;
    int64_t id = 0, created_at_ms = 0;
    bool has_wamid = false;
    enum err err;

    put_int(&q, last);
    *ret_found = query_row(&q);
    if (*ret_found) {
        id = get_int(&q);
        created_at_ms = get_int(&q);
        buf_add_str(&phone, get_str(&q));
        struct str text = get_str(&q);
        has_wamid = text.data != NULL;
        if (has_wamid) {
            buf_add_str(&wamid, text);
        }
    }
    err = query_end(&q);
    if (err != OK || !*ret_found) {
        return err;
    }
    if (has_wamid && created_at_ms > writer->tx.now_ms - redelivery_days * day_ms) {
        err = sqlite_gone_add(writer, buf_str(&phone), buf_str(&wamid));
    }
    return err == OK ? sqlite_message_delete(writer, id, buf_str(&phone), buf_str(&wamid)) : err;
}

static enum err purge_messages(struct sqlite_writer *writer, struct store_purge *purge)
{
    const struct sqlite_aged aged = { SQLITE_AGED_MESSAGES, purge->messages_before_ms,
                                      purge->ahead_ms, purge->limit };
    bool found = true, more;
    int64_t last;
    enum err err = sqlite_oldest(writer, &aged, &last, &more);

    while (err == OK && last > 0 && found) {
        err = purge_message(writer, last, &found);
        purge->messages += err == OK && found;
    }
    purge->more |= err == OK && more;
    return err;
}

/* ------------------------------------------------------------------ one slice */

static enum err purge_own(struct sqlite_writer *writer, const struct store_purge *purge)
{
    struct query q =
        query_begin(&writer->conn, ST_PURGE_GONE,
                    "DELETE FROM gone WHERE hash IN (SELECT hash FROM gone WHERE until_ms < ?"
                    " ORDER BY until_ms LIMIT ?)");

    put_int(&q, writer->tx.now_ms);
    put_int(&q, purge->limit);
    return query_run(&q);
}

enum err sqlite_purge(struct store_tx *tx, struct store_purge *purge)
{
    struct sqlite_writer *writer = writer_of(tx);
    enum err err = purge_own(writer, purge);

    purge->webhooks = purge->log = purge->messages = purge->statuses = purge->changes = 0;
    purge->more = false;
    if (err == OK && purge->webhooks_before_ms > 0) {
        err = purge_webhooks(writer, purge);
    }
    if (err == OK && purge->webhooks_before_ms > 0 && purge->walk) {
        err = sqlite_orphans_purge(writer, purge);
    }
    if (err == OK && purge->log_before_ms > 0) {
        err = purge_log(writer, purge);
        err = err == OK ? purge_decisions(writer, purge) : err;
    }
    if (err == OK && purge->messages_before_ms > 0) {
        err = purge_messages(writer, purge);
    }
    return err;
}

/* ------------------------------------------------------------------ size and growth */

static enum err note_size(struct sqlite_writer *writer, int64_t bytes)
{
    struct query q = query_begin(&writer->conn, ST_GROWTH_NOTE,
                                 "INSERT INTO growth (at_ms, bytes) SELECT ?1, ?2"
                                 " WHERE NOT EXISTS (SELECT 1 FROM growth"
                                 "  WHERE at_ms > ?1 - 3600000 AND at_ms <= ?1)");
    enum err err;

    put_int(&q, writer->tx.now_ms);
    put_int(&q, bytes);
    err = query_run(&q);
    if (err == OK) {
        q = query_begin(&writer->conn, ST_GROWTH_PURGE,
                        "DELETE FROM growth WHERE at_ms < ?1 - 35 * 86400000 OR at_ms > ?1");
        put_int(&q, writer->tx.now_ms);
        err = query_run(&q);
    }
    return err;
}

/* Since the oldest sample of the last week; a day is not told from its first minutes. */
static enum err growth(struct sqlite_writer *writer, struct store_size *size)
{
    static const int64_t least_ms = 10 * 60 * 1000;
    struct query q =
        query_begin(&writer->conn, ST_GROWTH,
                    "SELECT at_ms, bytes FROM growth WHERE at_ms > ? ORDER BY at_ms LIMIT 1");

    put_int(&q, writer->tx.now_ms - 7 * day_ms);
    size->growth_known = false;
    if (query_row(&q)) {
        int64_t elapsed_ms = writer->tx.now_ms - get_int(&q), before = get_int(&q);

        size->growth_known = elapsed_ms >= least_ms;
        size->growth_per_day = size->growth_known ? (int64_t)((double)(size->used_bytes - before) *
                                                              (double)day_ms / (double)elapsed_ms)
                                                  : 0;
    }
    return query_end(&q);
}

enum err sqlite_measure(struct store_tx *tx, struct store_size *ret_size)
{
    struct sqlite_writer *writer = writer_of(tx);
    int64_t pages = 0, free = 0, page_bytes = 0;
    enum err err = sqlite_read_int(&writer->conn, "PRAGMA page_count", &pages);

    err = err == OK ? sqlite_read_int(&writer->conn, "PRAGMA freelist_count", &free) : err;
    err = err == OK ? sqlite_read_int(&writer->conn, "PRAGMA page_size", &page_bytes) : err;
    if (err != OK) {
        return err;
    }
    ret_size->free_bytes = free * page_bytes;
    ret_size->used_bytes = (pages - free) * page_bytes;
    err = note_size(writer, ret_size->used_bytes);
    return err == OK ? growth(writer, ret_size) : err;
}
