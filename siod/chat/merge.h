/* Two contacts are one: their chats in the same inbox are joined into the older one.
 *
 * The business is told by chat_merged {chatId, into}, and clients that are in the room of the chat
 * that is gone are put into the other's as that event leaves, so that they miss nothing. */
#pragma once

#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"

struct desk;
struct inbound_work;
struct store_event;
struct store_merge;

/* In a write job: rows, events and decisions, and edits and revokes that are the author's now; adds
 * each pair of chats to work->merges. The contact does not exist afterwards. */
NODISCARD
enum err merge_contacts(struct inbound_work *work, int64_t business_id, int64_t contact_id,
                        int64_t into_id);

/* After the commit, for each pair: loads, waiting chats and what is remembered follow. */
void desk_chats_merged(void *desk, const struct store_merge *merge);

/* For emit.c: this row is about to be emitted. */
void merge_rooms(struct desk *desk, const struct store_event *row);
