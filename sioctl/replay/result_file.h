/* A file that a replay writes when it has ended, opened before it begins: what cannot be written is
 * known before anything is delivered, and what was there stays until the new one is whole. */
#pragma once

#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/buf.h"

/* Zero-initialised: not wanted. */
struct result_file {
    const char *path; /* as it was given; borrowed */
    char *target;     /* the same, links followed; NULL: it is no file */
    char *part;       /* beside it, until it is whole; NULL: it is written in place */
    int fd;
};

/* "-" is the standard output, and so is what else names the file or pipe that it is. */
bool result_file_is_stdout(const char *path);
/* Would what is written to the one be in, or instead of, what is written to the other? */
bool result_file_same(const char *a, const char *b);

/* NULL opens nothing. Says what went wrong. Release with
 * result_file_finish() in either case. */
NODISCARD
bool result_file_open(struct result_file *file, const char *path);
/* All of it, once. Says what went wrong. */
NODISCARD
bool result_file_write(struct result_file *file, const struct buf *text);
void result_file_finish(struct result_file *file);
