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
