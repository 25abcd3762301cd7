/* Socket.IO v5 server on Engine.IO: namespaces, CONNECT with auth, events, acks both ways, rooms
 * (protocol.md 3, 5).
 *
 * It knows no event by name and nothing of chats or tenants: the application registers one struct
 * sio_app per namespace and gives each socket an opaque 64-bit `scope` when it accepts it. A room
 * is (namespace, scope, name); a socket can only enter, and an emit only reach, rooms of one scope.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "libshared/base.h"
#include "libshared/id.h"
#include "libshared/str.h"
#include "libshared/wire/attachment.h"
#include "siod/engineio/engineio.h"
#include "siod/net/frame.h"
#include "siod/socketio/recovery.h"

struct buf;
struct loop;
struct sio_namespace;
struct sio_room;
struct sio_server;
struct sio_socket;

/* Why a socket left its namespace: the Engine.IO reasons, and two of its own. */
enum sio_reason_kind { SIO_LEFT_CLIENT, SIO_LEFT_SERVER, SIO_LEFT_SESSION };
struct sio_reason {
    enum sio_reason_kind kind;
    enum eio_reason session; /* when kind is SIO_LEFT_SESSION */
};
/* "client namespace disconnect", "server namespace disconnect", or the session's reason. */
const char *sio_reason_text(struct sio_reason reason);
/* May its client come back (recovery.h)? */
bool sio_reason_recoverable(struct sio_reason reason);

/* An event from a client. Everything in it is borrowed for the call. */
struct sio_event {
    struct str name; /* decoded event name; numbers as their text */
    struct str args; /* the arguments after the name as JSON text, normalised (json.h) and without
                        the brackets: `1,{"a":2}`; empty when there are none */
    struct str raw_args; /* the same as the client wrote it: to be passed on, not to be read */
    int64_t ack;         /* ack id, or -1 when the client wants no answer */
    struct sio_attachments attachments; /* what the placeholders in either stand for, one each, in
                                           the order of the document */
    unsigned excess; /* not 0: beyond events_per_s, the how-manieth; it should be refused */
};

/* The application of one namespace. */
struct sio_app {
    /* CONNECT. `auth` is the JSON object of the packet as text ("{}" if absent), borrowed. Answer
     * now or later with sio_socket_accept() or sio_socket_refuse(); until then events on this
     * namespace close the connection. */
    void (*on_connect)(void *arg, struct sio_socket *socket, struct str auth);
    void (*on_event)(struct sio_socket *socket, const struct sio_event *event);
    /* The socket has left all its rooms when this returns, not before. Called exactly once for each
     * socket that was given to on_connect and not refused, accepted or not; afterwards the pointer
     * is dead. */
    void (*on_disconnect)(struct sio_socket *socket, struct sio_reason reason);
    /* Optional. An accepted socket has joined the namespace: as a new one, from inside
     * sio_socket_accept(), or then or later as one whose session was recovered, with its rooms. */
    void (*on_joined)(struct sio_socket *socket, bool recovered);
};

struct sio_config {
    struct eio_config engine;        /* ops and arg are filled in by sio_server_new() */
    uint64_t connect_timeout_ms;     /* no namespace joined by then: closed; 0 = 45 s */
    unsigned sockets_per_connection; /* namespaces at once on one connection; 0 = no limit */
    unsigned rooms_per_socket;       /* 0 = no limit */
    unsigned events_per_s; /* of one connection, CONNECTs among them, which are refused past it; who
                              sends ten times as many is closed. 0 = no limit */
    unsigned json_depth;   /* 0 = 512 */
    struct sio_recovery_config recovery;
};

/* Returns owned. */
NODISCARD
struct sio_server *sio_server_new(struct loop *loop, const struct sio_config *config);
/* Take over the limits, and what eio_server_reconfigure() takes; the rest stays as it was. */
void sio_server_reconfigure(struct sio_server *server, const struct sio_config *config);
void sio_server_free(struct sio_server *server);
struct eio_server *sio_engine(struct sio_server *server);
/* name: "/" or "/custom". app is borrowed. */
struct sio_namespace *sio_namespace_add(struct sio_server *server, const char *name,
                                        const struct sio_app *app, void *arg);
