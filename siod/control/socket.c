/* Sockets are walked all at once and remembered by id; each is looked up again when its row is
 * rendered, since it may have left meanwhile. */
#include "siod/control/socket.h"

#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "siod/chat/desk.h"
#include "siod/chat/message.h"
#include "siod/control/call.h"
#include "siod/engineio/engineio.h"
#include "siod/net/loop.h"
#include "siod/socketio/socketio.h"

enum { SLICE_ROWS = 500 };

struct socket_list {
    struct buf ids; /* SID_LEN bytes each */
    size_t at;
    int64_t business_id, user_id; /* 0 = all */
    const char *open, *close;     /* around the rows of a piece */
    void (*render)(struct control_call *call, struct buf *out, struct sio_socket *socket);
};

static void socket_list_free(void *state)
{
    struct socket_list *list = state;

    buf_finish(&list->ids);
    free(list);
}

static bool wanted(const struct socket_list *list, const struct desk_agent *agent)
{
    return agent != NULL && (list->business_id == 0 || list->business_id == agent->business_id) &&
           (list->user_id == 0 || list->user_id == agent->user_id);
}

static bool copy_id(void *arg, struct sio_socket *socket)
{
    struct socket_list *list = arg;

    if (wanted(list, desk_agent_of(socket))) {
        buf_add(&list->ids, sio_socket_id(socket), SID_LEN);
    }
    return true;
}

static bool list_slice(struct control_call *call)
{
    struct socket_list *list = call->state;
    struct sio_namespace *nsp = desk_namespace(control_config(call)->desk);
    autobuf struct buf piece = BUF_INIT;
    const char *separator = "";

    buf_add_cstr(&piece, list->open);
    for (unsigned i = 0; i < SLICE_ROWS && list->at < list->ids.len; i++) {
        struct str id = { list->ids.data + list->at, SID_LEN };
        struct sio_socket *socket = sio_socket_find(nsp, id);

        list->at += SID_LEN;
        if (socket != NULL && desk_agent_of(socket) != NULL) {
            buf_add_cstr(&piece, separator);
            list->render(call, &piece, socket);
            separator = ",";
        }
    }
    buf_add_cstr(&piece, list->close);
    if (list->at == list->ids.len) {
        control_reply(call, buf_str(&piece));
        return false;
    }
    control_piece(call, buf_str(&piece));
    return true;
}

static struct socket_list *list_start(struct control_call *call)
{
    struct socket_list *list = xnew(struct socket_list);

    call->state = list;
    call->release = socket_list_free;
    control_produce(call, list_slice);
    return list;
}

static void render_identity(struct buf *out, struct sio_socket *socket)
{
    const struct desk_agent *agent = desk_agent_of(socket);
    enum eio_transport transport = eio_session_transport(sio_socket_session(socket));

    buf_add_cstr(out, "{\"socketId\":");
    json_add_cstr(out, sio_socket_id(socket));
    buf_add_cstr(out, ",\"userId\":");
    buf_add_i64(out, agent->user_id);
    buf_add_cstr(out, ",\"businessId\":");
    buf_add_i64(out, agent->business_id);
    buf_add_cstr(out, ",\"name\":");
    json_add_cstr(out, agent->name);
    buf_add_cstr(out, ",\"role\":");
    json_add_cstr(out, token_role_name(agent->role));
    buf_add_cstr(out, ",\"transport\":");
    json_add_cstr(out, eio_transport_name(transport));
}

static void render_member(struct control_call *call, struct buf *out, struct sio_socket *socket)
{
    (void)call;
    render_identity(out, socket);
    buf_add_char(out, '}');
}

static bool render_room_name(void *arg, struct str room)
{
    struct buf *out = arg;

    if (out->data[out->len - 1] != '[') {
        buf_add_char(out, ',');
    }
    json_add_string(out, room);
    return true;
}

