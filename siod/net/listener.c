/* Addresses, listening and accepting.
 *
 * We accept ourselves rather than let the library do it: port 0, a full descriptor table, Unix
 * socket files and cheap refusal need care that it does not take. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <utlist.h>

#include "libshared/address.h"
#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/net/conn.h"

enum {
    BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
    ACCEPTS_PER_ROUND = 128,
    NO_DESCRIPTORS_MS = 100,
    ADDRESS_SIZE = 64,
};

static void format_address(const struct sockaddr_storage *address, char ret_text[ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN];

    if (address->ss_family == AF_INET) {
        struct sockaddr_in in4;

        memcpy(&in4, address, sizeof in4);
        inet_ntop(AF_INET, &in4.sin_addr, host, sizeof host);
        snprintf(ret_text, ADDRESS_SIZE, "%s:%u", host, ntohs(in4.sin_port));
    } else if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], host, sizeof host);
            snprintf(ret_text, ADDRESS_SIZE, "%s:%u", host, ntohs(in6.sin6_port));
        } else {
            inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
            snprintf(ret_text, ADDRESS_SIZE, "[%s]:%u", host, ntohs(in6.sin6_port));
        }
    } else {
        memcpy(ret_text, "unix", sizeof "unix");
    }
}

static enum err errno_to_err(int error)
{
    switch (error) {
    case EADDRINUSE:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_FORBIDDEN;
    case EADDRNOTAVAIL:
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return ERR_INVALID;
    default:
        return ERR_IO;
    }
}

static enum err failed(struct errmsg *msg, const char *address, int error)
{
    return err_set(msg, errno_to_err(error), "cannot listen on %s: %s", address, strerror(error));
}

/* Is somebody listening there? */
static bool unix_answers(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answers;

    if (fd < 0) {
        return false;
    }
    /* EAGAIN: there is somebody, with a full backlog. */
    answers = connect(fd, (const struct sockaddr *)name, sizeof *name) == 0 || errno == EAGAIN ||
              errno == EACCES;
    close(fd);
    return answers;
}

/* Bound under a tight umask, so that nobody connects before the permissions are set. */
static int bind_unix(int fd, const struct sockaddr_un *name, mode_t mode)
{
    mode_t before = umask(0177);
    int error = bind(fd, (const struct sockaddr *)name, sizeof *name) == 0 ? 0 : errno;

    umask(before);
    if (error == 0 && chmod(name->sun_path, mode != 0 ? mode : 0600) != 0) {
        error = errno;
    }
    return error;
}

static enum err listen_unix(struct listener *listener, const char *path, mode_t mode, int *ret_fd,
                            struct errmsg *msg)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    struct stat status;
    int fd, error;

    memcpy(name.sun_path, path, strlen(path)); /* address_parse() has seen that it fits */
    if (lstat(path, &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) {
            return err_set(msg, ERR_EXISTS, "cannot listen on %s: it exists and is no socket",
                           path);
        }
        if (unix_answers(&name)) {
            return err_set(msg, ERR_EXISTS, "cannot listen on %s: another process answers there",
                           path);
        }
        unlink(path);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return failed(msg, path, errno);
    }
    error = bind_unix(fd, &name, mode);
    if (error == 0 && (listen(fd, BACKLOG) != 0 || lstat(path, &status) != 0)) {
        error = errno;
    }
    if (error != 0) {
        close(fd);
        return failed(msg, path, error);
    }
    listener->local = true;
    listener->unix_path = xstrdup(path);
    listener->unix_dev = status.st_dev;
    listener->unix_ino = status.st_ino;
    listener->address = xstrdup(path);
    *ret_fd = fd;
    return OK;
}

