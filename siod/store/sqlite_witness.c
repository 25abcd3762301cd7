/* Is the database still the one that was written to, and has it kept all of it?
 *
 * A file that is removed, renamed or replaced goes on being written to under its old name, and
 * nothing of that is there after a restart. So before each commit the names are looked up: they
 * must lead to the files that are open.
 *
 * A log that was cut off, or an old copy that was put in the place of the database, looks like an
 * ordinary past. So beside the database, in the file that locks it, stands how far the history had
 * come: written after each commit, not synced, never ahead of what was on disk. A database that has
 * not come as far, or is of another history, has lost what clients were told, and starts a new
 * one. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/store/sqlite_backend.h"

/* As it is in the file: of this machine alone, as the database's shared memory is. */
struct witness {
    char epoch[16];
    int64_t messages, rows;
};

/* ------------------------------------------------------------------ the same files */

/* Does not ask for the times: a file whose times somebody has seen gets new ones at its next write,
 * and then each fdatasync writes the inode, too (Linux 6.13, "multigrain timestamps"). That made a
 * commit take half as long again. */
static bool look_up(const char *path, struct sqlite_identity *ret, int64_t *ret_size)
{
    struct statx status;

    if (path == NULL || statx(AT_FDCWD, path, 0, STATX_INO | STATX_SIZE, &status) != 0) {
        return false;
    }
    *ret = (struct sqlite_identity) { makedev(status.stx_dev_major, status.stx_dev_minor),
                                      status.stx_ino };
    *ret_size = (int64_t)status.stx_size;
    return true;
}

void sqlite_files_remember(struct sqlite_writer *writer)
{
    int64_t size;

    free(writer->wal_path);
    writer->wal_path = xasprintf("%s-wal", writer->place.path);
    writer->known = look_up(writer->place.path, &writer->file, &size) &&
                    look_up(writer->wal_path, &writer->wal_file, &size);
}

void sqlite_writer_bytes(struct store_tx *tx, int64_t *ret_file, int64_t *ret_wal)
{
    const struct sqlite_writer *writer = writer_of(tx);
    struct sqlite_identity ignored;

    *ret_file = *ret_wal = 0;
    (void)look_up(writer->place.path, &ignored, ret_file);
    (void)look_up(writer->wal_path, &ignored, ret_wal);
}

static bool is_at(const char *path, const struct sqlite_identity *file)
{
    struct sqlite_identity now;
    int64_t size;

    return look_up(path, &now, &size) && now.dev == file->dev && now.ino == file->ino;
}

enum err sqlite_files_check(struct sqlite_writer *writer, struct store_fault *fault)
{
    if (writer->known && !is_at(writer->place.path, &writer->file)) {
        return store_fault_set(fault,
                               "%s was removed or replaced: put it back, or restart siod with"
                               " what is to be used",
                               writer->place.path);
    }
    if (writer->known && !is_at(writer->wal_path, &writer->wal_file)) {
        return store_fault_set(fault,
                               "%s was removed or replaced: put it back, or restart siod, which"
                               " saves what it holds",
                               writer->wal_path);
    }
    return OK;
}

/* ------------------------------------------------------------------ how far it had come */

void sqlite_witness_write(const struct sqlite_writer *writer)
{
    struct witness witness = { .messages = writer->saved.message, .rows = writer->rows };

    memcpy(witness.epoch, writer->epoch, sizeof witness.epoch);
    if (pwrite(writer->lock_fd, &witness, sizeof witness, 0) != sizeof witness) {
        log_debug(LOG_STORE, "witness not written", "file=%s-lock", writer->place.path);
    }
}

enum err sqlite_witness_load(struct sqlite_writer *writer)
{
    return sqlite_read_int(&writer->conn, "SELECT coalesce(sum(position), 0) FROM business",
                           &writer->rows);
}

static enum err load_epoch(struct sqlite_writer *writer, char epoch[17])
{
    struct query q =
        query_begin(&writer->conn, ST_EPOCH_READ, "SELECT value FROM meta WHERE key = 'epoch'");
    struct str value = query_row(&q) ? get_str(&q) : STR_NONE;

    snprintf(epoch, 17, "%.*s", (int)MIN(value.len, (size_t)16), value.data);
    return query_end(&q);
}

static void tell_missing(struct sqlite_writer *writer, int64_t rows, int64_t messages)
{
    snprintf(writer->tx.notice, sizeof writer->tx.notice,
             "when siod started, what was committed last was missing: %" PRId64
             " rows of the log; a new history was begun",
             rows);
    log_error(LOG_STORE, "commits are missing", "file=%s log_rows=%" PRId64 " messages=%" PRId64,
              writer->place.path, rows, messages);
}

/* How much of the other's history it has cannot be told. */
static void tell_other(struct sqlite_writer *writer, const struct witness *witness)
{
    snprintf(writer->tx.notice, sizeof writer->tx.notice,
             "when siod started, the database was of another history than what was here before,"
             " which had %" PRId64 " rows of the log; a new history was begun",
             witness->rows);
    log_error(LOG_STORE, "database of another history",
              "file=%s log_rows=%" PRId64 " rows_before=%" PRId64, writer->place.path, writer->rows,
              witness->rows);
}

enum err sqlite_witness_check(struct sqlite_writer *writer, bool *ret_lost)
{
    char epoch[17] = "";
    struct witness witness;
    ssize_t len = pread(writer->lock_fd, &witness, sizeof witness, 0);
    enum err err = load_epoch(writer, epoch);

    *ret_lost = false;
    if (err != OK || len != sizeof witness) {
        return err;
    }
    if (memcmp(witness.epoch, epoch, sizeof witness.epoch) != 0) {
        *ret_lost = witness.messages > 0 || witness.rows > 0;
        if (*ret_lost) {
            tell_other(writer, &witness);
        }
    } else if (witness.messages > writer->saved.message || witness.rows > writer->rows) {
        *ret_lost = true;
        tell_missing(writer, MAX(witness.rows - writer->rows, (int64_t)0),
                     MAX(witness.messages - writer->saved.message, (int64_t)0));
    }
    return OK;
}
