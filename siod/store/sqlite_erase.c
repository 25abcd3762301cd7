/* A contact, erased in slices: what mentions it first, then what is its own, and last the names by
 * which the rest is found, so that it can be begun again wherever it was left.
 *
 * A message leaves the hash that a purged one leaves, so that Meta's repetition does not bring it
 * back. Rows of the log keep their position and nothing else. */
#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/store/mention.h"
#include "siod/store/sqlite_backend.h"

enum { SLICE_ROWS = 200, SLICE_BYTES = 256 << 10 };

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

/* As sqlite_business_by_phone(), on any connection. */
static int64_t owner_now(struct sqlite_numbers *numbers, struct str phone_number_id)
{
    struct query q = query_begin(numbers->conn, ST_NUMBER_OWNER,
                                 "SELECT coalesce((SELECT business_id FROM phone_number"
                                 " WHERE phone_number_id = ?),"
                                 " (SELECT min(id) FROM business WHERE takes_any), 0)");
    int64_t business_id = 0;
    enum err err;

    put_str_full(&q, phone_number_id);
    if (query_row(&q)) {
        business_id = get_int(&q);
    }
    err = query_end(&q);
    numbers->err = numbers->err != OK ? numbers->err : err;
    return business_id;
}

static enum mention_owner number_owner(void *arg, struct str phone_number_id)
{
    struct sqlite_numbers *numbers = arg;
    int64_t business_id;

    if (numbers->owners.json == NULL) {
        owners_read(numbers->told, &numbers->owners);
    }
    business_id = owners_find(&numbers->owners, phone_number_id);
    if (business_id == 0) {
        business_id = owner_now(numbers, phone_number_id);
    }
    return business_id == numbers->business_id ? MENTION_OF_OWN
           : business_id == 0                  ? MENTION_OF_NOBODY
                                               : MENTION_OF_OTHERS;
}

struct mention_numbers sqlite_numbers_of(struct sqlite_numbers *numbers)
{
    return (struct mention_numbers) { .owner = number_owner, .arg = numbers };
}

void sqlite_numbers_told(struct sqlite_numbers *numbers, struct str owners)
{
    owners_finish(&numbers->owners);
    numbers->told = owners;
}

void sqlite_numbers_finish(struct sqlite_numbers *numbers)
{
    owners_finish(&numbers->owners);
}

bool sqlite_audit_mentions(struct str args, const struct mention_names *names, int64_t business_id)
{
    static const struct json_limits limits = { .mend_utf8 = true };
    autojson json_t *root = NULL;
    int64_t business;

    if (!mention_in(args, names)) {
        return false;
    }
    root = json_read(args, &limits, NULL);
    return !json_id(json_object_get(root, "business"), &business) || business == business_id;
}

/* ------------------------------------------------------------------ what mentions it */

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

/* Both statements: ?1 is the id. What is found has an id, a business (0 = its row names none), a
 * text, and, of a webhook, whose its numbers were. */
static const struct scan {
    enum sqlite_statement find_id, erase_id;
    const char *find, *erase;
} scans[] = {
    [STORE_ERASE_WEBHOOKS] = { ST_ERASE_WEBHOOKS, ST_ERASE_WEBHOOK,
                               "SELECT id, 0, body, owners FROM webhook WHERE id > ?1 ORDER BY id",
                               "UPDATE webhook SET body = ?2, reason = iif(state = 0, x'', reason)"
                               " WHERE id = ?1" },
    [STORE_ERASE_LOG] = { ST_ERASE_LOG, ST_ERASE_LOG_ROW,
                          "SELECT id, business_id, args, NULL FROM log WHERE id > ?1 ORDER BY id",
                          "UPDATE log SET room = x'', event = x'', args = x'', origin = NULL"
                          " WHERE id = ?1" },
    [STORE_ERASE_AUDIT] = { ST_ERASE_AUDIT, ST_ERASE_AUDIT_ROW,
                            "SELECT id, 0, args, NULL FROM audit WHERE id > ?1 ORDER BY id",
                            "UPDATE audit SET args = CAST('{\"erased\":true}' AS BLOB)"
                            " WHERE id = ?1" },
};

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

static bool row_mentions(const struct slice *slice, const struct mention_names *names,
                         const struct mention_numbers *numbers, int64_t business_id,
                         struct str text)
{
    switch (slice->erase->phase) {
    case STORE_ERASE_WEBHOOKS:
        return mention_in_body(text, names, numbers);
    case STORE_ERASE_LOG:
        return business_id == slice->business_id && mention_in(text, names);
    case STORE_ERASE_AUDIT:
        return sqlite_audit_mentions(text, names, slice->business_id);
    case STORE_ERASE_MESSAGES:
    case STORE_ERASE_REST:
        break;
    }
    return false;
}

/* The next row that mentions it; none at the end of the slice, or of the table: then the phase is
 * over. */
static enum err next_mention(struct slice *slice, const struct mention_names *names,
                             struct sqlite_numbers *of, struct found *found)
{
    const struct mention_numbers numbers = sqlite_numbers_of(of);
    struct store_erase *erase = slice->erase;
    const struct scan *scan = &scans[erase->phase];
    struct query q = query_begin(&slice->writer->conn, scan->find_id, scan->find);

