/* The durable store, in the words of the domain. SQLite today; PostgreSQL fits behind the same
 * functions.
 *
 * Writes are jobs for one writer thread. It takes all jobs that wait, runs them in one transaction
 * and commits once (group commit, synchronous=FULL): a job that fails for its own reason is rolled
 * back alone. Only after the commit does the loop thread hear of it: first
 * on_commit with the log rows of the whole batch, in position order, then done() of each job in
 * order of submission. When the store itself fails, every job of the batch is done with ERR_STORE,
 * nothing is emitted, and the database is closed and opened again before anything else is accepted.
 *
 * Reads are jobs for a small pool of read connections with a statement timeout.
 *
 * Strings that come out of store_* functions are borrowed until the next call with the same tx or
 * reader (in a callback: until it returns). Foreign bytes (bodies, texts, names, ids of the
 * platform) are stored as BLOB and may hold any byte. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/net/loop.h"
#include "siod/store/care.h"

struct store;
struct store_reader; /* one read connection, in a read job */
struct store_tx;     /* the writer's transaction, in a write job */

/* ------------------------------------------------------------------ rows */

enum store_source { STORE_SOURCE_CONFIG, STORE_SOURCE_CONTROL, STORE_SOURCE_TOKEN };

struct store_business {
    int64_t id;
    struct str name; /* may be empty */
    enum store_source
        source; /* CONFIG rows are read-only for sioctl; TOKEN: made because an agent connected */
    bool takes_any;   /* dev mode: also takes phone numbers that nobody else has */
    int64_t position; /* of the last row in its log, 0 = none */
    const struct str *phone_number_ids;
    size_t phone_number_count;
};

/* What an agent intends; what the network does never changes it. */
enum store_agent_status { STORE_AGENT_AVAILABLE, STORE_AGENT_BUSY, STORE_AGENT_AWAY };
const char *store_agent_status_name(enum store_agent_status status);
bool store_agent_status_parse(struct str name, enum store_agent_status *ret_status);

struct store_agent {
    int64_t business_id, user_id;
    struct str name, role;
    enum store_agent_status status;
    int64_t capacity; /* open chats it takes at most */
    int64_t load;     /* chats assigned to it now */
    bool online;      /* as the daemon last announced it */
};

/* How a contact is known. Keys of the alias table with the business. */
enum store_alias {
    STORE_ALIAS_WA_ID,
    STORE_ALIAS_BSUID,
    STORE_ALIAS_PARENT_BSUID,
    STORE_ALIAS_USERNAME, /* finds nobody: who had it before may be called otherwise now */
};

struct store_contact {
    int64_t id, business_id;
    struct str name;     /* profile name, may be empty */
    struct str username; /* .data NULL when there is none; for show, it may change */
    struct str phone;    /* digits, .data NULL when there is none */
    struct str wa_id;    /* .data NULL when there is none */
    struct str user_id;  /* BSUID, .data NULL when there is none */
};

enum store_chat_state { STORE_CHAT_WAITING, STORE_CHAT_ASSIGNED, STORE_CHAT_CLOSED };
const char *store_chat_state_name(enum store_chat_state state);
bool store_chat_state_parse(struct str name, enum store_chat_state *ret_state);

struct store_chat {
    int64_t id, business_id;
    struct str phone_number_id;
    struct str group_id; /* .data NULL for a chat with one contact */
    enum store_chat_state state;
    int64_t agent_id;             /* 0 = none */
    int64_t last_message_id;      /* 0 = none; greatest (wa_timestamp_s, id) */
    int64_t last_message_at_ms;   /* WhatsApp's time of it */
    int64_t window_expires_at_ms; /* last inbound + 24 h */
    int64_t created_at_ms;
    int64_t version;          /* counts changes of state and agent, from 1 */
    int64_t waiting_since_ms; /* 0 = it does not wait */
    int64_t assigned_at_ms;   /* 0 = nobody has it */
    int64_t last_agent_id;    /* who had it last or has it, 0 = nobody ever had */
    int64_t closed_at_ms;     /* 0 = it is open */
    struct store_contact contact;
};

/* A chat that needs an agent. */
struct store_waiting {
    int64_t chat_id, business_id;
    int64_t version;
    int64_t since_ms;
    int64_t last_agent_id;  /* 0 = none */
    int64_t avoid_agent_id; /* from whom it was taken by somebody's word, 0 = nobody; not kept */
    bool told;              /* this wait was announced */
};

/* Why a chat went to whom it went. */
struct store_decision {
    int64_t chat_id;
    int64_t at_ms;         /* set by the store */
    int64_t agent_id;      /* 0 = nobody */
    struct str policy;     /* by which rule: "least_loaded", or "manual" for somebody's word */
    struct str outcome;    /* "assigned", "waiting", "unassigned", "closed", "reopened" */
    struct str who;        /* whose word it was; empty = siod's own */
    struct str considered; /* JSON text: the agents that were looked at, and why not */
};

enum store_direction { STORE_INBOUND, STORE_OUTBOUND };
const char *store_direction_name(enum store_direction direction);

/* Delivery state of a message; ranks of whatsapp.md 5. RECEIVED is an inbound message's. */
enum store_status {
    STORE_STATUS_RECEIVED,
    STORE_STATUS_QUEUED,
    STORE_STATUS_ACCEPTED,
    STORE_STATUS_SENT,
    STORE_STATUS_DELIVERED,
    STORE_STATUS_READ,
    STORE_STATUS_PLAYED,
    STORE_STATUS_FAILED,
};
const char *store_status_name(enum store_status status);
bool store_status_parse(struct str name, enum store_status *ret_status); /* case-sensitive */

