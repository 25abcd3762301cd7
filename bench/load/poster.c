#include "bench/load/poster.h"

#include <stdlib.h>

#include "bench/lib/fail.h"
#include "libshared/wire/signature.h"

static struct poster *poster_of(struct conn *conn)
{
    return CONTAINER_OF(conn, struct poster, conn);
}

static void on_connected(struct conn *conn)
{
    poster_of(conn)->ops->ready(poster_of(conn));
}

static void on_closed(struct conn *conn)
{
    (void)conn;
    bench_fail("the server closed a connection that posts webhooks");
}

/* The value of Content-Length among the lines of `head`; 0 when there is none. */
static size_t content_length(struct str head)
{
    static const struct str name = STR_INIT("content-length:");
    const char *line;

    while ((line = memchr(head.data, '\n', head.len)) != NULL) {
        head = str_skip(head, (size_t)(line + 1 - head.data));
        if (head.len > name.len && strncasecmp(head.data, name.data, name.len) == 0) {
            return strtoul(head.data + name.len, NULL, 10);
        }
    }
    return 0;
}

static size_t on_received(struct conn *conn, struct str bytes)
{
    static const struct str version = STR_INIT("HTTP/1.1 ");
    struct poster *poster = poster_of(conn);
    const char *end = memmem(bytes.data, bytes.len, "\r\n\r\n", 4);
    size_t len;

    if (end == NULL) {
        return 0;
    }
    len = (size_t)(end - bytes.data) + 4;
    if (!str_starts_with(bytes, version)) {
        bench_fail("no answer to a webhook: %.*s", (int)MIN(bytes.len, 100), bytes.data);
    }
    len += content_length((struct str) { bytes.data, len });
    if (bytes.len < len) {
        return 0;
    }
    poster->ops->answered(poster, (unsigned)strtoul(bytes.data + version.len, NULL, 10));
    return len;
}

static const struct conn_ops poster_conn_ops = {
    .connected = on_connected,
    .received = on_received,
    .closed = on_closed,
};

void poster_open(struct poster *poster, struct loop *loop)
{
    poster->conn.ops = &poster_conn_ops;
    conn_open(loop, &poster->conn);
}

void poster_post(struct poster *poster, const char *path, struct str secret, struct str body,
                 uint64_t sent_ns)
{
    struct buf *out = conn_out(&poster->conn);
    char signature[SIGNATURE_SIZE];

    signature_header(secret, body, signature);
    buf_printf(out, "POST %s HTTP/1.1\r\nHost: siod\r\nContent-Type: application/json\r\n", path);
    buf_printf(out, "X-Hub-Signature-256: %s\r\nContent-Length: %zu\r\n\r\n", signature, body.len);
    buf_add_str(out, body);
    poster->sent_ns = sent_ns;
}
