#include "siod/net/budget.h"

#include "libshared/log.h"

void budget_init(struct budget *budget)
{
    *budget = (struct budget) { .limit = 0 };
    TAILQ_INIT(&budget->holds);
}

void budget_set_limit(struct budget *budget, size_t limit)
{
    budget->limit = limit;
}

static void tell(struct budget *budget, const struct hold *hold)
{
    static struct log_gate gate;
    unsigned suppressed;

    budget->exceeded++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_NET, "too much that is incomplete",
                 "limit=limits.partial_bytes bytes=%zu cut=%s held=%zu suppressed=%u", budget->used,
                 hold->from, hold->bytes, suppressed);
    }
}

/* The oldest that can, but for `self`. */
static bool evict(struct budget *budget, const struct hold *self)
{
    struct hold *hold;

    TAILQ_FOREACH (hold, &budget->holds, link) {
        const struct hold was = *hold;

        if (hold != self && hold->evict(hold)) {
            tell(budget, &was);
            return true;
        }
    }
    return false;
}

bool hold_resize(struct budget *budget, struct hold *hold, size_t bytes)
{
    size_t others;

    if (bytes == 0) {
        hold_release(budget, hold);
        return true;
    }
    while (others = budget->used - hold->bytes,
           budget->limit > 0 && bytes > hold->bytes && others + bytes > budget->limit) {
        if (bytes > budget->limit || !evict(budget, hold)) {
            tell(budget, hold);
            return false;
        }
    }
    if (hold->bytes == 0) {
        TAILQ_INSERT_TAIL(&budget->holds, hold, link);
    }
    budget->used = others + bytes;
    hold->bytes = bytes;
    return true;
}

void hold_drop(struct budget *budget, struct hold *hold)
{
    TAILQ_REMOVE(&budget->holds, hold, link);
    budget->used -= hold->bytes;
    hold->bytes = 0;
}
