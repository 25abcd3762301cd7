/* Recovery: what a session that comes back hears, in which order, and when it is not restored. The
 * log is one in memory that answers a round later, as the store does. */
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
#include "siod/net/loop.h"
#include "tests/unit/sio_fixture.h"

enum { ROWS_MAX = 64, WINDOW_MS = 60000 };

/* ---- a log */

struct fake_row {
    char room[16], args[32];
};

struct fake_log {
    struct sio_fixture *f;
    struct fake_row rows[ROWS_MAX]; /* of positions 1, 2, … */
    int64_t position;               /* that was emitted */
    int64_t purged;                 /* rows up to this are gone */
    unsigned reads, rows_read;
    bool fails;
    bool waits; /* until log_resume() */
    struct sio_restore *reading;
    struct loop_call call;
    const char *meanwhile; /* emitted while the log is read: a room */
};

static void emit_logged(struct fake_log *log, const char *room)
{
    struct fake_row *row = &log->rows[log->position++];

    snprintf(row->room, sizeof row->room, "%s", room);
    snprintf(row->args, sizeof row->args, "%lld", (long long)log->position);
    const struct sio_broadcast broadcast = { .room = str_of(row->room),
                                             .event = STR("logged"),
                                             .args = str_of(row->args),
                                             .position = log->position };

    sio_emit(log->f->main, 1, &broadcast);
}

static void log_open(void *arg, uint64_t scope, uint64_t *ret_stream, int64_t *ret_position)
{
    const struct fake_log *log = arg;

    *ret_stream = 1000 + scope;
    *ret_position = log->position;
}

static void log_answer(struct loop_call *call)
{
    struct fake_log *log = CONTAINER_OF(call, struct fake_log, call);
    struct sio_restore *restore = log->reading;
    bool more = true;

    bool purged = log->purged > sio_restore_after(restore);
    int64_t reached = log->position;

    for (int64_t at = sio_restore_after(restore); more && at < reached && !purged; at++) {
        const struct sio_log_row row = { .position = at + 1,
                                         .room = str_of(log->rows[at].room),
                                         .event = STR("logged"),
                                         .args = str_of(log->rows[at].args) };

        more = sio_restore_row(restore, &row);
        log->rows_read++;
    }
    if (log->meanwhile != NULL) {
        emit_logged(log, TAKE(log->meanwhile));
    }
    sio_restore_read(restore, log->fails || purged, reached);
}

static void log_read(void *arg, struct sio_restore *restore)
{
    struct fake_log *log = arg;

    log->reads++;
    log->reading = restore;
    log->call.fn = log_answer;
    if (!log->waits) {
        loop_post(rig_loop(log->f->rig), &log->call);
    }
}

static void log_resume(void *arg)
{
    struct fake_log *log = arg;

    loop_post(rig_loop(log->f->rig), &log->call);
}

static const struct sio_log fake_log = { .open = log_open, .read = log_read };

/* ---- the server */

static void run(struct sio_fixture *f, struct fake_log *log)
{
    f->config.recovery = (struct sio_recovery_config) {
        .enabled = true, .window_ms = WINDOW_MS, .max_bytes = 8000, .max_sessions = 2
    };
    if (log != NULL) {
        log->f = f;
        f->log = &fake_log;
        f->log_arg = log;
    }
    sio_fixture_run(f);
}

struct emission {
    struct fake_log *log;
    const char *room;
};

static void do_emit(void *arg)
{
    const struct emission *emission = arg;

    emit_logged(emission->log, emission->room);
}

static void emit_row(struct fake_log *log, const char *room)
{
    struct emission emission = { log, room };

    rig_call(log->f->rig, do_emit, &emission);
}

static void take_stats(void *arg)
{
    void **out = arg;

    sio_recovery_stats(((struct sio_fixture *)out[0])->server, out[1]);
}

static struct sio_recovery_stats stats_of(struct sio_fixture *f)
{
    struct sio_recovery_stats stats;
    void *arg[] = { f, &stats };

