/* An Engine.IO server with an application that echoes, driven over real sockets. What a test wants
 * of the application beyond that it says in a message: see on_message(). */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/engineio/engineio.h"
#include "tests/unit/eio_rig.h"

enum { MAX_PAYLOAD = 1000000, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8 };

/* Touched by the loop thread only, while a rig runs. */
struct fixture {
    struct rig *rig;
    struct eio_config config;
    struct eio_server *server;
    struct eio_session *last; /* opened */
    struct buf heard;         /* all messages, each in brackets */
    unsigned opened, closed;
    enum eio_reason reason; /* of the last close */
    char query[64];
};

static void on_open(void *arg, struct eio_session *session)
{
    struct fixture *f = arg;
    struct str query = eio_session_query(session);

    f->opened++;
    f->last = session;
    snprintf(f->query, sizeof f->query, "%.*s", STR_ARG(query));
}

static void send_text(struct eio_session *session, const char *text)
{
    struct frame *frame = frame_text2(STR("4"), str_of(text));

    eio_session_send(session, frame);
    frame_unref(frame);
}

static void send_burst(struct eio_session *session, int count)
{
    char text[16];

    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%d", i);
        send_text(session, text);
    }
}

static void send_fill(struct eio_session *session, size_t count, size_t size)
{
    autobuf struct buf text = BUF_INIT;

    memset(buf_reserve(&text, size), 'x', size);
    text.len = size;
    text.data[size] = '\0';
    while (count-- > 0) {
        send_text(session, text.data);
    }
}

static void on_message(struct eio_session *session, bool binary, struct str payload)
{
    struct fixture *f = eio_session_arg(session);
    struct frame *frame;

    if (payload.len < 100) {
        buf_printf(&f->heard, "[%.*s]", STR_ARG(payload));
    }
    if (binary) {
        frame = frame_binary(payload);
        eio_session_send(session, frame);
        frame_unref(frame);
    } else if (str_eq(payload, STR("close me"))) {
        eio_session_close(session, EIO_REASON_FORCED_SERVER_CLOSE);
    } else if (str_eq(payload, STR("say bye and close me"))) {
        send_text(session, "bye");
        eio_session_close(session, EIO_REASON_FORCED_SERVER_CLOSE);
    } else if (str_eq(payload, STR("burst and close me"))) {
        send_burst(session, 20);
        eio_session_close(session, EIO_REASON_FORCED_SERVER_CLOSE);
    } else if (str_eq(payload, STR("burst"))) {
        send_burst(session, 40);
    } else if (str_eq(payload, STR("fill"))) {
        send_fill(session, 3, MAX_PAYLOAD / 2);
    } else if (!str_eq(payload, STR("quiet"))) {
        frame = frame_text2(STR("4"), payload);
        eio_session_send(session, frame);
        frame_unref(frame);
    }
}

static void on_close(struct eio_session *session, enum eio_reason reason)
{
    struct fixture *f = eio_session_arg(session);

    f->closed++;
    f->reason = reason;
    f->last = f->last == session ? NULL : f->last;
    send_text(session, "too late"); /* allowed, and without effect */
    eio_session_close(session, EIO_REASON_FORCED_CLOSE);
}

static const struct eio_ops ops = { on_open, on_message, on_close };

static struct eio_server *start(struct rig *rig, void *arg)
{
    struct fixture *f = arg;

    f->config.ops = &ops;
    f->config.arg = f;
    f->server = eio_server_new(rig_loop(rig), &f->config);
    return f->server;
}

static void stop(void *arg)
{
    struct fixture *f = arg;

    eio_server_free(f->server);
    assert(f->opened == f->closed);
}

static const struct rig_ops rig_ops = { start, stop };

static void run(struct fixture *f)
{
    if (f->config.ping_interval_ms == 0) {
        f->config.ping_interval_ms = 25000;
        f->config.ping_timeout_ms = 20000;
    }
    if (f->config.max_payload == 0) {
        f->config.max_payload = MAX_PAYLOAD;
    }
    f->rig = rig_start(&rig_ops, f);
}

static void finish(struct fixture *f)
{
    if (f->rig != NULL) {
        rig_stop(f->rig);
        buf_finish(&f->heard);
    }
}

#define autofixture CLEANUP(finish)

static bool has_closed(void *arg)
{
    struct fixture *f = arg;

    return f->closed > 0;
}

static void expect_closed(struct fixture *f, enum eio_reason reason)
{
    rig_wait(f->rig, has_closed, f);
    assert_int_equal(f->reason, reason);
    assert_int_equal(f->closed, 1);
}

static void expect_body(const struct reply *reply, const char *body)
{
    assert_string_equal(reply->body.data != NULL ? reply->body.data : "", body);
}

