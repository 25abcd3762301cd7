/* A contact, erased in slices: what mentions it first, then what is its own, and last itself with
 * the names by which the rest is found, so that it can be begun again wherever it was left.
 *
 * These names are nobody's from the first slice on: who writes meanwhile is a new contact with a
 * new chat, and what came after that is the new one's. Of what was logged since only
 * what siod's own ids tell as the old one's goes.
 *
 * A message leaves the hash that a purged one leaves, so that Meta's repetition does not bring it
 * back. Rows of the log keep their position and nothing else. */
#include "libshared/alloc.h"
#include "siod/store/mention.h"
#include "siod/store/sqlite_backend.h"

enum { SLICE_ROWS = 200, SLICE_BYTES = 256 << 10 };

/* What one job does of it: an end to that, so that others have their turn. */
struct slice {
    struct sqlite_writer *writer;
    struct store_erase *erase;
    int64_t business_id; /* the contact's */
    unsigned rows;       /* that were looked at, */
    size_t bytes;        /* and how long they are */
};

static bool is_full(const struct slice *slice)
{
    return slice->rows >= SLICE_ROWS || slice->bytes >= SLICE_BYTES;
}

/* Statements with the contact as ?1. */
struct erasing {
    enum sqlite_statement id;
    const char *sql;
};

static enum err run_steps(struct sqlite_writer *writer, struct store_erase *erase,
                          const struct erasing *steps, size_t count)
{
    enum err err = OK;

    for (size_t i = 0; err == OK && i < count; i++) {
        struct query q = query_begin(&writer->conn, steps[i].id, steps[i].sql);

        put_int(&q, erase->contact_id);
        err = query_run(&q);
        if (steps[i].id == ST_ERASE_CHATS) {
            erase->chats += (uint64_t)sqlite3_changes64(writer->conn.db);
        }
    }
    return err;
}

/* ------------------------------------------------------------------ its names */

static enum err load_begun(struct slice *slice, bool *ret_begun)
{
    struct store_erase *erase = slice->erase;
    struct query q = query_begin(&slice->writer->conn, ST_ERASURE_GET,
                                 "SELECT webhook_id, status_us, position FROM erasure"
                                 " WHERE contact_id = ?");

    put_int(&q, erase->contact_id);
    *ret_begun = query_row(&q);
    if (*ret_begun) {
        erase->webhook_id = get_int(&q);
        erase->status_us = get_int(&q);
        erase->position = get_int(&q);
    }
    return query_end(&q);
}

/* The log rows of this batch have no place yet, but those that are there already come first. */
static enum err note_begun(struct slice *slice)
{
    struct query q = query_begin(&slice->writer->conn, ST_ERASURE_PUT,
                                 "INSERT INTO erasure (contact_id, webhook_id, status_us, position)"
                                 " SELECT ?1, coalesce((SELECT max(id) FROM webhook), 0),"
                                 " coalesce((SELECT max(seen_at_us) FROM status INDEXED BY"
                                 " status_error WHERE error IS NOT NULL), 0), position + ?3"
                                 " FROM business WHERE id = ?2");

    put_int(&q, slice->erase->contact_id);
    put_int(&q, slice->business_id);
    put_int(&q, rowlog_rows(&slice->writer->tx.log, slice->business_id));
    return query_run(&q);
}

/* Changes and calls, which Meta may deliver once more, as messages; of a call no more is told. */
static enum err expect_repetitions(struct sqlite_writer *writer, int64_t contact_id)
{
    struct query q = query_begin(&writer->conn, ST_ERASE_REPEATED,
                                 "SELECT phone_number_id, wamid FROM message_change"
                                 " INDEXED BY message_change_contact"
                                 " WHERE contact_id = ?1 AND contact_id <> 0"
                                 " UNION ALL SELECT phone_number_id, wacid FROM call"
                                 " WHERE chat_id IN " OWN_CHATS);
    enum err err = OK, ended;

