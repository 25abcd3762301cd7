#include "libshared/hmac.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

void hmac_must(bool succeeded)
{
    if (!succeeded) {
        abort();
    }
}

EVP_MAC_CTX *hmac_sha256_new(struct str secret)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
                                                                   0),
                                  OSSL_PARAM_construct_end() };

    hmac_must(mac != NULL &&
              EVP_MAC_init(mac, (const unsigned char *)secret.data, secret.len, params) == 1);
    EVP_MAC_free(hmac);
    return mac;
}
