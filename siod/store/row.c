#include "siod/store/row.h"

#include "libshared/base.h"
#include "siod/store/read.h"

static const char *const chat_states[] = {
    [STORE_CHAT_WAITING] = "waiting",
    [STORE_CHAT_ASSIGNED] = "assigned",
    [STORE_CHAT_CLOSED] = "closed",
};
static const char *const agent_statuses[] = {
    [STORE_AGENT_AVAILABLE] = "available",
    [STORE_AGENT_BUSY] = "busy",
    [STORE_AGENT_AWAY] = "away",
};
static const char *const directions[] = {
    [STORE_INBOUND] = "inbound",
    [STORE_OUTBOUND] = "outbound",
};
static const char *const statuses[] = {
    [STORE_STATUS_RECEIVED] = "received",   [STORE_STATUS_QUEUED] = "queued",
    [STORE_STATUS_ACCEPTED] = "accepted",   [STORE_STATUS_SENT] = "sent",
    [STORE_STATUS_DELIVERED] = "delivered", [STORE_STATUS_READ] = "read",
    [STORE_STATUS_PLAYED] = "played",       [STORE_STATUS_FAILED] = "failed",
};
static const char *const webhook_states[] = {
    [STORE_WEBHOOK_DONE] = "done",
    [STORE_WEBHOOK_QUARANTINED] = "quarantined",
    [STORE_WEBHOOK_DROPPED] = "dropped",
};

static bool name_parse(const char *const *names, size_t count, struct str name, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++) {
        if (str_eq(name, str_of(names[i]))) {
            *ret = i;
            return true;
        }
    }
    return false;
}

const char *store_chat_state_name(enum store_chat_state state)
{
    return chat_states[state];
}

bool store_chat_state_parse(struct str name, enum store_chat_state *ret_state)
{
    unsigned i;

    if (!name_parse(chat_states, ARRAY_SIZE(chat_states), name, &i)) {
        return false;
    }
    *ret_state = (enum store_chat_state)i;
    return true;
}

const char *store_agent_status_name(enum store_agent_status status)
{
    return agent_statuses[status];
}

bool store_agent_status_parse(struct str name, enum store_agent_status *ret_status)
{
    unsigned i;

    if (!name_parse(agent_statuses, ARRAY_SIZE(agent_statuses), name, &i)) {
        return false;
    }
    *ret_status = (enum store_agent_status)i;
    return true;
}

const char *store_direction_name(enum store_direction direction)
{
    return directions[direction];
}

const char *store_status_name(enum store_status status)
{
    return statuses[status];
}

bool store_status_parse(struct str name, enum store_status *ret_status)
{
    unsigned i;

    if (!name_parse(statuses, ARRAY_SIZE(statuses), name, &i)) {
        return false;
    }
    *ret_status = (enum store_status)i;
    return true;
}

const char *store_call_state_name(enum store_call_state state)
{
    static const char *const names[] = {
        [STORE_CALL_RINGING] = "ringing",   [STORE_CALL_ACCEPTED] = "accepted",
        [STORE_CALL_REJECTED] = "rejected", [STORE_CALL_COMPLETED] = "completed",
        [STORE_CALL_FAILED] = "failed",
    };

    return names[state];
}

const char *store_alias_name(enum store_alias kind)
{
    static const char *const names[] = {
        [STORE_ALIAS_WA_ID] = "wa_id",
        [STORE_ALIAS_BSUID] = "user_id",
        [STORE_ALIAS_PARENT_BSUID] = "parent_user_id",
        [STORE_ALIAS_USERNAME] = "username",
    };

    return names[kind];
}

const char *store_webhook_state_name(enum store_webhook_state state)
{
    return webhook_states[state];
}

bool store_webhook_state_parse(struct str name, enum store_webhook_state *ret_state)
{
    unsigned i;

    if (!name_parse(webhook_states, ARRAY_SIZE(webhook_states), name, &i)) {
        return false;
    }
    *ret_state = (enum store_webhook_state)i;
    return true;
}
