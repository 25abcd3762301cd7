#include "tests/fuzz/session_app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/socketio/socketio.h"
#include "tests/fuzz/fake_conn.h"
#include "tests/fuzz/fake_loop.h"

enum {
    MEMBERS_MAX = 64,
    ASKS_MAX = 512,
    ASK_TIMEOUT_MS = 60,
    NUMBERS_MAX = 10000,
};

/* Odd, so that it has an inverse modulo 2^32: numbers are told from what the input makes up. */
static const uint32_t number_factor = 0x9e3779b1, number_inverse = 0x0e8b2f51;

/* A socket that the application was given. */
struct member {
    struct sio_socket *socket; /* NULL: the place is free */
    bool accepted;
    uint64_t echoes;
};

struct ask {
    struct sio_socket *socket;
    bool pending;
};

struct session_app {
    struct eio_server *echo;
    struct sio_server *socketio;
    unsigned open;     /* sessions of the echo */
    unsigned accepted; /* sockets */
    struct member members[MEMBERS_MAX];
    struct ask asks[ASKS_MAX];
    unsigned ask_count;
};

/* ---- the echo */

struct echo_session {
    uint64_t echoes;
    uint32_t last_number;
};

static void echo_open(void *arg, struct eio_session *session)
{
    struct session_app *app = arg;

    app->open++;
    eio_session_set_user(session, xnew(struct echo_session));
}

/* Numbered messages come in order, none of them twice. */
static void check_number(struct echo_session *echo, struct str text)
{
    char digits[9] = { 0 };
    char *end;
    uint32_t number;

    if (text.len != 8) {
        return;
    }
    memcpy(digits, text.data, 8);
    number = (uint32_t)strtoul(digits, &end, 16) * number_inverse;
    if (*end == '\0' && number > 0 && number < NUMBERS_MAX) {
        REQUIRE(number > echo->last_number);
        echo->last_number = number;
    }
}

static void echo_message(struct eio_session *session, bool binary, struct str payload)
{
    struct echo_session *echo = eio_session_user(session);
    char count[24];
    struct frame *frame;

    if (binary) {
        frame = frame_binary(payload);
        eio_session_send(session, frame);
        frame_unref(frame);
    } else {
        check_number(echo, payload);
    }
    snprintf(count, sizeof count, "4%" PRIu64 ":", ++echo->echoes);
    frame = frame_text2(str_of(count), binary ? STR("") : payload);
    eio_session_send(session, frame);
    frame_unref(frame);
}

static void echo_close(struct eio_session *session, enum eio_reason reason)
{
    struct session_app *app = eio_session_arg(session);

    REQUIRE(reason < EIO_REASON_COUNT && app->open > 0);
    app->open--;
    free(eio_session_user(session));
}

static const struct eio_ops echo_ops = { echo_open, echo_message, echo_close };

/* ---- the namespaces */

static struct member *find_member(struct session_app *app, const struct sio_socket *socket)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        if (app->members[i].socket == socket) {
            return &app->members[i];
        }
    }
    return NULL;
}

/* The callbacks of a socket that was not accepted have no other way back. */
static struct session_app *the_app;

static void accept_member(struct session_app *app, struct member *member)
{
    member->accepted = true;
    app->accepted++;
    sio_socket_accept(member->socket, 1, member);
}

static void on_connect(void *arg, struct sio_socket *socket, struct str auth)
{
    struct session_app *app = arg;
    struct member *member = find_member(app, NULL);

    REQUIRE(find_member(app, socket) == NULL);
    if (member == NULL || str_eq(auth, STR("{\"no\":1}"))) {
        sio_socket_refuse(socket, STR("no"), STR("{\"why\":0}"));
        return;
    }
    *member = (struct member) { .socket = socket };
    if (!str_eq(auth, STR("{\"later\":1}"))) {
        accept_member(app, member);
    }
}

static void accept_waiting(struct session_app *app)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        if (app->members[i].socket != NULL && !app->members[i].accepted) {
            accept_member(app, &app->members[i]);
        }
    }
}

static void on_answer(struct sio_socket *socket, void *arg, const struct sio_answer *answer)
{
    struct ask *ask = arg;

    REQUIRE(ask->pending && ask->socket == socket && find_member(the_app, socket) != NULL);
    ask->pending = false;
    if (answer != NULL) {
        sio_socket_emit_binary(socket, STR("answered"), answer->args, answer->attachments);
    }
}

static void ask(struct session_app *app, struct sio_socket *socket, struct str args)
{
    struct ask *ask = &app->asks[app->ask_count];

    if (app->ask_count == ASKS_MAX) {
        return;
    }
    app->ask_count++;
    *ask = (struct ask) { socket, true };
    sio_socket_emit_with_ack(socket, STR("question"), args,
                             app->ask_count % 4 == 0 ? 0 : ASK_TIMEOUT_MS, on_answer, ask);
}

