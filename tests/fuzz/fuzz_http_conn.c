/* fuzz: links net wire shared, with fakes */

/* The HTTP connection state machine: what a peer sends, cut into pieces as the input says, for
 * handlers that behave as the path says: answer at once, early, late, never, echo the body, abort,
 * become a WebSocket. The same bytes in one piece must have the same effect.
 *
 * Input: flags, then up to 15 piece sizes, as many as the flags' low bits say, then the bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "siod/net/budget.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/net/websocket.h"
#include "tests/fuzz/fake_conn.h"
#include "tests/fuzz/fake_loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PIECES_MAX = 15,
    FLAG_TIMEOUT = 0x10, /* the peer falls silent instead of hanging up */
    FLAG_STUCK = 0x20,   /* it reads no answers before the end */
    HEADER_BYTES = 2000,
    HEADER_COUNT = 30,
    REQUEST_MS = 1000,
    IDLE_MS = 2000,
    BODY_MAX = 1000,
    INPUT_MAX = 60000, /* below what a connection may keep, skip or leave unread at once */
    ANSWERS_MAX = 4096,
};

enum ending { OPEN, ENDED, ABORTED };

/* What a handler saw of a request. */
struct seen {
    struct run *run;
    struct http_request *request; /* NULL once it ended */
    bool head_only, answered, complete;
    enum ending ending;
    struct buf body;
};

struct run {
    struct conn *conn;
    struct seen *seen[ANSWERS_MAX];
    size_t count;
    struct seen *late; /* waits for its answer */
    unsigned sockets;
    struct buf journal;
};

static struct loop *loop;
static struct http_server *server;
static struct run *running;

static struct seen *begin(struct http_request *request)
{
    struct seen *seen = xnew(struct seen);

    REQUIRE(running->count < ANSWERS_MAX);
    REQUIRE(running->count == 0 || running->seen[running->count - 1]->ending != OPEN);
    running->seen[running->count++] = seen;
    seen->run = running;
    seen->request = request;
    seen->head_only = str_eq(http_method(request), STR("HEAD"));
    http_set_user(request, seen);
    buf_printf(&running->journal, "[%.*s %.*s?%.*s from %s]", STR_ARG(http_method(request)),
               STR_ARG(http_path(request)), STR_ARG(http_query(request)),
               http_client_address(request));
    return seen;
}

static void answer(struct seen *seen, struct str body)
{
    seen->answered = true;
    http_respond(seen->request, 200, STR_NONE, body);
}

static void on_body(struct http_request *request, struct str bytes)
{
    struct seen *seen = http_user(request);

    REQUIRE(seen->ending == OPEN && !seen->complete && bytes.len > 0);
    buf_add_str(&seen->body, bytes);
    REQUIRE(seen->body.len <= BODY_MAX);
    REQUIRE(http_content_length(request) < 0 ||
            seen->body.len <= (uint64_t)http_content_length(request));
    if (str_eq(http_path(request), STR("/early"))) {
        answer(seen, STR("early"));
    }
}

static void on_complete(struct http_request *request)
{
    struct seen *seen = http_user(request);

    REQUIRE(seen->ending == OPEN && !seen->complete);
    REQUIRE(http_content_length(request) < 0 ||
            seen->body.len == (uint64_t)http_content_length(request));
    seen->complete = true;
    buf_printf(&seen->run->journal, "[body %.*s]", STR_ARG(buf_str(&seen->body)));
    if (str_eq(http_path(request), STR("/late"))) {
        seen->run->late = seen;
    } else {
        answer(seen, buf_str(&seen->body));
    }
}

static void on_end(struct http_request *request, bool aborted)
{
    struct seen *seen = http_user(request);

    REQUIRE(seen->ending == OPEN && seen->request == request);
    seen->ending = aborted ? ABORTED : ENDED;
    seen->request = NULL;
    if (seen->run->late == seen) {
        seen->run->late = NULL;
    }
    buf_add_cstr(&seen->run->journal, aborted ? "[aborted]" : "[end]");
}

