#undef NDEBUG
#include "tests/unit/sio_fixture.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"

static struct sio_fixture *fixture_of(struct sio_socket *socket)
{
    return sio_socket_user(socket);
}

/* `"name"` to name */
static struct str unquote(struct str text)
{
    return text.len >= 2 ? (struct str) { text.data + 1, text.len - 2 } : STR("");
}

/* {"owner":7}, the last member */
static uint64_t owner_of(struct str auth)
{
    const char *at = memmem(auth.data, auth.len, "\"owner\":", 8);

    return at != NULL ? strtoull(at + 8, NULL, 10) : 0;
}

static void on_connect(void *arg, struct sio_socket *socket, struct str auth)
{
    struct sio_fixture *f = arg;
    uint64_t scope;

    buf_printf(&f->journal, "[connect %s %.*s]", sio_namespace_name(sio_socket_namespace(socket)),
               STR_ARG(auth));
    if (str_eq(auth, STR("{\"refuse\":true}"))) {
        sio_socket_refuse(socket, STR("not authorized"), STR("{\"code\":401}"));
        return;
    }
    f->connected++;
    if (str_eq(auth, STR("{\"wait\":true}"))) {
        f->waiting = socket;
        return;
    }
    scope = str_eq(auth, STR("{\"scope\":2}")) ? 2 : 1;
    (void)sio_socket_claim(socket, scope, owner_of(auth));
    sio_socket_set_owner(socket, owner_of(auth));
    sio_socket_accept(socket, scope, f);
}

static void on_answer(struct sio_socket *socket, void *arg, const struct sio_answer *answer)
{
    assert(arg == fixture_of(socket));
    if (answer == NULL) {
        sio_socket_emit(socket, STR("unanswered"), STR(""));
    } else {
        sio_socket_emit_binary(socket, STR("answered"), answer->args, answer->attachments);
    }
}

static void say(struct sio_socket *socket, const struct sio_event *event, bool is_volatile)
{
    struct sio_broadcast broadcast = { .except = socket,
                                       .event = STR("said"),
                                       .args = event->args,
                                       .attachments = event->attachments,
                                       .is_volatile = is_volatile,
                                       .room = unquote(event->args) };
    char count[16];

    if (event->args.len == 0 || event->args.data[0] != '"') {
        broadcast.room = STR_NONE;
    }
    snprintf(count, sizeof count, "%u",
             sio_emit(sio_socket_namespace(socket), sio_socket_scope(socket), &broadcast));
    sio_socket_ack(socket, event->ack, str_of(count));
}

/* Names separated by blanks. Returns how many there are. */
static unsigned split_names(struct str text, struct str names[8])
{
    unsigned count = 0;

    while (text.len > 0) {
        const char *blank = memchr(text.data, ' ', text.len);
        size_t len = blank != NULL ? (size_t)(blank - text.data) : text.len;

        assert(count < 8);
        names[count++] = (struct str) { text.data, len };
        text = str_skip(text, MIN(len + 1, text.len));
    }
    return count;
}

/* "to all of these","but to none of those": room names; answers how many heard it. */
static void spread(struct sio_socket *socket, const struct sio_event *event)
{
    struct str to[8], except[8], args = event->args;
    const char *comma = memchr(args.data, ',', args.len);
    size_t split = (size_t)(comma - args.data);
    unsigned to_count = split_names(unquote((struct str) { args.data, split }), to);
    struct sio_broadcast broadcast = {
        .room = to_count > 0 ? to[0] : STR_NONE,
        .more_rooms = to + 1,
        .more_rooms_count = to_count > 0 ? to_count - 1 : 0,
        .except_rooms = except,
        .except_rooms_count = split_names(unquote(str_skip(args, split + 1)), except),
        .event = STR("spread"),
    };
    char count[16];

    snprintf(count, sizeof count, "%u",
             sio_emit(sio_socket_namespace(socket), sio_socket_scope(socket), &broadcast));
    sio_socket_ack(socket, event->ack, str_of(count));
}

/* "room",number: to all but this owner's. */
static void tell_others(struct sio_socket *socket, const struct sio_event *event)
{
    struct str args = event->args;
    size_t comma = (size_t)((const char *)memchr(args.data, ',', args.len) - args.data);
    const struct sio_broadcast broadcast = {
        .room = unquote((struct str) { args.data, comma }),
        .except_owner = strtoull(args.data + comma + 1, NULL, 10),
        .event = STR("others"),
        .args = str_skip(args, comma + 1),
    };

    sio_emit(sio_socket_namespace(socket), sio_socket_scope(socket), &broadcast);
    sio_socket_ack(socket, event->ack, STR("true"));
}

