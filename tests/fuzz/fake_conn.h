/* Connections without sockets: what siod/net/transport.h says of a struct conn, with the target as
 * the peer. Linked instead of the layer's output.c; the target ends each round with
 * fake_conn_settle(), as the transport does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/buf.h"
#include "siod/net/transport.h"

struct loop;

struct conn {
    struct loop *loop;
    const struct conn_ops *ops;
    void *user;
    struct buf input;    /* written by the peer, not read yet because reading is paused */
    struct buf output;   /* sent by the server, not taken by the peer yet */
    struct buf received; /* taken: the peer reads and consumes it */
    size_t limit;        /* of `output`; 0 = none */
    enum conn_end end;
    bool closing; /* conn_close() */
    bool dead;    /* ends with this round, as `end` says */
    bool over;    /* on_close was called */
    bool busy;    /* on_drain is owed */
    bool paused;
    bool stuck; /* the peer does not read */
};

/* Returns owned; hand it to http_server_accept(). */
struct conn *fake_conn_new(struct loop *loop, size_t limit);
/* Only when it is over. */
void fake_conn_free(struct conn *conn);
/* The peer writes. Nobody hears it on a connection that is closing. */
void fake_conn_write(struct conn *conn, struct str bytes);
/* The peer is gone. */
void fake_conn_hang_up(struct conn *conn);
/* What the transport does at the end of a round: writes, tells, closes. False when nothing moved.
 */
bool fake_conn_settle(struct conn *conn);

/* Ends the process unless the condition holds, whatever NDEBUG says. */
#define REQUIRE(condition) ((condition) ? (void)0 : fake_fail(__FILE__, __LINE__, #condition))
NORETURN void fake_fail(const char *file, int line, const char *text);
