/* Copying the log into the database while the writer goes on.
 *
 * A checkpoint of a long log takes as long as dozens of commits, so the writer does not wait for
 * it: a thread with connections of its own copies what is in the log, in passes, each of which
 * finds only what was added during the one before. When a pass has caught up, the writer's next
 * transaction begins the log anew; when after some passes it has not, the writer copies the short
 * rest itself, between two batches.
 *
 * While a pass runs, a second connection reads. That keeps the log from being begun anew under it:
 * versions of SQLite before 3.51.3 may lose commits when a checkpoint starts at the very instant of
 * a reset (SQLite, "Write-Ahead Logging", the WAL-reset bug). For the same reason the writer never
 * copies while a pass runs. */
#include <pthread.h>

#include "libshared/alloc.h"
#include "libshared/thread.h"
#include "siod/store/sqlite_backend.h"

enum {
    PASSES_MAX = 4,
    /* Under load the log may grow longer: pages that change again and again are copied less often,
     * and fewer commits wait for the disk behind a copy. */
    BUSY_FACTOR = 4,
};

struct sqlite_checkpointer {
    const struct sqlite_place *place;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    enum { RESTING, RUNNING, ENDED } pass; /* ENDED: nobody has looked at the result yet */
    int copied;                            /* frames of the log that are in the database */
    struct store_fault fault;

    /* of the thread while a pass runs, of the writer otherwise */
    struct sqlite_conn conn, guard;
    struct store_fault conn_fault;
};

/* ------------------------------------------------------------------ a pass */

/* A connection that has read nothing does not know of the log. */
static enum err open_connection(struct sqlite_checkpointer *c, struct sqlite_conn *conn)
{
    enum err err;

    if (conn->db != NULL) {
        return OK;
    }
    err = sqlite_conn_open(conn, c->place, SQLITE_OPEN_READWRITE, &c->conn_fault);
    return err == OK ? sqlite_exec(conn, "SELECT 1 FROM meta") : err;
}

static enum err copy_log(struct sqlite_checkpointer *c, int *ret_copied)
{
    int in_log, copied = 0;
    int rc =
        sqlite3_wal_checkpoint_v2(c->conn.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);

    *ret_copied = MAX(copied, 0);
    return (rc & 0xff) == SQLITE_BUSY ? OK : sqlite_error(&c->conn, rc);
}

static enum err run_pass(struct sqlite_checkpointer *c, int *ret_copied)
{
    enum err err = open_connection(c, &c->conn);

    if (err == OK) {
        err = open_connection(c, &c->guard);
    }
    if (err == OK) {
        err = sqlite_exec(&c->guard, "BEGIN; SELECT 1 FROM meta");
    }
    if (err == OK) {
        err = copy_log(c, ret_copied);
        sqlite3_exec(c->guard.db, "COMMIT", NULL, NULL, NULL);
    }
    return err;
}

static void *checkpointer_main(void *arg)
{
    struct sqlite_checkpointer *c = arg;

    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        int copied = 0;

        if (c->pass != RUNNING) {
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        if (run_pass(c, &copied) != OK) {
            store_fault_set(&c->conn_fault, "checkpoint failed");
        }
        pthread_mutex_lock(&c->lock);
        c->copied = copied;
        c->fault = c->conn_fault;
        c->pass = ENDED;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ------------------------------------------------------------------ its life */

static void close_connections(struct sqlite_checkpointer *c)
{
    sqlite_conn_close(&c->guard);
    sqlite_conn_close(&c->conn);
}

struct sqlite_checkpointer *sqlite_checkpointer_new(const struct sqlite_place *place)
{
    struct sqlite_checkpointer *c = xnew(struct sqlite_checkpointer);

    c->place = place;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    thread_start(&c->thread, "store-copy", checkpointer_main, c);
    return c;
}

void sqlite_checkpointer_free(struct sqlite_checkpointer *c)
{
    if (c == NULL) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    close_connections(c);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void sqlite_checkpointer_reset(struct sqlite_checkpointer *c)
{
    pthread_mutex_lock(&c->lock);
    while (c->pass == RUNNING) {
        pthread_cond_wait(&c->changed, &c->lock);
    }
    c->pass = RESTING;
    pthread_mutex_unlock(&c->lock);
    close_connections(c);
    c->fault = c->conn_fault = (struct store_fault) { 0 };
}

/* ------------------------------------------------------------------ the writer's side */

static void start_pass(struct sqlite_writer *writer)
{
    struct sqlite_checkpointer *c = writer->checkpointer;

    writer->passes++;
    c->pass = RUNNING;
    pthread_cond_broadcast(&c->changed);
}

/* A reader may keep the log from being copied or from beginning anew: what counts is what was added
 * since the last attempt. */
static enum err copy_rest(struct sqlite_writer *writer)
{
    int in_log = 0;
    int rc =
        sqlite3_wal_checkpoint_v2(writer->conn.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, NULL);

    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) {
        return sqlite_error(&writer->conn, rc);
    }
    writer->wal_base = in_log;
    writer->passes = 0;
    return OK;
}

/* After a pass: is anything left? */
static enum err follow_up(struct sqlite_writer *writer)
{
    struct sqlite_checkpointer *c = writer->checkpointer;
    bool rest = false;

    c->pass = RESTING;
    if (c->fault.set) {
        return store_fault_set(&writer->tx.fault, "%s", c->fault.reason);
    }
    if (c->copied >= writer->wal_pages) {
        writer->wal_base = writer->wal_pages;
        writer->passes = 0;
    } else if (writer->passes < PASSES_MAX) {
        start_pass(writer);
    } else {
        rest = true;
    }
    return rest ? copy_rest(writer) : OK;
}

/* What was erased is in the log as it was, until that is overwritten. Emptied it can be only while
 * nobody reads, which is not waited for. */
static enum err wipe_log(struct sqlite_writer *writer)
{
    sqlite3 *db = writer->conn.db;
    int rc;

    sqlite3_busy_timeout(db, 0);
    rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(db, SQLITE_BUSY_MS);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) {
        return sqlite_error(&writer->conn, rc);
    }
    writer->wipe = rc != SQLITE_OK;
    return OK;
}

enum err sqlite_maintain(struct store_tx *tx, bool idle)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct sqlite_checkpointer *c = writer->checkpointer;
    int pages = (int)writer->place.checkpoint_pages;
    int limit = idle ? pages / 2 : pages * BUSY_FACTOR;
    enum err err = OK;

    pthread_mutex_lock(&c->lock);
    if (c->pass == ENDED) {
        err = follow_up(writer);
    } else if (c->pass == RESTING && writer->wipe) {
        err = wipe_log(writer);
    } else if (c->pass == RESTING && writer->wal_pages - writer->wal_base >= limit) {
        start_pass(writer);
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}
