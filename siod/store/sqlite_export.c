/* Everything of a contact, row by row as it is stored: personal.def's tables. */
#include <ctype.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "siod/store/mention.h"
#include "siod/store/sqlite_backend.h"

#define OWN_MESSAGES                                                                               \
    "SELECT id FROM message WHERE chat_id IN " OWN_CHATS " UNION SELECT message.id"                \
    " FROM chat_participant JOIN message ON message.chat_id = chat_participant.chat_id"            \
    " WHERE chat_participant.contact_id = ?1 AND message.contact_id = ?1 AND direction = 0"

static const struct section {
    const char *kind, *sql;
} sections[] = {
    { "contact", "SELECT * FROM contact WHERE id = ?1" },
    { "aliases", "SELECT * FROM contact_alias WHERE contact_id = ?1 UNION ALL"
                 " SELECT business_id, kind, value, contact_id FROM erasure_alias"
                 " JOIN contact ON contact.id = contact_id WHERE contact_id = ?1" },
    { "chats", "SELECT * FROM chat WHERE id IN " OWN_CHATS },
    { "groups", "SELECT chat_id, group_id FROM chat_participant JOIN chat ON chat.id = chat_id"
                " WHERE chat_participant.contact_id = ?1" },
    { "decisions", "SELECT * FROM decision WHERE chat_id IN " OWN_CHATS " ORDER BY id" },
    { "readCursors", "SELECT * FROM read_cursor WHERE chat_id IN " OWN_CHATS },
    { "messages", "SELECT * FROM message WHERE id IN (" OWN_MESSAGES ") ORDER BY id" },
    { "statuses",
      "SELECT status.* FROM message JOIN status ON status.phone_number_id ="
      " message.phone_number_id AND status.wamid = message.wamid"
      " WHERE message.id IN (" OWN_MESSAGES ") UNION SELECT * FROM status"
      " WHERE participant IN " CONTACT_NAMES " AND participant <> x'' AND " CONTACT_OF_STATUS },
    { "participations", "SELECT * FROM participant WHERE message_id IN (" OWN_MESSAGES ")"
                        " OR (name IN " CONTACT_NAMES " AND " CONTACT_OF_PARTICIPANT ")" },
    { "calls", "SELECT * FROM call WHERE chat_id IN " OWN_CHATS " ORDER BY id" },
    { "changes", "SELECT * FROM message_change WHERE contact_id = ?1 AND contact_id <> 0" },
    { "reactions",
      "SELECT * FROM reaction WHERE contact_id = ?1 OR message_id IN (" OWN_MESSAGES ")" },
};

/* created_at_ms: createdAt, a time; phone_number_id: phoneNumberId. */
static bool add_key(struct buf *out, const char *column)
{
    size_t len = strlen(column);
    bool is_time = len > 3 && strcmp(column + len - 3, "_ms") == 0;

    buf_add_char(out, '"');
    for (size_t i = 0; i < (is_time ? len - 3 : len); i++) {
        bool upper = column[i] == '_' && i + 1 < len;

        i += upper;
        buf_add_char(out, upper ? (char)toupper((unsigned char)column[i]) : column[i]);
    }
    buf_add_cstr(out, "\":");
    return is_time;
}

static void add_time(struct buf *out, int64_t ms)
{
    char text[CLOCK_ISO_SIZE];

    if (ms == 0) {
        buf_add_cstr(out, "null");
        return;
    }
    clock_iso(ms, text);
    json_add_cstr(out, text);
}

/* Its columns from `first` on. */
static void add_row(struct buf *out, sqlite3_stmt *stmt, int first)
{
    for (int i = first; i < sqlite3_column_count(stmt); i++) {
        bool is_time;

        buf_add_char(out, ',');
        is_time = add_key(out, sqlite3_column_name(stmt, i));
        if (sqlite3_column_type(stmt, i) == SQLITE_NULL) {
            buf_add_cstr(out, "null");
        } else if (sqlite3_column_type(stmt, i) != SQLITE_INTEGER) {
            struct str text = { sqlite3_column_blob(stmt, i), 0 };

            text.len = (size_t)sqlite3_column_bytes(stmt, i);
            json_add_string(out, text.len > 0 ? text : STR(""));
        } else if (is_time) {
            add_time(out, sqlite3_column_int64(stmt, i));
        } else {
            buf_add_i64(out, sqlite3_column_int64(stmt, i));
        }
    }
}

