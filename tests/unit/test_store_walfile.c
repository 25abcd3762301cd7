/* The log as it is in the file, seen after each commit: a process that is killed then leaves what
 * it has committed, whether commits are synced or not. */
#include "siod/store/sqlite.h"
#include "store_fixture.h"

static void run(sqlite3 *db, const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
        fail_msg("%s: %s", sql, error);
    }
}

/* A database over the gathering VFS, with a cache of ten pages. */
static sqlite3 *open_gathered(const struct fixture *f, const char *synchronous)
{
    autofree char *vfs = sqlite_walfile_vfs(NULL);
    autofree char *sql = xasprintf("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
                                   "PRAGMA cache_size = 10; PRAGMA synchronous = %s;"
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, n, b)",
                                   synchronous);
    sqlite3 *db;

    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
                     SQLITE_OK);
    run(db, sql);
    return db;
}

static void copy(const struct fixture *f, const char *suffix)
{
    autofree char *from = xasprintf("%s%s", f->path, suffix);
    autofree char *to = xasprintf("%s/image.db%s", f->dir, suffix);
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    char chunk[4096];
    size_t got;

    assert_non_null(in);
    assert_non_null(out);
    while ((got = fread(chunk, 1, sizeof chunk, in)) > 0) {
        assert_int_equal(fwrite(chunk, 1, got, out), got);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* What a new process finds in the files as they are now. */
static int64_t found(struct fixture *f, const char *sql)
{
    autofree char *image = xasprintf("%s/image.db", f->dir);
    char *path = f->path;
    int64_t value;

    copy(f, "");
    copy(f, "-wal");
    f->path = image;
    value = sql_int(f, sql);
    f->path = path;
    return value;
}

static void committed_is_in_the_file(const char *synchronous)
{
    struct fixture *f = fixture_new("");
    sqlite3 *db = open_gathered(f, synchronous);

    run(db, "BEGIN; INSERT INTO t VALUES (1, 0, NULL);"
            "WITH RECURSIVE c(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM c WHERE i < 60)"
            " INSERT INTO t SELECT i, 0, randomblob(3000) FROM c;"
            "UPDATE t SET n = 1 WHERE id = 1; COMMIT");
    assert_int_equal(found(f, "SELECT count(*) FROM t"), 60);
    assert_int_equal(found(f, "SELECT n FROM t WHERE id = 1"), 1);
    for (unsigned i = 2; i < 12; i++) {
        autofree char *sql = xasprintf("UPDATE t SET n = %u WHERE id = 1", i);

        run(db, sql);
        assert_int_equal(found(f, "SELECT n FROM t WHERE id = 1"), i);
    }
    sqlite3_close(db);
    fixture_free(f);
}

static void test_what_was_committed_is_in_the_log_file(void **state)
{
    (void)state;
    committed_is_in_the_file("FULL");
    committed_is_in_the_file("NORMAL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_committed_is_in_the_log_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
