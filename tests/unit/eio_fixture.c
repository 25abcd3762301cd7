#undef NDEBUG
#include "tests/unit/eio_fixture.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"

static void on_open(void *arg, struct eio_session *session)
{
    struct eio_fixture *f = arg;
    struct str query = eio_session_query(session);

    f->opened++;
    f->last = session;
    snprintf(f->query, sizeof f->query, "%.*s", STR_ARG(query));
}

static void send_text(struct eio_session *session, const char *text)
{
    struct frame *frame = frame_text2(STR("4"), str_of(text));

    eio_session_send(session, frame);
    frame_unref(frame);
}

static void send_burst(struct eio_session *session, int count)
{
    char text[16];

    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%d", i);
        send_text(session, text);
    }
}

static void send_fill(struct eio_session *session, size_t count, size_t size)
{
    autobuf struct buf text = BUF_INIT;

    memset(buf_reserve(&text, size), 'x', size);
    text.len = size;
    text.data[size] = '\0';
    while (count-- > 0) {
        send_text(session, text.data);
    }
}

static void on_message(struct eio_session *session, bool binary, struct str payload)
{
    struct eio_fixture *f = eio_session_arg(session);
    struct frame *frame;

    if (payload.len < 100) {
        buf_printf(&f->heard, "[%.*s]", STR_ARG(payload));
    }
    if (binary) {
        frame = frame_binary(payload);
        eio_session_send(session, frame);
        frame_unref(frame);
    } else if (str_eq(payload, STR("close me"))) {
        eio_session_close(session, EIO_REASON_FORCED_SERVER_CLOSE);
    } else if (str_eq(payload, STR("say bye and close me"))) {
        send_text(session, "bye");
        eio_session_close(session, EIO_REASON_FORCED_SERVER_CLOSE);
    } else if (str_eq(payload, STR("burst and close me"))) {
        send_burst(session, 20);
        eio_session_close(session, EIO_REASON_FORCED_SERVER_CLOSE);
    } else if (str_eq(payload, STR("burst"))) {
        send_burst(session, 40);
    } else if (str_eq(payload, STR("fill"))) {
        send_fill(session, 3, MAX_PAYLOAD / 2);
    } else if (str_eq(payload, STR("flood"))) {
        send_fill(session, FLOOD_COUNT, FLOOD_SIZE);
    } else if (!str_eq(payload, STR("quiet"))) {
        frame = frame_text2(STR("4"), payload);
        eio_session_send(session, frame);
        frame_unref(frame);
    }
}

static void on_close(struct eio_session *session, enum eio_reason reason)
{
    struct eio_fixture *f = eio_session_arg(session);

    f->closed++;
    f->reason = reason;
    f->last = f->last == session ? NULL : f->last;
    send_text(session, "too late"); /* allowed, and without effect */
    eio_session_close(session, EIO_REASON_FORCED_CLOSE);
}

static const struct eio_ops ops = { on_open, on_message, on_close };

static struct eio_server *start(struct rig *rig, void *arg)
{
    struct eio_fixture *f = arg;

    f->config.ops = &ops;
    f->config.arg = f;
    f->server = eio_server_new(rig_loop(rig), &f->config);
    return f->server;
}

static void stop(void *arg)
{
    struct eio_fixture *f = arg;

    eio_server_free(f->server);
    assert(f->opened == f->closed);
}

static const struct rig_ops rig_ops = { start, stop };

void eio_fixture_run(struct eio_fixture *f)
{
    if (f->config.ping_interval_ms == 0) {
        f->config.ping_interval_ms = 25000;
        f->config.ping_timeout_ms = 20000;
    }
    if (f->config.max_payload == 0) {
        f->config.max_payload = MAX_PAYLOAD;
    }
    f->rig = rig_start(&rig_ops, f);
}

void eio_fixture_finish(struct eio_fixture *f)
{
    if (f->rig != NULL) {
        rig_stop(f->rig);
        buf_finish(&f->heard);
    }
}

struct session_counts {
    const struct eio_fixture *f;
    unsigned opened, closed;
};

static void count_sessions(void *arg)
{
    struct session_counts *counts = arg;

    counts->opened = counts->f->opened;
    counts->closed = counts->f->closed;
}

void expect_sessions(struct eio_fixture *f, unsigned opened, unsigned closed)
{
    struct session_counts counts = { .f = f };

    rig_call(f->rig, count_sessions, &counts);
    assert_int_equal(counts.opened, opened);
    assert_int_equal(counts.closed, closed);
}

static bool has_closed(void *arg)
{
    struct eio_fixture *f = arg;

    return f->closed > 0;
}

void expect_closed(struct eio_fixture *f, enum eio_reason reason)
{
    rig_wait(f->rig, has_closed, f);
    assert_int_equal(f->reason, reason);
    assert_int_equal(f->closed, 1);
}

void expect_body(const struct reply *reply, const char *body)
{
    assert_string_equal(reply->body.data != NULL ? reply->body.data : "", body);
}

void expect_parked_reply(struct client *client, const char *body)
{
    autoreply struct reply reply = { 0 };

    assert_true(client_receive_reply(client, &reply));
    assert_int_equal(reply.status, 200);
    expect_body(&reply, body);
}

void expect_poll(struct eio_fixture *f, const char *sid, const char *body)
{
    autofree char *text = poll_get(f->rig, sid);

    assert_string_equal(text, body);
}

void expect_unknown(struct eio_fixture *f, const char *sid)
{
    autofree char *target = xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    autoreply struct reply reply = { 0 };

    http_exchange(f->rig, "GET", target, "", STR_NONE, &reply);
    assert_int_equal(reply.status, 400);
    expect_body(&reply, "{\"code\":1,\"message\":\"Session ID unknown\"}");
}

/* The server has seen what was sent on connections that nobody answers yet. */
static bool polls_are_parked(void *arg)
{
    struct eio_fixture *f = arg;

    return f->last != NULL && eio_session_writable(f->last);
}

void eio_fixture_park(struct client *client, struct eio_fixture *f, const char *sid)
{
    poll_park(client, f->rig, sid);
    rig_wait(f->rig, polls_are_parked, f);
}

void eio_fixture_probe(struct client *ws, struct eio_fixture *f, const char *sid)
{
    autofree char *query = xasprintf("&sid=%s", sid);

    ws_client_open(ws, f->rig, query);
    ws_client_text(ws, "2probe");
    ws_client_expect(ws, "3probe");
}
