#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/chat/content.h"
#include "siod/webhook/decoder.h"

enum { EMOJI_MAX_BYTES = 256 };

/* ---- messages[] and message_echoes[] */

static struct str text_of(struct decoder *decoder, const json_t *element, struct str type)
{
    autobuf struct buf scratch = BUF_INIT;
    struct str text = content_text(type, element, &scratch);

    return text.data != NULL && text.data == scratch.data ? decode_keep(decoder, text) : text;
}

static enum wa_kind kind_of(struct str type)
{
    static const struct {
        struct str type;
        enum wa_kind kind;
    } kinds[] = {
        { STR_INIT("system"), WA_SYSTEM },
        { STR_INIT("reaction"), WA_REACTION },
        { STR_INIT("edit"), WA_EDIT },
        { STR_INIT("revoke"), WA_REVOKE },
    };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (str_eq(type, kinds[i].type)) {
            return kinds[i].kind;
        }
    }
    return WA_INBOUND;
}

static void read_sender(struct decoder *decoder, const json_t *element, struct inbound_party *party)
{
    party->phone = decode_id(decoder, element, "from");
    party->user_id = decode_id(decoder, element, "from_user_id");
    party->parent_user_id = decode_id(decoder, element, "from_parent_user_id");
}

static void read_recipient(struct decoder *decoder, const json_t *element,
                           struct inbound_party *party)
{
    party->phone = decode_id(decoder, element, "to");
    party->user_id = decode_id(decoder, element, "to_user_id");
    party->parent_user_id = decode_id(decoder, element, "to_parent_user_id");
}

static void read_change_of_id(struct decoder *decoder, const json_t *element,
                              struct inbound_message *in)
{
    const json_t *system = json_object_get(element, "system");

    in->new_wa_id =
        decode_first(decode_id(decoder, system, "wa_id"), decode_id(decoder, system, "new_wa_id"));
    in->new_user_id = decode_id(decoder, system, "user_id");
    in->new_parent_user_id = decode_id(decoder, system, "parent_user_id");
}

/* False for a group that cannot be named: what is said there must not show up in a private chat. */
static bool read_group(struct decoder *decoder, const json_t *element, struct str *ret_group_id)
{
    const json_t *group_id = json_object_get(element, "group_id");

    *ret_group_id = decode_id(decoder, element, "group_id");
    return group_id == NULL || json_is_null(group_id) || ret_group_id->len > 0;
}

/* The platform says what is wrong with a message in the message, or beside a lone one that has
 * nothing in it. */
static const json_t *errors_of(const struct decoder *decoder, const json_t *element,
                               struct str type)
{
    const json_t *errors = json_object_get(element, "errors");

    return errors != NULL || content_is_there(type, element) ? errors : decoder->errors;
}

static void add_message(struct decoder *decoder, const struct wa_message *message)
{
    struct wa_delivery *out = decoder->out;

    out->messages =
        decode_grow(out->messages, out->message_count, &out->message_room, sizeof *out->messages);
    out->messages[out->message_count++] = *message;
}

static void read_message(struct decoder *decoder, const json_t *element, struct wa_message *message)
{
    struct inbound_message *in = &message->in;

    in->text = text_of(decoder, element, in->type);
    in->context_wamid = decode_id(decoder, json_object_get(element, "context"), "id");
    in->element = element;
    if (in->direction == STORE_INBOUND) {
        in->errors = errors_of(decoder, element, in->type);
        in->opens_window = message->kind == WA_INBOUND || message->kind == WA_REACTION;
    }
    if (message->kind == WA_SYSTEM) {
        read_change_of_id(decoder, element, in);
    }
    add_message(decoder, message);
}

/* ---- of these, what changes another message */

static bool read_emoji(const json_t *reaction, struct str *ret_emoji)
{
    const json_t *emoji = json_object_get(reaction, "emoji");

    *ret_emoji = json_str(emoji);
    return emoji == NULL || json_is_null(emoji) ||
           (json_is_string(emoji) && ret_emoji->len <= EMOJI_MAX_BYTES);
}

/* An empty one would put back what was there before the last edit. */
static bool read_edited(const json_t *edit, const json_t **ret_edited)
{
    *ret_edited = json_object_get(edit, "message");
    return json_object_size(*ret_edited) > 0;
}

/* False unless it says what it changes, and how. */
static bool read_change(struct decoder *decoder, const json_t *element, enum wa_kind kind,
                        struct inbound_change *in)
{
    const json_t *object;

    switch (kind) {
    case WA_REACTION:
        object = json_object_get(element, "reaction");
        in->kind = STORE_CHANGE_REACTION;
        in->target = decode_id(decoder, object, "message_id");
        return in->target.len > 0 && read_emoji(object, &in->emoji);
    case WA_EDIT:
        object = json_object_get(element, "edit");
        in->kind = STORE_CHANGE_EDIT;
        in->target = decode_id(decoder, object, "original_message_id");
        return in->target.len > 0 && read_edited(object, &in->edited);
    case WA_REVOKE:
        in->kind = STORE_CHANGE_REVOKE;
        in->target = decode_id(decoder, json_object_get(element, "revoke"), "original_message_id");
        return in->target.len > 0;
    default:
        return false;
    }
}

static void add_change(struct decoder *decoder, const struct wa_change *change)
{
    struct wa_delivery *out = decoder->out;

    out->changes =
        decode_grow(out->changes, out->change_count, &out->change_room, sizeof *out->changes);
    out->changes[out->change_count++] = *change;
}

