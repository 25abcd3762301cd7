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
    ST_ERASE_WEBHOOKS,
    ST_ERASE_WEBHOOK,
    ST_ERASE_LOG,
    ST_ERASE_LOG_ROW,
    ST_ERASE_AUDIT,
    ST_ERASE_AUDIT_ROW,
    ST_ERASE_MESSAGE,
    ST_ERASE_REPEATED,
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
    ST_EXPORT_LOG,
    ST_EXPORT_AUDIT,
    ST_EXPORT_WEBHOOKS,
    ST_CONTACT_EXISTS,
    ST_CONTACT_OWN_CHATS,
    ST_GONE_ANY,
    ST_GONE_ADD,
    ST_GONE_CHECK,
    ST_PURGE_WEBHOOKS_FIND,
    ST_PURGE_WEBHOOKS,
    ST_PURGE_WEBHOOK_LAST,
    ST_PURGE_LOG_FIND,
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

/* ------------------------------------------------------------------ the writer */

struct sqlite_phones;
struct sqlite_checkpointer;

struct sqlite_writer {
    struct store_tx tx;
    struct sqlite_conn conn;
    struct sqlite_place place;
    int lock_fd;
    struct sqlite_phones *phones; /* sqlite_directory.c: phone number -> business */
    bool phones_changed;          /* by the job that runs: do not learn from it */
    struct buf put_ids;           /* businesses that this job has put */
    struct sqlite_sequence {
        int64_t chat, message;
    } next, saved, job;  /* last ids given; as in the database; at the job's start */
    bool savepoint;      /* the job that runs has one */
    int64_t job_changes; /* rows that the connection had written before it */
    int64_t seen_us;     /* the last status's */
    bool verify;         /* since something made no sense: look at everything before going on */
    uint64_t verify_after_ms;
    bool known; /* where these two lead to */
    struct sqlite_identity {
        uint64_t dev, ino;
    } file, wal_file;
    char *wal_path;
    char epoch[17];
    int64_t rows, batch_rows; /* log rows ever written; in the batch */
    bool wipe;     /* the log holds what was erased: empty it when it can be done at once */
    bool any_gone; /* the table `gone` may have rows */
    struct sqlite_walk {
        unsigned table;
        struct buf phone_number_id, wamid; /* the last row it has come to; empty: none yet */
    } walk;                                /* sqlite_orphan.c */
    int wal_pages, wal_base;               /* in the log now; at the last checkpoint */
    struct sqlite_checkpointer *checkpointer;
    unsigned passes; /* that it has made since then */
};

static inline struct sqlite_writer *writer_of(struct store_tx *tx)
{
    return CONTAINER_OF(tx, struct sqlite_writer, tx);
}

/* sqlite_writer.c */
enum err sqlite_writer_open(const struct store_config *config, struct store_tx **ret,
                            char *ret_epoch, struct errmsg *msg);
void sqlite_writer_close(struct store_tx *tx);
enum err sqlite_writer_recover(struct store_tx *tx);
enum err sqlite_begin(struct store_tx *tx);
enum err sqlite_commit(struct store_tx *tx);
void sqlite_rollback(struct store_tx *tx);
enum err sqlite_job_begin(struct store_tx *tx, bool savepoint);
enum err sqlite_job_keep(struct store_tx *tx);
enum err sqlite_job_undo(struct store_tx *tx);
bool sqlite_alive(struct store_tx *tx);

/* sqlite_checkpoint.c: `place` is borrowed */
struct sqlite_checkpointer *sqlite_checkpointer_new(const struct sqlite_place *place);
void sqlite_checkpointer_free(struct sqlite_checkpointer *c);
/* Waits for a pass that runs, closes its connections and forgets its failure. */
void sqlite_checkpointer_reset(struct sqlite_checkpointer *c);
enum err sqlite_maintain(struct store_tx *tx, bool idle);

/* sqlite_retention.c: what was kept long enough */
enum err sqlite_gone_load(struct sqlite_writer *writer);
enum err sqlite_gone_add(struct sqlite_writer *writer, struct str phone_number_id,
                         struct str wamid);