    put_int(&q, contact_id);
    while (err == OK && query_row(&q)) {
        struct str phone_number_id = get_str(&q);
        struct str wamid = get_str(&q);

        err = sqlite_gone_add(writer, phone_number_id, wamid);
    }
    ended = query_end(&q);
    return err != OK ? err : ended;
}

/* What is its own by its names alone goes with them. */
static enum err take_names(struct slice *slice)
{
    static const struct erasing steps[] = {
        { ST_ERASE_STATES, "DELETE FROM participant INDEXED BY participant_name"
                           " WHERE name IN " CONTACT_NAMES " AND " CONTACT_OF_PARTICIPANT },
        { ST_ERASE_STATUSES, "DELETE FROM status INDEXED BY status_participant"
                             " WHERE participant IN " CONTACT_NAMES " AND participant <> x''"
                             " AND " CONTACT_OF_STATUS },
        { ST_ERASURE_ALIASES, "INSERT INTO erasure_alias SELECT contact_id, kind, value"
                              " FROM contact_alias WHERE contact_id = ?1" },
        { ST_ERASE_ALIASES, "DELETE FROM contact_alias WHERE contact_id = ?1" },
    };

    return run_steps(slice->writer, slice->erase, steps, ARRAY_SIZE(steps));
}

static enum err begin(struct slice *slice)
{
    bool begun;
    enum err err = load_begun(slice, &begun);

    if (err == OK && !begun) {
        err = note_begun(slice);
        err = err == OK ? load_begun(slice, &begun) : err;
        err = err == OK ? take_names(slice) : err;
        err = err == OK ? expect_repetitions(slice->writer, slice->erase->contact_id) : err;
    }
    slice->erase->phase += err == OK;
    return err;
}

/* ------------------------------------------------------------------ what mentions it */

/* find: ?1 is the last row that was looked at, ?2 the last one to look at, ?3 the business. What is
 * found has a number, a text, and, of a webhook, whose its numbers were. erase: ?1 is the row, ?2
 * what is left of the text, or the business. */
static const struct scan {
    enum sqlite_statement find_id, erase_id;
    bool of_business; /* a business has rows of its own */
    const char *find, *erase;
} scans[] = {
    [STORE_ERASE_WEBHOOKS] = { ST_ERASE_WEBHOOKS, ST_ERASE_WEBHOOK, false,
                               "SELECT id, body, owners FROM webhook WHERE id > ?1 AND id <= ?2"
                               " ORDER BY id",
                               "UPDATE webhook SET body = ?2, reason = iif(state = 0, x'', reason)"
                               " WHERE id = ?1" },
    [STORE_ERASE_STATUSES] = { ST_ERASE_PARKED, ST_ERASE_PARKED_ROW, true,
                               "SELECT seen_at_us, iif(" STATUS_OF_UNKNOWN " AND " STATUS_BUSINESS
                               " = ?3, error, x''), NULL FROM status"
                               " INDEXED BY status_error WHERE error IS NOT NULL"
                               " AND seen_at_us > ?1 AND seen_at_us <= ?2 ORDER BY seen_at_us",
                               "DELETE FROM status INDEXED BY status_error"
                               " WHERE error IS NOT NULL AND seen_at_us = ?1"
                               " AND " STATUS_OF_UNKNOWN " AND " STATUS_BUSINESS " = ?2" },
    [STORE_ERASE_LOG] = { ST_ERASE_LOG, ST_ERASE_LOG_ROW, true,
                          "SELECT position, args, NULL FROM log WHERE position > ?1"
                          " AND position <= ?2 AND business_id = ?3 ORDER BY position",
                          "UPDATE log SET room = x'', event = x'', args = x'', origin = NULL"
                          " WHERE position = ?1 AND business_id = ?2" },
    [STORE_ERASE_AUDIT] = { ST_ERASE_AUDIT, ST_ERASE_AUDIT_ROW, false,
                            "SELECT id, args, NULL FROM audit WHERE id > ?1 AND id <= ?2"
                            " ORDER BY id",
                            "UPDATE audit SET args = CAST('{\"erased\":true}' AS BLOB)"
                            " WHERE id = ?1" },
};

