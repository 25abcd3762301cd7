/* An Engine.IO server with an application that echoes, for the tests of its parts. What a test
 * wants of the application beyond that it says in a message: see on_message() in eio_fixture.c. */
#pragma once

#include <stdbool.h>

#include "libshared/buf.h"
#include "siod/engineio/engineio.h"
#include "tests/unit/eio_rig.h"

enum { MAX_PAYLOAD = 1000000, OP_TEXT = 1, OP_BINARY = 2 };
enum { FLOOD_COUNT = 20, FLOOD_SIZE = 900000 }; /* more than a kernel buffers for a connection */

/* The request headers of a WebSocket client. */
#define UPGRADE                                                                                    \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* `config` is filled in before eio_fixture_run(), which sets what is 0; the rest is touched by the
 * loop thread only while the rig runs. */
struct eio_fixture {
    struct rig *rig;
    struct eio_config config;
    struct eio_server *server;
    struct eio_session *last; /* opened */
    struct buf heard;         /* all messages, each in brackets */
    unsigned opened, closed;
    enum eio_reason reason; /* of the last close */
    char query[64];
};

void eio_fixture_run(struct eio_fixture *f);
/* Also checks that every session that was opened was closed. */
void eio_fixture_finish(struct eio_fixture *f);
#define autoeio CLEANUP(eio_fixture_finish)

/* How many sessions were opened and closed up to now. */
void expect_sessions(struct eio_fixture *f, unsigned opened, unsigned closed);
/* The one session is closed, now or soon, for this reason. */
void expect_closed(struct eio_fixture *f, enum eio_reason reason);
void expect_body(const struct reply *reply, const char *body);
/* 200 with this body, in answer to a request that was sent before. */
void expect_parked_reply(struct client *client, const char *body);
void expect_poll(struct eio_fixture *f, const char *sid, const char *body);
/* A GET of this session is answered with code 1. */
void expect_unknown(struct eio_fixture *f, const char *sid);
/* Park a GET of the session that was opened last; returns when the server has it. */
void eio_fixture_park(struct client *client, struct eio_fixture *f, const char *sid);
/* The probe of an upgrade up to `3probe`. */
void eio_fixture_probe(struct client *ws, struct eio_fixture *f, const char *sid);
