#include "tests/unit/eio_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/error.h"
#include "siod/engineio/engineio.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/net/transport.h"

enum { HEADER_BYTES = 1 << 16, HEADER_COUNT = 100, READ_SIZE = 65536, POLL_MS = 2 };
enum { OP_TEXT = 1, OP_CLOSE = 8 };

struct rig {
    const struct rig_ops *ops;
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready;
    uint16_t port;
    struct loop *loop;
};

struct call {
    struct loop_call base;
    struct rig *rig;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static void *serve(void *arg)
{
    struct rig *rig = arg;
    struct transport *transport = transport_new(rig->loop, &(struct transport_limits) { 0 });
    struct http_limits limits = { .header_bytes = HEADER_BYTES, .header_count = HEADER_COUNT };
    struct http_server *http = http_server_new(rig->loop, &limits);
    struct listen_options options = { .address = "127.0.0.1:0",
                                      .on_accept = http_server_accept,
                                      .arg = http };
    struct http_route routes[] = { { "/socket.io/", eio_http_handler(), NULL },
                                   { "/socket.io", eio_http_handler(), NULL } };
    struct listener *listener;
    struct errmsg msg;

    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        routes[i].arg = i == 0 ? rig->ops->start(rig, rig->arg) : routes[0].arg;
        http_server_route(http, &routes[i]);
    }
    if (transport_listen(transport, &options, &listener, &msg) != OK) {
        fprintf(stderr, "%s\n", msg.text);
        abort();
    }
    pthread_mutex_lock(&rig->lock);
    rig->port = (uint16_t)strtoul(strrchr(listener_address(listener), ':') + 1, NULL, 10);
    rig->ready = true;
    pthread_cond_signal(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
    loop_run(rig->loop);
    rig->ops->stop(rig->arg);
    transport_free(transport);
    http_server_free(http);
    return NULL;
}

struct rig *rig_start(const struct rig_ops *ops, void *arg)
{
    struct rig *rig = xnew(struct rig);

    rig->ops = ops;
    rig->arg = arg;
    pthread_mutex_init(&rig->lock, NULL);
    pthread_cond_init(&rig->changed, NULL);
    rig->loop = loop_new();
    assert_int_equal(pthread_create(&rig->thread, NULL, serve, rig), 0);
    pthread_mutex_lock(&rig->lock);
    while (!rig->ready) {
        pthread_cond_wait(&rig->changed, &rig->lock);
    }
    pthread_mutex_unlock(&rig->lock);
    return rig;
}

struct loop *rig_loop(struct rig *rig)
{
    return rig->loop;
}

static void run_call(struct loop_call *base)
{
    struct call *call = CONTAINER_OF(base, struct call, base);
    struct rig *rig = call->rig;

    call->fn(call->arg);
    pthread_mutex_lock(&rig->lock);
    call->done = true;
    pthread_cond_signal(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
}

void rig_call(struct rig *rig, void (*fn)(void *arg), void *arg)
{
    struct call call = { .base.fn = run_call, .rig = rig, .fn = fn, .arg = arg };

    loop_post(rig->loop, &call.base);
    pthread_mutex_lock(&rig->lock);
    while (!call.done) {
        pthread_cond_wait(&rig->changed, &rig->lock);
    }
    pthread_mutex_unlock(&rig->lock);
}

struct check {
    bool (*fn)(void *arg);
    void *arg;
    bool result;
};

static void run_check(void *arg)
{
    struct check *check = arg;

    check->result = check->fn(check->arg);
}

void rig_wait(struct rig *rig, bool (*fn)(void *arg), void *arg)
{
    uint64_t deadline_ms = clock_monotonic_ms() + RIG_DEADLINE_S * 1000;
    struct check check = { fn, arg, false };

    for (;;) {
        rig_call(rig, run_check, &check);
        if (check.result) {
            return;
        }
        assert_true(clock_monotonic_ms() < deadline_ms);
        nanosleep(&(struct timespec) { .tv_nsec = POLL_MS * 1000000L }, NULL);
    }
}

static void stop_loop(void *arg)
{
    struct rig *rig = arg;

    loop_stop(rig->loop);
}

void rig_stop(struct rig *rig)
{
    rig_call(rig, stop_loop, rig);
    pthread_join(rig->thread, NULL);
    loop_free(rig->loop);
    pthread_cond_destroy(&rig->changed);
    pthread_mutex_destroy(&rig->lock);
    free(rig);
}

void reply_finish(struct reply *reply)
{
    buf_finish(&reply->head);
    buf_finish(&reply->body);
}

const char *reply_header(const struct reply *reply, const char *name)
{
    static char value[1024];
    size_t name_len = strlen(name), len;
    const char *line = reply->head.data;

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            line += name_len + 1;
            line += strspn(line, " ");
            len = MIN(strcspn(line, "\r"), sizeof value - 1);
            memcpy(value, line, len);
            value[len] = '\0';
            return value;
        }
    }
    return NULL;
}

