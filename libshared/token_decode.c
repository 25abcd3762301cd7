#include <string.h>

#include "libshared/base64.h"
#include "libshared/json.h"
#include "libshared/token_part.h"

static const struct json_limits json_limits = { .depth = 16, .keys = 256 };

enum err token_split(struct str token, struct token_parts *ret_parts, struct errmsg *msg)
{
    struct str segments[3];

    if (token.len == 0) {
        return err_set(msg, ERR_TOKEN_MISSING, "%s", err_text(ERR_TOKEN_MISSING));
    }
    if (token.len > TOKEN_MAX) {
        return err_set(msg, ERR_TOKEN_INVALID, "longer than a token may be");
    }
    for (size_t i = 0; i < 3; i++) {
        const char *dot = token.len > 0 ? memchr(token.data, '.', token.len) : NULL;
        size_t len = dot != NULL ? (size_t)(dot - token.data) : token.len;

        if (len == 0 || (dot == NULL) != (i == 2)) {
            return err_set(msg, ERR_TOKEN_INVALID, "not three segments separated by dots");
        }
        segments[i] = (struct str) { token.data, len };
        token = str_skip(token, i < 2 ? len + 1 : len);
    }
    *ret_parts = (struct token_parts) { segments[0], segments[1], segments[2] };
    return OK;
}

bool token_base64_decode(struct str text, struct buf *ret_bytes)
{
    unsigned bits = 0, count = 0;
    char *to = buf_reserve(ret_bytes, text.len), *start = to;
    bool good = true;

    for (size_t i = 0; good && i < text.len; i++) {
        int value = base64_value(text.data[i], "-_");

        good = value >= 0;
        bits = (bits << 6 | ((unsigned)value & 63)) & 0xfff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *to++ = (char)(bits >> count);
        }
    }
    *to = '\0';
    ret_bytes->len += (size_t)(to - start);
    /* a rest of six bits is no byte; unused bits would give a token several spellings */
    return good && count != 6 && (bits & ((1u << count) - 1)) == 0;
}

enum err token_decode_object(struct str text, struct buf *ret_json, const char *what,
                             struct errmsg *msg)
{
    autobuf struct buf bytes = BUF_INIT;
    autojson json_t *root = NULL;

    if (!token_base64_decode(text, &bytes)) {
        return err_set(msg, ERR_TOKEN_INVALID, "the %s is not in base64url", what);
    }
    root = json_read(buf_str(&bytes), &json_limits, NULL);
    if (!json_is_object(root)) {
        return err_set(msg, ERR_TOKEN_INVALID, "the %s is no JSON object", what);
    }
    buf_add_str(ret_json, buf_str(&bytes));
    return OK;
}

enum err token_decode(struct str token, struct buf *ret_header, struct buf *ret_claims,
                      struct errmsg *msg)
{
    autobuf struct buf header = BUF_INIT;
    autobuf struct buf claims = BUF_INIT;
    autobuf struct buf signature = BUF_INIT;
    struct token_parts parts = { .header = STR_NONE };
    enum err err = token_split(token, &parts, msg);

    if (err == OK) {
        err = token_decode_object(parts.header, &header, "header", msg);
    }
    if (err == OK) {
        err = token_decode_object(parts.claims, &claims, "payload", msg);
    }
    if (err == OK && !token_base64_decode(parts.signature, &signature)) {
        err = err_set(msg, ERR_TOKEN_INVALID, "the signature is not in base64url");
    }
    if (err == OK) {
        buf_add_str(ret_header, buf_str(&header));
        buf_add_str(ret_claims, buf_str(&claims));
    }
    return err;
}

enum err token_check_header(struct str json, enum token_algorithm algorithm, struct buf *ret_kid,
                            struct errmsg *msg)
{
    autojson json_t *header = json_read(json, &json_limits, NULL);
    json_t *kid = json_object_get(header, "kid");

    if (!str_eq(json_str_at(header, "alg"), str_of(token_algorithm_name(algorithm)))) {
        return err_set(msg, ERR_TOKEN_INVALID, "the algorithm is not %s",
                       token_algorithm_name(algorithm));
    }
    /* RFC 7515 §4.1.11: what is critical and not understood makes the token invalid */
    if (json_object_get(header, "crit") != NULL) {
        return err_set(msg, ERR_TOKEN_INVALID, "the header has crit");
    }
    if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) == 0)) {
        return err_set(msg, ERR_TOKEN_INVALID, "kid is no text");
    }
    buf_add_str(ret_kid, json_str(kid));
    return OK;
}
