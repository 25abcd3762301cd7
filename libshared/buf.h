/* A growable byte buffer. After buf_finish() it is empty and can be used again. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/str.h"

struct buf {
    char *data; /* NULL while nothing was ever stored; otherwise data[len] is NUL */
    size_t len;
    size_t cap;
};

#define BUF_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }
#define autobuf CLEANUP(buf_finish)

void buf_finish(struct buf *buf);
/* Forget the content, keep the memory. */
void buf_clear(struct buf *buf);
/* buf_reserve() where there is no room yet. */
void buf_grow(struct buf *buf, size_t more);
void buf_add_u64(struct buf *buf, uint64_t value);
void buf_add_i64(struct buf *buf, int64_t value);
PRINTF(2, 3) void buf_printf(struct buf *buf, const char *format, ...);
PRINTF(2, 0) void buf_vprintf(struct buf *buf, const char *format, va_list args);
/* What a terminal would obey becomes \x1b and the like. */
void buf_add_printable(struct buf *buf, const char *text);
/* Drop the first `n` bytes. */
void buf_consume(struct buf *buf, size_t n);
/* The bytes, NUL-terminated, now the caller's to free(); the buffer is empty again. Never NULL. */
NODISCARD
char *buf_take(struct buf *buf);

/* Room for `more` bytes after the present ones; returns where they go. The caller adds to len
 * afterwards. */
static inline char *buf_reserve(struct buf *buf, size_t more)
{
    if (UNLIKELY(buf->cap - buf->len <= more)) {
        buf_grow(buf, more);
    }
    return buf->data + buf->len;
}

/* In line, because most of what is added is short or a literal. */
static inline void buf_add(struct buf *buf, const void *data, size_t len)
{
    char *to = buf_reserve(buf, len);

    if (len > 0) {
        memcpy(to, data, len);
    }
    to[len] = '\0';
    buf->len += len;
}

static inline void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

static inline void buf_add_str(struct buf *buf, struct str text)
{
    buf_add(buf, text.data, text.len);
}

static inline void buf_add_cstr(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

static inline struct str buf_str(const struct buf *buf)
{
    return (struct str) { buf->data, buf->len };
}
