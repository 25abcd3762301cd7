/* A table for people, its cells collected first, to know how wide the columns are. */
#pragma once

#include <stddef.h>

#include "libshared/buf.h"
#include "sioctl/output.h"

enum { TABLE_GAP = 2, TABLE_COLUMNS_MAX = 16 };

/* Zero-initialised; `columns` is set before the second row. */
struct table {
    size_t columns;
    struct buf *cells; /* in order of rows, the first being the header */
    size_t count, cap;
};
/* The next one, empty; borrowed until the next call. */
struct buf *table_cell(struct table *table);
/* Appends the lines and frees the cells. What is wider than the terminal has its widest columns
 * cut, but not so far that an id is lost or a time useless: then it is wider than the terminal. */
void table_print(struct buf *to, struct table *table, const struct output *out);

/* In columns of a terminal. */
int text_width(struct str text);
void text_pad(struct buf *to, int width);
