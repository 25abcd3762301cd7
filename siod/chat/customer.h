/* Who a message is from: a customer is found by the names that a payload has for him (BSUID, wa_id,
 * number), made when none of them is known, and joined with another when two turn out to be one.
 *
 * Two contacts are one when a message carries names of both, or when the platform says that one
 * name became the other. Two that each have a BSUID of their own are two accounts, though: a
 * message with names of both then says that a number has a new owner, and the number goes to
 * whoever wrote.
 *
 * A writer's job; see inbound.h. Strings of a contact live in work->contact until the next call. */
#pragma once

#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "siod/store/store.h"

struct inbound_message;
struct inbound_party;
struct inbound_work;

/* The customer of a message that is about to be stored; contact->business_id is given.
 * *ret_duplicate: it was found out that the message is known, and nothing was changed. */
NODISCARD
enum err customer_of(struct inbound_work *work, const struct inbound_message *in,
                     struct store_contact *contact, bool *ret_duplicate);
/* Takes over what a message that was just stored tells of its customer, and a change of names that
 * it reports. What is known is only replaced if the message is the newest of its chat: an older one
 * that comes late fills gaps. */
NODISCARD
enum err customer_learn(struct inbound_work *work, const struct inbound_message *in,
                        const struct store_message *row, struct store_contact *contact);
/* The contact of a party of which no message is stored, one that reacts to another's, say: likewise
 * found, made or joined; gaps are filled. */
NODISCARD
enum err customer_met(struct inbound_work *work, const struct inbound_party *party,
                      struct store_contact *contact);
/* An existing contact. */
NODISCARD
enum err customer_load(struct inbound_work *work, int64_t contact_id,
                       struct store_contact *contact);
