/* For tests of the HTTP server: one with handlers for every way to answer. */
#pragma once

#include "siod/net/http.h"
#include "tests/unit/net_fixture.h"

/* What the handlers below saw. */
struct fixture {
    struct loop *loop;
    struct transport *transport;
    struct http_server *server;
    struct listener *listener;
    unsigned heads, ends, aborted;
    struct http_request *parked;
    char client_address[64];
    char early[64]; /* bytes that came behind an upgrade request */
    struct buf detached_in;
};

static struct fixture *world; /* of the test that runs */

struct exchange {
    struct buf body;
};

static void echo_head(void *arg, struct http_request *request)
{
    struct fixture *f = arg;

    f->heads++;
    http_set_user(request, xnew(struct exchange));
    http_accept_body(request, 200000);
}

static void echo_body(struct http_request *request, struct str bytes)
{
    struct exchange *exchange = http_user(request);

    buf_add_str(&exchange->body, bytes);
}

static void echo_complete(struct http_request *request)
{
    struct exchange *exchange = http_user(request);

    http_respond(request, 200, STR("X-Echo: yes\r\n"), buf_str(&exchange->body));
}

static void note_end(bool aborted)
{
    world->ends++;
    world->aborted += aborted;
}

static void echo_end(struct http_request *request, bool aborted)
{
    struct exchange *exchange = http_user(request);

    buf_finish(&exchange->body);
    free(exchange);
    note_end(aborted);
}

static const struct http_handler echo_handler = { echo_head, echo_body, echo_complete, echo_end };

static void no_body(struct http_request *request, struct str bytes)
{
    (void)request;
    (void)bytes;
    fail_msg("body without accept");
}

static void no_complete(struct http_request *request)
{
    (void)request;
    fail_msg("complete without accept");
}

static void plain_end(struct http_request *request, bool aborted)
{
    if (world->parked == request) {
        world->parked = NULL;
    }
    note_end(aborted);
}

/* Takes a body and is answered later, by the test. */
static void later_head(void *arg, struct http_request *request)
{
    struct fixture *f = arg;

    f->heads++;
    http_accept_body(request, 0);
}

static void later_body(struct http_request *request, struct str bytes)
{
    (void)request;
    (void)bytes;
}

static void later_complete(struct http_request *request)
{
    world->parked = request;
}

static const struct http_handler later_handler = { later_head, later_body, later_complete,
                                                   plain_end };

/* Answers with what it was asked: METHOD path query param x. */
static void show_head(void *arg, struct http_request *request)
{
    struct fixture *f = arg;
    struct str x = http_query_param(request, STR("x"));
    char text[512];

    f->heads++;
    snprintf(f->client_address, sizeof f->client_address, "%s", http_client_address(request));
    snprintf(text, sizeof text, "[%.*s|%.*s|%.*s|%.*s]", STR_ARG(http_method(request)),
             STR_ARG(http_path(request)), STR_ARG(http_query(request)),
             x.data != NULL ? (int)x.len : 4, x.data != NULL ? x.data : "none");
    http_respond(request, 200, STR_NONE, str_of(text));
}

static const struct http_handler show_handler = { show_head, no_body, no_complete, plain_end };

static void park_head(void *arg, struct http_request *request)
{
    struct fixture *f = arg;

    f->heads++;
    f->parked = request;
}

static const struct http_handler park_handler = { park_head, no_body, no_complete, plain_end };

static void detached_data(struct conn *conn, struct str bytes)
{
    (void)conn;
    buf_add_str(&world->detached_in, bytes);
}

static void detached_close(struct conn *conn, enum conn_end end)
{
    (void)conn;
    (void)end;
}

static const struct conn_ops detached_ops = { detached_data, NULL, detached_close };

static void detach_head(void *arg, struct http_request *request)
{
    struct fixture *f = arg;
    struct str rest;
    struct conn *conn = http_detach(request, &rest);

    f->heads++;
    conn_take(conn, &detached_ops, NULL);
    snprintf(f->early, sizeof f->early, "%.*s", STR_ARG(rest));
    conn_send_bytes(conn, STR("switched"));
}

static const struct http_handler detach_handler = { detach_head, no_body, no_complete, plain_end };

static void frames_head(void *arg, struct http_request *request)
{
    struct fixture *f = arg;
    struct frame *frames[3] = { frame_text(STR("one")), frame_raw(STR("two")),
                                frame_text(STR("three")) };

    f->heads++;
    http_respond_frames(request, 200, STR_NONE, frames, 3, 0x1e);
    for (size_t i = 0; i < 3; i++) {
        frame_unref(frames[i]);
    }
}

static const struct http_handler frames_handler = { frames_head, no_body, no_complete, plain_end };

static struct http_route routes[] = {
    { "/echo", &echo_handler, NULL },     { "/park", &park_handler, NULL },
    { "/detach", &detach_handler, NULL }, { "/frames", &frames_handler, NULL },
    { "/show*", &show_handler, NULL },    { "/later", &later_handler, NULL },
};

static const struct http_limits default_limits = { 4096, 50, 20000, 20000 };

static struct fixture *start(const struct http_limits *limits, const char *address)
{
    struct fixture *f = xnew(struct fixture);
    struct transport_limits transport_limits = { 0 };
    struct listen_options options = { .address = address, .on_accept = http_server_accept };
    struct errmsg msg;

    world = f;
    f->loop = loop_new();
    f->transport = transport_new(f->loop, &transport_limits);
    f->server = http_server_new(f->loop, limits);
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        routes[i].arg = f;
        http_server_route(f->server, &routes[i]);
    }
    options.arg = f->server;
    assert_int_equal(transport_listen(f->transport, &options, &f->listener, &msg), OK);
    return f;
}

static void stop(struct fixture *f)
{
    transport_free(f->transport);
    http_server_free(f->server);
    loop_free(f->loop);
    assert_int_equal(f->heads, f->ends); /* on_end exactly once for each on_head */
    buf_finish(&f->detached_in);
    free(f);
    world = NULL;
}

static struct fixture *start_default(void)
{
    return start(&default_limits, "127.0.0.1:0");
}

static struct client visit(struct fixture *f)
{
    return client_connect(listener_address(f->listener));
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
