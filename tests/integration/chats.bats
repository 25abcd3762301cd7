#!/usr/bin/env bats
# Chats: the window, what is unread and for whom, the last message, the order; history and echoes.

load ../lib/siod

setup() {
    setup_siod
    start_siod
}

teardown() {
    teardown_siod
}

# at SECOND WAMID TEXT: a message of that second.
at() {
    text_webhook "$2" 16505551234 "$3" | jq -c --arg second "$1" '.entry[0].changes[0].value.messages[0].timestamp = $second'
}

# api PATH [USER]
api() {
    curl -sS -H "Authorization: Bearer $(token "${2:-7}" 1)" "$SIOD_URL$1"
}

# history FILTER: a history webhook whose value is changed by the filter.
history() {
    jq -c --arg phone "$PHONE_NUMBER_ID" ".entry[0].changes[0].value |= (.metadata.phone_number_id = \$phone | $1)" \
        "$VECTORS/history.json"
}

@test "what is unread is counted for each agent, and shown with the last message" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(at 1749416383 wamid.1 one)"
    post_webhook "$(at 1749416385 wamid.2 two)"
    post_webhook "$(at 1749416384 wamid.3 three)"
    wait_until agent_saw a '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.3"'
    assert_equal "$(agent_asks a message_read '{"messageId":3,"chatId":1}' | jq .ok)" true
    assert_equal "$(api /api/chats | jq -c '.items[0] | [.unread, .lastMessageId, .lastMessage.text, .lastMessage.type]')" \
        '[1,2,"two","text"]'
    assert_equal "$(api /api/chats/1 8 | jq -c '[.unread, .lastMessage.id]')" '[3,2]'
    assert_equal "$(agent_asks a join_chat 1 '{"history":9}' | jq -c '[.chat.unread, [.messages[].text]]')" \
        '[1,["one","three","two"]]'
    assert_equal "$(sioctl chat show 1 -o json | jq -c '[.readers[] | [.agentId, .unread, .messageId]]')" '[[7,1,3]]'
    assert_equal "$(agent_asks a message_read '{"messageId":2,"chatId":1}' | jq .ok)" true
    assert_equal "$(sioctl chat list -o json | jq -c '.[0] | [.agentId, .unread]')" '[7,0]'
    assert_equal "$(api /api/chats/1/messages | jq -c '[.items[].id]')" '[1,3,2]'
}

@test "the window is 24 hours from WhatsApp's time of the customer's newest message" {
    post_webhook "$(at 1749416385 wamid.1 one)"
    post_webhook "$(at 1749416380 wamid.2 earlier)"
    post_webhook "$(echo_webhook wamid.3 16505551234 answer)"
    assert_equal "$(sioctl chat show 1 -o json | jq -r .windowExpiresAt)" 2025-06-09T20:59:45.000Z
}

@test "an answer on the phone goes to the chat's room only, closes what is unread and assigns nobody" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(status_webhook wamid.2 read 16505551234)"
    post_webhook "$(at 1749416383 wamid.1 one)"
    wait_until agent_saw a '.event == "chat_assigned"'
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
    post_webhook "$(echo_webhook wamid.2 16505551234 answer)"
    wait_until agent_saw a '.event == "new_message"'
    assert_equal "$(agent_events a new_message | jq -c '.args[0].message | [.direction, .status, .sender]')" \
        '["outbound","read",null]'
    assert_equal "$(agent_events a whatsapp_message_received | wc -l)" 1
    assert_equal "$(agent_events a chat_assigned | wc -l)" 1
    assert_equal "$(api /api/chats/1 8 | jq .unread)" 0
    post_webhook "$(echo_webhook wamid.9 4915550009 hello)"
    assert_equal "$(sioctl chat show 2 -o json | jq -c '[.state, .agentId, .unread]')" '["closed",null,0]'
}

@test "thousands of past messages are stored without an event, in the order of their time" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(at 1749416383 wamid.live live)"
    wait_until agent_saw a '.event == "chat_assigned"'
    local position
    position=$(sioctl business list -o json | jq '.[0].position')
    # shellcheck disable=SC2016 # the variables are jq's
    history '.history = [range(3) as $chunk | {metadata: {chunk_order: (2 - $chunk)}, threads: [
        {id: "16505551234", messages: [range(1000) as $i | {id: "wamid.p\($chunk)-\($i)", type: "text",
            from: (if $i % 2 == 0 then "16505551234" else .metadata.display_phone_number end),
            timestamp: "\(1700000000 + (2 - $chunk) * 1000 + $i)", text: {body: "\((2 - $chunk) * 1000 + $i)"},
            history_context: {status: "READ"}}]}]}]' >"$BATS_TEST_TMPDIR/history.json"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/history.json")" 200
    assert_equal "$(sioctl webhook list --field history -o json | jq -c '.[0] | [.counts.history, .counts.dups, .state]')" \
        '[3000,0,"done"]'
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/history.json")" 200
    assert_equal "$(sioctl webhook list --field history -o json | jq -c '.[0] | [.counts.history, .counts.dups]')" '[0,3000]'
    assert_equal "$(sioctl business list -o json | jq '.[0].position')" "$position"
    assert_equal "$(sioctl chat list -o json | jq -c 'map([.chatId, .lastMessage.text, .unread])')" '[[1,"live",1]]'
    assert_equal "$(agent_asks a join_chat 1 '{"history":500}' |
        jq -c '[.messages[].text] | [length, .[0], .[-2], .[-1]]')" '[500,"2501","2999","live"]'
    assert_equal "$(sioctl message show wamid.p0-1 -o json | jq -c '[.historic, .direction, .status]')" \
        '[true,"outbound","read"]'
}

