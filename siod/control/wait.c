/* `wait`: answers at once whether the condition holds now; it is sioctl that waits. An agent or
 * chat that does not exist yet is waited for like any other. */
#include "libshared/alloc.h"
#include "libshared/ctl/condition.h"
#include "libshared/json.h"
#include "siod/chat/assign.h"
#include "siod/control/agent.h"
#include "siod/control/call.h"
#include "siod/webhook/receive.h"

struct wait {
    struct control_lookup lookup;
    struct store_query query;
    struct control_call *call;
    struct ctl_condition condition;
    enum store_chat_state chat_state;
};

static void wait_free(void *state)
{
    struct wait *wait = state;

    control_lookup_finish(&wait->lookup);
    free(wait);
}

static void answer(struct control_call *call, bool met, struct str why)
{
    autobuf struct buf text = BUF_INIT;

    buf_add_cstr(&text, "{\"condition\":");
    json_add_string(&text, control_arg_str(call, "condition"));
    buf_add_cstr(&text, met ? ",\"met\":true,\"why\":" : ",\"met\":false,\"why\":");
    json_add_str_or_null(&text, met ? STR_NONE : why);
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
}

static void answer_ready(struct control_call *call)
{
    const struct control_config *config = control_config(call);
    const char *why = "";
    bool met = config->ready(config->arg, &why);

    answer(call, met, str_of(why));
}

/* Has everything that came had its consequences? What is answered is stored, but a chat is given
 * away, or announced, a moment later. */
static void answer_settled(struct control_call *call)
{
    const struct control_config *config = control_config(call);
    size_t webhooks = webhook_in_flight(config->webhook);
    bool met = webhooks == 0 && desk_is_settled(config->desk);

    answer(call, met,
           webhooks > 0 ? STR("webhooks are under way") : STR("chats are being assigned"));
}

/* ---- agents */

static bool agent_is(const struct store_agent *agent, struct str state)
{
    return str_eq(state, str_of(agent->online ? "online" : "offline")) ||
           str_eq(state, str_of(store_agent_status_name(agent->status)));
}

static void agent_found(struct control_call *call, struct control_lookup *lookup, enum err err)
{
    const struct wait *wait = CONTAINER_OF(lookup, struct wait, lookup);
    const struct store_agent *agent = &lookup->agent;
    autobuf struct buf why = BUF_INIT;

    if (err == ERR_NOT_FOUND) {
        buf_printf(&why, "there is no agent %lld", (long long)lookup->user_id);
        answer(call, false, buf_str(&why));
    } else if (err != OK) {
        control_lookup_fail(call, lookup, err);
    } else {
        buf_printf(&why, "agent %lld is %s and %s", (long long)agent->user_id,
                   store_agent_status_name(agent->status), agent->online ? "online" : "offline");
        answer(call, agent_is(agent, wait->condition.state), buf_str(&why));
    }
}

/* ---- chats */

static enum err chat_fetch(struct store_query *query, struct store_reader *reader)
{
    struct wait *wait = CONTAINER_OF(query, struct wait, query);
    struct store_chat chat;
    enum err err = store_chat_get(reader, wait->condition.id, &chat);

    if (err == OK && wait->lookup.business_id != 0 &&
        chat.business_id != wait->lookup.business_id) {
        return ERR_NOT_FOUND;
    }
    if (err == OK) {
        wait->chat_state = chat.state;
    }
    return err;
}

static void chat_done(struct store_query *query, enum err err)
{
    struct wait *wait = CONTAINER_OF(query, struct wait, query);
    struct control_call *call = wait->call;
    const char *state = store_chat_state_name(wait->chat_state);
    autobuf struct buf why = BUF_INIT;

    if (!control_unhold(call)) {
        return;
    }
    if (err == ERR_NOT_FOUND) {
        buf_printf(&why, "there is no chat %lld", (long long)wait->condition.id);
        answer(call, false, buf_str(&why));
    } else if (err != OK) {
        control_fail(call, err, NULL);
    } else {
        buf_printf(&why, "chat %lld is %s", (long long)wait->condition.id, state);
        answer(call, str_eq(wait->condition.state, str_of(state)), buf_str(&why));
    }
}

void control_wait(struct control_call *call)
{
    struct ctl_condition condition;
    struct wait *wait;

    if (!ctl_condition_parse(control_arg_str(call, "condition"), &condition) ||
        condition.subject == CTL_SUBJECT_READY) {
        answer_ready(call);
        return;
    }
    if (condition.subject == CTL_SUBJECT_SETTLED) {
        answer_settled(call);
        return;
    }
    wait = xnew(struct wait);
    wait->call = call;
    wait->condition = condition;
    call->state = wait;
    call->release = wait_free;
    wait->lookup.business_id = control_arg_int(call, "business");
    if (condition.subject == CTL_SUBJECT_AGENT) {
        wait->lookup.user_id = condition.id;
        wait->lookup.done = agent_found;
        control_lookup_start(call, &wait->lookup);
        return;
    }
    wait->query.fetch = chat_fetch;
    wait->query.done = chat_done;
    control_hold(call);
    store_ask(control_config(call)->store, &wait->query);
}
