/* The public functions: each goes to the back end of its connection, unless that has failed before
 * in the same transaction. */
#include "siod/store/store.h"

#include "libshared/alloc.h"
#include "siod/store/backend.h"

static const char *const chat_states[] = {
    [STORE_CHAT_WAITING] = "waiting",
    [STORE_CHAT_ASSIGNED] = "assigned",
    [STORE_CHAT_CLOSED] = "closed",
};
static const char *const agent_statuses[] = {
    [STORE_AGENT_AVAILABLE] = "available",
    [STORE_AGENT_BUSY] = "busy",
    [STORE_AGENT_AWAY] = "away",
};
static const char *const directions[] = {
    [STORE_INBOUND] = "inbound",
    [STORE_OUTBOUND] = "outbound",
};
static const char *const statuses[] = {
    [STORE_STATUS_RECEIVED] = "received",   [STORE_STATUS_QUEUED] = "queued",
    [STORE_STATUS_ACCEPTED] = "accepted",   [STORE_STATUS_SENT] = "sent",
    [STORE_STATUS_DELIVERED] = "delivered", [STORE_STATUS_READ] = "read",
    [STORE_STATUS_PLAYED] = "played",       [STORE_STATUS_FAILED] = "failed",
};
static const char *const webhook_states[] = {
    [STORE_WEBHOOK_DONE] = "done",
    [STORE_WEBHOOK_QUARANTINED] = "quarantined",
    [STORE_WEBHOOK_DROPPED] = "dropped",
};

static bool name_parse(const char *const *names, size_t count, struct str name, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++) {
        if (str_eq(name, str_of(names[i]))) {
            *ret = i;
            return true;
        }
    }
    return false;
}

const char *store_chat_state_name(enum store_chat_state state)
{
    return chat_states[state];
}

bool store_chat_state_parse(struct str name, enum store_chat_state *ret_state)
{
    unsigned i;

    if (!name_parse(chat_states, ARRAY_SIZE(chat_states), name, &i)) {
        return false;
    }
    *ret_state = (enum store_chat_state)i;
    return true;
}

const char *store_agent_status_name(enum store_agent_status status)
{
    return agent_statuses[status];
}

bool store_agent_status_parse(struct str name, enum store_agent_status *ret_status)
{
    unsigned i;

    if (!name_parse(agent_statuses, ARRAY_SIZE(agent_statuses), name, &i)) {
        return false;
    }
    *ret_status = (enum store_agent_status)i;
    return true;
}

const char *store_direction_name(enum store_direction direction)
{
    return directions[direction];
}

const char *store_status_name(enum store_status status)
{
    return statuses[status];
}

bool store_status_parse(struct str name, enum store_status *ret_status)
{
    unsigned i;

    if (!name_parse(statuses, ARRAY_SIZE(statuses), name, &i)) {
        return false;
    }
    *ret_status = (enum store_status)i;
    return true;
}

const char *store_call_state_name(enum store_call_state state)
{
    static const char *const names[] = {
        [STORE_CALL_RINGING] = "ringing",   [STORE_CALL_ACCEPTED] = "accepted",
        [STORE_CALL_REJECTED] = "rejected", [STORE_CALL_COMPLETED] = "completed",
        [STORE_CALL_FAILED] = "failed",
    };

    return names[state];
}

const char *store_alias_name(enum store_alias kind)
{
    static const char *const names[] = {
        [STORE_ALIAS_WA_ID] = "wa_id",
        [STORE_ALIAS_BSUID] = "user_id",
        [STORE_ALIAS_PARENT_BSUID] = "parent_user_id",
        [STORE_ALIAS_USERNAME] = "username",
    };

    return names[kind];
}

const char *store_webhook_state_name(enum store_webhook_state state)
{
    return webhook_states[state];
}

bool store_webhook_state_parse(struct str name, enum store_webhook_state *ret_state)
{
    unsigned i;

    if (!name_parse(webhook_states, ARRAY_SIZE(webhook_states), name, &i)) {
        return false;
    }
    *ret_state = (enum store_webhook_state)i;
    return true;
}

void store_events_free(struct store_events *events)
{
    free(events);
}

