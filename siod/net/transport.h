/* Byte streams: listening, accepting, TLS, reading, and one bounded output queue per connection.
 *
 * transport.c is the only file that knows libwebsockets: connections are adopted into its raw
 * socket role on our own libev loop. Output is a queue of shared frames; at the end of a loop round
 * each connection with something to send gets one write. A connection whose queue would exceed
 * `queue_bytes` is cut (`slow consumer`), unless by a burst that was admitted.
 *
 * A connection dies only at the end of a round: conn_close() and a peer's reset mark it, `on_close`
 * is called exactly once, and after that the pointer is dead. No callback is made from inside
 * conn_send() or conn_close(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/net/frame.h"

struct conn;
struct listener;
struct loop;
struct transport;

/* Why a connection ended. */
enum conn_end {
    CONN_END_PEER,     /* the peer closed or reset it */
    CONN_END_LOCAL,    /* conn_close() */
    CONN_END_SLOW,     /* its output queue overflowed */
    CONN_END_TIMEOUT,  /* TLS handshake or close took too long */
    CONN_END_SHUTDOWN, /* transport_free() */
};
const char *conn_end_name(enum conn_end end);

/* The owner of a connection's input. All may be called with conn_user(conn) as set by conn_take().
 */
struct conn_ops {
    /* Bytes arrived; borrowed for the call. */
    void (*on_data)(struct conn *conn, struct str bytes);
    /* Optional: the queue is empty again after it had been non-empty. */
    void (*on_drain)(struct conn *conn);
    void (*on_close)(struct conn *conn, enum conn_end end);
};

struct transport_limits {
    unsigned connections;  /* 0 = no limit; past it a connection is accepted, sent the listener's
                              `refuse` and closed */
    size_t queue_bytes;    /* of one connection's output queue; 0 = no limit. A single larger frame
                              passes when nothing else is pending */
    uint64_t handshake_ms; /* for TLS to be agreed on and the first bytes to come; 0 = 10 s */
};

/* Returns owned. */
NODISCARD
struct transport *transport_new(struct loop *loop, const struct transport_limits *limits);
/* From now on; nobody is cut who was within the limits before. */
void transport_set_limits(struct transport *transport, const struct transport_limits *limits);
/* Closes every connection (CONN_END_SHUTDOWN) and listener. */
void transport_free(struct transport *transport);

struct tls_files {
    const char *cert_file; /* PEM chain */
    const char *key_file;  /* PEM */
};

/* Can they be read, and does the key fit? The error names the file. */
NODISCARD
enum err tls_files_check(const struct tls_files *files, struct errmsg *msg);

struct listen_options {
    const char *address; /* "127.0.0.1:3000", "[::1]:0", ":3000" (all), "unix:/path", "/path",
                          * or "fd:3" for a listening socket that was inherited */
    const struct tls_files *tls; /* NULL = plain */
    mode_t unix_mode;            /* permissions of a Unix socket, e.g. 0660 */
    const char *refuse; /* borrowed: sent to a plain connection past the limit, NULL = nothing */
    bool exempt;        /* not subject to limits.connections, and may use the last descriptors:
                           control and admin listeners */
    /* A connection was accepted (with TLS: and sent its first bytes): the callee calls conn_take().
     */
    void (*on_accept)(void *arg, struct conn *conn);
    void *arg;
};
/* A Unix path on which somebody answers is ERR_EXISTS; a stale socket file is replaced; a listening
 * TCP port in use is ERR_EXISTS too. *ret is owned by the transport. msg names the address. */
NODISCARD
enum err transport_listen(struct transport *transport, const struct listen_options *options,
                          struct listener **ret, struct errmsg *msg);
/* "127.0.0.1:41234" with the port that was picked, or the Unix path. */
const char *listener_address(const struct listener *listener);
bool listener_is_unix(const struct listener *listener);
bool listener_is_tls(const struct listener *listener);
/* Stop accepting on this listener, at shutdown. The Unix socket file is removed. */
void listener_close(struct listener *listener);
/* What connections that are accepted from now on speak: TLS with these files, which are read again
 * in any case, or plain (NULL). Nothing changes when they cannot be loaded, and on a Unix socket,
 * which is always plain. */
NODISCARD
enum err listener_set_tls(struct listener *listener, const struct tls_files *files,
                          struct errmsg *msg);

/* Become (or hand over to) the owner of the connection's input; ops and user are borrowed as long
 * as the conn lives. */
void conn_take(struct conn *conn, const struct conn_ops *ops, void *user);
void *conn_user(const struct conn *conn);
struct loop *conn_loop(const struct conn *conn);

/* Queue the frame's bytes; takes no reference of the caller's (adds its own). Ignored on a
 * connection that is closing. */
void conn_send(struct conn *conn, struct frame *frame);
/* The same for bytes that only this connection gets; copied. */
void conn_send_bytes(struct conn *conn, struct str bytes);
/* Bytes queued here and in the library, not yet taken by the kernel. */
size_t conn_pending(const struct conn *conn);
/* Before a burst of about so many bytes is sent: may it be queued although it is more than
 * queue_bytes? False for who has to catch up first. */
NODISCARD
bool conn_admit(struct conn *conn, size_t bytes);
/* Should what can wait be sent later? */
NODISCARD
bool conn_is_behind(const struct conn *conn);

/* Bytes that the peer has not acknowledged; asked of the kernel, beside what is pending here. */
size_t conn_unread(const struct conn *conn);
/* A number that is another one when the peer has taken any of them. */
uint64_t conn_taken(const struct conn *conn);

/* Close when the queue has been written, or after 5 s at the latest. Input is ignored from now on.
 * What was written is followed by a half-close, and the peer has 2 s to close its side, so that the
 * last bytes are not lost to a reset. */
void conn_close(struct conn *conn);
/* Close at the end of this round, dropping the queue. */
void conn_abort(struct conn *conn);
/* Stop and start reading from the peer (back-pressure). */
void conn_pause(struct conn *conn, bool paused);
/* Has the peer of a Unix socket closed both its sides? Can be told while reading is paused. */
bool conn_hung_up(const struct conn *conn);

/* "203.0.113.9:51000", or "unix". Valid as long as the conn. */
const char *conn_peer(const struct conn *conn);
bool conn_is_tls(const struct conn *conn);
/* Credentials of the process at the other end of a Unix socket (SO_PEERCRED); false on TCP. */
bool conn_credentials(const struct conn *conn, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid);

/* Counters since the start, and what is open now. */
struct transport_stats {
    uint64_t accepted, slow_consumers, bytes_in, bytes_out;
    uint64_t refused; /* for any reason */
    uint64_t limited; /* by limits.connections */
    unsigned open;
};
void transport_stats(const struct transport *transport, struct transport_stats *ret_stats);
