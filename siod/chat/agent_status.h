/* An agent's status as stored intent: set by the agent's client or forced by an operator. */
#pragma once

#include <stdint.h>

#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/store/store.h"

struct desk;

/* After the commit; ERR_NOT_FOUND for an agent that never connected. */
typedef void agent_status_done(void *arg, enum err err, bool changed);

/* Stores it, and when it changed tells the business by agent_status_changed. `done` is called
 * exactly once, maybe before this returns. */
void agent_status_set(struct desk *desk, int64_t business_id, int64_t user_id,
                      enum store_agent_status status, agent_status_done *done, void *arg);
