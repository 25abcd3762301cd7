#!/usr/bin/env bats
# A customer writes, an agent's browser is told: with the unmodified client on each of its transports.

load ../lib/siod

setup() {
    setup_siod
    start_siod
}

teardown() {
    teardown_siod
}

# The whole job on the given transports.
main_job() {
    local chat answer customer=16505551234
    agent_connected a --token "$(token 7 1)" --transports "$1"

    assert_equal "$(post_webhook "$(text_webhook wamid.1 $customer "Does it come in another color?")")" 200
    wait_until agent_saw a '.event == "whatsapp_message_received"'
    answer=$(agent_events a whatsapp_message_received | jq -c '.args[0]')
    assert_equal "$(jq -r .message.text <<<"$answer")" "Does it come in another color?"
    assert_equal "$(jq -r .message.contact.first_name <<<"$answer")" Customer
    chat=$(jq .chatId <<<"$answer")

    assert_equal "$(agent_asks a join_chat "$chat" | jq -c '[.ok, .chatId]')" "[true,$chat]"
    assert_equal "$(post_webhook "$(text_webhook wamid.2 $customer "And in blue?")")" 200
    wait_until agent_saw a '.event == "new_message" and .args[0].message.wamid == "wamid.2"'

    assert_equal "$(post_webhook "$(echo_webhook wamid.3 $customer "It does.")")" 200
    wait_until agent_saw a '.event == "new_message" and .args[0].message.direction == "outbound"'
    assert_equal "$(post_webhook "$(status_webhook wamid.3 delivered $customer)")" 200
    wait_until agent_saw a '.event == "message_status_update" and .args[0].status == "delivered"'

    assert_equal "$(agent_events a whatsapp_message_received | wc -l)" 2
    assert_equal "$(agent_events a new_message | wc -l)" 2
}

@test "an agent on long polling receives what customers write" {
    main_job polling
    refute agent_saw a '.type == "upgrade"'
}

@test "an agent on WebSocket alone receives what customers write" {
    main_job websocket
    assert_equal "$(agent_lines a '.type == "connect"' | jq -r .transport)" websocket
}

@test "an agent that upgrades from polling to WebSocket receives what customers write" {
    main_job polling,websocket
    wait_until agent_saw a '.type == "upgrade"'
}

@test "what was emitted while a client upgrades arrives exactly once and in order" {
    agent_start a --token "$(token 7 1)"
    wait_until agent_saw a '.type == "connect"'
    node "$ROOT/tests/lib/flood.mjs" --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" --count 200 \
        --concurrency 4 >"$BATS_TEST_TMPDIR/flood"
    assert_equal "$(grep -c '^200 ' "$BATS_TEST_TMPDIR/flood")" 200
    received() { (($(agent_events a whatsapp_message_received | wc -l) >= 200)); }
    wait_until received
    wait_until agent_saw a '.type == "upgrade"'
    agent_events a whatsapp_message_received | jq '.args[0].message.id' >"$BATS_TEST_TMPDIR/ids"
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/ids")" 200
    sort -nuc "$BATS_TEST_TMPDIR/ids"
}

@test "an agent that left a chat hears no more of it" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    wait_until agent_saw a '.event == "whatsapp_message_received"'
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
    assert_equal "$(agent_asks a leave_chat 1 | jq .ok)" true
    post_webhook "$(text_webhook wamid.2 16505551234 two)"
    wait_until agent_saw a '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.2"'
    refute agent_saw a '.event == "new_message"'
}

@test "join_chat with history answers with the last messages, oldest first, and the chat" {
    local answer wamid
    for wamid in wamid.1 wamid.2 wamid.3; do
        post_webhook "$(text_webhook $wamid 16505551234 "$wamid")"
    done
    agent_connected a --token "$(token 7 1)" --transports websocket
    answer=$(agent_asks a join_chat 1 '{"history":2}')
    assert_equal "$(jq -c '[.messages[].wamid]' <<<"$answer")" '["wamid.2","wamid.3"]'
    assert_equal "$(jq -c '[.chat.chatId, .chat.contact.phone]' <<<"$answer")" '[1,"16505551234"]'
}

@test "an event that nobody knows is refused without closing the connection" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    assert_equal "$(agent_asks a no_such_event 1 | jq -c '[.ok, .error.code]')" '[false,"unknown_event"]'
    assert_equal "$(agent_asks a join_chat '"x"' | jq -c '[.ok, .error.code]')" '[false,"invalid_argument"]'
    agent_tell a '{"emit":["join_chat",99]}'
    wait_until agent_saw a '.event == "error_event"'
    assert_equal "$(agent_events a error_event | jq -c '.args[0] | [.event, .code]')" '["join_chat","not_found"]'
    refute agent_saw a '.type == "disconnect"'
}
