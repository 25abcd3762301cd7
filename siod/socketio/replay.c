/* What a session missed, as packets again, each with its offset. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/wire/socketio.h"
#include "siod/socketio/server.h"

/* Of a row in the buffer that gathers them; event and arguments follow. */
struct row {
    int64_t position;
    uint32_t event_len, args_len;
};

/* ---- was it for this session? */

static bool is_own(const struct sio_kept *kept, struct str name)
{
    return str_eq(name, (struct str) { kept->id, SID_LEN });
}

/* Had it joined when the stream was at `position`, or at `passing`? */
static bool was_in(const struct sio_kept *kept, struct str name, int64_t position, uint64_t passing)
{
    const struct sio_kept_room *room = sio_kept_room(kept, name);

    return (room != NULL && room->joined.position <= position && room->joined.passing <= passing) ||
           is_own(kept, name);
}

static bool is_left_out(const struct sio_kept *kept, const struct sio_passed *passed)
{
    const char *names = passed->except_names;

    if (is_own(kept, passed->except_id) ||
        (passed->except_owner != 0 && passed->except_owner == kept->owner)) {
        return true;
    }
    for (unsigned i = 0; i < passed->excepts; i++) {
        struct str name = sio_passed_name(&names);

        if (sio_kept_room(kept, name) != NULL || is_own(kept, name)) {
            return true;
        }
    }
    return false;
}

static bool was_for(const struct sio_kept *kept, const struct sio_passed *passed)
{
    const char *names = passed->room_names;

    if (is_left_out(kept, passed)) {
        return false;
    }
    for (unsigned i = 0; i < passed->rooms; i++) {
        if (was_in(kept, sio_passed_name(&names), passed->mark.position,
                   passed->mark.passing - 1)) {
            return true;
        }
    }
    return passed->rooms == 0;
}

void sio_replay_add_row(const struct sio_kept *kept, const struct sio_log_row *row,
                        struct buf *rows)
{
    const struct row head = { row->position, (uint32_t)row->event.len, (uint32_t)row->args.len };

    if (!is_own(kept, row->origin) && was_in(kept, row->room, row->position - 1, UINT64_MAX)) {
        buf_add(rows, &head, sizeof head);
        buf_add_str(rows, row->event);
        buf_add_str(rows, row->args);
    }
}

/* ---- rendering */

static void add_frame(struct sio_frames *frames, struct frame *frame)
{
    if (frames->count == frames->cap) {
        frames->cap = MAX(frames->cap * 2, (size_t)16);
        frames->list = xrealloc(frames->list, frames->cap * sizeof(struct frame *));
    }
    frames->list[frames->count++] = frame;
    frames->bytes += frame->len;
}

/* The packet that is in server->out, but for its end. */
static void finish_event(const struct sio_replay *replay, struct sio_mark mark,
                         struct sio_frames *frames)
{
    struct sio_server *server = replay->stream->nsp->server;
    const struct sio_offset offset = {
        .stream = replay->stream->number,
        .position = (uint64_t)mark.position,
        .generation = server->recovery.generation,
        .passing = mark.passing,
    };
    char text[SIO_OFFSET_LEN];

    sio_offset_encode(&offset, text);
    sio_offset_add(&server->out, text);
    add_frame(frames, frame_text(buf_str(&server->out)));
    frames->events++;
}

static void render_row(const struct sio_replay *replay, const struct row *row, const char *bytes,
                       struct sio_mark mark, struct sio_frames *frames)
{
    struct buf *out = sio_out_begin(replay->stream->nsp->server);

    sio_event_encode_open(out, replay->stream->nsp->name, 0, (struct str) { bytes, row->event_len },
                          (struct str) { bytes + row->event_len, row->args_len });
    finish_event(replay, mark, frames);
}

static void render_passed(const struct sio_replay *replay, const struct sio_passed *passed,
                          struct sio_mark mark, struct sio_frames *frames)
{
    struct buf *out = &replay->stream->nsp->server->out;
    const char *data = passed->attachment_data;

    buf_clear(out);
    buf_add_str(out, passed->text);
    finish_event(replay, mark, frames);
    for (unsigned i = 0; i < passed->attachments; i++) {
        add_frame(frames, frame_binary(sio_passed_attachment(&data)));
    }
}

/* ---- both kinds in one order */

struct merge {
    const struct sio_replay *replay;
    struct sio_frames *frames;
    struct sio_mark mark; /* behind the last that was looked at */
    struct str rows;      /* that are left */
};

/* The rows up to this position. */
static void take_rows(struct merge *merge, int64_t position)
{
    struct row row;

    while (merge->rows.len > 0) {
        memcpy(&row, merge->rows.data, sizeof row);
        if (row.position > position) {
            break;
        }
        merge->mark.position = row.position;
        render_row(merge->replay, &row, merge->rows.data + sizeof row, merge->mark, merge->frames);
        merge->rows = str_skip(merge->rows, sizeof row + row.event_len + row.args_len);
    }
    merge->mark.position = MAX(merge->mark.position, position);
}

bool sio_replay_render(const struct sio_replay *replay, size_t max_bytes,
                       struct sio_frames *ret_frames)
{
    struct sio_passed_walk walk = sio_passed_walk(replay->stream, replay->from.passing);
    struct merge merge = { replay, ret_frames, replay->from, replay->rows };
    struct sio_passed passed;

    *ret_frames = (struct sio_frames) { NULL, 0, 0, 0, 0 };
    while (ret_frames->bytes <= max_bytes && sio_passed_next(&walk, &passed)) {
        take_rows(&merge, passed.mark.position);
        merge.mark.passing = passed.mark.passing;
        if (was_for(replay->kept, &passed)) {
            render_passed(replay, &passed, merge.mark, ret_frames);
        }
    }
    take_rows(&merge, replay->stream->now.position);
    if (ret_frames->bytes > max_bytes) {
        sio_frames_finish(ret_frames);
        return false;
    }
    return true;
}

void sio_frames_send(const struct sio_frames *frames, struct eio_session *session)
{
    for (size_t i = 0; i < frames->count; i++) {
        eio_session_send(session, frames->list[i]);
    }
}

void sio_frames_finish(struct sio_frames *frames)
{
    for (size_t i = 0; i < frames->count; i++) {
        frame_unref(frames->list[i]);
    }
    free(frames->list);
    *frames = (struct sio_frames) { NULL, 0, 0, 0, 0 };
}