enum err sqlite_gone_check(struct sqlite_writer *writer, struct str phone_number_id,
                           struct str wamid, bool *ret_gone);
enum err sqlite_message_gone(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                             bool *ret_gone);
enum err sqlite_message_delete(struct sqlite_writer *writer, int64_t id, struct str phone_number_id,
                               struct str wamid);
enum err sqlite_contact_erase(struct store_tx *tx, struct store_erase *erase);
struct mention_names;
/* Adds what a contact is and was known by: numbers, user ids, usernames; own_words: its id too. */
enum err sqlite_contact_names(struct sqlite_conn *conn, int64_t contact_id, bool own_words,
                              struct mention_names *names);
enum err sqlite_purge(struct store_tx *tx, struct store_purge *purge);
enum err sqlite_measure(struct store_tx *tx, struct store_size *ret_size);

/* sqlite_witness.c: the same files, and as far as they had come */
void sqlite_files_remember(struct sqlite_writer *writer);
/* Size of the database file and of its log. */
void sqlite_writer_bytes(struct store_tx *tx, int64_t *ret_file, int64_t *ret_wal);
/* ERR_STORE with `fault` set when a name leads elsewhere. */
enum err sqlite_files_check(struct sqlite_writer *writer, struct store_fault *fault);
void sqlite_witness_write(const struct sqlite_writer *writer);
enum err sqlite_witness_load(struct sqlite_writer *writer);
/* After that and the sequences. *ret_lost: it had come further. */
enum err sqlite_witness_check(struct sqlite_writer *writer, bool *ret_lost);

/* sqlite_orphan.c: what waits for a message that never came */
enum err sqlite_orphans_purge(struct sqlite_writer *writer, struct store_purge *purge);
void sqlite_walk_finish(struct sqlite_walk *walk);

/* sqlite_directory.c: businesses and phone numbers */
void sqlite_phones_forget(struct sqlite_writer *writer);
enum err sqlite_position_advance(struct store_tx *tx, int64_t business_id, int64_t count,
                                 int64_t *ret_position);
enum err sqlite_business_check(struct store_tx *tx, int64_t business_id);
enum err sqlite_business_ensure(struct store_tx *tx, int64_t business_id);
enum err sqlite_business_put(struct store_tx *tx, const struct store_business *business,
                             struct errmsg *msg);
enum err sqlite_business_retain(struct store_tx *tx, const int64_t *ids, size_t count);
enum err sqlite_business_by_phone(struct store_tx *tx, struct str phone_number_id,
                                  int64_t *ret_business_id);

/* sqlite_agent.c: agents and their read cursors */
enum err sqlite_agent_seen(struct store_tx *tx, int64_t business_id, int64_t user_id,
                           struct str name, struct str role, struct store_agent *ret_agent);
enum err sqlite_agent_current(struct store_tx *tx, int64_t business_id, int64_t user_id,
                              struct store_agent *ret_agent);
enum err sqlite_agent_offline(struct store_tx *tx, int64_t business_id, int64_t user_id);
enum err sqlite_agent_status_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                 enum store_agent_status status, bool *ret_changed);
enum err sqlite_agent_capacity_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                   int64_t capacity, bool *ret_changed);
enum err sqlite_read_cursor_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                int64_t chat_id, int64_t message_id, bool *ret_moved);
enum err sqlite_agents(struct store_reader *reader, const struct store_agent_filter *filter,
                       bool (*fn)(void *arg, const struct store_agent *agent), void *arg);

/* sqlite_contact.c: contacts and chats */
enum err sqlite_contact_by_alias(struct store_tx *tx, int64_t business_id, enum store_alias kind,
                                 struct str value, int64_t *ret_contact_id);
enum err sqlite_contact_create(struct store_tx *tx, const struct store_contact *contact,
                               int64_t *ret_contact_id);
enum err sqlite_contact_alias_add(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                  enum store_alias kind, struct str value);
enum err sqlite_contact_alias_move(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                   enum store_alias kind, struct str value);
enum err sqlite_contact_update(struct store_tx *tx, const struct store_contact *contact);
enum err sqlite_contact_get(struct store_tx *tx, int64_t contact_id,
                            struct store_contact *ret_contact);
