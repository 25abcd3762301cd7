#include "libshared/query.h"

bool query_next(struct str *query, struct query_param *ret_param)
{
    const char *end, *equals;
    struct str text = *query;

    if (text.len == 0) {
        return false;
    }
    end = memchr(text.data, '&', text.len);
    text.len = end != NULL ? (size_t)(end - text.data) : text.len;
    *query = str_skip(*query, end != NULL ? text.len + 1 : text.len);
    equals = memchr(text.data, '=', text.len);
    *ret_param = (struct query_param) { text, text, STR("") };
    if (equals != NULL) {
        ret_param->name.len = (size_t)(equals - text.data);
        ret_param->value = str_skip(text, ret_param->name.len + 1);
    }
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(struct str text, bool plus, char *to, size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.data[i + 2]) : -1;

            if (low < 0 || high + low == 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        to[len++] = c;
    }
    *ret_len = len;
    return true;
}
