/* message_read: how far an agent has read a chat. The cursor never moves back; when it moves, the
 * others in the chat and the agent's other devices hear of it. */
#include <inttypes.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"

struct read_job {
    struct store_job job;
    struct event_later later;
    struct message_read read;
    int64_t business_id, user_id, at_ms;
};

static enum err read_apply(struct store_job *job, struct store_tx *tx)
{
    struct read_job *self = CONTAINER_OF(job, struct read_job, job);
    autobuf struct buf args = BUF_INIT;
    char room[CHAT_ROOM_SIZE], now[CLOCK_ISO_SIZE];
    struct store_event event = {
        .business_id = self->business_id,
        .room = chat_room(self->read.chat_id, room),
        .event = event_name(EVENT_message_read_receipt),
        .origin = str_of(self->later.socket_id),
    };
    bool moved;
    enum err err = store_read_cursor_set(tx, self->business_id, self->user_id, self->read.chat_id,
                                         self->read.message_id, &moved);

    if (err != OK || !moved) {
        return err;
    }
    clock_iso(self->at_ms, now);
    buf_printf(&args,
               "{\"messageId\":%" PRId64 ",\"chatId\":%" PRId64 ",\"readBy\":%" PRId64
               ",\"timestamp\":\"%s\"}",
               self->read.message_id, self->read.chat_id, self->user_id, now);
    event.args = buf_str(&args);
    return store_log_event(tx, &event);
}

static void read_done(struct store_job *job, enum err err)
{
    struct read_job *self = CONTAINER_OF(job, struct read_job, job);
    struct event_ctx ctx;

    if (event_resume(&self->later, &ctx)) {
        if (err == OK) {
            event_done(ctx.from->socket, ctx.ack, STR(""));
        } else {
            event_refuse(ctx.from->socket, ctx.name, ctx.ack, err,
                         err == ERR_NOT_FOUND ? "no such message in this chat" : err_text(err));
        }
    }
    free(self);
}

void on_message_read(const struct event_ctx *ctx, const struct message_read *read)
{
    struct read_job *self = xnew(struct read_job);

    event_suspend(ctx, &self->later);
    self->job.apply = read_apply;
    self->job.done = read_done;
    self->read = *read;
    self->business_id = ctx->from->agent.business_id;
    self->user_id = ctx->from->agent.user_id;
    self->at_ms = loop_wall_ms(ctx->desk->config.loop);
    if (!store_submit(ctx->desk->config.store, &self->job)) {
        read_done(&self->job, ERR_BUSY);
    }
}
