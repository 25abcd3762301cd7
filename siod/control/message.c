/* `message show`. */
#include "siod/chat/message.h"

#include "libshared/alloc.h"
#include "libshared/id.h"
#include "siod/control/call.h"
#include "siod/store/store.h"

struct message_show {
    struct store_query query;
    struct control_call *call;
    int64_t message_id; /* 0: by wamid */
    struct buf text;
};

static void message_show_free(void *state)
{
    struct message_show *show = state;

    buf_finish(&show->text);
    free(show);
}

static enum err show_fetch(struct store_query *query, struct store_reader *reader)
{
    struct message_show *show = CONTAINER_OF(query, struct message_show, query);
    struct store_message message;
    struct store_contact contact;
    struct str name = control_arg_str(show->call, "message");
    enum err err = store_message_find(reader, show->message_id, name, &message, &contact);

    /* Ids of the platform are opaque: nothing keeps them from being digits. */
    if (err == ERR_NOT_FOUND && show->message_id != 0) {
        err = store_message_find(reader, 0, name, &message, &contact);
    }
    buf_clear(&show->text);
    if (err == OK) {
        message_render(&show->text, &message, &contact);
    }
    return err;
}

static void show_done(struct store_query *query, enum err err)
{
    struct message_show *show = CONTAINER_OF(query, struct message_show, query);
    struct control_call *call = show->call;
    struct str name;

    if (!control_unhold(call)) {
        return;
    }
    name = control_arg_str(call, "message");
    if (err == ERR_NOT_FOUND) {
        control_fail(call, err, "no message '%.*s'", (int)MIN(name.len, 200), name.data);
    } else if (err != OK) {
        control_fail(call, err, NULL);
    } else {
        control_reply(call, buf_str(&show->text));
    }
}

void control_message_show(struct control_call *call)
{
    struct message_show *show = xnew(struct message_show);

    show->query.fetch = show_fetch;
    show->query.done = show_done;
    show->call = call;
    (void)id_parse(control_arg_str(call, "message"), &show->message_id);
    call->state = show;
    call->release = message_show_free;
    control_hold(call);
    store_ask(control_config(call)->store, &show->query);
}
