/* Sessions of clients that may come back, and what belongs to all of them: the key of their
 * secrets, and until when those that are here are good. */
#include <stdio.h>
#include <string.h>

#include "libshared/id.h"
#include "siod/store/sqlite_backend.h"

enum { HEX_DIGITS = 2 };

enum err sqlite_session_put(struct store_tx *tx, const struct store_session *session)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_SESSION_PUT,
                                 "INSERT OR REPLACE INTO session (id, business_id, user_id, state)"
                                 " VALUES (?, ?, ?, ?)");

    put_str_full(&q, session->id);
    put_int(&q, session->business_id);
    put_int(&q, session->user_id);
    put_str_full(&q, session->state);
    return query_run(&q);
}

enum err sqlite_session_remove(struct store_tx *tx, struct str id)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_SESSION_REMOVE, "DELETE FROM session WHERE id = ?");

    put_str_full(&q, id);
    return query_run(&q);
}

enum err sqlite_sessions_remove_with(struct store_tx *tx, int64_t business_id, struct str bytes)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_SESSIONS_REMOVE_WITH,
                                 "DELETE FROM session WHERE business_id = ? AND instr(state, ?)");

    put_int(&q, business_id);
    put_str_full(&q, bytes);
    return query_run(&q);
}

enum err sqlite_sessions_until(struct store_tx *tx, int64_t until_ms)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_SESSIONS_UNTIL,
                                 "INSERT OR REPLACE INTO meta (key, value)"
                                 " VALUES ('sessions_until_ms', ?)");

    put_int(&q, until_ms);
    return query_run(&q);
}

static enum err insert_key(struct sqlite_conn *conn, const uint8_t *fresh)
{
    char hex[STORE_SESSION_KEY_BYTES * HEX_DIGITS + 1];
    struct query q = query_begin(conn, ST_SESSION_KEY_PUT,
                                 "INSERT OR IGNORE INTO meta (key, value)"
                                 " VALUES ('session_key', CAST(? AS TEXT))");

    for (size_t i = 0; i < STORE_SESSION_KEY_BYTES; i++) {
        snprintf(hex + i * HEX_DIGITS, HEX_DIGITS + 1, "%02x", fresh[i]);
    }
    put_str(&q, (struct str) { hex, sizeof hex - 1 });
    return query_run(&q);
}

static bool read_hex(struct str hex, uint8_t *ret_key)
{
    static const char digits[] = "0123456789abcdef";

    if (hex.len != STORE_SESSION_KEY_BYTES * HEX_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < hex.len; i++) {
        const char *digit = memchr(digits, hex.data[i], sizeof digits - 1);

        if (digit == NULL) {
            return false;
        }
        ret_key[i / 2] = (uint8_t)(ret_key[i / 2] << 4 | (digit - digits));
    }
    return true;
}

enum err sqlite_session_key(struct store_tx *tx, uint8_t *ret_key)
{
    struct sqlite_conn *conn = &writer_of(tx)->conn;
    uint8_t fresh[STORE_SESSION_KEY_BYTES];
    bool sound;
    enum err err;

    id_random(fresh, sizeof fresh);
    err = insert_key(conn, fresh);
    if (err != OK) {
        return err;
    }

    struct query q =
        query_begin(conn, ST_SESSION_KEY, "SELECT value FROM meta WHERE key = 'session_key'");

    sound = query_row(&q) && read_hex(get_str(&q), ret_key);
    err = query_end(&q);
    return err == OK && !sound ? store_fault_set(conn->fault, "the table meta has no session_key")
                               : err;
}

enum err sqlite_sessions(struct store_reader *reader, int64_t *ret_until_ms,
                         bool (*fn)(void *arg, const struct store_session *session), void *arg)
{
    struct sqlite_conn *conn = &reader_of(reader)->conn;
    struct query until = query_begin(conn, ST_SESSIONS_UNTIL_READ,
                                     "SELECT value FROM meta WHERE key = 'sessions_until_ms'");
    enum err err;

    *ret_until_ms = query_row(&until) ? get_int(&until) : 0;
    err = query_end(&until);
    if (err != OK) {
        return err;
    }

    struct query q =
        query_begin(conn, ST_SESSIONS, "SELECT id, business_id, user_id, state FROM session");

    while (query_row(&q)) {
        struct store_session session = { .id = get_str(&q) };

        session.business_id = get_int(&q);
        session.user_id = get_int(&q);
        session.state = get_str(&q);
        if (!fn(arg, &session)) {
            break;
        }
    }
    return query_end(&q);
}
