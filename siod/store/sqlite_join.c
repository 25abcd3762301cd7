/* Two contacts become one: their names, their chats, and what hangs on these. */
#include "siod/store/sqlite_backend.h"

static struct query begin(struct store_tx *tx, enum sqlite_statement id, const char *sql)
{
    return query_begin(&writer_of(tx)->conn, id, sql);
}

/* A statement whose parameters are ids. */
static enum err run_ids(struct store_tx *tx, enum sqlite_statement id, const char *sql, int64_t a,
                        int64_t b)
{
    struct query q = begin(tx, id, sql);

    put_int(&q, a);
    put_int(&q, b);
    return query_run(&q);
}

/* ------------------------------------------------------------------ how far each has read */

struct place {
    int64_t second, id; /* of a message; 0, 0 = before the first */
};

static bool is_before(struct place a, struct place b)
{
    return a.second < b.second || (a.second == b.second && a.id < b.id);
}

static enum err get_place(struct query *query, struct place *ret_place, bool *ret_found)
{
    *ret_found = query_row(query);
    if (*ret_found) {
        ret_place->second = get_int(query);
        ret_place->id = get_int(query);
    }
    return query_end(query);
}

static enum err cursor_of(struct store_tx *tx, int64_t chat_id, int64_t user_id,
                          struct place *ret_place)
{
    struct query q = begin(tx, ST_JOIN_CURSOR,
                           "SELECT wa_timestamp_s, message_id FROM read_cursor"
                           " WHERE chat_id = ? AND user_id = ?");
    bool found;

    *ret_place = (struct place) { INT64_MIN, 0 };
    put_int(&q, chat_id);
    put_int(&q, user_id);
    return get_place(&q, ret_place, &found);
}

/* The first message behind `from` that is to be read; INT64_MAX when there is none. */
static enum err first_unread(struct store_tx *tx, int64_t chat_id, struct place from,
                             struct place *ret_place)
{
    struct query q = begin(tx, ST_JOIN_UNREAD,
                           "SELECT wa_timestamp_s, id FROM message WHERE chat_id = ?"
                           " AND (wa_timestamp_s, id) > (?, ?) AND direction = 0 AND kind = 0"
                           " ORDER BY wa_timestamp_s, id LIMIT 1");
    bool found;

    *ret_place = (struct place) { INT64_MAX, 0 };
    put_int(&q, chat_id);
    put_int(&q, from.second);
    put_int(&q, from.id);
    return get_place(&q, ret_place, &found);
}

/* The last message before `end`; stays as it is when there is none after it. */
static enum err last_before(struct store_tx *tx, int64_t chat_id, struct place end,
                            struct place *place)
{
    struct query q = begin(tx, ST_JOIN_BEFORE,
                           "SELECT wa_timestamp_s, id FROM message WHERE chat_id = ?"
                           " AND (wa_timestamp_s, id) < (?, ?)"
                           " ORDER BY wa_timestamp_s DESC, id DESC LIMIT 1");
    struct place last;
    bool found;
    enum err err;

    put_int(&q, chat_id);
    put_int(&q, end.second);
    put_int(&q, end.id);
    err = get_place(&q, &last, &found);
    if (err == OK && found && is_before(*place, last)) {
        *place = last;
    }
    return err;
}

static enum err set_cursor(struct store_tx *tx, int64_t chat_id, int64_t user_id,
                           struct place place)
{
    struct query q = begin(tx, ST_JOIN_CURSOR_SET,
                           "INSERT INTO read_cursor"
                           " (chat_id, user_id, wa_timestamp_s, message_id, at_ms)"
                           " VALUES (?, ?, ?, ?, ?)");

    put_int(&q, chat_id);
    put_int(&q, user_id);
    put_int(&q, place.second);
    put_int(&q, place.id);
    put_int(&q, tx->now_ms);
    return query_run(&q);
}

/* In the joined chat, this user has read up to the first message that is unread in either. Where
 * there is none, up to where the user was in both. */
static enum err joined_cursor(struct store_tx *tx, const struct store_merge *merge, int64_t user_id,
                              struct place *ret_place)
{
    const int64_t chats[] = { merge->chat_id, merge->into_id };
    struct place end = { INT64_MAX, 0 }, last = { INT64_MIN, 0 };
    enum err err = OK;

