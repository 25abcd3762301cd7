#include "siod/chat/merge.h"

#include <inttypes.h>
#include <stdio.h>

#include "libshared/id.h"
#include "siod/chat/assign.h"
#include "siod/chat/assign_job.h"
#include "siod/chat/change.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"
#include "siod/chat/inbound.h"
#include "siod/chat/message.h"
#include "siod/chat/roster.h"
#include "siod/chat/session.h"

/* ---- in the transaction */

static void add_merge(void *arg, const struct store_merge *merge)
{
    struct inbound_work *work = arg;

    buf_add(&work->merges, merge, sizeof *merge);
}

static enum err log_merged(struct inbound_work *work, const struct store_merge *merge)
{
    char room[BUSINESS_ROOM_SIZE];

    buf_clear(&work->args);
    buf_printf(&work->args,
               "{\"chatId\":%" PRId64 ",\"into\":%" PRId64 ",\"timestamp\":", merge->chat_id,
               merge->into_id);
    time_render(&work->args, work->now_ms);
    buf_add_char(&work->args, '}');
    return store_log_append(work->tx, merge->business_id, business_room(merge->business_id, room),
                            event_name(EVENT_chat_merged), buf_str(&work->args));
}

static enum err record(struct inbound_work *work, const struct store_merge *merge)
{
    char considered[64];
    int len = snprintf(considered, sizeof considered, "{\"chatId\":%" PRId64 "}", merge->chat_id);
    const struct store_decision decision = { .chat_id = merge->into_id,
                                             .agent_id = merge->joined_agent_id,
                                             .policy = STR_INIT("same_customer"),
                                             .outcome = STR_INIT("merged"),
                                             .considered = { considered, (size_t)len } };

    return store_decision_append(work->tx, &decision);
}

/* The agent of the chat that is gone has the other one now: as far as the desk knows a new one. */
static bool moves_to_agent(const struct store_merge *merge)
{
    return merge->joined_agent_id != 0 && merge->joined_agent_id != merge->into_agent_id;
}

/* Who was in the chat that is gone must not find itself there after a kill. */
static enum err forget_sessions(struct inbound_work *work, const struct store_merge *merge)
{
    char room[CHAT_ROOM_SIZE];

    return session_forget_room(work->tx, merge->business_id, chat_room(merge->chat_id, room));
}

static enum err tell(struct inbound_work *work, const struct store_merge *merge)
{
    enum err err = log_merged(work, merge);

    err = err == OK ? record(work, merge) : err;
    err = err == OK ? forget_sessions(work, merge) : err;
    return err != OK || !moves_to_agent(merge)
               ? err
               : assign_log(work->tx, merge->business_id, merge->into_id, merge->joined_agent_id);
}

static enum err join(struct inbound_work *work, int64_t contact_id, int64_t into_id)
{
    size_t before = work->merges.len;
    enum err err = store_contact_join(work->tx, contact_id, into_id, add_merge, work);

    for (size_t at = before; at < work->merges.len && err == OK; at += sizeof(struct store_merge)) {
        err = tell(work, (const void *)(work->merges.data + at));
    }
    return err;
}

enum err merge_contacts(struct inbound_work *work, int64_t business_id, int64_t contact_id,
                        int64_t into_id)
{
    autobuf struct buf changes = BUF_INIT;
    enum err err = change_between(work, contact_id, into_id, &changes);

    err = err == OK ? join(work, contact_id, into_id) : err;
    return err == OK ? change_joined(work, business_id, into_id, &changes) : err;
}

/* ---- on the loop */

static void relieve(struct desk *desk, int64_t business_id, int64_t agent_id)
{
    struct agent *agent = roster_find(desk, business_id, agent_id);

    if (agent != NULL && agent->load > 0) {
        agent->load--;
        assign_agent_changed(desk, agent);
    }
}

void desk_chats_merged(void *arg, const struct store_merge *merge)
{
    struct desk *desk = arg;

    desk_chat_forget(desk, merge->chat_id);
    desk_chat_served(desk, merge->chat_id);
    if (merge->into_state == STORE_CHAT_WAITING && merge->waiting.chat_id == 0) {
        desk_chat_served(desk, merge->into_id);
    }
    if (merge->state == STORE_CHAT_ASSIGNED && merge->into_state == STORE_CHAT_ASSIGNED) {
        relieve(desk, merge->business_id, merge->agent_id);
    }
    if (merge->waiting.chat_id != 0) {
        desk_chat_waits(desk, &merge->waiting);
    }
}

/* Takes `key` and the id behind it from the beginning of *text. */
static bool take_id(struct str *text, struct str key, int64_t *ret_id)
{
    size_t digits = 0;

    if (!str_starts_with(*text, key)) {
        return false;
    }
    *text = str_skip(*text, key.len);
    while (digits < text->len && text->data[digits] >= '0' && text->data[digits] <= '9') {
        digits++;
    }
    if (!id_parse((struct str) { text->data, digits }, ret_id)) {
        return false;
    }
    *text = str_skip(*text, digits);
    return true;
}

/* The row is as log_merged() wrote it. */
void merge_rooms(struct desk *desk, const struct store_event *row)
{
    struct str args = row->args;
    int64_t chat_id, into_id;

    if (str_eq(row->event, event_name(EVENT_chat_merged)) &&
        take_id(&args, STR("{\"chatId\":"), &chat_id) &&
        take_id(&args, STR(",\"into\":"), &into_id)) {
        desk_chat_clear(desk, row->business_id, chat_id, into_id);
    }
}
