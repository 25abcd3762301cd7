#include "siod/chat/change.h"

#include <string.h>

#include "libshared/json.h"
#include "siod/chat/content.h"
#include "siod/chat/customer.h"
#include "siod/chat/events.h"
#include "siod/chat/message.h"

static const char *kind_name(enum store_change_kind kind)
{
    switch (kind) {
    case STORE_CHANGE_EDIT:
        return "edit";
    case STORE_CHANGE_REVOKE:
        return "revoke";
    case STORE_CHANGE_REACTION:
        return "reaction";
    }
    return NULL;
}

/* ---- each kind on the message's row */

/* Empty for what is no object: there is nothing then that an edit could leave as it was. */
static json_t *read_object(struct str text)
{
    static const struct json_limits limits = { .depth = JSON_DEPTH_MAX };
    json_t *object = text.len > 0 ? json_read(text, &limits, NULL) : NULL;

    if (json_is_object(object)) {
        return object;
    }
    json_decref(object);
    return json_object();
}

static struct str mark(struct inbound_work *work, bool revoked, int64_t wa_timestamp_s)
{
    buf_clear(&work->mark);
    mark_render(&work->mark, revoked, wa_timestamp_s * 1000);
    return buf_str(&work->mark);
}

static enum err store_edited(struct inbound_work *work, int64_t message_id, json_t *element,
                             int64_t wa_timestamp_s)
{
    struct store_message row = { .id = message_id };

    row.type = content_type(element);
    row.text = content_text(row.type, element, &work->shown);
    buf_clear(&work->content);
    content_render(&work->content, row.type, element, json_object_get(element, "errors"));
    row.content = work->content.len > 0 ? buf_str(&work->content) : STR_NONE;
    buf_clear(&work->raw);
    json_add_tree_within(&work->raw, element, CONTENT_DEPTH_MAX);
    row.raw = buf_str(&work->raw);
    return store_message_edit(work->tx, &row, mark(work, false, wa_timestamp_s));
}

/* As changes name it. */
static int64_t author_of(const struct store_message_state *message)
{
    return message->direction == STORE_OUTBOUND ? 0 : message->contact_id;
}

static bool is_by_author(const struct store_change *change,
                         const struct store_message_state *target)
{
    return change->contact_id == STORE_AUTHOR_UNKNOWN || change->contact_id == author_of(target);
}

static enum err edit(struct inbound_work *work, const struct store_message_state *target,
                     const struct store_change *change, bool *ret_changed)
{
    autojson json_t *edited = read_object(change->body), *element = NULL;
    struct str last, original;
    enum err err = store_change_last_edit(work->tx, change->phone_number_id, change->target,
                                          author_of(target), &last);

    if (err != OK || !str_eq(last, change->wamid)) {
        return err;
    }
    err = store_message_original(work->tx, target->id, &original);
    if (err != OK) {
        return err;
    }
    element = read_object(original);
    content_edit(element, edited);
    *ret_changed = true;
    return store_edited(work, target->id, element, change->wa_timestamp_s);
}

/* What is left is the type that it was sent as: in whatever order edits come, it is the same. */
static enum err revoke(struct inbound_work *work, struct store_message_state *target,
                       const struct store_change *change, bool *ret_changed)
{
    autojson json_t *element = NULL;
    struct str original;
    enum err err = store_message_original(work->tx, target->id, &original);

    if (err != OK) {
        return err;
    }
    element = read_object(original);
    target->revoked_at_s = change->wa_timestamp_s;
    *ret_changed = true;
    return store_message_revoke(work->tx, target->id, content_type(element), change->wa_timestamp_s,
                                mark(work, true, change->wa_timestamp_s));
}

/* The reaction as clients see it, in work->shown. */
static enum err show_reaction(struct inbound_work *work, const struct store_change *change)
{
    struct store_contact contact = { .name = STR_NONE };
    struct buf *out = &work->shown;
    enum err err = OK;

    if (change->contact_id != 0) {
        err = store_contact_get(work->tx, change->contact_id, &contact);
    }
    if (err != OK && err != ERR_NOT_FOUND) {
        return err;
    }
    buf_clear(out);
    buf_add_cstr(out, "{\"emoji\":");
    json_add_str_or_null(out, change->body.len > 0 ? change->body : STR_NONE);
    buf_add_cstr(out, change->contact_id != 0 ? ",\"direction\":\"inbound\",\"contactId\":"
                                              : ",\"direction\":\"outbound\",\"contactId\":null");
    if (change->contact_id != 0) {
        buf_add_i64(out, change->contact_id);
    }
    buf_add_cstr(out, ",\"name\":");
    json_add_str_or_null(out, contact.name.len > 0 ? contact.name : STR_NONE);
    buf_add_cstr(out, ",\"timestamp\":");
    time_render(out, change->wa_timestamp_s * 1000);
    buf_add_char(out, '}');
    return OK;
}

