/* A read connection: its life and its time limit. */
#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/store/sqlite_backend.h"

/* Virtual machine steps between two looks at the clock: some 20 µs. */
enum { STEPS_PER_LOOK = 2000 };

/* Ends the statement when the job's time is up. */
static int out_of_time(void *arg)
{
    const struct sqlite_reader *reader = arg;

    return clock_monotonic_ms() >= reader->reader.deadline_ms ||
           (reader->reader.stop != NULL &&
            atomic_load_explicit(reader->reader.stop, memory_order_relaxed));
}

static enum err connect_reader(struct sqlite_reader *reader)
{
    struct sqlite_conn *conn = &reader->conn;
    enum err err =
        sqlite_conn_open(conn, &reader->place, SQLITE_OPEN_READONLY, &reader->reader.fault);

    if (err == OK) {
        sqlite3_progress_handler(conn->db, STEPS_PER_LOOK, out_of_time, reader);
        err = sqlite_exec(conn, "PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY");
    }
    return err;
}

enum err sqlite_reader_open(const struct store_config *config, struct store_reader **ret,
                            struct errmsg *msg)
{
    struct sqlite_reader *reader = xnew(struct sqlite_reader);
    enum err err = sqlite_place_parse(config, &reader->place, msg);

    reader->reader.backend = &sqlite_backend;
    reader->reader.deadline_ms = UINT64_MAX;
    if (err == OK) {
        err = connect_reader(reader);
        if (err != OK) {
            err_set(msg, err, "%s: %s", reader->place.path, reader->reader.fault.reason);
        }
    }
    if (err != OK) {
        sqlite_reader_close(&reader->reader);
        return err;
    }
    *ret = &reader->reader;
    return OK;
}

void sqlite_reader_close(struct store_reader *reader)
{
    struct sqlite_reader *r = reader_of(reader);

    sqlite_conn_close(&r->conn);
    sqlite_place_finish(&r->place);
    free(r);
}

enum err sqlite_reader_begin(struct store_reader *reader)
{
    struct sqlite_reader *r = reader_of(reader);

    if (!reader->fault.set) {
        return OK;
    }
    sqlite_conn_close(&r->conn);
    reader->fault = (struct store_fault) { 0 };
    return connect_reader(r);
}

void sqlite_reader_end(struct store_reader *reader)
{
    struct sqlite_conn *conn = &reader_of(reader)->conn;

    if (conn->lent != NULL) {
        sqlite3_reset(TAKE(conn->lent));
    }
    if (conn->db != NULL && sqlite3_get_autocommit(conn->db) == 0) {
        reader->deadline_ms = UINT64_MAX;
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    }
}
