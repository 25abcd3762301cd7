#include "libshared/ctl/argument.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/ctl/condition.h"
#include "libshared/id.h"
#include "libshared/json.h"
#include "libshared/json_text.h"

enum { DIGITS_MAX = 64 };

static const struct ctl_argument arguments[] = {
#define ARG(name, type, detail, what) { name, CTL_##type, detail, what },
#include "libshared/ctl/arguments.def"
#undef ARG
};

/* Far beyond any use, and far from overflowing an int64 in milliseconds. */
static const int64_t duration_max_ms = INT64_C(100) * 366 * 24 * 3600 * 1000;

const struct ctl_argument *ctl_argument_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
        if (str_eq(name, str_of(arguments[i].name))) {
            return &arguments[i];
        }
    }
    return NULL;
}

struct str ctl_argument_word(const struct ctl_argument *argument, unsigned n)
{
    const char *at = argument->detail;

    while ((argument->type == CTL_WORDS || argument->type == CTL_CONDITION) && *at != '\0') {
        size_t len = strcspn(at, "|");

        if (n-- == 0) {
            return (struct str) { at, len };
        }
        at += len + (at[len] == '|');
    }
    return STR_NONE;
}

static bool digits_parse(struct str *text, int64_t max, int64_t *ret_value)
{
    int64_t value = 0;
    size_t used = 0;

    while (used < text->len && text->data[used] >= '0' && text->data[used] <= '9') {
        value = value * 10 + (text->data[used++] - '0');
        if (value > max) {
            return false;
        }
    }
    *text = str_skip(*text, used);
    *ret_value = value;
    return used > 0;
}

bool ctl_duration_parse(struct str text, int64_t *ret_ms)
{
    static const struct {
        struct str name;
        int64_t ms;
    } units[] = {
        { STR_INIT("ms"), 1 },
        { STR_INIT("s"), 1000 },
        { STR_INIT("m"), 60 * 1000 },
        { STR_INIT("h"), 3600 * 1000 },
        { STR_INIT("d"), 24 * 3600 * 1000 },
    };
    int64_t value;

    if (!digits_parse(&text, duration_max_ms, &value)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (str_eq(text, units[i].name) && value <= duration_max_ms / units[i].ms) {
            *ret_ms = value * units[i].ms;
            return true;
        }
    }
    return false;
}

static json_t *parse_id(struct str text)
{
    int64_t id;

    return id_parse(text, &id) ? json_integer(id) : NULL;
}

static json_t *parse_count(struct str text)
{
    int64_t count;

    if (!digits_parse(&text, INT_MAX, &count) || text.len > 0 || count == 0) {
        return NULL;
    }
    return json_integer(count);
}

static int64_t natural_max(const struct ctl_argument *argument)
{
    return argument->detail[0] != '\0' ? strtoll(argument->detail, NULL, 10) : ID_MAX - 1;
}

static json_t *parse_natural(const struct ctl_argument *argument, struct str text)
{
    int64_t value;

    return digits_parse(&text, natural_max(argument), &value) && text.len == 0 ? json_integer(value)
                                                                               : NULL;
}

static bool real_fits(const struct ctl_argument *argument, double value)
{
    return value >= 0 && (argument->detail[0] == '\0' || value <= strtod(argument->detail, NULL));
}

/* Digits, and maybe a point and further digits: strtod() takes more than that. */
static json_t *parse_real(const struct ctl_argument *argument, struct str text)
{
    char digits[DIGITS_MAX];
    double value;
    size_t points = 0;

    if (text.len == 0 || text.len >= sizeof digits) {
        return NULL;
    }
    for (size_t i = 0; i < text.len; i++) {
        points += text.data[i] == '.';
        if (text.data[i] != '.' && (text.data[i] < '0' || text.data[i] > '9')) {
            return NULL;
        }
    }
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    value = strtod(digits, NULL);
    return points <= 1 && text.len > points && real_fits(argument, value) ? json_real(value) : NULL;
}

static json_t *parse_duration(struct str text)
{
    int64_t ms;

    return ctl_duration_parse(text, &ms) ? json_integer(ms) : NULL;
}

static json_t *parse_digits(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return NULL;
        }
    }
    return text.len > 0 && text.len <= DIGITS_MAX ? json_stringn(text.data, text.len) : NULL;
}

static json_t *parse_url(struct str text)
{
    if (!str_starts_with(text, STR("http://")) && !str_starts_with(text, STR("https://"))) {
        return NULL;
    }
    return json_stringn(text.data, text.len);
}

