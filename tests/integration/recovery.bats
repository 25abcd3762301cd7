#!/usr/bin/env bats
# Clients who lose their connection: nothing is lost, nothing is doubled, and nobody gets what is not theirs.
bats_require_minimum_version 1.5.0
load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

# recover ARGUMENT…: prints its summary.
recover() {
    timeout 280 node "$ROOT/tests/lib/recover.mjs" --siod "$SIOD_BIN/siod" --dir "$SIOD_DIR" "$@" 3>&-
}

@test "agents who are cut off at random miss nothing, and hear nothing twice" {
    local count=150 summary
    [[ -z ${SIOD_SANITIZE:-} ]] || count=60
    [[ -z ${SIOD_TEST_ALL:-} ]] || count=1500
    summary=$(recover --disconnects "$count")
    assert_equal "$(jq -c '[.disconnects == .recovered, .anew, .takeovers > 0]' <<<"$summary")" '[true,0,true]'
}

# wire ARGUMENT…: what one WebSocket client sees, line by line.
wire() {
    timeout 60 node "$ROOT/tests/lib/recover_wire.mjs" "$@" --url "$SIOD_URL" \
        --service "$(token 9 1 '"role":"service"')" 3>&-
}

@test "a session is restored once, for its user only, with what it missed before the CONNECT" {
    start_siod
    wire restored --token "$(token 7 1)"
    wire other_owner --token "$(token 7 1)" --other "$(token 8 1)"
    wire other_owner --token "$(token 7 1)" --other "$(token 7 2)"
    assert_equal "$(sioctl status -o json | jq -c '.recovery | [.enabled, .refused.other_owner]')" '[true,2]'
    assert_equal "$(metric 'siod_recovery_refused_total{reason="other_owner"}')" 2
}

@test "an offset that is unknown, of another epoch, or too old for what is kept gives a new session" {
    start_siod -o recovery.max_bytes=4096
    wire unknown_offset --token "$(token 7 1)"
    wire overflow --token "$(token 7 1)"
    assert_equal "$(sioctl status -o json | jq -c '.recovery.refused | [.unknown_offset > 0, .other_epoch > 0, .overflow]')" \
        '[true,true,1]'
}

@test "a revoked token does not bring its session back" {
    start_siod
    local good
    good=$(token 7 1 '"jti":"lost"')
    wire revoked --token "$good" --revoke "$SIOD_BIN/sioctl -s $SIOD_SOCKET token revoke --jti lost"
}

@test "the ack of what was under way does not reach the connection that took over" {
    local mode=$BATS_TEST_TMPDIR/mode
    export FAULTIO_MATCH=siod.db FAULTIO_CONTROL=$mode
    SIOD_PRELOAD=${SIOD_TESTS:-$SIOD_BIN/../tests}/faultio.so start_siod
    wire late_ack --token "$(token 7 1)" --freeze "echo hang-fsync >$mode" --thaw "echo ok >$mode"
}

@test "what an agent is refused is kept for nobody, so it takes nothing from those who come back" {
    local kept
    start_siod
    agent_connected a --token "$(token 7 1)" --transports websocket
    kept=$(sioctl status -o json | jq .recovery.eventBytes)
    refused() { (($(agent_events a error_event | wc -l) == 50)); }
    agent_tell a "$(for ((i = 0; i < 50; i++)); do echo '{"emit":["no such event"]}'; done)"
    wait_until refused
    assert_equal "$(agent_events a error_event | jq -r '.args[1][0:1]' | sort -u)" "~"
    assert_equal "$(sioctl status -o json | jq .recovery.eventBytes)" "$kept"
}

@test "without recovery there is no pid and no offset; clients of Socket.IO 2 never get them" {
    start_siod -o recovery.enabled=false
    wire off --token "$(token 7 1)"
    stop_siod
    start_siod -o engineio.allow_eio3=true
    wire old_client --token "$(token 7 1)"
}

no_sessions_kept() {
    [[ $(sioctl status -o json | jq '.recovery.sessions') == 0 ]]
}

@test "a session is forgotten after its time" {
    start_siod -o recovery.window_ms=1000
    wire expired --token "$(token 7 1)"
    wait_until no_sessions_kept
}

