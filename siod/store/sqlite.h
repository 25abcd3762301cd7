/* What the files of the SQLite back end share: a connection with its cached statements, and a small
 * way of running them.
 *
 *     struct query q = query_begin(conn, ST_CHAT_FIND, "SELECT id FROM chat WHERE …");
 *     put_str(&q, phone_number_id);
 *     if (query_row(&q)) {
 *         id = get_int(&q);
 *     }
 *     return query_end(&q);
 *
 * Values are bound and columns read in order. Errors add up in the query and come out of
 * query_end(). Text is bound without a copy: it must live until then. */
#pragma once

#include <sqlite3.h>

#include "siod/store/backend.h"

enum {
    SQLITE_APPLICATION_ID = 0x73696f64, /* "siod" */
    SQLITE_VALUE_MAX = 64 << 20,        /* bytes of one value or row */
    SQLITE_BUSY_MS = 5000,              /* for someone else's transaction (a shell, a backup) */
};

struct sqlite_migration {
    const char *name;
    const char *sql;
};
extern const struct sqlite_migration sqlite_migrations[];
extern const unsigned sqlite_migration_count;

/* One a statement text, so that each is prepared once for the life of its connection. */
enum sqlite_statement {
    ST_BEGIN,
    ST_BEGIN_READ,
    ST_COMMIT,
    ST_JOB_BEGIN,
    ST_JOB_KEEP,
    ST_JOB_UNDO,
    ST_EPOCH_READ,
    ST_EPOCH_RENEW,
    ST_EPOCH_OWN,
    ST_EPOCH_MARK,
    ST_EPOCH_UNMARK,
    ST_SEQUENCE_LOAD,
    ST_SEQUENCE_SAVE,
    ST_POSITION_ADVANCE,
    ST_LOG_INSERT,
    ST_BUSINESS_CHECK,
    ST_BUSINESS_ENSURE,
    ST_BUSINESS_SOURCE,
    ST_BUSINESS_PUT,
    ST_BUSINESS_CONFIGURED,
    ST_BUSINESS_RELEASE,
    ST_BUSINESS_ANY,
    ST_PHONE_OWNER,
    ST_PHONE_ADD,
    ST_PHONE_REMOVE,
    ST_PHONE_CLEAR,
    ST_AGENT_SEEN,
    ST_AGENT_GET,
    ST_AGENT_OFFLINE,
    ST_AGENT_STATUS_SET,
    ST_AGENT_CAPACITY_SET,
    ST_AGENT_CHECK,
    ST_AGENT_UNANSWERED,
    ST_AGENT_TURN,
    ST_READ_MESSAGE,
    ST_READ_CURSOR_SET,
    ST_CONTACT_BY_ALIAS,
    ST_CONTACT_CREATE,
    ST_CONTACT_ALIAS_ADD,
    ST_CONTACT_ALIAS_MOVE,
    ST_CONTACT_UPDATE,
    ST_CONTACT_GET,
    ST_CHAT_BY_CONTACT,
    ST_CHAT_BY_GROUP,
    ST_CHAT_CREATE,
    ST_CHAT_PARTICIPANT,
    ST_CHAT_SPEAKER,
    ST_CHAT_TOUCH,
    ST_CHAT_WINDOW,
    ST_CHAT_CURRENT,
    ST_CHAT_CHECK,
    ST_CHAT_ASSIGN,
    ST_CHAT_UNASSIGN,
    ST_CHAT_CLOSE,
    ST_CHAT_REOPEN,
    ST_CHAT_WAKE,
    ST_CHAT_TOLD,
    ST_JOIN_CURSOR,
    ST_JOIN_UNREAD,
    ST_JOIN_BEFORE,
    ST_JOIN_CURSOR_SET,
    ST_JOIN_CURSOR_FORGET,
    ST_JOIN_READERS,
    ST_JOIN_CHAT,
    ST_JOIN_CHAT_SET,
    ST_JOIN_MESSAGES,
    ST_JOIN_DECISIONS,
    ST_JOIN_CALLS,
    ST_JOIN_CHAT_DROP,
    ST_JOIN_WAITING,
    ST_JOIN_PAIRS,
    ST_JOIN_OWN_CHATS,
    ST_JOIN_GROUPS,
    ST_JOIN_AUTHOR,
    ST_JOIN_REACTIONS_OLDER,
    ST_JOIN_REACTIONS,
    ST_JOIN_NAMED,
    ST_JOIN_NAMED_TWICE,
    ST_JOIN_CHANGES,
    ST_JOIN_PARTICIPANTS,
    ST_JOIN_ALIASES,
    ST_JOIN_NEWER,
    ST_JOIN_CONTACT,
    ST_JOIN_CONTACT_DROP,
    ST_DECISION_APPEND,
    ST_MESSAGE_APPEND,
    ST_MESSAGE_FILL,
    ST_MESSAGE_BY_WAMID,
    ST_MESSAGE_STATE_BY_WAMID,
    ST_MESSAGE_STATUS_SET,
    ST_MESSAGE_EDIT,
    ST_MESSAGE_ORIGINAL,
    ST_MESSAGE_REVOKE,
    ST_MESSAGE_ANNEX,
    ST_CHANGE_WAITS,
    ST_CHANGE_KNOWN,
    ST_CHANGE_RECORD,
    ST_CHANGE_NEXT,
    ST_CHANGE_LAST_EDIT,
    ST_CHANGES_BETWEEN,
    ST_REACTION_GET,
    ST_REACTION_SET,
    ST_REACTIONS_CLEAR,
    ST_PARTICIPANT_GET,
    ST_PARTICIPANT_OTHERS,
    ST_PARTICIPANT_SET,
    ST_STATUS_RECORD,
    ST_STATUS_EACH,
    ST_CALL_BY_WACID,
    ST_CALL_PUT,
    ST_CALLS,
    ST_WEBHOOK_APPEND,
    ST_WEBHOOK_STATE,
    ST_WEBHOOK_SETTLE,
    ST_WEBHOOK_DROP,
    ST_AUDIT_APPEND,
    ST_ERASE_NAMES,
    ST_ERASE_IN_CHATS,
    ST_ERASURE_GET,
    ST_ERASURE_PUT,
    ST_ERASURE_ALIASES,
    ST_ERASE_WEBHOOKS,
    ST_ERASE_WEBHOOK,
    ST_ERASE_PARKED,
    ST_ERASE_PARKED_ROW,
    ST_ERASE_LOG,
    ST_ERASE_LOG_ROW,
    ST_ERASE_AUDIT,
    ST_ERASE_AUDIT_ROW,
    ST_ERASE_MESSAGE,
    ST_ERASE_REPEATED,
    ST_ERASE_OWN_CHATS,
    ST_ERASE_WINDOWS,
    ST_ERASE_CHANGES,
    ST_ERASE_REACTIONS,
    ST_ERASE_STATES,
    ST_ERASE_STATUSES,
    ST_ERASE_DECISIONS,
    ST_ERASE_CURSORS,
    ST_ERASE_MEMBER,
    ST_ERASE_GROUPS,
    ST_ERASE_CHATS,
    ST_ERASE_ALIASES,
    ST_ERASE_CONTACT,
    ST_MESSAGE_CHANGES_DELETE,
    ST_NUMBER_OWNER,
    ST_EXPORT_LOG,
    ST_EXPORT_PARKED,
    ST_EXPORT_AUDIT,
    ST_EXPORT_WEBHOOKS,
    ST_CONTACT_BUSINESS,
    ST_CONTACT_OWN_CHATS,
    ST_GONE_ANY,
    ST_GONE_ADD,
    ST_GONE_CHECK,
    ST_OLDEST_WEBHOOKS,
    ST_OLDEST_BEHIND_WEBHOOKS,
    ST_OLDEST_LOG,
    ST_OLDEST_BEHIND_LOG,
    ST_OLDEST_DECISIONS,
    ST_OLDEST_BEHIND_DECISIONS,
    ST_OLDEST_MESSAGES,
    ST_OLDEST_BEHIND_MESSAGES,
    ST_PURGE_WEBHOOKS,
    ST_PURGE_WEBHOOK_LAST,
    ST_PURGE_LOG,
    ST_PURGE_LOG_NOTE,
    ST_PURGE_DECISIONS,
    ST_PURGE_MESSAGE_FIND,
    ST_MESSAGE_STATUSES_DELETE,
    ST_MESSAGE_FORGET_LAST,
    ST_MESSAGE_DELETE,
    ST_PURGE_STATUSES_END,
    ST_PURGE_STATUSES,
    ST_PURGE_CHANGES_END,
    ST_PURGE_CHANGES,
    ST_PURGE_GONE,
    ST_GROWTH_NOTE,
    ST_GROWTH_PURGE,
    ST_GROWTH,
    ST_REVOKE_JTI,
    ST_REVOKE_USER,
    ST_REVOCATIONS_PURGE,
    ST_SESSION_PUT,
    ST_SESSION_REMOVE,
    ST_SESSIONS_REMOVE_WITH,
    ST_SESSIONS_UNTIL,
    ST_SESSION_KEY_PUT,
    ST_SESSION_KEY,
    ST_SESSIONS_UNTIL_READ,
    ST_SESSIONS,
    ST_BUSINESSES,
    ST_BUSINESS_PHONES,
    ST_BUSINESS_COUNT,
    ST_CONTACTS_NAMED,
    ST_CONTACTS_IN_ERASURE,
    ST_ALIASES,
    ST_CONTACT_CHATS,
    ST_CHATS,
    ST_CHATS_WAITING,
    ST_CHATS_ASSIGNED,
    ST_CHATS_OF_BUSINESS,
    ST_CHATS_OF_AGENT,
    ST_GLANCE_CURSOR,
    ST_GLANCE_UNREAD,
    ST_GLANCE_LAST,
    ST_READINGS,
    ST_CHAT_GET,
    ST_CHAT_MESSAGES,
    ST_MESSAGE_SECOND,
    ST_MESSAGES_BEFORE,
    ST_MESSAGES_AFTER,
    ST_POSITION,
    ST_LOG_BEGIN,
    ST_LOG_SINCE,
    ST_LOG_POSITION_AT,
    ST_MESSAGE_FIND,
    ST_WEBHOOKS,
    ST_WEBHOOKS_OF_FIELD,
    ST_WEBHOOK_IDS,
    ST_WEBHOOK_AT,
    ST_WEBHOOKS_OLDEST,
    ST_WEBHOOKS_NEWEST,
    ST_WEBHOOKS_OLDEST_IN_STATE,
    ST_WEBHOOKS_NEWEST_IN_STATE,
    ST_WEBHOOK_GET,
    ST_AGENTS,
    ST_WAITING_CHATS,
    ST_DECISIONS,
    ST_AUDITS,
    ST_REVOCATIONS,
    ST_DIGEST_CHATS,
    ST_DIGEST_MESSAGES,
    ST_DIGEST_STATUSES,
    ST_COUNT,
    ST_COUNT_OF_STATEMENTS
};

