/* Assignment over days of virtual time: the queue and the rule against a model of everything else.
 *
 * The model's store takes jobs in order and answers later, in order, as the real one does: what was
 * true when a job was submitted need not be true any more when it is applied, and what was applied
 * is not known yet on the loop. It refuses by compare-and-set, is full at times, and fails for
 * whole periods. Around it customers write and come back, agents come, go, rest, finish chats, and
 * an operator meddles. What has to hold at every instant is checked at every instant, with the
 * model's own words instead of the rule's. Seeded, so that a failure repeats: the message names the
 * seed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <utlist.h>

#include "libshared/alloc.h"
#include "siod/chat/assign_queue.h"

enum {
    BUSINESSES = 3,
    AGENTS = 120, /* of each business */
    CHATS_MAX = 60000,
    IN_FLIGHT_MAX = 256, /* as the queue limits itself */
    TELLING_MAX = 64,    /* likewise */
    DAY_MS = 24 * 3600 * 1000,
};

struct sim_chat {
    struct sim_chat *prev, *next; /* the loop has it in line: business->line */
    int64_t id, business_id;
    /* In the store. */
    enum store_chat_state state;
    int64_t version, agent_id, last_agent_id, since_ms;
    bool told;
    /* On the loop. */
    bool in_line, proposed;
    struct store_waiting known;
};

struct sim_agent {
    int64_t user_id;
    /* In the store. */
    enum store_agent_status status;
    int64_t capacity, load;
    bool seen;
    /* On the loop; NULL while it is not there. */
    struct agent *live;
};

struct sim_business {
    struct sim_agent agents[AGENTS];
    struct agent *online;
    struct sim_chat *line;
};

enum kind { PROPOSE, TELL, SEEN, GIVE_BACK, SET_STATUS, SET_CAPACITY, ARRIVE, CLOSE, FORCE, BACK };

struct sim_job {
    struct sim_job *prev, *next;
    enum kind kind;
    int64_t business_id, user_id, version, value;
    struct sim_chat *chat;
    /* The outcome. */
    enum err err;
    struct assign_outcome outcome;
    struct store_agent row;
    int64_t was_agent, now_agent;
    bool was_waiting;
    struct store_waiting *waiting;
    size_t waiting_count;
};

struct sim {
    unsigned seed;
    uint64_t random;
    int64_t now_ms;
    enum assign_policy policy;
    struct assign_queue *queue;
    struct sim_business businesses[BUSINESSES + 1]; /* by id */
    unsigned agents;
    struct sim_chat *chats;
    size_t chat_count;
    struct sim_job *submitted, *applied;
    unsigned in_flight, telling;
    bool failing, retry, calm; /* calm: the store neither fails nor is full */
    struct {
        unsigned assigned, sticky, refused, failed, waited, reopened, given_back, forced, full,
            avoided;
    } seen;
};

static struct sim *sim; /* for CHECK */

