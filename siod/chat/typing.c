/* Who is typing where.
 *
 * A typist is a user in a chat, whichever of the user's sockets says so. Others are told by
 * user_typing, at most once per throttle_ms, and by one user_stop_typing when it ends: by
 * typing_stop, after expire_ms of silence, when the socket leaves the chat or disconnects, and when
 * siod shuts down: the others come back to a siod that does not know who typed. A typist who stops
 * and starts again within throttle_ms is remembered and announced when that time is over, so that
 * the others never miss one who goes on typing. */
#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"

struct typing_chat {
    UT_hash_handle hh;
    int64_t chat_id, business_id;
    struct desk *desk;
    struct typist *typists;
};

struct typist {
    struct typist *prev, *next;               /* of the chat */
    struct typist *socket_prev, *socket_next; /* of the socket, while typing */
    struct typing_chat *chat;
    struct desk_socket *socket; /* that said so last; NULL when the user stopped */
    int64_t user_id;
    uint64_t told_ms;    /* when user_typing was emitted last */
    uint64_t expires_ms; /* when silence ends it, UINT64_MAX = never */
    bool visible;        /* the others were told that the user types */
    struct timer timer;
};

static struct typing_chat *find_chat(struct desk *desk, int64_t chat_id)
{
    struct typing_chat *chat;

    HASH_FIND(hh, desk->typing, &chat_id, sizeof chat_id, chat);
    return chat;
}

static struct typist *find_typist(struct desk *desk, int64_t chat_id, int64_t user_id)
{
    struct typing_chat *chat = find_chat(desk, chat_id);
    struct typist *typist = NULL;

    if (chat != NULL) {
        DL_SEARCH_SCALAR(chat->typists, typist, user_id, user_id);
    }
    return typist;
}

static struct typist *new_typist(struct desk_socket *socket, int64_t chat_id)
{
    struct desk *desk = desk_of(socket);
    struct typing_chat *chat = find_chat(desk, chat_id);
    struct typist *typist = xnew(struct typist);

    if (chat == NULL) {
        chat = xnew(struct typing_chat);
        chat->chat_id = chat_id;
        chat->business_id = socket->agent.business_id;
        chat->desk = desk;
        HASH_ADD(hh, desk->typing, chat_id, sizeof chat_id, chat);
    }
    typist->chat = chat;
    typist->user_id = socket->agent.user_id;
    DL_APPEND(chat->typists, typist);
    return typist;
}

static void attach(struct typist *typist, struct desk_socket *socket)
{
    if (typist->socket == socket) {
        return;
    }
    if (typist->socket != NULL) {
        DL_DELETE2(typist->socket->typing, typist, socket_prev, socket_next);
    }
    typist->socket = socket;
    if (socket != NULL) {
        DL_APPEND2(socket->typing, typist, socket_prev, socket_next);
    }
}

static void free_typist(struct typist *typist)
{
    struct typing_chat *chat = typist->chat;

    timer_clear(&typist->timer);
    attach(typist, NULL);
    DL_DELETE(chat->typists, typist);
    free(typist);
    if (chat->typists == NULL) {
        HASH_DEL(chat->desk->typing, chat);
        free(chat);
    }
}

static void tell(const struct typist *typist, enum desk_event event)
{
    struct desk *desk = typist->chat->desk;
    autobuf struct buf args = BUF_INIT;
    char room[CHAT_ROOM_SIZE], now[CLOCK_ISO_SIZE];
    struct sio_broadcast broadcast = {
        .room = chat_room(typist->chat->chat_id, room),
        .except_owner = (uint64_t)typist->user_id,
        .event = event_name(event),
    };

    clock_iso(loop_wall_ms(desk->config.loop), now);
    buf_add_cstr(&args, "{\"userId\":");
    buf_add_i64(&args, typist->user_id);
    buf_add_cstr(&args, ",\"chatId\":");
    buf_add_i64(&args, typist->chat->chat_id);
    buf_add_cstr(&args, ",\"timestamp\":\"");
    buf_add_cstr(&args, now);
    buf_add_cstr(&args, "\"}");
    broadcast.args = buf_str(&args);
    desk_emit(desk, typist->chat->business_id, &broadcast);
}

static uint64_t throttled_until(const struct typist *typist)
{
    return typist->told_ms + typist->chat->desk->config.typing_throttle_ms;
}

static void on_timer(struct timer *timer);

/* The next moment at which something has to be done for this typist; without one it is forgotten.
 */
