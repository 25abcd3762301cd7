/* Who is typing where.
 *
 * A typist is a user in a chat, on one device (socket) or on several. Others are told by
 * user_typing, at most once per throttle_ms, and by one user_stop_typing when the last device has
 * stopped: by typing_stop, after expire_ms of silence, when it leaves the chat or disconnects, and
 * when siod shuts down: the others come back to a siod that does not know who typed. A typist who
 * stops and starts again within throttle_ms is remembered and announced when that time is over, so
 * that the others never miss one who goes on typing. */
#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/chat/access.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"
#include "siod/chat/order.h"

struct typing_chat {
    UT_hash_handle hh;
    int64_t chat_id, business_id;
    struct desk *desk;
    struct typist *typists;
};

struct typist {
    struct typist *prev, *next; /* of the chat */
    struct typing_chat *chat;
    struct typing_device *devices; /* NULL when the user stopped */
    int64_t user_id;
    uint64_t told_ms; /* when user_typing was emitted last */
    bool visible;     /* the others were told that the user types */
    struct timer timer;
};

struct typing_device {
    struct typing_device *prev, *next;               /* of the typist */
    struct typing_device *socket_prev, *socket_next; /* of the socket */
    struct typist *typist;
    struct desk_socket *socket;
    uint64_t expires_ms; /* when silence ends it, UINT64_MAX = never */
};

/* Only its own business types in a chat, so its id finds it; others find nothing. */
static struct typing_chat *find_chat(struct desk *desk, int64_t business_id, int64_t chat_id)
{
    struct typing_chat *chat;

    HASH_FIND(hh, desk->typing, &chat_id, sizeof chat_id, chat);
    return chat != NULL && chat->business_id == business_id ? chat : NULL;
}

static struct typist *find_typist(const struct desk_socket *socket, int64_t chat_id)
{
    struct typing_chat *chat = find_chat(desk_of(socket), socket->agent.business_id, chat_id);
    struct typist *typist = NULL;

    if (chat != NULL) {
        DL_SEARCH_SCALAR(chat->typists, typist, user_id, socket->agent.user_id);
    }
    return typist;
}

static struct typist *new_typist(struct desk_socket *socket, int64_t chat_id)
{
    struct desk *desk = desk_of(socket);
    struct typing_chat *chat = find_chat(desk, socket->agent.business_id, chat_id);
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

static struct typing_device *find_device(const struct typist *typist,
                                         const struct desk_socket *socket)
{
    struct typing_device *device;

    DL_SEARCH_SCALAR(typist->devices, device, socket, socket);
    return device;
}

static struct typing_device *new_device(struct typist *typist, struct desk_socket *socket)
{
    struct typing_device *device = xnew(struct typing_device);

