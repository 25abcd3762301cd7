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

/* A packet as it goes out: its text, and its attachments right behind. Nothing can come in between,
 * because all of it is queued at once. */
struct packet {
    struct frame *text;
    struct frame *attachments[SIO_ATTACHMENTS_MAX];
    unsigned count;
};

static void packet_init(struct packet *packet, const struct buf *text,
                        struct sio_attachments attachments)
{
    packet->text = frame_text(buf_str(text));
    packet->count = attachments.count;
    for (unsigned i = 0; i < attachments.count; i++) {
        packet->attachments[i] = frame_binary(attachments.data[i]);
    }
}

static void packet_finish(struct packet *packet)
{
    frame_unref(packet->text);
    for (unsigned i = 0; i < packet->count; i++) {
        frame_unref(packet->attachments[i]);
    }
}

static inline void packet_send(const struct packet *packet, struct eio_session *session)
{
    eio_session_send(session, packet->text);
    for (unsigned i = 0; i < packet->count; i++) {
        eio_session_send(session, packet->attachments[i]);
    }
}

static void encode_event(struct buf *out, struct str nsp, struct str name, struct str args,
                         unsigned attachments)
{
    if (LIKELY(attachments == 0)) {
        sio_event_encode(out, nsp, SIO_ACK_NONE, name, args);
    } else {
        sio_binary_event_encode(out, nsp, attachments, name, args);
    }
}

static void broadcast_packet(struct sio_namespace *nsp, const struct sio_broadcast *broadcast,
                             struct packet *ret)
{
    struct buf *out = sio_out_begin(nsp->server);

    encode_event(out, nsp->name, broadcast->event, broadcast->args, broadcast->attachments.count);
    packet_init(ret, out, broadcast->attachments);
}

static void send_out(struct sio_server *server, struct eio_session *session,
                     struct sio_attachments attachments)
{
    struct packet packet;

    packet_init(&packet, &server->out, attachments);
    server->stats.packets_out++;
    packet_send(&packet, session);
    packet_finish(&packet);
}

void sio_socket_emit_binary(struct sio_socket *socket, struct str event, struct str args,
                            struct sio_attachments attachments)
{
    struct sio_server *server = socket->nsp->server;

    if (socket->state != SIO_STATE_JOINED) {
        return;
    }
    encode_event(sio_out_begin(server), socket->nsp->name, event, args, attachments.count);
    send_out(server, socket->connection->session, attachments);
}

void sio_socket_emit(struct sio_socket *socket, struct str event, struct str args)
{
    sio_socket_emit_binary(socket, event, args, (struct sio_attachments) { NULL, 0 });
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

void sio_socket_ack_binary(struct sio_socket *socket, int64_t ack, struct str args,
                           struct sio_attachments attachments)
{
    struct sio_server *server = socket->nsp->server;
    struct buf *out;

    if (attachments.count == 0) {
        sio_socket_ack(socket, ack, args);
        return;
    }
    if (ack < 0 || socket->state != SIO_STATE_JOINED) {
        return;
    }
    out = sio_out_begin(server);
    sio_packet_encode_head(out, SIO_BINARY_ACK, attachments.count, socket->nsp->name, ack);
    buf_add_char(out, '[');
    buf_add_str(out, args);
    buf_add_char(out, ']');
    send_out(server, socket->connection->session, attachments);
}

static bool is_left_out(const struct sio_socket *socket, const struct sio_broadcast *broadcast)
{
    return socket == broadcast->except ||
           (broadcast->except_owner != 0 && socket->owner == broadcast->except_owner);
}

static unsigned send_to_room(const struct sio_room *room, const struct sio_broadcast *broadcast)
{
    struct packet packet;
    const struct sio_member *end = room->members + room->count;
    uint32_t except_part = (uint32_t)broadcast->except_owner;
    unsigned sent = 0;

    broadcast_packet(room->nsp, broadcast, &packet);
    for (const struct sio_member *member = room->members; member < end; member++) {
        bool suspect = member->socket == broadcast->except || member->owner_part == except_part;

        if (!(suspect && is_left_out(member->socket, broadcast)) &&
            (!broadcast->is_volatile || eio_session_writable(member->session))) {
            packet_send(&packet, member->session);
            sent++;
        }
    }
    packet_finish(&packet);
    return sent;
}

struct delivery {
    const struct sio_broadcast *broadcast;
    struct packet packet;
    unsigned sent;
};

static void deliver(void *arg, struct sio_socket *socket)
{
    struct delivery *delivery = arg;
    struct eio_session *session = socket->connection->session;

    if (socket->state == SIO_STATE_JOINED && !is_left_out(socket, delivery->broadcast) &&
        (!delivery->broadcast->is_volatile || eio_session_writable(session))) {
        packet_send(&delivery->packet, session);
        delivery->sent++;
    }
}

static unsigned send_to_all(struct sio_namespace *nsp, uint64_t scope,
                            const struct sio_broadcast *broadcast)
{
    struct delivery delivery = { .broadcast = broadcast };

    broadcast_packet(nsp, broadcast, &delivery.packet);
    sio_reach_each(nsp, scope, broadcast, deliver, &delivery);
    packet_finish(&delivery.packet);
    return delivery.sent;
}

/* The room that each socket has for itself costs nothing: it is looked up by the socket's id. */
static unsigned send_to_one(struct sio_namespace *nsp, uint64_t scope,
                            const struct sio_broadcast *broadcast)
{
    struct sio_socket *socket = sio_socket_find(nsp, broadcast->room);
    struct eio_session *session;
    struct packet packet;

    if (socket == NULL || socket->scope != scope || is_left_out(socket, broadcast) ||
        socket->state != SIO_STATE_JOINED) {
        return 0;
    }
    session = socket->connection->session;
    if (broadcast->is_volatile && !eio_session_writable(session)) {
        return 0;
    }
    broadcast_packet(nsp, broadcast, &packet);
    packet_send(&packet, session);
    packet_finish(&packet);
    return 1;
}

static unsigned send_to(struct sio_namespace *nsp, uint64_t scope,
                        const struct sio_broadcast *broadcast)
{
    const struct sio_room *room;

    if (broadcast->room.data == NULL || broadcast->more_rooms_count > 0 ||
        broadcast->except_rooms_count > 0) {
        return send_to_all(nsp, scope, broadcast);
    }
    room = sio_room_find(nsp, scope, broadcast->room);
    if (room == NULL) {
        return send_to_one(nsp, scope, broadcast);
    }
    /* others may have joined the room that a socket has for itself */
    return sio_socket_find(nsp, broadcast->room) != NULL ? send_to_all(nsp, scope, broadcast)
                                                         : send_to_room(room, broadcast);
}

unsigned sio_emit(struct sio_namespace *nsp, uint64_t scope, const struct sio_broadcast *broadcast)
{
    unsigned sent = send_to(nsp, scope, broadcast);

    nsp->server->stats.packets_out += sent;
    log_debug(LOG_SOCKETIO, "emit", "event=%.*s room=%.*s scope=%llu receivers=%u",
              STR_ARG(broadcast->event), STR_ARG(broadcast->room), (unsigned long long)scope, sent);
    return sent;
}
