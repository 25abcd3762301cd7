/* One budget for all that peers sent and that waits for the rest of what it belongs to: half a
 * message, half a body, a head of a request, a request behind another one.
 *
 * What one connection may keep waiting has limits of its own; this one bounds the sum, since
 * connections are cheap. Up to HOLD_FREE bytes of a holder are nobody's business: a client whose
 * messages are small works whatever others pin. When a holder asks for more than is left, the
 * oldest one gives way: a client that sends what it began is done soon, one that pins memory
 * stays. Buffers double as they grow, so that the memory in use may be twice what is counted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "libshared/base.h"

enum { HOLD_FREE = 4096 };

/* Embedded in the holder; zeroed = holds nothing. */
struct hold {
    TAILQ_ENTRY(hold) link; /* while bytes > 0 */
    size_t bytes;
    /* Give way: drop what is held, call hold_release() and tell the peer. False when that cannot be
     * now. Not called from inside the holder's own hold_set(). */
    bool (*evict)(struct hold *hold);
    const char *from; /* whose it is, for the log; borrowed while bytes > 0 */
};

struct budget {
    size_t limit; /* 0 = none */
    size_t used;
    uint64_t exceeded; /* times that somebody had to give way */
    TAILQ_HEAD(hold_list, hold) holds;
};

void budget_init(struct budget *budget);
/* Nobody has to give way before the next one asks for more. */
void budget_set_limit(struct budget *budget, size_t limit);

/* For hold_set(). */
NODISCARD
bool hold_resize(struct budget *budget, struct hold *hold, size_t bytes);
void hold_drop(struct budget *budget, struct hold *hold);

/* The holder wants to keep `bytes` in all; evict and from are set. Ask before they are allocated.
 * False when there is no room, or would be none without itself: then it has to give way. */
NODISCARD
static inline bool hold_set(struct budget *budget, struct hold *hold, size_t bytes)
{
    return LIKELY(bytes <= HOLD_FREE && hold->bytes == 0) || hold_resize(budget, hold, bytes);
}

static inline void hold_release(struct budget *budget, struct hold *hold)
{
    if (UNLIKELY(hold->bytes > 0)) {
        hold_drop(budget, hold);
    }
}
