/* What the digest of a store depends on, and what it does not. */
#include "store_fixture.h"

/* Two chats of two contacts, one of them known by two names, and a group; four messages. */
static const char rows[] =
    "INSERT INTO business (id, name, source, takes_any, position, created_at_ms) VALUES (1, "
    "'Acme', 1, 0, 0, 5);"
    "INSERT INTO contact (id, business_id, name, phone, wa_id, user_id, created_at_ms) VALUES (1, "
    "1, 'Amara', NULL, NULL, NULL, 7),"
    " (2, 1, '', NULL, NULL, NULL, 8);"
    "INSERT INTO contact_alias VALUES (1, 0, '4911', 1), (1, 1, 'DE.1', 1), (1, 0, '4922', 2);"
    "INSERT INTO chat (id, business_id, phone_number_id, contact_id, group_id, created_at_ms)"
    " VALUES (1, 1, 'P', 1, NULL, 9), (2, 1, 'P', 2, NULL, 9), (3, 1, 'P', 2, 'G', 9);"
    "INSERT INTO message (id, chat_id, business_id, contact_id, direction, status, sender_user_id,"
    " wa_timestamp_s, created_at_ms, phone_number_id, wamid, type, text, raw) VALUES"
    " (1, 1, 1, 1, 0, 0, 0, 100, 9, 'P', 'wamid.A', 'text', 'hello', '{}'),"
    " (2, 2, 1, 2, 0, 0, 0, 100, 9, 'P', 'wamid.B', 'image', NULL, '{\"image\":{}}'),"
    " (3, 1, 1, 1, 1, 3, 0, 100, 9, 'P', 'wamid.C', 'text', '', '{}'),"
    " (4, 1, 1, 1, 1, 5, 0, 100, 9, 'P', 'wamid.E', 'text', '', '{}');"
    "INSERT INTO status VALUES ('P', 'wamid.C', 'sent', '', 101, 1, NULL, 1),"
    " ('P', 'wamid.E', 'failed', '', 104, 4, NULL, 1),"
    " ('P', 'wamid.E', 'read', '', 105, 5, NULL, 1),"
    " ('P', 'wamid.C', 'read', '', 102, 2, NULL, 1),"
    " ('P', 'wamid.D', 'sent', '4911', 103, 3, NULL, 1);"
    "UPDATE message SET annexes = 2 WHERE id = 4;"
    "INSERT INTO participant VALUES (4, '4911', 4, '{}');";

/* Runs it with each 'text' as a BLOB, which is what the columns are. */
static void blob_exec(struct fixture *f, const char *sql)
{
    autobuf struct buf out = BUF_INIT;
    bool inside = false;

    for (; *sql != '\0'; sql++) {
        if (*sql == '\'') {
            inside = !inside;
            buf_add_cstr(&out, inside ? "CAST('" : "' AS BLOB)");
        } else {
            buf_add_char(&out, *sql);
        }
    }
    buf_add_char(&out, '\0');
    sql_exec(f, out.data);
}

struct slices {
    struct store_digest *digest;
    unsigned limit;
};

static enum err slice_body(struct store_reader *reader, void *arg)
{
    struct slices *slices = arg;

    return store_digest_slice(reader, slices->digest, slices->limit);
}

static void take_digest(struct fixture *f, unsigned limit, char *ret_text)
{
    struct slices slices = { store_digest_new(), limit };

    while (slices.digest->table < STORE_DIGEST_TABLES) {
        assert_int_equal(read_now(f, slice_body, &slices), OK);
    }
    assert_int_equal(slices.digest->rows[STORE_DIGEST_CHATS],
                     sql_int(f, "SELECT count(*) FROM chat"));
    assert_int_equal(slices.digest->rows[STORE_DIGEST_MESSAGES],
                     sql_int(f, "SELECT count(*) FROM message"));
    assert_int_equal(slices.digest->rows[STORE_DIGEST_STATUSES],
                     sql_int(f, "SELECT count(*) FROM status"));
    store_digest_render(slices.digest, ret_text);
    store_digest_free(slices.digest);
}

/* Is the digest another one after the statement? The rows are as before afterwards. */
static bool matters(struct fixture *f, const char *sql)
{
    char before[STORE_DIGEST_LEN + 1], after[STORE_DIGEST_LEN + 1];

    sql_exec(f, "PRAGMA foreign_keys = OFF; DELETE FROM reaction; DELETE FROM participant;"
                " DELETE FROM message; DELETE FROM status;"
                " DELETE FROM chat; DELETE FROM contact_alias; DELETE FROM contact;"
                " DELETE FROM business");
    blob_exec(f, rows);
    take_digest(f, 1000, before);
    blob_exec(f, sql);
    take_digest(f, 1000, after);
    return strcmp(before, after) != 0;
}

