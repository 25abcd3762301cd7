#include "siod/chat/revocation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/map.h"

enum { MS_PER_S = 1000 };

struct revoked_jti {
    UT_hash_handle hh;
    size_t len;
    char jti[];
};

struct revoked_user {
    UT_hash_handle hh;
    struct user_key {
        int64_t business_id, user_id;
    } key;
    int64_t issued_before_ms;
};

struct revocations {
    struct revoked_jti *jtis;
    struct revoked_user *users;
};

struct revocations *revocations_new(void)
{
    return xnew(struct revocations);
}

void revocations_free(struct revocations *revocations)
{
    struct revoked_jti *jti, *next_jti;
    struct revoked_user *user, *next_user;

    if (revocations == NULL) {
        return;
    }
    HASH_ITER (hh, revocations->jtis, jti, next_jti) {
        HASH_DEL(revocations->jtis, jti);
        free(jti);
    }
    HASH_ITER (hh, revocations->users, user, next_user) {
        HASH_DEL(revocations->users, user);
        free(user);
    }
    free(revocations);
}

size_t revocations_count(const struct revocations *revocations)
{
    return HASH_COUNT(revocations->jtis) + HASH_COUNT(revocations->users);
}

static struct revoked_jti *find_jti(const struct revocations *revocations, struct str jti)
{
    struct revoked_jti *found = NULL;

    if (jti.len > 0) {
        HASH_FIND(hh, revocations->jtis, jti.data, jti.len, found);
    }
    return found;
}

static struct revoked_user *find_user(const struct revocations *revocations, int64_t business_id,
                                      int64_t user_id)
{
    const struct user_key key = { business_id, user_id };
    struct revoked_user *found;

    HASH_FIND(hh, revocations->users, &key, sizeof key, found);
    return found;
}

static void add_jti(struct revocations *revocations, struct str jti)
{
    struct revoked_jti *added;

    if (jti.len == 0 || find_jti(revocations, jti) != NULL) {
        return;
    }
    added = xcalloc(1, sizeof *added + jti.len);
    added->len = jti.len;
    memcpy(added->jti, jti.data, jti.len);
    HASH_ADD_KEYPTR(hh, revocations->jtis, added->jti, added->len, added);
}

static void add_user(struct revocations *revocations, const struct store_revocation *revocation)
{
    struct revoked_user *user =
        find_user(revocations, revocation->business_id, revocation->user_id);

    if (user == NULL) {
        user = xnew(struct revoked_user);
        user->key = (struct user_key) { revocation->business_id, revocation->user_id };
        HASH_ADD(hh, revocations->users, key, sizeof user->key, user);
    }
    user->issued_before_ms = MAX(user->issued_before_ms, revocation->issued_before_ms);
}

void revocations_add(struct revocations *revocations, const struct store_revocation *revocation)
{
    if (revocation->jti.data != NULL) {
        add_jti(revocations, revocation->jti);
    } else {
        add_user(revocations, revocation);
    }
}

void revocations_remove(struct revocations *revocations, const struct store_revocation *revocation)
{
    struct revoked_jti *jti = find_jti(revocations, revocation->jti);
    struct revoked_user *user =
        revocation->jti.data == NULL
            ? find_user(revocations, revocation->business_id, revocation->user_id)
            : NULL;

    if (jti != NULL) {
        HASH_DEL(revocations->jtis, jti);
        free(jti);
    }
    if (user != NULL) {
        HASH_DEL(revocations->users, user);
        free(user);
    }
}

enum err revocations_check(const struct revocations *revocations, const struct token_claims *claims,
                           struct errmsg *msg)
{
    const struct revoked_user *user = find_user(revocations, claims->business_id, claims->user_id);
    char before[CLOCK_ISO_SIZE];

    if (find_jti(revocations, str_of(claims->jti)) != NULL) {
        return err_set(msg, ERR_TOKEN_REVOKED, "the token's jti was revoked");
    }
    if (user == NULL || claims->issued_ms >= user->issued_before_ms) {
        return OK;
    }
    clock_iso(user->issued_before_ms, before);
    return err_set(msg, ERR_TOKEN_REVOKED,
                   "tokens of user %" PRId64 " of business %" PRId64
                   " that were issued before %s were revoked",
                   claims->user_id, claims->business_id, before);
}

int64_t revocations_issued_before(const struct revocations *revocations, int64_t business_id,
                                  int64_t user_id)
{
    const struct revoked_user *user = find_user(revocations, business_id, user_id);

    return user != NULL ? user->issued_before_ms : 0;
}

uint32_t revocation_tag(struct str jti)
{
    return jti.len > 0 ? MAX(map_hash(jti.data, jti.len), 1U) : 0;
}

bool revocations_cover(const struct revocations *revocations,
                       const struct revocation_subject *subject)
{
    const struct revoked_user *user =
        find_user(revocations, subject->business_id, subject->user_id);
    const struct revoked_jti *jti;

    if (user != NULL && (int64_t)subject->issued_s * MS_PER_S < user->issued_before_ms) {
        return true;
    }
    for (jti = revocations->jtis; subject->tag != 0 && jti != NULL; jti = jti->hh.next) {
        if (MAX(jti->hh.hashv, 1U) == subject->tag) { /* as revocation_tag() has it */
            return true;
        }
    }
    return false;
}

bool revocation_covers(const struct store_revocation *revocation,
                       const struct revocation_subject *subject)
{
    if (revocation->jti.data != NULL) {
        return subject->tag != 0 && subject->tag == revocation_tag(revocation->jti);
    }
    return subject->business_id == revocation->business_id &&
           subject->user_id == revocation->user_id &&
           (int64_t)subject->issued_s * MS_PER_S < revocation->issued_before_ms;
}
