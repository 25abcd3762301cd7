#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/chat/content.h"
#include "siod/webhook/decoder.h"

enum { DAY_S = 24 * 3600, NAME_MAX_BYTES = 1024, USERNAME_MAX_BYTES = 256, EMOJI_MAX_BYTES = 256 };

/* ---- single values */

/* A copy that lives as long as the delivery. */
static struct str keep(struct wa_delivery *delivery, struct str text)
{
    struct wa_text *kept = xmalloc(sizeof *kept + text.len);

    memcpy(kept->data, text.data, text.len);
    kept->next = delivery->texts;
    delivery->texts = kept;
    return (struct str) { kept->data, text.len };
}

struct str decode_id(struct decoder *decoder, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    char digits[24];
    struct str id = json_id_text(value, digits);

    if (id.len == 0 || id.len > WA_ID_MAX) {
        return STR_NONE;
    }
    return json_is_integer(value) ? keep(decoder->out, id) : id;
}

static struct str first_id(struct str a, struct str b)
{
    return a.len > 0 ? a : b;
}

bool decode_seconds(const json_t *value, int64_t *ret_seconds)
{
    struct str digits = json_str(value);
    int64_t seconds = 0;

    if (json_is_integer(value)) {
        *ret_seconds = json_integer_value(value);
        return true;
    }
    if (digits.len == 0 || digits.len > 12) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        seconds = seconds * 10 + (digits.data[i] - '0');
    }
    *ret_seconds = seconds;
    return true;
}

/* The time of receipt stands in for what is no time, or one too far ahead: milliseconds, say. */
int64_t decode_timestamp(const struct decoder *decoder, const json_t *element)
{
    int64_t seconds;

    if (!decode_seconds(json_object_get(element, "timestamp"), &seconds) || seconds <= 0 ||
        seconds > decoder->received_s + DAY_S) {
        return decoder->received_s;
    }
    return seconds;
}

/* Every event of a chat carries it, so an absurd one is left out. */
static struct str name_of(const json_t *contact)
{
    struct str name = json_str_at(json_object_get(contact, "profile"), "name");

    return name.len <= NAME_MAX_BYTES ? name : STR_NONE;
}

static struct str username_of(const json_t *contact)
{
    struct str name = json_str_at(json_object_get(contact, "profile"), "username");

    return name.len <= USERNAME_MAX_BYTES ? name : STR_NONE;
}

/* ---- contacts[] */

void *decode_grow(void *array, size_t count_now, size_t *room, size_t size)
{
    if (count_now < *room) {
        return array;
    }
    *room = *room == 0 ? 4 : *room * 2;
    return xrealloc(array, *room * size);
}

void decode_profiles_forget(struct decoder *decoder)
{
    HASH_CLEAR(by_user_id, decoder->by_user_id);
    HASH_CLEAR(by_wa_id, decoder->by_wa_id);
}

/* Of several profiles with one id the first counts. */
static void index_profile(struct decoder *decoder, struct profile *profile)
{
    struct str user_id = profile->user_id, wa_id = profile->wa_id;
    struct profile *known;

    if (user_id.len > 0) {
        HASH_FIND(by_user_id, decoder->by_user_id, user_id.data, (unsigned)user_id.len, known);
        if (known == NULL) {
            HASH_ADD_KEYPTR(by_user_id, decoder->by_user_id, user_id.data, (unsigned)user_id.len,
                            profile);
        }
    }
    if (wa_id.len > 0) {
        HASH_FIND(by_wa_id, decoder->by_wa_id, wa_id.data, (unsigned)wa_id.len, known);
        if (known == NULL) {
            HASH_ADD_KEYPTR(by_wa_id, decoder->by_wa_id, wa_id.data, (unsigned)wa_id.len, profile);
        }
    }
}

void decode_profiles(struct decoder *decoder, const json_t *contacts)
{
    size_t room = json_array_size(contacts), used = 0, i;
    const json_t *contact;

    decode_profiles_forget(decoder);
    if (room > decoder->profile_room) {
        decoder->profiles = xrealloc(decoder->profiles, room * sizeof *decoder->profiles);
        decoder->profile_room = room;
    }
    json_array_foreach(contacts, i, contact)
    {
        const struct profile profile = {
            .name = name_of(contact),
            .username = username_of(contact),
            .wa_id = decode_id(decoder, contact, "wa_id"),
            .user_id = decode_id(decoder, contact, "user_id"),
            .parent_user_id = decode_id(decoder, contact, "parent_user_id"),
        };

        if (profile.wa_id.len > 0 || profile.user_id.len > 0) {
            decoder->profiles[used] = profile;
            index_profile(decoder, &decoder->profiles[used++]);
        }
    }
}

/* Only the ids say whose profile it is; its place says nothing. */
static const struct profile *find_profile(const struct decoder *decoder,
                                          const struct inbound_party *party)
{
    struct str user_id = party->user_id, phone = party->phone;
    struct profile *profile = NULL;

    if (user_id.len > 0) {
        HASH_FIND(by_user_id, decoder->by_user_id, user_id.data, (unsigned)user_id.len, profile);
    }
    if (profile == NULL && phone.len > 0) {
        HASH_FIND(by_wa_id, decoder->by_wa_id, phone.data, (unsigned)phone.len, profile);
    }
    return profile;
}

void decode_party(const struct decoder *decoder, struct inbound_party *party)
{
    const struct profile *profile = find_profile(decoder, party);

    if (profile != NULL) {
        party->name = profile->name;
        party->username = profile->username;
        party->wa_id = profile->wa_id;
        party->user_id = first_id(party->user_id, profile->user_id);
        party->parent_user_id = first_id(party->parent_user_id, profile->parent_user_id);
    }
}

/* ---- messages[] and message_echoes[] */

static struct str text_of(struct decoder *decoder, const json_t *element, struct str type)
{
    autobuf struct buf scratch = BUF_INIT;
    struct str text = content_text(type, element, &scratch);

    return text.data != NULL && text.data == scratch.data ? keep(decoder->out, text) : text;
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
        first_id(decode_id(decoder, system, "wa_id"), decode_id(decoder, system, "new_wa_id"));
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

static bool read_edited(const json_t *edit, const json_t **ret_edited)
{
    *ret_edited = json_object_get(edit, "message");
    return json_is_object(*ret_edited);
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

/* What the business writes to a group has nobody else in it. */
static void read_party(struct decoder *decoder, const json_t *element, struct inbound_message *in)
{
    const struct inbound_party given = in->party;

    in->party = (struct inbound_party) { .phone = STR_NONE };
    (in->direction == STORE_OUTBOUND ? read_recipient : read_sender)(decoder, element, &in->party);
    if (in->direction == STORE_OUTBOUND && str_eq(in->party.phone, in->group_id)) {
        in->party.phone = STR_NONE;
    }
    if (!is_named(&in->party)) {
        in->party = given;
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
        return "no id";
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
        return "no id";
    }
    status.status = json_str_at(element, "status");
    if (!status_known(status.status)) {
        return "unknown status";
    }
    status.participant = first_id(decode_id(decoder, element, "recipient_participant_user_id"),
                                  decode_id(decoder, element, "recipient_participant_id"));
    status.wa_timestamp_s = decode_timestamp(decoder, element);
    status.errors = errors_list(json_object_get(element, "errors"));
    out->statuses =
        decode_grow(out->statuses, out->status_count, &out->status_room, sizeof *out->statuses);
    out->statuses[out->status_count++] = status;
    return NULL;
}
