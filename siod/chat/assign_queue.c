#include "siod/chat/assign_queue.h"

#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/map.h"
#include "siod/chat/assign_line.h"

/* Under way at once: enough for full groups of the writer, and not so many that whatever else the
 * store has to do would wait for long. */
enum { PROPOSALS_MAX = 256, TELLS_MAX = 64 };

struct assign_queue {
    struct assign_ops ops;
    enum assign_policy policy;
    struct waiting_chat *chats;
    struct assign_line *lines;
    struct assign_line *hopeful; /* lines to be looked at once a proposal can be made; in turn */
    struct assign_line *telling; /* lines whose fresh chats are to be told of; in turn */
    struct waiting_chat *proposed;
    unsigned proposals, tells;
    int64_t turn; /* the latest */
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
    struct assign_line *line, *next_line;

    if (queue == NULL) {
        return;
    }
    HASH_ITER (hh, queue->chats, chat, next_chat) {
        HASH_DEL(queue->chats, chat);
        free(chat->proposal);
        free(chat);
    }
    HASH_ITER (hh, queue->lines, line, next_line) {
        HASH_DEL(queue->lines, line);
        free(line);
    }
    buf_finish(&queue->considered);
    free(queue);
}

/* ---- chats and lines */

static struct assign_line *find_line(struct assign_queue *queue, int64_t business_id)
{
    struct assign_line *line;

    HASH_FIND(hh, queue->lines, &business_id, sizeof business_id, line);
    return line;
}

static struct assign_line *line_of(struct assign_queue *queue, int64_t business_id)
{
    struct assign_line *line = find_line(queue, business_id);

    if (line == NULL) {
        line = xnew(struct assign_line);
        line->business_id = business_id;
        HASH_ADD(hh, queue->lines, business_id, sizeof line->business_id, line);
    }
    return line;
}

static struct waiting_chat *find_chat(struct assign_queue *queue, int64_t chat_id)
{
    struct waiting_chat *chat;

    HASH_FIND(hh, queue->chats, &chat_id, sizeof chat_id, chat);
    return chat;
}

static struct waiting_chat *chat_new(struct assign_queue *queue, const struct store_waiting *row)
{
    struct waiting_chat *chat = xnew(struct waiting_chat);

    chat->row = *row;
    HASH_ADD(hh, queue->chats, row.chat_id, sizeof chat->row.chat_id, chat);
    return chat;
}

static void forget_chat(struct assign_queue *queue, struct waiting_chat *chat)
{
    HASH_DEL(queue->chats, chat);
    free(chat);
}

static void forget_if_empty(struct assign_queue *queue, struct assign_line *line)
{
    if (line->chats == NULL) {
        assign_line_list(line, NULL);
        HASH_DEL(queue->lines, line);
        free(line);
    }
}

/* ---- proposals */

int64_t assign_queue_next_turn(struct assign_queue *queue)
{
    queue->turn = MAX(queue->turn + 1, queue->ops.now_us(queue->ops.arg));
    return queue->turn;
}

void assign_queue_turn_seen(struct assign_queue *queue, int64_t turn)
{
    queue->turn = MAX(queue->turn, turn);
}

static struct proposal *reserve(struct assign_queue *queue, const struct waiting_chat *chat,
                                struct agent *agent)
{
    struct proposal *proposal = xnew(struct proposal);

    *proposal = (struct proposal) { .asked_version = chat->row.version,
                                    .agent = agent,
                                    .turn = assign_queue_next_turn(queue),
                                    .turn_before = agent->turn };
    agent->turn = proposal->turn;
    agent->reserved++;
    return proposal;
}

/* Frees the proposal. */
static void release(struct proposal *proposal, bool was_given)
{
    struct agent *agent = proposal->agent;

    if (agent != NULL) {
        agent->reserved--;
        agent->load += was_given;
        if (!was_given && agent->turn == proposal->turn) {
            agent->turn = proposal->turn_before;
        }
    }
    free(proposal);
}

