/* Handshakes: what is refused, who is admitted, CORS, and the end of it all. */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/net/loop.h"
#include "tests/unit/eio_fixture.h"

static void a_polling_handshake_answers_the_open_packet_alone(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling&t=abc", "", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.len, 118);
    assert_memory_equal(reply.body.data, "0{\"sid\":\"", 9);
    assert_string_equal(reply.body.data + 29,
                        "\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
                        "\"pingTimeout\":20000,\"maxPayload\":1000000}");
    assert_string_equal(reply_header(&reply, "Content-Type"), "text/plain; charset=UTF-8");
    assert_string_equal(reply_header(&reply, "Cache-Control"), "no-store");
    assert_string_equal(reply_header(&reply, "X-Accel-Buffering"), "no");
    assert_null(reply_header(&reply, "Access-Control-Allow-Origin"));
}

static void the_path_may_lack_its_last_slash(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", "/socket.io?EIO=4&transport=polling", "", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
}

static void there_are_no_more_sessions_than_there_may_be(void **state)
{
    autoeio struct eio_fixture f = { .config.max_sessions = 2 };
    autoreply struct reply refused = { 0 };
    char sid[21], other[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    poll_open(f.rig, other);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &refused);
    assert_int_equal(refused.status, 503);
    poll_post(f.rig, sid, "1");
    expect_unknown(&f, sid);
    poll_open(f.rig, sid);
}

static void an_address_has_no_more_sessions_than_it_may(void **state)
{
    autoeio struct eio_fixture f = { .config = { .sessions_per_address = 2 } };
    autoclient struct client ws = { 0 };
    char first[21], second[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, first);
    poll_open(f.rig, second);
    {
        autoreply struct reply reply = { 0 };

        http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &reply);
        assert_int_equal(reply.status, 503);
        assert_string_equal(reply_header(&reply, "Retry-After"), "5");
    }
    poll_post(f.rig, first, "1");
    ws_session_open(&ws, f.rig);
}

static void a_session_that_sends_too_much_in_a_second_ends(void **state)
{
    autoeio struct eio_fixture f = { .config = { .bytes_per_s = 100, .max_payload = 100 } };
    autoclient struct client ws = { 0 };
    autofree char *text = xcalloc(1, 91);

    (void)state;
    eio_fixture_run(&f);
    text[0] = '4';
    memset(text + 1, 'x', 89);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, text);
    ws_client_expect(&ws, text);
    ws_client_text(&ws, text);
    expect_closed(&f, EIO_REASON_TRANSPORT_ERROR);
}

static void an_old_internet_explorer_is_told_not_to_filter(void **state)
{
    static const struct {
        const char *agent, *header;
    } agents[] = {
        { "User-Agent: Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0)\r\n", "0" },
        { "User-Agent: Mozilla/4.0 (compatible;MSIE 8.0)\r\n", "0" },
        { "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n", NULL },
        { "", NULL },
    };
    autoeio struct eio_fixture f = { 0 };

    (void)state;
    eio_fixture_run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(agents); i++) {
        autoreply struct reply reply = { 0 };
        const char *header;

        http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", agents[i].agent,
                      STR_NONE, &reply);
        header = reply_header(&reply, "X-XSS-Protection");
        assert_string_equal(header != NULL ? header : "none",
                            agents[i].header != NULL ? agents[i].header : "none");
    }
}

static void a_tab_in_an_origin_is_no_control_byte(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "Origin: a\tb\r\n", STR_NONE,
                  &reply);
    assert_int_equal(reply.status, 200);
}

