#include "siod/chat/desk.h"
#include "siod/chat/roster.h"
#include "siod/control/agent.h"
#include "siod/control/call.h"

void control_businesses_add(struct control_businesses *businesses, int64_t id)
{
    for (unsigned i = 0; i < MIN(businesses->count, BUSINESSES_NAMED); i++) {
        if (businesses->ids[i] == id) {
            return;
        }
    }
    if (businesses->count < BUSINESSES_NAMED) {
        businesses->ids[businesses->count] = id;
    }
    businesses->count = MIN(businesses->count + 1, BUSINESSES_NAMED + 1);
}

void control_fail_ambiguous(struct control_call *call, const struct control_businesses *businesses,
                            const char *what)
{
    autobuf struct buf list = BUF_INIT;

    for (unsigned i = 0; i < MIN(businesses->count, BUSINESSES_NAMED); i++) {
        buf_printf(&list, "%s%lld", i > 0 ? ", " : "", (long long)businesses->ids[i]);
    }
    control_fail(call, ERR_INVALID, "businesses %s%s have %s: choose with --business", list.data,
                 businesses->count > BUSINESSES_NAMED ? " and others" : "", what);
}

void control_fail_ambiguous_agent(struct control_call *call,
                                  const struct control_businesses *businesses, int64_t user_id)
{
    char what[40];

    snprintf(what, sizeof what, "an agent %lld", (long long)user_id);
    control_fail_ambiguous(call, businesses, what);
}

/* The first one is kept. */
static bool take_agent(void *arg, const struct store_agent *agent)
{
    struct control_lookup *lookup = arg;

    if (agent->user_id != lookup->user_id) {
        return true;
    }
    control_businesses_add(&lookup->businesses, agent->business_id);
    if (lookup->businesses.count == 1) {
        lookup->agent = *agent;
        buf_add_str(&lookup->texts, agent->name);
        buf_add_str(&lookup->texts, agent->role);
    }
    return true;
}

static enum err lookup_fetch(struct store_query *query, struct store_reader *reader)
{
    struct control_lookup *lookup = CONTAINER_OF(query, struct control_lookup, query);
    const struct store_agent_filter filter = { .business_id = lookup->business_id };
    enum err err;

    lookup->businesses.count = 0;
    buf_clear(&lookup->texts);
    err = store_agents(reader, &filter, take_agent, lookup);
    lookup->agent.name.data = lookup->texts.data;
    lookup->agent.role.data =
        lookup->texts.len > 0 ? lookup->texts.data + lookup->agent.name.len : NULL;
    return err;
}

bool control_agent_online(const struct control_call *call, const struct store_agent *row)
{
    const struct agent *agent =
        roster_find(control_config(call)->desk, row->business_id, row->user_id);

    return agent != NULL && agent->known;
}

static void lookup_done(struct store_query *query, enum err err)
{
    struct control_lookup *lookup = CONTAINER_OF(query, struct control_lookup, query);
    struct control_call *call = lookup->call;
    struct store_agent *agent = &lookup->agent;

    if (!control_unhold(call)) {
        return;
    }
    if (err == OK && lookup->businesses.count != 1) {
        err = lookup->businesses.count == 0 ? ERR_NOT_FOUND : ERR_INVALID;
    }
    if (err == OK) {
        agent->online = control_agent_online(call, agent);
    }
    lookup->done(call, lookup, err);
}

static void ask(void *arg)
{
    struct control_lookup *lookup = arg;

    store_ask(control_config(lookup->call)->store, &lookup->query);
}

void control_lookup_start(struct control_call *call, struct control_lookup *lookup)
{
    lookup->call = call;
    lookup->query.fetch = lookup_fetch;
    lookup->query.done = lookup_done;
    control_hold(call);
    roster_recorded(control_config(call)->desk, ask, lookup);
}

void control_lookup_finish(struct control_lookup *lookup)
{
    buf_finish(&lookup->texts);
}

void control_lookup_fail(struct control_call *call, const struct control_lookup *lookup,
                         enum err err)
{
    if (err == ERR_NOT_FOUND) {
        control_fail(call, err, "no agent %lld%s", (long long)lookup->user_id,
                     lookup->business_id != 0 ? " in this business" : "");
    } else if (err == ERR_INVALID) {
        control_fail_ambiguous_agent(call, &lookup->businesses, lookup->user_id);
    } else {
        control_fail(call, err, NULL);
    }
}
