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
