/* Trusting a disk again after it has failed.
 *
 * A failed fsync marks the pages that it could not write as clean: reads show them, the next fsync
 * passes, a power cut loses them. Two rules follow.
 *
 * The transaction that failed must not come back. The wal-index in shared memory, not the file,
 * says where the log ends, and it lives as long as somebody has the database open. So the writer
 * opens its new connection before it closes the old one, and the next commit overwrites the failed
 * frames.
 *
 * Whatever else the log holds must be on disk before anything builds on it: it is written over
 * itself, which makes its pages dirty again, and synced. The same is done at start, where a process
 * that was killed may have left a log whose fsync had failed.
 *
 * And all of it is copied into the database again: a checkpoint beside the writer does not sync
 * what it has copied unless it caught up, but remembers it as done. */
#include "libshared/alloc.h"
#include "siod/store/sqlite.h"

enum {
    REWRITE_CHUNK = 64 << 10, /* SQLite writes less than 128 KiB at once */
    /* The shared memory of the log (SQLite, "WAL-mode File Format", 2.1). */
    INDEX_REGION = 32 << 10,
    INDEX_BACKFILLED = 96, /* 32 bits: frames that are in the database */
    INDEX_LOCK_CHECKPOINT = 1,
};

static sqlite3_file *file_of(struct sqlite_conn *conn, int which)
{
    sqlite3_file *file = NULL;

    if (conn->db == NULL || sqlite3_file_control(conn->db, "main", which, &file) != SQLITE_OK) {
        return NULL;
    }
    return file != NULL && file->pMethods != NULL ? file : NULL;
}

static int rewrite(sqlite3_file *file, sqlite3_int64 size)
{
    autofree char *chunk = xmalloc(REWRITE_CHUNK);
    int rc = SQLITE_OK;

    for (sqlite3_int64 at = 0; rc == SQLITE_OK && at < size; at += REWRITE_CHUNK) {
        int len = (int)MIN(size - at, (sqlite3_int64)REWRITE_CHUNK);

        rc = file->pMethods->xRead(file, chunk, len, at);
        if (rc == SQLITE_OK) {
            rc = file->pMethods->xWrite(file, chunk, len, at);
        }
    }
    return rc == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : rc;
}

enum err sqlite_wal_rewrite(struct sqlite_conn *conn)
{
    sqlite3_file *wal = file_of(conn, SQLITE_FCNTL_JOURNAL_POINTER);
    sqlite3_int64 size = 0;
    int rc = SQLITE_OK;

    if (wal != NULL) {
        rc = wal->pMethods->xFileSize(wal, &size);
        if (rc == SQLITE_OK) {
            rc = rewrite(wal, size);
        }
    }
    return rc == SQLITE_OK
               ? OK
               : store_fault_set(conn->fault, "write-ahead log: %s (%d)", sqlite3_errstr(rc), rc);
}

/* The next checkpoint begins at the log's first frame. */
static int forget_copied(sqlite3_file *file)
{
    const sqlite3_io_methods *methods = file->pMethods;
    void volatile *index = NULL;
    int rc = methods->xShmMap(file, 0, INDEX_REGION, 0, &index);

    if (rc == SQLITE_OK && index != NULL) {
        rc = methods->xShmLock(file, INDEX_LOCK_CHECKPOINT, 1,
                               SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
    }
    if (rc == SQLITE_OK && index != NULL) {
        __atomic_store_n((uint32_t volatile *)((char volatile *)index + INDEX_BACKFILLED), 0,
                         __ATOMIC_SEQ_CST);
        rc = methods->xShmLock(file, INDEX_LOCK_CHECKPOINT, 1,
                               SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    }
    return rc;
}

static enum err wal_copy_again(struct sqlite_conn *conn)
{
    sqlite3_file *file = file_of(conn, SQLITE_FCNTL_FILE_POINTER);
    int rc = file != NULL && file->pMethods->iVersion >= 2 ? forget_copied(file) : SQLITE_OK;

    return rc == SQLITE_OK
               ? OK
               : store_fault_set(conn->fault, "write-ahead log: %s (%d)", sqlite3_errstr(rc), rc);
}

enum err sqlite_probe(struct sqlite_conn *conn)
{
    enum err err = sqlite_exec(conn, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE");

    if (err == OK) {
        err = sqlite_wal_rewrite(conn);
    }
    if (err == OK) {
        err = wal_copy_again(conn);
    }
    if (err == OK) {
        err = sqlite_exec(conn, "UPDATE meta SET value = value + 1 WHERE key = 'probe'; COMMIT");
    }
    return err;
}
