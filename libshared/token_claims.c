#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "libshared/id.h"
#include "libshared/json.h"
#include "libshared/token_part.h"
#include "libshared/utf8.h"

static const struct json_limits json_limits = { 16, 256 };

enum { MS_PER_S = 1000 };

/* A NumericDate (RFC 7519 §2): any JSON number, 1.9e9 too. Absent leaves *ret as it is. */
static enum err read_number(json_t *claims, const char *name, double *ret, struct errmsg *msg)
{
    const double far = (double)ID_MAX; /* so that sums cannot overflow, nor its milliseconds */
    json_t *value = json_object_get(claims, name);
    double number;

    if (value == NULL) {
        return OK;
    }
    if (!json_is_number(value)) {
        return err_set(msg, ERR_CLAIMS_INVALID, "%s is no number", name);
    }
    number = json_number_value(value);
    *ret = number > far ? far : number < -far ? -far : number;
    return OK;
}

/* In whole seconds. */
static enum err read_date(json_t *claims, const char *name, int64_t *ret, struct errmsg *msg)
{
    double number = NAN;
    enum err err = read_number(claims, name, &number, msg);

    if (err == OK && !isnan(number)) {
        *ret = (int64_t)number;
    }
    return err;
}

/* A double near today's dates is exact to a quarter of a microsecond: what comes out a little less
 * than the milliseconds that were written is put right. */
static enum err read_issued(json_t *claims, int64_t *ret_ms, struct errmsg *msg)
{
    const double slack_ms = 0.001;
    double number = NAN;
    enum err err = read_number(claims, "iat", &number, msg);

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

static enum err check_dates(json_t *claims, const struct token_rules *rules, int64_t now_s,
                            struct token_claims *ret_claims, int64_t *ret_not_before_s,
                            struct errmsg *msg)
{
    int64_t expires = INT64_MAX, not_before = INT64_MIN, issued_ms = INT64_MIN;
    enum err err = read_date(claims, "exp", &expires, msg);

    if (err == OK) {
        err = read_date(claims, "nbf", &not_before, msg);
    }
    if (err == OK) {
        err = read_issued(claims, &issued_ms, msg);
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

static bool audience_has(const json_t *aud, struct str wanted)
{
    size_t size = json_array_size(aud);

    if (json_is_string(aud)) {
        return str_eq(json_str(aud), wanted);
    }
    for (size_t i = 0; i < size; i++) {
        const json_t *member = json_array_get(aud, i);

        if (json_is_string(member) && str_eq(json_str(member), wanted)) {
            return true;
        }
    }
    return false;
}

static enum err check_parties(json_t *claims, const struct token_rules *rules, struct errmsg *msg)
{
    const json_t *issuer = json_object_get(claims, "iss");

    if (rules->issuer != NULL &&
        (!json_is_string(issuer) || !str_eq(json_str(issuer), str_of(rules->issuer)))) {
        return err_set(msg, ERR_CLAIMS_INVALID, "iss is not the expected issuer");
    }
    if (rules->audience != NULL &&
        !audience_has(json_object_get(claims, "aud"), str_of(rules->audience))) {
        return err_set(msg, ERR_CLAIMS_INVALID, "aud does not have the expected audience");
    }
    return OK;
}

/* An optional text; null counts as absent. */
static enum err read_text(json_t *claims, const char *name, struct str *ret, struct errmsg *msg)
{
    json_t *value = json_object_get(claims, name);

    *ret = STR_NONE;
    if (value == NULL || json_is_null(value)) {
        return OK;
    }
    *ret = json_str(value);
    if (ret->data == NULL || memchr(ret->data, '\0', ret->len) != NULL) {
        return err_set(msg, ERR_CLAIMS_INVALID, "%s is no text", name);
    }
    return OK;
}

static enum err read_role(json_t *claims, struct token_claims *ret_claims, struct errmsg *msg)
{
    struct str role;
    enum err err = read_text(claims, "role", &role, msg);

    if (err == OK && role.data != NULL && !token_role_parse(role, &ret_claims->role)) {
        err = err_set(msg, ERR_CLAIMS_INVALID, "the role is unknown");
    }
    return err;
}

/* A name is for people: a long one is cut between characters. */
static enum err read_name(json_t *claims, struct token_claims *ret_claims, struct errmsg *msg)
{
    struct str name;
    size_t len = 0;
    enum err err = read_text(claims, "name", &name, msg);

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
static enum err read_jti(json_t *claims, struct token_claims *ret_claims, struct errmsg *msg)
{
    struct str jti;
    enum err err = read_text(claims, "jti", &jti, msg);

    if (err == OK && jti.len > TOKEN_JTI_MAX) {
        err = err_set(msg, ERR_CLAIMS_INVALID, "jti is longer than %d bytes", TOKEN_JTI_MAX);
    }
    if (err == OK && jti.len > 0) {
        memcpy(ret_claims->jti, jti.data, jti.len);
    }
    return err;
}

static enum err read_identity(json_t *claims, struct token_claims *ret_claims, struct errmsg *msg)
{
    enum err err;

    if (!json_id(json_object_get(claims, "userId"), &ret_claims->user_id)) {
        return err_set(msg, ERR_CLAIMS_INVALID, "userId is no positive integer");
    }
    if (!json_id(json_object_get(claims, "businessId"), &ret_claims->business_id)) {
        return err_set(msg, ERR_CLAIMS_INVALID, "businessId is no positive integer");
    }
    err = read_role(claims, ret_claims, msg);
    if (err == OK) {
        err = read_name(claims, ret_claims, msg);
    }
    return err == OK ? read_jti(claims, ret_claims, msg) : err;
}

/* jansson's own strictness, which libjwt has too: an issuer that writes such a payload is to hear
 * of it whatever its algorithm is. */
static enum err read_claims(struct str json, json_t **ret_claims, struct errmsg *msg)
{
    autobuf struct buf scratch = BUF_INIT;
    struct str normal;

    if (json_normalise(json, &json_limits, &scratch, &normal, NULL) != OK ||
        normal.data[0] != '{') {
        return err_set(msg, ERR_TOKEN_INVALID, "the payload is no JSON object");
    }
    *ret_claims = json_loadb(json.data, json.len, 0, NULL);
    return *ret_claims != NULL ? OK
                               : err_set(msg, ERR_TOKEN_INVALID,
                                         "the payload has a NUL, a lone surrogate or too large a "
                                         "number");
}

enum err token_check_claims(struct str json, const struct token_rules *rules, int64_t now_s,
                            struct token_claims *ret_claims, int64_t *ret_not_before_s,
                            struct errmsg *msg)
{
    struct token_claims found = { .role = TOKEN_ROLE_AGENT };
    autojson json_t *claims = NULL;
    enum err err = read_claims(json, &claims, msg);

    if (err == OK) {
        err = check_dates(claims, rules, now_s, &found, ret_not_before_s, msg);
    }
    if (err == OK) {
        err = check_parties(claims, rules, msg);
    }
    if (err == OK) {
        err = read_identity(claims, &found, msg);
    }
    if (err == OK) {
        *ret_claims = found;
    }
    return err;
}
