/* One Engine.IO session seen from above: which namespaces it is in, and what its packets mean
 * (the truth table of protocol.md 3). */
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/socketio/server.h"

enum { CONNECT_TIMEOUT_MS = 45000 };

static void drop_deadline(struct sio_connection *connection)
{
    if (connection->deadline != NULL) {
        timer_clear(&connection->deadline->timer);
        free(connection->deadline);
        connection->deadline = NULL;
    }
}

static void on_connect_timeout(struct timer *timer)
{
    struct sio_deadline *deadline = CONTAINER_OF(timer, struct sio_deadline, timer);

    eio_session_close(deadline->connection->session, EIO_REASON_FORCED_SERVER_CLOSE);
}

void sio_connection_open(void *arg, struct eio_session *session)
{
    struct sio_server *server = arg;
    struct sio_connection *connection = xnew(struct sio_connection);
    uint64_t timeout_ms = server->config.connect_timeout_ms;

    connection->server = server;
    connection->session = session;
    STAILQ_INIT(&connection->sockets);
    connection->deadline = xnew(struct sio_deadline);
    connection->deadline->connection = connection;
    timer_set(server->loop, &connection->deadline->timer,
              timeout_ms > 0 ? timeout_ms : CONNECT_TIMEOUT_MS, on_connect_timeout);
    eio_session_set_user(session, connection);
    if (eio_session_protocol(session) == 3) {
        sio_v4_open(connection);
    }
}

void sio_connection_joined(struct sio_connection *connection)
{
    drop_deadline(connection);
}

void sio_connection_close(struct eio_session *session, enum eio_reason reason)
{
    struct sio_connection *connection = eio_session_user(session);

    while (!STAILQ_EMPTY(&connection->sockets)) {
        sio_socket_close(STAILQ_FIRST(&connection->sockets),
                         (struct sio_reason) { SIO_LEFT_SESSION, reason });
    }
    drop_deadline(connection);
    sio_partial_free(connection->partial);
    free(connection);
}

/* A packet that cannot be, or not now, ends the whole connection; nothing explains why to the
 * peer. */
static void reject(struct sio_connection *connection, enum eio_reason reason, const char *why)
{
    connection->server->stats.invalid_packets++;
    log_debug(LOG_SOCKETIO, "packet refused", "from=%s why=\"%s\"",
              eio_session_address(connection->session), why);
    eio_session_close(connection->session, reason);
}

void sio_connection_no_room(struct sio_connection *connection)
{
    log_debug(LOG_SOCKETIO, "no room for a binary packet", "from=%s",
              eio_session_address(connection->session));
    eio_session_close(connection->session, EIO_REASON_TRANSPORT_ERROR);
}

/* One that is leaving gives way to a new one. */
static struct sio_socket *find_socket(const struct sio_connection *connection, struct str nsp,
                                      bool *ret_leaving)
{
    struct sio_socket *socket;

    nsp = connection->is_v4 ? sio_v4_name(nsp) : nsp;
    *ret_leaving = false;
    STAILQ_FOREACH (socket, &connection->sockets, sibling) {
        if (str_eq(socket->nsp->name, nsp)) {
            if (socket->state != SIO_STATE_LEAVING) {
                return socket;
            }
            *ret_leaving = true;
        }
    }
    return NULL;
}

/* limits.events_per_s: by how many is it exceeded in this second? What was refused counts too:
 * whoever sends ten times the limit is cut. */
static unsigned count_event(struct sio_connection *connection)
{
    enum { SECOND_MS = 1000, ABUSE_FACTOR = 10, WRAP = (1 << 20) - 1 /* of second_ms */ };
    struct sio_server *server = connection->server;
    unsigned limit = server->config.events_per_s;
    uint32_t now_ms = loop_now_ms(server->loop) & WRAP;

    if (limit == 0) {
        return 0;
    }
    if (((now_ms - connection->second_ms) & WRAP) >= SECOND_MS) {
        connection->second_ms = now_ms & WRAP;
        connection->events = 0;
    }
    if (++connection->events <= limit) {
        return 0;
    }
    server->stats.rate_exceeded++;
    if (connection->events / ABUSE_FACTOR >= limit) {
        eio_session_close(connection->session, EIO_REASON_FORCED_SERVER_CLOSE);
    }
    return connection->events - limit;
}

static void refuse_connect(struct sio_connection *connection, struct str name, unsigned excess)
{
    autobuf struct buf data = BUF_INIT;

    if (excess == 1) {
        log_warn(LOG_SOCKETIO, "too many events", "limit=limits.events_per_s from=%s",
                 eio_session_address(connection->session));
    }
    buf_printf(&data, "{\"code\":\"%s\"}", err_code(ERR_RATE_LIMITED));
    sio_connect_error(connection, name, STR("too many events"), buf_str(&data));
}

