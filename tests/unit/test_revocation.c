/* The rule: which tokens a set of revocations covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "siod/chat/revocation.h"

static struct token_claims token(int64_t business_id, int64_t user_id, int64_t issued_ms,
                                 const char *jti)
{
    struct token_claims claims = { .business_id = business_id,
                                   .user_id = user_id,
                                   .issued_ms = issued_ms };

    snprintf(claims.jti, sizeof claims.jti, "%s", jti);
    return claims;
}

static struct store_revocation of_user(int64_t business_id, int64_t user_id, int64_t before_ms)
{
    return (struct store_revocation) { .business_id = business_id,
                                       .user_id = user_id,
                                       .issued_before_ms = before_ms };
}

static struct store_revocation of_jti(const char *jti)
{
    return (struct store_revocation) { .jti = str_of(jti) };
}

static bool good(const struct revocations *revocations, struct token_claims claims)
{
    struct errmsg msg = { "" };
    enum err err = revocations_check(revocations, &claims, &msg);

    assert_true(err == OK || err == ERR_TOKEN_REVOKED);
    assert_int_equal(err != OK, msg.text[0] != '\0');
    return err == OK;
}

static void add(struct revocations *revocations, struct store_revocation revocation)
{
    revocations_add(revocations, &revocation);
}

static void a_user_revocation_covers_what_was_issued_before_and_what_does_not_say(void **state)
{
    struct revocations *revoked = revocations_new();

    (void)state;
    assert_true(good(revoked, token(1, 7, 0, "")));
    add(revoked, of_user(1, 7, 5301));
    assert_false(good(revoked, token(1, 7, 0, "")));
    assert_false(good(revoked, token(1, 7, -1, "")));
    assert_false(good(revoked, token(1, 7, 4000, "")));
    assert_false(good(revoked, token(1, 7, 5000, "")));
    assert_false(good(revoked, token(1, 7, 5300, "with a jti")));
    assert_true(good(revoked, token(1, 7, 5301, "")));
    assert_true(good(revoked, token(1, 7, 6000, "")));
    assert_true(good(revoked, token(1, 8, 4000, "")));
    assert_true(good(revoked, token(2, 7, 4000, "")));
    assert_true(good(revoked, token(7, 1, 4000, "")));
    assert_int_equal(revocations_issued_before(revoked, 1, 7), 5301);
    assert_int_equal(revocations_issued_before(revoked, 2, 7), 0);
    revocations_free(revoked);
}

static void an_earlier_revocation_of_a_user_takes_nothing_back(void **state)
{
    struct revocations *revoked = revocations_new();

    (void)state;
    add(revoked, of_user(1, 7, 5000));
    add(revoked, of_user(1, 7, 3000));
    assert_int_equal(revocations_count(revoked), 1);
    assert_false(good(revoked, token(1, 7, 4000, "")));
    revocations_free(revoked);
}

static void a_jti_covers_its_token_in_every_business_and_nothing_else(void **state)
{
    struct revocations *revoked = revocations_new();

    (void)state;
    add(revoked, of_jti("abc"));
    add(revoked, of_jti("abc"));
    assert_int_equal(revocations_count(revoked), 1);
    assert_false(good(revoked, token(1, 7, 9000, "abc")));
    assert_false(good(revoked, token(2, 8, 9000, "abc")));
    assert_true(good(revoked, token(1, 7, 9000, "ab")));
    assert_true(good(revoked, token(1, 7, 9000, "abcd")));
    assert_true(good(revoked, token(1, 7, 9000, "ABC")));
    assert_true(good(revoked, token(1, 7, 9000, "")));
    revocations_free(revoked);
}

static void what_is_removed_holds_no_longer_and_the_rest_does(void **state)
{
    struct revocations *revoked = revocations_new();
    const struct store_revocation jti = of_jti("a"), user = of_user(1, 7, 5000),
                                  unknown = of_jti("b");

    (void)state;
    add(revoked, jti);
    add(revoked, user);
    add(revoked, of_user(1, 8, 5000));
    revocations_remove(revoked, &unknown);
    revocations_remove(revoked, &jti);
    assert_true(good(revoked, token(1, 9, 9000, "a")));
    assert_false(good(revoked, token(1, 7, 4000, "")));
    revocations_remove(revoked, &user);
    assert_true(good(revoked, token(1, 7, 4000, "")));
    assert_false(good(revoked, token(1, 8, 4000, "")));
    assert_int_equal(revocations_count(revoked), 1);
    revocations_free(revoked);
}

static void a_socket_is_looked_up_among_all(void **state)
{
    struct revocations *revoked = revocations_new();
    struct revocation_subject subject = { .business_id = 1, .user_id = 7, .issued_s = 5 };

    (void)state;
    add(revoked, of_user(1, 7, 5000));
    add(revoked, of_user(2, 7, 9000));
    add(revoked, of_jti("a"));
    add(revoked, of_jti("b"));
    assert_false(revocations_cover(revoked, &subject));
    subject.issued_s = 4;
    assert_true(revocations_cover(revoked, &subject));
    subject.issued_s = 5;
    subject.tag = revocation_tag(STR("b"));
    assert_true(revocations_cover(revoked, &subject));
    subject.tag = revocation_tag(STR("c"));
    assert_false(revocations_cover(revoked, &subject));
    revocations_free(revoked);
}

static void a_socket_is_covered_by_what_it_remembers(void **state)
{
    const struct store_revocation user = of_user(1, 7, 5301), jti = of_jti("a");
    struct revocation_subject subject = { .business_id = 1, .user_id = 7 };

    (void)state;
    assert_true(revocation_covers(&user, &subject));
    assert_false(revocation_covers(&jti, &subject));
    subject.issued_s = 5;
    assert_true(revocation_covers(&user, &subject));
    subject.issued_s = 6;
    assert_false(revocation_covers(&user, &subject));
    subject.tag = revocation_tag(STR("a"));
    assert_true(revocation_covers(&jti, &subject));
    subject.tag = revocation_tag(STR("b"));
    assert_false(revocation_covers(&jti, &subject));
    subject = (struct revocation_subject) { .business_id = 2, .user_id = 7 };
    assert_false(revocation_covers(&user, &subject));
    assert_int_equal(revocation_tag(STR("")), 0);
    assert_int_equal(revocation_tag(STR_NONE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_revocation_covers_what_was_issued_before_and_what_does_not_say),
        cmocka_unit_test(an_earlier_revocation_of_a_user_takes_nothing_back),
        cmocka_unit_test(a_jti_covers_its_token_in_every_business_and_nothing_else),
        cmocka_unit_test(what_is_removed_holds_no_longer_and_the_rest_does),
        cmocka_unit_test(a_socket_is_covered_by_what_it_remembers),
        cmocka_unit_test(a_socket_is_looked_up_among_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