    rig_call(f->rig, take_stats, arg);
    return stats;
}

/* ---- a client */

struct session {
    char sid[21], pid[32], offset[35];
};

/* The offset at the end of an event; the text before it stays. */
static void cut_offset(char *text, struct session *session)
{
    char *at = strstr(text, ",\"~");

    assert_non_null(at);
    memcpy(session->offset, at + 2, 34);
    session->offset[34] = '\0';
    assert_string_equal(at + 36, "\"]");
    memcpy(at, "]", 2);
}

/* What has come, without offsets. */
static char *hear(struct client *ws, struct session *session)
{
    struct buf heard = BUF_INIT;

    ws_client_text(ws, "42[\"echo\",\"end\"]");
    for (;;) {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        assert_true(ws_client_receive(ws, &opcode, &payload));
        if (opcode == OP_BINARY) {
            buf_printf(&heard, "(%zu) ", payload.len);
            continue;
        }
        bool end = strncmp(payload.data, "42[\"echo\",\"end\"", 15) == 0;

        cut_offset(payload.data, session);
        if (end) {
            return buf_take(&heard);
        }
        buf_printf(&heard, "%s ", payload.data);
    }
}

/* Sends the CONNECT; what comes before its answer goes to `before`. */
static void say_hello(struct client *ws, struct sio_fixture *f, const char *auth,
                      struct session *ret, struct buf *before)
{
    autobuf struct buf hello = BUF_INIT;

    ws_session_open(ws, f->rig);
    buf_printf(&hello, "40%s", auth);
    ws_client_text(ws, hello.data);
    for (;;) {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        assert_true(ws_client_receive(ws, &opcode, &payload));
        if (opcode == OP_TEXT && payload.data[1] == '0') {
            assert_int_equal(sscanf(payload.data, "40{\"sid\":\"%20[^\"]\",\"pid\":\"%31[^\"]\"}",
                                    ret->sid, ret->pid),
                             2);
            return;
        }
        if (opcode == OP_BINARY) {
            buf_printf(before, "(%zu) ", payload.len);
        } else {
            cut_offset(payload.data, ret);
            buf_printf(before, "%s ", payload.data);
        }
    }
}

static void join(struct client *ws, const char *room)
{
    autobuf struct buf event = BUF_INIT;

    buf_printf(&event, "420[\"join\",\"%s\"]", room);
    ws_client_text(ws, event.data);
    ws_client_expect(ws, "430[true]");
}

/* Connected, in the room "red", and with an offset. */
static void begin(struct client *ws, struct sio_fixture *f, struct session *ret)
{
    autobuf struct buf none = BUF_INIT;

    say_hello(ws, f, "{\"owner\":7}", ret, &none);
    assert_int_equal(none.len, 0);
    join(ws, "red");
    ws_client_text(ws, "42[\"echo\",\"begin\"]");
    {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        assert_true(ws_client_receive(ws, &opcode, &payload));
        cut_offset(payload.data, ret);
    }
}

struct kept {
    struct sio_fixture *f;
    unsigned sessions;
};

static bool has_kept(void *arg)
{
    const struct kept *kept = arg;
    struct sio_recovery_stats stats;

    sio_recovery_stats(kept->f->server, &stats);
    return stats.sessions == kept->sessions;
}

static void drop(struct client *ws, struct sio_fixture *f, unsigned kept)
{
    struct kept wanted = { f, kept };

    client_close(ws);
    rig_wait(f->rig, has_kept, &wanted);
}

/* True: as the session that it was. */
static bool come_back(struct client *ws, struct sio_fixture *f, struct session *session,
                      struct buf *before)
{
    autobuf struct buf auth = BUF_INIT;
    struct session old = *session;

    buf_printf(&auth, "{\"pid\":\"%s\",\"offset\":\"%s\",\"owner\":7}", old.pid, old.offset);
    say_hello(ws, f, auth.data, session, before);
    return strcmp(session->pid, old.pid) == 0 && strcmp(session->sid, old.sid) == 0;
}

