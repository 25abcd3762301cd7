/* Rooms: who is where.
 *
 * A room is a dense array of members and a socket has a dense array of memberships; each entry
 * knows the index of its counterpart. Leaving moves the last entry of either array into the gap. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/socketio/server.h"

enum { MEMBERS_FIRST = 4, SLOT_MASK = 0x7fffffff };

/* Laid out as scope and name are in struct sio_room. */
struct room_key {
    uint64_t scope;
    char name[SIO_ROOM_NAME_MAX];
};
enum { KEY_HEAD = offsetof(struct room_key, name) };
_Static_assert(offsetof(struct sio_room, name) - offsetof(struct sio_room, scope) == KEY_HEAD,
               "a room's key is contiguous");

/* Only the part that is in use is written. Returns its length, 0 when the name is too long. */
static unsigned make_key(struct room_key *key, uint64_t scope, struct str name)
{
    if (name.len > sizeof key->name) {
        return 0;
    }
    key->scope = scope;
    if (name.len > 0) {
        memcpy(key->name, name.data, name.len);
    }
    return (unsigned)(KEY_HEAD + name.len);
}

struct str sio_room_name(const struct sio_room *room)
{
    return (struct str) { room->name, room->key_len - KEY_HEAD };
}

static struct sio_room *find(struct sio_namespace *nsp, const struct room_key *key,
                             unsigned key_len)
{
    struct sio_room *room = NULL;

    HASH_FIND(hh, nsp->rooms, key, key_len, room);
    return room;
}

struct sio_room *sio_room_find(struct sio_namespace *nsp, uint64_t scope, struct str name)
{
    struct room_key key;
    unsigned key_len = make_key(&key, scope, name);

    return key_len > 0 ? find(nsp, &key, key_len) : NULL;
}

static struct sio_room *room_new(const struct sio_socket *first, const struct room_key *key,
                                 unsigned key_len)
{
    struct sio_namespace *nsp = first->nsp;
    struct sio_room *room = xcalloc(1, sizeof *room + key_len - KEY_HEAD);

    room->nsp = nsp;
    room->stream = first->stream;
    room->key_len = key_len;
    room->scope = key->scope;
    memcpy(room->name, key->name, key_len - KEY_HEAD);
    HASH_ADD_KEYPTR(hh, nsp->rooms, &room->scope, key_len, room);
    nsp->server->stats.rooms++;
    return room;
}

static void room_free(struct sio_room *room)
{
    sio_walks_lose_room(room->nsp, room);
    HASH_DELETE(hh, room->nsp->rooms, room);
    room->nsp->server->stats.rooms--;
    free(room->members);
    free(room);
}

/* The place of `room` in socket->rooms, or -1: looks through the shorter of the two lists. */
static int find_slot(const struct sio_socket *socket, const struct sio_room *room)
{
    if (socket->room_count <= room->count) {
        for (unsigned slot = 0; slot < socket->room_count; slot++) {
            if (socket->rooms[slot].room == room) {
                return (int)slot;
            }
        }
        return -1;
    }
    for (unsigned index = 0; index < room->count; index++) {
        if (room->members[index].socket == socket) {
            return (int)room->members[index].slot;
        }
    }
    return -1;
}

bool sio_room_has(const struct sio_room *room, const struct sio_socket *socket)
{
    return find_slot(socket, room) >= 0;
}

static void make_room(struct sio_socket *socket)
{
    if (socket->rooms != NULL) {
        if (socket->room_count < 1u << socket->rooms_log) {
            return;
        }
        socket->rooms_log++;
    }
    socket->rooms = xrealloc(socket->rooms, sizeof *socket->rooms << socket->rooms_log);
}

static void add_member(struct sio_room *room, struct sio_socket *socket, struct sio_mark joined)
{
    if (room->count == room->cap) {
        room->cap = MAX(MEMBERS_FIRST, room->cap + room->cap / 2);
        room->members = xrealloc(room->members, room->cap * sizeof *room->members);
    }
    make_room(socket);
    room->members[room->count] =
        (struct sio_member) { socket, socket->connection->session, socket->room_count & SLOT_MASK,
                              socket->connection->is_v4, (uint32_t)socket->owner };
    socket->rooms[socket->room_count] =
        (struct sio_membership) { room, room->count, (uint32_t)joined.position,
                                  (uint32_t)joined.passing };
    room->count++;
    socket->room_count++;
}

void sio_member_move(struct sio_room *room, unsigned from, unsigned to)
{
    const struct sio_member *member = &room->members[from];

    member->socket->rooms[member->slot].index = to;
    room->members[to] = *member;
}

