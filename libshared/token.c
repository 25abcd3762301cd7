/* Verification in this order: the form and the header, by us, so that libjwt only ever sees the
 * pinned algorithm (it would take it from the token, and accept an HMAC made with an RSA public
 * key); the signature, of RSA and EC by libjwt; the claims, by us (its integers read 1.9e9 as 0).
 * Tokens that passed are remembered by their SHA-256, because libjwt parses the PEM at each call;
 * their times are checked at each hit again. The last good header is remembered, too: an issuer
 * writes the same one into all its tokens. */
#include "libshared/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/map.h"
#include "libshared/token_key.h"
#include "libshared/token_part.h"

static const struct {
    const char *name;
    jwt_alg_t alg;
} algorithms[] = {
    [TOKEN_HS256] = { "HS256", JWT_ALG_HS256 },
    [TOKEN_RS256] = { "RS256", JWT_ALG_RS256 },
    [TOKEN_ES256] = { "ES256", JWT_ALG_ES256 },
};
static const char *const roles[] = {
    [TOKEN_ROLE_AGENT] = "agent",
    [TOKEN_ROLE_SUPERVISOR] = "supervisor",
    [TOKEN_ROLE_SERVICE] = "service",
};

/* A verified token. uthash keeps the order of insertion: the first entry is the one that was not
 * asked for the longest. */
struct cached {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct token_claims claims;
    int64_t not_before_s;
    UT_hash_handle hh;
};

enum { HEADER_KEPT_MAX = 256 };

/* A header that was accepted, as it stands in the token, and the kid in it. */
struct kept_header {
    struct buf text, kid;
};

struct token_verifier {
    enum token_algorithm algorithm;
    struct token_key *keys;
    size_t key_count;
    char *issuer, *audience;
    struct token_rules rules;
    unsigned cache_entries;
    struct cached *cache;
    struct kept_header header;
    struct token_stats stats;
};

bool token_algorithm_parse(const char *name, enum token_algorithm *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            *ret = (enum token_algorithm)i;
            return true;
        }
    }
    return false;
}

const char *token_algorithm_name(enum token_algorithm algorithm)
{
    return algorithms[algorithm].name;
}

bool token_role_parse(struct str name, enum token_role *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        if (str_eq(name, str_of(roles[i]))) {
            *ret = (enum token_role)i;
            return true;
        }
    }
    return false;
}

const char *token_role_name(enum token_role role)
{
    return roles[role];
}

static char *copy_unless_empty(const char *text)
{
    return text != NULL && *text != '\0' ? xstrdup(text) : NULL;
}

enum err token_verifier_new(const struct token_config *config, struct token_verifier **ret,
                            struct errmsg *msg)
{
    struct token_verifier *verifier = xnew(struct token_verifier);

    verifier->algorithm = config->algorithm;
    verifier->issuer = copy_unless_empty(config->issuer);
    verifier->audience = copy_unless_empty(config->audience);
    verifier->rules = (struct token_rules) { verifier->issuer, verifier->audience, config->leeway_s,
                                             config->require_exp };
    verifier->cache_entries = config->cache_entries;
    for (const char *const *file = config->key_files; file != NULL && *file != NULL; file++) {
        struct token_key key;
        enum err err = token_key_read(*file, config->algorithm, &key, msg);

        if (err != OK) {
            token_verifier_free(verifier);
            return err;
        }
        verifier->keys =
            xrealloc(verifier->keys, (verifier->key_count + 1) * sizeof *verifier->keys);
        verifier->keys[verifier->key_count++] = key;
    }
    *ret = verifier;
    return OK;
}

static void forget(struct token_verifier *verifier, struct cached *cached)
{
    HASH_DEL(verifier->cache, cached);
    free(cached);
}

static void forget_all(struct token_verifier *verifier)
{
    while (verifier->cache != NULL) {
        forget(verifier, verifier->cache);
    }
}

void token_verifier_rekey(struct token_verifier *verifier, struct token_verifier *next)
{
    struct token_key *keys = verifier->keys;
    size_t count = verifier->key_count;

    forget_all(verifier);
    verifier->keys = next->keys;
    verifier->key_count = next->key_count;
    next->keys = keys;
    next->key_count = count;
    token_verifier_free(next);
}

void token_verifier_free(struct token_verifier *verifier)
{
    if (verifier == NULL) {
        return;
    }
    forget_all(verifier);
    for (size_t i = 0; i < verifier->key_count; i++) {
        token_key_finish(&verifier->keys[i]);
    }
    free(verifier->keys);
    buf_finish(&verifier->header.text);
    buf_finish(&verifier->header.kid);
    free(verifier->issuer);
    free(verifier->audience);
    free(verifier);
}

