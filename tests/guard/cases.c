#include "tests/guard/cases.h"

#include <inttypes.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/token.h"
#include "siod/server_state.h"
#include "siod/store/store.h"
#include "tests/guard/seam.h"

/* ---- steps */

static void post(struct client *http, const struct buf *body)
{
    autobuf struct buf request = BUF_INIT;

    webhook_post(&request, buf_str(body));
    client_send(http, buf_str(&request));
}

static void post_text(struct guard *guard, struct client *http, unsigned customer)
{
    autobuf struct buf body = BUF_INIT;

    webhook_text(&body, customer, ++guard->number);
    post(http, &body);
}

/* Chats 1 to `count`, of customers 0 to count - 1. */
static void make_chats(struct guard *guard, unsigned count)
{
    client_open(&guard->http[0], guard->siod);
    for (unsigned i = 0; i < count; i++) {
        post_text(guard, &guard->http[0], i);
        client_await(&guard->http[0], "HTTP/1.1 200");
    }
}

static void open_agent(struct guard *guard, struct client *client, unsigned user_id)
{
    autofree char *token = rig_token(guard->siod, user_id, 0);

    agent_open(client, guard->siod, token);
}

static void join(struct client *client, unsigned chat, const char *options)
{
    autofree char *text = xasprintf("421[\"join_chat\",%u%s]", chat, options);

    agent_send(client, text);
    client_await(client, "431[{\"ok\":true");
}

static void open_member(struct guard *guard, struct client *client, unsigned user_id)
{
    open_agent(guard, client, user_id);
    join(client, 1, "");
}

static const char typing_start[] = "42[\"typing_start\",{\"chatId\":1}]";

/* ---- events */

static void prepare_event(struct guard *guard)
{
    make_chats(guard, 1);
    open_member(guard, &guard->agent, 1);
}

static void run_event(struct guard *guard, unsigned i)
{
    (void)i;
    agent_send(&guard->agent, typing_start);
    rig_round(guard->siod);
    rig_round(guard->siod);
}

/* The daemon knows who types. */
static void check_event(struct guard *guard)
{
    open_agent(guard, &guard->members[0], 2);
    agent_send(&guard->members[0], "421[\"join_chat\",1]");
    client_await(&guard->members[0], "\"typing\":[1]");
}

static void prepare_typing(struct guard *guard)
{
    prepare_event(guard);
    open_member(guard, &guard->members[0], 2);
}

static void run_typing(struct guard *guard, unsigned i)
{
    (void)i;
    agent_send(&guard->agent, typing_start);
    client_await(&guard->members[0], "\"user_typing\"");
}

/* The chats are known, because another agent is in them. */
static void prepare_join_chat(struct guard *guard)
{
    make_chats(guard, CHATS);
    open_agent(guard, &guard->agent, 1);
    open_agent(guard, &guard->members[0], 2);
    for (unsigned i = 0; i < CHATS; i++) {
        join(&guard->members[0], 1 + i, "");
    }
}

static void run_join_chat(struct guard *guard, unsigned i)
{
    join(&guard->agent, 1 + i, "");
}

/* Asked again, as by an agent's page that is not sure: eight requests arrive together. */
static void run_rejoin_by8(struct guard *guard, unsigned i)
{
    autobuf struct buf frames = BUF_INIT;

    (void)i;
    for (unsigned k = 0; k < EVENTS; k++) {
        agent_frame(&frames, "421[\"join_chat\",1]");
    }
    client_forget(&guard->agent);
    client_send(&guard->agent, buf_str(&frames));
    rig_round(guard->siod);
    rig_round(guard->siod);
    client_expect(&guard->agent, "431[{\"ok\":true", EVENTS);
}

static void prepare_join_history(struct guard *guard)
{
    enum { MESSAGES = 30 };

    make_chats(guard, 1);
    for (unsigned i = 1; i < MESSAGES; i++) {
        post_text(guard, &guard->http[0], 0);
        client_await(&guard->http[0], "HTTP/1.1 200");
    }
    open_agent(guard, &guard->agent, 1);
}

static void run_join_history(struct guard *guard, unsigned i)
{
    (void)i;
    join(&guard->agent, 1, ",{\"history\":20}");
}

