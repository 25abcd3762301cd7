/* Tokens: every way in which one can be wrong, with its code; keys; the cache; minting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/token.h"

#define SECRET "a secret that is known to the tests only"
#define HS256  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
/* what every good token needs; tests add to it */
#define WHO "\"userId\":7,\"businessId\":456"

enum { NOW = 1800000000, LEEWAY = 5 };

static char directory[] = "/tmp/test_token.XXXXXX";
static const char *const files[] = { "hs.key",    "other.key",     "rsa.pem", "rsa-public.pem",
                                     "ec.pem",    "ec-public.pem", "ec2.pem", "p384.pem",
                                     "small.pem", "empty.key" };

static char *file(const char *name)
{
    return xasprintf("%s/%s", directory, name);
}

static void base64(struct buf *buf, struct str bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, count = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.data[i];
        for (count += 8; count >= 6; count -= 6) {
            buf_add_char(buf, alphabet[bits >> (count - 6) & 63]);
        }
    }
    if (count > 0) {
        buf_add_char(buf, alphabet[bits << (6 - count) & 63]);
    }
}

/* A token of any header and claims, signed with HMAC-SHA256. */
static char *forge(struct str header, struct str claims, struct str secret)
{
    struct buf token = BUF_INIT;
    unsigned char mac[32];
    unsigned len;

    base64(&token, header);
    buf_add_char(&token, '.');
    base64(&token, claims);
    HMAC(EVP_sha256(), secret.data, (int)secret.len, (const unsigned char *)token.data, token.len,
         mac, &len);
    buf_add_char(&token, '.');
    base64(&token, (struct str) { (const char *)mac, len });
    return buf_take(&token);
}

static char *claims_token(const char *claims)
{
    return forge(STR(HS256), str_of(claims), STR(SECRET));
}

static struct token_verifier *verifier(const struct token_config *with, const char *first,
                                       const char *second)
{
    autofree char *first_path = file(first);
    autofree char *second_path = second != NULL ? file(second) : NULL;
    const char *paths[] = { first_path, second_path, NULL };
    struct token_config config = *with;
    struct token_verifier *made = NULL;
    struct errmsg msg = { "" };

    config.key_files = paths;
    config.leeway_s = LEEWAY;
    if (token_verifier_new(&config, &made, &msg) != OK) {
        fail_msg("%s", msg.text);
    }
    return made;
}

static const struct token_config strict = { .algorithm = TOKEN_HS256, .require_exp = true };

static void assert_gives(struct token_verifier *with, struct str token, int64_t now_s,
                         enum err want)
{
    struct token_claims claims;
    struct errmsg msg = { "" };
    enum err err = token_verify(with, token, now_s, &claims, &msg);

    if (err != want) {
        fail_msg("%.*s gave %s (%s), not %s", STR_ARG(token), err_code(err), msg.text,
                 err_code(want));
    }
    if (err != OK) {
        assert_true(msg.text[0] != '\0');
        if (token.len > 10) {
            assert_null(memmem(msg.text, strlen(msg.text), token.data, token.len));
        }
    }
}

static void a_good_token_yields_its_claims(void **state)
{
    struct token_verifier *with = verifier(&strict, "hs.key", NULL);
    autofree char *token =
        claims_token("{" WHO ",\"role\":\"supervisor\",\"name\":\"Z\xc3\xb6"
                     "e\",\"jti\":\"x-1\","
                     "\"iat\":1799999000,\"exp\":1800000100,\"more\":[1,{\"a\":null}]}");
    struct token_claims claims;

    (void)state;
    assert_int_equal(token_verify(with, str_of(token), NOW, &claims, NULL), OK);
    assert_int_equal(claims.user_id, 7);
    assert_int_equal(claims.business_id, 456);
    assert_int_equal(claims.role, TOKEN_ROLE_SUPERVISOR);
    assert_int_equal(claims.expires_s, 1800000100);
    assert_int_equal(claims.issued_ms, 1799999000000);
    assert_string_equal(claims.name, "Z\xc3\xb6"
                                     "e");
    assert_string_equal(claims.jti, "x-1");
    token_verifier_free(with);
}

