/* The writer's connection: its life, its transactions, the ids it gives.
 *
 * Checkpoints are ours, not SQLite's automatic ones, because those swallow their errors. The log
 * file is not shortened: overwriting it costs half of what growing it costs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/log.h"
#include "siod/store/sqlite_backend.h"

/* Statement texts that both ways of ending a job share. */
static const char rollback_job[] = "ROLLBACK TO job";
static const char release_job[] = "RELEASE job";

static int on_wal_grown(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_writer *writer = arg;

    (void)db;
    (void)name;
    writer->wal_pages = pages;
    if (pages < writer->wal_base) { /* it began anew */
        writer->wal_base = 0;
    }
    return SQLITE_OK;
}

/* What is deleted is overwritten: whoever is erased is not to be found in free pages. The cache is
 * 16 MiB: more of it makes commits slower, which look at every page of it. */
static enum err configure(struct sqlite_writer *writer, struct sqlite_conn *conn)
{
    enum err err = sqlite_exec(conn, "PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384;"
                                     "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL;"
                                     "PRAGMA secure_delete = ON");

    sqlite3_wal_hook(conn->db, on_wal_grown, writer);
    if (err == OK && !writer->place.synchronous_full) {
        err = sqlite_exec(conn, "PRAGMA synchronous = NORMAL");
    }
    return err;
}

static enum err load_sequence(struct sqlite_writer *writer)
{
    struct query q = query_begin(&writer->conn, ST_SEQUENCE_LOAD,
                                 "SELECT max((SELECT last FROM sequence WHERE name = 'chat'),"
                                 "           (SELECT coalesce(max(id), 0) FROM chat)),"
                                 "       max((SELECT last FROM sequence WHERE name = 'message'),"
                                 "           (SELECT coalesce(max(id), 0) FROM message)),"
                                 "       max((SELECT last FROM sequence WHERE name = 'contact'),"
                                 "           (SELECT coalesce(max(id), 0) FROM contact))");

    if (query_row(&q)) {
        writer->saved.chat = get_int(&q);
        writer->saved.message = get_int(&q);
        writer->saved.contact = get_int(&q);
        writer->next = writer->saved;
    }
    return query_end(&q);
}

/* The file, private to its owner: SQLite gives its WAL the same mode. */
static enum err create_file(const char *path, struct errmsg *msg)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return err_set(msg, ERR_STORE, "%s: cannot be opened for writing: %s", path,
                       strerror(errno));
    }
    close(fd);
    return OK;
}

/* What is counted in memory, or not asked for each time. */
static enum err load_state(struct sqlite_writer *writer)
{
    enum err err = load_sequence(writer);

    err = err == OK ? sqlite_witness_load(writer) : err;
    return err == OK ? sqlite_gone_load(writer) : err;
}

static enum err start(struct sqlite_writer *writer, char *ret_epoch)
{
    struct sqlite_conn *conn = &writer->conn;
    bool lost = false;
    enum err err = sqlite_probe(conn);

    if (err == OK) {
        err = load_state(writer);
    }
    if (err == OK) {
        err = sqlite_witness_check(writer, &lost);
    }
    if (err == OK) {
        err = sqlite_epoch_load(conn, writer->place.synchronous_full, lost, ret_epoch);
    }
    if (err != OK) {
        return err;
    }
    memcpy(writer->epoch, ret_epoch, sizeof writer->epoch);
    sqlite_witness_write(writer);
    (void)fdatasync(writer->lock_fd); /* or a power cut would bring back a history that has ended */
    sqlite_files_remember(writer);
    return configure(writer, conn);
}

static enum err open_database(struct sqlite_writer *writer, char *ret_epoch, struct errmsg *msg)
{
    const char *path = writer->place.path;
    enum err err = sqlite_stray_log_check(path, msg);

    err = err == OK ? create_file(path, msg) : err;
    if (err != OK) {
        return err;
    }
    err = sqlite_conn_open(&writer->conn, &writer->place,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &writer->tx.fault);
    if (err != OK) {
        return err_set(msg, err, "%s: %s", path, writer->tx.fault.reason);
    }
    err = sqlite_lock_file(path, &writer->lock_fd, msg);
    if (err == OK) {
        err = sqlite_prepare_schema(&writer->conn, path, msg);
    }
    if (err != OK) {
        return err;
    }
    err = start(writer, ret_epoch);
    return err == OK ? OK : err_set(msg, err, "%s: %s", path, writer->tx.fault.reason);
}

