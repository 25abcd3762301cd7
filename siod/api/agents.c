/* GET /api/agents: the rows are the store's; who is online, and so who is eligible, is only known
 * on the loop. */
#include <string.h>

#include "libshared/alloc.h"
#include "siod/api/call.h"
#include "siod/chat/agent_render.h"
#include "siod/chat/roster.h"
#include "siod/store/store.h"

struct agent_list {
    struct api_page page;
    struct store_agent_filter filter;
    struct buf copies; /* struct store_agent, each followed by its texts */
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

    if (!api_page_take(&list->page, agent->user_id)) {
        return false;
    }
    buf_add(&list->copies, agent, sizeof *agent);
    buf_add_str(&list->copies, agent->name);
    buf_add_str(&list->copies, agent->role);
    return true;
}

static enum err list_read(struct api_page *page, struct store_reader *reader)
{
    struct agent_list *list = CONTAINER_OF(page, struct agent_list, page);

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

static void list_done(struct api_page *page, enum err err)
{
    struct agent_list *list = CONTAINER_OF(page, struct agent_list, page);
    struct desk *desk = page->call->config->desk;
    unsigned count = err == OK ? api_page_count(page) : 0;
    autobuf struct buf items = BUF_INIT;
    const char *at = list->copies.data;

    for (unsigned i = 0; i < count; i++) {
        struct store_agent agent;

        if (i > 0) {
            buf_add_char(&items, ',');
        }
        at = take_copy(desk, at, &agent);
        agent_render(&items, desk, &agent);
    }
    api_page_reply(page, err, buf_str(&items), "after", STR(""));
}

static void recorded(void *arg)
{
    struct agent_list *list = arg;

    if (api_unhold(list->page.call)) {
        api_page_read(&list->page);
    }
}

void api_agents(struct api_call *call)
{
    struct agent_list *list = xnew(struct agent_list);

    call->state = list;
    call->release = list_free;
    list->filter.business_id = call->claims.business_id;
    if (api_query_id(call, "after", &list->filter.after_id) && api_page_init(&list->page, call)) {
        list->filter.limit = list->page.limit + 1;
        list->page.read = list_read;
        list->page.done = list_done;
        api_hold(call);
        roster_recorded(call->config->desk, recorded, list);
    }
}