static const struct refusal {
    const char *method, *query, *headers;
    unsigned status;
    const char *body;
} refusals[] = {
    { "GET", "EIO=4", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=abc", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=__proto__", "", 400,
      "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=webtransport", "", 400,
      "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=polling&transport=x", "", 400,
      "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "GET", "EIO=4&transport=polling&sid=nope", "", 400,
      "{\"code\":1,\"message\":\"Session ID unknown\"}" },
    { "POST", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", "", 400,
      "{\"code\":1,\"message\":\"Session ID unknown\"}" },
    { "GET", "EIO=4&transport=polling&sid=%00", "", 400,
      "{\"code\":1,\"message\":\"Session ID unknown\"}" },
    { "POST", "EIO=4&transport=polling", "", 400,
      "{\"code\":2,\"message\":\"Bad handshake method\"}" },
    { "PUT", "EIO=4&transport=polling", "", 400,
      "{\"code\":2,\"message\":\"Bad handshake method\"}" },
    { "OPTIONS", "EIO=4&transport=polling", "", 400,
      "{\"code\":2,\"message\":\"Bad handshake method\"}" },
    { "OPTIONS", "EIO=4", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}" },
    { "OPTIONS", "EIO=4&transport=polling&sid=nope", "", 400,
      "{\"code\":1,\"message\":\"Session ID unknown\"}" },
    { "GET", "EIO=4&transport=polling", "Connection: Upgrade\r\nUpgrade: h2c\r\n", 400,
      "Bad request" },
    { "GET", "EIO=4&transport=websocket", "Connection: Upgrade\r\nUpgrade: h2c\r\n", 400,
      "Invalid Upgrade header" },
    { "GET", "EIO=4&transport=websocket", "", 400, "{\"code\":3,\"message\":\"Bad request\"}" },
    { "GET", "EIO=4&transport=websocket&sid=nope", "", 400,
      "{\"code\":1,\"message\":\"Session ID unknown\"}" },
    { "POST", "EIO=4&transport=websocket", "", 400,
      "{\"code\":2,\"message\":\"Bad handshake method\"}" },
    { "GET", "EIO=5&transport=websocket", "", 400, "{\"code\":3,\"message\":\"Bad request\"}" },
    { "GET", "transport=polling", "", 400,
      "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    { "GET", "EIO=3&transport=polling", "", 400,
      "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    { "GET", "EIO=abc&transport=polling", "", 400,
      "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    { "GET", "EIO=44&transport=polling", "", 400,
      "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    /* before any 101 */
    { "GET", "EIO=4&transport=polling", UPGRADE, 400, "Bad request" },
    { "GET", "EIO=4&transport=__proto__", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=4&transport=constructor", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=4&transport=websocket&transport=polling", UPGRADE, 400, "Bad request" },
    { "GET", "EIO=4&transport=", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=4&transport=%00", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=4", UPGRADE, 400, "Transport unknown" },
    { "GET", "EIO=3&transport=websocket", UPGRADE, 400, "Unsupported protocol version" },
    { "GET", "transport=websocket", UPGRADE, 400, "Unsupported protocol version" },
    { "GET", "EIO=4&transport=websocket&sid=nope", UPGRADE, 400, "Session ID unknown" },
};

static void a_request_that_cannot_be_is_refused_with_the_protocol_s_code(void **state)
{
    autoeio struct eio_fixture f = { 0 };

    (void)state;
    eio_fixture_run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        autofree char *target = xasprintf("/socket.io/?%s", refusal->query);
        autoreply struct reply reply = { 0 };

        print_message("%s %s\n", refusal->method, refusal->query);
        http_exchange(f.rig, refusal->method, target, refusal->headers, STR_NONE, &reply);
        assert_int_equal(reply.status, refusal->status);
        expect_body(&reply, refusal->body);
        assert_string_equal(reply_header(&reply, "Content-Type"),
                            refusal->body[0] == '{' ? "application/json" : "text/html");
    }
    expect_sessions(&f, 0, 0);
}

static void a_sid_of_ten_kilobytes_is_an_unknown_one(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autobuf struct buf sid = BUF_INIT;

    (void)state;
    eio_fixture_run(&f);
    memset(buf_reserve(&sid, 10000), 'A', 10000);
    sid.len = 10000;
    sid.data[sid.len] = '\0';
    expect_unknown(&f, sid.data);
}

static void a_session_answers_only_what_fits_it(void **state)
{
    static const struct {
        const char *method, *query;
    } requests[] = {
        { "PUT", "EIO=4&transport=polling" },  { "DELETE", "EIO=4&transport=polling" },
        { "GET", "EIO=3&transport=polling" },  { "GET", "transport=polling" },
        { "POST", "EIO=3&transport=polling" }, { "GET", "EIO=4&transport=websocket" },
    };
    autoeio struct eio_fixture f = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        autofree char *target = xasprintf("/socket.io/?%s&sid=%s", requests[i].query, sid);
        autoreply struct reply reply = { 0 };

        http_exchange(f.rig, requests[i].method, target, "", STR_NONE, &reply);
        assert_int_equal(reply.status, 400);
        expect_body(&reply, "{\"code\":3,\"message\":\"Bad request\"}");
    }
    poll_post(f.rig, sid, "4alive");
    expect_poll(&f, sid, "4alive");
}

static void without_cors_no_origin_is_refused_and_none_is_allowed(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://evil.example\r\n", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_null(reply_header(&reply, "Access-Control-Allow-Origin"));
    assert_null(reply_header(&reply, "Access-Control-Allow-Credentials"));
}

static const char *const desk_origins[] = { "https://desk.example", "https://b.example", NULL };

