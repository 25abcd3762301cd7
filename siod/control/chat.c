/* `chat list` and `chat show`: read from the store, a page at a time. */
#include <limits.h>

#include "libshared/alloc.h"
#include "siod/chat/call.h"
#include "siod/chat/message.h"
#include "siod/chat/show.h"
#include "siod/control/call.h"
#include "siod/store/store.h"

enum { PAGE_ROWS = 250, CALLS_SHOWN = 20 };

struct chat_list {
    struct store_query query;
    struct control_call *call;
    struct store_chat_filter filter;
    enum store_chat_state state;
    unsigned left; /* chats that may still be listed */
    struct buf page;
    unsigned rows;
    struct store_reader *reader; /* while it reads */
    enum err err;
};

static void chat_list_free(void *state)
{
    struct chat_list *list = state;

    buf_finish(&list->page);
    free(list);
}

static bool add_chat(void *arg, const struct store_chat *chat)
{
    struct chat_list *list = arg;

    if (list->rows++ > 0) {
        buf_add_char(&list->page, ',');
    }
    list->filter.after_id = chat->id;
    list->err = chat_show(list->reader, chat, chat->agent_id, &list->page);
    return list->err == OK;
}

static enum err fetch_page(struct store_query *query, struct store_reader *reader)
{
    struct chat_list *list = CONTAINER_OF(query, struct chat_list, query);
    enum err err;

    list->rows = 0;
    list->filter.limit = MIN(list->left, (unsigned)PAGE_ROWS);
    buf_clear(&list->page);
    buf_add_char(&list->page, '[');
    list->reader = reader;
    list->err = OK;
    err = store_chats(reader, &list->filter, add_chat, list);
    buf_add_char(&list->page, ']');
    return list->err != OK ? list->err : err;
}

static bool next_page(struct control_call *call)
{
    struct chat_list *list = call->state;

    control_produce_stop(call);
    control_hold(call);
    store_ask(control_config(call)->store, &list->query);
    return false;
}

static void page_done(struct store_query *query, enum err err)
{
    struct chat_list *list = CONTAINER_OF(query, struct chat_list, query);
    struct control_call *call = list->call;

    if (!control_unhold(call)) {
        return;
    }
    list->left -= list->rows;
    if (err != OK) {
        control_fail(call, err, NULL);
    } else if (list->rows < PAGE_ROWS || list->left == 0) {
        control_reply(call, buf_str(&list->page));
    } else {
        control_piece(call, buf_str(&list->page));
        control_produce(call, next_page);
    }
}

void control_chat_list(struct control_call *call)
{
    struct chat_list *list = xnew(struct chat_list);
    int64_t limit = control_arg_int(call, "limit");

    list->query.fetch = fetch_page;
    list->query.done = page_done;
    list->call = call;
    list->filter.business_id = control_arg_int(call, "business");
    list->filter.agent_id = control_arg_int(call, "agent");
    list->left = limit > 0 ? (unsigned)limit : UINT_MAX;
    if (store_chat_state_parse(control_arg_str(call, "state"), &list->state)) {
        list->filter.state = &list->state;
    }
    call->state = list;
    call->release = chat_list_free;
    (void)next_page(call);
}

struct chat_show {
    struct store_query query;
    struct control_call *call;
    int64_t chat_id;
    struct buf text;
};

static void chat_show_free(void *state)
{
    struct chat_show *show = state;

    buf_finish(&show->text);
    free(show);
}

struct readings {
    struct buf *text;
    struct store_reader *reader;
    const struct store_chat *chat;
    unsigned count;
    enum err err;
};

static bool add_reading(void *arg, const struct store_reading *reading)
{
    struct readings *readings = arg;
    struct buf *text = readings->text;
    struct store_glance glance;

    readings->err = store_chat_glance(readings->reader, readings->chat, reading->user_id, &glance);
    if (readings->err != OK) {
        return false;
    }
    buf_add_cstr(text, readings->count++ == 0 ? "{\"agentId\":" : ",{\"agentId\":");
    buf_add_i64(text, reading->user_id);
    buf_add_cstr(text, ",\"unread\":");
    buf_add_i64(text, glance.unread);
    buf_add_cstr(text, ",\"messageId\":");
    buf_add_i64(text, reading->message_id);
    buf_add_cstr(text, ",\"readAt\":");
    time_render(text, reading->at_ms);
    buf_add_char(text, '}');
    return true;
}

static bool add_call(void *arg, const struct store_call *call)
{
    struct buf *text = arg;

    if (text->data[text->len - 1] != '[') {
        buf_add_char(text, ',');
    }
    call_render(text, call);
    return true;
}

/* The chat as its agent sees it, and how far each agent has read. */
static enum err fetch_chat(struct store_query *query, struct store_reader *reader)
{
    struct chat_show *show = CONTAINER_OF(query, struct chat_show, query);
    struct store_chat chat;
    struct readings readings = { .text = &show->text, .reader = reader, .chat = &chat };
    enum err err = store_chat_get(reader, show->chat_id, &chat);

    buf_clear(&show->text);
    if (err == OK) {
        err = chat_show(reader, &chat, chat.agent_id, &show->text);
    }
    if (err != OK) {
        return err;
    }
    show->text.len--; /* reopens the object */
    buf_add_cstr(&show->text, ",\"readers\":[");
    err = store_readings(reader, show->chat_id, add_reading, &readings);
    if (err == OK && readings.err == OK) {
        buf_add_cstr(&show->text, "],\"calls\":[");
        err = store_calls(reader, show->chat_id, CALLS_SHOWN, add_call, &show->text);
    }
    buf_add_cstr(&show->text, "]}");
    return readings.err != OK ? readings.err : err;
}

static void chat_done(struct store_query *query, enum err err)
{
    struct chat_show *show = CONTAINER_OF(query, struct chat_show, query);
    struct control_call *call = show->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err == ERR_NOT_FOUND) {
        control_fail(call, err, "no chat %lld", (long long)show->chat_id);
    } else if (err != OK) {
        control_fail(call, err, NULL);
    } else {
        control_reply(call, buf_str(&show->text));
    }
}

void control_chat_show(struct control_call *call)
{
    struct chat_show *show = xnew(struct chat_show);

    show->query.fetch = fetch_chat;
    show->query.done = chat_done;
    show->call = call;
    show->chat_id = control_arg_int(call, "chat");
    call->state = show;
    call->release = chat_show_free;
    control_hold(call);
    store_ask(control_config(call)->store, &show->query);
}