static void expect_parked_reply(struct client *client, const char *body)
{
    autoreply struct reply reply = { 0 };

    assert_true(client_receive_reply(client, &reply));
    assert_int_equal(reply.status, 200);
    expect_body(&reply, body);
}

static void expect_poll(struct fixture *f, const char *sid, const char *body)
{
    autofree char *text = poll_get(f->rig, sid);

    assert_string_equal(text, body);
}

static void expect_unknown(struct fixture *f, const char *sid)
{
    autofree char *target = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    autoreply struct reply reply = { 0 };

    http_exchange(f->rig, "GET", target, "", STR_NONE, &reply);
    assert_int_equal(reply.status, 400);
    expect_body(&reply, "{\"code\":1,\"message\":\"Session ID unknown\"}");
}

/* The server has seen what was sent on connections that nobody answers yet. */
static bool polls_are_parked(void *arg)
{
    struct fixture *f = arg;

    return f->last != NULL && eio_session_writable(f->last);
}

static void park(struct client *client, struct fixture *f, const char *sid)
{
    poll_park(client, f->rig, sid);
    rig_wait(f->rig, polls_are_parked, f);
}

static void a_polling_handshake_answers_the_open_packet_alone(void **state)
{
    autofixture struct fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling&t=abc", "", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.len, 118);
    assert_memory_equal(reply.body.data, "0{\"sid\":\"", 9);
    assert_string_equal(reply.body.data + 29,
                        "\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
                        "\"pingTimeout\":20000,\"maxPayload\":1000000}");
    assert_string_equal(reply_header(&reply, "Content-Type"), "text/plain; charset=UTF-8");
    assert_string_equal(reply_header(&reply, "Cache-Control"), "no-store");
    assert_string_equal(reply_header(&reply, "X-Accel-Buffering"), "no");
    assert_null(reply_header(&reply, "Access-Control-Allow-Origin"));
}

static void the_path_may_lack_its_last_slash(void **state)
{
    autofixture struct fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    run(&f);
    http_exchange(f.rig, "GET", "/socket.io?EIO=4&transport=polling", "", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
}

#define UPGRADE                                                                                    \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static const struct refusal {
    const char *method, *query, *headers;
    unsigned status;
    const char *body;
} refusals[] = {
    { "GET", "EIO=4", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=abc", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=__proto__", "", 400,
      "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=webtransport", "", 400,
      "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=polling&transport=x", "", 400,
      "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=polling&sid=nope", "", 400,
      "{\"code\":1,\"message\":\"Session ID unknown\"}" },
    { "POST", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", "", 400,
      "{\"code\":1,\"message\":\"Session ID unknown\"}" },
    { "GET", "EIO=4&transport=polling&sid=%00", "", 400,
      "{\"code\":1,\"message\":\"Session ID unknown\"}" },
    { "POST", "EIO=4&transport=polling", "", 400,
      "{\"code\":2,\"message\":\"Bad handshake method\"}" },
    { "PUT", "EIO=4&transport=polling", "", 400,
      "{\"code\":2,\"message\":\"Bad handshake method\"}" },
    { "OPTIONS", "EIO=4&transport=polling", "", 400,
      "{\"code\":2,\"message\":\"Bad handshake method\"}" },
    { "GET", "EIO=4&transport=websocket", "", 400, "{\"code\":3,\"message\":\"Bad request\"}" },
    { "GET", "transport=polling", "", 400,
      "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    { "GET", "EIO=3&transport=polling", "", 400,
      "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    { "GET", "EIO=abc&transport=polling", "", 400,
      "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    { "GET", "EIO=44&transport=polling", "", 400,
      "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    /* before any 101 */
    { "GET", "EIO=4&transport=polling", UPGRADE, 400, "Bad request" },
    { "GET", "EIO=4&transport=__proto__", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=4&transport=constructor", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=4&transport=websocket&transport=polling", UPGRADE, 400, "Bad request" },
    { "GET", "EIO=4&transport=", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=4&transport=%00", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=4", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=3&transport=websocket", UPGRADE, 400, "Unsupported protocol version" },
    { "GET", "transport=websocket", UPGRADE, 400, "Unsupported protocol version" },
    { "GET", "EIO=4&transport=websocket&sid=nope", UPGRADE, 400, "Session ID unknown" },
};

static void a_request_that_cannot_be_is_refused_with_the_protocol_s_code(void **state)
{
    autofixture struct fixture f = { 0 };

    (void)state;
    run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        autofree char *target = xasprintf("/socket.io/?%s", refusal->query);
        autoreply struct reply reply = { 0 };

        print_message("%s %s\n", refusal->method, refusal->query);
        http_exchange(f.rig, refusal->method, target, refusal->headers, STR_NONE, &reply);
        assert_int_equal(reply.status, refusal->status);
        expect_body(&reply, refusal->body);
        assert_string_equal(reply_header(&reply, "Content-Type"),
                            refusal->body[0] == '{' ? "application/json" : "text/html");
    }
    assert_int_equal(f.opened, 0);
}

static void a_sid_of_ten_kilobytes_is_an_unknown_one(void **state)
{
    autofixture struct fixture f = { 0 };
    autobuf struct buf sid = BUF_INIT;

    (void)state;
    run(&f);
    memset(buf_reserve(&sid, 10000), 'A', 10000);
    sid.len = 10000;
    sid.data[sid.len] = '\0';
    expect_unknown(&f, sid.data);
}

static void a_session_answers_only_what_fits_it(void **state)
{
    static const struct {
        const char *method, *query;
    } requests[] = {
        { "PUT", "EIO=4&transport=polling" },  { "DELETE", "EIO=4&transport=polling" },
        { "GET", "EIO=3&transport=polling" },  { "GET", "transport=polling" },
        { "POST", "EIO=3&transport=polling" }, { "GET", "EIO=4&transport=websocket" },
    };
    autofixture struct fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        autofree char *target = xasprintf("/socket.io/?%s&sid=%s", requests[i].query, sid);
        autoreply struct reply reply = { 0 };

        http_exchange(f.rig, requests[i].method, target, "", STR_NONE, &reply);
        assert_int_equal(reply.status, 400);
        expect_body(&reply, "{\"code\":3,\"message\":\"Bad request\"}");
    }
    poll_post(f.rig, sid, "4alive");
    expect_poll(&f, sid, "4alive");
}

