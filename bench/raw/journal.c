#include "bench/raw/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/lib/fail.h"
#include "libshared/alloc.h"

enum { BLOCK = 4096, BLOCKS = 1024 };

struct journal {
    int fd;
    off_t at;
};

static void write_next(struct journal *journal, struct str piece)
{
    size_t len = MIN(piece.len, (size_t)BLOCK);

    if (pwrite(journal->fd, piece.data, len, journal->at) != (ssize_t)len) {
        bench_fail("journal: %s", strerror(errno));
    }
    journal->at = (journal->at + BLOCK) % ((off_t)BLOCK * BLOCKS);
}

static void sync_all(const struct journal *journal)
{
    if (fdatasync(journal->fd) != 0) {
        bench_fail("journal: %s", strerror(errno));
    }
}

/* Its blocks are written once before: the first write to a block changes the file's map, too. */
struct journal *journal_new(const char *path)
{
    struct journal *journal = xnew(struct journal);
    const char zeros[BLOCK] = { 0 };

    journal->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (journal->fd < 0) {
        bench_fail("%s: %s", path, strerror(errno));
    }
    for (int i = 0; i < BLOCKS; i++) {
        write_next(journal, (struct str) { zeros, BLOCK });
    }
    sync_all(journal);
    return journal;
}

void journal_free(struct journal *journal)
{
    if (journal != NULL) {
        close(journal->fd);
        free(journal);
    }
}

void journal_append(struct journal *journal, struct str piece)
{
    write_next(journal, piece);
    sync_all(journal);
}
