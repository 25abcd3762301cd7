#include "siod/chat/inbound.h"

#include <inttypes.h>
#include <stdio.h>

#include "libshared/json.h"
#include "siod/chat/change.h"
#include "siod/chat/content.h"
#include "siod/chat/customer.h"
#include "siod/chat/message.h"
#include "siod/chat/status.h"

void inbound_begin(struct inbound_work *work, struct store_tx *tx, int64_t now_ms)
{
    work->tx = tx;
    work->now_ms = now_ms;
    work->owner.phone_number_id = STR_NONE;
    work->owner.business_id = 0;
    work->told = 0;
    buf_clear(&work->merges);
}

void inbound_work_finish(struct inbound_work *work)
{
    buf_finish(&work->raw);
    buf_finish(&work->content);
    buf_finish(&work->contact);
    buf_finish(&work->message);
    buf_finish(&work->args);
    buf_finish(&work->error);
    buf_finish(&work->merges);
    buf_finish(&work->shown);
    buf_finish(&work->body);
    buf_finish(&work->mark);
}

enum err inbound_business(struct inbound_work *work, struct str phone_number_id,
                          int64_t *ret_business_id)
{
    if (work->owner.phone_number_id.data == NULL ||
        !str_eq(work->owner.phone_number_id, phone_number_id)) {
        enum err err = store_business_by_phone(work->tx, phone_number_id, &work->owner.business_id);

        if (err != OK) {
            return err;
        }
        work->owner.phone_number_id = phone_number_id;
    }
    *ret_business_id = work->owner.business_id;
    return work->owner.business_id != 0 ? OK : ERR_NOT_FOUND;
}

/* ---- events */

enum err inbound_log_event(struct inbound_work *work, int64_t business_id, const char *kind,
                           int64_t id, enum desk_event event)
{
    char room[48];
    int len = snprintf(room, sizeof room, "%s_%" PRId64, kind, id);

    buf_add_cstr(&work->args, ",\"timestamp\":");
    time_render(&work->args, work->now_ms);
    buf_add_char(&work->args, '}');
    return store_log_append(work->tx, business_id, (struct str) { room, (size_t)len },
                            event_name(event), buf_str(&work->args));
}

static enum err log_received(struct inbound_work *work, const struct store_message *row)
{
    buf_clear(&work->args);
    buf_add_cstr(&work->args, "{\"chatId\":");
    buf_add_i64(&work->args, row->chat_id);
    buf_add_cstr(&work->args, ",\"message\":");
    buf_add_str(&work->args, buf_str(&work->message));
    return inbound_log_event(work, row->business_id, "business", row->business_id,
                             EVENT_whatsapp_message_received);
}

static enum err log_new_message(struct inbound_work *work, const struct store_message *row)
{
    buf_clear(&work->args);
    buf_add_cstr(&work->args, "{\"message\":");
    buf_add_str(&work->args, buf_str(&work->message));
    return inbound_log_event(work, row->business_id, "chat", row->chat_id, EVENT_new_message);
}

/* What came before its message counts from the beginning. */
static enum err as_it_became(struct inbound_work *work, const struct store_message *row,
                             struct store_message *ret_now)
{
    bool changed;
    enum err err = change_parked(work, row, &changed);

    if (err == OK && work->participants) {
        err = status_parked_participants(work, row);
    }
    if (err == OK && (changed || work->participants)) {
        return store_message_by_wamid(work->tx, row->phone_number_id, row->wamid, ret_now);
    }
    *ret_now = *row;
    return err;
}

static enum err log_message(struct inbound_work *work, const struct store_message *row,
                            const struct store_contact *contact)
{
    struct store_message now;
    enum err err = as_it_became(work, row, &now);

    if (err != OK || row->kind == STORE_MESSAGE_HISTORIC) {
        return err;
    }
    buf_clear(&work->message);
    message_render(&work->message, &now, contact);
    if (row->direction == STORE_INBOUND) {
        err = log_received(work, row);
    }
    return err != OK ? err : log_new_message(work, row);
}

/* ---- the message */

static enum store_message_kind kind_of(const struct inbound_message *in)
{
    return in->historic                                          ? STORE_MESSAGE_HISTORIC
           : in->opens_window || in->direction == STORE_OUTBOUND ? STORE_MESSAGE_LIVE
                                                                 : STORE_MESSAGE_NOTE;
}

static enum store_status first_status(const struct inbound_message *in)
{
    return in->direction == STORE_INBOUND ? STORE_STATUS_RECEIVED
           : in->historic                 ? in->past_status
                                          : STORE_STATUS_SENT;
}