static void packets_of_a_payload_come_in_order(void **state)
{
    autofixture struct fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid,
              "4test1\x1e"
              "4test2\x1e"
              "bAQIDBA==\x1e"
              "4\xc3\xa9");
    expect_poll(&f, sid,
                "4test1\x1e"
                "4test2\x1e"
                "bAQIDBA==\x1e"
                "4\xc3\xa9");
}

static void a_post_is_answered_ok(void **state)
{
    autofixture struct fixture f = { 0 };
    autofree char *target = NULL;
    autoreply struct reply reply = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    target = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    http_exchange(f.rig, "POST", target, "", STR("4x"), &reply);
    assert_int_equal(reply.status, 200);
    expect_body(&reply, "ok");
    assert_string_equal(reply_header(&reply, "Content-Type"), "text/html");
    assert_string_equal(reply_header(&reply, "Cache-Control"), "no-store");
}

static void a_parked_get_is_answered_by_what_comes_next(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    park(&get, &f, sid);
    poll_post(f.rig, sid,
              "4a\x1e"
              "4b");
    expect_parked_reply(&get, "4a\x1e"
                              "4b");
}

static unsigned count_packets(const char *body)
{
    unsigned count = 1;

    for (; *body != '\0'; body++) {
        count += *body == '\x1e';
    }
    return count;
}

static void an_answer_holds_at_most_sixteen_packets(void **state)
{
    static const unsigned expected[] = { 16, 16, 8 };
    autofixture struct fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "4burst");
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        autofree char *body = poll_get(f.rig, sid);

        assert_int_equal(count_packets(body), expected[i]);
    }
}

static void an_answer_is_no_larger_than_the_client_was_told(void **state)
{
    static const unsigned expected[] = { 1, 1, 1 };
    autofixture struct fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "4fill");
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        autofree char *body = poll_get(f.rig, sid);

        assert_int_equal(strlen(body), MAX_PAYLOAD / 2 + 1);
        assert_int_equal(count_packets(body), expected[i]);
    }
}

