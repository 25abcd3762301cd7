#!/usr/bin/env bats
# Tokens that are taken back: who is thrown out, who is not, and that it lasts.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

# minted USER BUSINESS [ARGUMENT…]: a token of the daemon's.
minted() {
    sioctl token mint --user "$1" --business "$2" "${@:3}"
}

# enter NAME TOKEN: an agent that is connected with it.
enter() {
    agent_connected "$1" --transports websocket --token "$2"
}

was_closed() {
    agent_saw "$1" '.type == "disconnect" and .reason == "transport close"'
}

is_refused() {
    agent_saw "$1" '.type == "connect_error" and .message == "unauthorized" and .data.code == "token_revoked"'
}

# After the answer to a question that was asked later, nothing can still be on its way.
still_there() {
    assert_equal "$(agent_asks "$1" agent_status_update '"busy"' | jq -r .ok)" true
    refute agent_saw "$1" '.type == "disconnect"'
}

# api TOKEN: prints the HTTP status and the code of a refusal.
api() {
    curl -sS -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' -H "Authorization: Bearer $1" "$SIOD_URL/api/chats"
    jq -r '" " + (.code // "")' "$BATS_TEST_TMPDIR/answer"
}

verdict() {
    local token=$1
    sioctl -o json token verify - <<<"$token" 2>/dev/null | jq -r '.code // "valid"'
}

# exits STATUS COMMAND…: what it says is in $words.
exits() {
    local code=0
    words=$("${@:2}" 2>&1) || code=$?
    assert_equal "${*:2}: $code" "${*:2}: $1"
}

is_second() {
    ((EPOCHSECONDS >= $1))
}

next_second() {
    wait_until is_second $((EPOCHSECONDS + 1))
}

@test "revoking a user closes that user's sockets and no others" {
    start_siod
    enter first "$(minted 7 1)"
    enter second "$(minted 7 1)"
    enter colleague "$(minted 8 1)"
    enter namesake "$(minted 7 2)"
    sioctl -o json token revoke --user 7 --business 1 --reason 'laptop lost' >"$BATS_TEST_TMPDIR/revoked"
    assert_equal "$(jq -c '[.jti, .userId, .businessId, .expiresAt, .reason, .closed]' "$BATS_TEST_TMPDIR/revoked")" \
        '[null,7,1,null,"laptop lost",2]'
    wait_until was_closed first
    wait_until was_closed second
    wait_until is_refused first
    wait_until is_refused second
    still_there colleague
    still_there namesake
    assert_equal "$(metric 'siod_revoked_tokens_total{result="closed"}')" 2
    (($(metric 'siod_revoked_tokens_total{result="refused"}') >= 2))
    assert_equal "$(metric siod_revocations)" 1
    log_has 'token revoked socket=.* user=7 business=1'
    log_has 'revoked jti="" user=7 business=1 .* sockets=2 who="uid '
    log_has 'connect refused code=token_revoked'
}

@test "a token that is minted after its user was revoked is good at once" {
    local old new
    start_siod
    for _ in 1 2 3; do
        old=$(minted 7 1)
        sioctl token revoke --user 7 --business 1
        new=$(minted 7 1)
        assert_equal "$(verdict "$old")" token_revoked
        assert_equal "$(verdict "$new")" valid
        assert_equal "$(api "$new")" "200 "
    done
    enter a "$new"
    still_there a
    assert_equal "$(sioctl -o json token revocations | jq length)" 1
}

@test "whoever hangs up while a token waits to be minted leaves nothing behind" {
    start_siod
    next_second
    sioctl token revoke --user 7 --business 1
    timeout 0.1 "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" token mint --user 7 --business 1 3>&- || :
    next_second
    next_second
    assert_equal "$(verdict "$(minted 7 1)")" valid
}

@test "a page that reconnects with its new token is let in" {
    start_siod
    enter a "$(minted 7 1)"
    sioctl token revoke --user 7 --business 1
    wait_until is_refused a
    agent_tell a "{\"auth\":{\"token\":\"$(minted 7 1)\"}}"
    agent_tell a '{"disconnect":true}'
    agent_tell a '{"connect":true}'
    connected_twice() { (($(agent_lines a '.type == "connect"' | wc -l) == 2)); }
    wait_until connected_twice
}

