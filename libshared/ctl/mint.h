/* The claims of a token that an operator asks for: the same in the daemon and in sioctl. */
#pragma once

#include <stdint.h>

#include <jansson.h>

#include "libshared/buf.h"
#include "libshared/error.h"
#include "libshared/token.h"

/* `args` of `token mint`, checked. iss and aud are added when they are neither NULL nor empty; each
 * --claim overrides what stands there. Appends the claims object as JSON text. */
void ctl_mint_claims(const json_t *args, const char *issuer, const char *audience, int64_t now_s,
                     struct buf *out);

/* What `token verify` prints. {"valid":true,"userId":…,"businessId":…,"role":…,"name":…,
 * "issuedAt":…,"expiresAt":…,"jti":…}, or {"valid":false,"code":…,"message":…}; `claims` only
 * matters when err is OK. */
void ctl_verdict_render(struct buf *out, enum err err, const struct token_claims *claims,
                        const struct errmsg *msg);
