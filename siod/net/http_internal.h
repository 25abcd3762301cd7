/* Private to the HTTP server: its structs, and the functions that its files share.
 *
 * http.c has the server and its routes, http_conn.c the life of a connection, http_request.c what
 * handlers ask about a request, http_response.c answers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/buf.h"
#include "siod/net/budget.h"
#include "siod/net/forwarded.h"
#include "siod/net/http.h"
#include "siod/net/http_chunked.h"
#include "siod/net/http_parse.h"
#include "siod/net/loop.h"
#include "siod/net/transport.h"

enum {
    PIPELINE_MAX = 16384, /* bytes kept while a request is being answered; then reading pauses */
    SKIP_MAX = 65536,     /* of a body that nobody wanted, rather than close the connection */
    DATE_SIZE = 40,
};

enum http_waiting {
    WAITING_NOT,     /* for a handler: no deadline of ours */
    WAITING_IDLE,    /* for the first byte of a request */
    WAITING_HEAD,    /* for the rest of it */
    WAITING_BODY,    /* for the next piece of a body */
    WAITING_WRITTEN, /* for the peer to take the answer */
};

/* One connection. It has neither buffer nor parser while no request is being read. */
struct http_conn {
    struct http_conn *prev, *next;
    struct http_server *server;
    struct conn *conn;
    struct http_request *request; /* the one being handled */
    struct str in;                /* input at hand: borrowed while on_data runs, else in stash */
    struct buf stash;             /* input that came and cannot be handled yet */
    struct http_hold *held;       /* NULL unless there is much in it */
    struct http_scan scan;
    struct timer timer;
    uint64_t skip;    /* bytes of the last request's body that still have to pass */
    size_t unwritten; /* when the deadline for writing was set */
    uint8_t waiting;  /* enum http_waiting */
    bool processing;
    bool closing;  /* input is ignored from now on */
    bool detached; /* belongs to somebody else; freed at the end of the round */
};

struct http_param {
    struct http_param *next;
    size_t len;
    char value[];
};

struct http_request {
    struct http_conn *hc;
    const struct http_route *route; /* NULL: no handler was told */
    struct hold hold;               /* of a large head */
    void *user;
    struct str method, path, query;
    struct str authority; /* http_parse.h */
    uint64_t content_length;
    uint64_t body_seen; /* bytes of the body so far */
    size_t body_max;    /* 0 = no limit */
    struct chunked chunked_state;
    struct http_param *params; /* decoded ones, for their life time */
    char address[CLIENT_ADDRESS_SIZE];
    uint8_t minor;
    bool chunked, keep_alive, expect_continue, head_only;
    bool upgrade, upgrade_websocket;
    bool accepted;  /* the handler takes the body */
    bool body_done; /* all of it was read, or there is none */
    bool answered;
    bool failed; /* the peer broke the rules: ends as aborted */
    size_t count;
    struct http_field fields[]; /* then the text they point into */
};

struct http_server {
    struct loop *loop;
    struct http_limits limits;
    struct http_stats stats;
    struct http_route *routes;
    size_t route_count;
    struct trust trust;
    struct http_conn *conns, *detached;
    struct loop_hook hook; /* frees what was detached */
    struct buf scratch;    /* an answer's head */
    struct http_head head; /* scratch of the parser */
    int64_t date_s;
    char date[DATE_SIZE];
    bool draining;
};

/* http.c */
const struct http_route *http_find_route(const struct http_server *server, struct str path);

/* http_conn.c */

/* The answer was queued. */
void http_conn_answered(struct http_conn *hc);
/* Set the deadline for what the connection waits for now. */
void http_conn_wait(struct http_conn *hc, enum http_waiting waiting);

/* http_stash.c */

/* Keep what is left of the input for later. `borrowed`: it does not lie in the stash. */
void http_stash_keep(struct http_conn *hc, bool borrowed);
void http_stash_finish(struct http_conn *hc);
/* What is in it is soon somebody else's. */
void http_stash_unhold(struct http_conn *hc);

/* http_request.c */

/* A request from a parsed head; the strings are copied. Returns owned, or NULL when the path's
 * escapes are broken. */
struct http_request *http_request_new(struct http_conn *hc, const struct http_head *head);
void http_request_free(struct http_request *request);
/* A head of `len` bytes lives as long as its request, which may wait. False when there is no room
 * for it. */
NODISCARD
bool http_request_hold(struct http_request *request, size_t len);

/* http_response.c */

/* Answer a connection that has no request, and close it. */
void http_refuse(struct http_conn *hc, unsigned status);
/* The same for a request that broke the rules, or is not wanted. */
void http_fail(struct http_request *request, unsigned status);
