/* Inside socketio: what its files know of one another. Nobody else includes this.
 *
 *     server ─< namespace ─< room ─< member ┐
 *        └──< connection ─< socket ─────────┘
 *
 * and beside them what clients that come back need: a stream for each scope, sessions that are kept
 * (stream.h, kept.h).
 *
 * A connection is what an Engine.IO session is to this layer; a socket is its presence in one
 * namespace. A socket that the server disconnects leaves at the end of the round, so that it stays
 * valid in the callback that did it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "libshared/buf.h"
#include "libshared/map.h"
#include "libshared/wire/engineio.h"
#include "libshared/wire/socketio.h"
#include "siod/net/budget.h"
#include "siod/net/loop.h"
#include "siod/socketio/kept.h"
#include "siod/socketio/recovery.h"
#include "siod/socketio/socketio.h"
#include "siod/socketio/stream.h"

enum sio_state {
    SIO_STATE_CONNECTING, /* given to on_connect, not answered yet, or to be restored */
    SIO_STATE_JOINED,
    SIO_STATE_LEAVING, /* `41` was sent, or on_disconnect is being told */
};

/* A member and its place are found from each other in both directions, so that neither joining nor
 * leaving looks at anybody else. The session is here for the fan-out: it need not touch the
 * socket. */
struct sio_member {
    struct sio_socket *socket;
    struct eio_session *session;
    unsigned slot : 31;  /* in socket->rooms */
    unsigned is_v4 : 1;  /* wants no offset */
    uint32_t owner_part; /* the low half of socket->owner: tells most sockets apart from here */
};

struct sio_membership {
    struct sio_room *room;
    unsigned index;                           /* in room->members */
    uint32_t joined_position, joined_passing; /* the stream's place then, the low halves */
};

struct sio_room {
    struct sio_namespace *nsp;
    struct sio_stream *stream;  /* its members hold it; NULL without recovery */
    struct sio_member *members; /* dense, in no order */
    unsigned count, cap;
    UT_hash_handle hh;
    unsigned key_len; /* the key is scope and name, as they lie here */
    uint64_t scope;
    char name[];
};

struct sio_pending_ack {
    LIST_ENTRY(sio_pending_ack) link;
    struct timer timer;
    struct sio_socket *socket;
    int64_t id;
    sio_ack_fn fn;
    void *arg;
};

struct sio_socket {
    struct sio_namespace *nsp;
    struct sio_connection *connection;
    void *user;
    uint64_t scope;
    uint64_t owner;
    struct sio_stream *stream;    /* once accepted; NULL without recovery */
    struct sio_restore *restore;  /* before it has joined, if its client comes back */
    struct sio_mark start;        /* where its session began */
    struct sio_membership *rooms; /* in no order; room for 1 << rooms_log, unless NULL */
    LIST_HEAD(, sio_pending_ack) acks;
    STAILQ_ENTRY(sio_socket) sibling; /* of the same connection */
    TAILQ_ENTRY(sio_socket) leaving;  /* in server->leaving */
    UT_hash_handle hh;                /* in nsp->sockets, once it has joined */
    unsigned room_count;
    char id[SID_SIZE];
    enum sio_state state : 3;
    bool accepted : 1; /* by the application */
    bool joined : 1;   /* in nsp->sockets */
    bool kicked : 1;   /* in server->leaving */
    bool recovered : 1;
    unsigned rooms_log : 5;
    uint64_t since_ms : 40; /* of a recovered one: struct sio_kept; see eio_session_opened_ms() */
};

/* A packet that cannot be handled yet. It is binary and its attachments are still coming, one after
 * the other and with nothing else in between; or it is whole, and its socket is being restored. */
