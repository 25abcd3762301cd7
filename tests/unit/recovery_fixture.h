/* For tests of recovery: a log in memory that answers a round later, as the store does, and a
 * client that comes back. */
#pragma once

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