#define CHECK(condition_)                                                                          \
    do {                                                                                           \
        if (!(condition_)) {                                                                       \
            fail_msg("seed %u at %" PRId64 " ms, line %d: %s", sim->seed, sim->now_ms, __LINE__,   \
                     #condition_);                                                                 \
        }                                                                                          \
    } while (0)

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned below(unsigned limit)
{
    return (unsigned)(draw() % limit);
}

/* With a probability of `per_mille` thousandths. */
static bool chance(unsigned per_mille)
{
    return below(1000) < per_mille;
}

static struct sim_business *business_of(int64_t id)
{
    return &sim->businesses[id];
}

static struct sim_agent *agent_of(int64_t business_id, int64_t user_id)
{
    return &business_of(business_id)->agents[user_id - 1];
}

/* ------------------------------------------------------------------ what must hold */

static unsigned live_load(const struct agent *agent)
{
    return agent->load + agent->reserved;
}

static bool is_eligible(const struct agent *agent)
{
    return agent->known && agent->status == STORE_AGENT_AVAILABLE &&
           live_load(agent) < agent->capacity;
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

static void check_nobody_waits_in_vain(void)
{
    if (sim->retry || sim->in_flight >= IN_FLIGHT_MAX) {
        return;
    }
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        const struct sim_business *business = business_of(id);

        CHECK(business->line == NULL || !anybody_eligible(business));
    }
}

/* The agent as it was before this chat was reserved for it. */
static void check_choice(const struct sim_business *business, const struct agent *chosen,
                         const struct store_waiting *chat)
{
    uint64_t load = live_load(chosen) - 1u;
    const struct agent *other;

    DL_FOREACH (business->online, other) {
        if (other == chosen || !is_eligible(other) || other->key.user_id == chat->avoid_agent_id) {
            continue;
        }
        CHECK(chosen->key.user_id != chat->avoid_agent_id); /* somebody else could have had it */
        CHECK(other->key.user_id != chat->last_agent_id);   /* it would have been sticky */
        if (sim->policy == ASSIGN_LEAST_LOADED) {
            CHECK(load * other->capacity <= (uint64_t)live_load(other) * chosen->capacity);
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

static struct sim_job *job_new(enum kind kind, int64_t business_id)
{
    struct sim_job *job = xnew(struct sim_job);

    job->kind = kind;
    job->business_id = business_id;
    return job;
}

static void submit(struct sim_job *job)
{
    DL_APPEND(sim->submitted, job);
}

static struct agent *sim_agents(void *arg, int64_t business_id)
{
    (void)arg;
    return business_of(business_id)->online;
}

static void leave_line(struct sim_chat *chat)
{
    if (chat->in_line) {
        DL_DELETE(business_of(chat->business_id)->line, chat);
        chat->in_line = false;
    }
}

static bool store_takes(void)
{
    if (sim->failing || (!sim->calm && chance(5))) {
        sim->seen.full++;
        return false;
    }
    return true;
}

static bool sim_propose(void *arg, const struct assign_proposal *proposal)
{
    struct sim_chat *chat = &sim->chats[proposal->chat_id];
    struct sim_business *business = business_of(proposal->business_id);
    struct agent *agent = agent_of(proposal->business_id, proposal->agent_id)->live;
    bool sticky = strcmp(proposal->rule, "sticky") == 0;
    struct sim_job *job;

    (void)arg;
    CHECK(chat->in_line && !chat->proposed);
    CHECK(chat->business_id == proposal->business_id);
    CHECK(agent != NULL && agent->known && agent->status == STORE_AGENT_AVAILABLE);
    CHECK(live_load(agent) <= agent->capacity);
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
    job = job_new(PROPOSE, proposal->business_id);
    job->chat = chat;
    job->user_id = proposal->agent_id;
    job->version = proposal->version;
    submit(job);
    return true;
}

static bool sim_tell(void *arg, const struct store_waiting *row, struct str considered, bool later)
{
    struct sim_job *job;

    (void)arg;
    (void)later;
    CHECK(considered.len > 0 && !row->told);
    CHECK(sim->telling < TELLING_MAX);
    CHECK(sim->policy == ASSIGN_MANUAL || !anybody_eligible(business_of(row->business_id)));
    if (!store_takes()) {
        return false;
    }
    job = job_new(TELL, row->business_id);
    job->chat = &sim->chats[row->chat_id];
    job->version = row->version;
    sim->telling++;
    submit(job);
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

/* ------------------------------------------------------------------ the store */

static struct store_waiting waiting_row(const struct sim_chat *chat)
{
    return (struct store_waiting) { .chat_id = chat->id,
                                    .business_id = chat->business_id,
                                    .version = chat->version,
                                    .since_ms = chat->since_ms,
                                    .last_agent_id = chat->last_agent_id,
                                    .told = chat->told };
}

static void returns_waiting(struct sim_job *job, const struct sim_chat *chat)
{
    job->waiting = xrealloc(job->waiting, (job->waiting_count + 1) * sizeof(*job->waiting));
    job->waiting[job->waiting_count++] = waiting_row(chat);
}

static void take_from_agent(struct sim_chat *chat)
{
    if (chat->state == STORE_CHAT_ASSIGNED) {
        agent_of(chat->business_id, chat->agent_id)->load--;
    }
    chat->agent_id = 0;
}

static void let_wait(struct sim_chat *chat)
{
    take_from_agent(chat);
    chat->state = STORE_CHAT_WAITING;
    chat->version++;
    chat->since_ms = sim->now_ms;
    chat->told = false;
}

static void give_to(struct sim_chat *chat, int64_t user_id)
{
    take_from_agent(chat);
    chat->state = STORE_CHAT_ASSIGNED;
    chat->version++;
    chat->agent_id = chat->last_agent_id = user_id;
    agent_of(chat->business_id, user_id)->load++;
}

static enum err apply_proposal(struct sim_job *job)
{
    struct sim_chat *chat = job->chat;
    struct sim_agent *agent = agent_of(job->business_id, job->user_id);

    if (chat->state == STORE_CHAT_WAITING && chat->version == job->version &&
        agent->load < agent->capacity) {
        give_to(chat, job->user_id);
        CHECK(agent->load <= agent->capacity);
        return OK;
    }
    job->outcome.agent = (struct store_agent) { .user_id = job->user_id,
                                                .load = agent->load,
                                                .capacity = agent->capacity };
    if (chat->state == STORE_CHAT_WAITING) {
        job->outcome.chat = waiting_row(chat);
        job->outcome.chat.told = false;
    }
    return ERR_CONFLICT;
}

static void apply_give_back(struct sim_job *job)
{
    for (size_t i = 1; i <= sim->chat_count; i++) {
        struct sim_chat *chat = &sim->chats[i];

        if (chat->business_id == job->business_id && chat->agent_id == job->user_id &&
            chat->state == STORE_CHAT_ASSIGNED && chance(700)) { /* the others are answered */
            let_wait(chat);
            returns_waiting(job, chat);
        }
    }
}

/* What somebody's word does to a chat: ERR_CONFLICT when it is not in a state for it. */
static enum err apply_word(struct sim_job *job)
{
    struct sim_chat *chat = job->chat;

    job->was_agent = chat->agent_id;
    job->was_waiting = chat->state == STORE_CHAT_WAITING;
    switch (job->kind) {
    case ARRIVE:
        if (chat->state != STORE_CHAT_CLOSED) {
            return ERR_CONFLICT;
        }
        let_wait(chat);
        break;
    case CLOSE:
        if (chat->state == STORE_CHAT_CLOSED) {
            return ERR_CONFLICT;
        }
        take_from_agent(chat);
        chat->state = STORE_CHAT_CLOSED;
        chat->version++;
        break;
    case FORCE:
        if (chat->state == STORE_CHAT_ASSIGNED && chat->agent_id == job->user_id) {
            return ERR_CONFLICT;
        }
        give_to(chat, job->user_id);
        break;
    default:
        if (chat->state != STORE_CHAT_ASSIGNED) {
            return ERR_CONFLICT;
        }
        let_wait(chat);
        chat->last_agent_id = 0;
    }
    job->now_agent = chat->agent_id;
    if (chat->state == STORE_CHAT_WAITING) {
        returns_waiting(job, chat);
        job->waiting->avoid_agent_id = job->kind == BACK ? job->was_agent : 0;
    }
    return OK;
}

static enum err apply(struct sim_job *job)
{
    struct sim_agent *agent = job->user_id != 0 ? agent_of(job->business_id, job->user_id) : NULL;

    switch (job->kind) {
    case PROPOSE:
        return apply_proposal(job);
    case TELL:
        if (job->chat->state == STORE_CHAT_WAITING && job->chat->version == job->version) {
            sim->seen.waited += !job->chat->told;
            job->chat->told = true;
        }
        return OK;
    case SEEN:
        agent->seen = true;
        job->row = (struct store_agent) { .user_id = job->user_id,
                                          .status = agent->status,
                                          .capacity = agent->capacity,
                                          .load = agent->load };
        return OK;
    case GIVE_BACK:
        apply_give_back(job);
        return OK;
    case SET_STATUS:
        agent->status = (enum store_agent_status)job->value;
        return OK;
    case SET_CAPACITY:
        agent->capacity = job->value;
        return OK;
    case ARRIVE:
    case CLOSE:
    case FORCE:
    case BACK:
        return apply_word(job);
    }
    return ERR_INTERNAL;
}

static void store_step(void)
{
    struct sim_job *job = sim->submitted;

    if (job != NULL) {
        DL_DELETE(sim->submitted, job);
        job->err = sim->failing ? ERR_STORE : apply(job);
        DL_APPEND(sim->applied, job);
    }
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
        DL_APPEND(business_of(chat->business_id)->line, chat);
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
        DL_APPEND(business_of(chat->business_id)->line, chat);
    }
    job->outcome.err = job->err;
    assign_queue_settle(sim->queue, chat->id, &job->outcome);
}

static void resubmit(const struct sim_job *job)
{
    struct sim_job *again = job_new(job->kind, job->business_id);

    again->user_id = job->user_id;
    submit(again);
}

static void seen_done(const struct sim_job *job)
{
    struct agent *live = agent_of(job->business_id, job->user_id)->live;

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
    struct agent *live = agent_of(job->business_id, job->user_id)->live;

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
        job->was_agent != 0 ? agent_of(job->business_id, job->was_agent)->live : NULL;
    struct agent *now =
        job->now_agent != 0 ? agent_of(job->business_id, job->now_agent)->live : NULL;

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
    if (job->err != OK && agent_of(job->business_id, job->user_id)->live == NULL) {
        resubmit(job);
    }
    for (size_t i = 0; i < job->waiting_count; i++) {
        needs_agent(&job->waiting[i]);
        sim->seen.given_back++;
    }
}

static void loop_step(void)
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
    check_nobody_waits_in_vain();
}

/* ------------------------------------------------------------------ the world */

static void come(int64_t business_id, struct sim_agent *agent)
{
    struct sim_job *job = job_new(SEEN, business_id);

    agent->live = xnew(struct agent);
    agent->live->key = (struct agent_key) { business_id, agent->user_id };
    DL_APPEND(business_of(business_id)->online, agent->live);
    job->user_id = agent->user_id;
    submit(job);
}

static void go(int64_t business_id, struct sim_agent *agent)
{
    struct sim_job *job = job_new(GIVE_BACK, business_id);

    assign_queue_forget_agent(sim->queue, agent->live);
    DL_DELETE(business_of(business_id)->online, agent->live);
    free(TAKE(agent->live));
    job->user_id = agent->user_id;
    submit(job);
}

static int64_t any_business(void)
{
    return 1 + below(BUSINESSES);
}

static struct sim_agent *any_agent(int64_t business_id)
{
    return agent_of(business_id, 1 + below(sim->agents));
}

static void set_agent(enum kind kind, int64_t value)
{
    int64_t business_id = any_business();
    struct sim_agent *agent = any_agent(business_id);
    struct sim_job *job;

    if (agent->seen) {
        job = job_new(kind, business_id);
        job->user_id = agent->user_id;
        job->value = value;
        submit(job);
    }
}

static void on_chat(enum kind kind, struct sim_chat *chat)
{
    struct sim_job *job = job_new(kind, chat->business_id);

    job->chat = chat;
    if (kind == FORCE) {
        job->user_id = any_agent(chat->business_id)->user_id;
    }
    submit(job);
}

static void customer_writes(void)
{
    struct sim_chat *chat;

    if (sim->chat_count + 1 < CHATS_MAX && (sim->chat_count == 0 || chance(600))) {
        chat = &sim->chats[++sim->chat_count];
        chat->id = (int64_t)sim->chat_count;
        chat->business_id = any_business();
        chat->state = STORE_CHAT_CLOSED; /* until the store has it */
    } else {
        chat = &sim->chats[1 + below((unsigned)sim->chat_count)];
    }
    on_chat(ARRIVE, chat);
}

/* Of the later chats, those that are still open; often of the very last, about which siod is still
 * thinking. */
static void touch_some_chat(enum kind kind)
{
    size_t last = chance(150) ? 10 : 2000;
    unsigned recent = (unsigned)MIN(sim->chat_count, last);

    if (recent > 0) {
        on_chat(kind, &sim->chats[sim->chat_count - below(recent)]);
    }
}

static bool is_night(void)
{
    int64_t hour = sim->now_ms % DAY_MS / (3600 * 1000);

    return hour < 7 || hour >= 19;
}

static void somebody_comes_or_goes(void)
{
    int64_t business_id = any_business();
    struct sim_agent *agent = any_agent(business_id);

    if (agent->live == NULL && chance(is_night() ? 50 : 900)) {
        come(business_id, agent);
    } else if (agent->live != NULL && chance(is_night() ? 700 : 60)) {
        go(business_id, agent);
    }
}

static void world_step(void)
{
    unsigned dice = below(1000);

    sim->now_ms += below(2400);
    if (dice < (is_night() ? 60u : 170u)) {
        customer_writes();
    } else if (dice < 420) {
        touch_some_chat(CLOSE);
    } else if (dice < 430) {
        touch_some_chat(BACK);
    } else if (dice < 440) {
        touch_some_chat(FORCE);
    } else if (dice < 470) {
        somebody_comes_or_goes();
    } else if (dice < 490) {
        set_agent(SET_STATUS, chance(800) ? STORE_AGENT_AVAILABLE : 1 + below(2));
    } else if (dice < 493) {
        set_agent(SET_CAPACITY, 1 + below(12));
    } else if (dice < 494 && !sim->calm) {
        sim->failing = chance(300);
    } else if (dice < 700 && sim->retry && !sim->failing) {
        sim->retry = false;
        assign_queue_resume(sim->queue);
    }
    check_nobody_waits_in_vain();
}

/* ------------------------------------------------------------------ runs */

static void sim_start(unsigned seed, enum assign_policy policy, unsigned agents, int64_t capacity)
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
            struct sim_agent *agent = &business_of(id)->agents[i];

            agent->user_id = i + 1;
            agent->capacity = capacity != 0 ? capacity : 1 + below(12);
        }
    }
}

