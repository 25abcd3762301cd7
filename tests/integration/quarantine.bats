#!/usr/bin/env bats
# What could not be handled: listed, shown, tried again, given up.

load ../lib/siod

NUMBER=900000000000001 # nobody's at first

setup() {
    setup_siod
    CONF=$BATS_TEST_TMPDIR/siod.conf
    BODY=$BATS_TEST_TMPDIR/body.json
    SIOD_SOCKET=$SIOD_DIR/siod.sock
    printf 'test_app_secret' >"$SIOD_DIR/app.secret"
    printf '%s' 'a key of more than thirty-two bytes' >"$SIOD_DIR/jwt.key"
}

teardown() {
    teardown_siod
}

# configure [EXTRA]: businesses of a file that knows no number but 555, and what else is given.
configure() {
    cat >"$CONF" <<END
http { listen = {"127.0.0.1:0"} }
jwt { key_files = {"$SIOD_DIR/jwt.key"} }
app main { secret_files = {"$SIOD_DIR/app.secret"} }
store { url = "sqlite:$SIOD_DIR/siod.db" }
control { socket = "$SIOD_DIR/siod.sock" }
business 5 { phone_number_ids = {"555"} }
${1:-}
END
}

start_configured() {
    configure "${1:-}"
    launch_siod -c "$CONF"
    wait_until siod_is_ready
}