/* What a message is to the agents. */
enum store_message_kind {
    STORE_MESSAGE_LIVE,
    STORE_MESSAGE_NOTE,     /* the platform's word about a customer: nobody has to read it */
    STORE_MESSAGE_HISTORIC, /* written before the number came to siod: nobody was told */
};

struct store_message {
    int64_t id, chat_id, business_id,
        contact_id; /* contact_id: who wrote an inbound one, or the chat's contact */
    struct str phone_number_id;
    struct str wamid;
    enum store_direction direction;
    enum store_message_kind kind;
    struct str type;          /* WhatsApp's word */
    struct str text;          /* .data NULL = null */
    struct str raw;           /* the element as JSON text */
    struct str context_wamid; /* the message it replies to, .data NULL if none */
    enum store_status status;
    struct str error;       /* JSON array text of a failed one's errors, .data NULL if none */
    int64_t sender_user_id; /* the agent who wrote an outbound one, 0 = none (phone app) */
    int64_t wa_timestamp_s;
    int64_t created_at_ms;
    /* Members of its JSON, each with a comma before it; .data NULL if there are none: */
    struct str content; /* what it says beyond its text */
    struct str changes; /* what became of it since: `mark` of an edit or revoke, "reactions" and
                           "participants"; not looked at by store_message_append() */
};
enum { STORE_SHOWN_MAX = 256 /* reactions, and participants, that are read with a message */ };

/* What a status needs to know of its message. */
struct store_message_state {
    int64_t id, chat_id, business_id, contact_id;
    enum store_direction direction;
    enum store_status status;
    int64_t revoked_at_s; /* 0 = it was not */
};

/* What somebody did to a message that was there: a row of its own, kept whether that message is
 * known or not. Those of unknown messages are the parked ones. */
enum store_change_kind { STORE_CHANGE_EDIT, STORE_CHANGE_REVOKE, STORE_CHANGE_REACTION };
struct store_change {
    struct str phone_number_id;
    struct str wamid;  /* its own; unique with the number */
    struct str target; /* the message's */
    enum store_change_kind kind;
    int64_t contact_id; /* who did it; 0 = the business, on its phone; STORE_AUTHOR_UNKNOWN */
    int64_t wa_timestamp_s;
    struct str body; /* an edit's `message` as JSON text, a reaction's emoji (empty: removed) */
};

/* Of edits and revokes that came before their author was kept. */
enum { STORE_AUTHOR_UNKNOWN = -1 };

/* One party's reaction to a message, the newest one of that party. */
struct store_reaction {
    int64_t message_id;
    int64_t contact_id; /* 0 = the business, on its phone */
    struct str wamid;
    int64_t wa_timestamp_s;
    struct str shown; /* JSON object text; .data NULL: it was removed */
};

/* How far a message to a group got with one of those in it. */
struct store_participant {
    int64_t message_id;
    struct str name; /* the platform's id: BSUID or number */
    enum store_status status;
    struct str shown; /* JSON object text */
};

/* One row of a business's log: a durable event. */
struct store_event {
    int64_t business_id, position;
    int64_t at_ms;
    struct str room;  /* "chat_12" */
    struct str event; /* "new_message" */
    struct str args;  /* JSON text of the event's arguments, without brackets */
    /* Opaque: the socket that caused it and is not told, when it is emitted and later. May be
     * empty. */
    struct str origin;
};
/* The log rows of one commit; one allocation, strings included. */
struct store_events {
    size_t count;
    struct store_event *rows;
};
void store_events_free(struct store_events *events);

/* From RINGING on it only rises; the last three are ends. */
enum store_call_state {
    STORE_CALL_RINGING,
    STORE_CALL_ACCEPTED,
    STORE_CALL_REJECTED,
    STORE_CALL_COMPLETED,
    STORE_CALL_FAILED,
};
const char *store_call_state_name(enum store_call_state state);

struct store_call {
    int64_t id, business_id, chat_id;
    struct str phone_number_id, wacid;
    enum store_direction direction; /* INBOUND: a customer calls */
    enum store_call_state state;
    unsigned seen;        /* which reports have come: call.h */
    int64_t started_at_s; /* 0 = not known, as in the following */
    int64_t answered_at_s, ended_at_s, duration_s;
    struct str errors; /* JSON text, .data NULL if there are none */
};

enum store_webhook_state {
    STORE_WEBHOOK_DONE,
    STORE_WEBHOOK_QUARANTINED, /* (part of) it could not be handled */
    STORE_WEBHOOK_DROPPED,     /* it was in quarantine, and an operator gave it up */
};
const char *store_webhook_state_name(enum store_webhook_state state);
bool store_webhook_state_parse(struct str name, enum store_webhook_state *ret_state);

struct store_webhook {
    int64_t id, received_at_ms;
    struct str app;    /* name of the configured app it came in by, "control" when replayed */
    struct str body;   /* raw bytes as received; empty once they are no longer kept */
    int64_t bytes;     /* of the body, when it is read back */
    struct str counts; /* JSON object text: {"inbound":1,…}; see siod-events(7) */
    struct str fields; /* JSON array text: the fields of its changes, ["messages"] */
    enum store_webhook_state state;
    struct str
        reason; /* why (part of) it is in quarantine, or was when it was dropped; else empty */
};

/* Tokens that are no longer good: the one with this jti, or those of a user that were issued before
 * a time, and those that do not say when they were issued. */
struct store_revocation {
    struct str jti;               /* .data NULL: of a user */
    int64_t business_id, user_id; /* whose; 0 where only the jti is known */
    int64_t issued_before_ms;     /* of a user's; otherwise 0 */
    int64_t expires_s; /* from then on no token that it covers is valid; INT64_MAX = not known */
    int64_t at_ms;     /* when it was revoked: set by the store */
    struct str who;    /* whose word it was */
    struct str reason; /* may be empty */
};

