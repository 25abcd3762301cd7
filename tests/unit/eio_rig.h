/* A server on its own loop thread and a blocking client, for the tests of Engine.IO and Socket.IO.
 *
 * Everything that touches the server runs on its thread through rig_call(). The client's functions
 * fail the test when nothing arrives within RIG_DEADLINE_S. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

struct eio_config;
struct eio_server;
struct rig;

enum { RIG_DEADLINE_S = 10 };

/* Makes the server and returns the engine to be served on "/socket.io/"; runs on the loop thread,
 * as `stop` does at the end. */
struct rig_ops {
    struct eio_server *(*start)(struct rig *rig, void *arg);
    void (*stop)(void *arg);
};
NODISCARD
struct rig *rig_start(const struct rig_ops *ops, void *arg);
void rig_stop(struct rig *rig);
struct loop *rig_loop(struct rig *rig);
/* Runs fn(arg) on the loop thread and waits for it. */
void rig_call(struct rig *rig, void (*fn)(void *arg), void *arg);
/* Waits until check(arg), run on the loop thread, is true. */
void rig_wait(struct rig *rig, bool (*check)(void *arg), void *arg);

/* One connection. */
struct client {
    int fd;
    struct buf in; /* received and not used yet */
};

struct reply {
    unsigned status;
    struct buf head, body;
};
void reply_finish(struct reply *reply);
#define autoreply CLEANUP(reply_finish)
/* Value of a header as text, NULL if there is none; in a buffer that the next call overwrites. */
const char *reply_header(const struct reply *reply, const char *name);

void client_open(struct client *client, struct rig *rig);
void client_close(struct client *client);
#define autoclient CLEANUP(client_close)
void client_send(struct client *client, struct str bytes);
/* False when the server closed the connection first. */
bool client_receive_reply(struct client *client, struct reply *ret);
/* Reads until `text` came, and drops everything up to its end. */
void client_expect_bytes(struct client *client, const char *text);
/* Nothing arrives for so long. */
bool client_is_silent(struct client *client, unsigned ms);
/* The server closed the connection; what it still sent is skipped. */
void client_expect_end(struct client *client);

/* A request on a connection of its own; headers as "Name: value\r\n" lines or "". */
void http_exchange(struct rig *rig, const char *method, const char *target, const char *headers,
                   struct str body, struct reply *ret);
/* Send one and let the answer wait. */
void http_start(struct client *client, struct rig *rig, const char *method, const char *target,
                const char *headers, struct str body);

/* Opens a session; the sid is copied. */
void poll_open(struct rig *rig, char sid[21]);
/* GET and POST of that session; the answers must be 200. The text of the body is returned owned. */
char *poll_get(struct rig *rig, const char *sid);
void poll_post(struct rig *rig, const char *sid, const char *payload);
/* The status of either. */
unsigned poll_get_status(struct rig *rig, const char *sid);
unsigned poll_post_status(struct rig *rig, const char *sid, struct str payload);
void poll_park(struct client *client, struct rig *rig, const char *sid);

/* WebSocket: query is what follows "EIO=4&transport=websocket". The open packet is not read. */
void ws_client_open(struct client *client, struct rig *rig, const char *query);
/* The same and a new session, whose open packet was read. */
void ws_session_open(struct client *client, struct rig *rig);
void ws_client_send(struct client *client, unsigned opcode, struct str payload);
void ws_client_text(struct client *client, const char *text);
/* The next message; WebSocket pings do not occur. False when a close frame came. */
bool ws_client_receive(struct client *client, unsigned *ret_opcode, struct buf *ret_payload);
void ws_client_expect(struct client *client, const char *text);
/* A close frame without status, then the end of the connection. Engine.IO pings are skipped. */
void ws_client_expect_close(struct client *client);
