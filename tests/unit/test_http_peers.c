/* HTTP peers that are slow, idle, gone or behind a proxy, and a server that ends. */
#include "tests/unit/http_fixture.h"

static void a_parked_request_notices_that_its_peer_left(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c, GET("/park"));
    WAIT_FOR(f->loop, &c, f->parked != NULL);
    client_finish(&c);
    WAIT_FOR(f->loop, NULL, f->ends == 1);
    assert_int_equal(f->aborted, 1);
    assert_null(f->parked);
    stop(f);
}

static void slow_and_idle_peers_are_dropped(void **state)
{
    static const struct http_limits short_limits = { 4096, 50, 100, 100 };
    struct fixture *f = start(&short_limits, "127.0.0.1:0");
    struct client c = visit(f);
    struct http_stats stats;

    (void)state;
    WAIT_FOR(f->loop, &c, c.closed); /* idle: closed without a word */
    assert_int_equal(c.in.len, 0);
    client_finish(&c);

    c = visit(f);
    client_send_text(f->loop, &c, "GET /show HTTP/1.1\r\nHost:");
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "HTTP/1.1 408 "));
    client_finish(&c);

    c = visit(f);
    client_send_text(f->loop, &c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "HTTP/1.1 408 "));
    assert_int_equal(f->aborted, 1);
    http_server_stats(f->server, &stats);
    assert_int_equal(stats.timeouts, 2);
    client_finish(&c);
    stop(f);
}

/* Dripping bytes does not move the deadline of a head. */
static void a_dripping_head_is_dropped(void **state)
{
    static const struct http_limits short_limits = { 0, 0, 150, 0 };
    struct fixture *f = start(&short_limits, "127.0.0.1:0");
    struct client c = visit(f);

    (void)state;
    client_send_text(f->loop, &c, "GET /show HTTP/1.1\r\nHost: a\r\n");
    while (!c.closed) {
        send(c.fd, "X: y\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
        loop_once(f->loop);
        client_read(&c);
    }
    assert_true(client_has(&c, "HTTP/1.1 408 "));
    client_finish(&c);
    stop(f);
}

static void a_peer_that_does_not_take_its_answer_is_dropped(void **state)
{
    static const struct http_limits short_limits = { 4096, 50, 200, 0 };
    struct fixture *f = start(&short_limits, "127.0.0.1:0");
    struct client c = visit(f);
    autofree char *body = xmalloc(30000000);

    (void)state;
    memset(body, 'b', 30000000);
    client_send_text(f->loop, &c, GET("/park"));
    WAIT_FOR(f->loop, &c, f->parked != NULL);
    http_respond(f->parked, 200, STR_NONE, (struct str) { body, 30000000 });
    WAIT_FOR(f->loop, NULL, f->ends == 1);
    assert_int_equal(f->aborted, 1);
    client_finish(&c);
    stop(f);
}

static void a_large_answer_arrives_whole(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);
    autofree char *body = xmalloc(20000000);

    (void)state;
    for (size_t i = 0; i < 20000000; i++) {
        body[i] = (char)('a' + i % 23);
    }
    client_send_text(f->loop, &c, GET("/park"));
    WAIT_FOR(f->loop, &c, f->parked != NULL);
    http_respond(f->parked, 200, STR_NONE, (struct str) { body, 20000000 });
    assert_int_equal(f->ends, 0); /* not before it was written */
    WAIT_FOR(f->loop, &c, c.in.len > 20000000);
    assert_memory_equal(c.in.data + c.in.len - 20000000, body, 20000000);
    WAIT_FOR(f->loop, &c, f->ends == 1);
    assert_int_equal(f->aborted, 0);
    client_finish(&c);
    stop(f);
}