STAILQ_HEAD(sio_held, sio_partial);
struct sio_partial {
    struct sio_connection *connection;
    struct sio_restore *restore;    /* that it waits for; NULL: it waits for attachments */
    STAILQ_ENTRY(sio_partial) link; /* in the restore's */
    struct hold hold;
    struct buf head; /* the packet's text */
    struct buf data; /* the attachments, joined */
    size_t ends[SIO_ATTACHMENTS_MAX];
    unsigned due, received;
};

struct sio_deadline {
    struct timer timer;
    struct sio_connection *connection;
};

struct sio_connection {
    struct sio_server *server;
    struct eio_session *session;
    STAILQ_HEAD(, sio_socket) sockets; /* few: one a namespace, in the order of CONNECT */
    struct sio_deadline *deadline;     /* until the first namespace is joined */
    struct sio_partial *partial;       /* NULL almost always */
    /* There are many connections. */
    uint64_t count : 16;     /* of sockets */
    uint64_t second_ms : 20; /* when the present second of counting events began; wraps */
    uint64_t events : 27;    /* in it, and CONNECTs */
    uint64_t is_v4 : 1;      /* a client of Socket.IO 2 */
};

struct sio_namespace {
    struct sio_server *server;
    const struct sio_app *app;
    void *arg;
    struct sio_socket *sockets; /* the joined ones, by id */
    struct sio_room *rooms;     /* by scope and name */
    struct sio_stream *streams; /* by scope */
    struct sio_kept *kept;      /* sessions, by id */
    const struct sio_log *log;  /* NULL: no event is durable */
    void *log_arg;
    LIST_HEAD(, sio_walk) walks;
    int64_t next_ack; /* one counter for all sockets, as in the reference */
    UT_hash_handle hh;
    struct str name; /* of text */
    char text[];
};

struct sio_server {
    struct loop *loop;
    struct eio_server *engine;
    struct sio_config config;
    struct json_limits json;
    struct sio_namespace *namespaces;
    TAILQ_HEAD(, sio_socket) leaving;
    struct loop_hook hook;
    struct sio_scratch scratch; /* of the packet that is being handled */
    struct buf out;             /* the packet that is being encoded */
    struct buf ordered;         /* arguments whose placeholders were put in order */
    struct buf raw_ordered;     /* the same as they came, where those were normalised */
    struct sio_stats stats;
    struct sio_recovery recovery;
};

/* walk.c: before a room, a socket goes; the namespace still has it. */
void sio_walks_lose_room(struct sio_namespace *nsp, const struct sio_room *room);
void sio_walks_lose_socket(struct sio_namespace *nsp, const struct sio_socket *socket);
/* The member at `index` goes. Moves others into its place, until what the walks have still to meet
 * is in order; returns the place that is free then. */
unsigned sio_walks_replace(struct sio_room *room, unsigned index);

/* connection.c */
void sio_connection_open(void *arg, struct eio_session *session);
void sio_connection_message(struct eio_session *session, bool binary, struct str payload);
void sio_connection_close(struct eio_session *session, enum eio_reason reason);
/* Too much is incomplete, and this one has to give way. */
void sio_connection_no_room(struct sio_connection *connection);
/* The first namespace was joined. */
void sio_connection_joined(struct sio_connection *connection);
/* Handles packets that were held back, one after the other, and frees them. */
void sio_connection_resume(struct sio_connection *connection, struct sio_held *held);

/* protocol4.c: clients of Socket.IO 2 (protocol.md 4) */
/* The session is open: the main namespace is connected unasked. */
void sio_v4_open(struct sio_connection *connection);
/* The namespace of a packet is a URL: without its query and fragment it is the name, with nothing
 * else of it changed. The query of a CONNECT is appended to `auth` as a JSON object. */
struct str sio_v4_name(struct str nsp);
void sio_v4_add_auth(struct buf *auth, struct str nsp);
void sio_v4_add_accept(struct buf *out, struct str nsp);
void sio_v4_add_refuse(struct buf *out, struct str nsp, struct str message, struct str data_json);