# restart_siod [kill]: on the same port, so that clients find it again.
restart_siod() {
    local port=${SIOD_URL##*:}
    if [[ ${1:-} == kill ]]; then
        kill_siod
    else
        stop_siod
    fi
    start_siod -o "http.listen=127.0.0.1:$port"
}

sessions_stored() {
    [[ $(sql "SELECT count(*) FROM session") == "$1" ]]
}

connects() {
    agent_lines one '.type == "connect"' | jq -sc 'map(.recovered)'
}

connected_times() {
    (($(agent_lines one '.type == "connect"' | wc -l) == $1))
}

@test "a session survives a restart and kill -9, with its rooms and what it missed" {
    start_siod
    post_webhook "$(text_webhook wamid.1 491511 one)"
    agent_connected one --token "$(token 7 1)"
    assert_equal "$(agent_asks one join_chat 1 | jq .ok)" true
    wait_until sessions_stored 1
    restart_siod kill
    wait_until connected_times 2
    restart_siod
    wait_until connected_times 3
    assert_equal "$(connects)" '[false,true,true]'
    post_webhook "$(text_webhook wamid.2 491511 two)"
    wait_until agent_saw one '.event == "new_message" and .args[0].message.text == "two"'
    assert_equal "$(sioctl socket list -o json | jq -c '.[] | [.recovered, (.rooms | sort)]')" \
        '[true,["business_1","chat_1"]]'
    # what was committed and not told before the end is told then
    agent_tell one '{"disconnect":true}'
    wait_until sessions_stored 0
}

@test "a room that was joined or left just before a kill is never forgotten by who was told of it" {
    start_siod
    post_webhook "$(text_webhook wamid.1 491511 one)"
    agent_connected one --token "$(token 7 1)"
    wait_until sessions_stored 1
    assert_equal "$(agent_asks one join_chat 1 | jq .ok)" true
    restart_siod kill # no row says that it is in no chat: it begins anew, and knows it
    wait_until connected_times 2
    assert_equal "$(connects)" '[false,false]'
    assert_equal "$(agent_asks one join_chat 1 '{"history":1}' | jq '.messages | length')" 1
    wait_until sessions_stored 1
    assert_equal "$(agent_asks one leave_chat 1 | jq .ok)" true
    restart_siod kill
    wait_until connected_times 3
    assert_equal "$(connects)" '[false,false,false]'
}

# known_in CHAT: what the store knows of the session says that it is in that chat.
known_in() {
    [[ $(sql "SELECT count(*) FROM session WHERE instr(state, 'chat_$1') > 0") == 1 ]]
}

@test "what an operator did to a session is on disk before the command answers" {
    start_siod
    post_webhook "$(text_webhook wamid.1 491511 one)"
    agent_connected one --token "$(token 7 1)"
    local socket
    socket=$(sioctl socket list -o json | jq -r '.[0].socketId')
    assert_equal "$(agent_asks one join_chat 1 | jq .ok)" true
    wait_until known_in 1
    sioctl room leave chat_1 "$socket"
    kill_siod
    refute known_in 1
    start_siod
    agent_connected two --token "$(token 8 1)"
    wait_until sessions_stored 1
    sioctl socket kick --user 8
    kill_siod
    sessions_stored 0
}

@test "agents who are cut off while siod is restarted and killed miss nothing, or know that they did" {
    local disconnects=60 restarts=1 kills=2
    [[ -z ${SIOD_TEST_ALL:-} ]] || { disconnects=1000 restarts=12 kills=12; }
    recover --disconnects "$disconnects" --restarts "$restarts" --kills "$kills"
}

is_later_than() {
    ((${EPOCHREALTIME/./} > $1))
}

@test "the row of a session is removed when its time is over, whether siod ran or not" {
    start_siod -o recovery.window_ms=1000
    agent_connected one --token "$(token 7 1)"
    wait_until sessions_stored 1
    agent_stop one
    wait_until no_sessions_kept
    wait_until sessions_stored 0
    agent_connected two --token "$(token 8 1)"
    wait_until sessions_stored 1
    kill_siod
    agent_stop two
    wait_until is_later_than $((${EPOCHREALTIME/./} + 2200000))
    assert_equal "$(sql "SELECT count(*) FROM session")" 1
    start_siod -o recovery.window_ms=1000
    wait_until sessions_stored 0
}

@test "a session is not restored after its time, whether siod ran or not" {
    start_siod -o recovery.window_ms=1000
    agent_connected one --token "$(token 7 1)"
    wait_until sessions_stored 1
    local port=${SIOD_URL##*:}
    stop_siod
    wait_until is_later_than $((${EPOCHREALTIME/./} + 2200000))
    start_siod -o recovery.window_ms=1000 -o "http.listen=127.0.0.1:$port"
    wait_until connected_times 2
    assert_equal "$(connects)" '[false,false]'
}
