/* Contacts by name, and `contact show`. */
#include "siod/control/contact.h"

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/chat/message.h"
#include "siod/chat/show.h"
#include "siod/control/call.h"
#include "siod/store/store.h"

/* ---- the one that is meant */

struct lookup {
    void (*fn)(void *arg, const struct store_contact *contact);
    void *arg;
    int64_t id;
    unsigned found;
};

static bool take_contact(void *arg, const struct store_contact *contact)
{
    struct lookup *lookup = arg;

    if (lookup->found++ > 0) {
        return false;
    }
    lookup->id = contact->id;
    if (lookup->fn != NULL) {
        lookup->fn(lookup->arg, contact);
    }
    return true;
}

typedef enum err find_contacts(struct store_reader *reader, int64_t business_id, struct str name,
                               bool (*fn)(void *arg, const struct store_contact *contact),
                               void *arg);

/* The first of the two that knows the name says who is meant. */
static enum err find_first(struct control_call *call, struct store_reader *reader,
                           find_contacts *const finders[2], struct lookup *lookup, int64_t *ret_id)
{
    enum err err = OK;

    for (size_t i = 0; i < 2 && err == OK && lookup->found == 0; i++) {
        err = finders[i](reader, control_arg_int(call, "business"),
                         control_arg_str(call, "contact"), take_contact, lookup);
    }
    if (err == OK && lookup->found != 1) {
        err = lookup->found == 0 ? ERR_NOT_FOUND : ERR_CONFLICT;
    }
    if (err == OK) {
        *ret_id = lookup->id;
    }
    return err;
}

enum err control_contact_find(struct control_call *call, struct store_reader *reader,
                              void (*fn)(void *arg, const struct store_contact *contact), void *arg,
                              int64_t *ret_id)
{
    static find_contacts *const finders[] = { store_contacts_named, store_contacts_in_erasure };
    struct lookup lookup = { .fn = fn, .arg = arg };

    return find_first(call, reader, finders, &lookup, ret_id);
}

enum err control_contact_find_to_erase(struct control_call *call, struct store_reader *reader,
                                       int64_t *ret_id)
{
    static find_contacts *const finders[] = { store_contacts_in_erasure, store_contacts_named };
    struct lookup lookup = { .fn = NULL };

    return find_first(call, reader, finders, &lookup, ret_id);
}

void control_contact_fail(struct control_call *call, enum err err)
{
    struct str name = control_arg_str(call, "contact");
    int len = (int)MIN(name.len, 200);

    if (err == ERR_NOT_FOUND) {
        control_fail(call, err, "no contact '%.*s'", len, name.data);
    } else if (err == ERR_CONFLICT) {
        control_fail(call, err,
                     "'%.*s' means more than one contact: say which with --business, or +NUMBER",
                     len, name.data);
    } else {
        control_fail(call, err, NULL);
    }
}

/* ---- `contact show` */

struct contact_show {
    struct store_query query;
    struct control_call *call;
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

static void add_contact(void *arg, const struct store_contact *contact)
{
    struct contact_show *show = arg;
    struct buf *text = &show->text;

    contact_render(text, contact);
    text->len--; /* reopens the object */
    buf_add_cstr(text, ",\"businessId\":");
    buf_add_i64(text, contact->business_id);
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
    int64_t contact_id;
    enum err err = control_contact_find(show->call, reader, add_contact, show, &contact_id);

    if (err != OK) {
        return err;
    }
    show->reader = reader;
    buf_add_cstr(&show->text, ",\"aliases\":[");
    err = store_aliases(reader, contact_id, add_alias, show);
    buf_add_cstr(&show->text, "],\"chats\":[");
    if (err == OK) {
        err = store_contact_chats(reader, contact_id, add_chat, show);
    }
    buf_add_cstr(&show->text, "]}");
    return show->err != OK ? show->err : err;
}

static void done(struct store_query *query, enum err err)
{
    struct contact_show *show = CONTAINER_OF(query, struct contact_show, query);
    struct control_call *call = show->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_contact_fail(call, err);
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