static void remove_member(struct sio_room *room, unsigned index)
{
    if (!LIST_EMPTY(&room->nsp->walks)) {
        index = sio_walks_replace(room, index);
    }
    room->count--;
    if (index < room->count) {
        sio_member_move(room, room->count, index);
    }
    if (room->count == 0) {
        room_free(room);
    }
}

static void leave_slot(struct sio_socket *socket, unsigned slot)
{
    struct sio_membership left = socket->rooms[slot];
    struct sio_membership *last = &socket->rooms[--socket->room_count];

    if (slot < socket->room_count) {
        socket->rooms[slot] = *last;
        last->room->members[last->index].slot = slot & SLOT_MASK;
    }
    remove_member(left.room, left.index);
}

static void count_refusal(const struct sio_socket *socket)
{
    static struct log_gate gate;
    unsigned suppressed;

    socket->nsp->server->stats.rooms_full++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_SOCKETIO, "too many rooms",
                 "limit=limits.rooms_per_socket socket=%s from=%s suppressed=%u",
                 sio_socket_id(socket), eio_session_address(sio_socket_session(socket)),
                 suppressed);
    }
}

bool sio_socket_join(struct sio_socket *socket, struct str name)
{
    unsigned limit = socket->nsp->server->config.rooms_per_socket;
    struct room_key key;
    unsigned key_len = make_key(&key, socket->scope, name);
    struct sio_room *room;

    if (socket->state != SIO_STATE_JOINED || key_len == 0) {
        return false;
    }
    room = find(socket->nsp, &key, key_len);
    if (room != NULL && find_slot(socket, room) >= 0) {
        return true;
    }
    if (limit > 0 && socket->room_count >= limit) {
        count_refusal(socket);
        return false;
    }
    if (room == NULL) {
        room = room_new(socket, &key, key_len);
    }
    add_member(room, socket,
               socket->stream != NULL ? socket->stream->now : (struct sio_mark) { 0, 0 });
    return true;
}

void sio_room_enter(struct sio_socket *socket, struct str name, struct sio_mark joined)
{
    struct room_key key;
    unsigned key_len = make_key(&key, socket->scope, name);
    struct sio_room *room;

    if (key_len == 0) {
        return;
    }
    room = find(socket->nsp, &key, key_len);
    if (room == NULL) {
        room = room_new(socket, &key, key_len);
    }
    add_member(room, socket, joined);
}

struct sio_mark sio_membership_joined(const struct sio_socket *socket, unsigned slot)
{
    const struct sio_membership *membership = &socket->rooms[slot];
    struct sio_mark now = socket->stream->now;

    return (struct sio_mark) {
        now.position - (uint32_t)((uint32_t)now.position - membership->joined_position),
        now.passing - (uint32_t)((uint32_t)now.passing - membership->joined_passing),
    };
}

void sio_socket_leave(struct sio_socket *socket, struct str name)
{
    struct sio_room *room = sio_room_find(socket->nsp, socket->scope, name);
    int slot = room != NULL ? find_slot(socket, room) : -1;

    if (slot >= 0) {
        leave_slot(socket, (unsigned)slot);
    }
}

void sio_rooms_leave(struct sio_socket *socket)
{
    while (socket->room_count > 0) {
        leave_slot(socket, socket->room_count - 1);
    }
    free(socket->rooms);
    socket->rooms = NULL;
    socket->rooms_log = 0;
}

bool sio_socket_in(const struct sio_socket *socket, struct str name)
{
    struct sio_room *room = sio_room_find(socket->nsp, socket->scope, name);

    return room != NULL && find_slot(socket, room) >= 0;
}

unsigned sio_socket_room_count(const struct sio_socket *socket)
{
    return socket->room_count;
}

unsigned sio_room_size(struct sio_namespace *nsp, uint64_t scope, struct str name)
{
    struct sio_room *room = sio_room_find(nsp, scope, name);

    return room != NULL ? room->count : 0;
}

void sio_room_describe(const struct sio_room *room, struct sio_room_info *ret_info)
{
    *ret_info = (struct sio_room_info) { sio_room_name(room), room->scope, room->count };
}

/* From the end, so that the member that fn was given may leave. The room dies with its last
 * member. */
void sio_room_members_each(struct sio_namespace *nsp, uint64_t scope, struct str name,
                           bool (*fn)(void *arg, struct sio_socket *member), void *arg)
{
    struct sio_room *room = sio_room_find(nsp, scope, name);
    unsigned left = room != NULL ? room->count : 0;

    while (left > 0 && fn(arg, room->members[left - 1].socket)) {
        left--;
    }
}

void sio_socket_rooms_each(const struct sio_socket *socket, bool (*fn)(void *arg, struct str room),
                           void *arg)
{
    unsigned left = socket->room_count;

    while (left > 0 && fn(arg, sio_room_name(socket->rooms[left - 1].room))) {
        left--;
    }
}