static void speak(struct client *ws, const char *event)
{
    ws_client_text(ws, event);
    {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        assert_true(ws_client_receive(ws, &opcode, &payload));
        assert_int_equal(payload.data[1], '3');
    }
}

/* ---- tests */

static void only_what_was_for_its_rooms_is_heard_again(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    autofree char *after = NULL;
    struct session session, other;

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    speak(&speaker, "421[\"spread\",\"red blue\",\"green\"]"); /* heard */
    speak(&speaker, "422[\"spread\",\"blue\",\"\"]");
    speak(&speaker, "423[\"spread\",\"red\",\"red\"]");
    speak(&speaker, "424[\"say\",\"red\"]");           /* heard: whom it leaves out is another */
    speak(&speaker, "425[\"mumble\",\"red\"]");        /* volatile */
    speak(&speaker, "426[\"tell others\",\"red\",7]"); /* not to the owner */
    speak(&speaker, "427[\"tell others\",\"red\",9]"); /* heard */
    ws_client_text(&speaker,
                   "451-8[\"say\",{\"_placeholder\":true,\"num\":0}]"); /* to all: heard */
    ws_client_send(&speaker, OP_BINARY, STR("abc"));
    ws_client_expect(&speaker, "438[0]");

    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"spread\"] 42[\"said\",\"red\"] 42[\"others\",9] "
                                     "451-[\"said\",{\"_placeholder\":true,\"num\":0}] (3) ");
    after = hear(&ws, &session);
    assert_string_equal(after, "");
    speak(&speaker, "429[\"spread\",\"red\",\"\"]"); /* it is in its room again */
    free(after);
    after = hear(&ws, &session);
    assert_string_equal(after, "42[\"spread\"] ");
    assert_int_equal(stats_of(&f).restored, 1);
    assert_int_equal(stats_of(&f).replayed, 4);
    assert_int_equal(stats_of(&f).sessions, 0);
}

static void the_log_and_passing_events_come_in_one_order(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .position = 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    autofree char *after = NULL;
    struct session session, other;

    (void)state;
    run(&f, &log);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    emit_row(&log, "red"); /* before it joins: not for it */
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    speak(&speaker, "421[\"spread\",\"red\",\"\"]");
    emit_row(&log, "red");
    emit_row(&log, "blue");
    speak(&speaker, "422[\"say\",\"red\"]");
    emit_row(&log, "red");
    log.meanwhile = "red";
    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"spread\"] 42[\"logged\",2] 42[\"said\",\"red\"] "
                                     "42[\"logged\",4] 42[\"logged\",5] ");
    assert_int_equal(log.reads, 2);
    emit_row(&log, "red");
    after = hear(&ws, &session);
    assert_string_equal(after, "42[\"logged\",6] ");

    /* nothing is behind its offset in the log: it is not read */
    drop(&ws, &f, 1);
    buf_clear(&before);
    assert_true(come_back(&ws, &f, &session, &before));
    assert_int_equal(before.len, 0);
    assert_int_equal(log.reads, 2);
}

static void a_log_that_is_not_whole_gives_a_new_session(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .position = 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session;

    (void)state;
    run(&f, &log);
    for (int i = 0; i < 2; i++) {
        autoclient struct client ws = { 0 }, again = { 0 };

        begin(&ws, &f, &session);
        drop(&ws, &f, 1);
        emit_row(&log, "red");
        emit_row(&log, "red");
        log.purged = i == 0 ? log.position - 1 : 0;
        log.fails = i == 1;
        assert_false(come_back(&again, &f, &session, &before));
        assert_int_equal(before.len, 0);
        assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_LOG], i + 1);
        assert_int_equal(stats_of(&f).sessions, 0);
        ws_client_text(&again, "41"); /* it leaves no session behind */
        expect_journal(&f, "client namespace disconnect");
    }
}