struct sqlite_conn {
    sqlite3 *db;
    struct store_fault *fault;
    sqlite3_stmt *lent; /* its row is the caller's until the next query */
    sqlite3_stmt *cache[ST_COUNT_OF_STATEMENTS];
};

/* From a url: where the database is and how it is opened. */
struct sqlite_place {
    char *path;
    char *vfs; /* NULL = the default one */
    unsigned checkpoint_pages;
    bool synchronous_full;
};

/* ------------------------------------------------------------------ sqlite_open.c */

NODISCARD
enum err sqlite_place_parse(const struct store_config *config, struct sqlite_place *ret,
                            struct errmsg *msg);
void sqlite_place_finish(struct sqlite_place *place);
/* Opens without creating. The reason of a failure is in `fault`. */
NODISCARD
enum err sqlite_conn_open(struct sqlite_conn *conn, const struct sqlite_place *place, int flags,
                          struct store_fault *fault);
void sqlite_conn_close(struct sqlite_conn *conn);
/* Several statements without results. */
NODISCARD
enum err sqlite_exec(struct sqlite_conn *conn, const char *sql);
/* The result of a pragma or of a SELECT of one integer. */
NODISCARD
enum err sqlite_read_int(struct sqlite_conn *conn, const char *sql, int64_t *ret);
/* ERR_INVALID when there is no database, or an empty one, but its log has something in it. To be
 * asked before SQLite is. */