static void a_malformed_packet_ends_the_session_after_those_before_it(void **state)
{
    static const struct {
        struct str body;
        const char *heard;
    } payloads[] = {
        { STR_INIT("4a\x1e"
                   "abc\x1e"
                   "4b"),
          "[a]" },
        { STR_INIT("4a\x1e"), "[a]" },
        { STR_INIT(""), "" },
        { STR_INIT("bAQ="), "" },
        { STR_INIT("4\xff"), "" },
        { STR_INIT("4a\x1e"
                   "4\xed\xa0\x80"),
          "[a]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
        autofixture struct fixture f = { 0 };
        char sid[21];

        run(&f);
        poll_open(f.rig, sid);
        assert_int_equal(poll_post_status(f.rig, sid, payloads[i].body), 400);
        expect_unknown(&f, sid);
        expect_closed(&f, EIO_REASON_PARSE_ERROR);
        assert_string_equal(f.heard.data != NULL ? f.heard.data : "", payloads[i].heard);
    }
}

static void a_million_empty_packets_are_one_error(void **state)
{
    autofixture struct fixture f = { 0 };
    autobuf struct buf body = BUF_INIT;
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    memset(buf_reserve(&body, MAX_PAYLOAD), 0x1e, MAX_PAYLOAD);
    body.len = MAX_PAYLOAD;
    assert_int_equal(poll_post_status(f.rig, sid, buf_str(&body)), 400);
    expect_closed(&f, EIO_REASON_PARSE_ERROR);
}

static void a_second_get_ends_the_session(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    park(&get, &f, sid);
    assert_int_equal(poll_get_status(f.rig, sid), 400);
    expect_parked_reply(&get, "1");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
}

static bool post_has_begun(void *arg)
{
    struct fixture *f = arg;

    return f->heard.len > 0;
}

static void a_second_post_ends_the_session_and_the_first_connection(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client post = { 0 };
    autofree char *request = NULL;
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    client_open(&post, f.rig);
    /* a first, whole request tells when the server has got to the second one, which is not */
    request = xasprintf("POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: 6\r\n\r\n4quiet"
                        "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
                        "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
                        sid, sid);
    client_send(&post, str_of(request));
    rig_wait(f.rig, post_has_begun, &f);
    client_expect_bytes(&post, "100 Continue");
    assert_int_equal(poll_post_status(f.rig, sid, STR("4b")), 400);
    client_expect_end(&post);
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
}

static void a_client_that_gives_up_its_get_is_gone(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    park(&get, &f, sid);
    client_close(&get);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
    expect_unknown(&f, sid);
}

static void an_oversize_payload_is_lost_and_the_session_lives(void **state)
{
    autofixture struct fixture f = { .config.max_payload = 100 };
    autoclient struct client post = { 0 };
    autoreply struct reply reply = { 0 };
    autofree char *request = NULL;
    char body[102] = "4", sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    memset(body + 1, 'x', 100);
    assert_int_equal(poll_post_status(f.rig, sid, (struct str) { body, 101 }), 413);
    request = xasprintf("POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n65\r\n%s\r\n0\r\n\r\n",
                        sid, body);
    client_open(&post, f.rig);
    client_send(&post, str_of(request));
    assert_true(client_receive_reply(&post, &reply));
    assert_int_equal(reply.status, 413);
    assert_int_equal(reply.body.len, 0);
    body[100] = '\0'; /* exactly the limit */
    poll_post(f.rig, sid, body);
    expect_poll(&f, sid, body);
}

static void an_octet_stream_ends_the_session(void **state)
{
    autofixture struct fixture f = { 0 };
    autoreply struct reply reply = { 0 };
    autofree char *target = NULL;
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    target = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    http_exchange(f.rig, "POST", target, "Content-Type: application/octet-stream\r\n", STR("4x"),
                  &reply);
    assert_int_equal(reply.status, 400);
    assert_int_equal(reply.body.len, 0);
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
}

static void a_websocket_session_echoes_text_and_binary(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    (void)state;
    run(&f);
    ws_client_open(&ws, f.rig, "");
    assert_true(ws_client_receive(&ws, &opcode, &payload));
    assert_int_equal(opcode, OP_TEXT);
    assert_non_null(strstr(payload.data, "\"upgrades\":[]"));
    ws_client_text(&ws, "4hello");
    ws_client_expect(&ws, "4hello");
    ws_client_send(&ws, OP_BINARY, STR("\1\2\0\3"));
    assert_true(ws_client_receive(&ws, &opcode, &payload));
    assert_int_equal(opcode, OP_BINARY);
    assert_true(str_eq(buf_str(&payload), STR("\1\2\0\3")));
}

static void a_client_that_asked_for_base64_gets_no_binary_frame(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    (void)state;
    run(&f);
    ws_client_open(&ws, f.rig, "&b64=1");
    assert_true(ws_client_receive(&ws, &opcode, &payload));
    ws_client_text(&ws, "bAQIDBA==");
    ws_client_expect(&ws, "bAQIDBA==");
}

static const struct {
    const char *text;
    enum eio_reason reason;
} closing_packets[] = {
    { "abc", EIO_REASON_PARSE_ERROR },
    { "", EIO_REASON_PARSE_ERROR },
    { "7", EIO_REASON_PARSE_ERROR },
    { "1", EIO_REASON_TRANSPORT_CLOSE },
    { "2", EIO_REASON_TRANSPORT_ERROR },
    { "2probe", EIO_REASON_TRANSPORT_ERROR },
    { "4close me", EIO_REASON_FORCED_SERVER_CLOSE },
};

static void a_websocket_is_closed_without_a_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(closing_packets); i++) {
        autofixture struct fixture f = { 0 };
        autoclient struct client ws = { 0 };

        run(&f);
        ws_session_open(&ws, f.rig);
        ws_client_text(&ws, closing_packets[i].text);
        ws_client_expect_close(&ws);
        expect_closed(&f, closing_packets[i].reason);
    }
}

