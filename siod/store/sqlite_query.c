/* Running cached statements, and what their errors mean. */
#include <string.h>

#include "siod/store/sqlite.h"

enum err sqlite_error(struct sqlite_conn *conn, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return OK;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        return ERR_INVALID;
    case SQLITE_TOOBIG:
        return ERR_TOO_LARGE;
    case SQLITE_INTERRUPT:
        return ERR_TIMEOUT;
    default: {
        int system = sqlite3_system_errno(conn->db);
        bool corrupt = (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;

        conn->fault->corrupt = conn->fault->corrupt || corrupt;
        return store_fault_set(conn->fault, "%s (%d)%s%s", sqlite3_errmsg(conn->db), rc,
                               system != 0 ? ": " : "", system != 0 ? strerror(system) : "");
    }
    }
}

struct query query_begin(struct sqlite_conn *conn, enum sqlite_statement id, const char *sql)
{
    struct query query = { .conn = conn, .stmt = conn->cache[id], .at = 1 };

    if (conn->lent != NULL) {
        sqlite3_reset(TAKE(conn->lent));
    }
    if (query.stmt == NULL) {
        query.rc = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                      &conn->cache[id], NULL);
        query.stmt = conn->cache[id];
    }
    return query;
}

static void bound(struct query *query, int rc)
{
    query->at++;
    if (query->rc == SQLITE_OK) {
        query->rc = rc;
    }
}

void put_int(struct query *query, int64_t value)
{
    bound(query, sqlite3_bind_int64(query->stmt, query->at, value));
}

void put_str(struct query *query, struct str value)
{
    bound(query, sqlite3_bind_blob64(query->stmt, query->at, value.data, value.len, SQLITE_STATIC));
}

void put_str_full(struct query *query, struct str value)
{
    put_str(query, value.data != NULL ? value : STR(""));
}

bool query_row(struct query *query)
{
    query->at = 0;
    if (query->rc == SQLITE_OK || query->rc == SQLITE_ROW) {
        query->rc = sqlite3_step(query->stmt);
    }
    return query->rc == SQLITE_ROW;
}

int64_t get_int(struct query *query)
{
    return sqlite3_column_int64(query->stmt, query->at++);
}

struct str get_str(struct query *query)
{
    int column = query->at++;
    struct str value = { sqlite3_column_blob(query->stmt, column), 0 };

    value.len = (size_t)sqlite3_column_bytes(query->stmt, column);
    if (value.data == NULL && sqlite3_column_type(query->stmt, column) != SQLITE_NULL) {
        return STR("");
    }
    return value;
}

enum err query_end(struct query *query)
{
    enum err err = sqlite_error(query->conn, query->rc);

    sqlite3_reset(query->stmt);
    return err;
}

enum err query_lend(struct query *query)
{
    if (query->rc != SQLITE_ROW) {
        return query_end(query);
    }
    query->conn->lent = query->stmt;
    return OK;
}

enum err query_run(struct query *query)
{
    while (query_row(query)) {
    }
    return query_end(query);
}

enum err query_change(struct query *query, bool *ret_changed)
{
    enum err err;

    query_row(query);
    *ret_changed = query->rc == SQLITE_DONE && sqlite3_changes(query->conn->db) > 0;
    err = query_end(query);
    return err;
}

enum err sqlite_run(struct sqlite_conn *conn, enum sqlite_statement id, const char *sql)
{
    struct query query = query_begin(conn, id, sql);

    return query_run(&query);
}

void get_contact(struct query *query, struct store_contact *ret_contact)
{
    ret_contact->id = get_int(query);
    ret_contact->business_id = get_int(query);
    ret_contact->name = get_str(query);
    ret_contact->username = get_str(query);
    ret_contact->phone = get_str(query);
    ret_contact->wa_id = get_str(query);
    ret_contact->user_id = get_str(query);
}

void get_chat(struct query *query, struct store_chat *ret_chat)
{
    ret_chat->id = get_int(query);
    ret_chat->business_id = get_int(query);
    ret_chat->phone_number_id = get_str(query);
    ret_chat->group_id = get_str(query);
    ret_chat->state = (enum store_chat_state)get_int(query);
    ret_chat->agent_id = get_int(query);
    ret_chat->last_message_id = get_int(query);
    ret_chat->last_message_at_ms = get_int(query);
    ret_chat->window_expires_at_ms = get_int(query);
    ret_chat->created_at_ms = get_int(query);
    ret_chat->version = get_int(query);
    ret_chat->waiting_since_ms = get_int(query);
    ret_chat->assigned_at_ms = get_int(query);
    ret_chat->last_agent_id = get_int(query);
    ret_chat->closed_at_ms = get_int(query);
}

void get_waiting(struct query *query, struct store_waiting *ret_waiting)
{
    ret_waiting->chat_id = get_int(query);
    ret_waiting->business_id = get_int(query);
    ret_waiting->version = get_int(query);
    ret_waiting->since_ms = get_int(query);
    ret_waiting->last_agent_id = get_int(query);
    ret_waiting->avoid_agent_id = 0;
    ret_waiting->told = get_int(query) != 0;
}

void get_message(struct query *query, struct store_message *ret_message)
{
    ret_message->id = get_int(query);
    ret_message->chat_id = get_int(query);
    ret_message->business_id = get_int(query);
    ret_message->contact_id = get_int(query);
    ret_message->direction = (enum store_direction)get_int(query);
    ret_message->status = (enum store_status)get_int(query);
    ret_message->sender_user_id = get_int(query);
    ret_message->wa_timestamp_s = get_int(query);
    ret_message->created_at_ms = get_int(query);
    ret_message->phone_number_id = get_str(query);
    ret_message->wamid = get_str(query);
    ret_message->type = get_str(query);
    ret_message->context_wamid = get_str(query);
    ret_message->error = get_str(query);
    ret_message->text = get_str(query);
    ret_message->raw = get_str(query);
    ret_message->kind = (enum store_message_kind)get_int(query);
    ret_message->content = get_str(query);
    ret_message->changes = get_str(query);
}