static enum err export_section(struct sqlite_conn *conn, const struct section *section,
                               int64_t contact_id, store_record_fn *fn, void *arg)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(conn->db, section->sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_int64(stmt, 1, contact_id);
    }
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            autobuf struct buf out = BUF_INIT;

            buf_printf(&out, "{\"section\":\"%s\"", section->kind);
            add_row(&out, stmt, 0);
            buf_add_char(&out, '}');
            fn(arg, buf_str(&out));
        }
    }
    enum err err = sqlite_error(conn, rc);
    sqlite3_finalize(stmt);
    return err;
}

/* ------------------------------------------------------------------ what mentions it */

struct searched {
    struct mention_names names;
    struct sqlite_numbers numbers;
};

static void searched_finish(struct searched *searched)
{
    mention_names_finish(&searched->names);
    sqlite_numbers_finish(&searched->numbers);
}

/* The beginning of a record: section, a number of the row, when. */
static void add_head(struct buf *out, const char *head, int64_t number, const char *time_key,
                     int64_t at_ms)
{
    buf_add_cstr(out, head);
    buf_add_i64(out, number);
    buf_printf(out, ",\"%s\":", time_key);
    add_time(out, at_ms);
}

static void export_event(struct query *q, struct searched *searched, struct buf *out)
{
    int64_t position = get_int(q), at_ms = get_int(q);
    struct str room = get_str(q), event = get_str(q), args = get_str(q);

    if (mention_in(args, &searched->names)) {
        add_head(out, "{\"section\":\"events\",\"position\":", position, "at", at_ms);
        buf_add_cstr(out, ",\"room\":");
        json_add_string(out, room);
        buf_add_cstr(out, ",\"event\":");
        json_add_string(out, event);
        buf_add_cstr(out, ",\"args\":[");
        buf_add_str(out, args);
        buf_add_cstr(out, "]}");
    }
}

static void export_audit(struct query *q, struct searched *searched, struct buf *out)
{
    int64_t id = get_int(q), at_ms = get_int(q);
    struct str command = get_str(q), args = get_str(q);

    if (sqlite_audit_mentions(args, &searched->names, searched->numbers.business_id)) {
        add_head(out, "{\"section\":\"audit\",\"id\":", id, "at", at_ms);
        buf_add_cstr(out, ",\"command\":");
        json_add_string(out, command);
        buf_add_cstr(out, ",\"args\":");
        buf_add_str(out, args);
        buf_add_char(out, '}');
    }
}

/* One that hangs on a message or participant is in the section already. */
static void export_status(struct query *q, struct searched *searched, struct buf *out)
{
    if (mention_in(get_str(q), &searched->names)) {
        buf_add_cstr(out, "{\"section\":\"statuses\"");
        add_row(out, q->stmt, 1);
        buf_add_char(out, '}');
    }
}

/* Of a body that others share only what mentions this contact. */
static void export_webhook(struct query *q, struct searched *searched, struct buf *out)
{
    const struct mention_numbers numbers = sqlite_numbers_of(&searched->numbers);
    int64_t id = get_int(q), at_ms = get_int(q);
    struct str body = get_str(q);

    sqlite_numbers_told(&searched->numbers, get_str(q));
    if (mention_in_body(body, &searched->names, &numbers)) {
        add_head(out, "{\"section\":\"webhooks\",\"webhookId\":", id, "receivedAt", at_ms);
        buf_add_cstr(out, ",\"elements\":[");
        mention_collect(body, &searched->names, &numbers, out);
        buf_add_cstr(out, "]}");
    }
}

