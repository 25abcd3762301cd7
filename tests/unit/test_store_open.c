/* What happens before the first job: new, old, newer, foreign, broken, locked databases. */
#include <sys/wait.h>

#include "store_fixture.h"

static void assert_refused(struct fixture *f, enum err expected, const char *what)
{
    assert_int_equal(store_open(f->loop, &f->config, &f->store, &f->msg), expected);
    assert_null(f->store);
    if (strstr(f->msg.text, f->path) == NULL || strstr(f->msg.text, what) == NULL) {
        fail_msg("unexpected message: %s", f->msg.text);
    }
}

static int setup_closed(void **state)
{
    *state = fixture_new("");
    return 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_a_new_database_gets_schema_application_id_and_epoch(void **state)
{
    struct fixture *f = *state;

    fixture_open(f);
    assert_int_equal(strlen(store_epoch(f->store)), 16);
    assert_int_equal(strspn(store_epoch(f->store), "0123456789abcdef"), 16);
    assert_int_equal(store_health(f->store, NULL), STORE_OK);
    assert_true(store_accepting(f->store));
    assert_int_equal(sql_int(f, "PRAGMA application_id"), 0x73696f64);
    assert_true(sql_int(f, "PRAGMA user_version") >= 1);
}

static void test_the_file_is_private_to_its_owner(void **state)
{
    struct fixture *f = *state;
    struct stat status;

    fixture_open(f);
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_reopening_keeps_data_epoch_ids_and_positions(void **state)
{
    struct fixture *f = *state;
    struct delivery_job first = { .business_id = 1, .wamid = "a", .sender = "1" };
    struct delivery_job second = { .business_id = 1, .wamid = "b", .sender = "2" };
    char epoch[17];

    fixture_open(f);
    memcpy(epoch, store_epoch(f->store), sizeof(epoch));
    assert_int_equal(write_now(f, delivery_body, &first), OK);
    fixture_close(f);
    fixture_open(f);
    assert_string_equal(store_epoch(f->store), epoch);
    assert_int_equal(write_now(f, delivery_body, &second), OK);
    assert_int_equal(second.message_id, first.message_id + 1);
    assert_int_equal(second.chat_id, first.chat_id + 1);
    assert_int_equal(f->event_count, 4);
    assert_int_equal(f->events[3].position, 4);
    assert_int_equal(write_now(f, delivery_body, &first), OK);
    assert_true(first.duplicate);
}

static void test_ids_of_deleted_rows_are_not_used_again(void **state)
{
    struct fixture *f = *state;
    struct delivery_job first = { .business_id = 1, .wamid = "a", .sender = "1" };

    fixture_open(f);
    assert_int_equal(write_now(f, delivery_body, &first), OK);
    fixture_close(f);
    sql_exec(f, "DELETE FROM message; DELETE FROM chat");
    fixture_open(f);
    assert_int_equal(write_now(f, delivery_body, &first), OK);
    assert_int_equal(first.message_id, 2);
    assert_int_equal(first.chat_id, 2);
}

/* The epoch after a run in which the power went away or not, as `sql` pretends. */
static bool epoch_changes(struct fixture *f, bool full, const char *sql)
{
    char before[17];

    f->config.synchronous_full = full;
    fixture_open(f);
    memcpy(before, store_epoch(f->store), sizeof(before));
    fixture_close(f);
    sql_exec(f, sql);
    fixture_open(f);
    bool changes = strcmp(store_epoch(f->store), before) != 0;
    fixture_close(f);
    return changes;
}

static void test_commits_that_a_power_cut_may_have_taken_change_the_epoch(void **state)
{
    static const char power_cut[] = "INSERT INTO meta VALUES ('unsynced', CAST('x' AS BLOB))";
    struct fixture *f = *state;

    assert_false(epoch_changes(f, true, ""));
    assert_false(epoch_changes(f, false, ""));
    assert_true(epoch_changes(f, false, power_cut));
    assert_true(epoch_changes(f, true, power_cut));
    assert_false(epoch_changes(f, true, ""));
    f->config.synchronous_full = false;
    fixture_open(f);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM meta WHERE key = 'unsynced'"), 1);
}

static void test_closing_leaves_one_file(void **state)
{
    struct fixture *f = *state;
    struct delivery_job job = { .business_id = 1, .wamid = "a", .sender = "1" };
    autofree char *wal = xasprintf("%s-wal", f->path);

    fixture_open(f);
    assert_int_equal(write_now(f, delivery_body, &job), OK);
    assert_int_equal(access(wal, F_OK), 0);
    fixture_close(f);
    assert_int_not_equal(access(wal, F_OK), 0);
}

static void test_a_newer_schema_is_refused_and_untouched(void **state)
{
    struct fixture *f = *state;

    fixture_open(f);
    fixture_close(f);
    sql_exec(f, "PRAGMA user_version = 999");
    assert_refused(f, ERR_UNSUPPORTED, "999");
    assert_int_equal(sql_int(f, "PRAGMA user_version"), 999);
}

static void test_a_foreign_sqlite_file_is_refused_and_untouched(void **state)
{
    struct fixture *f = *state;

    sql_exec(f, "CREATE TABLE recipes (name TEXT)");
    assert_refused(f, ERR_INVALID, "not siod's");
    assert_int_equal(sql_int(f, "SELECT count(*) FROM sqlite_schema"), 1);
    sql_exec(f, "DROP TABLE recipes; PRAGMA application_id = 77");
    assert_refused(f, ERR_INVALID, "0x4d");
}

static void test_a_file_that_is_no_database_is_refused_and_untouched(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "Dear diary,\nthis is more than a hundred bytes of prose, so that it "
        "cannot be mistaken for a short header of anything at all.\n";
    struct stat status;

    write_file(f->path, text);
    assert_refused(f, ERR_STORE, "not a database");
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_size, sizeof(text) - 1);
}

static void test_an_empty_file_becomes_a_database(void **state)
{
    struct fixture *f = *state;

    write_file(f->path, "");
    fixture_open(f);
    assert_true(sql_int(f, "PRAGMA user_version") >= 1);
}

static void test_a_directory_that_cannot_be_written_is_refused(void **state)
{
    struct fixture *f = *state;

    free(f->path);
    free(f->url);
    f->path = xstrdup("/proc/self/siod.db");
    f->url = xasprintf("sqlite:%s", f->path);
    f->config.url = f->url;
    assert_refused(f, ERR_STORE, "cannot be opened for writing");
}

static void test_a_missing_directory_is_refused(void **state)
{
    struct fixture *f = *state;

    free(f->path);
    free(f->url);
    f->path = xasprintf("%s/missing/siod.db", f->dir);
    f->url = xasprintf("sqlite:%s", f->path);
    f->config.url = f->url;
    assert_refused(f, ERR_STORE, "No such file or directory");
}

static void test_a_url_is_checked(void **state)
{
    static const struct {
        const char *url;
        enum err err;
    } vectors[] = {
        { "postgres://host/db", ERR_UNSUPPORTED },
        { "/var/lib/siod.db", ERR_UNSUPPORTED },
        { "sqlite", ERR_UNSUPPORTED },
        { "sqlite:", ERR_INVALID },
        { "sqlite:/tmp/x.db?colour=red", ERR_INVALID },
        { "sqlite:/tmp/x.db?vfs", ERR_INVALID },
        { "sqlite:/tmp/x.db?checkpoint_pages=0", ERR_INVALID },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        f->config.url = vectors[i].url;
        assert_int_equal(store_open(f->loop, &f->config, &f->store, &f->msg), vectors[i].err);
        assert_non_null(strstr(f->msg.text, vectors[i].url));
    }
}

static void test_two_daemons_cannot_share_a_database(void **state)
{
    struct fixture *f = *state;
    struct store *first;

    fixture_open(f);
    first = TAKE(f->store);
    assert_refused(f, ERR_BUSY, "in use by another siod");
    f->store = first;
}

static enum err exit_body(struct store_tx *tx, void *arg)
{
    (void)tx;
    (void)arg;
    _exit(7);
}

/* The child dies in a job, after another one was acknowledged; what it left is there. */
static void test_a_killed_daemon_leaves_what_was_committed(void **state)
{
    struct fixture *f = *state;
    struct delivery_job job = { .business_id = 1, .wamid = "a", .sender = "1" };
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct write last;

        loop_free(f->loop);
        f->loop = loop_new();
        if (store_open(f->loop, &f->config, &f->store, &f->msg) != OK ||
            write_now(f, delivery_body, &job) != OK) {
            _exit(1);
        }
        (void)write_submit(f, &last, exit_body, NULL);
        for (;;) {
            pause();
        }
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    fixture_open(f);
    assert_int_equal(write_now(f, delivery_body, &job), OK);
    assert_true(job.duplicate);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM log"), 2);
}

int main(void)
{
#define OPEN_TEST(name) cmocka_unit_test_setup_teardown(name, setup_closed, fixture_teardown)
    const struct CMUnitTest tests[] = {
        OPEN_TEST(test_a_killed_daemon_leaves_what_was_committed),
        OPEN_TEST(test_a_new_database_gets_schema_application_id_and_epoch),
        OPEN_TEST(test_the_file_is_private_to_its_owner),
        OPEN_TEST(test_reopening_keeps_data_epoch_ids_and_positions),
        OPEN_TEST(test_ids_of_deleted_rows_are_not_used_again),
        OPEN_TEST(test_commits_that_a_power_cut_may_have_taken_change_the_epoch),
        OPEN_TEST(test_closing_leaves_one_file),
        OPEN_TEST(test_a_newer_schema_is_refused_and_untouched),
        OPEN_TEST(test_a_foreign_sqlite_file_is_refused_and_untouched),
        OPEN_TEST(test_a_file_that_is_no_database_is_refused_and_untouched),
        OPEN_TEST(test_an_empty_file_becomes_a_database),
        OPEN_TEST(test_a_directory_that_cannot_be_written_is_refused),
        OPEN_TEST(test_a_missing_directory_is_refused),
        OPEN_TEST(test_a_url_is_checked),
        OPEN_TEST(test_two_daemons_cannot_share_a_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
