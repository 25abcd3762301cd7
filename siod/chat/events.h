/* The events of the chat protocol: names, payloads, dispatch. The rows are in events.def. */
#pragma once

#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/id.h"
#include "libshared/str.h"
#include "siod/chat/payloads.h"

struct buf;
struct desk;
struct desk_socket;
struct sio_event;
struct sio_socket;

/* Wire names of what the server emits. */
enum desk_event {
#define ON(id, name, role, payload)
#define EMIT(id, name, room) EVENT_##id,
#include "siod/chat/events.def"
#undef EMIT
#undef ON
    EVENT_COUNT
};
struct str event_name(enum desk_event event);

/* A client's event while it is handled; `ack` is -1 when the client wants no answer. */
struct event_ctx {
    struct desk *desk;
    struct desk_socket *from;
    struct str name;
    int64_t ack;
};

/* An event that is answered after a commit or a read: its socket is found again by its id. */
struct event_later {
    struct desk *desk;
    struct str name;
    int64_t ack;
    char socket_id[SID_SIZE], session_sid[SID_SIZE]; /* the second: of the connection */
};
void event_suspend(const struct event_ctx *ctx, struct event_later *ret_later);
/* False when the socket has gone meanwhile, or came back with another connection: answers belong to
 * the one that asked. */
bool event_resume(const struct event_later *later, struct event_ctx *ret_ctx);

/* Handlers, one for each ON row. They answer with event_done() or event_refuse(), now or later. */
#define ON(id, name, role, payload)                                                                \
    void on_##id(const struct event_ctx *ctx, const struct payload *bound);
#define EMIT(id, name, room)
#include "siod/chat/events.def"
#undef EMIT
#undef ON

/* From socketio: find the row, check, bind, call. */
void event_dispatch(struct desk *desk, struct desk_socket *from, const struct sio_event *event);

/* Ack {"ok":true<fields>}; `fields` is empty or begins with a comma. */
void event_done(struct sio_socket *socket, int64_t ack, struct str fields);
/* The same in pieces: each field appended to the buffer begins with a comma. NULL, and no end, when
 * nobody waits for the answer. Nothing else is sent in between. */
struct buf *event_done_begin(struct sio_socket *socket, int64_t ack);
void event_done_end(struct sio_socket *socket, struct buf *out);
/* Ack {"ok":false,"error":{code,message}}, or without ack the event error_event {event, code,
 * message}. */
void event_refuse(struct sio_socket *socket, struct str event, int64_t ack, enum err err,
                  const char *message);
