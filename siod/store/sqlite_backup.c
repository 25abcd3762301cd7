/* A copy of the database while the daemon works.
 *
 * The pages are read in one transaction, so that they are of one moment and no commit starts the
 * copy anew; the log grows until the copy is done. They go to a file beside the target, which is
 * synced as it grows: one fsync of all of it would hold up those of the writer. Only when it is
 * whole and on disk does it get its name.
 *
 * The copy says that it is one: whoever opens it starts a new history (sqlite_epoch.c), each time
 * it is restored. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "siod/store/sqlite_backend.h"

enum {
    STEP_PAGES = 128,
    STEPS_PER_SYNC = 16, /* 8 MiB of SQLite's usual pages */
};

struct copy {
    struct sqlite_reader *reader;
    struct store_backup *backup;
    struct errmsg *msg;
    char *part; /* the file until it is done */
    int fd;     /* to sync it; closed last, as SQLite's locks go with it */
    sqlite3 *db;
};

static enum err no(struct copy *copy, enum err err, const char *path, const char *why)
{
    return err_set(copy->msg, err, "%s: %s", path, why);
}

static enum err no_errno(struct copy *copy, const char *path)
{
    int error = errno;

    return no(copy, error == EEXIST ? ERR_EXISTS : ERR_IO, path,
              error == EEXIST ? "exists already; --force overwrites it" : strerror(error));
}

/* The database and what belongs to it. */
static bool is_ours(const struct copy *copy, const struct stat *target)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", "-lock" };

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        autofree char *path = xasprintf("%s%s", copy->reader->place.path, suffixes[i]);
        struct stat own;

        if (stat(path, &own) == 0 && own.st_dev == target->st_dev && own.st_ino == target->st_ino) {
            return true;
        }
    }
    return false;
}

static enum err check_target(struct copy *copy)
{
    const char *path = copy->backup->path;
    struct stat target;

    if (path[0] != '/') {
        return no(copy, ERR_INVALID, path, "the daemon needs an absolute path");
    }
    if (stat(path, &target) != 0) {
        return errno == ENOENT ? OK : no_errno(copy, path);
    }
    if (is_ours(copy, &target)) {
        return no(copy, ERR_INVALID, path, "is the database itself");
    }
    if (!S_ISREG(target.st_mode)) {
        return no(copy, ERR_INVALID, path, "not a file");
    }
    errno = EEXIST;
    return copy->backup->force ? OK : no_errno(copy, path);
}

static enum err open_part(struct copy *copy)
{
    copy->part = xasprintf("%s.XXXXXX", copy->backup->path);
    copy->fd = mkostemp(copy->part, O_CLOEXEC);
    if (copy->fd < 0) {
        return no_errno(copy, copy->backup->path);
    }
    if (sqlite3_open_v2(copy->part, &copy->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(copy->db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF", NULL, NULL,
                     NULL) != SQLITE_OK) {
        return no(copy, ERR_IO, copy->backup->path, sqlite3_errmsg(copy->db));
    }
    return OK;
}

static bool given_up(const struct copy *copy)
{
    return atomic_load_explicit(&copy->backup->cancelled, memory_order_relaxed) ||
           (copy->reader->reader.stop != NULL &&
            atomic_load_explicit(copy->reader->reader.stop, memory_order_relaxed));
}

static enum err copy_pages(struct copy *copy, sqlite3_backup *pages)
{
    struct store_backup *backup = copy->backup;
    int rc = SQLITE_OK;

    for (unsigned steps = 1; rc == SQLITE_OK; steps++) {
        rc = sqlite3_backup_step(pages, STEP_PAGES);
        backup->pages_left = (unsigned)sqlite3_backup_remaining(pages);
        backup->pages = (unsigned)sqlite3_backup_pagecount(pages);
        if (given_up(copy)) {
            return no(copy, ERR_TIMEOUT, backup->path, "given up");
        }
        if (steps % STEPS_PER_SYNC == 0 && fdatasync(copy->fd) != 0) {
            return no_errno(copy, backup->path);
        }
    }
    return rc == SQLITE_DONE ? OK : no(copy, ERR_IO, backup->path, sqlite3_errstr(rc));
}

static enum err copy_database(struct copy *copy)
{
    struct sqlite_conn *source = &copy->reader->conn;
    sqlite3_backup *pages;
    enum err err = sqlite_exec(source, "BEGIN; SELECT 1 FROM meta");

    if (err != OK) {
        return no(copy, err, copy->reader->place.path, source->fault->reason);
    }
    pages = sqlite3_backup_init(copy->db, "main", source->db, "main");
    if (pages == NULL) {
        return no(copy, ERR_IO, copy->backup->path, sqlite3_errmsg(copy->db));
    }
    err = copy_pages(copy, pages);
    if (sqlite3_backup_finish(pages) != SQLITE_OK && err == OK) {
        err = no(copy, ERR_IO, copy->backup->path, sqlite3_errmsg(copy->db));
    }
    return err;
}

/* One file, without a log of its own. It is opened anew: what was copied says that it has one. */
static enum err mark_copy(struct copy *copy)
{
    static const char sql[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF;"
                              "PRAGMA journal_mode = MEMORY;"
                              "INSERT OR REPLACE INTO meta VALUES ('copy', 1);"
                              "DELETE FROM meta WHERE key = 'unsynced'";
    bool good;

    sqlite3_close(TAKE(copy->db));
    good = sqlite3_open_v2(copy->part, &copy->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                           NULL) == SQLITE_OK &&
           sqlite3_exec(copy->db, sql, NULL, NULL, NULL) == SQLITE_OK;
    return good ? OK : no(copy, ERR_IO, copy->backup->path, sqlite3_errmsg(copy->db));
}

/* The directory, so that the name is on disk too. */
static enum err sync_directory(struct copy *copy)
{
    autofree char *name = xstrdup(copy->backup->path);
    int fd = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    enum err err = good ? OK : no_errno(copy, copy->backup->path);

    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static enum err publish(struct copy *copy)
{
    struct store_backup *backup = copy->backup;
    struct stat status;

    if (fsync(copy->fd) != 0 || fstat(copy->fd, &status) != 0) {
        return no_errno(copy, backup->path);
    }
    if (renameat2(AT_FDCWD, copy->part, AT_FDCWD, backup->path,
                  backup->force ? 0 : RENAME_NOREPLACE) != 0) {
        return no_errno(copy, backup->path);
    }
    free(TAKE(copy->part));
    backup->bytes = status.st_size;
    return sync_directory(copy);
}

static void copy_finish(struct copy *copy)
{
    sqlite3_close(copy->db);
    if (copy->part != NULL) {
        autofree char *journal = xasprintf("%s-journal", copy->part);

        unlink(journal);
        unlink(copy->part);
        free(copy->part);
    }
    if (copy->fd >= 0) {
        close(copy->fd);
    }
}

enum err sqlite_backup(struct store_reader *reader, struct store_backup *backup, struct errmsg *msg)
{
    CLEANUP(copy_finish)
    struct copy copy = { .reader = reader_of(reader), .backup = backup, .msg = msg, .fd = -1 };
    enum err err = check_target(&copy);

    err = err == OK ? open_part(&copy) : err;
    err = err == OK ? copy_database(&copy) : err;
    err = err == OK ? mark_copy(&copy) : err;
    if (err == OK && sqlite3_close(TAKE(copy.db)) != SQLITE_OK) {
        err = no(&copy, ERR_IO, backup->path, "cannot be closed");
    }
    return err == OK ? publish(&copy) : err;
}
