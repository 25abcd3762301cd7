/* A Socket.IO server with a small application, driven over real sockets. Clients tell the
 * application what to do by events (see on_event()); what it sees is kept in a journal. */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/socketio/socketio.h"
#include "tests/unit/eio_rig.h"

enum { OP_TEXT = 1, OP_BINARY = 2 };

struct fixture {
    struct rig *rig;
    struct sio_config config;
    struct sio_server *server;
    struct sio_namespace *main;
    /* touched by the loop thread only, while the rig runs */
    struct buf journal;
    struct sio_socket *waiting; /* for its answer to CONNECT */
    unsigned connected, left;
};

static struct fixture *fixture_of(struct sio_socket *socket)
{
    return sio_socket_user(socket);
}

/* `"name"` to name */
static struct str unquote(struct str text)
{
    return text.len >= 2 ? (struct str) { text.data + 1, text.len - 2 } : STR("");
}

static void on_connect(void *arg, struct sio_socket *socket, struct str auth)
{
    struct fixture *f = arg;

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
    sio_socket_accept(socket, str_eq(auth, STR("{\"scope\":2}")) ? 2 : 1, f);
}

static void on_answer(struct sio_socket *socket, void *arg, bool ok, struct str args)
{
    assert(arg == fixture_of(socket));
    sio_socket_emit(socket, ok ? STR("answered") : STR("unanswered"), args);
}

static void say(struct sio_socket *socket, const struct sio_event *event, bool is_volatile)
{
    struct sio_broadcast broadcast = { .except = socket,
                                       .event = STR("said"),
                                       .args = event->args,
                                       .is_volatile = is_volatile,
                                       .room = unquote(event->args) };
    char count[16];

    if (event->args.len == 0) {
        broadcast.room = STR_NONE;
    }
    snprintf(count, sizeof count, "%u",
             sio_emit(sio_socket_namespace(socket), sio_socket_scope(socket), &broadcast));
    sio_socket_ack(socket, event->ack, str_of(count));
}

