#!/usr/bin/env bats
# Every way in which a token can be wrong, each with its code; and the ways in which it may look unusual and be right.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

# connect_with TOKEN_AS_JSON
connect_with() {
    connect_as "{\"token\":$1}"
}

# connect_as AUTH: one more attempt by the agent; prints the code, or `connected`.
connect_as() {
    local before
    before=$(outcomes | wc -l)
    agent_tell a "{\"disconnect\":true}"
    agent_tell a "{\"auth\":$1}"
    agent_tell a '{"connect":true}'
    wait_until more_outcomes "$before"
    outcomes | tail -n 1
}

outcomes() {
    agent_lines a '.type == "connect" or .type == "connect_error"' |
        jq -r 'if .type == "connect" then "connected" else .data.code // .message end'
}

more_outcomes() {
    (($(outcomes | wc -l) > $1))
}

with_token() {
    connect_with "\"$1\""
}

claims() {
    with_token "$(jwt "$1")"
}

# A good token, but for its signature in base64 where base64url belongs.
plus_in_signature() {
    local user=0 good=
    until [[ ${good##*.} == *-* ]]; do
        user=$((user + 1))
        good=$(token $user 1)
    done
    echo "${good%.*}.$(tr -- '-_' '+/' <<<"${good##*.}")"
}

start_agent() {
    start_siod "$@"
    agent_start a --transports websocket
    wait_until more_outcomes 0
    now=$EPOCHSECONDS
    later=$((now + 3600))
}

@test "a missing token is token_missing" {
    start_agent
    assert_equal "$(outcomes)" token_missing
    assert_equal "$(connect_with null)" token_missing
    assert_equal "$(agent_lines a '.type == "connect_error"' | tail -n 1 | jq -r .message)" unauthorized
}

@test "an auth object that is too large is told so, not that it has no token" {
    local many deep
    start_agent
    many=$(jq -nc --arg t "$(token 7 1)" '[range(257) | {"key": "k\(.)", "value": 1}] | from_entries + {token: $t}')
    deep=$(jq -nc --arg t "$(token 7 1)" 'reduce range(40) as $i ({}; {a: .}) + {token: $t}')
    assert_equal "$(connect_as "$many")" too_large
    assert_equal "$(connect_as "$deep")" too_large
    assert_equal "$(connect_as "$(jq -c 'del(.k1, .k2)' <<<"$many")")" connected
}

@test "what is no token, or has the wrong form, is token_invalid" {
    local good head body signature
    start_agent
    good=$(token 7 1)
    IFS=. read -r head body signature <<<"$good"
    assert_equal "$(with_token "$good")" connected

    assert_equal "$(connect_with 5)" token_invalid
    assert_equal "$(with_token abc)" token_invalid
    assert_equal "$(with_token "..")" token_invalid
    assert_equal "$(with_token "$head.$body")" token_invalid
    assert_equal "$(with_token "$head.$body.")" token_invalid
    assert_equal "$(with_token "$good.x")" token_invalid
    assert_equal "$(with_token "$good=")" token_invalid
    assert_equal "$(with_token " $good")" token_invalid
    assert_equal "$(with_token "$(plus_in_signature)")" token_invalid
    assert_equal "$(with_token "$(head -c 9000 /dev/zero | tr '\0' a)")" token_invalid
}

@test "a signature that does not match is token_invalid" {
    local head body signature other
    start_agent
    IFS=. read -r head body signature <<<"$(token 7 1)"
    other=$(printf '{"userId":8,"businessId":1,"exp":%s}' $later | base64url)
    assert_equal "$(with_token "$head.$other.$signature")" token_invalid
    printf 'another secret\n' >"$BATS_TEST_TMPDIR/other.key"
    assert_equal "$(with_token "$(jwt "{\"userId\":7,\"businessId\":1,\"exp\":$later}" '{"alg":"HS256"}' \
        "$BATS_TEST_TMPDIR/other.key")")" token_invalid
}

@test "an algorithm other than the configured one is token_invalid, whatever the signature" {
    local good header
    start_agent
    good="{\"userId\":7,\"businessId\":1,\"exp\":$later}"
    for header in '{"alg":"HS512"}' '{"alg":"RS256"}' '{"alg":"none"}' '{"alg":"hs256"}' '{}' '[]' '{"alg":["HS256"]}'; do
        assert_equal "$header $(with_token "$(jwt "$good" "$header")")" "$header token_invalid"
    done
    assert_equal "$(with_token "$(printf '{"alg":"none"}' | base64url).$(printf %s "$good" | base64url).")" token_invalid
    assert_equal "$(with_token "$(jwt "$good" '{"alg":"HS256","crit":["x"],"x":1}')")" token_invalid
}

@test "a token whose time is over, or has not come, says so" {
    start_agent
    assert_equal "$(claims "{\"userId\":7,\"businessId\":1,\"exp\":$((now - 60))}")" token_expired
    assert_equal "$(claims "{\"userId\":7,\"businessId\":1,\"exp\":$later,\"nbf\":$((now + 600))}")" token_not_yet_valid
    assert_equal "$(claims "{\"userId\":7,\"businessId\":1,\"exp\":$later,\"iat\":$((now + 600))}")" token_not_yet_valid
    assert_equal "$(claims "{\"userId\":7,\"businessId\":1,\"exp\":$later,\"nbf\":$((now - 5))}")" connected
}

@test "claims that are missing or wrong are claims_invalid" {
    local wrong
    start_agent
    for wrong in '"businessId":1' '"userId":7' '"userId":0,"businessId":1' '"userId":7,"businessId":-1' \
        '"userId":1.5,"businessId":1' '"userId":"x","businessId":1' '"userId":9007199254740992,"businessId":1' \
        '"userId":null,"businessId":1' '"userId":7,"businessId":1,"role":"owner"' '"userId":[7],"businessId":1'; do
        assert_equal "$wrong $(claims "{$wrong,\"exp\":$later}")" "$wrong claims_invalid"
    done
    assert_equal "$(claims '{"userId":7,"businessId":1}')" claims_invalid
    assert_equal "$(claims '{"userId":7,"businessId":1,"exp":"tomorrow"}')" claims_invalid
}

@test "ids may be digits in a string" {
    start_agent
    assert_equal "$(claims "{\"userId\":\"7\",\"businessId\":\"1\",\"exp\":$later}")" connected
}

@test "issuer and audience are checked when they are configured" {
    start_agent -o jwt.issuer=desk -o jwt.audience=siod
    local good="\"userId\":7,\"businessId\":1,\"exp\":$later"
    assert_equal "$(claims "{$good,\"iss\":\"desk\",\"aud\":\"siod\"}")" connected
    assert_equal "$(claims "{$good,\"iss\":\"desk\",\"aud\":[\"x\",\"siod\"]}")" connected
    assert_equal "$(claims "{$good,\"iss\":\"other\",\"aud\":\"siod\"}")" claims_invalid
    assert_equal "$(claims "{$good,\"iss\":\"desk\",\"aud\":[\"x\"]}")" claims_invalid
    assert_equal "$(claims "{$good}")" claims_invalid
}

@test "each of several keys is good, and kid chooses one" {
    local good
    printf 'first secret\n' >"$SIOD_DIR/first.key"
    printf 'second secret\n' >"$SIOD_DIR/second.key"
    start_agent -o "jwt.key_files=$SIOD_DIR/first.key,$SIOD_DIR/second.key"
    good="{\"userId\":7,\"businessId\":1,\"exp\":$later}"
    assert_equal "$(with_token "$(jwt "$good" '{"alg":"HS256"}' "$SIOD_DIR/first.key")")" connected
    assert_equal "$(with_token "$(jwt "$good" '{"alg":"HS256"}' "$SIOD_DIR/second.key")")" connected
    assert_equal "$(with_token "$(jwt "$good" '{"alg":"HS256","kid":"second"}' "$SIOD_DIR/second.key")")" connected
    assert_equal "$(with_token "$(jwt "$good" '{"alg":"HS256","kid":"first"}' "$SIOD_DIR/second.key")")" token_invalid
    assert_equal "$(with_token "$(jwt "$good" '{"alg":"HS256","kid":"third"}' "$SIOD_DIR/second.key")")" token_invalid
}

@test "an RS256 key accepts its own tokens and no HS256 forgery made with its public half" {
    local head body
    openssl genrsa -out "$BATS_TEST_TMPDIR/private.pem" 2048 2>/dev/null
    openssl rsa -in "$BATS_TEST_TMPDIR/private.pem" -pubout -out "$SIOD_DIR/public.pem" 2>/dev/null
    start_agent -o jwt.algorithm=RS256 -o "jwt.key_files=$SIOD_DIR/public.pem"
    head=$(printf '{"alg":"RS256"}' | base64url)
    body=$(printf '{"userId":7,"businessId":1,"exp":%s}' $later | base64url)
    assert_equal "$(with_token "$head.$body.$(printf %s "$head.$body" |
        openssl dgst -sha256 -sign "$BATS_TEST_TMPDIR/private.pem" | base64url)")" connected
    assert_equal "$(with_token "$(jwt "{\"userId\":7,\"businessId\":1,\"exp\":$later}" '{"alg":"HS256"}' \
        "$SIOD_DIR/public.pem")")" token_invalid
}

@test "a connected socket is closed when its token expires" {
    start_agent -o jwt.leeway_s=0
    assert_equal "$(claims "{\"userId\":7,\"businessId\":1,\"exp\":$((EPOCHSECONDS + 4))}")" connected
    wait_until agent_saw a '.type == "disconnect" and .reason == "transport close"'
    wait_until agent_saw a '.type == "connect_error" and .data.code == "token_expired"'
}

@test "a token that is accepted late, for clocks that differ, keeps its socket" {
    start_agent -o jwt.leeway_s=3600
    assert_equal "$(claims "{\"userId\":7,\"businessId\":1,\"exp\":$((now - 60))}")" connected
    agent_start soon --transports websocket --token "$(jwt "{\"userId\":8,\"businessId\":1,\"exp\":$((EPOCHSECONDS + 3))}")"
    wait_until agent_saw soon '.type == "disconnect"'
    refute agent_saw a '.type == "disconnect" and .reason == "transport close"'
}

@test "no token appears in the log" {
    local good
    start_agent -o log.level=debug
    good=$(token 7 1)
    assert_equal "$(with_token "$good")" connected
    assert_equal "$(with_token "${good%?}")" token_invalid
    refute log_has "${good:0:60}"
    refute log_has "${good: -30:20}"
}
