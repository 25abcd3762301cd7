/* What a read job calls: each goes to the back end. */
#include "siod/store/read.h"

#include "siod/store/backend.h"

enum err store_businesses(struct store_reader *reader,
                          bool (*fn)(void *arg, const struct store_business *business), void *arg)
{
    return BACKEND_CALL(reader, businesses, fn, arg);
}

enum err store_business_count(struct store_reader *reader, int64_t business_id,
                              struct store_business_counts *ret_counts)
{
    return BACKEND_CALL(reader, business_count, business_id, ret_counts);
}

enum err store_contacts_named(struct store_reader *reader, int64_t business_id, struct str name,
                              bool (*fn)(void *arg, const struct store_contact *contact), void *arg)
{
    return BACKEND_CALL(reader, contacts_named, business_id, name, fn, arg);
}

enum err store_aliases(struct store_reader *reader, int64_t contact_id,
                       bool (*fn)(void *arg, enum store_alias kind, struct str value), void *arg)
{
    return BACKEND_CALL(reader, aliases, contact_id, fn, arg);
}

enum err store_contact_chats(struct store_reader *reader, int64_t contact_id,
                             bool (*fn)(void *arg, const struct store_chat *chat), void *arg)
{
    return BACKEND_CALL(reader, contact_chats, contact_id, fn, arg);
}

enum err store_chats(struct store_reader *reader, const struct store_chat_filter *filter,
                     bool (*fn)(void *arg, const struct store_chat *chat), void *arg)
{
    return BACKEND_CALL(reader, chats, filter, fn, arg);
}

enum err store_chat_glance(struct store_reader *reader, const struct store_chat *chat,
                           int64_t agent_id, struct store_glance *ret_glance)
{
    return BACKEND_CALL(reader, chat_glance, chat, agent_id, ret_glance);
}

enum err store_readings(struct store_reader *reader, int64_t chat_id,
                        bool (*fn)(void *arg, const struct store_reading *reading), void *arg)
{
    return BACKEND_CALL(reader, readings, chat_id, fn, arg);
}

enum err store_chat_get(struct store_reader *reader, int64_t chat_id, struct store_chat *ret_chat)
{
    return BACKEND_CALL(reader, chat_get, chat_id, ret_chat);
}

enum err store_chat_messages(struct store_reader *reader, int64_t chat_id, unsigned limit,
                             bool (*fn)(void *arg, const struct store_message *message,
                                        const struct store_contact *contact),
                             void *arg)
{
    return BACKEND_CALL(reader, chat_messages, chat_id, limit, fn, arg);
}

enum err store_chat_messages_page(struct store_reader *reader,
                                  const struct store_message_page *page,
                                  bool (*fn)(void *arg, const struct store_message *message,
                                             const struct store_contact *contact),
                                  void *arg)
{
    return BACKEND_CALL(reader, chat_messages_page, page, fn, arg);
}

enum err store_snapshot(struct store_reader *reader, int64_t business_id, int64_t *ret_position)
{
    return BACKEND_CALL(reader, snapshot, business_id, ret_position);
}

enum err store_log_begin(struct store_reader *reader, int64_t business_id, int64_t *ret_position)
{
    return BACKEND_CALL(reader, log_begin, business_id, ret_position);
}

enum err store_log_since(struct store_reader *reader, int64_t business_id, int64_t position,
                         unsigned limit, bool (*fn)(void *arg, const struct store_event *event),
                         void *arg)
{
    return BACKEND_CALL(reader, log_since, business_id, position, limit, fn, arg);
}

enum err store_log_position_at(struct store_reader *reader, int64_t business_id, int64_t at_ms,
                               int64_t *ret_position)
{
    return BACKEND_CALL(reader, log_position_at, business_id, at_ms, ret_position);
}

enum err store_message_find(struct store_reader *reader, int64_t message_id, struct str wamid,
                            struct store_message *ret_message, struct store_contact *ret_contact)
{
    return BACKEND_CALL(reader, message_find, message_id, wamid, ret_message, ret_contact);
}

