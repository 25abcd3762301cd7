/* Contacts, the keys they are known by, and their chats. */
#include "siod/store/sqlite_backend.h"

enum err sqlite_contact_by_alias(struct store_tx *tx, int64_t business_id, enum store_alias kind,
                                 struct str value, int64_t *ret_contact_id)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CONTACT_BY_ALIAS,
                                 "SELECT contact_id FROM contact_alias"
                                 " WHERE business_id = ? AND kind = ? AND value = ?");

    put_int(&q, business_id);
    put_int(&q, kind);
    put_str_full(&q, value);
    *ret_contact_id = query_row(&q) ? get_int(&q) : 0;
    return query_end(&q);
}

enum err sqlite_contact_create(struct store_tx *tx, const struct store_contact *contact,
                               int64_t *ret_contact_id)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct query q =
        query_begin(&writer->conn, ST_CONTACT_CREATE,
                    "INSERT INTO contact (id, business_id, name, username, phone, wa_id, user_id,"
                    " created_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    enum err err;

    put_int(&q, writer->next.contact + 1);
    put_int(&q, contact->business_id);
    put_str_full(&q, contact->name);
    put_str(&q, contact->username);
    put_str(&q, contact->phone);
    put_str(&q, contact->wa_id);
    put_str(&q, contact->user_id);
    put_int(&q, tx->now_ms);
    err = query_run(&q);
    if (err == OK) {
        *ret_contact_id = ++writer->next.contact;
    }
    return err;
}

enum err sqlite_contact_alias_add(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                  enum store_alias kind, struct str value)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CONTACT_ALIAS_ADD,
                                 "INSERT INTO contact_alias (business_id, kind, value, contact_id)"
                                 " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");

    put_int(&q, business_id);
    put_int(&q, kind);
    put_str_full(&q, value);
    put_int(&q, contact_id);
    return query_run(&q);
}

enum err sqlite_contact_alias_move(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                   enum store_alias kind, struct str value)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CONTACT_ALIAS_MOVE,
                                 "INSERT INTO contact_alias (business_id, kind, value, contact_id)"
                                 " VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                                 " contact_id = excluded.contact_id");

    put_int(&q, business_id);
    put_int(&q, kind);
    put_str_full(&q, value);
    put_int(&q, contact_id);
    return query_run(&q);
}

static void put_str_given(struct query *query, struct str value)
{
    put_str(query, value.len > 0 ? value : STR_NONE);
}

/* Most of them change nothing: the last condition spares the write. */
enum err sqlite_contact_update(struct store_tx *tx, const struct store_contact *contact)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_CONTACT_UPDATE,
                    "UPDATE contact SET name = coalesce(?1, name), phone = coalesce(?2, phone),"
                    " wa_id = coalesce(?3, wa_id), user_id = coalesce(?4, user_id),"
                    " username = coalesce(?5, username) WHERE id = ?6"
                    " AND (name IS NOT coalesce(?1, name) OR phone IS NOT coalesce(?2, phone)"
                    " OR wa_id IS NOT coalesce(?3, wa_id) OR user_id IS NOT coalesce(?4, user_id)"
                    " OR username IS NOT coalesce(?5, username))");

    put_str_given(&q, contact->name);
    put_str_given(&q, contact->phone);
    put_str_given(&q, contact->wa_id);
    put_str_given(&q, contact->user_id);
    put_str_given(&q, contact->username);
    put_int(&q, contact->id);
    return query_run(&q);
}

enum err sqlite_contact_get(struct store_tx *tx, int64_t contact_id,
                            struct store_contact *ret_contact)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CONTACT_GET,
                                 "SELECT " CONTACT_COLUMNS " FROM contact WHERE id = ?");

    put_int(&q, contact_id);
    if (query_row(&q)) {
        get_contact(&q, ret_contact);
        return query_lend(&q);
    }
    enum err err = query_end(&q);
    return err == OK ? ERR_NOT_FOUND : err;
}

/* ------------------------------------------------------------------ chats */

/* Looked up first: nearly always it is there. There is one writer, so nobody comes between. */
static enum err chat_find(struct sqlite_conn *conn, const struct store_chat *chat, int64_t *ret_id)
{
    struct query q;

    if (chat->group_id.data != NULL) {
        q = query_begin(conn, ST_CHAT_BY_GROUP,
                        "SELECT id FROM chat WHERE phone_number_id = ? AND group_id = ?"
                        " AND business_id = ?");
        put_str_full(&q, chat->phone_number_id);
        put_str(&q, chat->group_id);
        put_int(&q, chat->business_id);
    } else {
        q = query_begin(conn, ST_CHAT_BY_CONTACT,
                        "SELECT id FROM chat WHERE phone_number_id = ? AND contact_id = ?"
                        " AND group_id IS NULL");
        put_str_full(&q, chat->phone_number_id);
        put_int(&q, chat->contact.id);
    }
    *ret_id = query_row(&q) ? get_int(&q) : 0;
    return query_end(&q);
}

static enum err chat_create(struct store_tx *tx, const struct store_chat *chat, int64_t id)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHAT_CREATE,
        "INSERT INTO chat (id, business_id, phone_number_id, contact_id, group_id, state, agent_id,"
        " created_at_ms, waiting_since_ms)"
        " VALUES (?1, ?2, ?3, nullif(?4, 0), ?5, ?6, ?7, ?8, iif(?6 = 0, ?8, 0))");

    put_int(&q, id);
    put_int(&q, chat->business_id);
    put_str_full(&q, chat->phone_number_id);
    put_int(&q, chat->contact.id);
    put_str(&q, chat->group_id);
    put_int(&q, chat->state);
    put_int(&q, chat->agent_id);
    put_int(&q, chat->created_at_ms != 0 ? chat->created_at_ms : tx->now_ms);
    return query_run(&q);
}

