/* The same walk as redact.c's, and what it would replace is a finding. */
#include <stdint.h>

#include "libshared/json.h"
#include "libshared/wire/redact.h"
#include "libshared/wire/redact_rule.h"

enum {
    NESTED_MAX = 3,
    TOKEN_MIN = 20,  /* letters of an access token behind its prefix */
    SECRET_LEN = 32, /* hex digits of an app secret */
    PHONE_MIN = 9,
    PHONE_MAX = 15,
};

struct scan {
    struct buf path;
    redact_found found;
    void *arg;
    unsigned nested;
    bool over;
};

struct position {
    const char *parent, *key;
};

static void look_into(struct scan *scan, struct position at, const json_t *value);

static void report(struct scan *scan, const char *what)
{
    scan->over = scan->over || !scan->found(scan->arg, scan->path.data, what);
}

/* ---- text without structure */

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* What a run of characters without blanks is. */
static const char *look_at_run(struct str run)
{
    size_t hex = 0, dots = 0;

    for (size_t i = 0; i < run.len; i++) {
        hex += is_hex(run.data[i]);
        dots += run.data[i] == '.';
    }
    if (str_starts_with(run, STR("EAA")) && run.len >= TOKEN_MIN) {
        return "access token";
    }
    if (str_starts_with(run, STR("eyJ")) && dots >= 2) {
        return "JSON web token";
    }
    return run.len == SECRET_LEN && hex == run.len ? "app secret" : NULL;
}

static const char *look_for_tokens(struct str text)
{
    for (size_t i = 0; i < text.len;) {
        size_t end = i;
        const char *what;

        while (end < text.len && is_token_char(text.data[end])) {
            end++;
        }
        what = look_at_run((struct str) { text.data + i, end - i });
        if (what != NULL) {
            return what;
        }
        i = end + 1;
    }
    return NULL;
}

static bool has_email(struct str text)
{
    static const struct str harmless = STR_INIT("@redacted.invalid");

    for (size_t i = 1; i + 3 < text.len; i++) {
        struct str rest = str_skip(text, i);
        const char *dot;

        if (rest.data[0] != '@' || !is_token_char(text.data[i - 1]) ||
            !is_token_char(rest.data[1]) || str_starts_with(rest, harmless)) {
            continue;
        }
        dot = memchr(rest.data, '.', MIN(rest.len, (size_t)255));
        if (dot != NULL && dot > rest.data + 1) {
            return true;
        }
    }
    return false;
}

/* A number behind a + or of as many digits as those with their country have. */
static bool has_phone(struct str text)
{
    for (size_t i = 0; i < text.len;) {
        size_t start = i, digits = 0;
        bool plus = i > 0 && text.data[i - 1] == '+';
        struct str run;

        while (i < text.len &&
               ((text.data[i] >= '0' && text.data[i] <= '9') ||
                (digits > 0 && strchr(" ().-", text.data[i]) != NULL && text.data[i] != '\0'))) {
            digits += text.data[i] >= '0' && text.data[i] <= '9';
            i++;
        }
        run = (struct str) { text.data + start, i - start };
        if (digits >= (plus ? PHONE_MIN - 1u : PHONE_MIN + 1u) && digits <= PHONE_MAX &&
            !pseudonym_is(PSEUDONYM_NUMBER, (struct str) { run.data, MIN(run.len, (size_t)14) })) {
            return true;
        }
        i += i == start;
    }
    return false;
}

const char *redact_look(struct str text)
{
    const char *what = look_for_tokens(text);

    if (what == NULL && has_email(text)) {
        what = "email address";
    }
    if (what == NULL && has_phone(text)) {
        what = "phone number";
    }
    return what;
}

/* ---- values */

static void scan_document(struct scan *scan, struct str text)
{
    const struct json_limits limits = { .depth = REDACT_DEPTH_MAX };
    autojson json_t *document = json_read(text, &limits, NULL);
    size_t len = scan->path.len;

    buf_add_cstr(&scan->path, "(JSON)");
    scan->nested++;
    look_into(scan, (struct position) { "", "" }, document);
    scan->nested--;
    scan->path.len = len;
    scan->path.data[len] = '\0';
}