@test "a token that is revoked itself leaves its user's others alone" {
    local lost kept
    start_siod
    lost=$(minted 7 1)
    kept=$(minted 7 1)
    enter lost "$lost"
    enter kept "$kept"
    sioctl -o json token revoke - <<<"$lost" >"$BATS_TEST_TMPDIR/revoked"
    assert_equal "$(jq -c '[.jti, .userId, .businessId, .issuedBefore, .closed]' "$BATS_TEST_TMPDIR/revoked")" \
        "[$(sioctl -o json token decode "$lost" | jq .claims.jti),7,1,null,1]"
    assert_equal "$(jq -r .expiresAt "$BATS_TEST_TMPDIR/revoked")" \
        "$(sioctl -o json token decode "$lost" | jq -r '.claims.exp | strftime("%FT%T.000Z")')"
    wait_until was_closed lost
    wait_until is_refused lost
    still_there kept
    assert_equal "$(api "$lost")" "401 token_revoked"
    assert_equal "$(api "$kept")" "200 "
    assert_equal "$(sioctl -o json token revoke "$lost" | jq .closed)" 0
    assert_equal "$(sioctl -o json token revocations | jq length)" 1
}

@test "a jti is enough to revoke its token" {
    local token
    start_siod
    token=$(token 7 1 '"jti":"it is; this \"one\""')
    enter a "$token"
    enter b "$(token 7 1 '"jti":"another"')"
    enter c "$(token 7 1)"
    assert_equal "$(verdict "$token")" valid
    assert_equal "$(sioctl -o json token revoke --jti 'it is; this "one"' | jq -c '[.userId, .expiresAt, .closed]')" \
        '[null,null,1]'
    wait_until is_refused a
    still_there b
    still_there c
    assert_equal "$(verdict "$token")" token_revoked
}

@test "a jti that a socket on polling has closes that socket too" {
    start_siod
    agent_connected a --transports polling --token "$(token 7 1 '"jti":"slow"')"
    sioctl token revoke --jti slow
    wait_until agent_saw a '.type == "disconnect"'
    wait_until is_refused a
}

@test "tokens without iat are covered by any revocation of their user, those with one by its time" {
    local never old new fraction now=$EPOCHSECONDS
    start_siod
    never=$(token 7 1)
    old=$(token 7 1 "\"iat\":$((now - 100))")
    fraction=$(token 7 1 "\"iat\":$((now - 51)).25")
    new=$(token 7 1 "\"iat\":$((now - 10))")
    enter old "$old"
    enter new "$new"
    assert_equal "$(sioctl -o json token revoke --user 7 --business 1 \
        --reason earlier --issued-before "$(date -u -d "@$((now - 51))" +%FT%T.250Z)" | jq .closed)" 1
    wait_until is_refused old
    assert_equal "$(verdict "$never")" token_revoked
    assert_equal "$(verdict "$old")" token_revoked
    assert_equal "$(verdict "$fraction")" valid
    assert_equal "$(verdict "$new")" valid
    still_there new
    sioctl token revoke --user 7 --business 1 --issued-before "$(date -u -d "@$((now - 51))" +%FT%T.251Z)" --reason later
    assert_equal "$(verdict "$fraction")" token_revoked
    sioctl token revoke --user 7 --business 1 --issued-before 100d --reason weaker
    assert_equal "$(verdict "$fraction")" token_revoked
    assert_equal "$(sioctl -o json token revocations | jq -r '.[] | .issuedBefore, .reason')" \
        "$(date -u -d "@$((now - 51))" +%FT%T.251Z)"$'\nlater'
    still_there new
}

@test "a token of the very second in which its user is revoked is taken for an earlier one" {
    local token
    start_siod
    next_second
    token=$(token 7 1 "\"iat\":$EPOCHSECONDS")
    assert_equal "$(verdict "$token")" valid
    sioctl token revoke --user 7 --business 1
    assert_equal "$(verdict "$token")" token_revoked
}

@test "a token without jti is revoked with those that its user was given before" {
    local before it after now=$EPOCHSECONDS
    start_siod
    before=$(token 7 1 "\"iat\":$((now - 20))")
    it=$(token 7 1 "\"iat\":$((now - 10))")
    after=$(token 7 1 "\"iat\":$((now - 9))")
    enter it "$it"
    enter after "$after"
    assert_equal "$(sioctl -o json token revoke "$it" | jq -c '[.jti, .userId, .businessId, .closed]')" '[null,7,1,1]'
    wait_until is_refused it
    assert_equal "$(verdict "$before")" token_revoked
    still_there after
    sioctl token revoke "$(token 8 1)"
    assert_equal "$(verdict "$(token 8 1)")" token_revoked
    assert_equal "$(verdict "$(minted 8 1)")" valid
}

