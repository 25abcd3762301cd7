/* How much may wait for one peer (limits.queue_bytes), the same on every transport.
 *
 * Past the limit a peer that does not read is cut. But what belongs together (all that one webhook
 * makes, an answer) may be larger than the limit, and is no fault of the peer's: such a burst may
 * wait beside the limit, and a second one while the first is read. So a queue never holds more than
 * the limit and two bursts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"

/* What the queue may hold above the limit; all 0 at first. */
struct queue_extra {
    uint32_t bytes : 31;
    uint32_t is_second : 1; /* a burst was let in while another one waited */
};
enum { QUEUE_EXTRA_MAX = INT32_MAX };

/* May a burst of `bytes` be queued where `pending` bytes wait? False: not before some of those are
 * gone. */
static inline bool queue_limit_admit(struct queue_extra *extra, size_t limit, size_t pending,
                                     size_t bytes)
{
    size_t total = pending + bytes;

    if (pending == 0) {
        *extra = (struct queue_extra) { 0 };
    }
    if (limit == 0 || total <= limit + extra->bytes) {
        return true;
    }
    if (pending > limit && extra->is_second) {
        return false;
    }
    extra->is_second = pending > limit;
    extra->bytes = (uint32_t)MIN(total, (size_t)QUEUE_EXTRA_MAX) & (uint32_t)QUEUE_EXTRA_MAX;
    return true;
}

/* Must the peer be cut instead of being sent this? Not for one packet alone, whatever its size. */
static inline bool queue_limit_exceeded(struct queue_extra extra, size_t limit, size_t pending,
                                        size_t bytes)
{
    return limit > 0 && pending > 0 && pending + bytes > limit + extra.bytes;
}

/* Should what can wait for the peer (an answer it has asked for) not be sent yet? There is to be
 * room for what cannot. */
static inline bool queue_limit_is_behind(size_t limit, size_t pending)
{
    return limit > 0 && pending > limit / 4;
}
