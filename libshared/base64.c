#include "libshared/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* clang-format off */
const uint8_t base64_letters[256] = {
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
            24, 25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
            48, 49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
};
/* clang-format on */

void base64_add(struct buf *to, struct str bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    char *out = buf_reserve(to, (bytes.len + 2) / 3 * 4);

    for (size_t left = bytes.len; left > 0; at += 3) {
        size_t n = MIN(left, (size_t)3);
        uint32_t word = (uint32_t)at[0] << 16 | (n > 1 ? (uint32_t)at[1] << 8 : 0) |
                        (n > 2 ? (uint32_t)at[2] : 0);

        *out++ = alphabet[word >> 18];
        *out++ = alphabet[word >> 12 & 63];
        *out++ = n > 1 ? alphabet[word >> 6 & 63] : '=';
        *out++ = n > 2 ? alphabet[word & 63] : '=';
        left -= n;
    }
    to->len += (bytes.len + 2) / 3 * 4;
    if (to->data != NULL) {
        to->data[to->len] = '\0';
    }
}

/* The bits of four characters, of which the last `padding` count as zero. */
static bool read_word(const char *text, size_t padding, uint32_t *ret_word)
{
    uint32_t word = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value(text[i], "+/") : 0;

        if (value < 0) {
            return false;
        }
        word = word << 6 | (uint32_t)value;
    }
    *ret_word = word;
    return (word & ((1u << 8 * padding) - 1)) == 0;
}

bool base64_decode(struct str text, struct buf *ret_bytes)
{
    size_t padding = 0;

    if (text.len % 4 != 0) {
        return false;
    }
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=') {
        padding++;
    }
    buf_reserve(ret_bytes, text.len / 4 * 3);
    for (size_t i = 0; i < text.len; i += 4) {
        size_t missing = i + 4 == text.len ? padding : 0;
        uint32_t word;
        char bytes[3];

        if (!read_word(text.data + i, missing, &word)) {
            return false;
        }
        bytes[0] = (char)(word >> 16);
        bytes[1] = (char)(word >> 8 & 0xff);
        bytes[2] = (char)(word & 0xff);
        buf_add(ret_bytes, bytes, 3 - missing);
    }
    return true;
}
