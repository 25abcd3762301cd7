/* Tab-separated values: one record a line. In a text, tab, newline, carriage return and backslash
 * are written \t, \n, \r and \\, the bytes of other characters that a terminal would obey \x1b; a
 * nested value is compact JSON, which has none of them and goes into a parser as it is. null is
 * empty. */
#include <wchar.h>

#include "libshared/json.h"
#include "sioctl/output.h"

static void add_bytes(struct buf *to, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        buf_printf(to, "\\x%02x", (unsigned)(unsigned char)bytes.data[i]);
    }
}

static void add_char(struct buf *to, struct str bytes, wchar_t c)
{
    switch (c) {
    case L'\t':
        buf_add_cstr(to, "\\t");
        break;
    case L'\n':
        buf_add_cstr(to, "\\n");
        break;
    case L'\r':
        buf_add_cstr(to, "\\r");
        break;
    case L'\\':
        buf_add_cstr(to, "\\\\");
        break;
    default:
        (char_is_printable(c) ? buf_add_str : add_bytes)(to, bytes);
    }
}

static void add_escaped(struct buf *to, struct str text)
{
    mbstate_t state = { 0 };

    while (text.len > 0) {
        wchar_t c = 0;
        size_t len = mbrtowc(&c, text.data, text.len, &state);

        if (len == 0 || len > text.len) {
            len = 1;
            c = 0;
            state = (mbstate_t) { 0 };
        }
        add_char(to, (struct str) { text.data, len }, c);
        text = str_skip(text, len);
    }
}

static void add_cell(struct buf *to, const json_t *value)
{
    if (json_is_string(value)) {
        add_escaped(to, json_str(value));
    } else if (value != NULL && !json_is_null(value)) {
        json_printable(to, value, false);
    }
}

void tsv_header(struct buf *to, const struct output *out)
{
    const struct view_column *column = NULL;
    const char *separator = "";

    while ((column = view_next(out->command, VIEW_TSV, column)) != NULL) {
        buf_add_cstr(to, separator);
        buf_add_cstr(to, column->path);
        separator = "\t";
    }
    buf_add_char(to, '\n');
}

void tsv_record(struct buf *to, const struct output *out, const json_t *record)
{
    const struct view_column *column = NULL;
    const char *separator = "";

    while ((column = view_next(out->command, VIEW_TSV, column)) != NULL) {
        buf_add_cstr(to, separator);
        add_cell(to, view_dig(record, column->path));
        separator = "\t";
    }
    buf_add_char(to, '\n');
}

static void add_member(void *arg, const char *path, const json_t *value)
{
    struct buf *to = arg;

    add_escaped(to, str_of(path));
    buf_add_char(to, '\t');
    add_cell(to, value);
    buf_add_char(to, '\n');
}

void tsv_object(struct buf *to, const json_t *object)
{
    output_flatten(object, add_member, to);
}
