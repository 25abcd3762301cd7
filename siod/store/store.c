/* What the writer's thread calls: each goes to the back end. */
#include "siod/store/store.h"

#include <stdlib.h>

#include "siod/store/backend.h"

void store_events_free(struct store_events *events)
{
    free(events);
}

int64_t store_tx_now_ms(const struct store_tx *tx)
{
    return tx->now_ms;
}

enum err store_business_ensure(struct store_tx *tx, int64_t business_id)
{
    return BACKEND_CALL(tx, business_ensure, business_id);
}

enum err store_business_put(struct store_tx *tx, const struct store_business *business,
                            struct errmsg *msg)
{
    return BACKEND_CALL(tx, business_put, business, msg);
}

enum err store_business_retain(struct store_tx *tx, const int64_t *ids, size_t count)
{
    return BACKEND_CALL(tx, business_retain, ids, count);
}

enum err store_business_by_phone(struct store_tx *tx, struct str phone_number_id,
                                 int64_t *ret_business_id)
{
    return BACKEND_CALL(tx, business_by_phone, phone_number_id, ret_business_id);
}

enum err store_agent_seen(struct store_tx *tx, int64_t business_id, int64_t user_id,
                          struct str name, struct str role, struct store_agent *ret_agent)
{
    return BACKEND_CALL(tx, agent_seen, business_id, user_id, name, role, ret_agent);
}

enum err store_agent_current(struct store_tx *tx, int64_t business_id, int64_t user_id,
                             struct store_agent *ret_agent)
{
    return BACKEND_CALL(tx, agent_current, business_id, user_id, ret_agent);
}

enum err store_agent_offline(struct store_tx *tx, int64_t business_id, int64_t user_id)
{
    return BACKEND_CALL(tx, agent_offline, business_id, user_id);
}

enum err store_agent_status_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                enum store_agent_status status, bool *ret_changed)
{
    return BACKEND_CALL(tx, agent_status_set, business_id, user_id, status, ret_changed);
}

enum err store_agent_capacity_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                  int64_t capacity, bool *ret_changed)
{
    return BACKEND_CALL(tx, agent_capacity_set, business_id, user_id, capacity, ret_changed);
}

enum err store_read_cursor_set(struct store_tx *tx, int64_t business_id, int64_t user_id,
                               int64_t chat_id, int64_t message_id, bool *ret_moved)
{
    return BACKEND_CALL(tx, read_cursor_set, business_id, user_id, chat_id, message_id, ret_moved);
}

enum err store_contact_by_alias(struct store_tx *tx, int64_t business_id, enum store_alias kind,
                                struct str value, int64_t *ret_contact_id)
{
    return BACKEND_CALL(tx, contact_by_alias, business_id, kind, value, ret_contact_id);
}

enum err store_contact_create(struct store_tx *tx, const struct store_contact *contact,
                              int64_t *ret_contact_id)
{
    return BACKEND_CALL(tx, contact_create, contact, ret_contact_id);
}

enum err store_contact_alias_add(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                 enum store_alias kind, struct str value)
{
    return BACKEND_CALL(tx, contact_alias_add, business_id, contact_id, kind, value);
}

enum err store_contact_alias_move(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                                  enum store_alias kind, struct str value)
{
    return BACKEND_CALL(tx, contact_alias_move, business_id, contact_id, kind, value);
}

enum err store_contact_update(struct store_tx *tx, const struct store_contact *contact)
{
    return BACKEND_CALL(tx, contact_update, contact);
}

enum err store_contact_get(struct store_tx *tx, int64_t contact_id,
                           struct store_contact *ret_contact)
{
    return BACKEND_CALL(tx, contact_get, contact_id, ret_contact);
}

enum err store_contact_join(struct store_tx *tx, int64_t contact_id, int64_t into_id,
                            void (*fn)(void *arg, const struct store_merge *merge), void *arg)
{
    return BACKEND_CALL(tx, contact_join, contact_id, into_id, fn, arg);
}

enum err store_chat_ensure(struct store_tx *tx, const struct store_chat *chat, int64_t *ret_chat_id,
                           bool *ret_created)
{
    return BACKEND_CALL(tx, chat_ensure, chat, ret_chat_id, ret_created);
}

enum err store_group_speaker(struct store_tx *tx, int64_t chat_id, int64_t contact_id,
                             int64_t message_id)
{
    return BACKEND_CALL(tx, group_speaker, chat_id, contact_id, message_id);
}

enum err store_chat_touch(struct store_tx *tx, int64_t chat_id, int64_t message_id,
                          int64_t wa_timestamp_s, bool inbound, struct store_waiting *ret_reopened)
{
    return BACKEND_CALL(tx, chat_touch, chat_id, message_id, wa_timestamp_s, inbound, ret_reopened);
}

