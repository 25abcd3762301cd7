/* What only ever grows: messages, statuses, webhooks, the log, the audit. */
#include <time.h>

#include "siod/store/sqlite_backend.h"

enum err sqlite_log_insert(struct store_tx *tx, const struct store_event *event)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_LOG_INSERT,
                                 "INSERT INTO log (business_id, position, at_ms, room, event, args,"
                                 " origin) VALUES (?, ?, ?, ?, ?, ?, ?)");

    put_int(&q, event->business_id);
    put_int(&q, event->position);
    put_int(&q, event->at_ms);
    put_str_full(&q, event->room);
    put_str_full(&q, event->event);
    put_str_full(&q, event->args);
    put_str(&q, event->origin.len > 0 ? event->origin : STR_NONE);
    return query_run(&q);
}

static struct query message_insert(struct store_tx *tx, const struct store_message *message)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct query q =
        query_begin(&writer->conn, ST_MESSAGE_APPEND,
                    "INSERT INTO message (id, chat_id, business_id, contact_id, direction, status,"
                    " sender_user_id, wa_timestamp_s, created_at_ms, phone_number_id, wamid, type,"
                    " context_wamid, error, text, raw, content, kind)"
                    " VALUES (?, ?, ?, nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (phone_number_id, wamid) DO NOTHING");

    put_int(&q, writer->next.message + 1);
    put_int(&q, message->chat_id);
    put_int(&q, message->business_id);
    put_int(&q, message->contact_id);
    put_int(&q, message->direction);
    put_int(&q, message->status);
    put_int(&q, message->sender_user_id);
    put_int(&q, message->wa_timestamp_s);
    put_int(&q, message->created_at_ms != 0 ? message->created_at_ms : tx->now_ms);
    put_str_full(&q, message->phone_number_id);
    put_str(&q, message->wamid);
    put_str_full(&q, message->type);
    put_str(&q, message->context_wamid);
    put_str(&q, message->error);
    put_str(&q, message->text);
    put_str_full(&q, message->raw);
    put_str(&q, message->content);
    put_int(&q, message->kind);
    return q;
}

enum err sqlite_message_append(struct store_tx *tx, const struct store_message *message,
                               int64_t *ret_message_id, bool *ret_inserted)
{
    struct query q;
    bool inserted = false, gone;
    enum err err =
        sqlite_gone_check(writer_of(tx), message->phone_number_id, message->wamid, &gone);

    if (err == OK && !gone) {
        q = message_insert(tx, message);
        err = query_change(&q, &inserted);
    }
    if (err == OK) {
        *ret_inserted = inserted;
        *ret_message_id = inserted ? ++writer_of(tx)->next.message : 0;
    }
    return err;
}

enum err sqlite_message_fill(struct store_tx *tx, const struct store_message *message,
                             bool *ret_filled)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_MESSAGE_FILL,
                                 "UPDATE message SET type = ?, text = iif(revoked_at_s, NULL, ?),"
                                 " raw = iif(revoked_at_s, x'', ?),"
                                 " content = iif(revoked_at_s, NULL, ?), original = NULL"
                                 " WHERE phone_number_id = ? AND wamid = ? AND business_id = ?"
                                 " AND iif(original IS NULL, CAST(type AS TEXT),"
                                 " json_extract(CAST(original AS TEXT), '$.type'))"
                                 " = 'media_placeholder'");

    put_str_full(&q, message->type);
    put_str(&q, message->text);
    put_str_full(&q, message->raw);
    put_str(&q, message->content);
    put_str_full(&q, message->phone_number_id);
    put_str_full(&q, message->wamid);
    put_int(&q, message->business_id);
    return query_change(&q, ret_filled);
}

enum err sqlite_message_by_wamid(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                                 struct store_message *ret_message)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_MESSAGE_BY_WAMID,
                                 "SELECT " MESSAGE_COLUMNS " FROM message"
                                 " WHERE phone_number_id = ? AND wamid = ?");

    put_str_full(&q, phone_number_id);
    put_str_full(&q, wamid);
    if (query_row(&q)) {
        get_message(&q, ret_message);
        return query_lend(&q);
    }
    enum err err = query_end(&q);
    return err == OK ? ERR_NOT_FOUND : err;
}

