/* The reads of the loop thread's lists, joins and recovery. */
#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/store/sqlite_backend.h"

static struct query reads(struct store_reader *reader, enum sqlite_statement id, const char *sql)
{
    return query_begin(&reader_of(reader)->conn, id, sql);
}

/* LIMIT -1 is none. */
static int64_t limit_of(unsigned limit)
{
    return limit != 0 ? (int64_t)limit : -1;
}

/* ------------------------------------------------------------------ businesses */

/* The numbers of one business: an array of str and behind it their bytes. */
struct phones {
    struct buf lengths, bytes;
    struct str *list;
    size_t count;
};

static void phones_finish(struct phones *phones)
{
    buf_finish(&phones->lengths);
    buf_finish(&phones->bytes);
    free(phones->list);
}

static void phones_list(struct phones *phones)
{
    const size_t *lengths = (const void *)phones->lengths.data;
    const char *at = phones->bytes.data;

    phones->count = phones->lengths.len / sizeof(*lengths);
    phones->list = xrealloc(phones->list, MAX(phones->count, (size_t)1) * sizeof(*phones->list));
    for (size_t i = 0; i < phones->count; i++) {
        phones->list[i] = (struct str) { at, lengths[i] };
        at += lengths[i];
    }
}

static enum err phones_read(struct store_reader *reader, int64_t business_id, struct phones *phones)
{
    struct query q = reads(reader, ST_BUSINESS_PHONES,
                           "SELECT phone_number_id FROM phone_number WHERE business_id = ?"
                           " ORDER BY phone_number_id");

    buf_clear(&phones->lengths);
    buf_clear(&phones->bytes);
    put_int(&q, business_id);
    while (query_row(&q)) {
        struct str phone = get_str(&q);

        buf_add_str(&phones->bytes, phone);
        buf_add(&phones->lengths, &phone.len, sizeof(phone.len));
    }
    phones_list(phones);
    return query_end(&q);
}

enum err sqlite_businesses(struct store_reader *reader,
                           bool (*fn)(void *arg, const struct store_business *business), void *arg)
{
    struct query q =
        reads(reader, ST_BUSINESSES,
              "SELECT id, name, source, takes_any, position FROM business ORDER BY id");
    CLEANUP(phones_finish) struct phones phones = { 0 };
    enum err err = OK;

    while (err == OK && query_row(&q)) {
        struct store_business business = { .id = get_int(&q) };

        business.name = get_str(&q);
        business.source = (enum store_source)get_int(&q);
        business.takes_any = get_int(&q) != 0;
        business.position = get_int(&q);
        err = phones_read(reader, business.id, &phones);
        business.phone_number_ids = phones.list;
        business.phone_number_count = phones.count;
        if (err == OK && !fn(arg, &business)) {
            break;
        }
    }
    enum err end = query_end(&q);
    return err != OK ? err : end;
}

/* ------------------------------------------------------------------ chats */

#define CHAT_SELECT                                                                                \
    "SELECT " CHAT_COLUMNS ", " CONTACT_COLUMNS                                                    \
    " FROM chat LEFT JOIN contact ON contact.id = chat.contact_id"

static void get_chat_contact(struct query *query, struct store_chat *ret_chat)
{
    get_chat(query, ret_chat);
    get_contact(query, &ret_chat->contact);
}

#define CHAT_SELECT_BY(index)                                                                      \
    "SELECT " CHAT_COLUMNS ", " CONTACT_COLUMNS " FROM chat INDEXED BY " index                     \
    " LEFT JOIN contact ON contact.id = chat.contact_id"
#define CHAT_PAGE " ORDER BY chat.id LIMIT ?3"

/* Several texts, so that each has its index. Chats that wait, and those that somebody has, are few
 * beside those that were closed in the course of time: they are found by the partial indexes that
 * assignment has anyway, and sorted. Nobody has a chat that is not assigned. */
