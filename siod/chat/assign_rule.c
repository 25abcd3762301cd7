#include "siod/chat/assign_rule.h"

#include <inttypes.h>

#include <utlist.h>

/* A decision is kept for each chat: of a large desk it names so many agents and counts the rest. */
enum { CONSIDERED_MAX = 16 };

const char *assign_policy_name(enum assign_policy policy)
{
    static const char *const names[] = {
        [ASSIGN_MANUAL] = "manual",
        [ASSIGN_ROUND_ROBIN] = "round_robin",
        [ASSIGN_LEAST_LOADED] = "least_loaded",
    };

    return names[policy];
}

const char *assign_obstacle_name(enum assign_obstacle obstacle)
{
    static const char *const names[ASSIGN_OBSTACLES] = {
        [ASSIGN_ELIGIBLE] = "eligible", [ASSIGN_OFFLINE] = "offline", [ASSIGN_SERVICE] = "service",
        [ASSIGN_BUSY] = "busy",         [ASSIGN_AWAY] = "away",       [ASSIGN_FULL] = "full",
    };

    return names[obstacle];
}

static uint64_t load_of(const struct agent *agent)
{
    return (uint64_t)agent->load + agent->reserved;
}

enum assign_obstacle assign_obstacle(const struct agent *agent)
{
    if (agent == NULL || !agent->known) {
        return ASSIGN_OFFLINE;
    }
    if (agent->role == TOKEN_ROLE_SERVICE) {
        return ASSIGN_SERVICE;
    }
    switch (agent->status) {
    case STORE_AGENT_AVAILABLE:
        return load_of(agent) < agent->capacity ? ASSIGN_ELIGIBLE : ASSIGN_FULL;
    case STORE_AGENT_BUSY:
        return ASSIGN_BUSY;
    case STORE_AGENT_AWAY:
        return ASSIGN_AWAY;
    }
    return ASSIGN_AWAY;
}

/* Is `a` before `b`? Both are eligible, so no capacity is 0. */
static bool is_before(enum assign_policy policy, const struct agent *a, const struct agent *b)
{
    if (policy == ASSIGN_LEAST_LOADED) {
        uint64_t left = load_of(a) * b->capacity, right = load_of(b) * a->capacity;

        if (left != right) {
            return left < right;
        }
    }
    return a->turn != b->turn ? a->turn < b->turn : a->key.user_id < b->key.user_id;
}

struct assign_choice assign_choose(enum assign_policy policy, struct agent *agents,
                                   const struct store_waiting *chat)
{
    struct assign_choice choice = { .agent = NULL };
    struct agent *agent, *avoided = NULL;

    if (policy == ASSIGN_MANUAL) {
        return choice;
    }
    DL_FOREACH (agents, agent) {
        if (assign_obstacle(agent) != ASSIGN_ELIGIBLE) {
            continue;
        }
        if (agent->key.user_id == chat->avoid_agent_id) {
            avoided = agent;
            continue;
        }
        if (agent->key.user_id == chat->last_agent_id) {
            return (struct assign_choice) { .agent = agent, .sticky = true };
        }
        if (choice.agent == NULL || is_before(policy, agent, choice.agent)) {
            choice.agent = agent;
        }
    }
    if (choice.agent == NULL) {
        choice.agent = avoided;
    }
    return choice;
}

static void render_agent(struct buf *out, const struct agent *agent, bool avoid)
{
    enum assign_obstacle obstacle = assign_obstacle(agent);

    buf_printf(out,
               "{\"agentId\":%" PRId64 ",\"load\":%" PRIu64 ",\"capacity\":%u,\"reason\":\"%s\"},",
               agent->key.user_id, load_of(agent), agent->capacity,
               avoid && obstacle == ASSIGN_ELIGIBLE ? "avoided" : assign_obstacle_name(obstacle));
}

void assign_considered_render(struct buf *out, const struct agent *agents,
                              const struct agent *chosen, int64_t avoid_agent_id)
{
    unsigned online = 0, eligible = 0, shown = 0;
    const struct agent *agent;

    DL_FOREACH (agents, agent) {
        online++;
        eligible += assign_obstacle(agent) == ASSIGN_ELIGIBLE;
    }
    buf_printf(out, "{\"online\":%u,\"eligible\":%u,\"agents\":[", online, eligible);
    if (chosen != NULL) {
        render_agent(out, chosen, false);
        shown++;
    }
    for (agent = agents; agent != NULL && shown < CONSIDERED_MAX; agent = agent->next) {
        if (agent != chosen) {
            render_agent(out, agent, agent->key.user_id == avoid_agent_id);
            shown++;
        }
    }
    out->len -= shown > 0; /* the last comma */
    buf_add_cstr(out, "]}");
}
