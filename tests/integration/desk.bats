#!/usr/bin/env bats
# What agents see of one another: typing, presence, status, read receipts.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

# desk [SIOD_ARGUMENT…]: one chat, and agents ann (7) and bob (8) of its business in it.
desk() {
    start_siod "$@"
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    agent_connected ann --token "$(token 7 1)" --transports websocket
    agent_connected bob --token "$(token 8 1)" --transports polling,websocket
    assert_equal "$(agent_asks ann join_chat 1 | jq .ok)" true
    assert_equal "$(agent_asks bob join_chat 1 | jq .ok)" true
}

count_events() {
    agent_events "$1" "$2" | wc -l
}

events_are() {
    [[ $(count_events "$1" "$2") == "$3" ]]
}

# Whatever was emitted to the chat before this has arrived at NAME afterwards.
barrier() {
    BARRIERS=$((${BARRIERS:-0} + 1))
    post_webhook "$(text_webhook "wamid.barrier.$BARRIERS" 16505551234 now)"
    wait_until agent_saw "$1" ".event == \"new_message\" and .args[0].message.wamid == \"wamid.barrier.$BARRIERS\""
}

@test "typing reaches the others in the chat, not the typist's own devices" {
    desk
    agent_connected ann2 --token "$(token 7 1)" --transports websocket
    assert_equal "$(agent_asks ann2 join_chat 1 | jq .ok)" true
    assert_equal "$(agent_asks ann typing_start '{"chatId":1}')" '{"ok":true}'
    wait_until agent_saw bob '.event == "user_typing"'
    assert_equal "$(agent_events bob user_typing | jq -c '.args[0] | [.userId, .chatId]')" '[7,1]'
    agent_events bob user_typing | jq -e '.args[0].timestamp | test("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z$")'
    assert_equal "$(agent_asks ann typing_stop '{"chatId":"1"}')" '{"ok":true}'
    wait_until agent_saw bob '.event == "user_stop_typing"'
    barrier ann2
    assert_equal "$(count_events ann user_typing)$(count_events ann2 user_typing)" 00
}

@test "who joins hears who is typing" {
    desk
    agent_asks ann typing_start '{"chatId":1}'
    wait_until agent_saw bob '.event == "user_typing"'
    agent_connected carl --token "$(token 9 1)" --transports websocket
    assert_equal "$(agent_asks carl join_chat 1 | jq -c .typing)" '[7]'
    assert_equal "$(agent_asks ann join_chat 1 | jq -c .typing)" '[]'
}

@test "typing is told once per throttle time and ends by itself" {
    desk -o typing.throttle_ms=60000 -o typing.expire_ms=300
    agent_asks ann typing_start '{"chatId":1}'
    agent_asks ann typing_start '{"chatId":1}'
    agent_asks ann typing_start '{"chatId":1}'
    wait_until agent_saw bob '.event == "user_stop_typing"'
    assert_equal "$(count_events bob user_typing)" 1
}

@test "typing ends when the typist leaves the chat, and when the connection ends" {
    desk -o typing.throttle_ms=0 -o typing.expire_ms=0
    agent_asks ann typing_start '{"chatId":1}'
    assert_equal "$(agent_asks ann leave_chat 1 | jq .ok)" true
    wait_until events_are bob user_stop_typing 1
    agent_asks ann join_chat 1
    agent_asks ann typing_start '{"chatId":1}'
    wait_until events_are bob user_typing 2
    agent_stop ann
    wait_until events_are bob user_stop_typing 2
}

@test "a typist has stopped when the last device has" {
    desk -o typing.throttle_ms=0 -o typing.expire_ms=0
    agent_connected ann2 --token "$(token 7 1)" --transports websocket
    agent_asks ann2 join_chat 1
    agent_asks ann typing_start '{"chatId":1}'
    assert_equal "$(agent_asks ann2 typing_stop '{"chatId":1}')" '{"ok":true}'
    agent_asks ann2 typing_start '{"chatId":1}'
    agent_asks ann typing_stop '{"chatId":1}'
    agent_asks ann typing_start '{"chatId":1}'
    agent_stop ann2
    wait_until sockets_are 2
    barrier bob
    assert_equal "$(count_events bob user_stop_typing)" 0
    agent_asks ann typing_stop '{"chatId":1}'
    wait_until events_are bob user_stop_typing 1
}

@test "silence ends the typing of all devices once" {
    desk -o typing.throttle_ms=60000 -o typing.expire_ms=300
    agent_connected ann2 --token "$(token 7 1)" --transports websocket
    agent_asks ann2 join_chat 1
    agent_asks ann typing_start '{"chatId":1}'
    agent_asks ann2 typing_start '{"chatId":1}'
    wait_until events_are bob user_stop_typing 1
    barrier bob
    assert_equal "$(count_events bob user_typing)$(count_events bob user_stop_typing)" 11
}

