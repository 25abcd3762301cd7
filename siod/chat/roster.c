#include "siod/chat/roster.h"

#include <inttypes.h>
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

/* ---- who is there, as the store is told in the background; who is gone: assign.c */

/* What an agent's row says of it. */
struct standing {
    int64_t turn;
    unsigned capacity;
    unsigned load : 24; /* or more */
    enum store_agent_status status : 8;
};
enum { LOAD_MAX = 0xffffff };

static struct standing standing_of(const struct store_agent *row)
{
    return (struct standing) { .turn = row->turn,
                               .capacity = (unsigned)row->capacity,
                               .load = (unsigned)MIN(row->load, LOAD_MAX) & LOAD_MAX,
                               .status = row->status };
}

/* Thousands may wait while thousands arrive, so it has no more than it needs. */
struct presence_job {
    struct store_job job;
    struct desk *desk;
    struct agent_key key;
    enum token_role role;
    struct standing standing;
    char name[]; /* empty = none */
};

static enum err presence_apply(struct store_job *job, struct store_tx *tx)
{
    struct presence_job *presence = CONTAINER_OF(job, struct presence_job, job);
    const struct agent_key *key = &presence->key;
    enum err err = store_business_ensure(tx, key->business_id);
    struct store_agent row;

    if (err == OK) {
        err = store_agent_seen(tx, key->business_id, key->user_id, str_of(presence->name),
                               str_of(token_role_name(presence->role)), &row);
    }
    if (err == OK) {
        presence->standing = standing_of(&row);
    }
    return err;
}

static void learn(struct agent *agent, struct standing standing)
{
    agent->status = standing.status;
    agent->capacity = standing.capacity;
    agent->load = standing.load;
    agent->turn = MAX(agent->turn, standing.turn);
    agent->known = true;
    assign_agent_changed(agent->desk, agent);
}

static void record_again(struct timer *timer);

static void presence_done(struct store_job *job, enum err err)
{
    struct presence_job *presence = CONTAINER_OF(job, struct presence_job, job);
    struct agent *agent =
        roster_find(presence->desk, presence->key.business_id, presence->key.user_id);

    presence->desk->arriving--;
    if (err != OK) {
        log_warn(LOG_CHAT, "presence not recorded", "business=%" PRId64 " user=%" PRId64 " code=%s",
                 presence->key.business_id, presence->key.user_id, err_code(err));
        if (agent != NULL && agent->sockets > 0 && !timer_is_set(&agent->grace)) {
            timer_set(agent->desk->config.loop, &agent->grace, RETRY_MS, record_again);
        }
    } else if (agent != NULL) {
        learn(agent, presence->standing);
    }
    free(presence);
}

static void record(const struct agent *agent)
{
    const char *name = agent->name != NULL ? agent->name : "";
    size_t name_size = strlen(name) + 1;
    struct presence_job *presence = xcalloc(1, sizeof *presence + name_size);

    presence->job.apply = presence_apply;
    presence->job.done = presence_done;
    presence->job.patient = true;
    presence->desk = agent->desk;
    presence->key = agent->key;
    presence->role = agent->role;
    memcpy(presence->name, name, name_size);
    agent->desk->arriving++;
    if (!store_submit(agent->desk->config.store, &presence->job)) {
        presence_done(&presence->job, ERR_BUSY);
    }
}

/* An agent whose row could not be read gets no chats, so it is tried until it can. */
static void record_again(struct timer *timer)
{
    const struct agent *agent = CONTAINER_OF(timer, struct agent, grace);

    record(agent);
}

/* ---- readers who want to see who has just connected */

struct barrier_job {
    struct store_job job;
    void (*fn)(void *arg);
    void *arg;
};

static enum err barrier_apply(struct store_job *job, struct store_tx *tx)
{
    (void)job;
    (void)tx;
    return OK;
}

static void barrier_done(struct store_job *job, enum err err)
{
    struct barrier_job *barrier = CONTAINER_OF(job, struct barrier_job, job);

    (void)err; /* what could not be recorded is not there to be read */
    barrier->fn(barrier->arg);
    free(barrier);
}

void roster_recorded(struct desk *desk, void (*fn)(void *arg), void *arg)
{
    struct barrier_job *barrier;

    if (desk->arriving == 0) {
        fn(arg);
        return;
    }
    barrier = xnew(struct barrier_job);
    barrier->job.apply = barrier_apply;
    barrier->job.done = barrier_done;
    barrier->fn = fn;
    barrier->arg = arg;
    if (!store_submit(desk->config.store, &barrier->job)) {
        barrier_done(&barrier->job, ERR_BUSY);
    }
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

/* A token without a name changes nothing. True: it has another name now. */
static bool call_it(struct agent *agent, struct str name)
{
    if (name.len == 0 || (agent->name != NULL && str_eq(name, str_of(agent->name)))) {
        return false;
    }
    free(agent->name);
    agent->name = xstrndup(name.data, name.len);
    return true;
}

static struct agent *add(struct desk *desk, int64_t business_id, int64_t user_id, struct str name)
{
    struct agent *agent = xnew(struct agent);
    struct tenant *tenant = desk_tenant(desk, business_id);

    agent->desk = desk;
    agent->key = (struct agent_key) { business_id, user_id };
    (void)call_it(agent, name);
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

    if (agent->sockets > 0) {
        agent->role = TOKEN_ROLE_SERVICE;
        record(agent);
        return;
    }
    announce(agent, EVENT_user_offline);
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
    bool is_news, is_service = claims->role == TOKEN_ROLE_SERVICE, keeps_role;

    if (agent == NULL) {
        agent = add(desk, claims->business_id, claims->user_id, str_of(claims->name));
        agent->role = claims->role;
        announce(agent, EVENT_user_online);
    }
    keeps_role = is_service && agent->role != TOKEN_ROLE_SERVICE; /* until its grace is over */
    is_news = call_it(agent, str_of(claims->name)) || (agent->people == 0 && !agent->known);
    if (agent->role != claims->role && !keeps_role) {
        agent->role = claims->role;
        is_news = true;
    }
    if (agent->people == 0 && !keeps_role) {
        timer_clear(&agent->grace);
    }
    agent->sockets++;
    agent->people += !is_service;
    if (is_news) {
        record(agent);
    }
    return agent;
}

void roster_leave(struct agent *agent, enum token_role role)
{
    bool is_person = role != TOKEN_ROLE_SERVICE;

    agent->sockets--;
    agent->people -= is_person;
    if ((agent->sockets == 0 || (is_person && agent->people == 0)) && !agent->desk->draining) {
        start_grace(agent);
    }
}

void roster_restore(struct desk *desk, const struct store_agent *row)
{
    struct agent *agent = add(desk, row->business_id, row->user_id, row->name);
    enum token_role role = TOKEN_ROLE_AGENT;

    (void)token_role_parse(row->role, &role);
    agent->role = role;
    learn(agent, standing_of(row));
    start_grace(agent);
}

void roster_free(struct desk *desk)
{
    struct agent *agent, *next;

    HASH_ITER (hh, desk->agents, agent, next) {
        drop(agent);
    }
}
