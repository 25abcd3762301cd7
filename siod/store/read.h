/* What can be asked of the store, in a read job: a struct store_query's fetch(). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/store/care.h"
#include "siod/store/row.h"

struct store_reader; /* one read connection */

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
/* Those among them that are being erased, by the names that they had: nobody else is told of
 * them by these, only by their own ids. */
NODISCARD
enum err store_contacts_in_erasure(struct store_reader *reader, int64_t business_id,
                                   struct str name,
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
 * at is not in that chat; with its second it need not be there (any more). */
struct store_message_page {
    int64_t chat_id;
    int64_t
        from_id; /* only what comes before (or after) this message; 0 = from the end (or start) */
    int64_t from_second; /* WhatsApp's, of that message; 0 = as it is stored */
    bool forward;   /* false: the newest that match, newest first; true: the oldest, oldest first */
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
