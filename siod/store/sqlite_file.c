/* care.h: a database without its daemon. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "siod/store/care.h"
#include "siod/store/sqlite.h"

struct file {
    struct sqlite_place place;
    struct sqlite_conn conn;
    struct store_fault fault;
    int lock_fd;
};

static void file_finish(struct file *file)
{
    sqlite_conn_close(&file->conn);
    if (file->lock_fd >= 0) {
        close(file->lock_fd);
    }
}

static enum err blame(const struct file *file, enum err err, struct errmsg *msg)
{
    return err_set(msg, err, "%s: %s", file->place.path,
                   file->fault.set ? file->fault.reason : err_text(err));
}

/* What SQLite would make of a directory, or of nothing, is less clear. */
static enum err file_open(struct file *file, const char *path, struct errmsg *msg)
{
    struct stat status;
    enum err err;

    *file = (struct file) { .place.path = (char *)(uintptr_t)path, .lock_fd = -1 };
    file->conn.fault = &file->fault;
    err = sqlite_stray_log_check(path, msg);
    if (err != OK) {
        return err;
    }
    if (stat(path, &status) != 0) {
        return err_set(msg, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                       strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(msg, ERR_INVALID, "%s: not a file", path);
    }
    err = sqlite_conn_open(&file->conn, &file->place, SQLITE_OPEN_READWRITE, &file->fault);
    return err == OK ? OK : blame(file, err, msg);
}

/* Who only looks leaves the log where it is. */
static enum err look_only(struct file *file, bool on, struct errmsg *msg)
{
    sqlite3_db_config(file->conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on, NULL);
    enum err err =
        sqlite_exec(&file->conn, on ? "PRAGMA query_only = ON" : "PRAGMA query_only = OFF");

    return err == OK ? OK : blame(file, err, msg);
}

/* A daemon makes its store of an empty file, but what was to be a copy and is empty is none. */
static enum err identify(struct file *file, unsigned *ret_version, struct errmsg *msg)
{
    const char *path = file->place.path;
    enum err err = sqlite_identify(&file->conn, path, ret_version, msg);

    if (err == OK && *ret_version == 0) {
        return err_set(msg, ERR_INVALID, "%s: empty, and so no store of siod's", path);
    }
    return err;
}

static enum err look(struct file *file, unsigned *ret_version, struct errmsg *msg)
{
    enum err err = look_only(file, true, msg);

    return err == OK ? identify(file, ret_version, msg) : err;
}

enum err store_file_schema(const char *path, struct store_schema *ret, struct errmsg *msg)
{
    CLEANUP(file_finish) struct file file;
    enum err err = file_open(&file, path, msg);

    *ret = (struct store_schema) { .newest = sqlite_migration_count };
    return err == OK ? look(&file, &ret->version, msg) : err;
}

enum err store_file_check(const char *path, store_finding_fn *fn, void *arg, struct errmsg *msg)
{
    CLEANUP(file_finish) struct file file;
    unsigned version = 0;
    enum err err = file_open(&file, path, msg);

    err = err == OK ? look(&file, &version, msg) : err;
    if (err == OK && version < sqlite_migration_count) {
        err = err_set(msg, ERR_UNSUPPORTED,
                      "%s: its schema is version %u and is checked when it is %u: migrate it first",
                      path, version, sqlite_migration_count);
    }
    if (err != OK) {
        return err;
    }
    err = sqlite_exec(&file.conn, "BEGIN");
    err = err == OK ? sqlite_check_all(&file.conn, fn, arg) : err;
    return err == OK ? OK : blame(&file, err, msg);
}

/* Nothing is left beside a file that is refused, the lock's file neither; but what it is counts
 * once it is locked. */
static enum err migrate(struct file *file, struct store_schema *ret, struct errmsg *msg)
{
    const char *path = file->place.path;
    enum err err = look(file, &ret->version, msg);

    err = err == OK ? sqlite_lock_file(path, &file->lock_fd, msg) : err;
    err = err == OK ? look_only(file, false, msg) : err;
    err = err == OK ? identify(file, &ret->version, msg) : err;
    if (err != OK || ret->version == ret->newest) {
        return err;
    }
    return sqlite_prepare_schema(&file->conn, path, msg);
}

enum err store_file_migrate(const char *path, struct store_schema *ret, struct errmsg *msg)
{
    CLEANUP(file_finish) struct file file;
    enum err err = file_open(&file, path, msg);

    *ret = (struct store_schema) { .newest = sqlite_migration_count };
    return err == OK ? migrate(&file, ret, msg) : err;
}

const char *store_migration_name(unsigned version)
{
    return version > 0 && version <= sqlite_migration_count ? sqlite_migrations[version - 1].name
                                                            : NULL;
}

unsigned store_newest_schema(void)
{
    return sqlite_migration_count;
}