static struct store_message row_of(struct inbound_work *work, const struct inbound_message *in,
                                   int64_t business_id)
{
    buf_clear(&work->raw);
    json_add_tree_within(&work->raw, in->element, CONTENT_DEPTH_MAX);
    buf_clear(&work->content);
    content_render(&work->content, in->type, in->element, in->errors);
    return (struct store_message) {
        .business_id = business_id,
        .phone_number_id = in->phone_number_id,
        .wamid = in->wamid,
        .direction = in->direction,
        .kind = kind_of(in),
        .type = in->type,
        .text = in->text,
        .raw = buf_str(&work->raw),
        .context_wamid = in->context_wamid,
        .status = first_status(in),
        .wa_timestamp_s = in->wa_timestamp_s,
        .created_at_ms = work->now_ms,
        .content = work->content.len > 0 ? buf_str(&work->content) : STR_NONE,
    };
}

static enum err append(struct inbound_work *work, const struct inbound_message *in,
                       const struct store_contact *contact, struct store_message *row,
                       bool *ret_inserted)
{
    struct store_chat chat = {
        .business_id = contact->business_id,
        .phone_number_id = in->phone_number_id,
        .group_id = in->group_id,
        /* One that the business begins on its phone needs nobody until the customer answers. */
        .state = in->opens_window ? STORE_CHAT_WAITING : STORE_CHAT_CLOSED,
        .created_at_ms = work->now_ms,
        .contact = *contact,
    };
    bool created;
    enum err err = store_chat_ensure(work->tx, &chat, &row->chat_id, &created);

    work->participants = false;
    if (err == OK && in->direction == STORE_OUTBOUND) {
        err = status_parked(work, in->phone_number_id, in->wamid, &row->status, &row->error,
                            &work->participants);
    }
    if (err != OK) {
        return err;
    }
    if (created && in->opens_window) {
        work->waiting = (struct store_waiting) { .chat_id = row->chat_id,
                                                 .business_id = contact->business_id,
                                                 .version = 1,
                                                 .since_ms = work->now_ms };
    }
    row->contact_id = contact->id;
    return store_message_append(work->tx, row, &row->id, ret_inserted);
}

static enum err record_reopening(struct inbound_work *work, const struct store_waiting *reopened)
{
    const struct store_decision decision = { .chat_id = reopened->chat_id,
                                             .policy = STR_INIT("customer_wrote"),
                                             .outcome = STR_INIT("reopened"),
                                             .considered = STR_INIT("{}") };

    return store_decision_append(work->tx, &decision);
}

/* Whoever answers has read what is there: for no agent it is unread any more. */
static enum err answered_on_phone(struct inbound_work *work, const struct store_message *row)
{
    bool moved;

    return store_read_cursor_set(work->tx, row->business_id, STORE_READER_PHONE, row->chat_id,
                                 row->id, &moved);
}

/* What only a message that was not known before may change. */
static enum err follow_up(struct inbound_work *work, const struct inbound_message *in,
                          const struct store_message *row, struct store_contact *contact)
{
    struct store_waiting reopened;
    enum err err = store_chat_touch(work->tx, row->chat_id, row->id, row->wa_timestamp_s,
                                    in->opens_window, &reopened);

    if (err == OK && reopened.chat_id != 0) {
        work->waiting = reopened;
        err = record_reopening(work, &reopened);
    }
    if (err == OK && in->direction == STORE_OUTBOUND && !in->historic) {
        err = answered_on_phone(work, row);
    }
    if (err == OK && in->group_id.data != NULL && in->direction == STORE_INBOUND) {
        err = store_group_speaker(work->tx, row->chat_id, contact->id, row->id);
    }
    if (err == OK && contact->id != 0) {
        err = customer_learn(work, in, row, contact);
    }
    return err != OK ? err : log_message(work, row, contact);
}

/* A message that is known changes nothing, but that a medium takes the place of its placeholder. */
static enum err known_already(struct inbound_work *work, const struct store_message *row,
                              bool *ret_filled)
{
    enum err err = OK;

    if (!str_eq(row->type, STR("media_placeholder"))) {
        err = store_message_fill(work->tx, row, ret_filled);
    }
    return err != OK || !*ret_filled ? err : change_again(work, row);
}

static bool has_name(const struct inbound_party *party)
{
    return party->phone.len + party->wa_id.len + party->user_id.len > 0;
}

enum err inbound_message_store(struct inbound_work *work, const struct inbound_message *in,
                               bool *ret_stored)
{
    struct store_contact contact = { .id = 0 };
    struct store_message row;
    bool duplicate = false, inserted = false, filled = false, gone = false;
    enum err err = inbound_business(work, in->phone_number_id, &contact.business_id);

    work->waiting.chat_id = 0;
    if (err == OK) {
        err = store_message_gone(work->tx, in->phone_number_id, in->wamid, &gone);
    }
    if (err == OK && gone) {
        *ret_stored = false;
        return OK;
    }
    if (err == OK && has_name(&in->party)) {
        err = customer_of(work, in, &contact, &duplicate);
    }
    if (err != OK) {
        return err;
    }
    if (!duplicate) {
        row = row_of(work, in, contact.business_id);
        err = append(work, in, &contact, &row, &inserted);
        if (err == OK) {
            err =
                inserted ? follow_up(work, in, &row, &contact) : known_already(work, &row, &filled);
        }
    }
    if (err == OK) {
        *ret_stored = inserted || filled;
    }
    return err;
}