enum err sqlite_message_state_by_wamid(struct store_tx *tx, struct str phone_number_id,
                                       struct str wamid, struct store_message_state *ret_state)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_MESSAGE_STATE_BY_WAMID,
                                 "SELECT id, chat_id, business_id, contact_id, direction,"
                                 " status, revoked_at_s FROM message"
                                 " WHERE phone_number_id = ? AND wamid = ?");
    bool found;
    enum err err;

    put_str_full(&q, phone_number_id);
    put_str_full(&q, wamid);
    found = query_row(&q);
    if (found) {
        ret_state->id = get_int(&q);
        ret_state->chat_id = get_int(&q);
        ret_state->business_id = get_int(&q);
        ret_state->contact_id = get_int(&q);
        ret_state->direction = (enum store_direction)get_int(&q);
        ret_state->status = (enum store_status)get_int(&q);
        ret_state->revoked_at_s = get_int(&q);
    }
    err = query_end(&q);
    return err == OK && !found ? ERR_NOT_FOUND : err;
}

enum err sqlite_message_status_set(struct store_tx *tx, int64_t message_id,
                                   enum store_status status, struct str error)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_MESSAGE_STATUS_SET,
                                 "UPDATE message SET status = ?, error = ? WHERE id = ?");

    put_int(&q, status);
    put_str(&q, error);
    put_int(&q, message_id);
    return query_run(&q);
}

/* ------------------------------------------------------------------ statuses */

/* Orders the statuses that carry the same second. */
static int64_t seen_now_us(struct sqlite_writer *writer)
{
    struct timespec now;
    int64_t us;

    clock_gettime(CLOCK_REALTIME, &now);
    us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    writer->seen_us = MAX(us, writer->seen_us + 1);
    return writer->seen_us;
}

enum err sqlite_status_record(struct store_tx *tx, const struct store_status_row *row,
                              bool *ret_new)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct query q = query_begin(&writer->conn, ST_STATUS_RECORD,
                                 "INSERT INTO status (phone_number_id, wamid, status, participant,"
                                 " wa_timestamp_s, seen_at_us, error, business_id)"
                                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                                 " ON CONFLICT DO NOTHING");

    put_str_full(&q, row->phone_number_id);
    put_str_full(&q, row->wamid);
    put_str_full(&q, row->status);
    put_str_full(&q, row->participant);
    put_int(&q, row->wa_timestamp_s);
    put_int(&q, seen_now_us(writer));
    put_str(&q, row->error);
    put_int(&q, row->business_id);
    return query_change(&q, ret_new);
}

static void get_status(struct query *query, struct store_status_row *ret_row)
{
    ret_row->phone_number_id = get_str(query);
    ret_row->wamid = get_str(query);
    ret_row->status = get_str(query);
    ret_row->participant = get_str(query);
    ret_row->error = get_str(query);
    ret_row->wa_timestamp_s = get_int(query);
}

enum err sqlite_status_each(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            enum err (*fn)(void *arg, const struct store_status_row *row),
                            void *arg)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_STATUS_EACH,
        "SELECT phone_number_id, wamid, status, participant, error, wa_timestamp_s FROM status"
        " WHERE phone_number_id = ? AND wamid = ? ORDER BY wa_timestamp_s, seen_at_us");
    enum err given = OK;

    put_str_full(&q, phone_number_id);
    put_str_full(&q, wamid);
    while (given == OK && query_row(&q)) {
        struct store_status_row row;

        get_status(&q, &row);
        given = fn(arg, &row);
    }
    enum err err = query_end(&q);
    return err != OK ? err : given;
}

/* ------------------------------------------------------------------ webhooks, audit */

enum err sqlite_webhook_append(struct store_tx *tx, const struct store_webhook *webhook,
                               int64_t *ret_webhook_id)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct query q =
        query_begin(&writer->conn, ST_WEBHOOK_APPEND,
                    "INSERT INTO webhook (received_at_ms, state, app, counts, reason, body, fields,"
                    " owners) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    enum err err;

    put_int(&q, webhook->received_at_ms);
    put_int(&q, webhook->state);
    put_str_full(&q, webhook->app);
    put_str_full(&q, webhook->counts);
    put_str_full(&q, webhook->reason);
    put_str_full(&q, webhook->body);
    put_str_full(&q, webhook->fields.len > 0 ? webhook->fields : STR("[]"));
    put_str_full(&q, webhook->owners);
    err = query_run(&q);
    if (err == OK) {
        *ret_webhook_id = sqlite3_last_insert_rowid(writer->conn.db);
    }
    return err;
}

enum err sqlite_audit_append(struct store_tx *tx, struct str who, struct str command,
                             struct str args)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_AUDIT_APPEND,
                    "INSERT INTO audit (at_ms, who, command, args) VALUES (?, ?, ?, ?)");

    put_int(&q, tx->now_ms);
    put_str_full(&q, who);
    put_str_full(&q, command);
    put_str_full(&q, args);
    return query_run(&q);
}