enum err store_calls(struct store_reader *reader, int64_t chat_id, unsigned limit,
                     bool (*fn)(void *arg, const struct store_call *call), void *arg)
{
    return BACKEND_CALL(reader, calls, chat_id, limit, fn, arg);
}

enum err store_webhooks(struct store_reader *reader, const struct store_webhook_filter *filter,
                        bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg)
{
    return BACKEND_CALL(reader, webhooks, filter, fn, arg);
}

enum err store_webhook_ids(struct store_reader *reader, int64_t since_ms, int64_t until_ms,
                           int64_t *ret_first, int64_t *ret_last)
{
    return BACKEND_CALL(reader, webhook_ids, since_ms, until_ms, ret_first, ret_last);
}

enum err store_webhooks_find(struct store_reader *reader, const struct store_webhook_search *filter,
                             bool (*fn)(void *arg, const struct store_webhook *webhook), void *arg)
{
    return BACKEND_CALL(reader, webhooks_find, filter, fn, arg);
}

enum err store_webhook_get(struct store_reader *reader, int64_t webhook_id,
                           struct store_webhook *ret_webhook)
{
    return BACKEND_CALL(reader, webhook_get, webhook_id, ret_webhook);
}

enum err store_agents(struct store_reader *reader, const struct store_agent_filter *filter,
                      bool (*fn)(void *arg, const struct store_agent *agent), void *arg)
{
    return BACKEND_CALL(reader, agents, filter, fn, arg);
}

enum err store_waiting_chats(struct store_reader *reader, const struct store_waiting *after,
                             unsigned limit,
                             bool (*fn)(void *arg, const struct store_waiting *waiting), void *arg)
{
    return BACKEND_CALL(reader, waiting_chats, after, limit, fn, arg);
}

enum err store_decisions(struct store_reader *reader, int64_t chat_id, unsigned limit,
                         bool (*fn)(void *arg, const struct store_decision *decision), void *arg)
{
    return BACKEND_CALL(reader, decisions, chat_id, limit, fn, arg);
}

enum err store_audits(struct store_reader *reader, unsigned limit,
                      bool (*fn)(void *arg, const struct store_audit *audit), void *arg)
{
    return BACKEND_CALL(reader, audits, limit, fn, arg);
}

enum err store_sessions(struct store_reader *reader, int64_t *ret_until_ms,
                        bool (*fn)(void *arg, const struct store_session *session), void *arg)
{
    return BACKEND_CALL(reader, sessions, ret_until_ms, fn, arg);
}

enum err store_revocations(struct store_reader *reader,
                           bool (*fn)(void *arg, const struct store_revocation *revocation),
                           void *arg)
{
    return BACKEND_CALL(reader, revocations, fn, arg);
}

enum err store_digest_slice(struct store_reader *reader, struct store_digest *digest,
                            unsigned limit)
{
    return BACKEND_CALL(reader, digest_slice, digest, limit);
}

enum err store_count(struct store_reader *reader, struct store_counts *ret_counts)
{
    return BACKEND_CALL(reader, count, ret_counts);
}

enum err store_contacts_in_erasure(struct store_reader *reader, int64_t business_id,
                                   struct str name,
                                   bool (*fn)(void *arg, const struct store_contact *contact),
                                   void *arg)
{
    return BACKEND_CALL(reader, contacts_in_erasure, business_id, name, fn, arg);
}

enum err store_contact_own_chats(struct store_reader *reader, int64_t contact_id,
                                 void (*fn)(void *arg, int64_t chat_id, bool open), void *arg)
{
    return BACKEND_CALL(reader, contact_own_chats, contact_id, fn, arg);
}

enum err store_contact_export(struct store_reader *reader, int64_t contact_id, store_record_fn *fn,
                              void *arg)
{
    return BACKEND_CALL(reader, contact_export, contact_id, fn, arg);
}

enum err store_check(struct store_reader *reader, store_finding_fn *fn, void *arg)
{
    return BACKEND_CALL(reader, check, fn, arg);
}

enum err store_backup(struct store_reader *reader, struct store_backup *backup, struct errmsg *msg)
{
    return BACKEND_CALL(reader, backup, backup, msg);
}