static void echo_event(struct member *member, const struct sio_event *event)
{
    autobuf struct buf args = BUF_INIT;

    buf_add_u64(&args, ++member->echoes);
    if (event->args.len > 0) {
        buf_add_char(&args, ',');
        buf_add_str(&args, event->args);
    }
    sio_socket_emit_binary(member->socket, STR("echo"), buf_str(&args), event->attachments);
}

static void broadcast(struct sio_socket *socket, const struct sio_event *event)
{
    struct sio_broadcast said = { .event = STR("said"),
                                  .args = event->args,
                                  .attachments = event->attachments,
                                  .is_volatile = str_eq(event->name, STR("mumble")) };

    if (!str_eq(event->name, STR("shout"))) {
        said.room = event->args;
        said.except = socket;
    }
    REQUIRE(sio_emit(sio_socket_namespace(socket), sio_socket_scope(socket), &said) <= MEMBERS_MAX);
}

static void on_event(struct sio_socket *socket, const struct sio_event *event)
{
    struct member *member = sio_socket_user(socket);
    struct str name = event->name;

    REQUIRE(member->socket == socket && member->accepted);
    if (str_eq(name, STR("echo"))) {
        echo_event(member, event);
    } else if (str_eq(name, STR("join"))) {
        REQUIRE(!sio_socket_join(socket, event->args) || sio_socket_in(socket, event->args));
    } else if (str_eq(name, STR("leave"))) {
        sio_socket_leave(socket, event->args);
        REQUIRE(!sio_socket_in(socket, event->args));
    } else if (str_eq(name, STR("ask"))) {
        ask(the_app, socket, event->args);
    } else if (str_eq(name, STR("accept"))) {
        accept_waiting(the_app);
    } else if (str_eq(name, STR("kick")) || str_eq(name, STR("bye"))) {
        sio_socket_disconnect(socket, str_eq(name, STR("bye")));
    } else if (str_eq(name, STR("say")) || str_eq(name, STR("mumble")) ||
               str_eq(name, STR("shout"))) {
        broadcast(socket, event);
    }
    sio_socket_ack_binary(socket, event->ack, event->args, event->attachments);
}

static bool count_room(void *arg, struct str room)
{
    REQUIRE(room.len <= SIO_ROOM_NAME_MAX);
    ++*(unsigned *)arg;
    return true;
}

static void on_disconnect(struct sio_socket *socket, struct sio_reason reason)
{
    struct member *member = find_member(the_app, socket);
    unsigned rooms = 0;

    REQUIRE(member != NULL && sio_reason_text(reason) != NULL);
    sio_socket_rooms_each(socket, count_room, &rooms);
    REQUIRE(!sio_socket_join(socket, STR("late")) || rooms == 0);
    the_app->accepted -= member->accepted;
    member->socket = NULL;
    for (unsigned i = 0; i < the_app->ask_count; i++) {
        if (the_app->asks[i].socket == socket) {
            the_app->asks[i].pending = false;
        }
    }
}

static const struct sio_app sio_app = {
    .on_connect = on_connect,
    .on_event = on_event,
    .on_disconnect = on_disconnect,
};

/* ---- as a whole */

static void route(struct http_server *http, const char *path, struct eio_server *engine)
{
    http_server_route(http, &(struct http_route) { path, eio_http_handler(), engine });
}

struct session_app *session_app_new(struct loop *loop, struct http_server *http, bool limit_rate)
{
    struct session_app *app = xnew(struct session_app);
    struct sio_config config = { .engine = { .ping_interval_ms = 100,
                                             .ping_timeout_ms = 80,
                                             .upgrade_timeout_ms = 150,
                                             .max_payload = 10000,
                                             .queue_bytes = 4000,
                                             .sessions_per_address = 3,
                                             .bytes_per_s = limit_rate ? 1000 : 0,
                                             .allow_v3 = true },
                                 .connect_timeout_ms = 200,
                                 .sockets_per_connection = 2,
                                 .rooms_per_socket = 2,
                                 .json_depth = 20 };
    struct eio_config echo = config.engine;

    the_app = app;
    app->socketio = sio_server_new(loop, &config);
    sio_namespace_add(app->socketio, "/", &sio_app, app);
    sio_namespace_add(app->socketio, "/custom", &sio_app, app);
    echo.ops = &echo_ops;
    echo.arg = app;
    app->echo = eio_server_new(loop, &echo);
    route(http, "/engine.io/", app->echo);
    route(http, "/socket.io/", sio_engine(app->socketio));
    return app;
}

void session_app_drain(struct session_app *app, unsigned per_round)
{
    eio_server_drain(app->echo, per_round);
    eio_server_drain(sio_engine(app->socketio), per_round);
}

