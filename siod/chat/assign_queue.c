#include "siod/chat/assign_queue.h"

#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/map.h"

/* Proposals under way: enough for full groups of the writer, and little to look through. */
enum { PROPOSALS_MAX = 256 };

struct waiting_chat {
    UT_hash_handle hh; /* queue->chats, by id */
    struct store_waiting row;
    struct waiting_chat *prev, *next;             /* in line; or queue->proposed */
    struct waiting_chat *fresh_prev, *fresh_next; /* in line and not told */
    bool proposed;
    int64_t asked_version; /* proposed: as which it was */
    struct agent *agent;   /* proposed: whose load it is reserved in, NULL when it left */
    uint64_t turn;         /* the agent's, as given by the proposal */
    uint64_t turn_before;  /* and what it was */
};

struct line {
    UT_hash_handle hh; /* queue->lines, by business */
    int64_t business_id;
    struct waiting_chat *chats; /* by (since, id) */
    struct waiting_chat *fresh; /* those of them that nobody was told of */
};

struct assign_queue {
    struct assign_ops ops;
    enum assign_policy policy;
    struct waiting_chat *chats;
    struct line *lines;
    struct waiting_chat *proposed;
    unsigned proposals;
    uint64_t turn;
    struct buf considered;
};

struct assign_queue *assign_queue_new(const struct assign_ops *ops, enum assign_policy policy)
{
    struct assign_queue *queue = xnew(struct assign_queue);

    queue->ops = *ops;
    queue->policy = policy;
    return queue;
}

void assign_queue_free(struct assign_queue *queue)
{
    struct waiting_chat *chat, *next_chat;
    struct line *line, *next_line;

    if (queue == NULL) {
        return;
    }
    HASH_ITER (hh, queue->chats, chat, next_chat) {
        HASH_DEL(queue->chats, chat);
        free(chat);
    }
    HASH_ITER (hh, queue->lines, line, next_line) {
        HASH_DEL(queue->lines, line);
        free(line);
    }
    buf_finish(&queue->considered);
    free(queue);
}

/* ---- the line */

static struct line *find_line(struct assign_queue *queue, int64_t business_id)
{
    struct line *line;

    HASH_FIND(hh, queue->lines, &business_id, sizeof business_id, line);
    return line;
}

static struct line *line_of(struct assign_queue *queue, int64_t business_id)
{
    struct line *line = find_line(queue, business_id);

    if (line == NULL) {
        line = xnew(struct line);
        line->business_id = business_id;
        HASH_ADD(hh, queue->lines, business_id, sizeof line->business_id, line);
    }
    return line;
}

static bool is_older(const struct waiting_chat *a, const struct waiting_chat *b)
{
    return a->row.since_ms != b->row.since_ms ? a->row.since_ms < b->row.since_ms
                                              : a->row.chat_id < b->row.chat_id;
}

static void set_fresh(struct line *line, struct waiting_chat *chat)
{
    chat->row.told = false;
    DL_APPEND2(line->fresh, chat, fresh_prev, fresh_next);
}

static void set_told(struct line *line, struct waiting_chat *chat)
{
    chat->row.told = true;
    DL_DELETE2(line->fresh, chat, fresh_prev, fresh_next);
}

/* Nearly always to one of the ends: the newest arrival, or the oldest that was refused. */
static void line_insert(struct line *line, struct waiting_chat *chat)
{
    struct waiting_chat *before = line->chats;

    if (before == NULL || is_older(before->prev, chat)) {
        DL_APPEND(line->chats, chat);
    } else {
        while (is_older(before, chat)) {
            before = before->next;
        }
        DL_PREPEND_ELEM(line->chats, before, chat);
    }
    if (!chat->row.told) {
        set_fresh(line, chat);
    }
}

static void line_delete(struct line *line, struct waiting_chat *chat)
{
    DL_DELETE(line->chats, chat);
    if (!chat->row.told) {
        DL_DELETE2(line->fresh, chat, fresh_prev, fresh_next);
    }
}

static struct waiting_chat *find_chat(struct assign_queue *queue, int64_t chat_id)
{
    struct waiting_chat *chat;

