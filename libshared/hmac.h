/* HMAC-SHA256 with a secret that is set up once and used many times. */
#pragma once

#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/str.h"

struct evp_mac_ctx_st;

enum { HMAC_SHA256_BYTES = 32 };

/* Returns owned, ready for EVP_MAC_update(): end with EVP_MAC_CTX_free(). */
NODISCARD
struct evp_mac_ctx_st *hmac_sha256_new(struct str secret);
/* OpenSSL's MAC functions fail only without memory or without their provider. Nothing could be
 * verified then: ends the process. */
void hmac_must(bool succeeded);
