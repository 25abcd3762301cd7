/* The write-ahead log in few writes.
 *
 * SQLite writes each page of a transaction to the log in two pieces, a header and the page, at
 * offsets that are no multiple of a page. Here they are gathered, and reach the file with the
 * transaction's last page, or before anything looks at the file: a read of these bytes, a sync.
 * What comes behind the last page (making it durable, showing it to readers) finds all of it
 * written, so an error is reported in time and nobody reads what is not there.
 *
 * A frame's header is 24 bytes; bytes 4 to 7 are the size of the database for the last frame of a
 * transaction and zero for all others (SQLite, "Database File Format", 4.1). A transaction that did
 * not fit into the cache, and changed a page that was in the log already, has the headers behind
 * that page written once more, without their pages, when everything else is there: nothing comes
 * behind them that they could wait for. */
#include <string.h>

#include "libshared/alloc.h"
#include "siod/store/sqlite.h"

enum {
    GATHER_MAX = 64 << 10, /* SQLite's own VFS takes less than 128 KiB at once */
    FRAME_HEADER = 24,
};

struct walfile {
    sqlite3_file file; /* first, for SQLite */
    sqlite3_file *real;
    char *bytes; /* gathered for `at` */
    int len;
    sqlite3_int64 at;
    sqlite3_int64 end; /* of what was written last */
    bool more; /* more frames of the transaction follow the one whose header was the last one */
};

struct walfile_vfs {
    sqlite3_vfs vfs; /* first, for SQLite */
    sqlite3_vfs *base;
};

static struct walfile *walfile_of(sqlite3_file *file)
{
    return CONTAINER_OF(file, struct walfile, file);
}

static int flush(struct walfile *wal)
{
    int len = wal->len;

    wal->len = 0;
    return len > 0 ? wal->real->pMethods->xWrite(wal->real, wal->bytes, len, wal->at) : SQLITE_OK;
}

static int gather(struct walfile *wal, const void *data, int len, sqlite3_int64 at)
{
    int rc = SQLITE_OK;

    if (at != wal->at + wal->len || wal->len + len > GATHER_MAX) {
        rc = flush(wal);
    }
    if (rc != SQLITE_OK || len > GATHER_MAX) {
        return rc != SQLITE_OK ? rc : wal->real->pMethods->xWrite(wal->real, data, len, at);
    }
    if (wal->bytes == NULL) {
        wal->bytes = xmalloc(GATHER_MAX);
    }
    if (wal->len == 0) {
        wal->at = at;
    }
    memcpy(wal->bytes + wal->len, data, (size_t)len);
    wal->len += len;
    return SQLITE_OK;
}

static int wal_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    static const char no_size[4];
    struct walfile *wal = walfile_of(file);
    bool follows = at == wal->end;
    int rc = gather(wal, data, len, at);

    wal->end = at + len;
    if (len == FRAME_HEADER) {
        wal->more = memcmp((const char *)data + 4, no_size, sizeof no_size) == 0;
    }
    if (rc == SQLITE_OK && (len == FRAME_HEADER ? !follows : !wal->more)) {
        rc = flush(wal);
    }
    return rc;
}

static int wal_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    struct walfile *wal = walfile_of(file);
    bool gathered = at < wal->at + wal->len && at + len > wal->at;
    int rc = gathered ? flush(wal) : SQLITE_OK;

    return rc != SQLITE_OK ? rc : wal->real->pMethods->xRead(wal->real, data, len, at);
}

static int wal_close(sqlite3_file *file)
{
    struct walfile *wal = walfile_of(file);

    free(wal->bytes); /* of a transaction that did not get as far as its commit */
    return wal->real->pMethods->xClose(wal->real);
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct walfile *wal = walfile_of(file);
    int rc = flush(wal);

    return rc != SQLITE_OK ? rc : wal->real->pMethods->xTruncate(wal->real, size);
}

static int wal_sync(sqlite3_file *file, int flags)
{
    struct walfile *wal = walfile_of(file);
    int rc = flush(wal);

    return rc != SQLITE_OK ? rc : wal->real->pMethods->xSync(wal->real, flags);
}

static int wal_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    struct walfile *wal = walfile_of(file);
    int rc = flush(wal);

    return rc != SQLITE_OK ? rc : wal->real->pMethods->xFileSize(wal->real, ret);
}

static int wal_lock(sqlite3_file *file, int level)
{
    return walfile_of(file)->real->pMethods->xLock(walfile_of(file)->real, level);
}

static int wal_unlock(sqlite3_file *file, int level)
{
    return walfile_of(file)->real->pMethods->xUnlock(walfile_of(file)->real, level);
}

static int wal_check_reserved_lock(sqlite3_file *file, int *ret)
{
    return walfile_of(file)->real->pMethods->xCheckReservedLock(walfile_of(file)->real, ret);
}

static int wal_file_control(sqlite3_file *file, int op, void *arg)
{
    return walfile_of(file)->real->pMethods->xFileControl(walfile_of(file)->real, op, arg);
}

static int wal_sector_size(sqlite3_file *file)
{
    return walfile_of(file)->real->pMethods->xSectorSize(walfile_of(file)->real);
}

static int wal_device(sqlite3_file *file)
{
    return walfile_of(file)->real->pMethods->xDeviceCharacteristics(walfile_of(file)->real);
}

static const sqlite3_io_methods wal_methods = {
    .iVersion = 1, /* a log has no shared memory and is not mapped */
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_file_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_reserved_lock,
    .xFileControl = wal_file_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_device,
};

static int open_log(sqlite3_vfs *base, const char *name, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    struct walfile *wal = walfile_of(file);
    int rc;

    *wal = (struct walfile) { .real = (sqlite3_file *)(wal + 1) };
    rc = base->xOpen(base, name, wal->real, flags, ret_flags);
    if (rc == SQLITE_OK) {
        wal->file.pMethods = &wal_methods;
    }
    return rc;
}

/* Every other file is the base's alone. */
static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    sqlite3_vfs *base = CONTAINER_OF(vfs, struct walfile_vfs, vfs)->base;

    return (flags & SQLITE_OPEN_WAL) != 0 ? open_log(base, name, file, flags, ret_flags)
                                          : base->xOpen(base, name, file, flags, ret_flags);
}

char *sqlite_walfile_vfs(const char *base_name)
{
    sqlite3_vfs *base = sqlite3_vfs_find(base_name);
    char *name;
    struct walfile_vfs *own;

    if (base == NULL) {
        return base_name != NULL ? xstrdup(base_name) : NULL;
    }
    name = xasprintf("%s-gather", base->zName);
    if (sqlite3_vfs_find(name) != NULL) {
        return name;
    }
    own = xnew(struct walfile_vfs);
    own->base = base;
    own->vfs = *base;
    own->vfs.pNext = NULL;
    own->vfs.zName = xstrdup(name);
    own->vfs.szOsFile = (int)sizeof(struct walfile) + base->szOsFile;
    own->vfs.xOpen = open_file;
    if (sqlite3_vfs_register(&own->vfs, 0) != SQLITE_OK) {
        abort();
    }
    return name;
}
