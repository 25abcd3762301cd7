#!/usr/bin/env bats
# What siod cannot run with is refused before it starts, by -n as well, and says why.

load ../lib/siod

setup() {
    setup_siod
    CONF=$BATS_TEST_TMPDIR/siod.conf
    printf 'secret\n' >"$SIOD_DIR/jwt.key"
    cat >"$CONF" <<END
jwt { key_files = {"$SIOD_DIR/jwt.key"} }
store { url = "sqlite:$SIOD_DIR/siod.db" }
control { socket = "$SIOD_DIR/siod.sock" }
END
}

teardown() {
    teardown_siod
}

# refused_by_both TEXT ARGUMENT…: the start and -n end with 1 and the same line.
refused_by_both() {
    local text=$1 check
    shift
    for check in "" -n; do
        run run_siod ${check:+"$check"} "$@"
        assert_equal "status $status, ${#lines[@]} lines" "status 1, 1 lines"
        assert_contains "$output" "$text"
    done
}

@test "a port that is none is refused, not cut to sixteen bits" {
    printf 'http {\n  listen = {"127.0.0.1:0", "127.0.0.1:65536"}\n}\n' >>"$CONF"
    refused_by_both "$CONF:5: http.listen: 127.0.0.1:65536" -c "$CONF"
    refused_by_both 127.0.0.1:http -c /dev/null -o http.listen=127.0.0.1:http
}

@test "what the listener would not take for an address is refused with its line, too" {
    local address long
    long=unix:$(printf 'x%.0s' {1..108})
    for address in '[::1:0' ::1:0 fd:x 10.0.0.256:80 "$long"; do
        sed -i '/^http/d' "$CONF"
        printf 'http { listen = {"127.0.0.1:0", "%s"} }\n' "$address" >>"$CONF"
        refused_by_both "$CONF:4: http.listen: " -c "$CONF"
    done
    assert_contains "$output" 'a path of more than 107 bytes'
}

@test "nothing to listen on, and no key to check tokens with, are refused" {
    refused_by_both "http.listen: at least one address" -c "$CONF" -o http.listen=
    refused_by_both "http.listen: at least one address" --dev "$SIOD_DIR" -o http.listen=
    refused_by_both "jwt.key_files: at least one file" -c "$CONF" -o jwt.key_files=
}

@test "a list that the file empties is named with its line" {
    printf 'http { listen = {} }\n' >>"$CONF"
    refused_by_both "$CONF:4: http.listen: at least one address" -c "$CONF"
    printf '\njwt { key_files = {} }\n' >"$CONF"
    refused_by_both "$CONF:2: jwt.key_files: at least one file" -c "$CONF"
}

@test "an address that is given twice is refused, and so is the control socket's" {
    local both=$SIOD_DIR/both
    refused_by_both "127.0.0.1:3999 is in http.listen already" -c "$CONF" -o http.listen=127.0.0.1:3999,127.0.0.1:3999
    refused_by_both "127.0.0.1:3999 is in http.listen already" -c "$CONF" \
        -o http.listen=127.0.0.1:3999 -o http.admin_listen=127.0.0.1:3999
    refused_by_both "unix:$both is control.socket, too" -c "$CONF" -o "http.listen=unix:$both" -o "control.socket=$both"
    run run_siod -n -c "$CONF" -o http.listen=127.0.0.1:0,127.0.0.1:0
    assert_equal "$status" 0
    printf 'http { admin_listen = {"systemd", "systemd"} }\n' >>"$CONF"
    refused_by_both "$CONF:4: http.admin_listen: systemd is in http.admin_listen already" -c "$CONF"
}

