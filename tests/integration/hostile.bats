#!/usr/bin/env bats
# What hostile clients, and too many clients, do to the daemon: nothing that lasts.

load ../lib/siod

setup() {
    setup_siod
    FEEDS=()
}

teardown() {
    local pid
    for pid in "${FEEDS[@]}"; do
        kill "$pid" 2>/dev/null || :
    done
    [[ -z ${SERVER:-} ]] || kill "$SERVER" 2>/dev/null || :
    teardown_siod
}

# feed NAME COMMAND…: in the background, its output in $BATS_TEST_TMPDIR/NAME, until unfeed or the test's end.
feed() {
    local name=$1 fd
    shift
    mkfifo "$BATS_TEST_TMPDIR/$name.in"
    exec {fd}<>"$BATS_TEST_TMPDIR/$name.in"
    setpriv --pdeathsig KILL "$@" <&"$fd" >"$BATS_TEST_TMPDIR/$name" 3>&- &
    FEEDS+=($!)
    FED=$!
}

unfeed() {
    kill "$FED"
    wait "$FED" 2>/dev/null || :
}

output_has() {
    grep -q -- "$2" "$BATS_TEST_TMPDIR/$1"
}

# In hundredths of a second.
cpu_of() {
    local -a stat
    read -ra stat <"/proc/$1/stat"
    echo $((stat[13] + stat[14]))
}

descriptors_of() {
    local -a all=("/proc/$1/fd/"*)
    echo ${#all[@]}
}

answers_healthz() {
    [[ $(curl -sS -o /dev/null -w '%{http_code}' "$SIOD_URL/healthz" 2>/dev/null) == 200 ]]
}

@test "whatever hostile clients send, the answer is as decided, memory is bounded and nothing is left open" {
    local log=$BATS_TEST_TMPDIR/conformance.log bound=200000 left=30000
    [[ -z ${SIOD_SANITIZE:-} ]] || bound=500000 left=0
    ASAN_OPTIONS=quarantine_size_mb=8:thread_local_quarantine_size_kb=64:${ASAN_OPTIONS:-} \
        in_background "$SIOD_TESTS/conformance_server" --listen 127.0.0.1:0 --eio3 --ping-interval 25000 \
        --ping-timeout 20000 --connect-timeout 45000 2>"$log"
    SERVER=$!
    wait_until grep -q 'ready on ' "$log"
    node "$ROOT/tests/lib/attack.mjs" --port "$(sed -n 's/^ready on .*://p' "$log")" --pid "$SERVER" \
        --rss-kib "$bound" --left-kib "$left"
    kill "$SERVER"
    wait "$SERVER"
    SERVER=
    SIOD_LOG=$log no_sanitizer_report
    SIOD_LOG=$log log_has 'oversize message from=127.0.0.1 size=[0-9]{7,} max=1000000'
    SIOD_LOG=$log log_has 'oversize polling body from=127.0.0.1 size=104857600 max=1000000'
}

@test "what is oversize or incomplete is counted" {
    local sid url
    start_siod -o limits.partial_bytes=50000 -o engineio.max_payload=100000
    url="$SIOD_URL/socket.io/?EIO=4&transport=polling"
    sid=$(curl -sS "$url" | sed 's/^0//' | jq -r .sid)
    head -c 100001 /dev/zero | curl -sS -o /dev/null --data-binary @- "$url&sid=$sid"
    head -c 60000 /dev/zero | curl -sS -o /dev/null --data-binary @- "$url&sid=$sid"
    assert_equal "$(metric 'siod_limited_total{limit="max_payload"}')" 1
    assert_equal "$(metric 'siod_limited_total{limit="partial_bytes"}')" 1
    assert_equal "$(metric siod_partial_bytes)" 0
    log_has 'too much that is incomplete limit=limits.partial_bytes .*cut=127.0.0.1'
}

@test "without a descriptor left accepting pauses, does not spin, and goes on by itself" {
    local before used
    start_siod
    prlimit --pid "$SIOD_PID" --nofile=200:200
    before=$(descriptors_of "$SIOD_PID")
    feed tcp node "$ROOT/tests/lib/hold.mjs" --to "${SIOD_URL##*:}" --count 400
    wait_until log_has 'cannot accept, pausing'
    used=$(cpu_of "$SIOD_PID")
    pause 1
    (($(cpu_of "$SIOD_PID") - used < 50))
    unfeed
    wait_until answers_healthz
    emptied() { (($(descriptors_of "$SIOD_PID") <= before + 1)); }
    wait_until emptied
    sioctl status >/dev/null
}

@test "clients cannot take the descriptors that the control socket needs" {
    SIOD_LOG=$BATS_TEST_TMPDIR/siod.log
    in_background prlimit --nofile=150:150 "$SIOD_BIN/siod" --dev "$SIOD_DIR" -o http.listen=127.0.0.1:0 >"$SIOD_LOG" 2>&1
    SIOD_PID=$!
    export SIOD_SOCKET=$SIOD_DIR/siod.sock
    wait_until siod_is_ready
    feed tcp node "$ROOT/tests/lib/hold.mjs" --to "${SIOD_URL##*:}" --count 300
    wait_until log_has 'no descriptors left for clients'
    sioctl status >/dev/null
    sioctl agent list --business 1 >/dev/null
    unfeed
    wait_until answers_healthz
}

@test "a storm of 10,000 clients is told to come back later, then all are in; at the end they are told in slices" {
    local line
    start_siod -o limits.connections_per_address=0 -o limits.handshakes_per_s=2000 -o http.admin_listen=127.0.0.1:0
    feed storm node "$ROOT/tests/lib/storm.mjs" --port "${SIOD_URL##*:}" --count 10000 --haste 5
    wait_until -t 120 output_has storm '"connected":10000'
    line=$(grep connected "$BATS_TEST_TMPDIR/storm")
    (($(jq .refused <<<"$line") > 0))
    assert_equal "$(jq '.refused == .advised' <<<"$line")" true
    log_has 'too many handshakes'
    stop_siod
    wait_until output_has storm '"told":10000'
    line=$(grep told "$BATS_TEST_TMPDIR/storm")
    (($(jq .first_50_ms <<<"$line") < 5000))
    (($(jq .instants <<<"$line") >= 20))
}
