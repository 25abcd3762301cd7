/* HTTP long polling (protocol.md 1.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/eio_fixture.h"

static void packets_of_a_payload_come_in_order(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
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
    autoeio struct eio_fixture f = { 0 };
    autofree char *target = NULL;
    autoreply struct reply reply = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    target = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    http_exchange(f.rig, "POST", target, "", STR("4x"), &reply);
    assert_int_equal(reply.status, 200);
    expect_body(&reply, "ok");
    assert_string_equal(reply_header(&reply, "Content-Type"), "text/html");
    assert_string_equal(reply_header(&reply, "Cache-Control"), "no-store");
}

static void long_answers_are_compressed_for_those_who_accept_it(void **state)
{
    static const struct {
        size_t len;
        const char *accept, *coding;
    } cases[] = {
        { 1023, "Accept-Encoding: gzip\r\n", NULL },
        { 1024, "Accept-Encoding: gzip\r\n", "gzip" },
        { 200000, "Accept-Encoding: deflate;q=0.5\r\n", "deflate" },
        { 1024, "Accept-Encoding: gzip;q=0\r\n", NULL },
        { 1024, "", NULL },
        { 300000, "Accept-Encoding: gzip\r\n", NULL },
    };
    autoeio struct eio_fixture f = { .config.compress = true };
    autofree char *target = NULL;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    target = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf packet = BUF_INIT;
        autoreply struct reply reply = { 0 };
        const char *coding;

        print_message("%zu\n", i);
        buf_add_char(&packet, '4');
        memset(buf_reserve(&packet, cases[i].len), 'x', cases[i].len);
        packet.len = cases[i].len;
        assert_int_equal(poll_post_status(f.rig, sid, buf_str(&packet)), 200);
        http_exchange(f.rig, "GET", target, cases[i].accept, STR(""), &reply);
        assert_int_equal(reply.status, 200);
        coding = reply_header(&reply, "Content-Encoding");
        if (cases[i].coding != NULL) {
            assert_string_equal(coding, cases[i].coding);
            assert_true(reply.body.len < cases[i].len / 10);
        } else {
            assert_null(coding);
            assert_int_equal(reply.body.len, cases[i].len);
        }
    }
}

static void a_parked_get_is_answered_by_what_comes_next(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
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
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
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
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
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
        autoeio struct eio_fixture f = { 0 };
        char sid[21];

        eio_fixture_run(&f);
        poll_open(f.rig, sid);
        assert_int_equal(poll_post_status(f.rig, sid, payloads[i].body), 400);
        expect_unknown(&f, sid);
        expect_closed(&f, EIO_REASON_PARSE_ERROR);
        assert_string_equal(f.heard.data != NULL ? f.heard.data : "", payloads[i].heard);
    }
}

static void a_million_empty_packets_are_one_error(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autobuf struct buf body = BUF_INIT;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    memset(buf_reserve(&body, MAX_PAYLOAD), 0x1e, MAX_PAYLOAD);
    body.len = MAX_PAYLOAD;
    assert_int_equal(poll_post_status(f.rig, sid, buf_str(&body)), 400);
    expect_closed(&f, EIO_REASON_PARSE_ERROR);
}

static void a_second_get_ends_the_session(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
    assert_int_equal(poll_get_status(f.rig, sid), 400);
    expect_parked_reply(&get, "1");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
}

static bool post_has_begun(void *arg)
{
    struct eio_fixture *f = arg;

    return f->heard.len > 0;
}

static void a_second_post_ends_the_session_and_the_first_connection(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client post = { 0 };
    autofree char *request = NULL;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
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
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
    client_close(&get);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
    expect_unknown(&f, sid);
}

static void an_oversize_payload_is_lost_and_the_session_lives(void **state)
{
    autoeio struct eio_fixture f = { .config.max_payload = 100 };
    autoclient struct client post = { 0 };
    autoreply struct reply reply = { 0 };
    autofree char *request = NULL;
    char body[102] = "4", sid[21];

    (void)state;
    eio_fixture_run(&f);
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
    autoeio struct eio_fixture f = { 0 };
    autoreply struct reply reply = { 0 };
    autofree char *target = NULL;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    target = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    http_exchange(f.rig, "POST", target, "Content-Type: application/octet-stream\r\n", STR("4x"),
                  &reply);
    assert_int_equal(reply.status, 400);
    assert_int_equal(reply.body.len, 0);
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
}

static void a_client_that_posts_close_finds_a_noop_in_its_get(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
    poll_post(f.rig, sid, "1");
    expect_parked_reply(&get, "6");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

static void a_server_that_closes_says_so_in_the_parked_get(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
    poll_post(f.rig, sid, "4say bye and close me");
    expect_parked_reply(&get, "4bye\x1e"
                              "1");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_FORCED_SERVER_CLOSE);
}

static void a_server_that_closes_says_so_in_the_next_get(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
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
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "4burst and close me");
    for (unsigned i = 0; i < 2; i++) {
        autofree char *body = poll_get(f.rig, sid);

        assert_int_equal(count_packets(body), i == 0 ? 16 : 4);
        assert_int_not_equal(body[strlen(body) - 1], '1');
    }
    expect_poll(&f, sid,
                "6\x1e"
                "1");
    expect_unknown(&f, sid);
}

static void a_client_that_closes_still_gets_what_was_queued(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
    poll_post(f.rig, sid,
              "4last\x1e"
              "1");
    expect_parked_reply(&get, "4last");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

static void a_slow_polling_client_is_cut(void **state)
{
    autoeio struct eio_fixture f = { .config.queue_bytes = MAX_PAYLOAD };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "4fill");
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
    expect_unknown(&f, sid);
}

static bool one_was_opened(void *arg)
{
    return ((struct eio_fixture *)arg)->last != NULL;
}

/* A POST whose body stops in the middle. */
static void start_post(struct client *post, struct eio_fixture *f, const char *sid,
                       const char *body)
{
    autofree char *request =
        xasprintf("POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
                  "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
                  sid);

    client_open(post, f->rig);
    client_send(post, str_of(request));
    client_expect_bytes(post, "100 Continue\r\n\r\n");
    client_send(post, str_of(body));
}

