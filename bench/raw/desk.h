/* What a desk does, without what makes it one: rooms, acks and relayed events, with nobody checked
 * and nothing stored. Packets are Socket.IO text as the measured clients send it, found by their
 * first bytes. */
#pragma once

#include "bench/lib/loop.h"
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

NODISCARD
struct desk *desk_new(void);
void desk_free(struct desk *desk);
/* One Socket.IO packet from a peer. */
void desk_packet(struct peer *peer, struct str packet);
/* One webhook's body: every agent of business 1 is told. */
void desk_webhook(struct desk *desk, struct str body);
/* The peer is gone. */
void desk_leave(struct peer *peer);
