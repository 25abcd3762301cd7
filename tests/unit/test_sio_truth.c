/* What each packet does to a connection. What can be seen in the packet alone is in
 * test_sio_packet.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/sio_fixture.h"

/* The truth table of protocol.md 3, as far as it depends on the connection: the main namespace is
 * joined, then this packet comes. */
static const struct {
    const char *input;
    const char *reply;  /* NULL: none */
    const char *reason; /* NULL: the connection stays */
} truths[] = {
    { "40", NULL, "forced server close" },
    { "40/", NULL, "forced server close" },
    { "40/,", NULL, "forced server close" },
    { "4012{\"a\":1}", NULL, "forced server close" },
    { "40[]", NULL, "forced close" },
    { "40\"x\"", NULL, "forced close" },
    { "40null", NULL, "forced close" },
    { "40/nope,", "44/nope,{\"message\":\"Invalid namespace\"}", NULL },
    { "40/nope", "44/nope,{\"message\":\"Invalid namespace\"}", NULL },
    { "40/custom?a=b,", "44/custom?a=b,{\"message\":\"Invalid namespace\"}", NULL },
    { "40/custom,{\"refuse\":true}",
      "44/custom,{\"message\":\"not authorized\",\"data\":{\"code\":401}}", NULL },
    { "42/custom,[\"echo\"]", NULL, "forced server close" },
    { "42/nope,[\"echo\"]", NULL, "forced server close" },
    { "42/custom[\"echo\"]", NULL, "forced server close" },
    { "43/custom,1[]", NULL, "forced server close" },
    { "41/custom,", NULL, "forced server close" },
    { "41/nope,", NULL, "forced server close" },
    { "41{}", NULL, "forced close" },
    { "44{\"message\":\"x\"}", NULL, "forced close" },
    { "42{}", NULL, "forced close" },
    { "42[]", NULL, "forced close" },
    { "42[null]", NULL, "forced close" },
    { "42[true]", NULL, "forced close" },
    { "42[\"echo\"", NULL, "forced close" },
    { "42[\"echo\",01]", NULL, "forced close" },
    { "42[{\"toString\":\"x\"}]", NULL, "forced close" },
    { "42[[\"a\"]]", NULL, "forced close" },
    { "42[\"m\"]x", NULL, "forced close" },
    { "42[1,2]", NULL, NULL },
    { "42", NULL, NULL },
    { "42[\"connect\"]", NULL, "forced close" },
    { "42[\"connect_error\"]", NULL, "forced close" },
    { "42[\"disconnect\"]", NULL, "forced close" },
    { "42[\"disconnecting\"]", NULL, "forced close" },
    { "42[\"newListener\"]", NULL, "forced close" },
    { "42[\"removeListener\"]", NULL, "forced close" },
    { "42[\"error\",{}]", NULL, NULL },
    { "42[\"connection\"]", NULL, NULL },
    { "42[\"__proto__\"]", NULL, NULL },
    { "420[\"ack\",1]", "430[1]", NULL },
    { "42007[\"ack\"]", "437[]", NULL },
    { "429007199254740991[\"ack\"]", "439007199254740991[]", NULL },
    { "429007199254740992[\"ack\"]", NULL, "forced close" },
    { "42-1[\"ack\"]", NULL, "forced close" },
    { "421.5[\"ack\"]", NULL, "forced close" },
    { "421e5[\"ack\"]", NULL, "forced close" },
    { "4299999999999999999999[\"ack\"]", NULL, "forced close" },
    { "42abc[\"ack\"]", NULL, "forced close" },
    { "42 [\"echo\"]", NULL, "forced close" },
    { "42 5[\"ack\"]", NULL, "forced close" },
    { "4399[1]", NULL, NULL },
    { "43[1]", NULL, NULL },
    { "4399", NULL, NULL },
    { "4399{}", NULL, "forced close" },
    { "47[\"x\"]", NULL, "forced close" },
    { "4", NULL, "forced close" },
    { "4abc", NULL, "forced close" },
    { "450-[\"a\"]", NULL, "forced close" },
    { "4599999999-[\"a\"]", NULL, "forced close" },
    { "45-[\"a\"]", NULL, "forced close" },
    { "451[\"a\"]", NULL, "forced close" },
    { "45-1-[\"a\"]", NULL, "forced close" },
    { "4511-[\"a\"]", NULL, "forced close" },
    { "451.0-[\"a\"]", NULL, "forced close" },
    { "451e0-[\"a\"]", NULL, "forced close" },
    { "450x1-[\"a\"]", NULL, "forced close" },
    { "46[1]", NULL, "forced close" },
    { "460-7[]", NULL, "forced close" },
    { "451-{}", NULL, "forced close" },
    { "42[\"echo\",{\"_placeholder\":true,\"num\":0}]",
      "42[\"echo\",{\"_placeholder\":true,\"num\":0}]", NULL },
    { "42[\"echo\",{\"a\":1,\"a\":2,\"__proto__\":3}]",
      "42[\"echo\",{\"a\":1,\"a\":2,\"__proto__\":3}]", NULL },
    { "42[\"echo\",1.0,-0,1e2]", "42[\"echo\",1.0,-0,1e2]", NULL },
    { "42[\"echo\",12345678901234567890, 1e400 ] ", "42[\"echo\",12345678901234567890, 1e400]",
      NULL },
    { "42[\"echo\",\"\\ud800\",{\"\\u0000\":\"\\u0000\"}]",
      "42[\"echo\",\"\\ud800\",{\"\\u0000\":\"\\u0000\"}]", NULL },
    { "421[\"ack\",-0,1e999]", "431[-0,1e999]", NULL },
    { "42[\"echo\",\"\xc3\xa9\xf0\x9f\x98\x80\"]", "42[\"echo\",\"\xc3\xa9\xf0\x9f\x98\x80\"]",
      NULL },
};

