/* Thousands of upgrades while packets are under way in both directions, in an order of steps that
 * is drawn anew for each: nothing is lost, doubled or overtaken (protocol.md 1.7).
 *
 * The client numbers its messages and the server echoes them, so whatever goes wrong on either way
 * shows in what comes back. POSTs and GETs run at the same time, each on its own connection; as
 * clients do, it sends `5` when its last POST was answered, and may leave its last GET parked. */
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

enum { UPGRADES = 3000, SEED = 4, STEPS_MAX = 12, SEPARATOR = 0x1e };

struct run {
    struct rig *rig;
    struct client post, get, ws;
    bool posting, getting; /* sent, and not answered yet */
    bool upgraded;         /* `5` was sent */
    unsigned sent, received;
    char sid[21];
};

static void expect_next(struct run *run, struct str packet)
{
    autofree char *wanted = xasprintf("4n%u", run->received++);

    assert_int_equal(packet.len, strlen(wanted));
    assert_memory_equal(packet.data, wanted, packet.len);
}

static void take_payload(struct run *run, struct str payload)
{
    while (payload.len > 0) {
        const char *end = memchr(payload.data, SEPARATOR, payload.len);
        size_t len = end != NULL ? (size_t)(end - payload.data) : payload.len;
        struct str packet = { payload.data, len };

        if (!str_eq(packet, STR("6"))) {
            expect_next(run, packet);
        }
        payload = str_skip(payload, MIN(len + 1, payload.len));
    }
}

static void request(struct run *run, struct client *client, const char *method, struct str body)
{
    autobuf struct buf text = BUF_INIT;

    buf_printf(&text,
               "%s /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
               "Content-Length: %zu\r\n\r\n",
               method, run->sid, body.len);
    buf_add_str(&text, body);
    client_send(client, buf_str(&text));
}

static void start_get(struct run *run)
{
    if (!run->getting) {
        request(run, &run->get, "GET", STR(""));
        run->getting = true;
    }
}

/* `5` may overtake a GET, which is then refused and takes nothing along. */
static void finish_get(struct run *run)
{
    autoreply struct reply reply = { 0 };

    if (!run->getting) {
        return;
    }
    run->getting = false;
    assert_true(client_receive_reply(&run->get, &reply));
    if (run->upgraded && reply.status == 400) {
        expect_body(&reply, "{\"code\":3,\"message\":\"Bad request\"}");
    } else {
        assert_int_equal(reply.status, 200);
        take_payload(run, buf_str(&reply.body));
    }
}

static void finish_post(struct run *run)
{
    if (run->posting) {
        expect_parked_reply(&run->post, "ok");
        run->posting = false;
    }
}

static void start_post(struct run *run)
{
    autobuf struct buf payload = BUF_INIT;

    finish_post(run);
    for (long left = random() % 20; left >= 0; left--) {
        buf_printf(&payload, "4n%u%s", run->sent++, left > 0 ? "\x1e" : "");
    }
    request(run, &run->post, "POST", buf_str(&payload));
    run->posting = true;
}

static void send_over_websocket(struct run *run)
{
    autofree char *text = xasprintf("4n%u", run->sent++);

    ws_client_text(&run->ws, text);
}

/* While it probes no GET stays parked, so each may be waited for; before that only if something is
 * due. */
static void step(struct run *run, bool probing)
{
    switch (random() % 4) {
    case 0:
        start_post(run);
        break;
    case 1:
        finish_post(run);
        break;
    case 2:
        start_get(run);
        break;
    default:
        if (probing || run->received < run->sent) {
            finish_get(run);
        }
        break;
    }
}

static void steps(struct run *run, bool probing)
{
    for (long left = random() % STEPS_MAX; left > 0; left--) {
        step(run, probing);
    }
}

static void finish_over_websocket(struct run *run)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    for (long left = random() % STEPS_MAX; left > 0; left--) {
        send_over_websocket(run);
    }
    finish_get(run); /* what polling still brought comes before what the WebSocket brings */
    while (run->received < run->sent) {
        assert_true(ws_client_receive(&run->ws, &opcode, &payload));
        expect_next(run, buf_str(&payload));
    }
    ws_client_text(&run->ws, "4quiet");
    ws_client_text(&run->ws, "4end");
    ws_client_expect(&run->ws, "4end");
}

static void upgrade_once(struct run *run)
{
    autofree char *query = NULL;

    run->sent = run->received = 0;
    run->upgraded = false;
    poll_open(run->rig, run->sid);
    query = xasprintf("&sid=%s", run->sid);
    steps(run, false);
    ws_client_open(&run->ws, run->rig, query);
    steps(run, false);
    ws_client_text(&run->ws, "2probe");
    if (random() % 8 != 0) {
        ws_client_expect(&run->ws, "3probe");
        steps(run, true);
        finish_post(run);
        ws_client_text(&run->ws, "5");
    } else {
        finish_post(run);
        ws_client_text(&run->ws, "5");
        ws_client_expect(&run->ws, "3probe");
    }
    run->upgraded = true;
    finish_over_websocket(run);
    client_close(&run->ws);
    run->ws = (struct client) { 0 };
}

static void thousands_of_upgrades_neither_lose_nor_double_nor_reorder_a_packet(void **state)
{
    autoeio struct eio_fixture f = { 0 };
    struct run run = { 0 };
    uint64_t packets = 0;

    (void)state;
    srandom(SEED);
    eio_fixture_run(&f);
    run.rig = f.rig;
    client_open(&run.post, f.rig);
    client_open(&run.get, f.rig);
    for (unsigned i = 0; i < UPGRADES; i++) {
        upgrade_once(&run);
        packets += run.received;
    }
    client_close(&run.post);
    client_close(&run.get);
    assert_true(packets > UPGRADES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_upgrades_neither_lose_nor_double_nor_reorder_a_packet),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("eio_upgrade_load", tests, NULL, NULL);
}
