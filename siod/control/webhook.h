/* What the commands about webhooks share: webhook.c (what came in, and the way in), kept.c (show
 * and export) and quarantine.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "siod/store/store.h"

struct control_call;

/* The members of a webhook that every command shows, without the closing brace. */
void control_webhook_render(struct buf *out, const struct store_webhook *webhook);

/* --since and --until as times; a duration counts back from now. */
void control_webhook_times(struct control_call *call, struct store_webhook_search *ret_filter);

/* A walk over the webhooks that fit a filter, in pieces that are read in one go each.
 * Zero-initialised but for the filter, of which first_id and last_id are the walk's own. */
struct control_webhook_walk {
    struct store_webhook_search filter;
    bool begun, over;
    int64_t next_id, end_id; /* not looked at yet; both included */
};
/* Calls fn for what the next piece has, until it returns false: the walk goes on behind that one
 * then. In a read job. */
NODISCARD
enum err control_webhook_walk_on(struct control_webhook_walk *walk, struct store_reader *reader,
                                 bool (*fn)(void *arg, const struct store_webhook *webhook),
                                 void *arg);
