/* siod-raw PORT [JOURNAL]: what the kernel allows, and with a journal what the disk does. A
 * Socket.IO server of nothing but what the protocol forces on epoll: frames are appended to a
 * buffer for each connection, which leaves in one write at the end of the round. No library, no
 * check of tokens or signatures, no store, no limits, and no heartbeats: a measurement is over
 * before the first. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <openssl/evp.h>

#include "bench/lib/frame.h"
#include "bench/raw/desk.h"
#include "libshared/alloc.h"

struct server {
    struct loop *loop;
    struct desk *desk;
    struct peer *peers; /* those that have left too: the loop may hold their addresses */
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Sec-WebSocket-Accept (RFC 6455, section 4.2.2). */
static void accept_value(struct str key, char ret_text[32])
{
    static const struct str guid = STR_INIT("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    uint8_t digest[EVP_MAX_MD_SIZE];
    autobuf struct buf both = BUF_INIT;
    unsigned len;

    buf_add_str(&both, key);
    buf_add_str(&both, guid);
    EVP_Digest(both.data, both.len, digest, &len, EVP_sha1(), NULL);
    EVP_EncodeBlock((uint8_t *)ret_text, digest, (int)len);
}

static void upgrade(struct peer *peer, struct str key)
{
    static const struct str open =
        STR_INIT("0{\"sid\":\"raw\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,"
                 "\"maxPayload\":1000000}");
    struct buf *out = conn_out(&peer->conn);
    char accept[32];

    accept_value(key, accept);
    buf_printf(out,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\n\r\n",
               accept);
    frame_add(out, WS_OP_TEXT, open, NULL);
    peer->upgraded = true;
}

/* What follows `name` up to the end of its line; empty when it is not there. */
static struct str header(struct str head, const char *name)
{
    const char *at = memmem(head.data, head.len, name, strlen(name)), *end;

    if (at == NULL) {
        return STR("");
    }
    at += strlen(name);
    end = memchr(at, '\r', (size_t)(head.data + head.len - at));
    return (struct str) { at, (size_t)(end - at) };
}

static size_t http_received(struct peer *peer, struct str bytes)
{
    const char *end = memmem(bytes.data, bytes.len, "\r\n\r\n", 4);
    struct str head, key;
    size_t body_len = 0;

    if (end == NULL) {
        return 0;
    }
    head = (struct str) { bytes.data, (size_t)(end - bytes.data) + 4 };
    key = header(head, "Sec-WebSocket-Key: ");
    if (key.len > 0) {
        upgrade(peer, key);
        return head.len;
    }
    if (header(head, "Content-Length: ").len > 0) {
        body_len = strtoul(header(head, "Content-Length: ").data, NULL, 10);
    }
    if (bytes.len - head.len < body_len) {
        return 0;
    }
    desk_webhook(peer->desk, (struct str) { bytes.data + head.len, body_len });
    buf_add_cstr(conn_out(&peer->conn), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    return head.len + body_len;
}

static void frame_received(struct peer *peer, const struct frame *frame)
{
    char text[4096];
    size_t len = MIN(frame->payload.len, sizeof(text));

    if (frame->first == (FRAME_FIN | WS_OP_TEXT) && frame->mask != NULL) {
        ws_mask(text, frame->payload.data, len, frame->mask);
        desk_packet(peer, (struct str) { text, len });
    }
}

static size_t on_received(struct conn *conn, struct str bytes)
{
    struct peer *peer = CONTAINER_OF(conn, struct peer, conn);
    size_t used = 0, len = 1;
    struct frame frame;

    while (used < bytes.len && len > 0) {
        struct str rest = str_skip(bytes, used);

        if (!peer->upgraded) {
            len = http_received(peer, rest);
        } else if ((len = frame_next(rest, &frame)) > 0) {
            frame_received(peer, &frame);
        }
        used += len;
    }
    return used;
}

static void on_closed(struct conn *conn)
{
    desk_leave(CONTAINER_OF(conn, struct peer, conn));
}

static const struct conn_ops peer_conn_ops = { .received = on_received, .closed = on_closed };

static void on_accepted(void *arg, int fd)
{
    struct server *server = arg;
    struct peer *peer = xnew(struct peer);

    peer->conn.ops = &peer_conn_ops;
    peer->desk = server->desk;
    peer->next = server->peers;
    server->peers = peer;
    conn_adopt(server->loop, &peer->conn, fd);
}

static void server_free(struct server *server)
{
    while (server->peers != NULL) {
        struct peer *peer = server->peers;

        server->peers = peer->next;
        conn_close(&peer->conn);
        free(peer);
    }
    desk_free(server->desk);
    loop_free(server->loop);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct server server = { 0 };
    struct journal *journal;

    if (argc != 2 && argc != 3) {
        fputs("usage: siod-raw PORT [JOURNAL]\n", stderr);
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    journal = argc == 3 ? journal_new(argv[2]) : NULL;
    server.desk = desk_new(journal);
    server.loop = loop_new("127.0.0.1", (unsigned)strtoul(argv[1], NULL, 10));
    loop_listen(server.loop, on_accepted, &server);
    while (!stopped) {
        loop_round(server.loop, 1000);
    }
    server_free(&server);
    journal_free(journal);
    return 0;
}