static struct eio_stats check_engine(struct eio_server *engine)
{
    struct eio_stats stats;
    uint64_t closed = 0;

    eio_server_stats(engine, &stats);
    for (int i = 0; i < EIO_REASON_COUNT; i++) {
        closed += stats.closed[i];
    }
    REQUIRE(stats.sessions == stats.polling + stats.websocket);
    REQUIRE(stats.opened == stats.sessions + closed);
    REQUIRE(stats.upgrades <= stats.opened);
    return stats;
}

void session_app_check(const struct session_app *app)
{
    struct eio_stats echo = check_engine(app->echo);
    struct sio_stats stats;

    check_engine(sio_engine(app->socketio));
    REQUIRE(echo.sessions == app->open);
    sio_server_stats(app->socketio, &stats);
    REQUIRE(stats.sockets == app->accepted);
    REQUIRE(stats.connects >= stats.sockets);
}

void session_app_check_empty(const struct session_app *app)
{
    struct sio_stats stats;

    session_app_check(app);
    sio_server_stats(app->socketio, &stats);
    REQUIRE(app->open == 0 && stats.sockets == 0 && stats.rooms == 0);
    REQUIRE(check_engine(sio_engine(app->socketio)).sessions == 0);
}

void session_app_free(struct session_app *app)
{
    sio_server_free(app->socketio);
    eio_server_free(app->echo);
    REQUIRE(app->open == 0 && app->accepted == 0);
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        REQUIRE(app->members[i].socket == NULL);
    }
    free(app);
}

/* ---- at the clients */

/* What the application counted arrives in order, and whole unless something got lost on the way. */
static void check_count(struct session_peer *peer, unsigned nsp, struct str text)
{
    uint64_t count = 0;

    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        count = count * 10 + (uint64_t)(text.data[i] - '0');
    }
    REQUIRE(count == peer->heard[nsp] + 1 || (peer->client.lossy && count > peer->heard[nsp]));
    peer->heard[nsp] = count;
}

static void hear_socketio(struct session_peer *peer, struct str text)
{
    static const struct json_limits limits = { .depth = 100 };
    struct sio_scratch scratch = { 0 };
    struct sio_packet packet;
    unsigned nsp;

    REQUIRE(peer->attachments == 0 || peer->client.lossy);
    peer->attachments = 0;
    if (text.len > 0 && text.data[0] == '0' + SIO_CONNECT_ERROR) {
        return; /* of any JSON in protocol 4 */
    }
    REQUIRE(sio_packet_decode(text, &limits, &scratch, &packet) == OK);
    nsp = str_eq(packet.nsp, STR("/")) ? 0 : 1;
    if (packet.type == SIO_CONNECT) {
        peer->heard[nsp] = 0;
    } else if (packet.type == SIO_BINARY_EVENT || packet.type == SIO_BINARY_ACK) {
        peer->attachments = packet.attachments;
    }
    if (str_eq(packet.name, STR("echo"))) {
        check_count(peer, nsp, packet.args);
    }
    sio_scratch_finish(&scratch);
}

static void hear(struct eio_client *client, bool binary, struct str payload)
{
    struct session_peer *peer = (struct session_peer *)client;

    if (peer->generation != client->generation) {
        peer->generation = client->generation;
        memset(peer->heard, 0, sizeof peer->heard);
        peer->attachments = 0;
    }
    if (!binary && peer->has_socketio) {
        hear_socketio(peer, payload);
    } else if (!binary) {
        check_count(peer, 0, payload);
    } else if (peer->has_socketio) {
        REQUIRE(peer->attachments > 0 || client->lossy);
        peer->attachments -= peer->attachments > 0;
    }
}

void session_peer_init(struct session_peer *peer, struct loop *loop, struct http_server *http,
                       unsigned index)
{
    bool has_socketio = index < 3;

    *peer =
        (struct session_peer) { .client = { .loop = loop,
                                            .http = http,
                                            .on_message = hear,
                                            .path = has_socketio ? "/socket.io/" : "/engine.io/",
                                            .protocol = index == 1 ? 3 : 4,
                                            .base64 = index == 2 },
                                .has_socketio = has_socketio };
}

void session_peer_number(struct session_peer *peer, struct buf *packet)
{
    buf_printf(packet, "4%08" PRIx32, (uint32_t)(++peer->numbered * number_factor));
}

static bool settle(struct session_peer *peers, size_t count)
{
    bool moved = false;

    for (size_t i = 0; i < count; i++) {
        moved = eio_client_settle(&peers[i].client) || moved;
    }
    return moved;
}

void session_end_round(struct loop *loop, struct session_peer *peers, size_t count, uint64_t ms)
{
    fake_loop_begin(loop, ms);
    do {
        fake_loop_end(loop);
    } while (settle(peers, count));
}