static void refuse_namespace(struct sio_connection *connection, struct str name)
{
    static struct log_gate gate;
    unsigned suppressed;

    connection->server->stats.namespaces_full++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_SOCKETIO, "too many namespaces",
                 "limit=limits.sockets_per_connection from=%s suppressed=%u",
                 eio_session_address(connection->session), suppressed);
    }
    sio_connect_error(connection, name, STR("Too many namespaces"), STR(""));
}

static void connect_to(struct sio_connection *connection, struct str name, struct str auth)
{
    struct sio_server *server = connection->server;
    struct sio_namespace *nsp = sio_namespace_find(server, name);
    unsigned limit = server->config.sockets_per_connection, excess = count_event(connection);
    bool leaving;

    if (excess > 0) {
        refuse_connect(connection, name, excess);
    } else if (nsp == NULL) {
        sio_namespace_unknown(connection, name);
    } else if (find_socket(connection, name, &leaving) != NULL) {
        reject(connection, EIO_REASON_FORCED_SERVER_CLOSE, "connected twice");
    } else if (limit > 0 && connection->count >= limit) {
        refuse_namespace(connection, name);
    } else {
        sio_socket_open(connection, nsp, auth);
    }
}

static void on_connect(struct sio_connection *connection, const struct sio_packet *packet)
{
    autobuf struct buf auth = BUF_INIT;

    if (connection->is_v4) {
        sio_v4_add_auth(&auth, packet->nsp);
        connect_to(connection, sio_v4_name(packet->nsp), buf_str(&auth));
    } else {
        connect_to(connection, packet->nsp, packet->body);
    }
}

static void on_event(struct sio_socket *socket, const struct sio_packet *packet,
                     struct sio_attachments attachments)
{
    const struct sio_event event = { packet->name, packet->args, packet->raw_args,
                                     packet->ack,  attachments,  count_event(socket->connection) };

    if (packet->name.data == NULL) {
        return; /* without a body: legal, and nothing to tell */
    }
    if (sio_event_reserved(packet->name)) {
        reject(socket->connection, EIO_REASON_FORCED_CLOSE, "reserved event name");
        return;
    }
    socket->nsp->server->stats.events_in++;
    socket->nsp->app->on_event(socket, &event);
}

/* Its socket is being restored: whatever comes behind the CONNECT waits for that, but not the wish
 * to leave. */
static struct sio_restore *must_wait(const struct sio_connection *connection,
                                     const struct sio_packet *packet)
{
    bool leaving;
    const struct sio_socket *socket = find_socket(connection, packet->nsp, &leaving);

    return socket != NULL && packet->type != SIO_DISCONNECT ? socket->restore : NULL;
}

/* Takes the packet. */
static void hold_back(struct sio_connection *connection, struct sio_restore *restore,
                      struct sio_partial *packet)
{
    if (packet == NULL) {
        sio_connection_no_room(connection);
    } else if (!sio_restore_hold(restore, packet)) {
        sio_partial_free(packet);
        reject(connection, EIO_REASON_FORCED_SERVER_CLOSE, "too much before it was answered");
    }
}

static bool may_leave(const struct sio_socket *socket, const struct sio_packet *packet)
{
    return packet->type == SIO_DISCONNECT && socket->restore != NULL;
}

/* What needs a namespace that was joined. */
static void on_joined_packet(struct sio_connection *connection, const struct sio_packet *packet,
                             struct sio_attachments attachments)
{
    bool leaving;
    struct sio_socket *socket = find_socket(connection, packet->nsp, &leaving);

    if (socket == NULL && leaving) {
        return; /* it was on its way when we sent `41` */
    }
    if (socket == NULL || (socket->state != SIO_STATE_JOINED && !may_leave(socket, packet))) {
        reject(connection, EIO_REASON_FORCED_SERVER_CLOSE, "namespace not joined");
    } else if (packet->type == SIO_EVENT || packet->type == SIO_BINARY_EVENT) {
        on_event(socket, packet, attachments);
    } else if (packet->type == SIO_DISCONNECT) {
        sio_socket_close(socket, (struct sio_reason) { SIO_LEFT_CLIENT, 0 });
    } else if (packet->ack >= 0 && packet->body.len > 0) {
        sio_ack_received(socket, packet->ack, &(struct sio_answer) { packet->args, attachments });
    }
}

static void on_packet(struct sio_connection *connection, const struct sio_packet *packet,
                      struct str text)
{
    const struct sio_attachments none = { NULL, 0 };
    struct sio_restore *restore;

