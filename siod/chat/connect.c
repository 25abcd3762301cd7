/* CONNECT: the token in `auth.token` says who the agent is; the businessId in it becomes the scope
 * of every room the socket can ever enter. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/base64.h"
#include "libshared/buf.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"
#include "siod/chat/gone.h"
#include "siod/chat/history.h"
#include "siod/chat/order.h"
#include "siod/chat/revocation.h"
#include "siod/chat/roster.h"
#include "siod/chat/session.h"
#include "siod/chat/tokens.h"
#include "siod/metrics/metrics.h"

enum { MS_PER_S = 1000, AUTH_DEPTH = 32, AUTH_KEYS = 256 };

/* ---- CONNECT */

static void refuse(struct sio_socket *socket, enum err err, const struct errmsg *msg)
{
    autobuf struct buf data = BUF_INIT;

    buf_printf(&data, "{\"code\":\"%s\"}", err_code(err));
    metric_add(METRIC_CONNECTS_REFUSED, 1);
    log_info(LOG_CHAT, "connect refused", "code=%s from=%s why=\"%s\"", err_code(err),
             eio_session_address(sio_socket_session(socket)), msg->text);
    sio_socket_refuse(socket,
                      err == ERR_RATE_LIMITED ? STR("too many connections") : STR("unauthorized"),
                      buf_str(&data));
}

/* {"token":"…"}, as clients write it: what a token is made of needs no JSON reader. */
static bool take_plain_token(struct str auth, struct str *ret_token)
{
    static const struct str head = STR_INIT("{\"token\":\""), tail = STR_INIT("\"}");
    size_t around = head.len + tail.len;

    if (auth.len <= around || !str_starts_with(auth, head) ||
        memcmp(auth.data + auth.len - tail.len, tail.data, tail.len) != 0) {
        return false;
    }
    *ret_token = (struct str) { auth.data + head.len, auth.len - around };
    for (size_t i = 0; i < ret_token->len; i++) {
        char c = ret_token->data[i];

        if (base64_value(c, "-_") < 0 && c != '.') {
            return false;
        }
    }
    return true;
}

static enum err check_token(struct desk *desk, struct str auth, struct token_claims *ret_claims,
                            struct errmsg *msg)
{
    const struct json_limits limits = { .depth = AUTH_DEPTH, .keys = AUTH_KEYS };
    autobuf struct buf scratch = BUF_INIT;
    autojson json_t *root = NULL;
    json_t *token;
    struct str plain;
    enum err err;

    if (take_plain_token(auth, &plain)) {
        return desk_token_verify(desk, plain, ret_claims, msg);
    }
    err = json_normalise(auth, &limits, &scratch, &auth, msg);
    if (err != OK) {
        return err;
    }
    root = json_tree(auth);
    token = json_object_get(root, "token");
    if (token == NULL || json_is_null(token)) {
        return err_set(msg, ERR_TOKEN_MISSING, "auth.token is missing");
    }
    if (!json_is_string(token)) {
        return err_set(msg, ERR_TOKEN_INVALID, "auth.token is not a string");
    }
    return desk_token_verify(desk, json_str(token), ret_claims, msg);
}

void desk_socket_close(struct desk_socket *self, const char *phrase)
{
    log_info(LOG_CHAT, phrase, "socket=%s user=%lld business=%lld", sio_socket_id(self->socket),
             (long long)self->agent.user_id, (long long)self->agent.business_id);
    eio_session_close(sio_socket_session(self->socket), EIO_REASON_FORCED_SERVER_CLOSE);
}

static void token_expired(struct timer *timer)
{
    struct desk_socket *self = CONTAINER_OF(timer, struct desk_socket, expiry);
    int64_t left_s =
        self->agent.token_expires_s - loop_wall_ms(desk_of(self)->config.loop) / MS_PER_S;

    if (left_s > 0) { /* the wall clock was set back meanwhile */
        timer_set(desk_of(self)->config.loop, timer, (uint64_t)left_s * MS_PER_S, token_expired);
        return;
    }
    desk_socket_close(self, "token expired");
}

static void watch_expiry(struct desk_socket *self)
{
    const int64_t longest_s = 7 * 24 * 3600; /* looked at again then */
    int64_t left_s =
        self->agent.token_expires_s - loop_wall_ms(desk_of(self)->config.loop) / MS_PER_S;

    if (self->agent.token_expires_s == INT64_MAX) {
        return;
    }
    left_s = MAX(1, MIN(left_s, longest_s));
    timer_set(desk_of(self)->config.loop, &self->expiry, (uint64_t)left_s * MS_PER_S,
              token_expired);
}

