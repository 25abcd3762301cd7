/* Where a contact is mentioned in JSON that came from the platform, or that siod made of it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/buf.h"
#include "libshared/str.h"

enum mention {
    MENTION_ID,       /* a number or an id: wherever it stands alone */
    MENTION_USERNAME, /* a word like others: as value of "username", and behind an @ */
    MENTION_CONTACT,  /* siod's own id, in what siod wrote: as value of "contactId" */
};

/* What a contact is called by. */
struct mention_names {
    struct buf bytes;
    struct buf entries; /* what they are, and how long */
};
/* One that is empty is left out, and so is the @ of a username. */
void mention_names_add(struct mention_names *names, enum mention kind, struct str name);
void mention_names_finish(struct mention_names *names);

/* Does one of them stand there? In JSON as in any text, however its characters are escaped. */
bool mention_in(struct str text, const struct mention_names *names);
/* Appends the JSON text without the members of lists that mention them: the innermost ones, so that
 * what a message of someone else's shares a body with stays. False: nothing is left that is worth
 * keeping, or it is no JSON; `to` is as it was. */
bool mention_remove(struct str json, const struct mention_names *names, struct buf *to);
/* Appends those members, separated by commas. */
void mention_collect(struct str json, const struct mention_names *names, struct buf *to);
