/* The name of this history. With synchronous=FULL what was announced is on disk. With NORMAL the
 * last commits before a power cut may be lost although clients were told of them, and their
 * positions are given out again: then the history needs a new name. While the database is open that
 * way it carries the machine's boot id; whoever finds another one's starts a new epoch. So does
 * whoever opens a backup, which says that it is one. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "siod/store/sqlite.h"

enum { BOOT_ID_SIZE = 40, EPOCH_LEN = 16 };

static struct str boot_id(char buffer[BOOT_ID_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, buffer, BOOT_ID_SIZE - 1) : 0;

    if (fd >= 0) {
        close(fd);
    }
    buffer[MAX(len, 0)] = '\0';
    return (struct str) { buffer, strcspn(buffer, "\n") };
}

static enum err renew_if_another(struct sqlite_conn *conn, struct str boot, bool renew)
{
    struct query q = query_begin(conn, ST_EPOCH_RENEW,
                                 "UPDATE meta SET value = lower(hex(randomblob(8)))"
                                 " WHERE key = 'epoch' AND (?2 OR EXISTS (SELECT 1 FROM meta"
                                 " WHERE key = 'copy' OR (key = 'unsynced' AND value <> ?1)))");

    put_str(&q, boot);
    put_int(&q, renew);
    return query_run(&q);
}

static enum err mark(struct sqlite_conn *conn, struct str boot)
{
    struct query q = query_begin(conn, ST_EPOCH_MARK,
                                 "INSERT OR REPLACE INTO meta (key, value) VALUES ('unsynced', ?)");

    put_str_full(&q, boot);
    return query_run(&q);
}

enum err sqlite_epoch_unmark(struct sqlite_conn *conn)
{
    return sqlite_run(conn, ST_EPOCH_UNMARK, "DELETE FROM meta WHERE key = 'unsynced'");
}

static enum err read_epoch(struct sqlite_conn *conn, char *ret_epoch)
{
    struct query q = query_begin(conn, ST_EPOCH_READ, "SELECT value FROM meta WHERE key = 'epoch'");
    struct str epoch = STR_NONE;
    enum err err;

    if (query_row(&q)) {
        epoch = get_str(&q);
    }
    if (epoch.len == EPOCH_LEN) {
        memcpy(ret_epoch, epoch.data, EPOCH_LEN);
        ret_epoch[EPOCH_LEN] = '\0';
    }
    err = query_end(&q);
    return err == OK && epoch.len != EPOCH_LEN
               ? store_fault_set(conn->fault, "the table meta has no epoch")
               : err;
}

enum err sqlite_epoch_load(struct sqlite_conn *conn, bool synchronous_full, bool renew,
                           char *ret_epoch)
{
    char buffer[BOOT_ID_SIZE];
    struct str boot = boot_id(buffer);
    enum err err = sqlite_run(conn, ST_BEGIN, "BEGIN IMMEDIATE");

    if (err == OK) {
        err = renew_if_another(conn, boot, renew);
    }
    if (err == OK) {
        err = sqlite_run(conn, ST_EPOCH_OWN, "DELETE FROM meta WHERE key = 'copy'");
    }
    if (err == OK) {
        err = synchronous_full ? sqlite_epoch_unmark(conn) : mark(conn, boot);
    }
    if (err == OK) {
        err = read_epoch(conn, ret_epoch);
    }
    return err == OK ? sqlite_run(conn, ST_COMMIT, "COMMIT") : err;
}