/* Returns the descriptor, or -errno. */
static int open_tcp(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, off = 0, error;

    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

/* Without a host: IPv6 first, which takes IPv4 too. */
static int open_first(const struct addrinfo *list, bool any)
{
    int fd = -EAFNOSUPPORT;

    for (int pass = 0; pass < 2 && fd < 0; pass++) {
        for (const struct addrinfo *info = list; info != NULL && fd < 0; info = info->ai_next) {
            if (!any || (info->ai_family == AF_INET6) == (pass == 0)) {
                fd = open_tcp(info);
            }
            if (fd == -EADDRINUSE) {
                return fd;
            }
        }
    }
    return fd;
}

static enum err listen_tcp(struct listener *listener, const struct address *address,
                           const char *text, int *ret_fd, struct errmsg *msg)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *list;
    struct sockaddr_storage bound = { 0 };
    socklen_t len = sizeof bound;
    autofree char *host =
        address->host.len > 0 ? xstrndup(address->host.data, address->host.len) : NULL;
    char bound_text[ADDRESS_SIZE];
    int fd, error = getaddrinfo(host, address->port, &hints, &list);

    if (error != 0) {
        return err_set(msg, ERR_INVALID, "cannot listen on %s: %s", text, gai_strerror(error));
    }
    fd = open_first(list, host == NULL);
    freeaddrinfo(list);
    if (fd < 0) {
        return failed(msg, text, -fd);
    }
    getsockname(fd, (struct sockaddr *)&bound, &len);
    format_address(&bound, bound_text);
    listener->address = xstrdup(bound_text);
    *ret_fd = fd;
    return OK;
}

/* The path of a Unix socket, "@name" in the abstract namespace. Returns owned. */
static char *inherited_address(const struct sockaddr_storage *bound, socklen_t len)
{
    char text[ADDRESS_SIZE];
    struct sockaddr_un name = { 0 };
    size_t name_len = len - offsetof(struct sockaddr_un, sun_path);

    if (bound->ss_family != AF_UNIX || len <= offsetof(struct sockaddr_un, sun_path)) {
        format_address(bound, text);
        return xstrdup(text);
    }
    memcpy(&name, bound, len);
    if (name.sun_path[0] == '\0') {
        name.sun_path[0] = '@';
    }
    return xstrndup(name.sun_path, name_len);
}

/* A socket that whoever started us listens on already. */
static enum err listen_inherited(struct listener *listener, int fd, int *ret_fd, struct errmsg *msg)
{
    struct sockaddr_storage bound = { 0 };
    socklen_t len = sizeof bound, flag_len = sizeof(int);
    int listening = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &flag_len) != 0 || !listening) {
        return err_set(msg, ERR_INVALID,
                       "cannot listen on descriptor %d: it is no listening socket", fd);
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    getsockname(fd, (struct sockaddr *)&bound, &len);
    listener->local = bound.ss_family == AF_UNIX;
    listener->address = inherited_address(&bound, len);
    *ret_fd = fd;
    return OK;
}

/* A short answer to one connection too many; what it sent is not read. */
static void refuse(struct listener *listener, int fd)
{
    listener->transport->stats.refused++;
    if (listener->refuse != NULL && !listener->tls) {
        if (send(fd, listener->refuse, strlen(listener->refuse), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
            shutdown(fd, SHUT_WR);
        }
    }
    close(fd);
}

static void log_full(const struct listener *listener)
{
    static struct log_gate gate;
    unsigned suppressed;

    if (log_gate_pass(&gate, &suppressed)) {
        log_error(LOG_NET, "no descriptors left for clients", "listener=%s open=%u suppressed=%u",
                  listener->address, listener->transport->stats.open, suppressed);
    }
}

static void log_limited(const struct listener *listener, const char *peer)
{
    static struct log_gate gate;
    unsigned suppressed;

    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_NET, "too many connections",
                 "limit=limits.connections listener=%s open=%u from=%s suppressed=%u",
                 listener->address, listener->transport->counted, peer, suppressed);
    }
}

static bool is_full(const struct listener *listener, int fd, const char *peer)
{
    struct transport *transport = listener->transport;
    unsigned limit = transport->limits.connections;

    if (listener->exempt) {
        return false;
    }
    if (fd >= transport->client_fds) {
        log_full(listener);
        return true;
    }
    if (limit == 0 || transport->counted < limit) {
        return false;
    }
    transport->stats.limited++;
    log_limited(listener, peer);
    return true;
}

static void on_pause_over(struct timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, pause);

    ev_io_start(loop_ev(listener->transport->loop), &listener->watcher);
}

/* The descriptor stays readable, so watching it further would spin. */
static void pause_accepting(struct listener *listener, int error)
{
    static struct log_gate gate;
    unsigned suppressed;

    if (log_gate_pass(&gate, &suppressed)) {
        log_error(LOG_NET, "cannot accept, pausing", "listener=%s error=\"%s\" suppressed=%u",
                  listener->address, strerror(error), suppressed);
    }
    ev_io_stop(loop_ev(listener->transport->loop), &listener->watcher);
    timer_set(listener->transport->loop, &listener->pause, NO_DESCRIPTORS_MS, on_pause_over);
}

