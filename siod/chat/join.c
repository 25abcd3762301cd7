/* join_chat and leave_chat.
 *
 * The tenancy check (access.h) comes first: a chat of another business does not exist for the
 * client. A chat that is remembered is joined from memory; otherwise the store is asked whose it
 * is. */
#include <inttypes.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/log.h"
#include "siod/chat/access.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"
#include "siod/chat/history.h"
#include "siod/chat/order.h"
#include "siod/chat/session.h"

/* A join that waits for the store; the socket is found again by its id. */
struct joining {
    struct event_later later;
    struct chat_join wanted;
};

static struct joining *joining_new(const struct event_ctx *ctx, const struct chat_join *wanted)
{
    struct joining *joining = xnew(struct joining);

    event_suspend(ctx, &joining->later);
    joining->wanted = *wanted;
    return joining;
}

static void refuse(const struct event_ctx *ctx, enum err err, const char *message)
{
    event_refuse(ctx->from->socket, ctx->name, ctx->ack, err, message);
}

/* `history`: NULL for none. */
static void answer(const struct event_ctx *ctx, int64_t chat_id, int64_t position,
                   const struct history *history)
{
    struct buf *out = event_done_begin(ctx->from->socket, ctx->ack);

    if (out == NULL) {
        return;
    }
    buf_add_cstr(out, ",\"chatId\":");
    buf_add_i64(out, chat_id);
    buf_add_cstr(out, ",\"position\":");
    buf_add_i64(out, position);
    buf_add_cstr(out, ",\"typing\":[");
    typing_render(ctx->from, chat_id, out);
    buf_add_char(out, ']');
    if (history != NULL) {
        buf_add_cstr(out, ",\"messages\":[");
        buf_add_str(out, history->messages);
        buf_add_cstr(out, "],\"chat\":");
        buf_add_str(out, history->chat);
    }
    event_done_end(ctx->from->socket, out);
}

static void refuse_join(const struct event_ctx *ctx, enum err err)
{
    refuse(ctx, err, err == ERR_NOT_FOUND ? "no such chat" : err_text(err));
}

/* Who was not in the room before is not in it after. */
static void history_failed(const struct event_ctx *ctx, int64_t chat_id, bool was_member,
                           enum err err)
{
    char room[CHAT_ROOM_SIZE];

    if (!was_member) {
        desk_leave_room(ctx->from->socket, chat_room(chat_id, room), NULL, NULL);
    }
    refuse_join(ctx, err);
}

static void history_told(const struct event_ctx *ctx, const struct history_wanted *wanted,
                         const struct history *history)
{
    if (history->err == OK) {
        answer(ctx, wanted->chat_id, history->position, history);
    } else {
        history_failed(ctx, wanted->chat_id, wanted->was_member, history->err);
    }
}

/* ---- a chat of one's own business */

static void answer_joined(const struct event_ctx *ctx, const struct chat_join *wanted,
                          bool was_member)
{
    if (wanted->history == 0) {
        answer(ctx, wanted->chat_id, desk_position(ctx->desk, ctx->from->agent.business_id), NULL);
        return;
    }
    history_ask(ctx, &(struct history_wanted) { wanted->chat_id, (unsigned)wanted->history,
                                                was_member, history_told });
}

/* No row of the session says otherwise any more. */
static void join_settled(void *arg, enum err err)
{
    struct joining *joining = arg;
    struct event_ctx ctx;

    if (event_resume(&joining->later, &ctx)) {
        if (err == OK) {
            answer_joined(&ctx, &joining->wanted, false);
        } else {
            history_failed(&ctx, joining->wanted.chat_id, false, err);
        }
    }
    free(joining);
}

static void join_own(const struct event_ctx *ctx, const struct chat_join *wanted)
{
    struct sio_socket *socket = ctx->from->socket;
    unsigned rooms = sio_socket_room_count(socket);
    char name[CHAT_ROOM_SIZE];

    if (!sio_socket_join(socket, chat_room(wanted->chat_id, name))) {
        refuse(ctx, ERR_RATE_LIMITED, "too many rooms (limits.rooms_per_socket)");
    } else if (sio_socket_room_count(socket) == rooms) {
        answer_joined(ctx, wanted, true);
    } else if (session_must_wait(ctx->from)) {
        (void)session_changed(ctx->from, join_settled, joining_new(ctx, wanted));
    } else {
        (void)session_changed(ctx->from, NULL, NULL);
        answer_joined(ctx, wanted, false);
    }
}

static void join_checked(void *arg, enum err err)
{
    struct joining *joining = arg;
    struct event_ctx ctx;

    if (event_resume(&joining->later, &ctx)) {
        if (err == OK) {
            join_own(&ctx, &joining->wanted);
        } else {
            refuse_join(&ctx, err);
        }
        order_go_on(&ctx, joining->wanted.chat_id);
    }
    free(joining);
}