static void iat_is_read_to_the_millisecond(void **state)
{
    static const struct {
        const char *iat;
        int64_t want_ms;
    } vectors[] = {
        { "1799999000", 1799999000000 },
        { "1799999000.3", 1799999000300 },
        { "1799999000.299", 1799999000299 },
        { "1799999000.2999", 1799999000299 },
        { "1.799999e9", 1799999000000 },
        { "0", 0 },
        { "-1e300", INT64_C(-9007199254740992000) },
    };
    struct token_verifier *with = verifier(&(struct token_config) { 0 }, "hs.key", NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autofree char *claims = xasprintf("{" WHO ",\"iat\":%s}", vectors[i].iat);
        autofree char *token = claims_token(claims);
        struct token_claims read;

        assert_int_equal(token_verify(with, str_of(token), NOW, &read, NULL), OK);
        assert_int_equal(read.issued_ms, vectors[i].want_ms);
    }
    token_verifier_free(with);
}

static void optional_claims_have_defaults(void **state)
{
    struct token_verifier *with = verifier(&(struct token_config) { 0 }, "hs.key", NULL);
    autofree char *token = claims_token("{" WHO ",\"role\":null,\"name\":null}");
    struct token_claims claims;

    (void)state;
    assert_int_equal(token_verify(with, str_of(token), NOW, &claims, NULL), OK);
    assert_int_equal(claims.role, TOKEN_ROLE_AGENT);
    assert_int_equal(claims.expires_s, INT64_MAX);
    assert_int_equal(claims.issued_ms, 0);
    assert_string_equal(claims.name, "");
    assert_string_equal(claims.jti, "");
    token_verifier_free(with);
}

static void claims_are_judged_one_by_one(void **state)
{
    static const struct {
        const char *claims;
        enum err want;
    } vectors[] = {
        { "{" WHO ",\"exp\":1800000001}", OK },
        { "{" WHO ",\"exp\":1.9e9}", OK },
        { "{" WHO ",\"exp\":1800000000.5}", OK },
        { "{" WHO ",\"exp\":1e300}", OK },
        /* exp with leeway */
        { "{" WHO ",\"exp\":1799999996}", OK },
        { "{" WHO ",\"exp\":1799999995}", ERR_TOKEN_EXPIRED },
        { "{" WHO ",\"exp\":0}", ERR_TOKEN_EXPIRED },
        { "{" WHO ",\"exp\":-1e300}", ERR_TOKEN_EXPIRED },
        { "{" WHO "}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":null}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":\"1900000000\"}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":true}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":[1900000000]}", ERR_CLAIMS_INVALID },
        /* libjwt's parser refuses these */
        { "{" WHO ",\"exp\":19000000000000000000}", ERR_TOKEN_INVALID },
        { "{" WHO ",\"exp\":1e999}", ERR_TOKEN_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"name\":\"\\ud83d\"}", ERR_TOKEN_INVALID },
        /* nbf and iat */
        { "{" WHO ",\"exp\":1.9e9,\"nbf\":1800000005}", OK },
        { "{" WHO ",\"exp\":1.9e9,\"nbf\":1800000006}", ERR_TOKEN_NOT_YET_VALID },
        { "{" WHO ",\"exp\":1.9e9,\"nbf\":\"0\"}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"iat\":1800000005}", OK },
        { "{" WHO ",\"exp\":1.9e9,\"iat\":1800000006}", ERR_TOKEN_NOT_YET_VALID },
        { "{" WHO ",\"exp\":1.9e9,\"iat\":{}}", ERR_CLAIMS_INVALID },
        /* who */
        { "{\"userId\":\"7\",\"businessId\":\"456\",\"exp\":1.9e9}", OK },
        { "{\"userId\":9007199254740991,\"businessId\":1,\"exp\":1.9e9}", OK },
        { "{\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":7,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":0,\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":-1,\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":1.5,\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":9007199254740992,\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":\"abc\",\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":\"\",\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":null,\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":[7],\"businessId\":456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":7,\"businessId\":0,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":7,\"businessId\":-456,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"userId\":7,\"businessId\":true,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        /* the last of a doubled claim counts, as in every reader */
        { "{" WHO ",\"businessId\":0,\"exp\":1.9e9}", ERR_CLAIMS_INVALID },
        { "{\"businessId\":0," WHO ",\"exp\":1.9e9}", OK },
        { "{" WHO ",\"exp\":1.9e9,\"role\":\"service\"}", OK },
        { "{" WHO ",\"exp\":1.9e9,\"role\":\"admin\"}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"role\":\"\"}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"role\":1}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"role\":[\"agent\"]}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"name\":1}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"jti\":1}", ERR_CLAIMS_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"jti\":"
          "\"0123456789012345678901234567890123456789012345678901234567890123\"}",
          OK },
        { "{" WHO ",\"exp\":1.9e9,\"jti\":"
          "\"01234567890123456789012345678901234567890123456789012345678901234\"}",
          ERR_CLAIMS_INVALID },
        /* expiry is told first */
        { "{\"userId\":0,\"businessId\":456,\"exp\":1}", ERR_TOKEN_EXPIRED },
        /* no claims at all */
        { "[]", ERR_TOKEN_INVALID },
        { "\"userId\"", ERR_TOKEN_INVALID },
        { "{", ERR_TOKEN_INVALID },
        { "{\"userId\":7\xff}", ERR_TOKEN_INVALID },
    };
    struct token_verifier *with = verifier(&strict, "hs.key", NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autofree char *token = claims_token(vectors[i].claims);

        assert_gives(with, str_of(token), NOW, vectors[i].want);
    }
    token_verifier_free(with);
}

