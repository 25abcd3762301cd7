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

void sio_offset_add(struct buf *out, const char offset[SIO_OFFSET_LEN])
{
    buf_add(out, ",\"", 2);
    buf_add(out, offset, SIO_OFFSET_LEN);
    buf_add(out, "\"]", 2);
}

/* A packet as it goes out: its text, and its attachments right behind. Nothing can come in between,
 * because all of it is queued at once. */
struct packet {
    struct frame *text;
    struct frame *bare; /* the text without an offset; made when the first one needs it */
    struct str open;    /* the text without its end, in server->out; empty when nothing was added */
    struct frame *attachments[SIO_ATTACHMENTS_MAX];
    unsigned count;
};

static void packet_finish(struct packet *packet)
{
    frame_unref(packet->text);
    frame_unref(packet->bare);
    for (unsigned i = 0; i < packet->count; i++) {
        frame_unref(packet->attachments[i]);
    }
}

/* Clients of Socket.IO 2 get no offset. */
static struct frame *bare_text(struct packet *packet)
{
    if (packet->open.len == 0) {
        return packet->text;
    }
    if (packet->bare == NULL) {
        packet->bare = frame_text2(packet->open, STR("]"));
    }
    return packet->bare;
}

static inline void packet_send(struct packet *packet, struct eio_session *session, bool is_v4)
{
    eio_session_send(session, UNLIKELY(is_v4) ? bare_text(packet) : packet->text);
    for (unsigned i = 0; i < packet->count; i++) {
        eio_session_send(session, packet->attachments[i]);
    }
}

/* Renders the event once, and notes it for those who come back. `stream` is NULL when nobody can.
 */
static void packet_init(struct packet *packet, struct sio_namespace *nsp, struct sio_stream *stream,
                        const struct sio_broadcast *broadcast)
{
    struct buf *out = sio_out_begin(nsp->server);

    sio_event_encode_open(out, nsp->name, broadcast->attachments.count, broadcast->event,
                          broadcast->args);
    packet->open = STR_NONE;
    if (stream != NULL) {
        size_t open_len = out->len;

        sio_stream_note(stream, broadcast, buf_str(out));
        sio_offset_add(out, stream->offset);
        packet->open = (struct str) { out->data, open_len };
    } else {
        buf_add_char(out, ']');
    }
    packet->text = frame_text(buf_str(out));
    packet->bare = NULL;
    packet->count = broadcast->attachments.count;
    for (unsigned i = 0; i < packet->count; i++) {
        packet->attachments[i] = frame_binary(broadcast->attachments.data[i]);
    }
}

static void emit_own(struct sio_socket *socket, const struct sio_broadcast *broadcast)
{
    bool is_v4 = socket->connection->is_v4;
    struct packet packet;

    if (socket->state != SIO_STATE_JOINED) {
        return;
    }
    packet_init(&packet, socket->nsp, is_v4 ? NULL : socket->stream, broadcast);
    socket->nsp->server->stats.packets_out++;
    packet_send(&packet, socket->connection->session, is_v4);
    packet_finish(&packet);
}

void sio_socket_emit_binary(struct sio_socket *socket, struct str event, struct str args,
                            struct sio_attachments attachments)
{
    emit_own(socket, &(struct sio_broadcast) { .room = { socket->id, SID_LEN },
                                               .event = event,
                                               .args = args,
                                               .attachments = attachments });
}

void sio_socket_emit(struct sio_socket *socket, struct str event, struct str args)
{
    sio_socket_emit_binary(socket, event, args, (struct sio_attachments) { NULL, 0 });
}

/* What is volatile is not kept. */
void sio_socket_reply(struct sio_socket *socket, struct str event, struct str args)
{
    emit_own(socket, &(struct sio_broadcast) { .event = event, .args = args, .is_volatile = true });
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
    sio_out_send(server, socket->connection->session);
    for (unsigned i = 0; i < attachments.count; i++) {
        struct frame *frame = frame_binary(attachments.data[i]);

        eio_session_send(socket->connection->session, frame);
        frame_unref(frame);
    }
}

static bool is_left_out(const struct sio_socket *socket, const struct sio_broadcast *broadcast)
{
    return socket == broadcast->except ||
           (broadcast->except_owner != 0 && socket->owner == broadcast->except_owner);
}

