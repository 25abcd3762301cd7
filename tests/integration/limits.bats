#!/usr/bin/env bats
# What one peer may use, and what siod does when there is too much: it says so, and goes on for the others.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    [[ -z ${UPLOAD:-} ]] || kill "$UPLOAD" 2>/dev/null || :
    teardown_siod
}

flood() {
    node "$ROOT/tests/lib/flood.mjs" --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" "$@"
}

status_of() {
    curl -sS -o /dev/null -w '%{http_code}' "$@"
}

# answers STATUS PATH
answers() {
    [[ $(status_of "$SIOD_URL$2") == "$1" ]]
}

@test "a client that does not read is cut, and the others miss nothing" {
    start_siod -o limits.queue_bytes=1000000
    agent_connected slow --token "$(token 7 1)" --transports websocket --no-reconnect
    agent_connected quick --token "$(token 8 1)" --transports websocket
    agent_tell slow '{"pause":true}'
    flood --count 600 --concurrency 4 --text-bytes 60000 >"$BATS_TEST_TMPDIR/flood"
    assert_equal "$(grep -c '^200 ' "$BATS_TEST_TMPDIR/flood")" 600
    cut_off() { [[ $(metric siod_slow_consumers_total) == 1 ]]; }
    wait_until cut_off
    all_received() { (($(grep -c whatsapp_message_received "$BATS_TEST_TMPDIR/quick.out") == 600)); }
    wait_until all_received
    refute agent_saw quick '.type == "disconnect"'
    log_has 'slow consumer'
}

@test "a client that reads is not cut by one webhook of 4 MiB" {
    local size=$((4 * 1024 * 1024 - 1000))
    start_siod
    agent_connected a --token "$(token 7 1)" --transports websocket --no-reconnect
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    wait_until agent_saw a '.event == "whatsapp_message_received"'
    agent_asks a join_chat 1
    flood --count 1 --text-bytes $size --prefix big >"$BATS_TEST_TMPDIR/flood"
    assert_equal "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/flood")" 200
    wait_until agent_saw a '.args[0].message.wamid == "wamid.big.0"'
    assert_equal "$(agent_lines a '.args[0].message.wamid == "wamid.big.0"' | jq '.args[0].message.text | length')" $size
    refute agent_saw a '.type == "disconnect"'
}

# many_webhook COUNT TEXT: one body with that many messages of one customer.
many_webhook() {
    jq -cn --argjson count "$1" --arg text "$2" --arg phone "$PHONE_NUMBER_ID" '
        {object: "whatsapp_business_account", entry: [{id: "1", changes: [{field: "messages", value: {
            messaging_product: "whatsapp", metadata: {display_phone_number: "15550783881", phone_number_id: $phone},
            contacts: [{profile: {name: "Ann"}, wa_id: "16505551234"}],
            messages: [range($count) | {from: "16505551234", id: "w.\(.)", timestamp: "1749416383", type: "text",
                                        text: {body: $text}}]}}]}]}'
}

# received NAME: the numbers of the messages that it has heard of, in their order.
received() {
    grep -a '}$' "$BATS_TEST_TMPDIR/$1.out" | grep -a '"event":"whatsapp_message_received"' |
        sed 's/.*"wamid":"w\.\([0-9]*\)".*/\1/'
}

@test "one webhook of 30,000 messages reaches everybody in order, and siod answers meanwhile" {
    local name count=30000
    start_siod
    agent_connected socket --token "$(token 7 1)" --transports websocket --no-reconnect
    agent_connected poller --token "$(token 8 1)" --transports polling --no-reconnect
    many_webhook $count "$(printf 'x%.0s' {1..44})" >"$BATS_TEST_TMPDIR/many.json"
    assert_equal "$(($(wc -c <"$BATS_TEST_TMPDIR/many.json") >> 20))" 3 # nearly 4 MiB
    post_file "$BATS_TEST_TMPDIR/many.json" >"$BATS_TEST_TMPDIR/status" 3>&- &
    everybody_heard() {
        timeout 10 "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" status >/dev/null || echo >"$BATS_TEST_TMPDIR/unanswered"
        [[ $(grep -ac '}$' "$BATS_TEST_TMPDIR/socket.out") -gt $count ]] &&
            [[ $(grep -ac '}$' "$BATS_TEST_TMPDIR/poller.out") -gt $count ]]
    }
    wait_until -t 60 everybody_heard
    wait $!
    assert_equal "$(cat "$BATS_TEST_TMPDIR/status")" 200
    [[ ! -e $BATS_TEST_TMPDIR/unanswered ]]
    seq 0 $((count - 1)) >"$BATS_TEST_TMPDIR/expected"
    for name in socket poller; do
        received $name | cmp - "$BATS_TEST_TMPDIR/expected"
        refute agent_saw $name '.type == "disconnect"'
    done
    assert_equal "$(metric siod_slow_consumers_total)" 0
}

