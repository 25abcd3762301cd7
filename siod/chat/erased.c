#include "siod/chat/erased.h"

#include "libshared/buf.h"
#include "siod/chat/assign.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/session.h"

struct erased_chat {
    int64_t business_id, chat_id;
};

void erased_chat_add(void *chats, int64_t business_id, int64_t chat_id)
{
    const struct erased_chat chat = { business_id, chat_id };

    buf_add(chats, &chat, sizeof chat);
}

static const struct erased_chat *list_of(const struct buf *chats, size_t *ret_count)
{
    *ret_count = chats->len / sizeof(struct erased_chat);
    return (const void *)chats->data;
}

enum err erased_chats_record(struct store_tx *tx, const struct buf *chats)
{
    size_t count;
    const struct erased_chat *list = list_of(chats, &count);
    enum err err = OK;

    for (size_t i = 0; err == OK && i < count; i++) {
        char room[CHAT_ROOM_SIZE];

        err = session_forget_room(tx, list[i].business_id, chat_room(list[i].chat_id, room));
    }
    return err;
}

void desk_chats_erased(struct desk *desk, const struct buf *chats)
{
    size_t count;
    const struct erased_chat *list = list_of(chats, &count);

    for (size_t i = 0; i < count; i++) {
        desk_chat_forget(desk, list[i].chat_id);
        desk_chat_served(desk, list[i].chat_id);
        desk_chat_clear(desk, list[i].business_id, list[i].chat_id, 0);
    }
}