    for (size_t i = 0; i < ARRAY_SIZE(chats) && err == OK; i++) {
        struct place cursor, unread;

        err = cursor_of(tx, chats[i], user_id, &cursor);
        if (err == OK) {
            err = first_unread(tx, chats[i], cursor, &unread);
        }
        if (err == OK) {
            last = is_before(last, cursor) ? cursor : last;
            end = is_before(unread, end) ? unread : end;
        }
    }
    if (err != OK || is_before(last, end)) {
        *ret_place = last;
        return err;
    }
    *ret_place = (struct place) { INT64_MIN, 0 };
    for (size_t i = 0; i < ARRAY_SIZE(chats) && err == OK; i++) {
        err = last_before(tx, chats[i], end, ret_place);
    }
    return err;
}

static enum err join_cursor(struct store_tx *tx, const struct store_merge *merge, int64_t user_id)
{
    struct place place;
    enum err err = joined_cursor(tx, merge, user_id, &place);

    if (err == OK) {
        struct query q = begin(tx, ST_JOIN_CURSOR_FORGET,
                               "DELETE FROM read_cursor WHERE user_id = ? AND chat_id IN (?, ?)");

        put_int(&q, user_id);
        put_int(&q, merge->chat_id);
        put_int(&q, merge->into_id);
        err = query_run(&q);
    }
    return err != OK || place.second == INT64_MIN ? err
                                                  : set_cursor(tx, merge->into_id, user_id, place);
}

static enum err list_ids(struct query *query, struct buf *ids)
{
    while (query_row(query)) {
        int64_t id = get_int(query);

        buf_add(ids, &id, sizeof id);
    }
    return query_end(query);
}

/* Before the messages move. */
static enum err join_cursors(struct store_tx *tx, const struct store_merge *merge)
{
    struct query q = begin(tx, ST_JOIN_READERS,
                           "SELECT DISTINCT user_id FROM read_cursor WHERE chat_id IN (?, ?)");
    autobuf struct buf ids = BUF_INIT;
    const int64_t *users;
    enum err err;

    put_int(&q, merge->chat_id);
    put_int(&q, merge->into_id);
    err = list_ids(&q, &ids);
    users = (const void *)ids.data;
    for (size_t i = 0; i < ids.len / sizeof *users && err == OK; i++) {
        err = join_cursor(tx, merge, users[i]);
    }
    return err;
}

/* ------------------------------------------------------------------ a chat */

static enum err chat_numbers(struct store_tx *tx, int64_t chat_id, struct store_chat *ret_chat)
{
    struct query q = begin(tx, ST_JOIN_CHAT, "SELECT " CHAT_COLUMNS " FROM chat WHERE id = ?");
    bool found;

    put_int(&q, chat_id);
    found = query_row(&q);
    if (found) {
        get_chat(&q, ret_chat);
        ret_chat->phone_number_id = ret_chat->group_id = STR_NONE;
    }
    enum err err = query_end(&q);
    return err == OK && !found ? ERR_INTERNAL : err;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void take_assignment(struct store_chat *chat, const struct store_chat *from)
{
    chat->state = from->state;
    chat->agent_id = from->agent_id;
    chat->assigned_at_ms = from->assigned_at_ms;
    chat->last_agent_id = from->last_agent_id;
    chat->waiting_since_ms = from->waiting_since_ms;
    chat->closed_at_ms = from->closed_at_ms;
}

/* Who serves the older chat goes on to do so; otherwise whoever serves the other. Is it nobody, the
 * customer waits as long as in the one in which that is longer. */
static struct store_chat joined_chat(const struct store_chat *into, const struct store_chat *from)
{
    struct store_chat chat = *into;
    int64_t waiting_since_ms = earlier(into->waiting_since_ms, from->waiting_since_ms);
    int64_t closed_at_ms = MAX(into->closed_at_ms, from->closed_at_ms);