@test "sockets that were not passed are missed by the setting that wants them" {
    printf 'http { admin_listen = {"systemd"} }\n' >>"$CONF"
    run run_siod -c "$CONF" -o http.listen=127.0.0.1:0
    assert_equal "status $status: ${lines[*]: -1}" "status 1: siod: $CONF:4: http.admin_listen: no socket was passed"
    run timeout 20 python3 "$ROOT/tests/lib/activate.py" one=0 -- "$SIOD_BIN/siod" -c "$CONF" -o http.listen=systemd 3>&-
    assert_equal "status $status: ${lines[*]: -1}" \
        "status 1: siod: $CONF:4: http.admin_listen: no socket that is named admin was passed"
    run timeout 20 python3 "$ROOT/tests/lib/activate.py" admin=0 -- "$SIOD_BIN/siod" -c "$CONF" -o http.listen=systemd 3>&-
    assert_equal "status $status: ${lines[*]: -1}" \
        "status 1: siod: -o http.listen=systemd: no socket but those named admin was passed"
}

@test "a file of a key, secret, verify token or certificate that cannot be used is named with its setting" {
    local none=$SIOD_DIR/none empty=$SIOD_DIR/empty
    printf '\r\n' >"$empty"
    printf 'app main { secret_files = {"%s"} }\n' "$SIOD_DIR/jwt.key" >>"$CONF"
    refused_by_both "jwt.key_files: $none: No such file" -c "$CONF" -o "jwt.key_files=$SIOD_DIR/jwt.key,$none"
    refused_by_both "jwt.key_files: $empty: the file is empty" -c "$CONF" -o "jwt.key_files=$empty"
    refused_by_both "app.main.secret_files: $SIOD_DIR: Is a directory" -c "$CONF" -o "app.main.secret_files=$SIOD_DIR"
    refused_by_both "app.main.verify_token_file: $none: No such" -c "$CONF" -o "app.main.verify_token_file=$none"
    run run_siod -n -c "$CONF" -o "http.tls_cert_file=$none" -o "http.tls_key_file=$SIOD_DIR/jwt.key"
    assert_equal "$status ${#lines[@]}" "1 1"
    assert_contains "$output" "http.tls_cert_file and tls_key_file: $none"
    refused_by_both "http.client_bundle_file: $none: No such" -c "$CONF" -o "http.client_bundle_file=$none"
    : >"$empty"
    refused_by_both "http.client_bundle_file: $empty: the file is empty" -c "$CONF" -o "http.client_bundle_file=$empty"
    truncate -s 4194305 "$SIOD_DIR/large"
    refused_by_both "http.client_bundle_file: $SIOD_DIR/large: larger than 4194304 bytes" \
        -c "$CONF" -o "http.client_bundle_file=$SIOD_DIR/large"
    run run_siod -nv -c "$CONF"
    assert_equal "$status" 0
    [[ $output != *$'\n'secret* ]]
}

@test "an operator who is no user is refused with the line" {
    sed -i '/^control/d' "$CONF"
    printf 'control {\n  operators = {"root", "0", "nosuchuser"}\n  socket = "%s"\n}\n' "$SIOD_DIR/siod.sock" >>"$CONF"
    refused_by_both "$CONF:4: control.operators: there is no user nosuchuser" -c "$CONF"
    refused_by_both "-o control.operators=4294967296: there is no user 4294967296" -c "$CONF" \
        -o control.operators=4294967296
    run run_siod -n -c "$CONF" -o control.operators=root,12345
    assert_equal "$status" 0
}

@test "wrong usage says what is wrong before it explains" {
    run run_siod -c "$CONF" surplus
    assert_equal "$status ${lines[0]}" "2 siod: unexpected argument surplus"
    run run_siod --dev "$SIOD_DIR" -c "$CONF"
    assert_equal "$status ${lines[0]}" "2 siod: --dev goes without -c"
    run run_siod -n
    assert_equal "$status ${lines[0]}" "2 siod: -c or --dev is needed"
}

@test "a store that another daemon has open is refused under its other name, too" {
    start_siod
    ln -s siod.db "$SIOD_DIR/link.db"
    run run_siod --dev "$BATS_TEST_TMPDIR" -o http.listen=127.0.0.1:0 -o "store.url=sqlite:$SIOD_DIR/link.db"
    assert_equal "$status" 1
    assert_contains "$output" "in use by another siod"
}
