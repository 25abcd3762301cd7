/* join_chat and leave_chat.
 *
 * The tenancy check comes first: a chat of another business does not exist for the client. A chat
 * that is remembered is joined from memory; otherwise the store is asked first whose it is. With
 * `history` the room is entered before the snapshot is read, so that there is no hole between the
 * last message of the answer and the first event from the room: what arrives meanwhile carries
 * positions, and those above the answer's position are new. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/id.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"
#include "siod/chat/message.h"

/* A question to the store on behalf of a join; the socket is found again by its id. */
struct join_query {
    struct store_query query;
    struct event_later later;
    struct chat_join wanted;
    int64_t asking_business_id;
    bool was_member;            /* before this join */
    int64_t owner_id, position; /* answers */
    struct buf messages, chat;  /* JSON */
};

static struct join_query *join_query_new(const struct event_ctx *ctx,
                                         const struct chat_join *wanted)
{
    struct join_query *join = xnew(struct join_query);

    event_suspend(ctx, &join->later);
    join->wanted = *wanted;
    join->asking_business_id = ctx->from->agent.business_id;
    return join;
}

static void join_query_free(struct join_query *join)
{
    buf_finish(&join->messages);
    buf_finish(&join->chat);
    free(join);
}

static void refuse(const struct event_ctx *ctx, enum err err, const char *message)
{
    event_refuse(ctx->from->socket, ctx->name, ctx->ack, err, message);
}

static void answer(const struct event_ctx *ctx, int64_t chat_id, int64_t position, struct str more)
{
    autobuf struct buf fields = BUF_INIT;

    if (ctx->ack < 0) {
        return;
    }
    buf_printf(&fields, ",\"chatId\":%" PRId64 ",\"position\":%" PRId64 ",\"typing\":[", chat_id,
               position);
    typing_render(ctx->desk, chat_id, ctx->from->agent.user_id, &fields);
    buf_add_char(&fields, ']');
    buf_add_str(&fields, more);
    event_done(ctx->from->socket, ctx->ack, buf_str(&fields));
}

/* ---- the snapshot behind `history` */

static bool add_message(void *arg, const struct store_message *message,
                        const struct store_contact *contact)
{
    struct join_query *join = arg;

    if (join->messages.len > 0) {
        buf_add_char(&join->messages, ',');
    }
    message_render(&join->messages, message, contact);
    return true;
}

static enum err history_fetch(struct store_query *query, struct store_reader *reader)
{
    struct join_query *join = CONTAINER_OF(query, struct join_query, query);
    struct store_chat chat;
    enum err err = store_snapshot(reader, join->asking_business_id, &join->position);

    if (err == OK) {
        err = store_chat_get(reader, join->wanted.chat_id, &chat);
    }
    if (err != OK) {
        return err;
    }
    chat_render(&join->chat, &chat);
    return store_chat_messages(reader, join->wanted.chat_id, (unsigned)join->wanted.history,
                               add_message, join);
}

static void history_failed(const struct join_query *join, const struct event_ctx *ctx, enum err err)
{
    char room[CHAT_ROOM_SIZE];

    if (!join->was_member) {
        sio_socket_leave(ctx->from->socket, chat_room(join->wanted.chat_id, room));
    }
    refuse(ctx, err, err_text(err));
}

static void history_done(struct store_query *query, enum err err)
{
    struct join_query *join = CONTAINER_OF(query, struct join_query, query);
    autobuf struct buf more = BUF_INIT;
    struct event_ctx ctx;

    if (event_resume(&join->later, &ctx)) {
        if (err != OK) {
            history_failed(join, &ctx, err);
        } else {
            buf_add_cstr(&more, ",\"messages\":[");
            buf_add_str(&more, buf_str(&join->messages));
            buf_add_cstr(&more, "],\"chat\":");
            buf_add_str(&more, buf_str(&join->chat));
            answer(&ctx, join->wanted.chat_id, join->position, buf_str(&more));
        }
    }
    join_query_free(join);
}

/* ---- a chat whose owner is known */

static void join_owned(const struct event_ctx *ctx, const struct chat_join *wanted,
                       int64_t owner_id)
{
    int64_t business_id = ctx->from->agent.business_id;
    struct sio_socket *socket = ctx->from->socket;
    char name[CHAT_ROOM_SIZE];
    struct str room = chat_room(wanted->chat_id, name);
    bool was_member = sio_socket_in(socket, room);

    if (owner_id != business_id) {
        refuse(ctx, ERR_NOT_FOUND, "no such chat");
        return;
    }
    if (!sio_socket_join(socket, room)) {
        refuse(ctx, ERR_RATE_LIMITED, "too many rooms (limits.rooms_per_socket)");
        return;
    }
    if (wanted->history == 0) {
        answer(ctx, wanted->chat_id, desk_position(ctx->desk, business_id), STR(""));
        return;
    }
    struct join_query *join = join_query_new(ctx, wanted);

    join->was_member = was_member;
    join->query.fetch = history_fetch;
    join->query.done = history_done;
    store_ask(ctx->desk->config.store, &join->query);
}

/* ---- a chat that is not remembered */

static enum err owner_fetch(struct store_query *query, struct store_reader *reader)
{
    struct join_query *join = CONTAINER_OF(query, struct join_query, query);
    struct store_chat chat;
    enum err err = store_chat_get(reader, join->wanted.chat_id, &chat);

    if (err == OK) {
        join->owner_id = chat.business_id;
    }
    return err;
}

static void owner_done(struct store_query *query, enum err err)
{
    struct join_query *join = CONTAINER_OF(query, struct join_query, query);
    struct event_ctx ctx;

    if (err == OK) {
        desk_chat_learn(join->later.desk, join->wanted.chat_id, join->owner_id);
    }
    if (event_resume(&join->later, &ctx)) {
        if (err == OK) {
            join_owned(&ctx, &join->wanted, join->owner_id);
        } else {
            refuse(&ctx, err, err == ERR_NOT_FOUND ? "no such chat" : err_text(err));
        }
    }
    join_query_free(join);
}

void on_join_chat(const struct event_ctx *ctx, const struct chat_join *wanted)
{
    int64_t owner_id = desk_chat_business(ctx->desk, wanted->chat_id);

    if (owner_id != 0) {
        join_owned(ctx, wanted, owner_id);
        return;
    }
    struct join_query *join = join_query_new(ctx, wanted);

    join->query.fetch = owner_fetch;
    join->query.done = owner_done;
    store_ask(ctx->desk->config.store, &join->query);
}

void on_leave_chat(const struct event_ctx *ctx, const struct chat_ref *chat)
{
    autobuf struct buf fields = BUF_INIT;
    char room[CHAT_ROOM_SIZE];

    typing_leave(ctx->from, chat->chat_id);
    sio_socket_leave(ctx->from->socket, chat_room(chat->chat_id, room));
    buf_printf(&fields, ",\"chatId\":%" PRId64, chat->chat_id);
    event_done(ctx->from->socket, ctx->ack, buf_str(&fields));
}

void desk_leave_room(struct sio_socket *socket, struct str room)
{
    const struct str chat = STR("chat_");
    int64_t chat_id;

    if (str_starts_with(room, chat) && id_parse(str_skip(room, chat.len), &chat_id)) {
        typing_leave(sio_socket_user(socket), chat_id);
    }
    sio_socket_leave(socket, room);
}
