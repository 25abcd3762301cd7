/* A sweep through the webhooks in quarantine that a command names, or describes by --reason,
 * --since,
 * --until and --limit: a page at a time, in the order in which they came. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "siod/control/webhook.h"

struct sweep {
    struct store_query query;
    struct control_call *call;
    /* Called with each page, set by the owner. It ends in sweep_page_over() or sweep_fail(), then
     * or later. */
    void (*handle)(struct sweep *sweep);
    bool named; /* the ids were given: they are one page, and each is there and in quarantine */
    struct control_webhook_walk walk;
    size_t limit, found; /* 0 = no limit */
    struct buf ids;      /* int64_t: of this page */
    size_t at;           /* the owner's, 0 in a new page */
    struct errmsg msg;   /* what sweep_fail() says; empty: the error's own words */
};

/* The filter of the options; --reason is borrowed from the call. */
void sweep_filter(struct control_call *call, struct store_webhook_search *ret_filter);

/* Reads the arguments into a zero-initialised sweep. False: they contradict each other, and the
 * call has ended. */
NODISCARD
bool sweep_begin(struct sweep *sweep, struct control_call *call);
void sweep_finish(struct sweep *sweep);
/* Asks for a page; the first one, and those that sweep_page_over() finds to be needed. */
void sweep_next_page(struct sweep *sweep);
/* The next page, or the end of the call. */
void sweep_page_over(struct sweep *sweep);
/* Ends the call. */
void sweep_fail(struct sweep *sweep, enum err err);

size_t sweep_id_count(const struct sweep *sweep);
int64_t sweep_id_at(const struct sweep *sweep, size_t i);