/* By what it is looked for. */
struct sought {
    struct mention_names names;     /* what it is called, in this phase's rows */
    struct mention_names id, chats; /* siod's, in what was logged since it began */
    struct sqlite_numbers numbers;
};

static void sought_finish(struct sought *sought)
{
    mention_names_finish(&sought->names);
    mention_names_finish(&sought->id);
    mention_names_finish(&sought->chats);
    sqlite_numbers_finish(&sought->numbers);
}

static enum err sought_load(const struct slice *slice, struct sought *sought)
{
    struct sqlite_conn *conn = &slice->writer->conn;
    int64_t contact_id = slice->erase->contact_id;
    enum err err = sqlite_contact_names(conn, contact_id, &sought->names);

    sought->numbers = (struct sqlite_numbers) { .conn = conn, .business_id = slice->business_id };
    sqlite_contact_own_id(contact_id, &sought->id);
    if (slice->erase->phase > STORE_ERASE_STATUSES) {
        sqlite_contact_own_id(contact_id, &sought->names);
    }
    return err == OK ? sqlite_contact_chat_ids(conn, contact_id, &sought->chats) : err;
}

struct found {
    bool any;
    int64_t id;
    struct buf text, owners;
};

static void found_finish(struct found *found)
{
    buf_finish(&found->text);
    buf_finish(&found->owners);
}

/* The new contact is called as the old one was. */
static bool event_mentions(const struct sought *sought, bool before, struct str args)
{
    return before ? mention_in(args, &sought->names)
                  : mention_in(args, &sought->id) ||
                        (mention_in(args, &sought->chats) && mention_in(args, &sought->names));
}

static bool row_mentions(const struct slice *slice, struct sought *sought, int64_t id,
                         struct str text, struct str owners)
{
    const struct mention_numbers numbers = sqlite_numbers_of(&sought->numbers);

    switch (slice->erase->phase) {
    case STORE_ERASE_WEBHOOKS:
        sqlite_numbers_told(&sought->numbers, owners);
        return mention_in_body(text, &sought->names, &numbers);
    case STORE_ERASE_STATUSES:
        return mention_in(text, &sought->names);
    case STORE_ERASE_LOG:
        return event_mentions(sought, id <= slice->erase->position, text);
    case STORE_ERASE_AUDIT:
        return sqlite_audit_mentions(text, &sought->names, slice->business_id);
    case STORE_ERASE_BEGIN:
    case STORE_ERASE_MESSAGES:
    case STORE_ERASE_REST:
        break;
    }
    return false;
}

static int64_t last_row(const struct store_erase *erase)
{
    return erase->phase == STORE_ERASE_WEBHOOKS   ? erase->webhook_id
           : erase->phase == STORE_ERASE_STATUSES ? erase->status_us
                                                  : INT64_MAX;
}

static void put_rows(struct query *q, const struct slice *slice, const struct scan *scan)
{
    const struct store_erase *erase = slice->erase;

    put_int(q, erase->after_id);
    put_int(q, last_row(erase));
    if (scan->of_business) {
        put_int(q, slice->business_id);
    }
}

/* The next row that mentions it; none at the end of the slice, or of the table: then the phase is
 * over. */
static enum err next_mention(struct slice *slice, struct sought *sought, struct found *found)
{
    struct store_erase *erase = slice->erase;
    const struct scan *scan = &scans[erase->phase];
    struct query q = query_begin(&slice->writer->conn, scan->find_id, scan->find);

    put_rows(&q, slice, scan);
    while (!found->any && !is_full(slice)) {
        struct str text, owners;

        if (!query_row(&q)) {
            erase->ends[erase->phase] = erase->after_id;
            erase->phase++;
            erase->after_id = 0;
            break;
        }
        erase->after_id = get_int(&q);
        text = get_str(&q);
        owners = get_str(&q);
        slice->rows++;
        slice->bytes += text.len;
        if (row_mentions(slice, sought, erase->after_id, text, owners)) {
            found->any = true;
            found->id = erase->after_id;
            buf_add_str(&found->text, text);
            buf_add_str(&found->owners, owners);
        }
    }
    return query_end(&q);
}

