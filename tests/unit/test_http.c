/* HTTP/1.1 as clients speak it, well and badly: heads, bodies, and what is answered. */
#include "tests/unit/http_fixture.h"

static void two_posts_in_one_segment_are_both_answered_in_order(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst"
                     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nsecond");
    WAIT_FOR(f->loop, &c, client_has(&c, "second"));
    assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 2);
    assert_int_equal(client_count(&c, "X-Echo: yes"), 2);
    assert_true(strstr(c.in.data, "first") < strstr(c.in.data, "second"));
    client_finish(&c);
    stop(f);
}

static void a_chunked_body_in_one_byte_pieces_is_decoded(void **state)
{
    static const char request[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;ext=1\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n";
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    for (size_t i = 0; i < sizeof request - 1; i++) {
        client_send(f->loop, &c, request + i, 1);
    }
    WAIT_FOR(f->loop, &c, client_has(&c, "hello 0123456789"));
    assert_true(client_has(&c, "Content-Length: 16\r\n"));
    client_send_text(f->loop, &c, GET("/show"));
    WAIT_FOR(f->loop, &c, client_has(&c, "[GET|/show||none]"));
    client_finish(&c);
    stop(f);
}

static void the_target_may_be_in_absolute_form(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c,
                     "GET http://a:80/show?b=1 HTTP/1.1\r\nHost: a\r\n\r\n"
                     "GET HTTPS://a/show/2 HTTP/1.1\r\nHost: a\r\n\r\n"
                     "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_FOR(f->loop, &c, client_count(&c, "HTTP/1.1 ") == 3);
    assert_true(client_has(&c, "[GET|/show|b=1|none]"));
    assert_true(client_has(&c, "[GET|/show/2||none]"));
    assert_true(client_has(&c, "HTTP/1.1 404 "));
    client_finish(&c);
    stop(f);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);
    autobuf struct buf requests = BUF_INIT;

    (void)state;
    for (int i = 0; i < 500; i++) {
        buf_printf(&requests, "GET /show/%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    }
    client_send(f->loop, &c, requests.data, requests.len);
    WAIT_FOR(f->loop, &c, client_has(&c, "/show/499|"));
    assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 500);
    for (int i = 0; i < 499; i++) {
        char first[32], second[32];

        snprintf(first, sizeof first, "/show/%d|", i);
        snprintf(second, sizeof second, "/show/%d|", i + 1);
        assert_true(strstr(c.in.data, first) < strstr(c.in.data, second));
    }
    client_finish(&c);
    stop(f);
}

static void what_is_pipelined_behind_a_parked_request_waits_in_bounded_memory(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);
    struct transport_stats stats;
    uint64_t before;
    ssize_t sent = 1;
    char junk[65536];
    int same = 0;

    (void)state;
    memset(junk, 'x', sizeof junk);
    client_send_text(f->loop, &c, GET("/park"));
    WAIT_FOR(f->loop, &c, f->parked != NULL);
    client_send_text(f->loop, &c, GET("/show/behind"));
    /* Push until neither side takes any more. */
    while (same < 50) {
        transport_stats(f->transport, &stats);
        before = stats.bytes_in;
        sent = send(c.fd, junk, sizeof junk, MSG_NOSIGNAL | MSG_DONTWAIT);
        loop_once(f->loop);
        transport_stats(f->transport, &stats);
        same = sent > 0 || stats.bytes_in != before ? 0 : same + 1;
    }
    assert_true(stats.bytes_in < 300000);
    http_respond(f->parked, 200, STR_NONE, STR("late"));
    WAIT_FOR(f->loop, &c, client_has(&c, "/show/behind"));
    assert_true(strstr(c.in.data, "late") < strstr(c.in.data, "/show/behind"));
    client_finish(&c);
    stop(f);
}

