/* `room list` and `room show`.
 *
 * Walking the rooms is all at once, so only what it finds is copied; rendering that, which takes
 * longer, is cut into slices. A room may have gone by then: it is shown as it was. */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/chat/desk.h"
#include "siod/control/call.h"
#include "siod/control/socket.h"
#include "siod/socketio/socketio.h"

enum { SLICE_ROWS = 1000, BUSINESSES_NAMED = 8 };

struct room_entry { /* followed by the name */
    uint64_t scope;
    unsigned members;
    uint32_t len;
};

struct room_list {
    struct buf entries;
    size_t at;
    int64_t business_id; /* 0 = all */
};

static struct sio_namespace *namespace_of(const struct control_call *call)
{
    return desk_namespace(control_config(call)->desk);
}

static void room_list_free(void *state)
{
    struct room_list *list = state;

    buf_finish(&list->entries);
    free(list);
}

static bool copy_room(void *arg, const struct sio_room_info *room)
{
    struct room_list *list = arg;
    const struct room_entry entry = { room->scope, room->members, (uint32_t)room->name.len };

    if (list->business_id == 0 || (uint64_t)list->business_id == room->scope) {
        buf_add(&list->entries, &entry, sizeof(entry));
        buf_add_str(&list->entries, room->name);
    }
    return true;
}

static void render_room(struct buf *out, const char *namespace, const struct room_entry *entry,
                        struct str name)
{
    buf_add_cstr(out, "{\"room\":");
    json_add_string(out, name);
    buf_add_cstr(out, ",\"namespace\":");
    json_add_cstr(out, namespace);
    buf_add_cstr(out, ",\"businessId\":");
    buf_add_u64(out, entry->scope);
    buf_add_cstr(out, ",\"members\":");
    buf_add_u64(out, entry->members);
    buf_add_char(out, '}');
}

static bool room_list_slice(struct control_call *call)
{
    struct room_list *list = call->state;
    const char *namespace = sio_namespace_name(namespace_of(call));
    autobuf struct buf piece = BUF_INIT;

    buf_add_char(&piece, '[');
    for (unsigned i = 0; i < SLICE_ROWS && list->at < list->entries.len; i++) {
        struct room_entry entry;
        const char *at = list->entries.data + list->at;

        memcpy(&entry, at, sizeof(entry));
        if (i > 0) {
            buf_add_char(&piece, ',');
        }
        render_room(&piece, namespace, &entry, (struct str) { at + sizeof(entry), entry.len });
        list->at += sizeof(entry) + entry.len;
    }
    buf_add_char(&piece, ']');
    if (list->at == list->entries.len) {
        control_reply(call, buf_str(&piece));
        return false;
    }
    control_piece(call, buf_str(&piece));
    return true;
}

void control_room_list(struct control_call *call)
{
    struct room_list *list = xnew(struct room_list);

    list->business_id = control_arg_int(call, "business");
    call->state = list;
    call->release = room_list_free;
    sio_rooms_each(namespace_of(call), copy_room, list);
    control_produce(call, room_list_slice);
}

struct room_search {
    struct str name;
    uint64_t scopes[BUSINESSES_NAMED];
    unsigned found;
};

static bool match_room(void *arg, const struct sio_room_info *room)
{
    struct room_search *search = arg;

    if (str_eq(room->name, search->name)) {
        if (search->found < BUSINESSES_NAMED) {
            search->scopes[search->found] = room->scope;
        }
        search->found++;
    }
    return true;
}

static void fail_ambiguous(struct control_call *call, const struct room_search *search)
{
    autobuf struct buf list = BUF_INIT;

    for (unsigned i = 0; i < MIN(search->found, BUSINESSES_NAMED); i++) {
        buf_printf(&list, "%s%llu", i > 0 ? ", " : "", (unsigned long long)search->scopes[i]);
    }
    control_fail(call, ERR_INVALID, "businesses %s%s have a room '%.*s': choose with --business",
                 list.data, search->found > BUSINESSES_NAMED ? " and others" : "",
                 STR_ARG(search->name));
}

/* False: the call has been answered. */
static bool find_room(struct control_call *call, struct str name, uint64_t *ret_scope)
{
    int64_t business_id = control_arg_int(call, "business");
    struct room_search search = { .name = name };

    if (business_id > 0) {
        search.scopes[0] = (uint64_t)business_id;
        search.found = sio_room_size(namespace_of(call), (uint64_t)business_id, name) > 0;
    } else {
        sio_rooms_each(namespace_of(call), match_room, &search);
    }
    if (search.found == 0) {
        control_fail(call, ERR_NOT_FOUND, "no room '%.*s'", (int)MIN(name.len, 200), name.data);
    } else if (search.found > 1) {
        fail_ambiguous(call, &search);
    }
    *ret_scope = search.scopes[0];
    return search.found == 1;
}

void control_room_show(struct control_call *call)
{
    struct str name = control_arg_str(call, "room");
    autobuf struct buf head = BUF_INIT;
    uint64_t scope;

    if (!find_room(call, name, &scope)) {
        return;
    }
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

/* ---- join and leave: the room is of the socket's own business */

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

void control_room_join(struct control_call *call)
{
    struct str room = control_arg_str(call, "room");
    struct sio_socket *socket = control_find_socket(call);

    if (socket == NULL) {
        return;
    }
    if (room.len == 0 || room.len > SIO_ROOM_NAME_MAX) {
        control_fail(call, ERR_INVALID, "a room's name has 1 to %d bytes", SIO_ROOM_NAME_MAX);
    } else if (!sio_socket_join(socket, room)) {
        control_fail(call, ERR_RATE_LIMITED, "the socket is in as many rooms as it may be");
    } else {
        answer_member(call, socket, room);
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
    desk_leave_room(socket, room);
    answer_member(call, socket, room);
}
