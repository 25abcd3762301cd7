/* One epoll and the TCP connections on it, for the load generator and for the server that shows
 * what the kernel allows: bytes are received into one large buffer that all share, and what a round
 * of the loop writes to a connection leaves in one send() at the round's end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/buf.h"
#include "libshared/str.h"

struct conn;
struct loop;

struct conn_ops {
    /* The TCP connection is there; not called for conn_adopt(). */
    void (*connected)(struct conn *conn);
    /* Takes whole units from the start of `bytes` (borrowed) and returns how many bytes those were;
     * the rest comes again with what follows it. */
    size_t (*received)(struct conn *conn, struct str bytes);
    /* Refused, or closed by the other side; not called for conn_close(). */
    void (*closed)(struct conn *conn);
};

/* Embedded in what it is a connection of; zero-initialised but for `ops`. The loop may hold its
 * address until loop_free(). */
struct conn {
    const struct conn_ops *ops;
    struct loop *loop;
    int fd;
    bool connecting, open, dirty, blocked;
    size_t sent; /* bytes of `out` that have left */
    struct buf out;
    struct buf rest; /* the start of a unit that is not complete */
};

/* Returns owned; ends the process when the kernel has none. host and port: of the server, the other
 * side's or, after loop_listen(), one's own. */
NODISCARD
struct loop *loop_new(const char *host, unsigned port);
/* Accepts connections from now on; accepted(arg, fd) owns each descriptor. */
void loop_listen(struct loop *loop, void (*accepted)(void *arg, int fd), void *arg);
void loop_free(struct loop *loop);
/* When the bytes now being looked at were received: CLOCK_MONOTONIC in nanoseconds. */
uint64_t loop_now(const struct loop *loop);
/* One round: sends what is queued, then waits at most `timeout_ms`. */
void loop_round(struct loop *loop, int timeout_ms);
void loop_run_for(struct loop *loop, double seconds);
/* Rounds until done(arg); false when `seconds` passed before. */
bool loop_run_until(struct loop *loop, double seconds, bool (*done)(void *arg), void *arg);

/* Starts a connection to the loop's server. The source address is one of several of 127.0.0.0/8
 * when the server's is, so that ports do not run out. */
void conn_open(struct loop *loop, struct conn *conn);
/* Takes an accepted descriptor. */
void conn_adopt(struct loop *loop, struct conn *conn, int fd);
/* Resets the connection: no TIME_WAIT stays behind. Nothing happens when it is not open. */
void conn_close(struct conn *conn);
/* Appended to conn->out, the bytes leave at the end of the round. */
struct buf *conn_out(struct conn *conn);
