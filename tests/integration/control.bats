#!/usr/bin/env bats
# The control protocol itself, as siod-control(7) has it.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    talk_end
    teardown_siod
}

# talk [PREFIX…]: one connection, kept open: say a line, hear the next one.
talk() {
    coproc TALK { exec "$@" socat -t 5 - "UNIX-CONNECT:$SIOD_SOCKET" 3>&-; }
    # Subshells do not get a coprocess's own descriptors.
    exec {TALK_IN}<&"${TALK[0]}" {TALK_OUT}>&"${TALK[1]}"
}

talk_end() {
    if [[ -n ${TALK_IN:-} ]]; then
        exec {TALK_IN}<&- {TALK_OUT}>&-
        kill "$TALK_PID" 2>/dev/null || :
        wait "$TALK_PID" 2>/dev/null || :
        TALK_IN=
    fi
}

say() {
    printf '%s\n' "$1" >&"$TALK_OUT"
}

hear() {
    local line
    read -rt "$DEADLINE" line <&"$TALK_IN" || fail 'no answer'
    printf '%s\n' "$line"
}

# ask LINE: the answer to it.
ask() {
    say "$1"
    hear
}

# status_is PATH VALUE
status_is() {
    [[ $(sioctl status -o json | jq "$1") == "$2" ]]
}

@test "the daemon greets, and answers every request under its id" {
    start_siod
    talk
    assert_equal "$(hear | jq -c '[(.siod | type), .protocol]')" '["string",1]'
    assert_equal "$(ask '{"id":1,"cmd":"wait","args":{"condition":"ready"}}' | jq -c '[.id, .ok, .result.met]')" '[1,true,true]'
    assert_equal "$(ask '{"id":"x","cmd":"business list"}' | jq -c '[.id, .ok, .result[0].businessId]')" '["x",true,1]'
}

@test "what is no request is refused by name and the connection lives on" {
    start_siod
    talk
    hear >/dev/null
    local line expected
    while IFS='|' read -r line expected; do
        assert_equal "$line $(ask "$line" | jq -c '[.id, .ok, .error.code]')" "$line $expected"
    done <<'LINES'
nonsense|[null,false,"syntax"]
[]|[null,false,"syntax"]
{"cmd":"status"}|[null,false,"invalid_argument"]
{"id":1}|[1,false,"invalid_argument"]
{"id":18446744073709551616,"cmd":"status"}|[null,false,"invalid_argument"]
{"id":1e999,"cmd":"status"}|[null,false,"invalid_argument"]
{"id":2,"cmd":"frobnicate"}|[2,false,"unknown_command"]
{"id":3,"cmd":"webhook replay","args":{"path":"/etc/passwd"}}|[3,false,"unknown_command"]
{"id":4,"cmd":"chat show"}|[4,false,"invalid_argument"]
{"id":5,"cmd":"chat show","args":{"chat":"x"}}|[5,false,"invalid_argument"]
{"id":6,"cmd":"chat show","args":{"chat":1,"more":2}}|[6,false,"invalid_argument"]
{"id":7,"cmd":"chat show","args":{"chat":1}}|[7,false,"not_found"]
{"id":8,"cmd":"token mint","args":{"user":1,"business":1,"keyFile":"/etc/shadow"}}|[8,false,"invalid_argument"]
{"id":16,"cmd":"store check","args":{"file":"/nonexistent.db"}}|[16,false,"invalid_argument"]
{"id":17,"cmd":"store migrate","args":{"file":"/nonexistent.db"}}|[17,false,"invalid_argument"]
{"id":9,"cmd":"webhook deliver","args":{}}|[9,false,"invalid_argument"]
{"id":10,"cmd":"webhook deliver","args":{"bodyB64":"*"}}|[10,false,"invalid_argument"]
LINES
    assert_equal "$(ask '{"id":11,"cmd":"business list"}' | jq .ok)" true
}

@test "a switch that is false is one that is not given" {
    start_siod
    talk
    hear >/dev/null
    local file=$BATS_TEST_TMPDIR/kept
    echo mine >"$file"
    assert_equal "$(ask "{\"id\":1,\"cmd\":\"store backup\",\"args\":{\"file\":\"$file\",\"force\":false}}" |
        jq -r .error.code)" exists
    assert_equal "$(cat "$file")" mine
    assert_equal "$(ask '{"id":2,"cmd":"webhook quarantine drop","args":{"all":false}}' |
        jq -r .error.code)" invalid_argument
}