@test "a customer of the past who writes is new, and waits" {
    post_webhook "$(history .)"
    assert_equal "$(sioctl chat list -o json | jq -c 'map([.state, .unread, .windowExpiresAt])')" '[["closed",0,null]]'
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(text_webhook wamid.1 4915550100011 again)"
    wait_until agent_saw a '.event == "chat_assigned"'
    assert_equal "$(sioctl chat list -o json | jq -c 'map([.chatId, .state, .unread])')" '[[1,"assigned",1]]'
}

@test "a group is a chat of its own, with whoever wrote last" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    local who
    for who in 4915550001 4915550002; do
        post_webhook "$(text_webhook "wamid.$who" "$who" "from $who" | jq -c \
            '.entry[0].changes[0].value.messages[0].group_id = "R3JvdXA="')"
    done
    post_webhook "$(echo_webhook wamid.9 x answer | jq -c '.entry[0].changes[0].value |= (del(.contacts) |
        .message_echoes[0] |= (del(.to) | .group_id = "R3JvdXA="))')"
    wait_until agent_saw a '.event == "chat_assigned"'
    assert_equal "$(agent_events a chat_assigned | jq -c '.args[0].customerInfo | [.groupId, .phone]')" \
        '["R3JvdXA=","4915550001"]'
    assert_equal "$(sioctl chat list -o json | jq -c 'map([.groupId, .contact.phone, .lastMessage.wamid])')" \
        '[["R3JvdXA=","4915550002","wamid.9"]]'
    assert_equal "$(agent_asks a join_chat 1 '{"history":9}' | jq -c '[.messages[].contact.phone]')" \
        '["4915550001","4915550002",null]'
}

@test "a call is announced to the business, its end is told, and the chat shows it" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    local connect end
    connect=$(jq -c . "$VECTORS/calls_connect.json")
    end=$(jq -c '.entry[0].changes[0].value.calls[0] |= (.event = "terminate" | del(.session) | .status = "COMPLETED" |
        .start_time = "1772357710" | .end_time = "1772357730" | .duration = 20)' <<<"$connect")
    post_webhook "$connect"
    post_webhook "$connect"
    post_webhook "$end"
    wait_until agent_saw a '.event == "call_ended"'
    assert_equal "$(agent_events a call_incoming | jq -c '.args[0] | [.chatId, .direction, .status, .session.sdpType]')" \
        '[1,"inbound","ringing","offer"]'
    assert_equal "$(agent_events a call_ended | jq -c '.args[0] | [.chatId, .status, .duration]')" '[1,"completed",20]'
    assert_equal "$(sioctl webhook list --field calls -o json | jq -c 'map([.counts.calls, .counts.dups])')" \
        '[[1,0],[0,1],[1,0]]'
    assert_equal "$(sioctl chat show 1 -o json | jq -c '[.state, (.calls[] | [.status, .duration, .endedAt])]')" \
        '["closed",["completed",20,"2026-03-01T09:35:30.000Z"]]'
    assert_equal "$(sql 'SELECT count(*) FROM message')" 0
}

@test "a call that cannot be understood goes to quarantine, the others are stored" {
    post_webhook "$(jq -c '.entry[0].changes[0].value.calls += [{id: "wacid.x", event: "hologram", from: "1"}]' \
        "$VECTORS/calls_connect.json")"
    assert_equal "$(sioctl webhook list -o json | jq -c '.[0] | [.state, .counts.calls, .reason]')" \
        '["quarantined",1,"entry[0].changes[0].value.calls[1]: unknown event"]'
}

@test "chat list says as many as are wanted, and those of an agent" {
    local i
    sioctl business add 2 --phone-number-id 555 >/dev/null
    agent_connected a --token "$(token 7 1)" --transports websocket
    agent_connected b --token "$(token 7 2)" --transports websocket
    for i in 1 2 3; do
        post_webhook "$(text_webhook "wamid.$i" "49$i" hello)"
    done
    post_webhook "$(text_webhook wamid.4 494 hello 555)"
    wait_until agent_saw b '.event == "chat_assigned"'
    wait_until agent_saw a '.event == "chat_assigned" and .args[0].chatId == 3'
    sioctl chat close 2 >/dev/null
    assert_equal "$(sioctl chat list --limit 2 -o json | jq -c 'map(.chatId)')" '[1,2]'
    assert_equal "$(sioctl chat list --agent 7 -o json | jq -c 'map(.chatId)')" '[1,3,4]'
    assert_equal "$(sioctl chat list --agent 7 --business 1 --limit 1 -o json | jq -c 'map(.chatId)')" '[1]'
    assert_equal "$(sioctl chat list --agent 7 --business 2 -o json | jq -c 'map(.chatId)')" '[4]'
    assert_equal "$(sioctl chat list --agent 8 -o json)" '[]'
    assert_equal "$(sioctl chat list --agent 7 --state waiting -o json)" '[]'
    run sioctl chat list --limit 0
    assert_equal "$status" 2
}
