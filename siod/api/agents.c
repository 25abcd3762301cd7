/* GET /api/agents: the rows are the store's; who is online, and so who is eligible, is only known
 * on the loop. */
#include <inttypes.h>
#include <string.h>

#include "libshared/alloc.h"
#include "siod/api/call.h"
#include "siod/chat/agent_render.h"
#include "siod/chat/roster.h"
#include "siod/store/store.h"

struct agent_list {
    struct store_query query;
    struct api_call *call;
    struct store_agent_filter filter;
    unsigned limit, rows; /* as in the list of chats */
    struct buf copies;    /* struct store_agent, each followed by its texts */
};

static void list_free(void *state)
{
    struct agent_list *list = state;

    buf_finish(&list->copies);
    free(list);
}

static bool copy_agent(void *arg, const struct store_agent *agent)
{
    struct agent_list *list = arg;

    if (list->rows++ == list->limit) {
        return false;
    }
    buf_add(&list->copies, agent, sizeof *agent);
    buf_add_str(&list->copies, agent->name);
    buf_add_str(&list->copies, agent->role);
    return true;
}

static enum err list_fetch(struct store_query *query, struct store_reader *reader)
{
    struct agent_list *list = CONTAINER_OF(query, struct agent_list, query);

    list->rows = 0;
    buf_clear(&list->copies);
    return store_agents(reader, &list->filter, copy_agent, list);
}

/* Returns where the one behind it is. */
static const char *take_copy(struct desk *desk, const char *at, struct store_agent *ret_agent)
{
    const struct agent *live;

    memcpy(ret_agent, at, sizeof *ret_agent);
    ret_agent->name.data = at + sizeof *ret_agent;
    ret_agent->role.data = ret_agent->name.data + ret_agent->name.len;
    live = roster_find(desk, ret_agent->business_id, ret_agent->user_id);
    ret_agent->online = live != NULL && live->known;
    return ret_agent->role.data + ret_agent->role.len;
}

static void reply(struct api_call *call, const struct agent_list *list)
{
    autobuf struct buf items = BUF_INIT, next = BUF_INIT;
    struct store_agent agent = { .user_id = 0 };
    const char *at = list->copies.data;

    for (unsigned i = 0; i < MIN(list->rows, list->limit); i++) {
        if (i > 0) {
            buf_add_char(&items, ',');
        }
        at = take_copy(call->config->desk, at, &agent);
        agent_render(&items, call->config->desk, &agent);
    }
    if (list->rows > list->limit) {
        buf_printf(&next, "limit=%u&after=%" PRId64, list->limit, agent.user_id);
    }
    api_reply_page(call, buf_str(&items), buf_str(&next));
}

static void list_done(struct store_query *query, enum err err)
{
    struct agent_list *list = CONTAINER_OF(query, struct agent_list, query);
    struct api_call *call = list->call;

    if (!api_unhold(call)) {
        return;
    }
    if (err != OK) {
        api_fail(call, err, NULL);
    } else {
        reply(call, list);
    }
}

void api_agents(struct api_call *call)
{
    struct agent_list *list = xnew(struct agent_list);

    call->state = list;
    call->release = list_free;
    list->call = call;
    list->filter.business_id = call->claims.business_id;
    if (!api_query_id(call, "after", &list->filter.after_id) ||
        !api_query_limit(call, &list->limit)) {
        return;
    }
    list->filter.limit = list->limit + 1;
    list->query.fetch = list_fetch;
    list->query.done = list_done;
    api_hold(call);
    store_ask(call->config->store, &list->query);
}
