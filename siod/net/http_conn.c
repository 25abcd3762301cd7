/* The life of an HTTP connection.
 *
 * Input is handled in place as long as it can be: a head that lies whole in one read is copied
 * once, into its request; body pieces are handed on as they came. What cannot be handled yet (an
 * incomplete head, or bytes behind a request that is still being answered) is kept in `stash`,
 * which is bounded: then reading pauses.
 *
 * A request is over when its answer has been written, which the transport tells at the end of a
 * round (on_drain). Only then is the next one parsed, so nothing here is re-entrant. */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/net/http_internal.h"

static void process(struct http_conn *hc);

static void log_not_taken(const struct http_conn *hc)
{
    static struct log_gate gate;
    unsigned suppressed;

    if (log_gate_pass(&gate, &suppressed)) {
        log_info(LOG_HTTP, "answer not taken", "peer=%s pending=%zu suppressed=%u",
                 conn_peer(hc->conn), conn_pending(hc->conn), suppressed);
    }
}

static void time_out(struct http_conn *hc)
{
    struct http_server *server = hc->server;

    switch ((enum http_waiting)hc->waiting) {
    case WAITING_NOT:
        return;
    case WAITING_IDLE:
        hc->closing = true;
        conn_close(hc->conn);
        return;
    case WAITING_HEAD:
        server->stats.timeouts++;
        http_refuse(hc, 408);
        return;
    case WAITING_BODY:
        server->stats.timeouts++;
        http_fail(hc->request, 408);
        return;
    case WAITING_WRITTEN:
        if (conn_pending(hc->conn) < hc->unwritten) {
            http_conn_wait(hc, WAITING_WRITTEN);
            return;
        }
        server->stats.timeouts++;
        log_not_taken(hc);
        conn_abort(hc->conn);
        return;
    }
}

static void on_deadline(struct timer *timer)
{
    time_out(CONTAINER_OF(timer, struct http_conn, timer));
}

void http_conn_wait(struct http_conn *hc, enum http_waiting waiting)
{
    const struct http_limits *limits = &hc->server->limits;
    uint64_t delay_ms = waiting == WAITING_IDLE ? limits->idle_ms : limits->request_ms;

    hc->waiting = (uint8_t)waiting;
    hc->unwritten = waiting == WAITING_WRITTEN ? conn_pending(hc->conn) : 0;
    if (waiting == WAITING_NOT || delay_ms == 0) {
        timer_clear(&hc->timer);
    } else {
        timer_set(hc->server->loop, &hc->timer, delay_ms, on_deadline);
    }
}

static void end_request(struct http_conn *hc, bool aborted)
{
    struct http_request *request = TAKE(hc->request);

    if (request->route != NULL) {
        request->route->handler->on_end(request, aborted || request->failed);
    }
    http_request_free(request);
}

/* How much of the unread body has to pass before the next request; false when that is too much. */
static bool plan_skip(struct http_conn *hc, const struct http_request *request)
{
    uint64_t left = request->content_length - request->body_seen;

    if (request->body_done) {
        return true;
    }
    if (request->chunked || request->expect_continue || left > SKIP_MAX) {
        return false;
    }
    hc->skip = left;
    return true;
}

void http_conn_answered(struct http_conn *hc)
{
    if (!plan_skip(hc, hc->request) || !hc->request->keep_alive) {
        hc->closing = true;
    }
    http_conn_wait(hc, WAITING_WRITTEN);
}

static void skip_empty_lines(struct http_conn *hc)
{
    while (hc->in.len >= 2 && hc->in.data[0] == '\r' && hc->in.data[1] == '\n') {
        hc->in = str_skip(hc->in, 2);
    }
}

static void start_request(struct http_conn *hc, const struct http_head *head, size_t len)
{
    struct http_server *server = hc->server;
    struct http_request *request = http_request_new(hc, head);

    if (request == NULL) {
        server->stats.bad_requests++;
        http_refuse(hc, 400);
        return;
    }
    if (!http_request_hold(request, len)) {
        http_request_free(request);
        http_refuse(hc, 503);
        return;
    }
    server->stats.requests++;
    hc->request = request;
    http_conn_wait(hc, WAITING_NOT);
    if (server->draining) {
        http_fail(request, 503);
        return;
    }
    request->route = http_find_route(server, request->path);
    if (request->route == NULL) {
        http_respond_error(request, ERR_NOT_FOUND, NULL);
        return;
    }
    request->route->handler->on_head(request->route->arg, request);
}