# captions COUNT LENGTH: one webhook of images, each with a caption of that length.
captions() {
    many_webhook "$1" x | jq -c --argjson length "$2" '.entry[0].changes[0].value.messages[] |=
        (.type = "image" | del(.text) | .image = {id: "1", mime_type: "image/jpeg", sha256: "x", caption: ("Q" * $length)})'
}

@test "a polling client takes an event that is larger than what may wait for it" {
    start_siod -o limits.queue_bytes=1000000
    agent_connected a --token "$(token 7 1)" --transports polling --no-reconnect
    captions 1 500000 >"$BATS_TEST_TMPDIR/large.json"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/large.json")" 200
    wait_until agent_saw a '.args[0].message.wamid == "w.0"'
    refute agent_saw a '.type == "disconnect"'
    assert_equal "$(metric siod_slow_consumers_total)" 0
}

@test "one webhook waits for a client whole, and nobody else waits for that client" {
    start_siod -o limits.queue_bytes=1000000
    agent_connected slow --token "$(token 7 1)" --transports websocket --no-reconnect
    agent_connected quick --token "$(token 8 1)" --transports websocket --no-reconnect
    agent_tell slow '{"pause":true}'
    captions 40 100000 >"$BATS_TEST_TMPDIR/large.json" # events of 12 MB
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/large.json")" 200
    assert_equal "$(post_webhook "$(text_webhook wamid.other 16505550000 hello)")" 200
    wait_until agent_saw quick '.args[0].message.wamid == "wamid.other"'
    waiting() { sioctl socket list -o json | jq -e "any(.[]; .userId == 7 and .pendingBytes > $1)" >/dev/null; }
    waiting 2000000
    agent_tell slow '{"pause":false}'
    wait_until agent_saw slow '.args[0].message.wamid == "wamid.other"'
    seq 0 39 | cmp - <(received slow | grep -x '[0-9]*')
    refute agent_saw slow '.type == "disconnect"'
    assert_equal "$(metric siod_slow_consumers_total)" 0
}

@test "one webhook waits for a client beside the histories that it is reading" {
    local i
    start_siod -o limits.queue_bytes=1000000
    agent_connected slow --token "$(token 7 1)" --transports websocket --no-reconnect
    agent_connected quick --token "$(token 8 1)" --transports websocket --no-reconnect
    captions 40 100000 >"$BATS_TEST_TMPDIR/first.json"
    sed 's/"w\./"v./g' "$BATS_TEST_TMPDIR/first.json" >"$BATS_TEST_TMPDIR/second.json"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/first.json")" 200
    wait_until agent_saw slow '.args[0].message.wamid == "w.39"'
    agent_tell slow '{"pause":true}'
    for i in 1 2 3 4; do # of 4 MB each
        agent_tell slow "{\"emit\":[\"join_chat\",1,{\"history\":40}],\"ack\":true,\"tag\":\"history $i\"}"
    done
    waiting() { sioctl socket list -o json | jq -e "any(.[]; .userId == 7 and .pendingBytes > $1)" >/dev/null; }
    wait_until waiting 1000000
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/second.json")" 200
    wait_until agent_saw quick '.args[0].message.wamid == "v.39"'
    agent_tell slow '{"pause":false}'
    wait_until agent_saw slow '.args[0].message.wamid == "v.39"'
    wait_until agent_saw slow '.tag == "history 4"'
    refute agent_saw slow '.type == "disconnect"'
    assert_equal "$(metric siod_slow_consumers_total)" 0
}

@test "histories that were asked for at once are sent as fast as they are taken" {
    local i name
    start_siod -o limits.queue_bytes=1000000
    many_webhook 30 "$(printf 'x%.0s' {1..60000})" >"$BATS_TEST_TMPDIR/many.json"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/many.json")" 200
    agent_connected socket --token "$(token 7 1)" --transports websocket --no-reconnect
    agent_connected poller --token "$(token 8 1)" --transports polling --no-reconnect
    agent_tell socket '{"pause":true}'
    for name in socket poller; do
        for i in {1..6}; do
            agent_tell $name '{"emit":["join_chat",1,{"history":500}],"ack":true,"tag":"'"$i"'"}'
        done
    done
    all_answered() { (($(agent_lines "$1" '.type == "ack" and (.args[0].messages | length) == 30' | wc -l) == 6)); }
    wait_until all_answered poller
    agent_tell socket '{"pause":false}'
    wait_until all_answered socket
    for name in socket poller; do
        refute agent_saw $name '.type == "disconnect"'
    done
    assert_equal "$(metric siod_slow_consumers_total)" 0
}

