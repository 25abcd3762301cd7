/* The live part of assignment: chats that need an agent, and proposals that are on their way to the
 * store.
 *
 * Each business has its waiting chats in a line, the oldest first. While somebody is eligible the
 * head is taken out, an agent is chosen from live presence, one chat of its load is reserved, and
 * the store is asked to give the chat away if chat and agent are still as they seemed
 * (compare-and-set). The answer comes later: on a refusal the reservation is released and the chat,
 * if it still waits, goes back to its place and is proposed again with what the answer has told.
 * Chats that find nobody are announced once. Of proposals and announcements so many are under way
 * at a time; when one is answered it is the turn of the next business that has something to ask.
 *
 * Agents are read, reserved for and counted in place (struct agent). Nothing here knows a store, a
 * socket or a clock: they are behind struct assign_ops. Loop thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/chat/assign_rule.h"
#include "siod/store/store.h"

struct assign_queue;

struct assign_proposal {
    int64_t chat_id, business_id, version;
    int64_t agent_id;
    int64_t turn;          /* the agent's, if it gets the chat */
    const char *rule;      /* a policy's name or "sticky" */
    struct str considered; /* JSON, borrowed for the call */
};

struct assign_ops {
    /* The online agents of a business. */
    struct agent *(*agents)(void *arg, int64_t business_id);
    /* Asks the store; assign_queue_settle() brings the answer later, never from inside. False: it
     * takes nothing now. */
    bool (*propose)(void *arg, const struct assign_proposal *proposal);
    /* Nobody is eligible for this chat: to be announced; assign_queue_told() says, later, what came
     * of it. `later`: it waits since before siod started, and a little longer does not matter.
     * False: the store takes nothing now. */
    bool (*tell)(void *arg, const struct store_waiting *chat, struct str considered, bool later);
    /* The store took nothing: assign_queue_resume() is to be called some time later. */
    void (*retry)(void *arg);
    /* By the wall clock. */
    int64_t (*now_us)(void *arg);
    void *arg;
};

/* Returns owned. `ops` is copied. */
NODISCARD
struct assign_queue *assign_queue_new(const struct assign_ops *ops, enum assign_policy policy);
void assign_queue_free(struct assign_queue *queue);
void assign_queue_set_policy(struct assign_queue *queue, enum assign_policy policy);
enum assign_policy assign_queue_policy(const struct assign_queue *queue);

/* A chat that needs an agent; one that is there already keeps its place, unless this is another
 * wait (a greater version). */
void assign_queue_add(struct assign_queue *queue, const struct store_waiting *chat);
/* At start: one that waited when siod stopped, the oldest first. Nothing is asked before
 * assign_queue_resume(). */
void assign_queue_restore(struct assign_queue *queue, const struct store_waiting *chat);
/* It needs one no longer. A proposal under way will find out. */
void assign_queue_remove(struct assign_queue *queue, int64_t chat_id);
/* Somebody of this business may have become eligible. */
void assign_queue_drain(struct assign_queue *queue, int64_t business_id);
/* Everything is tried again. */
void assign_queue_resume(struct assign_queue *queue);
/* A turn later than all that were given and seen: of an agent who is given a chat otherwise. */
int64_t assign_queue_next_turn(struct assign_queue *queue);
/* An agent is here who has this one: the clock may have been set back since it was given. */
void assign_queue_turn_seen(struct assign_queue *queue, int64_t turn);
/* The agent's struct is about to go: proposals for it are still answered. */
void assign_queue_forget_agent(struct assign_queue *queue, const struct agent *agent);

/* What came of a proposal. */
struct assign_outcome {
    enum err err; /* OK: it has the chat. ERR_CONFLICT: refused, as follows. Others: not tried */
    /* Refused: the chat as it is now, if it still waits; chat_id 0 if it does not. */
    struct store_waiting chat;
    /* Refused: the agent's row; user_id 0 when there is none. */
    struct store_agent agent;
};
void assign_queue_settle(struct assign_queue *queue, int64_t chat_id,
                         const struct assign_outcome *outcome);
/* What came of an announcement. One that failed is made again. */
void assign_queue_told(struct assign_queue *queue, int64_t chat_id, bool done);

/* Nothing is under way, and nothing is left to be asked. */
bool assign_queue_is_idle(const struct assign_queue *queue);
/* Chats that wait, those with a proposal under way included. */
size_t assign_queue_waiting(const struct assign_queue *queue);
