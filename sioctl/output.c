#include "sioctl/output.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libshared/json.h"

static const enum view_shape shapes[CTL_COMMAND_COUNT] = {
#define VIEW(command, shape) [CTL_CMD_##command] = VIEW_##shape,
#define COLUMN(command, formats, header, path, width)
#include "sioctl/views.def"
#undef VIEW
#undef COLUMN
};

static const struct view_column columns[] = {
#define VIEW(command, shape)
#define COLUMN(command, formats, header, path, width)                                              \
    { CTL_CMD_##command, VIEW_##formats, header, path, width },
#include "sioctl/views.def"
#undef VIEW
#undef COLUMN
};

enum view_shape view_shape(enum ctl_command_id command)
{
    return shapes[command];
}

const struct view_column *view_next(enum ctl_command_id command, enum view_formats format,
                                    const struct view_column *column)
{
    size_t i = column != NULL ? (size_t)(column - columns) + 1 : 0;

    for (; i < ARRAY_SIZE(columns); i++) {
        if (columns[i].command == command && (columns[i].formats & format) != 0) {
            return &columns[i];
        }
    }
    return NULL;
}

const json_t *view_dig(const json_t *record, const char *path)
{
    while (record != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");

        record = json_object_getn(record, path, len);
        path += len + (path[len] == '.');
    }
    return record;
}

static bool wants_colour(int fd)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fd) && (no_color == NULL || no_color[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static int terminal_columns(int fd)
{
    struct winsize size = { 0 };

    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void output_open(struct output *out, int fd, enum output_format format, enum ctl_command_id command)
{
    *out = (struct output) {
        .fd = fd,
        .format = format,
        .command = command,
        .colour = wants_colour(fd),
        .columns = terminal_columns(fd),
    };
}

void output_plain(struct output *out, struct str text)
{
    if (!out->failed) {
        out->error = output_write(out->fd, text);
        out->failed = out->error != 0;
    }
}

static void add_document(struct buf *to, const json_t *value)
{
    json_printable(to, value, true);
    buf_add_char(to, '\n');
}

static void add_lines(struct buf *to, const json_t *value)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        json_printable(to, value, false);
        buf_add_char(to, '\n');
        return;
    }
    json_array_foreach(value, i, item)
    {
        json_printable(to, item, false);
        buf_add_char(to, '\n');
    }
}

static void add_value(struct buf *to, const struct output *out, const json_t *result)
{
    const struct view_column *column = view_next(out->command, VIEW_BOTH, NULL);

    assert(column != NULL); /* views.def has a row for every command that prints a bare value */
    buf_add_str(to, json_str(view_dig(result, column->path)));
    buf_add_char(to, '\n');
}

static void add_tsv(struct buf *to, const struct output *out, const json_t *result)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(result)) {
        tsv_object(to, result);
        return;
    }
    if (out->header) {
        tsv_header(to, out);
    }
    json_array_foreach(result, i, item)
    {
        tsv_record(to, out, item);
    }
}

static void add_text(struct buf *to, const struct output *out, const json_t *result)
{
    if (json_is_array(result)) {
        text_list(to, out, result);
    } else {
        text_object(to, out, result);
    }
}

void output_result(struct output *out, const json_t *result)
{
    bool bare = view_shape(out->command) == VIEW_VALUE;
    autobuf struct buf text = BUF_INIT;

    switch (out->format) {
    case OUTPUT_JSON:
        add_document(&text, result);
        break;
    case OUTPUT_NDJSON:
        add_lines(&text, result);
        break;
    case OUTPUT_TSV:
        (bare ? add_value : add_tsv)(&text, out, result);
        break;
    case OUTPUT_TEXT:
        (bare ? add_value : add_text)(&text, out, result);
        break;
    }
    output_plain(out, buf_str(&text));
}

bool output_record(struct output *out, const json_t *record)
{
    autobuf struct buf text = BUF_INIT;

    switch (out->format) {
    case OUTPUT_JSON:
        buf_add_cstr(&text, out->records == 0 ? "[\n" : ",\n");
        json_printable(&text, record, false);
        break;
    case OUTPUT_NDJSON:
        add_lines(&text, record);
        break;
    case OUTPUT_TSV:
        if (out->header && out->records == 0) {
            tsv_header(&text, out);
        }
        tsv_record(&text, out, record);
        break;
    case OUTPUT_TEXT:
        text_record(&text, out, record);
        break;
    }
    out->records++;
    output_plain(out, buf_str(&text));
    return !out->failed;
}

void output_close(struct output *out)
{
    bool ends = view_shape(out->command) == VIEW_STREAM && !out->closed;
    autobuf struct buf text = BUF_INIT;

    if (ends && out->format == OUTPUT_JSON) {
        buf_add_cstr(&text, out->records == 0 ? "[]\n" : "\n]\n");
    } else if (ends && out->format == OUTPUT_TSV && out->header && out->records == 0) {
        tsv_header(&text, out);
    }
    out->closed = true;
    output_plain(out, buf_str(&text));
}

/* ---- walking an object */

struct flattening {
    struct buf path;
    void (*fn)(void *arg, const char *path, const json_t *value);
    void *arg;
};

static void flatten_into(struct flattening *flattening, const json_t *object)
{
    size_t len = flattening->path.len;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        buf_printf(&flattening->path, "%s%s", len > 0 ? "." : "", key);
        if (json_is_object(value) && json_object_size(value) > 0) {
            flatten_into(flattening, value);
        } else {
            flattening->fn(flattening->arg, flattening->path.data, value);
        }
        flattening->path.len = len;
    }
}

void output_flatten(const json_t *object,
                    void (*fn)(void *arg, const char *path, const json_t *value), void *arg)
{
    struct flattening flattening = { .fn = fn, .arg = arg };

    flatten_into(&flattening, object);
    buf_finish(&flattening.path);
}

/* ---- words */

PRINTF(2, 0) static void words(const char *prefix, const char *format, va_list args)
{
    autobuf struct buf text = BUF_INIT;
    autobuf struct buf line = BUF_INIT;

    buf_vprintf(&text, format, args);
    buf_add_cstr(&line, prefix);
    text_printable(&line, buf_str(&text));
    buf_add_char(&line, '\n');
    (void)output_write(STDERR_FILENO, buf_str(&line));
}

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    words("sioctl: ", format, args);
    va_end(args);
}

void tell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    words("", format, args);
    va_end(args);
}
