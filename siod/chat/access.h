/* Whose is what: the one place where tenants are told apart, for Socket.IO, the HTTP API and
 * whoever else speaks for a business.
 *
 * What belongs to another business does not exist for the asker: the refusal is ERR_NOT_FOUND, in
 * the same words as for an id that was never given. Nothing is asked of the webhook's payload: its
 * business follows from the phone number that it came in by, and so does that of every row made
 * from it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"

struct desk;

/* The rule: may this business see what belongs to the owner? Any thread. */
bool access_allows(int64_t business_id, int64_t owner_id);

/* May the business see the chat? From memory: */
enum access { ACCESS_UNKNOWN, ACCESS_GRANTED, ACCESS_DENIED };
enum access access_remembered(struct desk *desk, int64_t business_id, int64_t chat_id);

/* OK; ERR_NOT_FOUND; or what the store said when it had to be asked. */
typedef void access_done(void *arg, enum err err);
/* From memory or the store. `done` is called exactly once, maybe before this returns. */
void access_chat(struct desk *desk, int64_t business_id, int64_t chat_id, access_done *done,
                 void *arg);
/* The same for naming a room: business_N must be one's own, chat_N that of a chat one may see.
 * Others have no owner but the scope they are in, which is the business's own. */
void access_room(struct desk *desk, int64_t business_id, struct str room, access_done *done,
                 void *arg);
