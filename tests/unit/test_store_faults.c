/* A disk that fails and a power that goes: what was acknowledged is there once, what was not is
 * there whole or not at all, and nothing is announced that was not acknowledged. */
#include "store_fixture.h"

enum { JOBS = 48, WAVE = 6, BUSINESSES = 3 };

struct run {
    struct fixture *f;
    struct delivery_job jobs[JOBS];
    struct write writes[JOBS];
    size_t submitted;
};

static int group_setup(void **state)
{
    (void)state;
    faultvfs_register();
    return 0;
}

static struct run *run_new(uint64_t seed, const char *options)
{
    struct run *run = xnew(struct run);

    faultvfs_reset(seed);
    run->f = fixture_new(options);
    for (size_t i = 0; i < JOBS; i++) {
        struct delivery_job *job = &run->jobs[i];

        job->business_id = 1 + (int64_t)(i % BUSINESSES);
        job->poison = i % 11 == 5;
        snprintf(job->wamid, sizeof(job->wamid), "wamid.%zu", i);
        snprintf(job->sender, sizeof(job->sender), "49%zu", i % 5);
    }
    return run;
}

static void run_free(struct run *run)
{
    fixture_free(run->f);
    free(run);
}

/* Submits the next jobs and waits for them; false when the store does not take them. */
static bool run_wave(struct run *run, size_t count)
{
    size_t first = run->submitted;

    while (run->submitted < MIN(first + count, (size_t)JOBS) &&
           write_submit(run->f, &run->writes[run->submitted], delivery_body,
                        &run->jobs[run->submitted])) {
        run->submitted++;
    }
    for (size_t i = first; i < run->submitted; i++) {
        WAIT_FOR(run->f, run->writes[i].done);
    }
    return run->submitted == MIN(first + count, (size_t)JOBS);
}

static bool acknowledged(const struct run *run, size_t i)
{
    return i < run->submitted && run->writes[i].done && run->writes[i].err == OK;
}

/* ------------------------------------------------------------------ verification */

static int64_t query_wamid(sqlite3 *db, const char *sql, const char *wamid)
{
    sqlite3_stmt *stmt;
    int64_t value;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    if (sqlite3_bind_parameter_count(stmt) > 0) {
        sqlite3_bind_blob(stmt, 1, wamid, (int)strlen(wamid), SQLITE_STATIC);
    }
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static void verify_job(const struct run *run, sqlite3 *db, size_t i)
{
    const char *wamid = run->jobs[i].wamid;
    int64_t messages = query_wamid(db, "SELECT count(*) FROM message WHERE wamid = ?", wamid);
    int64_t webhooks = query_wamid(db, "SELECT count(*) FROM webhook WHERE body = ?", wamid);
    int64_t rows = query_wamid(db, "SELECT count(*) FROM log WHERE args = ?", wamid);

    if (acknowledged(run, i) ? messages != 1 || webhooks != 1 || rows != 2
                             : messages > 1 || webhooks != messages || rows != 2 * messages) {
        fail_msg("job %zu (%s): %d messages, %d webhooks, %d log rows", i,
                 acknowledged(run, i) ? "acknowledged" : "not acknowledged", (int)messages,
                 (int)webhooks, (int)rows);
    }
    assert_false(run->jobs[i].poison && messages != 0);
}

static void verify_file(const struct run *run, const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "fault"), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(stmt, 0), "ok");
    sqlite3_finalize(stmt);
    for (size_t i = 0; i < JOBS; i++) {
        verify_job(run, db, i);
    }
    assert_int_equal(
        query_wamid(
            db,
            "SELECT count(*) FROM business WHERE position <> (SELECT count(*) FROM log"
            " WHERE business_id = business.id AND position BETWEEN 1 AND business.position)",
            ""),
        0);
    assert_int_equal(query_wamid(db,
                                 "SELECT count(*) FROM message LEFT JOIN chat"
                                 " ON chat.id = message.chat_id WHERE chat.id IS NULL",
                                 ""),
                     0);
    sqlite3_close(db);
}

