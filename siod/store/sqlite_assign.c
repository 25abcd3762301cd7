/* Whose chat it is: the compare-and-set behind every assignment, and the record of why. */
#include "siod/store/sqlite_backend.h"

/* The agent is asked for by (chat, user): a chat is only ever given within its business. */
static enum err chat_and_agent_check(struct store_tx *tx, int64_t chat_id, int64_t agent_id)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CHAT_CHECK,
                                 "SELECT 1 FROM chat WHERE id = ?1 AND (?2 = 0 OR EXISTS"
                                 " (SELECT 1 FROM agent WHERE agent.business_id = chat.business_id"
                                 "  AND agent.user_id = ?2))");
    bool found;

    put_int(&q, chat_id);
    put_int(&q, agent_id);
    found = query_row(&q);
    enum err err = query_end(&q);
    return err == OK && !found ? ERR_NOT_FOUND : err;
}

/* A compare-and-set that changed nothing: is there no such row, or was it not as expected? */
static enum err refused(struct store_tx *tx, int64_t chat_id, int64_t agent_id)
{
    enum err err = chat_and_agent_check(tx, chat_id, agent_id);

    return err == OK ? ERR_CONFLICT : err;
}

static enum err turn_write(struct store_tx *tx, const struct store_assignment *assignment)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_AGENT_TURN,
                                 "UPDATE agent SET turn = ?3 WHERE turn < ?3 AND user_id = ?2 AND"
                                 " business_id = (SELECT business_id FROM chat WHERE id = ?1)");

    put_int(&q, assignment->chat_id);
    put_int(&q, assignment->agent_id);
    put_int(&q, assignment->turn);
    return query_run(&q);
}

enum err sqlite_chat_assign(struct store_tx *tx, const struct store_assignment *assignment)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHAT_ASSIGN,
        "UPDATE chat SET state = 1, agent_id = ?2, last_agent_id = ?2, version = version + 1,"
        " waiting_since_ms = 0, waiting_told = 0, assigned_at_ms = ?5, closed_at_ms = 0"
        " WHERE id = ?1 AND NOT (state = 1 AND agent_id = ?2)"
        " AND EXISTS (SELECT 1 FROM agent WHERE agent.business_id = chat.business_id"
        "             AND agent.user_id = ?2)"
        " AND (?4 OR (state = 0 AND (?3 = 0 OR version = ?3)"
        "      AND (SELECT count(*) FROM chat AS own WHERE own.business_id = chat.business_id"
        "           AND own.agent_id = ?2 AND own.state = 1)"
        "        < (SELECT capacity FROM agent WHERE agent.business_id = chat.business_id"
        "           AND agent.user_id = ?2)))");
    bool changed;
    enum err err;

    put_int(&q, assignment->chat_id);
    put_int(&q, assignment->agent_id);
    put_int(&q, assignment->version);
    put_int(&q, assignment->force);
    put_int(&q, tx->now_ms);
    err = query_change(&q, &changed);
    if (err == OK && !changed) {
        return refused(tx, assignment->chat_id, assignment->agent_id);
    }
    return err != OK ? err : turn_write(tx, assignment);
}

/* Ends a query that returns WAITING_COLUMNS of the chat that it changed, if it did. */
static enum err returned(struct store_tx *tx, struct query *query, int64_t chat_id,
                         struct store_waiting *ret_waiting)
{
    bool changed = query_row(query);
    enum err err;

    if (changed) {
        get_waiting(query, ret_waiting);
    }
    err = query_run(query);
    return err == OK && !changed ? refused(tx, chat_id, 0) : err;
}

enum err sqlite_chat_unassign(struct store_tx *tx, int64_t chat_id, int64_t agent_id,
                              struct store_waiting *ret_waiting)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHAT_UNASSIGN,
        "UPDATE chat SET state = 0, agent_id = 0, version = version + 1, waiting_since_ms = ?3,"
        " waiting_told = 0, assigned_at_ms = 0, last_agent_id = iif(?2 = 0, 0, last_agent_id)"
        " WHERE id = ?1 AND state = 1 AND (?2 = 0 OR agent_id = ?2) RETURNING " WAITING_COLUMNS);

    put_int(&q, chat_id);
    put_int(&q, agent_id);
    put_int(&q, tx->now_ms);
    return returned(tx, &q, chat_id, ret_waiting);
}

enum err sqlite_chat_close(struct store_tx *tx, int64_t chat_id)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHAT_CLOSE,
        "UPDATE chat SET state = 2, agent_id = 0, version = version + 1, waiting_since_ms = 0,"
        " waiting_told = 0, assigned_at_ms = 0, closed_at_ms = ?2 WHERE id = ?1 AND state <> 2");
    bool changed;
    enum err err;

    put_int(&q, chat_id);
    put_int(&q, tx->now_ms);
    err = query_change(&q, &changed);
    return err == OK && !changed ? refused(tx, chat_id, 0) : err;
}

