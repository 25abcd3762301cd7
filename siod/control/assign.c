/* `chat assign`, `unassign` and `close`: an operator's word about a chat; `chat explain`: whose
 * word it was so far, and what siod decided by itself. */
#include <inttypes.h>
#include <stdio.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/chat/chat_change.h"
#include "siod/chat/message.h"
#include "siod/control/call.h"
#include "siod/control/peer.h"
#include "siod/control/rows.h"
#include "siod/store/store.h"

enum { DECISIONS_MAX = 1000 };

static void add_id_or_null(struct buf *out, int64_t id)
{
    if (id > 0) {
        buf_add_i64(out, id);
    } else {
        buf_add_cstr(out, "null");
    }
}

/* What is in the way, in the words of the command. */
static void fail_change(struct control_call *call, enum err err)
{
    int64_t chat_id = control_arg_int(call, "chat"), agent_id = control_arg_int(call, "agent");

    if (err == ERR_NOT_FOUND) {
        control_fail(call, err,
                     agent_id > 0 ? "no chat %" PRId64 ", or no agent %" PRId64 " in its business"
                                  : "no chat %" PRId64,
                     chat_id, agent_id);
    } else if (err == ERR_CONFLICT && control_arg(call, "ifWaiting") != NULL) {
        control_fail(call, err, "chat %" PRId64 " does not wait, or agent %" PRId64 " is full",
                     chat_id, agent_id);
    } else if (err == ERR_CONFLICT) {
        control_fail(call, err,
                     agent_id > 0 ? "chat %" PRId64 " is with agent %" PRId64 " already"
                     : call->command->id == CTL_CMD_chat_close ? "chat %" PRId64
                                                                 " is closed already"
                                                               : "nobody has chat %" PRId64,
                     chat_id, agent_id);
    } else {
        control_fail(call, err, NULL);
    }
}

static void changed(void *arg, enum err err, const struct store_chat *chat)
{
    struct control_call *call = arg;
    autobuf struct buf text = BUF_INIT;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        fail_change(call, err);
        return;
    }
    buf_printf(&text, "{\"chatId\":%" PRId64 ",\"businessId\":%" PRId64 ",\"state\":", chat->id,
               chat->business_id);
    json_add_cstr(&text, store_chat_state_name(chat->state));
    buf_add_cstr(&text, ",\"agentId\":");
    add_id_or_null(&text, chat->agent_id);
    buf_add_char(&text, '}');
    control_reply(call, buf_str(&text));
}

static void change(struct control_call *call, enum chat_verb verb)
{
    char who[32];
    struct chat_change wanted = { .verb = verb,
                                  .chat_id = control_arg_int(call, "chat"),
                                  .agent_id = control_arg_int(call, "agent"),
                                  .force = control_arg(call, "ifWaiting") == NULL };

    snprintf(who, sizeof who, "uid %u", (unsigned)call->peer->uid);
    wanted.who = str_of(who);
    control_hold(call);
    chat_change(control_config(call)->desk, &wanted, changed, call);
}

void control_chat_assign(struct control_call *call)
{
    change(call, CHAT_ASSIGN);
}

void control_chat_unassign(struct control_call *call)
{
    change(call, CHAT_UNASSIGN);
}

void control_chat_close(struct control_call *call)
{
    change(call, CHAT_CLOSE);
}

/* ---- explain */

struct explanation {
    struct control_rows rows;
    struct store_query query;
    struct control_call *call;
};

static void explanation_free(void *state)
{
    struct explanation *explanation = state;

    control_rows_finish(&explanation->rows);
    free(explanation);
}

static bool add_decision(void *arg, const struct store_decision *decision)
{
    struct explanation *explanation = arg;
    struct buf *out = &explanation->rows.text;

    buf_add_cstr(out, "{\"timestamp\":");
    time_render(out, decision->at_ms);
    buf_add_cstr(out, ",\"outcome\":");
    json_add_string(out, decision->outcome);
    buf_add_cstr(out, ",\"agentId\":");
    add_id_or_null(out, decision->agent_id);
    buf_add_cstr(out, ",\"policy\":");
    json_add_string(out, decision->policy);
    buf_add_cstr(out, ",\"who\":");
    json_add_str_or_null(out, decision->who.len > 0 ? decision->who : STR_NONE);
    buf_add_cstr(out, ",\"considered\":");
    buf_add_str(out, decision->considered.len > 0 ? decision->considered : STR("{}"));
    buf_add_char(out, '}');
    control_rows_end_row(&explanation->rows);
    return true;
}

static enum err explain_fetch(struct store_query *query, struct store_reader *reader)
{
    struct explanation *explanation = CONTAINER_OF(query, struct explanation, query);
    int64_t chat_id = control_arg_int(explanation->call, "chat");
    struct store_chat chat;
    enum err err = store_chat_get(reader, chat_id, &chat);

    return err == OK ? store_decisions(reader, chat_id, DECISIONS_MAX, add_decision, explanation)
                     : err;
}

static void explain_done(struct store_query *query, enum err err)
{
    struct control_call *call = CONTAINER_OF(query, struct explanation, query)->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err != OK) {
        fail_change(call, err);
    } else {
        control_rows_send(call);
    }
}

void control_chat_explain(struct control_call *call)
{
    struct explanation *explanation = xnew(struct explanation);

    explanation->query.fetch = explain_fetch;
    explanation->query.done = explain_done;
    explanation->call = call;
    call->state = explanation;
    call->release = explanation_free;
    control_hold(call);
    store_ask(control_config(call)->store, &explanation->query);
}
