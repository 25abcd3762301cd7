/* Looking after a database that no daemon has open: what sioctl does with --file. Every function
 * returns when it is done; none starts a thread.
 *
 * The same checks run in the daemon (store.h, store_check()), over a connection of its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"

/* One check and what it found: each problem is a line of `details`, of which the first few are
 * given. Borrowed. */
struct store_finding {
    const char *check; /* "pages": check.def */
    const char *what;  /* what it looks at, for people */
    uint64_t problems;
    struct str details;
};
typedef void store_finding_fn(void *arg, const struct store_finding *finding);

/* Tells of each check. OK means that all were made, not that all is well. Nothing is written, but
 * where there is a -wal SQLite makes its index, -shm, anew. As a
 * daemon may have the file open, a check can meet another one's lock and is then ERR_STORE. */
NODISCARD
enum err store_file_check(const char *path, store_finding_fn *fn, void *arg, struct errmsg *msg);

struct store_schema {
    unsigned version; /* of the file */
    unsigned newest;  /* that this program knows */
};
/* ERR_INVALID: it is not siod's, or empty, or has a log beside it and is missing; ERR_UNSUPPORTED:
 * newer than this program; ERR_STORE: it cannot be read. The newest version is always returned. */
NODISCARD
enum err store_file_schema(const char *path, struct store_schema *ret, struct errmsg *msg);
/* Brings it up to date. ERR_BUSY while a daemon uses it. *ret: as it was before. */
NODISCARD
enum err store_file_migrate(const char *path, struct store_schema *ret, struct errmsg *msg);
/* The version that this program knows, and brings every store to. */
unsigned store_newest_schema(void);
/* The name of the migration that leads to that version: "002-assignment". */
const char *store_migration_name(unsigned version);