static void take_body(void *arg, struct http_request *request)
{
    (void)arg;
    begin(request);
    http_accept_body(request, BODY_MAX);
}

static void wait_for_peer(void *arg, struct http_request *request)
{
    (void)arg;
    begin(request);
}

static void wait_for_end(void *arg, struct http_request *request)
{
    (void)arg;
    running->late = begin(request);
}

static void drop(void *arg, struct http_request *request)
{
    (void)arg;
    begin(request);
    http_abort(request);
}

static void on_message(struct ws *ws, bool binary, struct str payload)
{
    struct frame *frame = binary ? frame_binary(payload) : frame_text(payload);

    REQUIRE(payload.len <= BODY_MAX);
    ws_send(ws, frame);
    frame_unref(frame);
}

static void on_ws_close(struct ws *ws, enum ws_end end)
{
    struct run *run = ws_user(ws);

    REQUIRE(run->sockets == 1 && end != WS_END_NO_ROOM);
    run->sockets--;
}

static const struct ws_ops ws_ops = { on_message, on_ws_close };

static void upgrade(void *arg, struct http_request *request)
{
    struct seen *seen = begin(request);

    (void)arg;
    seen->answered = true;
    running->sockets += ws_accept(request, STR(""), BODY_MAX, &ws_ops, running) != NULL;
}

static void answer_at_once(void *arg, struct http_request *request)
{
    struct seen *seen = begin(request);
    autobuf struct buf body = BUF_INIT;
    struct str once;

    (void)arg;
    buf_add_str(&body, http_query_param(request, STR("x")));
    if (http_query_param_once(request, STR("x"), &once) == OK) {
        REQUIRE(str_eq(once, buf_str(&body)));
    }
    (void)!http_origin(request, &body);
    answer(seen, buf_str(&body));
}

static const struct http_handler taking = { take_body, on_body, on_complete, on_end };
static const struct http_handler never = { wait_for_peer, NULL, NULL, on_end };
static const struct http_handler late = { wait_for_end, NULL, NULL, on_end };
static const struct http_handler dropping = { drop, NULL, NULL, on_end };
static const struct http_handler upgrading = { upgrade, NULL, NULL, on_end };
static const struct http_handler at_once = { answer_at_once, NULL, NULL, on_end };
static const struct http_route routes[] = {
    { "/echo", &taking, NULL },      { "/early", &taking, NULL }, { "/late", &taking, NULL },
    { "/park", &late, NULL },        { "/never", &never, NULL },  { "/abort", &dropping, NULL },
    { "/socket", &upgrading, NULL }, { "*", &at_once, NULL },
};

static void set_up(void)
{
    static const struct http_limits limits = { HEADER_BYTES, HEADER_COUNT, REQUEST_MS, IDLE_MS };
    static const char *const proxies[] = { "203.0.113.0/24" };
    struct errmsg msg;

    loop = loop_new();
    server = http_server_new(loop, &limits);
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        http_server_route(server, &routes[i]);
    }
    REQUIRE(http_server_trust(server, proxies, ARRAY_SIZE(proxies), &msg) == OK);
}

static bool end_round(struct run *run)
{
    bool moved;

    fake_loop_end(loop);
    moved = fake_conn_settle(run->conn);
    fake_loop_begin(loop, 0);
    return moved;
}

/* Until nothing moves any more. */
static void settle(struct run *run)
{
    do {
        if (run->late != NULL) {
            answer(TAKE(run->late), STR("late"));
        }
    } while (end_round(run) || run->late != NULL);
}

static void finish(struct run *run, bool by_timeout)
{
    run->conn->stuck = false;
    settle(run);
    if (by_timeout) {
        for (int i = 0; i < 4; i++) {
            fake_loop_begin(loop, IDLE_MS);
            settle(run);
        }
    }
    fake_conn_hang_up(run->conn);
    end_round(run);
    REQUIRE(run->conn->over && run->sockets == 0 && run->late == NULL);
}

