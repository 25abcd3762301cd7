#include "siod/chat/roster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/log.h"
#include "siod/chat/assign.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"

enum { RETRY_MS = 1000 };

/* ---- what the store is told, in the background */

struct presence_job {
    struct store_job job;
    struct desk *desk;
    struct agent_key key;
    bool online;
    char role[16];
    char name[TOKEN_NAME_MAX + 1];
    struct store_agent row; /* numbers only */
};

static enum err presence_apply(struct store_job *job, struct store_tx *tx)
{
    struct presence_job *presence = CONTAINER_OF(job, struct presence_job, job);
    const struct agent_key *key = &presence->key;
    enum err err;

    if (!presence->online) {
        return store_agent_offline(tx, key->business_id, key->user_id);
    }
    err = store_business_ensure(tx, key->business_id);
    return err != OK ? err
                     : store_agent_seen(tx, key->business_id, key->user_id, str_of(presence->name),
                                        str_of(presence->role), &presence->row);
}

static void record_again(struct timer *timer);

static void presence_done(struct store_job *job, enum err err)
{
    struct presence_job *presence = CONTAINER_OF(job, struct presence_job, job);
    struct agent *agent =
        roster_find(presence->desk, presence->key.business_id, presence->key.user_id);

    if (err != OK) {
        log_warn(LOG_CHAT, "presence not recorded", "business=%" PRId64 " user=%" PRId64 " code=%s",
                 presence->key.business_id, presence->key.user_id, err_code(err));
        if (presence->online && agent != NULL && agent->sockets > 0) {
            timer_set(agent->desk->config.loop, &agent->grace, RETRY_MS, record_again);
        }
    } else if (presence->online && agent != NULL) {
        roster_learn(agent, &presence->row);
    }
    free(presence);
}

static void record(const struct agent *agent, bool online, enum token_role role)
{
    struct presence_job *presence = xnew(struct presence_job);

    presence->job.apply = presence_apply;
    presence->job.done = presence_done;
    presence->job.patient = true;
    presence->desk = agent->desk;
    presence->key = agent->key;
    presence->online = online;
    snprintf(presence->role, sizeof presence->role, "%s", token_role_name(role));
    snprintf(presence->name, sizeof presence->name, "%s", agent->name != NULL ? agent->name : "");
    if (!store_submit(agent->desk->config.store, &presence->job)) {
        presence_done(&presence->job, ERR_BUSY);
    }
}

/* An agent whose row could not be read gets no chats, so it is tried until it can. */
static void record_again(struct timer *timer)
{
    const struct agent *agent = CONTAINER_OF(timer, struct agent, grace);

    record(agent, true, agent->role);
}

/* ---- entries */

static void announce(const struct agent *agent, enum desk_event event)
{
    struct desk *desk = agent->desk;
    autobuf struct buf args = BUF_INIT;
    char room[BUSINESS_ROOM_SIZE], now[CLOCK_ISO_SIZE];
    struct sio_broadcast broadcast = { .room = business_room(agent->key.business_id, room),
                                       .event = event_name(event) };

    clock_iso(loop_wall_ms(desk->config.loop), now);
    buf_add_cstr(&args, "{\"userId\":");
    buf_add_i64(&args, agent->key.user_id);
    buf_add_cstr(&args, ",\"timestamp\":\"");
    buf_add_cstr(&args, now);
    buf_add_cstr(&args, "\"}");
    broadcast.args = buf_str(&args);
    desk_emit(desk, agent->key.business_id, &broadcast);
}

struct agent *roster_find(struct desk *desk, int64_t business_id, int64_t user_id)
{
    struct agent_key key = { business_id, user_id };
    struct agent *agent;

    HASH_FIND(hh, desk->agents, &key, sizeof key, agent);
    return agent;
}

static struct agent *add(struct desk *desk, int64_t business_id, int64_t user_id, struct str name)
{
    struct agent *agent = xnew(struct agent);
    struct tenant *tenant = desk_tenant(desk, business_id);

    agent->desk = desk;
    agent->key = (struct agent_key) { business_id, user_id };
    agent->name = name.len > 0 ? xstrndup(name.data, name.len) : NULL;
    HASH_ADD(hh, desk->agents, key, sizeof agent->key, agent);
    DL_APPEND(tenant->agents, agent);
    return agent;
}

static void drop(struct agent *agent)
{
    struct tenant *tenant = desk_tenant(agent->desk, agent->key.business_id);

    timer_clear(&agent->grace);
    DL_DELETE(tenant->agents, agent);
    HASH_DEL(agent->desk->agents, agent);
    free(agent->name);
    free(agent);
}

static void on_grace_over(struct timer *timer)
{
    struct agent *agent = CONTAINER_OF(timer, struct agent, grace);

    announce(agent, EVENT_user_offline);
    record(agent, false, TOKEN_ROLE_AGENT);
    assign_agent_gone(agent->desk, agent);
    drop(agent);
}

static void start_grace(struct agent *agent)
{
    timer_set(agent->desk->config.loop, &agent->grace, agent->desk->config.offline_grace_ms,
              on_grace_over);
}

struct agent *roster_enter(struct desk *desk, struct agent *agent,
                           const struct token_claims *claims)
{
    if (agent == NULL) {
        agent = add(desk, claims->business_id, claims->user_id, str_of(claims->name));
        announce(agent, EVENT_user_online);
    }
    agent->role = claims->role;
    if (agent->sockets++ == 0) {
        timer_clear(&agent->grace);
        if (!agent->known) {
            record(agent, true, claims->role);
        }
    }
    return agent;
}

void roster_leave(struct agent *agent)
{
    if (--agent->sockets == 0 && !agent->desk->draining) {
        start_grace(agent);
    }
}

void roster_restore(struct desk *desk, const struct store_agent *row)
{
    struct agent *agent = add(desk, row->business_id, row->user_id, row->name);
    enum token_role role = TOKEN_ROLE_AGENT;

    (void)token_role_parse(row->role, &role);
    agent->role = role;
    roster_learn(agent, row);
    start_grace(agent);
}

void roster_learn(struct agent *agent, const struct store_agent *row)
{
    agent->status = row->status;
    agent->capacity = (unsigned)row->capacity;
    agent->load = (unsigned)row->load;
    agent->known = true;
    assign_agent_changed(agent->desk, agent);
}

void roster_free(struct desk *desk)
{
    struct agent *agent, *next;

    HASH_ITER (hh, desk->agents, agent, next) {
        drop(agent);
    }
}
