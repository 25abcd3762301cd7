/* `emit`: an event of the operator's own, to whoever is in a room now. */
#include "libshared/json.h"
#include "siod/chat/desk.h"
#include "siod/control/call.h"
#include "siod/socketio/socketio.h"

void control_emit(struct control_call *call)
{
    const struct sio_broadcast broadcast = { .room = control_arg_str(call, "room"),
                                             .event = control_arg_str(call, "event"),
                                             .args = control_arg_str(call, "json") };
    int64_t business_id = control_arg_int(call, "business");
    autobuf struct buf text = BUF_INIT;
    unsigned receivers;

    if (!desk_may_emit(broadcast.event)) {
        control_fail(call, ERR_INVALID, "'%.*s' is no name for an event", STR_ARG(broadcast.event));
        return;
    }
    if (broadcast.room.len == 0 || broadcast.room.len > SIO_ROOM_NAME_MAX) {
        control_fail(call, ERR_INVALID, "a room's name has 1 to %d bytes", SIO_ROOM_NAME_MAX);
        return;
    }
    receivers = desk_emit(control_config(call)->desk, business_id, &broadcast);
    buf_add_cstr(&text, "{\"event\":");
    json_add_string(&text, broadcast.event);
    buf_add_cstr(&text, ",\"room\":");
    json_add_string(&text, broadcast.room);
    buf_printf(&text, ",\"businessId\":%lld,\"receivers\":%u}", (long long)business_id, receivers);
    control_reply(call, buf_str(&text));
}
