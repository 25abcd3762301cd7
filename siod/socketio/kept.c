/* Sessions whose client has gone, and may come back. */
#include "siod/socketio/kept.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/socketio/server.h"

/* Not when client or server wanted an end, nor after bytes that make no sense (protocol.md 5). */
bool sio_reason_recoverable(struct sio_reason reason)
{
    return reason.kind == SIO_LEFT_SESSION && reason.session != EIO_REASON_PARSE_ERROR;
}

static bool may_return(const struct sio_socket *socket, struct sio_reason reason)
{
    return socket->stream != NULL && socket->state == SIO_STATE_JOINED &&
           !socket->connection->is_v4 && sio_reason_recoverable(reason);
}

static int by_name(const void *a, const void *b)
{
    const struct str left = ((const struct sio_kept_room *)a)->name;
    const struct str right = ((const struct sio_kept_room *)b)->name;
    int order = memcmp(left.data, right.data, MIN(left.len, right.len));

    return order != 0 ? order : (left.len > right.len) - (left.len < right.len);
}

static struct sio_kept *kept_new(const struct sio_kept_room *rooms, size_t count)
{
    size_t size = sizeof(struct sio_kept) + count * sizeof(struct sio_kept_room);
    struct sio_kept *kept;
    char *bytes;

    for (size_t i = 0; i < count; i++) {
        size += rooms[i].name.len;
    }
    kept = xmalloc(size);
    *kept = (struct sio_kept) { .refs = 1, .size = size, .room_count = count };
    bytes = (char *)&kept->rooms[count];
    for (size_t i = 0; i < count; i++) {
        size_t len = rooms[i].name.len;

        kept->rooms[i] = (struct sio_kept_room) { { bytes, len }, rooms[i].joined };
        memcpy(bytes, rooms[i].name.data, len);
        bytes += len;
    }
    qsort(kept->rooms, count, sizeof *kept->rooms, by_name);
    return kept;
}

static struct sio_kept *kept_of(const struct sio_socket *socket)
{
    size_t count = socket->room_count;
    autofree struct sio_kept_room *rooms = xcalloc(count + 1, sizeof *rooms);

    for (unsigned i = 0; i < count; i++) {
        rooms[i] = (struct sio_kept_room) { sio_room_name(socket->rooms[i].room),
                                            sio_membership_joined(socket, i) };
    }
    return kept_new(rooms, count);
}

/* From when on something may have been sent that did not arrive. A connection on which no ping was
 * answered may not have delivered what it began with. */
static uint64_t missed_since(const struct sio_socket *socket)
{
    const struct eio_session *session = socket->connection->session;
    uint64_t proved_ms = eio_session_proved_ms(session);

    return socket->recovered && proved_ms == eio_session_opened_ms(session) ? socket->since_ms
                                                                            : proved_ms;
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
    sio_kept_forget(TAILQ_FIRST(&recovery->kept));
}

static void enforce_limits(struct sio_recovery *recovery)
{
    const struct sio_recovery_config *config = &recovery->config;

    while ((config->max_sessions > 0 && recovery->kept_count > config->max_sessions) ||
           (config->memory_bytes > 0 && recovery->kept_bytes > config->memory_bytes)) {
        forget_oldest(recovery);
    }
}

/* With the stream, id and times filled in. The reference to the stream is the session's. */
static void insert(struct sio_kept *kept)
{
    struct sio_namespace *nsp = kept->stream->nsp;
    struct sio_recovery *recovery = &nsp->server->recovery;

    kept->is_kept = true;
    HASH_ADD(hh, nsp->kept, id, SID_LEN, kept);
    TAILQ_INSERT_TAIL(&recovery->kept, kept, link);
    recovery->kept_count++;
    recovery->kept_bytes += kept->size;
    enforce_limits(recovery);
    sio_recovery_watch(nsp->server);
}

void sio_kept_add(struct sio_socket *socket, struct sio_reason reason)
{
    struct sio_namespace *nsp = socket->nsp;
    uint64_t now_ms = loop_now_ms(nsp->server->loop);
    struct sio_kept *kept;

    if (!may_return(socket, reason)) {
        return;
    }
    kept = kept_of(socket);
    kept->stream = sio_stream_enter(nsp, socket->scope);
    kept->owner = socket->owner;
    kept->start = socket->start;
    kept->since_ms = missed_since(socket);
    kept->expires_ms = now_ms + nsp->server->recovery.config.window_ms;
    memcpy(kept->id, socket->id, SID_SIZE);
    insert(kept);
}

/* In this process nothing was sent to it yet: since_ms is 0. */
void sio_kept_import(struct sio_stream *stream, const struct sio_session *session, int64_t start,
                     const struct sio_kept_room *rooms, size_t count)
{
    struct sio_server *server = stream->nsp->server;
    struct sio_kept *kept = kept_new(rooms, count);

    kept->stream = sio_stream_enter(stream->nsp, stream->scope);
    kept->owner = session->owner;
    kept->start.position = start;
    kept->expires_ms =
        loop_now_ms(server->loop) + MIN(session->keep_ms, server->recovery.config.window_ms);
    memcpy(kept->id, session->id.data, SID_LEN);
    insert(kept);
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

void sio_kept_forget(struct sio_kept *kept)
{
    const struct sio_namespace *nsp = kept->stream->nsp;

    if (kept->is_kept && nsp->log != NULL && nsp->log->forget != NULL) {
        nsp->log->forget(nsp->log_arg, str_of(kept->id));
    }
    sio_kept_remove(kept);
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

void sio_sessions_forget_room(struct sio_namespace *nsp, uint64_t scope, struct str room)
{
    struct sio_kept *kept, *next;

    HASH_ITER (hh, nsp->kept, kept, next) {
        if (kept->stream->scope == scope && sio_kept_room(kept, room) != NULL) {
            sio_kept_forget(kept);
        }
    }
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
            sio_kept_forget(kept);
        }
    }
}
