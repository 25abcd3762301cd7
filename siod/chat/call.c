#include "siod/chat/call.h"

#include "libshared/json.h"
#include "siod/chat/customer.h"
#include "siod/chat/events.h"
#include "siod/chat/message.h"

static unsigned bit(enum call_report report)
{
    return 1u << (unsigned)report;
}

static bool has_ended(const struct store_call *call)
{
    return call->state >= STORE_CALL_COMPLETED;
}

/* ---- JSON */

static void add_time_s(struct buf *out, const char *key, int64_t at_s)
{
    buf_add_cstr(out, key);
    time_render(out, at_s * 1000);
}

/* The object is left open. */
static void render_open(struct buf *out, const struct store_call *call)
{
    buf_add_cstr(out, "{\"callId\":");
    buf_add_i64(out, call->id);
    buf_add_cstr(out, ",\"wacid\":");
    json_add_string(out, call->wacid);
    buf_add_cstr(out, ",\"chatId\":");
    buf_add_i64(out, call->chat_id);
    buf_add_cstr(out, ",\"direction\":");
    json_add_cstr(out, store_direction_name(call->direction));
    buf_add_cstr(out, ",\"status\":");
    json_add_cstr(out, store_call_state_name(call->state));
}

static void render_end(struct buf *out, const struct store_call *call)
{
    add_time_s(out, ",\"startedAt\":", call->started_at_s);
    add_time_s(out, ",\"answeredAt\":", call->answered_at_s);
    add_time_s(out, ",\"endedAt\":", call->ended_at_s);
    buf_add_cstr(out, ",\"duration\":");
    buf_add_i64(out, call->duration_s);
    errors_render(out, call->errors);
}

void call_render(struct buf *out, const struct store_call *call)
{
    render_open(out, call);
    render_end(out, call);
    buf_add_char(out, '}');
}

/* ---- events */

static void add_session(struct buf *out, const struct inbound_call *in)
{
    if (in->sdp.len == 0 || in->sdp.len > CALL_SDP_MAX) {
        return;
    }
    buf_add_cstr(out, ",\"session\":{\"sdpType\":");
    json_add_str_or_null(out, in->sdp_type);
    buf_add_cstr(out, ",\"sdp\":");
    json_add_string(out, in->sdp);
    buf_add_char(out, '}');
}

static enum desk_event event_of(const struct inbound_call *in)
{
    return in->report == CALL_TERMINATE ? EVENT_call_ended
           : in->report == CALL_CONNECT && in->direction == STORE_INBOUND
               ? EVENT_call_incoming
               : EVENT_call_status_update;
}

static enum err tell(struct inbound_work *work, const struct inbound_call *in,
                     const struct store_call *call, const struct store_contact *contact)
{
    struct buf *args = &work->args;

    buf_clear(args);
    render_open(args, call);
    if (in->report == CALL_TERMINATE) {
        render_end(args, call);
    }
    buf_add_cstr(args, ",\"contact\":");
    contact_render(args, contact);
    add_session(args, in);
    return inbound_log_event(work, call->business_id, "business", call->business_id, event_of(in));
}

/* ---- one report */

static void learn_end(struct store_call *call, const struct inbound_call *in)
{
    call->state = call->state == STORE_CALL_REJECTED ? STORE_CALL_REJECTED
                  : in->failed                       ? STORE_CALL_FAILED
                                                     : STORE_CALL_COMPLETED;
    call->ended_at_s = in->ended_at_s != 0 ? in->ended_at_s : in->at_s;
    call->duration_s = in->duration_s;
    if (in->started_at_s != 0) { /* of the conversation */
        call->answered_at_s = in->started_at_s;
    }
}

