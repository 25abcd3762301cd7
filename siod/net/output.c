/* Output queues, and how connections end.
 *
 * A queue is a list of chunks of frame pointers. At the end of a round every connection that asked
 * for attention is settled once: one write of what is queued, then what the write made due
 * (drained, half-closed, dead). What that causes for other connections is settled in the next
 * round, which starts at once. */
#include <assert.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/net/conn.h"
#include "siod/net/queue_limit.h"

enum { SPARE_FIRST = 64, SPARE_MAX = 4096, DIRECT_MIN = 16384 };

void conn_attend(struct conn *conn)
{
    struct transport *transport = conn->transport;

    if (!conn->attention) {
        conn->attention = true;
        conn->next_attention = NULL;
        *transport->attention_end = conn;
        transport->attention_end = &conn->next_attention;
    }
}

void conn_die(struct conn *conn, enum conn_end end)
{
    if (conn->state == CONN_DEAD) {
        return;
    }
    /* Once closing was asked for, only its failure is news. */
    if (conn->state != CONN_OPEN && end != CONN_END_TIMEOUT && end != CONN_END_SLOW) {
        end = CONN_END_LOCAL;
    }
    conn->state = CONN_DEAD;
    conn->end = end & 7U;
    timer_clear(&conn->timer);
    conn_attend(conn);
}

static struct chunk *chunk_get(struct transport *transport)
{
    struct chunk *chunk = transport->spare_count > 0 ? transport->spares[--transport->spare_count]
                                                     : xmalloc(sizeof *chunk);

    chunk->next = NULL;
    chunk->first = 0;
    chunk->end = 0;
    return chunk;
}

static void chunk_put(struct transport *transport, struct chunk *chunk)
{
    if (transport->spare_count >= SPARE_MAX) {
        free(chunk);
        return;
    }
    if (transport->spare_count == transport->spare_cap) {
        transport->spare_cap = transport->spare_cap > 0 ? transport->spare_cap * 2 : SPARE_FIRST;
        transport->spares = xrealloc(transport->spares, transport->spare_cap * sizeof(void *));
    }
    transport->spares[transport->spare_count++] = chunk;
}

/* Out of line, like all that is rare in conn_send(): that one runs once per receiver of a broadcast
 * and should need few registers. */
static NOINLINE void queue_extend(struct conn *conn)
{
    struct chunk *chunk = chunk_get(conn->transport);

    if (conn->tail != NULL) {
        conn->tail->next = chunk;
    } else {
        conn->head = chunk;
    }
    conn->tail = chunk;
}

static inline void queue_push(struct conn *conn, struct frame *frame)
{
    if (conn->tail == NULL || conn->tail->end == CHUNK_FRAMES) {
        queue_extend(conn);
    }
    conn->tail->frames[conn->tail->end++] = frame_ref(frame);
    conn->queued += (uint32_t)frame->len;
}

static void queue_pop(struct conn *conn)
{
    struct chunk *chunk = conn->head;

    frame_unref(chunk->frames[chunk->first++]);
    conn->head_written = 0;
    if (chunk->first == chunk->end) {
        conn->head = chunk->next;
        if (conn->head == NULL) {
            conn->tail = NULL;
        }
        chunk_put(conn->transport, chunk);
    }
}

static void queue_clear(struct conn *conn)
{
    struct chunk *next;

    for (struct chunk *chunk = conn->head; chunk != NULL; chunk = next) {
        next = chunk->next;
        for (uint32_t i = chunk->first; i < chunk->end; i++) {
            frame_unref(chunk->frames[i]);
        }
        chunk_put(conn->transport, chunk);
    }
    conn->head = conn->tail = NULL;
    conn->head_written = 0;
    conn->queued = 0;
}

/* `len` bytes from the front were written. */
static void queue_advance(struct conn *conn, size_t len)
{
    if (len == conn->queued) {
        queue_clear(conn);
        return;
    }
    conn->queued -= (uint32_t)len;
    while (len > 0) {
        struct frame *frame = conn->head->frames[conn->head->first];
        size_t left = frame->len - conn->head_written;

        if (len < left) {
            conn->head_written += (uint32_t)len;
            return;
        }
        len -= left;
        queue_pop(conn);
    }
}

/* The front of the queue as one run of bytes: the first frame's own when it is alone or large, else
 * copied together. */
