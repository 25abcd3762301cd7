/* The store of the model. */
#include "tests/unit/assign_sim.h"

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
        sim_agent_of(chat->business_id, chat->agent_id)->load--;
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
    sim_agent_of(chat->business_id, user_id)->load++;
}

static enum err apply_proposal(struct sim_job *job)
{
    struct sim_chat *chat = job->chat;
    struct sim_agent *agent = sim_agent_of(job->business_id, job->user_id);

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
            chat->state == STORE_CHAT_ASSIGNED && sim_chance(700)) { /* the others are answered */
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
    struct sim_agent *agent =
        job->user_id != 0 ? sim_agent_of(job->business_id, job->user_id) : NULL;

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

void sim_store_step(void)
{
    struct sim_job *job = sim->submitted;

    if (job != NULL) {
        DL_DELETE(sim->submitted, job);
        job->err = sim->failing ? ERR_STORE : apply(job);
        DL_APPEND(sim->applied, job);
    }
}
