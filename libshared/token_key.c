#include "libshared/token_key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "libshared/alloc.h"
#include "libshared/config.h"
#include "libshared/hmac.h"

enum { RSA_BITS_MIN = 2048 /* RFC 7518 §3.3 */ };

static char *kid_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return xstrndup(name, dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name));
}

/* A public key, or a private one (then *ret_private). */
static EVP_PKEY *parse_pem(struct str pem, bool *ret_private)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

    *ret_private = false;
    if (key == NULL) {
        char no_passphrase[] = "";

        BIO_reset(bio);
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, no_passphrase);
        *ret_private = key != NULL;
    }
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static bool suits(const EVP_PKEY *key, enum token_algorithm algorithm)
{
    char group[32];

    if (algorithm == TOKEN_RS256) {
        return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    }
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           strcmp(group, SN_X9_62_prime256v1) == 0;
}

static void add_public_pem(EVP_PKEY *key, struct buf *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    long len;

    if (PEM_write_bio_PUBKEY(bio, key) == 1) {
        len = BIO_get_mem_data(bio, &data);
        buf_add(pem, data, (size_t)len);
    }
    BIO_free(bio);
}

static enum err take_pem(const char *path, enum token_algorithm algorithm, struct str text,
                         struct token_key *key, struct errmsg *msg)
{
    bool is_private;
    EVP_PKEY *pkey = parse_pem(text, &is_private);
    enum err err = OK;

    if (pkey == NULL) {
        err = err_set(msg, ERR_INVALID, "%s: no public or private key in PEM", path);
    } else if (!suits(pkey, algorithm)) {
        err = err_set(msg, ERR_INVALID, "%s: %s needs %s", path, token_algorithm_name(algorithm),
                      algorithm == TOKEN_RS256 ? "an RSA key of 2048 bits or more"
                                               : "an EC key on P-256");
    } else {
        add_public_pem(pkey, &key->verify);
        if (is_private) {
            buf_add_str(&key->sign, text);
        }
    }
    EVP_PKEY_free(pkey);
    return err;
}

bool token_key_hmac_fits(const struct token_key *key, struct str text, struct str signature)
{
    unsigned char expected[HMAC_SHA256_BYTES];
    size_t len = 0;

    /* without a key: starts again with the one it has */
    hmac_must(EVP_MAC_init(key->hmac, NULL, 0, NULL) == 1 &&
              EVP_MAC_update(key->hmac, (const unsigned char *)text.data, text.len) == 1 &&
              EVP_MAC_final(key->hmac, expected, &len, sizeof expected) == 1);
    return signature.len == len && CRYPTO_memcmp(expected, signature.data, len) == 0;
}

/* A public key as HMAC secret would let everybody who has it sign. */
static enum err take_secret(const char *path, struct str text, struct token_key *key,
                            struct errmsg *msg)
{
    if (memmem(text.data, text.len, "-----BEGIN ", 11) != NULL) {
        return err_set(msg, ERR_INVALID, "%s: HS256 needs a secret, and this is PEM", path);
    }
    buf_add_str(&key->verify, text);
    buf_add_str(&key->sign, text);
    key->hmac = hmac_sha256_new(text);
    return OK;
}

enum err token_key_read(const char *path, enum token_algorithm algorithm, struct token_key *ret_key,
                        struct errmsg *msg)
{
    struct token_key key = { .verify = BUF_INIT, .sign = BUF_INIT };
    autobuf struct buf text = BUF_INIT;
    enum err err = config_read_secret_file(path, &text, msg);

    if (err == OK) {
        err = algorithm == TOKEN_HS256 ? take_secret(path, buf_str(&text), &key, msg)
                                       : take_pem(path, algorithm, buf_str(&text), &key, msg);
    }
    if (err != OK) {
        token_key_finish(&key);
        return err;
    }
    key.kid = kid_of(path);
    *ret_key = key;
    return OK;
}

void token_key_finish(struct token_key *key)
{
    free(key->kid);
    EVP_MAC_CTX_free(key->hmac);
    buf_finish(&key->verify);
    buf_finish(&key->sign);
}
