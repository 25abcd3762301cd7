/* The payloads of client events, bound from their JSON arguments: `args` is what follows the
 * event's name, as in struct sio_event. ERR_INVALID names the argument that is wrong. Ids are
 * integers or digits in a string. */
#pragma once

#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/chat/order.h"
#include "siod/store/store.h"

/* chatId */
struct chat_ref {
    int64_t chat_id;
};
/* chatId[, {history}] */
struct chat_join {
    int64_t chat_id;
    int64_t history; /* how many messages to answer with, 0 = none */
};
enum { HISTORY_MAX = 500 };
/* {chatId} */
struct typing {
    int64_t chat_id;
};

/* {messageId, chatId} */
struct message_read {
    int64_t message_id, chat_id;
};
/* 'available' | 'busy' | 'away' */
struct agent_status {
    enum store_agent_status status;
};

#define PAYLOAD(name)                                                                              \
    NODISCARD                                                                                      \
    enum err bind_##name(struct str args, struct name *ret, struct errmsg *msg)

PAYLOAD(chat_ref);
PAYLOAD(chat_join);
PAYLOAD(typing);
PAYLOAD(message_read);
PAYLOAD(agent_status);

#undef PAYLOAD

/* The chat that it is about, and whether it is answered with what the store has of it. */
#define SUBJECT(name, chat, reads)                                                                 \
    static inline struct order_subject subject_of_##name(const struct name *payload)               \
    {                                                                                              \
        (void)payload;                                                                             \
        return (struct order_subject) { .chat_id = chat, .reads_store = reads };                   \
    }

SUBJECT(chat_ref, payload->chat_id, false)
SUBJECT(chat_join, payload->chat_id, payload->history > 0)
SUBJECT(typing, payload->chat_id, false)
SUBJECT(message_read, payload->chat_id, false)
SUBJECT(agent_status, 0, false)

#undef SUBJECT
