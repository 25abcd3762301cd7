/* What a desk does, without what makes it one: rooms, acks and relayed events, with nobody checked
 * and nothing stored, but for webhooks in a journal where one is wanted. Packets are Socket.IO text
 * as the measured clients send it, found by their first bytes. */
#pragma once

#include "bench/lib/loop.h"
#include "bench/raw/journal.h"
#include "libshared/base.h"
#include "libshared/str.h"

enum { ROOMS_MAX = 4 }; /* of one peer: its business and a few chats */

struct peer {
    struct conn conn;
    struct desk *desk;
    struct room *rooms[ROOMS_MAX];
    unsigned room_count;
    int64_t user_id;
    bool upgraded;
    struct peer *next; /* in the server's list */
};

/* The journal is borrowed; NULL = none. */
NODISCARD
struct desk *desk_new(struct journal *journal);
void desk_free(struct desk *desk);
/* One Socket.IO packet from a peer. */
void desk_packet(struct peer *peer, struct str packet);
/* One webhook's body: it goes to the journal, then every agent of business 1 is told. */
void desk_webhook(struct desk *desk, struct str body);
/* The peer is gone. */
void desk_leave(struct peer *peer);
