/* Streams. A passing event is laid out in a chunk as it goes out, once, for whoever may come back;
 * chunks are dropped whole, oldest first. An event needs about 40 bytes besides its text: presence
 * of ten thousand agents is a megabyte.
 *
 * How long must one be kept? A session is kept for recovery.window_ms after its disconnect, and its
 * connection may have been dead for as long as a heartbeat takes to find out before that. What is
 * older was received, or the session is gone, with one exception: a session that was restored and
 * lost its connection at once. So the time of the newest event that was dropped is remembered, and
 * compared with the time since when a session may have missed something. */
#include "siod/socketio/stream.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/siphash.h"
#include "siod/socketio/server.h"

enum { CHUNK_FIRST = 512, CHUNK_MAX = 16384, ALIGNMENT = 4 };

struct sio_chunk {
    TAILQ_ENTRY(sio_chunk) link;
    struct sio_mark base; /* of the first event */
    uint64_t last_passing, last_ms;
    size_t len, cap;
    char bytes[];
};

/* What stands before the parts of an event, in a chunk. */
struct head {
    uint32_t size; /* of all of it, this included */
    uint32_t text_len;
    uint32_t passing, position; /* above the chunk's base */
    uint16_t rooms, excepts;
    uint8_t attachments;
    bool has_id, has_owner;
};

/* ---- streams */

struct sio_stream *sio_stream_find(struct sio_namespace *nsp, uint64_t scope)
{
    struct sio_stream *stream;

    HASH_FIND(hh, nsp->streams, &scope, sizeof scope, stream);
    return stream;
}

static void render_offset(struct sio_stream *stream)
{
    const struct sio_offset offset = {
        .stream = stream->number,
        .position = (uint64_t)stream->now.position,
        .generation = stream->nsp->server->recovery.generation,
        .passing = stream->now.passing,
    };

    sio_offset_encode(&offset, stream->offset);
}

static struct sio_stream *stream_new(struct sio_namespace *nsp, uint64_t scope)
{
    struct sio_stream *stream = xnew(struct sio_stream);
    const struct sio_recovery *recovery = &nsp->server->recovery;

    stream->nsp = nsp;
    stream->scope = scope;
    stream->now.passing = recovery->passing;
    if (nsp->log != NULL) {
        nsp->log->open(nsp->log_arg, scope, &stream->number, &stream->now.position);
    } else {
        stream->number = siphash(recovery->key, &scope, sizeof scope, 2, 4);
    }
    TAILQ_INIT(&stream->chunks);
    render_offset(stream);
    HASH_ADD(hh, nsp->streams, scope, sizeof scope, stream);
    return stream;
}

struct sio_stream *sio_stream_enter(struct sio_namespace *nsp, uint64_t scope)
{
    struct sio_stream *stream = NULL;

    if (nsp->server->recovery.config.enabled) {
        stream = sio_stream_find(nsp, scope);
        stream = stream != NULL ? stream : stream_new(nsp, scope);
        stream->refs++;
    }
    return stream;
}

static void drop_oldest(struct sio_stream *stream)
{
    struct sio_recovery *recovery = &stream->nsp->server->recovery;
    struct sio_chunk *chunk = TAILQ_FIRST(&stream->chunks);
    size_t size = sizeof *chunk + chunk->cap;

    stream->lost_passing = chunk->last_passing;
    stream->lost_ms = chunk->last_ms;
    stream->bytes -= size;
    recovery->event_bytes -= size;
    TAILQ_REMOVE(&stream->chunks, chunk, link);
    if (TAILQ_EMPTY(&stream->chunks)) {
        TAILQ_REMOVE(&recovery->streams, stream, filled);
    }
    free(chunk);
}

void sio_stream_leave(struct sio_stream *stream)
{
    if (stream == NULL || --stream->refs > 0) {
        return;
    }
    while (!TAILQ_EMPTY(&stream->chunks)) {
        drop_oldest(stream);
    }
    HASH_DELETE(hh, stream->nsp->streams, stream);
    free(stream);
}

/* ---- chunks */

static void drop_old(struct sio_stream *stream, uint64_t now_ms)
{
    const struct sio_recovery *recovery = &stream->nsp->server->recovery;
    const struct sio_chunk *chunk;

    while ((chunk = TAILQ_FIRST(&stream->chunks)) != NULL &&
           now_ms - chunk->last_ms > recovery->keep_ms) {
        drop_oldest(stream);
    }
}

void sio_streams_sweep(struct sio_server *server)
{
    uint64_t now_ms = loop_now_ms(server->loop);
    struct sio_stream *stream, *next;

    for (stream = TAILQ_FIRST(&server->recovery.streams); stream != NULL; stream = next) {
        next = TAILQ_NEXT(stream, filled);
        drop_old(stream, now_ms);
    }
}