static void control_packets_that_mean_nothing_are_ignored(void **state)
{
    static const char *const packets[] = { "0", "5", "6", "3", "3probe" };
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        ws_client_text(&ws, packets[i]);
    }
    ws_client_text(&ws, "4alive");
    ws_client_expect(&ws, "4alive");
}

static void what_was_sent_before_a_close_arrives(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "4say bye and close me");
    ws_client_expect(&ws, "4bye");
    ws_client_expect_close(&ws);
}

static void a_tcp_connection_that_ends_is_a_transport_close(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    client_close(&ws);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

static void an_oversize_message_is_a_transport_error(void **state)
{
    autofixture struct fixture f = { .config.max_payload = 1000 };
    autoclient struct client ws = { 0 };
    char body[1001];

    (void)state;
    run(&f);
    memset(body, '4', sizeof body);
    ws_session_open(&ws, f.rig);
    ws_client_send(&ws, OP_TEXT, (struct str) { body, sizeof body });
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
}

static void a_client_that_posts_close_finds_a_noop_in_its_get(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    park(&get, &f, sid);
    poll_post(f.rig, sid, "1");
    expect_parked_reply(&get, "6");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

static void a_server_that_closes_says_so_in_the_parked_get(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    park(&get, &f, sid);
    poll_post(f.rig, sid, "4say bye and close me");
    expect_parked_reply(&get, "4bye\x1e"
                              "1");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_FORCED_SERVER_CLOSE);
}

static void a_server_that_closes_says_so_in_the_next_get(void **state)
{
    autofixture struct fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "4close me");
    expect_closed(&f, EIO_REASON_FORCED_SERVER_CLOSE);
    poll_post(f.rig, sid, "4nobody listens");
    expect_poll(&f, sid,
                "6\x1e"
                "1");
    expect_unknown(&f, sid);
}

static void a_close_does_not_cut_off_what_needs_several_answers(void **state)
{
    autofixture struct fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "4burst and close me");
    for (unsigned i = 0; i < 2; i++) {
        autofree char *body = poll_get(f.rig, sid);

        assert_int_equal(count_packets(body), i == 0 ? 15 : 6);
        assert_int_equal(body[strlen(body) - 1] == '1' && body[strlen(body) - 2] == '\x1e', i == 1);
    }
    expect_unknown(&f, sid);
}

/* The probe up to `3probe`. */
static void probe(struct client *ws, struct fixture *f, const char *sid)
{
    autofree char *query = xasprintf("&sid=%s", sid);

    ws_client_open(ws, f->rig, query);
    ws_client_text(ws, "2probe");
    ws_client_expect(ws, "3probe");
}

static void every_get_during_a_probe_is_answered_at_once(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 }, get = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    park(&get, &f, sid);
    probe(&ws, &f, sid);
    expect_parked_reply(&get, "6");
    for (int i = 0; i < 3; i++) {
        expect_poll(&f, sid, "6");
    }
    poll_post(f.rig, sid,
              "4during\x1e"
              "6");
    expect_poll(&f, sid, "4during");
    expect_poll(&f, sid, "6");
    ws_client_text(&ws, "5");
    ws_client_text(&ws, "4after");
    ws_client_expect(&ws, "4after"); /* and no noop before it */
}

static void what_is_unsent_at_the_upgrade_goes_over_the_websocket_in_order(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    probe(&ws, &f, sid);
    poll_post(f.rig, sid,
              "4one\x1e"
              "bAQI=\x1e"
              "4two");
    ws_client_text(&ws, "5");
    ws_client_expect(&ws, "4one");
    assert_true(ws_client_receive(&ws, &opcode, &payload));
    assert_int_equal(opcode, OP_BINARY);
    ws_client_expect(&ws, "4two");
}

static void a_get_that_is_parked_at_the_upgrade_gets_a_noop(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 }, get = { 0 };
    autofree char *query = NULL;
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    park(&get, &f, sid);
    query = xasprintf("&sid=%s", sid);
    ws_client_open(&ws, f.rig, query);
    ws_client_text(&ws, "5"); /* without a probe: accepted */
    expect_parked_reply(&get, "6");
    ws_client_text(&ws, "4hello");
    ws_client_expect(&ws, "4hello");
}

