/* `store check`: check.def's statements, each row of which is a problem. */
#include "libshared/buf.h"
#include "siod/store/sqlite_backend.h"

enum { DETAILS_MAX = 10 };

struct check {
    const char *name, *what, *sql;
};
static const struct check checks[] = {
#define CHECK(name, what, sql) { name, what, sql },
#include "siod/store/check.def"
#undef CHECK
};

static void add_problem(struct store_finding *finding, struct buf *details, const char *text)
{
    if (++finding->problems <= DETAILS_MAX) {
        buf_printf(details, "%s%s", details->len > 0 ? "\n" : "", text != NULL ? text : "");
    }
}

static bool ends_the_check(int rc)
{
    int primary = rc & 0xff;

    return primary != SQLITE_DONE && primary != SQLITE_CORRUPT && primary != SQLITE_NOTADB;
}

/* What cannot be read is a problem too, and no reason not to go on. */
static enum err run_check(struct sqlite_conn *conn, const struct check *check,
                          struct store_finding *finding, struct buf *details)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(conn->db, check->sql, -1, &stmt, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            add_problem(finding, details, (const char *)sqlite3_column_text(stmt, 0));
        }
    }
    enum err err = ends_the_check(rc) ? sqlite_error(conn, rc) : OK;
    if (err == OK && rc != SQLITE_DONE) {
        add_problem(finding, details, sqlite3_errmsg(conn->db));
    }
    sqlite3_finalize(stmt);
    return err;
}

enum err sqlite_check_all(struct sqlite_conn *conn, store_finding_fn *fn, void *arg)
{
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        struct store_finding finding = { .check = checks[i].name, .what = checks[i].what };
        autobuf struct buf details = BUF_INIT;
        enum err err = run_check(conn, &checks[i], &finding, &details);

        if (err != OK) {
            return err;
        }
        finding.details = buf_str(&details);
        fn(arg, &finding);
    }
    return OK;
}

/* One view for all of them. The statements are not kept: they are run once in a long while. */
enum err sqlite_check(struct store_reader *reader, store_finding_fn *fn, void *arg)
{
    struct sqlite_conn *conn = &reader_of(reader)->conn;
    enum err err = sqlite_exec(conn, "BEGIN");

    return err == OK ? sqlite_check_all(conn, fn, arg) : err;
}
