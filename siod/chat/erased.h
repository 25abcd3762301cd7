/* A contact is erased, and its chats go with it: nobody is in their rooms any more, nobody joins
 * them, and nobody comes back to them. Their closing was told as chat_closed; that they are
 * gone is no event. */
#pragma once

#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"

struct buf;
struct desk;
struct store_tx;

/* In the write job: a chat that is erased in it; `chats` is an empty buffer at first. */
void erased_chat_add(void *chats, int64_t business_id, int64_t chat_id);
/* Behind the last one. */
NODISCARD
enum err erased_chats_record(struct store_tx *tx, const struct buf *chats);
/* After the commit, on the loop. */
void desk_chats_erased(struct desk *desk, const struct buf *chats);
