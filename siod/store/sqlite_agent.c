/* Agents, and how far each has read. */
#include "siod/store/sqlite_backend.h"

#define AGENT_SELECT                                                                               \
    "SELECT business_id, user_id, name, role, status, capacity, online, turn,"                     \
    " (SELECT count(*) FROM chat WHERE chat.business_id = agent.business_id"                       \
    "  AND chat.agent_id = agent.user_id AND chat.state = 1) FROM agent"

static void get_agent(struct query *query, struct store_agent *ret_agent)
{
    ret_agent->business_id = get_int(query);
    ret_agent->user_id = get_int(query);
    ret_agent->name = get_str(query);
    ret_agent->role = get_str(query);
    if (!store_agent_status_parse(get_str(query), &ret_agent->status)) {
        ret_agent->status = STORE_AGENT_AWAY;
    }
    ret_agent->capacity = get_int(query);
    ret_agent->online = get_int(query) != 0;
    ret_agent->turn = get_int(query);
    ret_agent->load = get_int(query);
}

static enum err agent_write(struct store_tx *tx, int64_t business_id, int64_t user_id,
                            struct str name, struct str role)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct query q =
        query_begin(&writer->conn, ST_AGENT_SEEN,
                    "INSERT INTO agent (business_id, user_id, name, role, capacity, created_at_ms,"
                    " online) VALUES (?, ?, ?, ?, ?, ?, 1)"
                    " ON CONFLICT (business_id, user_id) DO UPDATE SET role = excluded.role,"
                    " name = CASE length(excluded.name) WHEN 0 THEN name ELSE excluded.name END,"
                    " online = 1"
                    " WHERE online = 0 OR role <> excluded.role"
                    " OR (length(excluded.name) > 0 AND name <> excluded.name)");

    put_int(&q, business_id);
    put_int(&q, user_id);
    put_str_full(&q, name);
    put_str_full(&q, role);
    put_int(&q, atomic_load_explicit(&tx->agent_capacity, memory_order_relaxed));
    put_int(&q, tx->now_ms);
    return query_run(&q);
}

enum err sqlite_agent_seen(struct store_tx *tx, int64_t business_id, int64_t user_id,
                           struct str name, struct str role, struct store_agent *ret_agent)
{
    enum err err = agent_write(tx, business_id, user_id, name, role);

    return err != OK ? err : sqlite_agent_current(tx, business_id, user_id, ret_agent);
}

enum err sqlite_agent_current(struct store_tx *tx, int64_t business_id, int64_t user_id,
                              struct store_agent *ret_agent)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_AGENT_GET,
                                 AGENT_SELECT " WHERE business_id = ? AND user_id = ?");

    put_int(&q, business_id);
    put_int(&q, user_id);
    if (query_row(&q)) {
        get_agent(&q, ret_agent);
        return query_lend(&q);
    }
    enum err err = query_end(&q);
    return err == OK ? ERR_NOT_FOUND : err;
}

/* After an UPDATE that changed nothing: was it so already, or is there nobody? */
static enum err agent_check(struct store_tx *tx, int64_t business_id, int64_t user_id)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_AGENT_CHECK,
                                 "SELECT 1 FROM agent WHERE business_id = ? AND user_id = ?");
    bool found;

    put_int(&q, business_id);
    put_int(&q, user_id);
    found = query_row(&q);
    enum err err = query_end(&q);
    return err == OK && !found ? ERR_NOT_FOUND : err;
}

/* Runs an UPDATE whose last parameters are the agent's key. */
static enum err agent_change(struct store_tx *tx, struct query *query, int64_t business_id,
                             int64_t user_id, bool *ret_changed)
{
    enum err err;

    put_int(query, business_id);
    put_int(query, user_id);
    err = query_change(query, ret_changed);
    return err == OK && !*ret_changed ? agent_check(tx, business_id, user_id) : err;
}

enum err sqlite_agent_offline(struct store_tx *tx, int64_t business_id, int64_t user_id)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_AGENT_OFFLINE,
                    "UPDATE agent SET online = 0 WHERE business_id = ? AND user_id = ?");
    bool changed;

    return agent_change(tx, &q, business_id, user_id, &changed);
}

enum err sqlite_agent_status_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                 enum store_agent_status status, bool *ret_changed)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_AGENT_STATUS_SET,
                                 "UPDATE agent SET status = CAST(?1 AS TEXT)"
                                 " WHERE status <> CAST(?1 AS TEXT) AND business_id = ?2"
                                 " AND user_id = ?3");

    put_str(&q, str_of(store_agent_status_name(status)));
    return agent_change(tx, &q, business_id, user_id, ret_changed);
}

enum err sqlite_agent_capacity_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                   int64_t capacity, bool *ret_changed)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_AGENT_CAPACITY_SET,
                                 "UPDATE agent SET capacity = ?1"
                                 " WHERE capacity <> ?1 AND business_id = ?2 AND user_id = ?3");

    put_int(&q, capacity);
    return agent_change(tx, &q, business_id, user_id, ret_changed);
}

/* ------------------------------------------------------------------ read cursors */

static enum err message_second(struct store_tx *tx, int64_t business_id, int64_t chat_id,
                               int64_t message_id, int64_t *ret_second)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_READ_MESSAGE,
                                 "SELECT wa_timestamp_s FROM message"
                                 " WHERE id = ? AND chat_id = ? AND business_id = ?");
    bool found;

    put_int(&q, message_id);
    put_int(&q, chat_id);
    put_int(&q, business_id);
    found = query_row(&q);
    if (found) {
        *ret_second = get_int(&q);
    }
    enum err err = query_end(&q);
    return err == OK && !found ? ERR_NOT_FOUND : err;
}

enum err sqlite_read_cursor_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                int64_t chat_id, int64_t message_id, bool *ret_moved)
{
    int64_t second = 0;
    enum err err = message_second(tx, business_id, chat_id, message_id, &second);

    if (err != OK) {
        return err;
    }
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_READ_CURSOR_SET,
        "INSERT INTO read_cursor (chat_id, user_id, wa_timestamp_s, message_id, at_ms)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (chat_id, user_id) DO UPDATE SET"
        " wa_timestamp_s = excluded.wa_timestamp_s, message_id = excluded.message_id,"
        " at_ms = excluded.at_ms"
        " WHERE (excluded.wa_timestamp_s, excluded.message_id) > (wa_timestamp_s, message_id)");

    put_int(&q, chat_id);
    put_int(&q, user_id);
    put_int(&q, second);
    put_int(&q, message_id);
    put_int(&q, tx->now_ms);
    return query_change(&q, ret_moved);
}

/* ------------------------------------------------------------------ reads */

enum err sqlite_agents(struct store_reader *reader, const struct store_agent_filter *filter,
                       bool (*fn)(void *arg, const struct store_agent *agent), void *arg)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_AGENTS,
                                 AGENT_SELECT " WHERE (?1 = 0 OR business_id = ?1) AND online >= ?2"
                                              " AND user_id > ?3"
                                              " ORDER BY business_id, user_id LIMIT ?4");

    put_int(&q, filter->business_id);
    put_int(&q, filter->online_only);
    put_int(&q, filter->after_id);
    put_int(&q, filter->limit != 0 ? (int64_t)filter->limit : -1);
    while (query_row(&q)) {
        struct store_agent agent;

        get_agent(&q, &agent);
        if (!fn(arg, &agent)) {
            break;
        }
    }
    return query_end(&q);
}
