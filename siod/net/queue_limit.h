/* How much may wait for one peer (limits.queue_bytes), the same on every transport.
 *
 * Past the limit a peer that does not read is cut. But what belongs together (all that one webhook
 * makes, an answer) may be larger than the limit, and is no fault of the peer's: whoever has caught
 * up takes all of it, and has the whole limit for the rest beside it. So a queue never holds more
 * than the limit and one such burst. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"

/* May a burst of `bytes` be queued where `pending` bytes wait? False: not before some of those are
 * gone. *extra is what the queue may hold above the limit, here and later; 0 at first. */
static inline bool queue_limit_admit(uint32_t *extra, size_t limit, size_t pending, size_t bytes)
{
    size_t total = pending + bytes;

    if (limit == 0) {
        return true;
    }
    if (pending > limit / 2) {
        return total <= limit + *extra;
    }
    if (pending == 0) {
        *extra = 0;
    }
    if (total > limit) {
        *extra = (uint32_t)MIN(MAX(total, (size_t)*extra), (size_t)UINT32_MAX / 2);
    }
    return true;
}

/* Must the peer be cut instead of being sent this? Not for one packet alone, whatever its size. */
static inline bool queue_limit_exceeded(uint32_t extra, size_t limit, size_t pending, size_t bytes)
{
    return limit > 0 && pending > 0 && pending + bytes > limit + extra;
}