    device->typist = typist;
    device->socket = socket;
    DL_APPEND(typist->devices, device);
    DL_APPEND2(socket->typing, device, socket_prev, socket_next);
    return device;
}

static void free_device(struct typing_device *device)
{
    DL_DELETE(device->typist->devices, device);
    DL_DELETE2(device->socket->typing, device, socket_prev, socket_next);
    free(device);
}

static void free_devices(struct typist *typist)
{
    while (typist->devices != NULL) {
        free_device(typist->devices);
    }
}

static void free_typist(struct typist *typist)
{
    struct typing_chat *chat = typist->chat;

    timer_clear(&typist->timer);
    free_devices(typist);
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

/* When the next device will have been silent for long enough. */
static uint64_t next_expiry(const struct typist *typist)
{
    const struct typing_device *device;
    uint64_t expires_ms = UINT64_MAX;

    DL_FOREACH (typist->devices, device) {
        expires_ms = MIN(expires_ms, device->expires_ms);
    }
    return expires_ms;
}

static void expire(struct typist *typist)
{
    uint64_t now_ms = loop_now_ms(typist->chat->desk->config.loop);
    struct typing_device *device, *next;

    DL_FOREACH_SAFE (typist->devices, device, next) {
        if (device->expires_ms <= now_ms) {
            free_device(device);
        }
    }
}

static void on_timer(struct timer *timer);

/* The next moment at which something has to be done for this typist; without one it is forgotten.
 */
static void schedule(struct typist *typist)
{
    struct loop *loop = typist->chat->desk->config.loop;
    uint64_t now_ms = loop_now_ms(loop), due_ms = throttled_until(typist);

    if (typist->devices == NULL && due_ms <= now_ms) {
        free_typist(typist);
        return;
    }
    if (typist->visible) {
        due_ms = next_expiry(typist);
    } else if (typist->devices != NULL) {
        due_ms = MIN(due_ms, next_expiry(typist));
    }
    if (due_ms == UINT64_MAX) {
        timer_clear(&typist->timer);
    } else {
        timer_set(loop, &typist->timer, due_ms > now_ms ? due_ms - now_ms : 0, on_timer);
    }
}

/* None of its devices is typing any more. */
static void stopped(struct typist *typist)
{
    if (typist->visible) {
        typist->visible = false;
        tell(typist, EVENT_user_stop_typing);
    }
    schedule(typist);
}

static void stop(struct typist *typist)
{
    free_devices(typist);
    stopped(typist);
}

static void stop_device(struct typing_device *device)
{
    struct typist *typist = device->typist;

    free_device(device);
    if (typist->devices == NULL) {
        stopped(typist);
    }
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
    bool was_typing = typist->devices != NULL;

    expire(typist);
    if (typist->devices == NULL && was_typing) {
        stopped(typist);
    } else if (typist->devices == NULL || typist->visible) {
        schedule(typist);
    } else {
        announce(typist);
    }
}

static void start(struct desk_socket *socket, int64_t chat_id, struct typist *typist)
{
    struct desk *desk = desk_of(socket);
    uint64_t expire_ms = desk->config.typing_expire_ms;
    struct typing_device *device;

    if (typist == NULL) {
        typist = new_typist(socket, chat_id);
    }
    device = find_device(typist, socket);
    if (device == NULL) {
        device = new_device(typist, socket);
    }
    device->expires_ms = expire_ms > 0 ? loop_now_ms(desk->config.loop) + expire_ms : UINT64_MAX;
    announce(typist);
}

/* ---- events */

/* `typist`: what was found, NULL = the user does not type there. */
typedef void typing_act(struct desk_socket *socket, int64_t chat_id, struct typist *typist);

static void act_start(struct desk_socket *socket, int64_t chat_id, struct typist *typist)
{
    if (!desk_of(socket)->draining) {
        start(socket, chat_id, typist);
    }
}

static void act_stop(struct desk_socket *socket, int64_t chat_id, struct typist *typist)
{
    struct typing_device *device = typist != NULL ? find_device(typist, socket) : NULL;

    (void)chat_id;
    if (device != NULL) {
        stop_device(device);
    }
}

static void refuse(const struct event_ctx *ctx, enum err err)
{
    event_refuse(ctx->from->socket, ctx->name, ctx->ack, err, err_text(err));
}

static void act(const struct event_ctx *ctx, int64_t chat_id, struct typist *typist, typing_act *fn)
{
    fn(ctx->from, chat_id, typist);
    event_done(ctx->from->socket, ctx->ack, STR(""));
}

/* A chat that is not remembered. */
struct typing_query {
    struct event_later later;
    int64_t chat_id;
    typing_act *fn;
};

static bool is_in_room(const struct event_ctx *ctx, int64_t chat_id)
{
    char room[CHAT_ROOM_SIZE];

    return sio_socket_in(ctx->from->socket, chat_room(chat_id, room));
}

static void chat_checked(void *arg, enum err err)
{
    struct typing_query *query = arg;
    struct event_ctx ctx;

    if (event_resume(&query->later, &ctx)) {
        if (err == OK && is_in_room(&ctx, query->chat_id)) {
            act(&ctx, query->chat_id, find_typist(ctx.from, query->chat_id), query->fn);
        } else {
            refuse(&ctx, err == OK || err == ERR_NOT_FOUND ? ERR_NOT_IN_CHAT : err);
        }
        order_go_on(&ctx, query->chat_id);
    }
    free(query);
}

static void ask(const struct event_ctx *ctx, int64_t chat_id, typing_act *fn)
{
    struct typing_query *query = xnew(struct typing_query);

    event_suspend(ctx, &query->later);
    query->chat_id = chat_id;
    query->fn = fn;
    order_wait(ctx, chat_id);
    access_chat(ctx->desk, ctx->from->agent.business_id, chat_id, chat_checked, query);
}

/* To be in the room is not enough: an operator may put a socket into a room of any name, and what
 * is a chat of another business is none of its own. Who types there already has been looked at. */
static void handle(const struct event_ctx *ctx, int64_t chat_id, typing_act *fn)
{
    enum access access = ACCESS_DENIED;
    struct typist *typist = NULL;

    if (is_in_room(ctx, chat_id)) {
        typist = find_typist(ctx->from, chat_id);
        access = typist != NULL
                     ? ACCESS_GRANTED
                     : access_remembered(ctx->desk, ctx->from->agent.business_id, chat_id);
    }
    switch (access) {
    case ACCESS_GRANTED:
        act(ctx, chat_id, typist, fn);
        return;
    case ACCESS_DENIED:
        refuse(ctx, ERR_NOT_IN_CHAT);
        return;
    case ACCESS_UNKNOWN:
        ask(ctx, chat_id, fn);
        return;
    }
}

void on_typing_start(const struct event_ctx *ctx, const struct typing *typing)
{
    handle(ctx, typing->chat_id, act_start);
}

void on_typing_stop(const struct event_ctx *ctx, const struct typing *typing)
{
    handle(ctx, typing->chat_id, act_stop);
}

void typing_leave(struct desk_socket *socket, int64_t chat_id)
{
    struct typing_device *device, *next;

    DL_FOREACH_SAFE2(socket->typing, device, next, socket_next)
    {
        if (chat_id == 0 || device->typist->chat->chat_id == chat_id) {
            stop_device(device);
        }
    }
}

static NOINLINE void render_chat(const struct typing_chat *chat, int64_t except_user_id,
                                 struct buf *out)
{
    const char *separator = "";
    const struct typist *typist;

    DL_FOREACH (chat->typists, typist) {
        if (typist->visible && typist->user_id != except_user_id) {
            buf_add_cstr(out, separator);
            buf_add_i64(out, typist->user_id);
            separator = ",";
        }
    }
}

void typing_render(const struct desk_socket *socket, int64_t chat_id, struct buf *out)
{
    const struct typing_chat *chat = find_chat(desk_of(socket), socket->agent.business_id, chat_id);

    if (chat != NULL) {
        render_chat(chat, socket->agent.user_id, out);
    }
}

/* The chat may be forgotten with its last typist. */
static void stop_chat(struct typing_chat *chat)
{
    struct typist *typist, *next;

    DL_FOREACH_SAFE (chat->typists, typist, next) {
        stop(typist);
    }
}

void typing_stop_chat(struct desk *desk, int64_t business_id, int64_t chat_id)
{
    struct typing_chat *chat = find_chat(desk, business_id, chat_id);

    if (chat != NULL) {
        stop_chat(chat);
    }
}

void typing_stop_all(struct desk *desk)
{
    struct typing_chat *chat, *next;

    HASH_ITER (hh, desk->typing, chat, next) {
        stop_chat(chat);
    }
}

void typing_free_all(struct desk *desk)
{
    while (desk->typing != NULL) {
        free_typist(desk->typing->typists);
    }
}
