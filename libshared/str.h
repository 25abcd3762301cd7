/* A borrowed run of bytes: it owns nothing and need not end in NUL. */
#pragma once

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct str {
    const char *data;
    size_t len;
};

/* STR("literal"), printf("%.*s", STR_ARG(s)) */
#define STR(literal) ((struct str) { (literal), sizeof(literal) - 1 })
#define STR_INIT(literal)                                                                          \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define STR_ARG(s) (int)(s).len, (s).data
#define STR_NONE   ((struct str) { NULL, 0 })

static inline struct str str_of(const char *text)
{
    return (struct str) { text, text != NULL ? strlen(text) : 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

static inline bool str_ends_with(struct str s, struct str end)
{
    return s.len >= end.len &&
           (end.len == 0 || memcmp(s.data + s.len - end.len, end.data, end.len) == 0);
}

/* Is it in the list, which ends with NULL? NULL is in none. */
static inline bool cstr_in(const char *text, const char *const *list)
{
    for (; text != NULL && *list != NULL; list++) {
        if (strcmp(text, *list) == 0) {
            return true;
        }
    }
    return false;
}

/* Are the digits in both the same, whatever stands between them, and is there one? */
static inline bool str_same_digits(struct str a, struct str b)
{
    size_t i = 0, j = 0, digits = 0;

    for (;;) {
        while (i < a.len && !isdigit((unsigned char)a.data[i])) {
            i++;
        }
        while (j < b.len && !isdigit((unsigned char)b.data[j])) {
            j++;
        }
        if (i == a.len || j == b.len) {
            return i == a.len && j == b.len && digits > 0;
        }
        if (a.data[i++] != b.data[j++]) {
            return false;
        }
        digits++;
    }
}

/* `s` without its first `n` bytes; n <= s.len. */
static inline struct str str_skip(struct str s, size_t n)
{
    return (struct str) { s.data + n, s.len - n };
}

/* Takes its first `n` bytes off *s; n <= s->len. */
static inline struct str str_take(struct str *s, size_t n)
{
    struct str taken = { s->data, n };

    *s = str_skip(*s, n);
    return taken;
}

/* `s` without the spaces and tabs around it. */
static inline struct str str_trim(struct str s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s = str_skip(s, 1);
    }
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}