/* False if it tells nothing that is still to be said. */
static bool learn(struct store_call *call, const struct inbound_call *in)
{
    bool over = (call->seen & bit(CALL_TERMINATE)) != 0 || has_ended(call);

    call->seen |= bit(in->report);
    switch (in->report) {
    case CALL_CONNECT:
        if (call->started_at_s == 0 || in->at_s < call->started_at_s) {
            call->started_at_s = in->at_s;
        }
        return !over;
    case CALL_TERMINATE:
        learn_end(call, in);
        return true;
    case CALL_RINGING:
        return !over && call->state == STORE_CALL_RINGING;
    case CALL_ACCEPTED:
        call->answered_at_s = call->answered_at_s != 0 ? call->answered_at_s : in->at_s;
        if (over || call->state != STORE_CALL_RINGING) {
            return false;
        }
        call->state = STORE_CALL_ACCEPTED;
        return true;
    case CALL_REJECTED:
        if (over) {
            return false;
        }
        call->state = STORE_CALL_REJECTED;
        return true;
    }
    return false;
}

static enum err find_chat(struct inbound_work *work, const struct inbound_call *in,
                          struct store_contact *contact, struct store_call *call)
{
    struct store_chat chat = { .business_id = contact->business_id,
                               .phone_number_id = in->phone_number_id,
                               .state = STORE_CHAT_CLOSED,
                               .created_at_ms = work->now_ms };
    bool created;
    enum err err = customer_met(work, &in->party, contact);

    chat.contact = *contact;
    return err != OK ? err : store_chat_ensure(work->tx, &chat, &call->chat_id, &created);
}

static enum err write(struct inbound_work *work, const struct inbound_call *in,
                      struct store_contact *contact, struct store_call *call)
{
    bool news;
    enum err err = find_chat(work, in, contact, call);

    if (err != OK) {
        return err;
    }
    news = learn(call, in);
    if (in->errors != NULL) {
        buf_clear(&work->error);
        json_add_tree(&work->error, in->errors);
        call->errors = buf_str(&work->error);
    }
    err = store_call_put(work->tx, call, &call->id);
    if (err == OK && in->report == CALL_CONNECT && in->direction == STORE_INBOUND) {
        err = store_chat_window(work->tx, call->chat_id, in->at_s);
    }
    return err != OK || !news ? err : tell(work, in, call, contact);
}

/* The strings of a row that was found are gone with the next call to the store: its keys are the
 * report's, its errors are kept. */
static void keep_row(struct inbound_work *work, const struct inbound_call *in,
                     struct store_call *call)
{
    call->phone_number_id = in->phone_number_id;
    call->wacid = in->wacid;
    if (call->errors.data != NULL) {
        buf_clear(&work->error);
        buf_add_str(&work->error, call->errors);
        call->errors = buf_str(&work->error);
    }
}

/* Nothing more is to be learned from it: it was reported already, or its call was erased, or began
 * with another business: a number that moves does not bring the calls of the old one. */
static enum err find_call(struct inbound_work *work, const struct inbound_call *in,
                          struct store_call *call, bool *ret_known)
{
    int64_t business_id = call->business_id;
    enum err err = store_message_gone(work->tx, in->phone_number_id, in->wacid, ret_known);

    if (err != OK || *ret_known) {
        return err;
    }
    err = store_call_by_wacid(work->tx, in->phone_number_id, in->wacid, call);
    if (err == OK) {
        keep_row(work, in, call);
        *ret_known = call->business_id != business_id || (call->seen & bit(in->report)) != 0;
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err call_store(struct inbound_work *work, const struct inbound_call *in, bool *ret_stored)
{
    struct store_contact contact = { .id = 0 };
    struct store_call call = { .phone_number_id = in->phone_number_id,
                               .wacid = in->wacid,
                               .direction = in->direction };
    bool known;
    enum err err = inbound_business(work, in->phone_number_id, &contact.business_id);

    if (err != OK) {
        return err;
    }
    call.business_id = contact.business_id;
    err = find_call(work, in, &call, &known);
    if (err == OK && !known) {
        err = write(work, in, &contact, &call);
    }
    if (err == OK) {
        *ret_stored = !known;
    }
    return err;
}
