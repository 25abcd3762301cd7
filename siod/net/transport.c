/* Connections on libwebsockets' raw socket role: the only file that knows the library.
 *
 * We accept ourselves and let the library adopt the descriptors: it does TLS, the watchers of our
 * libev loop, and the rest of a write that the kernel did not take. While it holds such a rest it
 * ignores input without disarming the read watcher, which would spin; so reading is off then. It
 * sets no timer for an established connection and has no buffer for an idle one. */
#include "siod/net/transport.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/net/conn.h"
#include "siod/net/descriptors.h"

enum {
    READ_MAX = 65536, /* one callback brings at most so much */
};

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len);

static const struct lws_protocols protocols[] = {
    { .name = "raw", .callback = on_event, .tx_packet_size = WRITE_MAX },
    { .name = NULL },
};

/* Zeros: the library keeps no validity timer for our connections. */
static const lws_retry_bo_t no_validity = { .secs_since_valid_ping = 0 };

static void on_library_log(int level, const char *line)
{
    static struct log_gate gate;
    unsigned suppressed;
    int len = (int)strcspn(line, "\n");

    if (!log_gate_pass(&gate, &suppressed)) {
        return;
    }
    log_write(level == LLL_ERR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, LOG_NET, "libwebsockets",
              "suppressed=%u text=\"%.*s\"", suppressed, len, line);
}

static void hand_out(struct conn *conn)
{
    struct listener *listener = conn->listener;

    conn->accepted = true;
    conn->transport->stats.accepted++;
    timer_clear(&conn->timer);
    listener->on_accept(listener->arg, conn);
    assert(conn->ops != NULL);
}

static void on_input(struct conn *conn, struct str bytes)
{
    if (!conn->accepted && conn->state == CONN_OPEN) {
        lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
        hand_out(conn);
    }
    conn->transport->stats.bytes_in += bytes.len;
    if (conn->state == CONN_OPEN) {
        conn->ops->on_data(conn, bytes);
    }
}

/* The library has a timer for this too, which never fires on a foreign loop (4.1.6). */
static void on_silence(struct timer *timer)
{
    conn_die(CONTAINER_OF(timer, struct conn, timer), CONN_END_TIMEOUT);
}

/* Has the library bytes that the kernel did not take? */
static bool is_blocked(const struct conn *conn)
{
    return lws_partial_buffered(conn->wsi) != 0;
}

static void on_writable(struct conn *conn)
{
    conn->blocked = is_blocked(conn);
    if (!conn->blocked) {
        conn->in_library = 0;
        link_update_reading(conn);
    }
    conn_attend(conn);
}

static void on_closed(struct conn *conn)
{
    conn->wsi = NULL;
    conn_die(conn, conn->state == CONN_OPEN ? CONN_END_PEER : CONN_END_LOCAL);
    conn_attend(conn);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct conn *conn;

    (void)user;
    if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS) {
        struct transport *transport = lws_context_user(lws_get_context(wsi));

        transport->new_tls = user;
        return 0;
    }
    if (reason != LWS_CALLBACK_RAW_ADOPT && reason != LWS_CALLBACK_RAW_RX &&
        reason != LWS_CALLBACK_RAW_WRITEABLE && reason != LWS_CALLBACK_RAW_CLOSE) {
        return 0;
    }
    conn = lws_get_opaque_user_data(wsi);
    if (conn == NULL) {
        return 0;
    }
    if (reason == LWS_CALLBACK_RAW_ADOPT) {
        conn->wsi = wsi;
    } else if (reason == LWS_CALLBACK_RAW_RX) {
        on_input(conn, (struct str) { in, len });
    } else if (reason == LWS_CALLBACK_RAW_WRITEABLE) {
        on_writable(conn);
    } else {
        on_closed(conn);
    }
    return 0;
}

static void on_prepare(struct ev_loop *ev, ev_prepare *watcher, int revents)
{
    (void)ev;
    (void)revents;
    output_round(CONTAINER_OF(watcher, struct transport, prepare));
}

static struct lws_context *new_context(struct transport *transport)
{
    struct lws_context_creation_info info = { 0 };
    void *loops[1] = { loop_ev(transport->loop) };

    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.pt_serv_buf_size = READ_MAX;
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    info.foreign_loops = loops;
    info.retry_and_idle_policy = &no_validity;
    info.timeout_secs = HANDSHAKE_MS / 1000;
    info.user = transport;
    info.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                   LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    return lws_create_context(&info);
}

static struct lws_vhost *new_vhost(struct transport *transport, uint64_t options)
{
    struct lws_context_creation_info info = { 0 };
    autofree char *name = xasprintf("listener%u", transport->vhost_count++);

    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.protocols = protocols;
    info.vhost_name = name;
    info.retry_and_idle_policy = &no_validity;
    info.timeout_secs = HANDSHAKE_MS / 1000;
    info.options = options;
    return lws_create_vhost(transport->context, &info);
}

struct lws_vhost *transport_tls_vhost(struct transport *transport, SSL_CTX **ret_tls)
{
    struct lws_vhost *vhost;

    transport->new_tls = NULL;
    vhost = new_vhost(transport, LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                                     LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX);
    if (vhost == NULL || transport->new_tls == NULL) {
        return NULL;
    }
    *ret_tls = transport->new_tls;
    return vhost;
}