@test "a string with a NUL is refused by name and not cut there" {
    start_siod
    talk
    hear >/dev/null
    assert_contains "$(ask '{"id":1,"cmd":"log level\u0000"}' | jq -r '.error | "\(.code) \(.message)"')" \
        'invalid_argument cmd'
    assert_contains "$(ask "{\"id\":2,\"cmd\":\"store backup\",\"args\":{\"file\":\"$BATS_TEST_TMPDIR/a\\u0000b\"}}" |
        jq -r '.error | "\(.code) \(.message)"')" 'invalid_argument file:'
    refute test -e "$BATS_TEST_TMPDIR/a"
    assert_equal "$(ask '{"id":3,"cmd":"webhook deliver","args":{"body":"a\u0000b"}}' | jq .result.webhookId)" 1
    assert_equal "$(sql "SELECT hex(body) FROM webhook")" 610062
}

@test "many requests may be under way on one connection" {
    start_siod
    talk
    hear >/dev/null
    local i
    for i in {1..100}; do
        say "{\"id\":$i,\"cmd\":\"chat list\"}"
    done
    for i in {1..100}; do
        hear
    done | jq -s 'map(.id) | sort == [range(1; 101)]' >"$BATS_TEST_TMPDIR/all"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/all")" true
}

@test "a line beyond the limit ends the connection before it is held in memory" {
    start_siod
    local answer
    answer=$(head -c 9000000 /dev/zero | tr '\0' x | socat -t 5 - "UNIX-CONNECT:$SIOD_SOCKET" 2>/dev/null | tail -n 1)
    assert_equal "$(jq -r .error.code <<<"$answer")" too_large
    sioctl status >/dev/null
}

@test "a request of several megabytes is taken in one piece" {
    start_siod
    head -c 2000000 /dev/zero | tr '\0' 'x' |
        jq -Rc '{id: 1, cmd: "webhook deliver", args: {body: "{\"object\":\"other\",\"text\":\"\(.)\"}"}}' >"$BATS_TEST_TMPDIR/line"
    talk
    hear >/dev/null
    cat "$BATS_TEST_TMPDIR/line" >&"$TALK_OUT"
    assert_equal "$(hear | jq -c '[.id, .result.status]')" '[1,200]'
}

# talk_as_nobody: another user's connection, after the greeting.
talk_as_nobody() {
    chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR" "$SIOD_DIR"
    chmod 666 "$SIOD_SOCKET"
    talk setpriv --reuid 65534 --regid 65534 --clear-groups
    hear >/dev/null
}

@test "whoever is neither root nor siod's user may only read" {
    [[ $EUID == 0 ]] || skip 'needs root to be somebody else'
    start_siod
    talk_as_nobody
    assert_equal "$(ask '{"id":1,"cmd":"chat list"}' | jq .ok)" true
    assert_equal "$(ask '{"id":1,"cmd":"token mint","args":{"user":1,"business":1}}' | jq -r .error.code)" forbidden
    assert_equal "$(ask '{"id":1,"cmd":"webhook deliver","args":{"body":"{}"}}' | jq -r .error.code)" forbidden
    assert_equal "$(ask '{"id":1,"cmd":"business add","args":{"business":9}}' | jq -r .error.code)" forbidden
    assert_equal "$(ask '{"id":1,"cmd":"token revoke","args":{"jti":"x"}}' | jq -r .error.code)" forbidden
    assert_equal "$(ask '{"id":1,"cmd":"token revocations"}' | jq -c .result)" '[]'
    assert_equal "$(sql 'SELECT count(*) FROM audit')" 0
}

@test "a user of control.operators may operate, not more" {
    [[ $EUID == 0 ]] || skip 'needs root to be somebody else'
    start_siod -o control.operators=nobody
    talk_as_nobody
    assert_equal "$(ask '{"id":1,"cmd":"webhook deliver","args":{"bodyB64":"*"}}' | jq -r .error.code)" invalid_argument
    assert_equal "$(ask '{"id":1,"cmd":"token revoke","args":{"jti":"x"}}' | jq -r .result.jti)" x
    assert_equal "$(ask '{"id":1,"cmd":"token mint","args":{"user":1,"business":1}}' | jq -r .error.code)" forbidden
}

@test "a reader that hangs up in the middle leaves nothing behind" {
    start_siod
    local i
    for i in {1..10}; do
        talk
        hear >/dev/null
        say '{"id":1,"cmd":"tail"}'
        say '{"id":2,"cmd":"status"}'
        talk_end
    done
    wait_until status_is .control.connections 1
    status_is .control.tails 0
}

