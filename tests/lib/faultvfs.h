/* A SQLite VFS for tests: a disk whose power can be cut and that can fail.
 *
 * It is called "fault" (`sqlite:/path?vfs=fault`) and keeps its files in the default VFS, where
 * SQLite sees every write at once. Beside them it keeps, for each file, what a disk would hold: the
 * bytes as of the last fsync, and the writes since then. Nothing is ever really synced, so it is
 * fast. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum fault_mode {
    FAULT_NONE,
    FAULT_NO_SPACE,  /* every write fails with SQLITE_FULL */
    FAULT_READ_ONLY, /* the file system was remounted read-only */
    FAULT_SYNC,      /* every fsync fails */
};

/* Registers the VFS, once a process. */
void faultvfs_register(void);
/* Forgets all files and faults; `seed` decides what becomes of unsynced writes. */
void faultvfs_reset(uint64_t seed);
void faultvfs_mode(enum fault_mode mode);
/* The nth fsync from now (1 = the next) fails, once. As Linux does it: what it should have written
 * is clean from then on, the file shows it, and the disk has an arbitrary part of it; whoever has
 * the file open hears of it at the next fsync. */
void faultvfs_fail_sync(unsigned nth);
/* The power is cut at the nth write, truncation, fsync or deletion from now; it and everything
 * later fails. 0 = never. */
void faultvfs_cut_at(unsigned nth);
bool faultvfs_is_cut(void);
/* Since faultvfs_reset(). */
unsigned faultvfs_operations(void);
unsigned faultvfs_syncs(void);
/* Cuts the power, unless that has happened, and writes what the disk may hold of the database
 * `path` and its journals to `image`: everything synced, and of the rest nothing, all, a beginning,
 * or any torn 512-byte sectors. */
void faultvfs_image(const char *path, const char *image);