/* Of a raw body what is others' stays. */
static enum err erase_mention(struct slice *slice, enum store_erase_phase phase,
                              struct sought *sought, const struct found *found)
{
    const struct mention_numbers numbers = sqlite_numbers_of(&sought->numbers);
    const struct scan *scan = &scans[phase];
    struct query q = query_begin(&slice->writer->conn, scan->erase_id, scan->erase);
    autobuf struct buf rest = BUF_INIT;

    put_int(&q, found->id);
    if (phase == STORE_ERASE_WEBHOOKS) {
        sqlite_numbers_told(&sought->numbers, buf_str(&found->owners));
        (void)mention_remove(buf_str(&found->text), &sought->names, &numbers, &rest);
        put_str_full(&q, buf_str(&rest));
    }
    if (scan->of_business) {
        put_int(&q, slice->business_id);
    }
    slice->erase->webhooks += phase == STORE_ERASE_WEBHOOKS;
    slice->erase->log += phase == STORE_ERASE_LOG;
    return query_run(&q);
}

static enum err erase_mentions(struct slice *slice)
{
    CLEANUP(sought_finish) struct sought sought = { .names = { .bytes = BUF_INIT } };
    enum store_erase_phase phase = slice->erase->phase;
    enum err err = sought_load(slice, &sought);

    while (err == OK && slice->erase->phase == phase && !is_full(slice)) {
        CLEANUP(found_finish) struct found found = { .any = false };

        err = next_mention(slice, &sought, &found);
        err = err != OK ? err : sought.numbers.err;
        if (err == OK && found.any) {
            err = erase_mention(slice, phase, &sought, &found);
        }
    }
    return err != OK ? err : sought.numbers.err;
}

/* ------------------------------------------------------------------ what is its own */

