#include "siod/chat/status.h"

#include <string.h>

#include "libshared/json.h"
#include "siod/chat/content.h"
#include "siod/chat/inbound.h"
#include "siod/chat/message.h"

bool status_rises(enum store_status now, enum store_status next)
{
    if (now == STORE_STATUS_FAILED) {
        return false;
    }
    if (next == STORE_STATUS_FAILED) {
        return now < STORE_STATUS_DELIVERED;
    }
    return next > now;
}

/* The message's state that a logged status asks for. */
static bool wanted_state(struct str word, struct str participant, enum store_status *ret_status)
{
    return store_status_parse(word, ret_status) &&
           !(*ret_status == STORE_STATUS_FAILED && participant.len > 0);
}

static struct str render_errors(struct inbound_work *work, const json_t *errors)
{
    if (errors == NULL) {
        return STR_NONE;
    }
    buf_clear(&work->error);
    json_add_tree_within(&work->error, errors, CONTENT_DEPTH_MAX);
    return buf_str(&work->error);
}

/* ---- participants */

/* How the status names somebody is all that it says. 0: nobody known is called so. */
static enum err find_participant(struct inbound_work *work, int64_t business_id, struct str name,
                                 int64_t *ret_contact_id)
{
    static const enum store_alias kinds[] = { STORE_ALIAS_BSUID, STORE_ALIAS_WA_ID };
    int64_t id = 0;
    enum err err = OK;

    for (size_t i = 0; i < ARRAY_SIZE(kinds) && err == OK && id == 0; i++) {
        err = store_contact_by_alias(work->tx, business_id, kinds[i], name, &id);
    }
    *ret_contact_id = id;
    return err;
}

/* The participant as clients see it, in work->shown. */
static enum err show_participant(struct inbound_work *work, int64_t contact_id, struct str name,
                                 const struct store_status_row *row, enum store_status status)
{
    struct buf *out = &work->shown;
    struct store_contact contact = { .id = 0 };
    enum err err = contact_id != 0 ? store_contact_get(work->tx, contact_id, &contact) : OK;

    if (err != OK) {
        return err;
    }
    buf_clear(out);
    buf_add_cstr(out, "{\"id\":");
    json_add_string(out, name);
    buf_add_cstr(out, ",\"contactId\":");
    if (contact.id != 0) {
        buf_add_i64(out, contact.id);
    } else {
        buf_add_cstr(out, "null");
    }
    buf_add_cstr(out, ",\"name\":");
    json_add_str_or_null(out, contact.name.len > 0 ? contact.name : STR_NONE);
    buf_add_cstr(out, ",\"status\":");
    json_add_cstr(out, store_status_name(status));
    errors_render(out, row->error);
    buf_add_cstr(out, ",\"timestamp\":");
    time_render(out, row->wa_timestamp_s * 1000);
    buf_add_char(out, '}');
    return OK;
}

/* *ret_risen: the participant's state is another one now, and shown in work->shown. A contact is
 * one participant, whichever of its names a status has: it goes on under the first. */
static enum err participant_apply(struct inbound_work *work, int64_t message_id,
                                  int64_t business_id, const struct store_status_row *row,
                                  bool *ret_risen)
{
    struct store_participant known = { .status = STORE_STATUS_QUEUED };
    autobuf struct buf name = BUF_INIT;
    enum store_status next;
    int64_t contact_id;
    enum err err;

    *ret_risen = false;
    if (row->participant.len == 0 || !store_status_parse(row->status, &next)) {
        return OK;
    }
    err = find_participant(work, business_id, row->participant, &contact_id);
    if (err != OK) {
        return err;
    }
    err = store_participant_get(work->tx, message_id, contact_id, row->participant, &known);
    if (err != OK && err != ERR_NOT_FOUND) {
        return err;
    }
    if (!status_rises(known.status, next)) {
        return OK;
    }
    buf_add_str(&name, err == OK ? known.name : row->participant);
    err = show_participant(work, contact_id, buf_str(&name), row, next);
    if (err != OK) {
        return err;
    }
    *ret_risen = true;
    return store_participant_set(work->tx,
                                 &(struct store_participant) { .message_id = message_id,
                                                               .contact_id = contact_id,
                                                               .name = buf_str(&name),
                                                               .status = next,
                                                               .shown = buf_str(&work->shown) });
}

/* ---- one that comes */

static enum err tell_room(struct inbound_work *work, const struct store_message_state *message,
                          enum store_status status, struct str errors, struct str participant)
{
    struct buf *args = &work->args;

    buf_clear(args);
    buf_add_cstr(args, "{\"messageId\":");
    buf_add_i64(args, message->id);
    buf_add_cstr(args, ",\"chatId\":");
    buf_add_i64(args, message->chat_id);
    buf_add_cstr(args, ",\"status\":");
    json_add_cstr(args, store_status_name(status));
    errors_render(args, errors);
    if (participant.len > 0) {
        buf_add_cstr(args, ",\"participant\":");
        buf_add_str(args, participant);
    }
    return inbound_log_event(work, message->business_id, "chat", message->chat_id,
                             EVENT_message_status_update);
}

