#include "libshared/wire/recording.h"

#include <string.h>

#include "libshared/base64.h"
#include "libshared/clock.h"
#include "libshared/json.h"
#include "libshared/utf8.h"

enum { KEYS_MAX = 1024, DEPTH_MAX = 32 }; /* of a line: members that are ignored are still read */

static const int64_t at_ms_max = (int64_t)1 << 53;

/* ---- writing */

void recording_add_info(struct buf *out, const struct recording_info *info)
{
    char started[CLOCK_ISO_SIZE];

    buf_printf(out, "{\"siorec\":%d", RECORDING_VERSION);
    if (info->started_at_ms > 0) {
        clock_iso(info->started_at_ms, started);
        buf_printf(out, ",\"started_at\":\"%s\"", started);
    }
    if (info->source[0] != '\0') {
        buf_add_cstr(out, ",\"source\":");
        json_add_string(out, str_of(info->source));
    }
    buf_printf(out, ",\"redacted\":%s}\n", info->redacted ? "true" : "false");
}

static void add_headers(struct buf *out, const struct recorded *recorded)
{
    buf_add_cstr(out, ",\"headers\":{");
    for (size_t i = 0; i < recorded->header_count; i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        json_add_string(out, recorded->headers[i].name);
        buf_add_char(out, ':');
        json_add_string(out, recorded->headers[i].value);
    }
    buf_add_char(out, '}');
}

/* Bytes that JSON writes as more than one. */
static size_t escaped_len(struct str text)
{
    size_t len = text.len;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        len += c < 0x20 ? 5 : c == '"' || c == '\\' ? 1 : 0;
    }
    return len;
}

static void add_body(struct buf *out, struct str body)
{
    if (utf8_valid(body) && escaped_len(body) <= body.len / 3 * 4 + 64) {
        buf_add_cstr(out, ",\"body\":");
        json_add_string(out, body);
    } else {
        buf_add_cstr(out, ",\"body_b64\":\"");
        base64_add(out, body);
        buf_add_char(out, '"');
    }
}

void recording_add(struct buf *out, const struct recorded *recorded)
{
    buf_printf(out, "{\"at_ms\":%lld", (long long)recorded->at_ms);
    if (recorded->webhook_id > 0) {
        buf_printf(out, ",\"webhook_id\":%lld", (long long)recorded->webhook_id);
    }
    if (recorded->app.len > 0) {
        buf_add_cstr(out, ",\"app\":");
        json_add_string(out, recorded->app);
    }
    buf_printf(out, ",\"sign\":%s", recorded->sign ? "true" : "false");
    if (recorded->header_count > 0) {
        add_headers(out, recorded);
    }
    add_body(out, recorded->body);
    buf_add_cstr(out, "}\n");
}

/* ---- reading: lines */

static bool is_blank(struct str line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (strchr(" \t\r", line.data[i]) == NULL || line.data[i] == '\0') {
            return false;
        }
    }
    return true;
}

/* Cuts one line off; false when nothing is left. */
static bool take_line(struct str *rest, struct str *ret_line)
{
    const char *end;

    if (rest->len == 0) {
        return false;
    }
    end = memchr(rest->data, '\n', rest->len);
    *ret_line = *rest;
    if (end == NULL) {
        *rest = str_skip(*rest, rest->len);
        return true;
    }
    ret_line->len = (size_t)(end - rest->data);
    *rest = str_skip(*rest, ret_line->len + 1);
    return true;
}

static bool take_full_line(struct recording *recording, struct str *ret_line)
{
    while (take_line(&recording->rest, ret_line)) {
        recording->line++;
        if (!is_blank(*ret_line)) {
            return true;
        }
    }
    return false;
}

/* ERR_* with "line N: …", owned on success. */
static enum err read_object(struct str line, size_t number, json_t **ret_object, struct errmsg *msg)
{
    const struct json_limits limits = { .depth = DEPTH_MAX, .keys = KEYS_MAX };
    struct errmsg why = { "" };
    autojson json_t *object = NULL;

    if (line.len > RECORDING_LINE_MAX) {
        return err_set(msg, ERR_TOO_LARGE, "line %zu: longer than %d bytes", number,
                       RECORDING_LINE_MAX);
    }
    object = json_read(line, &limits, &why);
    if (object == NULL) {
        return err_set(msg, ERR_SYNTAX, "line %zu: %s", number, why.text);
    }
    if (!json_is_object(object)) {
        return err_set(msg, ERR_SYNTAX, "line %zu: not a JSON object", number);
    }
    *ret_object = TAKE(object);
    return OK;
}

