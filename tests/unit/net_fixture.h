/* For tests of the net layer: a loop and a transport in this process, and blocking-free clients
 * over real sockets, all on one thread. Waiting is always for a condition, with a deadline. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/clock.h"
#include "siod/net/loop.h"
#include "siod/net/transport.h"

enum { DEADLINE_MS = 20000 };

struct client {
    int fd;
    struct buf in; /* everything received */
    bool closed;   /* the server closed or reset the connection */
    bool reset;    /* it was a reset, which may cost the last bytes */
};

/* Connects to what listener_address() says; the connection may still be in the backlog. */
UNUSED static struct client client_connect(const char *address)
{
    struct client client = { .fd = -1 };

    if (address[0] == '/') {
        struct sockaddr_un name = { .sun_family = AF_UNIX };

        strncpy(name.sun_path, address, sizeof name.sun_path - 1);
        client.fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(client.fd, (struct sockaddr *)&name, sizeof name), 0);
    } else {
        struct sockaddr_in name = { .sin_family = AF_INET };

        name.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        client.fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(client.fd, (struct sockaddr *)&name, sizeof name), 0);
    }
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    return client;
}

UNUSED static void client_finish(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    client->fd = -1;
    buf_finish(&client->in);
}

/* Takes what has arrived. */
UNUSED static void client_read(struct client *client)
{
    for (;;) {
        char bytes[65536];
        ssize_t got = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);

        if (got > 0) {
            buf_add(&client->in, bytes, (size_t)got);
        } else {
            client->reset |= got < 0 && errno == ECONNRESET;
            client->closed |= got == 0 || (errno != EAGAIN && errno != EINTR);
            return;
        }
    }
}

/* One round of the loop. */
UNUSED static void loop_once(struct loop *loop)
{
    ev_run(loop_ev(loop), EVRUN_NOWAIT);
}

/* Runs the loop, and reads from the client (unless NULL), until the expression is true. */
#define WAIT_FOR(loop_, client_, expression_)                                                      \
    do {                                                                                           \
        uint64_t wait_deadline = clock_monotonic_ms() + DEADLINE_MS;                               \
        struct client *wait_client = (client_);                                                    \
                                                                                                   \
        for (;;) {                                                                                 \
            loop_once(loop_);                                                                      \
            if (wait_client != NULL) {                                                             \
                client_read(wait_client);                                                          \
            }                                                                                      \
            if (expression_) {                                                                     \
                break;                                                                             \
            }                                                                                      \
            if (clock_monotonic_ms() > wait_deadline) {                                            \
                fail_msg("waited in vain for %s; received: %.200s", #expression_,                  \
                         wait_client != NULL && wait_client->in.data != NULL                       \
                             ? wait_client->in.data                                                \
                             : "");                                                                \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* Writes all of it, running the loop meanwhile. */
UNUSED static void client_send(struct loop *loop, struct client *client, const void *bytes,
                               size_t len)
{
    const char *at = bytes;
    uint64_t deadline = clock_monotonic_ms() + DEADLINE_MS;

    while (len > 0) {
        ssize_t sent = send(client->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        } else {
            assert_true(errno == EAGAIN);
            assert_true(clock_monotonic_ms() < deadline);
            client_read(client);
        }
        loop_once(loop);
    }
}

UNUSED static void client_send_text(struct loop *loop, struct client *client, const char *text)
{
    client_send(loop, client, text, strlen(text));
}

UNUSED static bool client_has(const struct client *client, const char *text)
{
    return client->in.len > 0 && memmem(client->in.data, client->in.len, text, strlen(text));
}

UNUSED static size_t client_count(const struct client *client, const char *text)
{
    size_t count = 0, len = strlen(text);
    const char *at = client->in.data, *end = at + client->in.len;

    while (at != NULL && (at = memmem(at, (size_t)(end - at), text, len)) != NULL) {
        count++;
        at += len;
    }
    return count;
}
