/* Tab-separated values: one record a line. In a text, tab, newline, carriage return and backslash
 * are written \t, \n, \r and \\; a nested value is compact JSON, which has none of the first three
 * and goes into a parser as it is. null is empty. */
#include "libshared/json.h"
#include "sioctl/output.h"

static void add_escaped(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case '\t':
            buf_add_cstr(to, "\\t");
            break;
        case '\n':
            buf_add_cstr(to, "\\n");
            break;
        case '\r':
            buf_add_cstr(to, "\\r");
            break;
        case '\\':
            buf_add_cstr(to, "\\\\");
            break;
        default:
            buf_add_char(to, text.data[i]);
        }
    }
}

static void add_cell(struct buf *to, const json_t *value)
{
    if (json_is_string(value)) {
        add_escaped(to, json_str(value));
    } else if (value != NULL && !json_is_null(value)) {
        json_add_tree(to, value);
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
