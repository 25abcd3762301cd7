#include "tests/unit/assign_sim.h"

struct sim *sim;

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

unsigned sim_below(unsigned limit)
{
    return (unsigned)(draw() % limit);
}

bool sim_chance(unsigned per_mille)
{
    return sim_below(1000) < per_mille;
}

struct sim_business *sim_business_of(int64_t id)
{
    return &sim->businesses[id];
}

struct sim_agent *sim_agent_of(int64_t business_id, int64_t user_id)
{
    return &sim_business_of(business_id)->agents[user_id - 1];
}

/* ------------------------------------------------------------------ what must hold */

unsigned sim_live_load(const struct agent *agent)
{
    return agent->load + agent->reserved;
}

static bool is_eligible(const struct agent *agent)
{
    return agent->known && agent->status == STORE_AGENT_AVAILABLE &&
           sim_live_load(agent) < agent->capacity;
}

static bool anybody_eligible(const struct sim_business *business)
{
    const struct agent *agent;

    DL_FOREACH (business->online, agent) {
        if (is_eligible(agent)) {
            return true;
        }
    }
    return false;
}

void sim_check_nobody_waits_in_vain(void)
{
    if (sim->retry || sim->in_flight >= IN_FLIGHT_MAX) {
        return;
    }
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        const struct sim_business *business = sim_business_of(id);

        CHECK(business->line == NULL || !anybody_eligible(business));
    }
}

/* The agent as it was before this chat was reserved for it. */
static void check_choice(const struct sim_business *business, const struct agent *chosen,
                         const struct store_waiting *chat)
{
    uint64_t load = sim_live_load(chosen) - 1u;
    const struct agent *other;

    DL_FOREACH (business->online, other) {
        if (other == chosen || !is_eligible(other) || other->key.user_id == chat->avoid_agent_id) {
            continue;
        }
        CHECK(chosen->key.user_id != chat->avoid_agent_id); /* somebody else could have had it */
        CHECK(other->key.user_id != chat->last_agent_id);   /* it would have been sticky */
        if (sim->policy == ASSIGN_LEAST_LOADED) {
            CHECK(load * other->capacity <= (uint64_t)sim_live_load(other) * chosen->capacity);
        }
    }
}

static void check_oldest_first(const struct sim_business *business, const struct sim_chat *chat)
{
    const struct sim_chat *other;
    unsigned looked_at = 0;

    DL_FOREACH (business->line, other) {
        CHECK(other == chat || other->known.since_ms > chat->known.since_ms ||
              (other->known.since_ms == chat->known.since_ms && other->id > chat->id));
        if (++looked_at == 100) {
            break;
        }
    }
}

/* ------------------------------------------------------------------ the queue's view */

struct sim_job *sim_job_new(enum kind kind, int64_t business_id)
{
    struct sim_job *job = xnew(struct sim_job);

    job->kind = kind;
    job->business_id = business_id;
    return job;
}

void sim_submit(struct sim_job *job)
{
    DL_APPEND(sim->submitted, job);
}

static struct agent *sim_agents(void *arg, int64_t business_id)
{
    (void)arg;
    return sim_business_of(business_id)->online;
}

static void leave_line(struct sim_chat *chat)
{
    if (chat->in_line) {
        DL_DELETE(sim_business_of(chat->business_id)->line, chat);
        chat->in_line = false;
    }
}

static bool store_takes(void)
{
    if (sim->failing || (!sim->calm && sim_chance(5))) {
        sim->seen.full++;
        return false;
    }
    return true;
}

