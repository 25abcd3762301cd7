#include "tests/lib/faultvfs.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>
#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"

enum { SECTOR = 512 };

/* A write (data != NULL) or a truncation that was not synced. */
struct change {
    struct change *prev, *next;
    size_t at, len;
    char data[];
};

struct model {
    struct model *next;
    char *path;
    struct buf durable;
    struct change *changes;
    bool durable_name; /* its directory entry would survive */
    bool deleted;
    unsigned errors; /* failed syncs */
};

struct fault_file {
    sqlite3_file base;
    struct model *model; /* NULL for files of no interest */
    unsigned seen; /* of the model's errors: each open file is told once of those since then */
    sqlite3_file *real;
};

static struct {
    pthread_mutex_t lock;
    sqlite3_vfs vfs, *real;
    struct model *models;
    enum fault_mode mode;
    uint64_t random;
    unsigned operations, syncs;
    unsigned cut_at, fail_sync_at; /* absolute; 0 = never */
    bool cut;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ------------------------------------------------------------------ the model */

static unsigned dice(unsigned sides)
{
    disk.random = disk.random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((disk.random >> 33) % sides);
}

static void resize(struct buf *image, size_t len)
{
    if (len > image->len) {
        memset(buf_reserve(image, len - image->len), 0, len - image->len);
    }
    image->len = len;
}

static void apply_bytes(struct buf *image, const struct change *change, size_t from, size_t to)
{
    if (change->at + to > image->len) {
        resize(image, change->at + to);
    }
    memcpy(image->data + change->at + from, change->data + from, to - from);
}

static void apply(struct buf *image, const struct change *change)
{
    if (change->len == 0) {
        resize(image, change->at);
    } else {
        apply_bytes(image, change, 0, change->len);
    }
}

/* Some of its sectors; boundaries are those of the file. */
static void apply_torn(struct buf *image, const struct change *change)
{
    size_t from = 0;

    while (from < change->len) {
        size_t to = MIN(change->len, (((change->at + from) / SECTOR) + 1) * SECTOR - change->at);

        if (dice(2) == 0) {
            apply_bytes(image, change, from, to);
        }
        from = to;
    }
}

static void forget_changes(struct model *model)
{
    struct change *change, *next;

    DL_FOREACH_SAFE (model->changes, change, next) {
        DL_DELETE(model->changes, change);
        free(change);
    }
}

/* What happens to unsynced changes when nobody syncs them any more. */
static void settle(struct model *model, struct buf *image)
{
    enum { NOTHING, ALL, BEGINNING, TORN } fate = (int)dice(4);
    struct change *change;
    unsigned count = 0, keep;

    DL_FOREACH (model->changes, change) {
        count++;
    }
    keep = dice(count + 1);
    count = 0;
    DL_FOREACH (model->changes, change) {
        count++;
        if (fate == ALL || (fate == BEGINNING && count <= keep)) {
            apply(image, change);
        } else if ((fate == TORN || (fate == BEGINNING && count == keep + 1)) && change->len > 0) {
            apply_torn(image, change);
        } else if (fate == TORN && dice(2) == 0) {
            apply(image, change);
        }
    }
}

static void record(struct model *model, size_t at, const void *data, size_t len)
{
    struct change *change = xmalloc(sizeof(*change) + len);

    change->at = at;
    change->len = len;
    if (len > 0) {
        memcpy(change->data, data, len);
    }
    DL_APPEND(model->changes, change);
}

static void commit_changes(struct model *model)
{
    struct change *change;

    DL_FOREACH (model->changes, change) {
        apply(&model->durable, change);
    }
    forget_changes(model);
    model->durable_name = true;
}

static struct model *model_find(const char *path)
{
    struct model *model;