/* What was announced belongs to acknowledged jobs, each twice, numbered without a gap up to the
 * first one that failed with the store. */
static void verify_events(const struct run *run)
{
    const struct fixture *f = run->f;

    for (size_t i = 0; i < run->submitted; i++) {
        size_t announced = 0;

        for (size_t j = 0; j < f->event_count; j++) {
            announced += strcmp(f->events[j].args, run->jobs[i].wamid) == 0;
        }
        assert_int_equal(announced, acknowledged(run, i) ? 2 : 0);
    }
}

/* Lets the power go, starts again from what the disk may hold, and looks. */
static void verify_image(struct run *run)
{
    struct fixture *f = run->f;
    autofree char *image = xasprintf("%s/image.db", f->dir);
    autofree char *url = xasprintf("sqlite:%s?vfs=fault", image);
    struct store_config config = { .url = url, .synchronous_full = true };
    struct store *store;

    faultvfs_image(f->path, image);
    fixture_close(f);
    faultvfs_reset(1);
    if (store_open(f->loop, &config, &store, &f->msg) != OK) {
        fail_msg("after the power cut: %s", f->msg.text);
    }
    store_close(store);
    verify_file(run, image);
    verify_events(run);
}

/* ------------------------------------------------------------------ power */

static unsigned operations_of_a_whole_run(const char *options)
{
    struct run *run = run_new(0, options);
    unsigned operations;

    fixture_open(run->f);
    while (run->submitted < JOBS) {
        assert_true(run_wave(run, WAVE));
    }
    fixture_close(run->f);
    operations = faultvfs_operations();
    verify_file(run, run->f->path);
    verify_events(run);
    run_free(run);
    return operations;
}

static void cut_at(unsigned operation, uint64_t seed, const char *options, bool full)
{
    struct run *run = run_new(seed, options);
    struct fixture *f = run->f;

    f->config.synchronous_full = full;
    faultvfs_cut_at(operation);
    if (store_open(f->loop, &f->config, &f->store, &f->msg) == OK) {
        while (run->submitted < JOBS && run_wave(run, WAVE)) {
        }
        fixture_close(f);
    }
    verify_image(run);
    run_free(run);
}

/* `./dev test --all` takes its time: thousands of points. ThreadSanitizer makes each many times
 * slower, and looks at threads, of which the first points show it all. */
static unsigned times_over(unsigned few)
{
#ifdef __SANITIZE_THREAD__
    return MAX(few / 4, 1u);
#else
    return getenv("SIOD_TEST_ALL") != NULL ? 6 * few : few;
#endif
}

static void test_a_power_cut_at_any_point_loses_and_doubles_nothing(void **state)
{
    static const char *const options[] = { "?vfs=fault", "?vfs=fault&checkpoint_pages=12" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        unsigned operations = operations_of_a_whole_run(options[i]);

        assert_true(operations > 40);
        for (unsigned seed = 1; seed <= times_over(operations + 1); seed++) {
            cut_at(1 + (seed - 1) % (operations + 1), seed, options[i], true);
        }
    }
}

static enum err large_webhook_body(struct store_tx *tx, void *arg)
{
    static const char body[60 << 10];
    struct store_webhook webhook = { .app = STR("main"), .body = { body, sizeof body } };

    return store_webhook_append(tx, &webhook, arg);
}

static void test_the_pages_of_a_commit_reach_the_log_in_few_writes(void **state)
{
    struct run *run = run_new(0, "?vfs=fault");
    unsigned before;
    int64_t id;

    (void)state;
    fixture_open(run->f);
    assert_int_equal(write_now(run->f, large_webhook_body, &id), OK);
    before = faultvfs_operations();
    assert_int_equal(write_now(run->f, large_webhook_body, &id), OK);
    assert_in_range(faultvfs_operations() - before, 2, 4); /* with the fsync */
    run_free(run);
}