/* Both connections have these two members; a broken one takes no further call. */
#define CALL(conn, op, ...)                                                                        \
    ((conn)->fault.set ? ERR_STORE : (conn)->backend->op((conn), __VA_ARGS__))

int64_t store_tx_now_ms(const struct store_tx *tx)
{
    return tx->now_ms;
}

enum err store_business_ensure(struct store_tx *tx, int64_t business_id)
{
    return CALL(tx, business_ensure, business_id);
}

enum err store_business_put(struct store_tx *tx, const struct store_business *business,
                            struct errmsg *msg)
{
    return CALL(tx, business_put, business, msg);
}

enum err store_business_retain(struct store_tx *tx, const int64_t *ids, size_t count)
{
    return CALL(tx, business_retain, ids, count);
}

enum err store_business_by_phone(struct store_tx *tx, struct str phone_number_id,
                                 int64_t *ret_business_id)
{
    return CALL(tx, business_by_phone, phone_number_id, ret_business_id);
}

enum err store_agent_seen(struct store_tx *tx, int64_t business_id, int64_t user_id,
                          struct str name, struct str role, struct store_agent *ret_agent)
{
    return CALL(tx, agent_seen, business_id, user_id, name, role, ret_agent);
}

enum err store_agent_current(struct store_tx *tx, int64_t business_id, int64_t user_id,
                             struct store_agent *ret_agent)
{
    return CALL(tx, agent_current, business_id, user_id, ret_agent);
}

enum err store_agent_offline(struct store_tx *tx, int64_t business_id, int64_t user_id)
{
    return CALL(tx, agent_offline, business_id, user_id);
}

enum err store_agent_status_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                enum store_agent_status status, bool *ret_changed)
{
    return CALL(tx, agent_status_set, business_id, user_id, status, ret_changed);
}

enum err store_agent_capacity_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                  int64_t capacity, bool *ret_changed)
{
    return CALL(tx, agent_capacity_set, business_id, user_id, capacity, ret_changed);
}

enum err store_read_cursor_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                               int64_t chat_id, int64_t message_id, bool *ret_moved)
{
    return CALL(tx, read_cursor_set, business_id, user_id, chat_id, message_id, ret_moved);
}

enum err store_contact_by_alias(struct store_tx *tx, int64_t business_id, enum store_alias kind,
                                struct str value, int64_t *ret_contact_id)
{
    return CALL(tx, contact_by_alias, business_id, kind, value, ret_contact_id);
}

enum err store_contact_create(struct store_tx *tx, const struct store_contact *contact,
                              int64_t *ret_contact_id)
{
    return CALL(tx, contact_create, contact, ret_contact_id);
}

enum err store_contact_alias_add(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                 enum store_alias kind, struct str value)
{
    return CALL(tx, contact_alias_add, business_id, contact_id, kind, value);
}

enum err store_contact_alias_move(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                  enum store_alias kind, struct str value)
{
    return CALL(tx, contact_alias_move, business_id, contact_id, kind, value);
}

enum err store_contact_update(struct store_tx *tx, const struct store_contact *contact)
{
    return CALL(tx, contact_update, contact);
}

enum err store_contact_get(struct store_tx *tx, int64_t contact_id,
                           struct store_contact *ret_contact)
{
    return CALL(tx, contact_get, contact_id, ret_contact);
}

enum err store_contact_join(struct store_tx *tx, int64_t contact_id, int64_t into_id,
                            void (*fn)(void *arg, const struct store_merge *merge), void *arg)
{
    return CALL(tx, contact_join, contact_id, into_id, fn, arg);
}

enum err store_chat_ensure(struct store_tx *tx, const struct store_chat *chat, int64_t *ret_chat_id,
                           bool *ret_created)
{
    return CALL(tx, chat_ensure, chat, ret_chat_id, ret_created);
}

enum err store_group_speaker(struct store_tx *tx, int64_t chat_id, int64_t contact_id,
                             int64_t message_id)
{
    return CALL(tx, group_speaker, chat_id, contact_id, message_id);
}