/* ---- fan-out */

static void prepare_fanout50(struct guard *guard)
{
    prepare_event(guard);
    for (unsigned i = 0; i < MEMBERS; i++) {
        open_member(guard, &guard->members[i], 2 + i);
    }
}

static void fan_out(struct guard *guard, unsigned events)
{
    autobuf struct buf frames = BUF_INIT;

    for (unsigned i = 0; i < events; i++) {
        agent_frame(&frames, typing_start);
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        client_forget(&guard->members[i]);
    }
    client_send(&guard->agent, buf_str(&frames));
    rig_round(guard->siod);
    rig_round(guard->siod);
    for (unsigned i = 0; i < MEMBERS; i++) {
        client_expect(&guard->members[i], "\"user_typing\"", events);
    }
}

static void run_fanout50(struct guard *guard, unsigned i)
{
    (void)i;
    fan_out(guard, 1);
}

static void run_fanout50_by8(struct guard *guard, unsigned i)
{
    (void)i;
    fan_out(guard, EVENTS);
}

/* ---- connections */

static void prepare_token(struct guard *guard)
{
    guard->token = rig_token(guard->siod, 1, 0);
}

/* The connections stay open until the end. */
static void run_connect(struct guard *guard, unsigned i)
{
    struct client client;

    (void)i;
    agent_open(&client, guard->siod, guard->token);
    buf_finish(&client.received);
}

static void run_connect_new_agent(struct guard *guard, unsigned i)
{
    free(guard->token);
    guard->token = rig_token(guard->siod, 1 + i, 0);
    run_connect(guard, i);
}

/* ---- webhooks */

/* An agent who looks at the first chat. */
static void prepare_webhook(struct guard *guard)
{
    make_chats(guard, CUSTOMERS);
    open_member(guard, &guard->agent, 1);
}

static void run_webhook(struct guard *guard, unsigned i)
{
    (void)i;
    client_forget(&guard->agent);
    post_text(guard, &guard->http[0], 0);
    client_await(&guard->http[0], "HTTP/1.1 200");
    client_expect(&guard->agent, "\"new_message\"", 1);
    client_expect(&guard->agent, "\"whatsapp_message_received\"", 1);
}

static uint64_t commits(struct guard *guard)
{
    struct store_stats stats;

    store_stats(guard->siod->store, &stats);
    return stats.commits;
}

static void prepare_webhook_by10(struct guard *guard)
{
    prepare_webhook(guard);
    for (unsigned i = 1; i < BATCH; i++) {
        client_open(&guard->http[i], guard->siod);
    }
    rig_round(guard->siod); /* accepted, so that all their requests are read in one round */
}

static void run_webhook_by10(struct guard *guard, unsigned i)
{
    uint64_t before = commits(guard);

    (void)i;
    client_forget(&guard->agent);
    for (unsigned k = 0; k < BATCH; k++) {
        client_forget(&guard->http[k]);
        post_text(guard, &guard->http[k], k % CUSTOMERS);
    }
    client_await(&guard->http[BATCH - 1], "HTTP/1.1 200");
    for (unsigned k = 0; k < BATCH - 1; k++) {
        client_expect(&guard->http[k], "HTTP/1.1 200", 1);
    }
    client_expect(&guard->agent, "\"whatsapp_message_received\"", BATCH);
    if (commits(guard) != before + 1) {
        rig_fail("%d webhooks in %" PRIu64 " commits", BATCH, commits(guard) - before);
    }
}

static void run_webhook_new_chat(struct guard *guard, unsigned i)
{
    client_forget(&guard->agent);
    post_text(guard, &guard->http[0], CUSTOMERS + i);
    client_await(&guard->http[0], "HTTP/1.1 200");
    client_expect(&guard->agent, "\"whatsapp_message_received\"", 1);
}

static void prepare_webhook_status(struct guard *guard)
{
    prepare_webhook(guard);
    for (unsigned i = 0; i < CHATS; i++) {
        autobuf struct buf body = BUF_INIT;

        webhook_echo(&body, 0, i);
        post(&guard->http[0], &body);
        client_await(&guard->http[0], "HTTP/1.1 200");
    }
}

