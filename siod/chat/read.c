/* message_read: how far an agent has read a chat. The cursor never moves back; when it moves, the
 * others in the chat and the agent's other devices hear of it. */
#include "siod/chat/read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"
#include "siod/chat/order.h"

struct read_job {
    struct store_job job;
    struct chat_read read; /* its origin is the array below */
    char origin[SID_SIZE];
    int64_t at_ms;
    bool moved;
    chat_read_done *done;
    void *arg;
};

static enum err read_apply(struct store_job *job, struct store_tx *tx)
{
    struct read_job *self = CONTAINER_OF(job, struct read_job, job);
    const struct chat_read *read = &self->read;
    autobuf struct buf args = BUF_INIT;
    char room[CHAT_ROOM_SIZE], now[CLOCK_ISO_SIZE];
    struct store_event event = {
        .business_id = read->business_id,
        .room = chat_room(read->chat_id, room),
        .event = event_name(EVENT_message_read_receipt),
        .origin = str_of(self->origin),
    };
    enum err err = store_read_cursor_set(tx, read->business_id, read->user_id, read->chat_id,
                                         read->message_id, &self->moved);

    if (err != OK || !self->moved) {
        return err;
    }
    clock_iso(self->at_ms, now);
    buf_printf(&args,
               "{\"messageId\":%" PRId64 ",\"chatId\":%" PRId64 ",\"readBy\":%" PRId64
               ",\"timestamp\":\"%s\"}",
               read->message_id, read->chat_id, read->user_id, now);
    event.args = buf_str(&args);
    return store_log_event(tx, &event);
}

static void read_done(struct store_job *job, enum err err)
{
    struct read_job *self = CONTAINER_OF(job, struct read_job, job);

    self->done(self->arg, err, err == OK && self->moved);
    free(self);
}

void chat_read(struct desk *desk, const struct chat_read *read, chat_read_done *done, void *arg)
{
    struct read_job *self = xnew(struct read_job);

    self->job.apply = read_apply;
    self->job.done = read_done;
    self->read = *read;
    snprintf(self->origin, sizeof self->origin, "%.*s", STR_ARG(read->origin));
    self->at_ms = loop_wall_ms(desk->config.loop);
    self->done = done;
    self->arg = arg;
    if (!store_submit(desk->config.store, &self->job)) {
        read_done(&self->job, ERR_BUSY);
    }
}

/* A message_read that is on its way to the store. */
struct reading {
    struct event_later later;
    int64_t chat_id;
};

static void acknowledge(void *arg, enum err err, bool moved)
{
    autofree struct reading *reading = arg;
    struct event_ctx ctx;

    (void)moved;
    if (!event_resume(&reading->later, &ctx)) {
        return;
    }
    if (err == OK) {
        event_done(ctx.from->socket, ctx.ack, STR(""));
    } else {
        event_refuse(ctx.from->socket, ctx.name, ctx.ack, err,
                     err == ERR_NOT_FOUND ? "no such message in this chat" : err_text(err));
    }
    order_written(&ctx, reading->chat_id);
}

void on_message_read(const struct event_ctx *ctx, const struct message_read *read)
{
    struct reading *reading = xnew(struct reading);

    event_suspend(ctx, &reading->later);
    reading->chat_id = read->chat_id;

    const struct chat_read wanted = {
        .business_id = ctx->from->agent.business_id,
        .user_id = ctx->from->agent.user_id,
        .chat_id = read->chat_id,
        .message_id = read->message_id,
        .origin = str_of(reading->later.socket_id),
    };

    order_write(ctx, read->chat_id);
    chat_read(ctx->desk, &wanted, acknowledge, reading);
}
