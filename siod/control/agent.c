/* `agent list`, `show`, `status` and `capacity`.
 *
 * The rows are the store's; who is online, and so who is eligible, is only known live. A list is
 * copied on a reader's thread and rendered in slices. */
#include "siod/control/agent.h"

#include <string.h>

#include "libshared/alloc.h"
#include "siod/chat/agent_capacity.h"
#include "siod/chat/agent_render.h"
#include "siod/chat/agent_status.h"
#include "siod/chat/desk.h"
#include "siod/chat/roster.h"
#include "siod/control/call.h"

/* ---- list */

struct agent_list {
    struct store_query query;
    struct control_call *call;
    struct store_agent_filter filter;
    const enum store_agent_status *status; /* NULL = all */
    enum store_agent_status wanted;
    struct buf rows; /* struct store_agent, each followed by its texts */
    size_t at;
};

static void agent_list_free(void *state)
{
    struct agent_list *list = state;

    buf_finish(&list->rows);
    free(list);
}

static bool copy_agent(void *arg, const struct store_agent *agent)
{
    struct agent_list *list = arg;

    if (list->status == NULL || *list->status == agent->status) {
        buf_add(&list->rows, agent, sizeof(*agent));
        buf_add_str(&list->rows, agent->name);
        buf_add_str(&list->rows, agent->role);
    }
    return true;
}

static enum err list_fetch(struct store_query *query, struct store_reader *reader)
{
    struct agent_list *list = CONTAINER_OF(query, struct agent_list, query);

    buf_clear(&list->rows);
    return store_agents(reader, &list->filter, copy_agent, list);
}

static void next_agent(struct agent_list *list, struct store_agent *ret_agent)
{
    const char *at = list->rows.data + list->at;

    memcpy(ret_agent, at, sizeof(*ret_agent));
    ret_agent->name.data = at + sizeof(*ret_agent);
    ret_agent->role.data = ret_agent->name.data + ret_agent->name.len;
    ret_agent->online = control_agent_online(list->call, ret_agent);
    list->at += sizeof(*ret_agent) + ret_agent->name.len + ret_agent->role.len;
}

static bool list_slice(struct control_call *call)
{
    struct agent_list *list = call->state;
    autobuf struct buf piece = BUF_INIT;

    buf_add_char(&piece, '[');
    while (list->at < list->rows.len) {
        struct store_agent agent;

        control_piece_row(&piece);
        next_agent(list, &agent);
        agent_render(&piece, control_config(call)->desk, &agent);
        if (control_slice_over(call, &piece)) {
            break;
        }
    }
    buf_add_char(&piece, ']');
    return control_send_piece(call, &piece, list->at < list->rows.len);
}

static void list_done(struct store_query *query, enum err err)
{
    struct control_call *call = CONTAINER_OF(query, struct agent_list, query)->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, NULL);
    } else {
        control_produce(call, list_slice);
    }
}

static void ask_list(void *arg)
{
    struct agent_list *list = arg;

    store_ask(control_config(list->call)->store, &list->query);
}

void control_agent_list(struct control_call *call)
{
    struct agent_list *list = xnew(struct agent_list);

    list->query.fetch = list_fetch;
    list->query.done = list_done;
    list->call = call;
    list->filter.business_id = control_arg_int(call, "business");
    if (store_agent_status_parse(control_arg_str(call, "status"), &list->wanted)) {
        list->status = &list->wanted;
    }
    call->state = list;
    call->release = agent_list_free;
    control_hold(call);
    roster_recorded(control_config(call)->desk, ask_list, list);
}

/* ---- one agent */

static void lookup_free(void *state)
{
    struct control_lookup *lookup = state;

    control_lookup_finish(lookup);
    free(lookup);
}

static void find_agent(struct control_call *call,
                       void (*done)(struct control_call *call, struct control_lookup *lookup,
                                    enum err err))
{
    struct control_lookup *lookup = xnew(struct control_lookup);

    lookup->user_id = control_arg_int(call, "agent");
    lookup->business_id = control_arg_int(call, "business");
    lookup->done = done;
    call->state = lookup;
    call->release = lookup_free;
    control_lookup_start(call, lookup);
}

static void show_found(struct control_call *call, struct control_lookup *lookup, enum err err)
{
    autobuf struct buf text = BUF_INIT;

    if (err != OK) {
        control_lookup_fail(call, lookup, err);
        return;
    }
    agent_render(&text, control_config(call)->desk, &lookup->agent);
    control_reply(call, buf_str(&text));
}

void control_agent_show(struct control_call *call)
{
    find_agent(call, show_found);
}

/* What was set, as the agent stands then. */
static void was_set(void *arg, enum err err, bool changed)
{
    struct control_call *call = arg;
    const struct control_lookup *lookup;
    autobuf struct buf text = BUF_INIT;

    if (!control_unhold(call)) {
        return;
    }
    lookup = call->state;
    if (err != OK) {
        control_lookup_fail(call, lookup, err);
        return;
    }
    agent_render(&text, control_config(call)->desk, &lookup->agent);
    text.len--;
    buf_add_cstr(&text, changed ? ",\"changed\":true}" : ",\"changed\":false}");
    control_reply(call, buf_str(&text));
}

static void status_found(struct control_call *call, struct control_lookup *lookup, enum err err)
{
    struct store_agent *agent = &lookup->agent;

    if (err != OK) {
        control_lookup_fail(call, lookup, err);
        return;
    }
    (void)store_agent_status_parse(control_arg_str(call, "status"), &agent->status);
    control_hold(call);
    agent_status_set(control_config(call)->desk, agent->business_id, agent->user_id, agent->status,
                     was_set, call);
}

void control_agent_status(struct control_call *call)
{
    find_agent(call, status_found);
}

static void capacity_found(struct control_call *call, struct control_lookup *lookup, enum err err)
{
    struct store_agent *agent = &lookup->agent;

    if (err != OK) {
        control_lookup_fail(call, lookup, err);
        return;
    }
    agent->capacity = control_arg_int(call, "capacity");
    control_hold(call);
    agent_capacity_set(control_config(call)->desk, agent->business_id, agent->user_id,
                       agent->capacity, was_set, call);
}

void control_agent_capacity(struct control_call *call)
{
    find_agent(call, capacity_found);
}