NODISCARD
enum err sqlite_stray_log_check(const char *path, struct errmsg *msg);
/* One daemon a database, whatever it is called: the ids that are given out are counted in memory.
 * ERR_BUSY while another one has it; *ret_fd is to be closed in any case, < 0 = none. */
NODISCARD
enum err sqlite_lock_file(const char *path, int *ret_fd, struct errmsg *msg);
/* Who wrote it; *ret_version 0 = it is empty. */
NODISCARD
enum err sqlite_identify(struct sqlite_conn *conn, const char *path, unsigned *ret_version,
                         struct errmsg *msg);
/* Is it siod's, and not newer than this program? Migrates it, or makes it when it is empty. */
NODISCARD
enum err sqlite_prepare_schema(struct sqlite_conn *conn, const char *path, struct errmsg *msg);

/* ------------------------------------------------------------------ sqlite_check.c */

/* In a read transaction. */
NODISCARD
enum err sqlite_check_all(struct sqlite_conn *conn, store_finding_fn *fn, void *arg);

/* ------------------------------------------------------------------ sqlite_recover.c */

/* Writes the write-ahead log over itself and syncs it. After a failed fsync the kernel shows pages
 * as clean that never reached the disk; from here on the disk holds what the file shows. Call it in
 * a write transaction. */