enum err sqlite_chat_reopen(struct store_tx *tx, int64_t chat_id, struct store_waiting *ret_waiting)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHAT_REOPEN,
        "UPDATE chat SET state = 0, version = version + 1, waiting_since_ms = ?2, closed_at_ms = 0"
        " WHERE id = ?1 AND state = 2 RETURNING " WAITING_COLUMNS);

    put_int(&q, chat_id);
    put_int(&q, tx->now_ms);
    return returned(tx, &q, chat_id, ret_waiting);
}

enum err sqlite_chat_wake(struct store_tx *tx, int64_t chat_id, struct store_waiting *ret_waiting)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHAT_WAKE,
        "UPDATE chat SET state = 0, agent_id = 0, version = version + 1, waiting_since_ms = ?2,"
        " waiting_told = 0, assigned_at_ms = 0, closed_at_ms = 0"
        " WHERE id = ?1 AND (state = 2 OR (state = 1 AND NOT (SELECT online FROM agent"
        "  WHERE agent.business_id = chat.business_id AND agent.user_id = chat.agent_id)))"
        " RETURNING " WAITING_COLUMNS);

    put_int(&q, chat_id);
    put_int(&q, tx->now_ms);
    ret_waiting->chat_id = 0;
    if (query_row(&q)) {
        get_waiting(&q, ret_waiting);
    }
    return query_run(&q);
}

enum err sqlite_chat_waiting_told(struct store_tx *tx, int64_t chat_id, int64_t version,
                                  bool *ret_first)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CHAT_TOLD,
                                 "UPDATE chat SET waiting_told = 1 WHERE id = ?1 AND state = 0"
                                 " AND waiting_told = 0 AND (?2 = 0 OR version = ?2)");

    put_int(&q, chat_id);
    put_int(&q, version);
    return query_change(&q, ret_first);
}

enum err sqlite_agent_unanswered(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                 enum err (*fn)(void *arg, int64_t chat_id), void *arg)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_AGENT_UNANSWERED,
                    "SELECT chat.id FROM chat JOIN message ON message.id = chat.last_message_id"
                    " WHERE chat.business_id = ? AND chat.agent_id = ? AND chat.state = 1"
                    " AND message.direction = 0 ORDER BY chat.id");
    enum err err = OK;

    put_int(&q, business_id);
    put_int(&q, user_id);
    while (err == OK && query_row(&q)) {
        err = fn(arg, get_int(&q));
    }
    enum err end = query_end(&q);
    return err != OK ? err : end;
}

/* ------------------------------------------------------------------ decisions */

enum err sqlite_decision_append(struct store_tx *tx, const struct store_decision *decision)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_DECISION_APPEND,
                                 "INSERT INTO decision (chat_id, at_ms, agent_id, policy, outcome,"
                                 " who, considered) VALUES (?, ?, ?, ?, ?, ?, ?)");

    put_int(&q, decision->chat_id);
    put_int(&q, tx->now_ms);
    put_int(&q, decision->agent_id);
    put_str_full(&q, decision->policy);
    put_str_full(&q, decision->outcome);
    put_str_full(&q, decision->who);
    put_str_full(&q, decision->considered);
    return query_run(&q);
}

enum err sqlite_decisions(struct store_reader *reader, int64_t chat_id, unsigned limit,
                          bool (*fn)(void *arg, const struct store_decision *decision), void *arg)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_DECISIONS,
                                 "SELECT chat_id, at_ms, agent_id, policy, outcome, who, considered"
                                 " FROM decision WHERE chat_id = ? ORDER BY id DESC LIMIT ?");

    put_int(&q, chat_id);
    put_int(&q, limit != 0 ? (int64_t)limit : -1);
    while (query_row(&q)) {
        struct store_decision decision = { .chat_id = get_int(&q) };

        decision.at_ms = get_int(&q);
        decision.agent_id = get_int(&q);
        decision.policy = get_str(&q);
        decision.outcome = get_str(&q);
        decision.who = get_str(&q);
        decision.considered = get_str(&q);
        if (!fn(arg, &decision)) {
            break;
        }
    }
    return query_end(&q);
}

enum err sqlite_waiting_chats(struct store_reader *reader, const struct store_waiting *after,
                              unsigned limit,
                              bool (*fn)(void *arg, const struct store_waiting *waiting), void *arg)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_WAITING_CHATS,
                                 "SELECT " WAITING_COLUMNS " FROM chat WHERE state = 0"
                                 " AND (waiting_since_ms, id) > (?, ?)"
                                 " ORDER BY waiting_since_ms, id LIMIT ?");

    put_int(&q, after->since_ms);
    put_int(&q, after->chat_id);
    put_int(&q, limit);
    while (query_row(&q)) {
        struct store_waiting waiting;

        get_waiting(&q, &waiting);
        if (!fn(arg, &waiting)) {
            break;
        }
    }
    return query_end(&q);
}
