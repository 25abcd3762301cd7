/* Reading what lies under tests/vectors. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "libshared/buf.h"

/* The file's bytes; ends the test program when it cannot be read. Returns what `buf` holds. */
static inline struct str vector_read(const char *name, struct buf *buf)
{
    char path[512];
    FILE *file;
    size_t got;

    snprintf(path, sizeof path, "%s/%s", VECTORS_DIR, name);
    file = fopen(path, "rbe");
    if (file == NULL) {
        perror(path);
        abort();
    }
    buf_clear(buf);
    do {
        got = fread(buf_reserve(buf, 65536), 1, 65536, file);
        buf->len += got;
    } while (got > 0);
    fclose(file);
    return buf_str(buf);
}