/* Each is refused before a handler sees it, with this status, and the connection closes. */
static void malformed_requests_are_refused(void **state)
{
    static const struct {
        const char *name, *request, *status;
    } cases[] = {
        { "CL and TE",
          "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: "
          "chunked\r\n\r\n"
          "0\r\n\r\n",
          "400" },
        { "TE and CL",
          "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
          "5\r\n\r\n",
          "400" },
        { "doubled length",
          "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
          "400" },
        { "list of lengths", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
          "400" },
        { "length with letters", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5abc\r\n\r\n",
          "400" },
        { "negative length", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
          "400" },
        { "plus length", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "400" },
        { "empty length", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "400" },
        { "huge length",
          "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n", "400" },
        { "other coding", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
          "400" },
        { "two codings",
          "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "400" },
        { "disguised coding",
          "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
          "chunked\r\n\r\n",
          "400" },
        { "coding in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
        { "bare CR in a field", "GET /show HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "400" },
        { "bare LF", "GET /show HTTP/1.1\nHost: a\n\n", "400" },
        { "bare LF in the middle", "GET /show HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "400" },
        { "folded field", "GET /show HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", "400" },
        { "blank before colon", "GET /show HTTP/1.1\r\nHost : a\r\n\r\n", "400" },
        { "blank in name", "GET /show HTTP/1.1\r\nHost: a\r\nX Y: a\r\n\r\n", "400" },
        { "no colon", "GET /show HTTP/1.1\r\nHost: a\r\nXY\r\n\r\n", "400" },
        { "empty name", "GET /show HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", "400" },
        { "control byte in a field", "GET /show HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n", "400" },
        { "control byte in the target", "GET /sh\x01ow HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "absolute form, another scheme", "GET ftp://a/show HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "absolute form, a query without a path", "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n",
          "400" },
        { "authority form", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "no leading slash", "GET show HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "two blanks", "GET  /show HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "no Host", "GET /show HTTP/1.1\r\n\r\n", "400" },
        { "two Hosts", "GET /show HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400" },
        { "Host with a path", "GET /show HTTP/1.1\r\nHost: a/b\r\n\r\n", "400" },
        { "Host with too large a port", "GET /show HTTP/1.1\r\nHost: a:65536\r\n\r\n", "400" },
        { "Host with a port of letters", "GET /show HTTP/1.1\r\nHost: a:8x\r\n\r\n", "400" },
        { "Host with two ports", "GET /show HTTP/1.1\r\nHost: a:1:2\r\n\r\n", "400" },
        { "Host without the end of its address", "GET /show HTTP/1.1\r\nHost: [::1\r\n\r\n",
          "400" },
        { "Host with a rest behind its address", "GET /show HTTP/1.1\r\nHost: [::1]a:1\r\n\r\n",
          "400" },
        { "absolute form, too large a port", "GET http://a:99999/show HTTP/1.1\r\nHost: a\r\n\r\n",
          "400" },
        { "absolute form, no host", "GET http:///show HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "broken escape", "GET /show%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "escaped NUL", "GET /show%00 HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505" },
        { "HTTP/0.9 look-alike", "GET /show HTTP/0.9\r\n\r\n", "505" },
        { "unknown method", "BREW /show HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
        { "other expectation", "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", "417" },
        { "TLS hello", "\x16\x03\x01\x02\x01\n\n", "400" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture *f = start_default();
        struct client c = visit(f);
        char expected[32];

        snprintf(expected, sizeof expected, "HTTP/1.1 %s ", cases[i].status);
        client_send_text(f->loop, &c, cases[i].request);
        WAIT_FOR(f->loop, &c, c.closed);
        if (f->heads != 0 || !client_has(&c, expected) || client_count(&c, "HTTP/1.1") != 1) {
            fail_msg("%s: %s", cases[i].name, c.in.data);
        }
        client_finish(&c);
        stop(f);
    }
}

static void a_broken_chunk_is_refused_and_ends_the_request(void **state)
{
    static const char *const bodies[] = {
        "5\r\nhelloXX0\r\n\r\n",        /* no CR LF behind the data */
        "5\rXhello\r\n0\r\n\r\n",       /* no LF behind the size */
        "5\nhello\r\n0\r\n\r\n",        /* bare LF */
        "\r\n",                         /* no size */
        "-1\r\n",                       /* sign */
        "0x5\r\nhello\r\n",             /* prefix */
        "FFFFFFFFFFFFFFFFF\r\n",        /* overflow */
        "0\r\nX: y\n\r\n",              /* bare LF in a trailer */
        "0\r\n X: y\r\n\r\n",           /* folded trailer */
        "5;\x01\r\nhello\r\n0\r\n\r\n", /* control byte in an extension */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct fixture *f = start_default();
        struct client c = visit(f);

        client_send_text(f->loop, &c,
                         "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        client_send_text(f->loop, &c, bodies[i]);
        WAIT_FOR(f->loop, &c, c.closed);
        if (!client_has(&c, "HTTP/1.1 400") || f->aborted != 1) {
            fail_msg("body %zu: %s", i, c.in.data);
        }
        client_finish(&c);
        stop(f);
    }
}

static void heads_above_the_limits_get_431(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);
    autobuf struct buf request = BUF_INIT;

    (void)state;
    buf_add_cstr(&request, "GET /show HTTP/1.1\r\nHost: a\r\nX: ");
    while (request.len < 5000) {
        buf_add_char(&request, 'x');
    }
    client_send(f->loop, &c, request.data, request.len); /* without an end */
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "HTTP/1.1 431 "));
    client_finish(&c);

    buf_clear(&request);
    buf_add_cstr(&request, "GET /show HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 60; i++) {
        buf_add_cstr(&request, "X: y\r\n");
    }
    buf_add_cstr(&request, "\r\n");
    c = visit(f);
    client_send(f->loop, &c, request.data, request.len);
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "HTTP/1.1 431 "));
    assert_int_equal(f->heads, 0);
    client_finish(&c);
    stop(f);
}

static void bodies_above_the_limit_get_413(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);
    autofree char *chunk = xcalloc(1, 150000);

    (void)state;
    client_send_text(f->loop, &c,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200001\r\n\r\n");
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "HTTP/1.1 413 "));
    client_finish(&c);

    c = visit(f);
    client_send_text(f->loop, &c,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "249f0\r\n");
    client_send(f->loop, &c, chunk, 150000);
    client_send_text(f->loop, &c, "\r\n249f0\r\n");
    client_send(f->loop, &c, chunk, 150000);
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "HTTP/1.1 413 "));
    assert_int_equal(f->ends, 2);
    assert_int_equal(f->aborted, 2);
    client_finish(&c);
    stop(f);
}

