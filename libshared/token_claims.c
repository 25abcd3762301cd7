#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/id.h"
#include "libshared/json.h"
#include "libshared/json_text.h"
#include "libshared/token_part.h"
#include "libshared/utf8.h"

static const struct json_limits json_limits = { .depth = 16, .keys = 256 };

enum { MS_PER_S = 1000 };

/* The claims that are looked at, as text; .data NULL when absent. */
struct payload {
    struct str expires, not_before, issued, issuer, audience;
    struct str user_id, business_id, role, name, jti;
    struct buf scratch; /* decoded strings, with room for all of them */
};

#define CLAIM(name, member)                                                                        \
    {                                                                                              \
        name, JSON_FIELD_ANY, offsetof(struct payload, member), false, 0, NULL                     \
    }
static const struct json_field payload_fields[] = {
    CLAIM("exp", expires),
    CLAIM("nbf", not_before),
    CLAIM("iat", issued),
    CLAIM("iss", issuer),
    CLAIM("aud", audience),
    CLAIM("userId", user_id),
    CLAIM("businessId", business_id),
    CLAIM("role", role),
    CLAIM("name", name),
    CLAIM("jti", jti),
    JSON_FIELDS_END,
};
#undef CLAIM

static bool is_number(struct str value)
{
    return value.data[0] == '-' || (value.data[0] >= '0' && value.data[0] <= '9');
}

static double to_number(struct str value)
{
    autofree char *text = NULL;
    int64_t number;

    if (json_text_int(value, &number)) {
        return (double)number;
    }
    text = xstrndup(value.data, value.len);
    return strtod(text, NULL);
}

/* A NumericDate (RFC 7519 §2): any JSON number, 1.9e9 too. Absent leaves *ret as it is. */
static enum err read_number(struct str value, const char *name, double *ret, struct errmsg *msg)
{
    const double far = (double)ID_MAX; /* so that sums cannot overflow, nor its milliseconds */
    double number;

    if (value.data == NULL) {
        return OK;
    }
    if (!is_number(value)) {
        return err_set(msg, ERR_CLAIMS_INVALID, "%s is no number", name);
    }
    number = to_number(value);
    *ret = number > far ? far : number < -far ? -far : number;
    return OK;
}

/* In whole seconds. */
static enum err read_date(struct str value, const char *name, int64_t *ret, struct errmsg *msg)
{
    double number = NAN;
    enum err err = read_number(value, name, &number, msg);

    if (err == OK && !isnan(number)) {
        *ret = (int64_t)number;
    }
    return err;
}

/* A double near today's dates is exact to a quarter of a microsecond: what comes out a little less
 * than the milliseconds that were written is put right. */
static enum err read_issued(struct str value, int64_t *ret_ms, struct errmsg *msg)
{
    const double slack_ms = 0.001;
    double number = NAN;
    enum err err = read_number(value, "iat", &number, msg);

    if (err == OK && !isnan(number)) {
        *ret_ms = (int64_t)(number * MS_PER_S + slack_ms);
    }
    return err;
}

enum err token_check_times(int64_t expires_s, int64_t not_before_s, int64_t leeway_s, int64_t now_s,
                           struct errmsg *msg)
{
    if (expires_s != INT64_MAX && now_s >= expires_s + leeway_s) {
        return err_set(msg, ERR_TOKEN_EXPIRED, "the token expired %" PRId64 " s ago",
                       now_s - expires_s);
    }
    if (not_before_s != INT64_MIN && now_s < not_before_s - leeway_s) {
        return err_set(msg, ERR_TOKEN_NOT_YET_VALID, "the token is valid in %" PRId64 " s",
                       not_before_s - now_s);
    }
    return OK;
}

static enum err check_dates(const struct payload *claims, const struct token_rules *rules,
                            int64_t now_s, struct token_claims *ret_claims,
                            int64_t *ret_not_before_s, struct errmsg *msg)
{
    int64_t expires = INT64_MAX, not_before = INT64_MIN, issued_ms = INT64_MIN;
    enum err err = read_date(claims->expires, "exp", &expires, msg);

    if (err == OK) {
        err = read_date(claims->not_before, "nbf", &not_before, msg);
    }
    if (err == OK) {
        err = read_issued(claims->issued, &issued_ms, msg);
    }
    if (err != OK) {
        return err;
    }
    if (expires == INT64_MAX && rules->require_exp) {
        return err_set(msg, ERR_CLAIMS_INVALID, "exp is missing");
    }
    ret_claims->expires_s = expires;
    ret_claims->issued_ms = issued_ms != INT64_MIN ? issued_ms : 0;
    if (issued_ms != INT64_MIN) {
        not_before = MAX(not_before, issued_ms / MS_PER_S);
    }
    *ret_not_before_s = not_before;
    return token_check_times(expires, *ret_not_before_s, rules->leeway_s, now_s, msg);
}

static bool is_text(struct payload *claims, struct str value, struct str wanted)
{
    struct str text;

    return json_text_string(value, &claims->scratch, &text) && str_eq(text, wanted);
}

static bool audience_has(struct payload *claims, struct str wanted)
{
    struct str aud = claims->audience, list, member;

    if (aud.len == 0 || aud.data[0] != '[') {
        return is_text(claims, aud, wanted);
    }
    for (list = json_text_inside(aud); json_text_take(&list, &member);) {
        if (is_text(claims, member, wanted)) {
            return true;
        }
    }
    return false;
}

