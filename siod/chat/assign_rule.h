/* Who gets a chat: the rule alone, without store, queue or clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/buf.h"
#include "siod/chat/roster.h"

/* In the order of the setting assign.policy. MANUAL: nobody gets anything by itself. ROUND_ROBIN:
 * whose last turn is the longest ago. LEAST_LOADED: the smallest load/capacity, among equals as
 * ROUND_ROBIN. With the last two an agent who had the chat before gets it back while eligible; one
 * from whom it was taken by somebody's word gets it only when nobody else is. */
enum assign_policy { ASSIGN_MANUAL, ASSIGN_ROUND_ROBIN, ASSIGN_LEAST_LOADED };
const char *assign_policy_name(enum assign_policy policy);

/* Why an agent gets no chats now. */
enum assign_obstacle {
    ASSIGN_ELIGIBLE,
    ASSIGN_OFFLINE, /* not there, or the store has not told yet what its row says */
    ASSIGN_SERVICE, /* a back end with a token of its own */
    ASSIGN_BUSY,
    ASSIGN_AWAY,
    ASSIGN_FULL,
    ASSIGN_OBSTACLES
};
/* "eligible", "offline", "service", "busy", "away", "full" */
const char *assign_obstacle_name(enum assign_obstacle obstacle);
/* NULL is offline. Chats that are reserved for the agent count as its load. */
enum assign_obstacle assign_obstacle(const struct agent *agent);

struct assign_choice {
    struct agent *agent; /* NULL = nobody is eligible */
    bool sticky;         /* it is the one who had the chat before */
};
/* `agents` is the business's list of online agents. Of the chat, who had it last and whom to avoid
 * matter. */
struct assign_choice assign_choose(enum assign_policy policy, struct agent *agents,
                                   const struct store_waiting *chat);

/* {"online":3,"eligible":1,"agents":[{"agentId":7,"load":2,"capacity":50,"reason":"eligible"},…]}:
 * the chosen one first, then as many others as are worth keeping. Whoever the chat was taken from
 * would be eligible, but is "avoided". */
void assign_considered_render(struct buf *out, const struct agent *agents,
                              const struct agent *chosen, int64_t avoid_agent_id);
