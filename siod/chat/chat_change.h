/* What somebody decides about a chat by word: an operator through sioctl, an agent through the API.
 * Stored with a decision record, told to the business like what siod decides by itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/store/store.h"

struct desk;

enum chat_verb {
    CHAT_ASSIGN,   /* to agent_id */
    CHAT_UNASSIGN, /* it waits again; to the agent who had it only if nobody else is eligible */
    CHAT_CLOSE,    /* until the customer writes again */
    CHAT_REOPEN,
};

struct chat_change {
    enum chat_verb verb;
    int64_t chat_id;
    int64_t business_id; /* only a chat of this business; 0 = of any */
    int64_t agent_id;    /* CHAT_ASSIGN */
    bool force;          /* CHAT_ASSIGN: also a chat that does not wait, or an agent who is full */
    struct str who;      /* whose word it is, for the record; copied */
};

/* After the commit. `chat` is how it is now, NULL unless err is OK; its strings are NULL.
 * ERR_NOT_FOUND: no such chat (in that business), or no such agent. ERR_CONFLICT: the chat is not
 * in a state for it, or the agent is full. */
typedef void chat_change_done(void *arg, enum err err, const struct store_chat *chat);
/* `done` is called exactly once, maybe before this returns. */
void chat_change(struct desk *desk, const struct chat_change *change, chat_change_done *done,
                 void *arg);
