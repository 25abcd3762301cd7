/* Where in a document a value stands, and whether it names a contact there. For mention.c. */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "libshared/str.h"
#include "siod/store/mention.h"

/* What is looked for in a part of a document. */
struct mention_search {
    const struct mention_names *names;
    bool places_only;                /* nothing but a customer's place counts */
    bool past;                       /* the field `history`: its messages may be the desk's own */
    struct str desk_number, desk_id; /* what it came to */
    const json_t *metadata;          /* which says so, and is not looked at */
    unsigned removed;                /* members of lists, so far */
};

struct mention_spot {
    const char *key; /* the value's, or that of the list it is in */
    /* The key of the list in which the object is that has the key, or else of that object. */
    const char *list, *object; /* NULL: it has none */
    bool item;                 /* of that list, itself */
};

struct mention_spot mention_spot_member(const struct mention_spot *object, const char *key);
struct mention_spot mention_spot_item(const struct mention_spot *list);

/* A string or an integer. */
bool mention_in_scalar(const struct mention_search *search, const struct mention_spot *spot,
                       const json_t *value);
/* A key is a text like others. */
bool mention_in_key(const struct mention_search *search, const char *key);
/* Anything, with all that is in it. The depth is that of what was received, which has a limit. */
bool mention_in_value(const struct mention_search *search, const struct mention_spot *spot,
                      const json_t *value);