static void on_event(struct sio_socket *socket, const struct sio_event *event)
{
    struct sio_fixture *f = fixture_of(socket);

    buf_printf(&f->journal, "[%.*s(%.*s)%lld]", STR_ARG(event->name), STR_ARG(event->args),
               (long long)event->ack);
    if (str_eq(event->name, STR("echo"))) {
        sio_socket_emit_binary(socket, event->name, event->raw_args, event->attachments);
    } else if (str_eq(event->name, STR("reply"))) {
        sio_socket_reply(socket, event->name, event->args);
    } else if (str_eq(event->name, STR("ack"))) {
        sio_socket_ack_binary(socket, event->ack, event->raw_args, event->attachments);
    } else if (str_eq(event->name, STR("join"))) {
        sio_socket_ack(socket, event->ack,
                       sio_socket_join(socket, unquote(event->args)) ? STR("true") : STR("false"));
    } else if (str_eq(event->name, STR("leave"))) {
        sio_socket_leave(socket, unquote(event->args));
        sio_socket_ack(socket, event->ack, STR("true"));
    } else if (str_eq(event->name, STR("say"))) {
        say(socket, event, false);
    } else if (str_eq(event->name, STR("mumble"))) {
        say(socket, event, true);
    } else if (str_eq(event->name, STR("spread"))) {
        spread(socket, event);
    } else if (str_eq(event->name, STR("tell others"))) {
        tell_others(socket, event);
    } else if (str_eq(event->name, STR("kick me"))) {
        sio_socket_disconnect(socket, false);
        sio_socket_emit(socket, STR("never"), STR(""));
    } else if (str_eq(event->name, STR("kick all of me"))) {
        sio_socket_disconnect(socket, true);
    } else if (str_eq(event->name, STR("ask me"))) {
        sio_socket_emit_with_ack(socket, STR("question"), event->args, 0, on_answer, f);
    } else if (str_eq(event->name, STR("ask me soon"))) {
        sio_socket_emit_with_ack(socket, STR("question"), event->args, 20, on_answer, f);
    }
}

static bool count_room(void *arg, struct str room)
{
    (void)room;
    ++*(unsigned *)arg;
    return true;
}

static void on_disconnect(struct sio_socket *socket, struct sio_reason reason)
{
    struct sio_fixture *f = fixture_of(socket);
    unsigned rooms = 0;

    sio_socket_rooms_each(socket, count_room, &rooms);
    if (f == NULL) {
        return; /* was never accepted */
    }
    f->left++;
    buf_printf(&f->journal, "[disconnect %s \"%s\" rooms=%u]",
               sio_namespace_name(sio_socket_namespace(socket)), sio_reason_text(reason), rooms);
    assert(!sio_socket_join(socket, STR("too late")));
    sio_socket_disconnect(socket, false);
}

static const struct sio_app app = {
    .on_connect = on_connect,
    .on_event = on_event,
    .on_disconnect = on_disconnect,
};

static struct eio_server *start(struct rig *rig, void *arg)
{
    struct sio_fixture *f = arg;

    f->server = sio_server_new(rig_loop(rig), &f->config);
    f->main = sio_namespace_add(f->server, "/", &app, f);
    if (f->log != NULL) {
        sio_namespace_set_log(f->main, f->log, f->log_arg);
    }
    sio_namespace_add(f->server, "/custom", &app, f);
    return sio_engine(f->server);
}

static void stop(void *arg)
{
    struct sio_fixture *f = arg;

    sio_server_free(f->server);
    assert(f->waiting != NULL || f->connected == f->left);
}

static const struct rig_ops rig_ops = { start, stop };

void sio_fixture_run(struct sio_fixture *f)
{
    f->config.engine.ping_interval_ms = 25000;
    f->config.engine.ping_timeout_ms = 20000;
    f->config.engine.max_payload = 2000000;
    f->rig = rig_start(&rig_ops, f);
}

void sio_fixture_finish(struct sio_fixture *f)
{
    if (f->rig != NULL) {
        rig_stop(f->rig);
        buf_finish(&f->journal);
    }
}
void expect_connected(struct client *ws, const char *head, char sid[21])
{
    autobuf struct buf payload = BUF_INIT;
    char id[21];
    unsigned opcode;

    assert_true(ws_client_receive(ws, &opcode, &payload));
    assert_int_equal(payload.len, strlen(head) + strlen("{\"sid\":\"\"}") + 20);
    assert_memory_equal(payload.data, head, strlen(head));
    assert_int_equal(sscanf(payload.data + strlen(head), "{\"sid\":\"%20[A-Za-z0-9_-]\"}", id), 1);
    if (sid != NULL) {
        memcpy(sid, id, sizeof id);
    }
}

void connect_client(struct client *ws, struct sio_fixture *f)
{
    ws_session_open(ws, f->rig);
    ws_client_text(ws, "40");
    expect_connected(ws, "40", NULL);
}

void expect_alive(struct client *ws)
{
    ws_client_text(ws, "42[\"echo\",\"alive\"]");
    ws_client_expect(ws, "42[\"echo\",\"alive\"]");
}

struct wanted {
    struct sio_fixture *f;
    const char *text;
};

static bool journal_has(void *arg)
{
    struct wanted *wanted = arg;

    return wanted->f->journal.len > 0 && strstr(wanted->f->journal.data, wanted->text) != NULL;
}

void expect_journal(struct sio_fixture *f, const char *text)
{
    struct wanted wanted = { f, text };

    rig_wait(f->rig, journal_has, &wanted);
}