static json_t *parse_words(const struct ctl_argument *argument, struct str text)
{
    struct str word;

    for (unsigned i = 0; (word = ctl_argument_word(argument, i)).data != NULL; i++) {
        if (str_eq(word, text)) {
            return json_stringn(text.data, text.len);
        }
    }
    return NULL;
}

static json_t *parse_claim(struct str text)
{
    static const struct json_limits limits = { .depth = 32, .keys = 256 };
    const char *equals = text.len > 0 ? memchr(text.data, '=', text.len) : NULL;
    json_t *claim, *value;
    struct str name;

    if (equals == NULL || equals == text.data) {
        return NULL;
    }
    name = (struct str) { text.data, (size_t)(equals - text.data) };
    text = str_skip(text, name.len + 1);
    value = json_read(text, &limits, NULL);
    if (value == NULL) {
        value = json_stringn(text.data, text.len);
    }
    claim = json_object();
    if (json_object_setn_new(claim, name.data, name.len, value) < 0) {
        json_decref(claim);
        return NULL;
    }
    return claim;
}

static json_t *parse_condition(struct str text)
{
    struct ctl_condition condition;

    return ctl_condition_parse(text, &condition) ? json_stringn(text.data, text.len) : NULL;
}

bool ctl_time_ms(struct str text, int64_t now_ms, int64_t *ret_ms)
{
    int64_t ago_ms;

    if (clock_iso_parse(text, ret_ms)) {
        return true;
    }
    if (!ctl_duration_parse(text, &ago_ms)) {
        return false;
    }
    *ret_ms = now_ms - ago_ms;
    return true;
}

static json_t *parse_time(struct str text)
{
    int64_t at_ms;

    return ctl_time_ms(text, 0, &at_ms) ? json_stringn(text.data, text.len) : NULL;
}

static json_t *parse_since(struct str text)
{
    struct str rest = text;
    int64_t value;

    if (digits_parse(&rest, ID_MAX - 1, &value) && rest.len == 0) {
        return json_integer(value);
    }
    return parse_time(text);
}

/* Compact, since a line of the protocol has no newline inside. */
static json_t *compact(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_t *string = json_string(text);

    free(text);
    return string;
}

static json_t *parse_json(struct str text)
{
    static const struct json_limits limits = { .depth = 128, .keys = 65536, .keep_numbers = true };
    autobuf struct buf changed = BUF_INIT, kept = BUF_INIT;
    struct str normal;

    if (json_normalise(text, &limits, &changed, &normal, NULL) != OK) {
        return NULL;
    }
    json_add_compact(&kept, normal);
    return json_stringn(kept.data, kept.len);
}

static json_t *parse_any(const struct ctl_argument *argument, struct str text)
{
    switch (argument->type) {
    case CTL_TEXT:
    case CTL_BODY:
    case CTL_NUMBERED:
    case CTL_SECRET:
        return json_stringn(text.data, text.len);
    case CTL_ID:
        return parse_id(text);
    case CTL_COUNT:
        return parse_count(text);
    case CTL_NATURAL:
        return parse_natural(argument, text);
    case CTL_REAL:
        return parse_real(argument, text);
    case CTL_DURATION:
        return parse_duration(text);
    case CTL_DIGITS:
        return parse_digits(text);
    case CTL_PATH:
        return text.len > 0 ? json_stringn_nocheck(text.data, text.len) : NULL;
    case CTL_URL:
        return parse_url(text);
    case CTL_CLAIM:
        return parse_claim(text);
    case CTL_WORDS:
        return parse_words(argument, text);
    case CTL_CONDITION:
        return parse_condition(text);
    case CTL_SINCE:
        return parse_since(text);
    case CTL_TIME:
        return parse_time(text);
    case CTL_JSON:
        return parse_json(text);
    }
    return NULL;
}

char *ctl_url_shown(struct str url)
{
    const char *scheme = url.len > 0 ? memmem(url.data, url.len, "://", 3) : NULL;
    size_t start = scheme != NULL ? (size_t)(scheme - url.data) + 3 : 0, end = start;
    const char *at;

    while (end < url.len && strchr("/?#", url.data[end]) == NULL) {
        end++;
    }
    at = end > start ? memrchr(url.data + start, '@', end - start) : NULL;
    if (at != NULL) {
        size_t behind = (size_t)(at - url.data) + 1;

        return xasprintf("%.*s%.*s", (int)start, url.data, STR_ARG(str_skip(url, behind)));
    }
    return xstrndup(url.data, url.len);
}