static void store_and_loop(unsigned most)
{
    for (unsigned i = below(most); i > 0; i--) {
        store_step();
    }
    for (unsigned i = below(most); i > 0; i--) {
        loop_step();
    }
}

/* The store works again and everything that is under way arrives. */
static void sim_settle(void)
{
    sim->failing = false;
    sim->calm = true;
    do {
        while (sim->submitted != NULL) {
            store_step();
        }
        while (sim->applied != NULL) {
            loop_step();
        }
        if (sim->retry) {
            sim->retry = false;
            assign_queue_resume(sim->queue);
        }
    } while (sim->submitted != NULL || sim->applied != NULL || sim->retry);
}

static void check_at_rest(void)
{
    size_t waiting = 0;

    CHECK(sim->in_flight == 0);
    check_nobody_waits_in_vain();
    for (size_t i = 1; i <= sim->chat_count; i++) {
        const struct sim_chat *chat = &sim->chats[i];

        CHECK(!chat->proposed);
        CHECK(chat->in_line == (chat->state == STORE_CHAT_WAITING));
        CHECK(!chat->in_line || chat->told);
        waiting += chat->in_line;
    }
    CHECK(waiting == assign_queue_waiting(sim->queue));
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        for (unsigned i = 0; i < sim->agents; i++) {
            const struct sim_agent *agent = &business_of(id)->agents[i];

            if (agent->live != NULL) {
                CHECK(agent->live->reserved == 0);
                CHECK(agent->live->load == agent->load);
                CHECK(agent->live->capacity == agent->capacity);
            }
        }
    }
}