/* Of a client that may come back: who it was, and what Socket.IO needs to know, opaque. */
struct store_session {
    struct str id; /* of its socket */
    int64_t business_id, user_id;
    struct str state;
};
enum { STORE_SESSION_KEY_BYTES = 16 };

/* ------------------------------------------------------------------ life */

enum store_health { STORE_OK, STORE_FAILED };

/* How long things are kept, in days; 0 = for ever. */
struct store_retention {
    unsigned raw_body_days; /* raw webhooks; statuses and changes of messages that never came */
    unsigned log_days;      /* the log, and why chats went where they went */
    unsigned message_days;  /* messages with their statuses and changes */
};

struct store_config {
    const char *url;          /* "sqlite:/path/to/file.db[?vfs=NAME&checkpoint_pages=N]" */
    bool synchronous_full;    /* FULL or NORMAL */
    unsigned readers;         /* 0 = 2 */
    size_t queue_limit;       /* write jobs waiting; 0 = no limit */
    uint64_t read_timeout_ms; /* of one read job; 0 = 5 s */
    int64_t agent_capacity;   /* of an agent who was never seen before; 0 = 50 */
    struct store_retention retention;
    uint64_t retention_after_ms; /* the first look at what is too old; 0 = never looks */
    unsigned retry_ms;           /* between attempts to recover, doubled up to fourfold; 0 = 250 */
    /* Log rows of a commit, on the loop thread; takes `events`. */
    void (*on_commit)(void *arg, struct store_events *events);
    /* The store failed (reason says how), or works again. Loop thread. */
    void (*on_health)(void *arg, enum store_health health, const char *reason);
    void *arg;
};

/* Opens, checks and migrates the database before it returns; then starts the threads. A schema
 * newer than this binary, a file that is no database of siod's, or a directory that cannot be
 * written are errors with the path in msg. */
NODISCARD
enum err store_open(struct loop *loop, const struct store_config *config, struct store **ret,
                    struct errmsg *msg);
/* Take over queue_limit, agent_capacity and retention; the rest stays as it was opened with. */
void store_reconfigure(struct store *store, const struct store_config *config);
/* Runs the jobs that wait, commits and joins the threads. Nothing is taken from then on:
 * store_submit() is false, queries are done with ERR_STORE. done() calls that are left are posted
 * to the loop before it returns: loop_flush() makes them while there is somebody to hear them. */
void store_stop(struct store *store);
/* The same, if it was not done; then checkpoints and closes. */
void store_close(struct store *store);
enum store_health store_health(const struct store *store, const char **ret_reason);
/* What an operator should know about how it was found at start; empty: nothing. */
const char *store_notice(const struct store *store);
/* Names this store's history; changes when a restore or failover may have lost commits. 16 hex
 * digits. */
const char *store_epoch(const struct store *store);

struct store_stats {
    uint64_t jobs, job_failures, commits, commit_failures, rows_logged, reads;
    uint64_t commit_ns; /* in COMMIT, summed */
    size_t queued;      /* write jobs waiting now */
    int64_t bytes;      /* database file and WAL */
    int64_t wal_bytes;  /* WAL alone */
};
/* Looked at once a minute. */
struct store_size {
    int64_t used_bytes, free_bytes; /* of the database file; what is free is used again */
    bool growth_known;
    int64_t growth_per_day; /* of used_bytes, in the last week */
};
/* Rows that were kept long enough and removed since the start. */
struct store_purged {
    uint64_t webhooks, log, messages, statuses, changes;
};
void store_sizes(const struct store *store, struct store_size *ret_size,
                 struct store_purged *ret_purged);
void store_stats(struct store *store, struct store_stats *ret_stats);

/* A write. Embed it; it belongs to the store from store_submit() until done(). */
struct store_job {
    struct loop_call call;
    struct store_job *next;
    /* On the writer thread, in its transaction. May run again when the batch has to be replayed:
     * start by resetting what an earlier run left. Anything but OK rolls this job back, and only
     * this job. ERR_STORE must be passed on as it came. */
    enum err (*apply)(struct store_job *job, struct store_tx *tx);
    /* On the loop thread, after the commit: apply's result, or ERR_STORE. May free the job. */
    void (*done)(struct store_job *job, enum err err);
    enum err result;
    bool patient; /* nobody waits for it: while many come, they are committed together */
};
/* False when the queue is full or the store has failed: done() is not called then. */
NODISCARD
bool store_submit(struct store *store, struct store_job *job);
/* Why it is false: ERR_BUSY or ERR_STORE. */
NODISCARD
enum err store_refusal(const struct store *store);
/* Would store_submit() take a job now? Asked before a request's body is read. */
bool store_accepting(const struct store *store);

/* A read, likewise. */
struct store_query {
    struct pool_job job;
    struct store *store;
    enum err (*fetch)(struct store_query *query,
                      struct store_reader *reader);        /* on a pool thread */
    void (*done)(struct store_query *query, enum err err); /* on the loop thread */
    enum err result;
};
void store_ask(struct store *store, struct store_query *query);
/* A long read, on a thread and a connection of its own: one after the other, without a limit of
 * time, but given up with ERR_TIMEOUT when the store is stopped. */
void store_care(struct store *store, struct store_query *query);

/* ------------------------------------------------------------------ in a write job */
/* All return OK, ERR_STORE when the store itself failed, or the errors they name. Where a row
 * breaks a rule of the schema (a chat that does not exist, say) they return ERR_INVALID, above 64
 * MiB ERR_TOO_LARGE. */

/* Wall clock, read once a batch: the time of its log rows. */
int64_t store_tx_now_ms(const struct store_tx *tx);

