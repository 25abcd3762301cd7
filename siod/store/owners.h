/* Whose the phone numbers of a webhook were when it was handled, as the store keeps it: later a
 * number may be another business's. Pure.
 *
 * A JSON text: the id of the business that all of them were of, which is nearly always so; an
 * object with the business of each that was somebody's; empty, when none was or nothing is known.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "libshared/buf.h"
#include "libshared/str.h"

struct json_t;

struct owner {
    struct str phone_number_id;
    int64_t business_id; /* 0 = nobody */
};
/* Appends the text. A number may be there more than once, with the same business. */
void owners_render(struct buf *out, const struct owner *owners, size_t count);

/* One that was read; zero-initialised is an empty one. */
struct owners {
    struct json_t *json;
};
void owners_read(struct str text, struct owners *ret_owners);
void owners_finish(struct owners *owners);
/* 0 = nobody, or it is not known. */
int64_t owners_find(const struct owners *owners, struct str phone_number_id);
