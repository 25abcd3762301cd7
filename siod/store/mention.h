/* Where a contact is mentioned: in what the platform sent, and in what siod made of it. Pure.
 *
 * A number or an id of a contact's is a JSON string, or stands alone in one. An integer is one only
 * in a customer's place, under a key by which the platform names customers (from, to, wa_id,
 * recipient_id, …): the ids that siod gives are integers too. No mention are times, the id of a
 * message or call ("wamid.…"), and the number that something came to.
 *
 * A raw body has changes, and each came to a number: of what came to another business's nothing is
 * a mention. A number of nobody's may yet become anybody's: there only a customer's place counts.
 * In a change the number it came to is no customer either: an echo comes "from" it, a reply quotes
 * what was "from" it. What stands in an entry beside its changes is about the account. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/buf.h"
#include "libshared/str.h"

enum mention {
    MENTION_ID,       /* a number or an id: wherever it stands alone */
    MENTION_USERNAME, /* a word like others: as value of "username", and behind an @ */
    /* Ids of siod's, in what siod wrote: */
    MENTION_CONTACT, /* as value of "contactId", or the "id" of a "contact" or "customerInfo" */
    MENTION_CHAT,    /* as value of "chatId" */
};

/* What a contact is called by. */
struct mention_names {
    struct buf bytes;
    struct buf entries; /* what they are, and how long */
};
/* One that is empty is left out, and so is the @ of a username. */
void mention_names_add(struct mention_names *names, enum mention kind, struct str name);
void mention_names_finish(struct mention_names *names);

/* Whose a number of the platform's is, seen from the contact. */
enum mention_owner { MENTION_OF_OWN, MENTION_OF_NOBODY, MENTION_OF_OTHERS };
struct mention_numbers {
    enum mention_owner (*owner)(void *arg, struct str phone_number_id);
    void *arg;
};

/* Does a row of siod's name one of them: the arguments of an event, or of a command? However its
 * characters are escaped. What is no JSON is a text. */
bool mention_in(struct str args, const struct mention_names *names);
/* Does a raw body? */
bool mention_in_body(struct str body, const struct mention_names *names,
                     const struct mention_numbers *numbers);
/* Appends the body without the members of lists that mention them: the innermost ones, so that what
 * a message of someone else's shares a body with stays. False: nothing is left that is worth
 * keeping, or it is no JSON; `to` is as it was. */
bool mention_remove(struct str body, const struct mention_names *names,
                    const struct mention_numbers *numbers, struct buf *to);
/* Appends those members, separated by commas. */
void mention_collect(struct str body, const struct mention_names *names,
                     const struct mention_numbers *numbers, struct buf *to);
