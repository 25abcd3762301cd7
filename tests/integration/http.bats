#!/usr/bin/env bats
# Where siod listens and what it says about itself.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

status_of() {
    curl -sS -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' "$@"
}

@test "healthz and readyz answer 200 on a daemon that is well" {
    start_siod
    assert_equal "$(status_of "$SIOD_URL/healthz")" 200
    assert_equal "$(status_of "$SIOD_URL/readyz")" 200
}

@test "metrics are OpenMetrics and count what happened" {
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    assert_equal "$(status_of "$SIOD_URL/metrics")" 200
    assert_equal "$(tail -n 1 "$BATS_TEST_TMPDIR/answer")" "# EOF"
    assert_equal "$(metric 'siod_webhooks_total{result="accepted"}')" 1
    assert_equal "$(metric 'siod_messages_total{direction="inbound"}')" 1
    assert_equal "$(metric siod_store_up)" 1
}

@test "with an admin listener, health and metrics are there and only there" {
    start_siod -o http.admin_listen="unix:$SIOD_DIR/admin.sock"
    assert_equal "$(status_of "$SIOD_URL/healthz")" 404
    assert_equal "$(status_of "$SIOD_URL/metrics")" 404
    assert_equal "$(status_of --unix-socket "$SIOD_DIR/admin.sock" http://siod/healthz)" 200
    assert_equal "$(status_of --unix-socket "$SIOD_DIR/admin.sock" http://siod/metrics)" 200
    assert_equal "$(status_of --unix-socket "$SIOD_DIR/admin.sock" http://siod/webhook)" 404
}

@test "it listens on a Unix socket beside TCP and removes it at the end" {
    local socket=$SIOD_DIR/http.sock
    start_siod -o "http.listen=127.0.0.1:0,unix:$socket"
    assert_equal "$(status_of --unix-socket "$socket" http://siod/healthz)" 200
    assert_equal "$(status_of "$SIOD_URL/healthz")" 200
    stop_siod
    [[ ! -e $socket ]]
}

# start_activated NAME=ADDRESS… -- ARGUMENT…: a desk that gets these sockets from the service manager.
start_activated() {
    local sockets=()
    while [[ $1 != -- ]]; do
        sockets+=("$1")
        shift
    done
    SIOD_LOG=$BATS_TEST_TMPDIR/siod.log
    in_background python3 "$ROOT/tests/lib/activate.py" "${sockets[@]}" -- "$SIOD_BIN/siod" --dev "$SIOD_DIR" "${@:2}" \
        >"$SIOD_LOG" 2>&1
    SIOD_PID=$!
    wait_until siod_is_ready
}

@test "sockets of the service manager: those named admin are the admin listener's where both take some" {
    start_activated desk=0 "admin=$SIOD_DIR/admin.sock" "=$SIOD_DIR/more.sock" -- \
        -o http.listen=systemd -o http.admin_listen=systemd
    assert_equal "$(sed -n 's/^siod: ready on \([^1]\)/\1/p' "$SIOD_LOG")" "$SIOD_DIR/more.sock"$'\n'"$SIOD_DIR/admin.sock"
    assert_equal "$(status_of "$SIOD_URL/healthz")" 404
    assert_equal "$(status_of "$SIOD_URL/webhook")" 400
    assert_equal "$(status_of --unix-socket "$SIOD_DIR/more.sock" http://siod/webhook)" 400
    assert_equal "$(status_of --unix-socket "$SIOD_DIR/admin.sock" http://siod/healthz)" 200
    assert_equal "$(status_of --unix-socket "$SIOD_DIR/admin.sock" http://siod/webhook)" 404
}

@test "sockets of the service manager are all for the one setting that takes some" {
    start_activated "admin=$SIOD_DIR/admin.sock" desk=0 -- -o http.listen=systemd
    assert_equal "$(status_of --unix-socket "$SIOD_DIR/admin.sock" http://siod/webhook)" 400
    SIOD_URL=http://$(sed -n 's/^siod: ready on \(127.*\)/\1/p' "$SIOD_LOG")
    assert_equal "$(status_of "$SIOD_URL/healthz")" 200
}

certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -addext "subjectAltName=IP:127.0.0.1" -keyout "$SIOD_DIR/tls.key" -out "$SIOD_DIR/tls.pem" 2>/dev/null
}

@test "with a certificate it speaks TLS to agents and to webhooks" {
    certificate siod
    start_siod -o "http.tls_cert_file=$SIOD_DIR/tls.pem" -o "http.tls_key_file=$SIOD_DIR/tls.key"
    SIOD_URL=https://${SIOD_URL#*://}
    assert_equal "$(status_of --cacert "$SIOD_DIR/tls.pem" "$SIOD_URL/healthz")" 200
    agent_connected a --token "$(token 7 1)" --insecure
    text_webhook wamid.1 16505551234 hello >"$BATS_TEST_TMPDIR/body.json"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body.json" --cacert "$SIOD_DIR/tls.pem")" 200
    wait_until agent_saw a '.event == "whatsapp_message_received"'
    refute curl -sS "http://${SIOD_URL#*://}/healthz"
}

served_name() {
    openssl s_client -connect "${SIOD_URL#*://}" </dev/null 2>/dev/null | openssl x509 -noout -subject | sed 's/.*= *//'
}

@test "a Unix socket is plain beside a certificate, also one that was passed" {
    local name
    certificate siod
    start_activated "desk=$SIOD_DIR/passed.sock" -- -o "http.listen=systemd,unix:$SIOD_DIR/own.sock" \
        -o "http.tls_cert_file=$SIOD_DIR/tls.pem" -o "http.tls_key_file=$SIOD_DIR/tls.key"
    for name in passed own; do
        assert_equal "$(status_of --unix-socket "$SIOD_DIR/$name.sock" http://siod/healthz)" 200
    done
}

