/* The desk's own state, shared by the files of siod/chat and by nobody else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/map.h"
#include "siod/chat/desk.h"
#include "siod/net/loop.h"

/* Committed rows of one business that are still to be emitted: emit.c. */
struct emit_queue {
    struct emit_item *items;
    size_t first, end, cap;
    struct loop_call again;
    struct timer retry;
    bool scheduled;
    uint64_t held_since_ms, progress_ms; /* while the queue waits for an agent who is behind */
    size_t lag;
};

/* A tenant that was heard of: position is that of the last log row that was emitted. */
struct tenant {
    UT_hash_handle hh;
    struct desk *desk;
    int64_t business_id;
    int64_t position;
    struct emit_queue queue;
};

/* A person with at least one socket; shared by all sockets of that person. */
struct desk_user {
    UT_hash_handle hh;
    struct desk_user_key {
        int64_t business_id, user_id;
    } key;
    unsigned sockets;
    char *name;
};

/* The user pointer of a socket in the namespace "/". */
struct desk_socket {
    struct desk_agent agent;
    struct desk *desk;
    struct desk_user *user;
    struct sio_socket *socket;
    struct timer expiry; /* the token's */
    uint64_t second_ms;  /* when the present second of counting events began */
    unsigned events;     /* in it */
};

/* Which business a chat belongs to never changes, so what is remembered is never wrong; what is not
 * is asked of the store. */
struct chat_entry {
    UT_hash_handle hh;
    int64_t chat_id, business_id;
};
enum { CHAT_ENTRIES_MAX = 65536 };

struct desk {
    struct desk_config config;
    struct sio_namespace *nsp;
    struct tenant *tenants;
    struct desk_user *users;
    struct chat_entry *chats;
    struct desk_tap *taps;
    uint64_t seq;
    size_t backlog_rows; /* in the queues of all tenants */
};

struct tenant *desk_tenant(struct desk *desk, int64_t business_id);
void desk_chat_learn(struct desk *desk, int64_t chat_id, int64_t business_id);
void desk_chats_forget(struct desk *desk);

/* connect.c: the struct sio_app of the namespace. */
extern const struct sio_app desk_app;
void desk_users_free(struct desk *desk);

enum { BUSINESS_ROOM_SIZE = sizeof "business_" + 20 };
struct str business_room(int64_t business_id, char room[BUSINESS_ROOM_SIZE]);

/* emit.c */
void tenant_drop_queue(struct tenant *tenant);
