/* Opening: is the file siod's, is its schema known, bring it up to date. Nothing is written to a
 * file before it is known to be siod's or empty. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/id.h"
#include "siod/store/sqlite.h"

/* 16 MiB of WAL: what is rewritten in place between two checkpoints reaches the database once. */
enum { DEFAULT_CHECKPOINT_PAGES = 4096 };

static enum err place_option(struct sqlite_place *place, char *option)
{
    char *value = strchr(option, '=');
    int64_t number;

    if (value == NULL) {
        return ERR_INVALID;
    }
    *value++ = '\0';
    if (strcmp(option, "vfs") == 0) {
        free(place->vfs);
        place->vfs = xstrdup(value);
        return OK;
    }
    if (strcmp(option, "checkpoint_pages") == 0 && id_parse(str_of(value), &number) &&
        number <= 1 << 20) {
        place->checkpoint_pages = (unsigned)number;
        return OK;
    }
    return ERR_INVALID;
}

enum err sqlite_place_parse(const struct store_config *config, struct sqlite_place *ret,
                            struct errmsg *msg)
{
    const char *path = strchr(config->url, ':') + 1;
    const char *question = strchr(path, '?');
    size_t len = question != NULL ? (size_t)(question - path) : strlen(path);
    struct sqlite_place place = { .path = xstrndup(path, len),
                                  .checkpoint_pages = DEFAULT_CHECKPOINT_PAGES,
                                  .synchronous_full = config->synchronous_full };
    autofree char *options = xstrdup(question != NULL ? question + 1 : "");
    char *rest = options, *option;
    enum err err = len > 0 ? OK : ERR_INVALID;

    while (err == OK && (option = strsep(&rest, "&")) != NULL) {
        err = *option != '\0' ? place_option(&place, option) : OK;
    }
    if (err != OK) {
        sqlite_place_finish(&place);
        return err_set(msg, err, "%s: expected sqlite:PATH[?vfs=NAME&checkpoint_pages=N]",
                       config->url);
    }
    *ret = place;
    return OK;
}

void sqlite_place_finish(struct sqlite_place *place)
{
    free(place->path);
    free(place->vfs);
    *place = (struct sqlite_place) { 0 };
}

enum err sqlite_exec(struct sqlite_conn *conn, const char *sql)
{
    return sqlite_error(conn, sqlite3_exec(conn->db, sql, NULL, NULL, NULL));
}

enum err sqlite_conn_open(struct sqlite_conn *conn, const struct sqlite_place *place, int flags,
                          struct store_fault *fault)
{
    int rc;

    *conn = (struct sqlite_conn) { .fault = fault };
    rc = sqlite3_open_v2(place->path, &conn->db,
                         flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, place->vfs);
    if (rc != SQLITE_OK) {
        enum err err = sqlite_error(conn, rc);

        sqlite_conn_close(conn);
        return err;
    }
    sqlite3_busy_timeout(conn->db, SQLITE_BUSY_MS);
    sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, SQLITE_VALUE_MAX);
    return OK;
}

void sqlite_conn_close(struct sqlite_conn *conn)
{
    for (size_t i = 0; i < ARRAY_SIZE(conn->cache); i++) {
        sqlite3_finalize(conn->cache[i]);
    }
    sqlite3_close(conn->db);
    *conn = (struct sqlite_conn) { .fault = conn->fault };
}

/* Where the database is, or would be: what is beside it is beside no link to it. */
static char *real_path(const char *path)
{
    char real[PATH_MAX] = "";

    return xstrdup(realpath(path, real) != NULL || errno == ENOENT ? real : path);
}

static int64_t size_of(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? (int64_t)status.st_size : errno == ENOENT ? 0 : -1;
}

/* SQLite takes it for what an older database left behind, and deletes it. But the database may be
 * what is missing, and everything since its last checkpoint is in the log alone. */
enum err sqlite_stray_log_check(const char *path, struct errmsg *msg)
{
    autofree char *real = real_path(path);
    autofree char *log = xasprintf("%s-wal", real);

    if (size_of(path) != 0 || size_of(log) <= 0) {
        return OK;
    }
    return err_set(msg, ERR_INVALID,
                   "%s is %s, but its log %s is not: put the database back that the log belongs to,"
                   " or move the log away",
                   path, access(path, F_OK) == 0 ? "empty" : "missing", log);
}

enum err sqlite_lock_file(const char *path, int *ret_fd, struct errmsg *msg)
{
    autofree char *real = real_path(path);
    autofree char *lock = xasprintf("%s-lock", real);

    *ret_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*ret_fd < 0) {
        return err_set(msg, ERR_STORE, "%s: %s", lock, strerror(errno));
    }
    if (flock(*ret_fd, LOCK_EX | LOCK_NB) != 0) {
        return err_set(msg, ERR_BUSY, "%s: in use by another siod", path);
    }
    return OK;
}

enum err sqlite_read_int(struct sqlite_conn *conn, const char *sql, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL);
    enum err err;

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        *ret = sqlite3_column_int64(stmt, 0);
    }
    err = sqlite_error(conn, rc);
    sqlite3_finalize(stmt);
    return err;
}

static enum err migrate_to(struct sqlite_conn *conn, unsigned version)
{
    autobuf struct buf sql = BUF_INIT;

    buf_printf(&sql,
               "BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %u; COMMIT",
               sqlite_migrations[version - 1].sql, SQLITE_APPLICATION_ID, version);
    return sqlite_exec(conn, sql.data);
}

enum err sqlite_identify(struct sqlite_conn *conn, const char *path, unsigned *ret_version,
                         struct errmsg *msg)
{
    int64_t application = 0, version = 0, tables = 0;
    enum err err = sqlite_read_int(conn, "PRAGMA application_id", &application);

    if (err == OK) {
        err = sqlite_read_int(conn, "PRAGMA user_version", &version);
    }
    if (err == OK) {
        err = sqlite_read_int(conn, "SELECT count(*) FROM sqlite_schema", &tables);
    }
    if (err != OK) {
        return err_set(msg, err, "%s: %s", path, conn->fault->reason);
    }
    if (application != SQLITE_APPLICATION_ID && (application | version | tables) != 0) {
        return err_set(msg, ERR_INVALID,
                       "%s: a SQLite database, but not siod's (application_id %#llx)", path,
                       (unsigned long long)application);
    }
    if (version > sqlite_migration_count) {
        return err_set(msg, ERR_UNSUPPORTED,
                       "%s: its schema is version %lld, this siod knows versions up to %u", path,
                       (long long)version, sqlite_migration_count);
    }
    *ret_version = (unsigned)version;
    return OK;
}

enum err sqlite_prepare_schema(struct sqlite_conn *conn, const char *path, struct errmsg *msg)
{
    unsigned version = 0;
    enum err err = sqlite_identify(conn, path, &version, msg);

    if (err != OK) {
        return err;
    }
    /* EXTRA: a rollback journal that came back after a power cut would undo everything since. */
    err = sqlite_exec(conn, "PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL;"
                            "PRAGMA wal_autocheckpoint = 0");
    while (err == OK && version < sqlite_migration_count) {
        err = migrate_to(conn, ++version);
    }
    if (err != OK) {
        return err_set(msg, err, "%s: schema %u: %s", path, version,
                       conn->fault->set ? conn->fault->reason : sqlite3_errmsg(conn->db));
    }
    return OK;
}
