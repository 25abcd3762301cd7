/* What is done to a message after it was sent: edits, revokes and reactions, by the customer or by
 * the business on its phone.
 *
 * A change is known by its own wamid, so that its repetition has no effect, and names its message
 * by that one's. It is kept either way: one that comes first waits, across restarts, and is applied
 * in the transaction that makes the message's row, which is then told as it has become. In whatever
 * order changes come the outcome is one: a revoke beats everything; of several edits the last
 * counts, and so does of the reactions of one party, by (WhatsApp's second, wamid).
 *
 * Only the author edits or revokes a message: the business what it sent, a customer what that
 * customer wrote, by whatever name. Anybody else's is kept and does nothing, until the two turn out
 * to be one customer.
 *
 * A change that shows goes to the chat's room as message_updated. Runs in a write job. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/chat/inbound.h"
#include "siod/store/store.h"

/* One change; everything is borrowed. */
struct inbound_change {
    enum store_change_kind kind;
    bool own;      /* the business's, on its phone */
    bool historic; /* nobody is told */
    struct str phone_number_id;
    struct inbound_party party; /* who did it; not looked at when it is the business's own */
    struct str wamid, target;
    struct str emoji;     /* of a reaction; empty: it is removed */
    const json_t *edited; /* of an edit: {type, <type>, context?} */
    int64_t wa_timestamp_s;
};

/* *ret_stored is false for a repetition. ERR_NOT_FOUND: the number belongs to no business, nothing
 * was done. */
NODISCARD
enum err change_store(struct inbound_work *work, const struct inbound_change *change,
                      bool *ret_stored);
/* Applies to a message that was just appended what came before it. */
NODISCARD
enum err change_parked(struct inbound_work *work, const struct store_message *row,
                       bool *ret_changed);
/* To one whose content is another one now, and unedited, what has been applied to it before. */
NODISCARD
enum err change_again(struct inbound_work *work, const struct store_message *row);

/* Before and after two contacts become one, with the same list: what one of them did to messages of
 * the other counts from then on. */
NODISCARD
enum err change_between(struct inbound_work *work, int64_t contact_id, int64_t other_id,
                        struct buf *list);
NODISCARD
enum err change_joined(struct inbound_work *work, int64_t business_id, int64_t contact_id,
                       const struct buf *list);

/* In the events of one webhook the changed messages themselves are shown up to this many bytes;
 * then `message` is null: thousands of changes of one long message would make gigabytes of it. */
enum { CHANGE_TOLD_MAX = 16 << 20 };