static void render_socket(struct control_call *call, struct buf *out, struct sio_socket *socket)
{
    const struct eio_session *session = sio_socket_session(socket);
    const struct loop *loop = control_config(call)->loop;
    uint64_t age_ms = loop_now_ms(loop) - eio_session_opened_ms(session);

    render_identity(out, socket);
    buf_add_cstr(out, ",\"address\":");
    json_add_cstr(out, eio_session_address(session));
    buf_add_cstr(out, ",\"connectedAt\":");
    time_render(out, loop_wall_ms(loop) - (int64_t)age_ms);
    buf_add_cstr(out, ",\"pendingBytes\":");
    buf_add_u64(out, eio_session_pending(session));
    buf_add_cstr(out, ",\"rooms\":[");
    sio_socket_rooms_each(socket, render_room_name, out);
    buf_add_cstr(out, "]}");
}

void control_socket_list(struct control_call *call)
{
    struct socket_list *list = list_start(call);

    list->business_id = control_arg_int(call, "business");
    list->user_id = control_arg_int(call, "user");
    list->open = "[";
    list->close = "]";
    list->render = render_socket;
    sio_sockets_each(desk_namespace(control_config(call)->desk), copy_id, list);
}

void control_send_members(struct control_call *call, uint64_t scope, struct str room)
{
    struct socket_list *list = list_start(call);

    list->open = "{\"members\":[";
    list->close = "]}";
    list->render = render_member;
    sio_room_members_each(desk_namespace(control_config(call)->desk), scope, room, copy_id, list);
}

/* ---- one socket, or one user's */

struct sio_socket *control_find_socket(struct control_call *call)
{
    struct str id = control_arg_str(call, "socket");
    struct sio_socket *socket = sio_socket_find(desk_namespace(control_config(call)->desk), id);

    if (socket == NULL || desk_agent_of(socket) == NULL) {
        control_fail(call, ERR_NOT_FOUND, "no socket '%.*s'", (int)MIN(id.len, 64), id.data);
        return NULL;
    }
    return socket;
}

void control_socket_show(struct control_call *call)
{
    struct sio_socket *socket = control_find_socket(call);
    autobuf struct buf text = BUF_INIT;

    if (socket != NULL) {
        render_socket(call, &text, socket);
        control_reply(call, buf_str(&text));
    }
}

struct kick {
    struct socket_list wanted;
    unsigned kicked;
};

static bool kick_one(void *arg, struct sio_socket *socket)
{
    struct kick *kick = arg;

    if (wanted(&kick->wanted, desk_agent_of(socket))) {
        sio_socket_disconnect(socket, true);
        kick->kicked++;
    }
    return true;
}

static unsigned kick_user(struct control_call *call)
{
    struct kick kick = { .wanted = { .business_id = control_arg_int(call, "business"),
                                     .user_id = control_arg_int(call, "user") } };

    sio_sockets_each(desk_namespace(control_config(call)->desk), kick_one, &kick);
    if (kick.kicked == 0) {
        control_fail(call, ERR_NOT_FOUND, "no socket of user %lld", (long long)kick.wanted.user_id);
    }
    return kick.kicked;
}

static unsigned kick_named(struct control_call *call)
{
    struct sio_socket *socket = control_find_socket(call);

    if (socket != NULL) {
        sio_socket_disconnect(socket, true);
    }
    return socket != NULL;
}

void control_socket_kick(struct control_call *call)
{
    bool user = control_arg(call, "user") != NULL;
    autobuf struct buf text = BUF_INIT;
    unsigned kicked;

    if (user == (control_arg(call, "socket") != NULL)) {
        control_fail(call, ERR_INVALID, "give either a socket or --user");
        return;
    }
    kicked = user ? kick_user(call) : kick_named(call);
    if (kicked > 0) {
        buf_printf(&text, "{\"kicked\":%u}", kicked);
        control_reply(call, buf_str(&text));
    }
}