/* The sentence: with the words to choose from where there are any. */
static void explain(const struct ctl_argument *argument, struct str text, struct errmsg *msg)
{
    autofree char *url = argument->type == CTL_URL ? ctl_url_shown(text) : NULL;
    char choice[128] = "";
    struct str word;

    for (unsigned i = 0;
         argument->type == CTL_WORDS && (word = ctl_argument_word(argument, i)).data != NULL; i++) {
        size_t used = strlen(choice);

        snprintf(choice + used, sizeof(choice) - used, "%s%.*s", used > 0 ? ", " : ": ",
                 STR_ARG(word));
    }
    text = url != NULL ? str_of(url) : text;
    (void)err_set(msg, ERR_INVALID, "'%.*s' is not %s%s", (int)MIN(text.len, 60), text.data,
                  argument->what, choice);
}

/* Anywhere in it: a key cannot (json_normalise). */
static bool holds_nul(json_t *value)
{
    struct str text = json_str(value);
    const char *key;
    json_t *inner;
    size_t i;

    json_object_foreach(value, key, inner)
    {
        if (holds_nul(inner)) {
            return true;
        }
    }
    json_array_foreach(value, i, inner)
    {
        if (holds_nul(inner)) {
            return true;
        }
    }
    return text.len > 0 && memchr(text.data, '\0', text.len) != NULL;
}

/* What becomes a C string, a file's name or a claim, would end at the NUL. Takes `value`. */
static json_t *without_nul(const struct ctl_argument *argument, json_t *value, struct errmsg *msg)
{
    if (argument->type == CTL_BODY || !holds_nul(value)) {
        return value;
    }
    json_decref(value);
    (void)err_set(msg, ERR_INVALID, "%s cannot hold a NUL", argument->what);
    return NULL;
}

json_t *ctl_argument_parse(const struct ctl_argument *argument, struct str text, struct errmsg *msg)
{
    json_t *value = parse_any(argument, text);

    if (value == NULL) {
        explain(argument, text, msg);
    }
    return without_nul(argument, value, msg);
}

static bool integer_fits(const struct ctl_argument *argument, json_int_t value)
{
    switch (argument->type) {
    case CTL_ID:
        return value >= 1 && value < ID_MAX;
    case CTL_COUNT:
        return value >= 1 && value <= INT_MAX;
    case CTL_DURATION:
        return value >= 0 && value <= duration_max_ms;
    case CTL_NATURAL:
        return value >= 0 && value <= natural_max(argument);
    case CTL_SINCE:
        return value >= 0 && value < ID_MAX;
    case CTL_TEXT:
    case CTL_BODY:
    case CTL_NUMBERED:
    case CTL_SECRET:
    case CTL_DIGITS:
    case CTL_PATH:
    case CTL_URL:
    case CTL_CLAIM:
    case CTL_WORDS:
    case CTL_CONDITION:
    case CTL_TIME:
    case CTL_JSON:
    case CTL_REAL:
        break;
    }
    return false;
}

/* As a string of digits. */
static json_t *accept_number(const struct ctl_argument *argument, json_int_t value,
                             struct errmsg *msg)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, value);
    return ctl_argument_parse(argument, str_of(digits), msg);
}

json_t *ctl_argument_accept(const struct ctl_argument *argument, const json_t *value,
                            struct errmsg *msg)
{
    if (json_is_string(value)) {
        return ctl_argument_parse(argument, json_str(value), msg);
    }
    if (json_is_integer(value) && integer_fits(argument, json_integer_value(value))) {
        return json_integer(json_integer_value(value));
    }
    if (json_is_integer(value) &&
        (argument->type == CTL_NUMBERED || argument->type == CTL_DIGITS)) {
        return accept_number(argument, json_integer_value(value), msg);
    }
    if (argument->type == CTL_REAL && json_is_number(value) &&
        real_fits(argument, json_number_value(value))) {
        return json_real(json_number_value(value));
    }
    if (argument->type == CTL_CLAIM && json_is_object(value) && json_object_size(value) == 1) {
        return without_nul(argument, json_deep_copy(value), msg);
    }
    if (argument->type == CTL_JSON) {
        return compact(value);
    }
    (void)err_set(msg, ERR_INVALID, "not %s", argument->what);
    return NULL;
}