static void refuse_head(struct http_conn *hc, unsigned status)
{
    hc->server->stats.bad_requests++;
    log_debug(LOG_HTTP, "request refused", "peer=%s status=%u", conn_peer(hc->conn), status);
    http_refuse(hc, status);
}

static void refuse_long_head(struct http_conn *hc)
{
    static struct log_gate gate;
    unsigned suppressed;

    hc->server->stats.long_heads++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_HTTP, "headers too large", "limit=limits.header_bytes from=%s suppressed=%u",
                 conn_peer(hc->conn), suppressed);
    }
    refuse_head(hc, 431);
}

/* Parse a head, if it is complete. False when nothing more can be done for now. */
static bool read_head(struct http_conn *hc)
{
    struct http_server *server = hc->server;
    size_t limit = server->limits.header_bytes;
    struct http_head *head = &server->head;
    ptrdiff_t len;
    unsigned status;

    if (hc->scan.seen == 0) {
        skip_empty_lines(hc);
    }
    if (hc->in.len == 0) {
        return false;
    }
    len = hc->in.data[0] == '\r' && hc->in.len == 1 ? 0 : http_scan(&hc->scan, hc->in);
    if (len < 0 || (hc->in.data[0] != '\r' && (hc->in.data[0] < 'A' || hc->in.data[0] > 'Z'))) {
        refuse_head(hc, 400); /* no method: TLS, for instance, whose end would never come */
        return false;
    }
    if (limit > 0 && (len > 0 ? (size_t)len : hc->in.len) > limit) {
        refuse_long_head(hc);
        return false;
    }
    if (len == 0) {
        if (hc->waiting != WAITING_HEAD) {
            http_conn_wait(hc, WAITING_HEAD);
        }
        return false;
    }
    hc->scan = (struct http_scan) { 0, 0 };
    status = http_head_parse((struct str) { hc->in.data, (size_t)len }, server->limits.header_count,
                             head);
    if (status != 0) {
        refuse_head(hc, status);
        return false;
    }
    hc->in = str_skip(hc->in, (size_t)len);
    start_request(hc, head, (size_t)len);
    return true;
}

static void complete_body(struct http_request *request)
{
    request->body_done = true;
    http_conn_wait(request->hc, WAITING_NOT);
    request->route->handler->on_complete(request);
}

/* Hand a piece of the body on, unless it grows too large. */
static void deliver(struct http_request *request, struct str bytes)
{
    request->body_seen += bytes.len;
    if (request->body_max > 0 && request->body_seen > request->body_max) {
        http_fail(request, 413);
        return;
    }
    http_conn_wait(request->hc, WAITING_BODY);
    request->route->handler->on_body(request, bytes);
}

static void read_sized(struct http_conn *hc, struct http_request *request)
{
    uint64_t left = request->content_length - request->body_seen;
    size_t len = hc->in.len < left ? hc->in.len : (size_t)left;
    struct str piece = { hc->in.data, len };

    hc->in = str_skip(hc->in, len);
    deliver(request, piece);
    if (hc->request == request && !request->answered &&
        request->body_seen == request->content_length) {
        complete_body(request);
    }
}

static void read_chunked(struct http_conn *hc, struct http_request *request)
{
    struct str piece = STR_NONE;
    size_t used;
    enum chunked_step step = chunked_next(&request->chunked_state, hc->in, &used, &piece);

    hc->in = str_skip(hc->in, used);
    switch (step) {
    case CHUNKED_MORE:
        break;
    case CHUNKED_DATA:
        deliver(request, piece);
        break;
    case CHUNKED_END:
        complete_body(request);
        break;
    case CHUNKED_ERROR:
        hc->server->stats.bad_requests++;
        http_fail(request, 400);
        break;
    }
}

