/* The rows of `store digest`, a slice at a time. Each statement reads a few columns that say where
 * its next slice begins, and behind them those that count: one more that is to count is one more
 * name in the statement. */
#include "siod/store/digest.h"
#include "siod/store/sqlite_backend.h"

/* A few values may be so large that a slice has enough of them. */
enum { SLICE_BYTES = 16 << 20 };

/* A contact is known by its names, whatever order they became known in. Who last had a username
 * that several have had is a matter of order. */
#define NAMES_OF(contact_id)                                                                       \
    "(SELECT group_concat(name, ' ') FROM (SELECT kind || ':' || hex(value) AS name"               \
    " FROM contact_alias WHERE contact_id = " contact_id " AND kind < 3 ORDER BY kind, value))"

#define CHAT_NAMES    NAMES_OF("chat.contact_id")
#define MESSAGE_NAMES NAMES_OF("message.contact_id")
#define REACTOR_NAMES NAMES_OF("reaction.contact_id")

/* What stands after all reactions: that one was removed counts as one that never was. */
#define REACTIONS                                                                                  \
    "(SELECT group_concat(one, ' ') FROM"                                                          \
    " (SELECT hex(wamid) || '/' || coalesce(" REACTOR_NAMES ", '') AS one FROM reaction"           \
    " WHERE message_id = message.id AND shown IS NOT NULL ORDER BY one))"

/* Who is told both that a message failed and that it was delivered believes what came first: that
 * is the one thing that order decides, so it counts as a state of its own. */
#define UNLESS_BOTH(status, participants)                                                          \
    "iif((SELECT count(DISTINCT told.status = CAST('failed' AS BLOB)) FROM status AS told"         \
    " WHERE told.phone_number_id = message.phone_number_id AND told.wamid = message.wamid"         \
    " AND told.participant IN " participants " AND told.status IN (CAST('failed' AS BLOB),"        \
    " CAST('delivered' AS BLOB), CAST('read' AS BLOB), CAST('played' AS BLOB))) = 2,"              \
    " 'both', " status ")"
#define MESSAGE_STATUS UNLESS_BOTH("message.status", "(x'')")

/* A participant is a contact, under whichever of its names, or the name of none. In max() a text is
 * more than any number. */
#define MEMBER                                                                                     \
    "(SELECT contact_id FROM contact_alias WHERE business_id = message.business_id"                \
    " AND kind IN (0, 1) AND value = participant.name ORDER BY kind DESC LIMIT 1)"
#define MEMBER_NAMES NAMES_OF(MEMBER)
#define MEMBER_STATUS                                                                              \
    UNLESS_BOTH(                                                                                   \
        "participant.status",                                                                      \
        "(SELECT participant.name UNION ALL SELECT value FROM " PARTICIPANT_NAMES(MEMBER) ")")
#define PARTICIPANTS                                                                               \
    "(SELECT group_concat(one, ' ') FROM (SELECT who || '/' || max(state) AS one FROM"             \
    " (SELECT coalesce(" MEMBER_NAMES ", hex(name)) AS who, " MEMBER_STATUS " AS state"            \
    " FROM participant WHERE message_id = message.id) GROUP BY who ORDER BY one))"

static const struct pass {
    enum sqlite_statement id;
    int key; /* columns that say where the next slice begins */
    const char *sql;
} passes[] = {
    [STORE_DIGEST_CHATS] = { ST_DIGEST_CHATS, 1,
                             "SELECT id, business_id, phone_number_id, group_id,"
                             " iif(group_id IS NULL, " CHAT_NAMES ", NULL)"
                             " FROM chat WHERE id > ?1 ORDER BY id LIMIT ?2" },
    [STORE_DIGEST_MESSAGES] = { ST_DIGEST_MESSAGES, 1,
                                "SELECT id, business_id, phone_number_id, wamid, direction, type,"
                                " iif(direction = 1, " MESSAGE_STATUS
                                ", status), context_wamid, text, content, raw, mark IS NOT NULL,"
                                " revoked_at_s <> 0, " MESSAGE_NAMES ","
                                " iif(annexes & 1, " REACTIONS ", NULL),"
                                " iif(annexes & 2, " PARTICIPANTS ", NULL)"
                                " FROM message WHERE id > ?1 ORDER BY id LIMIT ?2" },
    [STORE_DIGEST_STATUSES] = { ST_DIGEST_STATUSES, 4,
                                "SELECT phone_number_id, wamid, status, participant,"
                                " phone_number_id, wamid, status, participant FROM status"
                                " WHERE (phone_number_id, wamid, status, participant) >"
                                " (?1, ?2, ?3, ?4)"
                                " ORDER BY phone_number_id, wamid, status, participant"
                                " LIMIT ?5" },
};

static void put_place(struct query *query, const struct store_digest *digest, int key)
{
    if (key == 1) {
        put_int(query, digest->after_id);
        return;
    }
    for (int i = 0; i < key; i++) {
        put_str_full(query, buf_str(&digest->after[i]));
    }
}

/* Not in place: the statement still reads its parameters. */
static void keep_place(struct query *query, struct store_digest *next, int key)
{
    if (key == 1) {
        next->after_id = get_int(query);
        return;
    }
    for (int i = 0; i < key; i++) {
        buf_clear(&next->after[i]);
        buf_add_str(&next->after[i], get_str(query));
    }
}

/* Returns its size. */
static size_t add_row(struct query *query, struct store_digest *digest)
{
    struct store_digest_row *row = store_digest_row_begin(digest);
    int columns = sqlite3_column_count(query->stmt);
    size_t bytes = 0;

    while (query->at < columns) {
        struct str column = get_str(query);

        store_digest_row_add(row, column);
        bytes += column.len;
    }
    store_digest_row_end(digest, row);
    return bytes;
}

enum err sqlite_digest_slice(struct store_reader *reader, struct store_digest *digest,
                             unsigned limit)
{
    const struct pass *pass = &passes[digest->table];
    struct query q = query_begin(&reader_of(reader)->conn, pass->id, pass->sql);
    struct store_digest next = { .after_id = digest->after_id };
    size_t bytes = 0;
    bool row = false;
    enum err err;

    put_place(&q, digest, pass->key);
    put_int(&q, (int64_t)limit);
    while (limit-- > 0 && bytes < SLICE_BYTES && (row = query_row(&q))) {
        keep_place(&q, &next, pass->key);
        bytes += add_row(&q, digest);
    }
    err = query_end(&q);
    store_digest_move(digest, &next, !row);
    return err;
}