/* Statuses are of what the business sent: another's is kept, and is no state of a message. A number
 * that moved from one business to another does not bring the messages of the old one. */
static enum err apply_to_message(struct inbound_work *work, int64_t business_id,
                                 const struct store_status_row *row)
{
    struct store_message_state message;
    enum store_status next;
    bool rises, participant_rises;
    enum err err =
        store_message_state_by_wamid(work->tx, row->phone_number_id, row->wamid, &message);

    if (err == ERR_NOT_FOUND || (err == OK && (message.business_id != business_id ||
                                               message.direction != STORE_OUTBOUND))) {
        return OK;
    }
    if (err == OK) {
        err = participant_apply(work, message.id, business_id, row, &participant_rises);
    }
    if (err != OK) {
        return err;
    }
    rises =
        wanted_state(row->status, row->participant, &next) && status_rises(message.status, next);
    if (rises) {
        err = store_message_status_set(work->tx, message.id, next, row->error);
    }
    if (err != OK || !(rises || participant_rises)) {
        return err;
    }
    return tell_room(work, &message, rises ? next : message.status, rises ? row->error : STR_NONE,
                     participant_rises ? buf_str(&work->shown) : STR_NONE);
}

enum err status_apply(struct inbound_work *work, const struct inbound_status *status, bool *ret_new)
{
    struct store_status_row row = {
        .phone_number_id = status->phone_number_id,
        .wamid = status->wamid,
        .status = status->status,
        .participant = status->participant,
        .wa_timestamp_s = status->wa_timestamp_s,
    };
    int64_t business_id;
    bool fresh;
    enum err err = inbound_business(work, status->phone_number_id, &business_id);

    if (err != OK) {
        return err;
    }
    row.business_id = business_id;
    row.error = render_errors(work, status->errors);
    err = store_status_record(work->tx, &row, &fresh);
    if (err == OK && fresh) {
        err = apply_to_message(work, business_id, &row);
    }
    if (err == OK) {
        *ret_new = fresh;
    }
    return err;
}

/* ---- statuses that came before their message */

struct parked {
    struct inbound_work *work;
    enum store_status status;
    bool participants;
};

static enum err fold(void *arg, const struct store_status_row *row)
{
    struct parked *parked = arg;
    enum store_status next;

    parked->participants = parked->participants || row->participant.len > 0;
    if (wanted_state(row->status, row->participant, &next) && status_rises(parked->status, next)) {
        parked->status = next;
        buf_clear(&parked->work->error);
        buf_add_str(&parked->work->error, row->error);
    }
    return OK;
}

enum err status_parked(struct inbound_work *work, struct str phone_number_id, struct str wamid,
                       enum store_status *status, struct str *ret_error, bool *ret_participants)
{
    struct parked parked = { .work = work, .status = *status };
    enum err err;

    buf_clear(&work->error);
    err = store_status_each(work->tx, phone_number_id, wamid, fold, &parked);
    if (err != OK) {
        return err;
    }
    *status = parked.status;
    *ret_error = work->error.len > 0 ? buf_str(&work->error) : STR_NONE;
    *ret_participants = parked.participants;
    return OK;
}

/* Rows while the store is being read: lengths and bytes, one after the other. */
struct kept_row {
    int64_t wa_timestamp_s;
    size_t status, participant, error;
};

static enum err keep_row(void *arg, const struct store_status_row *row)
{
    struct buf *kept = arg;
    const struct kept_row head = { row->wa_timestamp_s, row->status.len, row->participant.len,
                                   row->error.len };

    if (row->participant.len > 0) {
        buf_add(kept, &head, sizeof head);
        buf_add_str(kept, row->status);
        buf_add_str(kept, row->participant);
        buf_add_str(kept, row->error);
    }
    return OK;
}

static struct store_status_row next_row(struct str *kept)
{
    struct kept_row head;
    struct store_status_row row = { .status = STR_NONE };

    memcpy(&head, str_take(kept, sizeof head).data, sizeof head);
    row.wa_timestamp_s = head.wa_timestamp_s;
    row.status = str_take(kept, head.status);
    row.participant = str_take(kept, head.participant);
    row.error = str_take(kept, head.error);
    return row;
}

enum err status_parked_participants(struct inbound_work *work, const struct store_message *row)
{
    autobuf struct buf kept = BUF_INIT;
    enum err err = store_status_each(work->tx, row->phone_number_id, row->wamid, keep_row, &kept);
    struct str rest = buf_str(&kept);

    while (err == OK && rest.len > 0) {
        struct store_status_row status = next_row(&rest);
        bool risen;

        err = participant_apply(work, row->id, row->business_id, &status, &risen);
    }
    return err;
}
