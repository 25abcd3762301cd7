/* `room list` and `room show`: walks over the live rooms, cut into slices. A room is shown as it is
 * when the walk gets to it. */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/id.h"
#include "libshared/json.h"
#include "siod/chat/desk.h"
#include "siod/control/agent.h"
#include "siod/control/call.h"
#include "siod/control/socket.h"
#include "siod/socketio/socketio.h"

struct room_list {
    struct sio_walk walk;
    int64_t business_id; /* 0 = all */
};

static struct sio_namespace *namespace_of(const struct control_call *call)
{
    return desk_namespace(control_config(call)->desk);
}

static void room_list_free(void *state)
{
    struct room_list *list = state;

    sio_walk_end(&list->walk);
    free(list);
}

static void render_room(struct buf *out, const char *namespace, const struct sio_room_info *room)
{
    buf_add_cstr(out, "{\"room\":");
    json_add_string(out, room->name);
    buf_add_cstr(out, ",\"namespace\":");
    json_add_cstr(out, namespace);
    buf_add_cstr(out, ",\"businessId\":");
    buf_add_u64(out, room->scope);
    buf_add_cstr(out, ",\"members\":");
    buf_add_u64(out, room->members);
    buf_add_char(out, '}');
}

static bool room_list_slice(struct control_call *call)
{
    struct room_list *list = call->state;
    const char *namespace = sio_namespace_name(namespace_of(call));
    autobuf struct buf piece = BUF_INIT;
    struct sio_room_info room;
    bool more;

    buf_add_char(&piece, '[');
    while ((more = sio_walk_room(&list->walk, &room))) {
        if (list->business_id == 0 || (uint64_t)list->business_id == room.scope) {
            control_piece_row(&piece);
            render_room(&piece, namespace, &room);
        }
        if (control_slice_over(call, &piece)) {
            break;
        }
    }
    buf_add_char(&piece, ']');
    return control_send_piece(call, &piece, more);
}

void control_room_list(struct control_call *call)
{
    struct room_list *list = xnew(struct room_list);

    list->business_id = control_arg_int(call, "business");
    sio_walk_rooms(&list->walk, namespace_of(call));
    call->state = list;
    call->release = room_list_free;
    control_produce(call, room_list_slice);
}

/* ---- one room; without --business in whichever business there is one of this name */

struct room_search {
    struct sio_walk walk;
    struct control_businesses homes;
};

static void room_search_free(void *state)
{
    struct room_search *search = state;

    sio_walk_end(&search->walk);
    free(search);
}

static void fail_ambiguous(struct control_call *call, const struct room_search *search)
{
    struct str name = control_arg_str(call, "room");
    autobuf struct buf what = BUF_INIT;

    buf_printf(&what, "a room '%.*s'", STR_ARG(name));
    control_fail_ambiguous(call, &search->homes, what.data);
}

static void show_room(struct control_call *call, uint64_t scope)
{
    struct str name = control_arg_str(call, "room");
    autobuf struct buf head = BUF_INIT;

    buf_add_cstr(&head, "{\"room\":");
    json_add_string(&head, name);
    buf_add_cstr(&head, ",\"namespace\":");
    json_add_cstr(&head, sio_namespace_name(namespace_of(call)));
    buf_add_cstr(&head, ",\"businessId\":");
    buf_add_u64(&head, scope);
    buf_add_cstr(&head, ",\"members\":[]}");
    control_piece(call, buf_str(&head));
    control_send_members(call, scope, name);
}

static void fail_unknown(struct control_call *call)
{
    struct str name = control_arg_str(call, "room");

    control_fail(call, ERR_NOT_FOUND, "no room '%.*s'", (int)MIN(name.len, 200), name.data);
}

/* Ends the search, and with it the call unless there is one room. */
static bool search_done(struct control_call *call)
{
    struct room_search *search = call->state;
    int64_t business_id = search->homes.ids[0];

    if (search->homes.count == 0) {
        fail_unknown(call);
        return false;
    }
    if (search->homes.count > 1) {
        fail_ambiguous(call, search);
        return false;
    }
    call->release(call->state);
    call->release = NULL;
    show_room(call, (uint64_t)business_id);
    return true;
}