static bool is_later(const struct store_change *change, const struct store_reaction *than)
{
    size_t len = MIN(change->wamid.len, than->wamid.len);
    int order;

    if (change->wa_timestamp_s != than->wa_timestamp_s) {
        return change->wa_timestamp_s > than->wa_timestamp_s;
    }
    order = memcmp(change->wamid.data, than->wamid.data, len);
    return order != 0 ? order > 0 : change->wamid.len > than->wamid.len;
}

static enum err react(struct inbound_work *work, const struct store_message_state *target,
                      const struct store_change *change, bool *ret_changed)
{
    struct store_reaction reaction = { .shown = STR_NONE };
    bool stood, stands = change->body.len > 0;
    enum err err = store_reaction_get(work->tx, target->id, change->contact_id, &reaction);

    if (err != OK && err != ERR_NOT_FOUND) {
        return err;
    }
    if (err == OK && !is_later(change, &reaction)) {
        return OK;
    }
    stood = reaction.shown.data != NULL;
    err = show_reaction(work, change);
    if (err == OK) {
        reaction = (struct store_reaction) { .message_id = target->id,
                                             .contact_id = change->contact_id,
                                             .wamid = change->wamid,
                                             .wa_timestamp_s = change->wa_timestamp_s,
                                             .shown = stands ? buf_str(&work->shown) : STR_NONE };
        err = store_reaction_set(work->tx, &reaction);
    }
    if (err == OK && (stood || stands)) {
        *ret_changed = true;
    }
    return err;
}

/* A customer's reaction keeps the window open, whatever becomes of it. It asks for no agent. */
static enum err keep_window(struct inbound_work *work, const struct store_message_state *target,
                            const struct store_change *change, bool historic)
{
    return change->kind == STORE_CHANGE_REACTION && change->contact_id != 0 && !historic
               ? store_chat_window(work->tx, target->chat_id, change->wa_timestamp_s)
               : OK;
}

/* *ret_changed is left alone where nothing changes. */
static enum err apply(struct inbound_work *work, struct store_message_state *target,
                      const struct store_change *change, bool *ret_changed)
{
    if (target->revoked_at_s != 0 ||
        (change->kind != STORE_CHANGE_REACTION && !is_by_author(change, target))) {
        return OK;
    }
    switch (change->kind) {
    case STORE_CHANGE_EDIT:
        return edit(work, target, change, ret_changed);
    case STORE_CHANGE_REVOKE:
        return revoke(work, target, change, ret_changed);
    case STORE_CHANGE_REACTION:
        return react(work, target, change, ret_changed);
    }
    return OK;
}

/* ---- the event */

/* The message as it is now, or null when this webhook has shown enough. */
static enum err add_message(struct inbound_work *work, const struct store_message_state *target,
                            const struct store_change *change)
{
    struct store_contact contact = { .id = 0 };
    struct store_message row;
    size_t before = work->args.len;
    enum err err = OK;

    if (work->told > CHANGE_TOLD_MAX) {
        buf_add_cstr(&work->args, "null");
        return OK;
    }
    if (target->contact_id != 0) {
        err = customer_load(work, target->contact_id, &contact);
    }
    if (err == OK) {
        err = store_message_by_wamid(work->tx, change->phone_number_id, change->target, &row);
    }
    if (err == OK) {
        message_render(&work->args, &row, &contact);
        work->told += work->args.len - before;
    }
    return err;
}

static enum err tell(struct inbound_work *work, const struct store_message_state *target,
                     const struct store_change *change)
{
    struct buf *args = &work->args;
    enum err err;

    buf_clear(args);
    buf_add_cstr(args, "{\"chatId\":");
    buf_add_i64(args, target->chat_id);
    buf_add_cstr(args, ",\"messageId\":");
    buf_add_i64(args, target->id);
    buf_add_cstr(args, ",\"kind\":");
    json_add_cstr(args, kind_name(change->kind));
    if (change->kind == STORE_CHANGE_REACTION) {
        buf_add_cstr(args, ",\"reaction\":");
        buf_add_str(args, buf_str(&work->shown));
    }
    buf_add_cstr(args, ",\"message\":");
    err = add_message(work, target, change);
    return err != OK ? err
                     : inbound_log_event(work, target->business_id, "chat", target->chat_id,
                                         EVENT_message_updated);
}

/* ---- one that comes */

static enum err row_of(struct inbound_work *work, const struct inbound_change *in,
                       int64_t business_id, struct store_change *row)
{
    *row = (struct store_change) { .phone_number_id = in->phone_number_id,
                                   .wamid = in->wamid,
                                   .target = in->target,
                                   .kind = in->kind,
                                   .wa_timestamp_s = in->wa_timestamp_s,
                                   .body = in->emoji };
    if (!in->own) {
        struct store_contact contact = { .business_id = business_id };
        enum err err = customer_met(work, &in->party, &contact);

        if (err != OK) {
            return err;
        }
        row->contact_id = contact.id;
    }
    if (in->kind == STORE_CHANGE_EDIT) {
        buf_clear(&work->body);
        json_add_tree_within(&work->body, in->edited, CONTENT_DEPTH_MAX);
        row->body = buf_str(&work->body);
    }
    return OK;
}

