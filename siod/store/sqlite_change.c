/* Edits, revokes and reactions, which change a message's row or wait for it, and the participants
 * of groups. What a message has in `reaction` and `participant` is read with it only where its
 * `annexes` say so: nearly none has any. */
#include "siod/store/sqlite_backend.h"

enum { ANNEX_REACTIONS = 1, ANNEX_PARTICIPANTS = 2 }; /* and 4, in the statements, a mark */

/* A query that gave no row. */
static enum err none(enum err err)
{
    return err == OK ? ERR_NOT_FOUND : err;
}

enum err sqlite_message_edit(struct store_tx *tx, const struct store_message *message,
                             struct str mark)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_MESSAGE_EDIT,
                                 "UPDATE message SET original = coalesce(original, raw),"
                                 " type = ?, text = ?, raw = ?, content = ?,"
                                 " mark = ?, annexes = annexes | 4 WHERE id = ?");

    put_str_full(&q, message->type);
    put_str(&q, message->text);
    put_str_full(&q, message->raw);
    put_str(&q, message->content);
    put_str(&q, mark);
    put_int(&q, message->id);
    return query_run(&q);
}

enum err sqlite_message_original(struct store_tx *tx, int64_t message_id, struct str *ret_raw)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_MESSAGE_ORIGINAL,
                                 "SELECT coalesce(original, raw) FROM message WHERE id = ?");

    put_int(&q, message_id);
    if (query_row(&q)) {
        *ret_raw = get_str(&q);
        return query_lend(&q);
    }
    return none(query_end(&q));
}

static enum err clear_reactions(struct store_tx *tx, int64_t message_id)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_REACTIONS_CLEAR,
                                 "DELETE FROM reaction WHERE message_id = ?");

    put_int(&q, message_id);
    return query_run(&q);
}

enum err sqlite_message_revoke(struct store_tx *tx, int64_t message_id, struct str type,
                               int64_t wa_timestamp_s, struct str mark)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_MESSAGE_REVOKE,
                                 "UPDATE message SET type = ?, text = NULL, content = NULL,"
                                 " raw = x'', original = NULL,"
                                 " revoked_at_s = ?, mark = ?, annexes = annexes | 4 WHERE id = ?");
    enum err err;

    put_str_full(&q, type);
    put_int(&q, wa_timestamp_s);
    put_str(&q, mark);
    put_int(&q, message_id);
    err = query_run(&q);
    return err != OK ? err : clear_reactions(tx, message_id);
}

static enum err annex(struct store_tx *tx, int64_t message_id, int64_t bit)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_MESSAGE_ANNEX,
                    "UPDATE message SET annexes = annexes | ?1 WHERE id = ?2 AND annexes & ?1 = 0");

    put_int(&q, bit);
    put_int(&q, message_id);
    return query_run(&q);
}

/* ------------------------------------------------------------------ changes */

enum err sqlite_change_waits(struct store_tx *tx, struct str phone_number_id, struct str target,
                             bool *ret_waits)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CHANGE_WAITS,
                                 "SELECT 1 FROM message_change INDEXED BY message_change_target"
                                 " WHERE phone_number_id = ? AND target = ?");

    put_str_full(&q, phone_number_id);
    put_str_full(&q, target);
    *ret_waits = query_row(&q);
    return query_end(&q);
}

enum err sqlite_change_known(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                             bool *ret_known)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CHANGE_KNOWN,
                                 "SELECT 1 FROM message_change"
                                 " WHERE phone_number_id = ? AND wamid = ?");

    put_str_full(&q, phone_number_id);
    put_str_full(&q, wamid);
    *ret_known = query_row(&q);
    return query_end(&q);
}

enum err sqlite_change_record(struct store_tx *tx, const struct store_change *change)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CHANGE_RECORD,
                                 "INSERT INTO message_change (phone_number_id, wamid, target, kind,"
                                 " contact_id, wa_timestamp_s, body, seen_at_ms)"
                                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");

    put_str_full(&q, change->phone_number_id);
    put_str_full(&q, change->wamid);
    put_str_full(&q, change->target);
    put_int(&q, change->kind);
    put_int(&q, change->contact_id);
    put_int(&q, change->wa_timestamp_s);
    put_str_full(&q, change->body);
    put_int(&q, tx->now_ms);
    return query_run(&q);
}

static void get_change(struct query *query, struct store_change *ret_change)
{
    ret_change->phone_number_id = get_str(query);
    ret_change->wamid = get_str(query);
    ret_change->target = get_str(query);
    ret_change->kind = (enum store_change_kind)get_int(query);
    ret_change->contact_id = get_int(query);
    ret_change->wa_timestamp_s = get_int(query);
    ret_change->body = get_str(query);
}

enum err sqlite_change_next(struct store_tx *tx, struct str phone_number_id, struct str target,
                            const struct store_change *after, struct store_change *ret_change)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHANGE_NEXT,
        "SELECT phone_number_id, wamid, target, kind, contact_id, wa_timestamp_s, body"
        " FROM message_change INDEXED BY message_change_target"
        " WHERE phone_number_id = ? AND target = ? AND (kind, wa_timestamp_s, wamid) > (?, ?, ?)"
        " ORDER BY kind, wa_timestamp_s, wamid LIMIT 1");

    put_str_full(&q, phone_number_id);
    put_str_full(&q, target);
    put_int(&q, after != NULL ? (int64_t)after->kind : -1);
    put_int(&q, after != NULL ? after->wa_timestamp_s : 0);
    put_str_full(&q, after != NULL ? after->wamid : STR_NONE);
    if (query_row(&q)) {
        get_change(&q, ret_change);
        return query_lend(&q);
    }
    return none(query_end(&q));
}

