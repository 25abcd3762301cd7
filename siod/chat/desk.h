/* The chat desk: agents connect, join chats and are told what happens. Business rules without SQL
 * or HTTP.
 *
 * One struct desk holds the live state (who is connected, which chat belongs to whom, what was
 * emitted last). Rooms are `chat_{id}` and `business_{id}`; their scope is the businessId, so that
 * one tenant cannot name another's room. Durable events arrive as committed log rows and are
 * emitted in slices, in position order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "libshared/token.h"
#include "siod/chat/assign_rule.h"
#include "siod/socketio/socketio.h"
#include "siod/store/store.h"

struct desk;

struct desk_config {
    struct loop *loop;
    struct store *store;
    struct sio_server *sio;        /* the desk adds its namespace "/" */
    struct token_verifier *tokens; /* borrowed */
    unsigned connections_per_user; /* sockets of one user; 0 = no limit */
    uint64_t offline_grace_ms;     /* from a user's last disconnect to user_offline */
    uint64_t typing_throttle_ms;   /* at most one user_typing per user and chat in this time; 0 = no
                                      throttle */
    uint64_t typing_expire_ms;     /* typing ends by itself after this time; 0 = never */
    enum assign_policy assign_policy;
    uint64_t recovery_window_ms; /* of sessions whose client is gone; 0 = there are none */
};

/* Returns owned. */
NODISCARD
struct desk *desk_new(const struct desk_config *config);
/* Take over limits, times and the policy of `config`; under another policy the chats that wait are
 * looked at again. What is already running down (a grace, typing) keeps its time. */
void desk_reconfigure(struct desk *desk, const struct desk_config *config);
void desk_free(struct desk *desk);
/* For store_config.on_commit: takes the rows and emits them. */
void desk_on_commit(void *desk, struct store_events *events);
/* Committed rows that are not emitted yet. */
size_t desk_backlog(const struct desk *desk);

/* Who is behind a socket of the namespace "/"; NULL before the CONNECT was accepted. */
struct desk_agent {
    int64_t user_id, business_id;
    enum token_role role;
    uint32_t token_issued_s; /* its iat, 0 = it has none */
    int64_t token_expires_s; /* when the socket is closed for it; INT64_MAX = never */
};
const struct desk_agent *desk_agent_of(const struct sio_socket *socket);
/* As the last token of its user that has a name calls it; may be empty. */
struct str desk_agent_name(const struct sio_socket *socket);
struct sio_namespace *desk_namespace(struct desk *desk);
/* Why and when a socket left, as long as not a thousand others have left after it. */
NODISCARD
bool desk_gone(const struct desk *desk, struct str id, struct sio_reason *ret_reason,
               int64_t *ret_at_ms);

/* At start, from the store: an agent who was online when siod stopped; offline_grace_ms begins now.
 */
void desk_agent_was_online(struct desk *desk, const struct store_agent *row);
/* At start, from the store: a session that is good until that time, in Unix milliseconds. False: it
 * is no use, and goes. */
bool desk_session_was_there(struct desk *desk, const struct store_session *row, int64_t until_ms);
/* At the end: what is still to be written of sessions is given to the store. */
void desk_sessions_flush(struct desk *desk);
/* At shutdown: sockets that close from now on say nothing about their users. */
void desk_drain(struct desk *desk);

/* At start, from the store: where the business's log stands. */
void desk_set_position(struct desk *desk, int64_t business_id, int64_t position);
/* Log position of the last row of the business that was emitted; what a joining client is told. */
int64_t desk_position(struct desk *desk, int64_t business_id);
/* The business of a chat, if it is remembered: 0 = ask the store. */
int64_t desk_chat_business(struct desk *desk, int64_t chat_id);

/* An ephemeral event: to the room's members and the taps, kept nowhere. Returns the number of
 * receivers. */
unsigned desk_emit(struct desk *desk, int64_t business_id, const struct sio_broadcast *broadcast);
/* Is this a name for an event of somebody else's? Clients of Socket.IO take some for their own. */
bool desk_may_emit(struct str event);

/* By somebody else's word, which a restart must not undo: `recorded` is told when no row of the
 * session says otherwise any more, maybe before these return. May be NULL. */
/* The chat of which this is the room: "chat_12", and no other way to write that number. */
NODISCARD
bool desk_room_chat(struct str room, int64_t *ret_chat_id);
typedef void desk_recorded(void *arg, enum err err);
/* The socket leaves a room: what its user was typing there ends. */
void desk_leave_room(struct sio_socket *socket, struct str room, desk_recorded *recorded,
                     void *arg);
/* It joins one, as sio_socket_join(). False: nothing changed, and nobody is told. */
NODISCARD
bool desk_join_room(struct sio_socket *socket, struct str room, desk_recorded *recorded, void *arg);
/* It is disconnected, and its client cannot come back to the session. */
void desk_kick(struct sio_socket *socket);
/* Of all that were kicked. */
void desk_kicks_record(struct desk *desk, desk_recorded *recorded, void *arg);

/* Everything that is emitted, as it is emitted, whether anybody receives it or not: for `sioctl
 * tail`. */
struct desk_emission {
    uint64_t seq;     /* counts all emissions of this process from 1 */
    int64_t position; /* in the business's log, 0 for an ephemeral event */
    int64_t business_id;
    int64_t at_ms;
    struct str room, event;
    struct str args; /* JSON text without brackets */
    unsigned receivers;
};
struct desk_tap {
    struct desk_tap *next;
    void (*fn)(struct desk_tap *tap,
               const struct desk_emission *emission); /* borrowed for the call */
};
void desk_tap_add(struct desk *desk, struct desk_tap *tap);
void desk_tap_remove(struct desk *desk, struct desk_tap *tap);
