/* Inside socketio: what is emitted in one scope of a namespace, as clients that recover see it: how
 * far it has come, and the passing events of the last minutes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "libshared/base.h"
#include "libshared/map.h"
#include "libshared/str.h"
#include "libshared/wire/attachment.h"
#include "libshared/wire/offset.h"

struct sio_broadcast;
struct sio_chunk;
struct sio_namespace;
struct sio_server;

/* A place between two events. */
struct sio_mark {
    int64_t position; /* of the last durable event before it */
    uint64_t passing; /* of the last passing one; these are counted through all scopes */
};

struct sio_stream {
    UT_hash_handle hh; /* nsp->streams, by scope */
    struct sio_namespace *nsp;
    uint64_t scope;
    uint64_t number; /* of its history: struct sio_offset */
    struct sio_mark now;
    TAILQ_HEAD(chunk_list, sio_chunk) chunks; /* of passing events, oldest first */
    size_t bytes;
    uint64_t lost_passing, lost_ms; /* the newest event that is not kept any more, and its time */
    TAILQ_ENTRY(sio_stream) filled; /* server->streams, while it has chunks */
    unsigned refs;                  /* sockets, and sessions that are kept */
    char offset[SIO_OFFSET_LEN];    /* of `now` */
};

/* The scope's stream with a reference added, made if there was none. NULL when nothing can be
 * recovered on this server. */
struct sio_stream *sio_stream_enter(struct sio_namespace *nsp, uint64_t scope);
/* NULL is accepted. With the last reference all of it goes: nobody is left who could miss
 * anything. */
void sio_stream_leave(struct sio_stream *stream);
/* NULL when there is none. */
struct sio_stream *sio_stream_find(struct sio_namespace *nsp, uint64_t scope);

/* The broadcast is about to be sent. `text` is its packet without the closing bracket. What is
 * passing is kept; stream->offset is that of this event then. */
void sio_stream_note(struct sio_stream *stream, const struct sio_broadcast *broadcast,
                     struct str text);

/* A passing event that is kept. Borrowed. */
struct sio_passed {
    struct sio_mark mark; /* right behind it */
    struct str text;      /* the packet without the closing bracket */
    unsigned rooms, excepts;
    const char *room_names, *except_names; /* each a byte with its length and the name */
    struct str except_id;                  /* of a socket; empty = none */
    uint64_t except_owner;                 /* 0 = nobody */
    unsigned attachments;
    const char *attachment_data; /* each 32 bits with its length and the bytes */
};
/* Takes one of sio_passed's names; moves on to the next. */
struct str sio_passed_name(const char **names);
struct str sio_passed_attachment(const char **data);

/* Those behind `passing`, oldest first, one by one: false, that was all. Nothing is emitted
 * meanwhile. */
struct sio_passed_walk {
    const struct sio_stream *stream;
    const struct sio_chunk *chunk;
    size_t at;
    uint64_t passing;
};
struct sio_passed_walk sio_passed_walk(const struct sio_stream *stream, uint64_t passing);
bool sio_passed_next(struct sio_passed_walk *walk, struct sio_passed *ret_passed);
/* Is every event there that came behind `passing` and after that time? */
bool sio_stream_covers(const struct sio_stream *stream, uint64_t passing, uint64_t since_ms);

/* Drops what is older than anybody can need. */
void sio_streams_sweep(struct sio_server *server);
