/* The waiting chats of one business: in the order in which they are served, and those that nobody
 * was told of in the order in which that is done. For assign_queue.c, which owns lines and chats.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/map.h"
#include "siod/chat/roster.h"
#include "siod/store/store.h"

struct proposal {
    int64_t asked_version; /* as which the chat was proposed */
    struct agent *agent;   /* whose load it is reserved in, NULL when it left */
    int64_t turn;          /* the agent's, as given by the proposal */
    int64_t turn_before;   /* and what it was */
};

/* There may be a million of them. */
struct waiting_chat {
    UT_hash_handle hh; /* queue->chats, by id */
    struct store_waiting row;
    struct waiting_chat *prev, *next;             /* in line; or queue->proposed */
    struct waiting_chat *fresh_prev, *fresh_next; /* in line and not told */
    struct proposal *proposal;                    /* under way; NULL: it is in line */
};

struct assign_line {
    UT_hash_handle hh; /* queue->lines, by business */
    int64_t business_id;
    struct waiting_chat *chats;       /* by (since, id) */
    struct waiting_chat *fresh;       /* those of them that nobody was told of */
    struct waiting_chat *fresh_later; /* from here on in that list: may be told of later */
    /* In one of the queue's lists, or in none: then there is nobody eligible, and nothing to tell
     * or nothing that the store takes. */
    struct assign_line **list, *prev, *next;
};

/* A chat takes its place among the others. One that nobody was told of comes before those that may
 * be told of later. */
void assign_line_add(struct assign_line *line, struct waiting_chat *chat);
/* The same, but it may be told of later. */
void assign_line_restore(struct assign_line *line, struct waiting_chat *chat);
void assign_line_remove(struct assign_line *line, struct waiting_chat *chat);
/* The chat is in the line, and it is being told of. */
void assign_line_told(struct assign_line *line, struct waiting_chat *chat);
/* The chat is in the line, and it has to be told of again. */
void assign_line_not_told(struct assign_line *line, struct waiting_chat *chat);
/* The line goes to the end of a list of lines; NULL: into none. */
void assign_line_list(struct assign_line *line, struct assign_line **list);