static void a_client_that_goes_while_its_log_is_read_comes_back_later(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .position = 0 };
    autoclient struct client ws = { 0 }, hasty = { 0 };
    autobuf struct buf before = BUF_INIT, hello = BUF_INIT;
    struct session session;

    (void)state;
    run(&f, &log);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    emit_row(&log, "red");
    for (int i = 0; i < 20; i++) {
        ws_session_open(&hasty, f.rig);
        buf_clear(&hello);
        buf_printf(&hello, "40{\"pid\":\"%s\",\"offset\":\"%s\",\"owner\":7}", session.pid,
                   session.offset);
        ws_client_text(&hasty, hello.data);
        client_close(&hasty);
    }
    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"logged\",1] ");
}

static void what_is_more_than_the_limit_gives_a_new_session(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session, other;
    char event[400];

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    snprintf(event, sizeof event, "421[\"say\",[\"%0*d\"]]", 300, 1);
    for (int i = 0; i < 50; i++) {
        speak(&speaker, event);
    }
    assert_in_range(stats_of(&f).event_bytes, 4000, 8000);
    assert_false(come_back(&ws, &f, &session, &before));
    assert_int_equal(before.len, 0);
    assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_OVERFLOW], 1);
}

static void shrink_queue(void *arg)
{
    struct sio_fixture *f = arg;

    f->config.engine.queue_bytes = 2000;
    sio_server_reconfigure(f->server, &f->config);
}

/* A client that was sent more than may wait for it would be cut, come back, and be cut again. */
static void what_is_sent_again_fits_the_queue_that_a_reload_left(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session, other;
    char event[400];

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    snprintf(event, sizeof event, "421[\"say\",[\"%0*d\"]]", 300, 1);
    for (int i = 0; i < 5; i++) {
        speak(&speaker, event);
    }
    rig_call(f.rig, shrink_queue, &f);
    assert_false(come_back(&ws, &f, &session, &before));
    assert_int_equal(before.len, 0);
    assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_TOO_MUCH], 1);
}

static void the_oldest_session_goes_when_there_are_too_many(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session sessions[3];

    (void)state;
    run(&f, NULL);
    for (unsigned i = 0; i < 3; i++) {
        autoclient struct client ws = { 0 };

        begin(&ws, &f, &sessions[i]);
        if (i < 2) {
            drop(&ws, &f, i + 1);
        }
    }
    for (unsigned end = 0; stats_of(&f).forgotten == 0; end++) {
        assert_true(end < 100000);
    }
    for (unsigned i = 0; i < 3; i++) {
        autoclient struct client ws = { 0 };

        assert_int_equal(come_back(&ws, &f, &sessions[i], &before), i > 0);
        if (i == 0) {
            ws_client_text(&ws, "41"); /* the new one is not to take another's place */
            expect_journal(&f, "client namespace disconnect");
        }
    }
    assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_UNKNOWN], 1);
}

static void who_left_or_spoke_nonsense_does_not_come_back(void **state)
{
    static const char *const ends[] = { "41", "42[\"kick me\"]", "42[\"kick all of me\"]" };
    autosio struct sio_fixture f = { 0 };
    autobuf struct buf before = BUF_INIT;
    autoclient struct client broken = { 0 }, again = { 0 };
    struct session session;

    (void)state;
    run(&f, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        autoclient struct client ws = { 0 }, new = { 0 };

        begin(&ws, &f, &session);
        ws_client_text(&ws, ends[i]);
        if (i > 0) {
            ws_client_expect(&ws, "41");
        } else {
            expect_journal(&f, "client namespace disconnect");
        }
        assert_int_equal(stats_of(&f).sessions, 0);
        assert_false(come_back(&new, &f, &session, &before));
        ws_client_text(&new, "41");
    }
    begin(&broken, &f, &session);
    ws_client_text(&broken, "9"); /* no packet of Engine.IO */
    ws_client_expect_close(&broken);
    assert_false(come_back(&again, &f, &session, &before));
}