void on_join_chat(const struct event_ctx *ctx, const struct chat_join *wanted)
{
    int64_t business_id = ctx->from->agent.business_id;

    switch (access_remembered(ctx->desk, business_id, wanted->chat_id)) {
    case ACCESS_GRANTED:
        join_own(ctx, wanted);
        return;
    case ACCESS_DENIED:
        refuse_join(ctx, ERR_NOT_FOUND);
        return;
    case ACCESS_UNKNOWN:
        order_wait(ctx, wanted->chat_id);
        access_chat(ctx->desk, business_id, wanted->chat_id, join_checked,
                    joining_new(ctx, wanted));
        return;
    }
}

static void answer_left(const struct event_ctx *ctx, int64_t chat_id)
{
    struct buf *out = event_done_begin(ctx->from->socket, ctx->ack);

    if (out != NULL) {
        buf_add_cstr(out, ",\"chatId\":");
        buf_add_i64(out, chat_id);
        event_done_end(ctx->from->socket, out);
    }
}

static void leave(struct desk_socket *self, int64_t chat_id)
{
    unsigned rooms = sio_socket_room_count(self->socket);
    char room[CHAT_ROOM_SIZE];

    typing_leave(self, chat_id);
    sio_socket_leave(self->socket, chat_room(chat_id, room));
    if (sio_socket_room_count(self->socket) != rooms) {
        (void)session_changed(self, NULL, NULL);
    }
}

struct leaving {
    struct event_later later;
    int64_t chat_id;
};

static void leave_settled(void *arg, enum err err)
{
    struct leaving *leaving = arg;
    struct event_ctx ctx;

    if (event_resume(&leaving->later, &ctx)) {
        if (err == OK) {
            leave(ctx.from, leaving->chat_id);
            answer_left(&ctx, leaving->chat_id);
        } else {
            refuse(&ctx, err, err_text(err));
        }
        order_go_on(&ctx, leaving->chat_id);
    }
    free(leaving);
}

/* Only when no row says that it is in the room: else it would have to be told that it has left, and
 * that it may find itself there again. */
static void leave_later(const struct event_ctx *ctx, int64_t chat_id)
{
    struct leaving *leaving = xnew(struct leaving);

    event_suspend(ctx, &leaving->later);
    leaving->chat_id = chat_id;
    order_wait(ctx, chat_id);
    if (session_changed(ctx->from, leave_settled, leaving)) {
        leave_settled(leaving, OK);
    }
}

void on_leave_chat(const struct event_ctx *ctx, const struct chat_ref *chat)
{
    char room[CHAT_ROOM_SIZE];

    if (session_must_wait(ctx->from) &&
        sio_socket_in(ctx->from->socket, chat_room(chat->chat_id, room))) {
        leave_later(ctx, chat->chat_id);
        return;
    }
    leave(ctx->from, chat->chat_id);
    answer_left(ctx, chat->chat_id);
}

static void changed(struct sio_socket *socket, bool changed, desk_recorded *recorded, void *arg)
{
    bool is_settled = !changed || session_changed(sio_socket_user(socket), recorded, arg);

    if (is_settled && recorded != NULL) {
        recorded(arg, OK);
    }
}

bool desk_join_room(struct sio_socket *socket, struct str room, desk_recorded *recorded, void *arg)
{
    unsigned rooms = sio_socket_room_count(socket);
    bool joined = sio_socket_join(socket, room);

    if (joined) {
        changed(socket, sio_socket_room_count(socket) != rooms, recorded, arg);
    }
    return joined;
}

void desk_leave_room(struct sio_socket *socket, struct str room, desk_recorded *recorded, void *arg)
{
    bool was_in = sio_socket_in(socket, room);

    int64_t chat_id;

    if (desk_room_chat(room, &chat_id)) {
        typing_leave(sio_socket_user(socket), chat_id);
    }
    sio_socket_leave(socket, room);
    changed(socket, was_in, recorded, arg);
}

/* ---- a chat that is gone */

struct member {
    struct sio_socket *socket;
};

static bool add_member(void *arg, struct sio_socket *socket)
{
    const struct member member = { socket };

    buf_add(arg, &member, sizeof member);
    return true;
}

static void move(struct sio_socket *socket, struct str from, int64_t into_id)
{
    char into[CHAT_ROOM_SIZE];

    desk_leave_room(socket, from, NULL, NULL);
    if (into_id != 0 && !desk_join_room(socket, chat_room(into_id, into), NULL, NULL)) {
        log_debug(LOG_CHAT, "room of a merged chat not joined", "chat=%" PRId64, into_id);
    }
}

void desk_chat_clear(struct desk *desk, int64_t business_id, int64_t chat_id, int64_t into_id)
{
    char name[CHAT_ROOM_SIZE];
    struct str room = chat_room(chat_id, name);
    autobuf struct buf list = BUF_INIT;
    const struct member *members;

    typing_stop_chat(desk, business_id, chat_id); /* while everybody is there to hear it */
    sio_room_members_each(desk->nsp, (uint64_t)business_id, room, add_member, &list);
    sio_sessions_forget_room(desk->nsp, (uint64_t)business_id, room);
    members = (const void *)list.data;
    for (size_t i = 0; i < list.len / sizeof *members; i++) {
        move(members[i].socket, room, into_id);
    }
}