static char *queue_front(struct conn *conn, size_t *ret_len)
{
    struct frame *frame = conn->head->frames[conn->head->first];
    size_t left = frame->len - conn->head_written, len = 0, skip = conn->head_written;
    char *to = conn->transport->scratch;

    if (left == conn->queued || left >= DIRECT_MIN) {
        *ret_len = MIN(left, (size_t)WRITE_MAX);
        return frame->bytes + conn->head_written;
    }
    for (struct chunk *chunk = conn->head; chunk != NULL && len < WRITE_MAX; chunk = chunk->next) {
        for (uint32_t i = chunk->first; i < chunk->end && len < WRITE_MAX; i++) {
            size_t take = MIN(chunk->frames[i]->len - skip, WRITE_MAX - len);

            memcpy(to + len, chunk->frames[i]->bytes + skip, take);
            skip = 0;
            len += take;
        }
    }
    *ret_len = len;
    return to;
}

/* One write of what is queued, if the library holds nothing. */
static void flush(struct conn *conn)
{
    size_t len;
    char *bytes;

    if (conn->wsi == NULL || conn->blocked || conn->queued == 0 || conn->state == CONN_DEAD) {
        return;
    }
    bytes = queue_front(conn, &len);
    if (!link_write(conn, bytes, len)) {
        conn_die(conn, CONN_END_PEER);
        return;
    }
    conn->transport->stats.bytes_out += len;
    queue_advance(conn, len);
    conn->in_library = conn->blocked ? (uint32_t)len : 0;
    if (conn->blocked) {
        link_update_reading(conn);
    } else if (conn->queued > 0) {
        link_want_write(conn);
    }
}

static void cut(struct conn *conn)
{
    static struct log_gate gate;
    struct transport *transport = conn->transport;
    unsigned suppressed;

    transport->stats.slow_consumers++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_NET, "slow consumer cut",
                 "limit=limits.queue_bytes peer=%s pending=%zu max=%zu suppressed=%u", conn->peer,
                 conn_pending(conn), transport->limits.queue_bytes, suppressed);
    }
    conn_die(conn, CONN_END_SLOW);
}

/* What is queued is counted in 32 bits. */
static inline size_t queue_max(const struct conn *conn)
{
    size_t limit = conn->transport->limits.queue_bytes;

    return limit != 0 ? limit : UINT32_MAX;
}

static inline bool has_room(const struct conn *conn, size_t len)
{
    return conn_pending(conn) + len <= queue_max(conn);
}

static struct queue_extra conn_extra(const struct conn *conn)
{
    return (struct queue_extra) { .bytes = (uint32_t)conn->extra_blocks * EXTRA_BLOCK,
                                  .is_second = conn->second };
}

/* What is queued is written first where the kernel takes it: a round may produce more than the
 * limit for a peer that keeps up. False when the connection takes no more. */
static NOINLINE bool make_room(struct conn *conn, size_t len)
{
    while (!has_room(conn, len) && conn->queued > 0 && !conn->blocked && conn->state != CONN_DEAD) {
        flush(conn);
    }
    if (queue_limit_exceeded(conn_extra(conn), queue_max(conn), conn_pending(conn), len)) {
        cut(conn);
    }
    return conn->state == CONN_OPEN;
}

void conn_send(struct conn *conn, struct frame *frame)
{
    if (conn->state != CONN_OPEN || frame->len == 0) {
        return;
    }
    if (UNLIKELY(!has_room(conn, frame->len)) && !make_room(conn, frame->len)) {
        return;
    }
    queue_push(conn, frame);
    conn->busy = true;
    conn_attend(conn);
}

void conn_send_bytes(struct conn *conn, struct str bytes)
{
    struct frame *frame = frame_raw(bytes);

    conn_send(conn, frame);
    frame_unref(frame);
}

size_t conn_pending(const struct conn *conn)
{
    return (size_t)conn->queued + conn->in_library;
}

bool conn_admit(struct conn *conn, size_t bytes)
{
    struct queue_extra extra = conn_extra(conn);
    bool admitted =
        queue_limit_admit(&extra, conn->transport->limits.queue_bytes, conn_pending(conn), bytes);
    size_t above = extra.bytes;

    conn->extra_blocks = (uint16_t)MIN((above + EXTRA_BLOCK - 1) / EXTRA_BLOCK, UINT16_MAX);
    conn->second = extra.is_second;
    return admitted;
}

bool conn_is_behind(const struct conn *conn)
{
    return queue_limit_is_behind(conn->transport->limits.queue_bytes, conn_pending(conn));
}

size_t conn_unread(const struct conn *conn)
{
    int unread = 0;

    if (conn->wsi == NULL || ioctl(link_fd(conn), SIOCOUTQ, &unread) != 0) {
        unread = 0;
    }
    return conn_pending(conn) + (size_t)unread;
}