static void issuer_and_audience_are_checked_when_configured(void **state)
{
    static const struct {
        const char *claims;
        enum err want;
    } vectors[] = {
        { ",\"iss\":\"me\",\"aud\":\"desk\"}", OK },
        { ",\"iss\":\"me\",\"aud\":[\"x\",\"desk\"]}", OK },
        { ",\"iss\":\"you\",\"aud\":\"desk\"}", ERR_CLAIMS_INVALID },
        { ",\"iss\":\"me2\",\"aud\":\"desk\"}", ERR_CLAIMS_INVALID },
        { ",\"iss\":[\"me\"],\"aud\":\"desk\"}", ERR_CLAIMS_INVALID },
        { ",\"aud\":\"desk\"}", ERR_CLAIMS_INVALID },
        { ",\"iss\":\"me\",\"aud\":\"Desk\"}", ERR_CLAIMS_INVALID },
        { ",\"iss\":\"me\",\"aud\":[]}", ERR_CLAIMS_INVALID },
        { ",\"iss\":\"me\",\"aud\":[[\"desk\"]]}", ERR_CLAIMS_INVALID },
        { ",\"iss\":\"me\",\"aud\":{\"desk\":1}}", ERR_CLAIMS_INVALID },
        { ",\"iss\":\"me\"}", ERR_CLAIMS_INVALID },
    };
    const struct token_config config = { .issuer = "me", .audience = "desk" };
    struct token_verifier *with = verifier(&config, "hs.key", NULL);
    struct token_verifier *lax =
        verifier(&(struct token_config) { .issuer = "", .audience = "" }, "hs.key", NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autofree char *claims = xasprintf("{" WHO "%s", vectors[i].claims);
        autofree char *token = claims_token(claims);

        assert_gives(with, str_of(token), NOW, vectors[i].want);
        assert_gives(lax, str_of(token), NOW, OK);
    }
    token_verifier_free(with);
    token_verifier_free(lax);
}

static void a_long_name_is_cut_between_characters(void **state)
{
    struct token_verifier *with = verifier(&(struct token_config) { 0 }, "hs.key", NULL);
    struct buf text = BUF_INIT;
    struct token_claims claims;
    char *token;

    (void)state;
    buf_add_cstr(&text, "{" WHO ",\"name\":\"a");
    for (size_t i = 0; i < 100; i++) {
        buf_add_cstr(&text, "\xc3\xa4");
    }
    buf_add_cstr(&text, "\"}");
    token = claims_token(text.data);
    assert_int_equal(token_verify(with, str_of(token), NOW, &claims, NULL), OK);
    assert_int_equal(strlen(claims.name), 127);
    free(token);
    buf_finish(&text);
    token_verifier_free(with);
}

