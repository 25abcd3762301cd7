#include "libshared/wire/pseudonym.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "libshared/alloc.h"
#include "libshared/hmac.h"

enum {
    NUMBER_DIGITS = 14,
    TEXT_MARK = 10, /* letters behind "text " */
};

static const char *const descriptions[PSEUDONYM_COUNT] = {
    [PSEUDONYM_NUMBER] = "phone number or numeric id",
    [PSEUDONYM_USER_ID] = "user id",
    [PSEUDONYM_WAMID] = "message id, which holds a phone number",
    [PSEUDONYM_WACID] = "call id, which holds a phone number",
    [PSEUDONYM_ID] = "id",
    [PSEUDONYM_NAME] = "name",
    [PSEUDONYM_USERNAME] = "username",
    [PSEUDONYM_TEXT] = "text",
    [PSEUDONYM_EMOJI] = "reaction",
    [PSEUDONYM_URL] = "url",
    [PSEUDONYM_EMAIL] = "email address",
    [PSEUDONYM_FILE] = "file name",
    [PSEUDONYM_HASH] = "hash of a file",
    [PSEUDONYM_SDP] = "session description",
    [PSEUDONYM_DATE] = "date",
    [PSEUDONYM_DEGREES] = "coordinates",
    [PSEUDONYM_KEY] = "name of a member",
};

/* A pseudonym is a prefix, letters made from the value, and a suffix. */
static const struct {
    struct str prefix;
    size_t letters;
    struct str suffix;
} forms[PSEUDONYM_COUNT] = {
    [PSEUDONYM_USER_ID] = { STR_INIT("ZZ."), 20, STR_INIT("") },
    [PSEUDONYM_WAMID] = { STR_INIT("wamid.UkVEQUNURUQ"), 32, STR_INIT("A==") },
    [PSEUDONYM_WACID] = { STR_INIT("wacid.UkVEQUNURUQ"), 32, STR_INIT("A==") },
    [PSEUDONYM_ID] = { STR_INIT("redacted-"), 20, STR_INIT("") },
    [PSEUDONYM_NAME] = { STR_INIT("Person "), 8, STR_INIT("") },
    [PSEUDONYM_USERNAME] = { STR_INIT("user."), 12, STR_INIT("") },
    [PSEUDONYM_URL] = { STR_INIT("https://redacted.invalid/"), 16, STR_INIT("") },
    [PSEUDONYM_EMAIL] = { STR_INIT("person-"), 12, STR_INIT("@redacted.invalid") },
    [PSEUDONYM_FILE] = { STR_INIT("file-"), 10, STR_INIT("") },
    [PSEUDONYM_HASH] = { STR_INIT("REDACTED"), 34, STR_INIT("A=") },
    [PSEUDONYM_SDP] = { STR_INIT("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns="), 16,
                        STR_INIT("\r\nt=0 0\r\n") },
    [PSEUDONYM_KEY] = { STR_INIT("key_"), 12, STR_INIT("") },
};

static const struct str parent_prefix = STR_INIT("ZZ.ENT.");
static const struct str text_prefix = STR_INIT("text ");
static const struct str date = STR_INIT("1970-01-01");

static const struct str words[] = {
    STR_INIT("lorem"),  STR_INIT("ipsum"),  STR_INIT("dolor"),  STR_INIT("sit"),
    STR_INIT("amet"),   STR_INIT("elit"),   STR_INIT("sed"),    STR_INIT("do"),
    STR_INIT("tempor"), STR_INIT("ut"),     STR_INIT("labore"), STR_INIT("et"),
    STR_INIT("magna"),  STR_INIT("aliqua"), STR_INIT("veniam"), STR_INIT("quis"),
};

/* Others may say something about somebody. */
static const struct str extensions[] = {
    STR_INIT(".pdf"), STR_INIT(".doc"),  STR_INIT(".docx"), STR_INIT(".xls"),  STR_INIT(".xlsx"),
    STR_INIT(".ppt"), STR_INIT(".pptx"), STR_INIT(".txt"),  STR_INIT(".csv"),  STR_INIT(".zip"),
    STR_INIT(".jpg"), STR_INIT(".jpeg"), STR_INIT(".png"),  STR_INIT(".webp"), STR_INIT(".gif"),
    STR_INIT(".mp3"), STR_INIT(".mp4"),  STR_INIT(".ogg"),  STR_INIT(".opus"), STR_INIT(".aac"),
    STR_INIT(".amr"), STR_INIT(".3gp"),  STR_INIT(".m4a"),  STR_INIT(".vcf"),
};

static const struct str emojis[] = {
    STR_INIT("\xf0\x9f\x91\x8d"), STR_INIT("\xe2\x9d\xa4\xef\xb8\x8f"),
    STR_INIT("\xf0\x9f\x98\x82"), STR_INIT("\xf0\x9f\x98\xae"),
    STR_INIT("\xf0\x9f\x98\xa2"), STR_INIT("\xf0\x9f\x99\x8f"),
    STR_INIT("\xf0\x9f\x8e\x89"), STR_INIT("\xf0\x9f\x91\x8f"),
};

