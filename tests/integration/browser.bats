#!/usr/bin/env bats
# A desk page in headless Chromium, from another origin than siod's, with the client bundle.
bats_require_minimum_version 1.5.0
load ../lib/siod
load ../lib/nginx

ORIGIN=http://desk.example
BUNDLE=$ROOT/tests/node_modules/socket.io-client/dist/socket.io.min.js

setup() {
    command -v chromium >/dev/null || skip "no chromium: ./dev test --all installs it"
    setup_siod
}

teardown() {
    if [[ -n ${ECHO_PID:-} ]]; then
        kill "$ECHO_PID" 2>/dev/null || :
    fi
    teardown_nginx
    teardown_siod
}

# browse SCENARIO ORIGIN URL [ARGUMENT…]: what the page says in the end is in $outcome.
browse() {
    outcome=$(timeout 90 node "$ROOT/tests/lib/browser.mjs" "$1" --origin "$2" --url "$3" "${@:4}" 3>&-)
}

# at_the_desk URL [ARGUMENT…]
at_the_desk() {
    browse desk "$ORIGIN" "$1" --token "$(token 7 1)" --secret-file "$SIOD_DIR/app.secret" \
        --phone-number-id "$PHONE_NUMBER_ID" "${@:2}"
    assert_equal "$outcome" '{"transports":["polling","websocket"],"messages":["two","three"],"history":["one","two"]}'
}

echo_is_ready() {
    ECHO_URL=http://$(sed -n 's/^ready on //p' "$BATS_TEST_TMPDIR/echo.log" | head -n 1)
    [[ $ECHO_URL != http:// ]]
}

@test "a page of a listed origin works at the desk, with the client that siod serves and credentials" {
    start_siod -o "http.cors_origins=$ORIGIN" -o "http.client_bundle_file=$BUNDLE"
    at_the_desk "$SIOD_URL" --bundle "$SIOD_URL/socket.io/socket.io.min.js"
}

@test "a page of another origin gets no session, on neither transport" {
    start_siod -o "http.cors_origins=$ORIGIN"
    browse refused http://other.example "$SIOD_URL" --token "$(token 7 1)"
    assert_equal "$outcome" '{"polling":"xhr poll error","websocket":"websocket error"}'
    assert_equal "$(metric siod_engineio_sessions_opened_total)" 0
    assert_equal "$(metric siod_engineio_handshakes_refused_total)" 2
    browse refused "$ORIGIN" "$SIOD_URL" --token "$(token 7 1)"
    assert_equal "$outcome" '{"polling":"connected","websocket":"connected"}'
}

@test "without a list, a page of another origin may not read answers over polling" {
    start_siod
    browse refused "$ORIGIN" "$SIOD_URL" --token "$(token 7 1)"
    assert_equal "$(jq -r .polling <<<"$outcome")" 'xhr poll error'
}

@test "binary of every kind that a browser has comes back as it was, on both transports and after a reconnect" {
    in_background "$SIOD_TESTS/conformance_server" --listen 127.0.0.1:0 --cors-origin "$ORIGIN" \
        --ping-interval 25000 --ping-timeout 20000 2>"$BATS_TEST_TMPDIR/echo.log"
    ECHO_PID=$!
    wait_until echo_is_ready
    browse echo "$ORIGIN" "$ECHO_URL"
    assert_equal "$outcome" '{"transports":["polling","websocket"]}'
}

@test "a page works at the desk through nginx with TLS" {
    has_nginx || skip "no nginx: ./dev test --all installs it"
    start_siod -o "http.cors_origins=$ORIGIN" -o http.trusted_proxies=127.0.0.1
    start_nginx
    NODE_EXTRA_CA_CERTS=$NGINX_CERTIFICATE at_the_desk "$NGINX_URL"
}
