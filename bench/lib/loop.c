#include "bench/lib/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/lib/fail.h"
#include "libshared/alloc.h"
#include "libshared/clock.h"

enum {
    EVENTS_MAX = 1024,
    RECEIVE_BYTES = 1 << 20,
    SOURCES = 8, /* addresses that connections come from */
};

struct loop {
    int epoll, listener;
    struct sockaddr_in server;
    unsigned opened;
    uint64_t now;
    struct conn **dirty;
    size_t dirty_count, dirty_cap;
    void (*accepted)(void *arg, int fd);
    void *accepted_arg;
    struct epoll_event events[EVENTS_MAX];
    char received[RECEIVE_BYTES];
};

struct loop *loop_new(const char *host, unsigned port)
{
    struct loop *loop = xnew(struct loop);

    loop->server =
        (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, host, &loop->server.sin_addr) != 1) {
        bench_fail("--host: %s is no IPv4 address", host);
    }
    loop->listener = -1;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        bench_fail("epoll_create1: %s", strerror(errno));
    }
    loop->now = clock_monotonic_ns();
    return loop;
}

void loop_free(struct loop *loop)
{
    close(loop->epoll);
    if (loop->listener >= 0) {
        close(loop->listener);
    }
    free(loop->dirty);
    free(loop);
}

uint64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

static void conn_watch(struct conn *conn, int operation, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = conn };

    if (epoll_ctl(conn->loop->epoll, operation, conn->fd, &event) != 0) {
        bench_fail("epoll_ctl: %s", strerror(errno));
    }
}

void loop_listen(struct loop *loop, void (*accepted)(void *arg, int fd), void *arg)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = loop };
    int one = 1;

    loop->accepted = accepted;
    loop->accepted_arg = arg;
    loop->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (loop->listener < 0) {
        bench_fail("socket: %s", strerror(errno));
    }
    setsockopt(loop->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(loop->listener, (struct sockaddr *)&loop->server, sizeof(loop->server)) != 0 ||
        listen(loop->listener, SOMAXCONN) != 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->listener, &event) != 0) {
        bench_fail("cannot listen: %s", strerror(errno));
    }
}

static void loop_accept(struct loop *loop)
{
    int fd;

    while ((fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        loop->accepted(loop->accepted_arg, fd);
    }
}

static void bind_source(struct loop *loop, int fd)
{
    const uint32_t loopback_net = 127;
    struct sockaddr_in source = { .sin_family = AF_INET };
    int one = 1;

    if (ntohl(loop->server.sin_addr.s_addr) >> 24 != loopback_net) {
        return;
    }
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + loop->opened % SOURCES);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&source, sizeof(source)) != 0) {
        bench_fail("bind: %s", strerror(errno));
    }
}

void conn_open(struct loop *loop, struct conn *conn)
{
    int one = 1;

    conn->loop = loop;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        bench_fail("socket: %s", strerror(errno));
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    bind_source(loop, conn->fd);
    loop->opened++;
    conn->open = conn->connecting = true;
    if (connect(conn->fd, (struct sockaddr *)&loop->server, sizeof(loop->server)) != 0 &&
        errno != EINPROGRESS) {
        bench_fail("connect: %s", strerror(errno));
    }
    conn_watch(conn, EPOLL_CTL_ADD, EPOLLOUT);
}

void conn_adopt(struct loop *loop, struct conn *conn, int fd)
{
    int one = 1;

    conn->loop = loop;
    conn->fd = fd;
    conn->open = true;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn_watch(conn, EPOLL_CTL_ADD, EPOLLIN);
}

void conn_close(struct conn *conn)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    if (!conn->open) {
        return;
    }
    conn->open = conn->connecting = conn->blocked = false;
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(conn->fd);
    buf_finish(&conn->out);
    buf_finish(&conn->rest);
    conn->sent = 0;
}

static void conn_lost(struct conn *conn)
{
    conn_close(conn);
    conn->ops->closed(conn);
}

struct buf *conn_out(struct conn *conn)
{
    struct loop *loop = conn->loop;