# body WAMID… [--number ID]: a webhook with a text message for each, all from one customer.
body() {
    local number=$NUMBER wamids=()
    while (($#)); do
        if [[ $1 == --number ]]; then
            number=$2
            shift
        else
            wamids+=("$1")
        fi
        shift
    done
    text_webhook x 15551230001 x | jq -c --arg number "$number" '.entry[0].changes[0].value |=
        (.metadata.phone_number_id = $number | .messages[0] as $m |
            .messages = [$ARGS.positional[] as $id | $m + {id: $id, text: {body: "text of \($id)"}}])' --args "${wamids[@]}"
}

# exits CODE WORDS…
exits() {
    local expected=$1 code=0
    shift
    said=$(sioctl "$@" 2>&1 >"$BATS_TEST_TMPDIR/out") || code=$?
    assert_equal "$* exits $code: $said" "$* exits $expected: $said"
}

# What the log says, without ids of commits and times of announcements.
events() {
    sql 'SELECT business_id, position, room, event, args FROM log ORDER BY id' | sed -E 's/("(lastM|m)essage":\{[^}]*"createdAt"|"timestamp"|"createdAt"|"assignedAt"):"[^"]*"/\1:0/g'
}

# change SQL: beside the daemon that runs.
change() {
    sqlite3 -cmd '.timeout 5000' "$SIOD_DIR/siod.db" "$1"
}

# post BODY: signed; what is answered is not looked at.
post() {
    post_webhook "$1" >"$BATS_TEST_TMPDIR/status"
}

states() {
    sioctl webhook list -o json | jq -r 'map(.state) | join(" ")'
}

@test "a number that is added, and a replay, give what would have been" {
    local now replayed
    # As it would have been:
    start_configured "business 9 { phone_number_ids = {\"$NUMBER\"} }"
    agent_connected a --token "$(token 7 9)"
    sioctl wait agent/7=online --business 9 --timeout 20s >/dev/null
    post "$(body wamid.1 wamid.2)"
    post "$(status_webhook wamid.9 sent | jq -c --arg n "$NUMBER" '.entry[0].changes[0].value.metadata.phone_number_id = $n')"
    sioctl wait chat/1=assigned --timeout 20s >/dev/null
    events >"$BATS_TEST_TMPDIR/control"
    agent_stop a
    stop_siod
    rm "$SIOD_DIR"/siod.db*

    start_configured
    post "$(body wamid.1 wamid.2)"
    post "$(status_webhook wamid.9 sent | jq -c --arg n "$NUMBER" '.entry[0].changes[0].value.metadata.phone_number_id = $n')"
    assert_equal "$(states)" 'quarantined quarantined'
    assert_equal "$(sql 'SELECT count(*) FROM message')" 0
    exits 1 webhook quarantine replay
    assert_contains "$said" '2 replayed, 0 left quarantine'
    assert_equal "$(states)" 'quarantined quarantined'
    sioctl business add 9 --phone-number-id "$NUMBER" >/dev/null
    agent_connected a --token "$(token 7 9)"
    sioctl wait agent/7=online --business 9 --timeout 20s >/dev/null
    now=$(sql 'SELECT ifnull(max(at_ms), 1) FROM log')
    replayed=$(sioctl webhook quarantine replay 1 2 -o json 2>/dev/null)
    assert_equal "$(jq -c 'sort_by(.webhookId) | map([.webhookId, .state, .reason, .counts.inbound, .counts.statuses, .counts.dups])' <<<"$replayed")" \
        '[[1,"done",null,2,0,0],[2,"done",null,0,1,0]]'
    sioctl wait chat/1=assigned --timeout 20s >/dev/null
    assert_equal "$(events)" "$(cat "$BATS_TEST_TMPDIR/control")"
    assert_equal "$(states)" 'done done'
    # It was received when it came, and announced now.
    assert_equal "$(sql "SELECT count(*) FROM message JOIN webhook ON webhook.id = 1 WHERE created_at_ms = received_at_ms")" 2
    assert_equal "$(sql "SELECT min(at_ms) >= $now FROM log WHERE CAST(event AS TEXT) = 'new_message'")" 1
    wait_until agent_saw a '.event == "whatsapp_message_received"'
    exits 1 webhook quarantine replay 1
    assert_contains "$said" 'webhook 1 is not in quarantine: done'
    assert_equal "$(sioctl webhook quarantine list -o json)" '[]'
    assert_equal "$(sioctl status -o json | jq .store.quarantined)" 0
}

@test "a number that a reload brings is as good" {
    start_configured
    post "$(body wamid.1)"
    configure "business 9 { phone_number_ids = {\"$NUMBER\"} }"
    sioctl config reload >/dev/null
    exits 0 webhook quarantine replay --all
    assert_equal "$(sql 'SELECT business_id, CAST(wamid AS TEXT) FROM message')" '9|wamid.1'
}

@test "of a batch only what was not handled is made up for" {
    start_configured "business 6 { phone_number_ids = {\"666\"} }"
    # A good message that came before, one for a number that nobody has, one that can never be used.
    post "$(body wamid.0 --number 666)"
    jq -cs '.[0].entry[0].changes += .[1].entry[0].changes | .[0]' <(body wamid.0 wamid.1 --number 666) <(body wamid.2 wamid.3) >"$BODY"
    jq -c '.entry[0].changes[0].value.messages += [{"type": "text"}]' "$BODY" >"$BODY.bad"
    post "$(cat "$BODY")"
    post "$(cat "$BODY.bad")"
    assert_equal "$(sioctl webhook list -o json | jq -c 'map([.state, .counts.inbound, .counts.dups])')" \
        '[["quarantined",0,2],["quarantined",1,1],["done",1,0]]'
    sioctl business add 9 --phone-number-id "$NUMBER" >/dev/null
    exits 1 webhook quarantine replay -o json
    assert_contains "$said" '2 replayed, 1 left quarantine'
    assert_equal "$(sioctl webhook list -o json | jq -c 'map([.state, .counts.inbound, .counts.dups])')" \
        '[["quarantined",0,4],["done",3,1],["done",1,0]]'
    refute grep -q 'belongs to no business' <(sioctl webhook quarantine list)
    assert_equal "$(sql 'SELECT group_concat(w) FROM (SELECT CAST(wamid AS TEXT) AS w FROM message ORDER BY w)')" wamid.0,wamid.1,wamid.2,wamid.3
    assert_equal "$(sql "SELECT count(*) FROM log WHERE CAST(event AS TEXT) = 'new_message'")" 4
}

@test "what is dropped stays, marked, and is not tried any more" {
    start_configured
    post "$(body wamid.1)"
    post "$(body wamid.2)"
    exits 2 webhook quarantine drop
    assert_contains "$said" 'name them, or give --all'
    assert_equal "$(sioctl webhook quarantine drop 1 -o json | jq -c .)" '[{"webhookId":1,"state":"dropped"}]'
    exits 1 webhook quarantine drop 1
    exits 1 webhook quarantine replay 1
    assert_contains "$said" 'dropped'
    exits 1 webhook quarantine drop 2 77
    assert_contains "$said" 'no webhook 77'
    assert_equal "$(states)" 'quarantined dropped'
    assert_equal "$(sioctl webhook show 1 -o json | jq -r .body)" "$(body wamid.1)"
    assert_contains "$(sioctl webhook show 1 -o json | jq -r .reason)" 'belongs to no business'
    assert_contains "$(sioctl audit -o json | jq -c 'map(.command)')" 'webhook quarantine drop'
    sioctl business add 9 --phone-number-id "$NUMBER" >/dev/null
    exits 0 webhook quarantine replay --all
    assert_equal "$(sql 'SELECT CAST(wamid AS TEXT) FROM message')" wamid.2
    assert_equal "$(sioctl status -o json | jq .store.quarantined)" 0
}

@test "the list can be narrowed, and so can what is done" {
    start_configured
    local i
    for i in 1 2 3; do
        post "$(body "wamid.$i")"
    done
    post '{"object":'
    change "UPDATE webhook SET received_at_ms = received_at_ms - 3600000 WHERE id < 3"
    assert_equal "$(sioctl webhook quarantine list -o json | jq -c 'map(.webhookId)')" '[4,3,2,1]'
    assert_equal "$(sioctl webhook quarantine list --limit 2 -o tsv | cut -f 1 | paste -sd ,)" 4,3
    assert_equal "$(sioctl webhook quarantine list --reason 'not JSON' -o json | jq -c 'map([.webhookId, .bytes, .app])')" '[[4,10,"main"]]'
    assert_equal "$(sioctl webhook quarantine list --since 10m -o json | jq -c 'map(.webhookId)')" '[4,3]'
    assert_equal "$(sioctl webhook quarantine list --since 2100-01-01T00:00:00Z -o json)" '[]'
    sioctl business add 9 --phone-number-id "$NUMBER" >/dev/null
    assert_equal "$(sioctl webhook quarantine replay --reason 'no business' --limit 2 -o json 2>/dev/null | jq -c 'map(.webhookId) | sort')" '[1,2]'
    assert_equal "$(sioctl webhook quarantine drop --since 10m --reason JSON -o json | jq -c 'map(.webhookId)')" '[4]'
    assert_equal "$(states)" 'dropped quarantined done done'
    exits 2 webhook quarantine replay 3 --limit 1
    exits 2 webhook quarantine list --since soon
}

@test "what is no JSON is kept up to a bound and stays what it is" {
    start_configured
    head -c 200000 /dev/zero | tr '\0' '[' >"$BODY"
    assert_equal "$(post_file "$BODY")" 400
    printf '\377\376' >"$BODY"
    assert_equal "$(post_file "$BODY")" 400
    assert_equal "$(sioctl webhook quarantine list -o json | jq -c 'map(.bytes)')" '[2,65536]'
    assert_contains "$(sioctl webhook show 1 -o json | jq -r .reason)" '65536 of 200000 bytes are kept'
    assert_equal "$(sioctl webhook quarantine show 2 -o json | jq -c '[.bytes, .body, .bodyB64]')" '[2,null,"//4="]'
    exits 1 webhook quarantine replay 1 2
    assert_equal "$(states)" 'quarantined quarantined'
}

@test "a body that is kept no longer is shown as none, and cannot be tried again" {
    start_configured
    post "$(body wamid.1)"
    change "UPDATE webhook SET body = x''"
    assert_equal "$(sioctl webhook show 1 -o json | jq -c '[.bytes, .body]')" '[0,null]'
    exits 1 webhook quarantine replay 1
    assert_contains "$said" 'webhook 1 is not there, or not its body'
    exits 0 webhook quarantine replay --all
    exits 1 webhook show 2
    assert_contains "$said" 'no webhook 2'
}

@test "many are replayed in the order in which they came, doubled and by several at once" {
    start_configured
    local i pids=() pid
    mkdir "$BATS_TEST_TMPDIR/in"
    for ((i = 1; i <= 600; i++)); do
        echo "$i"
    done | jq -cR --argjson body "$(body x)" '. as $i | $body | .entry[0].changes[0].value.messages[0].id = "wamid.\($i)"' |
        split -l 1 -a 4 --additional-suffix=.json - "$BATS_TEST_TMPDIR/in/"
    sioctl webhook replay "$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/replayed" 2>&1
    sioctl business add 9 --phone-number-id "$NUMBER" >/dev/null
    exits 0 webhook quarantine replay --limit 50
    sql 'SELECT CAST(wamid AS TEXT) FROM message ORDER BY id' | cmp - <(seq -f wamid.%g 50)
    for i in 1 2 3; do
        in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" webhook quarantine replay -o ndjson >"$BATS_TEST_TMPDIR/out.$i" 2>&1
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
    assert_equal "$(sql 'SELECT count(*), count(DISTINCT wamid) FROM message')" '600|600'
    assert_equal "$(sql 'SELECT count(*) FROM webhook WHERE state <> 0')" 0
    assert_equal "$(sql "SELECT count(*) FROM log WHERE CAST(event AS TEXT) = 'new_message'")" 600
}