/* The value of Content-Length in an answer's head. */
static size_t body_length(struct str head)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *at = memmem(head.data, head.len, name, sizeof name - 1);

    return at != NULL ? strtoul(at + sizeof name - 1, NULL, 10) : 0;
}

/* What the peer got is one whole answer for each request, in order; then at most one that refuses
 * what was no request. Interim answers depend on how the bytes arrive: they are left out. */
static void check_answers(struct run *run)
{
    struct str rest = buf_str(&run->conn->received);
    size_t answers = 0;

    while (rest.len > 0) {
        const char *end = memmem(rest.data, rest.len, "\r\n\r\n", 4);
        struct str head = { rest.data, end != NULL ? (size_t)(end - rest.data) + 4 : 0 };
        unsigned long status = strtoul(rest.data + 9, NULL, 10);
        size_t len;

        REQUIRE(end != NULL && str_starts_with(rest, STR("HTTP/1.1 ")));
        rest = str_skip(rest, head.len);
        if (status == 100) {
            continue;
        }
        REQUIRE(answers <= run->count);
        len = answers < run->count && run->seen[answers]->head_only ? 0 : body_length(head);
        REQUIRE(len <= rest.len);
        /* A head may be too long before it is seen to be broken. */
        buf_printf(&run->journal, "<%lu>", status == 431 ? 400 : status);
        buf_add(&run->journal, rest.data, status == 431 || status == 400 ? 0 : len);
        rest = str_skip(rest, len);
        answers++;
        if (status == 101) {
            buf_add_str(&run->journal, rest);
            break;
        }
    }
    for (size_t i = 0; i < run->count; i++) {
        const struct seen *seen = run->seen[i];

        REQUIRE(seen->ending != OPEN);
        REQUIRE(seen->ending == ABORTED || (seen->answered && i < answers));
    }
}

static void run_once(struct run *run, uint8_t flags, struct str bytes, const uint8_t *sizes,
                     size_t size_count)
{
    struct http_stats stats;

    running = run;
    run->conn = fake_conn_new(loop, 0);
    run->conn->stuck = (flags & FLAG_STUCK) != 0;
    http_server_accept(server, run->conn);
    for (size_t i = 0; bytes.len > 0; i++) {
        size_t len = size_count > 0 ? MIN(sizes[i % size_count] + 1u, bytes.len) : bytes.len;

        fake_conn_write(run->conn, (struct str) { bytes.data, len });
        bytes = str_skip(bytes, len);
        end_round(run);
    }
    finish(run, (flags & FLAG_TIMEOUT) != 0);
    check_answers(run);
    http_server_stats(server, &stats);
    REQUIRE(stats.open == 0 && loop_budget(loop)->used == 0);
    fake_conn_free(run->conn);
}

static void run_finish(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        buf_finish(&run->seen[i]->body);
        free(run->seen[i]);
    }
    buf_finish(&run->journal);
    free(run);
}

static void require_same(const struct buf *cut, const struct buf *whole)
{
    if (!str_eq(buf_str(cut), buf_str(whole))) {
        fprintf(stderr, "in pieces: %.*s\nwhole: %.*s\n", STR_ARG(*cut), STR_ARG(*whole));
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sizes = size > 0 ? MIN((size_t)(data[0] & PIECES_MAX), size - 1) : 0;
    struct str bytes = { (const char *)data + 1 + sizes, size - MIN(size, 1 + sizes) };
    struct run *cut, *whole;

    if (server == NULL) {
        set_up();
    }
    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    cut = xnew(struct run);
    run_once(cut, data[0], bytes, data + 1, sizes);
    /* Deadlines run from the last piece: only what is whole can be compared without them. */
    if (sizes > 0 && (data[0] & FLAG_TIMEOUT) == 0) {
        whole = xnew(struct run);
        run_once(whole, data[0], bytes, NULL, 0);
        require_same(&cut->journal, &whole->journal);
        run_finish(whole);
    }
    run_finish(cut);
    return 0;
}