/* ------------------------------------------------------------------ fsync */

/* The jobs that the failing store refused, once more, as Meta would send them. */
static void retry_failed(struct run *run)
{
    for (size_t i = 0; i < run->submitted; i++) {
        if (!acknowledged(run, i) && !run->jobs[i].poison) {
            assert_true(write_submit(run->f, &run->writes[i], delivery_body, &run->jobs[i]));
            WAIT_FOR(run->f, run->writes[i].done);
            assert_int_equal(run->writes[i].err, OK);
            assert_false(run->jobs[i].duplicate);
        }
    }
}

static size_t count_store_errors(const struct run *run)
{
    size_t count = 0;

    for (size_t i = 0; i < run->submitted; i++) {
        count += run->writes[i].err == ERR_STORE;
    }
    return count;
}

static void test_a_failed_fsync_fails_its_batch_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth <= 4; nth++) {
        struct run *run = run_new(nth, "?vfs=fault");
        struct fixture *f = run->f;

        fixture_open(f);
        assert_true(run_wave(run, WAVE));
        faultvfs_fail_sync(nth);
        for (unsigned i = 0; i < 12 && f->failures == 0; i++) {
            run_wave(run, 1);
        }
        assert_int_equal(count_store_errors(run), 1);
        WAIT_FOR(f, f->recoveries == 1);
        assert_int_equal(f->failures, 1);
        assert_true(store_accepting(f->store));
        verify_events(run);
        retry_failed(run);
        while (run->submitted < JOBS) {
            assert_true(run_wave(run, WAVE));
        }
        verify_events(run);
        fixture_close(f);
        verify_file(run, f->path);
        run_free(run);
    }
}

/* Goes on until the store has failed and works again, or `jobs` are through. */
static void run_past_failure(struct run *run, size_t jobs)
{
    struct fixture *f = run->f;

    while (f->failures == 0 && run->submitted < jobs) {
        run_wave(run, 2);
    }
    WAIT_FOR(f, f->recoveries == f->failures);
}

/* The worst of disks: an fsync fails, later ones pass, then the power goes. */
static void test_a_power_cut_after_a_failed_fsync_loses_nothing_acknowledged(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= times_over(80); seed++) {
        struct run *run =
            run_new(seed, seed % 2 == 0 ? "?vfs=fault" : "?vfs=fault&checkpoint_pages=12");

        fixture_open(run->f);
        assert_true(run_wave(run, WAVE));
        faultvfs_fail_sync(1 + (unsigned)seed % 5);
        run_past_failure(run, JOBS / 2);
        faultvfs_cut_at(1 + (unsigned)(seed * 7 % 60));
        while (run->submitted < JOBS && run_wave(run, 2)) {
        }
        verify_image(run);
        run_free(run);
    }
}

/* ------------------------------------------------------------------ failure and cure */

static void fail_and_cure(enum fault_mode mode, const char *options)
{
    struct run *run = run_new(7, options);
    struct fixture *f = run->f;
    const char *reason;
    struct write refused;
    size_t events;

    fixture_open(f);
    assert_true(run_wave(run, WAVE));
    assert_int_equal(count_store_errors(run), 0);
    faultvfs_mode(mode);
    events = f->event_count;
    for (unsigned i = 0; i < 8 && f->failures == 0; i++) {
        run_wave(run, WAVE);
    }
    assert_int_equal(f->failures, 1);
    assert_true(count_store_errors(run) > 0);
    assert_int_equal(store_health(f->store, &reason), STORE_FAILED);
    assert_true(reason[0] != '\0');
    assert_false(store_accepting(f->store));
    assert_false(write_submit(f, &refused, delivery_body, &run->jobs[0]));
    assert_false(refused.done);
    verify_events(run);
    assert_true(f->event_count >= events);

    faultvfs_mode(FAULT_NONE);
    WAIT_FOR(f, f->recoveries == 1);
    assert_int_equal(store_health(f->store, NULL), STORE_OK);
    assert_true(store_accepting(f->store));
    retry_failed(run);
    while (run->submitted < JOBS) {
        assert_true(run_wave(run, WAVE));
    }
    verify_events(run);
    fixture_close(f);
    verify_file(run, f->path);
    run_free(run);
}

