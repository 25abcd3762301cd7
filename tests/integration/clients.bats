#!/usr/bin/env bats
# Released clients, from Socket.IO 2 on and in another language, each through one scenario on every transport. A short
# selection always, all of them with SIOD_TEST_ALL.
bats_require_minimum_version 1.5.0
load ../lib/siod

setup_file() {
    export SIOD_TEST_ALL=${SIOD_TEST_ALL:-}
}

setup() {
    setup_siod
}

teardown() {
    if [[ -n ${ECHO_PID:-} ]]; then
        kill "$ECHO_PID" 2>/dev/null || :
    fi
    teardown_siod
}

TRANSPORTS=(polling websocket 'polling,websocket')

# Without the long ones, each version once, so that every transport is used.
selection() {
    if [[ -n $SIOD_TEST_ALL ]]; then
        local client transports
        for client in 2.5 3.1 4.0 4.5 4.8; do
            for transports in "${TRANSPORTS[@]}"; do
                echo "$client $transports"
            done
        done
    else
        printf '%s\n' '2.5 polling,websocket' '3.1 websocket' '4.5 polling' '4.8 polling,websocket'
    fi
}

echo_is_ready() {
    ECHO_URL=http://$(sed -n 's/^ready on //p' "$BATS_TEST_TMPDIR/echo.log" | head -n 1)
    [[ $ECHO_URL != http:// ]]
}

start_echo() {
    in_background "$SIOD_TESTS/conformance_server" --listen 127.0.0.1:0 --eio3 \
        --ping-interval 25000 --ping-timeout 20000 2>"$BATS_TEST_TMPDIR/echo.log"
    ECHO_PID=$!
    wait_until echo_is_ready
}

# scenario ARGUMENT…: says what went wrong.
scenario() {
    timeout 60 "$@" 3>&- 2>&1
}

@test "every client exchanges events, acks and binary, in namespaces, over a reconnect" {
    start_echo
    while read -r client transports; do
        scenario node "$ROOT/tests/lib/clients.mjs" echo --client "$client" --transports "$transports" --url "$ECHO_URL"
    done < <(selection)
}

@test "every client is served at the desk: refusal, rooms, events, a reconnect" {
    local user=20
    start_siod -o engineio.allow_eio3=true
    while read -r client transports; do
        user=$((user + 2))
        scenario node "$ROOT/tests/lib/clients.mjs" desk --client "$client" --transports "$transports" \
            --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" \
            --tokens "$(token $user 1),$(token $((user + 1)) 1)" --phone-number-id "$PHONE_NUMBER_ID"
    done < <(selection)
}

@test "python3-socketio exchanges events, acks and binary, and more than sixteen packets at once" {
    local transports
    [[ -x /usr/bin/python3 ]] && /usr/bin/python3 -c 'import socketio' 2>/dev/null || skip "no python3-socketio"
    start_echo
    for transports in "${TRANSPORTS[@]}"; do
        scenario /usr/bin/python3 "$ROOT/tests/lib/clients.py" "$ECHO_URL" "$transports"
    done
}

@test "a client of Socket.IO 2 is told that its protocol is not served, and the log says who it was" {
    start_siod
    run curl -sS -A 'an old app/1.0' "$SIOD_URL/socket.io/?EIO=3&transport=polling"
    assert_equal "$output" '{"code":5,"message":"Unsupported protocol version"}'
    wait_until log_has 'unsupported protocol version.*an old app/1.0'
}
