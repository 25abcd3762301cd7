/* A client comes back. Its claim is checked, what it missed is gathered (at once, or when the log
 * has been read), and the socket becomes the one it was. While the log is read the business goes
 * on: rows that come meanwhile are read too, until none is missing of those that were emitted. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json_text.h"
#include "libshared/log.h"
#include "siod/socketio/server.h"

enum {
    SCAN_MAX = 200000, /* rows of the scope that are looked at, for anybody */
    /* What goes before the CONNECT: one segment on any network, and one answer to a poll. */
    BEFORE_BYTES = 1200,
    BEFORE_FRAMES = 14,
    HELD_MAX = 64, /* packets that came right behind the CONNECT */
};
static const enum sio_recovery_refused not_refused = SIO_RECOVERY_REFUSED_COUNT;

struct sio_restore {
    struct sio_namespace *nsp;
    struct sio_socket *socket; /* NULL: it has gone */
    struct sio_kept *kept;
    struct sio_mark from;
    size_t max_bytes;
    /* while the log is read, the reader's */
    int64_t reached;
    unsigned scanned;
    struct buf rows;
    bool reading, is_too_much;
    atomic_bool is_abandoned; /* what is read is of no use any more */
    /* the loop's */
    struct sio_held held;
    unsigned held_count;
    size_t held_bytes;
};

bool sio_claim_read(struct str auth, struct sio_claim *ret_claim)
{
    struct sio_claim claim = { .offset = STR_NONE };
    struct str list, key, value;

    if (!json_text_is_object(auth) || memmem(auth.data, auth.len, "\"pid\"", 5) == NULL) {
        return false;
    }
    list = json_text_inside(auth);
    while (json_text_take_member(&list, &key, &value)) {
        bool is_string = value.len >= 2 && value.data[0] == '"';

        if (str_eq(key, STR("\"pid\"")) && is_string) {
            claim.pid = json_text_inside(value);
        } else if (str_eq(key, STR("\"offset\"")) && is_string) {
            claim.offset = json_text_inside(value);
        }
    }
    if (claim.pid.data == NULL) {
        return false;
    }
    *ret_claim = claim;
    return true;
}

/* ---- the claim */

static bool refuse(const struct sio_socket *socket, enum sio_recovery_refused reason)
{
    socket->nsp->server->recovery.stats.refused[reason]++;
    log_debug(LOG_SOCKETIO, "session not recovered", "from=%s why=%s",
              eio_session_address(socket->connection->session), sio_recovery_refused_label(reason));
    return false;
}

/* Who else is connected as this session, or about to be: it is one that nobody has found to be
 * dead yet. */
static void disconnect(struct sio_socket *socket)
{
    static const struct sio_reason reason = { SIO_LEFT_SESSION, EIO_REASON_TRANSPORT_CLOSE };
    struct eio_session *session = socket->connection->session;

    sio_socket_close(socket, reason);
    eio_session_close(session, EIO_REASON_TRANSPORT_CLOSE);
}

static struct sio_mark later(struct sio_mark a, struct sio_mark b)
{
    return (struct sio_mark) { MAX(a.position, b.position), MAX(a.passing, b.passing) };
}

/* Where to go on. Without an offset, or with one of an earlier session, that is where this session
 * began. */
static bool read_offset(const struct sio_socket *socket, const struct sio_stream *stream,
                        struct sio_mark start, struct str text, struct sio_mark *ret_from)
{
    struct sio_offset offset;
    struct sio_mark mark;

    if (text.data == NULL) {
        *ret_from = start;
        return true;
    }
    if (!sio_offset_decode(text, &offset)) {
        return refuse(socket, SIO_RECOVERY_UNKNOWN_OFFSET);
    }
    if (offset.stream != stream->number) {
        return refuse(socket, SIO_RECOVERY_OTHER_STREAM);
    }
    mark.position = (int64_t)offset.position;
    mark.passing =
        offset.generation == socket->nsp->server->recovery.generation ? offset.passing : 0;
    if (mark.position > stream->now.position || mark.passing > stream->now.passing) {
        return refuse(socket, SIO_RECOVERY_UNKNOWN_OFFSET);
    }
    *ret_from = later(mark, start);
    return true;
}

static bool is_owner(const struct sio_stream *stream, uint64_t owner, uint64_t scope,
                     uint64_t wanted_owner)
{
    return stream != NULL && stream->scope == scope && owner == wanted_owner;
}

/* A session that waits. One that failed its claim is of no use any more. */
static bool claim_kept(struct sio_socket *socket, struct sio_kept *kept, struct str offset,
                       struct sio_mark *ret_from)
{
    if (!read_offset(socket, kept->stream, kept->start, offset, ret_from)) {
        sio_kept_forget(kept);
        return false;
    }
    if (!sio_stream_covers(kept->stream, ret_from->passing, kept->since_ms)) {
        sio_kept_forget(kept);
        return refuse(socket, SIO_RECOVERY_OVERFLOW);
    }
    if (kept->restore != NULL) {
        disconnect(kept->restore->socket);
    }
    return true;
}

