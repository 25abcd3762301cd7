/* Files that are damaged, cut off, removed or replaced: nothing is acknowledged that would be lost,
 * what was lost is noticed, and what can be mended is mended without a restart. */
#include "store_fixture.h"

enum { PAGE = 4096 };

static void deliver(struct fixture *f, unsigned number, enum err err)
{
    struct delivery_job job = { .business_id = 1 };
    struct write write;

    snprintf(job.wamid, sizeof job.wamid, "wamid.%u", number);
    snprintf(job.sender, sizeof job.sender, "49%u", number);
    assert_true(write_submit(f, &write, delivery_body, &job));
    WAIT_FOR(f, write.done);
    assert_int_equal(write.err, err);
}

static struct fixture *with_deliveries(unsigned count)
{
    struct fixture *f = fixture_new("");

    fixture_open(f);
    for (unsigned i = 0; i < count; i++) {
        deliver(f, i, OK);
    }
    return f;
}

static char *beside(const struct fixture *f, const char *name)
{
    return xasprintf("%s/%s", f->dir, name);
}

static void copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    char chunk[PAGE];
    size_t got;

    assert_non_null(in);
    assert_non_null(out);
    while ((got = fread(chunk, 1, sizeof chunk, in)) > 0) {
        assert_int_equal(fwrite(chunk, 1, got, out), got);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void assert_failed(struct fixture *f, const char *why)
{
    const char *reason;
    struct write refused;
    struct delivery_job job = { .business_id = 1, .wamid = "refused", .sender = "1" };

    WAIT_FOR(f, store_health(f->store, NULL) == STORE_FAILED);
    WAIT_FOR(f, (store_health(f->store, &reason), strstr(reason, why) != NULL));
    assert_false(store_accepting(f->store));
    assert_false(write_submit(f, &refused, delivery_body, &job));
}

static void assert_works_again(struct fixture *f, unsigned messages)
{
    WAIT_FOR(f, store_health(f->store, NULL) == STORE_OK);
    deliver(f, 1000, OK);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), messages + 1);
    assert_int_equal(sql_int(f, "SELECT count(*) = max(position) AND min(position) = 1 FROM log"),
                     1);
}

/* ------------------------------------------------------------------ a page */

/* Swaps the first page of a table with `page`. */
static void swap_page(const struct fixture *f, int64_t number, char page[PAGE])
{
    char before[PAGE];
    FILE *file = fopen(f->path, "r+");

    assert_non_null(file);
    assert_int_equal(fseek(file, (number - 1) * PAGE, SEEK_SET), 0);
    assert_int_equal(fread(before, 1, PAGE, file), PAGE);
    assert_int_equal(fseek(file, (number - 1) * PAGE, SEEK_SET), 0);
    assert_int_equal(fwrite(page, 1, PAGE, file), PAGE);
    assert_int_equal(fclose(file), 0);
    memcpy(page, before, PAGE);
}