/* The business exists afterwards (made with source TOKEN if it did not). */
NODISCARD
enum err store_business_ensure(struct store_tx *tx, int64_t business_id);
/* Create or replace name and phone numbers. ERR_EXISTS (msg: which number, where) when a phone
 * number belongs to another business; ERR_READ_ONLY when `business->source` is CONTROL and the row
 * comes from the configuration. At start put all businesses of the configuration in one job: a
 * number may then have moved between two of them. */
NODISCARD
enum err store_business_put(struct store_tx *tx, const struct store_business *business,
                            struct errmsg *msg);
/* At start: businesses of the configuration that are no longer in `ids` lose their CONFIG source
 * and numbers. */
NODISCARD
enum err store_business_retain(struct store_tx *tx, const int64_t *ids, size_t count);
/* 0 when nobody has this number (after the takes_any business was considered). */
NODISCARD
enum err store_business_by_phone(struct store_tx *tx, struct str phone_number_id,
                                 int64_t *ret_business_id);

/* A row for this agent, its name and role kept current, and online set. *ret_agent is the row as it
 * is now. */
NODISCARD
enum err store_agent_seen(struct store_tx *tx, int64_t business_id, int64_t user_id,
                          struct str name, struct str role, struct store_agent *ret_agent);
/* In the following ERR_NOT_FOUND means that there is no such agent. */
NODISCARD
enum err store_agent_current(struct store_tx *tx, int64_t business_id, int64_t user_id,
                             struct store_agent *ret_agent);
NODISCARD
enum err store_agent_offline(struct store_tx *tx, int64_t business_id, int64_t user_id);
/* *ret_changed false when it was so already. */
NODISCARD
enum err store_agent_status_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                enum store_agent_status status, bool *ret_changed);
NODISCARD
enum err store_agent_capacity_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                  int64_t capacity, bool *ret_changed);

/* In place of an agent: the business on its phone, for all of them. */
enum { STORE_READER_PHONE = 0 };
/* An agent has read a chat up to this message. *ret_moved false when the cursor stood there or
 * further (order: WhatsApp second, id). ERR_NOT_FOUND when the message is not in that chat of that
 * business. */
NODISCARD
enum err store_read_cursor_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                               int64_t chat_id, int64_t message_id, bool *ret_moved);

/* ret_contact_id = 0 when the alias is not known. */
NODISCARD
enum err store_contact_by_alias(struct store_tx *tx, int64_t business_id, enum store_alias kind,
                                struct str value, int64_t *ret_contact_id);
NODISCARD
enum err store_contact_create(struct store_tx *tx, const struct store_contact *contact,
                              int64_t *ret_contact_id);
/* Nothing happens when the alias exists, for whichever contact. */
NODISCARD
enum err store_contact_alias_add(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                 enum store_alias kind, struct str value);
/* The same, but a contact that has it loses it. */
NODISCARD
enum err store_contact_alias_move(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                  enum store_alias kind, struct str value);
/* Overwrites name, username, phone, wa_id and user_id where they are given (.data not NULL and len
 * > 0). */
NODISCARD
enum err store_contact_update(struct store_tx *tx, const struct store_contact *contact);
NODISCARD
enum err store_contact_get(struct store_tx *tx, int64_t contact_id,
                           struct store_contact *ret_contact);

/* Two chats of one customer that were joined: the younger one is gone, and its messages, decisions
 * and readers are the older one's. */
struct store_merge {
    int64_t business_id;
    int64_t chat_id, into_id;                /* the one that is gone, the one that stays */
    enum store_chat_state state, into_state; /* as they were */
    int64_t agent_id, into_agent_id;         /* likewise, 0 = nobody's */
    int64_t joined_agent_id;                 /* who has the joined chat now, 0 = nobody */
    struct store_waiting waiting;            /* it, if it waits now; otherwise its chat_id is 0 */
};
/* All that the first contact has becomes the other's, and it is gone. Chats that both have in one
 * inbox are joined, and fn is told of each pair; it must not call the store. The joined chat has
 * the older one's agent, else the younger one's; it waits when nobody has it and one of them
 * waited. An agent has read it up to the first message that is unread in either. Of name and
 * numbers the other's own stand, and gaps are filled. */
NODISCARD
enum err store_contact_join(struct store_tx *tx, int64_t contact_id, int64_t into_id,
                            void (*fn)(void *arg, const struct store_merge *merge), void *arg);

/* The one chat of (phone number, contact), or of (phone number, group) when group_id is given:
 * found or made, atomically. */
NODISCARD
enum err store_chat_ensure(struct store_tx *tx, const struct store_chat *chat, int64_t *ret_chat_id,
                           bool *ret_created);
/* Somebody wrote in a group: its participant from now on, and, unless a later message is there, the
 * contact that the chat shows. */
NODISCARD
enum err store_group_speaker(struct store_tx *tx, int64_t chat_id, int64_t contact_id,
                             int64_t message_id);
/* Last message, window; values only move forward. A chat that is closed, or whose agent is offline,
 * waits again when its customer writes: *ret_reopened then, otherwise its chat_id is 0. */
NODISCARD
enum err store_chat_touch(struct store_tx *tx, int64_t chat_id, int64_t message_id,
                          int64_t wa_timestamp_s, bool inbound, struct store_waiting *ret_reopened);
/* The window alone: something of the customer's that is no message came at that time. */
NODISCARD
enum err store_chat_window(struct store_tx *tx, int64_t chat_id, int64_t wa_timestamp_s);
/* The chat as this transaction sees it, with its last message (id 0 when there is none) and the
 * contact who wrote that. ERR_NOT_FOUND. */
NODISCARD
enum err store_chat_current(struct store_tx *tx, int64_t chat_id, struct store_chat *ret_chat,
                            struct store_message *ret_last);

