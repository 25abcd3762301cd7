/* What lists show of each chat: how much is unread, and the last message. */
#include "siod/store/sqlite_backend.h"

struct cursor {
    int64_t second, id;
};

/* An agent's, or the phone's where that is further. */
static enum err cursor_of(struct store_reader *reader, int64_t chat_id, int64_t agent_id,
                          struct cursor *ret_cursor)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_GLANCE_CURSOR,
                                 "SELECT wa_timestamp_s, message_id FROM read_cursor"
                                 " WHERE chat_id = ? AND user_id IN (?, ?)"
                                 " ORDER BY wa_timestamp_s DESC, message_id DESC LIMIT 1");

    *ret_cursor = (struct cursor) { INT64_MIN, 0 };
    put_int(&q, chat_id);
    put_int(&q, STORE_READER_PHONE);
    put_int(&q, agent_id);
    if (query_row(&q)) {
        ret_cursor->second = get_int(&q);
        ret_cursor->id = get_int(&q);
    }
    return query_end(&q);
}

static enum err count_unread(struct store_reader *reader, int64_t chat_id, struct cursor cursor,
                             int64_t *ret_count)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_GLANCE_UNREAD,
                                 "SELECT count(*) FROM (SELECT 1 FROM message WHERE chat_id = ?"
                                 " AND (wa_timestamp_s, id) > (?, ?) AND direction = 0"
                                 " AND kind = 0 LIMIT ?)");

    put_int(&q, chat_id);
    put_int(&q, cursor.second);
    put_int(&q, cursor.id);
    put_int(&q, STORE_UNREAD_MAX);
    *ret_count = query_row(&q) ? get_int(&q) : 0;
    return query_end(&q);
}

static void get_last(struct query *query, const struct store_chat *chat,
                     struct store_glance *ret_glance)
{
    struct store_message *last = &ret_glance->last;

    *last = (struct store_message) { .id = chat->last_message_id,
                                     .chat_id = chat->id,
                                     .business_id = chat->business_id };
    last->direction = (enum store_direction)get_int(query);
    last->status = (enum store_status)get_int(query);
    last->kind = (enum store_message_kind)get_int(query);
    last->sender_user_id = get_int(query);
    last->wa_timestamp_s = get_int(query);
    last->created_at_ms = get_int(query);
    last->wamid = get_str(query);
    last->type = get_str(query);
    last->text = get_str(query);
    ret_glance->cut = get_int(query) > STORE_GLANCE_TEXT;
}

static enum err read_last(struct store_reader *reader, const struct store_chat *chat,
                          struct store_glance *ret_glance)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_GLANCE_LAST,
                                 "SELECT direction, status, kind, sender_user_id, wa_timestamp_s,"
                                 " created_at_ms, wamid, type, substr(text, 1, ?), length(text)"
                                 " FROM message WHERE id = ?");

    put_int(&q, STORE_GLANCE_TEXT);
    put_int(&q, chat->last_message_id);
    if (query_row(&q)) {
        get_last(&q, chat, ret_glance);
        return query_lend(&q);
    }
    return query_end(&q);
}

enum err sqlite_chat_glance(struct store_reader *reader, const struct store_chat *chat,
                            int64_t agent_id, struct store_glance *ret_glance)
{
    struct cursor cursor;
    enum err err = cursor_of(reader, chat->id, agent_id, &cursor);

    *ret_glance = (struct store_glance) { .unread = 0 };
    if (err == OK) {
        err = count_unread(reader, chat->id, cursor, &ret_glance->unread);
    }
    return err != OK || chat->last_message_id == 0 ? err : read_last(reader, chat, ret_glance);
}

enum err sqlite_readings(struct store_reader *reader, int64_t chat_id,
                         bool (*fn)(void *arg, const struct store_reading *reading), void *arg)
{
    struct query q = query_begin(&reader_of(reader)->conn, ST_READINGS,
                                 "SELECT user_id, message_id, at_ms FROM read_cursor"
                                 " WHERE chat_id = ? AND user_id <> ? ORDER BY user_id");

    put_int(&q, chat_id);
    put_int(&q, STORE_READER_PHONE);
    while (query_row(&q)) {
        struct store_reading reading = { .user_id = get_int(&q) };

        reading.message_id = get_int(&q);
        reading.at_ms = get_int(&q);
        if (!fn(arg, &reading)) {
            break;
        }
    }
    return query_end(&q);
}