static void on_event(struct sio_socket *socket, const struct sio_event *event)
{
    struct fixture *f = fixture_of(socket);

    buf_printf(&f->journal, "[%.*s(%.*s)%lld]", STR_ARG(event->name), STR_ARG(event->args),
               (long long)event->ack);
    if (str_eq(event->name, STR("echo"))) {
        sio_socket_emit(socket, event->name, event->args);
    } else if (str_eq(event->name, STR("ack"))) {
        sio_socket_ack(socket, event->ack, event->args);
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
    struct fixture *f = fixture_of(socket);
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

static const struct sio_app app = { on_connect, on_event, on_disconnect };

static struct eio_server *start(struct rig *rig, void *arg)
{
    struct fixture *f = arg;

    f->server = sio_server_new(rig_loop(rig), &f->config);
    f->main = sio_namespace_add(f->server, "/", &app, f);
    sio_namespace_add(f->server, "/custom", &app, f);
    return sio_engine(f->server);
}

static void stop(void *arg)
{
    struct fixture *f = arg;

    sio_server_free(f->server);
    assert(f->waiting != NULL || f->connected == f->left);
}

static const struct rig_ops rig_ops = { start, stop };

static void run(struct fixture *f)
{
    f->config.engine.ping_interval_ms = 25000;
    f->config.engine.ping_timeout_ms = 20000;
    f->config.engine.max_payload = 2000000;
    f->rig = rig_start(&rig_ops, f);
}

static void finish(struct fixture *f)
{
    if (f->rig != NULL) {
        rig_stop(f->rig);
        buf_finish(&f->journal);
    }
}
#define autofixture CLEANUP(finish)

/* Reads the answer to a CONNECT; the sid is copied unless NULL. */
static void expect_connected(struct client *ws, const char *head, char sid[21])
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

static void connect_client(struct client *ws, struct fixture *f)
{
    ws_session_open(ws, f->rig);
    ws_client_text(ws, "40");
    expect_connected(ws, "40", NULL);
}

static void expect_alive(struct client *ws)
{
    ws_client_text(ws, "42[\"echo\",\"alive\"]");
    ws_client_expect(ws, "42[\"echo\",\"alive\"]");
}

struct wanted {
    struct fixture *f;
    const char *text;
};

static bool journal_has(void *arg)
{
    struct wanted *wanted = arg;

    return wanted->f->journal.len > 0 && strstr(wanted->f->journal.data, wanted->text) != NULL;
}

static void expect_journal(struct fixture *f, const char *text)
{
    struct wanted wanted = { f, text };

    rig_wait(f->rig, journal_has, &wanted);
}

/* The truth table of protocol.md 3, as far as it depends on the connection: the main namespace is
 * joined, then this packet comes. */
static const struct {
    const char *input;
    const char *reply;  /* NULL: none */
    const char *reason; /* NULL: the connection stays */
} truths[] = {
    { "40", NULL, "forced server close" },
    { "40[]", NULL, "forced close" },
    { "40\"x\"", NULL, "forced close" },
    { "40null", NULL, "forced close" },
    { "40/nope,", "44/nope,{\"message\":\"Invalid namespace\"}", NULL },
    { "40/nope", "44/nope,{\"message\":\"Invalid namespace\"}", NULL },
    { "40/custom?a=b,", "44/custom?a=b,{\"message\":\"Invalid namespace\"}", NULL },
    { "40/custom,{\"refuse\":true}",
      "44/custom,{\"message\":\"not authorized\",\"data\":{\"code\":401}}", NULL },
    { "42/custom,[\"echo\"]", NULL, "forced server close" },
    { "42/nope,[\"echo\"]", NULL, "forced server close" },
    { "42/custom[\"echo\"]", NULL, "forced server close" },
    { "43/custom,1[]", NULL, "forced server close" },
    { "41/custom,", NULL, "forced server close" },
    { "41{}", NULL, "forced close" },
    { "44{\"message\":\"x\"}", NULL, "forced close" },
    { "42{}", NULL, "forced close" },
    { "42[]", NULL, "forced close" },
    { "42[null]", NULL, "forced close" },
    { "42[{\"toString\":\"x\"}]", NULL, "forced close" },
    { "42[[\"a\"]]", NULL, "forced close" },
    { "42[\"m\"]x", NULL, "forced close" },
    { "42[1,2]", NULL, NULL },
    { "42", NULL, NULL },
    { "42[\"connect\"]", NULL, "forced close" },
    { "42[\"connect_error\"]", NULL, "forced close" },
    { "42[\"disconnect\"]", NULL, "forced close" },
    { "42[\"disconnecting\"]", NULL, "forced close" },
    { "42[\"newListener\"]", NULL, "forced close" },
    { "42[\"removeListener\"]", NULL, "forced close" },
    { "42[\"error\",{}]", NULL, NULL },
    { "42[\"connection\"]", NULL, NULL },
    { "42[\"__proto__\"]", NULL, NULL },
    { "420[\"ack\",1]", "430[1]", NULL },
    { "42007[\"ack\"]", "437[]", NULL },
    { "429007199254740991[\"ack\"]", "439007199254740991[]", NULL },
    { "429007199254740992[\"ack\"]", NULL, "forced close" },
    { "42-1[\"ack\"]", NULL, "forced close" },
    { "421.5[\"ack\"]", NULL, "forced close" },
    { "42abc[\"ack\"]", NULL, "forced close" },
    { "42 [\"echo\"]", NULL, "forced close" },
    { "4399[1]", NULL, NULL },
    { "43[1]", NULL, NULL },
    { "4399", NULL, NULL },
    { "4399{}", NULL, "forced close" },
    { "47[\"x\"]", NULL, "forced close" },
    { "4", NULL, "forced close" },
    { "4abc", NULL, "forced close" },
    { "450-[\"a\"]", NULL, "forced close" },
    { "4599999999-[\"a\"]", NULL, "forced close" },
    { "451-[\"pic\",{\"_placeholder\":true,\"num\":0}]", NULL, "parse error" },
    { "461-1[{\"_placeholder\":true,\"num\":0}]", NULL, "parse error" },
    { "42[\"echo\",{\"_placeholder\":true,\"num\":0}]",
      "42[\"echo\",{\"_placeholder\":true,\"num\":0}]", NULL },
    { "42[\"echo\",1.0,-0,1e2]", "42[\"echo\",1.0,-0,1e2]", NULL },
    { "42[\"echo\",\"\xc3\xa9\xf0\x9f\x98\x80\"]", "42[\"echo\",\"\xc3\xa9\xf0\x9f\x98\x80\"]",
      NULL },
};

static void check_truth(struct fixture *f, size_t i)
{
    autoclient struct client ws = { 0 };
    autofree char *line = NULL;

    connect_client(&ws, f);
    print_message("%s\n", truths[i].input);
    ws_client_text(&ws, truths[i].input);
    if (truths[i].reply != NULL) {
        ws_client_expect(&ws, truths[i].reply);
    }
    if (truths[i].reason == NULL) {
        expect_alive(&ws);
        return;
    }
    ws_client_expect_close(&ws);
    line = xasprintf("[disconnect / \"%s\" rooms=0]", truths[i].reason);
    expect_journal(f, line);
}

static void clear_journal(void *arg)
{
    buf_clear(&((struct fixture *)arg)->journal);
}

static void every_packet_of_the_truth_table_does_as_stated(void **state)
{
    autofixture struct fixture f = { 0 };

    (void)state;
    run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(truths); i++) {
        rig_call(f.rig, clear_journal, &f);
        check_truth(&f, i);
    }
}

static void a_connection_without_a_namespace_stays_until_it_sends_something_for_one(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "41");
    expect_journal(&f, "[disconnect / \"client namespace disconnect\" rooms=0]");
    ws_client_text(&ws, "40");
    expect_connected(&ws, "40", NULL);
    expect_alive(&ws);
    ws_client_text(&ws, "41");
    ws_client_text(&ws, "42[\"echo\"]");
    ws_client_expect_close(&ws);
}

