/* `contact export` and `contact erase`. */
#include <inttypes.h>
#include <stdio.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/chat/chat_change.h"
#include "siod/chat/erased.h"
#include "siod/control/call.h"
#include "siod/control/contact.h"
#include "siod/control/peer.h"
#include "siod/control/rows.h"
#include "siod/store/store.h"

/* ---- export */

static void add_record(void *arg, struct str record)
{
    struct control_list *list = arg;

    buf_add_str(&list->rows.text, record);
    control_rows_end_row(&list->rows);
}

static enum err export_read(struct control_list *list, struct store_reader *reader)
{
    int64_t contact_id;
    enum err err = control_contact_find(list->call, reader, NULL, NULL, &contact_id);

    return err == OK ? store_contact_export(reader, contact_id, add_record, list) : err;
}

void control_contact_export(struct control_call *call)
{
    control_list_care(call, export_read, control_contact_fail);
}

/* ---- erase: the first slice takes its names away, so that nobody opens its chats any more; these
 * are closed then, so that nobody has them; then slice after slice */

struct erase {
    struct store_query query;
    struct store_job job;
    struct control_call *call;
    struct store_erase erase, before; /* as it is, and as it was before this slice */
    bool closed;                      /* its chats are, or are being closed */
    struct buf open;                  /* int64_t: chats to be closed */
    struct buf erased;                /* chats: chat/erased.h */
    char who[32];
};

static void erase_free(void *state)
{
    struct erase *self = state;

    buf_finish(&self->open);
    buf_finish(&self->erased);
    free(self);
}

static void fail(struct erase *self, enum err err)
{
    if (control_unhold(self->call)) {
        control_fail(self->call, err,
                     err == ERR_NOT_FOUND ? "no contact %" PRId64
                                          : "not all of contact %" PRId64
                                            " was erased: do it again",
                     self->erase.contact_id);
    }
}

static void next_slice(struct erase *self)
{
    self->before = self->erase;
    if (!store_submit(control_config(self->call)->store, &self->job) &&
        control_unhold(self->call)) {
        control_fail(self->call, ERR_BUSY, NULL);
    }
}

static enum err erase_apply(struct store_job *job, struct store_tx *tx)
{
    struct erase *self = CONTAINER_OF(job, struct erase, job);
    enum err err;

    self->erase = self->before; /* a job may be run again */
    buf_clear(&self->erased);
    err = store_contact_erase(tx, &self->erase);
    return err == OK ? erased_chats_record(tx, &self->erased) : err;
}

static void reply(struct erase *self)
{
    const struct store_erase *erase = &self->erase;
    autobuf struct buf text = BUF_INIT;

    buf_printf(&text,
               "{\"contactId\":%" PRId64 ",\"messages\":%" PRIu64 ",\"chats\":%" PRIu64
               ",\"webhooks\":%" PRIu64 ",\"events\":%" PRIu64 "}",
               erase->contact_id, erase->messages, erase->chats, erase->webhooks, erase->log);
    control_reply(self->call, buf_str(&text));
}

static void close_next(struct erase *self);

static void was_closed(void *arg, enum err err, const struct store_chat *chat)
{
    (void)err; /* closed by somebody else, or open again: it is erased all the same */
    (void)chat;
    close_next(arg);
}

static void close_next(struct erase *self)
{
    struct chat_change change = { .verb = CHAT_CLOSE, .who = str_of(self->who) };

    if (self->open.len == 0) {
        next_slice(self);
        return;
    }
    self->open.len -= sizeof change.chat_id;
    memcpy(&change.chat_id, self->open.data + self->open.len, sizeof change.chat_id);
    chat_change(control_config(self->call)->desk, &change, was_closed, self);
}

static void add_chat(void *arg, int64_t chat_id, bool open)
{
    struct erase *self = arg;

    if (open) {
        buf_add(&self->open, &chat_id, sizeof chat_id);
    }
}

static enum err chats_fetch(struct store_query *query, struct store_reader *reader)
{
    struct erase *self = CONTAINER_OF(query, struct erase, query);

    return store_contact_own_chats(reader, self->erase.contact_id, add_chat, self);
}

static void chats_done(struct store_query *query, enum err err)
{
    struct erase *self = CONTAINER_OF(query, struct erase, query);

    if (err == OK) {
        close_next(self);
    } else {
        fail(self, err);
    }
}

static void close_chats(struct erase *self)
{
    self->closed = true;
    self->query.fetch = chats_fetch;
    self->query.done = chats_done;
    store_ask(control_config(self->call)->store, &self->query);
}

/* To the end, whoever still waits for it. */
static void erase_done(struct store_job *job, enum err err)
{
    struct erase *self = CONTAINER_OF(job, struct erase, job);

    if (err != OK) {
        fail(self, err);
        return;
    }
    desk_chats_erased(control_config(self->call)->desk, &self->erased);
    if (!self->closed) {
        close_chats(self);
    } else if (!self->erase.done) {
        next_slice(self);
    } else if (control_unhold(self->call)) {
        reply(self);
    }
}

static enum err contact_fetch(struct store_query *query, struct store_reader *reader)
{
    struct erase *self = CONTAINER_OF(query, struct erase, query);

    return control_contact_find_to_erase(self->call, reader, &self->erase.contact_id);
}

static void contact_done(struct store_query *query, enum err err)
{
    struct erase *self = CONTAINER_OF(query, struct erase, query);

    if (err == OK) {
        next_slice(self);
    } else if (control_unhold(self->call)) {
        control_contact_fail(self->call, err);
    }
}

void control_contact_erase(struct control_call *call)
{
    struct erase *self = xnew(struct erase);

    self->query.fetch = contact_fetch;
    self->query.done = contact_done;
    self->job.apply = erase_apply;
    self->job.done = erase_done;
    self->erase.on_chat = erased_chat_add;
    self->erase.arg = &self->erased;
    self->call = call;
    snprintf(self->who, sizeof self->who, "uid %u", (unsigned)call->peer->uid);
    call->state = self;
    call->release = erase_free;
    control_hold(call);
    store_ask(control_config(call)->store, &self->query);
}