enum err sqlite_chat_ensure(struct store_tx *tx, const struct store_chat *chat,
                            int64_t *ret_chat_id, bool *ret_created)
{
    struct sqlite_writer *writer = writer_of(tx);
    int64_t id = 0;
    enum err err = chat_find(&writer->conn, chat, &id);
    bool create = err == OK && id == 0;

    if (create) {
        id = writer->next.chat + 1;
        err = chat_create(tx, chat, id);
    }
    if (err == OK) {
        writer->next.chat += create;
        *ret_chat_id = id;
        *ret_created = create;
    }
    return err;
}

enum err sqlite_group_speaker(struct store_tx *tx, int64_t chat_id, int64_t contact_id,
                              int64_t message_id)
{
    struct sqlite_conn *conn = &writer_of(tx)->conn;
    struct query q = query_begin(conn, ST_CHAT_PARTICIPANT,
                                 "INSERT INTO chat_participant (contact_id, chat_id) VALUES (?, ?)"
                                 " ON CONFLICT DO NOTHING");
    enum err err;

    put_int(&q, contact_id);
    put_int(&q, chat_id);
    err = query_run(&q);
    if (err != OK) {
        return err;
    }
    q = query_begin(conn, ST_CHAT_SPEAKER,
                    "UPDATE chat SET contact_id = ?1 WHERE id = ?2 AND contact_id IS NOT ?1"
                    " AND ?3 = (SELECT id FROM message WHERE chat_id = ?2 AND direction = 0"
                    "  ORDER BY wa_timestamp_s DESC, id DESC LIMIT 1)");
    put_int(&q, contact_id);
    put_int(&q, chat_id);
    put_int(&q, message_id);
    return query_run(&q);
}

static const int64_t window_s = 24 * 3600;

/* A late message of an earlier second changes nothing but, perhaps, the window. A chat
 * that nobody looks after is left alone when its customer writes: sqlite_chat_wake() comes first.
 */
static enum err chat_touch(struct store_tx *tx, int64_t chat_id, int64_t message_id,
                           int64_t wa_timestamp_s, bool inbound, bool *ret_changed)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHAT_TOUCH,
        "UPDATE chat SET"
        " last_message_id = iif((?2, ?1) > (last_message_at_ms, last_message_id), ?1,"
        "                       last_message_id),"
        " last_message_at_ms = max(?2, last_message_at_ms),"
        " window_expires_at_ms = max(?3, window_expires_at_ms)"
        " WHERE id = ?4 AND (state = 0 OR ?3 = 0 OR (state = 1 AND (SELECT online FROM agent"
        "  WHERE agent.business_id = chat.business_id AND agent.user_id = chat.agent_id)))"
        " AND ((?2, ?1) > (last_message_at_ms, last_message_id) OR ?3 > window_expires_at_ms)");

    put_int(&q, message_id);
    put_int(&q, wa_timestamp_s * 1000);
    put_int(&q, inbound ? (wa_timestamp_s + window_s) * 1000 : 0);
    put_int(&q, chat_id);
    return query_change(&q, ret_changed);
}

enum err sqlite_chat_touch(struct store_tx *tx, int64_t chat_id, int64_t message_id,
                           int64_t wa_timestamp_s, bool inbound, struct store_waiting *ret_reopened)
{
    bool changed;
    enum err err = chat_touch(tx, chat_id, message_id, wa_timestamp_s, inbound, &changed);

    ret_reopened->chat_id = 0;
    if (err != OK || changed || !inbound) {
        return err;
    }
    err = sqlite_chat_wake(tx, chat_id, ret_reopened);
    if (err != OK || ret_reopened->chat_id == 0) {
        return err;
    }
    return chat_touch(tx, chat_id, message_id, wa_timestamp_s, inbound, &changed);
}

enum err sqlite_chat_window(struct store_tx *tx, int64_t chat_id, int64_t wa_timestamp_s)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CHAT_WINDOW,
                                 "UPDATE chat SET window_expires_at_ms = ?1"
                                 " WHERE id = ?2 AND window_expires_at_ms < ?1");

    put_int(&q, (wa_timestamp_s + window_s) * 1000);
    put_int(&q, chat_id);
    return query_run(&q);
}

enum err sqlite_chat_current(struct store_tx *tx, int64_t chat_id, struct store_chat *ret_chat,
                             struct store_message *ret_last)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHAT_CURRENT,
        "SELECT " CHAT_COLUMNS ", " CONTACT_COLUMNS ", " MESSAGE_COLUMNS
        " FROM chat LEFT JOIN message ON message.id = chat.last_message_id"
        " LEFT JOIN contact ON contact.id = coalesce(message.contact_id, chat.contact_id)"
        " WHERE chat.id = ?");

    put_int(&q, chat_id);
    if (query_row(&q)) {
        get_chat(&q, ret_chat);
        get_contact(&q, &ret_chat->contact);
        get_message(&q, ret_last);
        return query_lend(&q);
    }
    enum err err = query_end(&q);
    return err == OK ? ERR_NOT_FOUND : err;
}
