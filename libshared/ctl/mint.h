/* The claims of a token that an operator asks for: the same in the daemon and in sioctl. */
#pragma once

#include <stdint.h>

#include <jansson.h>

#include "libshared/buf.h"

/* `args` of `token mint`, checked. iss and aud are added when they are neither NULL nor empty; each
 * --claim overrides what stands there. Appends the claims object as JSON text. */
void ctl_mint_claims(const json_t *args, const char *issuer, const char *audience, int64_t now_s,
                     struct buf *out);