void client_open(struct client *client, struct rig *rig)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(rig->port) };
    struct timeval deadline = { .tv_sec = RIG_DEADLINE_S };

    *client = (struct client) { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int) { 1 }, sizeof(int));
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
}

void client_close(struct client *client)
{
    if (client->fd > 0) {
        close(client->fd);
    }
    client->fd = 0;
    buf_finish(&client->in);
}

void client_send(struct client *client, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(client->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

        if (sent < 0) {
            assert_true(errno == EPIPE || errno == ECONNRESET);
            return;
        }
        bytes = str_skip(bytes, (size_t)sent);
    }
}

/* False at the end of the connection. */
static bool fill(struct client *client)
{
    ssize_t got = recv(client->fd, buf_reserve(&client->in, READ_SIZE), READ_SIZE, 0);

    if (got < 0) {
        assert_int_equal(errno, ECONNRESET); /* and not EAGAIN: too late */
        return false;
    }
    client->in.len += (size_t)got;
    client->in.data[client->in.len] = '\0';
    return got > 0;
}

static bool need(struct client *client, size_t len)
{
    while (client->in.len < len) {
        if (!fill(client)) {
            return false;
        }
    }
    return true;
}

static bool receive_head(struct client *client, struct reply *ret)
{
    const char *end;
    size_t len;

    while (client->in.data == NULL || (end = strstr(client->in.data, "\r\n\r\n")) == NULL) {
        if (!fill(client)) {
            return false;
        }
    }
    len = (size_t)(end - client->in.data) + 4;
    buf_add(&ret->head, client->in.data, len);
    buf_consume(&client->in, len);
    assert_int_equal(sscanf(ret->head.data, "HTTP/1.1 %u", &ret->status), 1);
    return true;
}

bool client_receive_reply(struct client *client, struct reply *ret)
{
    const char *length;
    size_t len;

    *ret = (struct reply) { 0 };
    if (!receive_head(client, ret)) {
        return false;
    }
    if (ret->status == 100) {
        reply_finish(ret);
        return client_receive_reply(client, ret);
    }
    length = reply_header(ret, "Content-Length");
    len = length != NULL ? strtoul(length, NULL, 10) : 0;
    assert_true(need(client, len));
    buf_add(&ret->body, client->in.data, len);
    buf_consume(&client->in, len);
    return true;
}

void client_expect_bytes(struct client *client, const char *text)
{
    const char *found = NULL;

    while (client->in.data == NULL || (found = strstr(client->in.data, text)) == NULL) {
        assert_true(fill(client));
    }
    buf_consume(&client->in, (size_t)(found - client->in.data) + strlen(text));
}

bool client_is_silent(struct client *client, unsigned ms)
{
    struct pollfd poller = { .fd = client->fd, .events = POLLIN };

    return client->in.len == 0 && poll(&poller, 1, (int)ms) == 0;
}

void client_expect_end(struct client *client)
{
    while (fill(client)) {
        buf_clear(&client->in);
    }
}

void http_start(struct client *client, struct rig *rig, const char *method, const char *target,
                const char *headers, struct str body)
{
    autobuf struct buf request = BUF_INIT;

    client_open(client, rig);
    buf_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, headers);
    if (body.data != NULL) {
        buf_printf(&request, "Content-Length: %zu\r\n", body.len);
    }
    buf_add_cstr(&request, "\r\n");
    buf_add_str(&request, body);
    client_send(client, buf_str(&request));
}

void http_exchange(struct rig *rig, const char *method, const char *target, const char *headers,
                   struct str body, struct reply *ret)
{
    autoclient struct client client = { 0 };

    http_start(&client, rig, method, target, headers, body);
    assert_true(client_receive_reply(&client, ret));
}

static char *session_target(const char *sid)
{
    return xasprintf("/socket.io/?EIO=4&transport=polling&sid=%s", sid);
}

