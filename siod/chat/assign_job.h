/* The write jobs of assignment. */
#pragma once

#include <stdbool.h>

#include "libshared/error.h"
#include "siod/chat/assign_queue.h"
#include "siod/chat/events.h"
#include "siod/store/store.h"

/* Asks the store to give a chat away; done() has the answer. False: it takes nothing now. */
typedef void assign_proposal_done(void *arg, int64_t chat_id, const struct assign_outcome *outcome);
bool assign_job_propose(struct store *store, const struct assign_proposal *proposal,
                        assign_proposal_done *done, void *arg);

/* Announces that a chat waits, unless that was done for this wait. patient: struct store_job. */
typedef void assign_tell_done(void *arg, int64_t chat_id, enum err err);
bool assign_job_tell(struct store *store, const struct store_waiting *chat, const char *rule,
                     struct str considered, bool patient, assign_tell_done *done, void *arg);

/* An agent is offline from now on and gives back what it has not answered, both or neither: an
 * agent whom the store takes to be online gets its grace again after a restart, and gives back
 * then. done() has the chats that wait now. */
typedef void assign_give_back_done(void *arg, int64_t business_id, int64_t user_id, enum err err,
                                   const struct store_waiting *chats, size_t count);
bool assign_job_give_back(struct store *store, int64_t business_id, int64_t user_id,
                          assign_give_back_done *done, void *arg);

/* In a job: the log row of chat_assigned (agent_id) or chat_waiting (agent_id 0). */
NODISCARD
enum err assign_log(struct store_tx *tx, int64_t business_id, int64_t chat_id, int64_t agent_id);
