/* GET /api/chats and GET /api/chats/{id}. */
#include <inttypes.h>

#include "libshared/alloc.h"
#include "siod/api/call.h"
#include "siod/chat/show.h"
#include "siod/store/store.h"

/* ---- the list, by ascending id */

struct chat_list {
    struct api_page page;
    struct store_chat_filter filter;
    enum store_chat_state state;
    struct buf items;
    struct store_reader *reader; /* while it reads */
    enum err err;
};

static void list_free(void *state)
{
    struct chat_list *list = state;

    buf_finish(&list->items);
    free(list);
}

static bool add_chat(void *arg, const struct store_chat *chat)
{
    struct chat_list *list = arg;

    if (!api_page_take(&list->page, chat->id)) {
        return false;
    }
    if (list->page.rows > 1) {
        buf_add_char(&list->items, ',');
    }
    list->err = chat_show(list->reader, chat, list->page.call->claims.user_id, &list->items);
    return list->err == OK;
}

static enum err list_read(struct api_page *page, struct store_reader *reader)
{
    struct chat_list *list = CONTAINER_OF(page, struct chat_list, page);
    enum err err;

    list->reader = reader;
    err = store_chats(reader, &list->filter, add_chat, list);
    return list->err != OK ? list->err : err;
}

static void list_done(struct api_page *page, enum err err)
{
    struct chat_list *list = CONTAINER_OF(page, struct chat_list, page);
    autobuf struct buf more = BUF_INIT;

    if (list->filter.state != NULL) {
        buf_printf(&more, "&state=%s", store_chat_state_name(list->state));
    }
    if (list->filter.agent_id != 0) {
        buf_printf(&more, "&agent=%" PRId64, list->filter.agent_id);
    }
    api_page_reply(page, err, buf_str(&list->items), "after", buf_str(&more));
}

/* False: the call has ended. */
static bool take_filter(struct api_call *call, struct chat_list *list)
{
    struct str state;

    if (!api_query_text(call, "state", &state)) {
        return false;
    }
    if (state.data != NULL) {
        if (!store_chat_state_parse(state, &list->state)) {
            api_fail(call, ERR_INVALID, "state: 'waiting', 'assigned' or 'closed' is needed");
            return false;
        }
        list->filter.state = &list->state;
    }
    return api_query_id(call, "agent", &list->filter.agent_id) &&
           api_query_id(call, "after", &list->filter.after_id) && api_page_init(&list->page, call);
}

void api_chats(struct api_call *call)
{
    struct chat_list *list = xnew(struct chat_list);

    call->state = list;
    call->release = list_free;
    list->filter.business_id = call->claims.business_id;
    if (take_filter(call, list)) {
        list->filter.limit = list->page.limit + 1;
        list->page.read = list_read;
        list->page.done = list_done;
        api_page_read(&list->page);
    }
}

/* ---- one chat */

struct chat_show {
    struct store_query query;
    struct api_call *call;
    struct buf text;
};

static void show_free(void *state)
{
    struct chat_show *show = state;

    buf_finish(&show->text);
    free(show);
}

static enum err show_fetch(struct store_query *query, struct store_reader *reader)
{
    struct chat_show *show = CONTAINER_OF(query, struct chat_show, query);
    const struct token_claims *who = &show->call->claims;

    buf_clear(&show->text);
    return chat_show_id(reader, show->call->id, who->business_id, who->user_id, &show->text);
}

static void show_done(struct store_query *query, enum err err)
{
    struct chat_show *show = CONTAINER_OF(query, struct chat_show, query);
    struct api_call *call = show->call;

    if (!api_unhold(call)) {
        return;
    }
    if (err != OK) {
        api_fail(call, err, err == ERR_NOT_FOUND ? "no such chat" : NULL);
    } else {
        api_reply(call, buf_str(&show->text));
    }
}

void api_chat(struct api_call *call)
{
    struct chat_show *show = xnew(struct chat_show);

    call->state = show;
    call->release = show_free;
    show->call = call;
    show->query.fetch = show_fetch;
    show->query.done = show_done;
    api_hold(call);
    store_ask(call->config->store, &show->query);
}