enum err store_chat_window(struct store_tx *tx, int64_t chat_id, int64_t wa_timestamp_s)
{
    return BACKEND_CALL(tx, chat_window, chat_id, wa_timestamp_s);
}

enum err store_chat_current(struct store_tx *tx, int64_t chat_id, struct store_chat *ret_chat,
                            struct store_message *ret_last)
{
    return BACKEND_CALL(tx, chat_current, chat_id, ret_chat, ret_last);
}

enum err store_chat_assign(struct store_tx *tx, const struct store_assignment *assignment)
{
    return BACKEND_CALL(tx, chat_assign, assignment);
}

enum err store_chat_unassign(struct store_tx *tx, int64_t chat_id, int64_t agent_id,
                             struct store_waiting *ret_waiting)
{
    return BACKEND_CALL(tx, chat_unassign, chat_id, agent_id, ret_waiting);
}

enum err store_chat_close(struct store_tx *tx, int64_t chat_id)
{
    return BACKEND_CALL(tx, chat_close, chat_id);
}

enum err store_chat_reopen(struct store_tx *tx, int64_t chat_id, struct store_waiting *ret_waiting)
{
    return BACKEND_CALL(tx, chat_reopen, chat_id, ret_waiting);
}

enum err store_chat_waiting_told(struct store_tx *tx, int64_t chat_id, int64_t version,
                                 bool *ret_first)
{
    return BACKEND_CALL(tx, chat_waiting_told, chat_id, version, ret_first);
}

enum err store_agent_unanswered(struct store_tx *tx, int64_t business_id, int64_t user_id,
                                enum err (*fn)(void *arg, int64_t chat_id), void *arg)
{
    return BACKEND_CALL(tx, agent_unanswered, business_id, user_id, fn, arg);
}

enum err store_decision_append(struct store_tx *tx, const struct store_decision *decision)
{
    return BACKEND_CALL(tx, decision_append, decision);
}

enum err store_message_append(struct store_tx *tx, const struct store_message *message,
                              int64_t *ret_message_id, bool *ret_inserted)
{
    return BACKEND_CALL(tx, message_append, message, ret_message_id, ret_inserted);
}

enum err store_message_fill(struct store_tx *tx, const struct store_message *message,
                            bool *ret_filled)
{
    return BACKEND_CALL(tx, message_fill, message, ret_filled);
}

enum err store_message_by_wamid(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                                struct store_message *ret_message)
{
    return BACKEND_CALL(tx, message_by_wamid, phone_number_id, wamid, ret_message);
}

enum err store_message_state_by_wamid(struct store_tx *tx, struct str phone_number_id,
                                      struct str wamid, struct store_message_state *ret_state)
{
    return BACKEND_CALL(tx, message_state_by_wamid, phone_number_id, wamid, ret_state);
}

enum err store_message_status_set(struct store_tx *tx, int64_t message_id, enum store_status status,
                                  struct str error)
{
    return BACKEND_CALL(tx, message_status_set, message_id, status, error);
}

enum err store_message_edit(struct store_tx *tx, const struct store_message *message,
                            struct str mark)
{
    return BACKEND_CALL(tx, message_edit, message, mark);
}

enum err store_message_original(struct store_tx *tx, int64_t message_id, struct str *ret_raw)
{
    return BACKEND_CALL(tx, message_original, message_id, ret_raw);
}

enum err store_message_revoke(struct store_tx *tx, int64_t message_id, struct str type,
                              int64_t wa_timestamp_s, struct str mark)
{
    return BACKEND_CALL(tx, message_revoke, message_id, type, wa_timestamp_s, mark);
}

enum err store_change_waits(struct store_tx *tx, struct str phone_number_id, struct str target,
                            bool *ret_waits)
{
    return BACKEND_CALL(tx, change_waits, phone_number_id, target, ret_waits);
}

enum err store_change_known(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            bool *ret_known)
{
    return BACKEND_CALL(tx, change_known, phone_number_id, wamid, ret_known);
}

enum err store_change_record(struct store_tx *tx, const struct store_change *change)
{
    return BACKEND_CALL(tx, change_record, change);
}

enum err store_change_next(struct store_tx *tx, struct str phone_number_id, struct str target,
                           const struct store_change *after, struct store_change *ret_change)
{
    return BACKEND_CALL(tx, change_next, phone_number_id, target, after, ret_change);
}

enum err store_change_last_edit(struct store_tx *tx, struct str phone_number_id, struct str target,
                                int64_t author_id, struct str *ret_wamid)
{
    return BACKEND_CALL(tx, change_last_edit, phone_number_id, target, author_id, ret_wamid);
}