/* A session that still looks connected. */
static struct sio_kept *take_over(struct sio_socket *socket, struct sio_socket *old,
                                  struct str offset)
{
    struct sio_mark from;
    char id[SID_SIZE];

    if (!read_offset(socket, old->stream, old->start, offset, &from)) {
        return NULL;
    }
    memcpy(id, old->id, SID_SIZE);
    disconnect(old);
    return sio_kept_find(socket->nsp, id);
}

/* NULL: refused. */
static struct sio_kept *find_session(struct sio_socket *socket, const struct sio_claim *claim,
                                     uint64_t scope, uint64_t owner)
{
    struct sio_namespace *nsp = socket->nsp;
    struct sio_socket *live;
    struct sio_kept *kept;
    char id[SID_SIZE];

    if (!sio_pid_read(&nsp->server->recovery, claim->pid, id)) {
        (void)refuse(socket, SIO_RECOVERY_UNKNOWN);
        return NULL;
    }
    kept = sio_kept_find(nsp, id);
    live = kept == NULL ? sio_socket_find(nsp, str_of(id)) : NULL;
    if (live != NULL && live->state == SIO_STATE_JOINED && !live->connection->is_v4) {
        if (!is_owner(live->stream, live->owner, scope, owner)) {
            (void)refuse(socket, SIO_RECOVERY_OTHER_OWNER);
            return NULL;
        }
        return take_over(socket, live, claim->offset);
    }
    if (kept == NULL || kept->expires_ms <= loop_now_ms(nsp->server->loop)) {
        (void)refuse(socket, SIO_RECOVERY_UNKNOWN);
        return NULL;
    }
    if (!is_owner(kept->stream, kept->owner, scope, owner)) {
        (void)refuse(socket, SIO_RECOVERY_OTHER_OWNER);
        return NULL;
    }
    return kept;
}

bool sio_socket_claim(struct sio_socket *socket, uint64_t scope, uint64_t owner)
{
    struct sio_recovery *recovery = &socket->nsp->server->recovery;
    const struct sio_claim *claim = recovery->claim;
    struct sio_mark from;
    struct sio_kept *kept;

    if (claim == NULL || claim->socket != socket || socket->restore != NULL) {
        return false;
    }
    kept = find_session(socket, claim, scope, owner);
    if (kept == NULL || !claim_kept(socket, kept, claim->offset, &from)) {
        return false;
    }
    kept->refs++;
    kept->restore = socket->restore = xnew(struct sio_restore);
    *socket->restore = (struct sio_restore) {
        .nsp = socket->nsp,
        .socket = socket,
        .kept = kept,
        .from = from,
        .max_bytes = recovery->replay_bytes,
        .reached = from.position,
    };
    STAILQ_INIT(&socket->restore->held);
    return true;
}

/* ---- what comes before it is done */

static size_t held_size(const struct sio_partial *packet)
{
    return packet->head.len + packet->data.len;
}

bool sio_restore_hold(struct sio_restore *restore, struct sio_partial *packet)
{
    size_t max_bytes = restore->nsp->server->config.engine.max_payload;
    size_t bytes = restore->held_bytes + held_size(packet);

    if (restore->held_count == HELD_MAX || (max_bytes > 0 && bytes > max_bytes)) {
        return false;
    }
    packet->restore = restore;
    restore->held_count++;
    restore->held_bytes = bytes;
    STAILQ_INSERT_TAIL(&restore->held, packet, link);
    return true;
}

void sio_restore_drop_held(struct sio_restore *restore)
{
    sio_held_free(&restore->held);
}

/* They wait for it no longer. */
static void take_held(struct sio_restore *restore, struct sio_held *ret_held)
{
    struct sio_partial *packet;

    STAILQ_INIT(ret_held);
    STAILQ_CONCAT(ret_held, &restore->held);
    STAILQ_FOREACH (packet, ret_held, link) {
        packet->restore = NULL;
        sio_partial_unhold(packet);
    }
}

/* ---- the end of it, one way or the other */

static void restore_free(struct sio_restore *restore)
{
    if (restore->socket != NULL) {
        restore->socket->restore = NULL;
    }
    if (restore->kept->restore == restore) {
        restore->kept->restore = NULL;
    }
    sio_kept_unref(restore->kept);
    buf_finish(&restore->rows);
    free(restore);
}

void sio_restore_forget(struct sio_restore *restore)
{
    sio_kept_forget(restore->kept);
}

void sio_restore_abandon(struct sio_restore *restore)
{
    struct sio_kept *kept = restore->kept;

    if (kept->restore == restore) {
        kept->restore = NULL;
        sio_kept_renew(kept);
    }
    sio_restore_drop_held(restore);
    restore->socket->restore = NULL;
    restore->socket = NULL;
    if (!restore->reading) {
        restore_free(restore);
    } else {
        atomic_store_explicit(&restore->is_abandoned, true, memory_order_relaxed);
    }
}