@test "typing in a chat one has not joined is refused" {
    desk
    agent_connected carl --token "$(token 9 1)" --transports websocket
    assert_equal "$(agent_asks carl typing_start '{"chatId":1}' | jq -r .error.code)" not_in_chat
    assert_equal "$(agent_asks carl typing_start '{}' | jq -r .error.code)" invalid_argument
    agent_tell carl '{"emit":["typing_start",{"chatId":1}]}'
    wait_until agent_saw carl '.event == "error_event"'
    assert_equal "$(agent_events carl error_event | jq -c '.args[0] | [.event, .code]')" '["typing_start","not_in_chat"]'
    agent_tell carl "{\"emit\":[\"$(printf 'x%.0s' {1..62})€\\u0000y\"]}"
    agent_tell carl "{\"emit\":[\"$(printf 'x%.0s' {1..254})€\"]}"
    names() { agent_events carl error_event | jq -c 'select(.args[0].code == "unknown_event") | .args[0].event'; }
    both() { (($(names | wc -l) == 2)); }
    wait_until both
    assert_equal "$(names)" "$(printf '"%s€\\u0000y"\n"%s"' "$(printf 'x%.0s' {1..62})" "$(printf 'x%.0s' {1..254})")"
}

@test "what is said about a chat that siod has to look up happens in the order in which it was said" {
    local chat said=()
    start_siod -o assign.policy=manual
    for chat in {1..8}; do
        post_webhook "$(text_webhook "wamid.$chat" "1650555000$chat" hello)"
    done
    stop_siod
    start_siod -o assign.policy=manual
    agent_connected ann --token "$(token 7 1)" --transports websocket
    for chat in {1..8}; do
        said+=("{\"emit\":[\"join_chat\",$chat],\"ack\":true,\"tag\":\"join\"}")
        said+=("{\"emit\":[\"typing_start\",{\"chatId\":$chat}],\"ack\":true,\"tag\":\"type\"}")
        said+=("{\"emit\":[\"leave_chat\",$chat],\"ack\":true,\"tag\":\"leave\"}")
    done
    agent_tell ann "$(printf '%s\n' "${said[@]}")"
    answered() { [[ $(agent_lines ann '.type == "ack"' | wc -l) == "$1" ]]; }
    wait_until answered 24
    assert_equal "$(agent_lines ann '.type == "ack"' | jq -c '.args[0].ok' | sort -u)" true
    assert_equal "$(sioctl socket list -o json | jq -c '.[0].rooms')" '["business_1"]'

    agent_tell ann '{"emit":["join_chat",99],"ack":true,"tag":"nowhere"}
{"emit":["leave_chat",99],"ack":true,"tag":"left"}
{"emit":["join_chat",99],"ack":true,"tag":"nowhere"}'
    wait_until answered 27
    assert_equal "$(agent_lines ann '.type == "ack"' | tail -n 3 | jq -c '[.tag, .args[0].ok]' | xargs)" \
        '[nowhere,false] [left,true] [nowhere,false]'
}

@test "a history behind a read shows it, and only what reads the store waits for the disk" {
    local mode=$BATS_TEST_TMPDIR/mode
    export FAULTIO_MATCH=siod.db FAULTIO_CONTROL=$mode
    SIOD_PRELOAD=${SIOD_TESTS:-$SIOD_BIN/../tests}/faultio.so start_siod -o assign.policy=manual
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    post_webhook "$(text_webhook wamid.2 16505551234 two)"
    post_webhook "$(text_webhook wamid.3 16505550000 elsewhere)"
    agent_connected ann --token "$(token 7 1)" --transports websocket
    assert_equal "$(agent_asks ann join_chat 1 | jq .ok)$(agent_asks ann join_chat 2 | jq .ok)" truetrue
    acks() { agent_lines ann '.type == "ack" and (.tag | test("^[a-z]"))' | jq -r .tag | paste -sd' '; }
    has_acks() { [[ $(acks) == "$1" ]]; }

    echo hang-fsync >"$mode"
    agent_tell ann '{"emit":["message_read",{"messageId":1,"chatId":1}],"ack":true,"tag":"read1"}
{"emit":["typing_start",{"chatId":1}],"ack":true,"tag":"type"}
{"emit":["join_chat",1,{"history":1}],"ack":true,"tag":"join1"}
{"emit":["message_read",{"messageId":2,"chatId":1}],"ack":true,"tag":"read2"}
{"emit":["join_chat",1,{"history":1}],"ack":true,"tag":"join2"}
{"emit":["leave_chat",1],"ack":true,"tag":"leave"}
{"emit":["join_chat",2,{"history":1}],"ack":true,"tag":"other"}'
    wait_until has_acks "type other"
    echo ok >"$mode"
    wait_until agent_saw ann '.tag == "join2"'
    wait_until agent_saw ann '.tag == "leave"'
    # The first one may see what was read behind it.
    assert_equal "$(agent_lines ann '.tag == "join1"' | jq -c '.args[0].chat.unread < 2')" true
    assert_equal "$(agent_lines ann '.tag == "join2"' | jq -c '.args[0].chat.unread')" 0
    assert_equal "$(sioctl socket list -o json | jq -c '.[0].rooms | sort')" '["business_1","chat_2"]'
}