/* One step with the input at hand. False when it has to wait. */
static bool step(struct http_conn *hc)
{
    struct http_request *request = hc->request;

    if (hc->skip > 0) {
        size_t len = hc->in.len < hc->skip ? hc->in.len : (size_t)hc->skip;

        if (len == 0) {
            return false;
        }
        hc->skip -= len;
        hc->in = str_skip(hc->in, len);
        return true;
    }
    if (request == NULL) {
        return read_head(hc);
    }
    if (request->answered || !request->accepted || request->body_done) {
        return false;
    }
    if (!request->chunked && request->content_length == 0) {
        complete_body(request);
        return true;
    }
    if (hc->in.len == 0) {
        if (hc->waiting != WAITING_BODY) {
            http_conn_wait(hc, WAITING_BODY);
        }
        return false;
    }
    if (request->chunked) {
        read_chunked(hc, request);
    } else {
        read_sized(hc, request);
    }
    return true;
}

/* What the peer sends now would only be kept. Not reading it also leaves its half-close for later:
 * that must not end a connection on which answers are still due. A request without a body is
 * another matter: it may wait long, and is given up when the peer goes away. */
static bool reading_can_wait(const struct http_conn *hc)
{
    const struct http_request *request = hc->request;

    return request != NULL && (request->answered || (request->accepted && request->body_done) ||
                               hc->stash.len > PIPELINE_MAX);
}

static void process(struct http_conn *hc)
{
    bool borrowed = hc->stash.len == 0;

    hc->processing = true;
    while (!hc->closing && !hc->detached && step(hc)) {
    }
    hc->processing = false;
    if (hc->detached) {
        return;
    }
    if (hc->closing) {
        hc->in.len = 0;
    }
    http_stash_keep(hc, borrowed);
    conn_pause(hc->conn, reading_can_wait(hc));
}

static void on_data(struct conn *conn, struct str bytes)
{
    struct http_conn *hc = conn_user(conn);

    if (hc->closing) {
        return;
    }
    if (hc->stash.len > 0) {
        buf_add_str(&hc->stash, bytes);
        hc->in = buf_str(&hc->stash);
    } else {
        hc->in = bytes;
    }
    process(hc);
}

static void on_drain(struct conn *conn)
{
    struct http_conn *hc = conn_user(conn);

    if (hc->request == NULL || !hc->request->answered) {
        return;
    }
    end_request(hc, false);
    if (hc->closing || hc->server->draining) {
        hc->closing = true;
        http_conn_wait(hc, WAITING_NOT);
        conn_close(conn);
        return;
    }
    http_conn_wait(hc, WAITING_IDLE);
    process(hc);
}

static void on_close(struct conn *conn, enum conn_end end)
{
    struct http_conn *hc = conn_user(conn);
    struct http_server *server = hc->server;

    (void)end;
    timer_clear(&hc->timer);
    if (hc->request != NULL) {
        end_request(hc, true);
    }
    DL_DELETE(server->conns, hc);
    server->stats.open--;
    http_stash_finish(hc);
    free(hc);
}

static const struct conn_ops http_conn_ops = { on_data, on_drain, on_close };

void http_server_accept(void *arg, struct conn *conn)
{
    struct http_server *server = arg;
    struct http_conn *hc = xnew(struct http_conn);

    hc->server = server;
    hc->conn = conn;
    DL_APPEND(server->conns, hc);
    server->stats.open++;
    conn_take(conn, &http_conn_ops, hc);
    http_conn_wait(hc, WAITING_IDLE);
}

struct conn *http_detach(struct http_request *request, struct str *ret_rest)
{
    struct http_conn *hc = request->hc;
    struct conn *conn = hc->conn;

    end_request(hc, false);
    if (hc->stash.len == 0) {
        buf_add_str(&hc->stash, hc->in);
        hc->in = buf_str(&hc->stash);
    }
    *ret_rest = hc->in;
    http_stash_unhold(hc);
    hc->detached = true;
    timer_clear(&hc->timer);
    conn_pause(conn, false);
    DL_DELETE(hc->server->conns, hc);
    hc->server->stats.open--;
    LL_PREPEND(hc->server->detached, hc);
    return conn;
}