static bool propose(struct assign_queue *queue, struct assign_line *line, struct waiting_chat *chat,
                    struct agent *agents, struct assign_choice choice)
{
    struct assign_proposal proposal = {
        .chat_id = chat->row.chat_id,
        .business_id = line->business_id,
        .version = chat->row.version,
        .agent_id = choice.agent->key.user_id,
        .rule = choice.sticky ? "sticky" : assign_policy_name(queue->policy),
    };
    struct proposal *reserved;

    buf_clear(&queue->considered);
    assign_considered_render(&queue->considered, agents, choice.agent, chat->row.avoid_agent_id);
    proposal.considered = buf_str(&queue->considered);
    reserved = reserve(queue, chat, choice.agent);
    proposal.turn = reserved->turn;
    if (!queue->ops.propose(queue->ops.arg, &proposal)) {
        release(reserved, false);
        return false;
    }
    assign_line_remove(line, chat);
    chat->proposal = reserved;
    DL_APPEND(queue->proposed, chat);
    queue->proposals++;
    return true;
}

/* Of the next chat of the line that nobody was told of. */
static bool tell(struct assign_queue *queue, struct assign_line *line)
{
    const struct agent *agents = queue->ops.agents(queue->ops.arg, line->business_id);
    struct waiting_chat *chat = line->fresh;
    bool later = chat == line->fresh_later;

    buf_clear(&queue->considered);
    assign_considered_render(&queue->considered, agents, NULL, 0);
    if (!queue->ops.tell(queue->ops.arg, &chat->row, buf_str(&queue->considered), later)) {
        return false;
    }
    assign_line_told(line, chat);
    queue->tells++;
    return true;
}

/* One chat of each line in turn: a business with many holds nobody up. */
static void tell_more(struct assign_queue *queue)
{
    struct assign_line *line;

    while (queue->tells < TELLS_MAX && (line = queue->telling) != NULL) {
        if (line->fresh != NULL && !tell(queue, line)) {
            queue->ops.retry(queue->ops.arg);
            return;
        }
        assign_line_list(line, line->fresh != NULL ? &queue->telling : NULL);
    }
}

/* Proposes until there is nobody eligible or nothing left to do or too much under way; lists the
 * line by what it was, and forgets it when it is empty. False: the store takes nothing now. */
static bool propose_from(struct assign_queue *queue, struct assign_line *line)
{
    struct agent *agents = queue->ops.agents(queue->ops.arg, line->business_id);

    assign_line_list(line, NULL);
    while (line->chats != NULL && queue->proposals < PROPOSALS_MAX) {
        struct waiting_chat *chat = line->chats;
        struct assign_choice choice = assign_choose(queue->policy, agents, &chat->row);

        if (choice.agent == NULL) {
            assign_line_list(line, line->fresh != NULL ? &queue->telling : NULL);
            return true;
        }
        if (!propose(queue, line, chat, agents, choice)) {
            return false;
        }
    }
    assign_line_list(line, &queue->hopeful);
    forget_if_empty(queue, line);
    return true;
}

static void work_off(struct assign_queue *queue)
{
    while (queue->hopeful != NULL && queue->proposals < PROPOSALS_MAX) {
        if (!propose_from(queue, queue->hopeful)) {
            queue->ops.retry(queue->ops.arg);
        }
    }
    tell_more(queue);
}

/* The line may have somebody now. */
static void drain(struct assign_queue *queue, struct assign_line *line)
{
    if (line->list != &queue->hopeful) {
        assign_line_list(line, &queue->hopeful);
    }
    work_off(queue);
}

void assign_queue_drain(struct assign_queue *queue, int64_t business_id)
{
    struct assign_line *line = find_line(queue, business_id);

    if (line != NULL) {
        drain(queue, line);
    }
}

