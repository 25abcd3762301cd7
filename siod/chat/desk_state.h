/* The desk's own state, shared by the files of siod/chat and by nobody else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "libshared/buf.h"
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
    size_t burst_rows, burst_bytes; /* what is left of the present burst, at the front */
    struct emit_hold {
        uint64_t since_ms; /* when it was looked at agents who are behind; 0 = there are none */
        size_t pending;    /* what waited for them then */
        unsigned windows;  /* that were waited since the queue was empty */
        bool is_over;      /* for this burst */
    } hold;
};

/* A tenant that was heard of: position is that of the last log row that was emitted. */
struct tenant {
    UT_hash_handle hh;
    struct desk *desk;
    int64_t business_id;
    int64_t position;
    struct agent *agents; /* the online ones */
    struct emit_queue queue;
};

/* The user pointer of a socket in the namespace "/". */
struct desk_socket {
    struct desk_agent agent;
    struct agent *person;
    struct sio_socket *socket;
    struct timer expiry;              /* the token's */
    struct typing_device *typing;     /* one for each chat this socket is typing in */
    uint32_t token_tag;               /* of its jti: revocation.h */
    uint32_t changed_ms;              /* when its rooms did last; wraps: session.c */
    struct turn *turns;               /* chats about which an event is under way: order.c */
    struct history_query *histories;  /* that are wanted: history.c */
    TAILQ_ENTRY(desk_socket) unsaved; /* session.c, as the rest */
    uint16_t histories_count;
    uint16_t held;         /* events that wait for their turn: order.c */
    uint16_t row_removals; /* that are under way */
    bool has_row;          /* in the store, or it may have */
    bool is_unsaved;       /* in sessions->unsaved */
};

static inline struct desk *desk_of(const struct desk_socket *socket)
{
    return socket->person->desk;
}

/* Which business a chat belongs to never changes, and a chat that goes is forgotten, so what is
 * remembered is never wrong; what is not is asked of the store. */
struct chat_entry {
    UT_hash_handle hh;
    int64_t chat_id, business_id;
};
enum { CHAT_ENTRIES_MAX = 65536 };

struct desk {
    struct desk_config config;
    struct sio_namespace *nsp;
    struct tenant *tenants;
    struct agent *agents; /* online, by business and user */
    unsigned arriving;    /* of whom the store has not answered yet that it knows them */
    struct assigner *assigner;
    struct desk_tokens *tokens; /* tokens.c */
    struct sessions *sessions;
    struct desk_gone_list *gone; /* gone.c; NULL at first */
    bool draining;
    struct chat_entry *chats;
    uint64_t forgets; /* chats that are gone; what was asked before one went may be untrue */
    struct typing_chat *typing;    /* chats in which somebody types, by id */
    struct chat_reading *readings; /* chats whose histories are being read, by id: history.c */
    struct desk_tap *taps;
    uint64_t seq;
    size_t backlog_rows; /* in the queues of all tenants */
};

struct tenant *desk_tenant(struct desk *desk, int64_t business_id);
void desk_chat_learn(struct desk *desk, int64_t chat_id, int64_t business_id);
/* The chat is gone. */
void desk_chat_forget(struct desk *desk, int64_t chat_id);
void desk_chats_forget(struct desk *desk);

/* The chat is gone: typing there ends, and its room's members are put into that of the chat
 * `into_id`, or 0: of none. */
void desk_chat_clear(struct desk *desk, int64_t business_id, int64_t chat_id, int64_t into_id);

/* The room of a chat, written to `room`. */
enum { CHAT_ROOM_SIZE = sizeof "chat_" + 20 };
struct str chat_room(int64_t chat_id, char room[CHAT_ROOM_SIZE]);

enum { BUSINESS_ROOM_SIZE = sizeof "business_" + 20 };
struct str business_room(int64_t business_id, char room[BUSINESS_ROOM_SIZE]);

/* "business_456"; likewise desk_room_chat(). */
NODISCARD
bool business_of_room(struct str room, int64_t *ret_business_id);

/* connect.c: the struct sio_app of the namespace. */
extern const struct sio_app desk_app;
/* The socket's token is no longer good, for the reason that the log's phrase gives. The transport
 * is closed, not the namespace left: a client reconnects by itself then, and asks its application
 * for a fresh token. */
void desk_socket_close(struct desk_socket *socket, const char *phrase);

/* typing.c */
/* The socket leaves the chat (0: every chat): whoever it was typing for is told. */
void typing_leave(struct desk_socket *socket, int64_t chat_id);
/* The ids of those of its business who are typing in the chat, but for the socket's own user, as
 * JSON: `1,2`. */
void typing_render(const struct desk_socket *socket, int64_t chat_id, struct buf *out);
void typing_stop_chat(struct desk *desk, int64_t business_id, int64_t chat_id);
void typing_stop_all(struct desk *desk);
void typing_free_all(struct desk *desk);

/* tokens.c */
struct desk_tokens *desk_tokens_new(struct desk *desk);
void desk_tokens_free(struct desk_tokens *tokens);
/* Since the socket was let in? */
bool desk_token_revoked(const struct desk_socket *self);

/* emit.c */
void tenant_drop_queue(struct tenant *tenant);