static bool sim_propose(void *arg, const struct assign_proposal *proposal)
{
    struct sim_chat *chat = &sim->chats[proposal->chat_id];
    struct sim_business *business = sim_business_of(proposal->business_id);
    struct agent *agent = sim_agent_of(proposal->business_id, proposal->agent_id)->live;
    bool sticky = strcmp(proposal->rule, "sticky") == 0;
    struct sim_job *job;

    (void)arg;
    CHECK(chat->in_line && !chat->proposed);
    CHECK(chat->business_id == proposal->business_id);
    CHECK(agent != NULL && agent->known && agent->status == STORE_AGENT_AVAILABLE);
    CHECK(sim_live_load(agent) <= agent->capacity);
    CHECK(sim->in_flight < IN_FLIGHT_MAX);
    check_oldest_first(business, chat);
    CHECK(proposal->version == chat->known.version);
    CHECK(!sticky || proposal->agent_id == chat->known.last_agent_id);
    CHECK(!sticky || proposal->agent_id != chat->known.avoid_agent_id);
    if (!sticky) {
        check_choice(business, agent, &chat->known);
    }
    if (!store_takes()) {
        return false;
    }
    sim->seen.sticky += sticky;
    sim->seen.avoided += chat->known.avoid_agent_id != 0;
    leave_line(chat);
    chat->proposed = true;
    sim->in_flight++;
    job = sim_job_new(PROPOSE, proposal->business_id);
    job->chat = chat;
    job->user_id = proposal->agent_id;
    job->version = proposal->version;
    sim_submit(job);
    return true;
}

static bool sim_tell(void *arg, const struct store_waiting *row, struct str considered, bool later)
{
    struct sim_job *job;

    (void)arg;
    (void)later;
    CHECK(considered.len > 0 && !row->told);
    CHECK(sim->telling < TELLING_MAX);
    CHECK(sim->policy == ASSIGN_MANUAL || !anybody_eligible(sim_business_of(row->business_id)));
    if (!store_takes()) {
        return false;
    }
    job = sim_job_new(TELL, row->business_id);
    job->chat = &sim->chats[row->chat_id];
    job->version = row->version;
    sim->telling++;
    sim_submit(job);
    return true;
}

static void sim_retry(void *arg)
{
    (void)arg;
    sim->retry = true;
}

static int64_t sim_now_us(void *arg)
{
    (void)arg;
    return sim->now_ms * 1000;
}

/* ------------------------------------------------------------------ the loop hears of it */

static void needs_agent(const struct store_waiting *row)
{
    struct sim_chat *chat = &sim->chats[row->chat_id];

    if ((!chat->in_line && !chat->proposed) || row->version > chat->known.version) {
        chat->known = *row;
    }
    if (!chat->in_line && !chat->proposed) {
        chat->in_line = true;
        DL_APPEND(sim_business_of(chat->business_id)->line, chat);
    }
    assign_queue_add(sim->queue, row);
}

static void agent_changed(const struct agent *agent)
{
    if (is_eligible(agent)) {
        assign_queue_drain(sim->queue, agent->key.business_id);
    }
}

static void proposal_done(struct sim_job *job)
{
    struct sim_chat *chat = job->chat;
    bool waits = job->err == ERR_CONFLICT ? job->outcome.chat.chat_id != 0 : job->err != OK;

    sim->seen.assigned += job->err == OK;
    sim->seen.refused += job->err == ERR_CONFLICT;
    sim->seen.failed += job->err == ERR_STORE;
    chat->proposed = false;
    sim->in_flight--;
    if (waits) {
        if (job->err == ERR_CONFLICT && job->outcome.chat.version > chat->known.version) {
            chat->known = job->outcome.chat;
        }
        chat->in_line = true;
        DL_APPEND(sim_business_of(chat->business_id)->line, chat);
    }
    job->outcome.err = job->err;
    assign_queue_settle(sim->queue, chat->id, &job->outcome);
}

static void resubmit(const struct sim_job *job)
{
    struct sim_job *again = sim_job_new(job->kind, job->business_id);

    again->user_id = job->user_id;
    sim_submit(again);
}

static void seen_done(const struct sim_job *job)
{
    struct agent *live = sim_agent_of(job->business_id, job->user_id)->live;

    if (live != NULL && job->err != OK) {
        resubmit(job);
    } else if (live != NULL) {
        live->status = job->row.status;
        live->capacity = (unsigned)job->row.capacity;
        live->load = (unsigned)job->row.load;
        live->known = true;
        agent_changed(live);
    }
}

