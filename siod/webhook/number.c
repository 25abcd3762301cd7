#include "siod/webhook/number.h"

#include <ctype.h>
#include <string.h>

#include "libshared/base.h"

struct form {
    const char *country;
    size_t before; /* digits up to where the two differ */
    char extra;    /* what the longer one has there */
    size_t length; /* of the shorter one */
};

static const struct form forms[] = {
    { "55", 4, '9', 12 },
    { "52", 2, '1', 12 },
};

static bool is_digits(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.data[i])) {
            return false;
        }
    }
    return true;
}

static struct str lengthen(const struct form *form, struct str number, char *room)
{
    memcpy(room, number.data, form->before);
    room[form->before] = form->extra;
    memcpy(room + form->before + 1, number.data + form->before, number.len - form->before);
    return (struct str) { room, number.len + 1 };
}

static struct str shorten(const struct form *form, struct str number, char *room)
{
    memcpy(room, number.data, form->before);
    memcpy(room + form->before, number.data + form->before + 1, number.len - form->before - 1);
    return (struct str) { room, number.len - 1 };
}

struct str wa_number_other_form(struct str number, char room[WA_NUMBER_ROOM])
{
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        const struct form *form = &forms[i];

        if (number.len < form->length || number.len > form->length + 1 ||
            memcmp(number.data, form->country, strlen(form->country)) != 0 || !is_digits(number)) {
            continue;
        }
        if (number.len == form->length) {
            return lengthen(form, number, room);
        }
        if (number.data[form->before] == form->extra) {
            return shorten(form, number, room);
        }
    }
    return STR_NONE;
}
