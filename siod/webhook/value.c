/* Single values of a webhook, and what they are kept in. */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/webhook/decoder.h"

enum { DAY_S = 24 * 3600 };

struct str decode_keep(struct decoder *decoder, struct str text)
{
    struct wa_text *kept = xmalloc(sizeof *kept + text.len);

    memcpy(kept->data, text.data, text.len);
    kept->next = decoder->out->texts;
    decoder->out->texts = kept;
    return (struct str) { kept->data, text.len };
}

struct str decode_id(struct decoder *decoder, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    char digits[24];
    struct str id = json_id_text(value, digits);

    if (id.len == 0 || id.len > WA_ID_MAX) {
        return STR_NONE;
    }
    return json_is_integer(value) ? decode_keep(decoder, id) : id;
}

const char *decode_no_id(const json_t *element)
{
    char digits[24];

    return json_id_text(json_object_get(element, "id"), digits).len > WA_ID_MAX
               ? "id of more than 512 bytes"
               : "no id";
}

struct str decode_first(struct str a, struct str b)
{
    return a.len > 0 ? a : b;
}

bool decode_seconds(const json_t *value, int64_t *ret_seconds)
{
    struct str digits = json_str(value);
    int64_t seconds = 0;

    if (json_is_integer(value)) {
        *ret_seconds = json_integer_value(value);
        return true;
    }
    if (digits.len == 0 || digits.len > 12) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        seconds = seconds * 10 + (digits.data[i] - '0');
    }
    *ret_seconds = seconds;
    return true;
}

/* The time of receipt stands in for what is no time, or one too far ahead: milliseconds, say. */
int64_t decode_timestamp(const struct decoder *decoder, const json_t *element)
{
    int64_t seconds;

    if (!decode_seconds(json_object_get(element, "timestamp"), &seconds) || seconds <= 0 ||
        seconds > decoder->received_s + DAY_S) {
        return decoder->received_s;
    }
    return seconds;
}

void *decode_grow(void *array, size_t count_now, size_t *room, size_t size)
{
    if (count_now < *room) {
        return array;
    }
    *room = *room == 0 ? 4 : *room * 2;
    return xrealloc(array, *room * size);
}