static void anything_before_connect_ends_the_connection(void **state)
{
    static const char *const packets[] = { "42[\"echo\"]", "41", "430[]", "42" };
    autofixture struct fixture f = { 0 };

    (void)state;
    run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        autoclient struct client ws = { 0 };

        ws_session_open(&ws, f.rig);
        ws_client_text(&ws, packets[i]);
        ws_client_expect_close(&ws);
    }
}

static void binary_without_a_header_ends_the_connection(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_send(&ws, OP_BINARY, STR("\1\2\3"));
    ws_client_expect_close(&ws);
    expect_journal(&f, "\"forced close\"");
}

static void header_fields_of_a_megabyte_end_the_connection(void **state)
{
    static const struct {
        const char *head;
        char fill;
    } packets[] = { { "40/", 'n' }, { "42", '1' }, { "45", '1' }, { "42[\"echo\",", '[' } };
    autofixture struct fixture f = { 0 };
    autobuf struct buf packet = BUF_INIT;

    (void)state;
    run(&f);
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        autoclient struct client ws = { 0 };

        connect_client(&ws, &f);
        buf_clear(&packet);
        buf_add_cstr(&packet, packets[i].head);
        memset(buf_reserve(&packet, 1000000), packets[i].fill, 1000000);
        packet.len += 1000000;
        ws_client_send(&ws, OP_TEXT, buf_str(&packet));
        ws_client_expect_close(&ws);
    }
}

static void the_application_is_given_the_auth_object(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "40/custom,{\"token\":\"abc\"}");
    expect_connected(&ws, "40/custom,", NULL);
    expect_journal(&f, "[connect / {}][connect /custom {\"token\":\"abc\"}]");
}