@test "the id of a stream is not good for a second request on its connection" {
    start_siod
    talk
    hear >/dev/null
    say '{"id":"s","cmd":"tail"}'
    assert_equal "$(hear | jq -c '[.id, .more]')" '["s",true]'
    say '{"id":"s","cmd":"tail"}'
    assert_equal "$(hear | jq -c '[.id, .ok, .error.code]')" '["s",false,"exists"]'
    say '{"id":"s","cmd":"status"}'
    assert_equal "$(hear | jq -c '[.id, .ok, .error.code]')" '["s",false,"exists"]'
    say '{"id":"t","cmd":"status"}'
    assert_equal "$(hear | jq -c '[.id, .ok, .result.control.tails]')" '["t",true,1]'
    talk_end
}

@test "one stream too many on a connection is refused, and what comes behind it is answered" {
    start_siod
    talk
    hear >/dev/null
    local i
    for i in {1..257}; do
        say "{\"id\":$i,\"cmd\":\"tail\"}"
    done
    for i in {1..256}; do
        hear
    done | jq -s 'map(select(.ok and .more) | .id) == [range(1; 257)]' >"$BATS_TEST_TMPDIR/all"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/all")" true
    assert_equal "$(hear | jq -c '[.id, .ok, .error.code]')" '[257,false,"busy"]'
    assert_equal "$(ask '{"id":258,"cmd":"status"}' | jq -c '[.id, .result.control.tails]')" '[258,256]'
    talk_end
    wait_until status_is .control.tails 0
}

@test "a reader may have fewer streams, and ends one to have another" {
    [[ $EUID == 0 ]] || skip 'needs root to be somebody else'
    start_siod
    talk_as_nobody
    local i
    for i in {1..31}; do
        assert_equal "$(ask "{\"id\":$i,\"cmd\":\"tail\"}" | jq .more)" true
    done
    assert_equal "$(ask '{"id":32,"cmd":"tail","args":{"count":1,"event":"note"}}' | jq .more)" true
    assert_equal "$(ask '{"id":33,"cmd":"tail"}' | jq -r .error.code)" busy
    sioctl emit note '{}' --room nobody --business 1 >/dev/null
    for i in {1..33}; do
        hear
    done | jq -s 'map(select(.id == 32 and .more == null)) | length' >"$BATS_TEST_TMPDIR/ended"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/ended")" 1
    assert_equal "$(ask '{"id":33,"cmd":"tail"}' | jq .more)" true
}

# batches: twenty webhooks of 200 messages in the test's directory, far more than the socket, the queue's mark and sioctl
# hold.
batches() {
    local i
    for i in {1..20}; do
        jq -cn --arg i "$i" --arg text "$(printf 'x%.0s' {1..1000})" '
            {object: "whatsapp_business_account", entry: [{id: "1", changes: [{field: "messages", value: {
                messaging_product: "whatsapp", metadata: {display_phone_number: "1", phone_number_id: "1"},
                contacts: [{profile: {name: "C"}, wa_id: "15550001"}],
                messages: [range(200) | {from: "15550001", id: "w\($i).\(.)", timestamp: "1749416383", type: "text", text: {body: $text}}]}}]}]}' \
            >"$BATS_TEST_TMPDIR/batch.$i.json"
    done
}

@test "a slow reader of a stream gets a gap, the daemon goes on, and no record is lost without a word" {
    start_siod
    local pid
    batches
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail -o ndjson --idle 3s >"$BATS_TEST_TMPDIR/slow.tail"
    pid=$!
    wait_until status_is .control.tails 1
    kill -STOP "$pid"
    sioctl webhook replay "$BATS_TEST_TMPDIR" >/dev/null
    wait_until status_is .events.waiting 0
    kill -CONT "$pid"
    wait "$pid"
    assert_equal "$(jq -s 'any(.[]; .type == "gap")' "$BATS_TEST_TMPDIR/slow.tail")" true
    # Records and gaps together cover all numbers without a hole.
    assert_equal "$(jq -s 'reduce .[] as $r ({next: 1, good: true};
            if $r.type == "gap" then {next: ($r.to + 1), good: (.good and $r.from == .next)}
            else {next: ($r.seq + 1), good: (.good and $r.seq == .next)} end) | [.good, .next] | @csv' \
        "$BATS_TEST_TMPDIR/slow.tail" | tr -d '"')" "true,$(($(sioctl status -o json | jq .events.emitted) + 1))"
}

@test "a slow reader of the log misses nothing that is stored" {
    start_siod
    local pid end
    batches
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail --since 0 --business 1 -o ndjson --idle 3s >"$BATS_TEST_TMPDIR/slow.tail"
    pid=$!
    wait_until status_is .control.tails 1
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    wait_until grep -q wamid.1 "$BATS_TEST_TMPDIR/slow.tail"
    kill -STOP "$pid"
    sioctl webhook replay "$BATS_TEST_TMPDIR" >/dev/null
    wait_until status_is .events.waiting 0
    sioctl emit note '{}' --room nobody --business 1 >/dev/null
    kill -CONT "$pid"
    wait "$pid"
    end=$(sql "SELECT position FROM business WHERE id = 1")
    assert_equal "$(jq -s 'map(select(.position).position) == [range(1; '"$end"' + 1)]' "$BATS_TEST_TMPDIR/slow.tail")" true
    # What is not stored was missed, and that is told.
    assert_equal "$(jq -cs 'map(select(.type == "gap") | [.from == .to, .reason])' "$BATS_TEST_TMPDIR/slow.tail")" '[[true,null]]'
}

