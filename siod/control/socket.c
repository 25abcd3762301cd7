/* Sockets are walked where they are, in slices: each is shown as it is when the walk gets to it. */
#include "siod/control/socket.h"

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "siod/chat/desk.h"
#include "siod/chat/message.h"
#include "siod/control/agent.h"
#include "siod/control/call.h"
#include "siod/engineio/engineio.h"
#include "siod/net/loop.h"
#include "siod/socketio/socketio.h"

struct socket_list {
    struct sio_walk walk;
    int64_t business_id, user_id; /* 0 = all */
    const char *open, *close;     /* around the rows of a piece */
    void (*render)(struct control_call *call, struct buf *out, struct sio_socket *socket);
    struct control_businesses homes; /* of the sockets that are to be kicked */
    unsigned kicked;
};

static void socket_list_free(void *state)
{
    struct socket_list *list = state;

    sio_walk_end(&list->walk);
    free(list);
}

static bool wanted(const struct socket_list *list, const struct desk_agent *agent)
{
    return agent != NULL && (list->business_id == 0 || list->business_id == agent->business_id) &&
           (list->user_id == 0 || list->user_id == agent->user_id);
}

static bool list_slice(struct control_call *call)
{
    struct socket_list *list = call->state;
    autobuf struct buf piece = BUF_INIT;
    struct sio_socket *socket;

    buf_add_cstr(&piece, list->open);
    while ((socket = sio_walk_socket(&list->walk)) != NULL) {
        if (wanted(list, desk_agent_of(socket))) {
            control_piece_row(&piece);
            list->render(call, &piece, socket);
        }
        if (control_slice_over(call, &piece)) {
            break;
        }
    }
    buf_add_cstr(&piece, list->close);
    return control_send_piece(call, &piece, socket != NULL);
}

static struct socket_list *list_start(struct control_call *call,
                                      bool (*slice)(struct control_call *call))
{
    struct socket_list *list = xnew(struct socket_list);

    call->state = list;
    call->release = socket_list_free;
    control_produce(call, slice);
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
    json_add_string(out, desk_agent_name(socket));
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

    control_piece_row(out);
    json_add_string(out, room);
    return true;
}

static void render_socket(struct control_call *call, struct buf *out, struct sio_socket *socket)
{
    const struct eio_session *session = sio_socket_session(socket);

    (void)call;
    render_identity(out, socket);
    buf_add_cstr(out, ",\"address\":");
    json_add_cstr(out, eio_session_address(session));
    buf_add_cstr(out, ",\"connectedAt\":");
    time_render(out, eio_session_opened_wall_ms(session));
    buf_add_cstr(out,
                 sio_socket_recovered(socket) ? ",\"recovered\":true" : ",\"recovered\":false");
    buf_add_cstr(out, ",\"pendingBytes\":");
    buf_add_u64(out, eio_session_pending(session));
    buf_add_cstr(out, ",\"rooms\":[");
    sio_socket_rooms_each(socket, render_room_name, out);
    buf_add_cstr(out, "]}");
}

/* The sockets that the call wants, of all. */
static struct socket_list *list_all(struct control_call *call,
                                    bool (*slice)(struct control_call *call))
{
    struct socket_list *list = list_start(call, slice);

    list->business_id = control_arg_int(call, "business");
    list->user_id = control_arg_int(call, "user");
    sio_walk_sockets(&list->walk, desk_namespace(control_config(call)->desk));
    return list;
}

void control_socket_list(struct control_call *call)
{
    struct socket_list *list = list_all(call, list_slice);

    list->open = "[";
    list->close = "]";
    list->render = render_socket;
}

void control_send_members(struct control_call *call, uint64_t scope, struct str room)
{
    struct socket_list *list = list_start(call, list_slice);

    list->open = "{\"members\":[";
    list->close = "]}";
    list->render = render_member;
    sio_walk_members(&list->walk, desk_namespace(control_config(call)->desk), scope, room);
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

/* Of one that left not long ago it is told when, and why. */
static bool fail_gone(struct control_call *call)
{
    struct str id = control_arg_str(call, "socket");
    struct sio_reason reason;
    char at[CLOCK_ISO_SIZE];
    int64_t at_ms;

    if (sio_socket_find(desk_namespace(control_config(call)->desk), id) != NULL ||
        !desk_gone(control_config(call)->desk, id, &reason, &at_ms)) {
        return false;
    }
    clock_iso(at_ms, at);
    control_fail(call, ERR_NOT_FOUND, "socket '%.*s' left at %s: %s", STR_ARG(id), at,
                 sio_reason_text(reason));
    return true;
}

void control_socket_show(struct control_call *call)
{
    struct sio_socket *socket = fail_gone(call) ? NULL : control_find_socket(call);
    autobuf struct buf text = BUF_INIT;

    if (socket != NULL) {
        render_socket(call, &text, socket);
        control_reply(call, buf_str(&text));
    }
}

static void kicks_recorded(void *arg, enum err err)
{
    control_arrived(arg, err);
}

static void answer_kicked(struct control_call *call, unsigned kicked)
{
    autobuf struct buf text = BUF_INIT;

    control_await(call);
    desk_kicks_record(control_config(call)->desk, kicks_recorded, call);
    buf_printf(&text, "{\"kicked\":%u}", kicked);
    control_reply(call, buf_str(&text));
}

static void kick_named(struct control_call *call)
{
    struct sio_socket *socket = control_find_socket(call);

    if (socket != NULL) {
        desk_kick(socket);
        answer_kicked(call, 1);
    }
}

static bool kick_slice(struct control_call *call)
{
    struct socket_list *list = call->state;
    const struct buf no_piece = BUF_INIT;
    struct sio_socket *socket;

    while ((socket = sio_walk_socket(&list->walk)) != NULL) {
        if (wanted(list, desk_agent_of(socket))) {
            desk_kick(socket);
            list->kicked++;
        }
        if (control_slice_over(call, &no_piece)) {
            return true;
        }
    }
    answer_kicked(call, list->kicked);
    return false;
}

static bool homes_known(struct control_call *call)
{
    struct socket_list *list = call->state;

    if (list->homes.count == 0) {
        control_fail(call, ERR_NOT_FOUND, "no socket of user %lld", (long long)list->user_id);
        return false;
    }
    if (list->homes.count > 1) {
        control_fail_ambiguous_agent(call, &list->homes, list->user_id);
        return false;
    }
    list->business_id = list->homes.ids[0];
    sio_walk_end(&list->walk);
    sio_walk_sockets(&list->walk, desk_namespace(control_config(call)->desk));
    control_produce(call, kick_slice);
    return true;
}

/* A user of one business is not the user of that number in another. */
static bool homes_slice(struct control_call *call)
{
    struct socket_list *list = call->state;
    const struct buf no_piece = BUF_INIT;
    const struct sio_socket *socket;

    while ((socket = sio_walk_socket(&list->walk)) != NULL) {
        const struct desk_agent *agent = desk_agent_of(socket);

        if (wanted(list, agent)) {
            control_businesses_add(&list->homes, agent->business_id);
        }
        if (control_slice_over(call, &no_piece)) {
            return true;
        }
    }
    return homes_known(call);
}

void control_socket_kick(struct control_call *call)
{
    bool user = control_arg(call, "user") != NULL;

    if (user == (control_arg(call, "socket") != NULL)) {
        control_fail(call, ERR_INVALID, "give either a socket or --user");
    } else if (user) {
        (void)list_all(call, homes_slice);
    } else {
        kick_named(call);
    }
}
