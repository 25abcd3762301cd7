/* `webhook scan`: is there anything in these files that must not be passed on? */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/wire/recording.h"
#include "libshared/wire/redact.h"
#include "sioctl/sioctl.h"

enum { FILE_MAX = 1024 * 1024 * 1024, FINDINGS_MAX = 10000 };

struct scanning {
    json_t *findings; /* array */
    const char *file;
    size_t line;       /* 0 = the whole file is one document */
    const char *place; /* in front of a path: "body" */
    bool over;         /* there are enough of them, or a file is unreadable */
    bool failed;
};

static bool found(void *arg, const char *path, const char *what)
{
    struct scanning *scanning = arg;
    autofree char *whole = xasprintf(
        "%s%s%s", scanning->place, scanning->place[0] != '\0' && path[0] != '\0' ? ": " : "", path);
    autojson json_t *record = json_object();

    json_object_set_new(record, "file", json_text(str_of(scanning->file)));
    json_object_set_new(record, "line",
                        scanning->line > 0 ? json_integer((json_int_t)scanning->line)
                                           : json_null());
    json_object_set_new(record, "path", json_text(str_of(whole)));
    json_object_set_new(record, "kind", json_string(what));
    json_array_append(scanning->findings, record);
    scanning->over = scanning->over || json_array_size(scanning->findings) >= FINDINGS_MAX;
    return !scanning->over && !interrupted;
}

/* ---- recordings */

static bool is_harmless_header(struct str name)
{
    static const char *const names[] = { "content-type", "content-length", "accept",
                                         "x-hub-signature-256", "x-hub-signature" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_eq_nocase(name, str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static void scan_header(struct scanning *scanning, const struct recording_header *header)
{
    const char *what = redact_look(header->value);
    autofree char *path = NULL;

    if (is_harmless_header(header->name) && header->value.len <= 100) {
        return;
    }
    if (str_eq_nocase(header->name, STR("authorization"))) {
        what = "access token";
    }
    path = xasprintf("headers.%.*s", STR_ARG(header->name));
    scanning->place = "";
    (void)found(scanning, path, what != NULL ? what : "header");
}

static void scan_recorded(struct scanning *scanning, const struct recorded *recorded)
{
    for (size_t i = 0; i < recorded->header_count && !scanning->over; i++) {
        scan_header(scanning, &recorded->headers[i]);
    }
    scanning->place = "body";
    redact_scan(recorded->body, found, scanning);
    scanning->place = "";
}

static void unreadable(struct scanning *scanning, const struct errmsg *msg)
{
    say("%s: %s", scanning->file, msg->text);
    scanning->failed = scanning->over = true;
}

static void scan_recording(struct scanning *scanning, struct str text)
{
    struct recording recording;
    struct recorded recorded;
    struct errmsg msg = { "" };
    enum err err = recording_open(text, &recording, &msg);

    if (err != OK) {
        unreadable(scanning, &msg);
        return;
    }
    while (!scanning->over && !interrupted &&
           (err = recording_next(&recording, &recorded, &msg)) != ERR_NOT_FOUND) {
        if (err != OK) {
            unreadable(scanning, &msg);
            return;
        }
        scanning->line = recording.line;
        scan_recorded(scanning, &recorded);
        recorded_finish(&recorded);
    }
    scanning->line = 0;
}

/* ---- anything else */

static bool is_json(struct str text)
{
    const struct json_limits limits = { .depth = REDACT_DEPTH_MAX };
    autojson json_t *document = json_read(text, &limits, NULL);

    return document != NULL;
}

/* A line of a file that is not JSON as a whole: JSON alone, or words. */
static void scan_line(struct scanning *scanning, struct str line)
{
    const char *what;

    if (is_json(line)) {
        redact_scan(line, found, scanning);
        return;
    }
    what = redact_look(line);
    if (what != NULL) {
        (void)found(scanning, "", what);
    }
}

static void scan_lines(struct scanning *scanning, struct str text)
{
    while (text.len > 0 && !scanning->over && !interrupted) {
        const char *end = memchr(text.data, '\n', text.len);
        struct str line = { text.data, end != NULL ? (size_t)(end - text.data) : text.len };

        scanning->line++;
        text = str_skip(text, MIN(line.len + 1, text.len));
        scan_line(scanning, line);
    }
    scanning->line = 0;
}

static void scan_file(struct scanning *scanning, const char *path)
{
    autobuf struct buf text = BUF_INIT;

    scanning->file = path;
    scanning->place = "";
    if (!read_input(path, FILE_MAX, &text)) {
        scanning->failed = scanning->over = true;
    } else if (recording_is(buf_str(&text))) {
        scan_recording(scanning, buf_str(&text));
    } else if (is_json(buf_str(&text))) {
        redact_scan(buf_str(&text), found, scanning);
    } else {
        scan_lines(scanning, buf_str(&text));
    }
}

enum exit_code run_webhook_scan(struct session *session)
{
    const json_t *files = session_arg(session, "file");
    autojson json_t *findings = json_array();
    struct scanning scanning = { .findings = findings };
    size_t count;

    for (size_t i = 0; i < json_array_size(files) && !scanning.over && !interrupted; i++) {
        scan_file(&scanning, json_string_value(json_array_get(files, i)));
    }
    if (interrupted) {
        return EXIT_INTERRUPTED;
    }
    output_result(&session->out, findings);
    count = json_array_size(findings);
    if (count > 0) {
        say("%zu findings%s", count, count >= FINDINGS_MAX ? ", and perhaps more" : "");
    }
    return scanning.failed || count > 0 ? EXIT_REFUSED : EXIT_DONE;
}
