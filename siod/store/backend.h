/* What a database must do for the store. store.c and read.c hand the public functions on to it,
 * worker.c drives the transactions, readers.c the read jobs; they know no SQL.
 *
 * Errors: ERR_STORE with `fault` set means that the connection is not to be trusted any more. Every
 * other error is the job's own: the job is undone and the transaction goes on. */
#pragma once

#include <stdatomic.h>

#include "siod/store/rowlog.h"
#include "siod/store/store.h"

/* Set once, by the first failure; cleared by recover(). */
struct store_fault {
    bool set;
    bool corrupt; /* what was read makes no sense: not to be trusted before all of it was looked at
                   */
    char reason[256];
};
PRINTF(2, 3) enum err store_fault_set(struct store_fault *fault, const char *format, ...);

/* The writer's connection. A backend embeds it as its first member. */
struct store_tx {
    const struct store_backend *backend;
    struct store_fault fault;
    struct store_rowlog log; /* of the batch */
    int64_t now_ms;          /* wall clock of the batch */
    char notice[200];        /* what an operator should know about the start; empty: nothing */
    const atomic_bool *stop; /* once it is set, recovery gives up */
    atomic_int_least64_t agent_capacity; /* of a new agent; the loop thread may change it */
};

/* A read connection, likewise. */
struct store_reader {
    const struct store_backend *backend;
    struct store_fault fault;
    uint64_t deadline_ms;    /* monotonic; of the job that runs */
    const atomic_bool *stop; /* once it is set the job that runs is given up; may be NULL */
};

struct store_backend {
    const char *scheme; /* of its urls: "sqlite" */

    /* Opens, checks, migrates. *ret_epoch is 17 bytes. */
    enum err (*open)(const struct store_config *config, struct store_tx **ret, char *ret_epoch,
                     struct errmsg *msg);
    /* Writes everything to its final place and releases tx. */
    void (*close)(struct store_tx *tx);
    /* After a failure: opens the database anew and proves with a durable transaction that it can
     * write. Nothing of the failed transaction is seen again. ERR_STORE: try again later. */
    enum err (*recover)(struct store_tx *tx);
    /* Between transactions: checkpoints, of which most runs elsewhere meanwhile. `idle` = nobody
     * waits. */
    enum err (*maintain)(struct store_tx *tx, bool idle);
    void (*bytes)(struct store_tx *tx, int64_t *ret_file, int64_t *ret_wal);

    enum err (*begin)(struct store_tx *tx);
    enum err (*commit)(struct store_tx *tx);
    void (*rollback)(struct store_tx *tx);
    /* A job that begins without a savepoint costs less; once it has written something, job_undo()
     * is ERR_CONFLICT. */
    enum err (*job_begin)(struct store_tx *tx, bool savepoint);
    enum err (*job_keep)(struct store_tx *tx);
    enum err (*job_undo)(struct store_tx *tx);
    /* False when an error has rolled back more than the job. */
    bool (*alive)(struct store_tx *tx);
    /* Adds `count` to the business's position; *ret_position is the sum. */
    enum err (*position_advance)(struct store_tx *tx, int64_t business_id, int64_t count,
                                 int64_t *ret_position);
    enum err (*log_insert)(struct store_tx *tx, const struct store_event *event);
    /* ERR_NOT_FOUND when there is no such business. */
    enum err (*business_check)(struct store_tx *tx, int64_t business_id);