    if (into->state != STORE_CHAT_ASSIGNED &&
        (from->state == STORE_CHAT_ASSIGNED || into->state == STORE_CHAT_CLOSED)) {
        take_assignment(&chat, from);
    }
    if (chat.last_agent_id == 0) {
        chat.last_agent_id = into->last_agent_id != 0 ? into->last_agent_id : from->last_agent_id;
    }
    chat.waiting_since_ms = chat.state == STORE_CHAT_WAITING ? waiting_since_ms : 0;
    chat.closed_at_ms = chat.state == STORE_CHAT_CLOSED ? closed_at_ms : 0;
    if (from->last_message_at_ms > into->last_message_at_ms ||
        (from->last_message_at_ms == into->last_message_at_ms &&
         from->last_message_id > into->last_message_id)) {
        chat.last_message_at_ms = from->last_message_at_ms;
        chat.last_message_id = from->last_message_id;
    }
    chat.window_expires_at_ms = MAX(into->window_expires_at_ms, from->window_expires_at_ms);
    chat.created_at_ms = MIN(into->created_at_ms, from->created_at_ms);
    chat.version++;
    return chat;
}

/* A wait that was announced stays so; one that comes from the other chat is announced as this
 * one's. */
static enum err write_chat(struct store_tx *tx, const struct store_chat *chat, int64_t contact_id)
{
    struct query q = begin(
        tx, ST_JOIN_CHAT_SET,
        "UPDATE chat SET waiting_told = iif(state = 0 AND ?2 = 0, waiting_told, 0), state = ?2,"
        " agent_id = ?3, last_message_id = ?4, last_message_at_ms = ?5, window_expires_at_ms = ?6,"
        " created_at_ms = ?7, version = ?8, waiting_since_ms = ?9, assigned_at_ms = ?10,"
        " last_agent_id = ?11, closed_at_ms = ?12, contact_id = ?13 WHERE id = ?1");

    put_int(&q, chat->id);
    put_int(&q, chat->state);
    put_int(&q, chat->agent_id);
    put_int(&q, chat->last_message_id);
    put_int(&q, chat->last_message_at_ms);
    put_int(&q, chat->window_expires_at_ms);
    put_int(&q, chat->created_at_ms);
    put_int(&q, chat->version);
    put_int(&q, chat->waiting_since_ms);
    put_int(&q, chat->assigned_at_ms);
    put_int(&q, chat->last_agent_id);
    put_int(&q, chat->closed_at_ms);
    put_int(&q, contact_id);
    return query_run(&q);
}

/* With their author, who is the joined contact, so that each row is written once: there may be
 * thousands. */
static enum err move_messages(struct store_tx *tx, const struct store_merge *merge,
                              int64_t contact_id)
{
    struct query q = begin(tx, ST_JOIN_MESSAGES,
                           "UPDATE message SET chat_id = ?, contact_id = ? WHERE chat_id = ?");

    put_int(&q, merge->into_id);
    put_int(&q, contact_id);
    put_int(&q, merge->chat_id);
    return query_run(&q);
}

static enum err move_rows(struct store_tx *tx, const struct store_merge *merge)
{
    static const struct {
        enum sqlite_statement id;
        const char *sql;
    } moves[] = {
        { ST_JOIN_DECISIONS, "UPDATE decision SET chat_id = ?2 WHERE chat_id = ?1" },
        { ST_JOIN_CALLS, "UPDATE call SET chat_id = ?2 WHERE chat_id = ?1" },
        { ST_JOIN_CHAT_DROP, "DELETE FROM chat WHERE id = ?1 AND id <> ?2" },
    };
    enum err err = OK;

    for (size_t i = 0; i < ARRAY_SIZE(moves) && err == OK; i++) {
        err = run_ids(tx, moves[i].id, moves[i].sql, merge->chat_id, merge->into_id);
    }
    return err;
}

static enum err read_waiting(struct store_tx *tx, int64_t chat_id, struct store_waiting *ret)
{
    struct query q = begin(tx, ST_JOIN_WAITING,
                           "SELECT " WAITING_COLUMNS " FROM chat WHERE id = ? AND state = 0");

    ret->chat_id = 0;
    put_int(&q, chat_id);
    if (query_row(&q)) {
        get_waiting(&q, ret);
    }
    return query_end(&q);
}

static enum err join_chats(struct store_tx *tx, int64_t a, int64_t b, int64_t contact_id,
                           struct store_merge *merge)
{
    struct store_chat from, into, chat;
    enum err err = chat_numbers(tx, MAX(a, b), &from);

