/* Which tokens are revoked, in memory, and the rule: a token is when its jti is, or when its user's
 * tokens are and it was issued before that time, or does not say when it was issued.
 *
 * `iat` mostly counts whole seconds. A token of the very second in which its user's tokens are
 * revoked is then taken for an earlier one, whenever in that second it was made; one whose iat has
 * a fraction is compared by the millisecond. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "libshared/token.h"
#include "siod/store/store.h"

struct revocations;

/* Returns owned. */
NODISCARD
struct revocations *revocations_new(void);
void revocations_free(struct revocations *revocations);
size_t revocations_count(const struct revocations *revocations);
/* As store_revocation_put(): what is there only grows. */
void revocations_add(struct revocations *revocations, const struct store_revocation *revocation);
/* By what it is for: its jti, or else its user. */
void revocations_remove(struct revocations *revocations, const struct store_revocation *revocation);

/* ERR_TOKEN_REVOKED, with the rule that holds in msg. */
NODISCARD
enum err revocations_check(const struct revocations *revocations, const struct token_claims *claims,
                           struct errmsg *msg);
/* Unix milliseconds: tokens of the user that were issued earlier are revoked. 0 = none. */
int64_t revocations_issued_before(const struct revocations *revocations, int64_t business_id,
                                  int64_t user_id);

/* What a socket remembers of its token is little, since there are many: a tag of the jti (0 = there
 * is none), and the second of its iat. Once in some four thousand million times two jti have one
 * tag, and a socket is closed in vain: its client comes back, and is let in. */
uint32_t revocation_tag(struct str jti);
struct revocation_subject {
    int64_t business_id, user_id;
    uint32_t issued_s; /* 0 = it does not say */
    uint32_t tag;
};
/* Is there one that covers this token? */
bool revocations_cover(const struct revocations *revocations,
                       const struct revocation_subject *subject);
/* Does the one revocation cover it? */
bool revocation_covers(const struct store_revocation *revocation,
                       const struct revocation_subject *subject);
