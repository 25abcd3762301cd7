#!/usr/bin/env bats
# One tenant never sees, joins or even learns of what belongs to another.

load ../lib/siod

OTHER_NUMBER=222000000000002

setup() {
    setup_siod
    start_siod -o "business.2.phone_number_ids=$OTHER_NUMBER"
    agent_connected ours --token "$(token 7 1)" --transports websocket
    agent_connected theirs --token "$(token 7 2)" --transports websocket
}

teardown() {
    teardown_siod
}

# Something of their own reaches the other tenant's agent: whatever came before it would have been there by now.
their_barrier() {
    post_webhook "$(text_webhook "wamid.barrier.$1" 34911111111 hola $OTHER_NUMBER)"
    wait_until agent_saw theirs ".event == \"whatsapp_message_received\" and
        .args[0].message.wamid == \"wamid.barrier.$1\""
}

# Whoever NAME has heard of.
customers_of() {
    agent_lines "$1" '.type == "event"' | jq -r '.args[0] | .message.contact.phone // .customerInfo.phone' | sort -u
}

@test "an agent of another tenant sees nothing of what customers write" {
    assert_equal "$(post_webhook "$(text_webhook wamid.1 16505551234 hello)")" 200
    wait_until agent_saw ours '.event == "whatsapp_message_received"'
    their_barrier 1
    assert_equal "$(customers_of theirs)" 34911111111
    assert_equal "$(customers_of ours)" 16505551234
}

@test "another tenant's agent is refused join_chat as if the chat did not exist" {
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    wait_until agent_saw ours '.event == "whatsapp_message_received"'
    refused=$(agent_asks theirs join_chat 1)
    assert_equal "$refused" "$(agent_asks theirs join_chat 4711)"
    assert_equal "$(jq -c '[.ok, .error.code]' <<<"$refused")" '[false,"not_found"]'
    assert_equal "$(agent_asks theirs join_chat 1 '{"history":10}')" "$refused"
    assert_equal "$(agent_asks ours join_chat 1 | jq .ok)" true

    post_webhook "$(text_webhook wamid.2 16505551234 "still private")"
    wait_until agent_saw ours '.event == "new_message"'
    their_barrier 1
    refute agent_saw theirs '.event == "new_message"'
}

@test "the refusal is the same for a chat that the daemon has not seen since it started" {
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    agent_stop theirs
    stop_siod
    start_siod -o "business.2.phone_number_ids=$OTHER_NUMBER"
    agent_connected theirs --token "$(token 7 2)" --transports websocket
    assert_equal "$(agent_asks theirs join_chat 1 | jq -r .error.code)" not_found
    assert_equal "$(agent_asks theirs join_chat 1 '{"history":10}' | jq -r .error.code)" not_found
}

@test "who is put into a room with the name of another tenant's chat types in neither" {
    local theirs
    agent_connected watching --token "$(token 8 1)" --transports websocket
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    assert_equal "$(agent_asks watching join_chat 1 | jq .ok)" true
    theirs=$(sioctl socket list --business 2 -o json | jq -r '.[0].socketId')
    sioctl room join chat_1 "$theirs"
    assert_equal "$(agent_asks theirs typing_start '{"chatId":1}' | jq -r .error.code)" not_in_chat
    assert_equal "$(agent_asks theirs typing_stop '{"chatId":1}' | jq -r .error.code)" not_in_chat
    assert_equal "$(agent_asks ours join_chat 1 | jq -c .typing)" '[]'
    assert_equal "$(agent_asks ours typing_start '{"chatId":1}')" '{"ok":true}'
    wait_until agent_saw watching '.event == "user_typing"'
    their_barrier 1
    refute agent_saw theirs '.event == "user_typing"'

    # In a chat that siod has to look up, too.
    agent_stop theirs
    stop_siod
    start_siod -o "business.2.phone_number_ids=$OTHER_NUMBER"
    agent_connected theirs --token "$(token 9 2)" --transports websocket
    sioctl room join chat_1 "$(sioctl socket list --user 9 -o json | jq -r '.[0].socketId')"
    assert_equal "$(agent_asks theirs typing_start '{"chatId":1}' | jq -r .error.code)" not_in_chat
}

@test "the payload has no say in which tenant a message belongs to" {
    local body
    body=$(text_webhook wamid.1 16505551234 hello $OTHER_NUMBER | jq -c '.entry[0].id = "1" | .businessId = 1')
    assert_equal "$(post_webhook "$body")" 200
    wait_until agent_saw theirs '.event == "whatsapp_message_received"'
    assert_equal "$(agent_events theirs whatsapp_message_received | jq '.args[0].message.businessId')" 2
    assert_equal "$(sql "SELECT count(*) FROM message WHERE business_id = 1")" 0
}

@test "an agent is called what its last token says, also while it is there" {
    called() { [[ $(sioctl agent show 7 --business 1 -o json | jq -r .name) == "$1" ]]; }
    agent_connected bob --token "$(token 7 1 '"name":"Bob"')" --transports websocket
    wait_until called Bob
    agent_connected robert --token "$(token 7 1 '"name":"Robert"')" --transports websocket
    wait_until called Robert
    agent_connected nameless --token "$(token 7 1)" --transports websocket
    assert_equal "$(sioctl socket list --business 1 -o json | jq -c 'map(.name) | unique')" '["Robert"]'
}

@test "a back end that speaks for an agent who is there takes no chats from it" {
    agent_connected backend --token "$(token 7 1 '"role":"service"')" --transports websocket
    assert_equal "$(sioctl agent show 7 --business 1 -o json | jq -r .role)" agent
}

@test "the same user id in two tenants is two agents" {
    wait_until stored_agents
}

stored_agents() {
    [[ $(sql "SELECT group_concat(business_id) FROM agent WHERE user_id = 7") == 1,2 ]]
}
