/* Checks, copies and migrations of a store. */
#include "siod/store/sqlite_backend.h"
#include "store_fixture.h"

static void deliver(struct fixture *f, const char *wamid, const char *sender)
{
    struct delivery_job job = { .business_id = 1 };

    snprintf(job.wamid, sizeof job.wamid, "%s", wamid);
    snprintf(job.sender, sizeof job.sender, "%s", sender);
    assert_int_equal(write_now(f, delivery_body, &job), OK);
    assert_false(job.duplicate);
}

/* ------------------------------------------------------------------ check */

/* The checks that found something, one after the other, and what they found. */
struct findings {
    char names[256], details[4096];
    unsigned count;
};

static void add_finding(void *arg, const struct store_finding *finding)
{
    struct findings *findings = arg;

    findings->count++;
    assert_true(finding->what[0] != '\0');
    if (finding->problems > 0) {
        size_t at = strlen(findings->names), end = strlen(findings->details);

        snprintf(findings->names + at, sizeof findings->names - at, "%s ", finding->check);
        snprintf(findings->details + end, sizeof findings->details - end, "%.*s\n",
                 STR_ARG(finding->details));
    }
}

static void assert_found(const struct fixture *f, const char *names, const char *detail)
{
    struct findings findings = { .names = "" };
    struct errmsg msg = { "" };

    if (store_file_check(f->path, add_finding, &findings, &msg) != OK) {
        fail_msg("%s", msg.text);
    }
    assert_int_equal(findings.count, 7);
    assert_string_equal(findings.names, names);
    if (strstr(findings.details, detail) == NULL) {
        fail_msg("no \"%s\" in: %s", detail, findings.details);
    }
}

static void test_a_sound_store_has_no_problems(void **state)
{
    struct fixture *f = *state;

    deliver(f, "a", "1");
    deliver(f, "b", "2");
    assert_found(f, "", "");
    fixture_close(f);
    assert_found(f, "", "");
}

