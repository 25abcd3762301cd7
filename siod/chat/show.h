/* Chats as lists and clients see them: the row, what is unread, and the last message. In a read
 * job. */
#pragma once

#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"
#include "siod/store/store.h"

/* Appends the chat as agent_id sees it (0: nobody in particular). For a list's fn, too. */
NODISCARD
enum err chat_show(struct store_reader *reader, const struct store_chat *chat, int64_t agent_id,
                   struct buf *out);
/* The same by id. ERR_NOT_FOUND: there is none, or it is another business's (business_id 0: any).
 */
NODISCARD
enum err chat_show_id(struct store_reader *reader, int64_t chat_id, int64_t business_id,
                      int64_t agent_id, struct buf *out);
