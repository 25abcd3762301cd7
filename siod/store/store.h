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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/net/loop.h"
#include "siod/store/read.h"
#include "siod/store/row.h"

struct store;
struct store_tx; /* the writer's transaction, in a write job */

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
    int64_t turn;    /* the agent's from now on, unless it has a later one */
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
 * media_placeholder), it becomes this, as if it had not been edited; of one that was revoked the
 * type alone. */
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
/* Text, content, raw and reactions are gone from then on; the type is the one it was sent as. */
NODISCARD
enum err store_message_revoke(struct store_tx *tx, int64_t message_id, struct str type,
                              int64_t wa_timestamp_s, struct str mark);

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
/* Of a contact, 0 = not known, by this name or another one of it. ERR_NOT_FOUND when nothing was
 * reported of that one. */
NODISCARD
enum err store_participant_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                               struct str name, struct store_participant *ret_participant);
/* In the place of what was reported under this name, and under others of its contact. */
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
    int64_t business_id; /* whose the number is when it comes; not read back */
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

/* What became of one that is in quarantine: takes over state, counts, reason and, unless its .data
 * is NULL, owners. ERR_NOT_FOUND when
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
    int64_t ahead_ms; /* a time later than that is from a clock that was ahead, and says nothing */
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

/* Erases a contact in slices: call it, in a job each, until it is done. The first one takes its
 * names away: whoever has them from then on is somebody else, and what comes is not erased. Then
 * goes what mentions the contact in raw webhooks, statuses of unknown messages, the log and the
 * audit (a body that others share keeps what is theirs; a row of the log its position), then its
 * chats, messages and what belongs to them, then itself. In groups what others wrote stays. Begin
 * with all zero but contact_id and on_chat; begun again, it goes on. ERR_NOT_FOUND. */
enum store_erase_phase {
    STORE_ERASE_BEGIN,
    STORE_ERASE_WEBHOOKS,
    STORE_ERASE_STATUSES,
    STORE_ERASE_LOG,
    STORE_ERASE_AUDIT,
    STORE_ERASE_MESSAGES,
    STORE_ERASE_REST,
};
struct store_erase {
    int64_t contact_id;
    enum store_erase_phase phase;
    int64_t after_id, ends[STORE_ERASE_MESSAGES];
    int64_t webhook_id, status_us, position; /* the last ones that may mention it by its names */
    uint64_t webhooks, log, messages, chats; /* erased so far */
    bool done;
    /* Each chat, in the job that erases them; may be NULL. */
    void (*on_chat)(void *arg, int64_t business_id, int64_t chat_id);
    void *arg;
};
NODISCARD
enum err store_contact_erase(struct store_tx *tx, struct store_erase *erase);

/* Was this message removed, by retention or with its contact (then a change or a call too), so
 * recently that this may be Meta's repetition? */
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
