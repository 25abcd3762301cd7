#include "libshared/ctl/mint.h"

#include "libshared/clock.h"
#include "libshared/id.h"
#include "libshared/json.h"

enum { TTL_DEFAULT_S = 3600 };

static void copy_member(json_t *claims, const char *name, const json_t *args, const char *key)
{
    json_t *value = json_object_get(args, key);

    if (value != NULL) {
        json_object_set(claims, name, value);
    }
}

static void set_text(json_t *claims, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        json_object_set_new(claims, name, json_string(text));
    }
}

static void set_times(json_t *claims, const json_t *ttl, int64_t now_s)
{
    int64_t ttl_s = ttl != NULL ? json_integer_value(ttl) / 1000 : TTL_DEFAULT_S;

    json_object_set_new(claims, "iat", json_integer(now_s));
    json_object_set_new(claims, "exp", json_integer(now_s + ttl_s));
}

void ctl_mint_claims(const json_t *args, const char *issuer, const char *audience, int64_t now_s,
                     struct buf *out)
{
    autojson json_t *claims = json_object();
    char jti[SID_SIZE];
    json_t *more;
    size_t i;

    copy_member(claims, "userId", args, "user");
    copy_member(claims, "businessId", args, "business");
    copy_member(claims, "role", args, "role");
    copy_member(claims, "name", args, "name");
    set_text(claims, "iss", issuer);
    set_text(claims, "aud", audience);
    set_times(claims, json_object_get(args, "ttl"), now_s);
    id_sid(jti);
    json_object_set_new(claims, "jti", json_string(jti));
    json_array_foreach(json_object_get(args, "claim"), i, more)
    {
        json_object_update(claims, more);
    }
    json_add_tree(out, claims);
}

static void add_time(struct buf *out, const char *key, int64_t at_s, bool known)
{
    char text[CLOCK_ISO_SIZE];

    buf_printf(out, ",\"%s\":", key);
    if (!known || at_s > INT64_C(253402300799)) {
        buf_add_cstr(out, "null");
        return;
    }
    clock_iso(at_s * 1000, text);
    json_add_cstr(out, text);
}

static void add_text(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, ",\"%s\":", key);
    json_add_cstr(out, text[0] != '\0' ? text : NULL);
}

void ctl_verdict_render(struct buf *out, enum err err, const struct token_claims *claims,
                        const struct errmsg *msg)
{
    if (err != OK) {
        buf_add_cstr(out, "{\"valid\":false");
        add_text(out, "code", err_code(err));
        add_text(out, "message", msg->text[0] != '\0' ? msg->text : err_text(err));
        buf_add_char(out, '}');
        return;
    }
    buf_add_cstr(out, "{\"valid\":true,\"userId\":");
    buf_add_i64(out, claims->user_id);
    buf_add_cstr(out, ",\"businessId\":");
    buf_add_i64(out, claims->business_id);
    add_text(out, "role", token_role_name(claims->role));
    add_text(out, "name", claims->name);
    add_time(out, "issuedAt", claims->issued_ms / 1000, claims->issued_ms > 0);
    add_time(out, "expiresAt", claims->expires_s, claims->expires_s != INT64_MAX);
    add_text(out, "jti", claims->jti);
    buf_add_char(out, '}');
}
