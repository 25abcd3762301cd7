/* The parts of the token module that need no key: pure, and fuzzed. */
#pragma once

#include "libshared/token.h"

/* The three segments, still in base64url. */
struct token_parts {
    struct str header, claims, signature;
};

/* Exactly three segments, none empty, at most TOKEN_MAX bytes in all. ERR_TOKEN_MISSING when there
 * is nothing, else ERR_TOKEN_INVALID. */
NODISCARD
enum err token_split(struct str token, struct token_parts *ret_parts, struct errmsg *msg);
/* Strict: RFC 4648 §5 without padding, unused bits zero. Appends; false leaves some of it behind.
 */
bool token_base64_decode(struct str text, struct buf *ret_bytes);

/* A segment that has to be a JSON object, which `what` names in msg. Appends its text.
 * ERR_TOKEN_INVALID. */
NODISCARD
enum err token_decode_object(struct str text, struct buf *ret_json, const char *what,
                             struct errmsg *msg);

/* Check a decoded header against the pinned algorithm. *ret_kid (empty when there is none) is the
 * key's id. ERR_TOKEN_INVALID. */
NODISCARD
enum err token_check_header(struct str json, enum token_algorithm algorithm, struct buf *ret_kid,
                            struct errmsg *msg);

struct token_rules {
    const char *issuer, *audience; /* NULL = not checked */
    int64_t leeway_s;
    bool require_exp;
};

/* From when on a token is valid: the later of nbf and iat; INT64_MIN when it has neither. */
NODISCARD
enum err token_check_claims(struct str json, const struct token_rules *rules, int64_t now_s,
                            struct token_claims *ret_claims, int64_t *ret_not_before_s,
                            struct errmsg *msg);
/* ERR_TOKEN_EXPIRED, ERR_TOKEN_NOT_YET_VALID. */
NODISCARD
enum err token_check_times(int64_t expires_s, int64_t not_before_s, int64_t leeway_s, int64_t now_s,
                           struct errmsg *msg);
