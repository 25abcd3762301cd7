#include "siod/chat/assign.h"

#include <inttypes.h>
#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/chat/assign_job.h"
#include "siod/chat/assign_queue.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/roster.h"
#include "siod/metrics/metrics.h"

enum { RETRY_MS = 100 };

/* An agent whose chats are still to be taken back: the store took nothing when it left. */
struct departure {
    struct departure *prev, *next;
    struct agent_key key;
};

struct assigner {
    struct desk *desk;
    struct assign_queue *queue;
    struct timer retry;
    struct departure *departures;
};

static struct store *store_of(const struct assigner *assigner)
{
    return assigner->desk->config.store;
}

/* ---- behind the queue */

static struct agent *agents_of(void *arg, int64_t business_id)
{
    struct assigner *assigner = arg;

    return desk_tenant(assigner->desk, business_id)->agents;
}

static void proposal_settled(void *arg, int64_t chat_id, const struct assign_outcome *outcome)
{
    struct assigner *assigner = arg;

    if (outcome->err == OK) {
        metric_add(METRIC_CHATS_ASSIGNED, 1);
    } else if (outcome->err == ERR_CONFLICT) {
        metric_add(METRIC_ASSIGN_REFUSED, 1);
    } else {
        log_warn(LOG_CHAT, "chat not assigned", "chat=%" PRId64 " code=%s", chat_id,
                 err_code(outcome->err));
    }
    assign_queue_settle(assigner->queue, chat_id, outcome);
}

static bool propose(void *arg, const struct assign_proposal *proposal)
{
    return assign_job_propose(store_of(arg), proposal, proposal_settled, arg);
}

static void told(void *arg, int64_t chat_id, enum err err)
{
    struct assigner *assigner = arg;

    if (err != OK) {
        log_warn(LOG_CHAT, "waiting chat not announced", "chat=%" PRId64 " code=%s", chat_id,
                 err_code(err));
    }
    assign_queue_told(assigner->queue, chat_id, err == OK);
}

static bool tell(void *arg, const struct store_waiting *chat, struct str considered, bool later)
{
    struct assigner *assigner = arg;
    const char *rule = assign_policy_name(assign_queue_policy(assigner->queue));

    return assign_job_tell(store_of(assigner), chat, rule, considered, later, told, arg);
}

static void try_departures(struct assigner *assigner);

static void on_retry(struct timer *timer)
{
    struct assigner *assigner = CONTAINER_OF(timer, struct assigner, retry);

    try_departures(assigner);
    assign_queue_resume(assigner->queue);
}

static int64_t now_us(void *arg)
{
    const struct assigner *assigner = arg;

    return loop_wall_ms(assigner->desk->config.loop) * 1000;
}

static void retry(void *arg)
{
    struct assigner *assigner = arg;

    if (!timer_is_set(&assigner->retry)) {
        timer_set(assigner->desk->config.loop, &assigner->retry, RETRY_MS, on_retry);
    }
}

/* ---- agents who are gone */

static void given_back(void *arg, int64_t business_id, int64_t user_id, enum err err,
                       const struct store_waiting *chats, size_t count)
{
    struct assigner *assigner = arg;

    if (err != OK) {
        struct departure *departure = xnew(struct departure);

        log_warn(LOG_CHAT, "chats not given back", "business=%" PRId64 " user=%" PRId64 " code=%s",
                 business_id, user_id, err_code(err));
        departure->key = (struct agent_key) { business_id, user_id };
        DL_APPEND(assigner->departures, departure);
        retry(assigner);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        assign_queue_add(assigner->queue, &chats[i]);
    }
}

static void take_back(struct assigner *assigner, struct agent_key key)
{
    if (!assign_job_give_back(store_of(assigner), key.business_id, key.user_id, given_back,
                              assigner)) {
        given_back(assigner, key.business_id, key.user_id, ERR_BUSY, NULL, 0);
    }
}

/* Who has come back meanwhile keeps everything. */
static void try_departures(struct assigner *assigner)
{
    struct departure *departures = TAKE(assigner->departures), *departure, *next;

    DL_FOREACH_SAFE (departures, departure, next) {
        struct agent_key key = departure->key;

        DL_DELETE(departures, departure);
        free(departure);
        if (roster_find(assigner->desk, key.business_id, key.user_id) == NULL) {
            take_back(assigner, key);
        }
    }
}

void assign_agent_gone(struct desk *desk, struct agent *agent)
{
    assign_queue_forget_agent(desk->assigner->queue, agent);
    take_back(desk->assigner, agent->key);
}

int64_t assign_next_turn(struct desk *desk)
{
    return assign_queue_next_turn(desk->assigner->queue);
}

void assign_agent_changed(struct desk *desk, struct agent *agent)
{
    assign_queue_turn_seen(desk->assigner->queue, agent->turn);
    if (assign_obstacle(agent) == ASSIGN_ELIGIBLE) {
        assign_queue_drain(desk->assigner->queue, agent->key.business_id);
    }
}

/* ---- chats */

void desk_chat_waits(void *arg, const struct store_waiting *chat)
{
    struct desk *desk = arg;

    desk_chat_learn(desk, chat->chat_id, chat->business_id);
    assign_queue_add(desk->assigner->queue, chat);
}

void desk_chat_waited(struct desk *desk, const struct store_waiting *chat)
{
    assign_queue_restore(desk->assigner->queue, chat);
}

void desk_chats_examine(struct desk *desk)
{
    assign_queue_resume(desk->assigner->queue);
}

void desk_chat_served(struct desk *desk, int64_t chat_id)
{
    assign_queue_remove(desk->assigner->queue, chat_id);
}

size_t desk_chats_waiting(const struct desk *desk)
{
    return assign_queue_waiting(desk->assigner->queue);
}

bool desk_is_settled(const struct desk *desk)
{
    return assign_queue_is_idle(desk->assigner->queue);
}

/* ---- life */

struct assigner *assigner_new(struct desk *desk, enum assign_policy policy)
{
    struct assigner *assigner = xnew(struct assigner);
    const struct assign_ops ops = {
        .agents = agents_of,
        .propose = propose,
        .tell = tell,
        .retry = retry,
        .now_us = now_us,
        .arg = assigner,
    };

    assigner->desk = desk;
    assigner->queue = assign_queue_new(&ops, policy);
    return assigner;
}

void assigner_set_policy(struct assigner *assigner, enum assign_policy policy)
{
    assign_queue_set_policy(assigner->queue, policy);
}

void assigner_free(struct assigner *assigner)
{
    struct departure *departure, *next;

    timer_clear(&assigner->retry);
    DL_FOREACH_SAFE (assigner->departures, departure, next) {
        free(departure);
    }
    assign_queue_free(assigner->queue);
    free(assigner);
}
