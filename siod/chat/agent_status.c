#include "siod/chat/agent_status.h"

#include <inttypes.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/chat/assign.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"
#include "siod/chat/roster.h"

struct status_job {
    struct store_job job;
    struct desk *desk;
    int64_t business_id, user_id, at_ms;
    enum store_agent_status status;
    bool changed;
    agent_status_done *done;
    void *arg;
};

static enum err status_apply(struct store_job *job, struct store_tx *tx)
{
    struct status_job *set = CONTAINER_OF(job, struct status_job, job);
    autobuf struct buf args = BUF_INIT;
    char room[BUSINESS_ROOM_SIZE], now[CLOCK_ISO_SIZE];
    enum err err =
        store_agent_status_set(tx, set->business_id, set->user_id, set->status, &set->changed);

    if (err != OK || !set->changed) {
        return err;
    }
    clock_iso(set->at_ms, now);
    buf_printf(&args, "{\"agentId\":%" PRId64 ",\"status\":\"%s\",\"timestamp\":\"%s\"}",
               set->user_id, store_agent_status_name(set->status), now);
    return store_log_append(tx, set->business_id, business_room(set->business_id, room),
                            event_name(EVENT_agent_status_changed), buf_str(&args));
}

static void status_done(struct store_job *job, enum err err)
{
    struct status_job *set = CONTAINER_OF(job, struct status_job, job);
    struct agent *agent = roster_find(set->desk, set->business_id, set->user_id);

    if (err == OK && agent != NULL) {
        agent->status = set->status;
        assign_agent_changed(set->desk, agent);
    }
    set->done(set->arg, err, err == OK && set->changed);
    free(set);
}

void agent_status_set(struct desk *desk, int64_t business_id, int64_t user_id,
                      enum store_agent_status status, agent_status_done *done, void *arg)
{
    struct status_job *set = xnew(struct status_job);

    set->job.apply = status_apply;
    set->job.done = status_done;
    set->desk = desk;
    set->business_id = business_id;
    set->user_id = user_id;
    set->at_ms = loop_wall_ms(desk->config.loop);
    set->status = status;
    set->done = done;
    set->arg = arg;
    if (!store_submit(desk->config.store, &set->job)) {
        status_done(&set->job, ERR_BUSY);
    }
}

/* ---- the client's event */

static void answered(void *arg, enum err err, bool changed)
{
    struct event_later *later = arg;
    struct event_ctx ctx;

    (void)changed;
    if (event_resume(later, &ctx)) {
        if (err == OK) {
            event_done(ctx.from->socket, ctx.ack, STR(""));
        } else {
            event_refuse(ctx.from->socket, ctx.name, ctx.ack, err, err_text(err));
        }
    }
    free(later);
}

void on_agent_status_update(const struct event_ctx *ctx, const struct agent_status *update)
{
    struct event_later *later = xnew(struct event_later);

    event_suspend(ctx, later);
    agent_status_set(ctx->desk, ctx->from->agent.business_id, ctx->from->agent.user_id,
                     update->status, answered, later);
}
