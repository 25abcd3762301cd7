#include "siod/chat/history.h"

#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/message.h"
#include "siod/chat/show.h"

enum {
    HISTORIES_MAX = 500, /* of one socket, at once */
    ANSWER_BYTES = 4096, /* of an answer beside its messages and its chat */
    LOOK_AGAIN_MS = 10,
    /* Where a chat hears so much, or a business's queue is held for so long, better an old answer
     * than none. */
    REPEATS_MAX = 20,
    WAITS_MAX = 100,
};

/* A chat whose history somebody waits for. */
struct chat_reading {
    UT_hash_handle hh; /* desk->readings */
    int64_t chat_id, business_id;
    int64_t position; /* of the last row that was emitted about the chat meanwhile */
    unsigned readers;
};

struct history_query {
    struct store_query query;
    struct history_query *prev, *next; /* in from->histories */
    struct desk_socket *from;          /* NULL: it has gone */
    struct chat_reading *reading;      /* likewise */
    unsigned repeats, waits;
    struct timer timer; /* the answer waits for the client */
    struct event_later later;
    struct history_wanted wanted;
    int64_t business_id, user_id; /* who asks */
    bool is_read;                 /* by the store */
    enum err err;                 /* answers */
    int64_t position;
    struct buf messages, chat; /* JSON */
};

static void free_query(struct history_query *self)
{
    buf_finish(&self->messages);
    buf_finish(&self->chat);
    free(self);
}

static struct chat_reading *reading_begin(struct desk *desk, int64_t business_id, int64_t chat_id)
{
    struct chat_reading *reading;

    HASH_FIND(hh, desk->readings, &chat_id, sizeof chat_id, reading);
    if (reading == NULL) {
        reading = xnew(struct chat_reading);
        reading->chat_id = chat_id;
        reading->business_id = business_id;
        HASH_ADD(hh, desk->readings, chat_id, sizeof chat_id, reading);
    }
    reading->readers++;
    return reading;
}

static void reading_end(struct desk *desk, struct chat_reading *reading)
{
    if (--reading->readers == 0) {
        HASH_DEL(desk->readings, reading);
        free(reading);
    }
}

void history_note(struct desk *desk, const struct store_event *row)
{
    struct chat_reading *reading, *next;
    int64_t chat_id;

    if (desk_room_chat(row->room, &chat_id)) {
        HASH_FIND(hh, desk->readings, &chat_id, sizeof chat_id, reading);
        if (reading != NULL) {
            reading->position = row->position;
        }
    } else if (str_starts_with(row->event, STR("chat_"))) { /* of any, to all of the business */
        HASH_ITER (hh, desk->readings, reading, next) {
            if (reading->business_id == row->business_id) {
                reading->position = row->position;
            }
        }
    }
}

static bool add_message(void *arg, const struct store_message *message,
                        const struct store_contact *contact)
{
    struct history_query *self = arg;

    if (self->messages.len > 0) {
        buf_add_char(&self->messages, ',');
    }
    message_render(&self->messages, message, contact);
    return true;
}

static enum err fetch(struct store_query *query, struct store_reader *reader)
{
    struct history_query *self = CONTAINER_OF(query, struct history_query, query);
    int64_t chat_id = self->wanted.chat_id;
    enum err err = store_snapshot(reader, self->business_id, &self->position);

    if (err == OK) {
        err = chat_show_id(reader, chat_id, 0, self->user_id, &self->chat);
    }
    return err != OK
               ? err
               : store_chat_messages(reader, chat_id, self->wanted.messages, add_message, self);
}

static void answer(struct history_query *self)
{
    const struct history history = { self->err, self->position, buf_str(&self->messages),
                                     buf_str(&self->chat) };
    struct event_ctx ctx;

    if (event_resume(&self->later, &ctx)) {
        self->wanted.told(&ctx, &self->wanted, &history);
    }
}

static void read_next(struct desk_socket *socket)
{
    if (socket->histories != NULL) {
        store_ask(desk_of(socket)->config.store, &socket->histories->query);
    }
}

static void look_again(struct timer *timer);

static bool client_is_ready(const struct history_query *self)
{
    struct eio_session *session = sio_socket_session(self->from->socket);

    return !eio_session_is_behind(session) &&
           eio_session_admit(session, self->messages.len + self->chat.len + ANSWER_BYTES);
}

/* What was read, is it ahead of what was emitted? */
static bool must_wait(struct history_query *self)
{
    int64_t emitted = desk_position(desk_of(self->from), self->business_id);

    return self->err == OK && emitted < self->position && self->waits++ < WAITS_MAX;
}

/* Is it behind what was emitted about the chat? */
static bool must_repeat(struct history_query *self)
{
    return self->err == OK && self->reading->position > self->position &&
           self->repeats++ < REPEATS_MAX;
}

static void repeat(struct history_query *self)
{
    self->is_read = false;
    buf_clear(&self->messages);
    buf_clear(&self->chat);
    read_next(self->from);
}

/* The first of its socket, and read. The socket may be gone when it has been answered. */
static void send_or_wait(struct history_query *self)
{
    struct desk_socket *from = self->from;

    if (!client_is_ready(self) || must_wait(self)) {
        timer_set(desk_of(from)->config.loop, &self->timer, LOOK_AGAIN_MS, look_again);
        return;
    }
    if (must_repeat(self)) {
        repeat(self);
        return;
    }
    reading_end(desk_of(from), self->reading);
    DL_DELETE(from->histories, self);
    from->histories_count--;
    read_next(from);
    answer(self);
    free_query(self);
}

static void look_again(struct timer *timer)
{
    send_or_wait(CONTAINER_OF(timer, struct history_query, timer));
}

static void fetched(struct store_query *query, enum err err)
{
    struct history_query *self = CONTAINER_OF(query, struct history_query, query);

    if (self->from == NULL) {
        free_query(self);
        return;
    }
    self->is_read = true;
    self->err = err;
    send_or_wait(self);
}

void history_ask(const struct event_ctx *ctx, const struct history_wanted *wanted)
{
    static const struct history refused = { .err = ERR_RATE_LIMITED };
    struct desk_socket *from = ctx->from;
    struct history_query *self;

    if (from->histories_count == HISTORIES_MAX) {
        wanted->told(ctx, wanted, &refused);
        return;
    }
    self = xnew(struct history_query);
    event_suspend(ctx, &self->later);
    self->query.fetch = fetch;
    self->query.done = fetched;
    self->wanted = *wanted;
    self->business_id = from->agent.business_id;
    self->user_id = from->agent.user_id;
    self->from = from;
    self->reading = reading_begin(desk_of(from), self->business_id, wanted->chat_id);
    DL_APPEND(from->histories, self);
    if (++from->histories_count == 1) {
        read_next(from);
    }
}

/* The first one is the store's until it is read. */
void history_forget(struct desk_socket *socket)
{
    struct history_query *first = socket->histories, *self, *next;

    DL_FOREACH_SAFE (socket->histories, self, next) {
        DL_DELETE(socket->histories, self);
        timer_clear(&self->timer);
        reading_end(desk_of(socket), self->reading);
        self->from = NULL;
        if (self != first || self->is_read) {
            free_query(self);
        }
    }
}
