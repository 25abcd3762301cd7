/* Macros that every file may use. No logic lives here. */
#pragma once

#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

/* The struct of type `type` whose member `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define NODISCARD          __attribute__((warn_unused_result))
#define UNUSED             __attribute__((unused))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define NOINLINE           __attribute__((noinline))
#define NORETURN           __attribute__((noreturn))
#define LIKELY(x)          __builtin_expect(!!(x), 1)
#define UNLIKELY(x)        __builtin_expect(!!(x), 0)

/* Is this a build that watches memory or threads? Everything is slower and larger then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Scope-bound resources: `CLEANUP(buf_finish) struct buf b = BUF_INIT;` */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hand a resource out of a scope-bound variable: yields its value and clears it. */
#define TAKE(ptr)                                                                                  \
    __extension__({                                                                                \
        __typeof__(ptr) taken_ = (ptr);                                                            \
        (ptr) = NULL;                                                                              \
        taken_;                                                                                    \
    })