static const struct scan {
    enum sqlite_statement id;
    bool own_words;   /* siod wrote it: it may be in siod's words */
    bool of_business; /* a business has rows of its own: ?1 */
    const char *sql;
    void (*export)(struct query *q, struct searched *searched, struct buf *out);
} scans[] = {
    { ST_EXPORT_PARKED, false, true,
      "SELECT error, status.* FROM status INDEXED BY status_error WHERE error IS NOT NULL"
      " AND " STATUS_OF_UNKNOWN " AND " STATUS_BUSINESS " = ?1 ORDER BY seen_at_us",
      export_status },
    { ST_EXPORT_LOG, true, true,
      "SELECT position, at_ms, room, event, args FROM log WHERE business_id = ?1"
      " ORDER BY position",
      export_event },
    { ST_EXPORT_AUDIT, true, false, "SELECT id, at_ms, command, args FROM audit ORDER BY id",
      export_audit },
    { ST_EXPORT_WEBHOOKS, false, false,
      "SELECT id, received_at_ms, body, owners FROM webhook ORDER BY id", export_webhook },
};

/* ERR_NOT_FOUND. */
static enum err contact_business(struct sqlite_conn *conn, int64_t contact_id,
                                 int64_t *ret_business_id)
{
    struct query q =
        query_begin(conn, ST_CONTACT_BUSINESS, "SELECT business_id FROM contact WHERE id = ?");
    bool found;
    enum err err;

    put_int(&q, contact_id);
    found = query_row(&q);
    if (found) {
        *ret_business_id = get_int(&q);
    }
    err = query_end(&q);
    return err == OK && !found ? ERR_NOT_FOUND : err;
}

static enum err export_scan(struct sqlite_conn *conn, const struct scan *scan, int64_t contact_id,
                            int64_t business_id, store_record_fn *fn, void *arg)
{
    CLEANUP(searched_finish)
    struct searched searched = { .numbers = { .conn = conn, .business_id = business_id } };
    enum err err = sqlite_contact_names(conn, contact_id, &searched.names);
    struct query q;

    if (scan->own_words) {
        sqlite_contact_own_id(contact_id, &searched.names);
    }

    if (err != OK) {
        return err;
    }
    q = query_begin(conn, scan->id, scan->sql);
    if (scan->of_business) {
        put_int(&q, business_id);
    }
    while (query_row(&q)) {
        autobuf struct buf out = BUF_INIT;

        scan->export(&q, &searched, &out);
        if (out.len > 0) {
            fn(arg, buf_str(&out));
        }
    }
    err = query_end(&q);
    return err != OK ? err : searched.numbers.err;
}

enum err sqlite_contact_export(struct store_reader *reader, int64_t contact_id, store_record_fn *fn,
                               void *arg)
{
    struct sqlite_conn *conn = &reader_of(reader)->conn;
    int64_t business_id = 0;
    enum err err = sqlite_exec(conn, "BEGIN");

    err = err == OK ? contact_business(conn, contact_id, &business_id) : err;
    for (size_t i = 0; err == OK && i < ARRAY_SIZE(sections); i++) {
        err = export_section(conn, &sections[i], contact_id, fn, arg);
    }
    for (size_t i = 0; err == OK && i < ARRAY_SIZE(scans); i++) {
        err = export_scan(conn, &scans[i], contact_id, business_id, fn, arg);
    }
    return err;
}

enum err sqlite_contact_own_chats(struct store_reader *reader, int64_t contact_id,
                                  void (*fn)(void *arg, int64_t chat_id, bool open), void *arg)
{
    struct sqlite_conn *conn = &reader_of(reader)->conn;
    int64_t business_id;
    enum err err = contact_business(conn, contact_id, &business_id);
    struct query q;

    if (err != OK) {
        return err;
    }
    q = query_begin(conn, ST_CONTACT_OWN_CHATS,
                    "SELECT id, state <> 2 FROM chat WHERE contact_id = ?"
                    " AND group_id IS NULL ORDER BY id");
    put_int(&q, contact_id);
    while (query_row(&q)) {
        int64_t chat_id = get_int(&q);

        fn(arg, chat_id, get_int(&q) != 0);
    }
    return query_end(&q);
}
