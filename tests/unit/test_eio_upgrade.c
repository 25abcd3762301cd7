/* From polling to WebSocket (protocol.md 1.7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/eio_fixture.h"

static void every_get_during_a_probe_is_answered_at_once(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
    eio_fixture_probe(&ws, &f, sid);
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
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_probe(&ws, &f, sid);
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
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, get = { 0 };
    autofree char *query = NULL;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
    query = xasprintf("&sid=%s", sid);
    ws_client_open(&ws, f.rig, query);
    ws_client_text(&ws, "5"); /* without a probe: accepted */
    expect_parked_reply(&get, "6");
    ws_client_text(&ws, "4hello");
    ws_client_expect(&ws, "4hello");
}

struct both {
    struct client *ws, *get;
    const char *request;
};

static void say_five_then_poll(void *arg)
{
    struct both *both = arg;

    ws_client_text(both->ws, "5");
    client_send(both->get, str_of(both->request));
}

static void a_get_behind_the_upgrade_is_refused_even_in_the_same_round(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, get = { 0 };
    autofree char *request = NULL;
    autoreply struct reply reply = { 0 };
    struct both both = { &ws, &get, NULL };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_probe(&ws, &f, sid);
    request = xasprintf("GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
                        "Host: a\r\n\r\n",
                        sid);
    both.request = request;
    client_open(&get, f.rig);
    client_send(&get, str_of(request));
    expect_parked_reply(&get, "6");
    rig_call(f.rig, say_five_then_poll, &both); /* the loop finds both */
    assert_true(client_receive_reply(&get, &reply));
    assert_int_equal(reply.status, 400);
    expect_body(&reply, "{\"code\":3,\"message\":\"Bad request\"}");
    ws_client_text(&ws, "4hello");
    ws_client_expect(&ws, "4hello");
}

static void what_stands_behind_the_five_does_not_matter(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_probe(&ws, &f, sid);
    ws_client_text(&ws, "5 and more");
    ws_client_text(&ws, "4hello");
    ws_client_expect(&ws, "4hello");
}

static void after_the_upgrade_polling_is_refused_and_the_session_lives(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, second = { 0 };
    autofree char *query = NULL;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    query = xasprintf("&sid=%s", sid);
    eio_fixture_probe(&ws, &f, sid);
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
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, second = { 0 };
    autofree char *query = NULL;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    query = xasprintf("&sid=%s", sid);
    eio_fixture_probe(&ws, &f, sid);
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
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        autoclient struct client ws = { 0 };

        eio_fixture_probe(&ws, &f, sid);
        ws_client_text(&ws, texts[i]);
        ws_client_expect_close(&ws);
        poll_post(f.rig, sid, "4alive");
        expect_poll(&f, sid, "4alive");
    }
    expect_sessions(&f, 1, 0);
}

static bool only_polling_is_left(void *arg)
{
    struct eio_fixture *f = arg;

    return f->last != NULL && eio_session_transport(f->last) == EIO_TRANSPORT_POLLING &&
           eio_session_writable(f->last);
}

static void a_probe_that_disappears_leaves_polling_as_it_was(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, again = { 0 }, get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_probe(&ws, &f, sid);
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
    eio_fixture_probe(&again, &f, sid);
    expect_parked_reply(&get, "6");
}

static void a_probe_that_is_never_finished_is_closed(void **state)
{
    autoeio struct eio_fixture f = { .config.upgrade_timeout_ms = 50 };
    autoclient struct client ws = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_probe(&ws, &f, sid);
    ws_client_expect_close(&ws);
    poll_post(f.rig, sid, "4alive");
    expect_poll(&f, sid, "4alive");
}

static void a_ping_that_is_due_survives_the_upgrade(void **state)
{
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 500 } };
    autoclient struct client ws = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    expect_poll(&f, sid, "2");
    eio_fixture_probe(&ws, &f, sid);
    ws_client_text(&ws, "5");
    ws_client_expect_close(&ws);
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void a_post_that_is_under_way_at_the_upgrade_is_still_heard(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, post = { 0 };
    autoreply struct reply reply = { 0 };
    autofree char *request = NULL;
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    eio_fixture_probe(&ws, &f, sid);
    request = xasprintf("POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
                        "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
                        sid);
    client_open(&post, f.rig);
    client_send(&post, str_of(request));
    client_expect_bytes(&post, "100 Continue\r\n\r\n");
    ws_client_text(&ws, "5");
    ws_client_text(&ws, "4sync");
    ws_client_expect(&ws, "4sync");
    client_send(&post, STR("4late"));
    assert_true(client_receive_reply(&post, &reply));
    assert_int_equal(reply.status, 200);
    ws_client_expect(&ws, "4late");
    ws_client_text(&ws, "4on");
    ws_client_expect(&ws, "4on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_get_during_a_probe_is_answered_at_once),
        cmocka_unit_test(what_is_unsent_at_the_upgrade_goes_over_the_websocket_in_order),
        cmocka_unit_test(a_get_that_is_parked_at_the_upgrade_gets_a_noop),
        cmocka_unit_test(a_get_behind_the_upgrade_is_refused_even_in_the_same_round),
        cmocka_unit_test(what_stands_behind_the_five_does_not_matter),
        cmocka_unit_test(after_the_upgrade_polling_is_refused_and_the_session_lives),
        cmocka_unit_test(a_second_probe_is_turned_away_while_the_first_goes_on),
        cmocka_unit_test(a_probe_that_says_anything_else_is_closed_and_polling_goes_on),
        cmocka_unit_test(a_probe_that_disappears_leaves_polling_as_it_was),
        cmocka_unit_test(a_probe_that_is_never_finished_is_closed),
        cmocka_unit_test(a_ping_that_is_due_survives_the_upgrade),
        cmocka_unit_test(a_post_that_is_under_way_at_the_upgrade_is_still_heard),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("eio_upgrade", tests, NULL, NULL);
}
