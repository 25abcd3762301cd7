/* A contact, erased in slices: what mentions it first, then what is its own, and last the names by
 * which the rest is found, so that it can be begun again wherever it was left.
 *
 * A message leaves the hash that a purged one leaves, so that Meta's repetition does not bring it
 * back. Rows of the log keep their position and nothing else. */
#include "libshared/alloc.h"
#include "siod/store/mention.h"
#include "siod/store/sqlite.h"

enum { SLICE_ROWS = 200, SLICE_BYTES = 1 << 20, MENTIONS_A_SLICE = 20 };

enum err sqlite_contact_names(struct sqlite_conn *conn, int64_t contact_id, bool own_words,
                              struct mention_names *names)
{
    struct query q = query_begin(
        conn, ST_ERASE_NAMES,
        "SELECT ?2, phone FROM contact WHERE id = ?1 UNION"
        " SELECT ?2, wa_id FROM contact WHERE id = ?1 UNION"
        " SELECT ?2, user_id FROM contact WHERE id = ?1 UNION"
        " SELECT ?3, username FROM contact WHERE id = ?1 UNION"
        " SELECT iif(kind = ?4, ?3, ?2), value FROM contact_alias WHERE contact_id = ?1 UNION"
        " SELECT ?5, CAST(?1 AS BLOB) WHERE ?6");

    put_int(&q, contact_id);
    put_int(&q, MENTION_ID);
    put_int(&q, MENTION_USERNAME);
    put_int(&q, STORE_ALIAS_USERNAME);
    put_int(&q, MENTION_CONTACT);
    put_int(&q, own_words);
    while (query_row(&q)) {
        enum mention kind = (enum mention)get_int(&q);

        mention_names_add(names, kind, get_str(&q));
    }
    return query_end(&q);
}

/* ------------------------------------------------------------------ what mentions it */

struct found {
    int64_t id;
    struct buf text;
};

/* The next row that mentions it, or *ret_found false at the end of a slice or of the table. */
static enum err next_mention(struct query *q, const struct mention_names *names,
                             struct store_erase *erase, struct found *found, bool *ret_found)
{
    unsigned rows = 0;
    size_t bytes = 0;

    *ret_found = false;
    while (!*ret_found && rows < SLICE_ROWS && bytes < SLICE_BYTES) {
        struct str text;

        if (!query_row(q)) {
            erase->ends[erase->phase] = erase->after_id;
            erase->phase++;
            erase->after_id = 0;
            break;
        }
        rows++;
        erase->after_id = get_int(q);
        text = get_str(q);
        bytes += text.len;
        if (mention_in(text, names)) {
            *ret_found = true;
            found->id = erase->after_id;
            buf_add_str(&found->text, text);
        }
    }
    return query_end(q);
}

static void found_finish(struct found *found)
{
    buf_finish(&found->text);
}

static enum err erase_in_webhooks(struct sqlite_writer *writer, struct store_erase *erase,
                                  const struct mention_names *names)
{
    struct query q = query_begin(&writer->conn, ST_ERASE_WEBHOOKS,
                                 "SELECT id, body FROM webhook WHERE id > ? ORDER BY id");
    CLEANUP(found_finish) struct found found = { 0 };
    autobuf struct buf rest = BUF_INIT;
    bool any;
    enum err err;

    put_int(&q, erase->after_id);
    err = next_mention(&q, names, erase, &found, &any);
    if (err != OK || !any) {
        return err;
    }
    (void)mention_remove(buf_str(&found.text), names, &rest);
    q = query_begin(&writer->conn, ST_ERASE_WEBHOOK,
                    "UPDATE webhook SET body = ?, reason = iif(state = 0, x'', reason)"
                    " WHERE id = ?");
    put_str_full(&q, buf_str(&rest));
    put_int(&q, found.id);
    erase->webhooks++;
    return query_run(&q);
}