/* A token with its segments decoded; `text` and `parts` are the caller's. */
struct opened {
    struct str text;
    struct token_parts parts;
    struct buf kid, claims, signature;
};

static void opened_finish(struct opened *opened)
{
    buf_finish(&opened->kid);
    buf_finish(&opened->claims);
    buf_finish(&opened->signature);
}

static bool jwt_signed_with(const struct token_verifier *verifier, struct str token,
                            const struct token_key *key)
{
    autofree char *text = xstrndup(token.data, token.len);
    jwt_t *jwt = NULL;
    bool good = jwt_decode(&jwt, text, (const unsigned char *)key->verify.data,
                           (int)key->verify.len) == 0 &&
                jwt_get_alg(jwt) == algorithms[verifier->algorithm].alg;

    jwt_free(jwt);
    ERR_clear_error(); /* a rest would be taken for a TLS connection's error later */
    return good;
}

static bool signed_with(const struct token_verifier *verifier, const struct opened *opened,
                        const struct token_key *key)
{
    const struct token_parts *parts = &opened->parts;
    struct str text = { opened->text.data, parts->header.len + 1 + parts->claims.len };

    return key->hmac != NULL ? token_key_hmac_fits(key, text, buf_str(&opened->signature))
                             : jwt_signed_with(verifier, opened->text, key);
}

/* Why a signature was not accepted. libjwt parses the payload, too, with jansson's own strictness.
 */
static const char *why_refused(bool known_key, struct str claims)
{
    autojson json_t *plain = json_loadb(claims.data, claims.len, 0, NULL);

    if (!known_key) {
        return "there is no key for this token";
    }
    return plain != NULL ? "the signature does not match"
                         : "the payload has a NUL, a lone surrogate or too large a number";
}

static enum err check_signature(const struct token_verifier *verifier, const struct opened *opened,
                                struct errmsg *msg)
{
    bool known = false;

    for (size_t i = 0; i < verifier->key_count; i++) {
        const struct token_key *key = &verifier->keys[i];

        if (opened->kid.len > 0 && !str_eq(buf_str(&opened->kid), str_of(key->kid))) {
            continue;
        }
        known = true;
        if (signed_with(verifier, opened, key)) {
            return OK;
        }
    }
    return err_set(msg, ERR_TOKEN_INVALID, "%s", why_refused(known, buf_str(&opened->claims)));
}

static void remember(struct token_verifier *verifier, const unsigned char *digest,
                     const struct token_claims *claims, int64_t not_before_s)
{
    struct cached *cached;

    if (HASH_COUNT(verifier->cache) >= verifier->cache_entries) {
        forget(verifier, verifier->cache);
    }
    cached = xnew(struct cached);
    memcpy(cached->digest, digest, sizeof cached->digest);
    cached->claims = *claims;
    cached->not_before_s = not_before_s;
    HASH_ADD(hh, verifier->cache, digest, sizeof cached->digest, cached);
}

/* Moves the entry to the end of the order. */
static void touch(struct token_verifier *verifier, struct cached *cached)
{
    if (cached->hh.next != NULL) {
        HASH_DEL(verifier->cache, cached);
        HASH_ADD(hh, verifier->cache, digest, sizeof cached->digest, cached);
    }
}

static enum err check_header(struct token_verifier *verifier, struct str text, struct buf *ret_kid,
                             struct errmsg *msg)
{
    struct kept_header *kept = &verifier->header;
    autobuf struct buf json = BUF_INIT;
    enum err err;

    if (kept->text.len > 0 && str_eq(text, buf_str(&kept->text))) {
        buf_add_str(ret_kid, buf_str(&kept->kid));
        return OK;
    }
    err = token_decode_object(text, &json, "header", msg);
    if (err == OK) {
        err = token_check_header(buf_str(&json), verifier->algorithm, ret_kid, msg);
    }
    if (err == OK && text.len <= HEADER_KEPT_MAX) {
        buf_clear(&kept->text);
        buf_add_str(&kept->text, text);
        buf_clear(&kept->kid);
        buf_add_str(&kept->kid, buf_str(ret_kid));
    }
    return err;
}

static enum err open_token(struct token_verifier *verifier, struct str token,
                           struct opened *ret_opened, struct errmsg *msg)
{
    enum err err = token_split(token, &ret_opened->parts, msg);

    ret_opened->text = token;
    if (err == OK) {
        err = check_header(verifier, ret_opened->parts.header, &ret_opened->kid, msg);
    }
    if (err == OK && !token_base64_decode(ret_opened->parts.claims, &ret_opened->claims)) {
        err = err_set(msg, ERR_TOKEN_INVALID, "the payload is not in base64url");
    }
    if (err == OK && !token_base64_decode(ret_opened->parts.signature, &ret_opened->signature)) {
        err = err_set(msg, ERR_TOKEN_INVALID, "the signature is not in base64url");
    }
    return err;
}