/* Whoever has most gives way, so that one tenant's noise does not cost another's. */
static void fit_memory(struct sio_recovery *recovery, size_t more)
{
    size_t limit = recovery->config.memory_bytes;
    struct sio_stream *stream, *largest;

    while (limit > 0 && recovery->event_bytes + more > limit) {
        largest = TAILQ_FIRST(&recovery->streams);
        if (largest == NULL) {
            return;
        }
        TAILQ_FOREACH (stream, &recovery->streams, filled) {
            largest = stream->bytes > largest->bytes ? stream : largest;
        }
        drop_oldest(largest);
    }
}

static struct sio_chunk *chunk_new(struct sio_stream *stream, size_t need)
{
    struct sio_recovery *recovery = &stream->nsp->server->recovery;
    size_t cap = MAX(need, MIN(MAX(stream->bytes, (size_t)CHUNK_FIRST), (size_t)CHUNK_MAX));
    size_t size = sizeof(struct sio_chunk) + cap;
    struct sio_chunk *chunk;

    drop_old(stream, loop_now_ms(stream->nsp->server->loop));
    while (!TAILQ_EMPTY(&stream->chunks) && stream->bytes + size > recovery->config.max_bytes) {
        drop_oldest(stream);
    }
    fit_memory(recovery, size);
    chunk = xmalloc(size);
    chunk->base = stream->now;
    chunk->len = 0;
    chunk->cap = cap;
    if (TAILQ_EMPTY(&stream->chunks)) {
        TAILQ_INSERT_TAIL(&recovery->streams, stream, filled);
    }
    TAILQ_INSERT_TAIL(&stream->chunks, chunk, link);
    stream->bytes += size;
    recovery->event_bytes += size;
    sio_recovery_watch(stream->nsp->server);
    return chunk;
}

/* The chunk that `need` more bytes fit into. */
static struct sio_chunk *chunk_for(struct sio_stream *stream, size_t need)
{
    struct sio_chunk *chunk = TAILQ_LAST(&stream->chunks, chunk_list);

    if (chunk == NULL || chunk->cap - chunk->len < need ||
        stream->now.passing - chunk->base.passing > UINT32_MAX ||
        stream->now.position - chunk->base.position > UINT32_MAX) {
        chunk = chunk_new(stream, need);
    }
    return chunk;
}

/* ---- an event's layout */

static size_t names_size(const struct str *names, unsigned count)
{
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        size += 1 + names[i].len;
    }
    return size;
}

static size_t layout_size(const struct sio_broadcast *broadcast, struct str text)
{
    size_t size = sizeof(struct head) + text.len;

    size += broadcast->room.data != NULL ? 1 + broadcast->room.len : 0;
    size += names_size(broadcast->more_rooms, broadcast->more_rooms_count);
    size += names_size(broadcast->except_rooms, broadcast->except_rooms_count);
    size += broadcast->except != NULL ? (size_t)SID_LEN : 0;
    size += broadcast->except_owner != 0 ? sizeof broadcast->except_owner : 0;
    for (unsigned i = 0; i < broadcast->attachments.count; i++) {
        size += sizeof(uint32_t) + broadcast->attachments.data[i].len;
    }
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static char *put(char *at, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(at, data, len);
    }
    return at + len;
}

static char *put_name(char *at, struct str name)
{
    *at++ = (char)name.len;
    return put(at, name.data, name.len);
}

static char *put_names(char *at, const struct str *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        at = put_name(at, names[i]);
    }
    return at;
}

static void lay_out(char *at, struct head head, const struct sio_broadcast *broadcast,
                    struct str text)
{
    at = put(at, &head, sizeof head);
    if (head.has_owner) {
        at = put(at, &broadcast->except_owner, sizeof broadcast->except_owner);
    }
    if (head.has_id) {
        at = put(at, broadcast->except->id, SID_LEN);
    }
    if (broadcast->room.data != NULL) {
        at = put_name(at, broadcast->room);
    }
    at = put_names(at, broadcast->more_rooms, broadcast->more_rooms_count);
    at = put_names(at, broadcast->except_rooms, broadcast->except_rooms_count);
    at = put(at, text.data, text.len);
    for (unsigned i = 0; i < broadcast->attachments.count; i++) {
        uint32_t len = (uint32_t)broadcast->attachments.data[i].len;

        at = put(at, &len, sizeof len);
        at = put(at, broadcast->attachments.data[i].data, len);
    }
}

static bool too_long(const struct str *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (names[i].len > SIO_ROOM_NAME_MAX) {
            return true;
        }
    }
    return count >= UINT16_MAX;
}

/* Larger than all that may be kept, or to rooms that cannot be: whoever has not heard it cannot be
 * told. */
static bool can_keep(const struct sio_stream *stream, const struct sio_broadcast *broadcast,
                     size_t size)
{
    return size <= stream->nsp->server->recovery.config.max_bytes &&
           broadcast->room.len <= SIO_ROOM_NAME_MAX &&
           !too_long(broadcast->more_rooms, broadcast->more_rooms_count) &&
           !too_long(broadcast->except_rooms, broadcast->except_rooms_count);
}

