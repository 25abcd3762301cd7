/* `contact show`. */
#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/chat/message.h"
#include "siod/chat/show.h"
#include "siod/control/call.h"
#include "siod/store/store.h"

struct contact_show {
    struct store_query query;
    struct control_call *call;
    int64_t contact_id;
    unsigned found; /* contacts of this name */
    struct buf text;
    struct store_reader *reader; /* while it reads */
    enum err err;
};

static void contact_show_free(void *state)
{
    struct contact_show *show = state;

    buf_finish(&show->text);
    free(show);
}

static bool take_contact(void *arg, const struct store_contact *contact)
{
    struct contact_show *show = arg;
    struct buf *text = &show->text;

    if (show->found++ > 0) {
        return false;
    }
    show->contact_id = contact->id;
    contact_render(text, contact);
    text->len--; /* reopens the object */
    buf_add_cstr(text, ",\"businessId\":");
    buf_add_i64(text, contact->business_id);
    return true;
}

static void next_element(struct buf *text)
{
    if (text->data[text->len - 1] != '[') {
        buf_add_char(text, ',');
    }
}

static bool add_alias(void *arg, enum store_alias kind, struct str value)
{
    struct contact_show *show = arg;

    next_element(&show->text);
    buf_add_cstr(&show->text, "{\"kind\":");
    json_add_cstr(&show->text, store_alias_name(kind));
    buf_add_cstr(&show->text, ",\"value\":");
    json_add_string(&show->text, value);
    buf_add_char(&show->text, '}');
    return true;
}

static bool add_chat(void *arg, const struct store_chat *chat)
{
    struct contact_show *show = arg;

    next_element(&show->text);
    show->err = chat_show(show->reader, chat, chat->agent_id, &show->text);
    return show->err == OK;
}

static enum err fetch(struct store_query *query, struct store_reader *reader)
{
    struct contact_show *show = CONTAINER_OF(query, struct contact_show, query);
    struct control_call *call = show->call;
    enum err err = store_contacts_named(reader, control_arg_int(call, "business"),
                                        control_arg_str(call, "contact"), take_contact, show);

    if (err != OK || show->found != 1) {
        return err;
    }
    show->reader = reader;
    buf_add_cstr(&show->text, ",\"aliases\":[");
    err = store_aliases(reader, show->contact_id, add_alias, show);
    buf_add_cstr(&show->text, "],\"chats\":[");
    if (err == OK) {
        err = store_contact_chats(reader, show->contact_id, add_chat, show);
    }
    buf_add_cstr(&show->text, "]}");
    return show->err != OK ? show->err : err;
}

static void done(struct store_query *query, enum err err)
{
    struct contact_show *show = CONTAINER_OF(query, struct contact_show, query);
    struct control_call *call = show->call;
    struct str name;

    if (!control_unhold(call)) {
        return;
    }
    name = control_arg_str(call, "contact");
    if (err != OK) {
        control_fail(call, err, NULL);
    } else if (show->found == 0) {
        control_fail(call, ERR_NOT_FOUND, "no contact '%.*s'", (int)MIN(name.len, 200), name.data);
    } else if (show->found > 1) {
        control_fail(call, ERR_CONFLICT,
                     "'%.*s' means more than one contact: use an id, or --business",
                     (int)MIN(name.len, 200), name.data);
    } else {
        control_reply(call, buf_str(&show->text));
    }
}

void control_contact_show(struct control_call *call)
{
    struct contact_show *show = xnew(struct contact_show);

    show->query.fetch = fetch;
    show->query.done = done;
    show->call = call;
    call->state = show;
    call->release = contact_show_free;
    control_hold(call);
    store_ask(control_config(call)->store, &show->query);
}
