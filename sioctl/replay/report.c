#include "sioctl/replay/report.h"

#include <string.h>

#include "libshared/utf8.h"

/* XML has no way to write most controls. */
static void add_xml(struct buf *out, struct str text)
{
    bool whole = utf8_valid(text);

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '<' || c == '>' || c == '&' || c == '"') {
            buf_printf(out, "&#%d;", c);
        } else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (c >= 0x80 && !whole)) {
            buf_add_char(out, '?');
        } else {
            buf_add_char(out, (char)c);
        }
    }
}

static struct str first_line(struct str text)
{
    const char *end = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;

    return (struct str) { text.data, end != NULL ? (size_t)(end - text.data) : text.len };
}

static size_t failures(const struct replay_case *cases, size_t count)
{
    size_t failed = 0;

    for (size_t i = 0; i < count; i++) {
        failed += cases[i].failure.len > 0;
    }
    return failed;
}

static void add_junit_case(struct buf *out, const struct replay_case *one)
{
    buf_add_cstr(out, "  <testcase classname=\"webhook replay\" name=\"");
    add_xml(out, str_of(one->name));
    if (one->failure.len == 0) {
        buf_add_cstr(out, "\"/>\n");
        return;
    }
    buf_add_cstr(out, "\">\n    <failure message=\"");
    add_xml(out, first_line(buf_str(&one->failure)));
    buf_add_cstr(out, "\">");
    add_xml(out, buf_str(&one->failure));
    buf_add_cstr(out, "</failure>\n  </testcase>\n");
}

void replay_report_junit(struct buf *out, const struct replay_case *cases, size_t count,
                         double seconds)
{
    buf_printf(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
               " <testsuite name=\"webhook replay\" tests=\"%zu\" failures=\"%zu\" errors=\"0\""
               " skipped=\"0\" time=\"%.3f\">\n",
               count, failures(cases, count), seconds);
    for (size_t i = 0; i < count; i++) {
        add_junit_case(out, &cases[i]);
    }
    buf_add_cstr(out, " </testsuite>\n</testsuites>\n");
}

/* # begins a directive. */
static void add_tap_name(struct buf *out, const char *name)
{
    for (; *name != '\0'; name++) {
        buf_add_cstr(out, *name == '#' || *name == '\\' ? "\\" : "");
        buf_add_char(out, (unsigned char)*name < 0x20 ? '?' : *name);
    }
}

static void add_tap_lines(struct buf *out, struct str text)
{
    while (text.len > 0) {
        struct str line = first_line(text);

        buf_printf(out, "# %.*s\n", STR_ARG(line));
        text = str_skip(text, MIN(line.len + 1, text.len));
    }
}

void replay_report_tap(struct buf *out, const struct replay_case *cases, size_t count)
{
    buf_printf(out, "TAP version 13\n1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s %zu - ", cases[i].failure.len > 0 ? "not ok" : "ok", i + 1);
        add_tap_name(out, cases[i].name);
        buf_add_char(out, '\n');
        add_tap_lines(out, buf_str(&cases[i].failure));
    }
}