static void what_was_said_before_it_joined_is_not_heard_again(void **state)
{
    autosio struct sio_fixture f = { 0 };
    autoclient struct client speaker = { 0 }, ws = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session, other;

    (void)state;
    run(&f, NULL);
    say_hello(&speaker, &f, "{\"owner\":8}", &other, &before);
    join(&speaker, "red"); /* the room is there all the time */
    say_hello(&ws, &f, "{\"owner\":7}", &session, &before);
    free(hear(&ws, &session));
    speak(&speaker, "421[\"say\",\"red\"]");
    join(&ws, "red");
    speak(&speaker, "422[\"say\",\"red\"]");
    drop(&ws, &f, 1);
    assert_true(come_back(&ws, &f, &session, &before));
    assert_string_equal(before.data, "42[\"said\",\"red\"] ");
    assert_int_equal(stats_of(&f).replayed, 1);
}

/* ---- while the log is read */

static void clear_journal(void *arg)
{
    buf_clear(&((struct sio_fixture *)arg)->journal);
}

/* A round later than what was posted. */
static void log_idle(void *arg)
{
    (void)arg;
}

/* Comes back; the log waits. */
static void come_back_half(struct client *ws, struct sio_fixture *f, const struct session *session)
{
    autobuf struct buf hello = BUF_INIT;

    ws_session_open(ws, f->rig);
    buf_printf(&hello, "40{\"pid\":\"%s\",\"offset\":\"%s\",\"owner\":7}", session->pid,
               session->offset);
    ws_client_text(ws, hello.data);
}

static void expect_message(struct client *ws, unsigned wanted, const char *text)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    assert_true(ws_client_receive(ws, &opcode, &payload));
    assert_int_equal(opcode, wanted);
    assert_true(str_eq(buf_str(&payload), str_of(text)));
}

/* All that was sent has been handled. */
static void expect_pong(struct client *ws)
{
    ws_client_send(ws, OP_PING, STR("?"));
    expect_message(ws, OP_PONG, "?");
}

static void expect_echo(struct client *ws, const char *text)
{
    struct session session;
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    assert_true(ws_client_receive(ws, &opcode, &payload));
    cut_offset(payload.data, &session);
    assert_string_equal(payload.data, text);
}

static void what_comes_behind_the_connect_waits_for_the_log(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .position = 0 };
    struct session session;

    (void)state;
    run(&f, &log);
    for (int i = 0; i < 2; i++) { /* is restored, or begins anew */
        autoclient struct client ws = { 0 };
        autobuf struct buf answer = BUF_INIT;
        unsigned opcode;

        begin(&ws, &f, &session);
        drop(&ws, &f, 1);
        emit_row(&log, "red");
        log.waits = true;
        log.fails = i == 1;
        come_back_half(&ws, &f, &session);
        ws_client_text(&ws, "42[\"echo\",\"early\"]");
        ws_client_text(&ws, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
        ws_client_send(&ws, OP_BINARY, STR("abc"));
        ws_client_text(&ws, "427[\"ack\",\"me\"]");
        expect_pong(&ws);
        log.waits = false;
        rig_call(f.rig, log_resume, &log);
        if (i == 0) {
            expect_echo(&ws, "42[\"logged\",1]");
        }
        assert_true(ws_client_receive(&ws, &opcode, &answer));
        assert_memory_equal(answer.data, "40{\"sid\"", 8);
        expect_echo(&ws, "42[\"echo\",\"early\"]");
        expect_echo(&ws, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
        expect_message(&ws, OP_BINARY, "abc");
        ws_client_expect(&ws, "437[\"me\"]");
        ws_client_text(&ws, "41");
        expect_journal(&f, "client namespace disconnect");
    }
    assert_int_equal(stats_of(&f).restored, 1);
}

static void too_much_behind_the_connect_closes_the_connection(void **state)
{
    static const struct {
        int size, count;
    } cases[] = { { 10, 65 }, { 400000, 5 } };
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .waits = true };
    struct session session;

    (void)state;
    run(&f, &log);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autoclient struct client ws = { 0 }, again = { 0 };
        autobuf struct buf event = BUF_INIT, before = BUF_INIT;

        begin(&ws, &f, &session);
        drop(&ws, &f, 1);
        emit_row(&log, "red");
        buf_printf(&event, "42[\"echo\",\"%0*d\"]", cases[i].size, 0);
        come_back_half(&ws, &f, &session);
        for (int n = 0; n < cases[i].count; n++) {
            ws_client_text(&ws, event.data);
        }
        ws_client_expect_close(&ws);
        rig_call(f.rig, log_resume, &log);
        log.waits = false; /* and the session is still there */
        assert_true(come_back(&again, &f, &session, &before));
        assert_memory_equal(before.data, "42[\"logged\"", 11);
        log.waits = true;
        rig_call(f.rig, clear_journal, &f);
        ws_client_text(&again, "41"); /* it leaves no session behind */
        expect_journal(&f, "client namespace disconnect");
    }
}