    HASH_FIND(hh, queue->chats, &chat_id, sizeof chat_id, chat);
    return chat;
}

static void forget_chat(struct assign_queue *queue, struct waiting_chat *chat)
{
    HASH_DEL(queue->chats, chat);
    free(chat);
}

static void forget_if_empty(struct assign_queue *queue, struct line *line)
{
    if (line->chats == NULL) {
        HASH_DEL(queue->lines, line);
        free(line);
    }
}

/* ---- proposals */

static void reserve(struct assign_queue *queue, struct waiting_chat *chat, struct agent *agent)
{
    chat->agent = agent;
    chat->turn_before = agent->turn;
    chat->turn = ++queue->turn;
    agent->turn = chat->turn;
    agent->reserved++;
}

static void release(struct waiting_chat *chat, bool was_given)
{
    struct agent *agent = chat->agent;

    chat->agent = NULL;
    if (agent == NULL) {
        return;
    }
    agent->reserved--;
    if (was_given) {
        agent->load++;
    } else if (agent->turn == chat->turn) {
        agent->turn = chat->turn_before;
    }
}

static bool propose(struct assign_queue *queue, struct line *line, struct waiting_chat *chat,
                    struct agent *agents, struct assign_choice choice)
{
    struct assign_proposal proposal = {
        .chat_id = chat->row.chat_id,
        .business_id = line->business_id,
        .version = chat->row.version,
        .agent_id = choice.agent->key.user_id,
        .rule = choice.sticky ? "sticky" : assign_policy_name(queue->policy),
    };

    buf_clear(&queue->considered);
    assign_considered_render(&queue->considered, agents, choice.agent, chat->row.avoid_agent_id);
    proposal.considered = buf_str(&queue->considered);
    reserve(queue, chat, choice.agent);
    if (!queue->ops.propose(queue->ops.arg, &proposal)) {
        release(chat, false);
        return false;
    }
    line_delete(line, chat);
    chat->proposed = true;
    chat->asked_version = chat->row.version;
    DL_APPEND(queue->proposed, chat);
    queue->proposals++;
    return true;
}

/* Of everybody in the line who does not know it yet. */
static bool tell(struct assign_queue *queue, struct line *line, const struct agent *agents)
{
    struct waiting_chat *chat;

    if (line->fresh == NULL) {
        return true;
    }
    buf_clear(&queue->considered);
    assign_considered_render(&queue->considered, agents, NULL, 0);
    while ((chat = line->fresh) != NULL) {
        if (!queue->ops.tell(queue->ops.arg, &chat->row, buf_str(&queue->considered))) {
            return false;
        }
        set_told(line, chat);
    }
    return true;
}

static void drain(struct assign_queue *queue, struct line *line)
{
    struct agent *agents = queue->ops.agents(queue->ops.arg, line->business_id);
    unsigned before = queue->proposals;
    bool taken = true;

    while (taken && line->chats != NULL && queue->proposals < PROPOSALS_MAX) {
        struct waiting_chat *chat = line->chats;
        struct assign_choice choice = assign_choose(queue->policy, agents, &chat->row);

        if (choice.agent == NULL) {
            taken = tell(queue, line, agents);
            break;
        }
        taken = propose(queue, line, chat, agents, choice);
    }
    if (!taken) {
        queue->ops.retry(queue->ops.arg);
    }
    if (queue->proposals > before && line->chats != NULL) { /* then it is another business's turn */
        HASH_DEL(queue->lines, line);
        HASH_ADD(hh, queue->lines, business_id, sizeof line->business_id, line);
    }
    forget_if_empty(queue, line);
}

void assign_queue_drain(struct assign_queue *queue, int64_t business_id)
{
    struct line *line = find_line(queue, business_id);

    if (line != NULL) {
        drain(queue, line);
    }
}

void assign_queue_resume(struct assign_queue *queue)
{
    struct line *line, *next;

    HASH_ITER (hh, queue->lines, line, next) {
        if (queue->proposals == PROPOSALS_MAX) {
            break;
        }
        drain(queue, line);
    }
}