static void on_connection(struct ev_loop *ev, ev_io *watcher, int revents)
{
    struct listener *listener = CONTAINER_OF(watcher, struct listener, watcher);

    (void)ev;
    (void)revents;
    for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
        struct sockaddr_storage from = { 0 };
        socklen_t len = sizeof from;
        char peer[ADDRESS_SIZE];
        int fd = accept4(watcher->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                pause_accepting(listener, errno);
            }
            return;
        }
        format_address(&from, peer);
        if (is_full(listener, fd, peer)) {
            refuse(listener, fd);
            continue;
        }
        transport_adopt(listener, fd, peer);
    }
}

static void listener_free(struct listener *listener)
{
    free(listener->address);
    free(listener->unix_path);
    free(listener);
}

static enum err make_vhost(struct listener *listener, struct errmsg *msg)
{
    listener->vhost = transport_tls_vhost(listener->transport, &listener->tls_context);
    if (listener->vhost == NULL) {
        return err_set(msg, ERR_INTERNAL, "TLS is not available");
    }
    tls_prepare(listener->tls_context);
    return OK;
}

enum err listener_set_tls(struct listener *listener, const struct tls_files *files,
                          struct errmsg *msg)
{
    enum err err = OK;

    if (listener->local) {
        return OK;
    }
    if (files != NULL) {
        err = listener->vhost == NULL ? make_vhost(listener, msg) : OK;
        err = err == OK ? tls_load(listener->tls_context, files, msg) : err;
    }
    if (err == OK) {
        listener->tls = files != NULL;
    }
    return err;
}

static enum err open_address(struct listener *listener, const struct listen_options *options,
                             int *ret_fd, struct errmsg *msg)
{
    struct address address;
    enum err err = address_parse(options->address, &address, msg);

    if (err != OK) {
        return err;
    }
    switch (address.kind) {
    case ADDRESS_TCP:
        return listen_tcp(listener, &address, options->address, ret_fd, msg);
    case ADDRESS_UNIX:
        return listen_unix(listener, address.path, options->unix_mode, ret_fd, msg);
    case ADDRESS_FD:
        return listen_inherited(listener, address.fd, ret_fd, msg);
    case ADDRESS_SYSTEMD: /* which descriptors these are is the caller's to know */
        break;
    }
    return err_set(msg, ERR_INVALID, "%s is no single address", options->address);
}

enum err transport_listen(struct transport *transport, const struct listen_options *options,
                          struct listener **ret, struct errmsg *msg)
{
    struct listener *listener = xnew(struct listener);
    int fd = -1, one = 1;
    enum err err;

    listener->transport = transport;
    listener->refuse = options->refuse;
    listener->exempt = options->exempt;
    listener->on_accept = options->on_accept;
    listener->arg = options->arg;
    err = open_address(listener, options, &fd, msg);
    if (err == OK) {
        err = listener_set_tls(listener, options->tls, msg);
    }
    if (err != OK) {
        if (fd >= 0) {
            close(fd);
        }
        listener_free(listener);
        return err;
    }
    if (!listener->local) { /* what it accepts inherits it */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    ev_io_init(&listener->watcher, on_connection, fd, EV_READ);
    ev_io_start(loop_ev(transport->loop), &listener->watcher);
    DL_APPEND(transport->listeners, listener);
    *ret = listener;
    return OK;
}

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}

bool listener_is_unix(const struct listener *listener)
{
    return listener->local;
}

bool listener_is_tls(const struct listener *listener)
{
    return listener->tls;
}

/* The file may have been replaced by somebody else's socket meanwhile. */
static void remove_socket_file(const struct listener *listener)
{
    struct stat status;

    if (listener->unix_path != NULL && lstat(listener->unix_path, &status) == 0 &&
        status.st_dev == listener->unix_dev && status.st_ino == listener->unix_ino) {
        unlink(listener->unix_path);
    }
}

void listener_close(struct listener *listener)
{
    struct transport *transport = listener->transport;
    struct conn *conn;

    ev_io_stop(loop_ev(transport->loop), &listener->watcher);
    timer_clear(&listener->pause);
    remove_socket_file(listener);
    close(listener->watcher.fd);
    DL_FOREACH (transport->conns, conn) {
        if (!conn->accepted && conn->listener == listener) {
            conn_die(conn, CONN_END_SHUTDOWN);
        }
    }
    DL_DELETE(transport->listeners, listener);
    listener_free(listener);
}