static struct query chats_query(struct store_reader *reader, const struct store_chat_filter *filter)
{
    bool one = filter->business_id != 0, agent = filter->agent_id != 0;
    int64_t state = filter->state != NULL ? (int64_t)*filter->state : -1;
    struct query q =
        agent ? reads(reader, ST_CHATS_OF_AGENT,
                      CHAT_SELECT_BY("chat_assigned") " WHERE chat.id > ?1 AND (?2 < 0 OR ?2 = 1) "
                                                      "AND chat.state = 1"
                                                      " AND chat.business_id IN (SELECT id FROM "
                                                      "business WHERE ?4 IN (0, id))"
                                                      " AND chat.agent_id = ?5" CHAT_PAGE)
        : state == STORE_CHAT_WAITING
            ? reads(reader, ST_CHATS_WAITING,
                    CHAT_SELECT_BY("chat_waiting") " WHERE chat.state = 0 AND chat.id > ?1"
                                                   " AND ?4 IN (0, chat.business_id)" CHAT_PAGE)
        : one && state == STORE_CHAT_ASSIGNED
            ? reads(reader, ST_CHATS_ASSIGNED,
                    CHAT_SELECT_BY("chat_assigned") " WHERE chat.state = 1 AND chat.id > ?1"
                                                    " AND chat.business_id = ?4" CHAT_PAGE)
        : one ? reads(reader, ST_CHATS_OF_BUSINESS,
                      CHAT_SELECT " WHERE chat.id > ?1 AND (?2 < 0 OR chat.state = ?2)"
                                  " AND chat.business_id = ?4" CHAT_PAGE)
              : reads(reader, ST_CHATS,
                      CHAT_SELECT " WHERE chat.id > ?1 AND (?2 < 0 OR chat.state = ?2)" CHAT_PAGE);

    put_int(&q, filter->after_id);
    put_int(&q, state);
    put_int(&q, limit_of(filter->limit));
    if (one || agent || state == STORE_CHAT_WAITING) {
        put_int(&q, filter->business_id);
    }
    if (agent) {
        put_int(&q, filter->agent_id);
    }
    return q;
}

enum err sqlite_chats(struct store_reader *reader, const struct store_chat_filter *filter,
                      bool (*fn)(void *arg, const struct store_chat *chat), void *arg)
{
    struct query q = chats_query(reader, filter);

    while (query_row(&q)) {
        struct store_chat chat;

        get_chat_contact(&q, &chat);
        if (!fn(arg, &chat)) {
            break;
        }
    }
    return query_end(&q);
}

enum err sqlite_chat_get(struct store_reader *reader, int64_t chat_id, struct store_chat *ret_chat)
{
    struct query q = reads(reader, ST_CHAT_GET, CHAT_SELECT " WHERE chat.id = ?");

    put_int(&q, chat_id);
    if (query_row(&q)) {
        get_chat_contact(&q, ret_chat);
        return query_lend(&q);
    }
    enum err err = query_end(&q);
    return err == OK ? ERR_NOT_FOUND : err;
}

static enum err each_message(struct query *query,
                             bool (*fn)(void *arg, const struct store_message *message,
                                        const struct store_contact *contact),
                             void *arg)
{
    while (query_row(query)) {
        struct store_message message;
        struct store_contact contact;

        get_message(query, &message);
        get_contact(query, &contact);
        if (!fn(arg, &message, &contact)) {
            break;
        }
    }
    return query_end(query);
}

/* The inner select walks the index alone. */
enum err sqlite_chat_messages(struct store_reader *reader, int64_t chat_id, unsigned limit,
                              bool (*fn)(void *arg, const struct store_message *message,
                                         const struct store_contact *contact),
                              void *arg)
{
    struct query q = reads(reader, ST_CHAT_MESSAGES,
                           "SELECT " MESSAGE_COLUMNS ", " CONTACT_COLUMNS
                           " FROM (SELECT id AS last_id FROM message WHERE chat_id = ?"
                           "       ORDER BY wa_timestamp_s DESC, id DESC LIMIT ?)"
                           " JOIN message ON message.id = last_id"
                           " LEFT JOIN contact ON contact.id = message.contact_id"
                           " ORDER BY message.wa_timestamp_s, message.id");

    put_int(&q, chat_id);
    put_int(&q, limit);
    return each_message(&q, fn, arg);
}

static enum err message_second(struct store_reader *reader, int64_t chat_id, int64_t message_id,
                               int64_t *ret_second)
{
    struct query q = reads(reader, ST_MESSAGE_SECOND,
                           "SELECT wa_timestamp_s FROM message WHERE id = ? AND chat_id = ?");
    bool found;

    put_int(&q, message_id);
    put_int(&q, chat_id);
    found = query_row(&q);
    if (found) {
        *ret_second = get_int(&q);
    }
    enum err err = query_end(&q);
    return err == OK && !found ? ERR_INVALID : err;
}

#define MESSAGES_SELECT                                                                            \
    "SELECT " MESSAGE_COLUMNS ", " CONTACT_COLUMNS                                                 \
    " FROM message LEFT JOIN contact ON contact.id = message.contact_id"

