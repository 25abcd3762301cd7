#!/usr/bin/env bats
# How siod ends: what is in flight is finished, clients notice and come back.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    [[ -z ${UPLOAD:-} ]] || kill "$UPLOAD" 2>/dev/null || :
    teardown_siod
}

# A webhook whose body does not end: its request is in flight until then.
open_upload() {
    local port=${SIOD_URL##*:} fd
    mkfifo "$BATS_TEST_TMPDIR/upload"
    socat -u "PIPE:$BATS_TEST_TMPDIR/upload" "TCP:127.0.0.1:$port" 3>&- &
    UPLOAD=$!
    exec {fd}>"$BATS_TEST_TMPDIR/upload"
    printf 'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n%s\r\n\r\n{"a":' \
        'Content-Length: 1000' "X-Hub-Signature-256: sha256=$(printf '0%.0s' {1..64})" >&"$fd"
}

in_flight() {
    (($(metric siod_webhook_body_bytes_in_flight) > 0))
}

@test "SIGTERM ends it with status 0, and clients come back to the next daemon without having been told to go" {
    local port transports
    start_siod
    port=${SIOD_URL##*:}
    agent_connected websocket --token "$(token 7 1)" --transports websocket
    agent_connected polling --token "$(token 8 1)" --transports polling
    stop_siod
    for transports in websocket polling; do
        wait_until agent_saw $transports '.type == "disconnect"'
        refute agent_saw $transports '.reason == "io server disconnect"'
    done

    launch_siod --dev "$SIOD_DIR" -o "http.listen=127.0.0.1:$port"
    wait_until siod_is_ready
    for transports in websocket polling; do
        back() { (($(agent_lines "$transports" '.type == "connect"' | wc -l) == 2)); }
        wait_until back
    done
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    wait_until agent_saw websocket '.event == "whatsapp_message_received"'
    wait_until agent_saw polling '.event == "whatsapp_message_received"'
}

@test "who is typing stops at SIGTERM: the others come back and see nobody type" {
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    for i in 7 8; do
        agent_connected "a$i" --token "$(token $i 1)" --transports websocket
        assert_equal "$(agent_asks "a$i" join_chat 1 | jq .ok)" true
    done
    agent_tell a7 '{"emit":["typing_start",{"chatId":1}]}'
    wait_until agent_saw a8 '.event == "user_typing"'
    stop_siod
    wait_until agent_saw a8 '.type == "disconnect"'
    agent_saw a8 '.event == "user_stop_typing" and .args[0].userId == 7'
}

@test "webhooks that are in flight at SIGTERM are answered or not accepted, never half done" {
    start_siod
    node "$ROOT/tests/lib/flood.mjs" --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" --count 100000 \
        >"$BATS_TEST_TMPDIR/flood" 3>&- &
    local flood=$!
    some() { (($(grep -c '^200 ' "$BATS_TEST_TMPDIR/flood") > 20)); }
    wait_until some
    stop_siod
    wait $flood
    assert_equal "$(sed -n 's/^200 //p' "$BATS_TEST_TMPDIR/flood" | sort |
        comm -23 - <(sql "SELECT CAST(wamid AS TEXT) FROM message" | sort))" ""
}

@test "an upload that never ends holds SIGTERM up for at most 10 s" {
    start_siod
    open_upload
    wait_until in_flight
    stop_siod
}

@test "a second SIGTERM ends it at once" {
    start_siod
    open_upload
    wait_until in_flight
    ended_by_another
}

# ended_by_another: SIGTERM, again and again. What comes right behind the first one is the same wish.
ended_by_another() {
    local pid=$SIOD_PID status=0
    SIOD_PID=
    wait_until -t 6 told_to_end "$pid"
    wait "$pid" || status=$?
    assert_equal "exit status $status" "exit status 1"
    log_has 'siod: stopped at once'
}

told_to_end() {
    kill -TERM "$1" 2>/dev/null || :
    has_ended "$1"
}

@test "two signals at the same moment are one: the end is orderly" {
    start_siod
    kill -STOP "$SIOD_PID"
    kill -TERM "$SIOD_PID"
    kill -INT "$SIOD_PID"
    kill -CONT "$SIOD_PID"
    stop_siod
}

@test "a second SIGTERM ends it at once even while it waits for a file that cannot be read" {
    export FAULTIO_MATCH=jwt.key FAULTIO_CONTROL=$BATS_TEST_TMPDIR/mode
    SIOD_PRELOAD=${SIOD_TESTS:-$SIOD_BIN/../tests}/faultio.so start_siod
    echo hang-open >"$FAULTIO_CONTROL"
    kill -HUP "$SIOD_PID"
    wait_until is_held_up
    ended_by_another
}

is_held_up() {
    ! curl -sS --max-time 1 "$SIOD_URL/healthz" 2>/dev/null
}

@test "a daemon that waits for a file that cannot be read ends within 10 s of SIGTERM" {
    export FAULTIO_MATCH=jwt.key FAULTIO_CONTROL=$BATS_TEST_TMPDIR/mode
    SIOD_PRELOAD=${SIOD_TESTS:-$SIOD_BIN/../tests}/faultio.so start_siod
    echo hang-open >"$FAULTIO_CONTROL"
    kill -HUP "$SIOD_PID"
    wait_until is_held_up
    stop_siod
    log_has 'ended without waiting'
}

@test "after an orderly end nothing is left to recover, and the control socket is gone" {
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    stop_siod
    [[ ! -e $SIOD_SOCKET ]]
    [[ ! -s $SIOD_DIR/siod.db-wal ]]
}
