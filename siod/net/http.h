/* HTTP/1.1 server: http_parser 2.9 behind one small interface, streaming bodies, keep-alive and
 * pipelining.
 *
 * Requests of one connection are handled strictly one after the other: the next one is not parsed
 * until the present one was answered, what is pipelined behind it waits in a bounded buffer and
 * then in the kernel.
 *
 * Refused before a handler sees them (400 unless said): Content-Length with Transfer-Encoding,
 * doubled or malformed lengths, Transfer-Encoding other than chunked, bare CR or LF in the head,
 * absolute-form request targets, a missing or doubled Host in HTTP/1.1, control bytes in the
 * target, more than limits allow (431 head, 413 body, 408 time). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/net/frame.h"

struct buf;
struct conn;
struct http_request;
struct http_server;
struct listener;
struct loop;
struct transport;

struct http_limits {
    size_t header_bytes; /* request line and all headers; 0 = no limit in this and the following */
    unsigned header_count;
    uint64_t request_ms; /* from the first byte of a request to the end of its head, then per body
                            progress */
    uint64_t idle_ms;    /* keep-alive connection without a request */
};

/* What a route's owner is told. `request` lives from on_head to on_end; user data hangs on it. */
struct http_handler {
    /* The head is complete. Answer at once, or call http_accept_body() and return, or (without a
     * body) keep the request and answer later. */
    void (*on_head)(void *arg, struct http_request *request);
    /* A piece of the body, borrowed. Only after http_accept_body(). */
    void (*on_body)(struct http_request *request, struct str bytes);
    /* The body is complete. Answer now or later. */
    void (*on_complete)(struct http_request *request);
    /* The request is over: answered and written (`aborted` false), or the peer went away or broke
     * the rules before that (`aborted` true). Called exactly once for each on_head; release what
     * http_user() holds. */
    void (*on_end)(struct http_request *request, bool aborted);
};

/* A path, compared exactly with the decoded path of the request; one that ends in "*" matches as a
 * prefix. The first matching route wins; no route: 404. */
struct http_route {
    const char *path;
    const struct http_handler *handler;
    void *arg; /* given to on_head */
};

/* Returns owned. Routes are copied (path, handler and arg are borrowed) and
 * may be appended only before the first request. */
NODISCARD
struct http_server *http_server_new(struct loop *loop, const struct http_limits *limits);
/* After transport_free(), or when no connection of its is left. */
void http_server_free(struct http_server *server);
/* For listen_options.refuse: a plain 503. */
#define HTTP_REFUSE_BUSY                                                                           \
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"                  \
    "Connection: close\r\n\r\n"
void http_server_route(struct http_server *server, const struct http_route *route);
/* CIDR list ("10.0.0.0/8", "::1") of proxies whose X-Forwarded-For is believed (the right-most
 * address that is not itself trusted); Unix peers count as trusted when the list holds "unix".
 * Replaces the list that was there; on ERR_INVALID that one stays. */
NODISCARD
enum err http_server_trust(struct http_server *server, const char *const *cidrs, size_t count,
                           struct errmsg *msg);
/* For heads that arrive from now on. */
void http_server_set_limits(struct http_server *server, const struct http_limits *limits);
/* For listen_options.on_accept, with the server as arg. */
void http_server_accept(void *server, struct conn *conn);
/* Answer what is being handled, refuse what is new, and close idle connections: first step of a
 * shutdown. */
void http_server_drain(struct http_server *server);

/* The request. Strings are borrowed and live until on_end. */
struct str http_method(const struct http_request *request);
struct str http_path(const struct http_request *request);  /* percent-decoded */
struct str http_query(const struct http_request *request); /* raw, without '?' */
struct str http_header(const struct http_request *request,
                       struct str name); /* first of that name, .data NULL if none */
unsigned http_header_count(const struct http_request *request, struct str name);
/* Decoded value of a query parameter (`+` is a blank); with duplicates the last one wins; .data
 * NULL if absent. The value is owned by the request. */
struct str http_query_param(struct http_request *request, struct str name);
/* The same for who wants no guessing: ERR_INVALID when it is there twice, or its escapes are
 * broken. *ret_value has .data NULL when it is absent. */
NODISCARD
enum err http_query_param_once(struct http_request *request, struct str name,
                               struct str *ret_value);
/* The client's address without port, after trusted_proxies; "unix" on a Unix socket. */
const char *http_client_address(const struct http_request *request);
/* Append the origin that the client asked, "https://desk.example.com", from a target in absolute
 * form (of which the scheme does not count), else from the Host header (of a trusted proxy: from
 * X-Forwarded-Proto and X-Forwarded-Host, where it sends them). False, and nothing is appended,
 * when there is neither or it is not plainly a name or address with an optional port. */
NODISCARD
bool http_origin(const struct http_request *request, struct buf *out);
/* Connection: Upgrade and an Upgrade field, to whatever; and one that says `websocket` alone. */
bool http_asks_upgrade(const struct http_request *request);
bool http_asks_websocket(const struct http_request *request);
void *http_user(const struct http_request *request);
void http_set_user(struct http_request *request, void *user);
struct conn *http_conn(const struct http_request *request);

/* Take the body, at most max_bytes of it (0 = no limit): a Content-Length above it or a chunked
 * body that grows past it is answered 413 by this module and ends the request. Sends `100 Continue`
 * where the client waits for it. */
void http_accept_body(struct http_request *request, size_t max_bytes);
/* Content-Length, or -1 when chunked; 0 without a body. */
int64_t http_content_length(const struct http_request *request);

/* Answer. Exactly once for each request; Date, Content-Length and Connection are added. `headers`
 * is "Name: value\r\n" lines or empty. A body that was not read is skipped when it is short, else
 * the connection closes afterwards. HEAD gets no body. */
void http_respond(struct http_request *request, unsigned status, struct str headers,
                  struct str body);
/* The same with a body of several frames' payloads, joined by the byte `separator` unless it is
 * negative. */
void http_respond_frames(struct http_request *request, unsigned status, struct str headers,
                         struct frame *const *frames, size_t count, int separator);
/* RFC 9457 problem document for an error. */
void http_respond_error(struct http_request *request, enum err err, const char *detail);
/* Close the connection after this answer. */
void http_close_after(struct http_request *request);
/* Drop the connection without an answer. */
void http_abort(struct http_request *request);
/* Leave HTTP: ends the request (on_end, not aborted) and gives the connection, and the bytes that
 * came behind the request, to the caller, who must conn_take() it. `ret_rest` is borrowed until the
 * next round. */
struct conn *http_detach(struct http_request *request, struct str *ret_rest);

const char *http_reason(unsigned status);

struct http_stats {
    uint64_t requests, answers[6]; /* answers by class: [2] = 2xx … */
    uint64_t bad_requests, timeouts;
    uint64_t long_heads; /* above header_bytes */
    unsigned open;       /* connections */
};
void http_server_stats(const struct http_server *server, struct http_stats *ret_stats);
