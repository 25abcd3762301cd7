/* Sessions as bytes, for whoever keeps them over a restart:
 *
 *     version(1) stream(8) start(8) { length(1) name joined(8) }…
 *
 * Numbers are the machine's. What does not read as that is no session. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "siod/socketio/server.h"

enum { VERSION = 1, NUMBER = sizeof(uint64_t), HEAD = 1 + 2 * NUMBER };

static void add_number(struct buf *out, uint64_t number)
{
    buf_add(out, &number, sizeof number);
}

/* With its length: no other's name begins with it. */
void sio_session_room(struct str room, struct buf *bytes)
{
    buf_add_char(bytes, (char)room.len);
    buf_add_str(bytes, room);
}

bool sio_session_export(const struct sio_socket *socket, struct buf *state)
{
    if (socket->stream == NULL || socket->connection->is_v4 || !socket->joined) {
        return false;
    }
    buf_add_char(state, VERSION);
    add_number(state, socket->stream->number);
    add_number(state, (uint64_t)socket->start.position);
    for (unsigned i = 0; i < socket->room_count; i++) {
        struct str name = sio_room_name(socket->rooms[i].room);

        sio_session_room(name, state);
        add_number(state, (uint64_t)sio_membership_joined(socket, i).position);
    }
    return true;
}

static uint64_t number_at(const char *at)
{
    uint64_t number;

    memcpy(&number, at, sizeof number);
    return number;
}

static bool take_room(struct str *list, struct sio_kept_room *ret_room)
{
    size_t len = list->len > 0 ? (unsigned char)list->data[0] : 0;

    if (list->len < 1 + len + NUMBER) {
        return false;
    }
    ret_room->name = (struct str) { list->data + 1, len };
    ret_room->joined = (struct sio_mark) { (int64_t)number_at(list->data + 1 + len), 0 };
    *list = str_skip(*list, 1 + len + NUMBER);
    return true;
}

/* Returns owned; NULL when it is no list of rooms. */
static struct sio_kept_room *read_rooms(struct str list, size_t *ret_count)
{
    struct sio_kept_room *rooms = NULL;
    size_t cap = 0;

    *ret_count = 0;
    while (list.len > 0) {
        if (*ret_count == cap) {
            cap = MAX(cap * 2, (size_t)8);
            rooms = xrealloc(rooms, cap * sizeof(struct sio_kept_room));
        }
        if (!take_room(&list, &rooms[*ret_count])) {
            free(rooms);
            return NULL;
        }
        ++*ret_count;
    }
    return rooms != NULL ? rooms : xmalloc(1);
}

bool sio_session_import(struct sio_namespace *nsp, const struct sio_session *session)
{
    struct sio_stream *stream;
    autofree struct sio_kept_room *rooms = NULL;
    size_t count;
    bool good;

    if (session->id.len != SID_LEN || session->state.len < HEAD ||
        session->state.data[0] != VERSION || sio_kept_find(nsp, session->id.data) != NULL) {
        return false;
    }
    rooms = read_rooms(str_skip(session->state, HEAD), &count);
    stream = rooms != NULL ? sio_stream_enter(nsp, session->scope) : NULL;
    good = stream != NULL && stream->number == number_at(session->state.data + 1);
    if (good) {
        sio_kept_import(stream, session, (int64_t)number_at(session->state.data + 1 + NUMBER),
                        rooms, count);
    }
    sio_stream_leave(stream);
    return good;
}
