/* Rows as the JSON that clients see: design of `message`, `contact` and `chat` in siod-events(7).
 *
 * Of a message the keys from `id` to `text`, `status`, `contact` and the times are always there,
 * null when there is nothing to say; the others are left out. Of the rest all keys are always
 * there. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/buf.h"
#include "libshared/str.h"
#include "siod/store/store.h"

/* {id, first_name, last_name, name, phone, waId, userId}, and username if there is one; null
 * for no contact (id 0). first_name is the first word of the
 * profile name, or without a name the number, or without a number the user id; last_name is what
 * follows it, maybe empty. */
void contact_render(struct buf *out, const struct store_contact *contact);

/* `contact` is who wrote an inbound message, or the customer of an outbound one. Types other than
 * text carry the platform's element in `raw`, and so does a text that has none. */
void message_render(struct buf *out, const struct store_message *message,
                    const struct store_contact *contact);

/* ,"error":{…} the first of an array, and ,"errors":[…] all of them when there are more. `errors`
 * is JSON text, normalised; nothing when it is empty. One that is no array is the error itself. */
void errors_render(struct buf *out, struct str errors);

/* ,"edited":true,"editedAt":… or ,"revoked":true,"revokedAt":… */
void mark_render(struct buf *out, bool revoked, int64_t at_ms);

/* {chatId, businessId, phoneNumberId, groupId, state, agentId, waitingSince, contact,
 * lastMessageId, lastMessageAt, windowExpiresAt, createdAt} */
void chat_render(struct buf *out, const struct store_chat *chat);
/* Its further members: `,"unread":…,"lastMessage":…`. */
void glance_render(struct buf *out, const struct store_glance *glance);

/* A time in milliseconds since 1970 as a quoted ISO 8601 string; 0 is null. */
void time_render(struct buf *out, int64_t at_ms);
