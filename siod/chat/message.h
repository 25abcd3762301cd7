/* Rows as the JSON that clients see: design of `message`, `contact` and `chat` in siod-events(7).
 *
 * Every key is always there, null when there is nothing to say, except for `context`, `sender`,
 * `error` and `raw`, which are left out. Pure; any thread. */
#pragma once

#include "libshared/buf.h"
#include "libshared/str.h"
#include "siod/store/store.h"

/* {id, first_name, last_name, name, phone, waId, userId}. first_name is the first word of the
 * profile name, or without a name the number, or without a number the user id; last_name is what
 * follows it, maybe empty. */
void contact_render(struct buf *out, const struct store_contact *contact);

/* `contact` is who wrote an inbound message, or the customer of an outbound one. Types other than
 * text carry the platform's element in `raw`. */
void message_render(struct buf *out, const struct store_message *message,
                    const struct store_contact *contact);

/* {chatId, businessId, phoneNumberId, groupId, state, agentId, waitingSince, contact,
 * lastMessageId, lastMessageAt, windowExpiresAt, createdAt} */
void chat_render(struct buf *out, const struct store_chat *chat);

/* A time in milliseconds since 1970 as a quoted ISO 8601 string; 0 is null. */
void time_render(struct buf *out, int64_t at_ms);
