/* The application and the ears of fuzz_session: what runs above the layers and what hears at the
 * clients, each checking what the layers promise it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/eio_client.h"

struct buf;
struct http_server;
struct loop;
struct session_app;

/* An echo on /engine.io/, and on /socket.io/ the namespaces "/" and "/custom" with events that
 * echo, acknowledge, join, broadcast, ask and disconnect. Returns owned. */
struct session_app *session_app_new(struct loop *loop, struct http_server *http, bool limit_rate);
void session_app_free(struct session_app *app);
void session_app_drain(struct session_app *app, unsigned per_round);
/* Do the counters fit one another, and what the application was told? */
void session_app_check(const struct session_app *app);
/* The same when no session may be left. */
void session_app_check_empty(const struct session_app *app);

enum { SESSION_NAMESPACES = 2 };

/* A client, and what it has heard of its present session. */
struct session_peer {
    struct eio_client client;
    unsigned generation;
    bool has_socketio;
    uint32_t numbered;
    uint64_t heard[SESSION_NAMESPACES]; /* the last count of an echo */
    unsigned attachments;               /* still to come */
};

/* The `index` decides which kind of client it is. */
void session_peer_init(struct session_peer *peer, struct loop *loop, struct http_server *http,
                       unsigned index);
/* Append an Engine.IO message with the next number, in a form that is not met by chance. */
void session_peer_number(struct session_peer *peer, struct buf *packet);

/* End the round and begin the next one `ms` later, until the peers have nothing more to read. */
void session_end_round(struct loop *loop, struct session_peer *peers, size_t count, uint64_t ms);