static void sim_end(void)
{
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        for (unsigned i = 0; i < sim->agents; i++) {
            free(business_of(id)->agents[i].live);
        }
    }
    assign_queue_free(sim->queue);
    free(sim->chats);
    free(TAKE(sim));
}

static void days_of_a_busy_desk(unsigned seed, enum assign_policy policy)
{
    sim_start(seed, policy, AGENTS, 0);
    for (unsigned day = 0; day < 4; day++) {
        int64_t end_ms = ((int64_t)day + 1) * DAY_MS;

        while (sim->now_ms < end_ms) {
            world_step();
            if (chance(150)) {
                store_and_loop(40);
            }
        }
        sim_settle();
        check_at_rest();
        sim->calm = false;
    }
    print_message("seed %u: %zu chats, %u assigned (%u sticky, %u by word), %u refused, %u failed,"
                  " %u full, %u waited, %u reopened, %u given back\n",
                  seed, sim->chat_count, sim->seen.assigned, sim->seen.sticky, sim->seen.forced,
                  sim->seen.refused, sim->seen.failed, sim->seen.full, sim->seen.waited,
                  sim->seen.reopened, sim->seen.given_back);
    /* A run in which nothing happened would prove nothing. */
    CHECK(sim->chat_count > 10000 && sim->seen.assigned > 10000 && sim->seen.refused > 20);
    CHECK(sim->seen.waited > 500 && sim->seen.reopened > 500 && sim->seen.given_back > 500);
    CHECK(sim->seen.sticky > 300 && sim->seen.failed > 0 && sim->seen.full > 0);
    CHECK(sim->seen.avoided > 50);
    sim_end();
}