enum err sqlite_chat_messages_page(struct store_reader *reader,
                                   const struct store_message_page *page,
                                   bool (*fn)(void *arg, const struct store_message *message,
                                              const struct store_contact *contact),
                                   void *arg)
{
    int64_t second = page->from_id != 0 ? page->from_second : page->forward ? INT64_MIN : INT64_MAX;
    enum err err = second == 0 ? message_second(reader, page->chat_id, page->from_id, &second) : OK;

    if (err != OK) {
        return err;
    }
    struct query q =
        page->forward
            ? reads(reader, ST_MESSAGES_AFTER,
                    MESSAGES_SELECT " WHERE message.chat_id = ?"
                                    " AND (message.wa_timestamp_s, message.id) > (?, ?)"
                                    " ORDER BY message.wa_timestamp_s, message.id LIMIT ?")
            : reads(reader, ST_MESSAGES_BEFORE,
                    MESSAGES_SELECT " WHERE message.chat_id = ?"
                                    " AND (message.wa_timestamp_s, message.id) < (?, ?)"
                                    " ORDER BY message.wa_timestamp_s DESC, message.id DESC"
                                    " LIMIT ?");

    put_int(&q, page->chat_id);
    put_int(&q, second);
    put_int(&q, page->from_id);
    put_int(&q, limit_of(page->limit));
    return each_message(&q, fn, arg);
}

/* The index of wamids begins with the phone number: it is entered once for each number there is. */
enum err sqlite_message_find(struct store_reader *reader, int64_t message_id, struct str wamid,
                             struct store_message *ret_message, struct store_contact *ret_contact)
{
    struct query q =
        reads(reader, ST_MESSAGE_FIND,
              "WITH RECURSIVE phone(id) AS (SELECT min(phone_number_id) FROM message"
              "  UNION ALL SELECT (SELECT min(phone_number_id) FROM message"
              "   WHERE phone_number_id > phone.id) FROM phone"
              "   WHERE phone.id IS NOT NULL AND ?1 = 0)"
              " SELECT " MESSAGE_COLUMNS ", " CONTACT_COLUMNS " FROM message"
              " LEFT JOIN contact ON contact.id = message.contact_id"
              " WHERE message.id = iif(?1 <> 0, ?1, (SELECT min(m.id) FROM phone"
              "  JOIN message AS m ON m.phone_number_id = phone.id AND m.wamid = ?2))");

    put_int(&q, message_id);
    put_str_full(&q, wamid);
    if (query_row(&q)) {
        get_message(&q, ret_message);
        get_contact(&q, ret_contact);
        return query_lend(&q);
    }
    enum err err = query_end(&q);
    return err == OK ? ERR_NOT_FOUND : err;
}

/* ------------------------------------------------------------------ the log */

enum err sqlite_snapshot(struct store_reader *reader, int64_t business_id, int64_t *ret_position)
{
    struct sqlite_conn *conn = &reader_of(reader)->conn;
    int64_t position = 0;
    enum err err = OK;

    if (sqlite3_get_autocommit(conn->db) != 0) {
        err = sqlite_run(conn, ST_BEGIN_READ, "BEGIN");
    }
    if (err != OK) {
        return err;
    }
    struct query q = reads(reader, ST_POSITION, "SELECT position FROM business WHERE id = ?");

    put_int(&q, business_id);
    if (query_row(&q)) {
        position = get_int(&q);
    }
    err = query_end(&q);
    if (err == OK) {
        *ret_position = position;
    }
    return err;
}

enum err sqlite_log_begin(struct store_reader *reader, int64_t business_id, int64_t *ret_position)
{
    struct query q = reads(reader, ST_LOG_BEGIN, "SELECT log_purged FROM business WHERE id = ?");

    put_int(&q, business_id);
    *ret_position = query_row(&q) ? get_int(&q) : 0;
    return query_end(&q);
}

static void get_event(struct query *query, struct store_event *ret_event)
{
    ret_event->business_id = get_int(query);
    ret_event->position = get_int(query);
    ret_event->at_ms = get_int(query);
    ret_event->room = get_str(query);
    ret_event->event = get_str(query);
    ret_event->args = get_str(query);
    ret_event->origin = get_str(query);
}

enum err sqlite_log_since(struct store_reader *reader, int64_t business_id, int64_t position,
                          unsigned limit, bool (*fn)(void *arg, const struct store_event *event),
                          void *arg)
{
    struct query q = reads(reader, ST_LOG_SINCE,
                           "SELECT business_id, position, at_ms, room, event, args, origin FROM log"
                           " WHERE business_id = ? AND position > ? AND event <> x''"
                           " ORDER BY position LIMIT ?");

    put_int(&q, business_id);
    put_int(&q, position);
    put_int(&q, limit_of(limit));
    while (query_row(&q)) {
        struct store_event event;

        get_event(&q, &event);
        if (!fn(arg, &event)) {
            break;
        }
    }
    return query_end(&q);
}