const char *pseudonym_what(enum pseudonym class)
{
    return descriptions[class];
}

struct pseudonyms {
    EVP_MAC_CTX *mac;
};

struct pseudonyms *pseudonyms_new(struct str key)
{
    struct pseudonyms *pseudonyms = xnew(struct pseudonyms);

    assert(key.len > 0);
    pseudonyms->mac = hmac_sha256_new(key);
    return pseudonyms;
}

void pseudonyms_free(struct pseudonyms *pseudonyms)
{
    if (pseudonyms != NULL) {
        EVP_MAC_CTX_free(pseudonyms->mac);
        free(pseudonyms);
    }
}

/* ---- from a value to random bytes */

static void digest(struct pseudonyms *pseudonyms, enum pseudonym class, struct str value,
                   unsigned char ret_bytes[HMAC_SHA256_BYTES])
{
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(pseudonyms->mac);
    unsigned char tag = (unsigned char)class;
    size_t len;

    hmac_must(mac != NULL && EVP_MAC_update(mac, &tag, 1) == 1 &&
              EVP_MAC_update(mac, (const unsigned char *)value.data, value.len) == 1 &&
              EVP_MAC_final(mac, ret_bytes, &len, HMAC_SHA256_BYTES) == 1);
    EVP_MAC_CTX_free(mac);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits of a number, without what is between them. */
static void digits_of(struct str value, struct buf *out)
{
    for (size_t i = 0; i < value.len; i++) {
        if (is_digit(value.data[i])) {
            buf_add_char(out, value.data[i]);
        }
    }
}

/* 14 digits that begin with 999, a country that does not exist. */
static int64_t number_of(struct pseudonyms *pseudonyms, struct str value)
{
    static const uint64_t range = 100000000000;
    autobuf struct buf digits = BUF_INIT;
    unsigned char bytes[HMAC_SHA256_BYTES] = { 0 };
    uint64_t number = 0;

    digits_of(value, &digits);
    digest(pseudonyms, PSEUDONYM_NUMBER, buf_str(&digits), bytes);
    for (unsigned i = 0; i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    return (int64_t)(999 * range + number % range);
}

/* ---- making */

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

/* At most as many as the digest has bytes; 2 more are repeated from its start. */
static void add_letters(struct buf *out, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_char(out, letters[bytes[i % HMAC_SHA256_BYTES] % 32]);
    }
}

static void add_text(const unsigned char *bytes, size_t len, struct buf *out)
{
    size_t start = out->len;

    buf_add_str(out, text_prefix);
    add_letters(out, bytes, TEXT_MARK);
    for (size_t i = 0; out->len - start < len; i++) {
        size_t seed = bytes[TEXT_MARK + i % (HMAC_SHA256_BYTES - TEXT_MARK)] + i / 16;

        buf_add_char(out, ' ');
        buf_add_str(out, words[seed % ARRAY_SIZE(words)]);
    }
}

/* An extension that is in the list, with its dot. */
static struct str extension_of(struct str value)
{
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (value.len > extensions[i].len &&
            str_eq_nocase(str_skip(value, value.len - extensions[i].len), extensions[i])) {
            return extensions[i];
        }
    }
    return STR("");
}

static void add_form(enum pseudonym class, const unsigned char *bytes, struct str value,
                     struct buf *out)
{
    struct str prefix = forms[class].prefix;

    if (class == PSEUDONYM_USER_ID && value.len > 6 && memcmp(value.data + 2, ".ENT.", 5) == 0) {
        prefix = parent_prefix;
    }
    if (class == PSEUDONYM_USERNAME && value.data[0] == '@') {
        buf_add_char(out, '@');
    }
    buf_add_str(out, prefix);
    add_letters(out, bytes, forms[class].letters);
    buf_add_str(out, forms[class].suffix);
    if (class == PSEUDONYM_FILE) {
        buf_add_str(out, extension_of(value));
    }
}

void pseudonym_add(struct pseudonyms *pseudonyms, enum pseudonym class, struct str value,
                   struct buf *out)
{
    unsigned char bytes[HMAC_SHA256_BYTES] = { 0 };

    digest(pseudonyms, class, value, bytes);
    switch (class) {
    case PSEUDONYM_NUMBER:
        buf_printf(out, "%s%lld", value.data[0] == '+' ? "+" : "",
                   (long long)number_of(pseudonyms, value));
        break;
    case PSEUDONYM_TEXT:
        add_text(bytes, value.len, out);
        break;
    case PSEUDONYM_EMOJI:
        buf_add_str(out, emojis[bytes[0] % ARRAY_SIZE(emojis)]);
        break;
    case PSEUDONYM_DATE:
        buf_add_str(out, date);
        break;
    case PSEUDONYM_DEGREES:
        buf_printf(out, "0.%04u", (bytes[0] << 8 | bytes[1]) % 10000u);
        break;
    case PSEUDONYM_USER_ID:
    case PSEUDONYM_WAMID:
    case PSEUDONYM_WACID:
    case PSEUDONYM_ID:
    case PSEUDONYM_NAME:
    case PSEUDONYM_USERNAME:
    case PSEUDONYM_URL:
    case PSEUDONYM_EMAIL:
    case PSEUDONYM_FILE:
    case PSEUDONYM_HASH:
    case PSEUDONYM_SDP:
    case PSEUDONYM_KEY:
    case PSEUDONYM_COUNT:
        add_form(class, bytes, value, out);
        break;
    }
}