@test "events are counted by connection, CONNECTs among them" {
    start_siod -o limits.events_per_s=20
    node "$ROOT/tests/lib/reconnects.mjs" --url "$SIOD_URL" --token "$(token 7 1)" >"$BATS_TEST_TMPDIR/out"
    jq -se '.[0] | .acked == 20 and .limited > 0' "$BATS_TEST_TMPDIR/out"
    log_has 'limit=limits.events_per_s '
    (($(metric 'siod_limited_total{limit="events_per_s"}') > 0))
}

@test "while too many bytes of bodies are in flight, new webhooks get 503 before their body is read" {
    local fd
    start_siod -o limits.body_bytes_in_flight=1000
    mkfifo "$BATS_TEST_TMPDIR/upload"
    socat -u "PIPE:$BATS_TEST_TMPDIR/upload" "TCP:127.0.0.1:${SIOD_URL##*:}" 3>&- &
    UPLOAD=$!
    exec {fd}>"$BATS_TEST_TMPDIR/upload"
    printf 'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n%s\r\n\r\n%1200s' \
        'Content-Length: 2000' "X-Hub-Signature-256: sha256=$(printf '0%.0s' {1..64})" '{' >&"$fd"
    wait_until answers 503 /readyz

    text_webhook wamid.1 16505551234 hello >"$BATS_TEST_TMPDIR/body.json"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body.json" -D "$BATS_TEST_TMPDIR/headers")" 503
    grep -qi '^Retry-After: [1-9]' "$BATS_TEST_TMPDIR/headers"
    assert_equal "$(sql "SELECT count(*) FROM message")" 0

    kill "$UPLOAD"
    exec {fd}>&-
    wait_until answers 200 /readyz
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body.json")" 200
}

@test "when the store's queue is full, webhooks get 503 and every 200 is stored" {
    start_siod -o limits.store_queue=1
    flood --count 400 --concurrency 32 >"$BATS_TEST_TMPDIR/flood"
    assert_equal "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/flood" | sort -u | xargs)" "200 503"
    assert_equal "$(sql "SELECT count(*) FROM message")" "$(grep -c '^200 ' "$BATS_TEST_TMPDIR/flood")"
}

@test "headers above the limit are 431" {
    start_siod -o limits.header_bytes=2000
    assert_equal "$(status_of -H "X-Long: $(head -c 3000 /dev/zero | tr '\0' x)" "$SIOD_URL/healthz")" 431
    assert_equal "$(status_of "$SIOD_URL/healthz")" 200
}

@test "a body above the limit is 413 without being read" {
    start_siod -o limits.body_bytes=1000
    head -c 100000000 /dev/zero >"$BATS_TEST_TMPDIR/zeroes"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/zeroes" -H 'X-Hub-Signature-256: x' -H Expect:)" 413
}

@test "connections above the limit are refused, and the control socket still answers" {
    start_siod -o limits.connections=2
    agent_connected a --token "$(token 7 1)" --transports websocket
    agent_connected b --token "$(token 8 1)" --transports websocket
    assert_equal "$(status_of "$SIOD_URL/healthz" || :)" 503
    sioctl status >/dev/null
    agent_stop b
    wait_until answers 200 /healthz
}

@test "JSON nested deeper than the limit is refused and the daemon goes on" {
    start_siod
    printf '[%.0s' {1..5000} >"$BATS_TEST_TMPDIR/deep"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/deep")" 400
    text_webhook wamid.0 16505551234 hello | sed "s/\"body\":/\"n\":$(printf '[%.0s' {1..512})$(printf ']%.0s' {1..512}),&/" \
        >"$BATS_TEST_TMPDIR/deep"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/deep")" 200
    assert_equal "$(sioctl message show wamid.0 -o json | jq -r .text)" hello
    assert_equal "$(post_webhook "$(text_webhook wamid.1 16505551234 hello)")" 200
}

@test "an event nested deeper than the limit closes its connection, is counted, and the log says why" {
    start_siod -o limits.json_depth=20
    agent_connected a --token "$(token 7 1)" --transports websocket --no-reconnect
    agent_tell a "{\"emit\":[\"typing_start\",{\"chatId\":1,\"deep\":$(printf '[%.0s' {1..30})$(printf ']%.0s' {1..30})}]}"
    wait_until agent_saw a '.type == "disconnect"'
    wait_until limited json_depth 1
    log_has 'more than 20 levels at byte '
}

# limited NAME COUNT: so often was the limit enforced, and the log names it.
limited() {
    [[ $(metric "siod_limited_total{limit=\"$1\"}") == "$2" ]] && log_has "limits\\.$1[ )]"
}

