#include "siod/chat/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "libshared/json.h"
#include "siod/chat/events.h"
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

/* The state that a logged status asks for. One participant's failure is not the group's. */
static bool wanted_state(struct str word, struct str participant, enum store_status *ret_status)
{
    return store_status_parse(word, ret_status) &&
           !(*ret_status == STORE_STATUS_FAILED && participant.len > 0);
}

static struct str render_error(struct inbound_work *work, const json_t *error)
{
    if (error == NULL) {
        return STR_NONE;
    }
    buf_clear(&work->error);
    json_add_tree(&work->error, error);
    return buf_str(&work->error);
}

static enum err tell_room(struct inbound_work *work, const struct store_message_state *message,
                          enum store_status status, struct str error)
{
    struct buf *args = &work->args;
    char room[32];
    int len = snprintf(room, sizeof room, "chat_%" PRId64, message->chat_id);

    buf_clear(args);
    buf_add_cstr(args, "{\"messageId\":");
    buf_add_i64(args, message->id);
    buf_add_cstr(args, ",\"chatId\":");
    buf_add_i64(args, message->chat_id);
    buf_add_cstr(args, ",\"status\":");
    json_add_cstr(args, store_status_name(status));
    if (error.len > 0) {
        buf_add_cstr(args, ",\"error\":");
        buf_add_str(args, error);
    }
    buf_add_cstr(args, ",\"timestamp\":");
    time_render(args, work->now_ms);
    buf_add_char(args, '}');
    return store_log_append(work->tx, message->business_id, (struct str) { room, (size_t)len },
                            event_name(EVENT_message_status_update), buf_str(args));
}

static enum err apply_to_message(struct inbound_work *work, const struct inbound_status *status,
                                 struct str error)
{
    struct store_message_state message;
    enum store_status next;
    enum err err;

    if (!wanted_state(status->status, status->participant, &next)) {
        return OK;
    }
    err = store_message_state_by_wamid(work->tx, status->phone_number_id, status->wamid, &message);
    if (err != OK) {
        return err == ERR_NOT_FOUND ? OK : err;
    }
    if (!status_rises(message.status, next)) {
        return OK;
    }
    err = store_message_status_set(work->tx, message.id, next, error);
    return err != OK ? err : tell_room(work, &message, next, error);
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
    row.error = render_error(work, status->error);
    err = store_status_record(work->tx, &row, &fresh);
    if (err == OK && fresh) {
        err = apply_to_message(work, status, row.error);
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
};

static enum err fold(void *arg, const struct store_status_row *row)
{
    struct parked *parked = arg;
    enum store_status next;

    if (wanted_state(row->status, row->participant, &next) && status_rises(parked->status, next)) {
        parked->status = next;
        buf_clear(&parked->work->error);
        buf_add_str(&parked->work->error, row->error);
    }
    return OK;
}

enum err status_parked(struct inbound_work *work, struct str phone_number_id, struct str wamid,
                       enum store_status *status, struct str *ret_error)
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
    return OK;
}