enum err sqlite_chat_ensure(struct store_tx *tx, const struct store_chat *chat,
                            int64_t *ret_chat_id, bool *ret_created);
enum err sqlite_group_speaker(struct store_tx *tx, int64_t chat_id, int64_t contact_id,
                              int64_t message_id);
enum err sqlite_chat_touch(struct store_tx *tx, int64_t chat_id, int64_t message_id,
                           int64_t wa_timestamp_s, bool inbound,
                           struct store_waiting *ret_reopened);
enum err sqlite_chat_window(struct store_tx *tx, int64_t chat_id, int64_t wa_timestamp_s);
enum err sqlite_chat_current(struct store_tx *tx, int64_t chat_id, struct store_chat *ret_chat,
                             struct store_message *ret_last);

/* sqlite_join.c */
enum err sqlite_contact_join(struct store_tx *tx, int64_t contact_id, int64_t into_id,
                             void (*fn)(void *arg, const struct store_merge *merge), void *arg);

/* sqlite_assign.c: whose chat it is */
/* The customer wrote: a chat that is closed, or whose agent is offline, waits again. *ret_waiting's
 * chat_id is 0 otherwise. */
enum err sqlite_chat_wake(struct store_tx *tx, int64_t chat_id, struct store_waiting *ret_waiting);
enum err sqlite_chat_assign(struct store_tx *tx, const struct store_assignment *assignment);
enum err sqlite_chat_unassign(struct store_tx *tx, int64_t chat_id, int64_t agent_id,
                              struct store_waiting *ret_waiting);
enum err sqlite_chat_close(struct store_tx *tx, int64_t chat_id);
enum err sqlite_chat_reopen(struct store_tx *tx, int64_t chat_id,
                            struct store_waiting *ret_waiting);
enum err sqlite_chat_waiting_told(struct store_tx *tx, int64_t chat_id, int64_t version,
                                  bool *ret_first);
enum err sqlite_agent_unanswered(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                 enum err (*fn)(void *arg, int64_t chat_id), void *arg);
enum err sqlite_decision_append(struct store_tx *tx, const struct store_decision *decision);
enum err sqlite_waiting_chats(struct store_reader *reader, const struct store_waiting *after,
                              unsigned limit,
                              bool (*fn)(void *arg, const struct store_waiting *waiting),
                              void *arg);
enum err sqlite_decisions(struct store_reader *reader, int64_t chat_id, unsigned limit,
                          bool (*fn)(void *arg, const struct store_decision *decision), void *arg);

/* sqlite_message.c: messages, statuses, webhooks, log, audit */
enum err sqlite_log_insert(struct store_tx *tx, const struct store_event *event);
enum err sqlite_message_append(struct store_tx *tx, const struct store_message *message,
                               int64_t *ret_message_id, bool *ret_inserted);
enum err sqlite_message_fill(struct store_tx *tx, const struct store_message *message,
                             bool *ret_filled);
enum err sqlite_message_by_wamid(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                                 struct store_message *ret_message);
enum err sqlite_message_state_by_wamid(struct store_tx *tx, struct str phone_number_id,
                                       struct str wamid, struct store_message_state *ret_state);
enum err sqlite_message_status_set(struct store_tx *tx, int64_t message_id,
                                   enum store_status status, struct str error);
enum err sqlite_status_record(struct store_tx *tx, const struct store_status_row *row,
                              bool *ret_new);
enum err sqlite_status_each(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            enum err (*fn)(void *arg, const struct store_status_row *row),
                            void *arg);
enum err sqlite_webhook_append(struct store_tx *tx, const struct store_webhook *webhook,
                               int64_t *ret_webhook_id);
enum err sqlite_audit_append(struct store_tx *tx, struct str who, struct str command,
                             struct str args);

/* sqlite_change.c: edits, revokes, reactions, and the participants of groups */
enum err sqlite_message_edit(struct store_tx *tx, const struct store_message *message,
                             struct str mark);