/* Gives a chat to an agent of its business, if it is still as the proposal saw it: that version,
 * waiting, and the agent's load below its capacity; ERR_CONFLICT otherwise. With `force` none of
 * the three matters, only that it is not that agent's already (ERR_CONFLICT). ERR_NOT_FOUND when
 * there is no such chat, or no such agent in its business. */
struct store_assignment {
    int64_t chat_id, agent_id;
    int64_t version; /* 0 = whichever */
    bool force;
};
NODISCARD
enum err store_chat_assign(struct store_tx *tx, const struct store_assignment *assignment);
/* It waits from now on. ERR_CONFLICT unless it is assigned. With an `agent_id` that agent gives it
 * back, and may get it again as the last one who had it; ERR_CONFLICT if it is another's. With 0 it
 * is taken from whoever has it, which is forgotten. */
NODISCARD
enum err store_chat_unassign(struct store_tx *tx, int64_t chat_id, int64_t agent_id,
                             struct store_waiting *ret_waiting);
/* ERR_CONFLICT when it is closed already. */
NODISCARD
enum err store_chat_close(struct store_tx *tx, int64_t chat_id);
/* ERR_CONFLICT unless it is closed. */
NODISCARD
enum err store_chat_reopen(struct store_tx *tx, int64_t chat_id, struct store_waiting *ret_waiting);
/* *ret_first: the chat waits and nobody was told of it yet; it counts as told from now on. */
NODISCARD
enum err store_chat_waiting_told(struct store_tx *tx, int64_t chat_id, int64_t version,
                                 bool *ret_first);
/* The chats of an agent whose last message is the customer's, in ascending order; fn's error ends
 * it. fn must not call the store. */
NODISCARD
enum err store_agent_unanswered(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                enum err (*fn)(void *arg, int64_t chat_id), void *arg);
NODISCARD
enum err store_decision_append(struct store_tx *tx, const struct store_decision *decision);

/* Insert by unique (phone_number_id, wamid); *ret_inserted false and *ret_message_id = 0 for a
 * duplicate. */
NODISCARD
enum err store_message_append(struct store_tx *tx, const struct store_message *message,
                              int64_t *ret_message_id, bool *ret_inserted);
/* The same message once more: if what is stored is a placeholder for a medium (of the type
 * media_placeholder), it becomes this. */
NODISCARD
enum err store_message_fill(struct store_tx *tx, const struct store_message *message,
                            bool *ret_filled);
/* ERR_NOT_FOUND when there is none. */
NODISCARD
enum err store_message_by_wamid(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                                struct store_message *ret_message);
/* The same without the texts, which may be megabytes. */
NODISCARD
enum err store_message_state_by_wamid(struct store_tx *tx, struct str phone_number_id,
                                      struct str wamid, struct store_message_state *ret_state);
NODISCARD
enum err store_message_status_set(struct store_tx *tx, int64_t message_id, enum store_status status,
                                  struct str error);
/* Overwrites type, text, raw and content by those of `message`, whose id says which. `mark` is
 * shown with it from then on. */
NODISCARD
enum err store_message_edit(struct store_tx *tx, const struct store_message *message,
                            struct str mark);
/* The raw of a message as it was before any edit. ERR_NOT_FOUND. */
NODISCARD
enum err store_message_original(struct store_tx *tx, int64_t message_id, struct str *ret_raw);
/* Text, content, raw and reactions are gone from then on. */
NODISCARD
enum err store_message_revoke(struct store_tx *tx, int64_t message_id, int64_t wa_timestamp_s,
                              struct str mark);

/* *ret_waits: there are changes of `target`. */
NODISCARD
enum err store_change_waits(struct store_tx *tx, struct str phone_number_id, struct str target,
                            bool *ret_waits);
/* *ret_known: a change with that wamid of its own is there. */
NODISCARD
enum err store_change_known(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            bool *ret_known);
NODISCARD
enum err store_change_record(struct store_tx *tx, const struct store_change *change);
/* The next change of `target` in the order of (kind, wa_timestamp_s, wamid); of `after`, NULL for
 * the first one, only these count. ERR_NOT_FOUND when there is none. */
NODISCARD
enum err store_change_next(struct store_tx *tx, struct str phone_number_id, struct str target,
                           const struct store_change *after, struct store_change *ret_change);
/* The wamid of the last edit of `target` by this author, as in store_change, in the same order.
 * ERR_NOT_FOUND. */
NODISCARD
enum err store_change_last_edit(struct store_tx *tx, struct str phone_number_id, struct str target,
                                int64_t author_id, struct str *ret_wamid);
/* The edits and revokes of what the other of two contacts wrote, in the same order of kind and
 * time. fn must not call the store. */
NODISCARD
enum err store_changes_between(struct store_tx *tx, int64_t contact_id, int64_t other_id,
                               void (*fn)(void *arg, const struct store_change *change), void *arg);
/* ERR_NOT_FOUND when that party never reacted. */
NODISCARD
enum err store_reaction_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                            struct store_reaction *ret_reaction);
NODISCARD
enum err store_reaction_set(struct store_tx *tx, const struct store_reaction *reaction);
/* ERR_NOT_FOUND when nothing was reported of that one. */
NODISCARD
enum err store_participant_get(struct store_tx *tx, int64_t message_id, struct str name,
                               struct store_participant *ret_participant);
NODISCARD
enum err store_participant_set(struct store_tx *tx, const struct store_participant *participant);

/* The status log: every distinct (phone_number_id, wamid, status, participant), whether the message
 * is known or not; the rows of unknown messages are the parked ones. *ret_new false for a
 * repetition. */
