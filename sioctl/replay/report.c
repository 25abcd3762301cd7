#include "sioctl/replay/report.h"

#include <string.h>

#include "sioctl/output.h"

static struct str first_line(struct str text)
{
    const char *end = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;

    return (struct str) { text.data, end != NULL ? (size_t)(end - text.data) : text.len };
}

/* The rest of the text, behind the line that it begins with. */
static struct str next_lines(struct str text, struct str line)
{
    return str_skip(text, MIN(line.len + 1, text.len));
}

/* U+FFFE and U+FFFF: XML has no way to write them, as little as controls (XML 1.0 §2.2). */
static bool is_no_character(struct str text)
{
    return text.len >= 3 && memcmp(text.data, "\xef\xbf", 2) == 0 &&
           (unsigned char)text.data[2] >= 0xbe;
}

static void add_xml_line(struct buf *out, struct str line)
{
    autobuf struct buf printable = BUF_INIT;
    struct str text;

    text_printable(&printable, line);
    text = buf_str(&printable);
    while (text.len > 0) {
        bool none = is_no_character(text);

        if (none) {
            buf_printf(out, "\\uff%02x", (unsigned)(unsigned char)text.data[2] + 0x40);
        } else if (strchr("<>&\"", text.data[0]) != NULL) {
            buf_printf(out, "&#%d;", text.data[0]);
        } else {
            buf_add_char(out, text.data[0]);
        }
        text = str_skip(text, none ? 3 : 1);
    }
}

static void add_xml(struct buf *out, struct str text)
{
    while (text.len > 0) {
        struct str line = first_line(text);

        add_xml_line(out, line);
        buf_add_cstr(out, line.len < text.len ? "\n" : "");
        text = next_lines(text, line);
    }
}

struct tally {
    size_t failed, skipped;
};

static struct tally count_cases(const struct replay_case *cases, size_t count)
{
    struct tally tally = { 0 };

    for (size_t i = 0; i < count; i++) {
        tally.failed += cases[i].failure.len > 0;
        tally.skipped += cases[i].skipped != NULL;
    }
    return tally;
}

static void add_junit_case(struct buf *out, const struct replay_case *one)
{
    buf_add_cstr(out, "  <testcase classname=\"webhook replay\" name=\"");
    add_xml(out, str_of(one->name));
    if (one->skipped != NULL) {
        buf_add_cstr(out, "\">\n    <skipped message=\"");
        add_xml(out, str_of(one->skipped));
        buf_add_cstr(out, "\"/>\n  </testcase>\n");
        return;
    }
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
    struct tally tally = count_cases(cases, count);

    buf_printf(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
               " <testsuite name=\"webhook replay\" tests=\"%zu\" failures=\"%zu\" errors=\"0\""
               " skipped=\"%zu\" time=\"%.3f\">\n",
               count, tally.failed, tally.skipped, seconds);
    for (size_t i = 0; i < count; i++) {
        add_junit_case(out, &cases[i]);
    }
    buf_add_cstr(out, " </testsuite>\n</testsuites>\n");
}

/* # begins a directive. */
static void add_tap_name(struct buf *out, const char *name)
{
    autobuf struct buf printable = BUF_INIT;

    text_printable(&printable, str_of(name));
    for (size_t i = 0; i < printable.len; i++) {
        char c = printable.data[i];

        buf_add_cstr(out, c == '#' || c == '\\' ? "\\" : "");
        buf_add_char(out, c);
    }
}

static void add_tap_lines(struct buf *out, struct str text)
{
    while (text.len > 0) {
        struct str line = first_line(text);

        buf_add_cstr(out, "# ");
        text_printable(out, line);
        buf_add_char(out, '\n');
        text = next_lines(text, line);
    }
}

void replay_report_tap(struct buf *out, const struct replay_case *cases, size_t count)
{
    buf_printf(out, "TAP version 13\n1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s %zu - ", cases[i].failure.len > 0 ? "not ok" : "ok", i + 1);
        add_tap_name(out, cases[i].name);
        if (cases[i].skipped != NULL) {
            buf_printf(out, " # SKIP %s", cases[i].skipped);
        }
        buf_add_char(out, '\n');
        add_tap_lines(out, buf_str(&cases[i].failure));
    }
}