void poll_open(struct rig *rig, char sid[21])
{
    autoreply struct reply reply = { 0 };

    http_exchange(rig, "GET", "/socket.io/?EIO=4&transport=polling", "", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(sscanf(reply.body.data, "0{\"sid\":\"%20[A-Za-z0-9_-]\"", sid), 1);
}

void poll_park(struct client *client, struct rig *rig, const char *sid)
{
    autofree char *target = session_target(sid);

    http_start(client, rig, "GET", target, "", STR_NONE);
}

char *poll_get(struct rig *rig, const char *sid)
{
    autofree char *target = session_target(sid);
    autoreply struct reply reply = { 0 };

    http_exchange(rig, "GET", target, "", STR_NONE, &reply);
    assert_int_equal(reply.status, 200);
    return buf_take(&reply.body);
}

unsigned poll_get_status(struct rig *rig, const char *sid)
{
    autofree char *target = session_target(sid);
    autoreply struct reply reply = { 0 };

    http_exchange(rig, "GET", target, "", STR_NONE, &reply);
    return reply.status;
}

unsigned poll_post_status(struct rig *rig, const char *sid, struct str payload)
{
    autofree char *target = session_target(sid);
    autoreply struct reply reply = { 0 };

    http_exchange(rig, "POST", target, "Content-Type: text/plain;charset=UTF-8\r\n", payload,
                  &reply);
    return reply.status;
}

void poll_post(struct rig *rig, const char *sid, const char *payload)
{
    assert_int_equal(poll_post_status(rig, sid, str_of(payload)), 200);
}

void ws_client_open(struct client *client, struct rig *rig, const char *query)
{
    autofree char *target = xasprintf("/socket.io/?EIO=4&transport=websocket%s", query);
    autoreply struct reply reply = { 0 };

    http_start(client, rig, "GET", target,
               "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
               STR_NONE);
    assert_true(receive_head(client, &reply));
    assert_int_equal(reply.status, 101);
}

void ws_session_open(struct client *client, struct rig *rig)
{
    autobuf struct buf packet = BUF_INIT;
    unsigned opcode;

    ws_client_open(client, rig, "");
    assert_true(ws_client_receive(client, &opcode, &packet));
    assert_int_equal(packet.data[0], '0');
}

void ws_client_send(struct client *client, unsigned opcode, struct str payload)
{
    static const unsigned char mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    autobuf struct buf frame = BUF_INIT;

    buf_add_char(&frame, (char)(0x80 | opcode));
    if (payload.len < 126) {
        buf_add_char(&frame, (char)(0x80 | payload.len));
    } else {
        bool is_short = payload.len <= UINT16_MAX;

        buf_add_char(&frame, (char)(0x80 | (is_short ? 126 : 127)));
        for (int shift = is_short ? 8 : 56; shift >= 0; shift -= 8) {
            buf_add_char(&frame, (char)((uint64_t)payload.len >> shift));
        }
    }
    buf_add(&frame, mask, sizeof mask);
    for (size_t i = 0; i < payload.len; i++) {
        buf_add_char(&frame, (char)((unsigned char)payload.data[i] ^ mask[i % sizeof mask]));
    }
    client_send(client, buf_str(&frame));
}

void ws_client_text(struct client *client, const char *text)
{
    ws_client_send(client, OP_TEXT, str_of(text));
}

/* An unmasked, unfragmented frame. */
static bool receive_frame(struct client *client, unsigned *ret_opcode, struct buf *ret_payload)
{
    size_t head = 2, len;

    if (!need(client, head)) {
        return false;
    }
    *ret_opcode = (unsigned char)client->in.data[0] & 0x0f;
    len = (unsigned char)client->in.data[1];
    if (len >= 126) {
        head = len == 126 ? 4 : 10;
        assert_true(need(client, head));
        len = 0;
        for (size_t i = 2; i < head; i++) {
            len = len << 8 | (unsigned char)client->in.data[i];
        }
    }
    assert_true(need(client, head + len));
    buf_clear(ret_payload);
    buf_add(ret_payload, client->in.data + head, len);
    buf_consume(&client->in, head + len);
    return true;
}

bool ws_client_receive(struct client *client, unsigned *ret_opcode, struct buf *ret_payload)
{
    assert_true(receive_frame(client, ret_opcode, ret_payload));
    return *ret_opcode != OP_CLOSE;
}

void ws_client_expect(struct client *client, const char *text)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode;

    assert_true(ws_client_receive(client, &opcode, &payload));
    assert_int_equal(opcode, OP_TEXT);
    assert_string_equal(payload.data, text);
}

void ws_client_expect_close(struct client *client)
{
    autobuf struct buf payload = BUF_INIT;
    unsigned opcode = OP_TEXT;

    while (receive_frame(client, &opcode, &payload) && opcode != OP_CLOSE) {
        assert_string_equal(payload.data, "2");
    }
    assert_int_equal(opcode, OP_CLOSE);
    assert_int_equal(payload.len, 0);
    client_expect_end(client);
}
