#include "siod/chat/inbound.h"

#include <inttypes.h>
#include <stdio.h>

#include "libshared/json.h"
#include "siod/chat/change.h"
#include "siod/chat/content.h"
#include "siod/chat/message.h"
#include "siod/chat/status.h"

void inbound_begin(struct inbound_work *work, struct store_tx *tx, int64_t now_ms)
{
    work->tx = tx;
    work->now_ms = now_ms;
    work->owner.phone_number_id = STR_NONE;
    work->owner.business_id = 0;
    work->told = 0;
}

void inbound_work_finish(struct inbound_work *work)
{
    buf_finish(&work->raw);
    buf_finish(&work->content);
    buf_finish(&work->contact);
    buf_finish(&work->message);
    buf_finish(&work->args);
    buf_finish(&work->error);
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

/* ---- the contact */

/* In the order in which they identify somebody: the BSUID stays when the number is not shown. */
struct alias {
    enum store_alias kind;
    struct str value;
};
enum { ALIASES = 4 };

static void party_aliases(const struct inbound_party *party, struct alias aliases[ALIASES])
{
    aliases[0] = (struct alias) { STORE_ALIAS_BSUID, party->user_id };
    aliases[1] = (struct alias) { STORE_ALIAS_WA_ID, party->wa_id };
    aliases[2] = (struct alias) { STORE_ALIAS_WA_ID,
                                  str_eq(party->phone, party->wa_id) ? STR_NONE : party->phone };
    aliases[3] = (struct alias) { STORE_ALIAS_PARENT_BSUID, party->parent_user_id };
}

/* *ret_id = 0 when none of the names is known. The parent id names a person over several
 * portfolios and is not unique within a business: it is kept, but finds nobody. */
static enum err find_contact(struct inbound_work *work, int64_t business_id,
                             const struct inbound_party *party, int64_t *ret_id)
{
    struct alias aliases[ALIASES];
    int64_t id = 0;

    party_aliases(party, aliases);
    for (size_t i = 0; i < ALIASES - 1 && id == 0; i++) {
        enum err err = OK;

        if (aliases[i].value.len > 0) {
            err = store_contact_by_alias(work->tx, business_id, aliases[i].kind, aliases[i].value,
                                         &id);
        }
        if (err != OK) {
            return err;
        }
    }
    *ret_id = id;
    return OK;
}

static enum err add_aliases(struct inbound_work *work, int64_t business_id, int64_t contact_id,
                            const struct inbound_party *party)
{
    struct alias aliases[ALIASES];
    enum err err = OK;

    party_aliases(party, aliases);
    for (size_t i = 0; i < ALIASES && err == OK; i++) {
        if (aliases[i].value.len > 0) {
            err = store_contact_alias_add(work->tx, business_id, contact_id, aliases[i].kind,
                                          aliases[i].value);
        }
    }
    return err;
}

/* Keep a row's strings over later calls to the store. */
static void keep_contact(struct inbound_work *work, struct store_contact *contact)
{
    struct str *fields[] = { &contact->name, &contact->phone, &contact->wa_id, &contact->user_id };
    size_t size = 0;
    char *to;

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        size += fields[i]->len;
    }
    buf_clear(&work->contact);
    to = buf_reserve(&work->contact, size);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i]->len > 0) {
            memcpy(to, fields[i]->data, fields[i]->len);
            fields[i]->data = to;
            to += fields[i]->len;
        }
    }
}

static bool learn(struct str *known, struct str told)
{
    if (told.len == 0 || str_eq(*known, told)) {
        return false;
    }
    *known = told;
    return true;
}

/* What the payload tells beyond the row goes into *contact; true if there was anything. Number and
 * wa_id stand in for one another only while nothing better is known. */
static bool merge_party(struct store_contact *contact, const struct inbound_party *party)
{
    bool name = learn(&contact->name, party->name);
    bool phone = learn(&contact->phone, party->phone);
    bool wa_id = learn(&contact->wa_id, party->wa_id);
    bool user_id = learn(&contact->user_id, party->user_id);

    if (contact->wa_id.len == 0) {
        wa_id = learn(&contact->wa_id, contact->phone);
    } else if (contact->phone.len == 0) {
        phone = learn(&contact->phone, contact->wa_id);
    }
    return name || phone || wa_id || user_id;
}

