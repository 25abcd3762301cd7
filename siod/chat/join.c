/* join_chat and leave_chat.
 *
 * The tenancy check (access.h) comes first: a chat of another business does not exist for the
 * client. A chat that is remembered is joined from memory; otherwise the store is asked whose it
 * is. With `history` the room is entered before the snapshot is read, so that there is no hole
 * between the last message of the answer and the first event from the room: what arrives meanwhile
 * carries positions, and those above the answer's position are new.
 *
 * Histories are large, and a client may ask for many at once. They are read one after the other,
 * the next when the last was sent, and each is sent when its client has taken enough of what was
 * before: so many never wait for one that reads slowly, and it is not cut for them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/log.h"
#include "siod/chat/access.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"
#include "siod/chat/message.h"
#include "siod/chat/order.h"
#include "siod/chat/session.h"
#include "siod/chat/show.h"

enum {
    HISTORIES_MAX = 500, /* of one socket, at once */
    ANSWER_BYTES = 4096, /* of an answer beside its messages and its chat */
    LOOK_AGAIN_MS = 10,
};

/* A question to the store on behalf of a join; the socket is found again by its id. */
struct join_query {
    struct store_query query;
    struct join_query *prev, *next; /* in from->histories */
    struct desk_socket *from;       /* likewise; NULL: it has gone */
    struct timer timer;             /* the answer waits for the client */
    enum err result;
    struct event_later later;
    struct chat_join wanted;
    int64_t asking_business_id, asking_user_id;
    bool was_member, is_read;  /* before this join; by the store */
    int64_t position;          /* answers */
    struct buf messages, chat; /* JSON */
};

static struct join_query *join_query_new(const struct event_ctx *ctx,
                                         const struct chat_join *wanted)
{
    struct join_query *join = xnew(struct join_query);

    event_suspend(ctx, &join->later);
    join->wanted = *wanted;
    join->asking_business_id = ctx->from->agent.business_id;
    join->asking_user_id = ctx->from->agent.user_id;
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
    if (more.len > 0) {
        buf_add_str(out, more);
    }
    event_done_end(ctx->from->socket, out);
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
    enum err err = store_snapshot(reader, join->asking_business_id, &join->position);

    if (err == OK) {
        err = chat_show_id(reader, join->wanted.chat_id, 0, join->asking_user_id, &join->chat);
    }
    return err != OK ? err
                     : store_chat_messages(reader, join->wanted.chat_id,
                                           (unsigned)join->wanted.history, add_message, join);
}

static void refuse_join(const struct event_ctx *ctx, enum err err)
{
    refuse(ctx, err, err == ERR_NOT_FOUND ? "no such chat" : err_text(err));
}

static void history_failed(const struct join_query *join, const struct event_ctx *ctx, enum err err)
{
    char room[CHAT_ROOM_SIZE];

    if (!join->was_member) {
        desk_leave_room(ctx->from->socket, chat_room(join->wanted.chat_id, room), NULL, NULL);
    }
    refuse_join(ctx, err);
}

static void history_answer(struct join_query *join)
{
    autobuf struct buf more = BUF_INIT;
    struct event_ctx ctx;

    if (!event_resume(&join->later, &ctx)) {
        return;
    }
    if (join->result != OK) {
        history_failed(join, &ctx, join->result);
        return;
    }
    buf_add_cstr(&more, ",\"messages\":[");
    buf_add_str(&more, buf_str(&join->messages));
    buf_add_cstr(&more, "],\"chat\":");
    buf_add_str(&more, buf_str(&join->chat));
    answer(&ctx, join->wanted.chat_id, join->position, buf_str(&more));
}

static void history_next(struct desk_socket *socket)
{
    if (socket->histories != NULL) {
        store_ask(desk_of(socket)->config.store, &socket->histories->query);
    }
}

static void history_look_again(struct timer *timer);

/* The first of its socket, and read. The socket may be gone when it has been answered. */
static void history_send(struct join_query *join)
{
    struct desk_socket *from = join->from;
    size_t bytes = join->messages.len + join->chat.len + ANSWER_BYTES;

    if (!eio_session_admit(sio_socket_session(from->socket), bytes)) {
        timer_set(desk_of(from)->config.loop, &join->timer, LOOK_AGAIN_MS, history_look_again);
        return;
    }
    DL_DELETE(from->histories, join);
    from->histories_count--;
    history_next(from);
    history_answer(join);
    join_query_free(join);
}

static void history_look_again(struct timer *timer)
{
    history_send(CONTAINER_OF(timer, struct join_query, timer));
}

static void history_done(struct store_query *query, enum err err)
{
    struct join_query *join = CONTAINER_OF(query, struct join_query, query);

    if (join->from == NULL) {
        join_query_free(join);
        return;
    }
    join->is_read = true;
    join->result = err;
    history_send(join);
}

static void history_ask(const struct event_ctx *ctx, const struct chat_join *wanted,
                        bool was_member)
{
    struct join_query *join = join_query_new(ctx, wanted);
    struct desk_socket *from = ctx->from;

    join->was_member = was_member;
    join->query.fetch = history_fetch;
    join->query.done = history_done;
    if (from->histories_count == HISTORIES_MAX) {
        history_failed(join, ctx, ERR_RATE_LIMITED);
        join_query_free(join);
        return;
    }
    join->from = from;
    DL_APPEND(from->histories, join);
    if (++from->histories_count == 1) {
        history_next(from);
    }
}

/* The first one is the store's until it is read. */
void join_forget(struct desk_socket *socket)
{
    struct join_query *first = socket->histories, *join, *next;

    DL_FOREACH_SAFE (socket->histories, join, next) {
        DL_DELETE(socket->histories, join);
        timer_clear(&join->timer);
        join->from = NULL;
        if (join != first || join->is_read) {
            join_query_free(join);
        }
    }
}

/* ---- a chat of one's own business */

static void answer_joined(const struct event_ctx *ctx, const struct chat_join *wanted,
                          bool was_member)
{
    if (wanted->history == 0) {
        answer(ctx, wanted->chat_id, desk_position(ctx->desk, ctx->from->agent.business_id),
               STR(""));
        return;
    }
    history_ask(ctx, wanted, was_member);
}

/* No row of the session says otherwise any more. */
static void join_settled(void *arg, enum err err)
{
    struct join_query *join = arg;
    struct event_ctx ctx;

    if (event_resume(&join->later, &ctx)) {
        if (err == OK) {
            answer_joined(&ctx, &join->wanted, false);
        } else {
            history_failed(join, &ctx, err);
        }
    }
    join_query_free(join);
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
        (void)session_changed(ctx->from, join_settled, join_query_new(ctx, wanted));
    } else {
        (void)session_changed(ctx->from, NULL, NULL);
        answer_joined(ctx, wanted, false);
    }
}

static void join_checked(void *arg, enum err err)
{
    struct join_query *join = arg;
    struct event_ctx ctx;

    if (event_resume(&join->later, &ctx)) {
        if (err == OK) {
            join_own(&ctx, &join->wanted);
        } else {
            refuse_join(&ctx, err);
        }
        order_go_on(&ctx, join->wanted.chat_id);
    }
    join_query_free(join);
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
                    join_query_new(ctx, wanted));
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