static enum err erase_in_log(struct sqlite_writer *writer, struct store_erase *erase,
                             const struct mention_names *names)
{
    struct query q = query_begin(&writer->conn, ST_ERASE_LOG,
                                 "SELECT id, args FROM log WHERE id > ? ORDER BY id");
    CLEANUP(found_finish) struct found found = { 0 };
    bool any;
    enum err err;

    put_int(&q, erase->after_id);
    err = next_mention(&q, names, erase, &found, &any);
    if (err != OK || !any) {
        return err;
    }
    q = query_begin(&writer->conn, ST_ERASE_LOG_ROW,
                    "UPDATE log SET room = x'', event = x'', args = x'', origin = NULL"
                    " WHERE id = ?");
    put_int(&q, found.id);
    erase->log++;
    return query_run(&q);
}

static enum err erase_in_audit(struct sqlite_writer *writer, struct store_erase *erase,
                               const struct mention_names *names)
{
    struct query q = query_begin(&writer->conn, ST_ERASE_AUDIT,
                                 "SELECT id, args FROM audit WHERE id > ? ORDER BY id");
    CLEANUP(found_finish) struct found found = { 0 };
    bool any;
    enum err err;

    put_int(&q, erase->after_id);
    err = next_mention(&q, names, erase, &found, &any);
    if (err != OK || !any) {
        return err;
    }
    q = query_begin(&writer->conn, ST_ERASE_AUDIT_ROW,
                    "UPDATE audit SET args = CAST('{\"erased\":true}' AS BLOB) WHERE id = ?");
    put_int(&q, found.id);
    return query_run(&q);
}

/* ------------------------------------------------------------------ what is its own */

/* Of its own chats whoever's they are; of groups only what it wrote. */
static enum err erase_message(struct sqlite_writer *writer, struct store_erase *erase,
                              bool *ret_found)
{
    struct query q = query_begin(
        &writer->conn, ST_ERASE_MESSAGE,
        "SELECT id, phone_number_id, wamid FROM message WHERE chat_id IN"
        " (SELECT id FROM chat WHERE contact_id = ?1 AND group_id IS NULL)"
        " UNION ALL SELECT message.id, message.phone_number_id, wamid FROM chat_participant"
        " JOIN message ON message.chat_id = chat_participant.chat_id"
        " WHERE chat_participant.contact_id = ?1 AND message.contact_id = ?1 AND direction = 0"
        " LIMIT 1");
    autobuf struct buf phone = BUF_INIT;
    autobuf struct buf wamid = BUF_INIT;
    int64_t id = 0;
    enum err err;

    put_int(&q, erase->contact_id);
    *ret_found = query_row(&q);
    if (*ret_found) {
        id = get_int(&q);
        buf_add_str(&phone, get_str(&q));
        buf_add_str(&wamid, get_str(&q));
    }
    err = query_end(&q);
    if (err != OK || !*ret_found) {
        return err;
    }
    if (wamid.len > 0) {
        err = sqlite_gone_add(writer, buf_str(&phone), buf_str(&wamid));
    }
    erase->messages++;
    return err == OK ? sqlite_message_delete(writer, id, buf_str(&phone), buf_str(&wamid)) : err;
}

static enum err erase_messages(struct sqlite_writer *writer, struct store_erase *erase)
{
    bool found = true;
    enum err err = OK;

    for (unsigned i = 0; err == OK && found && i < SLICE_ROWS; i++) {
        err = erase_message(writer, erase, &found);
    }
    erase->phase += err == OK && !found;
    return err;
}

#define OWN_CHATS "(SELECT id FROM chat WHERE contact_id = ?1 AND group_id IS NULL)"
#define OWN_NAMES "(SELECT value FROM contact_alias WHERE contact_id = ?1)"

