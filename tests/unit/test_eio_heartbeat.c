/* Pings, pongs and their deadline (protocol.md 1.6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "tests/unit/eio_fixture.h"

static void the_server_pings_and_a_pong_keeps_the_session(void **state)
{
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = 50,
                                                 .ping_timeout_ms = 5000 } };
    autoclient struct client ws = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    poll_open(f.rig, sid);
    for (int i = 0; i < 3; i++) {
        ws_client_expect(&ws, "2");
        ws_client_text(&ws, "3");
        expect_poll(&f, sid, "2");
        poll_post(f.rig, sid, "3");
    }
    expect_sessions(&f, 2, 0);
}

static void a_silent_client_dies_of_a_ping_timeout(void **state)
{
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 50 } };
    autoclient struct client ws = { 0 };

    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_expect(&ws, "2");
    ws_client_expect_close(&ws);
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void a_silent_polling_client_finds_a_close_packet(void **state)
{
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 100 } };
    autoclient struct client get = { 0 };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    expect_poll(&f, sid, "2");
    poll_park(&get, f.rig, sid);
    expect_parked_reply(&get, "1");
    expect_unknown(&f, sid);
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void talking_does_not_replace_the_pong_for_ever(void **state)
{
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 200 } };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    do {
        ws_client_text(&ws, "4still here");
    } while (ws_client_receive(&ws, &opcode, &payload));
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

/* Reads a message of the flood for each `step_ms`, and answers the ping behind them. */
static void read_slowly(struct client *ws, unsigned step_ms)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode, pings = 0;

    for (unsigned i = 0; i < FLOOD_COUNT || pings == 0;) {
        assert_true(ws_client_receive(ws, &opcode, &payload));
        if (payload.len == 1) {
            pings++;
            ws_client_text(ws, "3");
            continue;
        }
        i++;
        nanosleep(&(struct timespec) { .tv_nsec = step_ms * 1000000L }, NULL);
    }
}

static void who_reads_slowly_has_time_for_the_ping_behind_it(void **state)
{
    enum { INTERVAL_MS = 100, TIMEOUT_MS = 1500, STEP_MS = 170 };
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = INTERVAL_MS,
                                                 .ping_timeout_ms = TIMEOUT_MS } };
    autoclient struct client ws = { 0 };

    _Static_assert(FLOOD_COUNT * STEP_MS > INTERVAL_MS + 2 * TIMEOUT_MS, "too late otherwise");
    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    setsockopt(ws.fd, SOL_SOCKET, SO_RCVBUF, &(int) { 65536 }, sizeof(int)); /* it stays so small */
    ws_client_text(&ws, "4flood");
    read_slowly(&ws, STEP_MS);
    ws_client_text(&ws, "4still here");
    expect_sessions(&f, 1, 0);
}

static void slow_reader_of_what_the_kernel_holds_has_time_too(void **state)
{
    enum { PIECE = 50000, PIECES = 29, STEP_MS = 80 };
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = 100,
                                                 .ping_timeout_ms = 600 } };
    autoclient struct client ws = { 0 };
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    _Static_assert(PIECE * PIECES < 3 * (MAX_PAYLOAD / 2), "no more than there is");
    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    setsockopt(ws.fd, SOL_SOCKET, SO_RCVBUF, &(int) { 65536 }, sizeof(int));
    ws_client_text(&ws, "4fill");
    for (unsigned i = 0; i < PIECES; i++) {
        ssize_t got = recv(ws.fd, buf_reserve(&ws.in, PIECE), PIECE, MSG_WAITALL);

        assert_int_equal(got, PIECE);
        ws.in.len += (size_t)got;
        nanosleep(&(struct timespec) { .tv_nsec = STEP_MS * 1000000L }, NULL);
    }
    do {
        assert_true(ws_client_receive(&ws, &opcode, &payload));
    } while (payload.len > 1);
    ws_client_text(&ws, "3");
    expect_sessions(&f, 1, 0);
}

static void who_reads_nothing_of_a_flood_has_not(void **state)
{
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = 50, .ping_timeout_ms = 100 } };
    autoclient struct client ws = { 0 };

    (void)state;
    eio_fixture_run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "4flood");
    expect_closed(&f, EIO_REASON_PING_TIMEOUT);
}

static void a_polling_client_has_time_for_the_ping_behind_a_flood(void **state)
{
    autoeio struct eio_fixture f = { .config = { .ping_interval_ms = 100,
                                                 .ping_timeout_ms = 600 } };
    char sid[21];

    (void)state;
    eio_fixture_run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "4flood");
    for (unsigned i = 0; i < FLOOD_COUNT; i++) {
        autofree char *text = poll_get(f.rig, sid);

        nanosleep(&(struct timespec) { .tv_nsec = 80 * 1000000L }, NULL);
    }
    expect_sessions(&f, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_pings_and_a_pong_keeps_the_session),
        cmocka_unit_test(a_silent_client_dies_of_a_ping_timeout),
        cmocka_unit_test(a_silent_polling_client_finds_a_close_packet),
        cmocka_unit_test(talking_does_not_replace_the_pong_for_ever),
        cmocka_unit_test(who_reads_slowly_has_time_for_the_ping_behind_it),
        cmocka_unit_test(slow_reader_of_what_the_kernel_holds_has_time_too),
        cmocka_unit_test(who_reads_nothing_of_a_flood_has_not),
        cmocka_unit_test(a_polling_client_has_time_for_the_ping_behind_a_flood),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("eio_heartbeat", tests, NULL, NULL);
}