static void chats_always_go_to_the_least_loaded(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 4; seed++) {
        days_of_a_busy_desk(seed, ASSIGN_LEAST_LOADED);
    }
}

static void chats_go_round(void **state)
{
    (void)state;
    days_of_a_busy_desk(11, ASSIGN_ROUND_ROBIN);
}

/* ------------------------------------------------------------------ arrivals only */

static void loads_of(int64_t business_id, unsigned *ret_least, unsigned *ret_most)
{
    *ret_least = UINT32_MAX;
    *ret_most = 0;
    for (unsigned i = 0; i < sim->agents; i++) {
        unsigned load = live_load(business_of(business_id)->agents[i].live);

        *ret_least = MIN(*ret_least, load);
        *ret_most = MAX(*ret_most, load);
    }
}

static void check_even(void)
{
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        unsigned least, most;

        loads_of(id, &least, &most);
        CHECK(most - least <= 1);
    }
}

static void arrivals_only(unsigned seed, enum assign_policy policy, bool calm)
{
    enum { ARRIVALS = 9000, FEW = 30, ROOM = 1000 };

    sim_start(seed, policy, FEW, ROOM);
    sim->calm = true;
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        for (unsigned i = 0; i < FEW; i++) {
            come(id, &business_of(id)->agents[i]);
        }
    }
    sim_settle();
    sim->calm = calm;
    while (sim->chat_count < ARRIVALS) {
        struct sim_chat *chat = &sim->chats[++sim->chat_count];

        chat->id = (int64_t)sim->chat_count;
        chat->business_id = any_business();
        chat->state = STORE_CHAT_CLOSED;
        on_chat(ARRIVE, chat);
        store_and_loop(6);
        if (calm) {
            check_even();
        } else if (sim->retry) {
            sim->retry = false;
            assign_queue_resume(sim->queue);
        }
    }
    sim_settle();
    check_at_rest();
    check_even();
    CHECK(sim->seen.assigned == ARRIVALS);
    sim_end();
}

