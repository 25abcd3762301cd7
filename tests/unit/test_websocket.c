#include "libshared/wire/ws_frame.h"
#include "siod/net/http.h"
#include "siod/net/websocket.h"
#include "tests/unit/net_fixture.h"

struct fixture {
    struct loop *loop;
    struct transport *transport;
    struct http_server *server;
    struct listener *listener;
    struct ws *ws;
    unsigned accepted, messages, closed;
    enum ws_end end;
    struct buf last; /* the last message */
    bool last_binary, echo, close_on_message;
};

static void on_message(struct ws *ws, bool binary, struct str payload)
{
    struct fixture *f = ws_user(ws);

    f->messages++;
    f->last_binary = binary;
    buf_clear(&f->last);
    buf_add_str(&f->last, payload);
    if (f->echo) {
        struct frame *frame = binary ? frame_binary(payload) : frame_text(payload);

        ws_send(ws, frame);
        frame_unref(frame);
    }
    if (f->close_on_message) {
        ws_close(ws, 1000);
    }
}

static void on_ws_close(struct ws *ws, enum ws_end end)
{
    struct fixture *f = ws_user(ws);

    assert_ptr_equal(ws, f->ws);
    f->ws = NULL;
    f->closed++;
    f->end = end;
}

static const struct ws_ops ops = { on_message, on_ws_close };

enum { MAX_MESSAGE = 100000, QUEUE_BYTES = 1 << 20 };

static void on_head(void *arg, struct http_request *request)
{
    struct fixture *f = arg;

    f->ws = ws_accept(request, STR("X-More: 1\r\n"), MAX_MESSAGE, &ops, f);
    f->accepted += f->ws != NULL;
}

static void on_end(struct http_request *request, bool aborted)
{
    (void)request;
    (void)aborted;
}

static const struct http_handler handler = { on_head, NULL, NULL, on_end };
static struct http_route route = { "/ws", &handler, NULL };

static struct fixture *start(void)
{
    struct fixture *f = xnew(struct fixture);
    struct transport_limits transport_limits = { .queue_bytes = QUEUE_BYTES };
    struct http_limits limits = { 8192, 50, 20000, 20000 };
    struct listen_options options = { .address = "127.0.0.1:0", .on_accept = http_server_accept };
    struct errmsg msg;

    f->loop = loop_new();
    f->transport = transport_new(f->loop, &transport_limits);
    f->server = http_server_new(f->loop, &limits);
    route.arg = f;
    http_server_route(f->server, &route);
    options.arg = f->server;
    assert_int_equal(transport_listen(f->transport, &options, &f->listener, &msg), OK);
    f->echo = true;
    return f;
}

static void stop(struct fixture *f)
{
    transport_free(f->transport);
    http_server_free(f->server);
    loop_free(f->loop);
    assert_int_equal(f->accepted, f->closed); /* on_close exactly once */
    buf_finish(&f->last);
    free(f);
}

#define UPGRADE                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"     \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* Everything behind the answer's head. */
static struct str frames_of(const struct client *c)
{
    const char *end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
    size_t head = (size_t)(end - c->in.data) + 4;

    return (struct str) { end + 4, c->in.len - head };
}

static struct client visit(struct fixture *f)
{
    struct client c = client_connect(listener_address(f->listener));

    client_send_text(f->loop, &c, UPGRADE "\r\n");
    WAIT_FOR(f->loop, &c, client_has(&c, "\r\n\r\n"));
    assert_true(client_has(&c, "HTTP/1.1 101 Switching Protocols\r\n"));
    buf_clear(&c.in);
    return c;
}

/* A masked frame with a mask that changes every byte. */
static void add_frame(struct buf *to, unsigned first, struct str payload)
{
    static const uint8_t mask[4] = { 0xa1, 0xb2, 0xc3, 0xd4 };
    uint8_t header[WS_SERVER_HEADER_MAX];
    size_t len = ws_header_encode(header, WS_OP_TEXT, payload.len), at;

    header[0] = (uint8_t)first;
    header[1] |= 0x80;
    buf_add(to, header, len);
    buf_add(to, mask, sizeof mask);
    at = to->len;
    buf_add_str(to, payload);
    ws_mask(to->data + at, to->data + at, payload.len, mask);
}