enum err sqlite_change_last_edit(struct store_tx *tx, struct str phone_number_id, struct str target,
                                 int64_t author_id, struct str *ret_wamid)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_CHANGE_LAST_EDIT,
                                 "SELECT wamid FROM message_change INDEXED BY message_change_target"
                                 " WHERE phone_number_id = ? AND target = ? AND kind = ?"
                                 " AND contact_id IN (?, ?)"
                                 " ORDER BY wa_timestamp_s DESC, wamid DESC LIMIT 1");

    put_str_full(&q, phone_number_id);
    put_str_full(&q, target);
    put_int(&q, STORE_CHANGE_EDIT);
    put_int(&q, author_id);
    put_int(&q, STORE_AUTHOR_UNKNOWN);
    if (query_row(&q)) {
        *ret_wamid = get_str(&q);
        return query_lend(&q);
    }
    return none(query_end(&q));
}

enum err sqlite_changes_between(struct store_tx *tx, int64_t contact_id, int64_t other_id,
                                void (*fn)(void *arg, const struct store_change *change), void *arg)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_CHANGES_BETWEEN,
        "SELECT change.phone_number_id, change.wamid, change.target, change.kind,"
        " change.contact_id, change.wa_timestamp_s, change.body"
        " FROM message_change AS change INDEXED BY message_change_contact JOIN message"
        " ON message.phone_number_id = change.phone_number_id AND message.wamid = change.target"
        " WHERE change.contact_id IN (?1, ?2) AND change.contact_id <> 0 AND change.kind <> ?3"
        " AND message.contact_id IN (?1, ?2) AND message.contact_id <> change.contact_id"
        " ORDER BY change.kind, change.wa_timestamp_s, change.wamid");

    put_int(&q, contact_id);
    put_int(&q, other_id);
    put_int(&q, STORE_CHANGE_REACTION);
    while (query_row(&q)) {
        struct store_change change;

        get_change(&q, &change);
        fn(arg, &change);
    }
    return query_end(&q);
}

/* ------------------------------------------------------------------ reactions */

enum err sqlite_reaction_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                             struct store_reaction *ret_reaction)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_REACTION_GET,
                                 "SELECT message_id, contact_id, wamid, wa_timestamp_s, shown"
                                 " FROM reaction WHERE message_id = ? AND contact_id = ?");

    put_int(&q, message_id);
    put_int(&q, contact_id);
    if (query_row(&q)) {
        ret_reaction->message_id = get_int(&q);
        ret_reaction->contact_id = get_int(&q);
        ret_reaction->wamid = get_str(&q);
        ret_reaction->wa_timestamp_s = get_int(&q);
        ret_reaction->shown = get_str(&q);
        return query_lend(&q);
    }
    return none(query_end(&q));
}

enum err sqlite_reaction_set(struct store_tx *tx, const struct store_reaction *reaction)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_REACTION_SET,
                                 "REPLACE INTO reaction (message_id, contact_id, wamid,"
                                 " wa_timestamp_s, shown) VALUES (?, ?, ?, ?, ?)");
    enum err err;

    put_int(&q, reaction->message_id);
    put_int(&q, reaction->contact_id);
    put_str_full(&q, reaction->wamid);
    put_int(&q, reaction->wa_timestamp_s);
    put_str(&q, reaction->shown);
    err = query_run(&q);
    return err != OK ? err : annex(tx, reaction->message_id, ANNEX_REACTIONS);
}

/* ------------------------------------------------------------------ participants */

#define OTHER_NAMES PARTICIPANT_NAMES("?3")

/* Before a contact was known by two names there may have come to be two: the further one counts, as
 * it does when contacts are joined. */
enum err sqlite_participant_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                                struct str name, struct store_participant *ret_participant)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_PARTICIPANT_GET,
                                 "SELECT message_id, name, status, shown FROM participant"
                                 " WHERE message_id = ?1 AND (name = ?2 OR name IN " OTHER_NAMES ")"
                                 " ORDER BY status DESC, name DESC LIMIT 1");

    put_int(&q, message_id);
    put_str_full(&q, name);
    put_int(&q, contact_id);
    if (query_row(&q)) {
        ret_participant->message_id = get_int(&q);
        ret_participant->contact_id = contact_id;
        ret_participant->name = get_str(&q);
        ret_participant->status = (enum store_status)get_int(&q);
        ret_participant->shown = get_str(&q);
        return query_lend(&q);
    }
    return none(query_end(&q));
}

static enum err drop_other_names(struct store_tx *tx, const struct store_participant *participant)
{
    struct query q = query_begin(&writer_of(tx)->conn, ST_PARTICIPANT_OTHERS,
                                 "DELETE FROM participant WHERE message_id = ?1 AND name <> ?2"
                                 " AND name IN " OTHER_NAMES);

    put_int(&q, participant->message_id);
    put_str_full(&q, participant->name);
    put_int(&q, participant->contact_id);
    return query_run(&q);
}

enum err sqlite_participant_set(struct store_tx *tx, const struct store_participant *participant)
{
    enum err err = participant->contact_id != 0 ? drop_other_names(tx, participant) : OK;
    struct query q;

    if (err != OK) {
        return err;
    }
    q = query_begin(&writer_of(tx)->conn, ST_PARTICIPANT_SET,
                    "REPLACE INTO participant (message_id, name, status, shown)"
                    " VALUES (?, ?, ?, ?)");
    put_int(&q, participant->message_id);
    put_str_full(&q, participant->name);
    put_int(&q, participant->status);
    put_str_full(&q, participant->shown);
    err = query_run(&q);
    return err != OK ? err : annex(tx, participant->message_id, ANNEX_PARTICIPANTS);
}
