/* The life of a socket: CONNECT, the application's answer, leaving. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/socketio/server.h"

const char *sio_reason_text(struct sio_reason reason)
{
    switch (reason.kind) {
    case SIO_LEFT_CLIENT:
        return "client namespace disconnect";
    case SIO_LEFT_SERVER:
        return "server namespace disconnect";
    case SIO_LEFT_SESSION:
        break;
    }
    return eio_reason_text(reason.session);
}

void sio_socket_open(struct sio_connection *connection, struct sio_namespace *nsp, struct str auth)
{
    struct sio_socket *socket = xnew(struct sio_socket);
    struct sio_recovery *recovery = &nsp->server->recovery;
    struct sio_claim claim;

    socket->nsp = nsp;
    socket->connection = connection;
    id_sid(socket->id);
    STAILQ_INSERT_TAIL(&connection->sockets, socket, sibling);
    connection->count++;
    if (recovery->config.enabled && !connection->is_v4 && sio_claim_read(auth, &claim)) {
        claim.socket = socket;
        recovery->claim = &claim;
    }
    nsp->app->on_connect(nsp->arg, socket, auth.len > 0 ? auth : STR("{}"));
    recovery->claim = NULL;
}

/* The application has seen the last of it. */
static void socket_free(struct sio_socket *socket)
{
    struct sio_server *server = socket->nsp->server;

    if (socket->restore != NULL) {
        sio_restore_abandon(socket->restore);
    }
    sio_acks_drop(socket);
    sio_rooms_leave(socket);
    sio_stream_leave(socket->stream);
    if (socket->joined) {
        sio_walks_lose_socket(socket->nsp, socket);
        HASH_DELETE(hh, socket->nsp->sockets, socket);
        server->stats.sockets--;
    }
    if (socket->kicked) {
        TAILQ_REMOVE(&server->leaving, socket, leaving);
    }
    STAILQ_REMOVE(&socket->connection->sockets, socket, sio_socket, sibling);
    socket->connection->count--;
    free(socket);
}

void sio_socket_close(struct sio_socket *socket, struct sio_reason reason)
{
    if (socket->kicked) {
        reason.kind = SIO_LEFT_SERVER;
    }
    if (socket->restore != NULL && !sio_reason_recoverable(reason)) {
        sio_restore_forget(socket->restore);
    }
    sio_kept_add(socket, reason);
    socket->state = SIO_STATE_LEAVING;
    socket->nsp->app->on_disconnect(socket, reason);
    socket_free(socket);
}

void sio_socket_send_connect(struct sio_socket *socket)
{
    struct sio_server *server = socket->nsp->server;
    struct buf *out = sio_out_begin(server);
    char pid[SIO_PID_LEN];

    if (socket->connection->is_v4) {
        sio_v4_add_accept(out, socket->nsp->name);
    } else {
        sio_packet_encode_head(out, SIO_CONNECT, 0, socket->nsp->name, SIO_ACK_NONE);
        buf_add_cstr(out, "{\"sid\":\"");
        buf_add(out, socket->id, SID_LEN);
        if (socket->stream != NULL) {
            sio_pid_write(&server->recovery, socket->id, pid);
            buf_add_cstr(out, "\",\"pid\":\"");
            buf_add(out, pid, sizeof pid);
        }
        buf_add_cstr(out, "\"}");
    }
    sio_out_send(server, socket->connection->session);
}

void sio_socket_tell_joined(struct sio_socket *socket)
{
    if (socket->nsp->app->on_joined != NULL) {
        socket->nsp->app->on_joined(socket, socket->recovered);
    }
}

static void enter_namespace(struct sio_socket *socket)
{
    struct sio_stats *stats = &socket->nsp->server->stats;

    socket->state = SIO_STATE_JOINED;
    socket->joined = true;
    HASH_ADD(hh, socket->nsp->sockets, id, SID_LEN, socket);
    stats->sockets++;
    stats->connects++;
}

void sio_socket_joined(struct sio_socket *socket)
{
    enter_namespace(socket);
    if (socket->stream != NULL) {
        socket->start = socket->stream->now;
    }
    sio_socket_send_connect(socket);
    sio_socket_tell_joined(socket);
}