/* A number that moved from one business to another does not bring the messages of the old one. */
static enum err apply_to_message(struct inbound_work *work, int64_t business_id,
                                 const struct store_change *change, bool quietly)
{
    struct store_message_state target;
    bool changed = false;
    enum err err =
        store_message_state_by_wamid(work->tx, change->phone_number_id, change->target, &target);

    if (err == ERR_NOT_FOUND || (err == OK && target.business_id != business_id)) {
        return OK;
    }
    if (err == OK) {
        err = keep_window(work, &target, change, quietly);
    }
    if (err == OK) {
        err = apply(work, &target, change, &changed);
    }
    return err != OK || !changed || quietly ? err : tell(work, &target, change);
}

enum err change_store(struct inbound_work *work, const struct inbound_change *in, bool *ret_stored)
{
    struct store_change row;
    int64_t business_id;
    bool known = true;
    enum err err = inbound_business(work, in->phone_number_id, &business_id);

    if (err == OK) {
        err = store_message_gone(work->tx, in->phone_number_id, in->wamid, &known);
    }
    if (err == OK && !known) {
        err = store_change_known(work->tx, in->phone_number_id, in->wamid, &known);
    }
    if (err == OK && !known) {
        err = row_of(work, in, business_id, &row);
    }
    if (err == OK && !known) {
        err = store_change_record(work->tx, &row);
    }
    if (err == OK && !known) {
        err = apply_to_message(work, business_id, &row, in->historic);
    }
    if (err == OK) {
        *ret_stored = !known;
    }
    return err;
}

/* ---- those that came before their message */

/* The strings of a row over later calls to the store; number and target are the message's. */
static void keep(struct inbound_work *work, const struct store_message *message,
                 struct store_change *change)
{
    struct str wamid = change->wamid, body = change->body;

    buf_clear(&work->body);
    buf_reserve(&work->body, wamid.len + body.len);
    buf_add_str(&work->body, wamid);
    buf_add_str(&work->body, body);
    change->phone_number_id = message->phone_number_id;
    change->target = message->wamid;
    change->wamid = (struct str) { work->body.data, wamid.len };
    change->body = (struct str) { work->body.data + wamid.len, body.len };
}

static enum err apply_all(struct inbound_work *work, const struct store_message *row,
                          struct store_message_state *target, bool *ret_changed)
{
    struct store_change change;
    bool waits;
    enum err err = store_change_waits(work->tx, row->phone_number_id, row->wamid, &waits);

    if (err != OK || !waits) {
        return err;
    }
    err = store_change_next(work->tx, row->phone_number_id, row->wamid, NULL, &change);
    while (err == OK) {
        keep(work, row, &change);
        err = keep_window(work, target, &change, row->kind == STORE_MESSAGE_HISTORIC);
        if (err == OK) {
            err = apply(work, target, &change, ret_changed);
        }
        if (err == OK) {
            err = store_change_next(work->tx, row->phone_number_id, row->wamid, &change, &change);
        }
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err change_parked(struct inbound_work *work, const struct store_message *row,
                       bool *ret_changed)
{
    struct store_message_state target = { .id = row->id,
                                          .chat_id = row->chat_id,
                                          .business_id = row->business_id,
                                          .contact_id = row->contact_id,
                                          .direction = row->direction,
                                          .status = row->status };

    *ret_changed = false;
    return apply_all(work, row, &target, ret_changed);
}

enum err change_again(struct inbound_work *work, const struct store_message *row)
{
    struct store_message_state target;
    bool changed = false;
    enum err err =
        store_message_state_by_wamid(work->tx, row->phone_number_id, row->wamid, &target);

    return err != OK ? err : apply_all(work, row, &target, &changed);
}

/* ---- those of two contacts that become one */

/* Without its strings, which follow it one after the other. */
static void keep_change(void *arg, const struct store_change *change)
{
    struct buf *list = arg;

    buf_add(list, change, sizeof *change);
    buf_add_str(list, change->phone_number_id);
    buf_add_str(list, change->wamid);
    buf_add_str(list, change->target);
    buf_add_str(list, change->body);
}

static struct store_change next_kept(struct str *list)
{
    struct store_change change;

    memcpy(&change, str_take(list, sizeof change).data, sizeof change);
    change.phone_number_id = str_take(list, change.phone_number_id.len);
    change.wamid = str_take(list, change.wamid.len);
    change.target = str_take(list, change.target.len);
    change.body = str_take(list, change.body.len);
    return change;
}

enum err change_between(struct inbound_work *work, int64_t contact_id, int64_t other_id,
                        struct buf *list)
{
    return store_changes_between(work->tx, contact_id, other_id, keep_change, list);
}

enum err change_joined(struct inbound_work *work, int64_t business_id, int64_t contact_id,
                       const struct buf *list)
{
    struct str rest = buf_str(list);
    enum err err = OK;

    while (err == OK && rest.len > 0) {
        struct store_change change = next_kept(&rest);

        change.contact_id = contact_id;
        err = apply_to_message(work, business_id, &change, false);
    }
    return err;
}
