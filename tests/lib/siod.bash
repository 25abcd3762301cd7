# Helpers for the integration tests: a throw-away siod per test, tokens, signed webhooks, agents.
#
# ctest sets SIOD_BIN to the directory of the programs under test. Nothing here sleeps for a fixed time: wait_until
# asks again until the condition holds or its deadline has passed. Daemons and agents die with the test that started
# them (pdeathsig), whatever ends it.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the tests

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
SIOD_BIN=${SIOD_BIN:-$ROOT/build/bin}
VECTORS=$ROOT/tests/vectors/webhooks
PHONE_NUMBER_ID=106540352242922
WEBHOOK_PATH=/webhook
# A sanitised daemon on a busy machine is slow; deadlines only matter to tests that fail.
DEADLINE=${SIOD_TEST_DEADLINE:-30}

setup_siod() {
    SIOD_DIR=$BATS_TEST_TMPDIR/state
    SIOD_STARTS=0
    SIOD_PID=
    AGENTS=()
    mkdir -p "$SIOD_DIR"
    ((${#SIOD_DIR} < 90)) || fail "the path $SIOD_DIR is too long for a socket: set TMPDIR to a shorter one"
}

# For teardown(): nothing survives the test, and a daemon that is still there must end well.
teardown_siod() {
    local name
    for name in "${AGENTS[@]}"; do
        agent_stop "$name"
    done
    if [[ -n ${SIOD_PID:-} ]]; then
        stop_siod
    fi
    if [[ -z ${BATS_TEST_COMPLETED:-} && -f ${SIOD_LOG:-} ]]; then
        echo "--- the end of $SIOD_LOG"
        tail -n 40 "$SIOD_LOG"
    fi
}

fail() {
    printf '%s\n' "$*" >&2
    return 1
}

# pause SECONDS: without starting a process.
pause() {
    read -rt "$1" <> <(:) || :
}

# wait_until [-t SECONDS] COMMAND…
wait_until() {
    local deadline=$DEADLINE end
    if [[ $1 == -t ]]; then
        deadline=$2
        shift 2
    fi
    end=$((${EPOCHREALTIME/./} + deadline * 1000000))
    until "$@"; do
        ((${EPOCHREALTIME/./} < end)) || fail "not true within ${deadline}s: $*" || return 1
        pause 0.05
    done
}

assert_equal() {
    [[ $1 == "$2" ]] || fail "expected: $2" "but got: $1"
}

# refute COMMAND…: `!` alone does not fail a test.
refute() {
    if "$@"; then
        fail "should not be true: $*"
    fi
}

assert_contains() {
    [[ $1 == *"$2"* ]] || fail "expected something with: $2" "but got: $1"
}

# ---- the daemon

# start_siod [ARGUMENT…]: `siod --dev` on a free port; sets SIOD_PID, SIOD_URL, SIOD_SOCKET, SIOD_LOG.
start_siod() {
    launch_siod --dev "$SIOD_DIR" -o http.listen=127.0.0.1:0 "$@"
    SIOD_SOCKET=$SIOD_DIR/siod.sock
    export SIOD_URL SIOD_SOCKET
    wait_until siod_is_ready
}

# launch_siod ARGUMENT…: without waiting. SIOD_PRELOAD is loaded into it, before a sanitizer's runtime.
launch_siod() {
    SIOD_STARTS=$((SIOD_STARTS + 1))
    SIOD_LOG=$BATS_TEST_TMPDIR/siod.$SIOD_STARTS.log
    local preload=()
    if [[ -n ${SIOD_PRELOAD:-} ]]; then
        preload=(env LD_PRELOAD="$SIOD_PRELOAD" ASAN_OPTIONS=verify_asan_link_order=0)
    fi
    in_background "${preload[@]}" "$SIOD_BIN/siod" "$@" >"$SIOD_LOG" 2>&1
    SIOD_PID=$!
}

# Without bats' own descriptor, and without the agents' inputs: an agent ends when the last of them is closed.
in_background() {
    (
        local name fd
        for name in "${AGENTS[@]}"; do
            fd=agent_fd_$name
            fd=${!fd:-}
            [[ -z $fd ]] || exec {fd}>&-
        done
        exec setpriv --pdeathsig KILL "$@" 3>&-
    ) <&0 &
}

siod_is_ready() {
    local line
    kill -0 "$SIOD_PID" 2>/dev/null || fail "siod ended: $(tail -n 5 "$SIOD_LOG")" || return 1
    line=$(grep -m 1 -a 'siod: ready on ' "$SIOD_LOG") || return 1
    SIOD_URL=http://${line##*ready on }
}

# SIGTERM, and it must end within 10 s with status 0.
stop_siod() {
    local pid=$SIOD_PID status=0
    SIOD_PID=
    kill -TERM "$pid" 2>/dev/null || :
    wait_until -t 12 has_ended "$pid" || kill -KILL "$pid"
    wait "$pid" || status=$?
    no_sanitizer_report
    assert_equal "exit status $status" "exit status 0"
}

kill_siod() {
    local pid=$SIOD_PID
    SIOD_PID=
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || :
}

# A child that has ended but was not waited for counts as ended.
has_ended() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 0
    [[ -z $state || $state == Z ]]
}

no_sanitizer_report() {
    ! grep -a -E 'ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$SIOD_LOG"
}

# run_siod ARGUMENT…: one that is expected to end by itself; for bats' `run`.
run_siod() {
    timeout 20 "$SIOD_BIN/siod" "$@" 3>&-
}

sioctl() {
    timeout 60 "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" "$@" 3>&-
}

sql() {
    sqlite3 -readonly -cmd '.timeout 5000' "$SIOD_DIR/siod.db" "$1"
}

metric() {
    curl -sS "$SIOD_URL/metrics" | awk -v name="$1" '{ value = $NF; sub(/ [^ ]*$/, "") } $0 == name { print value }'
}

log_has() {
    grep -aqE -- "$1" "$SIOD_LOG"
}

# ---- tokens

base64url() {
    openssl base64 -A | tr '+/' '-_' | tr -d '='
}

# jwt CLAIMS [HEADER [KEY_FILE]]: a token made without siod's own code.
jwt() {
    local header=${2:-'{"alg":"HS256","typ":"JWT"}'} key=${3:-$SIOD_DIR/jwt.key} text
    text=$(printf %s "$header" | base64url).$(printf %s "$1" | base64url)
    printf '%s.%s\n' "$text" "$(printf %s "$text" | hmac_sha256 "$key" -binary | base64url)"
}

# token USER BUSINESS [MORE_CLAIMS]: a good one, valid for an hour.
token() {
    jwt "{\"userId\":$1,\"businessId\":$2,\"exp\":$((EPOCHSECONDS + 3600))${3:+,$3}}"
}

# hmac_sha256 KEY_FILE [-binary] <TEXT: the key is the file without its trailing newline.
hmac_sha256() {
    openssl dgst -sha256 -hmac "$(cat "$1")" "${@:2}" | sed 's/^.*= //'
}

# ---- webhooks

# text_webhook WAMID FROM TEXT [PHONE_NUMBER_ID]: a body with one text message.
text_webhook() {
    jq -cn --arg id "$1" --arg from "$2" --arg text "$3" --arg phone "${4:-$PHONE_NUMBER_ID}" '
        {object: "whatsapp_business_account", entry: [{id: "1", changes: [{field: "messages", value: {
            messaging_product: "whatsapp", metadata: {display_phone_number: "15550783881", phone_number_id: $phone},
            contacts: [{profile: {name: "Customer \($from)"}, wa_id: $from}],
            messages: [{from: $from, id: $id, timestamp: "1749416383", type: "text", text: {body: $text}}]}}]}]}'
}

# echo_webhook WAMID TO TEXT: a message that the business wrote on its phone.
echo_webhook() {
    jq -cn --arg id "$1" --arg to "$2" --arg text "$3" --arg phone "$PHONE_NUMBER_ID" '
        {object: "whatsapp_business_account", entry: [{id: "1", changes: [{field: "smb_message_echoes", value: {
            messaging_product: "whatsapp", metadata: {display_phone_number: "15550783881", phone_number_id: $phone},
            contacts: [{profile: {name: "Customer \($to)"}, wa_id: $to}],
            message_echoes: [{from: "15550783881", to: $to, id: $id, timestamp: "1749416390", type: "text",
                              text: {body: $text}}]}}]}]}'
}

# status_webhook WAMID STATUS RECIPIENT
status_webhook() {
    jq -cn --arg id "$1" --arg status "$2" --arg to "$3" --arg phone "$PHONE_NUMBER_ID" '
        {object: "whatsapp_business_account", entry: [{id: "1", changes: [{field: "messages", value: {
            messaging_product: "whatsapp", metadata: {display_phone_number: "15550783881", phone_number_id: $phone},
            statuses: [{id: $id, status: $status, timestamp: "1749416400", recipient_id: $to}]}}]}]}'
}

# signature FILE [SECRET_FILE]: the header's value for the bytes in FILE.
signature() {
    echo "sha256=$(hmac_sha256 "${2:-$SIOD_DIR/app.secret}" <"$1")"
}

# post_file FILE [CURL_ARGUMENT…]: prints the HTTP status. Signed and declared as JSON, unless the arguments have
# headers of their own for that.
post_file() {
    local file=$1
    shift
    if [[ $* != *X-Hub-Signature* ]]; then
        set -- -H "X-Hub-Signature-256: $(signature "$file")" "$@"
    fi
    if [[ $* != *Content-Type* ]]; then
        set -- -H 'Content-Type: application/json' "$@"
    fi
    curl -sS --max-time "$DEADLINE" -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}\n' \
        "$@" --data-binary "@$file" "$SIOD_URL$WEBHOOK_PATH"
}

# post_webhook BODY: signed and sent; prints the HTTP status.
post_webhook() {
    local file
    file=$(mktemp "$BATS_TEST_TMPDIR/body.XXXXXX")
    printf %s "$1" >"$file"
    post_file "$file"
}

# ---- agents

# agent_start NAME ARGUMENT…: an agent.mjs; its output grows in $BATS_TEST_TMPDIR/NAME.out.
agent_start() {
    local name=$1 in=$BATS_TEST_TMPDIR/$1.in fd
    shift
    [[ -p $in ]] || mkfifo "$in"
    exec {fd}<>"$in" # does not wait for the other end
    AGENTS+=("$name")
    printf -v "agent_fd_$name" %s "$fd"
    in_background node "$ROOT/tests/lib/agent.mjs" --url "$SIOD_URL" "$@" \
        <"$in" >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err"
    printf -v "agent_pid_$name" %s $!
}

# agent_connected NAME ARGUMENT…: started and connected.
agent_connected() {
    agent_start "$@"
    wait_until agent_saw "$1" '.type == "connect"'
}

agent_tell() {
    local fd=agent_fd_$1
    printf '%s\n' "$2" >&"${!fd}"
}

# agent_saw NAME FILTER: some line of its output matches the jq filter.
agent_saw() {
    [[ -n $(agent_lines "$@") ]]
}

# agent_lines NAME FILTER: the lines that match. The last one may still be being written.
agent_lines() {
    { grep -a '}$' "$BATS_TEST_TMPDIR/$1.out" || :; } | jq -c "select($2)"
}

agent_events() {
    agent_lines "$1" ".type == \"event\" and .event == \"$2\""
}

# agent_asks NAME EVENT ARGUMENT_JSON…: emits, waits for the ack, prints its first argument.
agent_asks() {
    local name=$1 event=$2 tag=$RANDOM$RANDOM args
    shift 2
    args=$(printf ',%s' "$@")
    agent_tell "$name" "{\"emit\":[\"$event\"$args],\"ack\":true,\"tag\":\"$tag\"}"
    wait_until agent_saw "$name" ".type == \"ack\" and .tag == \"$tag\""
    agent_lines "$name" ".tag == \"$tag\"" | jq -c '.args[0] // .error'
}

# sockets_are COUNT: so many are connected.
sockets_are() {
    [[ $(sioctl socket list -o ndjson | wc -l) == "$1" ]]
}

# agent_stop NAME: ends it as a closed browser window would.
agent_stop() {
    local fd=agent_fd_$1 pid=agent_pid_$1
    [[ -n ${!pid:-} ]] || return 0
    fd=${!fd}
    exec {fd}>&-
    wait "${!pid}" 2>/dev/null || :
    unset "agent_pid_$1" "agent_fd_$1"
}
