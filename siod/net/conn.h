/* Private to the transport: its structs, and the functions that its files share.
 *
 * transport.c owns libwebsockets (the link_ functions), output.c the queues and the end of the
 * round, listener.c addresses and accepting, tls.c certificates. */
#pragma once

#include <sys/stat.h>

#include <ev.h>

#include "siod/net/loop.h"
#include "siod/net/transport.h"

struct lws;
struct lws_context;
struct lws_vhost;
struct ssl_ctx_st;

enum {
    CHUNK_FRAMES = 14,
    WRITE_MAX = 1 << 20,  /* bytes handed to the library at once */
    CLOSE_MS = 5000,      /* to write what is queued when closing */
    LINGER_MS = 2000,     /* for the peer to close its side */
    HANDSHAKE_MS = 10000, /* of TLS, and for the first bytes */
};

/* A piece of a connection's output queue. Spare ones are kept, an idle connection has none. */
struct chunk {
    struct chunk *next;
    uint32_t first, end; /* frames[first … end) are queued */
    struct frame *frames[CHUNK_FRAMES];
};

enum conn_state {
    CONN_OPEN,
    CONN_CLOSING, /* writes what is queued, then lingers */
    CONN_LINGER,  /* half-closed, waits for the peer */
    CONN_DEAD,    /* ends with this round */
};

enum { EXTRA_BLOCK = 4096 };

/* What every frame needs comes first, within two cache lines. */
struct conn {
    struct transport *transport;
    struct lws *wsi; /* NULL once the library has closed it */
    const struct conn_ops *ops;
    union {
        struct listener *listener; /* until it is handed out */
        void *user;
    };
    struct conn *next_attention;
    struct chunk *head, *tail;
    uint32_t queued;       /* bytes of the frames in the chunks that were not yet written */
    uint32_t head_written; /* of the first frame */
    uint32_t in_library;   /* at most so much is still buffered by the library */
    uint16_t extra_blocks; /* of EXTRA_BLOCK bytes: what may be queued above the limit */
    unsigned state : 2;    /* enum conn_state */
    unsigned end : 3;      /* enum conn_end */
    bool attention : 1;    /* in the list for the end of the round */
    bool accepted : 1;
    bool tls : 1;
    bool local : 1;   /* a Unix socket */
    bool counted : 1; /* against limits.connections */
    bool busy : 1;    /* on_drain is owed when the queue is empty */
    bool blocked : 1; /* the library holds bytes that the kernel did not take */
    bool second : 1;  /* queue_extra.is_second */
    bool paused : 1;
    bool reading : 1;
    struct timer timer; /* of the TLS handshake, of closing and lingering */
    struct conn *prev, *next;
    char peer[];
};

struct listener {
    struct listener *prev, *next;
    struct transport *transport;
    struct lws_vhost *vhost;
    struct ssl_ctx_st *tls_context; /* the vhost's; NULL while it has not spoken TLS yet */
    bool tls;
    char *address;
    char *unix_path; /* of the socket file that is ours to remove, NULL = none */
    bool local;      /* a Unix socket */
    dev_t unix_dev;
    ino_t unix_ino;
    const char *refuse;
    bool exempt;
    void (*on_accept)(void *arg, struct conn *conn);
    void *arg;
    ev_io watcher;
    struct timer pause; /* no descriptors: try again later */
};

struct transport {
    struct loop *loop;
    struct transport_limits limits;
    struct transport_stats stats;
    unsigned counted; /* open connections that count against the limit */
    int client_fds;   /* descriptors from here on are kept for exempt listeners and files */
    struct conn *conns;
    struct listener *listeners;
    struct conn *attention, **attention_end;
    struct chunk **spares; /* a stack of pointers: taking one touches no cold memory */
    unsigned spare_count, spare_cap;
    ev_prepare prepare;
    struct lws_context *context;
    struct lws_vhost *plain;
    struct ssl_ctx_st *new_tls; /* handed over by the library while a vhost is made */
    unsigned vhost_count;
    char *scratch; /* WRITE_MAX bytes; the raw role puts nothing before what it writes */
};

/* transport.c */

/* Takes the descriptor in all cases. */
void transport_adopt(struct listener *listener, int fd, const char *peer);
/* A vhost with a TLS context, or NULL. *ret_tls stays the vhost's. */
NODISCARD
struct lws_vhost *transport_tls_vhost(struct transport *transport, struct ssl_ctx_st **ret_tls);
/* On a connection that is not blocked. False when it is broken; everything else was taken, and
 * `blocked` says whether the kernel did not. */
NODISCARD
bool link_write(struct conn *conn, char *bytes, size_t len);
void link_want_write(struct conn *conn);
/* Tell the library whether to read, after a change of blocked, paused or state. */
void link_update_reading(struct conn *conn);
/* Half-close after the last byte. */
void link_shutdown(struct conn *conn);
/* Close now. Not from inside the library's callbacks. */
void link_kill(struct conn *conn);
int link_fd(const struct conn *conn);

/* output.c */

/* Look at this connection at the end of the round. */
void conn_attend(struct conn *conn);
/* Mark it dead; the first reason counts. */
void conn_die(struct conn *conn, enum conn_end end);
/* Everything that is due at the end of a round. */
void output_round(struct transport *transport);

/* tls.c */

/* Load a certificate chain and its key, checked in a scratch context first. */
NODISCARD
enum err tls_load(struct ssl_ctx_st *ctx, const struct tls_files *files, struct errmsg *msg);
/* What every server context of ours has. */
void tls_prepare(struct ssl_ctx_st *ctx);
