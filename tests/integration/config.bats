#!/usr/bin/env bats
# The configuration is checked before anything starts, and what is wrong is said in one line with its place.

load ../lib/siod

setup() {
    setup_siod
    CONF=$BATS_TEST_TMPDIR/siod.conf
    printf 'secret\n' | tee "$SIOD_DIR/jwt.key" "$SIOD_DIR/app.secret" >"$SIOD_DIR/verify.token"
    good_config >"$CONF"
}

teardown() {
    teardown_siod
    rm -rf "${PUBLIC:-}"
}

good_config() {
    cat <<END
http {
    listen = {"127.0.0.1:0"}
}
jwt { key_files = {"$SIOD_DIR/jwt.key"} }
app main {
    secret_files = {"$SIOD_DIR/app.secret"}
    verify_token_file = "$SIOD_DIR/verify.token"
}
store { url = "sqlite:$SIOD_DIR/siod.db" }
control { socket = "$SIOD_DIR/siod.sock" }
business 456 {
    name = "Acme"
    phone_number_ids = {"106540352242922"}
}
END
}

# refused TEXT [ARGUMENT…]: siod ends with 1 and says TEXT in exactly one line.
refused() {
    local text=$1
    shift
    run run_siod -c "$CONF" "$@"
    assert_equal "status $status: $output" "status 1: ${lines[0]}"
    assert_contains "$output" "$text"
}

# wrong_line TEXT NUMBER NAMES: the good file with TEXT added; the error has line NUMBER and NAMES what is wrong.
wrong_line() {
    { good_config && printf '%b\n' "$1"; } >"$CONF"
    refused "$CONF:$2"
    assert_contains "$output" "$3"
}

@test "a good configuration passes -n without starting anything, and what cannot be printed is an error" {
    run run_siod -n -c "$CONF"
    assert_equal "$status" 0
    [[ ! -e $SIOD_DIR/siod.db ]]
    local words
    for words in --version --help "-nv -c $CONF"; do
        # shellcheck disable=SC2086 # words
        refute run_siod $words >/dev/full 2>"$BATS_TEST_TMPDIR/words"
        assert_equal "$(cat "$BATS_TEST_TMPDIR/words")" 'siod: cannot write: No space left on device'
    done
}

@test "what -nv prints parses back to itself" {
    run_siod -nv -c "$CONF" >"$BATS_TEST_TMPDIR/first.conf"
    run_siod -nv -c "$BATS_TEST_TMPDIR/first.conf" >"$BATS_TEST_TMPDIR/second.conf"
    cmp "$BATS_TEST_TMPDIR/first.conf" "$BATS_TEST_TMPDIR/second.conf"
    grep -q 'ping_interval_ms = 25000' "$BATS_TEST_TMPDIR/first.conf"
    refute grep -rq secret$ "$BATS_TEST_TMPDIR/first.conf"
}

@test "an option wins over the file" {
    run_siod -nv -c "$CONF" -o engineio.ping_interval_ms=1234 -o business.456.name=Other >"$BATS_TEST_TMPDIR/out"
    grep -q 'ping_interval_ms = 1234' "$BATS_TEST_TMPDIR/out"
    grep -q 'name = "Other"' "$BATS_TEST_TMPDIR/out"
}

@test "configuration errors name file and line" {
    wrong_line 'colour { }' 15 colour
    wrong_line 'log {\n  verbosity = 3\n}' 16 verbosity
    wrong_line 'log {\n  level = loud\n}' 16 loud
    wrong_line '\nengineio { ping_interval_ms = -5 }' 16 ping_interval_ms
    wrong_line 'engineio { ping_interval_ms = soon }' 15 ping_interval_ms
    wrong_line 'engineio { ping_interval_ms = 99999999999999999999 }' 15 ping_interval_ms
    wrong_line 'limits {\n  store_queue = 5\n  store_queue = 6\n}' 17 store_queue
    wrong_line 'business 456 { name = "again" }' 15 456
    wrong_line 'business x { name = "no number" }' 15 business
    wrong_line 'business 457 { phone_number_ids = {"106540352242922"} }' 15 106540352242922
    wrong_line 'log {\n  level = debug' 15 log
}

@test "a number that a business of sioctl's has already is named with its line" {
    start_siod
    sioctl business add 6 --phone-number-id 666
    stop_siod
    wrong_line 'business 5 {\n  phone_number_ids = {"665", "666"}\n}' 16 \
        'business.5.phone_number_ids: phone number id 666 belongs to business 6 already'
    good_config >"$CONF"
    refused '-o business.456.phone_number_ids=666: phone number id 666' -o business.456.phone_number_ids=666
}

@test "a wrong option names itself" {
    refused "-o colour.depth=1" -o colour.depth=1
    refused "-o log.level=loud" -o log.level=loud
}

@test "wrong usage ends with 2" {
    run run_siod
    assert_equal "$status" 2
    run run_siod --no-such-option
    assert_equal "$status" 2
    run run_siod -c "$CONF" surplus
    assert_equal "$status" 2
    local item
    for item in log.level level=debug .level=debug log.=debug "" =; do
        run run_siod -n -c "$CONF" -o "$item"
        assert_equal "$status ${lines[0]}" "2 siod: -o wants section.key=value, not $item"
    done
}