    /* store.h's write functions, in its order. */
    enum err (*business_ensure)(struct store_tx *tx, int64_t business_id);
    enum err (*business_put)(struct store_tx *tx, const struct store_business *business,
                             struct errmsg *msg);
    enum err (*business_retain)(struct store_tx *tx, const int64_t *ids, size_t count);
    enum err (*business_by_phone)(struct store_tx *tx, struct str phone_number_id,
                                  int64_t *ret_business_id);
    enum err (*agent_seen)(struct store_tx *tx, int64_t business_id, int64_t user_id,
                           struct str name, struct str role, struct store_agent *ret_agent);
    enum err (*agent_current)(struct store_tx *tx, int64_t business_id, int64_t user_id,
                              struct store_agent *ret_agent);
    enum err (*agent_offline)(struct store_tx *tx, int64_t business_id, int64_t user_id);
    enum err (*agent_status_set)(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                 enum store_agent_status status, bool *ret_changed);
    enum err (*agent_capacity_set)(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                   int64_t capacity, bool *ret_changed);
    enum err (*read_cursor_set)(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                int64_t chat_id, int64_t message_id, bool *ret_moved);
    enum err (*contact_by_alias)(struct store_tx *tx, int64_t business_id, enum store_alias kind,
                                 struct str value, int64_t *ret_contact_id);
    enum err (*contact_create)(struct store_tx *tx, const struct store_contact *contact,
                               int64_t *ret_contact_id);
    enum err (*contact_alias_add)(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                  enum store_alias kind, struct str value);
    enum err (*contact_alias_move)(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                   enum store_alias kind, struct str value);
    enum err (*contact_update)(struct store_tx *tx, const struct store_contact *contact);
    enum err (*contact_get)(struct store_tx *tx, int64_t contact_id,
                            struct store_contact *ret_contact);
    enum err (*contact_join)(struct store_tx *tx, int64_t contact_id, int64_t into_id,
                             void (*fn)(void *arg, const struct store_merge *merge), void *arg);
    enum err (*chat_ensure)(struct store_tx *tx, const struct store_chat *chat,
                            int64_t *ret_chat_id, bool *ret_created);
    enum err (*group_speaker)(struct store_tx *tx, int64_t chat_id, int64_t contact_id,
                              int64_t message_id);
    enum err (*chat_touch)(struct store_tx *tx, int64_t chat_id, int64_t message_id,
                           int64_t wa_timestamp_s, bool inbound,
                           struct store_waiting *ret_reopened);
    enum err (*chat_window)(struct store_tx *tx, int64_t chat_id, int64_t wa_timestamp_s);
    enum err (*chat_current)(struct store_tx *tx, int64_t chat_id, struct store_chat *ret_chat,
                             struct store_message *ret_last);
    enum err (*chat_assign)(struct store_tx *tx, const struct store_assignment *assignment);
    enum err (*chat_unassign)(struct store_tx *tx, int64_t chat_id, int64_t agent_id,
                              struct store_waiting *ret_waiting);
    enum err (*chat_close)(struct store_tx *tx, int64_t chat_id);
    enum err (*chat_reopen)(struct store_tx *tx, int64_t chat_id,
                            struct store_waiting *ret_waiting);
    enum err (*chat_waiting_told)(struct store_tx *tx, int64_t chat_id, int64_t version,
                                  bool *ret_first);
    enum err (*agent_unanswered)(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                 enum err (*fn)(void *arg, int64_t chat_id), void *arg);
    enum err (*decision_append)(struct store_tx *tx, const struct store_decision *decision);
    enum err (*message_append)(struct store_tx *tx, const struct store_message *message,
                               int64_t *ret_message_id, bool *ret_inserted);
    enum err (*message_fill)(struct store_tx *tx, const struct store_message *message,
                             bool *ret_filled);
    enum err (*message_by_wamid)(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                                 struct store_message *ret_message);
    enum err (*message_state_by_wamid)(struct store_tx *tx, struct str phone_number_id,
                                       struct str wamid, struct store_message_state *ret_state);
    enum err (*message_status_set)(struct store_tx *tx, int64_t message_id,
                                   enum store_status status, struct str error);
    enum err (*message_edit)(struct store_tx *tx, const struct store_message *message,
                             struct str mark);
    enum err (*message_original)(struct store_tx *tx, int64_t message_id, struct str *ret_raw);
    enum err (*message_revoke)(struct store_tx *tx, int64_t message_id, struct str type,
                               int64_t wa_timestamp_s, struct str mark);
    enum err (*change_waits)(struct store_tx *tx, struct str phone_number_id, struct str target,
                             bool *ret_waits);
    enum err (*change_known)(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                             bool *ret_known);
    enum err (*change_record)(struct store_tx *tx, const struct store_change *change);
    enum err (*change_next)(struct store_tx *tx, struct str phone_number_id, struct str target,
                            const struct store_change *after, struct store_change *ret_change);
    enum err (*change_last_edit)(struct store_tx *tx, struct str phone_number_id, struct str target,
                                 int64_t author_id, struct str *ret_wamid);
    enum err (*changes_between)(struct store_tx *tx, int64_t contact_id, int64_t other_id,
                                void (*fn)(void *arg, const struct store_change *change),
                                void *arg);
    enum err (*reaction_get)(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                             struct store_reaction *ret_reaction);
    enum err (*reaction_set)(struct store_tx *tx, const struct store_reaction *reaction);
    enum err (*participant_get)(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                                struct str name, struct store_participant *ret_participant);
    enum err (*participant_set)(struct store_tx *tx, const struct store_participant *participant);
    enum err (*status_record)(struct store_tx *tx, const struct store_status_row *row,
                              bool *ret_new);
    enum err (*status_each)(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            enum err (*fn)(void *arg, const struct store_status_row *row),
                            void *arg);
    enum err (*call_by_wacid)(struct store_tx *tx, struct str phone_number_id, struct str wacid,
                              struct store_call *ret_call);
    enum err (*call_put)(struct store_tx *tx, const struct store_call *call, int64_t *ret_call_id);
    enum err (*webhook_append)(struct store_tx *tx, const struct store_webhook *webhook,
                               int64_t *ret_webhook_id);
    enum err (*webhook_settle)(struct store_tx *tx, const struct store_webhook *webhook);
    enum err (*webhook_drop)(struct store_tx *tx, int64_t webhook_id);
    enum err (*audit_append)(struct store_tx *tx, struct str who, struct str command,
                             struct str args);
    enum err (*message_gone)(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                             bool *ret_gone);
    enum err (*contact_erase)(struct store_tx *tx, struct store_erase *erase);
    enum err (*purge)(struct store_tx *tx, struct store_purge *purge);
    enum err (*measure)(struct store_tx *tx, struct store_size *ret_size);
    enum err (*revocation_put)(struct store_tx *tx, const struct store_revocation *revocation,
                               struct store_revocation *ret_now);
    enum err (*revocations_purge)(struct store_tx *tx, int64_t expired_before_s, unsigned limit,
                                  void (*fn)(void *arg, const struct store_revocation *revocation),
                                  void *arg);
    enum err (*session_put)(struct store_tx *tx, const struct store_session *session);
    enum err (*session_remove)(struct store_tx *tx, struct str id);
    enum err (*sessions_remove_with)(struct store_tx *tx, int64_t business_id, struct str bytes);
    enum err (*sessions_until)(struct store_tx *tx, int64_t until_ms);
    enum err (*session_key)(struct store_tx *tx, uint8_t *ret_key);

