#include "siod/chat/agent_capacity.h"

#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/chat/assign.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/roster.h"

struct capacity_job {
    struct store_job job;
    struct desk *desk;
    int64_t business_id, user_id, capacity;
    bool changed;
    agent_capacity_done *done;
    void *arg;
};

static enum err capacity_apply(struct store_job *job, struct store_tx *tx)
{
    struct capacity_job *set = CONTAINER_OF(job, struct capacity_job, job);

    return store_agent_capacity_set(tx, set->business_id, set->user_id, set->capacity,
                                    &set->changed);
}

static void capacity_done(struct store_job *job, enum err err)
{
    struct capacity_job *set = CONTAINER_OF(job, struct capacity_job, job);
    struct agent *agent = roster_find(set->desk, set->business_id, set->user_id);

    if (err == OK && agent != NULL) {
        agent->capacity = (unsigned)set->capacity;
        assign_agent_changed(set->desk, agent);
    }
    set->done(set->arg, err, err == OK && set->changed);
    free(set);
}

void agent_capacity_set(struct desk *desk, int64_t business_id, int64_t user_id, int64_t capacity,
                        agent_capacity_done *done, void *arg)
{
    struct capacity_job *set = xnew(struct capacity_job);

    set->job.apply = capacity_apply;
    set->job.done = capacity_done;
    set->desk = desk;
    set->business_id = business_id;
    set->user_id = user_id;
    set->capacity = capacity;
    set->done = done;
    set->arg = arg;
    if (!store_submit(desk->config.store, &set->job)) {
        capacity_done(&set->job, ERR_BUSY);
    }
}
