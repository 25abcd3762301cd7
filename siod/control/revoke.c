/* `token revoke` and `token revocations`. */
#include <stdio.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/token.h"
#include "siod/chat/message.h"
#include "siod/chat/tokens.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"
#include "siod/control/rows.h"

enum { MS_PER_S = 1000, REASON_MAX = 1024 };

static void add_id_or_null(struct buf *out, const char *key, int64_t id)
{
    buf_add_cstr(out, key);
    if (id > 0) {
        buf_add_i64(out, id);
    } else {
        buf_add_cstr(out, "null");
    }
}

/* All but the closing brace. */
static void render(struct buf *out, const struct store_revocation *revocation)
{
    const int64_t year_10000_s = INT64_C(253402300800);
    int64_t expires_s = revocation->expires_s;

    buf_add_cstr(out, "{\"jti\":");
    json_add_str_or_null(out, revocation->jti);
    add_id_or_null(out, ",\"userId\":", revocation->user_id);
    add_id_or_null(out, ",\"businessId\":", revocation->business_id);
    buf_add_cstr(out, ",\"issuedBefore\":");
    time_render(out, revocation->issued_before_ms);
    buf_add_cstr(out, ",\"expiresAt\":");
    time_render(out, expires_s > 0 && expires_s < year_10000_s ? expires_s * MS_PER_S : 0);
    buf_add_cstr(out, ",\"revokedAt\":");
    time_render(out, revocation->at_ms);
    buf_add_cstr(out, ",\"who\":");
    json_add_string(out, revocation->who);
    buf_add_cstr(out, ",\"reason\":");
    json_add_str_or_null(out, revocation->reason.len > 0 ? revocation->reason : STR_NONE);
}

/* ---- what is to be revoked; each of these ends the call when it returns false */

static bool by_token(struct control_call *call, struct token_claims *claims,
                     struct store_revocation *ret)
{
    const struct control_config *config = control_config(call);
    struct errmsg msg = { "" };
    enum err err = token_verify(config->tokens, control_arg_str(call, "token"),
                                loop_wall_ms(config->loop) / MS_PER_S, claims, &msg);

    if (err != OK) {
        control_fail(call, err, "the token is not valid: %s%s", msg.text,
                     err == ERR_TOKEN_NOT_YET_VALID ? "; revoke it by its --jti" : "");
        return false;
    }
    ret->business_id = claims->business_id;
    ret->user_id = claims->user_id;
    if (claims->jti[0] != '\0') {
        ret->jti = str_of(claims->jti);
        ret->expires_s = claims->expires_s;
    } else {
        ret->issued_before_ms = claims->issued_ms + 1;
    }
    return true;
}

static bool by_jti(struct control_call *call, struct store_revocation *ret)
{
    ret->jti = control_arg_str(call, "jti");
    if (ret->jti.len == 0 || ret->jti.len > TOKEN_JTI_MAX) {
        control_fail(call, ERR_INVALID, "--jti: no valid token has one of %zu bytes (1 to %d)",
                     ret->jti.len, TOKEN_JTI_MAX);
        return false;
    }
    return true;
}

static bool by_user(struct control_call *call, struct store_revocation *ret)
{
    struct str before = control_arg_str(call, "issuedBefore");
    int64_t now_ms = loop_wall_ms(control_config(call)->loop);

    ret->user_id = control_arg_int(call, "user");
    ret->business_id = control_arg_int(call, "business");
    ret->issued_before_ms = now_ms + 1;
    if (ret->business_id == 0) {
        control_fail(call, ERR_INVALID, "--user needs --business");
    } else if (before.data != NULL && !ctl_time_ms(before, now_ms, &ret->issued_before_ms)) {
        control_fail(call, ERR_INVALID, "--issued-before: not a time");
    } else if (ret->issued_before_ms <= 0) {
        control_fail(call, ERR_INVALID, "--issued-before: no token is as old as that");
    } else if (ret->issued_before_ms > now_ms + 1) {
        control_fail(call, ERR_INVALID, "--issued-before: that time is still to come");
    } else {
        return true;
    }
    return false;
}

static bool read_wanted(struct control_call *call, struct token_claims *claims,
                        struct store_revocation *ret)
{
    bool token = control_arg(call, "token") != NULL, jti = control_arg(call, "jti") != NULL,
         user = control_arg(call, "user") != NULL;

    if (token + jti + user != 1) {
        control_fail(call, ERR_INVALID, "give one of a token, --jti and --user");
        return false;
    }
    if (!user &&
        (control_arg(call, "business") != NULL || control_arg(call, "issuedBefore") != NULL)) {
        control_fail(call, ERR_INVALID, "--business and --issued-before go with --user");
        return false;
    }
    if (control_arg_str(call, "reason").len > REASON_MAX) {
        control_fail(call, ERR_INVALID, "--reason: at most %d bytes", REASON_MAX);
        return false;
    }
    return user ? by_user(call, ret) : jti ? by_jti(call, ret) : by_token(call, claims, ret);
}

static void was_revoked(void *arg, enum err err, const struct store_revocation *now,
                        unsigned closed)
{
    struct control_call *call = arg;
    autobuf struct buf text = BUF_INIT;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, NULL);
        return;
    }
    render(&text, now);
    buf_printf(&text, ",\"closed\":%u}", closed);
    control_reply(call, buf_str(&text));
}

void control_token_revoke(struct control_call *call)
{
    struct store_revocation wanted = { .expires_s = INT64_MAX,
                                       .reason = control_arg_str(call, "reason") };
    struct token_claims claims;
    char who[32];

    if (!read_wanted(call, &claims, &wanted)) {
        return;
    }
    snprintf(who, sizeof who, "uid %u", (unsigned)call->peer->uid);
    wanted.who = str_of(who);
    control_hold(call);
    desk_token_revoke(control_config(call)->desk, &wanted, was_revoked, call);
}

/* ---- the list */

static bool add_revocation(void *arg, const struct store_revocation *revocation)
{
    struct control_list *list = arg;

    render(&list->rows.text, revocation);
    buf_add_char(&list->rows.text, '}');
    control_rows_end_row(&list->rows);
    return true;
}

static enum err list_read(struct control_list *list, struct store_reader *reader)
{
    return store_revocations(reader, add_revocation, list);
}

void control_token_revocations(struct control_call *call)
{
    control_list_all(call, list_read);
}