/* Of its own chats whoever's they are; of groups only what it wrote. */
static enum err erase_message(struct sqlite_writer *writer, struct store_erase *erase,
                              bool *ret_found)
{
    struct query q = query_begin(
        &writer->conn, ST_ERASE_MESSAGE,
        "SELECT id, phone_number_id, wamid FROM message WHERE chat_id IN " OWN_CHATS
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

static enum err erase_messages(struct slice *slice)
{
    bool found = true;
    enum err err = OK;

    for (; err == OK && found && !is_full(slice); slice->rows++) {
        err = erase_message(slice->writer, slice->erase, &found);
    }
    slice->erase->phase += err == OK && !found;
    return err;
}

static enum err step(struct sqlite_writer *writer, struct store_erase *erase, int64_t business_id)
{
    struct slice slice = { .writer = writer, .erase = erase, .business_id = business_id };

    return erase->phase == STORE_ERASE_BEGIN      ? begin(&slice)
           : erase->phase == STORE_ERASE_MESSAGES ? erase_messages(&slice)
                                                  : erase_mentions(&slice);
}

/* What was told of it while the slices went on, and what was asked. */
static enum err catch_up(struct sqlite_writer *writer, struct store_erase *erase,
                         int64_t business_id)
{
    enum err err = OK;

    erase->phase = STORE_ERASE_LOG;
    while (err == OK && erase->phase != STORE_ERASE_REST) {
        if (erase->phase < STORE_ERASE_MESSAGES) {
            erase->after_id = MAX(erase->after_id, erase->ends[erase->phase]);
        }
        err = step(writer, erase, business_id);
    }
    return err;
}

static enum err tell_chats(struct sqlite_writer *writer, const struct store_erase *erase)
{
    struct query q = query_begin(&writer->conn, ST_ERASE_OWN_CHATS,
                                 "SELECT business_id, id FROM chat WHERE contact_id = ?1"
                                 " AND group_id IS NULL ORDER BY id");

    put_int(&q, erase->contact_id);
    while (query_row(&q)) {
        int64_t business_id = get_int(&q);
        int64_t chat_id = get_int(&q);

        if (erase->on_chat != NULL) {
            erase->on_chat(erase->arg, business_id, chat_id);
        }
    }
    return query_end(&q);
}

/* In these it wrote, or reacted. */
#define GROUPS                                                                                     \
    "(SELECT chat_id FROM chat_participant WHERE contact_id = ?1 UNION SELECT message.chat_id"     \
    " FROM reaction INDEXED BY reaction_contact JOIN message ON message.id = message_id"           \
    " WHERE reaction.contact_id = ?1 AND reaction.contact_id <> 0)"
/* 24 hours from what others did there: it may have been the erased one that opened the window. */
#define WINDOW_OF_OTHERS                                                                           \
    "(SELECT coalesce((max(at_s) + 86400) * 1000, 0) FROM (SELECT wa_timestamp_s AS at_s"          \
    " FROM message WHERE chat_id = chat.id AND direction = 0 AND kind = 0"                         \
    " UNION ALL SELECT reaction.wa_timestamp_s FROM message JOIN reaction"                         \
    " ON message_id = message.id WHERE chat_id = chat.id"                                          \
    " AND reaction.contact_id NOT IN (0, ?1)))"

/* Few rows, in one transaction. A group that it founded goes on without it. */
static enum err erase_rest(struct sqlite_writer *writer, struct store_erase *erase,
                           int64_t business_id)
{
    static const struct erasing steps[] = {
        { ST_ERASE_WINDOWS, "UPDATE chat SET window_expires_at_ms = " WINDOW_OF_OTHERS
                            " WHERE id IN " GROUPS " AND group_id IS NOT NULL"
                            " AND window_expires_at_ms > " WINDOW_OF_OTHERS },
        { ST_ERASE_CHANGES, "DELETE FROM message_change INDEXED BY message_change_contact"
                            " WHERE contact_id = ?1 AND contact_id <> 0" },
        { ST_ERASE_REACTIONS, "DELETE FROM reaction INDEXED BY reaction_contact"
                              " WHERE contact_id = ?1 AND contact_id <> 0" },
        { ST_ERASE_DECISIONS, "DELETE FROM decision WHERE chat_id IN " OWN_CHATS },
        { ST_ERASE_CURSORS, "DELETE FROM read_cursor WHERE chat_id IN " OWN_CHATS },
        { ST_ERASE_MEMBER, "DELETE FROM chat_participant WHERE contact_id = ?1" },
        { ST_ERASE_GROUPS, "UPDATE chat SET contact_id = (SELECT message.contact_id"
                           " FROM message WHERE chat_id = chat.id AND direction = 0"
                           " ORDER BY wa_timestamp_s DESC, message.id DESC LIMIT 1)"
                           " WHERE contact_id = ?1 AND group_id IS NOT NULL" },
        { ST_ERASE_CHATS, "DELETE FROM chat WHERE contact_id = ?1 AND group_id IS NULL" },
        { ST_ERASE_CONTACT, "DELETE FROM contact WHERE id = ?1" },
    };
    enum err err = catch_up(writer, erase, business_id);

    if (err == OK) {
        err = tell_chats(writer, erase);
    }
    if (err == OK) {
        err = run_steps(writer, erase, steps, ARRAY_SIZE(steps));
    }
    erase->done = err == OK;
    writer->wipe = true;
    return err;
}

enum err sqlite_contact_erase(struct store_tx *tx, struct store_erase *erase)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct store_contact contact;
    enum err err = sqlite_contact_get(tx, erase->contact_id, &contact);

    if (err != OK) {
        return err;
    }
    return erase->phase == STORE_ERASE_REST ? erase_rest(writer, erase, contact.business_id)
                                            : step(writer, erase, contact.business_id);
}
