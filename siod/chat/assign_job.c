#include "siod/chat/assign_job.h"

#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/json.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/message.h"

/* ---- events */

/* The contact with its last message. */
static enum err render_customer(struct store_tx *tx, struct buf *out, int64_t chat_id)
{
    struct store_chat chat;
    struct store_message last;
    enum err err = store_chat_current(tx, chat_id, &chat, &last);

    if (err != OK) {
        return err;
    }
    if (chat.contact.id != 0) {
        contact_render(out, &chat.contact);
        out->len--; /* reopens the object */
    } else {
        buf_add_cstr(out, "{\"id\":null");
    }
    if (chat.group_id.len > 0) {
        buf_add_cstr(out, ",\"groupId\":");
        json_add_string(out, chat.group_id);
    }
    buf_add_cstr(out, ",\"lastMessage\":");
    if (last.id != 0) {
        message_render(out, &last, &chat.contact);
    } else {
        buf_add_cstr(out, "null");
    }
    buf_add_char(out, '}');
    return OK;
}

enum err assign_log(struct store_tx *tx, int64_t business_id, int64_t chat_id, int64_t agent_id)
{
    enum desk_event event = agent_id != 0 ? EVENT_chat_assigned : EVENT_chat_waiting;
    autobuf struct buf args = BUF_INIT;
    char room[BUSINESS_ROOM_SIZE];
    enum err err;

    buf_add_cstr(&args, "{\"chatId\":");
    buf_add_i64(&args, chat_id);
    if (agent_id != 0) {
        buf_add_cstr(&args, ",\"agentId\":");
        buf_add_i64(&args, agent_id);
    }
    buf_add_cstr(&args, ",\"customerInfo\":");
    err = render_customer(tx, &args, chat_id);
    if (err != OK) {
        return err;
    }
    buf_add_cstr(&args, ",\"timestamp\":");
    time_render(&args, store_tx_now_ms(tx));
    buf_add_char(&args, '}');
    return store_log_append(tx, business_id, business_room(business_id, room), event_name(event),
                            buf_str(&args));
}

/* ---- a proposal */

struct proposal_job {
    struct store_job job;
    struct assign_proposal proposal;
    struct assign_outcome outcome;
    struct buf considered;
    assign_proposal_done *done;
    void *arg;
};

/* Refused: what are chat and agent really? */
static enum err look_again(struct store_tx *tx, struct proposal_job *self)
{
    struct assign_outcome *outcome = &self->outcome;
    struct store_chat chat;
    struct store_message last;
    enum err err = store_agent_current(tx, self->proposal.business_id, self->proposal.agent_id,
                                       &outcome->agent);

    if (err == OK || err == ERR_NOT_FOUND) {
        err = store_chat_current(tx, self->proposal.chat_id, &chat, &last);
    }
    if (err == OK && chat.state == STORE_CHAT_WAITING) {
        outcome->chat = (struct store_waiting) { .chat_id = chat.id,
                                                 .business_id = chat.business_id,
                                                 .version = chat.version,
                                                 .since_ms = chat.waiting_since_ms,
                                                 .last_agent_id = chat.last_agent_id };
    }
    return err == OK || err == ERR_NOT_FOUND ? ERR_CONFLICT : err;
}

static enum err proposal_apply(struct store_job *job, struct store_tx *tx)
{
    struct proposal_job *self = CONTAINER_OF(job, struct proposal_job, job);
    const struct assign_proposal *proposal = &self->proposal;
    const struct store_assignment assignment = { .chat_id = proposal->chat_id,
                                                 .agent_id = proposal->agent_id,
                                                 .version = proposal->version,
                                                 .turn = proposal->turn };
    const struct store_decision decision = { .chat_id = proposal->chat_id,
                                             .agent_id = proposal->agent_id,
                                             .policy = str_of(proposal->rule),
                                             .outcome = STR_INIT("assigned"),
                                             .considered = buf_str(&self->considered) };
    enum err err = store_chat_assign(tx, &assignment);

    self->outcome = (struct assign_outcome) { .err = OK };
    if (err == ERR_CONFLICT || err == ERR_NOT_FOUND) {
        return look_again(tx, self);
    }
    if (err == OK) {
        err = store_decision_append(tx, &decision);
    }
    return err != OK ? err
                     : assign_log(tx, proposal->business_id, proposal->chat_id, proposal->agent_id);
}

static void proposal_done(struct store_job *job, enum err err)
{
    struct proposal_job *self = CONTAINER_OF(job, struct proposal_job, job);

    self->outcome.err = err;
    self->done(self->arg, self->proposal.chat_id, &self->outcome);
    buf_finish(&self->considered);
    free(self);
}