struct store_status_row {
    struct str phone_number_id, wamid;
    struct str status;      /* the word as it came */
    struct str participant; /* of a group; empty otherwise */
    struct str error;       /* JSON text of all of its errors, .data NULL if none */
    int64_t wa_timestamp_s;
};
NODISCARD
enum err store_status_record(struct store_tx *tx, const struct store_status_row *row,
                             bool *ret_new);
/* The recorded statuses of a message, oldest first: for a message that comes after its statuses. */
NODISCARD
enum err store_status_each(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                           enum err (*fn)(void *arg, const struct store_status_row *row),
                           void *arg);

/* ERR_NOT_FOUND. */
NODISCARD
enum err store_call_by_wacid(struct store_tx *tx, struct str phone_number_id, struct str wacid,
                             struct store_call *ret_call);
/* Insert or replace by (phone_number_id, wacid). */
NODISCARD
enum err store_call_put(struct store_tx *tx, const struct store_call *call, int64_t *ret_call_id);

NODISCARD
enum err store_webhook_append(struct store_tx *tx, const struct store_webhook *webhook,
                              int64_t *ret_webhook_id);

/* What became of one that is in quarantine: takes over state, counts and reason. ERR_NOT_FOUND when
 * there is none of this id, ERR_CONFLICT when it is not in quarantine. */
NODISCARD
enum err store_webhook_settle(struct store_tx *tx, const struct store_webhook *webhook);
/* It stays as it is, but for its state. Likewise. */
NODISCARD
enum err store_webhook_drop(struct store_tx *tx, int64_t webhook_id);

/* A durable event of this job: numbered, written and handed to on_commit with the batch, or dropped
 * with the job. Of `event` are used business_id, room, event, args, origin. */
NODISCARD
enum err store_log_event(struct store_tx *tx, const struct store_event *event);
NODISCARD
enum err store_log_append(struct store_tx *tx, int64_t business_id, struct str room,
                          struct str event, struct str args);

/* Removes what was kept long enough, at most about `limit` rows of each kind. Of a message its
 * wamid is remembered for as long as Meta may deliver it again. */
struct store_purge {
    int64_t webhooks_before_ms, log_before_ms, messages_before_ms; /* 0 = none of them */
    bool walk; /* also look for statuses and changes without a message, through all of them */
    unsigned limit;
    uint64_t webhooks, log, messages, statuses, changes; /* removed, set by the store */
    bool more;                                           /* there is more, likewise */
};
NODISCARD
enum err store_purge(struct store_tx *tx, struct store_purge *purge);
/* Also remembers the size, once an hour. */
NODISCARD
enum err store_measure(struct store_tx *tx, struct store_size *ret_size);

/* Erases a contact in slices: call it, in a job each, until it is done. What mentions the contact
 * in raw webhooks, the log and the audit goes first (a body that others share keeps what is theirs;
 * a row of the log its position), then its chats, messages and what belongs to them, then itself.
 * In groups what others wrote stays. Begin with all zero but contact_id; begun again, it goes on.
 * ERR_NOT_FOUND. */
enum store_erase_phase {
    STORE_ERASE_WEBHOOKS,
    STORE_ERASE_LOG,
    STORE_ERASE_AUDIT,
    STORE_ERASE_MESSAGES,
    STORE_ERASE_REST,
};
struct store_erase {
    int64_t contact_id;
    enum store_erase_phase phase;
    int64_t after_id, ends[STORE_ERASE_MESSAGES];
    uint64_t webhooks, log, messages, chats; /* erased so far */
    bool done;
};
NODISCARD
enum err store_contact_erase(struct store_tx *tx, struct store_erase *erase);

/* Was this message removed, by retention or with its contact, so recently that this may be Meta's
 * repetition? */
NODISCARD
enum err store_message_gone(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            bool *ret_gone);

/* Who did what through the control socket. */
NODISCARD
enum err store_audit_append(struct store_tx *tx, struct str who, struct str command,
                            struct str args);

/* One that is there for the same jti, or for the same user, only grows: the later issued_before_ms
 * and the later expires_s stand. The rest is as given last, but that what is known of a jti's user
 * stays. *ret_now: its numbers as they stand. */
NODISCARD
enum err store_revocation_put(struct store_tx *tx, const struct store_revocation *revocation,
                              struct store_revocation *ret_now);
/* A session whose client may come back after a restart: put replaces, removing one that is not
 * there is OK. */
NODISCARD
enum err store_session_put(struct store_tx *tx, const struct store_session *session);
NODISCARD
enum err store_session_remove(struct store_tx *tx, struct str id);
/* Those of the business that have these bytes in their state. */
NODISCARD
enum err store_sessions_remove_with(struct store_tx *tx, int64_t business_id, struct str bytes);
/* Unix milliseconds until which those in the store are good, should siod end now. */
NODISCARD
enum err store_sessions_until(struct store_tx *tx, int64_t until_ms);
/* The secret that the sessions' own secrets are made with: the same for the life of the database.
 */
NODISCARD
enum err store_session_key(struct store_tx *tx, uint8_t ret_key[STORE_SESSION_KEY_BYTES]);
/* Removes at most `limit` that expired before that time; fn, if it is not NULL, is told of each and
 * must not call the store. */
NODISCARD
enum err store_revocations_purge(struct store_tx *tx, int64_t expired_before_s, unsigned limit,
                                 void (*fn)(void *arg, const struct store_revocation *revocation),
                                 void *arg);

/* ------------------------------------------------------------------ in a read job */
/* Lists call fn for each row until it returns false. */

NODISCARD
enum err store_businesses(struct store_reader *reader,
                          bool (*fn)(void *arg, const struct store_business *business), void *arg);

/* What `business show` adds to the row. */
struct store_business_counts {
    int64_t waiting, assigned; /* chats */
    int64_t agents;
};
NODISCARD
enum err store_business_count(struct store_reader *reader, int64_t business_id,
                              struct store_business_counts *ret_counts);