static void after_the_upgrade_polling_is_refused_and_the_session_lives(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 }, second = { 0 };
    autofree char *query = NULL;
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    query = xasprintf("&sid=%s", sid);
    probe(&ws, &f, sid);
    ws_client_text(&ws, "5");
    ws_client_text(&ws, "4sync");
    ws_client_expect(&ws, "4sync");
    assert_int_equal(poll_get_status(f.rig, sid), 400);
    assert_int_equal(poll_post_status(f.rig, sid, STR("4x")), 400);
    ws_client_open(&second, f.rig, query);
    ws_client_expect_close(&second);
    ws_client_text(&ws, "4hello");
    ws_client_expect(&ws, "4hello");
    client_close(&ws);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

static void a_second_probe_is_turned_away_while_the_first_goes_on(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 }, second = { 0 };
    autofree char *query = NULL;
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    query = xasprintf("&sid=%s", sid);
    probe(&ws, &f, sid);
    ws_client_open(&second, f.rig, query);
    ws_client_expect_close(&second);
    ws_client_text(&ws, "2probe");
    ws_client_expect(&ws, "3probe");
    ws_client_text(&ws, "5");
    ws_client_text(&ws, "4hello");
    ws_client_expect(&ws, "4hello");
}

static void a_probe_that_says_anything_else_is_closed_and_polling_goes_on(void **state)
{
    static const char *const texts[] = { "4early", "2", "2prob", "abc", "", "3" };
    autofixture struct fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        autoclient struct client ws = { 0 };

        probe(&ws, &f, sid);
        ws_client_text(&ws, texts[i]);
        ws_client_expect_close(&ws);
        poll_post(f.rig, sid, "4alive");
        expect_poll(&f, sid, "4alive");
    }
    assert_int_equal(f.closed, 0);
}

static bool only_polling_is_left(void *arg)
{
    struct fixture *f = arg;

    return f->last != NULL && eio_session_transport(f->last) == EIO_TRANSPORT_POLLING &&
           eio_session_writable(f->last);
}

static void a_probe_that_disappears_leaves_polling_as_it_was(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 }, again = { 0 }, get = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    probe(&ws, &f, sid);
    client_close(&ws);
    /* until it is noticed, a GET is answered with a noop; then one parks again */
    for (;;) {
        poll_park(&get, f.rig, sid);
        if (client_is_silent(&get, 50)) {
            break;
        }
        client_close(&get);
    }
    rig_wait(f.rig, only_polling_is_left, &f);
    probe(&again, &f, sid);
    expect_parked_reply(&get, "6");
}

static void a_probe_that_is_never_finished_is_closed(void **state)
{
    autofixture struct fixture f = { .config.upgrade_timeout_ms = 50 };
    autoclient struct client ws = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    probe(&ws, &f, sid);
    ws_client_expect_close(&ws);
    poll_post(f.rig, sid, "4alive");
    expect_poll(&f, sid, "4alive");
}

static void the_server_pings_and_a_pong_keeps_the_session(void **state)
{
    autofixture struct fixture f = { .config = { .ping_interval_ms = 50,
                                                 .ping_timeout_ms = 5000 } };
    autoclient struct client ws = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    poll_open(f.rig, sid);
    for (int i = 0; i < 3; i++) {
        ws_client_expect(&ws, "2");
        ws_client_text(&ws, "3");
        expect_poll(&f, sid, "2");
        poll_post(f.rig, sid, "3");
    }
    assert_int_equal(f.closed, 0);
}

static void a_silent_client_dies_of_a_ping_timeout(void **state)
{
    autofixture struct fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 50 } };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_expect(&ws, "2");
    ws_client_expect_close(&ws);
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void a_silent_polling_client_finds_a_close_packet(void **state)
{
    autofixture struct fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 100 } };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    expect_poll(&f, sid, "2");
    poll_park(&get, f.rig, sid);
    expect_parked_reply(&get, "1");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void talking_does_not_replace_the_pong_for_ever(void **state)
{
    autofixture struct fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 200 } };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    do {
        ws_client_text(&ws, "4still here");
    } while (ws_client_receive(&ws, &opcode, &payload));
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void a_ping_that_is_due_survives_the_upgrade(void **state)
{
    autofixture struct fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 500 } };
    autoclient struct client ws = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    expect_poll(&f, sid, "2");
    probe(&ws, &f, sid);
    ws_client_text(&ws, "5");
    ws_client_expect_close(&ws);
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void a_slow_polling_client_is_cut(void **state)
{
    autofixture struct fixture f = { .config.queue_bytes = MAX_PAYLOAD };
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "4fill");
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
    expect_unknown(&f, sid);
}

static void without_cors_no_origin_is_refused_and_none_is_allowed(void **state)
{
    autofixture struct fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://evil.example\r\n", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_null(reply_header(&reply, "Access-Control-Allow-Origin"));
    assert_null(reply_header(&reply, "Access-Control-Allow-Credentials"));
}

