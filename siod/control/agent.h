/* Agents by what an operator calls them: a user id, and a business where several have it. */
#pragma once

#include "libshared/buf.h"
#include "siod/store/store.h"

struct control_call;

enum { BUSINESSES_NAMED = 8 };

/* Businesses that have an agent or a room of one name; of more than it names it knows only that
 * there are more. */
struct control_businesses {
    int64_t ids[BUSINESSES_NAMED];
    unsigned count;
};
void control_businesses_add(struct control_businesses *businesses, int64_t id);
/* Ends the call: several have `what`, and --business has to choose. */
void control_fail_ambiguous(struct control_call *call, const struct control_businesses *businesses,
                            const char *what);
void control_fail_ambiguous_agent(struct control_call *call,
                                  const struct control_businesses *businesses, int64_t user_id);

struct control_lookup {
    struct store_query query;
    struct control_call *call;
    /* On the loop, unless nobody waits for the answer any more. OK, ERR_NOT_FOUND, ERR_INVALID when
     * several businesses have such an agent, or what the store said. */
    void (*done)(struct control_call *call, struct control_lookup *lookup, enum err err);
    int64_t user_id, business_id; /* business_id 0 = whichever */
    struct store_agent agent;     /* as the store has it, and online as it is; texts borrowed */
    struct buf texts;
    struct control_businesses businesses;
};
/* call->state owns the lookup. Takes user and business from it. */
void control_lookup_start(struct control_call *call, struct control_lookup *lookup);
void control_lookup_finish(struct control_lookup *lookup);
/* Ends the call with the sentence for an error of done(). */
void control_lookup_fail(struct control_call *call, const struct control_lookup *lookup,
                         enum err err);

/* The desk knows that the agent of this row is there. */
bool control_agent_online(const struct control_call *call, const struct store_agent *row);
