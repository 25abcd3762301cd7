/* Calls: calls[] and those statuses[] that are of calls. */
#include "libshared/json.h"
#include "siod/webhook/decoder.h"

static void add_call(struct decoder *decoder, enum wa_kind kind, const struct inbound_call *call)
{
    struct wa_delivery *out = decoder->out;

    out->calls = decode_grow(out->calls, out->call_count, &out->call_room, sizeof *out->calls);
    out->calls[out->call_count++] = (struct wa_call) { .kind = kind, .in = *call };
}

static bool is_named(const struct inbound_party *party)
{
    return party->phone.len > 0 || party->user_id.len > 0;
}

static int64_t seconds_at(const json_t *element, const char *key)
{
    int64_t seconds;

    return decode_seconds(json_object_get(element, key), &seconds) && seconds > 0 ? seconds : 0;
}

static const json_t *errors_of(const struct decoder *decoder, const json_t *element)
{
    const json_t *errors = json_object_get(element, "errors");

    return json_array_size(errors) > 0            ? errors
           : json_array_size(decoder->errors) > 0 ? decoder->errors
                                                  : NULL;
}

/* The customer is who calls, or who is called. */
static void read_customer(struct decoder *decoder, const json_t *element, struct inbound_call *call)
{
    bool own = str_eq(json_str_at(element, "direction"), STR("BUSINESS_INITIATED"));
    struct inbound_party *party = &call->party;

    call->direction = own ? STORE_OUTBOUND : STORE_INBOUND;
    party->phone = decode_id(decoder, element, own ? "to" : "from");
    party->user_id = decode_id(decoder, element, own ? "to_user_id" : "from_user_id");
    party->parent_user_id =
        decode_id(decoder, element, own ? "to_parent_user_id" : "from_parent_user_id");
    decode_party(decoder, party);
}

static bool read_event(const json_t *element, enum call_report *ret_report)
{
    struct str event = json_str_at(element, "event");

    *ret_report = str_eq(event, STR("terminate")) ? CALL_TERMINATE : CALL_CONNECT;
    return *ret_report == CALL_TERMINATE || str_eq(event, STR("connect"));
}

const char *decode_call(struct decoder *decoder, const json_t *element)
{
    const json_t *session = json_object_get(element, "session");
    struct inbound_call call = { .phone_number_id = decoder->phone_number_id };

    if (!json_is_object(element)) {
        return "not an object";
    }
    call.wacid = decode_id(decoder, element, "id");
    if (call.wacid.len == 0) {
        return decode_no_id(element);
    }
    if (!read_event(element, &call.report)) {
        return "unknown event";
    }
    read_customer(decoder, element, &call);
    if (!is_named(&call.party)) {
        return "no customer";
    }
    call.at_s = decode_timestamp(decoder, element);
    call.sdp_type = json_str_at(session, "sdp_type");
    call.sdp = json_str_at(session, "sdp");
    call.failed = str_eq(json_str_at(element, "status"), STR("FAILED"));
    call.started_at_s = seconds_at(element, "start_time");
    call.ended_at_s = seconds_at(element, "end_time");
    call.duration_s = seconds_at(element, "duration");
    call.errors = errors_of(decoder, element);
    add_call(decoder, WA_CALL, &call);
    return NULL;
}

static bool read_status(const json_t *element, enum call_report *ret_report)
{
    static const struct {
        struct str word;
        enum call_report report;
    } words[] = {
        { STR_INIT("RINGING"), CALL_RINGING },
        { STR_INIT("ACCEPTED"), CALL_ACCEPTED },
        { STR_INIT("REJECTED"), CALL_REJECTED },
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (str_eq(json_str_at(element, "status"), words[i].word)) {
            *ret_report = words[i].report;
            return true;
        }
    }
    return false;
}

const char *decode_call_status(struct decoder *decoder, const json_t *element)
{
    struct inbound_call call = { .phone_number_id = decoder->phone_number_id,
                                 .direction = STORE_OUTBOUND };

    if (!json_is_object(element)) {
        return "not an object";
    }
    call.wacid = decode_id(decoder, element, "id");
    if (call.wacid.len == 0) {
        return decode_no_id(element);
    }
    if (!read_status(element, &call.report)) {
        return "unknown status";
    }
    call.party.phone = decode_id(decoder, element, "recipient_id");
    call.party.user_id = decode_id(decoder, element, "recipient_user_id");
    decode_party(decoder, &call.party);
    if (!is_named(&call.party)) {
        return "no recipient";
    }
    call.at_s = decode_timestamp(decoder, element);
    call.errors = errors_of(decoder, element);
    add_call(decoder, WA_CALL_STATUS, &call);
    return NULL;
}