static void headers_are_checked_before_the_signature(void **state)
{
    static const struct {
        const char *header;
        enum err want;
    } vectors[] = {
        { "{\"alg\":\"HS256\"}", OK },
        { "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"x\":1}", OK },
        { "{\"alg\":\"HS256\",\"kid\":\"hs\"}", OK },
        { "{\"alg\":\"none\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"None\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"hs256\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS384\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"RS256\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":[\"HS256\"]}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\\u0000\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":null}", ERR_TOKEN_INVALID },
        { "{\"typ\":\"JWT\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"alg\":\"none\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"crit\":[]}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"kid\":\"unknown\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"kid\":\"\"}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"kid\":1}", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"kid\":\"../hs\"}", ERR_TOKEN_INVALID },
        { "[\"alg\",\"HS256\"]", ERR_TOKEN_INVALID },
        { "", ERR_TOKEN_INVALID },
        { "x", ERR_TOKEN_INVALID },
    };
    struct token_verifier *with = verifier(&(struct token_config) { 0 }, "hs.key", NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autofree char *token = forge(str_of(vectors[i].header), STR("{" WHO "}"), STR(SECRET));

        assert_gives(with, str_of(token), NOW, vectors[i].want);
    }
    token_verifier_free(with);
}

static void the_form_is_strict(void **state)
{
    struct token_verifier *with = verifier(&(struct token_config) { 0 }, "hs.key", NULL);
    autofree char *good = claims_token("{" WHO ",\"p\":\"\xc3\xbf\xc3\xbe\xc3\xbf\"}");
    autofree char *unsigned_token = xstrndup(good, (size_t)(strrchr(good, '.') - good));
    autofree char *no_signature = xasprintf("%s.", unsigned_token);
    autofree char *huge = xmalloc(TOKEN_MAX + 2);
    const char *const bad[] = { "a",       "a.b",          ".",         "..", "...",
                                "a.b.c.d", unsigned_token, no_signature };
    static const char *const wraps[] = { "%s.",  "%s.x", ".%s",  " %s",       "%s ",
                                         "%s\n", "%s=",  "%s==", "Bearer %s", "\"%s\"" };

    (void)state;
    assert_gives(with, str_of(good), NOW, OK);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_gives(with, str_of(bad[i]), NOW, ERR_TOKEN_INVALID);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wraps); i++) {
        autobuf struct buf token = BUF_INIT;

        for (const char *at = wraps[i]; *at != '\0'; at++) {
            if (*at == '%') {
                buf_add_cstr(&token, good);
                at++;
            } else {
                buf_add_char(&token, *at);
            }
        }
        assert_gives(with, buf_str(&token), NOW, ERR_TOKEN_INVALID);
    }
    assert_gives(with, STR_NONE, NOW, ERR_TOKEN_MISSING);
    assert_gives(with, STR(""), NOW, ERR_TOKEN_MISSING);
    assert_gives(with, (struct str) { good, strlen(good) + 1 }, NOW, ERR_TOKEN_INVALID); /* NUL */
    memset(huge, 'a', TOKEN_MAX + 1);
    huge[3] = huge[6] = '.';
    huge[TOKEN_MAX + 1] = '\0';
    assert_gives(with, str_of(huge), NOW, ERR_TOKEN_INVALID);
    token_verifier_free(with);
}

static void no_byte_of_a_token_can_be_changed(void **state)
{
    struct token_verifier *with = verifier(&(struct token_config) { 0 }, "hs.key", NULL);
    autofree char *good = claims_token("{" WHO "}");
    size_t len = strlen(good);
    /* the standard alphabet, padding, and the unused bits of the last character */
    static const char others[] = "+/=._-A\x80";

    (void)state;
    for (size_t i = 0; i < len; i++) {
        for (size_t j = 0; j < sizeof others - 1; j++) {
            char kept = good[i];

            if (others[j] != kept) {
                good[i] = others[j];
                assert_gives(with, (struct str) { good, len }, NOW, ERR_TOKEN_INVALID);
                good[i] = kept;
            }
        }
    }
    good[len - 1]++;
    assert_gives(with, (struct str) { good, len }, NOW, ERR_TOKEN_INVALID);
    for (size_t cut = 1; cut < len; cut++) {
        assert_gives(with, (struct str) { good, cut }, NOW, ERR_TOKEN_INVALID);
    }
    token_verifier_free(with);
}

