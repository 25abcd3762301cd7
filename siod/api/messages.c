/* GET /api/chats/{id}/messages: the items of a page are always oldest first. Without a cursor, or
 * with `before`, it is the newest messages that match, and `next` leads to older ones; with `after`
 * the oldest, and `next` leads to newer ones. `next` also has the second of its message, by which
 * the page begins where that one was, whether or not it is still there. */
#include <inttypes.h>

#include "libshared/alloc.h"
#include "siod/api/call.h"
#include "siod/chat/access.h"
#include "siod/chat/message.h"
#include "siod/store/store.h"

struct message_list {
    struct api_page page;
    struct store_message_page selected;
    struct buf rendered; /* the rows, one behind the other, as the store gave them */
    size_t ends[API_PAGE_MAX];
    int64_t last_second; /* of page.last_id */
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

    if (!api_page_take(&list->page, message->id)) {
        return false;
    }
    list->last_second = message->wa_timestamp_s;
    message_render(&list->rendered, message, contact);
    list->ends[list->page.rows - 1] = list->rendered.len;
    return true;
}

static enum err list_read(struct api_page *page, struct store_reader *reader)
{
    struct message_list *list = CONTAINER_OF(page, struct message_list, page);
    const struct api_call *call = page->call;
    struct store_chat chat;
    enum err err = store_chat_get(reader, call->id, &chat);

    if (err == OK && !access_allows(call->claims.business_id, chat.business_id)) {
        err = ERR_NOT_FOUND;
    }
    return err != OK ? err : store_chat_messages_page(reader, &list->selected, add_message, list);
}

static void add_items(const struct message_list *list, struct buf *items)
{
    unsigned count = api_page_count(&list->page);

    for (unsigned i = 0; i < count; i++) {
        unsigned row = list->selected.forward ? i : count - 1 - i;
        size_t start = row > 0 ? list->ends[row - 1] : 0;

        if (i > 0) {
            buf_add_char(items, ',');
        }
        buf_add(items, list->rendered.data + start, list->ends[row] - start);
    }
}

static void list_done(struct api_page *page, enum err err)
{
    struct message_list *list = CONTAINER_OF(page, struct message_list, page);
    const char *cursor = list->selected.forward ? "after" : "before";
    autobuf struct buf items = BUF_INIT;
    autobuf struct buf second = BUF_INIT;

    if (err == ERR_NOT_FOUND) {
        api_fail(page->call, err, "no such chat");
    } else if (err == ERR_INVALID) {
        api_fail(page->call, err, "%s: no such message in this chat", cursor);
    } else {
        if (err == OK) {
            add_items(list, &items);
        }
        buf_printf(&second, "&second=%" PRId64, list->last_second);
        api_page_reply(page, err, buf_str(&items), cursor, buf_str(&second));
    }
}

/* False: the call has ended. */
static bool take_page(struct api_call *call, struct message_list *list)
{
    int64_t before, after, second;

    if (!api_query_id(call, "before", &before) || !api_query_id(call, "after", &after) ||
        !api_query_id(call, "second", &second) || !api_page_init(&list->page, call)) {
        return false;
    }
    if (before != 0 && after != 0) {
        api_fail(call, ERR_INVALID, "before, after: only one of them can be given");
        return false;
    }
    if (second != 0 && before == 0 && after == 0) {
        api_fail(call, ERR_INVALID, "second: it goes with before or after");
        return false;
    }
    list->selected = (struct store_message_page) { .chat_id = call->id,
                                                   .from_id = before + after,
                                                   .from_second = second,
                                                   .forward = after != 0,
                                                   .limit = list->page.limit + 1 };
    return true;
}

void api_chat_messages(struct api_call *call)
{
    struct message_list *list = xnew(struct message_list);

    call->state = list;
    call->release = list_free;
    if (take_page(call, list)) {
        list->page.read = list_read;
        list->page.done = list_done;
        api_page_read(&list->page);
    }
}