static void a_log_is_not_read_to_its_end_for_nobody(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .waits = true };
    autoclient struct client ws = { 0 };
    struct session session;

    (void)state;
    run(&f, &log);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    for (int i = 0; i < 9; i++) {
        emit_row(&log, "red");
    }
    come_back_half(&ws, &f, &session);
    expect_pong(&ws);
    rig_call(f.rig, clear_journal, &f);
    client_close(&ws);
    expect_journal(&f, "[disconnect / \"transport close\" rooms=0]");
    rig_call(f.rig, log_resume, &log);
    rig_call(f.rig, log_idle, NULL);
    assert_int_equal(log.rows_read, 1);
}

static void who_leaves_while_its_log_is_read_does_not_come_back(void **state)
{
    autosio struct sio_fixture f = { 0 };
    struct fake_log log = { .waits = true };
    autoclient struct client ws = { 0 }, again = { 0 };
    autobuf struct buf before = BUF_INIT;
    struct session session;

    (void)state;
    run(&f, &log);
    begin(&ws, &f, &session);
    drop(&ws, &f, 1);
    emit_row(&log, "red");
    come_back_half(&ws, &f, &session);
    ws_client_text(&ws, "42[\"echo\",\"never heard\"]");
    ws_client_text(&ws, "41");
    expect_pong(&ws);
    assert_int_equal(stats_of(&f).sessions, 0);
    log.waits = false;
    rig_call(f.rig, log_resume, &log);
    assert_false(come_back(&again, &f, &session, &before));
    assert_int_equal(stats_of(&f).refused[SIO_RECOVERY_UNKNOWN], 1);
    ws_client_text(&ws, "40"); /* the connection is good for a new session */
    expect_journal(&f, "[connect / {}]");
    assert_null(strstr(f.journal.data, "never heard"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_for_its_rooms_is_heard_again),
        cmocka_unit_test(the_log_and_passing_events_come_in_one_order),
        cmocka_unit_test(a_log_that_is_not_whole_gives_a_new_session),
        cmocka_unit_test(a_client_that_goes_while_its_log_is_read_comes_back_later),
        cmocka_unit_test(what_is_more_than_the_limit_gives_a_new_session),
        cmocka_unit_test(what_is_sent_again_fits_the_queue_that_a_reload_left),
        cmocka_unit_test(the_oldest_session_goes_when_there_are_too_many),
        cmocka_unit_test(what_was_said_before_it_joined_is_not_heard_again),
        cmocka_unit_test(what_comes_behind_the_connect_waits_for_the_log),
        cmocka_unit_test(too_much_behind_the_connect_closes_the_connection),
        cmocka_unit_test(a_log_is_not_read_to_its_end_for_nobody),
        cmocka_unit_test(who_leaves_while_its_log_is_read_does_not_come_back),
        cmocka_unit_test(who_left_or_spoke_nonsense_does_not_come_back),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
