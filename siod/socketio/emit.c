/* Packets on their way out. A broadcast is encoded once, into a frame that all receivers share on
 * either transport; the loops below are the hot path of the whole program and do nothing else for a
 * receiver than to queue it. */
#include "libshared/log.h"
#include "siod/socketio/server.h"

struct buf *sio_out_begin(struct sio_server *server)
{
    buf_clear(&server->out);
    buf_add_char(&server->out, '0' + EIO_MESSAGE);
    return &server->out;
}

void sio_out_send(struct sio_server *server, struct eio_session *session)
{
    struct frame *frame = frame_text(buf_str(&server->out));

    server->stats.packets_out++;
    eio_session_send(session, frame);
    frame_unref(frame);
}

static struct frame *event_frame(struct sio_namespace *nsp, const struct sio_broadcast *broadcast)
{
    struct buf *out = sio_out_begin(nsp->server);

    sio_event_encode(out, nsp->name, SIO_ACK_NONE, broadcast->event, broadcast->args);
    return frame_text(buf_str(out));
}

void sio_socket_emit(struct sio_socket *socket, struct str event, struct str args)
{
    struct sio_server *server = socket->nsp->server;

    if (socket->state != SIO_STATE_JOINED) {
        return;
    }
    sio_event_encode(sio_out_begin(server), socket->nsp->name, SIO_ACK_NONE, event, args);
    sio_out_send(server, socket->connection->session);
}

struct buf *sio_ack_begin(struct sio_socket *socket, int64_t ack)
{
    struct buf *out;

    if (ack < 0 || socket->state != SIO_STATE_JOINED) {
        return NULL;
    }
    out = sio_out_begin(socket->nsp->server);
    sio_packet_encode_head(out, SIO_ACK, 0, socket->nsp->name, ack);
    buf_add_char(out, '[');
    return out;
}

void sio_ack_end(struct sio_socket *socket, struct buf *out)
{
    buf_add_char(out, ']');
    sio_out_send(socket->nsp->server, socket->connection->session);
}

void sio_socket_ack(struct sio_socket *socket, int64_t ack, struct str args)
{
    struct buf *out = sio_ack_begin(socket, ack);

    if (out != NULL) {
        buf_add_str(out, args);
        sio_ack_end(socket, out);
    }
}

static bool is_left_out(const struct sio_socket *socket, const struct sio_broadcast *broadcast)
{
    return socket == broadcast->except ||
           (broadcast->except_owner != 0 && socket->owner == broadcast->except_owner);
}

static unsigned send_to_room(const struct sio_room *room, const struct sio_broadcast *broadcast)
{
    struct frame *frame = event_frame(room->nsp, broadcast);
    const struct sio_member *end = room->members + room->count;
    uint32_t except_part = (uint32_t)broadcast->except_owner;
    unsigned sent = 0;

    for (const struct sio_member *member = room->members; member < end; member++) {
        bool suspect = member->socket == broadcast->except || member->owner_part == except_part;

        if (!(suspect && is_left_out(member->socket, broadcast)) &&
            (!broadcast->is_volatile || eio_session_writable(member->session))) {
            eio_session_send(member->session, frame);
            sent++;
        }
    }
    frame_unref(frame);
    return sent;
}

static unsigned send_to_scope(struct sio_namespace *nsp, uint64_t scope,
                              const struct sio_broadcast *broadcast)
{
    struct frame *frame = event_frame(nsp, broadcast);
    struct sio_socket *socket, *next;
    unsigned sent = 0;

    HASH_ITER (hh, nsp->sockets, socket, next) {
        struct eio_session *session = socket->connection->session;

        if (socket->scope == scope && !is_left_out(socket, broadcast) &&
            socket->state == SIO_STATE_JOINED &&
            (!broadcast->is_volatile || eio_session_writable(session))) {
            eio_session_send(session, frame);
            sent++;
        }
    }
    frame_unref(frame);
    return sent;
}

/* The room that each socket has for itself costs nothing: it is looked up by the socket's id. */
static unsigned send_to_one(struct sio_namespace *nsp, uint64_t scope,
                            const struct sio_broadcast *broadcast)
{
    struct sio_socket *socket = sio_socket_find(nsp, broadcast->room);
    struct eio_session *session;

    if (socket == NULL || socket->scope != scope || is_left_out(socket, broadcast) ||
        socket->state != SIO_STATE_JOINED) {
        return 0;
    }
    session = socket->connection->session;
    if (broadcast->is_volatile && !eio_session_writable(session)) {
        return 0;
    }
    sio_event_encode(sio_out_begin(nsp->server), nsp->name, SIO_ACK_NONE, broadcast->event,
                     broadcast->args);
    sio_out_send(nsp->server, session);
    return 1;
}

unsigned sio_emit(struct sio_namespace *nsp, uint64_t scope, const struct sio_broadcast *broadcast)
{
    struct sio_room *room = NULL;
    unsigned sent;

    if (broadcast->room.data == NULL) {
        sent = send_to_scope(nsp, scope, broadcast);
        nsp->server->stats.packets_out += sent;
    } else if ((room = sio_room_find(nsp, scope, broadcast->room)) != NULL) {
        sent = send_to_room(room, broadcast);
        nsp->server->stats.packets_out += sent;
    } else {
        sent = send_to_one(nsp, scope, broadcast);
    }
    log_debug(LOG_SOCKETIO, "emit", "event=%.*s room=%.*s scope=%llu receivers=%u",
              STR_ARG(broadcast->event), STR_ARG(broadcast->room), (unsigned long long)scope, sent);
    return sent;
}