static enum err step(struct sqlite_writer *writer, struct store_erase *erase)
{
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };
    enum err err = sqlite_contact_names(&writer->conn, erase->contact_id,
                                        erase->phase != STORE_ERASE_WEBHOOKS, &names);

    if (err != OK) {
        return err;
    }
    switch (erase->phase) {
    case STORE_ERASE_WEBHOOKS:
        return erase_in_webhooks(writer, erase, &names);
    case STORE_ERASE_LOG:
        return erase_in_log(writer, erase, &names);
    case STORE_ERASE_AUDIT:
        return erase_in_audit(writer, erase, &names);
    case STORE_ERASE_MESSAGES:
        return erase_messages(writer, erase);
    case STORE_ERASE_REST:
        break;
    }
    return OK;
}

/* What came while the slices went on. */
static enum err catch_up(struct sqlite_writer *writer, struct store_erase *erase)
{
    enum err err = OK;

    erase->phase = STORE_ERASE_WEBHOOKS;
    while (err == OK && erase->phase != STORE_ERASE_REST) {
        enum store_erase_phase phase = erase->phase;

        if (phase < STORE_ERASE_MESSAGES) {
            erase->after_id = MAX(erase->after_id, erase->ends[phase]);
        }
        err = step(writer, erase);
    }
    return err;
}

/* Few rows, in one transaction. A group that it founded goes on without it. */
static enum err erase_rest(struct sqlite_writer *writer, struct store_erase *erase)
{
    static const struct {
        enum sqlite_statement id;
        const char *sql;
    } steps[] = {
        { ST_ERASE_CHANGES, "DELETE FROM message_change WHERE contact_id = ?1" },
        { ST_ERASE_REACTIONS, "DELETE FROM reaction WHERE contact_id = ?1" },
        { ST_ERASE_STATES, "DELETE FROM participant WHERE name IN " OWN_NAMES },
        { ST_ERASE_STATUSES, "DELETE FROM status WHERE participant IN " OWN_NAMES },
        { ST_ERASE_DECISIONS, "DELETE FROM decision WHERE chat_id IN " OWN_CHATS },
        { ST_ERASE_CURSORS, "DELETE FROM read_cursor WHERE chat_id IN " OWN_CHATS },
        { ST_ERASE_MEMBER, "DELETE FROM chat_participant WHERE contact_id = ?1" },
        { ST_ERASE_GROUPS, "UPDATE chat SET contact_id = NULL WHERE contact_id = ?1"
                           " AND group_id IS NOT NULL" },
        { ST_ERASE_CHATS, "DELETE FROM chat WHERE contact_id = ?1 AND group_id IS NULL" },
        { ST_ERASE_ALIASES, "DELETE FROM contact_alias WHERE contact_id = ?1" },
        { ST_ERASE_CONTACT, "DELETE FROM contact WHERE id = ?1" },
    };
    enum err err = catch_up(writer, erase);

    for (size_t i = 0; err == OK && i < ARRAY_SIZE(steps); i++) {
        struct query q = query_begin(&writer->conn, steps[i].id, steps[i].sql);

        put_int(&q, erase->contact_id);
        err = query_run(&q);
        if (steps[i].id == ST_ERASE_CHATS) {
            erase->chats += (uint64_t)sqlite3_changes64(writer->conn.db);
        }
    }
    erase->done = err == OK;
    writer->wipe = true;
    return err;
}

enum err sqlite_contact_erase(struct store_tx *tx, struct store_erase *erase)
{
    struct sqlite_writer *writer = writer_of(tx);
    enum store_erase_phase phase = erase->phase;
    struct store_contact contact;
    enum err err = sqlite_contact_get(tx, erase->contact_id, &contact);

    if (err != OK) {
        return err;
    }
    if (erase->phase == STORE_ERASE_REST) {
        return erase_rest(writer, erase);
    }
    for (unsigned i = 0; err == OK && i < MENTIONS_A_SLICE && erase->phase == phase; i++) {
        err = step(writer, erase);
    }
    return err;
}