    *merge = (struct store_merge) { .chat_id = MAX(a, b), .into_id = MIN(a, b) };
    if (err == OK) {
        err = chat_numbers(tx, merge->into_id, &into);
    }
    if (err == OK) {
        err = join_cursors(tx, merge);
    }
    if (err == OK) {
        err = move_messages(tx, merge, contact_id);
    }
    if (err == OK) {
        err = move_rows(tx, merge);
    }
    if (err != OK) {
        return err;
    }
    chat = joined_chat(&into, &from);
    merge->business_id = into.business_id;
    merge->state = from.state;
    merge->into_state = into.state;
    merge->agent_id = from.agent_id;
    merge->into_agent_id = into.agent_id;
    merge->joined_agent_id = chat.agent_id;
    err = write_chat(tx, &chat, contact_id);
    return err != OK ? err : read_waiting(tx, merge->into_id, &merge->waiting);
}

/* ------------------------------------------------------------------ the contact */

struct pair {
    int64_t chat_id, other_id; /* other_id: the chat that the other contact has in that inbox */
};

static enum err list_pairs(struct store_tx *tx, int64_t contact_id, int64_t into_id,
                           struct buf *pairs)
{
    struct query q = begin(tx, ST_JOIN_PAIRS,
                           "SELECT a.id, b.id FROM chat AS a JOIN chat AS b ON b.contact_id = ?2"
                           " AND b.phone_number_id = a.phone_number_id AND b.group_id IS NULL"
                           " WHERE a.contact_id = ?1 AND a.group_id IS NULL ORDER BY a.id");

    put_int(&q, contact_id);
    put_int(&q, into_id);
    while (query_row(&q)) {
        struct pair pair = { .chat_id = get_int(&q) };

        pair.other_id = get_int(&q);
        buf_add(pairs, &pair, sizeof pair);
    }
    return query_end(&q);
}

static enum err join_all_chats(struct store_tx *tx, int64_t contact_id, int64_t into_id,
                               void (*fn)(void *arg, const struct store_merge *merge), void *arg)
{
    autobuf struct buf list = BUF_INIT;
    enum err err = list_pairs(tx, contact_id, into_id, &list);
    const struct pair *pairs = (const void *)list.data;

    for (size_t i = 0; i < list.len / sizeof *pairs && err == OK; i++) {
        struct store_merge merge;

        err = join_chats(tx, pairs[i].chat_id, pairs[i].other_id, into_id, &merge);
        if (err == OK) {
            fn(arg, &merge);
        }
    }
    return err;
}

/* The messages that a contact has reacted to; in a group that may be all that it did there. */
#define REACTED_TO                                                                                 \
    "SELECT message.id FROM message_change AS change JOIN message"                                 \
    " ON message.phone_number_id = change.phone_number_id AND message.wamid = change.target"       \
    " WHERE change.contact_id = ?1 AND change.contact_id <> 0"

#define BOTH_NAMES PARTICIPANT_NAMES("?1, ?2")

/* `shown` names the contact that stays. Within a string of it each quote has a backslash before it,
 * so what is replaced is the member. */
#define SHOWN_AS_JOINED                                                                            \
    "CAST(replace(CAST(shown AS TEXT), '\"contactId\":' || ?1 || ',', '\"contactId\":' || ?2 || "  \
    "',')"                                                                                         \
    " AS BLOB)"

/* Chats that only one of them has, groups, and names. The messages are found by their chats. */
static enum err rename_owner(struct store_tx *tx, int64_t contact_id, int64_t into_id)
{
    static const struct {
        enum sqlite_statement id;
        const char *sql;
    } steps[] = {
        { ST_JOIN_OWN_CHATS,
          "UPDATE chat SET contact_id = ?2 WHERE contact_id = ?1 AND group_id IS NULL" },
        { ST_JOIN_GROUPS, "UPDATE chat SET contact_id = ?2 WHERE contact_id = ?1 AND id IN"
                          " (SELECT chat_id FROM chat_participant WHERE contact_id = ?1)" },
        { ST_JOIN_AUTHOR, "UPDATE message SET contact_id = ?2 WHERE contact_id = ?1 AND chat_id IN"
                          " (SELECT id FROM chat WHERE contact_id = ?2 AND group_id IS NULL"
                          "  UNION SELECT chat_id FROM chat_participant WHERE contact_id = ?1)" },
        { ST_JOIN_REACTIONS_OLDER,
          "DELETE FROM reaction WHERE contact_id IN (?1, ?2) AND message_id IN (" REACTED_TO ")"
          " AND EXISTS (SELECT 1 FROM reaction AS later WHERE later.message_id ="
          " reaction.message_id AND later.contact_id IN (?1, ?2)"
          " AND (later.wa_timestamp_s, later.wamid) >"
          " (reaction.wa_timestamp_s, reaction.wamid))" },
        { ST_JOIN_REACTIONS,
          "UPDATE reaction SET contact_id = ?2, shown = " SHOWN_AS_JOINED " WHERE contact_id = ?1"
          " AND message_id IN (" REACTED_TO ")" },
        { ST_JOIN_NAMED, "UPDATE participant SET shown = " SHOWN_AS_JOINED " WHERE name IN"
                         " (SELECT value FROM contact_alias WHERE contact_id = ?1)" },
        { ST_JOIN_NAMED_TWICE,
          "DELETE FROM participant WHERE name IN " BOTH_NAMES " AND " CONTACT_OF_PARTICIPANT
          " AND EXISTS (SELECT 1 FROM participant AS further"
          " WHERE further.message_id = participant.message_id AND further.name IN " BOTH_NAMES
          " AND (further.status, further.name) > (participant.status, participant.name))" },
        { ST_JOIN_CHANGES,
          "UPDATE message_change SET contact_id = ?2 WHERE contact_id = ?1 AND contact_id <> 0" },
        { ST_JOIN_PARTICIPANTS,
          "UPDATE OR REPLACE chat_participant SET contact_id = ?2 WHERE contact_id = ?1" },
        { ST_JOIN_ALIASES, "UPDATE contact_alias SET contact_id = ?2 WHERE contact_id = ?1" },
        { ST_JOIN_CONTACT,
          "UPDATE contact SET name = iif(length(contact.name) > 0, contact.name, other.name),"
          " username = coalesce(contact.username, other.username),"
          " phone = coalesce(contact.phone, other.phone),"
          " wa_id = coalesce(contact.wa_id, other.wa_id),"
          " user_id = coalesce(contact.user_id, other.user_id),"
          " created_at_ms = min(contact.created_at_ms, other.created_at_ms)"
          " FROM contact AS other WHERE contact.id = ?2 AND other.id = ?1" },
        { ST_JOIN_CONTACT_DROP, "DELETE FROM contact WHERE id = ?1 AND id <> ?2" },
    };
    enum err err = OK;

