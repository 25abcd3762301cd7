#include "siod/chat/show.h"

#include "siod/chat/access.h"
#include "siod/chat/message.h"

/* The chat's strings may be gone after the next question to the store: rendered first. */
enum err chat_show(struct store_reader *reader, const struct store_chat *chat, int64_t agent_id,
                   struct buf *out)
{
    struct store_glance glance;
    enum err err;

    chat_render(out, chat);
    err = store_chat_glance(reader, chat, agent_id, &glance);
    if (err == OK) {
        out->len--; /* reopens the object */
        glance_render(out, &glance);
        buf_add_char(out, '}');
    }
    return err;
}

enum err chat_show_id(struct store_reader *reader, int64_t chat_id, int64_t business_id,
                      int64_t agent_id, struct buf *out)
{
    struct store_chat chat;
    enum err err = store_chat_get(reader, chat_id, &chat);

    if (err == OK && business_id != 0 && !access_allows(business_id, chat.business_id)) {
        return ERR_NOT_FOUND;
    }
    return err != OK ? err : chat_show(reader, &chat, agent_id, out);
}