@test "a configuration or secret file that is missing or empty is named" {
    refused "$SIOD_DIR/none.key" -o "jwt.key_files=$SIOD_DIR/none.key"
    refused "$SIOD_DIR/none.secret" -o "app.main.secret_files=$SIOD_DIR/none.secret"
    : >"$SIOD_DIR/empty.secret"
    refused "$SIOD_DIR/empty.secret" -o "app.main.secret_files=$SIOD_DIR/empty.secret"
    CONF=$BATS_TEST_TMPDIR/none.conf
    refused "$CONF"
}

@test "a port that is in use is one clear line" {
    start_siod
    refused "${SIOD_URL#http://}" -o "http.listen=${SIOD_URL#http://}" -o "store.url=sqlite:$SIOD_DIR/other.db" \
        -o "control.socket=$SIOD_DIR/other.sock"
    assert_contains "$output" "in use"
}

@test "a control socket on which somebody answers is one clear line; a stale one is replaced" {
    start_siod
    refused "$SIOD_SOCKET" -o "control.socket=$SIOD_SOCKET" -o "store.url=sqlite:$SIOD_DIR/other.db"
    kill_siod
    [[ -S $SIOD_SOCKET ]]
    start_siod
}

@test "a store that another daemon has open is one clear line" {
    start_siod
    refused "$SIOD_DIR/siod.db" -o "control.socket=$SIOD_DIR/other.sock"
}

@test "a file that is no database of siod's is refused and left alone" {
    printf 'not a database, but the diary of somebody who has to keep it\n%.0s' {1..40} >"$SIOD_DIR/diary"
    cp "$SIOD_DIR/diary" "$SIOD_DIR/copy"
    refused "$SIOD_DIR/diary" -o "store.url=sqlite:$SIOD_DIR/diary"
    sqlite3 "$SIOD_DIR/foreign.db" "CREATE TABLE message (a); INSERT INTO message VALUES (1)"
    refused "$SIOD_DIR/foreign.db" -o "store.url=sqlite:$SIOD_DIR/foreign.db"
    cmp "$SIOD_DIR/diary" "$SIOD_DIR/copy"
    assert_equal "$(sqlite3 "$SIOD_DIR/foreign.db" "SELECT a FROM message")" 1
}

@test "a schema newer than the binary is refused" {
    start_siod
    stop_siod
    sqlite3 "$SIOD_DIR/siod.db" "PRAGMA user_version = 9999"
    refused "$SIOD_DIR/siod.db"
}

# The superuser may write everywhere: then it is nobody who tries, with copies in a directory that is open to all.
run_unprivileged() {
    if ((EUID == 0)); then
        cp "$SIOD_BIN/siod" "$PUBLIC"
        timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups "$PUBLIC/siod" -c "$PUBLIC/siod.conf" 3>&-
    else
        run_siod -c "$PUBLIC/siod.conf"
    fi
}

@test "a directory or file without the permission for it is one clear line" {
    PUBLIC=$(mktemp -d)
    mkdir "$PUBLIC/closed"
    cp "$SIOD_DIR"/{jwt.key,app.secret,verify.token} "$PUBLIC"
    sed -e "s|$SIOD_DIR/siod\.|$PUBLIC/closed/siod.|" -e "s|$SIOD_DIR|$PUBLIC|" "$CONF" >"$PUBLIC/siod.conf"
    chmod 644 "$PUBLIC"/*.*
    chmod 755 "$PUBLIC"
    chmod 555 "$PUBLIC/closed"
    run run_unprivileged
    assert_equal "status $status: $output" "status 1: ${lines[0]}"
    assert_contains "$output" "$PUBLIC/closed"

    chmod 000 "$PUBLIC/jwt.key"
    run run_unprivileged
    assert_equal "status $status: $output" "status 1: ${lines[0]}"
    assert_contains "$output" "$PUBLIC/jwt.key"
}

@test "an origin as no browser writes it is an error" {
    for origin in https://desk.example.com/ HTTPS://desk.example.com https://Desk.example.com 'https://*.example.com' \
        http://desk.example.com:80 https://desk.example.com:443 desk.example.com null 'https://'; do
        run run_siod --dev "$SIOD_DIR" -n -o "http.cors_origins=$origin"
        assert_equal "$status" 1
        assert_contains "$output" 'is no origin such as https://desk.example.com'
    done
    for origin in https://desk.example.com http://localhost:5173 'http://[::1]:80801' capacitor://localhost https://xn--bcher-kva.example:80; do
        run run_siod --dev "$SIOD_DIR" -n -o "http.cors_origins=$origin"
        assert_equal "$status" 0
    done
}

@test "no name in a configuration reaches the terminal as control characters" {
    printf 'jwt { key_files = {"%s"} }\nbusiness 1 { name = "a\\x1b[31m\\n\xc2\x9b2J\xe2\x80\xaeb\xc3\xbc" }\n' \
        "$BATS_TEST_TMPDIR/key" >"$BATS_TEST_TMPDIR/siod.conf"
    echo secret >"$BATS_TEST_TMPDIR/key"
    run_siod -nv -c "$BATS_TEST_TMPDIR/siod.conf" >"$BATS_TEST_TMPDIR/printed"
    grep -qF 'name = "a\x1b[31m\x0a\xc2\x9b2J\xe2\x80\xaebü"' "$BATS_TEST_TMPDIR/printed"
    run_siod -nv -c "$BATS_TEST_TMPDIR/printed" | cmp - "$BATS_TEST_TMPDIR/printed"
}