enum err store_chat_touch(struct store_tx *tx, int64_t chat_id, int64_t message_id,
                          int64_t wa_timestamp_s, bool inbound, struct store_waiting *ret_reopened)
{
    return CALL(tx, chat_touch, chat_id, message_id, wa_timestamp_s, inbound, ret_reopened);
}

enum err store_chat_window(struct store_tx *tx, int64_t chat_id, int64_t wa_timestamp_s)
{
    return CALL(tx, chat_window, chat_id, wa_timestamp_s);
}

enum err store_chat_current(struct store_tx *tx, int64_t chat_id, struct store_chat *ret_chat,
                            struct store_message *ret_last)
{
    return CALL(tx, chat_current, chat_id, ret_chat, ret_last);
}

enum err store_chat_assign(struct store_tx *tx, const struct store_assignment *assignment)
{
    return CALL(tx, chat_assign, assignment);
}

enum err store_chat_unassign(struct store_tx *tx, int64_t chat_id, int64_t agent_id,
                             struct store_waiting *ret_waiting)
{
    return CALL(tx, chat_unassign, chat_id, agent_id, ret_waiting);
}

enum err store_chat_close(struct store_tx *tx, int64_t chat_id)
{
    return CALL(tx, chat_close, chat_id);
}

enum err store_chat_reopen(struct store_tx *tx, int64_t chat_id, struct store_waiting *ret_waiting)
{
    return CALL(tx, chat_reopen, chat_id, ret_waiting);
}

enum err store_chat_waiting_told(struct store_tx *tx, int64_t chat_id, int64_t version,
                                 bool *ret_first)
{
    return CALL(tx, chat_waiting_told, chat_id, version, ret_first);
}

enum err store_agent_unanswered(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                enum err (*fn)(void *arg, int64_t chat_id), void *arg)
{
    return CALL(tx, agent_unanswered, business_id, user_id, fn, arg);
}

enum err store_decision_append(struct store_tx *tx, const struct store_decision *decision)
{
    return CALL(tx, decision_append, decision);
}

enum err store_message_append(struct store_tx *tx, const struct store_message *message,
                              int64_t *ret_message_id, bool *ret_inserted)
{
    return CALL(tx, message_append, message, ret_message_id, ret_inserted);
}

enum err store_message_fill(struct store_tx *tx, const struct store_message *message,
                            bool *ret_filled)
{
    return CALL(tx, message_fill, message, ret_filled);
}

enum err store_message_by_wamid(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                                struct store_message *ret_message)
{
    return CALL(tx, message_by_wamid, phone_number_id, wamid, ret_message);
}

enum err store_message_state_by_wamid(struct store_tx *tx, struct str phone_number_id,
                                      struct str wamid, struct store_message_state *ret_state)
{
    return CALL(tx, message_state_by_wamid, phone_number_id, wamid, ret_state);
}

enum err store_message_status_set(struct store_tx *tx, int64_t message_id, enum store_status status,
                                  struct str error)
{
    return CALL(tx, message_status_set, message_id, status, error);
}

enum err store_message_edit(struct store_tx *tx, const struct store_message *message,
                            struct str mark)
{
    return CALL(tx, message_edit, message, mark);
}

enum err store_message_original(struct store_tx *tx, int64_t message_id, struct str *ret_raw)
{
    return CALL(tx, message_original, message_id, ret_raw);
}

enum err store_message_revoke(struct store_tx *tx, int64_t message_id, struct str type,
                              int64_t wa_timestamp_s, struct str mark)
{
    return CALL(tx, message_revoke, message_id, type, wa_timestamp_s, mark);
}

enum err store_change_waits(struct store_tx *tx, struct str phone_number_id, struct str target,
                            bool *ret_waits)
{
    return CALL(tx, change_waits, phone_number_id, target, ret_waits);
}

enum err store_change_known(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            bool *ret_known)
{
    return CALL(tx, change_known, phone_number_id, wamid, ret_known);
}

enum err store_change_record(struct store_tx *tx, const struct store_change *change)
{
    return CALL(tx, change_record, change);
}

