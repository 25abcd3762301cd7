/* Sessions whose client has gone, and may come back. */
#include "siod/socketio/kept.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/socketio/server.h"

/* Not when client or server wanted an end, nor after bytes that make no sense (protocol.md 5). */
static bool is_recoverable(struct sio_reason reason)
{
    return reason.kind == SIO_LEFT_SESSION && reason.session != EIO_REASON_PARSE_ERROR;
}

static bool may_return(const struct sio_socket *socket, struct sio_reason reason)
{
    return socket->stream != NULL && socket->state == SIO_STATE_JOINED &&
           !socket->connection->is_v4 && is_recoverable(reason);
}

static int by_name(const void *a, const void *b)
{
    const struct str left = ((const struct sio_kept_room *)a)->name;
    const struct str right = ((const struct sio_kept_room *)b)->name;
    int order = memcmp(left.data, right.data, MIN(left.len, right.len));

    return order != 0 ? order : (left.len > right.len) - (left.len < right.len);
}

static struct sio_kept *kept_new(const struct sio_socket *socket)
{
    size_t count = socket->room_count, size = sizeof(struct sio_kept);
    struct sio_kept *kept;
    char *bytes;

    for (unsigned i = 0; i < count; i++) {
        size += sizeof(struct sio_kept_room) + sio_room_name(socket->rooms[i].room).len;
    }
    kept = xmalloc(size);
    *kept = (struct sio_kept) { .refs = 1, .size = size, .room_count = count };
    bytes = (char *)&kept->rooms[count];
    for (unsigned i = 0; i < count; i++) {
        struct str name = sio_room_name(socket->rooms[i].room);

        kept->rooms[i] =
            (struct sio_kept_room) { { bytes, name.len }, sio_membership_joined(socket, i) };
        memcpy(bytes, name.data, name.len);
        bytes += name.len;
    }
    qsort(kept->rooms, count, sizeof *kept->rooms, by_name);
    return kept;
}

/* From when on something may have been sent that did not arrive: the connection is known to have
 * worked a heartbeat ago. One that has not lasted so long may not have delivered what it began
 * with. */
static uint64_t missed_since(const struct sio_socket *socket, uint64_t now_ms)
{
    uint64_t opened_ms = eio_session_opened_ms(socket->connection->session);
    uint64_t beat_ms = socket->nsp->server->recovery.beat_ms;

    if (now_ms - opened_ms > beat_ms) {
        return now_ms - beat_ms;
    }
    return socket->recovered ? socket->since_ms : opened_ms;
}

static void forget_oldest(struct sio_recovery *recovery)
{
    static struct log_gate gate;
    unsigned suppressed;

    recovery->stats.forgotten++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_SOCKETIO, "too many sessions kept for recovery",
                 "limit=recovery.max_sessions,recovery.memory_bytes sessions=%u bytes=%zu "
                 "suppressed=%u",
                 recovery->kept_count, recovery->kept_bytes, suppressed);
    }
    sio_kept_remove(TAILQ_FIRST(&recovery->kept));
}

static void enforce_limits(struct sio_recovery *recovery)
{
    const struct sio_recovery_config *config = &recovery->config;

    while ((config->max_sessions > 0 && recovery->kept_count > config->max_sessions) ||
           (config->memory_bytes > 0 && recovery->kept_bytes > config->memory_bytes)) {
        forget_oldest(recovery);
    }
}

void sio_kept_add(struct sio_socket *socket, struct sio_reason reason)
{
    struct sio_namespace *nsp = socket->nsp;
    struct sio_recovery *recovery = &nsp->server->recovery;
    uint64_t now_ms = loop_now_ms(nsp->server->loop);
    struct sio_kept *kept;

    if (!may_return(socket, reason)) {
        return;
    }
    kept = kept_new(socket);
    kept->stream = sio_stream_enter(nsp, socket->scope);
    kept->owner = socket->owner;
    kept->start = socket->start;
    kept->since_ms = missed_since(socket, now_ms);
    kept->expires_ms = now_ms + recovery->config.window_ms;
    kept->is_kept = true;
    memcpy(kept->id, socket->id, SID_SIZE);
    HASH_ADD(hh, nsp->kept, id, SID_LEN, kept);
    TAILQ_INSERT_TAIL(&recovery->kept, kept, link);
    recovery->kept_count++;
    recovery->kept_bytes += kept->size;
    enforce_limits(recovery);
    sio_recovery_watch(nsp->server);
}

void sio_kept_unref(struct sio_kept *kept)
{
    if (--kept->refs == 0) {
        sio_stream_leave(kept->stream);
        free(kept);
    }
}

void sio_kept_remove(struct sio_kept *kept)
{
    struct sio_namespace *nsp = kept->stream->nsp;
    struct sio_recovery *recovery = &nsp->server->recovery;

    if (!kept->is_kept) {
        return;
    }
    kept->is_kept = false;
    HASH_DELETE(hh, nsp->kept, kept);
    TAILQ_REMOVE(&recovery->kept, kept, link);
    recovery->kept_count--;
    recovery->kept_bytes -= kept->size;
    sio_kept_unref(kept);
}

void sio_kept_renew(struct sio_kept *kept)
{
    struct sio_server *server = kept->stream->nsp->server;

    if (kept->is_kept) {
        kept->expires_ms = loop_now_ms(server->loop) + server->recovery.config.window_ms;
        TAILQ_REMOVE(&server->recovery.kept, kept, link);
        TAILQ_INSERT_TAIL(&server->recovery.kept, kept, link);
    }
}

struct sio_kept *sio_kept_find(const struct sio_namespace *nsp, const char *id)
{
    struct sio_kept *kept;

    HASH_FIND(hh, nsp->kept, id, SID_LEN, kept);
    return kept;
}

const struct sio_kept_room *sio_kept_room(const struct sio_kept *kept, struct str name)
{
    const struct sio_kept_room key = { .name = name };

    return bsearch(&key, kept->rooms, kept->room_count, sizeof key, by_name);
}

/* One that is being restored is looked at again later. */
void sio_kept_expire(struct sio_server *server)
{
    uint64_t now_ms = loop_now_ms(server->loop);
    struct sio_kept *kept, *next;

    for (kept = TAILQ_FIRST(&server->recovery.kept); kept != NULL && kept->expires_ms <= now_ms;
         kept = next) {
        next = TAILQ_NEXT(kept, link);
        if (kept->restore == NULL) {
            sio_kept_remove(kept);
        }
    }
}
