/* The clients of fuzz_session, and what they hear: whether it is what the book says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/buf.h"
#include "tests/fuzz/eio_client.h"

struct book;
struct book_session;
struct http_server;
struct loop;

enum {
    SESSION_NAMESPACES = 2,
    CLIENT_PID_SIZE = 32,
    CLIENT_OFFSET_SIZE = 35,
};

/* Numbers are told from what the input makes up. The factor is odd, so that it has an inverse
 * modulo 2^32. */
static const uint32_t sio_number_factor = 0x9e3779b1, sio_number_inverse = 0x0e8b2f51;

/* What a client knows of its session in a namespace. */
struct sio_ear {
    bool is_joined;
    bool is_deaf;     /* it does not know what it should hear: it claimed more than one session, or
                         one with something that it made up */
    unsigned claimed; /* the generation in which it claimed one */
    const struct book_session *session;
    size_t at; /* it has heard so much of what is due */
    char pid[CLIENT_PID_SIZE], offset[CLIENT_OFFSET_SIZE];
};

struct sio_client {
    struct eio_client client;
    const struct book *book;
    unsigned generation;
    bool has_socketio;
    uint32_t numbered;
    uint64_t heard;       /* the last count of an echo */
    unsigned attachments; /* still to come */
    struct sio_ear ears[SESSION_NAMESPACES];
    struct buf early[SESSION_NAMESPACES]; /* uint32_t: heard before the answer to CONNECT */
    char early_offset[SESSION_NAMESPACES][CLIENT_OFFSET_SIZE];
};

/* The `index` decides which kind of client it is. */
void sio_client_init(struct sio_client *peer, struct loop *loop, const struct book *book,
                     unsigned index);
void sio_client_finish(struct sio_client *peer);
/* Append an Engine.IO message with the next number, in a form that is not met by chance. */
void sio_client_number(struct sio_client *peer, struct buf *packet);
/* Append a CONNECT that claims the session that `other`, or itself, knows of; or, with `made_up`,
 * one with that as pid or offset. */
void sio_client_claim(struct sio_client *peer, const struct sio_client *other, unsigned nsp,
                      struct str made_up, struct buf *packet);

/* End the round and begin the next one `ms` later, until the peers have nothing more to read. */
void session_end_round(struct loop *loop, struct sio_client *peers, size_t count, uint64_t ms);