/* The store has read nothing of the table yet when its page goes bad. */
static int64_t spoil(struct fixture *f, const char *table, char page[PAGE])
{
    autofree char *sql = xasprintf("SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
    int64_t number;

    fixture_close(f);
    number = sql_int(f, sql);
    memset(page, 0xee, PAGE);
    swap_page(f, number, page);
    fixture_open(f);
    return number;
}

static void test_a_damaged_page_that_is_written_to_stops_the_store_until_it_is_mended(void **state)
{
    struct fixture *f = with_deliveries(3);
    char page[PAGE];
    int64_t number = spoil(f, "webhook", page);

    (void)state;
    deliver(f, 3, ERR_STORE);
    assert_failed(f, "damaged");
    assert_int_equal(f->recoveries, 0);
    assert_int_equal(f->event_count, 6);
    swap_page(f, number, page);
    assert_works_again(f, 3);
    fixture_free(f);
}

static bool any_audit(void *arg, const struct store_audit *audit)
{
    (void)arg;
    (void)audit;
    return true;
}

static enum err audits_body(struct store_reader *reader, void *arg)
{
    return store_audits(reader, 10, any_audit, arg);
}

static void test_a_damaged_page_that_is_only_read_stops_it_too(void **state)
{
    struct fixture *f = with_deliveries(3);
    char page[PAGE];
    int64_t number = spoil(f, "audit", page);

    (void)state;
    deliver(f, 3, OK);
    assert_int_equal(read_now(f, audits_body, NULL), ERR_STORE);
    assert_failed(f, "damaged: restore");
    swap_page(f, number, page);
    assert_works_again(f, 4);
    assert_int_equal(read_now(f, audits_body, NULL), OK);
    fixture_free(f);
}

static void test_a_damaged_store_can_be_closed(void **state)
{
    struct fixture *f = with_deliveries(3);
    char page[PAGE];

    (void)state;
    spoil(f, "webhook", page);
    deliver(f, 3, ERR_STORE);
    assert_failed(f, "damaged");
    fixture_free(f);
}

/* ------------------------------------------------------------------ names */

static void moved_and_back(const char *name, const char *why)
{
    struct fixture *f = with_deliveries(3);
    autofree char *from = beside(f, name);
    autofree char *to = beside(f, "image.db");

    assert_int_equal(rename(from, to), 0);
    deliver(f, 3, ERR_STORE);
    assert_failed(f, why);
    assert_int_equal(f->event_count, 6);
    assert_int_equal(rename(to, from), 0);
    assert_works_again(f, 3);
    fixture_free(f);
}

static void test_files_that_are_moved_away_stop_it_until_they_are_back(void **state)
{
    (void)state;
    moved_and_back("siod.db", "siod.db was removed");
    moved_and_back("siod.db-wal", "siod.db-wal was removed");
}

static void test_another_file_in_its_place_is_not_written_to(void **state)
{
    struct fixture *f = with_deliveries(3);
    autofree char *image = beside(f, "image.db");
    struct stat before, after;

    (void)state;
    copy(f->path, image);
    assert_int_equal(rename(image, f->path), 0);
    assert_int_equal(stat(f->path, &before), 0);
    deliver(f, 3, ERR_STORE);
    assert_failed(f, "replaced");
    assert_int_equal(f->recoveries, 0);
    fixture_drain(f);
    assert_int_equal(stat(f->path, &after), 0);
    assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    assert_int_equal(after.st_size, before.st_size);
    fixture_free(f);
}

/* An orderly end puts what the removed log holds into the database. */
static void test_a_log_that_was_removed_is_saved_by_a_restart(void **state)
{
    struct fixture *f = with_deliveries(3);
    char epoch[17];

    (void)state;
    memcpy(epoch, store_epoch(f->store), sizeof epoch);
    fixture_unlink(f, "siod.db-wal");
    deliver(f, 3, ERR_STORE);
    fixture_close(f);
    fixture_open(f);
    assert_string_equal(store_epoch(f->store), epoch);
    assert_string_equal(store_notice(f->store), "");
    assert_works_again(f, 3);
    fixture_free(f);
}

/* ------------------------------------------------------------------ what was cut off */

/* The files as a process leaves them that is killed. */
static void take_image(struct fixture *f)
{
    static const char *const suffixes[] = { "", "-wal", "-lock" };

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        autofree char *from = xasprintf("%s%s", f->path, suffixes[i]);
        autofree char *to = xasprintf("%s/image.db%s", f->dir, suffixes[i]);

        copy(from, to);
    }
}

static enum err open_image(struct fixture *f, const char *name, struct store **ret)
{
    autofree char *url = xasprintf("sqlite:%s/%s", f->dir, name);
    struct store_config config = { .url = url, .synchronous_full = true };

    return store_open(f->loop, &config, ret, &f->msg);
}

/* A new process that finds them; the log cut to `wal_bytes`. */
static struct store *killed_and_started(struct fixture *f, int64_t wal_bytes)
{
    autofree char *wal = beside(f, "image.db-wal");
    struct store *store;

    take_image(f);
    if (wal_bytes < 0) {
        assert_int_equal(unlink(wal), 0);
    } else {
        assert_int_equal(truncate(wal, wal_bytes), 0);
    }
    if (open_image(f, "image.db", &store) != OK) {
        fail_msg("%s", f->msg.text);
    }
    return store;
}

static int64_t wal_size(struct fixture *f)
{
    autofree char *wal = beside(f, "siod.db-wal");
    struct stat status;

    assert_int_equal(stat(wal, &status), 0);
    return status.st_size;
}

static void test_a_log_that_was_cut_off_is_noticed_and_starts_a_new_history(void **state)
{
    struct fixture *f = with_deliveries(20);

    (void)state;
    fixture_close(f);
    fixture_open(f);
    for (unsigned i = 20; i < 30; i++) {
        deliver(f, i, OK);
    }
    for (int64_t cut = -1; cut <= wal_size(f); cut += wal_size(f) / 9) {
        struct store *store = killed_and_started(f, cut);
        bool whole = cut == wal_size(f);

        if ((strcmp(store_epoch(store), store_epoch(f->store)) == 0) != whole ||
            (store_notice(store)[0] == '\0') != whole) {
            fail_msg("cut at %d of %d: epoch %s, notice \"%s\"", (int)cut, (int)wal_size(f),
                     store_epoch(store), store_notice(store));
        }
        store_close(store);
    }
    struct store *store = killed_and_started(f, wal_size(f));
    assert_string_equal(store_epoch(store), store_epoch(f->store));
    assert_string_equal(store_notice(store), "");
    store_close(store);
    fixture_free(f);
}