static void another_secret_does_not_fit(void **state)
{
    struct token_verifier *with = verifier(&(struct token_config) { 0 }, "hs.key", NULL);
    static const struct str secrets[] = { STR_INIT(SECRET "\n"), STR_INIT("x"), STR_INIT("") };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
        autofree char *token = forge(STR(HS256), STR("{" WHO "}"), secrets[i]);

        assert_gives(with, str_of(token), NOW, ERR_TOKEN_INVALID);
    }
    token_verifier_free(with);
}

static void kid_chooses_among_several_keys(void **state)
{
    struct token_verifier *with = verifier(&(struct token_config) { 0 }, "hs.key", "other.key");
    static const struct {
        const char *header, *secret;
        enum err want;
    } vectors[] = {
        { HS256, SECRET, OK },
        { HS256, "other", OK },
        { HS256, "third", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"kid\":\"hs\"}", SECRET, OK },
        { "{\"alg\":\"HS256\",\"kid\":\"other\"}", "other", OK },
        { "{\"alg\":\"HS256\",\"kid\":\"hs\"}", "other", ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"kid\":\"other\"}", SECRET, ERR_TOKEN_INVALID },
        { "{\"alg\":\"HS256\",\"kid\":\"hs.key\"}", SECRET, ERR_TOKEN_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autofree char *token =
            forge(str_of(vectors[i].header), STR("{" WHO "}"), str_of(vectors[i].secret));

        assert_gives(with, str_of(token), NOW, vectors[i].want);
    }
    token_verifier_free(with);
}

static void without_keys_every_token_fails(void **state)
{
    struct token_verifier *with = NULL;
    autofree char *token = claims_token("{" WHO "}");

    (void)state;
    assert_int_equal(token_verifier_new(&(struct token_config) { 0 }, &with, NULL), OK);
    assert_gives(with, str_of(token), NOW, ERR_TOKEN_INVALID);
    token_verifier_free(with);
    token_verifier_free(NULL);
}

static char *mint(enum token_algorithm algorithm, const char *key, const char *claims)
{
    autofree char *path = file(key);
    const char *const paths[] = { path, NULL };
    const struct token_config config = { .algorithm = algorithm, .key_files = paths };
    struct errmsg msg = { "" };
    char *token = NULL;

    if (token_mint(&config, str_of(claims), &token, &msg) != OK) {
        fail_msg("%s: %s", key, msg.text);
    }
    return token;
}

static void minted_tokens_verify_under_each_algorithm(void **state)
{
    static const struct {
        enum token_algorithm algorithm;
        const char *sign, *verify;
    } vectors[] = {
        { TOKEN_HS256, "hs.key", "hs.key" },   { TOKEN_RS256, "rsa.pem", "rsa-public.pem" },
        { TOKEN_RS256, "rsa.pem", "rsa.pem" }, { TOKEN_ES256, "ec.pem", "ec-public.pem" },
        { TOKEN_ES256, "ec.pem", "ec.pem" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        const struct token_config config = { .algorithm = vectors[i].algorithm };
        struct token_verifier *with = verifier(&config, vectors[i].verify, NULL);
        /* ES256 signatures are random: leading zeros must not matter */
        for (unsigned repeat = 0; repeat < 20; repeat++) {
            autofree char *claims =
                xasprintf("{" WHO ",\"name\":\"\\u00e4 %u\",\"exp\":1.9e9}", repeat);
            autofree char *token = mint(vectors[i].algorithm, vectors[i].sign, claims);
            struct token_claims found;

            assert_gives(with, str_of(token), NOW, OK);
            assert_int_equal(token_verify(with, str_of(token), NOW, &found, NULL), OK);
            assert_int_equal(found.expires_s, 1900000000);
            token[strlen(token) - 5] ^= 1;
            assert_gives(with, str_of(token), NOW, ERR_TOKEN_INVALID);
        }
        token_verifier_free(with);
    }
}

static void keys_of_the_same_kind_are_told_apart(void **state)
{
    const struct token_config config = { .algorithm = TOKEN_ES256 };
    struct token_verifier *with = verifier(&config, "ec-public.pem", NULL);
    struct token_verifier *both = verifier(&config, "ec-public.pem", "ec2.pem");
    autofree char *token = mint(TOKEN_ES256, "ec2.pem", "{" WHO "}");

    (void)state;
    assert_gives(with, str_of(token), NOW, ERR_TOKEN_INVALID);
    assert_gives(both, str_of(token), NOW, OK);
    token_verifier_free(with);
    token_verifier_free(both);
}

static struct buf read_file(const char *name)
{
    autofree char *path = file(name);
    struct buf text = BUF_INIT;
    FILE *from = fopen(path, "r");

    assert_non_null(from);
    text.len = fread(buf_reserve(&text, 8192), 1, 8192, from);
    fclose(from);
    return text;
}

static void the_algorithm_cannot_be_chosen_by_the_token(void **state)
{
    struct token_verifier *rs =
        verifier(&(struct token_config) { .algorithm = TOKEN_RS256 }, "rsa-public.pem", NULL);
    struct token_verifier *hs = verifier(&(struct token_config) { 0 }, "hs.key", NULL);
    autobuf struct buf public_key = read_file("rsa-public.pem");
    autofree char *forgery = forge(STR(HS256), STR("{" WHO "}"), buf_str(&public_key));
    autofree char *claimed =
        forge(STR("{\"alg\":\"RS256\"}"), STR("{" WHO "}"), buf_str(&public_key));
    autofree char *token = mint(TOKEN_RS256, "rsa.pem", "{" WHO "}");

    (void)state;
    assert_gives(rs, str_of(forgery), NOW, ERR_TOKEN_INVALID);
    assert_gives(rs, str_of(claimed), NOW, ERR_TOKEN_INVALID);
    assert_gives(rs, str_of(token), NOW, OK);
    assert_gives(hs, str_of(token), NOW, ERR_TOKEN_INVALID);
    token_verifier_free(rs);
    token_verifier_free(hs);
}

static void bad_key_files_are_named(void **state)
{
    static const struct {
        enum token_algorithm algorithm;
        const char *name, *want;
    } vectors[] = {
        { TOKEN_HS256, "missing.key", "No such file or directory" },
        { TOKEN_HS256, "empty.key", "the file is empty" },
        { TOKEN_HS256, "rsa-public.pem", "HS256 needs a secret, and this is PEM" },
        { TOKEN_RS256, "hs.key", "no public or private key in PEM" },
        { TOKEN_RS256, "ec.pem", "RS256 needs an RSA key of 2048 bits or more" },
        { TOKEN_RS256, "small.pem", "RS256 needs an RSA key of 2048 bits or more" },
        { TOKEN_ES256, "rsa.pem", "ES256 needs an EC key on P-256" },
        { TOKEN_ES256, "p384.pem", "ES256 needs an EC key on P-256" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autofree char *path = file(vectors[i].name);
        autofree char *want = xasprintf("%s: %s", path, vectors[i].want);
        const char *const paths[] = { path, NULL };
        const struct token_config config = { .algorithm = vectors[i].algorithm,
                                             .key_files = paths };
        struct token_verifier *with = NULL;
        struct errmsg msg = { "" };

        assert_int_not_equal(token_verifier_new(&config, &with, &msg), OK);
        assert_null(with);
        assert_string_equal(msg.text, want);
    }
}

static void what_cannot_be_minted_is_refused(void **state)
{
    autofree char *public_path = file("rsa-public.pem");
    autofree char *secret_path = file("hs.key");
    const char *const public_paths[] = { public_path, NULL };
    const char *const secret_paths[] = { secret_path, NULL };
    const struct token_config rs = { .algorithm = TOKEN_RS256, .key_files = public_paths };
    const struct token_config hs = { .key_files = secret_paths };
    char *token = NULL;

    (void)state;
    assert_int_equal(token_mint(&rs, STR("{}"), &token, NULL), ERR_INVALID);
    assert_int_equal(token_mint(&hs, STR("[]"), &token, NULL), ERR_INVALID);
    assert_int_equal(token_mint(&hs, STR("{"), &token, NULL), ERR_SYNTAX);
    assert_int_equal(token_mint(&(struct token_config) { 0 }, STR("{}"), &token, NULL),
                     ERR_INVALID);
    assert_null(token);
}

static void decoding_shows_header_and_claims(void **state)
{
    autofree char *token = claims_token("{" WHO "}");
    autobuf struct buf header = BUF_INIT;
    autobuf struct buf claims = BUF_INIT;

    (void)state;
    assert_int_equal(token_decode(str_of(token), &header, &claims, NULL), OK);
    assert_string_equal(header.data, HS256);
    assert_string_equal(claims.data, "{" WHO "}");
    assert_int_equal(token_decode(STR("a.b.c"), &header, &claims, NULL), ERR_TOKEN_INVALID);
    assert_string_equal(header.data, HS256);
}

static struct token_stats stats_of(const struct token_verifier *with)
{
    struct token_stats stats;

    token_verifier_stats(with, &stats);
    return stats;
}

static void a_cached_token_is_not_served_past_its_time(void **state)
{
    const struct token_config config = { .cache_entries = 8 };
    struct token_verifier *with = verifier(&config, "hs.key", NULL);
    autofree char *token = claims_token("{" WHO ",\"nbf\":1799999990,\"exp\":1800000010}");

    (void)state;
    assert_gives(with, str_of(token), NOW, OK);
    assert_gives(with, str_of(token), NOW + 1, OK);
    assert_int_equal(stats_of(with).verified, 1);
    assert_int_equal(stats_of(with).cached, 1);
    assert_int_equal(stats_of(with).entries, 1);
    assert_gives(with, str_of(token), NOW + 10 + LEEWAY - 1, OK);
    assert_gives(with, str_of(token), NOW + 10 + LEEWAY, ERR_TOKEN_EXPIRED);
    assert_int_equal(stats_of(with).entries, 0);
    assert_gives(with, str_of(token), NOW + 10 + LEEWAY, ERR_TOKEN_EXPIRED);
    assert_int_equal(stats_of(with).failed, 2);
    /* a clock that was set back */
    assert_gives(with, str_of(token), NOW, OK);
    assert_gives(with, str_of(token), NOW - 100, ERR_TOKEN_NOT_YET_VALID);
    token_verifier_free(with);
}

static void refused_tokens_are_not_cached(void **state)
{
    const struct token_config config = { .cache_entries = 8, .require_exp = true };
    struct token_verifier *with = verifier(&config, "hs.key", NULL);
    autofree char *token = claims_token("{" WHO "}");

    (void)state;
    assert_gives(with, str_of(token), NOW, ERR_CLAIMS_INVALID);
    assert_gives(with, str_of(token), NOW, ERR_CLAIMS_INVALID);
    assert_int_equal(stats_of(with).entries, 0);
    assert_int_equal(stats_of(with).failed, 2);
    token_verifier_free(with);
}

static void the_cache_drops_what_was_not_used_for_the_longest(void **state)
{
    const struct token_config config = { .cache_entries = 3 };
    struct token_verifier *with = verifier(&config, "hs.key", NULL);
    char *tokens[4];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        autofree char *claims = xasprintf("{" WHO ",\"jti\":\"%zu\"}", i);

        tokens[i] = claims_token(claims);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_gives(with, str_of(tokens[i]), NOW, OK);
    }
    assert_gives(with, str_of(tokens[0]), NOW, OK); /* 1 is the oldest now */
    assert_gives(with, str_of(tokens[3]), NOW, OK);
    assert_int_equal(stats_of(with).entries, 3);
    assert_int_equal(stats_of(with).cached, 1);
    assert_gives(with, str_of(tokens[0]), NOW, OK);
    assert_gives(with, str_of(tokens[2]), NOW, OK);
    assert_int_equal(stats_of(with).cached, 3);
    assert_gives(with, str_of(tokens[1]), NOW, OK);
    assert_int_equal(stats_of(with).cached, 3);
    assert_int_equal(stats_of(with).verified, 5);
    for (size_t i = 0; i < 4; i++) {
        free(tokens[i]);
    }
    token_verifier_free(with);
}

static void names_convert_both_ways(void **state)
{
    (void)state;
    for (int i = TOKEN_HS256; i <= TOKEN_ES256; i++) {
        enum token_algorithm algorithm;

        assert_true(
            token_algorithm_parse(token_algorithm_name((enum token_algorithm)i), &algorithm));
        assert_int_equal(algorithm, i);
    }
    for (int i = TOKEN_ROLE_AGENT; i <= TOKEN_ROLE_SERVICE; i++) {
        enum token_role role;

        assert_true(token_role_parse(str_of(token_role_name((enum token_role)i)), &role));
        assert_int_equal(role, i);
    }
    assert_false(token_algorithm_parse("none", &(enum token_algorithm) { 0 }));
    assert_false(token_role_parse(STR("Agent"), &(enum token_role) { 0 }));
}

static int write_bytes(const char *name, const char *text)
{
    autofree char *path = file(name);
    FILE *to = fopen(path, "w");

    return to != NULL && fputs(text, to) >= 0 && fclose(to) == 0 ? 0 : -1;
}

static int write_key(EVP_PKEY *key, const char *private_name, const char *public_name)
{
    autofree char *private_path = file(private_name);
    FILE *to = fopen(private_path, "w");
    int good = to != NULL && PEM_write_PrivateKey(to, key, NULL, NULL, 0, NULL, NULL) == 1;

    if (to != NULL) {
        fclose(to);
    }
    if (good && public_name != NULL) {
        autofree char *public_path = file(public_name);

        to = fopen(public_path, "w");
        good = to != NULL && PEM_write_PUBKEY(to, key) == 1;
        if (to != NULL) {
            fclose(to);
        }
    }
    EVP_PKEY_free(key);
    return good ? 0 : -1;
}

static int make_keys(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    return write_bytes("hs.key", SECRET "\n") | write_bytes("other.key", "other") |
           write_bytes("empty.key", "\n") |
           write_key(EVP_RSA_gen(2048), "rsa.pem", "rsa-public.pem") |
           write_key(EVP_RSA_gen(1024), "small.pem", NULL) |
           write_key(EVP_EC_gen("P-256"), "ec.pem", "ec-public.pem") |
           write_key(EVP_EC_gen("P-256"), "ec2.pem", NULL) |
           write_key(EVP_EC_gen("P-384"), "p384.pem", NULL);
}

static int remove_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        autofree char *path = file(files[i]);

        unlink(path);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_token_yields_its_claims),
        cmocka_unit_test(iat_is_read_to_the_millisecond),
        cmocka_unit_test(optional_claims_have_defaults),
        cmocka_unit_test(claims_are_judged_one_by_one),
        cmocka_unit_test(issuer_and_audience_are_checked_when_configured),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
        cmocka_unit_test(headers_are_checked_before_the_signature),
        cmocka_unit_test(the_form_is_strict),
        cmocka_unit_test(no_byte_of_a_token_can_be_changed),
        cmocka_unit_test(another_secret_does_not_fit),
        cmocka_unit_test(kid_chooses_among_several_keys),
        cmocka_unit_test(without_keys_every_token_fails),
        cmocka_unit_test(minted_tokens_verify_under_each_algorithm),
        cmocka_unit_test(keys_of_the_same_kind_are_told_apart),
        cmocka_unit_test(the_algorithm_cannot_be_chosen_by_the_token),
        cmocka_unit_test(bad_key_files_are_named),
        cmocka_unit_test(what_cannot_be_minted_is_refused),
        cmocka_unit_test(decoding_shows_header_and_claims),
        cmocka_unit_test(a_cached_token_is_not_served_past_its_time),
        cmocka_unit_test(refused_tokens_are_not_cached),
        cmocka_unit_test(the_cache_drops_what_was_not_used_for_the_longest),
        cmocka_unit_test(names_convert_both_ways),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