    for (size_t i = 0; i < ARRAY_SIZE(steps) && err == OK; i++) {
        err = run_ids(tx, steps[i].id, steps[i].sql, contact_id, into_id);
    }
    return err;
}

#define LAST_WRITTEN_OF(id)                                                                        \
    "(SELECT coalesce(max(last_message_at_ms), 0) FROM chat"                                       \
    " WHERE contact_id = " id " AND group_id IS NULL)"

/* Whichever stays, it is called as the one with the later message: in whatever order they came. */
static enum err take_newer_names(struct store_tx *tx, int64_t contact_id, int64_t into_id)
{
    return run_ids(tx, ST_JOIN_NEWER,
                   "UPDATE contact SET"
                   " name = iif(length(other.name) > 0, other.name, contact.name),"
                   " username = coalesce(other.username, contact.username),"
                   " phone = coalesce(other.phone, contact.phone),"
                   " wa_id = coalesce(other.wa_id, contact.wa_id),"
                   " user_id = coalesce(other.user_id, contact.user_id)"
                   " FROM contact AS other WHERE contact.id = ?2 AND other.id = ?1"
                   " AND " LAST_WRITTEN_OF("?1") " > " LAST_WRITTEN_OF("?2"),
                   contact_id, into_id);
}

enum err sqlite_contact_join(struct store_tx *tx, int64_t contact_id, int64_t into_id,
                             void (*fn)(void *arg, const struct store_merge *merge), void *arg)
{
    enum err err = take_newer_names(tx, contact_id, into_id);

    if (err == OK) {
        err = join_all_chats(tx, contact_id, into_id, fn, arg);
    }
    return err != OK ? err : rename_owner(tx, contact_id, into_id);
}