static const char *const desk_origins[] = { "https://desk.example", "https://b.example", NULL };

static void a_listed_origin_is_named_with_credentials(void **state)
{
    autofixture struct fixture f = { .config.cors_origins = desk_origins };
    static const char *const targets[] = { "/socket.io/?EIO=4&transport=polling",
                                           "/socket.io/?EIO=4&transport=polling&sid=nope" };

    (void)state;
    run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        autoreply struct reply reply = { 0 };

        http_exchange(f.rig, "GET", targets[i], "Origin: https://b.example\r\n", STR_NONE, &reply);
        assert_int_equal(reply.status, i == 0 ? 200 : 400);
        assert_string_equal(reply_header(&reply, "Access-Control-Allow-Origin"),
                            "https://b.example");
        assert_string_equal(reply_header(&reply, "Vary"), "Origin");
        assert_string_equal(reply_header(&reply, "Access-Control-Allow-Credentials"), "true");
    }
}

static void an_unlisted_origin_is_refused_on_both_transports(void **state)
{
    autofixture struct fixture f = { .config.cors_origins = desk_origins };
    autoreply struct reply polling = { 0 }, websocket = { 0 }, native = { 0 };

    (void)state;
    run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://evil.example\r\n", STR_NONE, &polling);
    assert_int_equal(polling.status, 403);
    expect_body(&polling, "{\"code\":4,\"message\":\"Forbidden\"}");
    assert_null(reply_header(&polling, "Access-Control-Allow-Origin"));
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=websocket",
                  UPGRADE "Origin: https://evil.example\r\n", STR_NONE, &websocket);
    assert_int_equal(websocket.status, 403);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &native);
    assert_int_equal(native.status, 200);
    assert_int_equal(f.opened, 1);
}

static void any_origin_is_allowed_without_credentials(void **state)
{
    static const char *const any[] = { "*", NULL };
    autofixture struct fixture f = { .config.cors_origins = any };
    autoreply struct reply reply = { 0 };

    (void)state;
    run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://b.example\r\n", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Origin"), "*");
    assert_null(reply_header(&reply, "Access-Control-Allow-Credentials"));
}

static void a_preflight_is_answered(void **state)
{
    autofixture struct fixture f = { .config.cors_origins = desk_origins };
    autoreply struct reply reply = { 0 };

    (void)state;
    run(&f);
    http_exchange(f.rig, "OPTIONS", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://desk.example\r\nAccess-Control-Request-Headers: x-token\r\n",
                  STR_NONE, &reply);
    assert_int_equal(reply.status, 204);
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Origin"),
                        "https://desk.example");
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Methods"),
                        "GET,HEAD,PUT,PATCH,POST,DELETE");
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Headers"), "x-token");
}

static bool admit_nobody(void *arg, const char *address)
{
    assert(strcmp(address, "127.0.0.1") == 0);
    ++*(unsigned *)arg;
    return false;
}

static void a_handshake_that_is_not_admitted_may_come_back_later(void **state)
{
    unsigned asked = 0;
    autofixture struct fixture f = { .config = { .admit = admit_nobody, .admit_arg = &asked } };
    autoreply struct reply polling = { 0 }, websocket = { 0 };

    (void)state;
    run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &polling);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=websocket", UPGRADE, STR_NONE,
                  &websocket);
    assert_int_equal(polling.status, 503);
    assert_int_equal(websocket.status, 503);
    assert_string_equal(reply_header(&polling, "Retry-After"), "5");
    assert_int_equal(asked, 2);
}

static void start_drain(void *arg)
{
    struct fixture *f = arg;

    eio_server_drain(f->server, 1);
}

static bool all_closed(void *arg)
{
    struct fixture *f = arg;
    struct eio_stats stats;

    eio_server_stats(f->server, &stats);
    return stats.sessions == 0 && stats.closed[EIO_REASON_SHUTTING_DOWN] == f->opened;
}

static void a_drain_closes_every_session_and_refuses_new_ones(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client get = { 0 };
    autoreply struct reply reply = { 0 };
    struct client ws[3];
    char sid[21], idle[21];

    (void)state;
    run(&f);
    poll_open(f.rig, idle);
    poll_open(f.rig, sid);
    park(&get, &f, sid);
    for (size_t i = 0; i < ARRAY_SIZE(ws); i++) {
        ws_session_open(&ws[i], f.rig);
    }
    rig_call(f.rig, start_drain, &f);
    rig_wait(f.rig, all_closed, &f);
    expect_parked_reply(&get, "1");
    for (size_t i = 0; i < ARRAY_SIZE(ws); i++) {
        ws_client_expect_close(&ws[i]);
        client_close(&ws[i]);
    }
    expect_poll(&f, idle,
                "6\x1e"
                "1");
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &reply);
    assert_int_equal(reply.status, 503);
}

