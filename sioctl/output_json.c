/* JSON as it is printed. The library escapes the control characters of ASCII but DEL; the others
 * are legal in JSON, and as good when they are escapes. */
#include <string.h>
#include <wchar.h>

#include "libshared/json.h"
#include "sioctl/output.h"

/* Only strings have characters beyond ASCII, so nothing has to be known of what is around them. */
static void add_printable(struct buf *to, struct str json)
{
    mbstate_t state = { 0 };

    while (json.len > 0) {
        size_t len = 0;
        wchar_t c = 0;

        while (len < json.len && (unsigned char)json.data[len] < 0x7f) {
            len++;
        }
        buf_add(to, json.data, len);
        json = str_skip(json, len);
        if (json.len == 0) {
            break;
        }
        len = mbrtowc(&c, json.data, json.len, &state);
        if (len == 0 || len > json.len) {
            len = 1;
            c = (unsigned char)json.data[0];
            state = (mbstate_t) { 0 };
        }
        if (char_is_printable(c)) {
            buf_add(to, json.data, len);
        } else {
            buf_printf(to, "\\u%04x", (unsigned)c);
        }
        json = str_skip(json, len);
    }
}

void json_printable(struct buf *to, const json_t *value, bool indent)
{
    autobuf struct buf text = BUF_INIT;
    char *document = indent ? json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY) : NULL;

    if (document == NULL) {
        json_add_tree(&text, value);
    } else {
        buf_add_cstr(&text, document);
    }
    free(document);
    add_printable(to, buf_str(&text));
}
