/* Allocation that cannot fail: when memory is exhausted the process says so and ends. In return
 * every size that a peer chooses is checked against a limit before it gets here. */
#pragma once

#include <stddef.h>
#include <stdlib.h>

#include "libshared/base.h"

NODISCARD
void *xmalloc(size_t size);
NODISCARD
void *xcalloc(size_t count, size_t size);
NODISCARD
void *xrealloc(void *ptr, size_t size);
NODISCARD
char *xstrdup(const char *text);
NODISCARD
char *xstrndup(const char *text, size_t len);
NODISCARD
void *xmemdup(const void *data, size_t size);
NODISCARD
PRINTF(1, 2) char *xasprintf(const char *format, ...);

/* At the start of a program: blocks of 64 KB and more go back to the system as soon as they are
 * freed. Left alone, malloc raises that mark to the largest block that was ever freed, and what a
 * crowd of half messages took stays with the process for good. */
void alloc_give_back(void);

#define xnew(type) ((type *)xcalloc(1, sizeof(type)))

static inline void autofree_cleanup(void *ptr)
{
    free(*(void **)ptr);
}

/* `autofree char *path = xstrdup(…);` is freed when the scope ends. */
#define autofree CLEANUP(autofree_cleanup)