    if (!conn->dirty) {
        if (loop->dirty_count == loop->dirty_cap) {
            loop->dirty_cap = loop->dirty_cap * 2 + 64;
            loop->dirty = xrealloc(loop->dirty, loop->dirty_cap * sizeof(struct conn *));
        }
        loop->dirty[loop->dirty_count++] = conn;
        conn->dirty = true;
    }
    return &conn->out;
}

static void conn_flush(struct conn *conn)
{
    ssize_t sent = 0;

    while (conn->sent < conn->out.len) {
        sent =
            send(conn->fd, conn->out.data + conn->sent, conn->out.len - conn->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            break;
        }
        conn->sent += (size_t)sent;
    }
    if (sent < 0 && errno != EAGAIN) {
        conn_lost(conn);
        return;
    }
    if (conn->blocked != (sent < 0)) {
        conn->blocked = sent < 0;
        conn_watch(conn, EPOLL_CTL_MOD, EPOLLIN | (conn->blocked ? (uint32_t)EPOLLOUT : 0));
    }
    if (!conn->blocked) {
        buf_clear(&conn->out);
        conn->sent = 0;
    }
}

static void loop_flush(struct loop *loop)
{
    for (size_t i = 0; i < loop->dirty_count; i++) {
        struct conn *conn = loop->dirty[i];

        conn->dirty = false;
        if (conn->open && !conn->connecting) {
            conn_flush(conn);
        }
    }
    loop->dirty_count = 0;
}

static void conn_established(struct conn *conn)
{
    int err = 0;
    socklen_t size = sizeof(err);

    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &err, &size);
    if (err != 0) {
        conn_lost(conn);
        return;
    }
    conn->connecting = false;
    conn_watch(conn, EPOLL_CTL_MOD, EPOLLIN);
    conn->ops->connected(conn);
}

/* What was left of the last time stands in front of what arrives. */
static void conn_receive(struct conn *conn)
{
    char *start = conn->loop->received;
    size_t have = conn->rest.len, used;
    ssize_t got;

    if (have >= RECEIVE_BYTES / 2) {
        bench_fail("the server sent one unit of more than %d bytes", RECEIVE_BYTES / 2);
    }
    if (have > 0) {
        memcpy(start, conn->rest.data, have);
        buf_clear(&conn->rest);
    }
    got = recv(conn->fd, start + have, RECEIVE_BYTES - have, 0);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) {
            buf_add(&conn->rest, start, have);
        } else {
            conn_lost(conn);
        }
        return;
    }
    conn->loop->now = clock_monotonic_ns();
    have += (size_t)got;
    used = conn->ops->received(conn, (struct str) { start, have });
    if (conn->open && used < have) {
        buf_add(&conn->rest, start + used, have - used);
    }
}

static void conn_event(struct conn *conn, uint32_t events)
{
    if (conn->open && conn->connecting) {
        conn_established(conn);
        return;
    }
    if (conn->open && (events & EPOLLOUT) != 0) {
        conn_flush(conn);
    }
    if (conn->open && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        conn_receive(conn);
    }
}

void loop_round(struct loop *loop, int timeout_ms)
{
    int count;

    loop_flush(loop);
    count = epoll_wait(loop->epoll, loop->events, EVENTS_MAX, timeout_ms);
    loop->now = clock_monotonic_ns();
    for (int i = 0; i < count; i++) {
        void *source = loop->events[i].data.ptr;

        if (source == loop) {
            loop_accept(loop);
        } else {
            conn_event(source, loop->events[i].events);
        }
    }
    loop_flush(loop);
}

void loop_run_for(struct loop *loop, double seconds)
{
    uint64_t end = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);

    do {
        loop_round(loop, 10);
    } while (loop->now < end);
}

bool loop_run_until(struct loop *loop, double seconds, bool (*done)(void *arg), void *arg)
{
    uint64_t end = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);

    while (!done(arg)) {
        if (loop->now >= end) {
            return false;
        }
        loop_round(loop, 10);
    }
    return true;
}
