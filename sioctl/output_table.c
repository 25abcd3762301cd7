#include "sioctl/output_table.h"

#include <limits.h>
#include <stdlib.h>
#include <wchar.h>

#include "libshared/alloc.h"

/* A time has 24 columns; its minute and what says that it goes on, 17. */
enum { CUT_MIN = 24, CUT_HARD_MIN = 17 };

/* The leading bytes of `text` that fill at most `max` columns, and how many they do fill. */
static size_t fitting(struct str text, int max, int *ret_width)
{
    mbstate_t state = { 0 };
    size_t used = 0;

    *ret_width = 0;
    while (used < text.len) {
        wchar_t c;
        size_t len = mbrtowc(&c, text.data + used, text.len - used, &state);
        int width;

        if (len == 0 || len > text.len) {
            break;
        }
        width = MAX(wcwidth(c), 0);
        if (*ret_width + width > max) {
            break;
        }
        *ret_width += width;
        used += len;
    }
    return used;
}

int text_width(struct str text)
{
    int width;

    (void)fitting(text, INT_MAX, &width);
    return width;
}

void text_pad(struct buf *to, int width)
{
    for (; width > 0; width--) {
        buf_add_char(to, ' ');
    }
}

struct buf *table_cell(struct table *table)
{
    if (table->count == table->cap) {
        table->cap = table->cap > 0 ? table->cap * 2 : 64;
        table->cells = xrealloc(table->cells, table->cap * sizeof(*table->cells));
    }
    table->cells[table->count] = (struct buf)BUF_INIT;
    return &table->cells[table->count++];
}

/* Returns the width of a row. */
static int measure(const struct table *table, int widths[TABLE_COLUMNS_MAX])
{
    int sum = TABLE_GAP * ((int)table->columns - 1);

    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;

        widths[column] = MAX(widths[column], text_width(buf_str(&table->cells[i])));
    }
    for (size_t i = 0; i < table->columns; i++) {
        sum += widths[i];
    }
    return sum;
}

/* Takes `excess` from the widest columns from `first` on, a column of the terminal at a time, as
 * far as `min` allows. Returns what is left of it. */
static int narrow(const struct table *table, int widths[TABLE_COLUMNS_MAX], size_t first, int min,
                  int excess)
{
    for (; excess > 0 && first < table->columns; excess--) {
        size_t widest = first;

        for (size_t i = first + 1; i < table->columns; i++) {
            widest = widths[i] > widths[widest] ? i : widest;
        }
        if (widths[widest] <= min) {
            break;
        }
        widths[widest]--;
    }
    return excess;
}

/* The first column is what a line is found by: its cut is the last that is made, and a small one.
 */
static void fit(const struct table *table, int widths[TABLE_COLUMNS_MAX], int excess)
{
    excess = narrow(table, widths, 1, CUT_MIN, excess);
    excess = narrow(table, widths, 1, CUT_HARD_MIN, excess);
    (void)narrow(table, widths, 0, CUT_MIN, excess);
}

static void add_cell(struct buf *to, struct str cell, int width, bool last)
{
    int filled = text_width(cell);

    if (filled > width) {
        buf_add(to, cell.data, fitting(cell, width - 1, &filled));
        buf_add_cstr(to, "…");
        filled++;
    } else {
        buf_add_str(to, cell);
    }
    text_pad(to, last ? 0 : width + TABLE_GAP - filled);
}

static void add_row(struct buf *to, const struct table *table, size_t row, const int *widths)
{
    for (size_t i = 0; i < table->columns; i++) {
        add_cell(to, buf_str(&table->cells[row * table->columns + i]), widths[i],
                 i + 1 == table->columns);
    }
}

void table_print(struct buf *to, struct table *table, const struct output *out)
{
    int widths[TABLE_COLUMNS_MAX] = { 0 };
    int width = measure(table, widths);

    if (out->columns > 0) {
        fit(table, widths, width - out->columns);
    }
    for (size_t row = 0; row * table->columns < table->count; row++) {
        buf_add_cstr(to, row == 0 && out->colour ? "\033[1m" : "");
        add_row(to, table, row, widths);
        buf_add_cstr(to, row == 0 && out->colour ? "\033[0m\n" : "\n");
    }
    for (size_t i = 0; i < table->count; i++) {
        buf_finish(&table->cells[i]);
    }
    free(table->cells);
}
