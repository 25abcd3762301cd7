/* Walks that pause: over the rooms or the sockets of a namespace, or over the members of a room.
 *
 * A walk knows what is next and where it ends, and is registered with its namespace, which tells it
 * of everything that goes. The maps keep the order of insertion and so append what is new behind
 * the end of each walk. Members have no order: those from 0 to `left` are still to be met, and
 * whoever leaves a room is replaced so that this stays true of every walk (sio_walks_replace). */
#include "siod/socketio/server.h"

static void begin(struct sio_walk *walk, struct sio_namespace *nsp, enum sio_walk_kind kind)
{
    *walk = (struct sio_walk) { .nsp = nsp, .kind = kind };
    LIST_INSERT_HEAD(&nsp->walks, walk, link);
}

void sio_walk_rooms(struct sio_walk *walk, struct sio_namespace *nsp)
{
    begin(walk, nsp, SIO_WALK_ROOMS);
    if (nsp->rooms != NULL) {
        walk->next = nsp->rooms;
        walk->last = ELMT_FROM_HH(nsp->rooms->hh.tbl, nsp->rooms->hh.tbl->tail);
    }
}

void sio_walk_sockets(struct sio_walk *walk, struct sio_namespace *nsp)
{
    begin(walk, nsp, SIO_WALK_SOCKETS);
    if (nsp->sockets != NULL) {
        walk->next = nsp->sockets;
        walk->last = ELMT_FROM_HH(nsp->sockets->hh.tbl, nsp->sockets->hh.tbl->tail);
    }
}

void sio_walk_members(struct sio_walk *walk, struct sio_namespace *nsp, uint64_t scope,
                      struct str room)
{
    struct sio_room *found = sio_room_find(nsp, scope, room);

    begin(walk, nsp, SIO_WALK_MEMBERS);
    if (found != NULL) {
        walk->next = found;
        walk->left = found->count;
    }
}

void sio_walk_end(struct sio_walk *walk)
{
    if (walk->nsp != NULL) {
        LIST_REMOVE(walk, link);
        walk->nsp = NULL;
        walk->next = NULL;
    }
}

/* `at` is walk->next; so what comes behind it is. */
static void advance(struct sio_walk *walk, const UT_hash_handle *at)
{
    walk->next = walk->next == walk->last ? NULL : at->next;
}

bool sio_walk_room(struct sio_walk *walk, struct sio_room_info *ret_info)
{
    const struct sio_room *room = walk->next;

    if (room == NULL) {
        return false;
    }
    advance(walk, &room->hh);
    sio_room_describe(room, ret_info);
    return true;
}

static struct sio_socket *next_member(struct sio_walk *walk)
{
    const struct sio_room *room = walk->next;
    struct sio_socket *member = room->members[--walk->left].socket;

    if (walk->left == 0) {
        walk->next = NULL;
    }
    return member;
}

struct sio_socket *sio_walk_socket(struct sio_walk *walk)
{
    struct sio_socket *socket = walk->next;

    if (socket == NULL) {
        return NULL;
    }
    if (walk->kind == SIO_WALK_MEMBERS) {
        return next_member(walk);
    }
    advance(walk, &socket->hh);
    return socket;
}

/* ---- what goes */

static void pass_over(struct sio_walk *walk, const void *gone, const UT_hash_handle *handle)
{
    if (walk->next == gone) {
        advance(walk, handle);
    }
    if (walk->last == gone) {
        walk->last = handle->prev;
    }
}

void sio_walks_lose_room(struct sio_namespace *nsp, const struct sio_room *room)
{
    struct sio_walk *walk;

    LIST_FOREACH (walk, &nsp->walks, link) {
        if (walk->kind == SIO_WALK_ROOMS) {
            pass_over(walk, room, &room->hh);
        }
    }
}

void sio_walks_lose_socket(struct sio_namespace *nsp, const struct sio_socket *socket)
{
    struct sio_walk *walk;

    LIST_FOREACH (walk, &nsp->walks, link) {
        if (walk->kind == SIO_WALK_SOCKETS) {
            pass_over(walk, socket, &socket->hh);
        }
    }
}

/* The walk of this room that has the fewest to meet, among those that have more than `index`. */
static struct sio_walk *nearest_walk(const struct sio_room *room, unsigned index)
{
    struct sio_walk *walk, *nearest = NULL;

    LIST_FOREACH (walk, &room->nsp->walks, link) {
        if (walk->kind == SIO_WALK_MEMBERS && walk->next == room && walk->left > index &&
            (nearest == NULL || walk->left < nearest->left)) {
            nearest = walk;
        }
    }
    return nearest;
}

unsigned sio_walks_replace(struct sio_room *room, unsigned index)
{
    struct sio_walk *walk;

    while ((walk = nearest_walk(room, index)) != NULL) {
        unsigned last = --walk->left;

        if (last != index) {
            sio_member_move(room, last, index);
            index = last;
        }
        if (walk->left == 0) {
            walk->next = NULL;
        }
    }
    return index;
}