static void a_refused_connect_may_be_tried_again(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "40{\"refuse\":true}");
    ws_client_expect(&ws, "44{\"message\":\"not authorized\",\"data\":{\"code\":401}}");
    ws_client_text(&ws, "40");
    expect_connected(&ws, "40", NULL);
    expect_alive(&ws);
}

static bool somebody_waits(void *arg)
{
    return ((struct fixture *)arg)->waiting != NULL;
}

static void answer(void *arg)
{
    struct fixture *f = arg;

    sio_socket_emit(f->waiting, STR("too early"), STR(""));
    sio_socket_accept(TAKE(f->waiting), 1, f);
}

static void a_connect_may_be_answered_later(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "40{\"wait\":true}");
    rig_wait(f.rig, somebody_waits, &f);
    rig_call(f.rig, answer, &f);
    expect_connected(&ws, "40", NULL);
    expect_alive(&ws);
}

static void events_before_the_answer_end_the_connection(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    ws_session_open(&ws, f.rig);
    ws_client_text(&ws, "40{\"wait\":true}");
    ws_client_text(&ws, "42[\"echo\"]");
    ws_client_expect_close(&ws);
}

static void a_client_that_joins_no_namespace_is_closed(void **state)
{
    autofixture struct fixture f = { .config.connect_timeout_ms = 50 };
    autoclient struct client silent = { 0 }, refused = { 0 }, ws = { 0 };

    (void)state;
    run(&f);
    ws_session_open(&silent, f.rig);
    connect_client(&ws, &f);
    ws_session_open(&refused, f.rig);
    ws_client_text(&refused, "40/nope");
    ws_client_expect(&refused, "44/nope,{\"message\":\"Invalid namespace\"}");
    ws_client_expect_close(&refused);
    ws_client_expect_close(&silent);
    expect_alive(&ws);
}

static void namespaces_at_once_are_limited(void **state)
{
    autofixture struct fixture f = { .config.sockets_per_connection = 1 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "40/custom");
    ws_client_expect(&ws, "44/custom,{\"message\":\"Too many namespaces\"}");
    expect_alive(&ws);
}

static void a_packet_in_the_same_payload_as_connect_finds_it_answered(void **state)
{
    autofixture struct fixture f = { 0 };
    autofree char *body = NULL;
    char sid[21];

    (void)state;
    run(&f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid,
              "40\x1e"
              "420[\"ack\",1]");
    body = poll_get(f.rig, sid);
    assert_non_null(strstr(body, "\x1e"
                                 "430[1]"));
}

static void a_kicked_socket_hears_of_it_and_the_connection_stays(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "420[\"join\",\"r\"]");
    ws_client_expect(&ws, "430[true]");
    ws_client_text(&ws, "42[\"kick me\"]");
    ws_client_expect(&ws, "41");
    expect_journal(&f, "[disconnect / \"server namespace disconnect\" rooms=1]");
    ws_client_text(&ws, "40");
    expect_connected(&ws, "40", NULL);
    expect_alive(&ws);
}

static void a_kicked_connection_hears_of_it_in_every_namespace(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "40/custom");
    expect_connected(&ws, "40/custom,", NULL);
    ws_client_text(&ws, "42[\"kick all of me\"]");
    ws_client_expect(&ws, "41/custom,");
    ws_client_expect(&ws, "41");
    ws_client_expect_close(&ws);
    expect_journal(&f, "[disconnect /custom \"server namespace disconnect\" rooms=0]");
    expect_journal(&f, "[disconnect / \"server namespace disconnect\" rooms=0]");
}

static void every_socket_of_a_connection_that_ends_hears_why(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "40/custom");
    expect_connected(&ws, "40/custom,", NULL);
    ws_client_text(&ws, "42[\"join\",\"r\"]");
    expect_alive(&ws);
    client_close(&ws);
    expect_journal(&f, "[disconnect /custom \"transport close\" rooms=0]");
    expect_journal(&f, "[disconnect / \"transport close\" rooms=1]");
}

