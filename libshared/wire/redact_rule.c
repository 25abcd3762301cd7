#include "libshared/wire/redact_rule.h"

#include <math.h>

enum {
    WORD_MAX = 64,
    WORD_DIGITS_MAX = 6,
    CODEC_MAX = 16,
    CODEC_DIGITS_MAX = 4,
    OWN_ID_MAX = 20,
    KEY_MAX = 48,
    KEY_DIGITS_MAX = 4,
    LARGE = 10000,
};

static const int64_t time_max = 4200000000, number_max = 10000000;

static const struct {
    const char *parent, *key;
    enum redact_kind kind;
} rules[] = {
#define RULE(parent, key, kind) { parent, key, REDACT_##kind },
#include "libshared/wire/redact.def"
#undef RULE
};

enum redact_kind redact_kind(const char *parent, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (strcmp(rules[i].key, key) == 0 &&
            (rules[i].parent[0] == '\0' || strcmp(rules[i].parent, parent) == 0)) {
            return rules[i].kind;
        }
    }
    return REDACT_LOOKS;
}

/* ---- what text looks like */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t count_digits(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += is_digit(text.data[i]);
    }
    return count;
}

/* Letters, digits and `others` alone, as many as that and with few digits; begins with a letter. */
static bool is_made_of(struct str text, const char *others, size_t max, size_t digits_max)
{
    if (text.len == 0 || text.len > max || !is_letter(text.data[0])) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!is_letter(c) && !is_digit(c) && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return count_digits(text) <= digits_max;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The platform's words are all small or all capital between their underscores, unlike names and
 * what a token looks like. */
static bool has_one_case(struct str text)
{
    for (size_t i = 1; i < text.len; i++) {
        char before = text.data[i - 1], c = text.data[i];

        if (is_letter(before) && is_letter(c) && is_upper(before) != is_upper(c)) {
            return false;
        }
    }
    return true;
}

static bool is_time(struct str text)
{
    int64_t seconds = 0;

    if (text.len == 0 || text.len > 10 || count_digits(text) != text.len) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        seconds = seconds * 10 + (text.data[i] - '0');
    }
    return seconds <= time_max;
}

/* +1 (555) 123-4567, 15551234567 */
static bool is_number(struct str text, size_t digits_min)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]) &&
            (text.data[i] == '\0' || strchr("+ ().-/", text.data[i]) == NULL)) {
            return false;
        }
    }
    return count_digits(text) >= digits_min;
}

/* US.13491208655302741918, US.ENT.1181… */
static bool is_user_id(struct str text)
{
    if (text.len < 9 || text.data[0] < 'A' || text.data[0] > 'Z' || text.data[1] < 'A' ||
        text.data[1] > 'Z' || text.data[2] != '.') {
        return false;
    }
    text = str_skip(text, 3);
    if (str_starts_with(text, STR("ENT."))) {
        text = str_skip(text, 4);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_letter(text.data[i]) && !is_digit(text.data[i])) {
            return false;
        }
    }
    return text.len >= 6;
}

static bool is_email(struct str text)
{
    const char *at = memchr(text.data, '@', text.len);

    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] <= ' ') {
            return false;
        }
    }
    return at != NULL && at != text.data && at != text.data + text.len - 1;
}

static enum pseudonym looks_like(struct str text, enum pseudonym otherwise, size_t digits_min)
{
    if (str_starts_with(text, STR("wamid."))) {
        return PSEUDONYM_WAMID;
    }
    if (str_starts_with(text, STR("wacid."))) {
        return PSEUDONYM_WACID;
    }
    if (str_starts_with(text, STR("http://")) || str_starts_with(text, STR("https://"))) {
        return PSEUDONYM_URL;
    }
    if (is_user_id(text)) {
        return PSEUDONYM_USER_ID;
    }
    if (is_number(text, digits_min)) {
        return PSEUDONYM_NUMBER;
    }
    return is_email(text) ? PSEUDONYM_EMAIL : otherwise;
}