static void check_truth(struct sio_fixture *f, size_t i)
{
    autoclient struct client ws = { 0 };
    autofree char *line = NULL;

    connect_client(&ws, f);
    print_message("%s\n", truths[i].input);
    ws_client_text(&ws, truths[i].input);
    if (truths[i].reply != NULL) {
        ws_client_expect(&ws, truths[i].reply);
    }
    if (truths[i].reason == NULL) {
        expect_alive(&ws);
        return;
    }
    ws_client_expect_close(&ws);
    line = xasprintf("[disconnect / \"%s\" rooms=0]", truths[i].reason);
    expect_journal(f, line);
}

static void clear_journal(void *arg)
{
    buf_clear(&((struct sio_fixture *)arg)->journal);
}

static void every_packet_of_the_truth_table_does_as_stated(void **state)
{
    autosio struct sio_fixture f = { 0 };

    (void)state;
    sio_fixture_run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(truths); i++) {
        rig_call(f.rig, clear_journal, &f);
        check_truth(&f, i);
    }
}

static void a_connection_without_a_namespace_stays_until_it_sends_something_for_one(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "41");
    expect_journal(&f, "[disconnect / \"client namespace disconnect\" rooms=0]");
    ws_client_text(&ws, "40");
    expect_connected(&ws, "40", NULL);
    expect_alive(&ws);
    ws_client_text(&ws, "41");
    ws_client_text(&ws, "42[\"echo\"]");
    ws_client_expect_close(&ws);
}

static void anything_before_connect_ends_the_connection(void **state)
{
    static const char *const packets[] = { "42[\"echo\"]", "41", "430[]", "42" };
    autosio struct sio_fixture f = { 0 };

    (void)state;
    sio_fixture_run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        autoclient struct client ws = { 0 };

        ws_session_open(&ws, f.rig);
        ws_client_text(&ws, packets[i]);
        ws_client_expect_close(&ws);
    }
}

static void binary_without_a_header_ends_the_connection(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_send(&ws, OP_BINARY, STR("\1\2\3"));
    ws_client_expect_close(&ws);
    expect_journal(&f, "\"forced close\"");
}

static void header_fields_of_a_megabyte_end_the_connection(void **state)
{
    static const struct {
        const char *head;
        char fill;
    } packets[] = { { "40/", 'n' }, { "42", '1' }, { "45", '1' }, { "42[\"echo\",", '[' } };
    autosio struct sio_fixture f = { 0 };
    autobuf struct buf packet = BUF_INIT;

    (void)state;
    sio_fixture_run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        autoclient struct client ws = { 0 };

        connect_client(&ws, &f);
        buf_clear(&packet);
        buf_add_cstr(&packet, packets[i].head);
        memset(buf_reserve(&packet, 1000000), packets[i].fill, 1000000);
        packet.len += 1000000;
        ws_client_send(&ws, OP_TEXT, buf_str(&packet));
        ws_client_expect_close(&ws);
    }
}

static void a_namespace_of_any_length_is_refused_up_to_a_limit(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    char name[SIO_NAMESPACE_QUERY_MAX] = "";
    autofree char *fits = NULL, *refused = NULL, *too_long = NULL;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    fits = xasprintf("40/%s,", name);
    refused = xasprintf("44/%s,{\"message\":\"Invalid namespace\"}", name);
    too_long = xasprintf("40/nn%s,", name);
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, fits);
    ws_client_expect(&ws, refused);
    ws_client_text(&ws, too_long);
    ws_client_expect_close(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_of_the_truth_table_does_as_stated),
        cmocka_unit_test(a_connection_without_a_namespace_stays_until_it_sends_something_for_one),
        cmocka_unit_test(anything_before_connect_ends_the_connection),
        cmocka_unit_test(binary_without_a_header_ends_the_connection),
        cmocka_unit_test(header_fields_of_a_megabyte_end_the_connection),
        cmocka_unit_test(a_namespace_of_any_length_is_refused_up_to_a_limit),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("sio_truth", tests, NULL, NULL);
}