static void a_listed_origin_is_named_with_credentials(void **state)
{
    autoeio struct eio_fixture f = { .config.cors_origins = desk_origins };
    static const char *const targets[] = { "/socket.io/?EIO=4&transport=polling",
                                           "/socket.io/?EIO=4&transport=polling&sid=nope" };

    (void)state;
    eio_fixture_run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        autoreply struct reply reply = { 0 };

        http_exchange(f.rig, "GET", targets[i], "Origin: https://b.example\r\n", STR_NONE, &reply);
        assert_int_equal(reply.status, i == 0 ? 200 : 400);
        assert_string_equal(reply_header(&reply, "Access-Control-Allow-Origin"),
                            "https://b.example");
        assert_string_equal(reply_header(&reply, "Vary"), "Origin");
        assert_string_equal(reply_header(&reply, "Access-Control-Allow-Credentials"), "true");
    }
}

static void a_listed_origin_is_named_in_the_101_too(void **state)
{
    autoeio struct eio_fixture f = { .config.cors_origins = desk_origins };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=websocket",
                  UPGRADE "Origin: https://b.example\r\n", STR_NONE, &reply);
    assert_int_equal(reply.status, 101);
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Origin"), "https://b.example");
}

static void an_unlisted_origin_is_refused_on_both_transports(void **state)
{
    autoeio struct eio_fixture f = { .config.cors_origins = desk_origins };
    autoreply struct reply polling = { 0 }, websocket = { 0 }, native = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://evil.example\r\n", STR_NONE, &polling);
    assert_int_equal(polling.status, 403);
    expect_body(&polling, "{\"code\":4,\"message\":\"Forbidden\"}");
    assert_null(reply_header(&polling, "Access-Control-Allow-Origin"));
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=websocket",
                  UPGRADE "Origin: https://evil.example\r\n", STR_NONE, &websocket);
    assert_int_equal(websocket.status, 403);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &native);
    assert_int_equal(native.status, 200);
    expect_sessions(&f, 1, 0);
}

static void any_origin_is_allowed_without_credentials(void **state)
{
    static const char *const any[] = { "*", NULL };
    autoeio struct eio_fixture f = { .config.cors_origins = any };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://b.example\r\n", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Origin"), "*");
    assert_null(reply_header(&reply, "Access-Control-Allow-Credentials"));
}

static void a_preflight_is_answered(void **state)
{
    autoeio struct eio_fixture f = { .config.cors_origins = desk_origins };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "OPTIONS", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://desk.example\r\nAccess-Control-Request-Headers: x-token\r\n",
                  STR_NONE, &reply);
    assert_int_equal(reply.status, 204);
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Origin"),
                        "https://desk.example");
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Methods"),
                        "GET,HEAD,PUT,PATCH,POST,DELETE");
    assert_string_equal(reply_header(&reply, "Access-Control-Allow-Headers"), "x-token");
    assert_string_equal(reply_header(&reply, "Vary"), "Origin, Access-Control-Request-Headers");
}

static void a_cache_is_told_what_a_preflight_depends_on(void **state)
{
    static const char *const any[] = { "*", NULL };
    autoeio struct eio_fixture f = { .config.cors_origins = any };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "OPTIONS", "/socket.io/?EIO=4&transport=polling",
                  "Origin: https://desk.example\r\n", STR_NONE, &reply);
    assert_int_equal(reply.status, 204);
    assert_null(reply_header(&reply, "Access-Control-Allow-Headers"));
    assert_string_equal(reply_header(&reply, "Vary"), "Access-Control-Request-Headers");
}

static bool admit_nobody(void *arg, const char *address)
{
    assert(strcmp(address, "127.0.0.1") == 0);
    ++*(unsigned *)arg;
    return false;
}

static void a_handshake_that_is_not_admitted_may_come_back_later(void **state)
{
    unsigned asked = 0;
    autoeio struct eio_fixture f = { .config = { .admit = admit_nobody, .admit_arg = &asked } };
    autoreply struct reply polling = { 0 }, websocket = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &polling);
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=websocket", UPGRADE, STR_NONE,
                  &websocket);
    assert_int_equal(polling.status, 503);
    assert_int_equal(websocket.status, 503);
    assert_string_equal(reply_header(&polling, "Retry-After"), "5");
    assert_int_equal(asked, 2);
}

enum { SLICE = 50, SLICES = 4 };

/* How many sessions close in one round. */
struct rounds {
    struct eio_fixture *f;
    struct loop_hook hook;
    unsigned closed, most;
};

