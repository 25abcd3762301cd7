/* How far an agent has read a chat: a cursor that is stored and never moves back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/error.h"
#include "libshared/str.h"

struct desk;

struct chat_read {
    int64_t business_id, user_id; /* who has read */
    int64_t chat_id, message_id;  /* up to where */
    struct str origin;            /* id of the socket that said so and is not told; may be empty */
};

/* After the commit. ERR_NOT_FOUND: no such message in that chat of that business. `moved` false
 * when the cursor stood there or further. */
typedef void chat_read_done(void *arg, enum err err, bool moved);
/* Stores it, and when the cursor moved tells the chat by message_read_receipt. `done` is called
 * exactly once, maybe before this returns. */
void chat_read(struct desk *desk, const struct chat_read *read, chat_read_done *done, void *arg);