/* binary.c */
/* Returns owned. `attachments` of them are due. NULL when there is no room for it (budget.h). */
NODISCARD
struct sio_partial *sio_partial_new(struct sio_connection *connection, struct str head,
                                    unsigned attachments);
void sio_partial_free(struct sio_partial *partial);
void sio_held_free(struct sio_held *held);
/* ERR_TOO_LARGE when together they would be larger than a message may be, ERR_BUSY when there is
 * no room. */
NODISCARD
enum err sio_partial_add(struct sio_partial *partial, struct str data);
/* Whole, and soon gone: it counts no longer. */
void sio_partial_unhold(struct sio_partial *partial);
bool sio_partial_complete(const struct sio_partial *partial);
/* Put the placeholders in `args` in order and find what they stand for: ret_data, which has room
 * for SIO_ATTACHMENTS_MAX, borrows from the partial, ret_args from `ordered`. */
NODISCARD
enum err sio_partial_bind(const struct sio_partial *partial, struct str args, struct buf *ordered,
                          struct str *ret_args, struct str *ret_data, unsigned *ret_count);

/* socket.c */
/* A CONNECT: hands the new socket to the application. */
void sio_socket_open(struct sio_connection *connection, struct sio_namespace *nsp, struct str auth);
/* Tells the application, leaves all rooms, frees. */
void sio_socket_close(struct sio_socket *socket, struct sio_reason reason);
/* An accepted socket is joined as a new session: sends the CONNECT, tells the application. */
void sio_socket_joined(struct sio_socket *socket);
/* It is joined as the session that was kept, without its rooms. */
void sio_socket_become(struct sio_socket *socket, const struct sio_kept *kept);
void sio_socket_send_connect(struct sio_socket *socket);
void sio_socket_tell_joined(struct sio_socket *socket);
/* CONNECT_ERROR for a namespace that may not exist. */
void sio_connect_error(struct sio_connection *connection, struct str nsp, struct str message,
                       struct str data_json);
/* The same for a namespace that does not exist: in one form for clients of all versions. */
void sio_namespace_unknown(struct sio_connection *connection, struct str nsp);

/* emit.c: ends an event that was begun with sio_event_encode_open() with its offset. */
void sio_offset_add(struct buf *out, const char offset[SIO_OFFSET_LEN]);
/* Empties server->out and starts it with Engine.IO's type byte; sends what is in it. */
struct buf *sio_out_begin(struct sio_server *server);
void sio_out_send(struct sio_server *server, struct eio_session *session);

/* ack.c */
void sio_ack_received(struct sio_socket *socket, int64_t id, const struct sio_answer *answer);
/* Forget what is pending, silently. */
void sio_acks_drop(struct sio_socket *socket);

/* reach.c */
typedef void (*sio_reach_fn)(void *arg, struct sio_socket *socket);
/* Every socket that is in the broadcast's rooms and in none of those it leaves out, once. `fn` must
 * not change who is in which room. */
void sio_reach_each(struct sio_namespace *nsp, uint64_t scope,
                    const struct sio_broadcast *broadcast, sio_reach_fn fn, void *arg);

/* room.c */
bool sio_room_has(const struct sio_room *room, const struct sio_socket *socket);
/* NULL when nobody is in it. */
struct sio_room *sio_room_find(struct sio_namespace *nsp, uint64_t scope, struct str name);
void sio_rooms_leave(struct sio_socket *socket);
struct str sio_room_name(const struct sio_room *room);
/* Place of the stream when the socket entered socket->rooms[slot]. */
struct sio_mark sio_membership_joined(const struct sio_socket *socket, unsigned slot);
/* Again, as it was then, whatever the limits are now. */
void sio_room_enter(struct sio_socket *socket, struct str name, struct sio_mark joined);
void sio_room_describe(const struct sio_room *room, struct sio_room_info *ret_info);
/* To a place whose member is gone or has been moved. */
void sio_member_move(struct sio_room *room, unsigned from, unsigned to);