@test "each limit that was enforced is counted and named in the log" {
    start_siod -o limits.header_bytes=1000 -o limits.body_bytes=2000 -o limits.rooms_per_socket=2 \
        -o limits.connections=5 -o limits.connections_per_user=1 -o limits.events_per_s=4
    assert_equal "$(status_of -H "X-Long: $(printf 'x%.0s' {1..1200})" "$SIOD_URL/healthz")" 431
    wait_until limited header_bytes 1

    assert_equal "$(post_webhook "$(text_webhook wamid.1 16505551234 "$(printf 'x%.0s' {1..2500})")")" 413
    wait_until limited body_bytes 1

    for i in 1 2; do
        assert_equal "$(post_webhook "$(text_webhook "wamid.2$i" "1650555123$i" hello)")" 200
    done
    agent_connected a --token "$(token 7 1)" --transports websocket
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
    assert_equal "$(agent_asks a join_chat 2 | jq -r .error.code)" rate_limited
    wait_until limited rooms_per_socket 1

    for i in 1 2 3 4 5 6; do
        agent_tell a '{"emit":["leave_chat",1],"ack":true,"tag":"'"$i"'"}'
    done
    flooded() { (($(metric 'siod_limited_total{limit="events_per_s"}') > 0)) && log_has 'limit=limits.events_per_s '; }
    wait_until flooded

    agent_start b --token "$(token 7 1)" --transports websocket --no-reconnect
    wait_until agent_saw b '.type == "connect_error"'
    wait_until limited connections_per_user 1
    agent_stop b

    for i in 1 2 3 4; do
        agent_connected "c$i" --token "$(token "1$i" 1)" --transports websocket
    done
    assert_equal "$(status_of "$SIOD_URL/healthz" || :)" 503
    agent_stop c1
    wait_until limited connections 1
}

@test "a polling client that fetches nothing is cut, and counted as a slow consumer" {
    local sid
    start_siod -o limits.queue_bytes=100000
    sid=$(curl -sS "$SIOD_URL/socket.io/?EIO=4&transport=polling" | sed 's/^0//' | jq -r .sid)
    curl -sS -o /dev/null --data-binary "40{\"token\":\"$(token 7 1)\"}" "$SIOD_URL/socket.io/?EIO=4&transport=polling&sid=$sid"
    is_there() { [[ $(metric siod_socketio_sockets) == 1 ]]; }
    wait_until is_there
    flood --count 10 --text-bytes 60000 >"$BATS_TEST_TMPDIR/flood"
    wait_until limited queue_bytes 1
    assert_equal "$(metric siod_slow_consumers_total)" 1
}

# soft_limit: of descriptors, and the hard one.
soft_limit() {
    awk '/^Max open files/ { print $4, $5 }' "/proc/$SIOD_PID/limits"
}

# What the kernel's table has room for, before it must be made larger.
table_size() {
    awk '/^FDSize/ { print $2 }' "/proc/$SIOD_PID/status"
}

@test "siod has as many descriptors as its connections need, not all that it may have" {
    local hard
    hard=$(ulimit -Hn)
    start_siod -o limits.connections=100
    assert_equal "$(soft_limit)" "612 $hard"
    (($(table_size) >= 612))
    refute log_has 'not enough descriptors'
    stop_siod

    start_siod -o limits.connections=0
    assert_equal "$(soft_limit)" "$((hard < 1048576 ? hard : 1048576)) $hard"
    stop_siod

    ulimit -Sn 256
    start_siod -o limits.connections=1000
    assert_equal "$(soft_limit)" "1512 $hard"
    stop_siod
    ulimit -Sn "$hard"
}

@test "more connections than there are descriptors for are announced, at the start and by a reload" {
    echo secret >"$BATS_TEST_TMPDIR/jwt.key"
    cat >"$BATS_TEST_TMPDIR/siod.conf" <<END
http { listen = {"127.0.0.1:0"} }
jwt { key_files = {"$BATS_TEST_TMPDIR/jwt.key"} }
store { url = "sqlite:$SIOD_DIR/siod.db" }
control { socket = "$SIOD_DIR/siod.sock" }
limits { connections = 512 }
END
    SIOD_SOCKET=$SIOD_DIR/siod.sock
    SIOD_LOG=$BATS_TEST_TMPDIR/siod.few.log
    in_background prlimit --nofile=1024:1024 "$SIOD_BIN/siod" -c "$BATS_TEST_TMPDIR/siod.conf" >"$SIOD_LOG" 2>&1
    SIOD_PID=$!
    wait_until siod_is_ready
    refute log_has 'not enough descriptors'
    sed -i 's/= 512/= 600/' "$BATS_TEST_TMPDIR/siod.conf"
    sioctl config reload
    log_has 'not enough descriptors limit=limits.connections connections=600 room=512'
    stop_siod
    in_background prlimit --nofile=1024:1024 "$SIOD_BIN/siod" -c "$BATS_TEST_TMPDIR/siod.conf" >"$SIOD_LOG" 2>&1
    SIOD_PID=$!
    wait_until siod_is_ready
    log_has 'not enough descriptors limit=limits.connections connections=600 room=512'
}