static enum err verify_anew(struct token_verifier *verifier, struct str token, int64_t now_s,
                            struct token_claims *ret_claims, int64_t *ret_not_before_s,
                            struct errmsg *msg)
{
    struct opened opened = { .kid = BUF_INIT, .claims = BUF_INIT, .signature = BUF_INIT };
    enum err err = open_token(verifier, token, &opened, msg);

    if (err == OK) {
        err = check_signature(verifier, &opened, msg);
    }
    if (err == OK) {
        err = token_check_claims(buf_str(&opened.claims), &verifier->rules, now_s, ret_claims,
                                 ret_not_before_s, msg);
    }
    opened_finish(&opened);
    return err;
}

static enum err verify(struct token_verifier *verifier, struct str token, int64_t now_s,
                       struct token_claims *ret_claims, struct errmsg *msg)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct token_parts parts;
    struct cached *cached = NULL;
    int64_t not_before_s;
    enum err err;

    if (token.len == 0 || token.len > TOKEN_MAX) {
        return token_split(token, &parts, msg); /* says which; not worth hashing */
    }
    if (verifier->cache_entries > 0) {
        SHA256((const unsigned char *)token.data, token.len, digest);
        HASH_FIND(hh, verifier->cache, digest, sizeof digest, cached);
    }
    if (cached != NULL) {
        err = token_check_times(cached->claims.expires_s, cached->not_before_s,
                                verifier->rules.leeway_s, now_s, msg);
        if (err != OK) {
            forget(verifier, cached);
            return err;
        }
        touch(verifier, cached);
        verifier->stats.cached++;
        *ret_claims = cached->claims;
        return OK;
    }
    err = verify_anew(verifier, token, now_s, ret_claims, &not_before_s, msg);
    if (err == OK) {
        verifier->stats.verified++;
        if (verifier->cache_entries > 0) {
            remember(verifier, digest, ret_claims, not_before_s);
        }
    }
    return err;
}

enum err token_verify(struct token_verifier *verifier, struct str token, int64_t now_s,
                      struct token_claims *ret_claims, struct errmsg *msg)
{
    enum err err = verify(verifier, token, now_s, ret_claims, msg);

    verifier->stats.failed += err != OK;
    return err;
}

int64_t token_leeway_s(const struct token_verifier *verifier)
{
    return verifier->rules.leeway_s;
}

void token_verifier_stats(const struct token_verifier *verifier, struct token_stats *ret_stats)
{
    *ret_stats = verifier->stats;
    ret_stats->entries = HASH_COUNT(verifier->cache);
}

static enum err sign(const struct token_key *key, enum token_algorithm algorithm,
                     const char *claims, char **ret_token, struct errmsg *msg)
{
    jwt_t *jwt = NULL;
    char *token = NULL;
    enum err err = OK;
    int reason = jwt_new(&jwt); /* only jwt_encode_str() says it in errno */

    if (reason == 0) {
        reason = jwt_set_alg(jwt, algorithms[algorithm].alg, (const unsigned char *)key->sign.data,
                             (int)key->sign.len);
    }
    if (reason == 0 && jwt_add_grants_json(jwt, claims) != 0) {
        err = err_set(msg, ERR_INVALID, "the claims hold what a token cannot");
    } else if (reason != 0 || (token = jwt_encode_str(jwt)) == NULL) {
        err =
            err_set(msg, ERR_INVALID, "signing failed: %s", strerror(reason != 0 ? reason : errno));
    } else {
        *ret_token = xstrdup(token);
    }
    free(token);
    jwt_free(jwt);
    ERR_clear_error();
    return err;
}

enum err token_mint(const struct token_config *config, struct str claims_json, char **ret_token,
                    struct errmsg *msg)
{
    static const struct json_limits limits = { .depth = 16, .keys = 256 };
    autobuf struct buf text = BUF_INIT;
    autojson json_t *claims = json_read(claims_json, &limits, msg);
    struct token_key key;
    enum err err;

    if (!json_is_object(claims)) {
        return claims == NULL ? ERR_SYNTAX
                              : err_set(msg, ERR_INVALID, "the claims are no JSON object");
    }
    if (config->key_files == NULL || config->key_files[0] == NULL) {
        return err_set(msg, ERR_INVALID, "there is no key file");
    }
    err = token_key_read(config->key_files[0], config->algorithm, &key, msg);
    if (err != OK) {
        return err;
    }
    json_add_tree(&text, claims);
    err = key.sign.len == 0 ? err_set(msg, ERR_INVALID, "%s: a private key is needed to sign",
                                      config->key_files[0])
                            : sign(&key, config->algorithm, text.data, ret_token, msg);
    token_key_finish(&key);
    return err;
}