static void test_a_full_disk_is_survived(void **state)
{
    (void)state;
    fail_and_cure(FAULT_NO_SPACE, "?vfs=fault");
    fail_and_cure(FAULT_NO_SPACE, "?vfs=fault&checkpoint_pages=12");
}

static void test_a_read_only_file_system_is_survived(void **state)
{
    (void)state;
    fail_and_cure(FAULT_READ_ONLY, "?vfs=fault");
    fail_and_cure(FAULT_READ_ONLY, "?vfs=fault&checkpoint_pages=12");
}

static void test_a_disk_that_cannot_sync_is_survived(void **state)
{
    (void)state;
    fail_and_cure(FAULT_SYNC, "?vfs=fault");
    fail_and_cure(FAULT_SYNC, "?vfs=fault&checkpoint_pages=12");
}

static void test_closing_a_failed_store_returns(void **state)
{
    struct run *run = run_new(3, "?vfs=fault");

    (void)state;
    fixture_open(run->f);
    assert_true(run_wave(run, WAVE));
    faultvfs_mode(FAULT_NO_SPACE);
    run_wave(run, WAVE);
    assert_int_equal(run->f->failures, 1);
    fixture_close(run->f);
    faultvfs_mode(FAULT_NONE);
    verify_file(run, run->f->path);
    run_free(run);
}

static void test_a_disk_that_fails_at_start_is_an_error_with_the_path(void **state)
{
    static const enum fault_mode modes[] = { FAULT_NO_SPACE, FAULT_READ_ONLY, FAULT_SYNC };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        struct run *run = run_new(3, "?vfs=fault");
        struct fixture *f = run->f;

        faultvfs_mode(modes[i]);
        assert_int_equal(store_open(f->loop, &f->config, &f->store, &f->msg), ERR_STORE);
        assert_non_null(strstr(f->msg.text, f->path));
        faultvfs_mode(FAULT_NONE);
        run_free(run);
    }
}

/* With synchronous=NORMAL the last commits may go, but never the order or the structure. */
static void test_without_full_sync_a_power_cut_keeps_a_consistent_past(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= times_over(160); seed++) {
        struct run *run = run_new(seed, "?vfs=fault&checkpoint_pages=12");

        run->f->config.synchronous_full = false;
        fixture_open(run->f);
        if (seed % 8 != 0) {
            faultvfs_fail_sync((unsigned)seed % 8);
        }
        run_past_failure(run, JOBS / 2);
        faultvfs_cut_at(1 + (unsigned)(seed * 7 % 60)); /* around the next checkpoint */
        while (run->submitted < JOBS && run_wave(run, 2)) {
        }
        for (size_t i = 0; i < JOBS; i++) {
            run->writes[i].done = false; /* nothing was promised */
        }
        fixture_forget_events(run->f);
        verify_image(run);
        run_free(run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_power_cut_at_any_point_loses_and_doubles_nothing),
        cmocka_unit_test(test_the_pages_of_a_commit_reach_the_log_in_few_writes),
        cmocka_unit_test(test_a_failed_fsync_fails_its_batch_and_nothing_else),
        cmocka_unit_test(test_a_power_cut_after_a_failed_fsync_loses_nothing_acknowledged),
        cmocka_unit_test(test_a_full_disk_is_survived),
        cmocka_unit_test(test_a_read_only_file_system_is_survived),
        cmocka_unit_test(test_a_disk_that_cannot_sync_is_survived),
        cmocka_unit_test(test_closing_a_failed_store_returns),
        cmocka_unit_test(test_a_disk_that_fails_at_start_is_an_error_with_the_path),
        cmocka_unit_test(test_without_full_sync_a_power_cut_keeps_a_consistent_past),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