enum err store_change_next(struct store_tx *tx, struct str phone_number_id, struct str target,
                           const struct store_change *after, struct store_change *ret_change)
{
    return CALL(tx, change_next, phone_number_id, target, after, ret_change);
}

enum err store_change_last_edit(struct store_tx *tx, struct str phone_number_id, struct str target,
                                int64_t author_id, struct str *ret_wamid)
{
    return CALL(tx, change_last_edit, phone_number_id, target, author_id, ret_wamid);
}

enum err store_changes_between(struct store_tx *tx, int64_t contact_id, int64_t other_id,
                               void (*fn)(void *arg, const struct store_change *change), void *arg)
{
    return CALL(tx, changes_between, contact_id, other_id, fn, arg);
}

enum err store_reaction_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                            struct store_reaction *ret_reaction)
{
    return CALL(tx, reaction_get, message_id, contact_id, ret_reaction);
}

enum err store_reaction_set(struct store_tx *tx, const struct store_reaction *reaction)
{
    return CALL(tx, reaction_set, reaction);
}

enum err store_participant_get(struct store_tx *tx, int64_t message_id, struct str name,
                               struct store_participant *ret_participant)
{
    return CALL(tx, participant_get, message_id, name, ret_participant);
}

enum err store_participant_set(struct store_tx *tx, const struct store_participant *participant)
{
    return CALL(tx, participant_set, participant);
}

enum err store_status_record(struct store_tx *tx, const struct store_status_row *row, bool *ret_new)
{
    return CALL(tx, status_record, row, ret_new);
}

enum err store_status_each(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                           enum err (*fn)(void *arg, const struct store_status_row *row), void *arg)
{
    return CALL(tx, status_each, phone_number_id, wamid, fn, arg);
}

enum err store_call_by_wacid(struct store_tx *tx, struct str phone_number_id, struct str wacid,
                             struct store_call *ret_call)
{
    return CALL(tx, call_by_wacid, phone_number_id, wacid, ret_call);
}

enum err store_call_put(struct store_tx *tx, const struct store_call *call, int64_t *ret_call_id)
{
    return CALL(tx, call_put, call, ret_call_id);
}

enum err store_webhook_append(struct store_tx *tx, const struct store_webhook *webhook,
                              int64_t *ret_webhook_id)
{
    return CALL(tx, webhook_append, webhook, ret_webhook_id);
}

enum err store_webhook_settle(struct store_tx *tx, const struct store_webhook *webhook)
{
    return CALL(tx, webhook_settle, webhook);
}

enum err store_webhook_drop(struct store_tx *tx, int64_t webhook_id)
{
    return CALL(tx, webhook_drop, webhook_id);
}

enum err store_log_event(struct store_tx *tx, const struct store_event *event)
{
    enum err err = OK;

    if (!rowlog_knows(&tx->log, event->business_id)) {
        err = CALL(tx, business_check, event->business_id);
    }
    if (err == OK) {
        rowlog_append(&tx->log, tx->now_ms, event);
    }
    return err;
}

enum err store_log_append(struct store_tx *tx, int64_t business_id, struct str room,
                          struct str event, struct str args)
{
    const struct store_event row = {
        .business_id = business_id,
        .room = room,
        .event = event,
        .args = args,
        .origin = STR_INIT(""),
    };

    return store_log_event(tx, &row);
}

enum err store_audit_append(struct store_tx *tx, struct str who, struct str command,
                            struct str args)
{
    return CALL(tx, audit_append, who, command, args);
}

enum err store_message_gone(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            bool *ret_gone)
{
    return CALL(tx, message_gone, phone_number_id, wamid, ret_gone);
}

enum err store_contact_erase(struct store_tx *tx, struct store_erase *erase)
{
    return CALL(tx, contact_erase, erase);
}

enum err store_purge(struct store_tx *tx, struct store_purge *purge)
{
    return CALL(tx, purge, purge);
}

enum err store_measure(struct store_tx *tx, struct store_size *ret_size)
{
    return CALL(tx, measure, ret_size);
}

enum err store_revocation_put(struct store_tx *tx, const struct store_revocation *revocation,
                              struct store_revocation *ret_now)
{
    return CALL(tx, revocation_put, revocation, ret_now);
}

