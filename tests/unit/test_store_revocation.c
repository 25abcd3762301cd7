/* Revocations in the database: put, grown, listed, purged; in a new one and in one of an earlier
 * schema. */
#include "store_fixture.h"

struct step {
    struct store_revocation wanted, now;
    int64_t expired_before_s;
    unsigned limit;
    char text[512]; /* what was listed or purged */
};

static void add_text(struct step *step, const struct store_revocation *r)
{
    size_t len = strlen(step->text);
    char jti[16] = "-";

    if (r->jti.data != NULL) {
        snprintf(jti, sizeof jti, "%.*s", STR_ARG(r->jti));
    }
    snprintf(step->text + len, sizeof step->text - len, "%s/%lld/%lld/%lld/%lld/%.*s/%.*s ", jti,
             (long long)r->business_id, (long long)r->user_id, (long long)r->issued_before_ms,
             r->expires_s == INT64_MAX ? -1 : (long long)r->expires_s, STR_ARG(r->who),
             STR_ARG(r->reason));
}

static enum err put_body(struct store_tx *tx, void *arg)
{
    struct step *step = arg;

    return store_revocation_put(tx, &step->wanted, &step->now);
}

static void note_gone(void *arg, const struct store_revocation *revocation)
{
    add_text(arg, revocation);
}

static enum err purge_body(struct store_tx *tx, void *arg)
{
    struct step *step = arg;

    step->text[0] = '\0';
    return store_revocations_purge(tx, step->expired_before_s, step->limit, note_gone, step);
}

static bool note_row(void *arg, const struct store_revocation *revocation)
{
    assert_true(revocation->at_ms > 0);
    add_text(arg, revocation);
    return true;
}

static enum err list_body(struct store_reader *reader, void *arg)
{
    return store_revocations(reader, note_row, arg);
}

static struct store_revocation of_jti(const char *jti, int64_t expires_s)
{
    return (struct store_revocation) {
        .jti = str_of(jti), .expires_s = expires_s, .who = STR("uid 0"), .reason = STR("")
    };
}

static struct store_revocation of_user(int64_t business_id, int64_t user_id, int64_t before_ms)
{
    return (struct store_revocation) { .business_id = business_id,
                                       .user_id = user_id,
                                       .issued_before_ms = before_ms,
                                       .expires_s = INT64_MAX,
                                       .who = STR("uid 0"),
                                       .reason = STR("lost") };
}

static struct store_revocation put(struct fixture *f, struct store_revocation wanted)
{
    struct step step = { .wanted = wanted };

    assert_int_equal(write_now(f, put_body, &step), OK);
    assert_true(step.now.at_ms > 0);
    return step.now;
}

static void assert_rows(struct fixture *f, const char *want)
{
    struct step step = { .limit = 0 };

    assert_int_equal(read_now(f, list_body, &step), OK);
    assert_string_equal(step.text, want);
}

static void assert_purged(struct fixture *f, int64_t before_s, unsigned limit, const char *want)
{
    struct step step = { .expired_before_s = before_s, .limit = limit };

    assert_int_equal(write_now(f, purge_body, &step), OK);
    assert_string_equal(step.text, want);
}

static void a_user_has_one_row_in_each_business_and_its_time_only_grows(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, of_user(1, 7, 5000)).issued_before_ms, 5000);
    assert_int_equal(put(f, of_user(1, 7, 4000)).issued_before_ms, 5000);
    assert_int_equal(put(f, of_user(1, 7, 6000)).issued_before_ms, 6000);
    assert_int_equal(put(f, of_user(2, 7, 3000)).issued_before_ms, 3000);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM revocation"), 2);
    assert_rows(f, "-/2/7/3000/-1/uid 0/lost -/1/7/6000/-1/uid 0/lost ");
}

static void a_jti_has_one_row_that_keeps_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct store_revocation full = of_jti("a", 100);

    full.business_id = 1;
    full.user_id = 7;
    assert_int_equal(put(f, of_jti("A", 50)).expires_s, 50);
    assert_int_equal(put(f, full).user_id, 7);
    assert_int_equal(put(f, of_jti("a", 200)).user_id, 7);
    assert_rows(f, "a/1/7/0/200/uid 0/ A/0/0/0/50/uid 0/ ");
    assert_int_equal(put(f, of_jti("a", INT64_MAX)).expires_s, INT64_MAX);
    assert_int_equal(put(f, full).expires_s, INT64_MAX);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM revocation"), 2);
}

static void only_what_expired_is_purged_and_no_more_than_asked(void **state)
{
    struct fixture *f = *state;

    put(f, of_user(1, 7, 5000));
    put(f, of_jti("c", 300));
    put(f, of_jti("b", 200));
    put(f, of_jti("a", 100));
    put(f, of_jti("x", INT64_MAX));
    assert_purged(f, 100, 10, "");
    assert_purged(f, 300, 1, "a/0/0/0/100/uid 0/ ");
    assert_purged(f, 300, 10, "b/0/0/0/200/uid 0/ ");
    assert_purged(f, INT64_MAX, 10, "c/0/0/0/300/uid 0/ ");
    assert_rows(f, "x/0/0/0/-1/uid 0/ -/1/7/5000/-1/uid 0/lost ");
}

static void they_survive_a_restart(void **state)
{
    struct fixture *f = *state;

    put(f, of_user(1, 7, 5000));
    put(f, of_jti("a", 100));
    fixture_close(f);
    fixture_open(f);
    assert_rows(f, "a/0/0/0/100/uid 0/ -/1/7/5000/-1/uid 0/lost ");
}

static void a_database_of_an_earlier_schema_takes_them_and_keeps_its_rows(void **state)
{
    struct fixture *f = *state;
    int64_t version = sql_int(f, "PRAGMA user_version");

    fixture_at_schema(
        f, 2,
        "INSERT INTO business (id, name, source, created_at_ms) VALUES (1, x'', 0, 0);"
        "INSERT INTO agent (business_id, user_id, name, role, created_at_ms)"
        " VALUES (1, 7, x'', x'', 0)");
    fixture_open(f);
    assert_int_equal(sql_int(f, "PRAGMA user_version"), version);
    assert_rows(f, "");
    put(f, of_user(1, 7, 5000));
    assert_rows(f, "-/1/7/5000/-1/uid 0/lost ");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM agent"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_user_has_one_row_in_each_business_and_its_time_only_grows),
        STORE_TEST(a_jti_has_one_row_that_keeps_what_is_known),
        STORE_TEST(only_what_expired_is_purged_and_no_more_than_asked),
        STORE_TEST(they_survive_a_restart),
        STORE_TEST(a_database_of_an_earlier_schema_takes_them_and_keeps_its_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
