/* The agents who are there: one entry a person, shared by all sockets of that person.
 *
 * Four facts are kept apart. Intent (`status`) is what the agent set; no disconnect changes it.
 * Connectivity (`online`) is debounced: true from the first socket until offline_grace_ms after the
 * last one, so that a reload of the page or a second device is no news. Load and capacity come from
 * the store when the agent appears. Who may get a chat is derived from these and the role
 * (assign.h): whoever leaves only a back end there is one after the grace, online but without new
 * chats. An entry lives as long as its agent is online; over a restart of siod the store remembers
 * who was, so that agents who come back within the grace cause no event. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/map.h"
#include "libshared/token.h"
#include "siod/net/loop.h"
#include "siod/store/store.h"

struct desk;

struct agent {
    UT_hash_handle hh; /* desk->agents, by key */
    struct agent_key {
        int64_t business_id, user_id;
    } key;
    struct agent *prev,
        *next; /* of the same business: tenant->agents, in the order of their appearance */
    struct desk *desk;
    char *name;               /* NULL = none */
    struct timer grace;       /* without sockets: until user_offline; with those of a back end only:
                                 until it has that role; else until the row is asked for again */
    int64_t turn;             /* when it was last given a chat: store_agent.turn, or later */
    unsigned sockets, people; /* people: those of them that are no back end's */
    unsigned reserved;        /* chats that were proposed for it and not yet answered */
    unsigned capacity, load;  /* valid once `known` */
    enum store_agent_status status : 8; /* likewise */
    enum token_role role : 8;           /* of the socket that came last; see roster_enter() */
    bool known : 1;                     /* the store's row was read */
};

/* NULL when this agent is not online. */
struct agent *roster_find(struct desk *desk, int64_t business_id, int64_t user_id);
/* A socket of this person, as roster_find() found it: user_online is emitted if it is the first.
 * The person is called as the token says, if it does, and has the token's role, but that of a
 * service only when neither another socket nor its grace is there: a back end that speaks for an
 * agent takes nothing from it. */
struct agent *roster_enter(struct desk *desk, struct agent *agent,
                           const struct token_claims *claims);
/* The socket, whose token has this role, is gone. The agent stays for the grace, and so does its
 * role when only back ends are left. */
void roster_leave(struct agent *agent, enum token_role role);
/* At start: somebody who was online when siod stopped, and has the grace to come back. */
void roster_restore(struct desk *desk, const struct store_agent *row);
/* Calls fn once the store has the rows of all who are here: an agent's row is written in the
 * background of its CONNECT, and whoever asks for agents after that wants to find it. Maybe before
 * this returns; also when the store fails. */
void roster_recorded(struct desk *desk, void (*fn)(void *arg), void *arg);
void roster_free(struct desk *desk);
