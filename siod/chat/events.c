#include "siod/chat/events.h"

#include <string.h>

#include "libshared/buf.h"
#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/order.h"

struct str event_name(enum desk_event event)
{
    static const struct str names[EVENT_COUNT] = {
#define ON(id, name, role, payload)
#define EMIT(id, name, room) [EVENT_##id] = STR_INIT(name),
#include "siod/chat/events.def"
#undef EMIT
#undef ON
    };

    return names[event];
}

/* ---- dispatch */

#define ON(id, name, role, payload)                                                                \
    static void run_##id(const struct event_ctx *ctx, const void *bound)                           \
    {                                                                                              \
        on_##id(ctx, bound);                                                                       \
    }                                                                                              \
    static enum err call_##id(const struct event_ctx *ctx, struct str args, struct errmsg *msg)    \
    {                                                                                              \
        struct payload bound = { 0 };                                                              \
        enum err err = bind_##payload(args, &bound, msg);                                          \
                                                                                                   \
        if (err == OK &&                                                                           \
            !(ctx->from->turns != NULL &&                                                          \
              order_hold(ctx, subject_of_##payload(&bound), run_##id, &bound, sizeof bound))) {    \
            on_##id(ctx, &bound);                                                                  \
        }                                                                                          \
        return err;                                                                                \
    }
#define EMIT(id, name, room)
#include "siod/chat/events.def"
#undef EMIT
#undef ON

static const struct handler {
    struct str name;
    enum token_role least;
    enum err (*call)(const struct event_ctx *ctx, struct str args, struct errmsg *msg);
} handlers[] = {
#define ON(id, name, role, payload) { STR_INIT(name), TOKEN_ROLE_##role, call_##id },
#define EMIT(id, name, room)
#include "siod/chat/events.def"
#undef EMIT
#undef ON
};

static const struct handler *find_handler(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
        if (str_eq(handlers[i].name, name)) {
            return &handlers[i];
        }
    }
    return NULL;
}

/* limits.events_per_s */
static enum err check_rate(const struct desk_socket *from, const struct sio_event *event,
                           struct errmsg *msg)
{
    if (event->excess == 0) {
        return OK;
    }
    if (event->excess == 1) {
        log_warn(LOG_CHAT, "too many events",
                 "limit=limits.events_per_s socket=%s user=%lld business=%lld",
                 sio_socket_id(from->socket), (long long)from->agent.user_id,
                 (long long)from->agent.business_id);
    }
    return err_set(msg, ERR_RATE_LIMITED, "too many events (limits.events_per_s)");
}

static enum err handle(const struct handler *handler, const struct event_ctx *ctx, struct str args,
                       struct errmsg *msg)
{
    if (ctx->from->agent.role < handler->least) {
        return err_set(msg, ERR_FORBIDDEN, "the token's role may not send this event");
    }
    return handler->call(ctx, args, msg);
}

void event_dispatch(struct desk *desk, struct desk_socket *from, const struct sio_event *event)
{
    const struct handler *handler = find_handler(event->name);
    struct errmsg msg = { "" };
    struct event_ctx ctx = { .desk = desk,
                             .from = from,
                             .name = handler != NULL ? handler->name : event->name,
                             .ack = event->ack };
    enum err err = check_rate(from, event, &msg);

    if (err == OK && handler == NULL) {
        err = ERR_UNKNOWN_EVENT;
    }
    err = err == OK ? handle(handler, &ctx, event->args, &msg) : err;
    if (err != OK) {
        event_refuse(from->socket, ctx.name, ctx.ack, err,
                     msg.text[0] != '\0' ? msg.text : err_text(err));
    }
}

/* ---- answers */

void event_suspend(const struct event_ctx *ctx, struct event_later *ret_later)
{
    *ret_later = (struct event_later) { .desk = ctx->desk, .name = ctx->name, .ack = ctx->ack };
    memcpy(ret_later->socket_id, sio_socket_id(ctx->from->socket), SID_SIZE);
    memcpy(ret_later->session_sid, eio_session_sid(sio_socket_session(ctx->from->socket)),
           SID_SIZE);
}

bool event_resume(const struct event_later *later, struct event_ctx *ret_ctx)
{
    struct sio_socket *socket = sio_socket_find(later->desk->nsp, str_of(later->socket_id));

    if (socket == NULL ||
        strcmp(eio_session_sid(sio_socket_session(socket)), later->session_sid) != 0) {
        return false;
    }
    *ret_ctx = (struct event_ctx) {
        .desk = later->desk, .from = sio_socket_user(socket), .name = later->name, .ack = later->ack
    };
    return true;
}

struct buf *event_done_begin(struct sio_socket *socket, int64_t ack)
{
    struct buf *out = sio_ack_begin(socket, ack);

    if (out != NULL) {
        buf_add_cstr(out, "{\"ok\":true");
    }
    return out;
}

void event_done_end(struct sio_socket *socket, struct buf *out)
{
    buf_add_char(out, '}');
    sio_ack_end(socket, out);
}

void event_done(struct sio_socket *socket, int64_t ack, struct str fields)
{
    struct buf *out = event_done_begin(socket, ack);

    if (out != NULL) {
        buf_add_str(out, fields);
        event_done_end(socket, out);
    }
}

/* As much of a name of the client's own making as is sent back to it, whole characters. */
static struct str shown_name(struct str name)
{
    enum { NAME_MAX_SHOWN = 255 };
    size_t len = MIN(name.len, (size_t)NAME_MAX_SHOWN);

    while (len < name.len && len > 0 && ((unsigned char)name.data[len] & 0xc0) == 0x80) {
        len--;
    }
    return (struct str) { name.data, len };
}

void event_refuse(struct sio_socket *socket, struct str event, int64_t ack, enum err err,
                  const char *message)
{
    autobuf struct buf out = BUF_INIT;

    if (ack >= 0) {
        buf_printf(&out, "{\"ok\":false,\"error\":{\"code\":\"%s\",\"message\":", err_code(err));
        json_add_cstr(&out, message);
        buf_add_cstr(&out, "}}");
        sio_socket_ack(socket, ack, buf_str(&out));
        return;
    }
    buf_add_cstr(&out, "{\"event\":");
    json_add_string(&out, shown_name(event));
    buf_printf(&out, ",\"code\":\"%s\",\"message\":", err_code(err));
    json_add_cstr(&out, message);
    buf_add_char(&out, '}');
    sio_socket_reply(socket, event_name(EVENT_error_event), buf_str(&out));
}