static void test_each_check_finds_what_it_is_for(void **state)
{
    static const struct {
        const char *sql, *names, *detail;
    } vectors[] = {
        { "DELETE FROM log WHERE position = 2", "log ", "business 1: 3 rows, 1 to 4; expected 1" },
        { "UPDATE business SET position = 9", "log ", "expected 1 to 9" },
        { "UPDATE business SET log_purged = 1", "log ", "expected 2 to 4" },
        { "DELETE FROM log; UPDATE business SET log_purged = 4", "", "" },
        { "UPDATE log SET business_id = 7 WHERE position > 2", "log ", "business 7: 2 rows" },
        { "UPDATE sequence SET last = 1 WHERE name = 'message'", "ids ", "message: 1 is the last" },
        { "UPDATE chat SET last_message_id = 1 WHERE id = 2", "chats ", "chat 2: its last" },
        { "UPDATE chat SET last_message_id = 0 WHERE id = 2", "chats ",
          "chat 2: its last message is 2 of 1700000000, not 0" },
        { "UPDATE chat SET last_message_at_ms = 7000 WHERE id = 2", "chats ",
          "chat 2: its last message is 2 of 1700000000, not 2 of 7" },
        { "INSERT INTO message (id, chat_id, business_id, direction, status, sender_user_id,"
          " wa_timestamp_s, created_at_ms, phone_number_id, type, raw) SELECT 3, chat_id,"
          " business_id, 0, 0, 0, wa_timestamp_s, created_at_ms, phone_number_id, type, raw"
          " FROM message WHERE id = 2; UPDATE sequence SET last = 3 WHERE name = 'message'",
          "chats ", "chat 2: its last message is 3 of 1700000000, not 2 of 1700000000" },
        { "UPDATE chat SET agent_id = 5 WHERE id = 1", "chats ", "chat 1: state 0 with agent 5" },
        { "UPDATE message SET business_id = 2 WHERE id = 2", "messages ", "message 2: business 2" },
        { "UPDATE contact_alias SET business_id = 2 WHERE contact_id = 1", "contacts ",
          "contact 1: known in business 2" },
        { "DELETE FROM contact WHERE id = 2", "references messages ", "no such contact" },
        { "UPDATE message SET contact_id = 9 WHERE id = 2", "messages ",
          "message 2: contact 9 is not there" },
        { "INSERT INTO business (id, name, source, created_at_ms) VALUES (3, x'', 0, 0);"
          "INSERT INTO contact (id, business_id, name, created_at_ms) VALUES (9, 3, x'', 0);"
          "UPDATE sequence SET last = 9 WHERE name = 'contact';"
          "UPDATE message SET contact_id = 9 WHERE id = 2",
          "messages ", "message 2: contact 9 is of another business" },
        { "INSERT INTO reaction (message_id, contact_id, wamid, wa_timestamp_s, shown)"
          " VALUES (2, 9, x'', 0, x'')",
          "messages ", "message 2: contact 9, who reacted, is not there" },
        { "UPDATE sequence SET last = 1 WHERE name = 'contact'", "ids ", "contact: 1 is the last" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct fixture *f = fixture_new("");

        fixture_open(f);
        deliver(f, "a", "1");
        deliver(f, "b", "2");
        fixture_close(f);
        sql_exec(f, vectors[i].sql);
        assert_found(f, vectors[i].names, vectors[i].detail);
        fixture_free(f);
    }
    (void)state;
}

/* Fills pages that are neither the first nor of the schema. */
static void spoil(const struct fixture *f, const char *table)
{
    autofree char *sql = xasprintf("SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
    int64_t page = sql_int((struct fixture *)(uintptr_t)f, sql);
    char noise[4096];
    FILE *file = fopen(f->path, "r+");

    memset(noise, 0xee, sizeof noise);
    assert_non_null(file);
    assert_int_equal(fseek(file, (page - 1) * 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(noise, 1, sizeof noise, file), sizeof noise);
    assert_int_equal(fclose(file), 0);
}

static void test_a_page_that_cannot_be_read_is_a_problem_of_every_check_that_needs_it(void **state)
{
    struct fixture *f = *state;
    struct findings findings = { .names = "" };

    deliver(f, "a", "1");
    fixture_close(f);
    spoil(f, "message");
    assert_int_equal(store_file_check(f->path, add_finding, &findings, &f->msg), OK);
    assert_int_equal(findings.count, 7);
    assert_non_null(strstr(findings.names, "pages "));
    assert_non_null(strstr(findings.names, "messages "));
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_what_is_no_store_is_not_checked(void **state)
{
    struct fixture *f = *state;
    struct findings findings = { .names = "" };

    assert_int_equal(store_file_check("/nonexistent", add_finding, &findings, &f->msg),
                     ERR_NOT_FOUND);
    assert_int_equal(store_file_check(f->dir, add_finding, &findings, &f->msg), ERR_INVALID);
    fixture_close(f);
    sql_exec(f, "PRAGMA application_id = 77");
    assert_int_equal(store_file_check(f->path, add_finding, &findings, &f->msg), ERR_INVALID);
    sql_exec(f, "PRAGMA application_id = 0x73696f64; PRAGMA user_version = 999");
    assert_int_equal(store_file_check(f->path, add_finding, &findings, &f->msg), ERR_UNSUPPORTED);
    assert_int_equal(findings.count, 0);
}

/* To look at it would be its end. */
static void test_a_log_without_its_database_is_not_opened(void **state)
{
    static const char *const reasons[] = { "is empty, but its log", "is missing, but its log" };
    struct fixture *f = *state;
    autofree char *log = xasprintf("%s-wal", f->path);
    struct findings findings = { .names = "" };
    struct store_schema schema;
    struct stat status;

    write_file(f->path, "");
    write_file(log, "frames");
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        assert_int_equal(store_file_check(f->path, add_finding, &findings, &f->msg), ERR_INVALID);
        assert_non_null(strstr(f->msg.text, reasons[i]));
        assert_int_equal(store_file_migrate(f->path, &schema, &f->msg), ERR_INVALID);
        assert_non_null(strstr(f->msg.text, log));
        assert_int_equal(stat(log, &status), 0);
        assert_int_equal(status.st_size, strlen("frames"));
        (void)unlink(f->path);
    }
}

/* ------------------------------------------------------------------ migrate */

static void test_an_old_file_is_migrated_once(void **state)
{
    struct fixture *f = *state;
    autofree char *first = xasprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = 1",
                                     sqlite_migrations[0].sql, SQLITE_APPLICATION_ID);
    struct store_schema schema;

    sql_exec(f, first);
    assert_int_equal(store_file_schema(f->path, &schema, &f->msg), OK);
    assert_int_equal(schema.version, 1);
    assert_int_equal(schema.newest, sqlite_migration_count);
    assert_int_equal(store_file_migrate(f->path, &schema, &f->msg), OK);
    assert_int_equal(schema.version, 1);
    assert_int_equal(store_file_migrate(f->path, &schema, &f->msg), OK);
    assert_int_equal(schema.version, sqlite_migration_count);
    assert_found(f, "", "");
    fixture_open(f);
    assert_int_equal(store_file_migrate(f->path, &schema, &f->msg), ERR_BUSY);
}

static bool exists(const struct fixture *f, const char *suffix)
{
    autofree char *path = xasprintf("%s%s", f->path, suffix);

    return access(path, F_OK) == 0;
}

static void test_what_is_no_store_is_not_made_one(void **state)
{
    struct fixture *f = *state;
    struct findings findings = { .names = "" };
    struct store_schema schema;
    struct stat status;

    write_file(f->path, "");
    assert_int_equal(store_file_schema(f->path, &schema, &f->msg), ERR_INVALID);
    assert_int_equal(store_file_check(f->path, add_finding, &findings, &f->msg), ERR_INVALID);
    assert_int_equal(store_file_migrate(f->path, &schema, &f->msg), ERR_INVALID);
    assert_non_null(strstr(f->msg.text, "empty"));
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_size, 0);

    sql_exec(f, "CREATE TABLE other (a)");
    assert_int_equal(store_file_migrate(f->path, &schema, &f->msg), ERR_INVALID);
    sql_exec(f, "PRAGMA application_id = 0x73696f64; PRAGMA user_version = 999");
    assert_int_equal(store_file_migrate(f->path, &schema, &f->msg), ERR_UNSUPPORTED);
    write_file(f->path,
               "no database, but a text of a line that is long enough for SQLite to look at it");
    assert_int_equal(store_file_migrate(f->path, &schema, &f->msg), ERR_STORE);
    assert_false(exists(f, "-lock") || exists(f, "-wal") || exists(f, "-shm"));
}

/* ------------------------------------------------------------------ backup */

struct backup {
    struct store_backup backup;
    struct errmsg msg;
    char *path;
};

static enum err backup_body(struct store_reader *reader, void *arg)
{
    struct backup *backup = arg;

    return store_backup(reader, &backup->backup, &backup->msg);
}

static struct backup *backup_to(struct fixture *f, const char *name)
{
    struct backup *backup = xnew(struct backup);

    backup->path = xasprintf("%s/%s", f->dir, name);
    backup->backup.path = backup->path;
    return backup;
}

static void backup_free(struct backup *backup)
{
    free(backup->path);
    free(backup);
}

static enum err backup_now(struct fixture *f, struct backup *backup)
{
    struct read read = { .query = { .fetch = read_fetch, .done = read_done },
                         .body = backup_body,
                         .arg = backup };

    store_care(f->store, &read.query);
    WAIT_FOR(f, read.done);
    return read.err;
}

static void refused(struct fixture *f, const char *name, bool force, enum err err)
{
    struct backup *backup = backup_to(f, name);

    backup->backup.force = force;
    assert_int_equal(backup_now(f, backup), err);
    assert_non_null(strstr(backup->msg.text, backup->path));
    backup_free(backup);
}

static unsigned files_in(const char *dir)
{
    autofree char *command = xasprintf("ls -A %s | wc -l", dir);
    FILE *pipe = popen(command, "r");
    unsigned count = 0;

    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%u", &count), 1);
    pclose(pipe);
    return count;
}

static void test_a_copy_appears_whole_and_private_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct backup *backup = backup_to(f, "image.db");
    struct stat status;
    unsigned before;

    deliver(f, "a", "1");
    before = files_in(f->dir);
    assert_int_equal(backup_now(f, backup), OK);
    assert_int_equal(stat(backup->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, backup->backup.bytes);
    assert_int_equal(files_in(f->dir), before + 1);

    refused(f, "image.db", false, ERR_EXISTS);
    refused(f, "siod.db", true, ERR_INVALID);
    refused(f, "siod.db-wal", true, ERR_INVALID);
    refused(f, "siod.db-lock", true, ERR_INVALID);
    refused(f, ".", true, ERR_INVALID);
    refused(f, "missing/image.db", true, ERR_IO);
    backup->backup.cancelled = true;
    backup->backup.force = true;
    assert_int_equal(backup_now(f, backup), ERR_TIMEOUT);
    assert_int_equal(files_in(f->dir), before + 1);
    backup->backup.cancelled = false;
    assert_int_equal(backup_now(f, backup), OK);
    assert_int_equal(files_in(f->dir), before + 1);
    backup_free(backup);
}

static int64_t image_int(struct fixture *f, const char *sql)
{
    char *path = f->path;
    autofree char *image = xasprintf("%s/image.db", f->dir);
    int64_t value;

    f->path = image;
    value = sql_int(f, sql);
    f->path = path;
    return value;
}

/* Half of a batch's rows would show as a gap in the log, or as a message without its rows. */
static void test_a_copy_is_of_one_moment_while_commits_go_on(void **state)
{
    enum { JOBS = 300 };
    struct fixture *f = *state;
    struct backup *backup = backup_to(f, "image.db");
    struct delivery_job *jobs = xcalloc(JOBS, sizeof *jobs);
    struct write *writes = xcalloc(JOBS, sizeof *writes);
    struct read read = { .query = { .fetch = read_fetch, .done = read_done },
                         .body = backup_body,
                         .arg = backup };

    backup->backup.force = true;
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i].business_id = 1 + i % 3;
        snprintf(jobs[i].wamid, sizeof jobs[i].wamid, "wamid.%u", i);
        snprintf(jobs[i].sender, sizeof jobs[i].sender, "49%u", i % 7);
        assert_true(write_submit(f, &writes[i], delivery_body, &jobs[i]));
        if (i == JOBS / 2) {
            WAIT_FOR(f, writes[0].done);
            store_care(f->store, &read.query);
        }
    }
    WAIT_FOR(f, read.done && writes[JOBS - 1].done);
    assert_int_equal(read.err, OK);
    assert_true(image_int(f, "SELECT count(*) FROM message") > 0);
    assert_int_equal(image_int(f, "SELECT count(*) = 2 * (SELECT count(*) FROM message) FROM log"),
                     1);
    char *path = f->path;
    f->path = backup->path;
    assert_found(f, "", "");
    f->path = path;
    free(writes);
    free(jobs);
    backup_free(backup);
}