    LL_FOREACH (disk.models, model) {
        if (strcmp(model->path, path) == 0) {
            return model;
        }
    }
    return NULL;
}

static void model_load(struct model *model)
{
    FILE *file = fopen(model->path, "rb");
    char bytes[4096];
    size_t got;

    buf_clear(&model->durable);
    forget_changes(model);
    model->deleted = false;
    model->durable_name = file != NULL;
    while (file != NULL && (got = fread(bytes, 1, sizeof(bytes), file)) > 0) {
        buf_add(&model->durable, bytes, got);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static struct model *model_open(const char *path)
{
    struct model *model = model_find(path);

    if (model == NULL) {
        model = xnew(struct model);
        model->path = xstrdup(path);
        LL_PREPEND(disk.models, model);
        model_load(model);
    } else if (model->deleted) {
        model_load(model);
    }
    return model;
}

/* Counts an operation; false when the power is off. */
static bool powered(void)
{
    disk.operations++;
    if (disk.cut_at != 0 && disk.operations >= disk.cut_at) {
        disk.cut = true;
    }
    return !disk.cut;
}

/* ------------------------------------------------------------------ files */

static struct fault_file *fault_of(sqlite3_file *file)
{
    return (struct fault_file *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return fault_of(file)->real;
}

static int fault_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int fault_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    pthread_mutex_lock(&disk.lock);
    bool off = disk.cut;
    pthread_mutex_unlock(&disk.lock);
    return off ? SQLITE_IOERR_READ : real_of(file)->pMethods->xRead(real_of(file), data, len, at);
}

/* What a write or truncation meets. */
static int writable(void)
{
    if (!powered()) {
        return SQLITE_IOERR_WRITE;
    }
    switch (disk.mode) {
    case FAULT_NO_SPACE:
        return SQLITE_FULL;
    case FAULT_READ_ONLY:
        return SQLITE_IOERR_WRITE;
    case FAULT_NONE:
    case FAULT_SYNC:
        break;
    }
    return SQLITE_OK;
}

static int fault_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct model *model = fault_of(file)->model;
    int rc = SQLITE_OK;

    pthread_mutex_lock(&disk.lock);
    if (model != NULL) {
        rc = writable();
        if (rc == SQLITE_OK) {
            record(model, (size_t)at, data, (size_t)len);
        }
    }
    if (rc == SQLITE_OK) {
        rc = real_of(file)->pMethods->xWrite(real_of(file), data, len, at);
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct model *model = fault_of(file)->model;
    int rc = SQLITE_OK;

    pthread_mutex_lock(&disk.lock);
    if (model != NULL) {
        rc = writable();
        if (rc == SQLITE_OK) {
            record(model, (size_t)size, NULL, 0);
        }
    }
    if (rc == SQLITE_OK) {
        rc = real_of(file)->pMethods->xTruncate(real_of(file), size);
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int sync_model(struct model *model)
{
    if (!powered()) {
        return SQLITE_IOERR_FSYNC;
    }
    disk.syncs++;
    if (disk.mode == FAULT_SYNC || disk.syncs == disk.fail_sync_at) {
        settle(model, &model->durable);
        forget_changes(model);
        model->errors++;
        return SQLITE_IOERR_FSYNC;
    }
    commit_changes(model);
    return SQLITE_OK;
}

static int fault_sync(sqlite3_file *file, int flags)
{
    struct model *model = fault_of(file)->model;
    int rc = SQLITE_OK;

    (void)flags;
    pthread_mutex_lock(&disk.lock);
    if (model != NULL) {
        rc = sync_model(model);
        if (rc == SQLITE_OK && fault_of(file)->seen != model->errors) {
            rc = SQLITE_IOERR_FSYNC;
        }
        fault_of(file)->seen = model->errors;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int fault_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int fault_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int fault_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int fault_check_reserved_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int fault_file_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int fault_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int fault_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int fault_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int fault_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void fault_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int fault_shm_unmap(sqlite3_file *file, int delete_it)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_file_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_reserved_lock,
    .xFileControl = fault_file_control,
    .xSectorSize = fault_sector_size,
    .xDeviceCharacteristics = fault_device,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

/* ------------------------------------------------------------------ the VFS */

enum { INTERESTING = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL };

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    struct fault_file *fault = fault_of(file);
    bool interesting = name != NULL && (flags & INTERESTING) != 0;
    int rc;

    (void)vfs;
    memset(fault, 0, sizeof(*fault));
    fault->real = (sqlite3_file *)(fault + 1);
    pthread_mutex_lock(&disk.lock);
    if (interesting && disk.mode == FAULT_READ_ONLY) {
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    }
    if (interesting && !disk.cut) {
        fault->model = model_open(name); /* before the file exists */
        fault->seen = fault->model->errors;
    }
    rc = disk.cut ? SQLITE_CANTOPEN
                  : disk.real->xOpen(disk.real, name, fault->real, flags, ret_flags);
    if (rc == SQLITE_OK) {
        fault->base.pMethods = &methods;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    struct model *model;
    int rc;

    (void)vfs;
    pthread_mutex_lock(&disk.lock);
    rc = writable() == SQLITE_OK ? SQLITE_OK : SQLITE_IOERR_DELETE;
    if (rc == SQLITE_OK) {
        rc = disk.real->xDelete(disk.real, name, 0);
    }
    model = model_find(name);
    if (rc == SQLITE_OK && model != NULL) {
        model->deleted = true;
        model->durable_name &= sync_directory == 0;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

void faultvfs_register(void)
{
    if (disk.real == NULL) {
        disk.real = sqlite3_vfs_find(NULL);
        disk.vfs = *disk.real;
        disk.vfs.zName = "fault";
        disk.vfs.szOsFile = (int)sizeof(struct fault_file) + disk.real->szOsFile;
        disk.vfs.xOpen = fault_open;
        disk.vfs.xDelete = fault_delete;
        sqlite3_vfs_register(&disk.vfs, 0);
    }
}

/* ------------------------------------------------------------------ control */

void faultvfs_reset(uint64_t seed)
{
    struct model *model, *next;

    pthread_mutex_lock(&disk.lock);
    LL_FOREACH_SAFE (disk.models, model, next) {
        forget_changes(model);
        buf_finish(&model->durable);
        free(model->path);
        free(model);
    }
    disk.models = NULL;
    disk.mode = FAULT_NONE;
    disk.random = seed * 2862933555777941757u + 3037000493u;
    disk.operations = disk.syncs = disk.cut_at = disk.fail_sync_at = 0;
    disk.cut = false;
    pthread_mutex_unlock(&disk.lock);
}

void faultvfs_mode(enum fault_mode mode)
{
    pthread_mutex_lock(&disk.lock);
    disk.mode = mode;
    pthread_mutex_unlock(&disk.lock);
}

void faultvfs_fail_sync(unsigned nth)
{
    pthread_mutex_lock(&disk.lock);
    disk.fail_sync_at = disk.syncs + nth;
    pthread_mutex_unlock(&disk.lock);
}

void faultvfs_cut_at(unsigned nth)
{
    pthread_mutex_lock(&disk.lock);
    disk.cut_at = nth != 0 ? disk.operations + nth : 0;
    pthread_mutex_unlock(&disk.lock);
}

bool faultvfs_is_cut(void)
{
    pthread_mutex_lock(&disk.lock);
    bool cut = disk.cut;
    pthread_mutex_unlock(&disk.lock);
    return cut;
}

unsigned faultvfs_operations(void)
{
    pthread_mutex_lock(&disk.lock);
    unsigned operations = disk.operations;
    pthread_mutex_unlock(&disk.lock);
    return operations;
}

unsigned faultvfs_syncs(void)
{
    pthread_mutex_lock(&disk.lock);
    unsigned syncs = disk.syncs;
    pthread_mutex_unlock(&disk.lock);
    return syncs;
}

static void image_write(const char *path, const struct buf *image)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL || fwrite(image->data, 1, image->len, file) != image->len ||
        fclose(file) != 0) {
        perror(path);
        abort();
    }
}

static void image_of(struct model *model, const char *path)
{
    autobuf struct buf image = BUF_INIT;

    buf_add(&image, model->durable.data, model->durable.len);
    settle(model, &image);
    if (model->durable_name ? !model->deleted || dice(2) == 0 : !model->deleted && dice(2) == 0) {
        buf_reserve(&image, 1);
        image_write(path, &image);
    }
}

void faultvfs_image(const char *path, const char *image)
{
    static const char *const suffixes[] = { "", "-wal", "-journal" };

    pthread_mutex_lock(&disk.lock);
    disk.cut = true;
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        autofree char *from = xasprintf("%s%s", path, suffixes[i]);
        autofree char *to = xasprintf("%s%s", image, suffixes[i]);
        struct model *model = model_find(from);

        if (model != NULL) {
            image_of(model, to);
        }
    }
    pthread_mutex_unlock(&disk.lock);
}