static void release(struct sqlite_writer *writer)
{
    sqlite_conn_close(&writer->conn);
    sqlite_phones_forget(writer);
    rowlog_finish(&writer->tx.log);
    buf_finish(&writer->put_ids);
    sqlite_walk_finish(&writer->walk);
    if (writer->lock_fd >= 0) {
        close(writer->lock_fd);
    }
    sqlite_place_finish(&writer->place);
    free(writer->wal_path);
    free(writer);
}

enum err sqlite_writer_open(const struct store_config *config, struct store_tx **ret,
                            char *ret_epoch, struct errmsg *msg)
{
    /* Counting allocations takes a lock at each. It has no effect once SQLite is in use. */
    int ignored UNUSED = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct sqlite_writer *writer = xnew(struct sqlite_writer);
    enum err err = sqlite_place_parse(config, &writer->place, msg);

    writer->tx.backend = &sqlite_backend;
    writer->conn.fault = &writer->tx.fault;
    writer->lock_fd = -1;
    if (err == OK) {
        autofree char *base = TAKE(writer->place.vfs);

        writer->place.vfs = sqlite_walfile_vfs(base);
        err = open_database(writer, ret_epoch, msg);
    }
    if (err != OK) {
        release(writer);
        return err;
    }
    writer->checkpointer = sqlite_checkpointer_new(&writer->place);
    *ret = &writer->tx;
    return OK;
}

static enum err finish_log(struct sqlite_writer *writer)
{
    enum err err = sqlite_epoch_unmark(&writer->conn);

