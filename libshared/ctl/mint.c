#include "libshared/ctl/mint.h"

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