NODISCARD
enum err sqlite_wal_rewrite(struct sqlite_conn *conn);
/* A small durable transaction, WAL rewritten first. */
NODISCARD
enum err sqlite_probe(struct sqlite_conn *conn);

/* ------------------------------------------------------------------ sqlite_walfile.c */

/* The name, owned, of a VFS that is `base` (NULL = the default one) but for the write-ahead log,
 * whose writes it gathers. Registered at the first call, which must not meet another one. A base
 * that does not exist is returned as it is. */
NODISCARD
char *sqlite_walfile_vfs(const char *base);

/* ------------------------------------------------------------------ sqlite_epoch.c */

/* *ret_epoch is 17 bytes. `renew`: in any case. Call it while the connection syncs every commit. */
NODISCARD
enum err sqlite_epoch_load(struct sqlite_conn *conn, bool synchronous_full, bool renew,
                           char *ret_epoch);
/* Everything is about to be synced: no commit can be lost any more. */
NODISCARD
enum err sqlite_epoch_unmark(struct sqlite_conn *conn);

/* ------------------------------------------------------------------ sqlite_query.c */

struct query {
    struct sqlite_conn *conn;
    sqlite3_stmt *stmt;
    int at; /* the next parameter; in a row the next column */
    int rc;
};

/* Turns a result code into the job's error, or breaks the connection. */
enum err sqlite_error(struct sqlite_conn *conn, int rc);

struct query query_begin(struct sqlite_conn *conn, enum sqlite_statement id, const char *sql);
void put_int(struct query *query, int64_t value);
void put_str(struct query *query, struct str value);      /* NULL when .data is NULL */
void put_str_full(struct query *query, struct str value); /* empty when .data is NULL */
/* The next row; false at the end and on errors. */
bool query_row(struct query *query);
int64_t get_int(struct query *query);
struct str get_str(struct query *query); /* .data NULL for NULL */
enum err query_end(struct query *query);
/* As query_end(), but the row that was read stays valid until the next query of the connection. */
enum err query_lend(struct query *query);
/* Runs to the end without looking at rows. */
enum err query_run(struct query *query);
/* The same; *ret_changed = has it changed a row? */
enum err query_change(struct query *query, bool *ret_changed);
/* A statement without parameters or results. */
enum err sqlite_run(struct sqlite_conn *conn, enum sqlite_statement id, const char *sql);

/* Column lists and their readers, in step with each other. */
#define CONTACT_COLUMNS                                                                            \
    "contact.id, contact.business_id, contact.name, contact.username, contact.phone, "             \
    "contact.wa_id, contact.user_id"
#define MESSAGE_COLUMNS                                                                            \
    "message.id, message.chat_id, message.business_id, message.contact_id, message.direction, "    \
    "message.status, message.sender_user_id, message.wa_timestamp_s, message.created_at_ms, "      \
    "message.phone_number_id, message.wamid, message.type, message.context_wamid, message.error, " \
    "message.text, message.raw, message.kind, message.content, "                                   \
    "iif(message.annexes = 0, NULL, coalesce(message.mark, '')"                                    \
    " || coalesce(',\"reactions\":[' || (SELECT group_concat(shown) FROM (SELECT shown"            \
    "  FROM reaction WHERE message_id = message.id AND shown IS NOT NULL"                          \
    "  ORDER BY wa_timestamp_s, wamid LIMIT 256)) || ']', '')"                                     \
    " || coalesce(',\"participants\":[' || (SELECT group_concat(shown) FROM (SELECT shown"         \
    "  FROM participant WHERE message_id = message.id ORDER BY name LIMIT 256)) || ']', ''))"
#define CHAT_COLUMNS                                                                               \
    "chat.id, chat.business_id, chat.phone_number_id, chat.group_id, chat.state, chat.agent_id, "  \
    "chat.last_message_id, chat.last_message_at_ms, chat.window_expires_at_ms, "                   \
    "chat.created_at_ms, chat.version, chat.waiting_since_ms, chat.assigned_at_ms, "               \
    "chat.last_agent_id, chat.closed_at_ms"
#define WAITING_COLUMNS "id, business_id, version, waiting_since_ms, last_agent_id, waiting_told"
void get_contact(struct query *query, struct store_contact *ret_contact);
void get_chat(struct query *query, struct store_chat *ret_chat); /* all but the contact */
void get_waiting(struct query *query, struct store_waiting *ret_waiting);
void get_message(struct query *query, struct store_message *ret_message);
