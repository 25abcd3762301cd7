/* The last messages of a chat, in answer to join_chat with `history`.
 *
 * The socket is in the room before the store is read, so that it misses nothing, and what is read
 * is of one moment: all that was emitted to the socket before the answer is in it, all that is
 * emitted after it is newer. So a snapshot that is older than what the chat has heard meanwhile is
 * read again, and one that is ahead of what was emitted waits until that has caught up.
 *
 * Histories are large, and a client may ask for many at once. They are read one after the other,
 * the next when the last was sent, and each is sent when its client has taken enough of what was
 * before: so many never wait for one that reads slowly, and it is not cut for them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/chat/events.h"

/* As of one moment. */
struct history {
    enum err err; /* the rest is there when it is OK */
    int64_t position;
    struct str messages; /* JSON, separated by commas, the oldest first */
    struct str chat;     /* JSON */
};

struct history_wanted {
    int64_t chat_id;
    unsigned messages;
    bool was_member; /* before this join */
    /* Called once, maybe before history_ask() returns; never for a socket that has gone. */
    void (*told)(const struct event_ctx *ctx, const struct history_wanted *wanted,
                 const struct history *history);
};

/* ERR_RATE_LIMITED: the socket waits for too many. */
void history_ask(const struct event_ctx *ctx, const struct history_wanted *wanted);
/* The socket has gone. */
void history_forget(struct desk_socket *socket);
/* The row was emitted: what was read of its chat before is old. */
void history_note(struct desk *desk, const struct store_event *row);
