/* Webhook signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/wire/signature.h"

static const struct {
    struct str secret, body;
    const char *header;
} vectors[] = {
    { STR_INIT("test_app_secret"),
      STR_INIT("{\"object\":\"whatsapp_business_account\","
               "\"entry\":[]}"),
      "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756" },
    { STR_INIT("test_app_secret"),
      STR_INIT("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{"
               "\"field\":\"messages\",\"value\":{\"t\":\"\\u00e4\\u00f6\\u00e5 \\ud83d\\ude00 "
               "a\\u0040b https:\\/\\/x.y\"}}]}]}"),
      "sha256=5ed89557d3ab68c203a31dec04f905112d10bd95b8e44d9fa46c635a57612c8b" },
    /* RFC 4231, test cases 1 and 2 */
    { STR_INIT("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
      STR_INIT("Hi There"),
      "sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { STR_INIT("Jefe"), STR_INIT("what do ya want for nothing?"),
      "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
};

static bool verify(const struct str *secrets, size_t count, struct str body, struct str header,
                   size_t piece, size_t *ret_key)
{
    struct signature_keys *keys = signature_keys_new(secrets, count);
    struct signature *signature = signature_start(keys);
    bool good;

    signature_keys_free(keys);
    for (; body.len > piece; body = str_skip(body, piece)) {
        signature_update(signature, body.data, piece);
    }
    signature_update(signature, body.data, body.len);
    good = signature_check(signature, header, ret_key);
    signature_free(signature);
    return good;
}

static void published_vectors_are_rendered(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        char header[SIGNATURE_SIZE];

        signature_header(vectors[i].secret, vectors[i].body, header);
        assert_string_equal(header, vectors[i].header);
    }
}

static void a_body_may_arrive_in_pieces_of_any_size(void **state)
{
    static const size_t pieces[] = { 1, 2, 63, 64, 65, 10000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(pieces); j++) {
            assert_true(verify(&vectors[i].secret, 1, vectors[i].body, str_of(vectors[i].header),
                               pieces[j], NULL));
        }
    }
}

static void any_of_several_secrets_will_do(void **state)
{
    const struct str secrets[] = { STR("old"), STR("test_app_secret"), STR("test_app_secret") };
    size_t key = 99;

    (void)state;
    assert_true(verify(secrets, 3, vectors[0].body, str_of(vectors[0].header), 10, &key));
    assert_int_equal(key, 1);
    assert_false(verify(secrets, 1, vectors[0].body, str_of(vectors[0].header), 10, &key));
}

static void keys_serve_many_bodies(void **state)
{
    struct signature_keys *keys = signature_keys_new(&vectors[0].secret, 1);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct signature *signature = signature_start(keys);

        signature_update(signature, vectors[i].body.data, vectors[i].body.len);
        assert_true(signature_check(signature, str_of(vectors[i].header), NULL));
        signature_free(signature);
    }
    signature_keys_free(keys);
}

static void every_changed_byte_of_header_or_body_is_noticed(void **state)
{
    char header[SIGNATURE_SIZE], body[128];
    size_t len = vectors[0].body.len;

    (void)state;
    for (size_t i = 0; i < SIGNATURE_LEN; i++) {
        memcpy(header, vectors[0].header, SIGNATURE_SIZE);
        header[i] ^= 1;
        assert_false(verify(&vectors[0].secret, 1, vectors[0].body, str_of(header), 1000, NULL));
    }
    for (size_t i = 0; i < len; i++) {
        memcpy(body, vectors[0].body.data, len);
        body[i] ^= 1;
        assert_false(verify(&vectors[0].secret, 1, (struct str) { body, len },
                            str_of(vectors[0].header), 1000, NULL));
    }
}

static void a_reserialised_body_does_not_match(void **state)
{
    (void)state;
    assert_false(verify(&vectors[1].secret, 1,
                        STR("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\","
                            "\"changes\":[{\"field\":\"messages\",\"value\":{\"t\":\"\xc3\xa4"
                            "\xc3\xb6\xc3\xa5 \xf0\x9f\x98\x80 a@b https://x.y\"}}]}]}"),
                        str_of(vectors[1].header), 1000, NULL));
}

static void malformed_headers_are_refused(void **state)
{
    static const struct str headers[] = {
        { NULL, 0 },
        STR_INIT(""),
        STR_INIT("sha256="),
        STR_INIT("dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"),
        STR_INIT("sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c63375"),
        STR_INIT("sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c6337560"),
        STR_INIT("sha256=DEC6A680679A968E7E0319355B23599CBFC54502C0784668E9618BAA0C633756"),
        STR_INIT("SHA256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"),
        STR_INIT(" sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c63375"),
        STR_INIT("sha1=fc5983fdf1a4e15c8949b8af05322fede4063d27"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        assert_false(verify(&vectors[0].secret, 1, vectors[0].body, headers[i], 1000, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_are_rendered),
        cmocka_unit_test(a_body_may_arrive_in_pieces_of_any_size),
        cmocka_unit_test(any_of_several_secrets_will_do),
        cmocka_unit_test(keys_serve_many_bodies),
        cmocka_unit_test(every_changed_byte_of_header_or_body_is_noticed),
        cmocka_unit_test(a_reserialised_body_does_not_match),
        cmocka_unit_test(malformed_headers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