/* What the business does on its phone counts as an echo, whatever it is. */
static bool decode_change_of_message(struct decoder *decoder, const json_t *element,
                                     const struct inbound_message *message)
{
    bool echo = message->direction == STORE_OUTBOUND;
    enum wa_kind kind = kind_of(message->type);
    struct wa_change change = { .kind = echo ? WA_ECHO : kind };

    if (message->historic) {
        change.kind = WA_HISTORY;
        change.in.historic = true;
    }

    if (!read_change(decoder, element, kind, &change.in)) {
        return false;
    }
    change.in.own = echo;
    change.in.phone_number_id = message->phone_number_id;
    change.in.party = message->party;
    change.in.wamid = message->wamid;
    change.in.wa_timestamp_s = message->wa_timestamp_s;
    add_change(decoder, &change);
    return true;
}

/* ---- both */

static bool is_named(const struct inbound_party *party)
{
    return party->phone.len > 0 || party->user_id.len > 0;
}

/* What the business writes to a group is to nobody in particular, whoever is named as its
 * recipient. A customer who is not named is the one whose profile came along, if that is the only
 * one. */
static void read_party(struct decoder *decoder, const json_t *element, struct inbound_message *in)
{
    const struct inbound_party given = in->party;

    in->party = (struct inbound_party) { .phone = STR_NONE };
    if (in->direction == STORE_OUTBOUND && in->group_id.len > 0) {
        return;
    }
    (in->direction == STORE_OUTBOUND ? read_recipient : read_sender)(decoder, element, &in->party);
    if (!is_named(&in->party)) {
        in->party = given;
    }
    if (!is_named(&in->party) && in->direction == STORE_INBOUND && !in->historic) {
        in->party = decode_lone_party(decoder);
    }
}

/* What all types have in common. NULL, or why the element cannot be used. */
static const char *read_head(struct decoder *decoder, const json_t *element,
                             struct inbound_message *in)
{
    bool echo = in->direction == STORE_OUTBOUND;

    if (!json_is_object(element)) {
        return "not an object";
    }
    in->wamid = decode_id(decoder, element, "id");
    if (in->wamid.len == 0) {
        return decode_no_id(element);
    }
    if (!read_group(decoder, element, &in->group_id)) {
        return "unusable group_id";
    }
    read_party(decoder, element, in);
    if (!is_named(&in->party) && !(echo && in->group_id.len > 0)) {
        return echo ? "no recipient" : "no sender";
    }
    decode_party(decoder, &in->party);
    in->phone_number_id = decoder->phone_number_id;
    in->type = content_type(element);
    in->wa_timestamp_s = decode_timestamp(decoder, element);
    return NULL;
}

const char *decode_said(struct decoder *decoder, const json_t *element,
                        const struct inbound_message *given)
{
    struct wa_message message = { .kind = given->historic ? WA_HISTORY : WA_ECHO, .in = *given };
    const char *reason = read_head(decoder, element, &message.in);

    if (reason != NULL || decode_change_of_message(decoder, element, &message.in)) {
        return reason;
    }
    if (given->direction == STORE_INBOUND && !given->historic) {
        message.kind = kind_of(message.in.type);
    }
    read_message(decoder, element, &message);
    return NULL;
}

const char *decode_message(struct decoder *decoder, const json_t *element)
{
    return decode_said(decoder, element, &(struct inbound_message) { .direction = STORE_INBOUND });
}

const char *decode_echo(struct decoder *decoder, const json_t *element)
{
    return decode_said(decoder, element, &(struct inbound_message) { .direction = STORE_OUTBOUND });
}

/* ---- statuses[] */

/* Words that store_status_parse() knows but the platform never reports are not listed: they are
 * states that only our own sending makes. The last two are leftovers that are logged but are no
 * state of a delivery. */
static bool status_known(struct str word)
{
    static const struct str words[] = { STR_INIT("sent"),   STR_INIT("delivered"),
                                        STR_INIT("read"),   STR_INIT("played"),
                                        STR_INIT("failed"), STR_INIT("deleted"),
                                        STR_INIT("warning") };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (str_eq(word, words[i])) {
            return true;
        }
    }
    return false;
}

/* A single one may come without its brackets. */
static const json_t *errors_list(const json_t *errors)
{
    return json_array_size(errors) > 0 || json_object_size(errors) > 0 ? errors : NULL;
}

const char *decode_status(struct decoder *decoder, const json_t *element)
{
    struct wa_delivery *out = decoder->out;
    struct inbound_status status = { .phone_number_id = decoder->phone_number_id };

    if (!json_is_object(element)) {
        return "not an object";
    }
    if (decoder->calls || str_eq(json_str_at(element, "type"), STR("call"))) {
        return decode_call_status(decoder, element);
    }
    status.wamid = decode_id(decoder, element, "id");
    if (status.wamid.len == 0) {
        return decode_no_id(element);
    }
    status.status = json_str_at(element, "status");
    if (!status_known(status.status)) {
        return "unknown status";
    }
    status.participant = decode_first(decode_id(decoder, element, "recipient_participant_user_id"),
                                      decode_id(decoder, element, "recipient_participant_id"));
    status.wa_timestamp_s = decode_timestamp(decoder, element);
    status.errors = errors_list(json_object_get(element, "errors"));
    out->statuses =
        decode_grow(out->statuses, out->status_count, &out->status_room, sizeof *out->statuses);
    out->statuses[out->status_count++] = status;
    return NULL;
}
