/* Events and acks with attachments, both ways, over both transports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/sio_fixture.h"

#define PH(num) "{\"_placeholder\":true,\"num\":" #num "}"

static void expect_binary(struct client *ws, struct str data)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    assert_true(ws_client_receive(ws, &opcode, &payload));
    assert_int_equal(opcode, OP_BINARY);
    assert_true(str_eq(buf_str(&payload), data));
}

static void send_binary(struct client *ws, const char *head, struct str data)
{
    ws_client_text(ws, head);
    ws_client_send(ws, OP_BINARY, data);
}

static void an_event_comes_back_with_its_attachments_right_behind(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    send_binary(&ws, "452-[\"echo\"," PH(1) ",{\"a\":[" PH(0) "]}]", STR("\1\2"));
    assert_true(client_is_silent(&ws, 20));
    ws_client_send(&ws, OP_BINARY, STR("\3"));
    ws_client_expect(&ws, "452-[\"echo\"," PH(0) ",{\"a\":[" PH(1) "]}]");
    expect_binary(&ws, STR("\3"));
    expect_binary(&ws, STR("\1\2"));
    expect_alive(&ws);
}

static void an_ack_carries_attachments_too(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    send_binary(&ws, "451-7[\"ack\"," PH(0) "]", STR(""));
    ws_client_expect(&ws, "461-7[" PH(0) "]");
    expect_binary(&ws, STR(""));

    ws_client_text(&ws, "42[\"ask me\",1]");
    ws_client_expect(&ws, "420[\"question\",1]");
    send_binary(&ws, "461-0[" PH(0) "]", STR("\4\0\5"));
    ws_client_expect(&ws, "451-[\"answered\"," PH(0) "]");
    expect_binary(&ws, STR("\4\0\5"));
}

static void a_broadcast_carries_attachments_to_the_others(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client one = { 0 }, two = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&one, &f);
    connect_client(&two, &f);
    send_binary(&one, "451-1[\"say\"," PH(0) "]", STR("\xff"));
    ws_client_expect(&one, "431[1]");
    ws_client_expect(&two, "451-[\"said\"," PH(0) "]");
    expect_binary(&two, STR("\xff"));
    expect_alive(&one);
}

static void attachments_nobody_refers_to_are_not_sent_on(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    send_binary(&ws, "451-[\"echo\",1]", STR("\1"));
    ws_client_expect(&ws, "42[\"echo\",1]");
    send_binary(&ws, "451-[\"echo\",1e400," PH(0) "]", STR("\1"));
    ws_client_expect(&ws, "451-[\"echo\",1e400," PH(0) "]");
    expect_binary(&ws, STR("\1"));
    send_binary(&ws, "451-", STR("\1"));
    expect_alive(&ws);
    send_binary(&ws, "451-[\"echo\"," PH(0) "," PH(0) "]", STR("\1"));
    ws_client_expect(&ws, "452-[\"echo\"," PH(0) "," PH(1) "]");
    expect_binary(&ws, STR("\1"));
    expect_binary(&ws, STR("\1"));
}

static void polling_carries_attachments_as_base64(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autofree char *connected = NULL, *answer = NULL;
    char sid[21];

    (void)state;
    sio_fixture_run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "40");
    connected = poll_get(f.rig, sid);
    poll_post(f.rig, sid,
              "451-[\"echo\"," PH(0) "]\x1e"
                                     "bAQID");
    answer = poll_get(f.rig, sid);
    assert_string_equal(answer, "451-[\"echo\"," PH(0) "]\x1e"
                                                       "bAQID");
}

/* What may not come while attachments are due, or in their place. */
static void what_does_not_fit_a_binary_packet_ends_the_connection(void **state)
{
    static const struct {
        const char *head, *text;
    } packets[] = {
        { "451-[\"echo\"," PH(0) "]", "42[\"echo\",1]" },
        { "451-[\"echo\"," PH(0) "]", "451-[\"echo\"," PH(0) "]" },
        { "451-[\"echo\"," PH(0) "]", "41" },
        { "451-[\"echo\"," PH(1) "]", NULL },
        { "451-[\"echo\"," PH(-1) "]", NULL },
        { "451-[\"echo\"," PH("splice") "]", NULL },
        { "451-[\"echo\"," PH(0.5) "]", NULL },
        { "451-/custom,[\"echo\"," PH(0) "]", NULL },
        { "451-[\"connect\"," PH(0) "]", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        autosio struct sio_fixture f = { 0 };
        autoclient struct client ws = { 0 };

        print_message("%s\n", packets[i].head);
        sio_fixture_run(&f);
        connect_client(&ws, &f);
        ws_client_text(&ws, packets[i].head);
        if (packets[i].text != NULL) {
            ws_client_text(&ws, packets[i].text);
        } else {
            ws_client_send(&ws, OP_BINARY, STR("\1"));
        }
        ws_client_expect_close(&ws);
    }
}

static void a_pong_between_attachments_is_none_of_their_business(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "451-[\"echo\"," PH(0) "]");
    ws_client_text(&ws, "3");
    ws_client_send(&ws, OP_BINARY, STR("\1"));
    ws_client_expect(&ws, "451-[\"echo\"," PH(0) "]");
    expect_binary(&ws, STR("\1"));
}

static void attachments_together_are_no_larger_than_a_message(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autofree char *half = xcalloc(1, 1200000);
    struct str data = { half, 1200000 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    send_binary(&ws, "452-[\"echo\"," PH(0) "," PH(1) "]", data);
    ws_client_send(&ws, OP_BINARY, data);
    ws_client_expect_close(&ws);
}

static void a_client_that_leaves_half_a_packet_leaves_nothing_behind(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    sio_fixture_run(&f);
    connect_client(&ws, &f);
    send_binary(&ws, "453-[\"echo\"," PH(0) "]", STR("\1"));
    client_close(&ws);
    expect_journal(&f, "[disconnect / \"transport close\" rooms=0]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_comes_back_with_its_attachments_right_behind),
        cmocka_unit_test(an_ack_carries_attachments_too),
        cmocka_unit_test(a_broadcast_carries_attachments_to_the_others),
        cmocka_unit_test(attachments_nobody_refers_to_are_not_sent_on),
        cmocka_unit_test(polling_carries_attachments_as_base64),
        cmocka_unit_test(what_does_not_fit_a_binary_packet_ends_the_connection),
        cmocka_unit_test(a_pong_between_attachments_is_none_of_their_business),
        cmocka_unit_test(attachments_together_are_no_larger_than_a_message),
        cmocka_unit_test(a_client_that_leaves_half_a_packet_leaves_nothing_behind),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("sio_binary", tests, NULL, NULL);
}
