#include "tests/fuzz/session_app.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/socketio/socketio.h"
#include "tests/fuzz/fake_conn.h"
#include "tests/fuzz/session_book.h"
#include "tests/fuzz/session_echo.h"

enum {
    MEMBERS_MAX = 64,
    ASKS_MAX = 512,
    ASK_TIMEOUT_MS = 60,
};

static const struct sio_recovery_config recovery = {
    .enabled = true, .window_ms = 3000, .max_bytes = 3000, .memory_bytes = 4000, .max_sessions = 6
};
static const uint8_t pid_key[SIO_RECOVERY_KEY_BYTES] = "no secret, here";

/* A socket that the application was given. */
struct member {
    struct sio_socket *socket; /* NULL: the place is free */
    uint64_t owner;
    bool accepted;
    struct book_session *claimed; /* NULL: its client does not come back */
    struct book_session *session; /* once it has joined */
};

struct ask {
    struct sio_socket *socket;
    bool pending;
};

struct session_app {
    struct eio_server *echo;
    struct sio_server *socketio;
    struct sio_namespace *main;
    struct book *book;
    unsigned open_echoes;
    unsigned joined; /* sockets */
    struct member members[MEMBERS_MAX];
    struct ask asks[ASKS_MAX];
    unsigned ask_count;
};

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

static void accept_member(struct member *member)
{
    member->accepted = true;
    sio_socket_accept(member->socket, BOOK_SCOPE, member);
}

/* The number behind `key` in JSON, or `other`. */
static uint64_t number_at(struct str auth, const char *key, uint64_t other)
{
    const char *at = memmem(auth.data, auth.len, key, strlen(key));

    return at != NULL ? strtoull(at + strlen(key), NULL, 10) : other;
}

/* Whose session it would be that is claimed with success. */
static struct book_session *claimed(const struct book *book, struct str auth)
{
    static const char key[] = "\"pid\":\"";
    const char *at = memmem(auth.data, auth.len, key, sizeof key - 1);

    REQUIRE(at != NULL);
    return book_find(book, at + sizeof key - 1);
}

static void on_connect(void *arg, struct sio_socket *socket, struct str auth)
{
    struct session_app *app = arg;
    struct member *member = find_member(app, NULL);

    REQUIRE(find_member(app, socket) == NULL);
    if (member == NULL) {
        sio_socket_refuse(socket, STR("full"), STR(""));
        return;
    }
    *member = (struct member) { .socket = socket, .owner = number_at(auth, "\"owner\":", 1) };
    if (sio_socket_claim(socket, BOOK_SCOPE, member->owner)) {
        member->claimed = claimed(app->book, auth);
        REQUIRE(member->claimed != NULL && member->claimed->owner == member->owner);
    }
    sio_socket_set_owner(socket, member->owner);
    if (number_at(auth, "\"no\":", 0) == 1) {
        member->socket = NULL;
        sio_socket_refuse(socket, STR("no"), STR("{\"why\":0}"));
    } else if (number_at(auth, "\"later\":", 0) == 0) {
        accept_member(member);
    }
}

static void on_joined(struct sio_socket *socket, bool recovered)
{
    struct member *member = sio_socket_user(socket);

    REQUIRE(member->socket == socket && member->session == NULL);
    the_app->joined++;
    if (recovered) {
        member->session = member->claimed;
        REQUIRE(book_find(the_app->book, sio_socket_id(socket)) == member->claimed);
        book_resume(member->session, socket);
    } else {
        member->session = book_begin(the_app->book, socket, member->owner);
    }
}

static void accept_waiting(struct session_app *app)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        if (app->members[i].socket != NULL && !app->members[i].accepted) {
            accept_member(&app->members[i]);
        }
    }
}

/* `number,` and the arguments. */
static void add_args(struct buf *args, uint32_t number, struct str rest)
{
    buf_add_u64(args, number);
    if (rest.len > 0) {
        buf_add_char(args, ',');
        buf_add_str(args, rest);
    }
}