static enum err create_contact(struct inbound_work *work, const struct inbound_party *party,
                               struct store_contact *contact)
{
    enum err err;

    contact->name = STR("");
    merge_party(contact, party);
    err = store_contact_create(work->tx, contact, &contact->id);
    return err != OK ? err : add_aliases(work, contact->business_id, contact->id, party);
}

enum err inbound_contact_load(struct inbound_work *work, int64_t contact_id,
                              struct store_contact *contact)
{
    enum err err = store_contact_get(work->tx, contact_id, contact);

    if (err == OK) {
        keep_contact(work, contact);
    }
    return err;
}

static enum err update_contact(struct inbound_work *work, const struct inbound_party *party,
                               struct store_contact *contact)
{
    enum err err;

    if (!merge_party(contact, party) && party->parent_user_id.len == 0) {
        return OK;
    }
    err = store_contact_update(work->tx, contact);
    return err != OK ? err : add_aliases(work, contact->business_id, contact->id, party);
}

enum err inbound_contact(struct inbound_work *work, const struct inbound_party *party,
                         struct store_contact *contact)
{
    int64_t id;
    enum err err = find_contact(work, contact->business_id, party, &id);

    if (err == OK && id == 0) {
        return create_contact(work, party, contact);
    }
    if (err == OK) {
        err = inbound_contact_load(work, id, contact);
    }
    return err != OK ? err : update_contact(work, party, contact);
}

/* A customer who changed number or BSUID keeps contact and chat. A new name that somebody else has
 * already stays theirs. */
static enum err follow_change(struct inbound_work *work, const struct inbound_message *in,
                              struct store_contact *contact)
{
    struct inbound_party changed = { .phone = in->new_wa_id,
                                     .wa_id = in->new_wa_id,
                                     .user_id = in->new_user_id };
    int64_t owner;
    enum err err;

    if (in->new_wa_id.len == 0 && in->new_user_id.len == 0) {
        return OK;
    }
    err = find_contact(work, contact->business_id, &changed, &owner);
    if (err != OK || (owner != 0 && owner != contact->id)) {
        return err;
    }
    return update_contact(work, &changed, contact);
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

    if (err != OK) {
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
        .type = in->type,
        .text = in->text,
        .raw = buf_str(&work->raw),
        .context_wamid = in->context_wamid,
        .status = in->direction == STORE_INBOUND ? STORE_STATUS_RECEIVED : STORE_STATUS_SENT,
        .wa_timestamp_s = in->wa_timestamp_s,
        .created_at_ms = work->now_ms,
        .content = work->content.len > 0 ? buf_str(&work->content) : STR_NONE,
    };
}

/* A first message makes its contact; its repetition from somebody else must not. */
static enum err contact_for(struct inbound_work *work, const struct inbound_message *in,
                            struct store_contact *contact, bool *ret_duplicate)
{
    struct store_message known;
    int64_t id;
    enum err err = find_contact(work, contact->business_id, &in->party, &id);

    *ret_duplicate = false;
    if (err != OK) {
        return err;
    }
    if (id != 0) {
        return inbound_contact_load(work, id, contact);
    }
    err = store_message_by_wamid(work->tx, in->phone_number_id, in->wamid, &known);
    *ret_duplicate = err == OK;
    return err == ERR_NOT_FOUND ? create_contact(work, &in->party, contact) : err;
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
    if (err == OK) {
        err = update_contact(work, &in->party, contact);
    }
    if (err == OK) {
        err = follow_change(work, in, contact);
    }
    return err != OK ? err : log_message(work, row, contact);
}

enum err inbound_message_store(struct inbound_work *work, const struct inbound_message *in,
                               bool *ret_stored)
{
    struct store_contact contact = { .id = 0 };
    struct store_message row;
    bool duplicate, inserted = false;
    enum err err = inbound_business(work, in->phone_number_id, &contact.business_id);

    work->waiting.chat_id = 0;
    if (err == OK) {
        err = contact_for(work, in, &contact, &duplicate);
    }
    if (err != OK) {
        return err;
    }
    if (!duplicate) {
        row = row_of(work, in, contact.business_id);
        err = append(work, in, &contact, &row, &inserted);
        if (err == OK && inserted) {
            err = follow_up(work, in, &row, &contact);
        }
    }
    if (err == OK) {
        *ret_stored = inserted;
    }
    return err;
}