static void on_round_end(void *arg)
{
    struct rounds *rounds = arg;
    unsigned closed = rounds->f->closed;

    rounds->most = MAX(rounds->most, closed - rounds->closed);
    rounds->closed = closed;
}

static void watch_drain(void *arg)
{
    struct rounds *rounds = arg;

    rounds->hook = (struct loop_hook) { .fn = on_round_end, .arg = rounds };
    loop_hook_add(rig_loop(rounds->f->rig), &rounds->hook);
    eio_server_drain(rounds->f->server, SLICES * 20);
}

static void unwatch_drain(void *arg)
{
    struct rounds *rounds = arg;

    loop_hook_remove(rig_loop(rounds->f->rig), &rounds->hook);
}

static void start_drain(void *arg)
{
    struct eio_fixture *f = arg;

    eio_server_drain(f->server, 20);
}

static bool all_closed(void *arg)
{
    struct eio_fixture *f = arg;
    struct eio_stats stats;

    eio_server_stats(f->server, &stats);
    return stats.sessions == 0 && stats.closed[EIO_REASON_SHUTTING_DOWN] == f->opened;
}

static void a_drain_closes_every_session_and_refuses_new_ones(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoclient struct client get = { 0 };
    autoreply struct reply reply = { 0 };
    struct client ws[3];
    char sid[21], idle[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, idle);
    poll_open(f.rig, sid);
    eio_fixture_park(&get, &f, sid);
    for (size_t i = 0; i < ARRAY_SIZE(ws); i++) {
        ws_session_open(&ws[i], f.rig);
    }
    rig_call(f.rig, start_drain, &f);
    rig_wait(f.rig, all_closed, &f);
    expect_parked_reply(&get, "1");
    for (size_t i = 0; i < ARRAY_SIZE(ws); i++) {
        ws_client_expect_close(&ws[i]);
        client_close(&ws[i]);
    }
    expect_poll(&f, idle,
                "6\x1e"
                "1");
    http_exchange(f.rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &reply);
    assert_int_equal(reply.status, 503);
}

static void a_drain_tells_a_crowd_in_slices(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    struct rounds rounds = { .f = &f };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    for (size_t i = 0; i < SLICE * SLICES - 10; i++) {
        poll_open(f.rig, sid);
    }
    rig_call(f.rig, watch_drain, &rounds);
    rig_wait(f.rig, all_closed, &f);
    rig_call(f.rig, unwatch_drain, &rounds);
    assert_int_equal(rounds.most, SLICE);
}

static void a_session_keeps_only_the_application_s_part_of_its_query(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    autoreply struct reply reply = { 0 };

    (void)state;
    eio_fixture_run(&f);
    http_exchange(f.rig, "GET",
                  "/socket.io/?token=a%20b&EIO=4&transport=polling&t=x&sid=&b64=1&x&=y", "",
                  STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(f.query, "token=a%20b&x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_polling_handshake_answers_the_open_packet_alone),
        cmocka_unit_test(the_path_may_lack_its_last_slash),
        cmocka_unit_test(there_are_no_more_sessions_than_there_may_be),
        cmocka_unit_test(an_address_has_no_more_sessions_than_it_may),
        cmocka_unit_test(a_session_that_sends_too_much_in_a_second_ends),
        cmocka_unit_test(an_old_internet_explorer_is_told_not_to_filter),
        cmocka_unit_test(a_tab_in_an_origin_is_no_control_byte),
        cmocka_unit_test(a_request_that_cannot_be_is_refused_with_the_protocol_s_code),
        cmocka_unit_test(a_sid_of_ten_kilobytes_is_an_unknown_one),
        cmocka_unit_test(a_session_answers_only_what_fits_it),
        cmocka_unit_test(without_cors_no_origin_is_refused_and_none_is_allowed),
        cmocka_unit_test(a_listed_origin_is_named_with_credentials),
        cmocka_unit_test(a_listed_origin_is_named_in_the_101_too),
        cmocka_unit_test(an_unlisted_origin_is_refused_on_both_transports),
        cmocka_unit_test(any_origin_is_allowed_without_credentials),
        cmocka_unit_test(a_preflight_is_answered),
        cmocka_unit_test(a_cache_is_told_what_a_preflight_depends_on),
        cmocka_unit_test(a_handshake_that_is_not_admitted_may_come_back_later),
        cmocka_unit_test(a_drain_closes_every_session_and_refuses_new_ones),
        cmocka_unit_test(a_drain_tells_a_crowd_in_slices),
        cmocka_unit_test(a_session_keeps_only_the_application_s_part_of_its_query),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("engineio", tests, NULL, NULL);
}