int64_t pseudonym_integer(struct pseudonyms *pseudonyms, struct str digits)
{
    return number_of(pseudonyms, digits);
}

double pseudonym_degrees(struct pseudonyms *pseudonyms, struct str value)
{
    unsigned char bytes[HMAC_SHA256_BYTES] = { 0 };

    digest(pseudonyms, PSEUDONYM_DEGREES, value, bytes);
    return ((bytes[0] << 8 | bytes[1]) % 10000u) / 10000.0;
}

/* ---- telling */

static bool are_letters(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || strchr(letters, text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool has_suffix(struct str text, struct str suffix)
{
    return text.len >= suffix.len && str_eq(str_skip(text, text.len - suffix.len), suffix);
}

static bool is_form(enum pseudonym class, struct str prefix, struct str value)
{
    size_t count = forms[class].letters;

    return str_starts_with(value, prefix) && has_suffix(value, forms[class].suffix) &&
           value.len == prefix.len + count + forms[class].suffix.len &&
           are_letters((struct str) { value.data + prefix.len, count });
}

static bool is_number(struct str value)
{
    if (value.len > 0 && value.data[0] == '+') {
        value = str_skip(value, 1);
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.data[i])) {
            return false;
        }
    }
    return value.len == NUMBER_DIGITS && str_starts_with(value, STR("999"));
}

static bool is_word(struct str word)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (str_eq(words[i], word)) {
            return true;
        }
    }
    return false;
}

static bool is_text(struct str value)
{
    size_t mark = text_prefix.len + TEXT_MARK;

    if (value.len < mark || !str_starts_with(value, text_prefix) ||
        !are_letters((struct str) { value.data + text_prefix.len, TEXT_MARK })) {
        return false;
    }
    value = str_skip(value, mark);
    while (value.len > 0) {
        const char *end;
        struct str word;

        if (value.data[0] != ' ') {
            return false;
        }
        value = str_skip(value, 1);
        end = value.len > 0 ? memchr(value.data, ' ', value.len) : NULL;
        word = (struct str) { value.data, end != NULL ? (size_t)(end - value.data) : value.len };
        if (!is_word(word)) {
            return false;
        }
        value = str_skip(value, word.len);
    }
    return true;
}

static bool is_emoji(struct str value)
{
    for (size_t i = 0; i < ARRAY_SIZE(emojis); i++) {
        if (str_eq(emojis[i], value)) {
            return true;
        }
    }
    return false;
}

static bool is_file(struct str value)
{
    size_t len = forms[PSEUDONYM_FILE].prefix.len + forms[PSEUDONYM_FILE].letters;
    struct str rest;

    if (value.len < len ||
        !is_form(PSEUDONYM_FILE, forms[PSEUDONYM_FILE].prefix, (struct str) { value.data, len })) {
        return false;
    }
    rest = str_skip(value, len);
    return rest.len == 0 || str_eq(extension_of(value), rest);
}

static bool is_degrees(struct str value)
{
    if (value.len != 6 || value.data[0] != '0' || value.data[1] != '.') {
        return false;
    }
    for (size_t i = 2; i < value.len; i++) {
        if (!is_digit(value.data[i])) {
            return false;
        }
    }
    return true;
}

bool pseudonym_is(enum pseudonym class, struct str value)
{
    switch (class) {
    case PSEUDONYM_NUMBER:
        return is_number(value);
    case PSEUDONYM_TEXT:
        return is_text(value);
    case PSEUDONYM_EMOJI:
        return is_emoji(value);
    case PSEUDONYM_DATE:
        return str_eq(value, date);
    case PSEUDONYM_DEGREES:
        return is_degrees(value);
    case PSEUDONYM_FILE:
        return is_file(value);
    case PSEUDONYM_USERNAME:
        if (value.len > 0 && value.data[0] == '@') {
            value = str_skip(value, 1);
        }
        break;
    case PSEUDONYM_USER_ID:
        if (is_form(class, parent_prefix, value)) {
            return true;
        }
        break;
    case PSEUDONYM_WAMID:
    case PSEUDONYM_WACID:
    case PSEUDONYM_ID:
    case PSEUDONYM_NAME:
    case PSEUDONYM_URL:
    case PSEUDONYM_EMAIL:
    case PSEUDONYM_HASH:
    case PSEUDONYM_SDP:
    case PSEUDONYM_KEY:
    case PSEUDONYM_COUNT:
        break;
    }
    return class < PSEUDONYM_COUNT && is_form(class, forms[class].prefix, value);
}

bool pseudonym_is_integer(int64_t value)
{
    return value >= 99900000000000 && value <= 99999999999999;
}

bool pseudonym_is_degrees(double value)
{
    double steps = value * 10000;

    return value >= 0 && value < 1 && fabs(steps - (double)(int)(steps + 0.5)) < 1e-6;
}
