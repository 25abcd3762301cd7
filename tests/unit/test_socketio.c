/* The life of a socket: CONNECT and its answer, being asked, leaving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/sio_fixture.h"

static void the_application_is_given_the_auth_object(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "40/custom,{\"token\":\"abc\"}");
    expect_connected(&ws, "40/custom,", NULL);
    expect_journal(&f, "[connect / {}][connect /custom {\"token\":\"abc\"}]");
}

static void a_refused_connect_may_be_tried_again(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "40{\"refuse\":true}");
    ws_client_expect(&ws, "44{\"message\":\"not authorized\",\"data\":{\"code\":401}}");
    ws_client_text(&ws, "40");
    expect_connected(&ws, "40", NULL);
    expect_alive(&ws);
}

static bool somebody_waits(void *arg)
{
    return ((struct sio_fixture *)arg)->waiting != NULL;
}

static void answer(void *arg)
{
    struct sio_fixture *f = arg;

    sio_socket_emit(f->waiting, STR("too early"), STR(""));
    sio_socket_accept(TAKE(f->waiting), 1, f);
}

static void a_connect_may_be_answered_later(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "40{\"wait\":true}");
    rig_wait(f.rig, somebody_waits, &f);
    rig_call(f.rig, answer, &f);
    expect_connected(&ws, "40", NULL);
    expect_alive(&ws);
}

static void events_before_the_answer_end_the_connection(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "40{\"wait\":true}");
    ws_client_text(&ws, "42[\"echo\"]");
    ws_client_expect_close(&ws);
}

static void a_client_that_joins_no_namespace_is_closed(void **state)
{
    autosio struct sio_fixture f = { .config.connect_timeout_ms = 50 };
    autoclient struct client silent = { 0 }, refused = { 0 }, ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    ws_session_open(&silent, f.rig);
    connect_client(&ws, &f);
    ws_session_open(&refused, f.rig);
    ws_client_text(&refused, "40/nope");
    ws_client_expect(&refused, "44/nope,{\"message\":\"Invalid namespace\"}");
    ws_client_expect_close(&refused);
    ws_client_expect_close(&silent);
    expect_alive(&ws);
}

static void namespaces_at_once_are_limited(void **state)
{
    autosio struct sio_fixture f = { .config.sockets_per_connection = 1 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "40/custom");
    ws_client_expect(&ws, "44/custom,{\"message\":\"Too many namespaces\"}");
    expect_alive(&ws);
}

static void a_packet_in_the_same_payload_as_connect_finds_it_answered(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autofree char *body = NULL;
    char sid[21];

    (void)state;
    sio_fixture_run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid,
              "40\x1e"
              "420[\"ack\",1]");
    body = poll_get(f.rig, sid);
    assert_non_null(strstr(body, "\x1e"
                                 "430[1]"));
}

static void a_kicked_socket_hears_of_it_and_the_connection_stays(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "420[\"join\",\"r\"]");
    ws_client_expect(&ws, "430[true]");
    ws_client_text(&ws, "42[\"kick me\"]");
    ws_client_expect(&ws, "41");
    expect_journal(&f, "[disconnect / \"server namespace disconnect\" rooms=1]");
    ws_client_text(&ws, "40");
    expect_connected(&ws, "40", NULL);
    expect_alive(&ws);
}

static void a_kicked_connection_hears_of_it_in_every_namespace(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "40/custom");
    expect_connected(&ws, "40/custom,", NULL);
    ws_client_text(&ws, "42[\"kick all of me\"]");
    ws_client_expect(&ws, "41");
    ws_client_expect(&ws, "41/custom,");
    ws_client_expect_close(&ws);
    expect_journal(&f, "[disconnect / \"server namespace disconnect\" rooms=0]"
                       "[disconnect /custom \"server namespace disconnect\" rooms=0]");
}

static void every_socket_of_a_connection_that_ends_hears_why(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "40/custom");
    expect_connected(&ws, "40/custom,", NULL);
    ws_client_text(&ws, "42[\"join\",\"r\"]");
    expect_alive(&ws);
    client_close(&ws);
    expect_journal(&f, "[disconnect / \"transport close\" rooms=1]"
                       "[disconnect /custom \"transport close\" rooms=0]");
}

static void a_question_to_a_client_is_answered_once(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "42[\"ask me\",1]");
    ws_client_expect(&ws, "420[\"question\",1]");
    ws_client_text(&ws, "42[\"ask me\",2]");
    ws_client_expect(&ws, "421[\"question\",2]");
    ws_client_text(&ws, "431[\"b\",{\"c\":[1]}]");
    ws_client_expect(&ws, "42[\"answered\",\"b\",{\"c\":[1]}]");
    ws_client_text(&ws, "431[\"again\"]");
    ws_client_text(&ws, "430[]");
    ws_client_expect(&ws, "42[\"answered\"]");
}

static void a_question_that_is_not_answered_in_time_is_given_up(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "42[\"ask me soon\"]");
    ws_client_expect(&ws, "420[\"question\"]");
    ws_client_expect(&ws, "42[\"unanswered\"]");
    ws_client_text(&ws, "430[]");
    expect_alive(&ws);
}

static void a_question_dies_with_its_socket(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 }, other = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "42[\"ask me soon\"]");
    ws_client_text(&ws, "42[\"ask me\"]");
    ws_client_expect(&ws, "420[\"question\"]");
    ws_client_expect(&ws, "421[\"question\"]");
    client_close(&ws);
    expect_journal(&f, "[disconnect / \"transport close\"");
    connect_client(&other, &f);
    expect_alive(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_application_is_given_the_auth_object),
        cmocka_unit_test(a_refused_connect_may_be_tried_again),
        cmocka_unit_test(a_connect_may_be_answered_later),
        cmocka_unit_test(events_before_the_answer_end_the_connection),
        cmocka_unit_test(a_client_that_joins_no_namespace_is_closed),
        cmocka_unit_test(namespaces_at_once_are_limited),
        cmocka_unit_test(a_packet_in_the_same_payload_as_connect_finds_it_answered),
        cmocka_unit_test(a_kicked_socket_hears_of_it_and_the_connection_stays),
        cmocka_unit_test(a_kicked_connection_hears_of_it_in_every_namespace),
        cmocka_unit_test(every_socket_of_a_connection_that_ends_hears_why),
        cmocka_unit_test(a_question_to_a_client_is_answered_once),
        cmocka_unit_test(a_question_that_is_not_answered_in_time_is_given_up),
        cmocka_unit_test(a_question_dies_with_its_socket),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("socketio", tests, NULL, NULL);
}