enum err store_changes_between(struct store_tx *tx, int64_t contact_id, int64_t other_id,
                               void (*fn)(void *arg, const struct store_change *change), void *arg)
{
    return BACKEND_CALL(tx, changes_between, contact_id, other_id, fn, arg);
}

enum err store_reaction_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                            struct store_reaction *ret_reaction)
{
    return BACKEND_CALL(tx, reaction_get, message_id, contact_id, ret_reaction);
}

enum err store_reaction_set(struct store_tx *tx, const struct store_reaction *reaction)
{
    return BACKEND_CALL(tx, reaction_set, reaction);
}

enum err store_participant_get(struct store_tx *tx, int64_t message_id, int64_t contact_id,
                               struct str name, struct store_participant *ret_participant)
{
    return BACKEND_CALL(tx, participant_get, message_id, contact_id, name, ret_participant);
}

enum err store_participant_set(struct store_tx *tx, const struct store_participant *participant)
{
    return BACKEND_CALL(tx, participant_set, participant);
}

enum err store_status_record(struct store_tx *tx, const struct store_status_row *row, bool *ret_new)
{
    return BACKEND_CALL(tx, status_record, row, ret_new);
}

enum err store_status_each(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                           enum err (*fn)(void *arg, const struct store_status_row *row), void *arg)
{
    return BACKEND_CALL(tx, status_each, phone_number_id, wamid, fn, arg);
}

enum err store_call_by_wacid(struct store_tx *tx, struct str phone_number_id, struct str wacid,
                             struct store_call *ret_call)
{
    return BACKEND_CALL(tx, call_by_wacid, phone_number_id, wacid, ret_call);
}

enum err store_call_put(struct store_tx *tx, const struct store_call *call, int64_t *ret_call_id)
{
    return BACKEND_CALL(tx, call_put, call, ret_call_id);
}

enum err store_webhook_append(struct store_tx *tx, const struct store_webhook *webhook,
                              int64_t *ret_webhook_id)
{
    return BACKEND_CALL(tx, webhook_append, webhook, ret_webhook_id);
}

enum err store_webhook_settle(struct store_tx *tx, const struct store_webhook *webhook)
{
    return BACKEND_CALL(tx, webhook_settle, webhook);
}

enum err store_webhook_drop(struct store_tx *tx, int64_t webhook_id)
{
    return BACKEND_CALL(tx, webhook_drop, webhook_id);
}

enum err store_log_event(struct store_tx *tx, const struct store_event *event)
{
    enum err err = OK;

    if (rowlog_rows(&tx->log, event->business_id) == 0) {
        err = BACKEND_CALL(tx, business_check, event->business_id);
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
    return BACKEND_CALL(tx, audit_append, who, command, args);
}

enum err store_message_gone(struct store_tx *tx, struct str phone_number_id, struct str wamid,
                            bool *ret_gone)
{
    return BACKEND_CALL(tx, message_gone, phone_number_id, wamid, ret_gone);
}

enum err store_contact_erase(struct store_tx *tx, struct store_erase *erase)
{
    return BACKEND_CALL(tx, contact_erase, erase);
}

enum err store_purge(struct store_tx *tx, struct store_purge *purge)
{
    return BACKEND_CALL(tx, purge, purge);
}

enum err store_measure(struct store_tx *tx, struct store_size *ret_size)
{
    return BACKEND_CALL(tx, measure, ret_size);
}

enum err store_revocation_put(struct store_tx *tx, const struct store_revocation *revocation,
                              struct store_revocation *ret_now)
{
    return BACKEND_CALL(tx, revocation_put, revocation, ret_now);
}

enum err store_session_put(struct store_tx *tx, const struct store_session *session)
{
    return BACKEND_CALL(tx, session_put, session);
}

enum err store_session_remove(struct store_tx *tx, struct str id)
{
    return BACKEND_CALL(tx, session_remove, id);
}

enum err store_sessions_remove_with(struct store_tx *tx, int64_t business_id, struct str bytes)
{
    return BACKEND_CALL(tx, sessions_remove_with, business_id, bytes);
}

enum err store_sessions_until(struct store_tx *tx, int64_t until_ms)
{
    return BACKEND_CALL(tx, sessions_until, until_ms);
}

enum err store_session_key(struct store_tx *tx, uint8_t ret_key[STORE_SESSION_KEY_BYTES])
{
    return BACKEND_CALL(tx, session_key, ret_key);
}

enum err store_revocations_purge(struct store_tx *tx, int64_t expired_before_s, unsigned limit,
                                 void (*fn)(void *arg, const struct store_revocation *revocation),
                                 void *arg)
{
    return BACKEND_CALL(tx, revocations_purge, expired_before_s, limit, fn, arg);
}