/* A token that was accepted although its time is over, for the sake of clocks that differ, is good
 * for as long as the door lets it in. Otherwise its client would be closed and come back, again and
 * again. */
static int64_t closes_s(const struct desk *desk, const struct token_claims *claims)
{
    bool is_over = claims->expires_s <= loop_wall_ms(desk->config.loop) / MS_PER_S;

    return claims->expires_s + (is_over ? token_leeway_s(desk->config.tokens) : 0);
}

/* limits.connections_per_user */
static enum err check_user(struct desk *desk, const struct token_claims *claims,
                           const struct agent *agent, struct errmsg *msg)
{
    unsigned limit = desk->config.connections_per_user;

    if (limit == 0 || agent == NULL || agent->sockets < limit) {
        return OK;
    }
    metric_add(METRIC_LIMITED_USERS, 1);
    return err_set(msg, ERR_RATE_LIMITED,
                   "user %lld of business %lld has %u sockets (limits.connections_per_user)",
                   (long long)claims->user_id, (long long)claims->business_id, agent->sockets);
}

static void on_connect(void *arg, struct sio_socket *socket, struct str auth)
{
    struct desk *desk = arg;
    struct token_claims claims = { .user_id = 0 };
    struct errmsg msg = { "" };
    struct agent *agent = NULL;
    struct desk_socket *self;
    enum err err = check_token(desk, auth, &claims, &msg);

    if (err == OK) {
        /* first: the socket that is taken over is one of the user's */
        (void)sio_socket_claim(socket, (uint64_t)claims.business_id, (uint64_t)claims.user_id);
        agent = roster_find(desk, claims.business_id, claims.user_id);
        err = check_user(desk, &claims, agent, &msg);
    }
    if (err != OK) {
        refuse(socket, err, &msg);
        return;
    }
    self = xnew(struct desk_socket);
    self->socket = socket;
    self->person = roster_enter(desk, agent, &claims);
    self->agent.user_id = claims.user_id;
    self->agent.business_id = claims.business_id;
    self->agent.role = claims.role;
    self->agent.token_issued_s = (uint32_t)MIN(MAX(claims.issued_ms / MS_PER_S, 0), UINT32_MAX);
    self->agent.token_expires_s = closes_s(desk, &claims);
    self->token_tag = revocation_tag(str_of(claims.jti));
    watch_expiry(self);
    sio_socket_set_owner(socket, (uint64_t)claims.user_id);
    sio_socket_accept(socket, (uint64_t)claims.business_id, self);
}

static void on_joined(struct sio_socket *socket, bool recovered)
{
    struct desk_socket *self = sio_socket_user(socket);
    char room[BUSINESS_ROOM_SIZE];

    if (recovered && desk_token_revoked(self)) { /* while its log was read */
        desk_socket_close(self, "token revoked");
        return;
    }
    if (!recovered && !sio_socket_join(socket, business_room(self->agent.business_id, room))) {
        log_warn(LOG_CHAT, "business room not joined", "socket=%s limit=limits.rooms_per_socket",
                 sio_socket_id(socket));
    }
    session_begin(self, recovered);
    log_debug(LOG_CHAT, recovered ? "agent recovered" : "agent connected",
              "socket=%s user=%lld business=%lld", sio_socket_id(socket),
              (long long)self->agent.user_id, (long long)self->agent.business_id);
}

static void on_event(struct sio_socket *socket, const struct sio_event *event)
{
    struct desk_socket *self = sio_socket_user(socket);

    event_dispatch(desk_of(self), self, event);
}

static void on_disconnect(struct sio_socket *socket, struct sio_reason reason)
{
    struct desk_socket *self = sio_socket_user(socket);

    if (self == NULL) {
        return;
    }
    desk_gone_note(desk_of(self), socket, reason);
    session_end(self, sio_reason_recoverable(reason));
    timer_clear(&self->expiry);
    typing_leave(self, 0);
    order_drop(self);
    history_forget(self);
    roster_leave(self->person, self->agent.role);
    free(self);
}

const struct sio_app desk_app = {
    .on_connect = on_connect,
    .on_joined = on_joined,
    .on_event = on_event,
    .on_disconnect = on_disconnect,
};

const struct desk_agent *desk_agent_of(const struct sio_socket *socket)
{
    const struct desk_socket *self = sio_socket_user(socket);

    return self != NULL ? &self->agent : NULL;
}

struct str desk_agent_name(const struct sio_socket *socket)
{
    const struct desk_socket *self = sio_socket_user(socket);
    const char *name = self->person->name;

    return name != NULL ? str_of(name) : STR("");
}