uint64_t conn_taken(const struct conn *conn)
{
    struct tcp_info info = { .tcpi_bytes_acked = 0 };
    socklen_t len = sizeof info;

    if (conn->local) {
        return conn_unread(conn);
    }
    if (conn->wsi == NULL || getsockopt(link_fd(conn), IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        return 0;
    }
    return info.tcpi_bytes_acked;
}

static void on_deadline(struct timer *timer)
{
    struct conn *conn = CONTAINER_OF(timer, struct conn, timer);

    conn_die(conn, conn->state == CONN_LINGER ? CONN_END_LOCAL : CONN_END_TIMEOUT);
}

void conn_close(struct conn *conn)
{
    if (conn->state != CONN_OPEN) {
        return;
    }
    conn->state = CONN_CLOSING;
    timer_set(conn->transport->loop, &conn->timer, CLOSE_MS, on_deadline);
    conn_attend(conn);
}

void conn_abort(struct conn *conn)
{
    conn_die(conn, CONN_END_LOCAL);
}

void conn_pause(struct conn *conn, bool paused)
{
    conn->paused = paused;
    link_update_reading(conn);
}

bool conn_hung_up(const struct conn *conn)
{
    struct pollfd pfd = { .fd = conn->wsi != NULL ? link_fd(conn) : -1 };

    return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLERR)) != 0;
}

static void finish(struct conn *conn)
{
    struct transport *transport = conn->transport;

    assert(conn->state == CONN_DEAD);
    timer_clear(&conn->timer);
    if (conn->wsi != NULL) {
        if (conn->end == CONN_END_SHUTDOWN && conn->accepted && !conn->blocked) {
            link_shutdown(conn);
        }
        link_kill(conn);
    }
    queue_clear(conn);
    conn->in_library = 0;
    if (conn->ops != NULL) {
        conn->ops->on_close(conn, (enum conn_end)conn->end);
    }
    DL_DELETE(transport->conns, conn);
    transport->stats.open--;
    transport->counted -= conn->counted;
    free(conn);
}

/* The attention flag stays set until it is clear that the connection lives, lest what happens here
 * puts it into the next list and then frees it. */
static void settle(struct conn *conn)
{
    flush(conn);
    if (conn->state == CONN_DEAD) {
        finish(conn);
        return;
    }
    conn->attention = false;
    if (conn_pending(conn) > 0) {
        return;
    }
    if (conn->state == CONN_CLOSING) {
        conn->state = CONN_LINGER;
        link_shutdown(conn);
        link_update_reading(conn);
        timer_set(conn->transport->loop, &conn->timer, LINGER_MS, on_deadline);
    } else if (conn->state == CONN_OPEN && conn->busy) {
        conn->busy = false;
        if (conn->ops->on_drain != NULL) {
            conn->ops->on_drain(conn);
        }
    }
}

/* Writing takes the kernel a while, in which it pushes our structs out of the near caches: fetch
 * what `conn`, the next one, has queued, and the one after it. */
static inline void prefetch(const struct conn *conn)
{
    const struct conn *after = conn->next_attention;

    __builtin_prefetch(conn->head);
    __builtin_prefetch(after);
    __builtin_prefetch(after != NULL ? &after->extra_blocks : NULL);
}

void output_round(struct transport *transport)
{
    struct conn *conn = transport->attention;

    transport->attention = NULL;
    transport->attention_end = &transport->attention;
    while (conn != NULL) {
        struct conn *next = conn->next_attention;

        if (next != NULL) {
            prefetch(next);
        }
        settle(conn);
        conn = next;
    }
    if (transport->attention != NULL) {
        loop_wake(transport->loop);
    }
}

void conn_take(struct conn *conn, const struct conn_ops *ops, void *user)
{
    conn->ops = ops;
    conn->user = user;
}

void *conn_user(const struct conn *conn)
{
    return conn->user;
}

struct loop *conn_loop(const struct conn *conn)
{
    return conn->transport->loop;
}

const char *conn_peer(const struct conn *conn)
{
    return conn->peer;
}

bool conn_is_tls(const struct conn *conn)
{
    return conn->tls;
}

bool conn_credentials(const struct conn *conn, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (!conn->local || conn->wsi == NULL ||
        getsockopt(link_fd(conn), SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    *ret_uid = peer.uid;
    *ret_gid = peer.gid;
    *ret_pid = peer.pid;
    return true;
}

const char *conn_end_name(enum conn_end end)
{
    static const char *const names[] = {
        [CONN_END_PEER] = "peer",       [CONN_END_LOCAL] = "local",       [CONN_END_SLOW] = "slow",
        [CONN_END_TIMEOUT] = "timeout", [CONN_END_SHUTDOWN] = "shutdown",
    };

    return names[end];
}
