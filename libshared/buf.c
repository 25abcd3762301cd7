#include "libshared/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/decimal.h"
#include "libshared/utf8.h"

enum { BUF_FIRST = 64, PRINTF_FIRST = 48 };

void buf_finish(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf)BUF_INIT;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

void buf_grow(struct buf *buf, size_t more)
{
    size_t need = buf->len + more + 1, cap = buf->cap > 0 ? buf->cap : BUF_FIRST;

    while (cap < need) {
        cap *= 2;
    }
    buf->data = xrealloc(buf->data, cap);
    buf->cap = cap;
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    buf->len += decimal_write(buf_reserve(buf, DECIMAL_MAX), value);
    buf->data[buf->len] = '\0';
}

void buf_add_i64(struct buf *buf, int64_t value)
{
    uint64_t magnitude = (uint64_t)value;

    if (value < 0) {
        buf_add_char(buf, '-');
        magnitude = 0 - magnitude;
    }
    buf_add_u64(buf, magnitude);
}

/* Most texts fit into the room there is, and are rendered once. */
void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    char *to = buf_reserve(buf, PRINTF_FIRST);
    size_t room = buf->cap - buf->len;
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(to, room, format, again);
    va_end(again);
    if (len < 0) {
        *to = '\0';
        return;
    }
    if ((size_t)len >= room) {
        vsnprintf(buf_reserve(buf, (size_t)len), (size_t)len + 1, format, args);
    }
    buf->len += (size_t)len;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_consume(struct buf *buf, size_t n)
{
    if (n == 0) {
        return;
    }
    buf->len -= n;
    memmove(buf->data, buf->data + n, buf->len + 1);
}

char *buf_take(struct buf *buf)
{
    char *data = buf_reserve(buf, 0) - buf->len;

    data[buf->len] = '\0';
    *buf = (struct buf)BUF_INIT;
    return data;
}

void buf_add_printable(struct buf *buf, const char *text)
{
    for (size_t escaped = 0; *text != '\0'; text++) {
        escaped = escaped > 0 ? escaped : utf8_control_len(text);
        if (escaped > 0) {
            escaped--;
            buf_printf(buf, "\\x%02x", (unsigned char)*text);
        } else {
            buf_add_char(buf, *text);
        }
    }
}