void assign_queue_set_policy(struct assign_queue *queue, enum assign_policy policy)
{
    queue->policy = policy;
    assign_queue_resume(queue);
}

enum assign_policy assign_queue_policy(const struct assign_queue *queue)
{
    return queue->policy;
}

/* ---- what happens to chats and agents */

void assign_queue_add(struct assign_queue *queue, const struct store_waiting *row)
{
    struct waiting_chat *chat = find_chat(queue, row->chat_id);
    struct line *line;

    if (chat != NULL && chat->proposed) { /* under way as it was: the answer will say so */
        if (row->version > chat->row.version) {
            chat->row = *row;
        }
        return;
    }
    line = line_of(queue, row->business_id);
    if (chat == NULL) {
        chat = xnew(struct waiting_chat);
        chat->row = *row;
        HASH_ADD(hh, queue->chats, row.chat_id, sizeof chat->row.chat_id, chat);
    } else if (row->version > chat->row.version) {
        line_delete(line, chat);
        chat->row = *row;
    } else {
        return;
    }
    line_insert(line, chat);
    drain(queue, line);
}

void assign_queue_remove(struct assign_queue *queue, int64_t chat_id)
{
    struct waiting_chat *chat = find_chat(queue, chat_id);

    if (chat != NULL && !chat->proposed) {
        struct line *line = line_of(queue, chat->row.business_id);

        line_delete(line, chat);
        forget_if_empty(queue, line);
        forget_chat(queue, chat);
    }
}

void assign_queue_forget_agent(struct assign_queue *queue, const struct agent *agent)
{
    struct waiting_chat *chat;

    DL_FOREACH (queue->proposed, chat) {
        if (chat->agent == agent) {
            chat->agent = NULL;
        }
    }
}

/* The chat was as proposed, so it was the agent who is full: the store knows better. */
static void learn_agent(struct agent *agent, const struct store_agent *row)
{
    if (agent != NULL) {
        agent->known = row->user_id != 0;
        agent->load = (unsigned)row->load;
        agent->capacity = (unsigned)row->capacity;
    }
}

static void learn_refusal(struct waiting_chat *chat, struct agent *agent,
                          const struct assign_outcome *outcome)
{
    if (outcome->chat.version == chat->asked_version) {
        learn_agent(agent, &outcome->agent);
    } else if (outcome->chat.version > chat->row.version) { /* another wait than the known one */
        chat->row = outcome->chat;
    }
}

void assign_queue_settle(struct assign_queue *queue, int64_t chat_id,
                         const struct assign_outcome *outcome)
{
    struct waiting_chat *chat = find_chat(queue, chat_id);
    struct agent *agent = chat->agent;
    int64_t business_id = chat->row.business_id;
    bool was_full = queue->proposals == PROPOSALS_MAX;

    DL_DELETE(queue->proposed, chat);
    queue->proposals--;
    chat->proposed = false;
    release(chat, outcome->err == OK);
    if (outcome->err == OK || (outcome->err == ERR_CONFLICT && outcome->chat.chat_id == 0)) {
        forget_chat(queue, chat);
    } else {
        if (outcome->err == ERR_CONFLICT) {
            learn_refusal(chat, agent, outcome);
        }
        line_insert(line_of(queue, business_id), chat);
    }
    if (outcome->err != OK && outcome->err != ERR_CONFLICT) {
        queue->ops.retry(queue->ops.arg);
    } else if (was_full) {
        assign_queue_resume(queue);
    } else {
        assign_queue_drain(queue, business_id);
    }
}

void assign_queue_not_told(struct assign_queue *queue, int64_t chat_id)
{
    struct waiting_chat *chat = find_chat(queue, chat_id);

    if (chat == NULL || !chat->row.told) {
        return;
    }
    if (chat->proposed) {
        chat->row.told = false;
    } else {
        set_fresh(line_of(queue, chat->row.business_id), chat);
    }
    queue->ops.retry(queue->ops.arg);
}

size_t assign_queue_waiting(const struct assign_queue *queue)
{
    return HASH_COUNT(queue->chats);
}
