/* An Engine.IO client (protocol 4 or 3) for fuzz targets: it asks over fake connections in clean
 * HTTP and WebSocket, says what it is told to say, and checks the form of every answer: one for
 * each request, at most 16 packets in it, nothing behind a close packet. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/buf.h"
#include "libshared/id.h"
#include "libshared/str.h"

struct conn;
struct http_server;
struct loop;

enum eio_link { LINK_GET, LINK_POST, LINK_SPARE, LINK_WS, LINK_COUNT };

struct eio_client {
    struct loop *loop;
    struct http_server *http;
    /* A message from the server. */
    void (*on_message)(struct eio_client *client, bool binary, struct str payload);
    const char *path; /* "/socket.io/" */
    unsigned protocol;
    bool base64;
    char sid[SID_SIZE];  /* of the latest session; empty before the first handshake */
    bool upgraded;       /* what it says goes over the WebSocket */
    bool closed;         /* a close packet came */
    bool lossy;          /* something that was on its way to the client may have been lost */
    bool asked_odd;      /* eio_client_ask(): nobody listens to the answer */
    bool half_post;      /* the second half of a body is due */
    unsigned generation; /* of sessions: counts handshakes */
    unsigned turns;
    struct {
        struct conn *conn;
        unsigned asked, answered;
        unsigned turn; /* of the latest request, among those of all connections */
        bool is_ws;
    } links[LINK_COUNT];
    struct buf scratch;
};

/* Ask for a session. Ignored while the client still has connections. */
void eio_client_open(struct eio_client *client, bool websocket);
/* A request with this method ("GET") and query string, on the spare connection. */
void eio_client_ask(struct eio_client *client, const char *method, struct str query);
/* A GET on `link`, LINK_GET or, as no good client does beside another one, LINK_SPARE. */
void eio_client_poll(struct eio_client *client, enum eio_link link);
void eio_client_post(struct eio_client *client, enum eio_link link, struct str body);
/* Announce `body` and send half of it, later the rest. */
void eio_client_post_half(struct eio_client *client, struct str body);
void eio_client_post_rest(struct eio_client *client);
/* Open a WebSocket for the present session. */
void eio_client_probe(struct eio_client *client);
/* A WebSocket message, whole and masked. */
void eio_client_frame(struct eio_client *client, bool binary, struct str payload);
/* Bytes on the WebSocket's connection. */
void eio_client_raw(struct eio_client *client, struct str bytes);
/* One packet on the transport that the client is on; `binary` without its type byte. */
void eio_client_send(struct eio_client *client, bool binary, struct str packet);
void eio_client_stick(struct eio_client *client, bool stuck);
void eio_client_hang_up(struct eio_client *client, enum eio_link link);
/* The end of a round: read what came. False when nothing moved. */
bool eio_client_settle(struct eio_client *client);
/* Every request was answered. */
bool eio_client_is_answered(const struct eio_client *client);
void eio_client_finish(struct eio_client *client);