void assign_queue_resume(struct assign_queue *queue)
{
    struct assign_line *line, *next;

    HASH_ITER (hh, queue->lines, line, next) {
        if (line->list != &queue->hopeful) {
            assign_line_list(line, &queue->hopeful);
        }
    }
    work_off(queue);
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
    struct assign_line *line;

    if (chat != NULL && chat->proposal != NULL) { /* under way as it was: the answer will say so */
        if (row->version > chat->row.version) {
            chat->row = *row;
        }
        return;
    }
    line = line_of(queue, row->business_id);
    if (chat == NULL) {
        chat = chat_new(queue, row);
    } else if (row->version > chat->row.version) {
        assign_line_remove(line, chat);
        chat->row = *row;
    } else {
        return;
    }
    assign_line_add(line, chat);
    drain(queue, line);
}

void assign_queue_restore(struct assign_queue *queue, const struct store_waiting *row)
{
    if (find_chat(queue, row->chat_id) == NULL) {
        assign_line_restore(line_of(queue, row->business_id), chat_new(queue, row));
    }
}

void assign_queue_remove(struct assign_queue *queue, int64_t chat_id)
{
    struct waiting_chat *chat = find_chat(queue, chat_id);

    if (chat != NULL && chat->proposal == NULL) {
        struct assign_line *line = line_of(queue, chat->row.business_id);

        assign_line_remove(line, chat);
        forget_if_empty(queue, line);
        forget_chat(queue, chat);
    }
}

void assign_queue_forget_agent(struct assign_queue *queue, const struct agent *agent)
{
    struct waiting_chat *chat;

    DL_FOREACH (queue->proposed, chat) {
        if (chat->proposal->agent == agent) {
            chat->proposal->agent = NULL;
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

static void learn_refusal(struct waiting_chat *chat, const struct assign_outcome *outcome)
{
    if (outcome->chat.version == chat->proposal->asked_version) {
        learn_agent(chat->proposal->agent, &outcome->agent);
    } else if (outcome->chat.version > chat->row.version) { /* another wait than the known one */
        chat->row = outcome->chat;
    }
}

void assign_queue_settle(struct assign_queue *queue, int64_t chat_id,
                         const struct assign_outcome *outcome)
{
    struct waiting_chat *chat = find_chat(queue, chat_id);
    int64_t business_id = chat->row.business_id;

    DL_DELETE(queue->proposed, chat);
    queue->proposals--;
    if (outcome->err == ERR_CONFLICT) {
        learn_refusal(chat, outcome);
    }
    release(TAKE(chat->proposal), outcome->err == OK);
    if (outcome->err == OK || (outcome->err == ERR_CONFLICT && outcome->chat.chat_id == 0)) {
        forget_chat(queue, chat);
    } else {
        assign_line_add(line_of(queue, business_id), chat);
    }
    if (outcome->err != OK && outcome->err != ERR_CONFLICT) {
        assign_line_list(find_line(queue, business_id), NULL);
        queue->ops.retry(queue->ops.arg);
    } else {
        assign_queue_drain(queue, business_id);
        work_off(queue);
    }
}

void assign_queue_told(struct assign_queue *queue, int64_t chat_id, bool done)
{
    struct waiting_chat *chat = find_chat(queue, chat_id);

    queue->tells--;
    if (done) {
        tell_more(queue);
        return;
    }
    if (chat != NULL && chat->proposal == NULL && chat->row.told) {
        assign_line_not_told(line_of(queue, chat->row.business_id), chat);
    } else if (chat != NULL) {
        chat->row.told = false;
    }
    queue->ops.retry(queue->ops.arg);
}

bool assign_queue_is_idle(const struct assign_queue *queue)
{
    return queue->proposals == 0 && queue->tells == 0 && queue->hopeful == NULL &&
           queue->telling == NULL;
}

size_t assign_queue_waiting(const struct assign_queue *queue)
{
    return HASH_COUNT(queue->chats);
}
