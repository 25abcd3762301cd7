/* GET /api/chats/{id}/messages: the items of a page are always oldest first. Without a cursor, or
 * with `before`, it is the newest messages that match, and `next` leads to older ones; with `after`
 * the oldest, and `next` leads to newer ones. */
#include <inttypes.h>

#include "libshared/alloc.h"
#include "siod/api/call.h"
#include "siod/chat/access.h"
#include "siod/chat/message.h"
#include "siod/store/store.h"

struct message_list {
    struct store_query query;
    struct api_call *call;
    struct store_message_page page;
    unsigned limit, rows; /* as in the list of chats */
    int64_t last_id;      /* where the next page begins */
    struct buf rendered;  /* the rows, one behind the other, as the store gave them */
    size_t ends[API_PAGE_MAX];
};

static void list_free(void *state)
{
    struct message_list *list = state;

    buf_finish(&list->rendered);
    free(list);
}

static bool add_message(void *arg, const struct store_message *message,
                        const struct store_contact *contact)
{
    struct message_list *list = arg;

    if (list->rows == list->limit) {
        list->rows++;
        return false;
    }
    message_render(&list->rendered, message, contact);
    list->ends[list->rows++] = list->rendered.len;
    list->last_id = message->id;
    return true;
}

static enum err list_fetch(struct store_query *query, struct store_reader *reader)
{
    struct message_list *list = CONTAINER_OF(query, struct message_list, query);
    struct store_chat chat;
    enum err err = store_chat_get(reader, list->call->id, &chat);

    if (err == OK && !access_allows(list->call->claims.business_id, chat.business_id)) {
        err = ERR_NOT_FOUND;
    }
    list->rows = 0;
    buf_clear(&list->rendered);
    return err != OK ? err : store_chat_messages_page(reader, &list->page, add_message, list);
}

static void add_items(const struct message_list *list, struct buf *items)
{
    unsigned count = MIN(list->rows, list->limit);

    for (unsigned i = 0; i < count; i++) {
        unsigned row = list->page.forward ? i : count - 1 - i;
        size_t start = row > 0 ? list->ends[row - 1] : 0;

        if (i > 0) {
            buf_add_char(items, ',');
        }
        buf_add(items, list->rendered.data + start, list->ends[row] - start);
    }
}

static void list_done(struct store_query *query, enum err err)
{
    struct message_list *list = CONTAINER_OF(query, struct message_list, query);
    const char *cursor = list->page.forward ? "after" : "before";
    struct api_call *call = list->call;
    autobuf struct buf items = BUF_INIT, next = BUF_INIT;

    if (!api_unhold(call)) {
        return;
    }
    if (err == ERR_NOT_FOUND) {
        api_fail(call, err, "no such chat");
    } else if (err == ERR_INVALID) {
        api_fail(call, err, "%s: no such message in this chat", cursor);
    } else if (err != OK) {
        api_fail(call, err, NULL);
    } else {
        add_items(list, &items);
        if (list->rows > list->limit) {
            buf_printf(&next, "limit=%u&%s=%" PRId64, list->limit, cursor, list->last_id);
        }
        api_reply_page(call, buf_str(&items), buf_str(&next));
    }
}

/* False: the call has ended. */
static bool take_page(struct api_call *call, struct message_list *list)
{
    int64_t before, after;

    if (!api_query_id(call, "before", &before) || !api_query_id(call, "after", &after) ||
        !api_query_limit(call, &list->limit)) {
        return false;
    }
    if (before != 0 && after != 0) {
        api_fail(call, ERR_INVALID, "before, after: only one of them can be given");
        return false;
    }
    list->page.chat_id = call->id;
    list->page.from_id = before + after;
    list->page.forward = after != 0;
    list->page.limit = list->limit + 1;
    return true;
}

void api_chat_messages(struct api_call *call)
{
    struct message_list *list = xnew(struct message_list);

    call->state = list;
    call->release = list_free;
    list->call = call;
    if (!take_page(call, list)) {
        return;
    }
    list->query.fetch = list_fetch;
    list->query.done = list_done;
    api_hold(call);
    store_ask(call->config->store, &list->query);
}
