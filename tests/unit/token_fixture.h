/* For tests of tokens: keys in files, and tokens of any header and claims. */
#pragma once

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