static void on_answer(struct sio_socket *socket, void *arg, const struct sio_answer *answer)
{
    struct ask *ask = arg;
    struct member *member = find_member(the_app, socket);
    autobuf struct buf args = BUF_INIT;

    REQUIRE(ask->pending && ask->socket == socket && member != NULL);
    ask->pending = false;
    if (answer != NULL) {
        add_args(&args, book_note_own(the_app->book, member->session), answer->args);
        sio_socket_emit_binary(socket, STR("answered"), buf_str(&args), answer->attachments);
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

    buf_add_u64(&args, book_note_own(the_app->book, member->session));
    buf_add_char(&args, ',');
    add_args(&args, (uint32_t)++member->session->echoes, event->args);
    sio_socket_emit_binary(member->socket, STR("echo"), buf_str(&args), event->attachments);
}

static void broadcast(struct sio_socket *socket, const struct sio_event *event)
{
    struct sio_namespace *nsp = sio_socket_namespace(socket);
    autobuf struct buf args = BUF_INIT;
    struct sio_broadcast said = { .event = STR("said"),
                                  .attachments = event->attachments,
                                  .is_volatile = str_eq(event->name, STR("mumble")) };

    if (str_eq(event->name, STR("hush"))) {
        said.except_owner = 1;
    } else if (!str_eq(event->name, STR("shout"))) {
        said.room = event->args;
        said.except = socket;
    }
    add_args(&args, book_note(the_app->book, nsp, &said), event->args);
    said.args = buf_str(&args);
    REQUIRE(sio_emit(nsp, BOOK_SCOPE, &said) <= MEMBERS_MAX);
}

/* Durable: "tell" at once, "commit" when something is published. */
static void tell(struct sio_socket *socket, const struct sio_event *event)
{
    if (sio_socket_namespace(socket) != the_app->main || event->attachments.count > 0) {
        return;
    }
    book_commit(the_app->book, socket, event->args, event->args);
    if (str_eq(event->name, STR("tell"))) {
        book_publish(the_app->book, the_app->main);
    }
}

static void join(struct member *member, struct str room)
{
    if (sio_socket_join(member->socket, room)) {
        REQUIRE(sio_socket_in(member->socket, room));
        book_enter_room(member->session, room);
    }
}

static void leave(struct member *member, struct str room)
{
    sio_socket_leave(member->socket, room);
    REQUIRE(!sio_socket_in(member->socket, room));
    book_leave_room(member->session, room);
}

static void on_event(struct sio_socket *socket, const struct sio_event *event)
{
    struct member *member = sio_socket_user(socket);
    struct str name = event->name;

    REQUIRE(member->socket == socket && member->session != NULL);
    if (str_eq(name, STR("echo"))) {
        echo_event(member, event);
    } else if (str_eq(name, STR("join"))) {
        join(member, event->args);
    } else if (str_eq(name, STR("leave"))) {
        leave(member, event->args);
    } else if (str_eq(name, STR("ask"))) {
        ask(the_app, socket, event->args);
    } else if (str_eq(name, STR("accept"))) {
        accept_waiting(the_app);
    } else if (str_eq(name, STR("kick")) || str_eq(name, STR("bye"))) {
        sio_socket_disconnect(socket, str_eq(name, STR("bye")));
    } else if (str_eq(name, STR("say")) || str_eq(name, STR("mumble")) ||
               str_eq(name, STR("shout")) || str_eq(name, STR("hush"))) {
        broadcast(socket, event);
    } else if (str_eq(name, STR("tell")) || str_eq(name, STR("commit"))) {
        tell(socket, event);
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
    if (member->session != NULL) {
        the_app->joined--;
        book_leave(member->session, socket, reason);
    } else if (member->claimed != NULL && !sio_reason_recoverable(reason)) {
        member->claimed->is_over = true;
    }
    member->socket = NULL;
    for (unsigned i = 0; i < the_app->ask_count; i++) {
        if (the_app->asks[i].socket == socket) {
            the_app->asks[i].pending = false;
        }
    }
}

static const struct sio_app sio_app = {
    .on_connect = on_connect,
    .on_joined = on_joined,
    .on_event = on_event,
    .on_disconnect = on_disconnect,
};

/* ---- as a whole */

static void route(struct http_server *http, const char *path, struct eio_server *engine)
{
    http_server_route(http, &(struct http_route) { path, eio_http_handler(), engine });
}

static struct sio_config configuration(bool limit_rate)
{
    return (struct sio_config) { .engine = { .ping_interval_ms = 100,
                                             .ping_timeout_ms = 80,
                                             .upgrade_timeout_ms = 150,
                                             .max_payload = 10000,
                                             .queue_bytes = 4000,
                                             .sessions_per_address = 3,
                                             .bytes_per_s = limit_rate ? 1000 : 0,
                                             .allow_v3 = true },
                                 .connect_timeout_ms = 200,
                                 .sockets_per_connection = 2,
                                 .rooms_per_socket = BOOK_ROOMS_MAX,
                                 .json_depth = 20,
                                 .recovery = recovery };
}

void session_app_start(struct session_app *app, struct loop *loop, struct http_server *http,
                       bool limit_rate)
{
    struct sio_config config = configuration(limit_rate);
    struct eio_config echo = config.engine;

    the_app = app;
    app->socketio = sio_server_new(loop, &config);
    sio_recovery_set_key(app->socketio, pid_key);
    app->main = sio_namespace_add(app->socketio, "/", &sio_app, app);
    book_use_log(app->book, app->main);
    sio_namespace_add(app->socketio, "/custom", &sio_app, app);
    book_restore(app->book, app->main, recovery.window_ms);
    echo.ops = &session_echo;
    echo.arg = &app->open_echoes;
    app->echo = eio_server_new(loop, &echo);
    route(http, "/engine.io/", app->echo);
    route(http, "/socket.io/", sio_engine(app->socketio));
}

struct session_app *session_app_new(struct book *book)
{
    struct session_app *app = xnew(struct session_app);

    app->book = book;
    return app;
}

void session_app_publish(struct session_app *app)
{
    book_publish(app->book, app->main);
}

bool session_app_answer(struct session_app *app, unsigned how)
{
    return book_answer(app->book, app->main, how);
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

static void check_recovery(const struct sio_server *server)
{
    struct sio_recovery_stats stats;

    sio_recovery_stats(server, &stats);
    REQUIRE(stats.sessions <= recovery.max_sessions);
    REQUIRE(stats.session_bytes <= recovery.memory_bytes);
    REQUIRE(stats.event_bytes <= recovery.memory_bytes);
    REQUIRE((stats.sessions == 0) == (stats.session_bytes == 0));
}

void session_app_check(const struct session_app *app)
{
    struct eio_stats echo = check_engine(app->echo);
    struct sio_stats stats;

    check_engine(sio_engine(app->socketio));
    REQUIRE(echo.sessions == app->open_echoes);
    sio_server_stats(app->socketio, &stats);
    REQUIRE(stats.sockets == app->joined);
    REQUIRE(stats.connects >= stats.sockets);
    check_recovery(app->socketio);
}

void session_app_check_empty(const struct session_app *app)
{
    struct sio_recovery_stats kept;
    struct sio_stats stats;

    session_app_check(app);
    sio_server_stats(app->socketio, &stats);
    sio_recovery_stats(app->socketio, &kept);
    REQUIRE(app->open_echoes == 0 && stats.sockets == 0 && stats.rooms == 0);
    REQUIRE(kept.sessions == 0 && kept.event_bytes == 0);
    REQUIRE(check_engine(sio_engine(app->socketio)).sessions == 0);
}

void session_app_stop(struct session_app *app)
{
    book_save(app->book);
    while (book_answer(app->book, app->main, 0)) {
    }
    sio_server_free(app->socketio);
    eio_server_free(app->echo);
    REQUIRE(app->open_echoes == 0 && app->joined == 0);
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        REQUIRE(app->members[i].socket == NULL);
    }
}
