/* fuzz: links socketio, with session_app session_book session_echo sio_client eio_client fakes */

/* Whole sessions: four clients, of Engine.IO 4 and 3, with and without Socket.IO, on both
 * transports, against the real layers on connections and a clock that are faked. The input is a
 * script: what a client does next, when a round ends, how time passes, who goes away and comes
 * back, what the store answers, when the process is killed and starts again.
 *
 * Input: flags, then steps. A step is a byte (the client in the two low bits, the action, and
 * whether the round ends after it) and what the action takes from the input behind it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/wire/engineio.h"
#include "siod/net/budget.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "tests/fuzz/eio_client.h"
#include "tests/fuzz/fake_conn.h"
#include "tests/fuzz/fake_loop.h"
#include "tests/fuzz/session_app.h"
#include "tests/fuzz/session_book.h"
#include "tests/fuzz/sio_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CLIENTS = 4,
    FLAG_ABRUPT = 1, /* ends with everybody gone at once, instead of a drain */
    FLAG_RATE = 2,   /* with a limit on bytes per second */
    FLAG_OTHERS = 4, /* the clients are of the other protocol */
    FLAG_BASE64 = 8, /* those that did not ask for base64 do, and the other way round */
    END_OF_ROUND = 0x80,
    TICK_MS = 10,
    DRAIN_ROUNDS = 16,
    DRAIN_ROUND_MS = 4000,
    STEPS_MAX = 400,
    MANY = 20,
    TEXT_MAX = 4000,
    BUDGET = 12000, /* less than halves of bodies of all clients may need */
};

static struct loop *loop;
static struct http_server *http;
static struct session_app *app;
static struct book *book;
static bool limit_rate;
static struct sio_client peers[CLIENTS];
static struct str input;

static unsigned take_byte(void)
{
    unsigned byte = 0;

    if (input.len > 0) {
        byte = (uint8_t)input.data[0];
        input = str_skip(input, 1);
    }
    return byte;
}

/* A byte for the length, then so many bytes. */
static struct str take_bytes(void)
{
    size_t most = take_byte();
    struct str bytes = { input.data, MIN(most, input.len) };

    input = str_skip(input, bytes.len);
    return bytes;
}

/* Packets that good clients send, and some that none does; each with its Engine.IO type. */
static const char *const packets[] = {
    "40",
    "40/custom,{\"a\":1}",
    "40{\"later\":1}",
    "40{\"no\":1}",
    "40/nowhere,",
    "41",
    "41/custom,",
    "42[\"echo\",1,\"two\",{\"three\":3}]",
    "42/custom,[\"echo\"]",
    "421[\"ack\",\"me\"]",
    "42[\"join\",\"r\"]",
    "42[\"leave\",\"r\"]",
    "42[\"say\",\"r\"]",
    "42[\"shout\",1]",
    "42[\"mumble\",\"r\"]",
    "42[\"ask\",1]",
    "430[\"answer\"]",
    "431[\"answer\"]",
    "42[\"kick\"]",
    "42[\"bye\"]",
    "42[\"accept\"]",
    "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]",
    "452-7[\"ack\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]",
    "461-2[{\"_placeholder\":true,\"num\":0}]",
    "42[\"connect\"]",
    "44{}",
    "42[",
    "1",
    "6",
    "9",
    "",
    "42[\"hush\",1]",
    "42[\"tell\",\"r\"]",
    "42[\"commit\",\"r\"]",
    "40{\"owner\":2}",
};

static struct str prepared(void)
{
    return str_of(packets[take_byte() % ARRAY_SIZE(packets)]);
}

static void open_polling(struct eio_client *client)
{
    eio_client_open(client, false);
}

static void open_websocket(struct eio_client *client)
{
    eio_client_open(client, true);
}

static void poll(struct eio_client *client)
{
    eio_client_poll(client, LINK_GET);
}

static void poll_twice(struct eio_client *client)
{
    eio_client_poll(client, LINK_SPARE);
}

static void say_prepared(struct eio_client *client)
{
    eio_client_send(client, false, prepared());
}

