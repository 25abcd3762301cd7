#include "siod/chat/payloads.h"

#include "libshared/json_text.h"

static struct str take(struct str *args)
{
    struct str value = STR_NONE;

    (void)json_text_take(args, &value);
    return value;
}

/* The first argument as an object, bound by its table. */
static enum err bind_object(struct str args, const struct json_field *fields, void *ret,
                            struct errmsg *msg)
{
    struct str object = take(&args);

    if (!json_text_is_object(object)) {
        return err_set(msg, ERR_INVALID, "the payload must be an object");
    }
    return json_bind(object, fields, NULL, ret, msg);
}

static enum err bind_chat_id(struct str value, int64_t *ret_chat_id, struct errmsg *msg)
{
    if (!json_text_id(value, ret_chat_id)) {
        return err_set(msg, ERR_INVALID, "chatId: a positive integer is needed");
    }
    return OK;
}

enum err bind_chat_ref(struct str args, struct chat_ref *ret, struct errmsg *msg)
{
    return bind_chat_id(take(&args), &ret->chat_id, msg);
}

static enum err bind_history(struct str options, int64_t *ret_history, struct errmsg *msg)
{
    static const struct json_field fields[] = {
        { "history", JSON_FIELD_ANY, 0, false, 0, NULL },
        JSON_FIELDS_END,
    };
    struct str history = STR_NONE;
    enum err err = json_bind(options, fields, NULL, &history, msg);

    if (err == OK && history.data != NULL &&
        (!json_text_int(history, ret_history) || *ret_history < 0 || *ret_history > HISTORY_MAX)) {
        err = err_set(msg, ERR_INVALID, "history: an integer from 0 to %d is needed", HISTORY_MAX);
    }
    return err;
}

enum err bind_chat_join(struct str args, struct chat_join *ret, struct errmsg *msg)
{
    struct str chat_id = take(&args), options = take(&args);
    enum err err = OK;

    ret->history = 0;
    if (json_text_is_object(options)) {
        err = bind_history(options, &ret->history, msg);
    } else if (options.data != NULL && !json_text_is_null(options)) {
        err = err_set(msg, ERR_INVALID, "options: an object is needed");
    }
    return err == OK ? bind_chat_id(chat_id, &ret->chat_id, msg) : err;
}

enum err bind_typing(struct str args, struct typing *ret, struct errmsg *msg)
{
    static const struct json_field fields[] = {
        { "chatId", JSON_FIELD_ID, offsetof(struct typing, chat_id), true, 0, NULL },
        JSON_FIELDS_END,
    };

    return bind_object(args, fields, ret, msg);
}

enum err bind_message_read(struct str args, struct message_read *ret, struct errmsg *msg)
{
    static const struct json_field fields[] = {
        { "messageId", JSON_FIELD_ID, offsetof(struct message_read, message_id), true, 0, NULL },
        { "chatId", JSON_FIELD_ID, offsetof(struct message_read, chat_id), true, 0, NULL },
        JSON_FIELDS_END,
    };

    return bind_object(args, fields, ret, msg);
}

enum err bind_agent_status(struct str args, struct agent_status *ret, struct errmsg *msg)
{
    autobuf struct buf decoded = BUF_INIT;
    struct str word;

    if (!json_text_string(take(&args), &decoded, &word) ||
        !store_agent_status_parse(word, &ret->status)) {
        return err_set(msg, ERR_INVALID, "status: 'available', 'busy' or 'away' is needed");
    }
    return OK;
}