static void open_image(struct fixture *f, char epoch[17])
{
    autofree char *url = xasprintf("sqlite:%s/image.db", f->dir);
    struct store_config config = { .url = url, .synchronous_full = true };
    struct store *store;

    if (store_open(f->loop, &config, &store, &f->msg) != OK) {
        fail_msg("%s", f->msg.text);
    }
    memcpy(epoch, store_epoch(store), 17);
    store_close(store);
}

static void test_each_restored_copy_starts_a_history_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct backup *backup = backup_to(f, "image.db");
    char first[17], again[17], second[17];

    deliver(f, "a", "1");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(backup_now(f, backup), OK);
        open_image(f, i == 0 ? first : second);
        open_image(f, again);
        assert_string_equal(i == 0 ? first : second, again);
        assert_int_equal(image_int(f, "SELECT count(*) FROM message"), 1);
        backup->backup.force = true;
    }
    assert_string_not_equal(first, store_epoch(f->store));
    assert_string_not_equal(second, store_epoch(f->store));
    assert_string_not_equal(first, second);
    backup_free(backup);
}

static void test_a_long_read_is_given_up_when_the_store_stops(void **state)
{
    struct fixture *f = *state;
    struct backup *backup = backup_to(f, "image.db");
    struct read read = { .query = { .fetch = read_fetch, .done = read_done },
                         .body = backup_body,
                         .arg = backup };

    store_stop(f->store);
    store_care(f->store, &read.query);
    WAIT_FOR(f, read.done);
    assert_int_equal(read.err, ERR_STORE);
    assert_int_not_equal(access(backup->path, F_OK), 0);
    backup_free(backup);
}

static int setup_closed(void **state)
{
    *state = fixture_new("");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_a_sound_store_has_no_problems),
        cmocka_unit_test(test_each_check_finds_what_it_is_for),
        STORE_TEST(test_a_page_that_cannot_be_read_is_a_problem_of_every_check_that_needs_it),
        STORE_TEST(test_what_is_no_store_is_not_checked),
        STORE_TEST(test_a_log_without_its_database_is_not_opened),
        cmocka_unit_test_setup_teardown(test_an_old_file_is_migrated_once, setup_closed,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_store_is_not_made_one, setup_closed,
                                        fixture_teardown),
        STORE_TEST(test_a_copy_appears_whole_and_private_or_not_at_all),
        STORE_TEST(test_a_copy_is_of_one_moment_while_commits_go_on),
        STORE_TEST(test_each_restored_copy_starts_a_history_of_its_own),
        STORE_TEST(test_a_long_read_is_given_up_when_the_store_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
