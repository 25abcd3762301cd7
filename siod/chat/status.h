/* Delivery statuses: what a message's state may become, and how a reported status is applied.
 *
 * The platform reports sent, delivered, read, played and failed in any order, repeatedly, and
 * sometimes before we know the message. A state only ever rises; what was reported is logged with
 * its own time whether it changed anything or not, and what is logged for an unknown message is
 * applied when the message's row is made.
 *
 * In a group each participant has a state of its own, under the same rule. The message's is then
 * the highest that any of them reached, so that it never falls when one more of them is heard of,
 * and one participant's failure is not the message's. */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/store/store.h"

struct inbound_work;

struct inbound_status {
    struct str phone_number_id, wamid;
    struct str status;      /* the platform's word; logged, and applied if it is a state */
    struct str participant; /* of a group: BSUID or number; empty otherwise */
    int64_t wa_timestamp_s;
    const json_t *errors; /* an array, NULL if none; borrowed */
};

/* May a message in state `now` go to `next`? failed only from below delivered; nothing leaves
 * failed; otherwise the rank has to rise. */
bool status_rises(enum store_status now, enum store_status next);

/* Log a status, and apply it when its message is known and its rank rises, the message's or its
 * participant's: then message_status_update goes to the chat's room. *ret_new is false for one that
 * was logged before. ERR_NOT_FOUND: the number belongs to no business, nothing was done. */
NODISCARD
enum err status_apply(struct inbound_work *work, const struct inbound_status *status,
                      bool *ret_new);
/* What the statuses logged so far make of a message that starts as *status. ret_error, JSON text or
 * .data NULL, lives in work->error. *ret_participants: some are about participants. */
NODISCARD
enum err status_parked(struct inbound_work *work, struct str phone_number_id, struct str wamid,
                       enum store_status *status, struct str *ret_error, bool *ret_participants);
/* The participants of a message whose row has been made since. */
NODISCARD
enum err status_parked_participants(struct inbound_work *work, const struct store_message *row);