static void schedule(struct typist *typist)
{
    struct loop *loop = typist->chat->desk->config.loop;
    uint64_t now_ms = loop_now_ms(loop), due_ms = throttled_until(typist);

    if (typist->socket == NULL && due_ms <= now_ms) {
        free_typist(typist);
        return;
    }
    if (typist->visible) {
        due_ms = typist->expires_ms;
    } else if (typist->socket != NULL) {
        due_ms = MIN(due_ms, typist->expires_ms);
    }
    if (due_ms == UINT64_MAX) {
        timer_clear(&typist->timer);
    } else {
        timer_set(loop, &typist->timer, due_ms > now_ms ? due_ms - now_ms : 0, on_timer);
    }
}

static void stop(struct typist *typist)
{
    attach(typist, NULL);
    if (typist->visible) {
        typist->visible = false;
        tell(typist, EVENT_user_stop_typing);
    }
    schedule(typist);
}

/* Tell the others, unless they were told a moment ago: then the timer does it. */
static void announce(struct typist *typist)
{
    uint64_t now_ms = loop_now_ms(typist->chat->desk->config.loop);

    if (typist->told_ms == 0 || throttled_until(typist) <= now_ms) {
        typist->told_ms = now_ms;
        typist->visible = true;
        tell(typist, EVENT_user_typing);
    }
    schedule(typist);
}

static void on_timer(struct timer *timer)
{
    struct typist *typist = CONTAINER_OF(timer, struct typist, timer);
    uint64_t now_ms = loop_now_ms(typist->chat->desk->config.loop);

    if (typist->socket == NULL) {
        schedule(typist);
    } else if (typist->expires_ms <= now_ms) {
        stop(typist);
    } else {
        announce(typist);
    }
}

static bool is_in_chat(const struct event_ctx *ctx, int64_t chat_id)
{
    char room[CHAT_ROOM_SIZE];

    if (sio_socket_in(ctx->from->socket, chat_room(chat_id, room))) {
        return true;
    }
    event_refuse(ctx->from->socket, ctx->name, ctx->ack, ERR_NOT_IN_CHAT,
                 err_text(ERR_NOT_IN_CHAT));
    return false;
}

static void start(struct desk_socket *socket, int64_t chat_id)
{
    struct desk *desk = desk_of(socket);
    uint64_t expire_ms = desk->config.typing_expire_ms;
    struct typist *typist = find_typist(desk, chat_id, socket->agent.user_id);

    if (typist == NULL) {
        typist = new_typist(socket, chat_id);
    }
    attach(typist, socket);
    typist->expires_ms = expire_ms > 0 ? loop_now_ms(desk->config.loop) + expire_ms : UINT64_MAX;
    announce(typist);
}

void on_typing_start(const struct event_ctx *ctx, const struct typing *typing)
{
    if (!is_in_chat(ctx, typing->chat_id)) {
        return;
    }
    if (!ctx->desk->draining) {
        start(ctx->from, typing->chat_id);
    }
    event_done(ctx->from->socket, ctx->ack, STR(""));
}

void on_typing_stop(const struct event_ctx *ctx, const struct typing *typing)
{
    struct typist *typist;

    if (!is_in_chat(ctx, typing->chat_id)) {
        return;
    }
    typist = find_typist(ctx->desk, typing->chat_id, ctx->from->agent.user_id);
    if (typist != NULL) {
        stop(typist);
    }
    event_done(ctx->from->socket, ctx->ack, STR(""));
}

void typing_leave(struct desk_socket *socket, int64_t chat_id)
{
    struct typist *typist, *next;

    DL_FOREACH_SAFE2(socket->typing, typist, next, socket_next)
    {
        if (chat_id == 0 || typist->chat->chat_id == chat_id) {
            stop(typist);
        }
    }
}

void typing_render(struct desk *desk, int64_t chat_id, int64_t except_user_id, struct buf *out)
{
    struct typing_chat *chat = find_chat(desk, chat_id);
    const char *separator = "";
    struct typist *typist;

    if (chat == NULL) {
        return;
    }
    DL_FOREACH (chat->typists, typist) {
        if (typist->visible && typist->user_id != except_user_id) {
            buf_add_cstr(out, separator);
            buf_add_i64(out, typist->user_id);
            separator = ",";
        }
    }
}

void typing_stop_all(struct desk *desk)
{
    struct typing_chat *chat, *next_chat;
    struct typist *typist, *next;

    HASH_ITER (hh, desk->typing, chat, next_chat) {
        DL_FOREACH_SAFE (chat->typists, typist, next) {
            stop(typist);
        }
    }
}

void typing_free_all(struct desk *desk)
{
    while (desk->typing != NULL) {
        free_typist(desk->typing->typists);
    }
}
