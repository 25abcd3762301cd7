/* `business list`, `business show` and `business add`. */
#include <inttypes.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/control/call.h"
#include "siod/control/rows.h"
#include "siod/store/store.h"

static const char *source_name(enum store_source source)
{
    switch (source) {
    case STORE_SOURCE_CONFIG:
        return "config";
    case STORE_SOURCE_CONTROL:
        return "control";
    case STORE_SOURCE_TOKEN:
        return "token";
    }
    return NULL;
}

static void render_business(struct buf *out, const struct store_business *business)
{
    buf_add_cstr(out, "{\"businessId\":");
    buf_add_i64(out, business->id);
    buf_add_cstr(out, ",\"name\":");
    json_add_string(out, business->name);
    buf_add_cstr(out, ",\"source\":");
    json_add_cstr(out, source_name(business->source));
    buf_add_cstr(out, ",\"phoneNumberIds\":[");
    for (size_t i = 0; i < business->phone_number_count; i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        json_add_string(out, business->phone_number_ids[i]);
    }
    buf_add_cstr(out, business->takes_any ? "],\"takesAny\":true" : "],\"takesAny\":false");
    buf_add_cstr(out, ",\"position\":");
    buf_add_i64(out, business->position);
    buf_add_char(out, '}');
}

static bool add_business(void *arg, const struct store_business *business)
{
    struct control_list *list = arg;

    render_business(&list->rows.text, business);
    control_rows_end_row(&list->rows);
    return true;
}

static enum err list_read(struct control_list *list, struct store_reader *reader)
{
    return store_businesses(reader, add_business, list);
}

void control_business_list(struct control_call *call)
{
    control_list_all(call, list_read);
}

/* ---- one of them */

struct wanted {
    int64_t business_id;
    struct buf *text;
};

static bool take_business(void *arg, const struct store_business *business)
{
    const struct wanted *wanted = arg;

    if (business->id != wanted->business_id) {
        return true;
    }
    render_business(wanted->text, business);
    return false;
}

/* Leaves *text empty when there is no such business. */
static enum err read_business(struct store_reader *reader, int64_t business_id, struct buf *text)
{
    return store_businesses(reader, take_business, &(struct wanted) { business_id, text });
}

struct business_show {
    struct store_query query;
    struct control_call *call;
    int64_t business_id;
    struct buf text;
};

static void business_show_free(void *state)
{
    struct business_show *show = state;

    buf_finish(&show->text);
    free(show);
}

static enum err show_fetch(struct store_query *query, struct store_reader *reader)
{
    struct business_show *show = CONTAINER_OF(query, struct business_show, query);
    struct store_business_counts counts = { .waiting = 0 };
    enum err err = read_business(reader, show->business_id, &show->text);

    if (err == OK && show->text.len == 0) {
        return ERR_NOT_FOUND;
    }
    if (err == OK) {
        err = store_business_count(reader, show->business_id, &counts);
    }
    if (err == OK) {
        show->text.len--; /* reopens the object */
        buf_printf(&show->text,
                   ",\"agents\":%" PRId64 ",\"chats\":{\"waiting\":%" PRId64
                   ",\"assigned\":%" PRId64 "}}",
                   counts.agents, counts.waiting, counts.assigned);
    }
    return err;
}

static void show_done(struct store_query *query, enum err err)
{
    struct business_show *show = CONTAINER_OF(query, struct business_show, query);
    struct control_call *call = show->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err == ERR_NOT_FOUND) {
        control_fail(call, err, "no business %lld", (long long)show->business_id);
    } else if (err != OK) {
        control_fail(call, err, NULL);
    } else {
        control_reply(call, buf_str(&show->text));
    }
}

void control_business_show(struct control_call *call)
{
    struct business_show *show = xnew(struct business_show);

    show->query.fetch = show_fetch;
    show->query.done = show_done;
    show->call = call;
    show->business_id = control_arg_int(call, "business");
    call->state = show;
    call->release = business_show_free;
    control_hold(call);
    store_ask(control_config(call)->store, &show->query);
}

/* ---- a new one */

/* First a look whether an operator added it before: putting it again would replace its numbers. One
 * that exists because an agent of it connected may still be added. Then the write; the answer is
 * what the store has after that. */
struct business_add {
    struct store_query query;
    struct store_job job;
    struct control_call *call;
    struct store_business business;
    struct str *phones;
    bool exists;
    struct buf text;
    struct errmsg msg;
};

static void business_add_free(void *state)
{
    struct business_add *add = state;

    buf_finish(&add->text);
    free(add->phones);
    free(add);
}

static bool check_business(void *arg, const struct store_business *business)
{
    struct business_add *add = arg;

    add->exists = business->id == add->business.id && business->source == STORE_SOURCE_CONTROL;
    return !add->exists;
}

static enum err add_fetch(struct store_query *query, struct store_reader *reader)
{
    struct business_add *add = CONTAINER_OF(query, struct business_add, query);

    return store_businesses(reader, check_business, add);
}

static enum err add_apply(struct store_job *job, struct store_tx *tx)
{
    struct business_add *add = CONTAINER_OF(job, struct business_add, job);

    add->msg.text[0] = '\0';
    return store_business_put(tx, &add->business, &add->msg);
}

static enum err added_fetch(struct store_query *query, struct store_reader *reader)
{
    struct business_add *add = CONTAINER_OF(query, struct business_add, query);

    return read_business(reader, add->business.id, &add->text);
}

static void added_done(struct store_query *query, enum err err)
{
    struct business_add *add = CONTAINER_OF(query, struct business_add, query);
    struct control_call *call = add->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, NULL);
    } else {
        control_reply(call, buf_str(&add->text));
    }
}

static void add_done(struct store_job *job, enum err err)
{
    struct business_add *add = CONTAINER_OF(job, struct business_add, job);
    struct control_call *call = add->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, add->msg.text[0] != '\0' ? "%s" : NULL, add->msg.text);
        return;
    }
    add->query.fetch = added_fetch;
    add->query.done = added_done;
    control_hold(call);
    store_ask(control_config(call)->store, &add->query);
}

static void add_checked(struct store_query *query, enum err err)
{
    struct business_add *add = CONTAINER_OF(query, struct business_add, query);
    struct control_call *call = add->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        control_fail(call, err, NULL);
    } else if (add->exists) {
        control_fail(call, ERR_EXISTS, "business %lld exists already", (long long)add->business.id);
    } else if (!store_submit(control_config(call)->store, &add->job)) {
        control_fail(call, store_refusal(control_config(call)->store), NULL);
    } else {
        control_hold(call);
    }
}

static void read_phones(struct business_add *add, json_t *list)
{
    json_t *phone;
    size_t i;

    add->phones = xcalloc(json_array_size(list), sizeof(*add->phones));
    json_array_foreach(list, i, phone)
    {
        add->phones[i] = json_str(phone);
    }
    add->business.phone_number_ids = add->phones;
    add->business.phone_number_count = json_array_size(list);
}

void control_business_add(struct control_call *call)
{
    struct business_add *add = xnew(struct business_add);
    struct str name = control_arg_str(call, "name");

    add->query.fetch = add_fetch;
    add->query.done = add_checked;
    add->job.apply = add_apply;
    add->job.done = add_done;
    add->call = call;
    add->business.id = control_arg_int(call, "business");
    add->business.name = name.data != NULL ? name : STR("");
    add->business.source = STORE_SOURCE_CONTROL;
    read_phones(add, control_arg(call, "phoneNumberId"));
    call->state = add;
    call->release = business_add_free;
    control_hold(call);
    store_ask(control_config(call)->store, &add->query);
}