static void test_an_old_copy_in_the_place_of_the_database_is_noticed_once(void **state)
{
    struct fixture *f = with_deliveries(3);
    autofree char *image = beside(f, "image.db");
    char epoch[17], second[17];

    (void)state;
    memcpy(epoch, store_epoch(f->store), sizeof epoch);
    fixture_close(f);
    copy(f->path, image);
    fixture_open(f);
    assert_string_equal(store_epoch(f->store), epoch);
    deliver(f, 3, OK);
    fixture_close(f);
    copy(image, f->path);
    fixture_open(f);
    assert_string_not_equal(store_epoch(f->store), epoch);
    assert_non_null(strstr(store_notice(f->store), "2 rows of the log"));
    memcpy(second, store_epoch(f->store), sizeof second);
    deliver(f, 3, OK);
    fixture_close(f);
    fixture_open(f);
    assert_string_equal(store_epoch(f->store), second);
    assert_string_equal(store_notice(f->store), "");
    fixture_free(f);
}

static void test_a_database_of_another_history_is_noticed_once(void **state)
{
    struct fixture *f = with_deliveries(3), *other = with_deliveries(1);
    char epoch[17];

    (void)state;
    memcpy(epoch, store_epoch(other->store), sizeof epoch);
    fixture_close(f);
    fixture_close(other);
    copy(other->path, f->path);
    fixture_open(f);
    assert_string_not_equal(store_epoch(f->store), epoch);
    assert_non_null(strstr(store_notice(f->store), "another history"));
    assert_non_null(strstr(store_notice(f->store), "6 rows of the log"));
    memcpy(epoch, store_epoch(f->store), sizeof epoch);
    fixture_close(f);
    fixture_open(f);
    assert_string_equal(store_epoch(f->store), epoch);
    assert_string_equal(store_notice(f->store), "");
    fixture_free(f);
    fixture_free(other);
}

static void assert_refused(struct fixture *f, const char *name, const char *why)
{
    autofree char *named = xasprintf("%s/%s is %s", f->dir, name, why);
    struct store *store;

    assert_int_equal(open_image(f, name, &store), ERR_INVALID);
    assert_non_null(strstr(f->msg.text, named));
    assert_non_null(strstr(f->msg.text, "image.db-wal"));
}

/* What was committed since the last checkpoint is nowhere but in the log. */
static void test_a_log_without_its_database_is_left_alone(void **state)
{
    struct fixture *f = with_deliveries(20);
    autofree char *image = beside(f, "image.db");
    autofree char *link = beside(f, "link.db");
    struct store *store;

    (void)state;
    take_image(f);
    assert_int_equal(symlink("image.db", link), 0);
    assert_int_equal(unlink(image), 0);
    assert_refused(f, "image.db", "missing");
    assert_refused(f, "link.db", "missing");
    assert_int_not_equal(access(image, F_OK), 0);
    copy("/dev/null", image);
    assert_refused(f, "image.db", "empty");
    assert_refused(f, "link.db", "empty");
    assert_int_equal(unlink(link), 0);

    copy(f->path, image);
    assert_int_equal(open_image(f, "image.db", &store), OK);
    assert_string_equal(store_epoch(store), store_epoch(f->store));
    assert_string_equal(store_notice(store), "");
    store_close(store);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_damaged_page_that_is_written_to_stops_the_store_until_it_is_mended),
        cmocka_unit_test(test_a_damaged_page_that_is_only_read_stops_it_too),
        cmocka_unit_test(test_a_damaged_store_can_be_closed),
        cmocka_unit_test(test_files_that_are_moved_away_stop_it_until_they_are_back),
        cmocka_unit_test(test_another_file_in_its_place_is_not_written_to),
        cmocka_unit_test(test_a_log_that_was_removed_is_saved_by_a_restart),
        cmocka_unit_test(test_a_log_that_was_cut_off_is_noticed_and_starts_a_new_history),
        cmocka_unit_test(test_an_old_copy_in_the_place_of_the_database_is_noticed_once),
        cmocka_unit_test(test_a_database_of_another_history_is_noticed_once),
        cmocka_unit_test(test_a_log_without_its_database_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
