/* Sessions that are on WebSocket from the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/eio_fixture.h"

static void a_websocket_session_echoes_text_and_binary(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    (void)state;
    eio_fixture_run(&f);
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
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    (void)state;
    eio_fixture_run(&f);
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
        autoeio struct eio_fixture f = { 0 };
        autoclient struct client ws = { 0 };

        eio_fixture_run(&f);
        ws_session_open(&ws, f.rig);
        ws_client_text(&ws, closing_packets[i].text);
        ws_client_expect_close(&ws);
        expect_closed(&f, closing_packets[i].reason);
    }
}

static void control_packets_that_mean_nothing_are_ignored(void **state)
{
    static const char *const packets[] = { "0", "5", "6", "3", "3probe" };
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        ws_client_text(&ws, packets[i]);
    }
    ws_client_text(&ws, "4alive");
    ws_client_expect(&ws, "4alive");
}

static void what_was_sent_before_a_close_arrives(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "4say bye and close me");
    ws_client_expect(&ws, "4bye");
    ws_client_expect_close(&ws);
}

static void a_tcp_connection_that_ends_is_a_transport_close(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    client_close(&ws);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

static void an_oversize_message_is_a_transport_error(void **state)
{
    autoeio struct eio_fixture f = { .config.max_payload = 1000 };
    autoclient struct client ws = { 0 };
    char body[1001];

    (void)state;
    eio_fixture_run(&f);
    memset(body, '4', sizeof body);
    ws_session_open(&ws, f.rig);
    ws_client_send(&ws, OP_TEXT, (struct str) { body, sizeof body });
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
}

static void a_bad_frame_in_the_segment_of_the_request_ends_the_session(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    eio_fixture_run(&f);
    client_open(&ws, f.rig);
    client_send(&ws, STR("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n" UPGRADE
                         "\r\n\xb1\x80\0\0\0\0")); /* RSV2 and RSV3 */
    client_expect_bytes(&ws, "101 Switching Protocols");
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
    client_expect_end(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_websocket_session_echoes_text_and_binary),
        cmocka_unit_test(a_client_that_asked_for_base64_gets_no_binary_frame),
        cmocka_unit_test(a_websocket_is_closed_without_a_status),
        cmocka_unit_test(control_packets_that_mean_nothing_are_ignored),
        cmocka_unit_test(what_was_sent_before_a_close_arrives),
        cmocka_unit_test(a_tcp_connection_that_ends_is_a_transport_close),
        cmocka_unit_test(an_oversize_message_is_a_transport_error),
        cmocka_unit_test(a_bad_frame_in_the_segment_of_the_request_ends_the_session),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("eio_websocket", tests, NULL, NULL);
}
