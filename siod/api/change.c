/* POST /api/chats/{id}/assign, close, reopen and read: the same changes that sioctl and sockets
 * make, answered after the commit. Whose chat it is is asked first. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "libshared/alloc.h"
#include "libshared/json_text.h"
#include "siod/api/call.h"
#include "siod/chat/access.h"
#include "siod/chat/chat_change.h"
#include "siod/chat/read.h"

struct change {
    enum chat_verb verb;
    int64_t agent_id, message_id;
    bool force;
    void (*go)(struct api_call *call, const struct change *change);
};

static void fail_access(struct api_call *call, enum err err)
{
    api_fail(call, err, err == ERR_NOT_FOUND ? "no such chat" : NULL);
}

/* Done at once or by a reader, and the request may be gone then. */
static void checked(void *arg, enum err err)
{
    struct api_call *call = arg;
    const struct change *change = call->state;

    if (!api_unhold(call)) {
        return;
    }
    if (err != OK) {
        fail_access(call, err);
    } else {
        change->go(call, change);
    }
}

/* Takes the change. */
static void start(struct api_call *call, struct change *change)
{
    call->state = change;
    call->release = free;
    api_hold(call);
    access_chat(call->config->desk, call->claims.business_id, call->id, checked, call);
}

/* ---- state and agent */

static void fail_change(struct api_call *call, const struct change *change, enum err err)
{
    static const char *const conflicts[] = {
        [CHAT_ASSIGN] = "the chat does not wait, or the agent is full",
        [CHAT_UNASSIGN] = "nobody has the chat",
        [CHAT_CLOSE] = "the chat is closed already",
        [CHAT_REOPEN] = "the chat is not closed",
    };

    if (err == ERR_CONFLICT && change->verb == CHAT_ASSIGN && change->force) {
        api_fail(call, err, "the chat is with this agent already");
    } else if (err == ERR_CONFLICT) {
        api_fail(call, err, "%s", conflicts[change->verb]);
    } else if (err == ERR_NOT_FOUND && change->verb == CHAT_ASSIGN) {
        api_fail(call, err, "agentId: no such agent");
    } else {
        fail_access(call, err);
    }
}

static void changed(void *arg, enum err err, const struct store_chat *chat)
{
    struct api_call *call = arg;
    autobuf struct buf text = BUF_INIT;

    if (!api_unhold(call)) {
        return;
    }
    if (err != OK) {
        fail_change(call, call->state, err);
        return;
    }
    buf_printf(&text, "{\"chatId\":%" PRId64 ",\"businessId\":%" PRId64 ",\"state\":\"%s\"",
               chat->id, chat->business_id, store_chat_state_name(chat->state));
    if (chat->agent_id > 0) {
        buf_printf(&text, ",\"agentId\":%" PRId64 "}", chat->agent_id);
    } else {
        buf_add_cstr(&text, ",\"agentId\":null}");
    }
    api_reply(call, buf_str(&text));
}

static void go_change(struct api_call *call, const struct change *change)
{
    char who[32];
    struct chat_change wanted = { .verb = change->verb,
                                  .chat_id = call->id,
                                  .business_id = call->claims.business_id,
                                  .agent_id = change->agent_id,
                                  .force = change->force };

    snprintf(who, sizeof who, "user %" PRId64, call->claims.user_id);
    wanted.who = str_of(who);
    api_hold(call);
    chat_change(call->config->desk, &wanted, changed, call);
}

static struct change *change_new(enum chat_verb verb)
{
    struct change *change = xnew(struct change);

    change->verb = verb;
    change->go = go_change;
    return change;
}

void api_chat_assign(struct api_call *call)
{
    static const struct json_field fields[] = {
        { "agentId", JSON_FIELD_ID, offsetof(struct change, agent_id), true, 0, NULL },
        { "force", JSON_FIELD_BOOL, offsetof(struct change, force), false, 0, NULL },
        JSON_FIELDS_END,
    };
    autofree struct change *change = change_new(CHAT_ASSIGN);
    struct errmsg msg;
    enum err err = json_bind(call->body, fields, NULL, change, &msg);

    if (err != OK) {
        api_fail(call, err, "%s", msg.text);
    } else {
        start(call, TAKE(change));
    }
}

void api_chat_close(struct api_call *call)
{
    start(call, change_new(CHAT_CLOSE));
}

void api_chat_reopen(struct api_call *call)
{
    start(call, change_new(CHAT_REOPEN));
}

/* ---- read cursor */

static void was_read(void *arg, enum err err, bool moved)
{
    struct api_call *call = arg;
    const struct change *change = call->state;
    autobuf struct buf text = BUF_INIT;

    if (!api_unhold(call)) {
        return;
    }
    if (err != OK) {
        api_fail(call, err,
                 err == ERR_NOT_FOUND ? "messageId: no such message in this chat" : NULL);
        return;
    }
    buf_printf(&text, "{\"chatId\":%" PRId64 ",\"messageId\":%" PRId64 ",\"moved\":%s}", call->id,
               change->message_id, moved ? "true" : "false");
    api_reply(call, buf_str(&text));
}

static void go_read(struct api_call *call, const struct change *change)
{
    const struct chat_read read = {
        .business_id = call->claims.business_id,
        .user_id = call->claims.user_id,
        .chat_id = call->id,
        .message_id = change->message_id,
        .origin = STR_INIT(""),
    };

    api_hold(call);
    chat_read(call->config->desk, &read, was_read, call);
}

void api_chat_read(struct api_call *call)
{
    static const struct json_field fields[] = {
        { "messageId", JSON_FIELD_ID, offsetof(struct change, message_id), true, 0, NULL },
        JSON_FIELDS_END,
    };
    autofree struct change *change = xnew(struct change);
    struct errmsg msg;
    enum err err = json_bind(call->body, fields, NULL, change, &msg);

    change->go = go_read;
    if (err != OK) {
        api_fail(call, err, "%s", msg.text);
    } else {
        start(call, TAKE(change));
    }
}