void sio_socket_become(struct sio_socket *socket, const struct sio_kept *kept)
{
    memcpy(socket->id, kept->id, SID_SIZE);
    socket->start = kept->start;
    socket->since_ms = kept->since_ms & 0xffffffffffu;
    socket->recovered = true;
    enter_namespace(socket);
}

void sio_socket_accept(struct sio_socket *socket, uint64_t scope, void *user)
{
    struct sio_namespace *nsp = socket->nsp;

    if (socket->state != SIO_STATE_CONNECTING || socket->accepted) {
        return;
    }
    socket->accepted = true;
    socket->scope = scope;
    socket->user = user;
    socket->stream = sio_stream_enter(nsp, scope);
    sio_connection_joined(socket->connection);
    if (socket->restore != NULL) {
        sio_restore_begin(socket->restore);
    } else {
        sio_socket_joined(socket);
    }
}

bool sio_socket_recovered(const struct sio_socket *socket)
{
    return socket->recovered;
}

static void add_refuse(struct buf *out, struct str nsp, struct str message, struct str data_json)
{
    sio_packet_encode_head(out, SIO_CONNECT_ERROR, 0, nsp, SIO_ACK_NONE);
    buf_add_cstr(out, "{\"message\":");
    json_add_string(out, message);
    if (data_json.len > 0) {
        buf_add_cstr(out, ",\"data\":");
        buf_add_str(out, data_json);
    }
    buf_add_char(out, '}');
}

void sio_connect_error(struct sio_connection *connection, struct str nsp, struct str message,
                       struct str data_json)
{
    struct sio_server *server = connection->server;
    struct buf *out = sio_out_begin(server);

    server->stats.refused++;
    (connection->is_v4 ? sio_v4_add_refuse : add_refuse)(out, nsp, message, data_json);
    sio_out_send(server, connection->session);
}

void sio_namespace_unknown(struct sio_connection *connection, struct str nsp)
{
    static const struct str message = STR_INIT("Invalid namespace");

    sio_connect_error(connection, nsp, message,
                      connection->is_v4 ? STR("{\"message\":\"Invalid namespace\"}") : STR(""));
}

void sio_socket_refuse(struct sio_socket *socket, struct str message, struct str data_json)
{
    if (socket->state != SIO_STATE_CONNECTING || socket->accepted) {
        return;
    }
    sio_connect_error(socket->connection, socket->nsp->name, message, data_json);
    socket_free(socket);
}

static void kick(struct sio_socket *socket)
{
    struct sio_server *server = socket->nsp->server;

    if (socket->state == SIO_STATE_LEAVING) {
        return;
    }
    sio_packet_encode_head(sio_out_begin(server), SIO_DISCONNECT, 0, socket->nsp->name,
                           SIO_ACK_NONE);
    sio_out_send(server, socket->connection->session);
    socket->state = SIO_STATE_LEAVING;
    socket->kicked = true;
    TAILQ_INSERT_TAIL(&server->leaving, socket, leaving);
    loop_wake(server->loop);
}

void sio_socket_disconnect(struct sio_socket *socket, bool close_session)
{
    struct sio_connection *connection = socket->connection;
    struct sio_socket *sibling;

    if (!close_session) {
        kick(socket);
        return;
    }
    STAILQ_FOREACH (sibling, &connection->sockets, sibling) {
        kick(sibling);
    }
    eio_session_close(connection->session, EIO_REASON_FORCED_SERVER_CLOSE);
}

const char *sio_socket_id(const struct sio_socket *socket)
{
    return socket->id;
}

uint64_t sio_socket_scope(const struct sio_socket *socket)
{
    return socket->scope;
}

void *sio_socket_user(const struct sio_socket *socket)
{
    return socket->user;
}

struct eio_session *sio_socket_session(const struct sio_socket *socket)
{
    return socket->connection->session;
}

struct sio_namespace *sio_socket_namespace(const struct sio_socket *socket)
{
    return socket->nsp;
}

struct sio_socket *sio_socket_find(struct sio_namespace *nsp, struct str id)
{
    struct sio_socket *socket = NULL;

    if (id.len == SID_LEN) {
        HASH_FIND(hh, nsp->sockets, id.data, SID_LEN, socket);
    }
    return socket;
}

void sio_socket_set_owner(struct sio_socket *socket, uint64_t owner)
{
    socket->owner = owner;
}
