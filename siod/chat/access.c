#include "siod/chat/access.h"

#include <stdlib.h>

#include "libshared/alloc.h"
#include "siod/chat/desk_state.h"

bool access_allows(int64_t business_id, int64_t owner_id)
{
    return business_id > 0 && business_id == owner_id;
}

enum access access_remembered(struct desk *desk, int64_t business_id, int64_t chat_id)
{
    int64_t owner_id = desk_chat_business(desk, chat_id);

    if (owner_id == 0) {
        return ACCESS_UNKNOWN;
    }
    return access_allows(business_id, owner_id) ? ACCESS_GRANTED : ACCESS_DENIED;
}

/* A chat that is not remembered. */
struct owner_query {
    struct store_query query;
    struct desk *desk;
    int64_t business_id, chat_id, owner_id;
    uint64_t forgets; /* desk->forgets, when it was asked */
    access_done *done;
    void *arg;
};

static enum err owner_fetch(struct store_query *query, struct store_reader *reader)
{
    struct owner_query *self = CONTAINER_OF(query, struct owner_query, query);
    struct store_chat chat;
    enum err err = store_chat_get(reader, self->chat_id, &chat);

    if (err == OK) {
        self->owner_id = chat.business_id;
    }
    return err;
}

static void owner_done(struct store_query *query, enum err err);

static void ask_store(struct owner_query *self)
{
    self->query = (struct store_query) { .fetch = owner_fetch, .done = owner_done };
    self->forgets = self->desk->forgets;
    store_ask(self->desk->config.store, &self->query);
}

/* A chat that went meanwhile may be this one: the answer is of the time before. */
static void owner_done(struct store_query *query, enum err err)
{
    struct owner_query *self = CONTAINER_OF(query, struct owner_query, query);

    if (err == OK && self->forgets != self->desk->forgets) {
        ask_store(self);
        return;
    }
    if (err == OK) {
        desk_chat_learn(self->desk, self->chat_id, self->owner_id);
        err = access_allows(self->business_id, self->owner_id) ? OK : ERR_NOT_FOUND;
    }
    self->done(self->arg, err);
    free(self);
}

static void ask_owner(struct desk *desk, int64_t business_id, int64_t chat_id, access_done *done,
                      void *arg)
{
    struct owner_query *self = xnew(struct owner_query);

    self->desk = desk;
    self->business_id = business_id;
    self->chat_id = chat_id;
    self->done = done;
    self->arg = arg;
    ask_store(self);
}

void access_chat(struct desk *desk, int64_t business_id, int64_t chat_id, access_done *done,
                 void *arg)
{
    switch (access_remembered(desk, business_id, chat_id)) {
    case ACCESS_GRANTED:
        done(arg, OK);
        return;
    case ACCESS_DENIED:
        done(arg, ERR_NOT_FOUND);
        return;
    case ACCESS_UNKNOWN:
        ask_owner(desk, business_id, chat_id, done, arg);
        return;
    }
}

void access_room(struct desk *desk, int64_t business_id, struct str room, access_done *done,
                 void *arg)
{
    int64_t id = 0;

    if (str_starts_with(room, STR("business_"))) {
        bool own = business_of_room(room, &id) && access_allows(business_id, id);

        done(arg, own ? OK : ERR_NOT_FOUND);
    } else if (!str_starts_with(room, STR("chat_"))) {
        done(arg, OK);
    } else if (desk_room_chat(room, &id)) {
        access_chat(desk, business_id, id, done, arg);
    } else {
        done(arg, ERR_NOT_FOUND);
    }
}