static void agent_set_done(const struct sim_job *job)
{
    struct agent *live = sim_agent_of(job->business_id, job->user_id)->live;

    if (job->err != OK || live == NULL) {
        return;
    }
    if (job->kind == SET_STATUS) {
        live->status = (enum store_agent_status)job->value;
    } else {
        live->capacity = (unsigned)job->value;
    }
    agent_changed(live);
}

static void word_done(const struct sim_job *job)
{
    struct agent *was =
        job->was_agent != 0 ? sim_agent_of(job->business_id, job->was_agent)->live : NULL;
    struct agent *now =
        job->now_agent != 0 ? sim_agent_of(job->business_id, job->now_agent)->live : NULL;

    if (job->err != OK) {
        return;
    }
    sim->seen.forced += job->kind == FORCE;
    sim->seen.reopened += job->kind == ARRIVE && job->waiting[0].version > 1;
    if (job->was_waiting) {
        leave_line(job->chat);
        assign_queue_remove(sim->queue, job->chat->id);
    }
    if (now != NULL) {
        now->load++;
    }
    if (was != NULL) {
        was->load -= was->load > 0;
        agent_changed(was);
    }
    if (job->waiting_count > 0) {
        needs_agent(&job->waiting[0]);
    }
}

static void give_back_done(const struct sim_job *job)
{
    if (job->err != OK && sim_agent_of(job->business_id, job->user_id)->live == NULL) {
        resubmit(job);
    }
    for (size_t i = 0; i < job->waiting_count; i++) {
        needs_agent(&job->waiting[i]);
        sim->seen.given_back++;
    }
}

void sim_loop_step(void)
{
    struct sim_job *job = sim->applied;

    if (job == NULL) {
        return;
    }
    DL_DELETE(sim->applied, job);
    switch (job->kind) {
    case PROPOSE:
        proposal_done(job);
        break;
    case TELL:
        sim->telling--;
        assign_queue_told(sim->queue, job->chat->id, job->err == OK);
        break;
    case SEEN:
        seen_done(job);
        break;
    case GIVE_BACK:
        give_back_done(job);
        break;
    case SET_STATUS:
    case SET_CAPACITY:
        agent_set_done(job);
        break;
    case ARRIVE:
    case CLOSE:
    case FORCE:
    case BACK:
        word_done(job);
        break;
    }
    free(job->waiting);
    free(job);
    sim_check_nobody_waits_in_vain();
}

/* ------------------------------------------------------------------ life */

void sim_start(unsigned seed, enum assign_policy policy, unsigned agents, int64_t capacity)
{
    const struct assign_ops ops = {
        sim_agents, sim_propose, sim_tell, sim_retry, sim_now_us, NULL
    };

    sim = xnew(struct sim);
    sim->seed = seed;
    sim->random = seed;
    sim->policy = policy;
    sim->agents = agents;
    sim->chats = xcalloc(CHATS_MAX, sizeof(*sim->chats));
    sim->queue = assign_queue_new(&ops, policy);
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        for (unsigned i = 0; i < agents; i++) {
            struct sim_agent *agent = &sim_business_of(id)->agents[i];

            agent->user_id = i + 1;
            agent->capacity = capacity != 0 ? capacity : 1 + sim_below(12);
        }
    }
}

void sim_settle(void)
{
    sim->failing = false;
    sim->calm = true;
    do {
        while (sim->submitted != NULL) {
            sim_store_step();
        }
        while (sim->applied != NULL) {
            sim_loop_step();
        }
        if (sim->retry) {
            sim->retry = false;
            assign_queue_resume(sim->queue);
        }
    } while (sim->submitted != NULL || sim->applied != NULL || sim->retry);
}

void sim_end(void)
{
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        for (unsigned i = 0; i < sim->agents; i++) {
            free(sim_business_of(id)->agents[i].live);
        }
    }
    assign_queue_free(sim->queue);
    free(sim->chats);
    free(TAKE(sim));
}