@test "a revocation outlives siod, also one that is killed right after the answer" {
    local user one other
    start_siod
    user=$(minted 7 1)
    one=$(minted 8 1)
    other=$(minted 8 1)
    sioctl token revoke --user 7 --business 1
    sioctl token revoke "$one"
    kill_siod
    start_siod
    assert_equal "$(metric siod_revocations)" 2
    agent_start a --transports websocket --token "$user"
    agent_start b --transports websocket --token "$one"
    wait_until is_refused a
    wait_until is_refused b
    enter c "$other"
    stop_siod
    start_siod
    assert_equal "$(verdict "$user")" token_revoked
    assert_equal "$(verdict "$one")" token_revoked
    assert_equal "$(verdict "$other")" valid
}

@test "what nobody could use any more is purged, the rest is kept" {
    start_siod
    sioctl token revoke --jti unknown
    sioctl token revoke "$(minted 7 1)"
    sioctl token revoke --user 9 --business 1
    stop_siod
    sqlite3 "$SIOD_DIR/siod.db" "
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
        INSERT INTO revocation (jti, business_id, user_id, issued_before_ms, expires_s, at_ms, who, reason)
        SELECT CAST('old' || i AS BLOB), 1, 7, 0, unixepoch() - 90000, 1, X'', X'' FROM n"
    start_siod
    three_left() { [[ $(metric siod_revocations) == 3 && $(sql 'SELECT count(*) FROM revocation') == 3 ]]; }
    wait_until three_left
    assert_equal "$(sioctl -o json token revocations | jq -c '[.[].jti != null] | sort')" '[false,true,true]'
}

@test "the list says what, whose, when, by whom and why" {
    start_siod
    sioctl token revoke --jti abc --reason 'found on a wiki'
    next_second
    sioctl token revoke --user 7 --business 1
    assert_equal "$(sioctl -o json token revocations | jq -c '[.[] | [.jti, .userId, .businessId, .reason, .who]]')" \
        "[[null,7,1,null,\"uid $UID\"],[\"abc\",null,null,\"found on a wiki\",\"uid $UID\"]]"
    assert_equal "$(sioctl -o tsv token revocations | cut -f 2,3,4,8)" $'\t7\t1\t\nabc\t\t\tfound on a wiki'
}

@test "what cannot be revoked is refused, and nothing is" {
    local wrong
    start_siod
    for wrong in '' '--jti a --user 7 --business 1' '--user 7' '--user x --business 1' '--jti a --business 1' \
        '--jti a --issued-before 1h' '--user 7 --business 1 --issued-before tomorrow' \
        '--user 7 --business 1 --issued-before 2999-01-01T00:00:00Z' '--user 7 --business 1 --issued-before 36000d'; do
        # shellcheck disable=SC2086 # words
        exits 2 sioctl token revoke $wrong
    done
    exits 2 sioctl token revoke --jti "$(printf 'x%.0s' {1..65})"
    exits 2 sioctl token revoke --jti ''
    exits 1 sioctl token revoke not.a.token
    assert_contains "$words" token_invalid
    exits 1 sioctl token revoke "$(jwt '{"userId":7,"businessId":1,"exp":1000}')"
    assert_contains "$words" token_expired
    exits 1 sioctl token revoke "$(token 7 1 "\"nbf\":$((EPOCHSECONDS + 600))")"
    assert_contains "$words" --jti
    assert_equal "$(sioctl -o json token revocations)" '[]'
}

@test "a jti has at most 64 bytes and is text, or its token is no good" {
    local long
    start_siod
    long=$(printf 'x%.0s' {1..64})
    assert_equal "$(verdict "$(token 7 1 "\"jti\":\"$long\"")")" valid
    assert_equal "$(verdict "$(token 7 1 "\"jti\":\"${long}x\"")")" claims_invalid
    assert_equal "$(verdict "$(token 7 1 '"jti":5')")" claims_invalid
    sioctl token revoke --jti "$long"
    assert_equal "$(verdict "$(token 7 1 "\"jti\":\"$long\"")")" token_revoked
    assert_equal "$(verdict "$(token 7 1 "\"jti\":\"${long%x}\"")")" valid
}

@test "neither audit nor log shows the token that was revoked" {
    local token
    start_siod -o log.level=debug
    token=$(minted 7 1)
    sioctl token revoke "$token" --reason leaked
    assert_equal "$(sioctl -o json audit | jq -c '.[0] | [.command, .args.token, .args.reason]')" \
        "[\"token revoke\",\"${#token} bytes\",\"leaked\"]"
    refute log_has "${token:0:60}"
    refute log_has "${token: -30:20}"
}