enum err sqlite_message_original(struct store_tx *tx, int64_t message_id, struct str *ret_raw);
enum err sqlite_message_revoke(struct store_tx *tx, int64_t message_id, struct str type,
                               int64_t wa_timestamp_s, struct str mark);
enum err sqlite_change_waits(struct store_tx *tx, struct str phone_number_id, struct str target,
                             bool *ret_waits);
enum err sqlite_change_known(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                             bool *ret_known);
enum err sqlite_change_record(struct store_tx *tx, const struct store_change *change);
enum err sqlite_change_next(struct store_tx *tx, struct str phone_number_id, struct str target,
                            const struct store_change *after, struct store_change *ret_change);
enum err sqlite_change_last_edit(struct store_tx *tx, struct str phone_number_id, struct str target,
                                 int64_t author_id, struct str *ret_wamid);
enum err sqlite_changes_between(struct store_tx *tx, int64_t contact_id, int64_t other_id,
                                void (*fn)(void *arg, const struct store_change *change),
                                void *arg);
enum err sqlite_reaction_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                             struct store_reaction *ret_reaction);
enum err sqlite_reaction_set(struct store_tx *tx, const struct store_reaction *reaction);
enum err sqlite_participant_get(struct store_tx *tx, int64_t message_id, struct str name,
                                struct store_participant *ret_participant);
enum err sqlite_participant_set(struct store_tx *tx, const struct store_participant *participant);

/* sqlite_webhook.c: webhooks that are looked for */
enum err sqlite_webhook_settle(struct store_tx *tx, const struct store_webhook *webhook);
enum err sqlite_webhook_drop(struct store_tx *tx, int64_t webhook_id);
enum err sqlite_webhook_ids(struct store_reader *reader, int64_t since_ms, int64_t until_ms,
                            int64_t *ret_first, int64_t *ret_last);
enum err sqlite_webhooks_find(struct store_reader *reader,
                              const struct store_webhook_search *filter,
                              bool (*fn)(void *arg, const struct store_webhook *webhook),
                              void *arg);
enum err sqlite_webhook_get(struct store_reader *reader, int64_t webhook_id,
                            struct store_webhook *ret_webhook);

/* sqlite_session.c */
enum err sqlite_session_put(struct store_tx *tx, const struct store_session *session);
enum err sqlite_session_remove(struct store_tx *tx, struct str id);
enum err sqlite_sessions_remove_with(struct store_tx *tx, int64_t business_id, struct str bytes);
enum err sqlite_sessions_until(struct store_tx *tx, int64_t until_ms);
enum err sqlite_session_key(struct store_tx *tx, uint8_t *ret_key);
enum err sqlite_sessions(struct store_reader *reader, int64_t *ret_until_ms,
                         bool (*fn)(void *arg, const struct store_session *session), void *arg);

/* sqlite_revocation.c */
enum err sqlite_revocation_put(struct store_tx *tx, const struct store_revocation *revocation,
                               struct store_revocation *ret_now);
enum err sqlite_revocations_purge(struct store_tx *tx, int64_t expired_before_s, unsigned limit,
                                  void (*fn)(void *arg, const struct store_revocation *revocation),
                                  void *arg);
enum err sqlite_revocations(struct store_reader *reader,
                            bool (*fn)(void *arg, const struct store_revocation *revocation),
                            void *arg);

/* ------------------------------------------------------------------ readers */

/* sqlite_call.c */
enum err sqlite_call_by_wacid(struct store_tx *tx, struct str phone_number_id, struct str wacid,
                              struct store_call *ret_call);
enum err sqlite_call_put(struct store_tx *tx, const struct store_call *call, int64_t *ret_call_id);
enum err sqlite_calls(struct store_reader *reader, int64_t chat_id, unsigned limit,
                      bool (*fn)(void *arg, const struct store_call *call), void *arg);

/* sqlite_person.c */
enum err sqlite_business_count(struct store_reader *reader, int64_t business_id,
                               struct store_business_counts *ret_counts);
enum err sqlite_contacts_named(struct store_reader *reader, int64_t business_id, struct str name,
                               bool (*fn)(void *arg, const struct store_contact *contact),
                               void *arg);
