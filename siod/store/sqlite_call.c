/* Calls. */
#include "siod/store/sqlite_backend.h"

#define CALL_COLUMNS                                                                               \
    "id, business_id, chat_id, phone_number_id, wacid, direction, state, seen, started_at_s,"      \
    " answered_at_s, ended_at_s, duration_s, errors"

static void get_call(struct query *query, struct store_call *ret_call)
{
    ret_call->id = get_int(query);
    ret_call->business_id = get_int(query);
    ret_call->chat_id = get_int(query);
    ret_call->phone_number_id = get_str(query);
    ret_call->wacid = get_str(query);
    ret_call->direction = (enum store_direction)get_int(query);
    ret_call->state = (enum store_call_state)get_int(query);
    ret_call->seen = (unsigned)get_int(query);
    ret_call->started_at_s = get_int(query);
    ret_call->answered_at_s = get_int(query);
    ret_call->ended_at_s = get_int(query);
    ret_call->duration_s = get_int(query);
    ret_call->errors = get_str(query);
}

enum err sqlite_call_by_wacid(struct store_tx *tx, struct str phone_number_id, struct str wacid,
                              struct store_call *ret_call)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CALL_BY_WACID,
                                 "SELECT " CALL_COLUMNS " FROM call"
                                 " WHERE phone_number_id = ? AND wacid = ?");

    put_str_full(&q, phone_number_id);
    put_str_full(&q, wacid);
    if (query_row(&q)) {
        get_call(&q, ret_call);
        return query_lend(&q);
    }
    enum err err = query_end(&q);
    return err == OK ? ERR_NOT_FOUND : err;
}

enum err sqlite_call_put(struct store_tx *tx, const struct store_call *call, int64_t *ret_call_id)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CALL_PUT,
        "INSERT INTO call (business_id, chat_id, phone_number_id, wacid, direction, state, seen,"
        " started_at_s, answered_at_s, ended_at_s, duration_s, errors)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (phone_number_id, wacid) DO UPDATE SET state = excluded.state,"
        " seen = excluded.seen, started_at_s = excluded.started_at_s,"
        " answered_at_s = excluded.answered_at_s, ended_at_s = excluded.ended_at_s,"
        " duration_s = excluded.duration_s, errors = excluded.errors RETURNING id");

    put_int(&q, call->business_id);
    put_int(&q, call->chat_id);
    put_str_full(&q, call->phone_number_id);
    put_str_full(&q, call->wacid);
    put_int(&q, call->direction);
    put_int(&q, call->state);
    put_int(&q, call->seen);
    put_int(&q, call->started_at_s);
    put_int(&q, call->answered_at_s);
    put_int(&q, call->ended_at_s);
    put_int(&q, call->duration_s);
    put_str(&q, call->errors);
    if (query_row(&q)) {
        *ret_call_id = get_int(&q);
    }
    return query_run(&q);
}

enum err sqlite_calls(struct store_reader *reader, int64_t chat_id, unsigned limit,
                      bool (*fn)(void *arg, const struct store_call *call), void *arg)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_CALLS,
                                 "SELECT " CALL_COLUMNS " FROM call WHERE chat_id = ?"
                                 " ORDER BY id DESC LIMIT ?");

    put_int(&q, chat_id);
    put_int(&q, limit != 0 ? (int64_t)limit : -1);
    while (query_row(&q)) {
        struct store_call call;

        get_call(&q, &call);
        if (!fn(arg, &call)) {
            break;
        }
    }
    return query_end(&q);
}
