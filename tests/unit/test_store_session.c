/* Sessions over a restart: rows come and go by their id, and the key stays the same. */
#undef NDEBUG
#include <assert.h>

#include "libshared/buf.h"
#include "tests/unit/store_fixture.h"

struct wanted {
    struct store_session session;
    bool remove;
};

static enum err change_body(struct store_tx *tx, void *arg)
{
    const struct wanted *wanted = arg;

    return wanted->remove ? store_session_remove(tx, wanted->session.id)
                          : store_session_put(tx, &wanted->session);
}

static void put(struct fixture *f, const char *id, int64_t user_id, struct str state)
{
    struct wanted wanted = { { str_of(id), 1, user_id, state }, false };

    assert_int_equal(write_now(f, change_body, &wanted), OK);
}

static void drop(struct fixture *f, const char *id)
{
    struct wanted wanted = { { str_of(id), 0, 0, STR("") }, true };

    assert_int_equal(write_now(f, change_body, &wanted), OK);
}

struct listed {
    struct buf text;
    int64_t until_ms;
};

static bool add(void *arg, const struct store_session *session)
{
    struct listed *listed = arg;

    buf_printf(&listed->text, "%.*s/%lld/%lld/%zu ", STR_ARG(session->id),
               (long long)session->business_id, (long long)session->user_id, session->state.len);
    return true;
}

static enum err list_body(struct store_reader *reader, void *arg)
{
    struct listed *listed = arg;

    return store_sessions(reader, &listed->until_ms, add, listed);
}

static void assert_sessions(struct fixture *f, int64_t until_ms, const char *text)
{
    struct listed listed = { BUF_INIT, -1 };

    assert_int_equal(read_now(f, list_body, &listed), OK);
    assert_string_equal(listed.text.len > 0 ? listed.text.data : "", text);
    assert_int_equal(listed.until_ms, until_ms);
    buf_finish(&listed.text);
}

static enum err until_body(struct store_tx *tx, void *arg)
{
    return store_sessions_until(tx, *(const int64_t *)arg);
}

static enum err key_body(struct store_tx *tx, void *arg)
{
    return store_session_key(tx, arg);
}

static void a_session_has_one_row_that_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    int64_t until_ms = 1700000000123;

    assert_sessions(f, 0, "");
    put(f, "a", 7, (struct str) { "\0\xff", 2 });
    put(f, "b", 8, STR(""));
    put(f, "a", 7, STR("xyz"));
    assert_int_equal(write_now(f, until_body, &until_ms), OK);
    fixture_close(f);
    fixture_open(f);
    assert_sessions(f, until_ms, "a/1/7/3 b/1/8/0 ");
    drop(f, "a");
    drop(f, "a");
    drop(f, "never");
    assert_sessions(f, until_ms, "b/1/8/0 ");
}

static void the_key_is_drawn_once(void **state)
{
    struct fixture *f = *state;
    uint8_t first[STORE_SESSION_KEY_BYTES] = { 0 }, again[STORE_SESSION_KEY_BYTES] = { 0 };
    const uint8_t zero[STORE_SESSION_KEY_BYTES] = { 0 };

    assert_int_equal(write_now(f, key_body, first), OK);
    assert_memory_not_equal(first, zero, sizeof zero);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(write_now(f, key_body, again), OK);
    assert_memory_equal(first, again, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_session_has_one_row_that_survives_a_restart),
        STORE_TEST(the_key_is_drawn_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
