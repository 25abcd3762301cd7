#include "libshared/alloc.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static NORETURN void out_of_memory(size_t size)
{
    fprintf(stderr, "out of memory (%zu bytes)\n", size);
    abort();
}

enum { GIVE_BACK_BYTES = 65536 };

void alloc_give_back(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, GIVE_BACK_BYTES);
}

void *xmalloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);

    if (ptr == NULL) {
        out_of_memory(size);
    }
    return ptr;
}

void *xcalloc(size_t count, size_t size)
{
    void *ptr = calloc(count ? count : 1, size ? size : 1);

    if (ptr == NULL) {
        out_of_memory(size);
    }
    return ptr;
}

void *xrealloc(void *ptr, size_t size)
{
    void *moved = realloc(ptr, size ? size : 1);

    if (moved == NULL) {
        out_of_memory(size);
    }
    return moved;
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t len)
{
    char *copy = xmalloc(len + 1);

    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void *xmemdup(const void *data, size_t size)
{
    void *copy = xmalloc(size);

    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

char *xasprintf(const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        out_of_memory(0);
    }
    va_end(args);
    return text;
}