bool recording_is(struct str text)
{
    struct recording recording = { .rest = text };
    autojson json_t *object = NULL;
    struct str line;

    return take_full_line(&recording, &line) && line.len < RECORDING_LINE_MAX &&
           read_object(line, 1, &object, NULL) == OK && json_object_get(object, "siorec") != NULL;
}

/* ---- reading: members */

/* Where a message is about. */
struct place {
    size_t line;
    struct errmsg *msg;
};

static enum err bad(const struct place *place, const char *key, const char *what)
{
    return err_set(place->msg, ERR_INVALID, "line %zu: %s: %s", place->line, key, what);
}

static enum err read_bool(const struct place *place, const json_t *object, const char *key,
                          bool *ret_value)
{
    const json_t *value = json_object_get(object, key);

    if (value != NULL && !json_is_boolean(value)) {
        return bad(place, key, "true or false expected");
    }
    if (value != NULL) {
        *ret_value = json_is_true(value);
    }
    return OK;
}

static enum err read_number(const struct place *place, const json_t *object, const char *key,
                            int64_t *ret_value)
{
    const json_t *value = json_object_get(object, key);

    if (value == NULL) {
        return OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > at_ms_max) {
        return bad(place, key, "an integer from 0 to 2^53 expected");
    }
    *ret_value = json_integer_value(value);
    return OK;
}

/* At most RECORDING_NAME_MAX bytes. */
static enum err read_name(const struct place *place, const json_t *object, const char *key,
                          struct str *ret_value)
{
    const json_t *value = json_object_get(object, key);

    if (value == NULL) {
        return OK;
    }
    if (!json_is_string(value)) {
        return bad(place, key, "a string expected");
    }
    if (json_string_length(value) > RECORDING_NAME_MAX) {
        return bad(place, key, "too long");
    }
    *ret_value = json_str(value);
    return OK;
}

static enum err read_version(const struct place *place, const json_t *object)
{
    const json_t *value = json_object_get(object, "siorec");

    if (value == NULL) {
        return err_set(place->msg, ERR_SYNTAX,
                       "line %zu: not a recording: the first line must have a member siorec",
                       place->line);
    }
    if (!json_is_integer(value)) {
        return bad(place, "siorec", "a number expected");
    }
    if (json_integer_value(value) != RECORDING_VERSION) {
        return err_set(place->msg, ERR_UNSUPPORTED,
                       "line %zu: siorec: version %lld, only %d can be read", place->line,
                       (long long)json_integer_value(value), RECORDING_VERSION);
    }
    return OK;
}

static enum err read_started(const struct place *place, const json_t *object, int64_t *ret_ms)
{
    struct str text = STR_NONE;
    enum err err = read_name(place, object, "started_at", &text);

    if (err == OK && text.data != NULL && !clock_iso_parse(text, ret_ms)) {
        return bad(place, "started_at", "a time like 2026-03-01T09:30:00Z expected");
    }
    return err;
}

static enum err read_info(const struct place *place, const json_t *object,
                          struct recording_info *ret_info)
{
    struct str source = STR_NONE;
    enum err err = read_version(place, object);

    if (err == OK) {
        err = read_started(place, object, &ret_info->started_at_ms);
    }
    if (err == OK) {
        err = read_bool(place, object, "redacted", &ret_info->redacted);
    }
    if (err == OK) {
        err = read_name(place, object, "source", &source);
    }
    if (err == OK && source.len > 0) {
        memcpy(ret_info->source, source.data, source.len);
    }
    return err;
}

enum err recording_open(struct str text, struct recording *ret_recording, struct errmsg *msg)
{
    struct recording recording = { .rest = text };
    autojson json_t *object = NULL;
    struct str line;
    enum err err;

    if (!take_full_line(&recording, &line)) {
        return err_set(msg, ERR_SYNTAX, "line 1: not a recording: it is empty");
    }
    err = read_object(line, recording.line, &object, msg);
    if (err == OK) {
        err = read_info(&(struct place) { recording.line, msg }, object, &recording.info);
    }
    if (err == OK) {
        *ret_recording = recording;
    }
    return err;
}