static unsigned send_to_room(const struct sio_room *room, const struct sio_broadcast *broadcast,
                             struct packet *packet)
{
    const struct sio_member *end = room->members + room->count;
    uint32_t except_part = (uint32_t)broadcast->except_owner;
    unsigned sent = 0;

    for (const struct sio_member *member = room->members; member < end; member++) {
        bool suspect = member->socket == broadcast->except || member->owner_part == except_part;

        if (!(suspect && is_left_out(member->socket, broadcast)) &&
            (!broadcast->is_volatile || eio_session_writable(member->session))) {
            packet_send(packet, member->session, member->is_v4);
            sent++;
        }
    }
    return sent;
}

struct delivery {
    const struct sio_broadcast *broadcast;
    struct packet *packet;
    unsigned sent;
};

static void deliver(void *arg, struct sio_socket *socket)
{
    struct delivery *delivery = arg;
    struct eio_session *session = socket->connection->session;

    if (socket->state == SIO_STATE_JOINED && !is_left_out(socket, delivery->broadcast) &&
        (!delivery->broadcast->is_volatile || eio_session_writable(session))) {
        packet_send(delivery->packet, session, socket->connection->is_v4);
        delivery->sent++;
    }
}

static unsigned send_to_all(struct sio_namespace *nsp, uint64_t scope,
                            const struct sio_broadcast *broadcast, struct packet *packet)
{
    struct delivery delivery = { .broadcast = broadcast, .packet = packet };

    sio_reach_each(nsp, scope, broadcast, deliver, &delivery);
    return delivery.sent;
}

/* The room that each socket has for itself costs nothing: it is looked up by the socket's id. */
static unsigned send_to_one(struct sio_socket *socket, uint64_t scope,
                            const struct sio_broadcast *broadcast, struct packet *packet)
{
    struct delivery delivery = { .broadcast = broadcast, .packet = packet };

    if (socket->scope == scope) {
        deliver(&delivery, socket);
    }
    return delivery.sent;
}

/* Does it name one room and nobody who is left out by a room? */
static bool is_plain(const struct sio_broadcast *broadcast)
{
    return broadcast->room.data != NULL && broadcast->more_rooms_count == 0 &&
           broadcast->except_rooms_count == 0;
}

/* A plain one: `room` is NULL when nobody is in it. */
static unsigned send_plain(struct sio_namespace *nsp, uint64_t scope, const struct sio_room *room,
                           const struct sio_broadcast *broadcast)
{
    struct sio_socket *own = sio_socket_find(nsp, broadcast->room);
    struct sio_stream *stream = room != NULL ? room->stream : sio_stream_find(nsp, scope);
    struct packet packet;
    unsigned sent;

    if (room == NULL && own == NULL && stream == NULL) {
        return 0; /* nobody hears it, now or later */
    }
    packet_init(&packet, nsp, stream, broadcast);
    if (room == NULL) {
        sent = own != NULL ? send_to_one(own, scope, broadcast, &packet) : 0;
    } else if (own != NULL) { /* others may have joined the room that a socket has for itself */
        sent = send_to_all(nsp, scope, broadcast, &packet);
    } else {
        sent = send_to_room(room, broadcast, &packet);
    }
    packet_finish(&packet);
    return sent;
}

static unsigned send_to(struct sio_namespace *nsp, uint64_t scope,
                        const struct sio_broadcast *broadcast)
{
    struct packet packet;
    unsigned sent;

    if (is_plain(broadcast)) {
        return send_plain(nsp, scope, sio_room_find(nsp, scope, broadcast->room), broadcast);
    }
    packet_init(&packet, nsp, sio_stream_find(nsp, scope), broadcast);
    sent = send_to_all(nsp, scope, broadcast, &packet);
    packet_finish(&packet);
    return sent;
}

unsigned sio_emit(struct sio_namespace *nsp, uint64_t scope, const struct sio_broadcast *broadcast)
{
    unsigned sent = send_to(nsp, scope, broadcast);

    nsp->server->stats.packets_out += sent;
    log_debug(LOG_SOCKETIO, "emit", "event=%.*s room=%.*s scope=%llu receivers=%u",
              STR_ARG(broadcast->event), STR_ARG(broadcast->room), (unsigned long long)scope, sent);
    return sent;
}
