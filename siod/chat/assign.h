/* Assignment on the desk: the queue (assign_queue.h) between live presence and the store.
 *
 * A given chat is told to the business by chat_assigned, one that finds nobody by chat_waiting,
 * once for each time that it begins to wait; both are log rows, and the decision is kept with its
 * reasons. An agent who has been gone for the grace gives back the chats in which the customer
 * wrote last. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "siod/chat/assign_rule.h"
#include "siod/store/store.h"

struct desk;

/* A chat needs an agent: after a webhook's commit. */
void desk_chat_waits(void *desk, const struct store_waiting *chat);
/* At start, the oldest first: it needed one when siod stopped. */
void desk_chat_waited(struct desk *desk, const struct store_waiting *chat);
/* Those were all: they are looked at as if they came now. */
void desk_chats_examine(struct desk *desk);
/* It needs one no longer. */
void desk_chat_served(struct desk *desk, int64_t chat_id);
size_t desk_chats_waiting(const struct desk *desk);
/* Is no chat about to be given to somebody, or to be announced? */
bool desk_is_settled(const struct desk *desk);

/* From the roster: status, capacity, load or presence are not what they were. */
void assign_agent_changed(struct desk *desk, struct agent *agent);
/* See assign_queue_next_turn(). */
int64_t assign_next_turn(struct desk *desk);
/* The agent was gone longer than the grace; its struct is about to be freed. The store is told, and
 * told again until it has taken it. */
void assign_agent_gone(struct desk *desk, struct agent *agent);

/* For desk.c. */
struct assigner;
NODISCARD
struct assigner *assigner_new(struct desk *desk, enum assign_policy policy);
void assigner_set_policy(struct assigner *assigner, enum assign_policy policy);
void assigner_free(struct assigner *assigner);