static void a_short_unread_body_is_skipped_and_a_long_one_closes(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c,
                     "POST /show/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n0123456789");
    WAIT_FOR(f->loop, &c, client_has(&c, "/show/1"));
    client_send_text(f->loop, &c, "GET /evil " GET("/show/2"));
    WAIT_FOR(f->loop, &c, client_has(&c, "/show/2"));
    assert_false(c.closed);
    client_send_text(f->loop, &c,
                     "POST /show/3 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "/show/3"));
    assert_int_equal(client_count(&c, "Connection: close"), 1);
    client_finish(&c);
    stop(f);
}

static void expect_100_is_answered_when_the_body_is_wanted(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                     "Expect: 100-continue\r\n\r\n");
    WAIT_FOR(f->loop, &c, client_has(&c, "HTTP/1.1 100 Continue\r\n\r\n"));
    client_send_text(f->loop, &c, "body");
    WAIT_FOR(f->loop, &c, client_has(&c, "\r\n\r\nbody"));
    client_send_text(f->loop, &c,
                     "POST /show HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                     "Expect: 100-continue\r\n\r\n");
    WAIT_FOR(f->loop, &c, c.closed);
    assert_int_equal(client_count(&c, "100 Continue"), 1);
    client_finish(&c);
    stop(f);
}

static void head_gets_the_length_but_no_body(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c, "HEAD /show HTTP/1.1\r\nHost: a\r\n\r\n" GET("/show/next"));
    WAIT_FOR(f->loop, &c, client_has(&c, "/show/next"));
    assert_true(client_has(&c, "Content-Length: 18\r\n"));
    assert_false(client_has(&c, "[HEAD|"));
    client_finish(&c);
    stop(f);
}

static void connections_persist_as_the_version_says(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c, "GET /show/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    WAIT_FOR(f->loop, &c, client_has(&c, "/show/1"));
    assert_true(client_has(&c, "Connection: keep-alive"));
    client_send_text(f->loop, &c, "GET /show/2 HTTP/1.0\r\n\r\n");
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "/show/2"));
    client_finish(&c);

    c = visit(f);
    client_send_text(f->loop, &c, "GET /show/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "/show/3"));
    assert_true(client_has(&c, "Connection: close"));
    client_finish(&c);
    stop(f);
}

static void paths_and_parameters_are_decoded(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c, GET("/sho%77/%c3%a9?x=1&y=2&x=a+b%2Bc"));
    WAIT_FOR(f->loop, &c, client_has(&c, "[GET|/show/\xc3\xa9|x=1&y=2&x=a+b%2Bc|a b+c]"));
    client_send_text(f->loop, &c, GET("/show?y=x&x"));
    WAIT_FOR(f->loop, &c, client_has(&c, "[GET|/show|y=x&x|]"));
    client_send_text(f->loop, &c, GET("/nothing"));
    WAIT_FOR(f->loop, &c, client_has(&c, "HTTP/1.1 404 Not Found"));
    assert_true(client_has(&c, "application/problem+json"));
    client_finish(&c);
    stop(f);
}

static void frames_are_joined_without_their_websocket_headers(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c, GET("/frames"));
    WAIT_FOR(f->loop, &c, client_has(&c, "\r\n\r\none\x1etwo\x1ethree"));
    assert_true(client_has(&c, "Content-Length: 13\r\n"));
    client_finish(&c);
    stop(f);
}

static void detach_hands_over_the_bytes_behind_the_request(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c, GET("/detach") "early bytes");
    WAIT_FOR(f->loop, &c, client_has(&c, "switched"));
    assert_string_equal(f->early, "early bytes");
    client_send_text(f->loop, &c, "later");
    WAIT_FOR(f->loop, &c, f->detached_in.len == 5);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->aborted, 0);
    client_finish(&c);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_posts_in_one_segment_are_both_answered_in_order),
        cmocka_unit_test(a_chunked_body_in_one_byte_pieces_is_decoded),
        cmocka_unit_test(the_target_may_be_in_absolute_form),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(what_is_pipelined_behind_a_parked_request_waits_in_bounded_memory),
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(a_broken_chunk_is_refused_and_ends_the_request),
        cmocka_unit_test(heads_above_the_limits_get_431),
        cmocka_unit_test(bodies_above_the_limit_get_413),
        cmocka_unit_test(a_short_unread_body_is_skipped_and_a_long_one_closes),
        cmocka_unit_test(expect_100_is_answered_when_the_body_is_wanted),
        cmocka_unit_test(head_gets_the_length_but_no_body),
        cmocka_unit_test(connections_persist_as_the_version_says),
        cmocka_unit_test(paths_and_parameters_are_decoded),
        cmocka_unit_test(frames_are_joined_without_their_websocket_headers),
        cmocka_unit_test(detach_hands_over_the_bytes_behind_the_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
