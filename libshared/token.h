/* JSON Web Tokens: verify what clients present, mint what operators ask for. The only module that
 * uses libjwt.
 *
 * Verification: strict base64url and a header check first (three segments, `alg` equal to the
 * pinned one, no `crit`), then the signature with a key chosen by `kid`, then the claims, which are
 * read as JSON by us: exp, nbf, iat, iss, aud with leeway, and the application's own userId,
 * businessId, role, name. HS256 with a shared secret, RS256 and ES256 with PEM. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/str.h"

enum token_algorithm { TOKEN_HS256, TOKEN_RS256, TOKEN_ES256 };
bool token_algorithm_parse(const char *name, enum token_algorithm *ret);
const char *token_algorithm_name(enum token_algorithm algorithm);

enum token_role { TOKEN_ROLE_AGENT, TOKEN_ROLE_SUPERVISOR, TOKEN_ROLE_SERVICE };
bool token_role_parse(struct str name, enum token_role *ret);
const char *token_role_name(enum token_role role);

enum { TOKEN_NAME_MAX = 128, TOKEN_JTI_MAX = 64, TOKEN_MAX = 8192 /* bytes of a token */ };

/* What a verified token says. */
struct token_claims {
    int64_t user_id, business_id; /* 1 … 2^53-1 */
    enum token_role role;
    int64_t expires_s; /* Unix seconds; INT64_MAX when the token has no exp */
    int64_t issued_ms; /* iat with its fraction, or 0 */
    char name[TOKEN_NAME_MAX + 1];
    char jti[TOKEN_JTI_MAX + 1];
};

struct token_config {
    enum token_algorithm algorithm;
    const char *const *key_files; /* NULL-terminated. A file named KID.pem or KID.key also serves
                                     tokens with that `kid`; a token without kid is tried against
                                     every key, one with an unknown kid fails */
    const char *issuer;           /* NULL or "" = not checked */
    const char *audience;         /* likewise; aud may be a string or an array */
    int64_t leeway_s;
    bool require_exp;
    unsigned cache_entries; /* verified tokens remembered, until their exp; 0 = none */
};

struct token_verifier;
/* Reads the key files (a trailing newline of a secret is ignored; an empty or unreadable one is an
 * error that names the file; a secret shorter than 32 bytes is accepted). Returns owned through
 * *ret. */
NODISCARD
enum err token_verifier_new(const struct token_config *config, struct token_verifier **ret,
                            struct errmsg *msg);
/* Verify with the keys of `next`, which is taken; what was verified with the old ones is not
 * remembered. */
void token_verifier_rekey(struct token_verifier *verifier, struct token_verifier *next);
void token_verifier_free(struct token_verifier *verifier);
/* One of the TOKEN_* codes or CLAIMS_INVALID on failure, with a sentence in msg that never contains
 * the token. now_s: Unix time. Not thread-safe: the loop's. */
NODISCARD
enum err token_verify(struct token_verifier *verifier, struct str token, int64_t now_s,
                      struct token_claims *ret_claims, struct errmsg *msg);
/* For how long after its exp a token is still accepted. */
int64_t token_leeway_s(const struct token_verifier *verifier);
struct token_stats {
    uint64_t verified, cached, failed;
    unsigned entries;
};
void token_verifier_stats(const struct token_verifier *verifier, struct token_stats *ret_stats);

/* Mint a compact token. `claims_json`: the whole claims object as JSON text. The first key file
 * signs. */
NODISCARD
enum err token_mint(const struct token_config *config, struct str claims_json, char **ret_token,
                    struct errmsg *msg);
/* Split without verifying: header and claims as JSON text appended to the buffers.
 * ERR_TOKEN_INVALID if malformed. */
NODISCARD
enum err token_decode(struct str token, struct buf *ret_header, struct buf *ret_claims,
                      struct errmsg *msg);