static void say_numbered(struct eio_client *client)
{
    autobuf struct buf packet = BUF_INIT;

    sio_client_number((struct sio_client *)client, &packet);
    eio_client_send(client, false, buf_str(&packet));
}

static void say_raw(struct eio_client *client)
{
    eio_client_send(client, false, take_bytes());
}

static void say_binary(struct eio_client *client)
{
    eio_client_send(client, true, take_bytes());
}

static void post_raw(struct eio_client *client)
{
    eio_client_post(client, LINK_POST, take_bytes());
}

static void post_twice(struct eio_client *client)
{
    eio_client_post(client, LINK_SPARE, prepared());
}

/* More than one answer may hold, when the application echoes each. */
static void post_many(struct eio_client *client)
{
    struct str packet = prepared();
    autobuf struct buf body = BUF_INIT;

    for (int i = 0; i < MANY; i++) {
        if (client->protocol == 3) {
            buf_printf(&body, "%zu:", packet.len);
        } else if (i > 0) {
            buf_add_char(&body, EIO_SEPARATOR);
        }
        buf_add_str(&body, packet);
    }
    eio_client_post(client, LINK_POST, buf_str(&body));
}

static void post_half(struct eio_client *client)
{
    eio_client_post_half(client, prepared());
}

static void post_half_large(struct eio_client *client)
{
    autobuf struct buf body = BUF_INIT;

    buf_add_cstr(&body, "4");
    for (unsigned left = take_byte() * 48; left > 0; left--) {
        buf_add_char(&body, 'x');
    }
    eio_client_post_half(client, buf_str(&body));
}

/* With the client's sid behind it. */
static void ask_odd(struct eio_client *client)
{
    static const char *const methods[] = { "GET", "POST", "OPTIONS", "PUT" };
    const char *method = methods[take_byte() % ARRAY_SIZE(methods)];

    eio_client_ask(client, method, take_bytes());
}

static void post_large(struct eio_client *client)
{
    autobuf struct buf body = BUF_INIT;

    buf_add_cstr(&body, "4");
    for (unsigned left = take_byte() * 16; left > 0; left--) {
        buf_add_char(&body, 'x');
    }
    eio_client_send(client, false, buf_str(&body));
}

static void send_probe(struct eio_client *client)
{
    eio_client_frame(client, false, STR("2probe"));
}

static void send_upgrade(struct eio_client *client)
{
    eio_client_frame(client, false, STR("5"));
    client->upgraded = client->upgraded || client->links[LINK_WS].is_ws;
}

/* As good clients do it, in one step. */
static void upgrade(struct eio_client *client)
{
    eio_client_probe(client);
    session_end_round(loop, peers, CLIENTS, 0);
    send_probe(client);
    session_end_round(loop, peers, CLIENTS, 0);
    send_upgrade(client);
}

static void frame_prepared(struct eio_client *client)
{
    eio_client_frame(client, false, prepared());
}

static void raw(struct eio_client *client)
{
    eio_client_raw(client, take_bytes());
}

static void beat(struct eio_client *client)
{
    eio_client_send(client, false, client->protocol == 3 ? STR("2") : STR("3"));
}

static void pass_time(struct eio_client *client)
{
    (void)client;
    session_end_round(loop, peers, CLIENTS, (uint64_t)take_byte() * TICK_MS);
}

static void hang_up(struct eio_client *client)
{
    eio_client_hang_up(client, (enum eio_link)(take_byte() % LINK_COUNT));
}

static void hang_up_all(struct eio_client *client)
{
    for (enum eio_link link = 0; link < LINK_COUNT; link++) {
        eio_client_hang_up(client, link);
    }
}

static void stick(struct eio_client *client)
{
    eio_client_stick(client, take_byte() % 2 == 0);
}

static void drain(struct eio_client *client)
{
    (void)client;
    session_app_drain(app, 1 + take_byte() % 4);
}

