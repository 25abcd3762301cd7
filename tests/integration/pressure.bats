#!/usr/bin/env bats
# Who looks from outside is told why siod takes nothing: too much under way, or a store that cannot write.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    [[ -z ${UPLOAD:-} ]] || kill "$UPLOAD"
    rm -f "${MODE:-}"
    teardown_siod
}

readyz() {
    [[ $(curl -sS -o /dev/null -w '%{http_code}' "$SIOD_URL/readyz") == "$1" ]]
}

# A webhook is on its way to the disk.
a_job_waits() {
    (($(metric siod_webhook_body_bytes_in_flight) > 0))
}

@test "readyz says that there is no room before the limit is filled to the last byte" {
    local fd
    start_siod -o limits.body_bytes_in_flight=100000
    mkfifo "$BATS_TEST_TMPDIR/upload"
    socat -u "PIPE:$BATS_TEST_TMPDIR/upload" "TCP:127.0.0.1:${SIOD_URL##*:}" 3>&- &
    UPLOAD=$!
    exec {fd}>"$BATS_TEST_TMPDIR/upload"
    printf 'POST /webhook HTTP/1.1\r\nHost: x\r\n%s\r\n%s\r\n\r\n%99000s' 'Content-Length: 100000' \
        "X-Hub-Signature-256: sha256=$(printf '0%.0s' {1..64})" '{' >&"$fd"
    wait_until readyz 503
    kill "$UPLOAD"
    UPLOAD=
    exec {fd}>&-
    wait_until readyz 200
}

@test "while the store fails nobody is told that there is too much to do" {
    MODE=$BATS_TEST_TMPDIR/mode
    export FAULTIO_MATCH=siod.db FAULTIO_CONTROL=$MODE
    SIOD_PRELOAD=${SIOD_TESTS:-$SIOD_BIN/../tests}/faultio.so start_siod
    text_webhook wamid.1 16505551234 hello >"$BATS_TEST_TMPDIR/body.json"
    echo enospc >"$MODE"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body.json")" 503
    wait_until readyz 503
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body.json")" 503
    assert_contains "$(cat "$BATS_TEST_TMPDIR/answer")" "cannot store"
    run sioctl business add 5
    assert_equal "$status $output" "1 sioctl: store_failed: the store cannot write"
    run sioctl webhook replay "$BATS_TEST_TMPDIR/body.json" -o json
    assert_contains "$output" '"reason":"the store cannot write"'
    assert_equal "$(metric 'siod_webhooks_total{result="busy"}')" 0
    rm "$MODE"
    wait_until readyz 200
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body.json")" 200
}

@test "a disk that does not answer holds up neither the loop nor SIGTERM" {
    local started=$EPOCHSECONDS
    MODE=$BATS_TEST_TMPDIR/mode
    export FAULTIO_MATCH=siod.db FAULTIO_CONTROL=$MODE
    SIOD_PRELOAD=${SIOD_TESTS:-$SIOD_BIN/../tests}/faultio.so start_siod
    text_webhook wamid.1 16505551234 hello >"$BATS_TEST_TMPDIR/body.json"
    echo hang-fsync >"$MODE"
    post_file "$BATS_TEST_TMPDIR/body.json" >"$BATS_TEST_TMPDIR/status" 3>&- &
    POST=$!
    wait_until a_job_waits
    assert_equal "$(curl -sS -o /dev/null -w '%{http_code}' "$SIOD_URL/healthz")" 200
    stop_siod
    wait "$POST" || :
    ((EPOCHSECONDS - started < 50))
    refute grep -q 200 "$BATS_TEST_TMPDIR/status"
}
