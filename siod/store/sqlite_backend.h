/* The two sides of the SQLite back end, the writer's connection and the readers', and what its
 * files do for struct store_backend and for one another. */
#pragma once

#include "siod/store/owners.h"
#include "siod/store/sqlite.h"

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
        int64_t chat, message, contact;
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
/* ?1: the contact. */
#define OWN_CHATS "(SELECT id FROM chat WHERE contact_id = ?1 AND group_id IS NULL)"
/* Likewise; it may be one that is being erased. */
#define CONTACT_NAMES                                                                              \
    "(SELECT value FROM contact_alias WHERE contact_id = ?1"                                       \
    " UNION SELECT value FROM erasure_alias WHERE contact_id = ?1)"
/* What a status of a group may call these contacts: enum store_alias. */
#define PARTICIPANT_NAMES(contact_ids)                                                             \
    "(SELECT value FROM contact_alias WHERE contact_id IN (" contact_ids ") AND kind IN (0, 1))"
/* The same name may be a contact's of several businesses: rows that have only the name are of the
 * business that the message is of. Of one that is not known (any more) it is who owned the number
 * when the row came, or, of one that does not say so, who owns it now. ?1: the contact. */
#define CONTACT_BUSINESS "(SELECT business_id FROM contact WHERE id = ?1)"
#define CONTACT_OF_PARTICIPANT                                                                     \
    "(SELECT business_id FROM message WHERE id = participant.message_id) = " CONTACT_BUSINESS
#define STATUS_BUSINESS                                                                            \
    "coalesce((SELECT business_id FROM message WHERE message.phone_number_id ="                    \
    " status.phone_number_id AND message.wamid = status.wamid), nullif(status.business_id, 0),"    \
    " (SELECT business_id FROM phone_number WHERE phone_number.phone_number_id ="                  \
    " status.phone_number_id), (SELECT min(id) FROM business WHERE takes_any))"
#define CONTACT_OF_STATUS STATUS_BUSINESS " IS " CONTACT_BUSINESS
/* Of no message that is known and no participant: of whom it is only its errors may tell. */
#define STATUS_OF_UNKNOWN                                                                          \
    "participant = x'' AND NOT EXISTS (SELECT 1 FROM message WHERE message.phone_number_id ="      \
    " status.phone_number_id AND message.wamid = status.wamid)"
enum err sqlite_purge(struct store_tx *tx, struct store_purge *purge);
enum err sqlite_measure(struct store_tx *tx, struct store_size *ret_size);

/* sqlite_mention.c */
struct mention_names;
/* Adds what a contact is and was known by: numbers, user ids, usernames. */
enum err sqlite_contact_names(struct sqlite_conn *conn, int64_t contact_id,
                              struct mention_names *names);
/* Adds the id that siod gave it. */
void sqlite_contact_own_id(int64_t contact_id, struct mention_names *names);
/* Adds the ids of its own chats. */
enum err sqlite_contact_chat_ids(struct sqlite_conn *conn, int64_t contact_id,
                                 struct mention_names *names);
/* Whose the numbers were that bodies came to: as is told with the row, else as it is now, asked on
 * this connection; err is set when that fails. */
struct sqlite_numbers {
    struct sqlite_conn *conn;
    int64_t business_id;  /* the contact's */
    struct str told;      /* webhook.owners of the body that is looked at, borrowed */
    struct owners owners; /* the same, once it was asked for */
    enum err err;
};
struct mention_numbers sqlite_numbers_of(struct sqlite_numbers *numbers);
/* Another body. */
void sqlite_numbers_told(struct sqlite_numbers *numbers, struct str owners);
void sqlite_numbers_finish(struct sqlite_numbers *numbers);
/* Does a row of the audit, unless it is about another business? */
bool sqlite_audit_mentions(struct str args, const struct mention_names *names, int64_t business_id);

/* sqlite_witness.c: the same files, and as far as they had come */
void sqlite_files_remember(struct sqlite_writer *writer);
/* Size of the database file and of its log. */
void sqlite_writer_bytes(struct store_tx *tx, int64_t *ret_file, int64_t *ret_wal);
/* ERR_STORE with `fault` set when a name leads elsewhere. */
enum err sqlite_files_check(struct sqlite_writer *writer, struct store_fault *fault);
void sqlite_witness_write(const struct sqlite_writer *writer);
enum err sqlite_witness_load(struct sqlite_writer *writer);
/* After that and the sequences. *ret_lost: it had come further, or elsewhere. */
enum err sqlite_witness_check(struct sqlite_writer *writer, bool *ret_lost);

/* sqlite_oldest.c */
struct sqlite_aged {
    enum {
        SQLITE_AGED_WEBHOOKS,
        SQLITE_AGED_LOG,
        SQLITE_AGED_DECISIONS,
        SQLITE_AGED_MESSAGES,
    } table;
    int64_t before_ms, ahead_ms; /* struct store_purge */
    unsigned limit;
};
/* The last id, 0 = none, of the rows that are to go now: all up to it are old enough, and `limit`
 * or fewer. *ret_more: others are, too. */
enum err sqlite_oldest(struct sqlite_writer *writer, const struct sqlite_aged *aged,
                       int64_t *ret_last, bool *ret_more);

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
enum err sqlite_participant_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                                struct str name, struct store_participant *ret_participant);
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
enum err sqlite_contacts_in_erasure(struct store_reader *reader, int64_t business_id,
                                    struct str name,
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