/* The client begins anew. */
static void give_up(struct sio_restore *restore, enum sio_recovery_refused reason)
{
    struct sio_socket *socket = restore->socket;

    (void)refuse(socket, reason);
    sio_kept_forget(restore->kept);
    restore_free(restore);
    sio_socket_joined(socket);
}

static void resume(struct sio_restore *restore, const struct sio_frames *frames)
{
    struct sio_socket *socket = restore->socket;
    struct sio_kept *kept = restore->kept;
    struct sio_recovery_stats *stats = &restore->nsp->server->recovery.stats;
    struct eio_session *session = socket->connection->session;
    bool before = frames->bytes <= BEFORE_BYTES && frames->count <= BEFORE_FRAMES;

    sio_socket_become(socket, kept);
    for (size_t i = 0; i < kept->room_count; i++) {
        sio_room_enter(socket, kept->rooms[i].name, kept->rooms[i].joined);
    }
    stats->restored++;
    stats->replayed += frames->events;
    restore->nsp->server->stats.packets_out += frames->events;
    log_debug(LOG_SOCKETIO, "session recovered", "socket=%s events=%u bytes=%zu", socket->id,
              frames->events, frames->bytes);
    sio_kept_remove(kept);
    restore_free(restore);
    /* socket.io-client holds back what comes before the CONNECT, and does not let go of it when
     * the connection is lost in between: it would show that twice. So only what cannot be torn
     * apart goes there (protocol.md 6); the rest follows, and the client counts it as it comes. */
    if (before) {
        sio_frames_send(frames, session);
    }
    sio_socket_send_connect(socket);
    if (!before) {
        sio_frames_send(frames, session);
    }
    sio_socket_tell_joined(socket);
}

/* What was missed; not_refused, or why it is not whole. */
static enum sio_recovery_refused render(const struct sio_restore *restore,
                                        struct sio_frames *ret_frames)
{
    struct sio_stream *stream = restore->kept->stream;
    const struct sio_replay replay = { stream, restore->kept, restore->from,
                                       buf_str(&restore->rows) };

    if (!restore->kept->is_kept) { /* it was forgotten meanwhile */
        return SIO_RECOVERY_UNKNOWN;
    }
    if (!sio_stream_covers(stream, restore->from.passing, restore->kept->since_ms)) {
        return SIO_RECOVERY_OVERFLOW;
    }
    return sio_replay_render(&replay, restore->max_bytes, ret_frames) ? not_refused
                                                                      : SIO_RECOVERY_TOO_MUCH;
}

static void complete(struct sio_restore *restore, enum sio_recovery_refused refused)
{
    struct sio_connection *connection = restore->socket->connection;
    struct sio_frames frames = { NULL, 0, 0, 0, 0 };
    struct sio_held held;

    take_held(restore, &held);
    if (refused == not_refused) {
        refused = render(restore, &frames);
    }
    if (refused == not_refused) {
        resume(restore, &frames);
    } else {
        give_up(restore, refused);
    }
    sio_frames_finish(&frames);
    sio_connection_resume(connection, &held);
}

/* ---- the log */

static bool is_behind(const struct sio_restore *restore)
{
    return restore->nsp->log != NULL && restore->reached < restore->kept->stream->now.position;
}

static void go_on(struct sio_restore *restore)
{
    if (is_behind(restore)) {
        restore->reading = true;
        restore->nsp->log->read(restore->nsp->log_arg, restore);
    } else {
        complete(restore, not_refused);
    }
}

void sio_restore_begin(struct sio_restore *restore)
{
    go_on(restore);
}

uint64_t sio_restore_scope(const struct sio_restore *restore)
{
    return restore->kept->stream->scope;
}

int64_t sio_restore_after(const struct sio_restore *restore)
{
    return restore->reached;
}

bool sio_restore_row(struct sio_restore *restore, const struct sio_log_row *row)
{
    if (atomic_load_explicit(&restore->is_abandoned, memory_order_relaxed)) {
        return false;
    }
    sio_replay_add_row(restore->kept, row, &restore->rows);
    restore->is_too_much = ++restore->scanned > SCAN_MAX || restore->rows.len > restore->max_bytes;
    return !restore->is_too_much;
}

void sio_restore_read(struct sio_restore *restore, bool failed, int64_t reached)
{
    restore->reading = false;
    if (restore->socket == NULL || restore->socket->state != SIO_STATE_CONNECTING) {
        restore_free(restore);
    } else if (restore->is_too_much) {
        complete(restore, SIO_RECOVERY_TOO_MUCH);
    } else if (failed || reached <= restore->reached) {
        complete(restore, SIO_RECOVERY_LOG);
    } else {
        restore->reached = reached;
        go_on(restore);
    }
}