    switch (packet->type) {
    case SIO_CONNECT:
        on_connect(connection, packet);
        break;
    case SIO_DISCONNECT:
    case SIO_EVENT:
    case SIO_ACK:
        restore = must_wait(connection, packet);
        if (restore != NULL) {
            hold_back(connection, restore, sio_partial_new(connection, text, 0));
        } else {
            on_joined_packet(connection, packet, none);
        }
        break;
    case SIO_CONNECT_ERROR:
        reject(connection, EIO_REASON_FORCED_CLOSE, "only the server refuses");
        break;
    case SIO_BINARY_EVENT:
    case SIO_BINARY_ACK:
        connection->partial = sio_partial_new(connection, text, packet->attachments);
        if (connection->partial == NULL) {
            sio_connection_no_room(connection);
        }
        break;
    }
}

/* limits.json_depth, or more keys than any event has: what an operator has to hear of. */
static void log_too_deep(struct sio_connection *connection)
{
    static struct log_gate gate;
    unsigned suppressed;

    connection->server->stats.too_deep++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_SOCKETIO, "too much in one packet",
                 "limit=limits.json_depth from=%s why=\"%s\" suppressed=%u",
                 eio_session_address(connection->session), connection->server->scratch.why.text,
                 suppressed);
    }
}

static void on_malformed(struct sio_connection *connection, enum err err)
{
    if (err == ERR_TOO_LARGE && connection->server->scratch.why.text[0] != '\0') {
        log_too_deep(connection);
    }
    reject(connection, EIO_REASON_FORCED_CLOSE, "malformed packet");
}

static void on_text(struct sio_connection *connection, struct str text)
{
    struct sio_server *server = connection->server;
    struct sio_packet packet;
    enum err err;

    if (connection->partial != NULL) {
        reject(connection, EIO_REASON_FORCED_CLOSE, "text while attachments are due");
        return;
    }
    err = sio_packet_decode(text, &server->json, &server->scratch, &packet);
    if (err != OK) {
        on_malformed(connection, err);
    } else {
        on_packet(connection, &packet, text);
    }
}

/* What was changed to be read is bound in both forms. */
static enum err bind_attachments(struct sio_server *server, const struct sio_partial *partial,
                                 struct sio_packet *packet, struct str *ret_data,
                                 unsigned *ret_count)
{
    struct str raw = packet->raw_args;
    bool changed = raw.data != packet->args.data;
    enum err err = sio_partial_bind(partial, packet->args, &server->ordered, &packet->args,
                                    ret_data, ret_count);

    packet->raw_args = packet->args;
    if (err == OK && changed) {
        err = sio_partial_bind(partial, raw, &server->raw_ordered, &packet->raw_args, ret_data,
                               ret_count);
    }
    return err;
}

/* The text of the packet was found to be good when it came. Takes the packet. */
static void on_complete(struct sio_connection *connection, struct sio_partial *partial)
{
    struct sio_server *server = connection->server;
    struct str data[SIO_ATTACHMENTS_MAX];
    struct sio_attachments attachments = { .data = data };
    struct sio_restore *restore = NULL;
    struct sio_packet packet;
    enum err err =
        sio_packet_decode(buf_str(&partial->head), &server->json, &server->scratch, &packet);

    err = err == OK ? bind_attachments(server, partial, &packet, data, &attachments.count) : err;
    if (err != OK) {
        reject(connection, EIO_REASON_FORCED_CLOSE, "placeholder without attachment");
    } else if ((restore = must_wait(connection, &packet)) != NULL) {
        hold_back(connection, restore, partial);
    } else {
        sio_partial_unhold(partial);
        on_joined_packet(connection, &packet, attachments);
    }
    if (restore == NULL) {
        sio_partial_free(partial);
    }
}

void sio_connection_resume(struct sio_connection *connection, struct sio_held *held)
{
    struct sio_partial *packet;

    while (eio_session_is_open(connection->session) && (packet = STAILQ_FIRST(held)) != NULL) {
        STAILQ_REMOVE_HEAD(held, link);
        on_complete(connection, packet);
    }
    sio_held_free(held);
}

static void on_binary(struct sio_connection *connection, struct str data)
{
    struct sio_partial *partial = connection->partial;
    enum err err;

    if (partial == NULL) {
        reject(connection, EIO_REASON_FORCED_CLOSE, "binary without a header");
        return;
    }
    err = sio_partial_add(partial, data);
    if (err == ERR_TOO_LARGE) {
        reject(connection, EIO_REASON_FORCED_CLOSE, "attachments are too large");
    } else if (err != OK) {
        sio_partial_free(TAKE(connection->partial));
        sio_connection_no_room(connection);
    } else if (sio_partial_complete(partial)) {
        connection->partial = NULL;
        on_complete(connection, partial);
    }
}

void sio_connection_message(struct eio_session *session, bool binary, struct str payload)
{
    struct sio_connection *connection = eio_session_user(session);

    if (binary) {
        on_binary(connection, payload);
    } else {
        on_text(connection, payload);
    }
}