static void a_client_that_gives_up_its_post_is_gone(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client post = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    start_post(&post, &f, sid, "4hal");
    client_close(&post);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

static void close_last(void *arg)
{
    struct eio_fixture *f = arg;

    eio_session_close(f->last, EIO_REASON_FORCED_SERVER_CLOSE);
}

static void a_post_that_is_under_way_when_its_session_ends_is_answered(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client post = { 0 };
    autoreply struct reply reply = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    rig_wait(f.rig, one_was_opened, &f);
    start_post(&post, &f, sid, "4hal");
    rig_call(f.rig, close_last, &f);
    assert_true(client_receive_reply(&post, &reply));
    assert_int_equal(reply.status, 400);
    expect_poll(&f, sid,
                "6\x1e"
                "1");
}

struct crossing {
    struct client *get, *post;
    const char *sid;
};

/* On the loop thread: it finds both requests when it comes back. */
static void send_both(void *arg)
{
    const struct crossing *crossing = arg;
    autofree char *get = NULL, *post = NULL;

    get = xasprintf("GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n",
                    crossing->sid);
    post = xasprintf("POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
                     "Content-Length: 1\r\n\r\n1",
                     crossing->sid);
    client_send(crossing->get, str_of(get));
    client_send(crossing->post, str_of(post));
}

static void a_get_that_the_closing_post_overtakes_is_still_answered(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client get = { 0 }, post = { 0 };
    autoreply struct reply first_get = { 0 }, first_post = { 0 }, reply = { 0 }, ok = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    client_open(&get, f.rig);
    client_open(&post, f.rig);
    /* both connections are in the server's hands once they had an answer */
    client_send(&get, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    client_send(&post, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(client_receive_reply(&get, &first_get));
    assert_true(client_receive_reply(&post, &first_post));
    poll_open(f.rig, sid);
    rig_call(f.rig, send_both, &(struct crossing) { &get, &post, sid });
    assert_true(client_receive_reply(&post, &ok));
    assert_int_equal(ok.status, 200);
    assert_true(client_receive_reply(&get, &reply));
    assert_int_equal(reply.status, 200);
    expect_body(&reply, "6");
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
    expect_unknown(&f, sid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_a_payload_come_in_order),
        cmocka_unit_test(a_post_is_answered_ok),
        cmocka_unit_test(long_answers_are_compressed_for_those_who_accept_it),
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
        cmocka_unit_test(a_client_that_posts_close_finds_a_noop_in_its_get),
        cmocka_unit_test(a_server_that_closes_says_so_in_the_parked_get),
        cmocka_unit_test(a_server_that_closes_says_so_in_the_next_get),
        cmocka_unit_test(a_close_does_not_cut_off_what_needs_several_answers),
        cmocka_unit_test(a_client_that_closes_still_gets_what_was_queued),
        cmocka_unit_test(a_slow_polling_client_is_cut),
        cmocka_unit_test(a_client_that_gives_up_its_post_is_gone),
        cmocka_unit_test(a_post_that_is_under_way_when_its_session_ends_is_answered),
        cmocka_unit_test(a_get_that_the_closing_post_overtakes_is_still_answered),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("eio_polling", tests, NULL, NULL);
}