static void equal_agents_differ_by_at_most_one_while_chats_only_arrive(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        arrivals_only(seed, ASSIGN_LEAST_LOADED, true);
        arrivals_only(seed, ASSIGN_ROUND_ROBIN, true);
    }
}

static void a_store_that_refuses_does_not_make_it_uneven(void **state)
{
    (void)state;
    arrivals_only(5, ASSIGN_LEAST_LOADED, false);
}

/* ------------------------------------------------------------------ no policy */

static void by_hand_everything_waits_and_is_told(void **state)
{
    (void)state;
    sim_start(1, ASSIGN_MANUAL, 2, 5);
    for (int64_t id = 1; id <= BUSINESSES; id++) {
        come(id, &business_of(id)->agents[0]);
    }
    for (unsigned i = 0; i < 50; i++) {
        struct sim_chat *chat = &sim->chats[++sim->chat_count];

        chat->id = (int64_t)sim->chat_count;
        chat->business_id = any_business();
        chat->state = STORE_CHAT_CLOSED;
        on_chat(ARRIVE, chat);
    }
    while (sim->submitted != NULL || sim->applied != NULL) {
        struct sim_job *job;

        store_step();
        if ((job = sim->applied) != NULL && job->kind != TELL) {
            sim->retry = true; /* nobody is served although somebody is eligible */
        }
        loop_step();
    }
    assert_int_equal(sim->seen.assigned, 0);
    assert_int_equal(sim->seen.waited, 50);
    sim->policy = ASSIGN_LEAST_LOADED;
    sim->retry = false;
    assign_queue_set_policy(sim->queue, ASSIGN_LEAST_LOADED);
    sim_settle();
    check_at_rest();
    assert_int_equal(sim->seen.assigned, BUSINESSES * 5);
    sim_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chats_always_go_to_the_least_loaded),
        cmocka_unit_test(chats_go_round),
        cmocka_unit_test(equal_agents_differ_by_at_most_one_while_chats_only_arrive),
        cmocka_unit_test(a_store_that_refuses_does_not_make_it_uneven),
        cmocka_unit_test(by_hand_everything_waits_and_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