enum err store_session_put(struct store_tx *tx, const struct store_session *session)
{
    return CALL(tx, session_put, session);
}

enum err store_session_remove(struct store_tx *tx, struct str id)
{
    return CALL(tx, session_remove, id);
}

enum err store_sessions_remove_with(struct store_tx *tx, int64_t business_id, struct str bytes)
{
    return CALL(tx, sessions_remove_with, business_id, bytes);
}

enum err store_sessions_until(struct store_tx *tx, int64_t until_ms)
{
    return CALL(tx, sessions_until, until_ms);
}

enum err store_session_key(struct store_tx *tx, uint8_t ret_key[STORE_SESSION_KEY_BYTES])
{
    return CALL(tx, session_key, ret_key);
}

enum err store_revocations_purge(struct store_tx *tx, int64_t expired_before_s, unsigned limit,
                                 void (*fn)(void *arg, const struct store_revocation *revocation),
                                 void *arg)
{
    return CALL(tx, revocations_purge, expired_before_s, limit, fn, arg);
}

enum err store_businesses(struct store_reader *reader,
                          bool (*fn)(void *arg, const struct store_business *business), void *arg)
{
    return CALL(reader, businesses, fn, arg);
}

enum err store_business_count(struct store_reader *reader, int64_t business_id,
                              struct store_business_counts *ret_counts)
{
    return CALL(reader, business_count, business_id, ret_counts);
}

enum err store_contacts_named(struct store_reader *reader, int64_t business_id, struct str name,
                              bool (*fn)(void *arg, const struct store_contact *contact), void *arg)
{
    return CALL(reader, contacts_named, business_id, name, fn, arg);
}

enum err store_aliases(struct store_reader *reader, int64_t contact_id,
                       bool (*fn)(void *arg, enum store_alias kind, struct str value), void *arg)
{
    return CALL(reader, aliases, contact_id, fn, arg);
}

enum err store_contact_chats(struct store_reader *reader, int64_t contact_id,
                             bool (*fn)(void *arg, const struct store_chat *chat), void *arg)
{
    return CALL(reader, contact_chats, contact_id, fn, arg);
}

enum err store_chats(struct store_reader *reader, const struct store_chat_filter *filter,
                     bool (*fn)(void *arg, const struct store_chat *chat), void *arg)
{
    return CALL(reader, chats, filter, fn, arg);
}

enum err store_chat_glance(struct store_reader *reader, const struct store_chat *chat,
                           int64_t agent_id, struct store_glance *ret_glance)
{
    return CALL(reader, chat_glance, chat, agent_id, ret_glance);
}

enum err store_readings(struct store_reader *reader, int64_t chat_id,
                        bool (*fn)(void *arg, const struct store_reading *reading), void *arg)
{
    return CALL(reader, readings, chat_id, fn, arg);
}

enum err store_chat_get(struct store_reader *reader, int64_t chat_id, struct store_chat *ret_chat)
{
    return CALL(reader, chat_get, chat_id, ret_chat);
}

enum err store_chat_messages(struct store_reader *reader, int64_t chat_id, unsigned limit,
                             bool (*fn)(void *arg, const struct store_message *message,
                                        const struct store_contact *contact),
                             void *arg)
{
    return CALL(reader, chat_messages, chat_id, limit, fn, arg);
}

enum err store_chat_messages_page(struct store_reader *reader,
                                  const struct store_message_page *page,
                                  bool (*fn)(void *arg, const struct store_message *message,
                                             const struct store_contact *contact),
                                  void *arg)
{
    return CALL(reader, chat_messages_page, page, fn, arg);
}

enum err store_snapshot(struct store_reader *reader, int64_t business_id, int64_t *ret_position)
{
    return CALL(reader, snapshot, business_id, ret_position);
}

enum err store_log_begin(struct store_reader *reader, int64_t business_id, int64_t *ret_position)
{
    return CALL(reader, log_begin, business_id, ret_position);
}

enum err store_log_since(struct store_reader *reader, int64_t business_id, int64_t position,
                         unsigned limit, bool (*fn)(void *arg, const struct store_event *event),
                         void *arg)
{
    return CALL(reader, log_since, business_id, position, limit, fn, arg);
}

