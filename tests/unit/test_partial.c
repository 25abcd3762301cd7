/* What is incomplete is bounded over all connections: the oldest gives way, small messages never
 * suffer, and nothing is left of what was held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/net/budget.h"
#include "siod/net/loop.h"
#include "tests/unit/sio_fixture.h"

enum { PART = 50000, LIMIT = 3 * PART + PART / 2, PEERS = 3 };

#define PH(num) "{\"_placeholder\":true,\"num\":" #num "}"

struct look {
    struct sio_fixture *f;
    size_t used, at_least;
    uint64_t exceeded;
};

static void set_limit(void *arg)
{
    struct sio_fixture *f = arg;

    budget_set_limit(loop_budget(rig_loop(f->rig)), LIMIT);
}

static void run(struct sio_fixture *f)
{
    sio_fixture_run(f);
    rig_call(f->rig, set_limit, f);
}

static void look(void *arg)
{
    struct look *look = arg;
    const struct budget *budget = loop_budget(rig_loop(look->f->rig));

    look->used = budget->used;
    look->exceeded = budget->exceeded;
}

static bool holds_enough(void *arg)
{
    struct look *l = arg;

    look(l);
    assert_true(l->used <= LIMIT);
    return l->used >= l->at_least;
}

static bool holds_nothing(void *arg)
{
    struct look *l = arg;

    look(l);
    return l->used == 0;
}

static void wait_until_held(struct sio_fixture *f, size_t bytes)
{
    struct look l = { .f = f, .at_least = bytes };

    rig_wait(f->rig, holds_enough, &l);
}

static void wait_until_none_is_held(struct sio_fixture *f)
{
    struct look l = { .f = f };

    rig_wait(f->rig, holds_nothing, &l);
}

static uint64_t times_exceeded(struct sio_fixture *f)
{
    struct look l = { .f = f };

    rig_call(f->rig, look, &l);
    return l.exceeded;
}

/* A frame of a text of 2 * PART bytes, which is an event; the second half of it comes later. */
static void send_half(struct client *ws, bool second)
{
    static const char head[] = "42[\"echo\",\"", tail[] = "\"]";
    autobuf struct buf frame = BUF_INIT;
    size_t at;

    if (!second) {
        buf_add(&frame, "\x81\xff\0\0\0\0\0\1\x86\xa0\0\0\0\0", 14);
        buf_add(&frame, head, sizeof head - 1);
    }
    at = second ? 0 : sizeof head - 1;
    memset(buf_reserve(&frame, PART), 'x', PART);
    frame.len += PART - at - (second ? sizeof tail - 1 : 0);
    buf_add(&frame, tail, second ? sizeof tail - 1 : 0);
    client_send(ws, buf_str(&frame));
}

static void expect_close_code(struct client *ws, unsigned code)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    assert_false(ws_client_receive(ws, &opcode, &payload));
    assert_int_equal(payload.len, 2);
    assert_int_equal((unsigned char)payload.data[0] << 8 | (unsigned char)payload.data[1], code);
    client_expect_end(ws);
}

static void expect_whole(struct client *ws)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    assert_true(ws_client_receive(ws, &opcode, &payload));
    assert_int_equal(payload.len, 2 * PART);
}

/* Clients with half a message each, the oldest first: as many as there is room for. */
static void fill(struct client ws[PEERS], struct sio_fixture *f)
{
    for (size_t i = 0; i < PEERS; i++) {
        connect_client(&ws[i], f);
        send_half(&ws[i], false);
        wait_until_held(f, (i + 1) * PART);
    }
    assert_int_equal(times_exceeded(f), 0);
}

static void close_all(struct client ws[PEERS])
{
    for (size_t i = 0; i < PEERS; i++) {
        client_close(&ws[i]);
    }
}

static void the_oldest_half_message_gives_way(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client more = { 0 };
    struct client ws[PEERS];

    (void)state;
    run(&f);
    fill(ws, &f);
    connect_client(&more, &f);
    send_half(&more, false);
    expect_close_code(&ws[0], 1013);
    expect_journal(&f, "[disconnect / \"transport error\" rooms=0]");
    send_half(&more, true);
    expect_whole(&more);
    send_half(&ws[2], true);
    expect_whole(&ws[2]);
    assert_int_equal(times_exceeded(&f), 2); /* each of the two grew past what was left */
    close_all(ws);
    wait_until_none_is_held(&f);
}

static void small_messages_come_through_while_the_budget_is_used_up(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client quick = { 0 };
    struct client ws[PEERS];

    (void)state;
    run(&f);
    fill(ws, &f);
    connect_client(&quick, &f);
    client_send(&quick, (struct str) { "\x81\x8e\0\0\0\0"
                                       "42[\"ec",
                                       12 });
    assert_true(client_is_silent(&quick, 20));
    client_send(&quick, STR("ho\",\"x\"]"));
    ws_client_expect(&quick, "42[\"echo\",\"x\"]");
    assert_int_equal(times_exceeded(&f), 0);
    close_all(ws);
    wait_until_none_is_held(&f);
}

