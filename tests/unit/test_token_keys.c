/* Keys of tokens: which fits, minting with each; and the cache of what was verified. */
#include "tests/unit/token_fixture.h"

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
    struct errmsg msg = { "" };
    char *token = NULL;

    (void)state;
    assert_int_equal(token_mint(&rs, STR("{}"), &token, NULL), ERR_INVALID);
    assert_int_equal(token_mint(&hs, STR("[]"), &token, NULL), ERR_INVALID);
    assert_int_equal(token_mint(&hs, STR("{"), &token, NULL), ERR_SYNTAX);
    assert_int_equal(token_mint(&hs, STR("{\"x\":\"a\\u0000\"}"), &token, &msg), ERR_INVALID);
    assert_string_equal(msg.text, "the claims hold what a token cannot");
    assert_int_equal(token_mint(&(struct token_config) { 0 }, STR("{}"), &token, NULL),
                     ERR_INVALID);
    assert_null(token);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_secret_does_not_fit),
        cmocka_unit_test(kid_chooses_among_several_keys),
        cmocka_unit_test(without_keys_every_token_fails),
        cmocka_unit_test(minted_tokens_verify_under_each_algorithm),
        cmocka_unit_test(keys_of_the_same_kind_are_told_apart),
        cmocka_unit_test(the_algorithm_cannot_be_chosen_by_the_token),
        cmocka_unit_test(bad_key_files_are_named),
        cmocka_unit_test(what_cannot_be_minted_is_refused),
        cmocka_unit_test(a_cached_token_is_not_served_past_its_time),
        cmocka_unit_test(refused_tokens_are_not_cached),
        cmocka_unit_test(the_cache_drops_what_was_not_used_for_the_longest),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
