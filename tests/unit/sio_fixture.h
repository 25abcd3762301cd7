/* A Socket.IO server with a small application, for the tests of its parts. Clients tell the
 * application what to do by events (see on_event() in sio_fixture.c); what it sees is kept in a
 * journal. */
#pragma once

#include "libshared/buf.h"
#include "siod/socketio/socketio.h"
#include "tests/unit/eio_rig.h"

enum { OP_TEXT = 1, OP_BINARY = 2, OP_PING = 9, OP_PONG = 10 };

/* `config` is filled in before sio_fixture_run(); the rest is touched by the loop thread only while
 * the rig runs. */
struct sio_fixture {
    struct rig *rig;
    struct sio_config config;
    const struct sio_log *log; /* of the main namespace; may be NULL */
    void *log_arg;
    struct sio_server *server;
    struct sio_namespace *main;
    struct buf journal;
    struct sio_socket *waiting; /* for its answer to CONNECT */
    unsigned connected, left;
};

void sio_fixture_run(struct sio_fixture *f);
/* Also checks that every socket that connected left. */
void sio_fixture_finish(struct sio_fixture *f);
#define autosio CLEANUP(sio_fixture_finish)

/* Reads the answer to a CONNECT, which starts with `head`; the sid is copied unless NULL. */
void expect_connected(struct client *ws, const char *head, char sid[21]);
/* A WebSocket that has joined the main namespace. */
void connect_client(struct client *ws, struct sio_fixture *f);
/* The connection works, and nothing else was sent meanwhile. */
void expect_alive(struct client *ws);
/* The journal says so, now or soon. */
void expect_journal(struct sio_fixture *f, const char *text);
