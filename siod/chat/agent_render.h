/* An agent as the JSON that operators and clients see: the store's row, and what is only known
 * live. */
#pragma once

#include "libshared/buf.h"
#include "siod/store/store.h"

struct desk;

/* {agentId, businessId, name, role, status, online, load, capacity, eligible, reason}. `online` is
 * the row's; `reason` says why not when the agent gets no chats now, null when it does. The loop's.
 */
void agent_render(struct buf *out, struct desk *desk, const struct store_agent *agent);
