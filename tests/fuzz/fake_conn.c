#include "tests/fuzz/fake_conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "libshared/alloc.h"

void fake_fail(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    abort();
}

struct conn *fake_conn_new(struct loop *loop, size_t limit)
{
    struct conn *conn = xnew(struct conn);

    conn->loop = loop;
    conn->limit = limit;
    return conn;
}

void fake_conn_free(struct conn *conn)
{
    REQUIRE(conn->over);
    buf_finish(&conn->input);
    buf_finish(&conn->output);
    buf_finish(&conn->received);
    free(conn);
}

static void die(struct conn *conn, enum conn_end end)
{
    if (!conn->dead) {
        conn->dead = true;
        conn->end = end;
    }
}

/* In memory of its own, so that a sanitizer sees the first read behind it. */
static void deliver(struct conn *conn)
{
    autobuf struct buf input = conn->input;
    char *copy = xmemdup(input.data, input.len);

    conn->input = (struct buf)BUF_INIT;
    conn->ops->on_data(conn, (struct str) { copy, input.len });
    free(copy);
}

static bool can_read(const struct conn *conn)
{
    return !conn->closing && !conn->dead && !conn->over && !conn->paused && conn->input.len > 0;
}

void fake_conn_write(struct conn *conn, struct str bytes)
{
    buf_add_str(&conn->input, bytes);
    if (can_read(conn)) {
        deliver(conn);
    }
}

void fake_conn_hang_up(struct conn *conn)
{
    die(conn, CONN_END_PEER);
}

static bool finish(struct conn *conn)
{
    conn->over = true;
    conn->ops->on_close(conn, conn->end);
    return true;
}

/* True when there was something to take. */
static bool take_output(struct conn *conn)
{
    bool some = conn->output.len > 0;

    buf_add_str(&conn->received, buf_str(&conn->output));
    buf_clear(&conn->output);
    return some;
}

bool fake_conn_settle(struct conn *conn)
{
    bool moved;

    if (conn->over) {
        return false;
    }
    if (conn->dead) {
        return finish(conn);
    }
    if (conn->stuck && conn->output.len > 0) {
        return false;
    }
    moved = take_output(conn);
    if (conn->closing) {
        die(conn, CONN_END_LOCAL);
        return finish(conn);
    }
    if (conn->busy) {
        conn->busy = false;
        if (conn->ops->on_drain != NULL) {
            conn->ops->on_drain(conn);
        }
    }
    if (can_read(conn)) {
        deliver(conn);
        return true;
    }
    return moved;
}

void conn_take(struct conn *conn, const struct conn_ops *ops, void *user)
{
    conn->ops = ops;
    conn->user = user;
}

void *conn_user(const struct conn *conn)
{
    return conn->user;
}

struct loop *conn_loop(const struct conn *conn)
{
    return conn->loop;
}

void conn_send(struct conn *conn, struct frame *frame)
{
    REQUIRE(!conn->over);
    if (conn->closing || conn->dead) {
        return;
    }
    if (conn->limit > 0 && conn->output.len > 0 && conn->output.len + frame->len > conn->limit) {
        die(conn, CONN_END_SLOW);
        return;
    }
    buf_add(&conn->output, frame->bytes, frame->len);
    conn->busy = true;
}

void conn_send_bytes(struct conn *conn, struct str bytes)
{
    struct frame *frame = frame_raw(bytes);

    conn_send(conn, frame);
    frame_unref(frame);
}

size_t conn_pending(const struct conn *conn)
{
    return conn->output.len;
}

bool conn_admit(struct conn *conn, size_t bytes)
{
    (void)conn;
    (void)bytes;
    return true;
}

bool conn_is_behind(const struct conn *conn)
{
    (void)conn;
    return false;
}

size_t conn_unread(const struct conn *conn)
{
    return conn_pending(conn);
}

uint64_t conn_taken(const struct conn *conn)
{
    (void)conn;
    return 0;
}

void conn_close(struct conn *conn)
{
    conn->closing = true;
}

void conn_abort(struct conn *conn)
{
    die(conn, CONN_END_LOCAL);
}

void conn_pause(struct conn *conn, bool paused)
{
    conn->paused = paused;
}

const char *conn_peer(const struct conn *conn)
{
    (void)conn;
    return "203.0.113.9:51000";
}

bool conn_is_tls(const struct conn *conn)
{
    (void)conn;
    return false;
}