/* From the newest row back: as many as will be read after it. Where none is older, all that are
 * left follow: what was removed lies before that time, or what was removed is asked for. */
enum err sqlite_log_position_at(struct store_reader *reader, int64_t business_id, int64_t at_ms,
                                int64_t *ret_position)
{
    struct query q = reads(reader, ST_LOG_POSITION_AT,
                           "SELECT position FROM log WHERE business_id = ? AND at_ms < ?"
                           " ORDER BY position DESC LIMIT 1");

    put_int(&q, business_id);
    put_int(&q, at_ms);
    *ret_position = query_row(&q) ? get_int(&q) : 0;
    return query_end(&q);
}

/* ------------------------------------------------------------------ webhooks, audit, counts */

static void get_webhook(struct query *query, struct store_webhook *ret_webhook)
{
    ret_webhook->id = get_int(query);
    ret_webhook->received_at_ms = get_int(query);
    ret_webhook->state = (enum store_webhook_state)get_int(query);
    ret_webhook->app = get_str(query);
    ret_webhook->counts = get_str(query);
    ret_webhook->reason = get_str(query);
    ret_webhook->fields = get_str(query);
    ret_webhook->body = get_str(query);
}

/* As the array has it, with the character before it. */
static void field_needle(struct buf *out, char before, struct str field)
{
    buf_add_char(out, before);
    json_add_string(out, field);
}

#define WEBHOOK_SELECT                                                                             \
    "SELECT id, received_at_ms, state, app, counts, reason, fields, iif(?1, body, NULL)"           \
    " FROM webhook WHERE (?3 IS NULL OR instr(fields, ?3) OR instr(fields, ?4))"
#define WEBHOOK_ORDER " ORDER BY id DESC LIMIT ?2"

enum err sqlite_webhooks(struct store_reader *reader, const struct store_webhook_filter *filter,
                         bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg)
{
    bool other = filter->field.data != NULL && !str_eq(filter->field, STR("messages"));
    autobuf struct buf first = BUF_INIT, later = BUF_INIT;
    struct query q =
        other ? reads(reader, ST_WEBHOOKS_OF_FIELD,
                      WEBHOOK_SELECT " AND fields <> x'5b226d65737361676573225d'" WEBHOOK_ORDER)
              : reads(reader, ST_WEBHOOKS, WEBHOOK_SELECT WEBHOOK_ORDER);

    if (filter->field.data != NULL) {
        field_needle(&first, '[', filter->field);
        field_needle(&later, ',', filter->field);
    }
    put_int(&q, filter->with_body);
    put_int(&q, limit_of(filter->limit));
    put_str(&q, buf_str(&first));
    put_str(&q, buf_str(&later));
    while (query_row(&q)) {
        struct store_webhook webhook;

        get_webhook(&q, &webhook);
        if (!fn(arg, &webhook)) {
            break;
        }
    }
    return query_end(&q);
}

enum err sqlite_audits(struct store_reader *reader, unsigned limit,
                       bool (*fn)(void *arg, const struct store_audit *audit), void *arg)
{
    struct query q =
        reads(reader, ST_AUDITS,
              "SELECT id, at_ms, who, command, args FROM audit ORDER BY id DESC LIMIT ?");

    put_int(&q, limit_of(limit));
    while (query_row(&q)) {
        struct store_audit audit = { .id = get_int(&q) };

        audit.at_ms = get_int(&q);
        audit.who = get_str(&q);
        audit.command = get_str(&q);
        audit.args = get_str(&q);
        if (!fn(arg, &audit)) {
            break;
        }
    }
    return query_end(&q);
}

enum err sqlite_count(struct store_reader *reader, struct store_counts *ret_counts)
{
    struct query q = reads(reader, ST_COUNT,
                           "SELECT (SELECT count(*) FROM business), (SELECT count(*) FROM contact),"
                           " (SELECT count(*) FROM chat), (SELECT count(*) FROM message),"
                           " (SELECT count(*) FROM webhook),"
                           " (SELECT count(*) FROM webhook WHERE state <> 0 AND state = 1),"
                           " (SELECT coalesce(sum(position - log_purged), 0) FROM business)");

    if (query_row(&q)) {
        ret_counts->businesses = get_int(&q);
        ret_counts->contacts = get_int(&q);
        ret_counts->chats = get_int(&q);
        ret_counts->messages = get_int(&q);
        ret_counts->webhooks = get_int(&q);
        ret_counts->quarantined = get_int(&q);
        ret_counts->log = get_int(&q);
    }
    return query_end(&q);
}
