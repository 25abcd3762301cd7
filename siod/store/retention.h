/* Removes in slices what the store has kept long enough, and keeps an eye on its size. Loop
 * thread. */
#pragma once

#include "siod/store/store.h"

struct retention;

/* Begins after config->retention_after_ms. */
NODISCARD
struct retention *retention_new(struct loop *loop, struct store *store,
                                const struct store_config *config);
/* From now on; what is too old by it goes at once. */
void retention_set(struct retention *retention, const struct store_retention *days);
/* A slice that is under way is left to itself. */
void retention_free(struct retention *retention);
void retention_stats(const struct retention *retention, struct store_size *ret_size,
                     struct store_purged *ret_purged);