static void forwarded_addresses_are_believed_from_trusted_proxies(void **state)
{
    static const struct {
        const char *trust, *headers, *address;
    } cases[] = {
        { NULL, "X-Forwarded-For: 203.0.113.9\r\n", "127.0.0.1" },
        { "10.0.0.0/8", "X-Forwarded-For: 203.0.113.9\r\n", "127.0.0.1" },
        { "127.0.0.0/8", "", "127.0.0.1" },
        { "127.0.0.0/8", "X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9" },
        { "127.0.0.1", "X-Forwarded-For: 203.0.113.9:4711\r\n", "203.0.113.9" },
        { "127.0.0.1", "X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1" },
        { "127.0.0.1", "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1" },
        { "127.0.0.1", "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n", "203.0.113.9" },
        { "127.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.9\r\n",
          "203.0.113.9" },
        { "127.0.0.1", "X-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n", "203.0.113.9" },
        { "127.0.0.1", "X-Forwarded-For: 203.0.113.9, 127.0.0.1,127.0.0.1\r\n", "203.0.113.9" },
        { "127.0.0.1", "X-Forwarded-For: 203.0.113.9, rubbish\r\n", "127.0.0.1" },
        { "127.0.0.1", "X-Forwarded-For: \r\n", "127.0.0.1" },
    };
    struct errmsg msg;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture *f = start_default();
        struct client c = visit(f);
        char request[256];

        if (cases[i].trust != NULL) {
            assert_int_equal(http_server_trust(f->server, &cases[i].trust, 1, &msg), OK);
        }
        snprintf(request, sizeof request, "GET /show HTTP/1.1\r\nHost: a\r\n%s\r\n",
                 cases[i].headers);
        client_send_text(f->loop, &c, request);
        WAIT_FOR(f->loop, &c, client_has(&c, "[GET|"));
        assert_string_equal(f->client_address, cases[i].address);
        client_finish(&c);
        stop(f);
    }
}

static void wrong_networks_are_refused(void **state)
{
    static const char *const wrong[] = { "",           "localhost",   "10.0.0.0/33",
                                         "10.0.0/8",   "::1/129",     "10.0.0.0/",
                                         "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/8x" };
    struct fixture *f = start_default();
    struct errmsg msg;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(http_server_trust(f->server, &wrong[i], 1, &msg), ERR_INVALID);
    }
    stop(f);
}

static void draining_answers_what_is_in_flight_and_closes_the_rest(void **state)
{
    struct fixture *f = start_default();
    struct client idle = visit(f), busy = visit(f), slow = visit(f);

    (void)state;
    client_send_text(f->loop, &slow, "GET /show HTTP/1.1\r\nHo");
    client_send_text(f->loop, &idle, GET("/show"));
    WAIT_FOR(f->loop, &idle, client_has(&idle, "[GET|"));
    client_send_text(f->loop, &busy, GET("/park"));
    WAIT_FOR(f->loop, &busy, f->parked != NULL);
    http_server_drain(f->server);
    WAIT_FOR(f->loop, &idle, idle.closed);
    WAIT_FOR(f->loop, &slow, slow.closed);
    assert_true(client_has(&slow, "HTTP/1.1 503"));
    assert_false(busy.closed);
    http_respond(f->parked, 200, STR_NONE, STR("finished"));
    WAIT_FOR(f->loop, &busy, busy.closed);
    assert_true(client_has(&busy, "finished"));
    client_finish(&idle);
    client_finish(&busy);
    client_finish(&slow);
    stop(f);
}

static void an_answer_is_not_lost_when_the_peer_is_still_sending(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);
    autofree char *body = xcalloc(1, 1000000);

    (void)state;
    client_send_text(f->loop, &c,
                     "POST /show HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    client_send(f->loop, &c, body, 1000000);
    shutdown(c.fd, SHUT_WR);
    WAIT_FOR(f->loop, &c, c.closed);
    assert_true(client_has(&c, "[POST|/show"));
    assert_false(c.reset);
    client_finish(&c);
    stop(f);
}

static void a_half_close_behind_requests_leaves_them_to_be_answered(void **state)
{
    struct fixture *f = start_default();
    struct client c = visit(f);

    (void)state;
    client_send_text(
        f->loop, &c,
        "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" GET(
            "/show/a") "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlast");
    shutdown(c.fd, SHUT_WR);
    WAIT_FOR(f->loop, &c, f->parked != NULL);
    for (int i = 0; i < 20; i++) {
        loop_once(f->loop);
    }
    assert_non_null(f->parked);
    http_respond(f->parked, 200, STR_NONE, STR("[late]"));
    WAIT_FOR(f->loop, &c, c.closed);
    assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 3);
    assert_true(client_has(&c, "[late]"));
    assert_true(client_has(&c, "last"));
    assert_int_equal(f->aborted, 0);
    client_finish(&c);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parked_request_notices_that_its_peer_left),
        cmocka_unit_test(slow_and_idle_peers_are_dropped),
        cmocka_unit_test(a_dripping_head_is_dropped),
        cmocka_unit_test(a_peer_that_does_not_take_its_answer_is_dropped),
        cmocka_unit_test(a_large_answer_arrives_whole),
        cmocka_unit_test(forwarded_addresses_are_believed_from_trusted_proxies),
        cmocka_unit_test(wrong_networks_are_refused),
        cmocka_unit_test(draining_answers_what_is_in_flight_and_closes_the_rest),
        cmocka_unit_test(an_answer_is_not_lost_when_the_peer_is_still_sending),
        cmocka_unit_test(a_half_close_behind_requests_leaves_them_to_be_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