/* RFC 9110 §5.1: a token. */
static bool is_header_name(struct str name)
{
    static const char other[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!plain && (c == '\0' || strchr(other, c) == NULL)) {
            return false;
        }
    }
    return name.len > 0 && name.len <= RECORDING_NAME_MAX;
}

/* Nothing that would end the header and begin another. */
static bool is_header_value(const json_t *value)
{
    struct str text = json_str(value);

    if (text.data == NULL || text.len > RECORDING_VALUE_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static enum err read_headers(const struct place *place, json_t *object, struct recorded *recorded)
{
    json_t *headers = json_object_get(object, "headers");
    json_t *value;
    const char *key;
    size_t len;

    if (headers == NULL) {
        return OK;
    }
    if (!json_is_object(headers)) {
        return bad(place, "headers", "an object expected");
    }
    if (json_object_size(headers) > RECORDING_HEADERS_MAX) {
        return bad(place, "headers", "too many");
    }
    json_object_keylen_foreach(headers, key, len, value)
    {
        if (!is_header_name((struct str) { key, len })) {
            return bad(place, "headers", "a name is no header's name");
        }
        if (!is_header_value(value)) {
            return err_set(place->msg, ERR_INVALID,
                           "line %zu: headers: %s: a string without control characters, of at most "
                           "%d bytes, expected",
                           place->line, key, RECORDING_VALUE_MAX);
        }
        recorded->headers[recorded->header_count++] =
            (struct recording_header) { { key, len }, json_str(value) };
    }
    return OK;
}

static enum err read_body(const struct place *place, const json_t *object,
                          struct recorded *recorded)
{
    const json_t *text = json_object_get(object, "body");
    const json_t *encoded = json_object_get(object, "body_b64");

    if ((text == NULL) == (encoded == NULL)) {
        return bad(place, "body", "either body or body_b64 expected");
    }
    if (text != NULL && !json_is_string(text)) {
        return bad(place, "body", "a string expected");
    }
    if (encoded != NULL && !json_is_string(encoded)) {
        return bad(place, "body_b64", "a string expected");
    }
    if (json_str(text).len > RECORDING_BODY_MAX ||
        json_str(encoded).len / 4 * 3 > RECORDING_BODY_MAX) {
        return err_set(place->msg, ERR_TOO_LARGE, "line %zu: body: longer than %d bytes",
                       place->line, RECORDING_BODY_MAX);
    }
    if (encoded != NULL && !base64_decode(json_str(encoded), &recorded->decoded)) {
        return bad(place, "body_b64", "not base64");
    }
    recorded->body = text != NULL ? json_str(text) : buf_str(&recorded->decoded);
    return OK;
}

static enum err read_recorded(const struct place *place, struct recorded *recorded)
{
    json_t *object = recorded->root;
    enum err err = read_number(place, object, "at_ms", &recorded->at_ms);

    if (err == OK) {
        err = read_number(place, object, "webhook_id", &recorded->webhook_id);
    }
    if (err == OK) {
        err = read_name(place, object, "app", &recorded->app);
    }
    if (err == OK) {
        err = read_bool(place, object, "sign", &recorded->sign);
    }
    if (err == OK) {
        err = read_headers(place, object, recorded);
    }
    return err != OK ? err : read_body(place, object, recorded);
}

enum err recording_next(struct recording *recording, struct recorded *ret_recorded,
                        struct errmsg *msg)
{
    struct recorded recorded = { .at_ms = recording->at_ms, .sign = true };
    struct str line;
    enum err err;

    if (!take_full_line(recording, &line)) {
        return ERR_NOT_FOUND;
    }
    err = read_object(line, recording->line, &recorded.root, msg);
    if (err == OK) {
        err = read_recorded(&(struct place) { recording->line, msg }, &recorded);
    }
    if (err != OK) {
        recorded_finish(&recorded);
        return err;
    }
    recording->at_ms = recorded.at_ms;
    *ret_recorded = recorded;
    return OK;
}

void recorded_finish(struct recorded *recorded)
{
    json_decref(recorded->root);
    buf_finish(&recorded->decoded);
    *recorded = (struct recorded) { 0 };
}

struct str recorded_header(const struct recorded *recorded, struct str name)
{
    for (size_t i = 0; i < recorded->header_count; i++) {
        if (str_eq_nocase(recorded->headers[i].name, name)) {
            return recorded->headers[i].value;
        }
    }
    return STR_NONE;
}