    /* Read connections. */
    enum err (*reader_open)(const struct store_config *config, struct store_reader **ret,
                            struct errmsg *msg);
    void (*reader_close)(struct store_reader *reader);
    /* Opens the connection anew if its last job broke it. */
    enum err (*reader_begin)(struct store_reader *reader);
    /* Ends the job's transaction, if it began one. */
    void (*reader_end)(struct store_reader *reader);

    /* store.h's read functions, in its order. */
    enum err (*businesses)(struct store_reader *reader,
                           bool (*fn)(void *arg, const struct store_business *business), void *arg);
    enum err (*business_count)(struct store_reader *reader, int64_t business_id,
                               struct store_business_counts *ret_counts);
    enum err (*contacts_named)(struct store_reader *reader, int64_t business_id, struct str name,
                               bool (*fn)(void *arg, const struct store_contact *contact),
                               void *arg);
    enum err (*contacts_in_erasure)(struct store_reader *reader, int64_t business_id,
                                    struct str name,
                                    bool (*fn)(void *arg, const struct store_contact *contact),
                                    void *arg);
    enum err (*aliases)(struct store_reader *reader, int64_t contact_id,
                        bool (*fn)(void *arg, enum store_alias kind, struct str value), void *arg);
    enum err (*contact_chats)(struct store_reader *reader, int64_t contact_id,
                              bool (*fn)(void *arg, const struct store_chat *chat), void *arg);
    enum err (*chats)(struct store_reader *reader, const struct store_chat_filter *filter,
                      bool (*fn)(void *arg, const struct store_chat *chat), void *arg);
    enum err (*chat_glance)(struct store_reader *reader, const struct store_chat *chat,
                            int64_t agent_id, struct store_glance *ret_glance);
    enum err (*readings)(struct store_reader *reader, int64_t chat_id,
                         bool (*fn)(void *arg, const struct store_reading *reading), void *arg);
    enum err (*chat_get)(struct store_reader *reader, int64_t chat_id, struct store_chat *ret_chat);
    enum err (*chat_messages)(struct store_reader *reader, int64_t chat_id, unsigned limit,
                              bool (*fn)(void *arg, const struct store_message *message,
                                         const struct store_contact *contact),
                              void *arg);
    enum err (*chat_messages_page)(struct store_reader *reader,
                                   const struct store_message_page *page,
                                   bool (*fn)(void *arg, const struct store_message *message,
                                              const struct store_contact *contact),
                                   void *arg);
    enum err (*snapshot)(struct store_reader *reader, int64_t business_id, int64_t *ret_position);
    enum err (*log_begin)(struct store_reader *reader, int64_t business_id, int64_t *ret_position);
    enum err (*log_since)(struct store_reader *reader, int64_t business_id, int64_t position,
                          unsigned limit, bool (*fn)(void *arg, const struct store_event *event),
                          void *arg);
    enum err (*log_position_at)(struct store_reader *reader, int64_t business_id, int64_t at_ms,
                                int64_t *ret_position);
    enum err (*message_find)(struct store_reader *reader, int64_t message_id, struct str wamid,
                             struct store_message *ret_message, struct store_contact *ret_contact);
    enum err (*calls)(struct store_reader *reader, int64_t chat_id, unsigned limit,
                      bool (*fn)(void *arg, const struct store_call *call), void *arg);
    enum err (*webhooks)(struct store_reader *reader, const struct store_webhook_filter *filter,
                         bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg);
    enum err (*webhook_ids)(struct store_reader *reader, int64_t since_ms, int64_t until_ms,
                            int64_t *ret_first, int64_t *ret_last);
    enum err (*webhooks_find)(struct store_reader *reader,
                              const struct store_webhook_search *filter,
                              bool (*fn)(void *arg, const struct store_webhook *webhook),
                              void *arg);
    enum err (*webhook_get)(struct store_reader *reader, int64_t webhook_id,
                            struct store_webhook *ret_webhook);
    enum err (*agents)(struct store_reader *reader, const struct store_agent_filter *filter,
                       bool (*fn)(void *arg, const struct store_agent *agent), void *arg);
    enum err (*waiting_chats)(struct store_reader *reader, const struct store_waiting *after,
                              unsigned limit,
                              bool (*fn)(void *arg, const struct store_waiting *waiting),
                              void *arg);
    enum err (*decisions)(struct store_reader *reader, int64_t chat_id, unsigned limit,
                          bool (*fn)(void *arg, const struct store_decision *decision), void *arg);
    enum err (*audits)(struct store_reader *reader, unsigned limit,
                       bool (*fn)(void *arg, const struct store_audit *audit), void *arg);
    enum err (*revocations)(struct store_reader *reader,
                            bool (*fn)(void *arg, const struct store_revocation *revocation),
                            void *arg);
    enum err (*sessions)(struct store_reader *reader, int64_t *ret_until_ms,
                         bool (*fn)(void *arg, const struct store_session *session), void *arg);
    enum err (*digest_slice)(struct store_reader *reader, struct store_digest *digest,
                             unsigned limit);
    enum err (*count)(struct store_reader *reader, struct store_counts *ret_counts);
    enum err (*check)(struct store_reader *reader, store_finding_fn *fn, void *arg);
    enum err (*contact_own_chats)(struct store_reader *reader, int64_t contact_id,
                                  void (*fn)(void *arg, int64_t chat_id, bool open), void *arg);
    enum err (*contact_export)(struct store_reader *reader, int64_t contact_id, store_record_fn *fn,
                               void *arg);
    enum err (*backup)(struct store_reader *reader, struct store_backup *backup,
                       struct errmsg *msg);
};

extern const struct store_backend sqlite_backend;

/* `conn` is a struct store_tx or a struct store_reader: one that is broken, or has failed before in
 * the same transaction, takes no further call. */
#define BACKEND_CALL(conn, op, ...)                                                                \
    ((conn)->fault.set ? ERR_STORE : (conn)->backend->op((conn), __VA_ARGS__))

/* readers.c */
struct store_readers;
NODISCARD
enum err store_readers_open(struct loop *loop, const struct store_backend *backend,
                            const struct store_config *config, struct store_readers **ret,
                            struct errmsg *msg);
void store_readers_close(struct store_readers *readers);
uint64_t store_readers_jobs(const struct store_readers *readers);
void store_readers_ask(struct store_readers *readers, struct store_query *query);
void store_readers_care(struct store_readers *readers, struct store_query *query);
struct store_readers *store_readers_of(struct store *store);
/* life.c: a reader has found what makes no sense. */
void store_suspect(struct store *store);