static void send_frame(struct fixture *f, struct client *c, unsigned first, struct str payload)
{
    autobuf struct buf frame = BUF_INIT;

    add_frame(&frame, first, payload);
    client_send(f->loop, c, frame.data, frame.len);
}

/* Does what was received end in a close frame with this code (0 = without one)? */
static bool ends_with_close(const struct client *c, unsigned code)
{
    const uint8_t *at = (const uint8_t *)c->in.data;
    size_t len = c->in.len;

    if (code == 0) {
        return len >= 2 && at[len - 2] == 0x88 && at[len - 1] == 0;
    }
    return len >= 4 && at[len - 4] == 0x88 && at[len - 3] == 2 &&
           (unsigned)(at[len - 2] << 8 | at[len - 1]) == code;
}

static void the_upgrade_is_answered_as_the_rfc_computes_it(void **state)
{
    struct fixture *f = start();
    struct client c = client_connect(listener_address(f->listener));

    (void)state;
    client_send_text(f->loop, &c, UPGRADE "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n");
    WAIT_FOR(f->loop, &c, client_has(&c, "\r\n\r\n"));
    assert_true(client_has(&c, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_true(client_has(&c, "Sec-WebSocket-Protocol: chat\r\nX-More: 1\r\n\r\n"));
    assert_false(client_has(&c, "superchat"));
    client_finish(&c);
    stop(f);
}

static void invalid_upgrades_are_answered_and_refused(void **state)
{
    static const struct {
        const char *request, *status, *more;
    } cases[] = {
        { "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", "400", "" },
        { "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\n\r\n",
          "400", "" },
        { "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short==\r\n\r\n",
          "400", "" },
        { "GET /ws HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
          "400", "" },
        { "POST /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
          "400", "" },
        { "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
          "400", "\r\nSec-WebSocket-Version: 13, 8\r\n" },
        { "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
          "400", "\r\n\r\nInvalid Upgrade header" },
        { UPGRADE "Sec-WebSocket-Protocol: a, b, a\r\n\r\n", "400",
          "\r\n\r\nInvalid Sec-WebSocket-Protocol header" },
        { UPGRADE "Sec-WebSocket-Protocol: a,\r\n\r\n", "400", "" },
        { UPGRADE "Sec-WebSocket-Protocol: a b\r\n\r\n", "400", "" },
        { UPGRADE "Sec-WebSocket-Protocol: ,\r\n\r\n", "400", "" },
        { UPGRADE "Content-Length: 3\r\n\r\nabc", "400", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture *f = start();
        struct client c = client_connect(listener_address(f->listener));
        char expected[32];

        snprintf(expected, sizeof expected, "HTTP/1.1 %s ", cases[i].status);
        client_send_text(f->loop, &c, cases[i].request);
        WAIT_FOR(f->loop, &c, c.closed);
        if (!client_has(&c, expected) || f->accepted != 0 || !client_has(&c, cases[i].more)) {
            fail_msg("case %zu: %s", i, c.in.data);
        }
        client_finish(&c);
        stop(f);
    }
}

static void messages_are_echoed_in_pieces_of_any_size(void **state)
{
    static const size_t pieces[] = { 1, 2, 3, 5, 7, 100, 100000 };
    autobuf struct buf input = BUF_INIT;

    (void)state;
    add_frame(&input, 0x81, STR("h\xc3\xa9llo"));
    add_frame(&input, 0x82, STR("\xff\x00\xfe"));
    add_frame(&input, 0x01, STR("half-"));
    add_frame(&input, 0x89, STR("ping"));
    add_frame(&input, 0x80, STR("full"));
    add_frame(&input, 0x81, STR(""));
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct fixture *f = start();
        struct client c = visit(f);
        static const char expected[] = "\x81\x06h\xc3\xa9llo\x82\x03\xff\x00\xfe\x8a\x04ping"
                                       "\x81\x09"
                                       "half-full\x81\x00";

        for (size_t at = 0; at < input.len; at += pieces[i]) {
            client_send(f->loop, &c, input.data + at, MIN(pieces[i], input.len - at));
        }
        WAIT_FOR(f->loop, &c, c.in.len >= sizeof expected - 1);
        assert_int_equal(c.in.len, sizeof expected - 1);
        assert_memory_equal(c.in.data, expected, c.in.len);
        assert_int_equal(f->messages, 4);
        client_finish(&c);
        stop(f);
    }
}

static void frames_in_the_segment_of_the_upgrade_are_handled(void **state)
{
    struct fixture *f = start();
    struct client c = client_connect(listener_address(f->listener));
    autobuf struct buf input = BUF_INIT;

    (void)state;
    buf_add_cstr(&input, UPGRADE "\r\n");
    add_frame(&input, 0x81, STR("first"));
    add_frame(&input, 0x81, STR("second"));
    input.len -= 3; /* cut inside the second frame */
    client_send(f->loop, &c, input.data, input.len);
    client_send(f->loop, &c, input.data + input.len, 3);
    WAIT_FOR(f->loop, &c, f->messages == 2);
    assert_string_equal(f->last.data, "second");
    WAIT_FOR(f->loop, &c, client_has(&c, "\x81\x06second"));
    assert_true(str_starts_with(frames_of(&c), STR("\x81\x05"
                                                   "first\x81\x06second")));
    client_finish(&c);
    stop(f);
}

static void a_peer_that_breaks_the_rules_is_closed_with_a_code(void **state)
{
    static const struct {
        const char *name;
        struct str bytes;
        unsigned code;
        enum ws_end end;
    } cases[] = {
        { "unmasked", STR_INIT("\x81\x02hi"), 1002, WS_END_PROTOCOL },
        { "RSV3", STR_INIT("\x91\x80\0\0\0\0"), 1002, WS_END_PROTOCOL },
        { "opcode 3", STR_INIT("\x83\x80\0\0\0\0"), 1002, WS_END_PROTOCOL },
        { "stray continuation", STR_INIT("\x80\x80\0\0\0\0"), 1002, WS_END_PROTOCOL },
        { "long ping", STR_INIT("\x89\xfe\x00\x7e\0\0\0\0"), 1002, WS_END_PROTOCOL },
        { "2^63 bytes", STR_INIT("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0"), 1009, WS_END_TOO_BIG },
        { "2^64 - 1 bytes", STR_INIT("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), 1009,
          WS_END_TOO_BIG },
        { "2^63 - 1 bytes", STR_INIT("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), 1009,
          WS_END_TOO_BIG },
        { "one byte too many", STR_INIT("\x82\xff\0\0\0\0\0\x01\x86\xa1\0\0\0\0"), 1009,
          WS_END_TOO_BIG },
        { "bad UTF-8", STR_INIT("\x81\x81\0\0\0\0\xff"), 1007, WS_END_PROTOCOL },
        { "cut UTF-8", STR_INIT("\x81\x81\0\0\0\0\xc3"), 1007, WS_END_PROTOCOL },
        { "close with one byte", STR_INIT("\x88\x81\0\0\0\0\x03"), 1002, WS_END_PROTOCOL },
        { "close with 1005", STR_INIT("\x88\x82\0\0\0\0\x03\xed"), 1002, WS_END_PROTOCOL },
        { "close with bad UTF-8", STR_INIT("\x88\x83\0\0\0\0\x03\xe8\xff"), 1007, WS_END_PROTOCOL },
        { "close 1000", STR_INIT("\x88\x82\0\0\0\0\x03\xe8"), 1000, WS_END_CLOSED },
        { "close 3001",
          STR_INIT("\x88\x85\0\0\0\0\x0b\xb9"
                   "bye"),
          3001, WS_END_CLOSED },
        { "close without code", STR_INIT("\x88\x80\0\0\0\0"), 0, WS_END_CLOSED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture *f = start();
        struct client c = visit(f);

        client_send(f->loop, &c, cases[i].bytes.data, cases[i].bytes.len);
        client_send(f->loop, &c, "\x81\x80\0\0\0\0", 6); /* ignored */
        WAIT_FOR(f->loop, &c, c.closed);
        if (!ends_with_close(&c, cases[i].code) || f->end != cases[i].end || f->messages != 0) {
            fail_msg("%s: end %d, %zu bytes", cases[i].name, f->end, c.in.len);
        }
        client_finish(&c);
        stop(f);
    }
}

static void a_message_of_exactly_the_limit_passes(void **state)
{
    struct fixture *f = start();
    struct client c = visit(f);
    autofree char *payload = xmalloc(MAX_MESSAGE);

    (void)state;
    memset(payload, 'm', MAX_MESSAGE);
    send_frame(f, &c, 0x81, (struct str) { payload, MAX_MESSAGE });
    WAIT_FOR(f->loop, &c, c.in.len == MAX_MESSAGE + 10);
    send_frame(f, &c, 0x01, (struct str) { payload, MAX_MESSAGE / 2 });
    send_frame(f, &c, 0x80, (struct str) { payload, MAX_MESSAGE / 2 });
    WAIT_FOR(f->loop, &c, f->messages == 2);
    assert_int_equal(f->last.len, MAX_MESSAGE);
    send_frame(f, &c, 0x01, (struct str) { payload, MAX_MESSAGE / 2 });
    send_frame(f, &c, 0x80, (struct str) { payload, MAX_MESSAGE / 2 + 1 });
    WAIT_FOR(f->loop, &c, c.closed);
    assert_int_equal(f->end, WS_END_TOO_BIG);
    client_finish(&c);
    stop(f);
}

static void empty_fragments_without_end_are_bounded(void **state)
{
    struct fixture *f = start();
    struct client c = visit(f);
    autobuf struct buf flood = BUF_INIT;

    (void)state;
    add_frame(&flood, 0x01, STR(""));
    for (int i = 0; i < 10000; i++) {
        add_frame(&flood, 0x00, STR(""));
    }
    client_send(f->loop, &c, flood.data, flood.len);
    WAIT_FOR(f->loop, &c, c.closed);
    assert_int_equal(f->end, WS_END_TOO_BIG);
    client_finish(&c);
    stop(f);
}

static void one_byte_fragments_make_a_message(void **state)
{
    struct fixture *f = start();
    struct client c = visit(f);
    autobuf struct buf input = BUF_INIT;

    (void)state;
    add_frame(&input, 0x01, STR("x"));
    for (int i = 0; i < 20000; i++) {
        add_frame(&input, 0x00, STR("x"));
    }
    add_frame(&input, 0x80, STR("x"));
    client_send(f->loop, &c, input.data, input.len);
    WAIT_FOR(f->loop, &c, f->messages == 1);
    assert_int_equal(f->last.len, 20002);
    client_finish(&c);
    stop(f);
}

static void our_close_follows_what_is_queued(void **state)
{
    struct fixture *f = start();
    struct client c = visit(f);

    (void)state;
    f->close_on_message = true;
    send_frame(f, &c, 0x81, STR("last words"));
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "\x81\x0alast words\x88\x02"));
    assert_true(ends_with_close(&c, 1000));
    client_finish(&c);
    WAIT_FOR(f->loop, NULL, f->closed == 1);
    assert_int_equal(f->end, WS_END_LOCAL);
    stop(f);
}

static void a_peer_that_vanishes_is_told(void **state)
{
    struct fixture *f = start();
    struct client c = visit(f);

    (void)state;
    client_finish(&c);
    WAIT_FOR(f->loop, NULL, f->closed == 1);
    assert_int_equal(f->end, WS_END_CLOSED);
    stop(f);
}

static void a_slow_reader_is_cut(void **state)
{
    struct fixture *f = start();
    struct client c = visit(f);
    autofree char *payload = xcalloc(1, 50000);
    struct frame *frame = frame_binary((struct str) { payload, 50000 });
    struct transport_stats stats;

    (void)state;
    WAIT_FOR(f->loop, NULL, (f->ws != NULL ? ws_send(f->ws, frame) : (void)0, f->closed == 1));
    assert_int_equal(f->end, WS_END_SLOW);
    transport_stats(f->transport, &stats);
    assert_int_equal(stats.slow_consumers, 1);
    frame_unref(frame);
    client_finish(&c);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_upgrade_is_answered_as_the_rfc_computes_it),
        cmocka_unit_test(invalid_upgrades_are_answered_and_refused),
        cmocka_unit_test(messages_are_echoed_in_pieces_of_any_size),
        cmocka_unit_test(frames_in_the_segment_of_the_upgrade_are_handled),
        cmocka_unit_test(a_peer_that_breaks_the_rules_is_closed_with_a_code),
        cmocka_unit_test(a_message_of_exactly_the_limit_passes),
        cmocka_unit_test(empty_fragments_without_end_are_bounded),
        cmocka_unit_test(one_byte_fragments_make_a_message),
        cmocka_unit_test(our_close_follows_what_is_queued),
        cmocka_unit_test(a_peer_that_vanishes_is_told),
        cmocka_unit_test(a_slow_reader_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
