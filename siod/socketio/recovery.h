/* Connection state recovery (protocol.md 6): a client that lost its connection comes back as the
 * socket it was, with its rooms, and is sent what it missed.
 *
 * A client is told a secret, its pid, with the answer to CONNECT; each event without an ack id
 * carries an offset (libshared/wire/offset.h) as its last argument. A socket that leaves for a
 * reason that is not its client's wish is kept for a while. When the client presents its pid in
 * time, and the application finds it to be the same owner, the session is taken up again, once; one
 * that still looks connected is taken over. Whatever is not certain to be complete is not restored:
 * the client then gets a new session and knows it.
 *
 * What was emitted is of two kinds. Durable events have a position in a log that the application
 * keeps and reads (struct sio_log). The others are passing: typing, presence. They are kept in
 * memory, for each scope on its own, bounded in time and bytes. Without a log all events are
 * passing. Volatile events and replies carry the present offset and are not kept. Clients of
 * Socket.IO 2 have no part in any of this. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/str.h"

struct buf;
struct sio_namespace;
struct sio_restore;
struct sio_server;
struct sio_socket;

struct sio_recovery_config {
    bool enabled;
    uint64_t window_ms;  /* how long a session is kept after its disconnect */
    size_t max_bytes;    /* sent again to one client, and of passing events kept of one scope */
    size_t memory_bytes; /* of passing events of all scopes, and of sessions, each; 0 = no limit */
    unsigned max_sessions; /* that are kept; past it the oldest goes. 0 = no limit */
};

enum sio_recovery_refused {
#define RECOVERY_REFUSED(id, label) SIO_RECOVERY_##id,
#include "siod/socketio/recovery.def"
#undef RECOVERY_REFUSED
    SIO_RECOVERY_REFUSED_COUNT
};
/* "unknown_session" */
const char *sio_recovery_refused_label(enum sio_recovery_refused reason);

struct sio_recovery_stats {
    bool enabled;
    unsigned sessions;           /* kept, of clients that are not connected */
    size_t session_bytes;        /* of these */
    size_t event_bytes;          /* of passing events */
    uint64_t restored, replayed; /* sessions, and events that they were sent again */
    uint64_t forgotten;          /* sessions that had to go before their time */
    uint64_t refused[SIO_RECOVERY_REFUSED_COUNT];
};
void sio_recovery_stats(const struct sio_server *server, struct sio_recovery_stats *ret_stats);

/* In on_connect, before the socket is accepted: does its client come back to a session of this
 * scope and owner? True: the session is this socket's from now on, and what else was connected with
 * it is closed. sio_socket_accept() then restores it, or sio_socket_refuse() gives it back; whether
 * it could be restored is told by on_joined. */
bool sio_socket_claim(struct sio_socket *socket, uint64_t scope, uint64_t owner);
/* Was this socket restored when it connected? */
bool sio_socket_recovered(const struct sio_socket *socket);

/* The room is no more what it was: sessions that were in it are not restored. */
void sio_sessions_forget_room(struct sio_namespace *nsp, uint64_t scope, struct str room);

/* ---- the log of durable events */

struct sio_log_row {
    int64_t position;
    struct str room, event, args; /* as in struct sio_broadcast */
    struct str origin;            /* id of the socket that did not hear it; may be empty */
};

struct sio_log {
    /* Of a scope: which history its positions count, and the position of the last event that was
     * emitted. */
    void (*open)(void *arg, uint64_t scope, uint64_t *ret_stream, int64_t *ret_position);
    /* Gives the rows of sio_restore_scope() with a position above sio_restore_after() to
     * sio_restore_row(), on any one thread, in ascending order, until there is none or it answers
     * false; then calls sio_restore_read() on the loop's thread, never before this returns. Rows
     * that were erased may be left out. */
    void (*read)(void *arg, struct sio_restore *restore);
    /* Optional. Nobody can come back to this session any more, without having come back. */
    void (*forget)(void *arg, struct str id);
};
/* Borrowed. Before the first socket. */
void sio_namespace_set_log(struct sio_namespace *nsp, const struct sio_log *log, void *arg);

/* ---- over a restart */

/* The key of pids, which is drawn at random otherwise: before the first socket. */
enum { SIO_RECOVERY_KEY_BYTES = 16 };
void sio_recovery_set_key(struct sio_server *server, const uint8_t key[SIO_RECOVERY_KEY_BYTES]);
/* Appends what has to be kept of the socket's session, as it is now: it changes only with the rooms
 * that the socket is in. False: its client cannot come back. */
bool sio_session_export(const struct sio_socket *socket, struct buf *state);
/* Appends bytes that are in it when the socket is in this room, and otherwise not. */
void sio_session_room(struct str room, struct buf *bytes);
/* A session of an earlier process, whose client may come back within keep_ms. False: it is not
 * good, of another history for instance. Borrowed. */
struct sio_session {
    struct str id, state;
    uint64_t scope, owner;
    uint64_t keep_ms;
};
bool sio_session_import(struct sio_namespace *nsp, const struct sio_session *session);

/* ---- in struct sio_log's read() */

uint64_t sio_restore_scope(const struct sio_restore *restore);
int64_t sio_restore_after(const struct sio_restore *restore);
bool sio_restore_row(struct sio_restore *restore, const struct sio_log_row *row);
/* `reached` is the position up to which there was no other row. `failed`: rows are not there any
 * more, or could not be read. The pointer is dead afterwards, unless log->read() is called with it
 * again. */
void sio_restore_read(struct sio_restore *restore, bool failed, int64_t reached);