enum err sqlite_aliases(struct store_reader *reader, int64_t contact_id,
                        bool (*fn)(void *arg, enum store_alias kind, struct str value), void *arg);
enum err sqlite_contact_chats(struct store_reader *reader, int64_t contact_id,
                              bool (*fn)(void *arg, const struct store_chat *chat), void *arg);

/* sqlite_glance.c */
enum err sqlite_chat_glance(struct store_reader *reader, const struct store_chat *chat,
                            int64_t agent_id, struct store_glance *ret_glance);
enum err sqlite_readings(struct store_reader *reader, int64_t chat_id,
                         bool (*fn)(void *arg, const struct store_reading *reading), void *arg);

/* sqlite_read.c */
enum err sqlite_businesses(struct store_reader *reader,
                           bool (*fn)(void *arg, const struct store_business *business), void *arg);
enum err sqlite_chats(struct store_reader *reader, const struct store_chat_filter *filter,
                      bool (*fn)(void *arg, const struct store_chat *chat), void *arg);
enum err sqlite_chat_get(struct store_reader *reader, int64_t chat_id, struct store_chat *ret_chat);
enum err sqlite_chat_messages(struct store_reader *reader, int64_t chat_id, unsigned limit,
                              bool (*fn)(void *arg, const struct store_message *message,
                                         const struct store_contact *contact),
                              void *arg);
enum err sqlite_chat_messages_page(struct store_reader *reader,
                                   const struct store_message_page *page,
                                   bool (*fn)(void *arg, const struct store_message *message,
                                              const struct store_contact *contact),
                                   void *arg);
enum err sqlite_snapshot(struct store_reader *reader, int64_t business_id, int64_t *ret_position);
enum err sqlite_log_begin(struct store_reader *reader, int64_t business_id, int64_t *ret_position);
enum err sqlite_log_since(struct store_reader *reader, int64_t business_id, int64_t position,
                          unsigned limit, bool (*fn)(void *arg, const struct store_event *event),
                          void *arg);
enum err sqlite_log_position_at(struct store_reader *reader, int64_t business_id, int64_t at_ms,
                                int64_t *ret_position);
enum err sqlite_message_find(struct store_reader *reader, int64_t message_id, struct str wamid,
                             struct store_message *ret_message, struct store_contact *ret_contact);
enum err sqlite_webhooks(struct store_reader *reader, const struct store_webhook_filter *filter,
                         bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg);
enum err sqlite_audits(struct store_reader *reader, unsigned limit,
                       bool (*fn)(void *arg, const struct store_audit *audit), void *arg);
enum err sqlite_count(struct store_reader *reader, struct store_counts *ret_counts);

/* sqlite_digest.c */
enum err sqlite_digest_slice(struct store_reader *reader, struct store_digest *digest,
                             unsigned limit);

struct sqlite_reader {
    struct store_reader reader;
    struct sqlite_conn conn;
    struct sqlite_place place;
};

static inline struct sqlite_reader *reader_of(struct store_reader *reader)
{
    return CONTAINER_OF(reader, struct sqlite_reader, reader);
}

/* sqlite_reader.c */
enum err sqlite_reader_open(const struct store_config *config, struct store_reader **ret,
                            struct errmsg *msg);
void sqlite_reader_close(struct store_reader *reader);
enum err sqlite_reader_begin(struct store_reader *reader);
void sqlite_reader_end(struct store_reader *reader);

/* sqlite_check.c */
enum err sqlite_check(struct store_reader *reader, store_finding_fn *fn, void *arg);

/* sqlite_backup.c */
enum err sqlite_backup(struct store_reader *reader, struct store_backup *backup,
                       struct errmsg *msg);

/* sqlite_export.c */
enum err sqlite_contact_own_chats(struct store_reader *reader, int64_t contact_id,
                                  void (*fn)(void *arg, int64_t chat_id, bool open), void *arg);
enum err sqlite_contact_export(struct store_reader *reader, int64_t contact_id, store_record_fn *fn,
                               void *arg);