static void a_session_keeps_only_the_application_s_part_of_its_query(void **state)
{
    autofixture struct fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    run(&f);
    http_exchange(f.rig, "GET",
                  "/socket.io/?token=a%20b&EIO=4&transport=polling&t=x&sid=&b64=1&x&=y", "",
                  STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(f.query, "token=a%20b&x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_polling_handshake_answers_the_open_packet_alone),
        cmocka_unit_test(the_path_may_lack_its_last_slash),
        cmocka_unit_test(a_request_that_cannot_be_is_refused_with_the_protocol_s_code),
        cmocka_unit_test(a_sid_of_ten_kilobytes_is_an_unknown_one),
        cmocka_unit_test(a_session_answers_only_what_fits_it),
        cmocka_unit_test(packets_of_a_payload_come_in_order),
        cmocka_unit_test(a_post_is_answered_ok),
        cmocka_unit_test(a_parked_get_is_answered_by_what_comes_next),
        cmocka_unit_test(an_answer_holds_at_most_sixteen_packets),
        cmocka_unit_test(an_answer_is_no_larger_than_the_client_was_told),
        cmocka_unit_test(a_malformed_packet_ends_the_session_after_those_before_it),
        cmocka_unit_test(a_million_empty_packets_are_one_error),
        cmocka_unit_test(a_second_get_ends_the_session),
        cmocka_unit_test(a_second_post_ends_the_session_and_the_first_connection),
        cmocka_unit_test(a_client_that_gives_up_its_get_is_gone),
        cmocka_unit_test(an_oversize_payload_is_lost_and_the_session_lives),
        cmocka_unit_test(an_octet_stream_ends_the_session),
        cmocka_unit_test(a_websocket_session_echoes_text_and_binary),
        cmocka_unit_test(a_client_that_asked_for_base64_gets_no_binary_frame),
        cmocka_unit_test(a_websocket_is_closed_without_a_status),
        cmocka_unit_test(control_packets_that_mean_nothing_are_ignored),
        cmocka_unit_test(what_was_sent_before_a_close_arrives),
        cmocka_unit_test(a_tcp_connection_that_ends_is_a_transport_close),
        cmocka_unit_test(an_oversize_message_is_a_transport_error),
        cmocka_unit_test(a_client_that_posts_close_finds_a_noop_in_its_get),
        cmocka_unit_test(a_server_that_closes_says_so_in_the_parked_get),
        cmocka_unit_test(a_server_that_closes_says_so_in_the_next_get),
        cmocka_unit_test(a_close_does_not_cut_off_what_needs_several_answers),
        cmocka_unit_test(every_get_during_a_probe_is_answered_at_once),
        cmocka_unit_test(what_is_unsent_at_the_upgrade_goes_over_the_websocket_in_order),
        cmocka_unit_test(a_get_that_is_parked_at_the_upgrade_gets_a_noop),
        cmocka_unit_test(after_the_upgrade_polling_is_refused_and_the_session_lives),
        cmocka_unit_test(a_second_probe_is_turned_away_while_the_first_goes_on),
        cmocka_unit_test(a_probe_that_says_anything_else_is_closed_and_polling_goes_on),
        cmocka_unit_test(a_probe_that_disappears_leaves_polling_as_it_was),
        cmocka_unit_test(a_probe_that_is_never_finished_is_closed),
        cmocka_unit_test(the_server_pings_and_a_pong_keeps_the_session),
        cmocka_unit_test(a_silent_client_dies_of_a_ping_timeout),
        cmocka_unit_test(a_silent_polling_client_finds_a_close_packet),
        cmocka_unit_test(talking_does_not_replace_the_pong_for_ever),
        cmocka_unit_test(a_ping_that_is_due_survives_the_upgrade),
        cmocka_unit_test(a_slow_polling_client_is_cut),
        cmocka_unit_test(without_cors_no_origin_is_refused_and_none_is_allowed),
        cmocka_unit_test(a_listed_origin_is_named_with_credentials),
        cmocka_unit_test(an_unlisted_origin_is_refused_on_both_transports),
        cmocka_unit_test(any_origin_is_allowed_without_credentials),
        cmocka_unit_test(a_preflight_is_answered),
        cmocka_unit_test(a_handshake_that_is_not_admitted_may_come_back_later),
        cmocka_unit_test(a_drain_closes_every_session_and_refuses_new_ones),
        cmocka_unit_test(a_session_keeps_only_the_application_s_part_of_its_query),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("engineio", tests, NULL, NULL);
}
