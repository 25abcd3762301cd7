#include "libshared/wire/signature.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "libshared/alloc.h"
#include "libshared/hmac.h"

static const struct str prefix = STR_INIT("sha256=");

struct signature_keys {
    size_t count;
    EVP_MAC_CTX *macs[SIGNATURE_SECRETS_MAX];
};

struct signature {
    size_t count;
    EVP_MAC_CTX *macs[];
};

struct signature_keys *signature_keys_new(const struct str *secrets, size_t count)
{
    struct signature_keys *keys = xnew(struct signature_keys);

    assert(count > 0 && count <= SIGNATURE_SECRETS_MAX);
    keys->count = count;
    for (size_t i = 0; i < count; i++) {
        assert(secrets[i].len > 0);
        keys->macs[i] = hmac_sha256_new(secrets[i]);
    }
    return keys;
}

void signature_keys_free(struct signature_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->count; i++) {
        EVP_MAC_CTX_free(keys->macs[i]);
    }
    free(keys);
}

struct signature *signature_start(const struct signature_keys *keys)
{
    struct signature *signature =
        xcalloc(1, sizeof *signature + keys->count * sizeof(EVP_MAC_CTX *));

    signature->count = keys->count;
    for (size_t i = 0; i < keys->count; i++) {
        signature->macs[i] = EVP_MAC_CTX_dup(keys->macs[i]);
        hmac_must(signature->macs[i] != NULL);
    }
    return signature;
}

void signature_update(struct signature *signature, const void *data, size_t len)
{
    for (size_t i = 0; i < signature->count; i++) {
        hmac_must(EVP_MAC_update(signature->macs[i], data, len) == 1);
    }
}

static void finish(EVP_MAC_CTX *mac, char ret_header[SIGNATURE_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[HMAC_SHA256_BYTES];
    size_t len;

    hmac_must(EVP_MAC_final(mac, digest, &len, sizeof digest) == 1);
    memcpy(ret_header, prefix.data, prefix.len);
    for (size_t i = 0; i < sizeof digest; i++) {
        ret_header[prefix.len + 2 * i] = hex[digest[i] >> 4];
        ret_header[prefix.len + 2 * i + 1] = hex[digest[i] & 15];
    }
    ret_header[SIGNATURE_LEN] = '\0';
}

bool signature_check(struct signature *signature, struct str header, size_t *ret_key)
{
    char expected[SIGNATURE_SIZE];
    bool found = false;

    if (header.len != SIGNATURE_LEN) {
        return false;
    }
    for (size_t i = 0; i < signature->count; i++) {
        finish(signature->macs[i], expected);
        if (CRYPTO_memcmp(expected, header.data, SIGNATURE_LEN) == 0 && !found) {
            found = true;
            if (ret_key != NULL) {
                *ret_key = i;
            }
        }
    }
    return found;
}

void signature_free(struct signature *signature)
{
    if (signature == NULL) {
        return;
    }
    for (size_t i = 0; i < signature->count; i++) {
        EVP_MAC_CTX_free(signature->macs[i]);
    }
    free(signature);
}

void signature_header(struct str secret, struct str body, char ret_header[SIGNATURE_SIZE])
{
    EVP_MAC_CTX *mac = hmac_sha256_new(secret);

    hmac_must(EVP_MAC_update(mac, (const unsigned char *)body.data, body.len) == 1);
    finish(mac, ret_header);
    EVP_MAC_CTX_free(mac);
}