struct sio_namespace *sio_namespace_find(struct sio_server *server, struct str name);
const char *sio_namespace_name(const struct sio_namespace *nsp);

/* Answer a CONNECT. The CONNECT packet goes out before anything that is emitted afterwards. A
 * socket that was claimed (recovery.h) may join later: until then nothing reaches it. */
void sio_socket_accept(struct sio_socket *socket, uint64_t scope, void *user);
/* CONNECT_ERROR {"message":…[,"data":…]}; data_json is JSON text or empty. The client may try
 * again. The pointer is dead. */
void sio_socket_refuse(struct sio_socket *socket, struct str message, struct str data_json);

/* Who the socket belongs to, opaque: lets a broadcast leave out all sockets of one person. 0 at
 * first; set it before the socket is accepted, or enters a room. */
void sio_socket_set_owner(struct sio_socket *socket, uint64_t owner);

/* Public id, 20 characters, new for each CONNECT; not the Engine.IO sid. */
const char *sio_socket_id(const struct sio_socket *socket);
uint64_t sio_socket_scope(const struct sio_socket *socket);
void *sio_socket_user(const struct sio_socket *socket);
struct eio_session *sio_socket_session(const struct sio_socket *socket);
struct sio_namespace *sio_socket_namespace(const struct sio_socket *socket);
struct sio_socket *sio_socket_find(struct sio_namespace *nsp, struct str id);

/* ack with these arguments: JSON text without brackets (`{"ok":true}`); nothing happens for ack <
 * 0. A second answer to the same id is the caller's error. May be called later, as long as the
 * socket lives. */
void sio_socket_ack(struct sio_socket *socket, int64_t ack, struct str args);
/* The same in pieces: what is appended to the buffer until sio_ack_end() are the arguments. NULL,
 * and no end, when nobody waits for the answer. Nothing else is sent in between. */
struct buf *sio_ack_begin(struct sio_socket *socket, int64_t ack);
void sio_ack_end(struct sio_socket *socket, struct buf *out);
/* With binary data: `args` has one placeholder for each attachment, numbered in order, as struct
 * sio_event has them. Without attachments the same as sio_socket_ack(). */
void sio_socket_ack_binary(struct sio_socket *socket, int64_t ack, struct str args,
                           struct sio_attachments attachments);
/* `args`: JSON text of the arguments after the name, without brackets; may be empty. */
void sio_socket_emit(struct sio_socket *socket, struct str event, struct str args);
void sio_socket_emit_binary(struct sio_socket *socket, struct str event, struct str args,
                            struct sio_attachments attachments);
/* The same in answer to an event of the client, in place of an ack and as much as that one: it is
 * not kept for a client that comes back (recovery.h), whoever sends how much to be answered. */
void sio_socket_reply(struct sio_socket *socket, struct str event, struct str args);
/* What a client answered; borrowed. */
struct sio_answer {
    struct str args; /* JSON text without brackets */
    struct sio_attachments attachments;
};
/* Ask the client: callback with its answer, or with NULL after timeout_ms (0 = never) — not at all
 * when the socket goes away first. */
typedef void (*sio_ack_fn)(struct sio_socket *socket, void *arg, const struct sio_answer *answer);
void sio_socket_emit_with_ack(struct sio_socket *socket, struct str event, struct str args,
                              uint64_t timeout_ms, sio_ack_fn fn, void *arg);
/* Sends `41` and leaves the namespace; close_session also ends the connection, after `41` for every
 * namespace. The socket stays valid until on_disconnect, at the end of the round. */
void sio_socket_disconnect(struct sio_socket *socket, bool close_session);

enum { SIO_ROOM_NAME_MAX = 255 /* bytes */ };