static void a_question_to_a_client_is_answered_once(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "42[\"ask me\",1]");
    ws_client_expect(&ws, "420[\"question\",1]");
    ws_client_text(&ws, "42[\"ask me\",2]");
    ws_client_expect(&ws, "421[\"question\",2]");
    ws_client_text(&ws, "431[\"b\",{\"c\":[1]}]");
    ws_client_expect(&ws, "42[\"answered\",\"b\",{\"c\":[1]}]");
    ws_client_text(&ws, "431[\"again\"]");
    ws_client_text(&ws, "430[]");
    ws_client_expect(&ws, "42[\"answered\"]");
}

static void a_question_that_is_not_answered_in_time_is_given_up(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "42[\"ask me soon\"]");
    ws_client_expect(&ws, "420[\"question\"]");
    ws_client_expect(&ws, "42[\"unanswered\"]");
    ws_client_text(&ws, "430[]");
    expect_alive(&ws);
}

static void a_question_dies_with_its_socket(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 }, other = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "42[\"ask me soon\"]");
    ws_client_text(&ws, "42[\"ask me\"]");
    ws_client_expect(&ws, "420[\"question\"]");
    ws_client_expect(&ws, "421[\"question\"]");
    client_close(&ws);
    expect_journal(&f, "[disconnect / \"transport close\"");
    connect_client(&other, &f);
    expect_alive(&other);
}

static void a_broadcast_reaches_both_transports_but_not_its_sender(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client sender = { 0 }, ws = { 0 };
    char sid[21];

    (void)state;
    run(&f);
    connect_client(&sender, &f);
    connect_client(&ws, &f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "40");
    free(poll_get(f.rig, sid));
    poll_post(f.rig, sid, "42[\"join\",\"r\"]");
    ws_client_text(&ws, "420[\"join\",\"r\"]");
    ws_client_expect(&ws, "430[true]");
    ws_client_text(&sender, "420[\"join\",\"r\"]");
    ws_client_expect(&sender, "430[true]");
    ws_client_text(&sender, "421[\"say\",\"r\"]");
    ws_client_expect(&sender, "431[2]");
    ws_client_expect(&ws, "42[\"said\",\"r\"]");
    {
        autofree char *body = poll_get(f.rig, sid);

        assert_string_equal(body, "42[\"said\",\"r\"]");
    }
    expect_alive(&sender);
}

static void a_room_of_another_scope_cannot_be_reached(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ours = { 0 }, theirs = { 0 };
    char sid[21];
    autofree char *whisper = NULL;

    (void)state;
    run(&f);
    connect_client(&ours, &f);
    ws_session_open(&theirs, f.rig);
    ws_client_text(&theirs, "40{\"scope\":2}");
    expect_connected(&theirs, "40", sid);
    ws_client_text(&ours, "420[\"join\",\"r\"]");
    ws_client_expect(&ours, "430[true]");
    ws_client_text(&theirs, "420[\"join\",\"r\"]");
    ws_client_expect(&theirs, "430[true]");
    ws_client_text(&ours, "421[\"say\",\"r\"]");
    ws_client_expect(&ours, "431[0]");
    ws_client_text(&ours, "422[\"say\"]");
    ws_client_expect(&ours, "432[0]");
    whisper = xasprintf("423[\"say\",\"%s\"]", sid);
    ws_client_text(&ours, whisper);
    ws_client_expect(&ours, "433[0]");
    expect_alive(&theirs);
}

static void a_socket_is_in_the_room_of_its_id(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 }, other = { 0 };
    autofree char *packet = NULL, *said = NULL;
    char sid[21];

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_session_open(&other, f.rig);
    ws_client_text(&other, "40");
    expect_connected(&other, "40", sid);
    packet = xasprintf("427[\"say\",\"%s\"]", sid);
    said = xasprintf("42[\"said\",\"%s\"]", sid);
    ws_client_text(&ws, packet);
    ws_client_expect(&ws, "437[1]");
    ws_client_expect(&other, said);
}