/* Claims its session, or another's, or in a way that it makes up. */
static void come_back(struct eio_client *client)
{
    unsigned byte = take_byte();
    const struct sio_client *other =
        (byte & 4) != 0 ? &peers[byte % CLIENTS] : (struct sio_client *)client;
    struct str made_up = (byte & 24) == 24 ? take_bytes() : STR("");
    autobuf struct buf packet = BUF_INIT;

    sio_client_claim((struct sio_client *)client, other, byte >> 5 & 1, made_up, &packet);
    eio_client_send(client, false, buf_str(&packet));
}

static void answer_log(struct eio_client *client)
{
    (void)client;
    (void)session_app_answer(app, take_byte());
}

static void publish(struct eio_client *client)
{
    (void)client;
    session_app_publish(app);
}

static void restart(struct eio_client *client);

static void (*const actions[])(struct eio_client *client) = {
    open_polling,
    open_websocket,
    poll,
    poll_twice,
    say_prepared,
    say_numbered,
    say_raw,
    say_binary,
    post_raw,
    post_twice,
    post_many,
    post_half,
    post_large,
    eio_client_probe,
    send_probe,
    eio_client_post_rest,
    send_upgrade,
    upgrade,
    frame_prepared,
    raw,
    beat,
    pass_time,
    hang_up,
    hang_up_all,
    stick,
    drain,
    post_half_large,
    ask_odd,
    come_back,
    answer_log,
    publish,
    restart,
};

static void step(void)
{
    unsigned byte = take_byte();

    actions[(byte >> 2 & 31) % ARRAY_SIZE(actions)](&peers[byte % CLIENTS].client);
    if ((byte & END_OF_ROUND) != 0) {
        session_end_round(loop, peers, CLIENTS, 0);
        session_app_check(app);
    }
}

static void start_process(void)
{
    static const struct http_limits limits = { 4000, 30, 0, 0 };

    http = http_server_new(loop, &limits);
    session_app_start(app, loop, http, limit_rate);
    for (unsigned i = 0; i < CLIENTS; i++) {
        peers[i].client.http = http;
    }
}

static void end_process(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        eio_client_stick(&peers[i].client, false);
        hang_up_all(&peers[i].client);
    }
    session_end_round(loop, peers, CLIENTS, 0);
    session_app_stop(app);
    http_server_free(http);
}

static void restart(struct eio_client *client)
{
    (void)client;
    end_process();
    start_process();
}

static void start(unsigned flags)
{
    loop = loop_new();
    budget_set_limit(loop_budget(loop), BUDGET);
    book = book_new();
    app = session_app_new(book);
    limit_rate = (flags & FLAG_RATE) != 0;
    start_process();
    for (unsigned i = 0; i < CLIENTS; i++) {
        sio_client_init(&peers[i], loop, book, i);
        peers[i].client.http = http;
        peers[i].client.base64 ^= (flags & FLAG_BASE64) != 0;
        peers[i].client.protocol ^= (flags & FLAG_OTHERS) != 0 ? 3 ^ 4 : 0;
    }
}

/* Every session ends and every request is answered, while the peers are still there. */
static void drain_all(void)
{
    while (session_app_answer(app, 0)) {
    }
    session_app_drain(app, 1);
    for (int i = 0; i < DRAIN_ROUNDS; i++) {
        session_end_round(loop, peers, CLIENTS, DRAIN_ROUND_MS);
    }
    session_app_check_empty(app);
    for (int i = 0; i < CLIENTS; i++) {
        REQUIRE(eio_client_is_answered(&peers[i].client));
    }
}

static void finish(unsigned flags)
{
    for (int i = 0; i < CLIENTS; i++) {
        eio_client_stick(&peers[i].client, false);
    }
    if ((flags & FLAG_ABRUPT) == 0) {
        drain_all();
    }
    end_process();
    REQUIRE(loop_budget(loop)->used == 0);
    for (int i = 0; i < CLIENTS; i++) {
        sio_client_finish(&peers[i]);
    }
    free(app);
    book_free(book);
    loop_free(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned flags;

    input = (struct str) { (const char *)data, MIN(size, (size_t)TEXT_MAX) };
    flags = take_byte();
    start(flags);
    for (int i = 0; i < STEPS_MAX && input.len > 0; i++) {
        step();
    }
    finish(flags);
    return 0;
}