static enum err check_parties(struct payload *claims, const struct token_rules *rules,
                              struct errmsg *msg)
{
    if (rules->issuer != NULL && !is_text(claims, claims->issuer, str_of(rules->issuer))) {
        return err_set(msg, ERR_CLAIMS_INVALID, "iss is not the expected issuer");
    }
    if (rules->audience != NULL && !audience_has(claims, str_of(rules->audience))) {
        return err_set(msg, ERR_CLAIMS_INVALID, "aud does not have the expected audience");
    }
    return OK;
}

/* An optional text; null counts as absent. */
static enum err read_text(struct payload *claims, struct str value, const char *name,
                          struct str *ret, struct errmsg *msg)
{
    *ret = STR_NONE;
    if (value.data == NULL || json_text_is_null(value)) {
        return OK;
    }
    return json_text_string(value, &claims->scratch, ret)
               ? OK
               : err_set(msg, ERR_CLAIMS_INVALID, "%s is no text", name);
}

static enum err read_role(struct payload *claims, struct token_claims *ret_claims,
                          struct errmsg *msg)
{
    struct str role;
    enum err err = read_text(claims, claims->role, "role", &role, msg);

    if (err == OK && role.data != NULL && !token_role_parse(role, &ret_claims->role)) {
        err = err_set(msg, ERR_CLAIMS_INVALID, "the role is unknown");
    }
    return err;
}

/* A name is for people: a long one is cut between characters. */
static enum err read_name(struct payload *claims, struct token_claims *ret_claims,
                          struct errmsg *msg)
{
    struct str name;
    size_t len = 0;
    enum err err = read_text(claims, claims->name, "name", &name, msg);

    while (err == OK && name.data != NULL && len < name.len) {
        size_t step = utf8_sequence(str_skip(name, len));

        if (step == 0 || len + step > TOKEN_NAME_MAX) {
            break;
        }
        len += step;
    }
    if (len > 0) {
        memcpy(ret_claims->name, name.data, len);
    }
    return err;
}

/* A jti is for revocation: a cut one could not be found again. */
static enum err read_jti(struct payload *claims, struct token_claims *ret_claims,
                         struct errmsg *msg)
{
    struct str jti;
    enum err err = read_text(claims, claims->jti, "jti", &jti, msg);

    if (err == OK && jti.len > TOKEN_JTI_MAX) {
        err = err_set(msg, ERR_CLAIMS_INVALID, "jti is longer than %d bytes", TOKEN_JTI_MAX);
    }
    if (err == OK && jti.len > 0) {
        memcpy(ret_claims->jti, jti.data, jti.len);
    }
    return err;
}

static enum err read_identity(struct payload *claims, struct token_claims *ret_claims,
                              struct errmsg *msg)
{
    enum err err;

    if (!json_text_id(claims->user_id, &ret_claims->user_id)) {
        return err_set(msg, ERR_CLAIMS_INVALID, "userId is no positive integer");
    }
    if (!json_text_id(claims->business_id, &ret_claims->business_id)) {
        return err_set(msg, ERR_CLAIMS_INVALID, "businessId is no positive integer");
    }
    err = read_role(claims, ret_claims, msg);
    if (err == OK) {
        err = read_name(claims, ret_claims, msg);
    }
    return err == OK ? read_jti(claims, ret_claims, msg) : err;
}

/* An escaped NUL may be a backslash and what only looks like one; jansson tells. */
static bool has_nul(struct str json)
{
    autojson json_t *plain = NULL;

    if (memmem(json.data, json.len, "\\u0000", 6) == NULL) {
        return false;
    }
    plain = json_loadb(json.data, json.len, 0, NULL);
    return plain == NULL;
}

/* As strict as libjwt, which reads the payload with jansson: an issuer that writes such a thing is
 * to hear of it whatever its algorithm is. */
static enum err read_claims(struct str json, struct payload *ret_claims, struct errmsg *msg)
{
    autobuf struct buf changed = BUF_INIT;
    struct str normal;

    if (json_normalise(json, &json_limits, &changed, &normal, NULL) != OK ||
        !json_text_is_object(normal)) {
        return err_set(msg, ERR_TOKEN_INVALID, "the payload is no JSON object");
    }
    if (changed.len > 0 || has_nul(normal)) {
        return err_set(msg, ERR_TOKEN_INVALID,
                       "the payload has a NUL, a lone surrogate or too large a number");
    }
    json_text_reserve(&ret_claims->scratch, normal);
    return json_bind(normal, payload_fields, NULL, ret_claims, msg);
}

enum err token_check_claims(struct str json, const struct token_rules *rules, int64_t now_s,
                            struct token_claims *ret_claims, int64_t *ret_not_before_s,
                            struct errmsg *msg)
{
    struct token_claims found = { .role = TOKEN_ROLE_AGENT };
    struct payload claims = { .scratch = BUF_INIT };
    enum err err = read_claims(json, &claims, msg);

    if (err == OK) {
        err = check_dates(&claims, rules, now_s, &found, ret_not_before_s, msg);
    }
    if (err == OK) {
        err = check_parties(&claims, rules, msg);
    }
    if (err == OK) {
        err = read_identity(&claims, &found, msg);
    }
    if (err == OK) {
        *ret_claims = found;
    }
    buf_finish(&claims.scratch);
    return err;
}