    return err != OK
               ? err
               : sqlite_error(&writer->conn,
                              sqlite3_wal_checkpoint_v2(writer->conn.db, NULL,
                                                        SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

void sqlite_writer_close(struct store_tx *tx)
{
    struct sqlite_writer *writer = writer_of(tx);

    sqlite_checkpointer_free(TAKE(writer->checkpointer));
    if (!tx->fault.set && finish_log(writer) != OK) {
        log_warn(LOG_STORE, "last checkpoint failed", "reason=\"%s\"", tx->fault.reason);
    }
    release(writer);
}

static int given_up(void *arg)
{
    const struct sqlite_writer *writer = arg;

    return writer->tx.stop != NULL && atomic_load_explicit(writer->tx.stop, memory_order_relaxed);
}

/* Is all of it as it should be? That takes as long as reading it does, so it is not asked again and
 * again. */
static enum err verify(struct sqlite_writer *writer, struct sqlite_conn *conn)
{
    enum { PAUSE_MIN_MS = 1000, PAUSE_FACTOR = 20, STEPS = 2000 };
    uint64_t start_ms = clock_monotonic_ms();
    int64_t good = 0;
    enum err err;

    sqlite3_progress_handler(conn->db, STEPS, given_up, writer);
    err = sqlite_read_int(
        conn, "SELECT count(*) FROM pragma_quick_check(1) WHERE quick_check = 'ok'", &good);
    sqlite3_progress_handler(conn->db, 0, NULL, NULL);
    writer->verify_after_ms =
        clock_monotonic_ms() +
        MAX((clock_monotonic_ms() - start_ms) * PAUSE_FACTOR, (uint64_t)PAUSE_MIN_MS);
    writer->verify = err != OK || good == 0;
    conn->fault->corrupt = writer->verify;
    return writer->verify ? store_fault_set(conn->fault, "%s is damaged: restore a backup of it",
                                            writer->place.path)
                          : OK;
}

/* Before anything is written: is it the file that it was, and what it was? */
static enum err trust(struct sqlite_writer *writer, struct sqlite_conn *fresh)
{
    enum err err = sqlite_files_check(writer, fresh->fault);

    return err == OK && writer->verify ? verify(writer, fresh) : err;
}

enum err sqlite_writer_recover(struct store_tx *tx)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct store_fault fault = { 0 };
    struct sqlite_conn fresh;
    enum err err;

    writer->verify = writer->verify || tx->fault.corrupt;
    if (writer->verify && clock_monotonic_ms() < writer->verify_after_ms) {
        return ERR_STORE;
    }
    sqlite_checkpointer_reset(writer->checkpointer);
    err = sqlite_conn_open(&fresh, &writer->place, SQLITE_OPEN_READWRITE, &fault);
    err = err == OK ? trust(writer, &fresh) : err;
    if (err == OK) {
        err = sqlite_exec(&fresh, "PRAGMA wal_autocheckpoint = 0");
    }
    if (err == OK) {
        err = sqlite_probe(&fresh);
    }
    if (err == OK) {
        err = configure(writer, &fresh);
    }
    if (err != OK) {
        tx->fault = fault;
        tx->fault.set = true;
        sqlite_conn_close(&fresh);
        return ERR_STORE;
    }
    sqlite_conn_close(&writer->conn);
    writer->conn = fresh;
    writer->conn.fault = &tx->fault;
    tx->fault = (struct store_fault) { 0 };
    sqlite_phones_forget(writer);
    writer->wal_base = 0;
    writer->passes = 0;
    return load_state(writer);
}

/* ------------------------------------------------------------------ transactions */

enum err sqlite_begin(struct store_tx *tx)
{
    struct sqlite_writer *writer = writer_of(tx);

    tx->now_ms = clock_wall_ms();
    writer->batch_rows = 0;
    return sqlite_run(&writer->conn, ST_BEGIN, "BEGIN IMMEDIATE");
}

static enum err save_sequence(struct sqlite_writer *writer, const char *name, int64_t last)
{
    struct query q = query_begin(&writer->conn, ST_SEQUENCE_SAVE,
                                 "UPDATE sequence SET last = ?1 WHERE name = CAST(?2 AS TEXT)");

    put_int(&q, last);
    put_str(&q, str_of(name));
    return query_run(&q);
}

enum err sqlite_commit(struct store_tx *tx)
{
    struct sqlite_writer *writer = writer_of(tx);
    enum err err = OK;

    if (writer->next.chat != writer->saved.chat) {
        err = save_sequence(writer, "chat", writer->next.chat);
    }
    if (err == OK && writer->next.message != writer->saved.message) {
        err = save_sequence(writer, "message", writer->next.message);
    }
    if (err == OK && writer->next.contact != writer->saved.contact) {
        err = save_sequence(writer, "contact", writer->next.contact);
    }
    if (err == OK) {
        err = sqlite_files_check(writer, &tx->fault);
    }
    if (err == OK) {
        err = sqlite_run(&writer->conn, ST_COMMIT, "COMMIT");
    }
    if (err == OK) {
        writer->saved = writer->next;
        writer->rows += writer->batch_rows;
        sqlite_witness_write(writer);
    }
    return err;
}

void sqlite_rollback(struct store_tx *tx)
{
    struct sqlite_writer *writer = writer_of(tx);

    if (writer->conn.lent != NULL) {
        sqlite3_reset(TAKE(writer->conn.lent));
    }
    if (writer->conn.db != NULL && sqlite3_get_autocommit(writer->conn.db) == 0) {
        sqlite3_exec(writer->conn.db, "ROLLBACK", NULL, NULL, NULL);
    }
    writer->next = writer->saved;
    sqlite_phones_forget(writer);
}

/* A savepoint copies every page that the job is the first to change. */
enum err sqlite_job_begin(struct store_tx *tx, bool savepoint)
{
    struct sqlite_writer *writer = writer_of(tx);

    writer->job = writer->next;
    writer->phones_changed = false;
    buf_clear(&writer->put_ids);
    writer->savepoint = savepoint;
    writer->job_changes = sqlite3_total_changes64(writer->conn.db);
    return savepoint ? sqlite_run(&writer->conn, ST_JOB_BEGIN, "SAVEPOINT job") : OK;
}

enum err sqlite_job_keep(struct store_tx *tx)
{
    struct sqlite_writer *writer = writer_of(tx);

    return writer->savepoint ? sqlite_run(&writer->conn, ST_JOB_KEEP, release_job) : OK;
}

static enum err roll_back_job(struct sqlite_writer *writer)
{
    enum err err = sqlite_run(&writer->conn, ST_JOB_UNDO, rollback_job);

    return err == OK ? sqlite_run(&writer->conn, ST_JOB_KEEP, release_job) : err;
}

enum err sqlite_job_undo(struct store_tx *tx)
{
    struct sqlite_writer *writer = writer_of(tx);

    writer->next = writer->job;
    if (writer->phones_changed) {
        sqlite_phones_forget(writer);
    }
    if (writer->savepoint) {
        return roll_back_job(writer);
    }
    return sqlite3_total_changes64(writer->conn.db) != writer->job_changes ? ERR_CONFLICT : OK;
}

bool sqlite_alive(struct store_tx *tx)
{
    return sqlite3_get_autocommit(writer_of(tx)->conn.db) == 0;
}
