/* Tables and lists for people. What others chose (names, texts) never reaches the terminal as
 * control characters. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "sioctl/output.h"
#include "sioctl/output_table.h"

bool char_is_printable(wchar_t c)
{
    return c >= 0x20 && (c < 0x7f || c > 0x9f) && (c < 0x2028 || c > 0x202e) &&
           (c < 0x2066 || c > 0x2069);
}

/* The locale is C.UTF-8, whatever the environment says. */
void text_printable(struct buf *to, struct str text)
{
    mbstate_t state = { 0 };

    while (text.len > 0) {
        wchar_t c;
        size_t len = mbrtowc(&c, text.data, text.len, &state);

        if (len == 0 || len > text.len) {
            len = 1;
            c = (unsigned char)text.data[0];
            state = (mbstate_t) { 0 };
            buf_printf(to, "\\x%02x", (unsigned)c);
        } else if (!char_is_printable(c)) {
            buf_printf(to, c < 256 ? "\\x%02x" : "\\u%04x", (unsigned)c);
        } else {
            buf_add(to, text.data, len);
        }
        text = str_skip(text, len);
    }
}

bool text_is_printable(struct str text)
{
    autobuf struct buf printable = BUF_INIT;

    text_printable(&printable, text);
    return str_eq(buf_str(&printable), text);
}

/* What a webhook had in it: the counts that are not zero. */
static void add_counts(struct buf *to, const json_t *object)
{
    size_t start = to->len;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (json_number_value(value) != 0) {
            buf_add_cstr(to, to->len > start ? " " : "");
            text_printable(to, str_of(key));
            buf_add_char(to, '=');
            json_add_tree(to, value);
        }
    }
    buf_add_cstr(to, to->len > start ? "" : "-");
}

static void add_cell(struct buf *to, const json_t *value);

static void add_items(struct buf *to, const json_t *array)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        buf_add_cstr(to, i > 0 ? "," : "");
        add_cell(to, item);
    }
    buf_add_cstr(to, json_array_size(array) > 0 ? "" : "-");
}

static void add_cell(struct buf *to, const json_t *value)
{
    if (value == NULL || json_is_null(value) ||
        (json_is_object(value) && json_object_size(value) == 0)) {
        buf_add_char(to, '-');
    } else if (json_is_string(value)) {
        text_printable(to, json_str(value));
        buf_add_cstr(to, json_string_length(value) > 0 ? "" : "-");
    } else if (json_is_array(value)) {
        add_items(to, value);
    } else {
        autobuf struct buf text = BUF_INIT;

        json_add_tree(&text, value);
        text_printable(to, buf_str(&text));
    }
}

static void add_column(struct buf *to, const struct view_column *column, const json_t *record)
{
    const json_t *value = view_dig(record, column->path);
    bool counts = strcmp(column->path, "counts") == 0 && json_is_object(value);

    (counts ? add_counts : add_cell)(to, value);
}

void text_list(struct buf *to, const struct output *out, const json_t *list)
{
    const struct view_column *column = NULL;
    struct table table = { 0 };
    const json_t *record;
    size_t i;

    while ((column = view_next(out->command, VIEW_TEXT, column)) != NULL) {
        buf_add_cstr(table_cell(&table), column->header);
        table.columns++;
    }
    json_array_foreach(list, i, record)
    {
        while ((column = view_next(out->command, VIEW_TEXT, column)) != NULL) {
            add_column(table_cell(&table), column, record);
        }
    }
    table_print(to, &table, out);
}

/* The array of objects that a member holds, with the first one's members as columns. */
static void add_inner_table(struct buf *to, const struct output *out, const json_t *list)
{
    json_t *first = json_array_get(list, 0), *record, *value;
    struct table table = { 0 };
    const char *key;
    size_t i;

    json_object_foreach(first, key, value)
    {
        if (table.columns < TABLE_COLUMNS_MAX) {
            text_printable(table_cell(&table), str_of(key));
            table.columns++;
        }
    }
    json_array_foreach(list, i, record)
    {
        size_t column = 0;

        json_object_foreach(first, key, value)
        {
            if (column++ < table.columns) {
                add_cell(table_cell(&table), json_object_get(record, key));
            }
        }
    }
    table_print(to, &table, out);
}

/* ---- objects: one member a line, tables behind */

struct lines {
    struct buf *to;
    int width;
    const struct output *out;
};

static bool is_table(const json_t *value)
{
    return json_object_size(json_array_get(value, 0)) > 0;
}

static void measure_member(void *arg, const char *path, const json_t *value)
{
    struct lines *lines = arg;

    if (!is_table(value)) {
        autobuf struct buf name = BUF_INIT;

        text_printable(&name, str_of(path));
        lines->width = MAX(lines->width, text_width(buf_str(&name)));
    }
}

static void add_member(void *arg, const char *path, const json_t *value)
{
    const struct lines *lines = arg;
    autobuf struct buf name = BUF_INIT;

    if (is_table(value)) {
        return;
    }
    text_printable(&name, str_of(path));
    buf_add_cstr(lines->to, lines->out->colour ? "\033[1m" : "");
    buf_add_str(lines->to, buf_str(&name));
    buf_add_cstr(lines->to, lines->out->colour ? "\033[0m" : "");
    text_pad(lines->to, lines->width + TABLE_GAP - text_width(buf_str(&name)));
    add_cell(lines->to, value);
    buf_add_char(lines->to, '\n');
}

static void add_table(void *arg, const char *path, const json_t *value)
{
    const struct lines *lines = arg;

    if (is_table(value)) {
        buf_add_char(lines->to, '\n');
        text_printable(lines->to, str_of(path));
        buf_add_cstr(lines->to, ":\n");
        add_inner_table(lines->to, lines->out, value);
    }
}

void text_object(struct buf *to, const struct output *out, const json_t *object)
{
    struct lines lines = { .to = to, .out = out };

    output_flatten(object, measure_member, &lines);
    output_flatten(object, add_member, &lines);
    output_flatten(object, add_table, &lines);
}

void text_record(struct buf *to, const struct output *out, const json_t *record)
{
    const struct view_column *column = view_next(out->command, VIEW_TEXT, NULL);

    while (column != NULL) {
        const struct view_column *next = view_next(out->command, VIEW_TEXT, column);
        size_t start = to->len;

        add_column(to, column, record);
        if (next != NULL) {
            text_pad(to,
                     MAX(column->width - text_width(str_skip(buf_str(to), start)), 0) + TABLE_GAP);
        }
        column = next;
    }
    buf_add_char(to, '\n');
}
