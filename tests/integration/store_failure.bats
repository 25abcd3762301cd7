#!/usr/bin/env bats
# A store that cannot write: webhooks get 503, nobody is told anything, and when the disk works again so does siod.

load ../lib/siod

setup() {
    setup_siod
    MODE=$BATS_TEST_TMPDIR/mode
    export FAULTIO_MATCH=siod.db FAULTIO_CONTROL=$MODE
    start_with_faults
    agent_connected a --token "$(token 7 1)" --transports websocket
}

start_with_faults() {
    SIOD_PRELOAD=${SIOD_TESTS:-$SIOD_BIN/../tests}/faultio.so start_siod "$@"
}

teardown() {
    rm -f "$MODE"
    teardown_siod
}

readyz() {
    [[ $(curl -sS -o "$BATS_TEST_TMPDIR/why" -w '%{http_code}' "$SIOD_URL/readyz") == "$1" ]]
}

received() {
    agent_events a whatsapp_message_received | jq -r '.args[0].message.wamid' | xargs
}

# fails_and_heals MODE: before, during and after the failure, with what Meta would do.
fails_and_heals() {
    local pid=$SIOD_PID
    assert_equal "$(post_webhook "$(text_webhook wamid.before 16505551234 one)")" 200

    echo "$1" >"$MODE"
    assert_equal "$(post_webhook "$(text_webhook wamid.during 16505551234 two)")" 503
    wait_until readyz 503
    [[ -s $BATS_TEST_TMPDIR/why ]]
    assert_equal "$(post_webhook "$(text_webhook wamid.during 16505551234 two)")" 503
    assert_equal "$(metric siod_store_up)" 0
    log_has 'store failed'

    echo ok >"$MODE"
    wait_until readyz 200
    assert_equal "$(post_webhook "$(text_webhook wamid.during 16505551234 two)")" 200
    assert_equal "$(post_webhook "$(text_webhook wamid.after 16505551234 three)")" 200
    wait_until agent_saw a '.args[0].message.wamid == "wamid.after"'

    assert_equal "$(received)" "wamid.before wamid.during wamid.after"
    assert_equal "$SIOD_PID" "$pid"
    assert_equal "$(sql "SELECT group_concat(CAST(wamid AS TEXT), ' ') FROM (SELECT wamid FROM message ORDER BY id)")" \
        "wamid.before wamid.during wamid.after"
    assert_equal "$(sql "SELECT count(*) = max(position) AND min(position) = 1 FROM log")" 1
    assert_equal "$(sql "SELECT count(*) FROM log WHERE CAST(event AS TEXT) NOT LIKE 'chat_%'")" 6
    refute agent_saw a '.type == "disconnect"'
}

@test "a full disk: 503 and no event, and it recovers without a restart" {
    fails_and_heals enospc
}

@test "on a full disk nothing is revoked, and whoever asked is told" {
    local words code=0
    echo enospc >"$MODE"
    refute sioctl token revoke --user 7 --business 1
    store_is_down() { [[ $(metric siod_store_up) == 0 ]]; }
    wait_until store_is_down
    words=$(sioctl token revoke --user 7 --business 1 2>&1) || code=$?
    assert_equal "$code" 1
    assert_contains "$words" store_failed
    refute agent_saw a '.type == "disconnect"'

    echo ok >"$MODE"
    wait_until readyz 200
    assert_equal "$(sioctl -o json token revocations)" '[]'
    sioctl token revoke --user 7 --business 1
    wait_until agent_saw a '.data.code == "token_revoked"'
}

@test "on a full disk a socket is kicked, and whoever asked is told that a restart may undo it" {
    local words code=0
    echo enospc >"$MODE"
    words=$(sioctl socket kick --user 7 2>&1) || code=$?
    assert_equal "$code" 1
    assert_contains "$words" 'done, but not recorded'
    wait_until agent_saw a '.type == "disconnect" and .reason == "io server disconnect"'
}

@test "a disk that became read-only: 503 and no event, and it recovers without a restart" {
    fails_and_heals erofs
}

@test "a failing fsync: 503 and no event, and it recovers without a restart" {
    fails_and_heals eio-fsync
}

@test "what is read still works while nothing can be written" {
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    echo enospc >"$MODE"
    assert_equal "$(post_webhook "$(text_webhook wamid.2 16505551234 two)")" 503
    assert_equal "$(agent_asks a join_chat 1 '{"history":5}' | jq -c '[.messages[].wamid]')" '["wamid.1"]'
    assert_equal "$(curl -sS -o /dev/null -w '%{http_code}' "$SIOD_URL/healthz")" 200
}

@test "a chat that cannot be left for good is not left" {
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
    recorded() { [[ $(sql "SELECT count(*) FROM session WHERE instr(state, 'chat_1')") == 1 ]]; }
    wait_until recorded
    echo enospc >"$MODE"
    assert_equal "$(agent_asks a leave_chat 1 | jq -r .error.code)" store_failed
    assert_equal "$(agent_asks a typing_start '{"chatId":1}')" '{"ok":true}'
    assert_equal "$(sioctl room show chat_1 -o json | jq '.members | length')" 1

    echo ok >"$MODE"
    wait_until readyz 200
    assert_equal "$(agent_asks a leave_chat 1)" '{"ok":true,"chatId":1}'
    assert_equal "$(agent_asks a typing_start '{"chatId":1}' | jq -r .error.code)" not_in_chat
    refute recorded
}

@test "who leaves while nothing can be written is offline and has given back once it can" {
    agent_stop a
    stop_siod
    start_with_faults -o presence.offline_grace_ms=300
    agent_connected c --token "$(token 7 1)" --transports websocket
    agent_connected b --token "$(token 8 1)" --transports websocket
    agent_asks b agent_status_update '"away"'
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    wait_until agent_saw b '.event == "chat_assigned"'
    echo enospc >"$MODE"
    agent_stop c
    wait_until agent_saw b '.event == "user_offline"'
    echo ok >"$MODE"
    wait_until agent_saw b '.event == "chat_waiting"'
    assert_equal "$(sql 'SELECT online FROM agent WHERE user_id = 7')" 0
}

@test "a daemon whose store fails all the time still ends in an orderly way" {
    echo eio-fsync >"$MODE"
    assert_equal "$(post_webhook "$(text_webhook wamid.1 16505551234 one)")" 503
    agent_stop a
    stop_siod
}