bool assign_job_propose(struct store *store, const struct assign_proposal *proposal,
                        assign_proposal_done *done, void *arg)
{
    struct proposal_job *self = xnew(struct proposal_job);

    self->job.apply = proposal_apply;
    self->job.done = proposal_done;
    self->proposal = *proposal;
    self->done = done;
    self->arg = arg;
    buf_add_str(&self->considered, proposal->considered);
    if (!store_submit(store, &self->job)) {
        buf_finish(&self->considered);
        free(self);
        return false;
    }
    return true;
}

/* ---- a wait is announced */

struct tell_job {
    struct store_job job;
    struct store_waiting chat;
    const char *rule;
    struct buf considered;
    assign_tell_done *done;
    void *arg;
};

static enum err tell_apply(struct store_job *job, struct store_tx *tx)
{
    struct tell_job *self = CONTAINER_OF(job, struct tell_job, job);
    const struct store_decision decision = { .chat_id = self->chat.chat_id,
                                             .policy = str_of(self->rule),
                                             .outcome = STR_INIT("waiting"),
                                             .considered = buf_str(&self->considered) };
    bool first;
    enum err err = store_chat_waiting_told(tx, self->chat.chat_id, self->chat.version, &first);

    if (err != OK || !first) {
        return err;
    }
    err = store_decision_append(tx, &decision);
    return err != OK ? err : assign_log(tx, self->chat.business_id, self->chat.chat_id, 0);
}

static void tell_done(struct store_job *job, enum err err)
{
    struct tell_job *self = CONTAINER_OF(job, struct tell_job, job);

    self->done(self->arg, self->chat.chat_id, err);
    buf_finish(&self->considered);
    free(self);
}

bool assign_job_tell(struct store *store, const struct store_waiting *chat, const char *rule,
                     struct str considered, bool patient, assign_tell_done *done, void *arg)
{
    struct tell_job *self = xnew(struct tell_job);

    self->job.apply = tell_apply;
    self->job.done = tell_done;
    self->job.patient = patient;
    self->chat = *chat;
    self->rule = rule;
    self->done = done;
    self->arg = arg;
    buf_add_str(&self->considered, considered);
    if (!store_submit(store, &self->job)) {
        buf_finish(&self->considered);
        free(self);
        return false;
    }
    return true;
}

/* ---- an agent is gone */

struct give_back_job {
    struct store_job job;
    int64_t business_id, user_id;
    struct buf ids;   /* int64_t */
    struct buf chats; /* struct store_waiting */
    assign_give_back_done *done;
    void *arg;
};

static enum err add_id(void *arg, int64_t chat_id)
{
    buf_add(arg, &chat_id, sizeof chat_id);
    return OK;
}

static enum err give_back(struct store_tx *tx, struct give_back_job *self, int64_t chat_id)
{
    const struct store_decision decision = { .chat_id = chat_id,
                                             .policy = STR_INIT("agent_offline"),
                                             .outcome = STR_INIT("unassigned"),
                                             .considered = STR_INIT("{}") };
    struct store_waiting chat;
    enum err err = store_chat_unassign(tx, chat_id, self->user_id, &chat);

    if (err == OK) {
        buf_add(&self->chats, &chat, sizeof chat);
        err = store_decision_append(tx, &decision);
    }
    return err;
}

static enum err give_back_apply(struct store_job *job, struct store_tx *tx)
{
    struct give_back_job *self = CONTAINER_OF(job, struct give_back_job, job);
    const int64_t *ids;
    enum err err;

    buf_clear(&self->ids);
    buf_clear(&self->chats);
    err = store_agent_offline(tx, self->business_id, self->user_id);
    if (err == ERR_NOT_FOUND) { /* its row could not be made while it was there */
        return OK;
    }
    err = err != OK
              ? err
              : store_agent_unanswered(tx, self->business_id, self->user_id, add_id, &self->ids);
    ids = (const void *)self->ids.data;
    for (size_t i = 0; err == OK && i < self->ids.len / sizeof *ids; i++) {
        err = give_back(tx, self, ids[i]);
    }
    return err;
}

static void give_back_done(struct store_job *job, enum err err)
{
    struct give_back_job *self = CONTAINER_OF(job, struct give_back_job, job);
    const struct store_waiting *chats = (const void *)self->chats.data;

    self->done(self->arg, self->business_id, self->user_id, err, chats,
               err == OK ? self->chats.len / sizeof *chats : 0);
    buf_finish(&self->ids);
    buf_finish(&self->chats);
    free(self);
}

bool assign_job_give_back(struct store *store, int64_t business_id, int64_t user_id,
                          assign_give_back_done *done, void *arg)
{
    struct give_back_job *self = xnew(struct give_back_job);

    self->job.apply = give_back_apply;
    self->job.done = give_back_done;
    self->job.patient = true;
    self->business_id = business_id;
    self->user_id = user_id;
    self->done = done;
    self->arg = arg;
    if (!store_submit(store, &self->job)) {
        free(self);
        return false;
    }
    return true;
}