@test "a history has all that its page was told before it, and nothing of what comes after" {
    start_siod -o limits.events_per_s=0
    run timeout 120 node "$ROOT/tests/lib/join_page.mjs" --url "$SIOD_URL" --token "$(token 7 1)" --rounds 60 \
        --secret-file "$SIOD_DIR/app.secret" --phone-number-id "$PHONE_NUMBER_ID" 3>&-
    assert_equal "$output" '{"missing":0,"repeated":0}'
}

@test "a user is online from the first socket until the grace after the last" {
    start_siod -o presence.offline_grace_ms=300
    agent_connected ann --token "$(token 7 1)" --transports websocket
    agent_connected bob --token "$(token 8 1)" --transports websocket
    agent_connected bob2 --token "$(token 8 1)" --transports websocket
    wait_until agent_saw ann '.event == "user_online"'
    agent_stop bob
    agent_stop bob2
    wait_until agent_saw ann '.event == "user_offline"'
    assert_equal "$(agent_lines ann '.type == "event"' | jq -c '[.event, .args[0].userId]' | paste -sd' ')" \
        '["user_online",8] ["user_offline",8]'
}

@test "a short disconnect and a restart of siod are no news" {
    start_siod -o presence.offline_grace_ms=20000
    agent_connected ann --token "$(token 7 1)" --transports websocket
    agent_connected bob --token "$(token 8 1)" --transports websocket
    wait_until agent_saw ann '.event == "user_online"'
    wait_until recorded_online
    agent_stop bob
    agent_connected bob --token "$(token 8 1)" --transports websocket
    agent_stop ann
    agent_stop bob
    stop_siod
    start_siod -o presence.offline_grace_ms=20000
    agent_connected ann --token "$(token 7 1)" --transports websocket
    agent_connected bob --token "$(token 8 1)" --transports websocket
    agent_connected carl --token "$(token 9 1)" --transports websocket
    wait_until agent_saw ann '.event == "user_online" and .args[0].userId == 9'
    assert_equal "$(agent_lines ann '.type == "event"' | wc -l)" 1
}

recorded_online() {
    [[ $(sql "SELECT count(*) FROM agent WHERE online") == 2 ]]
}

@test "an agent's status is stored, told to the business once, and survives" {
    start_siod
    agent_connected ann --token "$(token 7 1)" --transports websocket
    agent_connected bob --token "$(token 8 1)" --transports websocket
    assert_equal "$(agent_asks bob agent_status_update '"away"')" '{"ok":true}'
    assert_equal "$(agent_asks bob agent_status_update '"away"')" '{"ok":true}'
    wait_until agent_saw ann '.event == "agent_status_changed"'
    assert_equal "$(agent_events ann agent_status_changed | jq -c '.args[0] | [.agentId, .status]')" '[8,"away"]'
    assert_equal "$(sql "SELECT status FROM agent WHERE user_id = 8")" away
    assert_equal "$(agent_asks bob agent_status_update '"asleep"' | jq -r .error.code)" invalid_argument
    agent_stop bob
    agent_connected bob --token "$(token 8 1)" --transports websocket
    assert_equal "$(sql "SELECT status FROM agent WHERE user_id = 8")" away
}

@test "a read cursor moves forward only; the others and one's other devices hear of it" {
    desk
    agent_connected ann2 --token "$(token 7 1)" --transports websocket
    agent_asks ann2 join_chat 1
    post_webhook "$(text_webhook wamid.2 16505551234 again)"
    wait_until agent_saw ann '.event == "new_message"'
    assert_equal "$(agent_asks ann message_read '{"messageId":2,"chatId":1}')" '{"ok":true}'
    assert_equal "$(agent_asks ann message_read '{"messageId":1,"chatId":1}')" '{"ok":true}'
    wait_until agent_saw bob '.event == "message_read_receipt"'
    wait_until agent_saw ann2 '.event == "message_read_receipt"'
    barrier ann
    barrier bob
    assert_equal "$(agent_events bob message_read_receipt | jq -c '.args[0] | [.messageId, .chatId, .readBy]')" '[2,1,7]'
    assert_equal "$(count_events ann message_read_receipt)" 0
    assert_equal "$(agent_asks ann message_read '{"messageId":99,"chatId":1}' | jq -r .error.code)" not_found
}

@test "another tenant's agent can neither read nor type in a chat" {
    desk
    agent_connected eve --token "$(token 7 2)" --transports websocket
    assert_equal "$(agent_asks eve message_read '{"messageId":1,"chatId":1}' | jq -r .error.code)" not_found
    assert_equal "$(agent_asks eve typing_start '{"chatId":1}' | jq -r .error.code)" not_in_chat
}
