/* The tokens that the desk lets in: verified, and not revoked. Whoever is handed a token by a
 * client asks here, so that no door forgets the second. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "libshared/token.h"
#include "siod/store/store.h"

struct desk;
struct revocations;

/* As token_verify() now, and ERR_TOKEN_REVOKED. */
NODISCARD
enum err desk_token_verify(struct desk *desk, struct str token, struct token_claims *ret_claims,
                           struct errmsg *msg);

/* At start: takes what the store has. From now on expired revocations are purged. */
void desk_tokens_start(struct desk *desk, struct revocations *revocations);

/* After the commit, when the sockets are closed. `now` is the revocation as it stands, or NULL
 * after an error. */
typedef void token_revoked(void *arg, enum err err, const struct store_revocation *now,
                           unsigned closed);
/* Stores the revocation; with the commit it holds, and the sockets that it covers are closed.
 * `done` is called exactly once, maybe before this returns. */
void desk_token_revoke(struct desk *desk, const struct store_revocation *revocation,
                       token_revoked *done, void *arg);

/* Unix milliseconds: tokens of the user that were issued earlier are revoked. 0 = none. */
int64_t desk_token_issued_before(const struct desk *desk, int64_t business_id, int64_t user_id);
/* How many are in force. */
size_t desk_revocations(const struct desk *desk);