static void without_a_room_the_whole_scope_is_told(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 }, other = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    connect_client(&other, &f);
    ws_client_text(&ws, "427[\"say\"]");
    ws_client_expect(&ws, "437[1]");
    ws_client_expect(&other, "42[\"said\"]");
}

static void a_volatile_packet_is_dropped_for_who_cannot_take_it_now(void **state)
{
    autofixture struct fixture f = { 0 };
    autoclient struct client ws = { 0 };
    autofree char *body = NULL;
    char sid[21];

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    poll_open(f.rig, sid);
    poll_post(f.rig, sid, "40");
    free(poll_get(f.rig, sid));
    poll_post(f.rig, sid, "42[\"join\",\"r\"]");
    ws_client_text(&ws, "427[\"mumble\",\"r\"]");
    ws_client_expect(&ws, "437[0]");
    ws_client_text(&ws, "428[\"say\",\"r\"]");
    ws_client_expect(&ws, "438[1]");
    body = poll_get(f.rig, sid);
    assert_string_equal(body, "42[\"said\",\"r\"]");
}

static void rooms_of_a_socket_are_limited(void **state)
{
    autofixture struct fixture f = { .config.rooms_per_socket = 2 };
    autoclient struct client ws = { 0 };

    (void)state;
    run(&f);
    connect_client(&ws, &f);
    ws_client_text(&ws, "421[\"join\",\"a\"]");
    ws_client_expect(&ws, "431[true]");
    ws_client_text(&ws, "422[\"join\",\"b\"]");
    ws_client_expect(&ws, "432[true]");
    ws_client_text(&ws, "423[\"join\",\"c\"]");
    ws_client_expect(&ws, "433[false]");
    ws_client_text(&ws, "424[\"join\",\"a\"]");
    ws_client_expect(&ws, "434[true]");
    ws_client_text(&ws, "425[\"leave\",\"a\"]");
    ws_client_expect(&ws, "435[true]");
    ws_client_text(&ws, "426[\"join\",\"c\"]");
    ws_client_expect(&ws, "436[true]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_of_the_truth_table_does_as_stated),
        cmocka_unit_test(a_connection_without_a_namespace_stays_until_it_sends_something_for_one),
        cmocka_unit_test(anything_before_connect_ends_the_connection),
        cmocka_unit_test(binary_without_a_header_ends_the_connection),
        cmocka_unit_test(header_fields_of_a_megabyte_end_the_connection),
        cmocka_unit_test(the_application_is_given_the_auth_object),
        cmocka_unit_test(a_refused_connect_may_be_tried_again),
        cmocka_unit_test(a_connect_may_be_answered_later),
        cmocka_unit_test(events_before_the_answer_end_the_connection),
        cmocka_unit_test(a_client_that_joins_no_namespace_is_closed),
        cmocka_unit_test(namespaces_at_once_are_limited),
        cmocka_unit_test(a_packet_in_the_same_payload_as_connect_finds_it_answered),
        cmocka_unit_test(a_kicked_socket_hears_of_it_and_the_connection_stays),
        cmocka_unit_test(a_kicked_connection_hears_of_it_in_every_namespace),
        cmocka_unit_test(every_socket_of_a_connection_that_ends_hears_why),
        cmocka_unit_test(a_question_to_a_client_is_answered_once),
        cmocka_unit_test(a_question_that_is_not_answered_in_time_is_given_up),
        cmocka_unit_test(a_question_dies_with_its_socket),
        cmocka_unit_test(a_broadcast_reaches_both_transports_but_not_its_sender),
        cmocka_unit_test(a_room_of_another_scope_cannot_be_reached),
        cmocka_unit_test(a_socket_is_in_the_room_of_its_id),
        cmocka_unit_test(without_a_room_the_whole_scope_is_told),
        cmocka_unit_test(a_volatile_packet_is_dropped_for_who_cannot_take_it_now),
        cmocka_unit_test(rooms_of_a_socket_are_limited),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("socketio", tests, NULL, NULL);
}