enum err store_log_position_at(struct store_reader *reader, int64_t business_id, int64_t at_ms,
                               int64_t *ret_position)
{
    return CALL(reader, log_position_at, business_id, at_ms, ret_position);
}

enum err store_message_find(struct store_reader *reader, int64_t message_id, struct str wamid,
                            struct store_message *ret_message, struct store_contact *ret_contact)
{
    return CALL(reader, message_find, message_id, wamid, ret_message, ret_contact);
}

enum err store_calls(struct store_reader *reader, int64_t chat_id, unsigned limit,
                     bool (*fn)(void *arg, const struct store_call *call), void *arg)
{
    return CALL(reader, calls, chat_id, limit, fn, arg);
}

enum err store_webhooks(struct store_reader *reader, const struct store_webhook_filter *filter,
                        bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg)
{
    return CALL(reader, webhooks, filter, fn, arg);
}

enum err store_webhook_ids(struct store_reader *reader, int64_t since_ms, int64_t until_ms,
                           int64_t *ret_first, int64_t *ret_last)
{
    return CALL(reader, webhook_ids, since_ms, until_ms, ret_first, ret_last);
}

enum err store_webhooks_find(struct store_reader *reader, const struct store_webhook_search *filter,
                             bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg)
{
    return CALL(reader, webhooks_find, filter, fn, arg);
}

enum err store_webhook_get(struct store_reader *reader, int64_t webhook_id,
                           struct store_webhook *ret_webhook)
{
    return CALL(reader, webhook_get, webhook_id, ret_webhook);
}

enum err store_agents(struct store_reader *reader, const struct store_agent_filter *filter,
                      bool (*fn)(void *arg, const struct store_agent *agent), void *arg)
{
    return CALL(reader, agents, filter, fn, arg);
}

enum err store_waiting_chats(struct store_reader *reader, const struct store_waiting *after,
                             unsigned limit,
                             bool (*fn)(void *arg, const struct store_waiting *waiting), void *arg)
{
    return CALL(reader, waiting_chats, after, limit, fn, arg);
}

enum err store_decisions(struct store_reader *reader, int64_t chat_id, unsigned limit,
                         bool (*fn)(void *arg, const struct store_decision *decision), void *arg)
{
    return CALL(reader, decisions, chat_id, limit, fn, arg);
}

enum err store_audits(struct store_reader *reader, unsigned limit,
                      bool (*fn)(void *arg, const struct store_audit *audit), void *arg)
{
    return CALL(reader, audits, limit, fn, arg);
}

enum err store_sessions(struct store_reader *reader, int64_t *ret_until_ms,
                        bool (*fn)(void *arg, const struct store_session *session), void *arg)
{
    return CALL(reader, sessions, ret_until_ms, fn, arg);
}

enum err store_revocations(struct store_reader *reader,
                           bool (*fn)(void *arg, const struct store_revocation *revocation),
                           void *arg)
{
    return CALL(reader, revocations, fn, arg);
}

enum err store_digest_slice(struct store_reader *reader, struct store_digest *digest,
                            unsigned limit)
{
    return CALL(reader, digest_slice, digest, limit);
}

enum err store_count(struct store_reader *reader, struct store_counts *ret_counts)
{
    return CALL(reader, count, ret_counts);
}

enum err store_contact_own_chats(struct store_reader *reader, int64_t contact_id,
                                 void (*fn)(void *arg, int64_t chat_id, bool open), void *arg)
{
    return CALL(reader, contact_own_chats, contact_id, fn, arg);
}

enum err store_contact_export(struct store_reader *reader, int64_t contact_id, store_record_fn *fn,
                              void *arg)
{
    return CALL(reader, contact_export, contact_id, fn, arg);
}

enum err store_check(struct store_reader *reader, store_finding_fn *fn, void *arg)
{
    return CALL(reader, check, fn, arg);
}

enum err store_backup(struct store_reader *reader, struct store_backup *backup, struct errmsg *msg)
{
    return CALL(reader, backup, backup, msg);
}
