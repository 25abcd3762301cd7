/* Tokens: every way in which one can be wrong, with its code. */
#include "tests/unit/token_fixture.h"

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
        { "{" WHO ",\"exp\":1.9e9,\"name\":\"\\u0000\"}", ERR_TOKEN_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"other\":[\"\\u0000\"]}", ERR_TOKEN_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"other\":1e999}", ERR_TOKEN_INVALID },
        { "{" WHO ",\"exp\":1.9e9,\"other\":\"\\\\u0000\"}", OK },
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
        cmocka_unit_test(decoding_shows_header_and_claims),
        cmocka_unit_test(names_convert_both_ways),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