/* The contacts that have this name: a number, a wa_id, a user id of either kind, or, in digits,
 * their own id. A number may have a + in front, and is no id then. business_id 0 = of any business.
 * By ascending id. */
NODISCARD
enum err store_contacts_named(struct store_reader *reader, int64_t business_id, struct str name,
                              bool (*fn)(void *arg, const struct store_contact *contact),
                              void *arg);
const char *store_alias_name(enum store_alias kind); /* "wa_id", "user_id", "parent_user_id" */
NODISCARD
enum err store_aliases(struct store_reader *reader, int64_t contact_id,
                       bool (*fn)(void *arg, enum store_alias kind, struct str value), void *arg);
/* Its own chats and the groups that it has written in, by ascending id. */
NODISCARD
enum err store_contact_chats(struct store_reader *reader, int64_t contact_id,
                             bool (*fn)(void *arg, const struct store_chat *chat), void *arg);

struct store_chat_filter {
    int64_t business_id;                /* 0 = all */
    const enum store_chat_state *state; /* NULL = all */
    int64_t agent_id;                   /* assigned to the agents of this id; 0 = all */
    int64_t after_id;                   /* chats with a greater id only */
    unsigned limit;                     /* 0 = no limit */
};
/* By ascending id. */
NODISCARD
enum err store_chats(struct store_reader *reader, const struct store_chat_filter *filter,
                     bool (*fn)(void *arg, const struct store_chat *chat), void *arg);
/* What a list shows of a chat beside its row. May be called from a list's fn. */
struct store_glance {
    int64_t unread;            /* messages that this agent has not read, UNREAD_MAX at most */
    struct store_message last; /* the last message without raw and content; id 0 if there is none */
    bool cut;                  /* of its text only the beginning is here, maybe half a character */
};
enum { STORE_UNREAD_MAX = 9999, STORE_GLANCE_TEXT = 1024 };
/* agent_id 0: nobody in particular. */
NODISCARD
enum err store_chat_glance(struct store_reader *reader, const struct store_chat *chat,
                           int64_t agent_id, struct store_glance *ret_glance);
/* How far each agent has read a chat, by ascending user id. */
struct store_reading {
    int64_t user_id, message_id, at_ms;
};
NODISCARD
enum err store_readings(struct store_reader *reader, int64_t chat_id,
                        bool (*fn)(void *arg, const struct store_reading *reading), void *arg);
/* ERR_NOT_FOUND. */
NODISCARD
enum err store_chat_get(struct store_reader *reader, int64_t chat_id, struct store_chat *ret_chat);
/* The last `limit` messages of a chat, oldest first, each with its contact. Order: (WhatsApp
 * second, id). */
NODISCARD
enum err store_chat_messages(struct store_reader *reader, int64_t chat_id, unsigned limit,
                             bool (*fn)(void *arg, const struct store_message *message,
                                        const struct store_contact *contact),
                             void *arg);
/* A page of a chat's messages, each with its contact. ERR_INVALID when the message that it begins
 * at is not in that chat. */
struct store_message_page {
    int64_t chat_id;
    int64_t
        from_id;  /* only what comes before (or after) this message; 0 = from the end (or start) */
    bool forward; /* false: the newest that match, newest first; true: the oldest, oldest first */
    unsigned limit; /* 0 = no limit */
};
NODISCARD
enum err store_chat_messages_page(struct store_reader *reader,
                                  const struct store_message_page *page,
                                  bool (*fn)(void *arg, const struct store_message *message,
                                             const struct store_contact *contact),
                                  void *arg);
/* A consistent view for the whole read job: every read after this sees one snapshot. The log
 * position of the business in it. */
NODISCARD
enum err store_snapshot(struct store_reader *reader, int64_t business_id, int64_t *ret_position);
/* The position up to which there is nothing any more, because it was kept long enough. */
NODISCARD
enum err store_log_begin(struct store_reader *reader, int64_t business_id, int64_t *ret_position);
/* Rows with a greater position, ascending. Positions that are left out were removed: see
 * store_log_begin(), or erased with a contact. */
NODISCARD
enum err store_log_since(struct store_reader *reader, int64_t business_id, int64_t position,
                         unsigned limit, bool (*fn)(void *arg, const struct store_event *event),
                         void *arg);
/* The position behind which the log has what happened at that time or later. */
NODISCARD
enum err store_log_position_at(struct store_reader *reader, int64_t business_id, int64_t at_ms,
                               int64_t *ret_position);
/* By id, or when that is 0 by wamid; with its contact. ERR_NOT_FOUND. Two businesses that write to
 * each other have two messages of one wamid: the first one is found. */
NODISCARD
enum err store_message_find(struct store_reader *reader, int64_t message_id, struct str wamid,
                            struct store_message *ret_message, struct store_contact *ret_contact);
struct store_webhook_filter {
    struct str field; /* those with a change of this field; .data NULL = all */
    bool with_body;
    unsigned limit; /* 0 = no limit */
};
/* The calls of a chat, newest first. */
NODISCARD
enum err store_calls(struct store_reader *reader, int64_t chat_id, unsigned limit,
                     bool (*fn)(void *arg, const struct store_call *call), void *arg);
/* Newest first; body only when with_body. */
NODISCARD
enum err store_webhooks(struct store_reader *reader, const struct store_webhook_filter *filter,
                        bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg);
/* Ids grow with the time of arrival, but not strictly, and there is no index by time: a long range
 * is looked through in pieces, so that no read takes long. */
