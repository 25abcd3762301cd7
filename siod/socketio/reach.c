/* Who a broadcast reaches that names several rooms, or rooms whose members are left out: the union
 * of the ones without the union of the others, each socket once (protocol.md 5, "Rooms").
 *
 * A socket that is in several of the rooms is met in each of them; it counts in the first. Its own
 * list of rooms tells, so nothing has to be marked or remembered. */
#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/socketio/server.h"

/* A name that was looked up. It may be that of a room, of a socket, or of both. */
struct place {
    struct sio_room *room;
    struct sio_socket *own; /* in the room that is named by its id */
};

struct places {
    struct place *list;
    unsigned count;
};

static void add_place(struct places *places, struct sio_namespace *nsp, uint64_t scope,
                      struct str name)
{
    struct sio_socket *own = sio_socket_find(nsp, name);

    places->list[places->count++] = (struct place) {
        .room = sio_room_find(nsp, scope, name),
        .own = own != NULL && own->scope == scope ? own : NULL,
    };
}

static bool is_in(const struct sio_socket *socket, const struct place *place)
{
    return place->own == socket || (place->room != NULL && sio_room_has(place->room, socket));
}

static bool is_in_any(const struct sio_socket *socket, const struct place *places, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (is_in(socket, &places[i])) {
            return true;
        }
    }
    return false;
}

struct walk {
    struct places to, except;
    sio_reach_fn fn;
    void *arg;
};

static void meet(const struct walk *walk, unsigned place, struct sio_socket *socket)
{
    if (!is_in_any(socket, walk->to.list, place) &&
        !is_in_any(socket, walk->except.list, walk->except.count)) {
        walk->fn(walk->arg, socket);
    }
}

static void walk_place(const struct walk *walk, unsigned index)
{
    const struct place *place = &walk->to.list[index];

    for (unsigned i = 0; place->room != NULL && i < place->room->count; i++) {
        meet(walk, index, place->room->members[i].socket);
    }
    if (place->own != NULL && (place->room == NULL || !sio_room_has(place->room, place->own))) {
        meet(walk, index, place->own);
    }
}

static void walk_scope(const struct walk *walk, struct sio_namespace *nsp, uint64_t scope)
{
    struct sio_socket *socket, *next;

    HASH_ITER (hh, nsp->sockets, socket, next) {
        if (socket->scope == scope) {
            meet(walk, 0, socket);
        }
    }
}

void sio_reach_each(struct sio_namespace *nsp, uint64_t scope,
                    const struct sio_broadcast *broadcast, sio_reach_fn fn, void *arg)
{
    struct walk walk = { .fn = fn, .arg = arg };

    walk.to.list = xcalloc(broadcast->more_rooms_count + 1, sizeof(struct place));
    walk.except.list = xcalloc(broadcast->except_rooms_count + 1, sizeof(struct place));
    for (unsigned i = 0; i < broadcast->except_rooms_count; i++) {
        add_place(&walk.except, nsp, scope, broadcast->except_rooms[i]);
    }
    if (broadcast->room.data != NULL) {
        add_place(&walk.to, nsp, scope, broadcast->room);
        for (unsigned i = 0; i < broadcast->more_rooms_count; i++) {
            add_place(&walk.to, nsp, scope, broadcast->more_rooms[i]);
        }
        for (unsigned i = 0; i < walk.to.count; i++) {
            walk_place(&walk, i);
        }
    } else {
        walk_scope(&walk, nsp, scope);
    }
    free(walk.to.list);
    free(walk.except.list);
}