static void who_asks_for_more_than_there_can_be_is_refused_alone(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client greedy = { 0 };
    autofree char *much = xcalloc(1, 2 * LIMIT);
    struct client ws[PEERS];

    (void)state;
    run(&f);
    connect_client(&ws[0], &f);
    send_half(&ws[0], false);
    wait_until_held(&f, PART);
    connect_client(&greedy, &f);
    ws_client_send(&greedy, OP_BINARY, (struct str) { much, LIMIT + 1 });
    expect_close_code(&greedy, 1013);
    client_close(&ws[0]);
    wait_until_none_is_held(&f);
}

static void start_post(struct client *post, struct sio_fixture *f, const char *sid)
{
    autofree char *request =
        xasprintf("POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
                  "Host: x\r\nContent-Length: %u\r\n\r\n%*s",
                  sid, 2 * PART, PART, "4");

    client_open(post, f->rig);
    client_send(post, str_of(request));
}

static void half_a_polling_body_gives_way_and_its_session_lives(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client post = { 0 }, more = { 0 };
    autoreply struct reply reply = { 0 };
    struct client ws[PEERS - 1];
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    start_post(&post, &f, sid);
    wait_until_held(&f, PART);
    for (size_t i = 0; i < ARRAY_SIZE(ws); i++) {
        connect_client(&ws[i], &f);
        send_half(&ws[i], false);
        wait_until_held(&f, (i + 2) * PART);
    }
    connect_client(&more, &f);
    send_half(&more, false);
    assert_true(client_receive_reply(&post, &reply));
    assert_int_equal(reply.status, 503);
    assert_string_equal(reply_header(&reply, "Retry-After"), "5");
    poll_post(f.rig, sid, "40");
    for (size_t i = 0; i < ARRAY_SIZE(ws); i++) {
        client_close(&ws[i]);
    }
    client_close(&more);
    wait_until_none_is_held(&f);
}

static void half_a_binary_packet_gives_way(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client packet = { 0 }, more = { 0 };
    autofree char *data = xcalloc(1, 2 * PART);
    struct client ws[PEERS - 1];

    (void)state;
    run(&f);
    connect_client(&packet, &f);
    ws_client_text(&packet, "453-[\"echo\"," PH(0) "," PH(1) "," PH(2) "]");
    ws_client_send(&packet, OP_BINARY, (struct str) { data, PART / 2 });
    ws_client_send(&packet, OP_BINARY, (struct str) { data, PART / 2 });
    wait_until_held(&f, PART);
    for (size_t i = 0; i < ARRAY_SIZE(ws); i++) {
        connect_client(&ws[i], &f);
        send_half(&ws[i], false);
        wait_until_held(&f, (i + 2) * PART);
    }
    connect_client(&more, &f);
    send_half(&more, false);
    ws_client_expect_close(&packet);
    expect_journal(&f, "[disconnect / \"transport error\" rooms=0]");
    for (size_t i = 0; i < ARRAY_SIZE(ws); i++) {
        client_close(&ws[i]);
    }
    client_close(&more);
    wait_until_none_is_held(&f);
}

/* A head that is complete counts as long as its request waits. */
static void large_heads_and_what_is_pipelined_behind_them_give_way(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client half = { 0 }, parked = { 0 }, piped = { 0 };
    autofree char *long_header = xasprintf("X-Long: %*s\r\n", PART - 1000, "x");
    autofree char *line = xasprintf("GET /socket.io/ HTTP/1.1\r\nHost: x\r\n%s", long_header);
    autofree char *next = NULL;
    autoreply struct reply reply = { 0 }, last = { 0 };
    char sid[21], other[21];
    struct client ws[PEERS];

    (void)state;
    run(&f);
    client_open(&half, f.rig);
    client_send(&half, str_of(line));
    wait_until_held(&f, PART - 1000);
    poll_open(f.rig, sid);
    next = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    http_start(&parked, f.rig, "GET", next, long_header, STR_NONE);
    wait_until_held(&f, 2 * (PART - 1000));
    poll_open(f.rig, other);
    poll_park(&piped, f.rig, other);
    client_send(&piped, str_of(line));
    wait_until_held(&f, 2 * (PART - 1000) + 16384);
    for (size_t i = 0; i < PEERS; i++) {
        connect_client(&ws[i], &f);
        send_half(&ws[i], false);
    }
    assert_true(client_receive_reply(&half, &reply));
    assert_int_equal(reply.status, 503);
    client_expect_end(&half);
    client_expect_end(&parked);
    expect_journal(&f, "");
    poll_post(f.rig, other, "40");
    assert_true(client_receive_reply(&piped, &last));
    assert_int_equal(last.status, 200);
    assert_string_equal(reply_header(&last, "Connection"), "close");
    client_expect_end(&piped);
    close_all(ws);
    wait_until_none_is_held(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_half_message_gives_way),
        cmocka_unit_test(small_messages_come_through_while_the_budget_is_used_up),
        cmocka_unit_test(who_asks_for_more_than_there_can_be_is_refused_alone),
        cmocka_unit_test(half_a_polling_body_gives_way_and_its_session_lives),
        cmocka_unit_test(half_a_binary_packet_gives_way),
        cmocka_unit_test(large_heads_and_what_is_pipelined_behind_them_give_way),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("partial", tests, NULL, NULL);
}
