/* How many open chats an agent takes: set by an operator. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/error.h"

struct desk;

/* After the commit; ERR_NOT_FOUND for an agent that never connected. */
typedef void agent_capacity_done(void *arg, enum err err, bool changed);

/* `done` is called exactly once, maybe before this returns. */
void agent_capacity_set(struct desk *desk, int64_t business_id, int64_t user_id, int64_t capacity,
                        agent_capacity_done *done, void *arg);
