/* What a contact is called by, and whether a text says so. For mention.c and mention_place.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/str.h"
#include "siod/store/mention.h"

struct mention_name {
    enum mention kind;
    struct str text; /* lives as long as the names */
};
/* The next one; *at is 0 before the first one. */
bool mention_names_next(const struct mention_names *names, size_t *at, struct mention_name *name);

/* Is the name there, where its kind may stand? */
bool mention_text_has(struct str text, enum mention kind, struct str name);
/* May a closer look at this JSON find one of them, however its characters are escaped? Nearly all
 * rows end here, and no tree is made of them. */
bool mention_text_may(struct str text, const struct mention_names *names);