static void run_webhook_status(struct guard *guard, unsigned i)
{
    autobuf struct buf body = BUF_INIT;

    client_forget(&guard->agent);
    webhook_status(&body, 0, i);
    post(&guard->http[0], &body);
    client_await(&guard->http[0], "HTTP/1.1 200");
    client_expect(&guard->agent, "\"message_status_update\"", 1);
}

/* ---- tokens */

static void verify(struct guard *guard)
{
    struct token_verifier *tokens = guard->tokens != NULL ? guard->tokens : guard->siod->tokens;
    struct token_claims claims;
    struct errmsg msg = { "" };
    int64_t now_s = loop_wall_ms(guard->siod->loop) / 1000;
    enum err err;

    seam_count(true);
    err = token_verify(tokens, str_of(guard->token), now_s, &claims, &msg);
    seam_count(false);
    if (err != OK || claims.user_id != 1 || claims.business_id != GUARD_BUSINESS) {
        rig_fail("token not accepted: %s", msg.text);
    }
}

/* The daemon's own verifier remembers no HMAC tokens. */
static void prepare_jwt_cached(struct guard *guard)
{
    struct token_config config = guard->siod->token_config;
    struct errmsg msg;

    config.cache_entries = 1;
    if (token_verifier_new(&config, &guard->tokens, &msg) != OK) {
        rig_fail("%s", msg.text);
    }
    prepare_token(guard);
}

static void run_jwt_cached(struct guard *guard, unsigned i)
{
    (void)i;
    verify(guard);
}

static void run_jwt_uncached(struct guard *guard, unsigned i)
{
    free(guard->token);
    guard->token = rig_token(guard->siod, 1, 1 + i);
    verify(guard);
}

/* ---- the table */

/* clang-format off */
const struct guard_case guard_cases[] = {
    { "event", 20, 200, 1, prepare_event, run_event, check_event,
      "an event without an ack, alone in the chat: frame, packet, payload, rules" },
    { "typing", 20, 200, 1, prepare_typing, run_typing, NULL,
      "an event that one other agent is told of: bytes in, frame out" },
    { "join_chat", 20, 100, 1, prepare_join_chat, run_join_chat, NULL,
      "join_chat of a known chat: bytes in, room joined, ack out" },
    { "rejoin_by8", 20, 100, EVENTS, prepare_event, run_rejoin_by8, NULL,
      "join_chat of a room one is in already, eight in one round: what a packet costs without its round" },
    { "join_history", 20, 100, 1, prepare_join_history, run_join_history, NULL,
      "join_chat with the last 20 messages from the store" },
    { "fanout50", 10, 50, MEMBERS, prepare_fanout50, run_fanout50, NULL,
      "a delivery, of one event to 50 agents" },
    { "fanout50_by8", 10, 25, MEMBERS * EVENTS, prepare_fanout50, run_fanout50_by8, NULL,
      "a delivery, of eight events to 50 agents in one round" },
    { "connect", 20, 100, 1, prepare_token, run_connect, NULL,
      "accept, WebSocket handshake, CONNECT of an agent who is there already" },
    { "connect_new_agent", 20, 100, 1, prepare_token, run_connect_new_agent, NULL,
      "the same of an agent who is not, and whom all others are told of" },
    { "webhook", 20, 100, 1, prepare_webhook, run_webhook, NULL,
      "a customer's text, alone in its commit: rows, log, two events and 200 out" },
    { "webhook_by10", 5, 20, BATCH, prepare_webhook_by10, run_webhook_by10, NULL,
      "a customer's text, ten in one commit" },
    { "webhook_new_chat", 20, 100, 1, prepare_webhook, run_webhook_new_chat, NULL,
      "a customer's first text: contact and chat are made" },
    { "webhook_status", 20, 100, 1, prepare_webhook_status, run_webhook_status, NULL,
      "that a message was delivered" },
    { "jwt_cached", 20, 200, 1, prepare_jwt_cached, run_jwt_cached, NULL,
      "token_verify(), a token that is remembered" },
    { "jwt_uncached", 20, 200, 1, prepare_token, run_jwt_uncached, NULL,
      "token_verify(), HS256, which is not" },
};
/* clang-format on */
const size_t guard_case_count = ARRAY_SIZE(guard_cases);
