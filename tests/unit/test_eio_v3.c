/* Clients of Engine.IO 3, and that nobody else becomes one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/eio_fixture.h"

#define POLL "/socket.io/?EIO=3&transport=polling"

static void run(struct eio_fixture *f)
{
    f->config.allow_v3 = true;
    eio_fixture_run(f);
}

/* `97:0{"sid":…}`, alone; the sid is copied. */
static void v3_open(struct eio_fixture *f, const char *more, char sid[21])
{
    autofree char *target = xasprintf(POLL "%s", more);
    autoreply struct reply reply = { 0 };
    unsigned length;
    int at = 0;

    http_exchange(f->rig, "GET", target, "", STR(""), &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(sscanf(reply.body.data, "%u:0{\"sid\":\"%20[^\"]%n", &length, sid, &at), 2);
    assert_int_equal(reply.body.len,
                     (size_t)(strchr(reply.body.data, ':') - reply.body.data) + 1 + length);
}

static void v3_post(struct eio_fixture *f, const char *sid, const char *headers, struct str body,
                    unsigned status)
{
    autofree char *target = xasprintf(POLL "&sid=%s", sid);
    autoreply struct reply reply = { 0 };

    http_exchange(f->rig, "POST", target, headers, body, &reply);
    assert_int_equal(reply.status, status);
}

static void v3_expect_poll(struct eio_fixture *f, const char *sid, const char *type,
                           struct str body)
{
    autofree char *target = xasprintf(POLL "&sid=%s", sid);
    autoreply struct reply reply = { 0 };

    http_exchange(f->rig, "GET", target, "", STR(""), &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_header(&reply, "Content-Type"), type);
    assert_true(str_eq(buf_str(&reply.body), body));
}

#define TEXT  "text/plain; charset=UTF-8"
#define BYTES "application/octet-stream"

static void without_permission_a_v3_client_is_refused(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", POLL, "", STR(""), &reply);
    assert_int_equal(reply.status, 400);
    expect_body(&reply, "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
}

static void with_permission_an_odd_version_is_refused_all_the_same(void **state)
{
    static const char *const versions[] = { "", "EIO=", "EIO=2", "EIO=abc", "EIO=33", "EIO=03" };
    autoeio struct eio_fixture f = { 0 };

    (void)state;
    run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        autofree char *target = xasprintf("/socket.io/?transport=polling&%s", versions[i]);
        autoreply struct reply reply = { 0 };

        http_exchange(f.rig, "GET", target, "", STR(""), &reply);
        assert_int_equal(reply.status, 400);
        expect_body(&reply, "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
    }
}

static void a_payload_of_text_is_echoed_with_utf16_lengths(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    v3_open(&f, "", sid);
    v3_post(&f, sid, "",
            STR("3:4\xf0\x9f\x98\x80"
                "2:4b"),
            200);
    v3_expect_poll(&f, sid, TEXT,
                   STR("3:4\xf0\x9f\x98\x80"
                       "2:4b"));
}

static void binary_is_echoed_as_bytes_or_as_base64(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    char sid[21], plain[21];

    (void)state;
    run(&f);
    v3_open(&f, "", sid);
    v3_post(&f, sid, "Content-Type: " BYTES "\r\n",
            STR("\0\2\xff"
                "4a"
                "\1\4\xff\4\1\2\3"),
            200);
    v3_expect_poll(&f, sid, BYTES,
                   STR("\0\2\xff"
                       "4a"
                       "\1\4\xff\4\1\2\3"));
    v3_post(&f, sid, "", STR("6:b4AQID"), 200);
    v3_expect_poll(&f, sid, BYTES, STR("\1\4\xff\4\1\2\3"));

    v3_open(&f, "&b64=1", plain);
    v3_post(&f, plain, "", STR("6:b4AQID"), 200);
    v3_expect_poll(&f, plain, TEXT, STR("6:b4AQID"));
}

static void binary_of_a_type_that_there_is_not_counts_for_nothing(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    v3_open(&f, "", sid);
    v3_post(&f, sid, "Content-Type: " BYTES "\r\n",
            STR("\1\2\xff"
                "4a"
                "\7\2\xff\x09z"
                "\5\2\xff\4b"),
            200);
    v3_post(&f, sid, "", STR("5:bAQID2:4c"), 200);
    v3_expect_poll(&f, sid, BYTES,
                   STR("\1\2\xff\4b\0\2\xff"
                       "4c"));
}

static void bytes_with_a_parameter_are_text(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    v3_open(&f, "", sid);
    v3_post(&f, sid, "Content-Type: " BYTES "; charset=x\r\n", STR("2:4a"), 200);
    v3_expect_poll(&f, sid, TEXT, STR("2:4a"));
}

static void what_came_before_a_bad_packet_is_heard(void **state)
{
    static const struct {
        const char *headers;
        struct str body;
    } payloads[] = {
        { "", STR_INIT("2:4a5:4") },
        { "", STR_INIT("2:4a2:9x") },
        { "", STR_INIT("2:4a1:") },
        { "", STR_INIT("2:4a1:3") },
        { "Content-Type: " BYTES "\r\n", STR_INIT("\0\2\xff"
                                                  "4a\0\1\1\1\1\1\1\1\1\1\1\1\1\1") },
        { "Content-Type: " BYTES "\r\n", STR_INIT("\0\2\xff"
                                                  "4a\1\2\xff\3\2") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
        autoeio struct eio_fixture f = { 0 };
        bool is_pong = i == 3 || i == 5;
        char sid[21];

        print_message("%zu\n", i);
        run(&f);
        v3_open(&f, "", sid);
        v3_post(&f, sid, payloads[i].headers, payloads[i].body, is_pong ? 200 : 400);
        expect_closed(&f, is_pong ? EIO_REASON_TRANSPORT_ERROR : EIO_REASON_PARSE_ERROR);
        assert_string_equal(f.heard.data, "[a]");
    }
}

static void the_client_pings_and_silence_ends_the_session(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    f.config.ping_interval_ms = 500;
    f.config.ping_timeout_ms = 500;
    run(&f);
    ws_client_open(&ws, f.rig, "&EIO=3");
    ws_client_text(&ws, "2");
    for (int i = 0; i < 3; i++) {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        assert_true(ws_client_receive(&ws, &opcode, &payload));
        if (payload.data[0] == '0') {
            assert_true(ws_client_receive(&ws, &opcode, &payload));
        }
        assert_string_equal(payload.data, "3");
        assert_true(client_is_silent(&ws, 350));
        ws_client_text(&ws, "2");
    }
    ws_client_expect(&ws, "3");
    ws_client_expect_close(&ws);
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void binary_over_websocket_has_a_type_byte(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    (void)state;
    run(&f);
    ws_client_open(&ws, f.rig, "&EIO=3");
    assert_true(ws_client_receive(&ws, &opcode, &payload));
    ws_client_send(&ws, OP_BINARY, STR("\4\1\2"));
    assert_true(ws_client_receive(&ws, &opcode, &payload));
    assert_int_equal(opcode, OP_BINARY);
    assert_true(str_eq(buf_str(&payload), STR("\4\1\2")));
    ws_client_send(&ws, OP_BINARY, STR("\x09z"));
    ws_client_send(&ws, OP_BINARY, STR("\1\2"));
    ws_client_expect_close(&ws);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

/* The open packet waits for a moment, but for nobody who speaks, or leaves. */
static void the_open_packet_comes_before_everything_else(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autobuf struct buf open = BUF_INIT;
    unsigned opcode;

    (void)state;
    run(&f);
    client_open(&ws, f.rig);
    client_send(&ws, STR("GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: a\r\n" UPGRADE
                         "\r\n\x81\x82\0\0\0\0"
                         "4a"));
    client_expect_bytes(&ws, "\r\n\r\n");
    assert_true(ws_client_receive(&ws, &opcode, &open));
    assert_int_equal(open.data[0], '0');
    ws_client_expect(&ws, "4a");
}

static void who_leaves_before_the_open_packet_is_gone(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    client_open(&ws, f.rig);
    client_send(&ws, STR("GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: a\r\n" UPGRADE
                         "\r\n\x88\x80\0\0\0\0"));
    client_expect_end(&ws);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

static void a_session_keeps_its_protocol(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    char v3[21], v4[21];
    autofree char *wrong = NULL, *wrong_too = NULL;

    (void)state;
    run(&f);
    v3_open(&f, "", v3);
    poll_open(f.rig, v4);
    wrong = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", v3);
    wrong_too = xasprintf(POLL "&sid=%s", v4);
    for (int i = 0; i < 2; i++) {
        autoreply struct reply reply = { 0 };

        http_exchange(f.rig, "GET", i == 0 ? wrong : wrong_too, "", STR(""), &reply);
        assert_int_equal(reply.status, 400);
        expect_body(&reply, "{\"code\":3,\"message\":\"Bad request\"}");
    }
    v3_post(&f, v3, "", STR("2:4a"), 200);
    v3_expect_poll(&f, v3, TEXT, STR("2:4a"));
}

static void an_upgrade_answers_polls_in_the_form_of_v3(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autofree char *query = NULL;
    char sid[21];

    (void)state;
    run(&f);
    v3_open(&f, "", sid);
    query = xasprintf("&EIO=3&sid=%s", sid);
    ws_client_open(&ws, f.rig, query);
    ws_client_text(&ws, "2probe");
    ws_client_expect(&ws, "3probe");
    v3_expect_poll(&f, sid, TEXT, STR("1:6"));
    v3_post(&f, sid, "", STR("2:4a"), 200);
    ws_client_text(&ws, "5");
    ws_client_expect(&ws, "4a");
    ws_client_text(&ws, "4b");
    ws_client_expect(&ws, "4b");
}

static void closing_is_told_in_the_form_of_v3(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    v3_open(&f, "", sid);
    v3_post(&f, sid, "", STR("1:1"), 200);
    expect_closed(&f, EIO_REASON_TRANSPORT_CLOSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_permission_a_v3_client_is_refused),
        cmocka_unit_test(with_permission_an_odd_version_is_refused_all_the_same),
        cmocka_unit_test(a_payload_of_text_is_echoed_with_utf16_lengths),
        cmocka_unit_test(binary_is_echoed_as_bytes_or_as_base64),
        cmocka_unit_test(binary_of_a_type_that_there_is_not_counts_for_nothing),
        cmocka_unit_test(bytes_with_a_parameter_are_text),
        cmocka_unit_test(what_came_before_a_bad_packet_is_heard),
        cmocka_unit_test(the_client_pings_and_silence_ends_the_session),
        cmocka_unit_test(binary_over_websocket_has_a_type_byte),
        cmocka_unit_test(the_open_packet_comes_before_everything_else),
        cmocka_unit_test(who_leaves_before_the_open_packet_is_gone),
        cmocka_unit_test(a_session_keeps_its_protocol),
        cmocka_unit_test(an_upgrade_answers_polls_in_the_form_of_v3),
        cmocka_unit_test(closing_is_told_in_the_form_of_v3),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("eio_v3", tests, NULL, NULL);
}
