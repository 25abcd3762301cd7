/* POST /api/emit: an event of another back end, to whoever is in a room of its business now. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/json_text.h"
#include "siod/api/call.h"
#include "siod/chat/access.h"
#include "siod/chat/desk.h"
#include "siod/socketio/socketio.h"

enum { NAME_MAX_BYTES = 128 };

struct emission {
    struct str event, room; /* borrowed from the body */
    struct str payload;     /* likewise, JSON; .data NULL = an event without arguments */
    struct buf decoded;     /* what the body has with escapes */
};

static void emit(struct api_call *call, const struct emission *emission)
{
    int64_t business_id = call->claims.business_id;
    autobuf struct buf args = BUF_INIT, text = BUF_INIT;
    struct sio_broadcast broadcast = { .room = emission->room, .event = emission->event };
    unsigned receivers;

    if (emission->payload.data != NULL) {
        json_add_compact(&args, emission->payload);
    }
    broadcast.args = buf_str(&args);
    receivers = desk_emit(call->config->desk, business_id, &broadcast);
    buf_add_cstr(&text, "{\"event\":");
    json_add_string(&text, emission->event);
    buf_add_cstr(&text, ",\"room\":");
    json_add_string(&text, emission->room);
    buf_printf(&text, ",\"businessId\":%" PRId64 ",\"receivers\":%u}", business_id, receivers);
    api_reply(call, buf_str(&text));
}

static void checked(void *arg, enum err err)
{
    struct api_call *call = arg;

    if (!api_unhold(call)) {
        return;
    }
    if (err != OK) {
        api_fail(call, err, err == ERR_NOT_FOUND ? "room: no such room" : NULL);
    } else {
        emit(call, call->state);
    }
}

static void release(void *state)
{
    struct emission *emission = state;

    buf_finish(&emission->decoded);
    free(emission);
}

void api_emit(struct api_call *call)
{
    static const struct json_field fields[] = {
        { "event", JSON_FIELD_STR, offsetof(struct emission, event), true, NAME_MAX_BYTES, NULL },
        { "room", JSON_FIELD_STR, offsetof(struct emission, room), true, NAME_MAX_BYTES, NULL },
        { "payload", JSON_FIELD_ANY, offsetof(struct emission, payload), false, 0, NULL },
        JSON_FIELDS_END,
    };
    struct emission *emission = xnew(struct emission);
    struct errmsg msg = { "" };
    enum err err = json_bind(call->body, fields, &emission->decoded, emission, &msg);

    call->state = emission;
    call->release = release;
    if (err == OK && !desk_may_emit(emission->event)) {
        err = err_set(&msg, ERR_INVALID, "event: not a name for an event");
    } else if (err == OK && emission->room.len == 0) {
        err = err_set(&msg, ERR_INVALID, "room: must not be empty");
    }
    if (err != OK) {
        api_fail(call, err, "%s", msg.text);
        return;
    }
    api_hold(call);
    access_room(call->config->desk, call->claims.business_id, emission->room, checked, call);
}