struct store_webhook_search {
    int64_t first_id, last_id;             /* both included */
    int64_t since_ms, until_ms;            /* received_at_ms in [since, until) */
    const enum store_webhook_state *state; /* NULL = all */
    struct str reason;                     /* the reason has this in it; empty = all */
    bool newest_first;                     /* by descending id */
    unsigned limit;                        /* 0 = no limit */
};
/* The ids between which all are that came in [since_ms, until_ms), as long as the clock was not off
 * by more than a day; 0 and 0 when there is none. */
NODISCARD
enum err store_webhook_ids(struct store_reader *reader, int64_t since_ms, int64_t until_ms,
                           int64_t *ret_first, int64_t *ret_last);
/* Without bodies and fields. */
NODISCARD
enum err store_webhooks_find(struct store_reader *reader, const struct store_webhook_search *filter,
                             bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg);
/* With its body; strings stay valid until the next call with this reader. ERR_NOT_FOUND. */
NODISCARD
enum err store_webhook_get(struct store_reader *reader, int64_t webhook_id,
                           struct store_webhook *ret_webhook);
struct store_agent_filter {
    int64_t business_id; /* 0 = all */
    bool online_only;
    int64_t after_id; /* agents with a greater user id only; for one business */
    unsigned limit;   /* 0 = no limit */
};
/* By ascending (business, user). */
NODISCARD
enum err store_agents(struct store_reader *reader, const struct store_agent_filter *filter,
                      bool (*fn)(void *arg, const struct store_agent *agent), void *arg);

/* Chats that need an agent, those that have waited longest first: `limit` of those behind `after`,
 * of which since_ms and chat_id matter; all zero is the beginning. */
NODISCARD
enum err store_waiting_chats(struct store_reader *reader, const struct store_waiting *after,
                             unsigned limit,
                             bool (*fn)(void *arg, const struct store_waiting *waiting), void *arg);
/* Of one chat, newest first. */
NODISCARD
enum err store_decisions(struct store_reader *reader, int64_t chat_id, unsigned limit,
                         bool (*fn)(void *arg, const struct store_decision *decision), void *arg);

struct store_audit {
    int64_t id, at_ms;
    struct str who, command;
    struct str args; /* JSON object text */
};
/* Newest first. */
NODISCARD
enum err store_audits(struct store_reader *reader, unsigned limit,
                      bool (*fn)(void *arg, const struct store_audit *audit), void *arg);

/* *ret_until_ms: as store_sessions_until() was told last; 0 = never. */
NODISCARD
enum err store_sessions(struct store_reader *reader, int64_t *ret_until_ms,
                        bool (*fn)(void *arg, const struct store_session *session), void *arg);
/* Newest first. */
NODISCARD
enum err store_revocations(struct store_reader *reader,
                           bool (*fn)(void *arg, const struct store_revocation *revocation),
                           void *arg);

/* What a store ends up with, as one number: a sum over its chats, messages and statuses of
 * business, contact, wamid, type, content and status. Ids of the store's own, times of receipt,
 * names and assignments do not count: two stores that were sent the same have the same digest, in
 * whatever order and however often it was sent. */
enum store_digest_table {
    STORE_DIGEST_CHATS,
    STORE_DIGEST_MESSAGES,
    STORE_DIGEST_STATUSES,
    STORE_DIGEST_TABLES, /* it is complete */
};
enum { STORE_DIGEST_LEN = 64 };

struct store_digest {
    enum store_digest_table table; /* the one that is read now */
    int64_t rows[STORE_DIGEST_TABLES];

    int64_t after_id; /* the next slice begins behind these */
    struct buf after[4];
    uint64_t sum[4];
    struct store_digest_row *row;
};
/* Returns owned, at its beginning. */
NODISCARD
struct store_digest *store_digest_new(void);
void store_digest_free(struct store_digest *digest);
/* Adds at most `limit` rows, which is more than 0. Each slice sees the store as it is then: what is
 * written meanwhile may be in or not. */
NODISCARD
enum err store_digest_slice(struct store_reader *reader, struct store_digest *digest,
                            unsigned limit);
/* STORE_DIGEST_LEN hexadecimal digits and a NUL. */
void store_digest_render(const struct store_digest *digest, char *ret_text);

/* The chats of a contact alone, and which of them are open. ERR_NOT_FOUND. */
NODISCARD
enum err store_contact_own_chats(struct store_reader *reader, int64_t contact_id,
                                 void (*fn)(void *arg, int64_t chat_id, bool open), void *arg);

/* Rows in the tables, for `status`. */
struct store_counts {
    int64_t businesses, contacts, chats, messages, webhooks, quarantined, log;
};
NODISCARD
enum err store_count(struct store_reader *reader, struct store_counts *ret_counts);

/* ------------------------------------------------------------------ in a long read */

/* care.h's checks, all of one moment. */
NODISCARD
enum err store_check(struct store_reader *reader, store_finding_fn *fn, void *arg);

/* A copy of the database as it is now, for `path`: absolute, private to its owner, there at once
 * and whole, or not at all. Whoever opens it starts a new history (store_epoch()), each time it is
 * restored. ERR_EXISTS unless `force`; ERR_INVALID where there is something that is not a file, or
 * the database itself; ERR_IO. */
struct store_backup {
    const char *path;
    bool force;
    atomic_bool cancelled; /* set it, and it ends with ERR_TIMEOUT */
    /* How far it is, for another thread to see. */
    atomic_uint pages, pages_left;
    int64_t bytes; /* on success */
};
NODISCARD
enum err store_backup(struct store_reader *reader, struct store_backup *backup, struct errmsg *msg);

/* Everything of a contact, a JSON object a row: `section` says of what, the rest is the row.
 * ERR_NOT_FOUND.
 */
typedef void store_record_fn(void *arg, struct str record);
NODISCARD
enum err store_contact_export(struct store_reader *reader, int64_t contact_id, store_record_fn *fn,
                              void *arg);