void transport_set_limits(struct transport *transport, const struct transport_limits *limits)
{
    transport->limits = *limits;
}

struct transport *transport_new(struct loop *loop, const struct transport_limits *limits)
{
    struct transport *transport = xnew(struct transport);

    signal(SIGPIPE, SIG_IGN);
    lws_set_log_level(LLL_ERR | LLL_WARN, on_library_log);
    transport->loop = loop;
    transport->limits = *limits;
    transport->client_fds = descriptors_for_clients();
    transport->attention_end = &transport->attention;
    transport->scratch = xmalloc(WRITE_MAX);
    transport->context = new_context(transport);
    transport->plain = transport->context != NULL ? new_vhost(transport, 0) : NULL;
    if (transport->plain == NULL) {
        log_error(LOG_NET, "libwebsockets cannot start", "plugin=libwebsockets-evlib-ev");
        abort();
    }
    ev_prepare_init(&transport->prepare, on_prepare);
    ev_set_priority(&transport->prepare, -1);
    ev_prepare_start(loop_ev(loop), &transport->prepare);
    return transport;
}

void transport_free(struct transport *transport)
{
    struct conn *conn;

    if (transport == NULL) {
        return;
    }
    while (transport->listeners != NULL) {
        listener_close(transport->listeners);
    }
    output_round(transport);
    DL_FOREACH (transport->conns, conn) {
        conn_die(conn, CONN_END_SHUTDOWN);
    }
    while (transport->conns != NULL) {
        output_round(transport);
    }
    lws_context_destroy(transport->context);
    ev_prepare_stop(loop_ev(transport->loop), &transport->prepare);
    while (transport->spare_count > 0) {
        free(transport->spares[--transport->spare_count]);
    }
    free(transport->spares);
    free(transport->scratch);
    free(transport);
}

static struct conn *new_conn(struct listener *listener, const char *peer)
{
    struct transport *transport = listener->transport;
    size_t peer_size = strlen(peer) + 1;
    struct conn *conn = xcalloc(1, sizeof *conn + peer_size);

    conn->transport = transport;
    conn->listener = listener;
    conn->tls = listener->tls;
    conn->local = listener->local;
    conn->counted = !listener->exempt;
    conn->reading = true;
    memcpy(conn->peer, peer, peer_size);
    DL_APPEND(transport->conns, conn);
    transport->stats.open++;
    transport->counted += conn->counted;
    return conn;
}

void transport_adopt(struct listener *listener, int fd, const char *peer)
{
    struct transport *transport = listener->transport;
    struct conn *conn = new_conn(listener, peer);
    lws_adopt_desc_t adopt = {
        .vh = conn->tls ? listener->vhost : transport->plain,
        .type = LWS_ADOPT_SOCKET | (conn->tls ? LWS_ADOPT_ALLOW_SSL : 0),
        .fd.sockfd = fd,
        .vh_prot_name = protocols[0].name,
        .opaque = conn,
    };

    if (lws_adopt_descriptor_vhost_via_info(&adopt) == NULL) {
        /* It was closed; perhaps on_closed() was told, perhaps not. */
        conn->wsi = NULL;
        conn_die(conn, CONN_END_LOCAL);
        conn_attend(conn);
        return;
    }
    if (conn->tls) {
        uint64_t limit_ms = transport->limits.handshake_ms;

        timer_set(transport->loop, &conn->timer, limit_ms > 0 ? limit_ms : HANDSHAKE_MS,
                  on_silence);
    } else {
        hand_out(conn);
    }
}

/* A third of what a delivery takes outside the kernel would be the library's way to send(). Plain
 * bytes go there directly; what the kernel does not take is the library's to keep. */
static size_t write_plain(const struct conn *conn, const char *bytes, size_t len)
{
    ssize_t sent = send(link_fd(conn), bytes, len, MSG_NOSIGNAL);

    return sent > 0 ? (size_t)sent : 0;
}

bool link_write(struct conn *conn, char *bytes, size_t len)
{
    size_t sent = conn->tls ? 0 : write_plain(conn, bytes, len);

    if (LIKELY(sent == len)) {
        return true;
    }
    if (lws_write(conn->wsi, (unsigned char *)bytes + sent, len - sent, LWS_WRITE_RAW) < 0) {
        return false;
    }
    conn->blocked = is_blocked(conn);
    return true;
}

void link_want_write(struct conn *conn)
{
    lws_callback_on_writable(conn->wsi);
}

void link_update_reading(struct conn *conn)
{
    bool reading = conn->state == CONN_LINGER || (!conn->blocked && !conn->paused);

    if (conn->wsi != NULL && reading != conn->reading) {
        conn->reading = reading;
        lws_rx_flow_control(conn->wsi, reading);
    }
}

void link_shutdown(struct conn *conn)
{
    SSL *ssl = conn->tls ? lws_get_ssl(conn->wsi) : NULL;

    if (ssl != NULL) {
        SSL_shutdown(ssl);
    }
    shutdown(link_fd(conn), SHUT_WR);
}

void link_kill(struct conn *conn)
{
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    assert(conn->wsi == NULL);
}

int link_fd(const struct conn *conn)
{
    return lws_get_socket_fd(conn->wsi);
}

void transport_stats(const struct transport *transport, struct transport_stats *ret_stats)
{
    *ret_stats = transport->stats;
}