static void what_counts_changes_it(void **state)
{
    static const char *const changes[] = {
        "UPDATE message SET text = 'hallo' WHERE id = 1",
        "UPDATE message SET text = NULL WHERE id = 3",
        "UPDATE message SET raw = '{\"a\":1}' WHERE id = 1",
        "UPDATE message SET type = 'audio' WHERE id = 2",
        "UPDATE message SET wamid = 'wamid.a' WHERE id = 1",
        "UPDATE message SET status = 4 WHERE id = 3",
        "UPDATE message SET direction = 1 WHERE id = 1",
        "UPDATE message SET context_wamid = 'wamid.A' WHERE id = 3",
        "UPDATE message SET phone_number_id = 'Q' WHERE id = 1",
        "UPDATE message SET contact_id = 1 WHERE id = 2",
        "UPDATE message SET content = '\"media\":1' WHERE id = 2",
        "UPDATE message SET revoked_at_s = 5 WHERE id = 2",
        "UPDATE message SET mark = '1' WHERE id = 2",
        "UPDATE message SET annexes = 1 WHERE id = 2;"
        " INSERT INTO reaction VALUES (2, 1, 100, 'wamid.R', '{}')",
        "UPDATE message SET annexes = 2 WHERE id = 3;"
        " INSERT INTO participant VALUES (3, '4911', 4, '{}')",
        "INSERT INTO participant VALUES (4, '4922', 3, '{}')",
        "UPDATE participant SET status = 5",
        "DELETE FROM message WHERE id = 1",
        "DELETE FROM chat WHERE id = 3",
        "UPDATE chat SET group_id = 'H' WHERE id = 3",
        "DELETE FROM contact_alias WHERE value = 'DE.1'",
        "UPDATE status SET status = 'delivered' WHERE status = 'read'",
        "UPDATE status SET participant = '4922' WHERE wamid = 'wamid.D'",
        "DELETE FROM status WHERE wamid = 'wamid.D'",
        "INSERT INTO business (id, name, source, takes_any, position, created_at_ms) VALUES (2, "
        "'', 1, 0, 0, 5);"
        " UPDATE message SET business_id = 2 WHERE id = 2",
    };

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        if (!matters(*state, changes[i])) {
            fail_msg("it is the same after: %s", changes[i]);
        }
    }
}

static void ids_times_names_assignments_and_order_do_not(void **state)
{
    static const char *const changes[] = {
        "UPDATE message SET id = id + 100; UPDATE participant SET message_id = message_id + 100",
        "UPDATE message SET id = 10 - id; UPDATE participant SET message_id = 10 - message_id",
        "UPDATE message SET created_at_ms = 999, sender_user_id = 7",
        "UPDATE chat SET id = 10 - id; UPDATE message SET chat_id = 10 - chat_id",
        "UPDATE chat SET state = 1, agent_id = 7, version = 3, last_message_id = 3,"
        " last_message_at_ms = 99, window_expires_at_ms = 98",
        "UPDATE contact SET id = id + 50; UPDATE contact_alias SET contact_id = contact_id + 50;"
        " UPDATE chat SET contact_id = contact_id + 50;"
        " UPDATE message SET contact_id = contact_id + 50",
        "UPDATE contact SET name = 'somebody'",
        "UPDATE message SET annexes = 1 WHERE id = 2;"
        " INSERT INTO reaction VALUES (2, 1, 100, 'wamid.R', NULL)", /* and taken back */
        "UPDATE participant SET name = 'DE.1'",                      /* the same contact's */
        "INSERT INTO participant VALUES (4, 'DE.1', 3, '{}')",
        "UPDATE message SET status = 7 WHERE id = 4",  /* it was told to be read, too */
        "UPDATE chat SET contact_id = 1 WHERE id = 3", /* who wrote first in a group */
        "UPDATE business SET name = 'Other', position = 100",
        "UPDATE status SET seen_at_us = 100 - seen_at_us, wa_timestamp_s = 1",
    };

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        if (matters(*state, changes[i])) {
            fail_msg("it is another one after: %s", changes[i]);
        }
    }
}

static void it_does_not_depend_on_how_it_is_sliced(void **state)
{
    struct fixture *f = *state;
    char whole[STORE_DIGEST_LEN + 1], sliced[STORE_DIGEST_LEN + 1];

    blob_exec(f, rows);
    take_digest(f, 1000, whole);
    for (unsigned limit = 1; limit <= 4; limit++) {
        take_digest(f, limit, sliced);
        assert_string_equal(sliced, whole);
    }
    fixture_close(f);
    fixture_open(f);
    take_digest(f, 2, sliced);
    assert_string_equal(sliced, whole);
}

static void an_empty_store_has_one_and_equal_rows_do_not_cancel_out(void **state)
{
    struct fixture *f = *state;
    char empty[STORE_DIGEST_LEN + 1], twice[STORE_DIGEST_LEN + 1];

    take_digest(f, 1, empty);
    assert_string_equal(empty, "0000000000000000000000000000000000000000000000000000000000000000");
    blob_exec(f, rows);
    blob_exec(
        f, "UPDATE message SET annexes = 0, wamid = NULL, contact_id = 1, type = 'text', text = '',"
           " raw = '{}', status = 0, direction = 0; DELETE FROM message WHERE id = 1;"
           " DELETE FROM chat; DELETE FROM status");
    take_digest(f, 1, twice);
    assert_string_not_equal(twice, empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_counts_changes_it),
        STORE_TEST(ids_times_names_assignments_and_order_do_not),
        STORE_TEST(it_does_not_depend_on_how_it_is_sliced),
        STORE_TEST(an_empty_store_has_one_and_equal_rows_do_not_cancel_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