@test "SIGHUP takes a new certificate, and keeps the old one when the new cannot be used" {
    certificate first
    start_siod -o "http.tls_cert_file=$SIOD_DIR/tls.pem" -o "http.tls_key_file=$SIOD_DIR/tls.key"
    assert_equal "$(served_name)" first
    certificate second
    kill -HUP "$SIOD_PID"
    wait_until log_has 'certificate reloaded'
    assert_equal "$(served_name)" second
    echo broken >"$SIOD_DIR/tls.pem"
    kill -HUP "$SIOD_PID"
    wait_until log_has 'configuration not reloaded .*http.tls_cert_file'
    assert_equal "$(served_name)" second
}

@test "two webhooks in one segment are both answered" {
    local host port body=$BATS_TEST_TMPDIR/body.json request
    start_siod
    IFS=: read -r _ host port <<<"$SIOD_URL"
    text_webhook wamid.1 16505551234 hello | tr -d '\n' >"$body"
    request=$(printf 'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s: %s\r\n%s: %s\r\n\r\n%s' \
        X-Hub-Signature-256 "$(signature "$body")" Content-Length "$(wc -c <"$body")" "$(cat "$body")")
    printf '%s%sGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$request" "$request" |
        timeout 20 socat -t 20 - "TCP:${host#//}:$port,shut-none" >"$BATS_TEST_TMPDIR/answers"
    assert_equal "$(grep -o 'HTTP/1.1 200' "$BATS_TEST_TMPDIR/answers" | wc -l)" 3
}

# bundle [CURL_ARGUMENT…]: the status; the headers are in $BATS_TEST_TMPDIR/head, in lower case where that is free.
bundle() {
    : >"$BATS_TEST_TMPDIR/answer"
    status_of -D "$BATS_TEST_TMPDIR/head.raw" "$@" "$SIOD_URL/socket.io/socket.io.min.js"
    tr -d '\r' <"$BATS_TEST_TMPDIR/head.raw" | sed 's/^[^:]*:/\L&/' >"$BATS_TEST_TMPDIR/head"
}

has_header() {
    grep -qxF -- "$1" "$BATS_TEST_TMPDIR/head" || fail "no $1 in: $(cat "$BATS_TEST_TMPDIR/head")"
}

bundle_headers() {
    has_header 'cache-control: public, max-age=0'
    has_header "etag: $tag"
}

@test "the client for browsers is served from the configured file, and is cached by its tag" {
    local file=$ROOT/tests/node_modules/socket.io-client/dist/socket.io.min.js tag have
    start_siod -o "http.client_bundle_file=$file"
    assert_equal "$(bundle)" 200
    cmp "$BATS_TEST_TMPDIR/answer" "$file"
    tag=$(sed -n 's/^etag: //p' "$BATS_TEST_TMPDIR/head")
    [[ $tag == '"'*'"' ]]
    bundle_headers
    has_header 'content-type: application/javascript; charset=utf-8'
    refute grep -q '^access-control' "$BATS_TEST_TMPDIR/head"
    assert_equal "$(bundle -I)" 200
    bundle_headers
    has_header "content-length: $(stat -Lc %s "$file")"
    for have in "$tag" "W/$tag" '*' "\"other\", W/\"a,b\" ,$tag"; do
        assert_equal "$have $(bundle -H "If-None-Match: $have")" "$have 304"
        [[ ! -s $BATS_TEST_TMPDIR/answer ]]
        bundle_headers
    done
    for have in '"other"' "${tag//\"/}" '"' "x, $tag" 'W/' ''; do
        assert_equal "$have $(bundle -H "If-None-Match: $have")" "$have 200"
    done
    assert_equal "$(bundle -X POST -d x)" 405
    assert_equal "$(bundle -X OPTIONS)" 405
    has_header 'allow: GET, HEAD'
}

@test "the client for browsers is there under its exact name only, and without a file not at all" {
    local name
    start_siod -o "http.client_bundle_file=$ROOT/tests/node_modules/socket.io-client/dist/socket.io.min.js"
    for name in socket.io.js socket.io.min.js.map socket.io.min.js/ ../socket.io.min.js %2e%2e/socket.io.min.js; do
        assert_equal "$name $(status_of --path-as-is "$SIOD_URL/socket.io/$name")" "$name 404"
    done
    stop_siod
    start_siod
    assert_equal "$(bundle)" 404
    assert_equal "$(bundle -X OPTIONS)" 404
}

@test "a page of a listed origin may load the client for browsers and see its answer" {
    echo 'client()' >"$SIOD_DIR/client.js"
    start_siod -o "http.client_bundle_file=$SIOD_DIR/client.js" -o http.cors_origins=http://desk.example
    assert_equal "$(bundle -H 'Origin: http://desk.example')" 200
    has_header 'access-control-allow-origin: http://desk.example'
    has_header 'access-control-allow-credentials: true'
    has_header 'vary: Origin'
    assert_equal "$(bundle -H 'Origin: http://other.example')" 200
    refute grep -q '^access-control-allow-origin' "$BATS_TEST_TMPDIR/head"
    assert_equal "$(bundle -X OPTIONS -H 'Origin: http://desk.example')" 204
    has_header 'access-control-allow-origin: http://desk.example'
    assert_equal "$(bundle -X DELETE)" 405
    has_header 'allow: GET, HEAD, OPTIONS'
}
