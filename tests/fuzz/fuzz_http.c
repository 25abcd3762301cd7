/* fuzz: links net wire shared */

/* The HTTP server with a WebSocket route behind it, on a transport that is faked here: the first
 * byte says in pieces of which size the rest arrives. Every request must end exactly once, and
 * nothing may be sent on a connection after it was closed. */
#include <stdint.h>
#include <stdlib.h>

#include <ev.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/net/transport.h"
#include "siod/net/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stands for the transport's own: these definitions come before those of the layer's archive. */
struct conn {
    const struct conn_ops *ops;
    void *user;
    size_t pending;
    bool closing, aborted;
};

static struct loop *loop;
static struct http_server *server;
static unsigned heads, ends, sockets;
static struct http_request *parked;

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

void conn_take(struct conn *conn, const struct conn_ops *ops, void *user)
{
    conn->ops = ops;
    conn->user = user;
}

void *conn_user(const struct conn *conn)
{
    return conn->user;
}

struct loop *conn_loop(const struct conn *conn)
{
    (void)conn;
    return loop;
}

void conn_send(struct conn *conn, struct frame *frame)
{
    if (!conn->closing && !conn->aborted) {
        conn->pending += frame->len;
    }
}

void conn_send_bytes(struct conn *conn, struct str bytes)
{
    struct frame *frame = frame_raw(bytes);

    conn_send(conn, frame);
    frame_unref(frame);
}

size_t conn_pending(const struct conn *conn)
{
    return conn->pending;
}

void conn_close(struct conn *conn)
{
    conn->closing = true;
}

void conn_abort(struct conn *conn)
{
    conn->aborted = true;
}

void conn_pause(struct conn *conn, bool paused)
{
    (void)conn;
    (void)paused;
}

const char *conn_peer(const struct conn *conn)
{
    (void)conn;
    return "203.0.113.9:51000";
}

static void on_message(struct ws *ws, bool binary, struct str payload)
{
    struct frame *frame = binary ? frame_binary(payload) : frame_text(payload);

    ws_send(ws, frame);
    frame_unref(frame);
}

static void on_ws_close(struct ws *ws, enum ws_end end)
{
    (void)ws;
    (void)end;
    require(sockets-- > 0);
}

static const struct ws_ops ws_ops = { on_message, on_ws_close };

static void echo_head(void *arg, struct http_request *request)
{
    (void)arg;
    heads++;
    http_set_user(request, xnew(struct buf));
    http_accept_body(request, 1000);
}

static void echo_body(struct http_request *request, struct str bytes)
{
    buf_add_str(http_user(request), bytes);
    require(((struct buf *)http_user(request))->len <= 1000);
}

static void echo_complete(struct http_request *request)
{
    http_respond(request, 200, STR_NONE, buf_str(http_user(request)));
}

static void echo_end(struct http_request *request, bool aborted)
{
    (void)aborted;
    ends++;
    buf_finish(http_user(request));
    free(http_user(request));
}

static void plain_end(struct http_request *request, bool aborted)
{
    (void)aborted;
    ends++;
    if (parked == request) {
        parked = NULL;
    }
}

static void park_head(void *arg, struct http_request *request)
{
    (void)arg;
    heads++;
    parked = request;
}

static void upgrade_head(void *arg, struct http_request *request)
{
    (void)arg;
    heads++;
    if (http_wants_upgrade(request)) {
        sockets += ws_accept(request, 1000, &ws_ops, NULL) != NULL;
    } else {
        struct str x = http_query_param(request, STR("x"));

        http_respond(request, 200, STR_NONE, x);
    }
}

static const struct http_handler echo = { echo_head, echo_body, echo_complete, echo_end };
static const struct http_handler park = { park_head, NULL, NULL, plain_end };
static const struct http_handler upgrade = { upgrade_head, NULL, NULL, plain_end };
static const struct http_route routes[] = {
    { "/e", &echo, NULL },
    { "/p", &park, NULL },
    { "/*", &upgrade, NULL },
};

static void set_up(void)
{
    static const struct http_limits limits = { 2000, 30, 0, 0 };
    struct errmsg msg;

    loop = loop_new();
    server = http_server_new(loop, &limits);
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        http_server_route(server, &routes[i]);
    }
    const char *proxy = "203.0.113.0/24";

    require(http_server_trust(server, &proxy, 1, &msg) == OK);
}

/* The end of a round: what was sent has left. */
static void settle(struct conn *conn)
{
    bool sent = conn->pending > 0;

    conn->pending = 0;
    if (sent && !conn->closing && !conn->aborted && conn->ops->on_drain != NULL) {
        conn->ops->on_drain(conn);
    }
    ev_run(loop_ev(loop), EVRUN_NOWAIT);
}

static void converse(struct conn *conn, struct str bytes, size_t piece)
{
    while (bytes.len > 0 && !conn->closing && !conn->aborted) {
        size_t len = MIN(piece, bytes.len);
        /* A copy of its own, so that reading past it is noticed. */
        char *copy = xmemdup(bytes.data, len);

        conn->ops->on_data(conn, (struct str) { copy, len });
        free(copy);
        bytes = str_skip(bytes, len);
        settle(conn);
        if (parked != NULL && bytes.len % 2 == 0) {
            http_respond(parked, 204, STR_NONE, STR_NONE);
        }
    }
    for (int i = 0; i < 4; i++) {
        settle(conn);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conn conn = { 0 };

    if (server == NULL) {
        set_up();
    }
    if (size < 1) {
        return 0;
    }
    http_server_accept(server, &conn);
    converse(&conn, (struct str) { (const char *)data + 1, size - 1 },
             data[0] == 0 ? SIZE_MAX : data[0]);
    conn.ops->on_close(&conn, CONN_END_PEER);
    ev_run(loop_ev(loop), EVRUN_NOWAIT);
    require(heads == ends && sockets == 0 && parked == NULL);
    return 0;
}