static void keep(struct sio_stream *stream, const struct sio_broadcast *broadcast, struct str text)
{
    struct sio_server *server = stream->nsp->server;
    uint64_t now_ms = loop_now_ms(server->loop);
    size_t size = layout_size(broadcast, text);
    struct sio_chunk *chunk;

    stream->now.passing = ++server->recovery.passing;
    sio_offset_encode_passing(stream->now.passing, stream->offset);
    if (!can_keep(stream, broadcast, size)) {
        while (!TAILQ_EMPTY(&stream->chunks)) {
            drop_oldest(stream);
        }
        stream->lost_passing = stream->now.passing;
        stream->lost_ms = now_ms;
        return;
    }
    chunk = chunk_for(stream, size);
    const struct head head = {
        .size = (uint32_t)size,
        .text_len = (uint32_t)text.len,
        .passing = (uint32_t)(stream->now.passing - chunk->base.passing),
        .position = (uint32_t)(stream->now.position - chunk->base.position),
        .rooms = (uint16_t)((broadcast->room.data != NULL) + broadcast->more_rooms_count),
        .excepts = (uint16_t)broadcast->except_rooms_count,
        .attachments = (uint8_t)broadcast->attachments.count,
        .has_id = broadcast->except != NULL,
        .has_owner = broadcast->except_owner != 0,
    };
    lay_out(chunk->bytes + chunk->len, head, broadcast, text);
    chunk->len += size;
    chunk->last_passing = stream->now.passing;
    chunk->last_ms = now_ms;
}

void sio_stream_note(struct sio_stream *stream, const struct sio_broadcast *broadcast,
                     struct str text)
{
    if (broadcast->position > 0) {
        stream->now.position = broadcast->position;
        render_offset(stream);
    } else if (!broadcast->is_volatile) {
        keep(stream, broadcast, text);
    }
}

/* ---- reading */

struct str sio_passed_name(const char **names)
{
    struct str name = { *names + 1, (unsigned char)**names };

    *names += 1 + name.len;
    return name;
}

struct str sio_passed_attachment(const char **data)
{
    uint32_t len;

    memcpy(&len, *data, sizeof len);
    *data += sizeof len + len;
    return (struct str) { *data - len, len };
}

static const char *skip_names(const char *names, unsigned count)
{
    while (count-- > 0) {
        (void)sio_passed_name(&names);
    }
    return names;
}

struct sio_passed_walk sio_passed_walk(const struct sio_stream *stream, uint64_t passing)
{
    struct sio_passed_walk walk = { .stream = stream, .passing = passing };
    const struct sio_chunk *chunk;

    /* most of those who come back were away for a moment only */
    TAILQ_FOREACH_REVERSE(chunk, &stream->chunks, chunk_list, link)
    {
        if (chunk->last_passing <= passing) {
            break;
        }
        walk.chunk = chunk;
    }
    return walk;
}

static void read_parts(const struct sio_chunk *chunk, size_t at, struct sio_passed *ret)
{
    const char *bytes = chunk->bytes + at;
    struct head head;

    memcpy(&head, bytes, sizeof head);
    bytes += sizeof head;
    *ret = (struct sio_passed) {
        .mark = { chunk->base.position + head.position, chunk->base.passing + head.passing },
        .rooms = head.rooms,
        .excepts = head.excepts,
        .attachments = head.attachments,
    };
    if (head.has_owner) {
        memcpy(&ret->except_owner, bytes, sizeof ret->except_owner);
        bytes += sizeof ret->except_owner;
    }
    if (head.has_id) {
        ret->except_id = (struct str) { bytes, SID_LEN };
        bytes += SID_LEN;
    }
    ret->room_names = bytes;
    ret->except_names = skip_names(bytes, head.rooms);
    bytes = skip_names(ret->except_names, head.excepts);
    ret->text = (struct str) { bytes, head.text_len };
    ret->attachment_data = bytes + head.text_len;
}

bool sio_passed_next(struct sio_passed_walk *walk, struct sio_passed *ret_passed)
{
    while (walk->chunk != NULL) {
        const struct sio_chunk *chunk = walk->chunk;
        size_t at = walk->at;
        struct head head;

        if (at == chunk->len) {
            walk->chunk = TAILQ_NEXT(chunk, link);
            walk->at = 0;
            continue;
        }
        memcpy(&head, chunk->bytes + at, sizeof head);
        walk->at += head.size;
        if (chunk->base.passing + head.passing > walk->passing) {
            read_parts(chunk, at, ret_passed);
            return true;
        }
    }
    return false;
}

bool sio_stream_covers(const struct sio_stream *stream, uint64_t passing, uint64_t since_ms)
{
    return passing >= stream->lost_passing || stream->lost_ms < since_ms;
}