static bool search_slice(struct control_call *call)
{
    struct room_search *search = call->state;
    struct str name = control_arg_str(call, "room");
    const struct buf no_piece = BUF_INIT;
    struct sio_room_info room;

    while (sio_walk_room(&search->walk, &room)) {
        if (str_eq(room.name, name)) {
            control_businesses_add(&search->homes, (int64_t)room.scope);
        }
        if (control_slice_over(call, &no_piece)) {
            return true;
        }
    }
    return search_done(call);
}

static void search_room(struct control_call *call)
{
    struct room_search *search = xnew(struct room_search);

    sio_walk_rooms(&search->walk, namespace_of(call));
    call->state = search;
    call->release = room_search_free;
    control_produce(call, search_slice);
}

void control_room_show(struct control_call *call)
{
    int64_t business_id = control_arg_int(call, "business");
    struct str name = control_arg_str(call, "room");

    if (business_id <= 0) {
        search_room(call);
    } else if (sio_room_size(namespace_of(call), (uint64_t)business_id, name) > 0) {
        show_room(call, (uint64_t)business_id);
    } else {
        fail_unknown(call);
    }
}

/* ---- join and leave: the room is of the socket's own business */

/* Every socket is in its business's room, and in no other business's. */
static bool is_any_business(struct str room)
{
    const struct str head = STR("business_");
    int64_t id;

    return str_starts_with(room, head) && id_parse(str_skip(room, head.len), &id);
}

static void answer_member(struct control_call *call, const struct sio_socket *socket,
                          struct str room)
{
    autobuf struct buf text = BUF_INIT;

    buf_add_cstr(&text, "{\"room\":");
    json_add_string(&text, room);
    buf_add_cstr(&text, ",\"businessId\":");
    buf_add_u64(&text, sio_socket_scope(socket));
    buf_add_cstr(&text, ",\"socketId\":");
    json_add_cstr(&text, sio_socket_id(socket));
    buf_add_cstr(&text, sio_socket_in(socket, room) ? ",\"member\":true}" : ",\"member\":false}");
    control_reply(call, buf_str(&text));
}

static void room_recorded(void *arg, enum err err)
{
    control_arrived(arg, err);
}

void control_room_join(struct control_call *call)
{
    struct str room = control_arg_str(call, "room");
    struct sio_socket *socket = control_find_socket(call);

    if (socket == NULL) {
        return;
    }
    if (room.len == 0 || room.len > SIO_ROOM_NAME_MAX) {
        control_fail(call, ERR_INVALID, "a room's name has 1 to %d bytes", SIO_ROOM_NAME_MAX);
        return;
    }
    if (is_any_business(room) && !sio_socket_in(socket, room)) {
        control_fail(call, ERR_NOT_FOUND, "'%.*s' is not the room of the socket's business",
                     STR_ARG(room));
        return;
    }
    control_await(call);
    if (desk_join_room(socket, room, room_recorded, call)) {
        answer_member(call, socket, room);
    } else {
        control_fail(call, ERR_RATE_LIMITED, "the socket is in as many rooms as it may be");
        control_arrived(call, OK);
    }
}

void control_room_leave(struct control_call *call)
{
    struct str room = control_arg_str(call, "room");
    struct sio_socket *socket = control_find_socket(call);

    if (socket == NULL) {
        return;
    }
    if (!sio_socket_in(socket, room)) {
        control_fail(call, ERR_NOT_FOUND, "the socket is not in '%.*s'", (int)MIN(room.len, 200),
                     room.data);
        return;
    }
    if (is_any_business(room)) {
        control_fail(call, ERR_INVALID, "a socket stays in the room of its business");
        return;
    }
    control_await(call);
    desk_leave_room(socket, room, room_recorded, call);
    answer_member(call, socket, room);
}
