/* The golden file: a line that says what it is, then the lines. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/json.h"
#include "sioctl/replay/golden.h"

static const struct json_limits limits = { .depth = 512, .keys = 100000 };

void golden_lines_finish(struct golden_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->list[i].text);
        free(lines->list[i].about);
    }
    free(lines->list);
    *lines = (struct golden_lines) { 0 };
}

void golden_render(struct buf *out, const struct golden_lines *lines)
{
    buf_printf(out, "{\"siogolden\":1,\"counted\":%s}\n", lines->counted ? "true" : "false");
    for (size_t i = 0; i < lines->count; i++) {
        buf_add_cstr(out, lines->list[i].text);
        buf_add_char(out, '\n');
    }
}

static char *about_line(json_t *root)
{
    static const char *const keys[] = { "answer", "record" };
    struct str text;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        text = json_str_at(root, keys[i]);
        if (text.data != NULL) {
            return xstrndup(text.data, text.len);
        }
    }
    text = json_str_at(root, "chat");
    if (text.data != NULL) {
        return xasprintf("chat %.*s", STR_ARG(text));
    }
    text = json_str_at(root, "room");
    return text.data != NULL ? xasprintf("room %.*s", STR_ARG(text)) : xstrdup("?");
}

static void set_line(struct golden_line *line, json_t *root)
{
    free(line->text);
    line->text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    if (line->about == NULL) {
        line->about = about_line(root);
    }
}

static bool read_header(json_t *root, struct golden_lines *lines)
{
    lines->counted = json_is_true(json_object_get(root, "counted"));
    return json_integer_value(json_object_get(root, "siogolden")) == 1;
}

static enum err add_line(struct golden_lines *lines, struct str text, size_t number,
                         struct errmsg *msg)
{
    struct errmsg why = { "" };
    autojson json_t *root = json_read(text, &limits, &why);

    if (root == NULL) {
        return err_set(msg, ERR_SYNTAX, "line %zu: %s", number, why.text);
    }
    if (number == 1) {
        return read_header(root, lines)
                   ? OK
                   : err_set(msg, ERR_SYNTAX, "line 1: not a golden file of this version");
    }
    if (!json_is_object(root)) {
        return err_set(msg, ERR_SYNTAX, "line %zu: not an object", number);
    }
    lines->list = xrealloc(lines->list, (lines->count + 1) * sizeof *lines->list);
    lines->list[lines->count] = (struct golden_line) { NULL, NULL };
    set_line(&lines->list[lines->count++], root);
    return OK;
}

enum err golden_parse(struct str text, struct golden_lines *ret_lines, struct errmsg *msg)
{
    struct golden_lines lines = { 0 };
    enum err err = OK;
    size_t number = 0;

    while (text.len > 0 && err == OK) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.data) : text.len;

        number++;
        if (len > 0) {
            err = add_line(&lines, (struct str) { text.data, len }, number, msg);
        }
        text = str_skip(text, MIN(len + 1, text.len));
    }
    if (err == OK && number == 0) {
        err = err_set(msg, ERR_SYNTAX, "line 1: it is empty");
    }
    if (err != OK) {
        golden_lines_finish(&lines);
        return err;
    }
    *ret_lines = lines;
    return OK;
}

void golden_uncount(struct golden_lines *lines)
{
    for (size_t i = 0; i < lines->count && lines->counted; i++) {
        autojson json_t *root = json_loads(lines->list[i].text, 0, NULL);

        if (json_object_get(root, "answer") != NULL) {
            json_object_del(root, "counts");
            json_object_del(root, "reason");
            set_line(&lines->list[i], root);
        }
    }
    lines->counted = false;
}
