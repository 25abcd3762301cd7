#include "siod/chat/payloads.h"

/* The first argument as an object, bound by its table. */
static enum err bind_object(const json_t *args, const struct json_field *fields, void *ret,
                            struct errmsg *msg)
{
    json_t *object = json_array_get(args, 0);

    if (!json_is_object(object)) {
        return err_set(msg, ERR_INVALID, "the payload must be an object");
    }
    return json_bind(object, fields, ret, msg);
}

static enum err bind_chat_id(const json_t *args, int64_t *ret_chat_id, struct errmsg *msg)
{
    if (!json_id(json_array_get(args, 0), ret_chat_id)) {
        return err_set(msg, ERR_INVALID, "chatId: a positive integer is needed");
    }
    return OK;
}

enum err bind_chat_ref(const json_t *args, struct chat_ref *ret, struct errmsg *msg)
{
    return bind_chat_id(args, &ret->chat_id, msg);
}

enum err bind_chat_join(const json_t *args, struct chat_join *ret, struct errmsg *msg)
{
    const json_t *options = json_array_get(args, 1);
    const json_t *history = json_object_get(options, "history");

    ret->history = 0;
    if (options != NULL && !json_is_object(options) && !json_is_null(options)) {
        return err_set(msg, ERR_INVALID, "options: an object is needed");
    }
    if (history != NULL) {
        ret->history = json_integer_value(history);
        if (!json_is_integer(history) || ret->history < 0 || ret->history > HISTORY_MAX) {
            return err_set(msg, ERR_INVALID, "history: an integer from 0 to %d is needed",
                           HISTORY_MAX);
        }
    }
    return bind_chat_id(args, &ret->chat_id, msg);
}

enum err bind_typing(const json_t *args, struct typing *ret, struct errmsg *msg)
{
    static const struct json_field fields[] = {
        { "chatId", JSON_FIELD_ID, offsetof(struct typing, chat_id), true, 0, NULL },
        JSON_FIELDS_END,
    };

    return bind_object(args, fields, ret, msg);
}

enum err bind_message_read(const json_t *args, struct message_read *ret, struct errmsg *msg)
{
    static const struct json_field fields[] = {
        { "messageId", JSON_FIELD_ID, offsetof(struct message_read, message_id), true, 0, NULL },
        { "chatId", JSON_FIELD_ID, offsetof(struct message_read, chat_id), true, 0, NULL },
        JSON_FIELDS_END,
    };

    return bind_object(args, fields, ret, msg);
}

enum err bind_agent_status(const json_t *args, struct agent_status *ret, struct errmsg *msg)
{
    if (!store_agent_status_parse(json_str(json_array_get(args, 0)), &ret->status)) {
        return err_set(msg, ERR_INVALID, "status: 'available', 'busy' or 'away' is needed");
    }
    return OK;
}