@test "when the daemon stops, whoever follows it is told and it ends well" {
    start_siod
    local code=0 pid
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail -o json >"$BATS_TEST_TMPDIR/tail" 2>"$BATS_TEST_TMPDIR/words"
    pid=$!
    wait_until status_is .control.tails 1
    stop_siod
    wait "$pid" || code=$?
    assert_equal $code 3
    assert_equal "$(cat "$BATS_TEST_TMPDIR/tail")" '[]'
    assert_contains "$(cat "$BATS_TEST_TMPDIR/words")" 'closed the connection'
    [[ ! -e $SIOD_SOCKET ]]
}

@test "who closes its side right behind the request still gets the answers" {
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    local request='{"id":1,"cmd":"status"}\n{"id":2,"cmd":"chat list"}\n{"id":3,"cmd":"message show","args":{"message":1}}\n'
    # shellcheck disable=SC2059 # a format on purpose
    for _ in 1 2 3 4 5; do
        printf "$request" | socat -t "$DEADLINE" - "UNIX-CONNECT:$SIOD_SOCKET" 3>&- >"$BATS_TEST_TMPDIR/answers"
        assert_equal "$(jq -cs 'map(select(.id).id) | sort' "$BATS_TEST_TMPDIR/answers")" '[1,2,3]'
        assert_equal "$(jq -cs 'map(select(.id).ok) | all' "$BATS_TEST_TMPDIR/answers")" true
    done
    wait_until status_is .control.connections 1
}

# peers COUNT [LINE]: they connect, say no more than that, and tell on stdout when they are there.
peers() {
    exec setpriv --pdeathsig KILL python3 -c '
import resource, socket, sys
peers = []
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
for _ in range(int(sys.argv[2])):
    peers.append(socket.socket(socket.AF_UNIX))
    peers[-1].connect(sys.argv[1])
    if sys.argv[3]:
        peers[-1].sendall(sys.argv[3].encode() + b"\n")
print("there", flush=True)
sys.stdin.read()
' "$SIOD_SOCKET" "$1" "${2:-}"
}

with_peers() {
    coproc PEERS { peers "$@" 3>&-; }
    exec {PEERS_OUT}<&"${PEERS[0]}" {PEERS_IN}>&"${PEERS[1]}"
    read -rt "$DEADLINE" _ <&"$PEERS_OUT"
}

without_peers() {
    local pid=$PEERS_PID
    kill "$pid"
    exec {PEERS_IN}>&- {PEERS_OUT}<&-
    wait "$pid" 2>/dev/null || :
}

@test "thousands of connections that say nothing do not keep the operator out" {
    start_siod
    with_peers 2000
    assert_equal "$(sioctl log level)" info
    few() { (($(sioctl status -o json | jq .control.connections) <= 128)); }
    wait_until few
    without_peers
}

@test "a daemon with no room for another connection is waited for" {
    local status=0
    start_siod
    with_peers 128 '{"id":1,"cmd":"tail"}'
    all_there() { (($(metric siod_control_commands_total) == 128)); }
    wait_until all_there
    sioctl log level 2>"$BATS_TEST_TMPDIR/said" || status=$?
    assert_equal "$status" 1
    assert_contains "$(<"$BATS_TEST_TMPDIR/said")" busy
    status=0
    sioctl wait ready --timeout 200ms || status=$?
    assert_equal "$status" 4
    sioctl wait ready --timeout "${DEADLINE}s" &
    without_peers
    wait $!
}

@test "numbers may stand for ids in every argument that takes one" {
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    talk
    hear >/dev/null
    assert_equal "$(ask '{"id":1,"cmd":"message show","args":{"message":1}}' | jq -r .result.wamid)" wamid.1
    assert_equal "$(ask '{"id":2,"cmd":"business add","args":{"business":5,"phoneNumberId":[106540352242923]}}' | jq -c .result.phoneNumberIds)" '["106540352242923"]'
    assert_equal "$(ask '{"id":3,"cmd":"message show","args":{"message":-1}}' | jq -r .error.code)" not_found
    assert_equal "$(ask '{"id":4,"cmd":"emit","args":{"event":"e","json":1,"room":"","business":1}}' | jq -r .error.code)" invalid_argument
}