/* Rooms of the socket's own scope. False when rooms_per_socket is reached, the name is too long or
 * the socket is not accepted or leaving (then nothing changed); joining twice is true. Without
 * joining, every socket is in the room that is named by its id. */
NODISCARD
bool sio_socket_join(struct sio_socket *socket, struct str room);
void sio_socket_leave(struct sio_socket *socket, struct str room);
bool sio_socket_in(const struct sio_socket *socket, struct str room);
/* How many it is in: tells whether it has joined or left one. */
unsigned sio_socket_room_count(const struct sio_socket *socket);

/* A broadcast: the packet is encoded once and shared by all receivers. */
struct sio_broadcast {
    struct str room;                 /* .data NULL = every socket of the namespace and scope */
    const struct str *more_rooms;    /* besides `room`; who is in several hears it once */
    const struct str *except_rooms;  /* who is in one of these does not hear it */
    const struct sio_socket *except; /* NULL = nobody is left out */
    uint64_t except_owner;           /* leave out all sockets of this owner; 0 = nobody */
    unsigned more_rooms_count, except_rooms_count;
    bool is_volatile; /* drop for those whose transport cannot take it now */
    int64_t position; /* in the namespace's log (recovery.h); 0: it is in none */
    struct str event;
    struct str args;                    /* as in sio_socket_emit() */
    struct sio_attachments attachments; /* as in sio_socket_emit_binary() */
};
/* Returns the number of receivers. */
unsigned sio_emit(struct sio_namespace *nsp, uint64_t scope, const struct sio_broadcast *broadcast);

/* Inspection. All `fn` return false to stop. They may disconnect sockets, and make the one they are
 * given leave. */
unsigned sio_room_size(struct sio_namespace *nsp, uint64_t scope, struct str room);
void sio_room_members_each(struct sio_namespace *nsp, uint64_t scope, struct str room,
                           bool (*fn)(void *arg, struct sio_socket *member), void *arg);
void sio_socket_rooms_each(const struct sio_socket *socket, bool (*fn)(void *arg, struct str room),
                           void *arg);

/* A walk over all rooms or sockets of a namespace, or over the members of a room, of any length: it
 * may rest between two steps, for rounds, while rooms and sockets come and go. Whatever is there
 * from the beginning until the walk gets to it is met exactly once; what comes later is not met.
 * Sockets that are leaving are met too. Nothing is copied, so a walk costs the same whatever it is
 * over. Embed it, and end it; it also ends, and meets nothing more, with the server. */
struct sio_walk {
    LIST_ENTRY(sio_walk) link;
    struct sio_namespace *nsp; /* NULL once it has ended */
    enum sio_walk_kind { SIO_WALK_ROOMS, SIO_WALK_SOCKETS, SIO_WALK_MEMBERS } kind;
    void *next, *last; /* members: next is the room */
    unsigned left;     /* members: still to be met */
};
void sio_walk_rooms(struct sio_walk *walk, struct sio_namespace *nsp);
void sio_walk_sockets(struct sio_walk *walk, struct sio_namespace *nsp);
void sio_walk_members(struct sio_walk *walk, struct sio_namespace *nsp, uint64_t scope,
                      struct str room);
/* Zero-initialised, or ended before: nothing happens. */
void sio_walk_end(struct sio_walk *walk);
/* The next room; false: that was all. The name is borrowed until the room changes. */
struct sio_room_info {
    struct str name;
    uint64_t scope;
    unsigned members;
};
bool sio_walk_room(struct sio_walk *walk, struct sio_room_info *ret_info);
/* The next socket or member; NULL: that was all. */
struct sio_socket *sio_walk_socket(struct sio_walk *walk);

struct sio_stats {
    unsigned sockets, rooms;
    uint64_t connects, refused, events_in, packets_out, invalid_packets;
    uint64_t namespaces_full, rooms_full, too_deep, rate_exceeded; /* times these limits were
                                                                      enforced */
};
void sio_server_stats(const struct sio_server *server, struct sio_stats *ret_stats);
