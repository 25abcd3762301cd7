/* Clients of Socket.IO 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/sio_fixture.h"

static void run(struct sio_fixture *f)
{
    f->config.engine.allow_v3 = true;
    sio_fixture_run(f);
}

/* Open, with what the application puts into the query. The open packet is read, nothing else. */
static void open_v4(struct client *ws, struct sio_fixture *f, const char *more)
{
    autofree char *query = xasprintf("&EIO=3%s", more);
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    ws_client_open(ws, f->rig, query);
    assert_true(ws_client_receive(ws, &opcode, &payload));
    assert_int_equal(payload.data[0], '0');
}

static void the_main_namespace_is_connected_unasked(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    open_v4(&ws, &f, "");
    ws_client_expect(&ws, "40");
    ws_client_text(&ws, "420[\"ack\",1]");
    ws_client_expect(&ws, "430[1]");
    ws_client_text(&ws, "40");
    ws_client_expect_close(&ws);
}

static void the_query_of_the_handshake_says_who_it_is(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    open_v4(&ws, &f, "&token=a%2Bb+c%22&x&bad=%ff&t=1");
    ws_client_expect(&ws, "40");
    expect_journal(&f, "[connect / {\"token\":\"a+b c\\\"\",\"x\":\"\",\"bad\":\"%ff\"}]");
}

static void a_namespace_brings_its_query_along(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    open_v4(&ws, &f, "");
    ws_client_expect(&ws, "40");
    ws_client_text(&ws, "40/custom?token=abc,");
    ws_client_expect(&ws, "40/custom,");
    expect_journal(&f, "[connect /custom {\"token\":\"abc\"}]");
    ws_client_text(&ws, "42/custom,1[\"ack\",\"x\"]");
    ws_client_expect(&ws, "43/custom,1[\"x\"]");
    ws_client_text(&ws, "41/custom,");
    ws_client_text(&ws, "40/custom,{\"ignored\":true}");
    ws_client_expect(&ws, "40/custom,");
}

static void a_long_token_fits_into_the_query_of_a_namespace(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    char token[4000] = "";
    autofree char *packet = NULL;

    (void)state;
    memset(token, 'a', sizeof token - 1);
    packet = xasprintf("40/custom?token=%s,", token);
    run(&f);
    open_v4(&ws, &f, "");
    ws_client_expect(&ws, "40");
    ws_client_text(&ws, packet);
    ws_client_expect(&ws, "40/custom,");
}

static void every_packet_may_have_a_query_behind_its_namespace(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    open_v4(&ws, &f, "");
    ws_client_expect(&ws, "40");
    ws_client_text(&ws, "40/custom?a=b#c?d,");
    ws_client_expect(&ws, "40/custom,");
    expect_journal(&f, "[connect /custom {\"a\":\"b\"}]");
    ws_client_text(&ws, "42/custom?a=b,1[\"ack\",\"x\"]");
    ws_client_expect(&ws, "43/custom,1[\"x\"]");
    ws_client_text(&ws, "451-/custom#z,2[\"ack\",{\"_placeholder\":true,\"num\":0}]");
    ws_client_send(&ws, OP_BINARY, STR("\4abc"));
    ws_client_expect(&ws, "461-/custom,2[{\"_placeholder\":true,\"num\":0}]");
    ws_client_text(&ws, "41/custom?a=b,");
    expect_journal(&f, "[disconnect /custom \"client namespace disconnect\" rooms=0]");
}

static void refusals_are_the_data_or_the_message(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    open_v4(&ws, &f, "");
    ws_client_expect(&ws, "40");
    ws_client_text(&ws, "40/nope,");
    ws_client_expect(&ws, "44/nope,{\"message\":\"Invalid namespace\"}");
    ws_client_text(&ws, "40/nope?a=b,");
    ws_client_expect(&ws, "44/nope,{\"message\":\"Invalid namespace\"}");
    ws_client_text(&ws, "420[\"ack\"]");
    ws_client_expect(&ws, "430[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_main_namespace_is_connected_unasked),
        cmocka_unit_test(the_query_of_the_handshake_says_who_it_is),
        cmocka_unit_test(a_namespace_brings_its_query_along),
        cmocka_unit_test(a_long_token_fits_into_the_query_of_a_namespace),
        cmocka_unit_test(every_packet_may_have_a_query_behind_its_namespace),
        cmocka_unit_test(refusals_are_the_data_or_the_message),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("sio_v4", tests, NULL, NULL);
}