/* What WhatsApp takes as media, as its documentation lists them, and what it sends beyond that. */
static const struct str media_types[] = {
    STR_INIT("audio/aac"),
    STR_INIT("audio/amr"),
    STR_INIT("audio/mp4"),
    STR_INIT("audio/mpeg"),
    STR_INIT("audio/ogg"),
    STR_INIT("audio/opus"),
    STR_INIT("image/gif"),
    STR_INIT("image/jpeg"),
    STR_INIT("image/png"),
    STR_INIT("image/webp"),
    STR_INIT("video/3gpp"),
    STR_INIT("video/mp4"),
    STR_INIT("text/csv"),
    STR_INIT("text/plain"),
    STR_INIT("text/vcard"),
    STR_INIT("text/x-vcard"),
    STR_INIT("application/json"),
    STR_INIT("application/msword"),
    STR_INIT("application/octet-stream"),
    STR_INIT("application/pdf"),
    STR_INIT("application/vnd.ms-excel"),
    STR_INIT("application/vnd.ms-powerpoint"),
    STR_INIT("application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    STR_INIT("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    STR_INIT("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    STR_INIT("application/zip"),
};

/* audio/ogg; codecs=opus. A subtype and a parameter may be any text: only those that are known. */
static bool is_media_type(struct str text)
{
    static const struct str codecs = STR_INIT("codecs=");
    const char *semicolon = memchr(text.data, ';', text.len);
    struct str type = text;

    if (semicolon != NULL) {
        struct str parameter;

        type.len = (size_t)(semicolon - text.data);
        parameter = str_trim(str_skip(text, type.len + 1));
        if (!str_starts_with(parameter, codecs) ||
            !is_made_of(str_skip(parameter, codecs.len), "-.", CODEC_MAX, CODEC_DIGITS_MAX)) {
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(media_types); i++) {
        if (str_eq_nocase(str_trim(type), media_types[i])) {
            return true;
        }
    }
    return false;
}

/* ---- the decisions */

static bool keeps(enum redact_kind kind, struct str text)
{
    switch (kind) {
    case REDACT_KEEP_OWN_ID:
        return text.len <= OWN_ID_MAX && count_digits(text) == text.len;
    case REDACT_KEEP_WORD:
        return is_made_of(text, "_-.", WORD_MAX, WORD_DIGITS_MAX) && has_one_case(text);
    case REDACT_KEEP_MIME:
        return is_media_type(text);
    case REDACT_KEEP_TIME:
        return is_time(text);
    default:
        return false;
    }
}

bool redact_keeps(enum redact_kind kind, struct str text, enum pseudonym *ret_class)
{
    static const enum pseudonym classes[] = {
        [REDACT_NAME] = PSEUDONYM_NAME,   [REDACT_USERNAME] = PSEUDONYM_USERNAME,
        [REDACT_EMOJI] = PSEUDONYM_EMOJI, [REDACT_FILE] = PSEUDONYM_FILE,
        [REDACT_HASH] = PSEUDONYM_HASH,   [REDACT_SDP] = PSEUDONYM_SDP,
        [REDACT_DATE] = PSEUDONYM_DATE,   [REDACT_DEGREES] = PSEUDONYM_DEGREES,
    };

    if (text.len == 0 || keeps(kind, text)) {
        return true;
    }
    if (kind == REDACT_ID || kind == REDACT_KEEP_OWN_ID) {
        *ret_class = looks_like(text, PSEUDONYM_ID, 1);
    } else if (kind < REDACT_NAME || kind == REDACT_JSON) {
        *ret_class = looks_like(text, PSEUDONYM_TEXT, 5);
    } else {
        *ret_class = classes[kind];
    }
    return false;
}

bool redact_keeps_integer(enum redact_kind kind, int64_t value)
{
    switch (kind) {
    case REDACT_KEEP_TIME:
        return value >= 0 && value <= time_max;
    case REDACT_KEEP_NUMBER:
        return value > -number_max && value < number_max;
    case REDACT_KEEP_OWN_ID:
        return value >= 0;
    default:
        return value == 0;
    }
}

bool redact_keeps_real(enum redact_kind kind, double value)
{
    return value == 0 || (kind == REDACT_KEEP_NUMBER && fabs(value) < (double)number_max);
}

bool redact_is_large(enum redact_kind kind, int64_t value)
{
    return kind == REDACT_ID || value >= LARGE || value <= -LARGE;
}

bool redact_keeps_key(struct str key)
{
    return is_made_of(key, "_-.", KEY_MAX, KEY_DIGITS_MAX) || pseudonym_is(PSEUDONYM_KEY, key);
}

bool redact_is_no_json(struct str body)
{
    static const struct str prefix = STR_INIT(REDACT_NO_JSON);

    return str_starts_with(body, prefix) && body.len - prefix.len <= 20 &&
           count_digits(body) == body.len - prefix.len && body.len > prefix.len;
}
