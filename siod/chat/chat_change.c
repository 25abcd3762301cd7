#include "siod/chat/chat_change.h"

#include <stdio.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/chat/access.h"
#include "siod/chat/assign.h"
#include "siod/chat/assign_job.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/message.h"
#include "siod/chat/roster.h"
#include "siod/metrics/metrics.h"

struct change_job {
    struct store_job job;
    struct desk *desk;
    struct chat_change change;
    int64_t turn; /* CHAT_ASSIGN: the agent's, if it gets the chat */
    char who[64];
    struct store_chat before, after; /* without strings */
    chat_change_done *done;
    void *arg;
};

static enum err chat_numbers(struct store_tx *tx, int64_t chat_id, struct store_chat *ret_chat)
{
    struct store_message last;
    enum err err = store_chat_current(tx, chat_id, ret_chat, &last);

    ret_chat->phone_number_id = STR_NONE;
    ret_chat->group_id = STR_NONE;
    ret_chat->contact = (struct store_contact) { .id = ret_chat->contact.id };
    return err;
}

static enum err change(struct store_tx *tx, const struct change_job *self)
{
    const struct chat_change *change = &self->change;
    const struct store_assignment assignment = { .chat_id = change->chat_id,
                                                 .agent_id = change->agent_id,
                                                 .turn = self->turn,
                                                 .force = change->force };
    struct store_waiting waiting;

    switch (change->verb) {
    case CHAT_ASSIGN:
        return store_chat_assign(tx, &assignment);
    case CHAT_UNASSIGN:
        return store_chat_unassign(tx, change->chat_id, 0, &waiting);
    case CHAT_CLOSE:
        return store_chat_close(tx, change->chat_id);
    case CHAT_REOPEN:
        return store_chat_reopen(tx, change->chat_id, &waiting);
    }
    return ERR_INTERNAL;
}

static enum err log_closed(struct store_tx *tx, const struct store_chat *before)
{
    autobuf struct buf args = BUF_INIT;
    char room[BUSINESS_ROOM_SIZE];

    buf_add_cstr(&args, "{\"chatId\":");
    buf_add_i64(&args, before->id);
    buf_add_cstr(&args, ",\"agentId\":");
    if (before->agent_id != 0) {
        buf_add_i64(&args, before->agent_id);
    } else {
        buf_add_cstr(&args, "null");
    }
    buf_add_cstr(&args, ",\"timestamp\":");
    time_render(&args, store_tx_now_ms(tx));
    buf_add_char(&args, '}');
    return store_log_append(tx, before->business_id, business_room(before->business_id, room),
                            event_name(EVENT_chat_closed), buf_str(&args));
}

/* The others begin a wait, which assign.c tells of. */
static enum err tell(struct store_tx *tx, const struct change_job *self)
{
    switch (self->change.verb) {
    case CHAT_ASSIGN:
        return assign_log(tx, self->after.business_id, self->after.id, self->after.agent_id);
    case CHAT_CLOSE:
        return log_closed(tx, &self->before);
    case CHAT_UNASSIGN:
    case CHAT_REOPEN:
        break;
    }
    return OK;
}

static enum err record(struct store_tx *tx, const struct change_job *self)
{
    static const char *const outcomes[] = {
        [CHAT_ASSIGN] = "assigned",
        [CHAT_UNASSIGN] = "unassigned",
        [CHAT_CLOSE] = "closed",
        [CHAT_REOPEN] = "reopened",
    };
    const struct store_decision decision = { .chat_id = self->after.id,
                                             .agent_id = self->after.agent_id,
                                             .policy = STR_INIT("manual"),
                                             .outcome = str_of(outcomes[self->change.verb]),
                                             .who = str_of(self->who),
                                             .considered = STR_INIT("{}") };
    enum err err = store_decision_append(tx, &decision);

    return err == OK ? tell(tx, self) : err;
}

static enum err change_apply(struct store_job *job, struct store_tx *tx)
{
    struct change_job *self = CONTAINER_OF(job, struct change_job, job);
    int64_t business_id = self->change.business_id;
    enum err err = chat_numbers(tx, self->change.chat_id, &self->before);

    if (err == OK && business_id != 0 && !access_allows(business_id, self->before.business_id)) {
        err = ERR_NOT_FOUND;
    }
    if (err == OK) {
        err = change(tx, self);
    }
    if (err == OK) {
        err = chat_numbers(tx, self->change.chat_id, &self->after);
    }
    return err != OK ? err : record(tx, self);
}

/* The agents' loads and turns, as the commit left them. */
static void count_chat(const struct change_job *self)
{
    struct agent *before = roster_find(self->desk, self->before.business_id, self->before.agent_id);
    struct agent *after = roster_find(self->desk, self->after.business_id, self->after.agent_id);

    if (after != NULL) {
        after->load++;
        after->turn = MAX(after->turn, self->turn);
    }
    if (before != NULL) {
        before->load -= before->load > 0;
        assign_agent_changed(self->desk, before);
    }
}

static void changed(const struct change_job *self)
{
    const struct store_waiting waiting = { .chat_id = self->after.id,
                                           .business_id = self->after.business_id,
                                           .version = self->after.version,
                                           .since_ms = self->after.waiting_since_ms,
                                           .last_agent_id = self->after.last_agent_id,
                                           .avoid_agent_id = self->before.agent_id };

    metric_add(METRIC_CHATS_ASSIGNED, self->change.verb == CHAT_ASSIGN);
    if (self->before.state == STORE_CHAT_WAITING) {
        desk_chat_served(self->desk, self->after.id);
    }
    count_chat(self);
    if (self->after.state == STORE_CHAT_WAITING) {
        desk_chat_waits(self->desk, &waiting);
    }
}

static void change_done(struct store_job *job, enum err err)
{
    struct change_job *self = CONTAINER_OF(job, struct change_job, job);

    if (err == OK) {
        changed(self);
    }
    self->done(self->arg, err, err == OK ? &self->after : NULL);
    free(self);
}

void chat_change(struct desk *desk, const struct chat_change *change, chat_change_done *done,
                 void *arg)
{
    struct change_job *self = xnew(struct change_job);

    self->job.apply = change_apply;
    self->job.done = change_done;
    self->desk = desk;
    self->change = *change;
    self->turn = change->verb == CHAT_ASSIGN ? assign_next_turn(desk) : 0;
    snprintf(self->who, sizeof self->who, "%.*s", STR_ARG(change->who));
    self->done = done;
    self->arg = arg;
    if (!store_submit(desk->config.store, &self->job)) {
        change_done(&self->job, ERR_BUSY);
    }
}