    put_int(&q, erase->after_id);
    while (!found->any && !is_full(slice)) {
        struct str text, owners;
        int64_t business_id;

        if (!query_row(&q)) {
            erase->ends[erase->phase] = erase->after_id;
            erase->phase++;
            erase->after_id = 0;
            break;
        }
        erase->after_id = get_int(&q);
        business_id = get_int(&q);
        text = get_str(&q);
        owners = get_str(&q);
        sqlite_numbers_told(of, owners);
        slice->rows++;
        slice->bytes += text.len;
        if (row_mentions(slice, names, &numbers, business_id, text)) {
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
                              const struct mention_names *names, struct sqlite_numbers *of,
                              const struct found *found)
{
    const struct mention_numbers numbers = sqlite_numbers_of(of);
    const struct scan *scan = &scans[phase];
    struct query q = query_begin(&slice->writer->conn, scan->erase_id, scan->erase);
    autobuf struct buf rest = BUF_INIT;

    put_int(&q, found->id);
    if (phase == STORE_ERASE_WEBHOOKS) {
        sqlite_numbers_told(of, buf_str(&found->owners));
        (void)mention_remove(buf_str(&found->text), names, &numbers, &rest);
        put_str_full(&q, buf_str(&rest));
    }
    slice->erase->webhooks += phase == STORE_ERASE_WEBHOOKS;
    slice->erase->log += phase == STORE_ERASE_LOG;
    return query_run(&q);
}

static enum err erase_mentions(struct slice *slice)
{
    CLEANUP(mention_names_finish) struct mention_names names = { .bytes = BUF_INIT };
    enum store_erase_phase phase = slice->erase->phase;
    CLEANUP(sqlite_numbers_finish)
    struct sqlite_numbers of = { .conn = &slice->writer->conn, .business_id = slice->business_id };
    enum err err = sqlite_contact_names(&slice->writer->conn, slice->erase->contact_id,
                                        phase != STORE_ERASE_WEBHOOKS, &names);

    while (err == OK && slice->erase->phase == phase && !is_full(slice)) {
        CLEANUP(found_finish) struct found found = { .any = false };

        err = next_mention(slice, &names, &of, &found);
        err = err != OK ? err : of.err;
        if (err == OK && found.any) {
            err = erase_mention(slice, phase, &names, &of, &found);
        }
    }
    return err != OK ? err : of.err;
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

#define OWN_CHATS "(SELECT id FROM chat WHERE contact_id = ?1 AND group_id IS NULL)"
#define OWN_NAMES "(SELECT value FROM contact_alias WHERE contact_id = ?1)"

static enum err step(struct sqlite_writer *writer, struct store_erase *erase, int64_t business_id)
{
    struct slice slice = { .writer = writer, .erase = erase, .business_id = business_id };

    return erase->phase == STORE_ERASE_MESSAGES ? erase_messages(&slice) : erase_mentions(&slice);
}

/* What came while the slices went on. */
static enum err catch_up(struct sqlite_writer *writer, struct store_erase *erase,
                         int64_t business_id)
{
    enum err err = OK;

    erase->phase = STORE_ERASE_WEBHOOKS;
    while (err == OK && erase->phase != STORE_ERASE_REST) {
        if (erase->phase < STORE_ERASE_MESSAGES) {
            erase->after_id = MAX(erase->after_id, erase->ends[erase->phase]);
        }
        err = step(writer, erase, business_id);
    }
    return err;
}

/* Changes and calls, which Meta may deliver once more, as messages. */
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
    static const struct {
        enum sqlite_statement id;
        const char *sql;
    } steps[] = {
        { ST_ERASE_WINDOWS, "UPDATE chat SET window_expires_at_ms = " WINDOW_OF_OTHERS
                            " WHERE id IN " GROUPS " AND group_id IS NOT NULL"
                            " AND window_expires_at_ms > " WINDOW_OF_OTHERS },
        { ST_ERASE_CHANGES, "DELETE FROM message_change INDEXED BY message_change_contact"
                            " WHERE contact_id = ?1 AND contact_id <> 0" },
        { ST_ERASE_REACTIONS, "DELETE FROM reaction INDEXED BY reaction_contact"
                              " WHERE contact_id = ?1 AND contact_id <> 0" },
        { ST_ERASE_STATES, "DELETE FROM participant INDEXED BY participant_name"
                           " WHERE name IN " OWN_NAMES " AND " CONTACT_OF_PARTICIPANT },
        { ST_ERASE_STATUSES, "DELETE FROM status INDEXED BY status_participant"
                             " WHERE participant IN " OWN_NAMES " AND participant <> x''"
                             " AND " CONTACT_OF_STATUS },
        { ST_ERASE_DECISIONS, "DELETE FROM decision WHERE chat_id IN " OWN_CHATS },
        { ST_ERASE_CURSORS, "DELETE FROM read_cursor WHERE chat_id IN " OWN_CHATS },
        { ST_ERASE_MEMBER, "DELETE FROM chat_participant WHERE contact_id = ?1" },
        { ST_ERASE_GROUPS, "UPDATE chat SET contact_id = (SELECT message.contact_id"
                           " FROM message WHERE chat_id = chat.id AND direction = 0"
                           " ORDER BY wa_timestamp_s DESC, message.id DESC LIMIT 1)"
                           " WHERE contact_id = ?1 AND group_id IS NOT NULL" },
        { ST_ERASE_CHATS, "DELETE FROM chat WHERE contact_id = ?1 AND group_id IS NULL" },
        { ST_ERASE_ALIASES, "DELETE FROM contact_alias WHERE contact_id = ?1" },
        { ST_ERASE_CONTACT, "DELETE FROM contact WHERE id = ?1" },
    };
    enum err err = catch_up(writer, erase, business_id);

    if (err == OK) {
        err = expect_repetitions(writer, erase->contact_id);
    }
    if (err == OK) {
        err = tell_chats(writer, erase);
    }
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
    struct store_contact contact;
    enum err err = sqlite_contact_get(tx, erase->contact_id, &contact);

    if (err != OK) {
        return err;
    }
    return erase->phase == STORE_ERASE_REST ? erase_rest(writer, erase, contact.business_id)
                                            : step(writer, erase, contact.business_id);
}