static bool is_document(const struct scan *scan, enum redact_kind kind, struct str text)
{
    const struct json_limits limits = { .depth = REDACT_DEPTH_MAX };
    autojson json_t *document = NULL;

    if (kind != REDACT_JSON || scan->nested == NESTED_MAX) {
        return false;
    }
    document = json_read(text, &limits, NULL);
    return document != NULL;
}

static void scan_string(struct scan *scan, enum redact_kind kind, struct str text)
{
    enum pseudonym class;
    const char *what;

    if (is_document(scan, kind, text)) {
        scan_document(scan, text);
        return;
    }
    if (redact_keeps(kind, text, &class) || pseudonym_is(class, text)) {
        return;
    }
    what = class == PSEUDONYM_NUMBER ? "phone number" : redact_look(text);
    report(scan, what != NULL ? what : pseudonym_what(class));
}

static void scan_integer(struct scan *scan, enum redact_kind kind, int64_t number)
{
    if (redact_keeps_integer(kind, number)) {
        return;
    }
    if (!redact_is_large(kind, number)) {
        report(scan, "number");
    } else if (!pseudonym_is_integer(number)) {
        report(scan, "phone number or numeric id");
    }
}

static void scan_real(struct scan *scan, enum redact_kind kind, double number)
{
    if (redact_keeps_real(kind, number) ||
        (kind == REDACT_DEGREES && pseudonym_is_degrees(number))) {
        return;
    }
    report(scan, kind == REDACT_DEGREES ? pseudonym_what(PSEUDONYM_DEGREES) : "number");
}

static void scan_object(struct scan *scan, struct position at, const json_t *object)
{
    size_t before = scan->path.len, len;
    const char *key;
    json_t *value;

    json_object_keylen_foreach((json_t *)(uintptr_t)object, key, len, value)
    {
        struct str name = { key, len };

        buf_printf(&scan->path, "%s%s", before > 0 ? "." : "", key);
        if (!scan->over && len > 0 && !redact_keeps_key(name)) {
            const char *what = redact_look(name);

            report(scan, what != NULL ? what : pseudonym_what(PSEUDONYM_KEY));
        }
        if (!scan->over) {
            look_into(scan, (struct position) { at.key, key }, value);
        }
        scan->path.len = before;
        scan->path.data[before] = '\0';
    }
}

static void scan_array(struct scan *scan, struct position at, const json_t *array)
{
    size_t before = scan->path.len;

    for (size_t i = 0; i < json_array_size(array) && !scan->over; i++) {
        buf_printf(&scan->path, "[%zu]", i);
        look_into(scan, at, json_array_get(array, i));
        scan->path.len = before;
        scan->path.data[before] = '\0';
    }
}

static void look_into(struct scan *scan, struct position at, const json_t *value)
{
    enum redact_kind kind = redact_kind(at.parent, at.key);

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        scan_object(scan, at, value);
        break;
    case JSON_ARRAY:
        scan_array(scan, at, value);
        break;
    case JSON_STRING:
        scan_string(scan, kind, json_str(value));
        break;
    case JSON_INTEGER:
        scan_integer(scan, kind, json_integer_value(value));
        break;
    case JSON_REAL:
        scan_real(scan, kind, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
}

void redact_scan_tree(const json_t *value, const char *path, redact_found found, void *arg)
{
    struct scan scan = { .found = found, .arg = arg };

    buf_add_cstr(&scan.path, path);
    look_into(&scan, (struct position) { "", "" }, value);
    buf_finish(&scan.path);
}

void redact_scan(struct str body, redact_found found, void *arg)
{
    const struct json_limits limits = { .depth = REDACT_DEPTH_MAX };
    autojson json_t *document = json_read(body, &limits, NULL);

    if (document != NULL) {
        redact_scan_tree(document, "", found, arg);
    } else if (!redact_is_no_json(body)) {
        const char *what = redact_look(body);

        (void)found(arg, "", what != NULL ? what : "text that is no JSON");
    }
}
