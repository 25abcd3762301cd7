#!/usr/bin/env bats
# `siod --dev` prints what to try next, ready for the shell, and takes no directory that it could not serve.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

# hint WORD: the line that begins with it, once it is printed.
hint() {
    wait_until log_has "^  $1 .*\$"
    grep -am 1 "^  $1 " "$SIOD_LOG"
}

# tries WORD: what the line does when a shell gets it as it is.
tries() {
    PATH=$SIOD_BIN:$PATH sh -c "$(hint "$1")" 3>&-
}

certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=siod \
        -keyout "$SIOD_DIR/tls.key" -out "$SIOD_DIR/tls.pem" 2>/dev/null
}

@test "what it prints to try next works in a shell, whatever the directory is called" {
    SIOD_DIR="$SIOD_DIR/it's a \$(desk);*"
    mkdir -p "$SIOD_DIR"
    start_siod
    assert_contains "$(tries sioctl)" ready
    assert_contains "$(tries curl)" ready
}

@test "the line for curl is right with TLS" {
    certificate
    start_siod -o "http.tls_cert_file=$SIOD_DIR/tls.pem" -o "http.tls_key_file=$SIOD_DIR/tls.key"
    assert_equal "$(hint curl)" "  curl -k https://${SIOD_URL#http://}/readyz"
    assert_contains "$(tries curl)" ready
}

@test "the lines name the sockets that are in use: the admin listener's and the control socket" {
    certificate
    start_siod -o "http.tls_cert_file=$SIOD_DIR/tls.pem" -o "http.tls_key_file=$SIOD_DIR/tls.key" \
        -o "http.admin_listen=unix:$SIOD_DIR/ad min.sock" -o "control.socket=$SIOD_DIR/other.sock"
    assert_equal "$(hint curl)" "  curl --unix-socket '$SIOD_DIR/ad min.sock' http://localhost/readyz"
    assert_contains "$(tries curl)" ready
    assert_contains "$(tries sioctl)" ready
}

@test "a directory that cannot serve is refused for the true reason, and nothing of it reaches the terminal" {
    local name reason
    while IFS='|' read -r name reason; do
        run run_siod --dev "$BATS_TEST_TMPDIR/$(printf %b "$name")"
        assert_equal "$status $output" "1 siod: $BATS_TEST_TMPDIR/$name: a state directory cannot have $reason in its name"
    done <<'NAMES'
a\x0ab\x1b[31m|a control character
\xe2\x80\xae|a control character
a,b|a comma
a?b|a question mark
NAMES
    run run_siod -n -c $'\e]0;title\a'
    assert_equal "$output" 'siod: \x1b]0;title\x07: No such file or directory'
}
