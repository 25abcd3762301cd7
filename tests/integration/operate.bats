#!/usr/bin/env bats
# What an operator does to a live desk: agents, rooms, sockets, events, the log; in each format, with every exit code.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

# exit_code CODE ARGUMENT…: sioctl ends with it; what it says stays in $said.
exit_code() {
    local expected=$1 code=0
    shift
    said=$(sioctl "$@" 2>&1 >"$BATS_TEST_TMPDIR/out") || code=$?
    assert_equal "$* exits $code" "$* exits $expected"
}

# with_agent USER BUSINESS: connected, and its row in the store.
with_agent() {
    agent_connected "a$1_$2" --token "$(token "$1" "$2" "${3:-}")"
    sioctl wait "agent/$1=online" --business "$2" --timeout 20s >/dev/null
}

socket_of() {
    sioctl socket list --user "$1" -o json | jq -r '.[0].socketId'
}

tails_are() {
    [[ $(sioctl status -o json | jq .control.tails) == "$1" ]]
}

audited() {
    sql "SELECT count(*) FROM audit WHERE CAST(command AS TEXT) = '$1'"
}

@test "agent list and agent show: intent, connectivity, load and eligibility side by side" {
    start_siod -o presence.offline_grace_ms=1
    assert_equal "$(sioctl agent list -o json)" '[]'
    with_agent 7 1 '"name":"Ann"'
    with_agent 8 1
    with_agent 9 2
    agent_stop a8_1
    sioctl wait agent/8=offline --timeout 20s
    assert_equal "$(sioctl agent list --business 1 -o json | jq -c '.[0] | del(.role, .reason)')" \
        '{"agentId":7,"businessId":1,"name":"Ann","status":"available","online":true,"load":0,"capacity":50,"eligible":true}'
    assert_equal "$(sioctl agent list -o ndjson | jq -c '[.agentId, .businessId, .online, .eligible, .reason]' | paste -sd ' ')" \
        '[7,1,true,true,null] [8,1,false,false,"offline"] [9,2,true,true,null]'
    assert_equal "$(sioctl agent list --business 1 -o tsv | head -n 1)" \
        $'7\t1\tAnn\tagent\tavailable\ttrue\t0\t50\ttrue\t'
    assert_contains "$(sioctl agent list)" '7      1         Ann   available  true    0     50        true'
    sioctl agent status 9 away >/dev/null
    assert_equal "$(sioctl agent list --status away -o json | jq -c 'map(.agentId)')" '[9]'
    assert_equal "$(sioctl agent show 9 -o json | jq -c '[.status, .eligible, .reason, .role]')" '["away",false,"away","agent"]'
    exit_code 1 agent show 99
    assert_equal "$said" 'sioctl: not_found: no agent 99'
    exit_code 1 agent show 9 --business 1
    exit_code 2 agent show nine
    exit_code 2 agent list --status asleep
}

@test "an agent id that two businesses have needs --business" {
    start_siod
    with_agent 7 1
    with_agent 7 2
    exit_code 2 agent status 7 away
    assert_equal "$said" 'sioctl: invalid_argument: businesses 1, 2 have an agent 7: choose with --business'
    exit_code 2 wait agent/7=online --timeout 5s
    exit_code 2 socket kick --user 7
    assert_equal "$said" 'sioctl: invalid_argument: businesses 1, 2 have an agent 7: choose with --business'
    assert_equal "$(sioctl socket list -o json | jq length)" 2
    for socket in $(sioctl socket list -o json | jq -r '.[].socketId'); do
        sioctl room join vip "$socket" >/dev/null
    done
    exit_code 2 room show vip
    [[ $said =~ ^'sioctl: invalid_argument: businesses '(1, 2|2, 1)" have a room 'vip': choose with --business"$ ]]
    exit_code 0 room show vip --business 2
    exit_code 0 agent status 7 away --business 2
    assert_equal "$(sioctl agent list -o json | jq -c 'map([.businessId, .status])')" '[[1,"available"],[2,"away"]]'
}

@test "agent status forces an agent away, the business is told, and who did it is on record" {
    start_siod
    with_agent 7 1
    assert_equal "$(sioctl agent status 7 away --reason 'lunch & coffee' -o json | jq -c '[.agentId, .status, .changed]')" \
        '[7,"away",true]'
    wait_until agent_saw a7_1 '.event == "agent_status_changed" and .args[0].status == "away" and .args[0].agentId == 7'
    assert_equal "$(sioctl agent status 7 away -o json | jq .changed)" false
    assert_equal "$(sioctl audit --limit 2 -o json | jq -c 'map([.command, .args.status, .args.reason])')" \
        '[["agent status","away",null],["agent status","away","lunch & coffee"]]'
    exit_code 1 agent status 99 away
    exit_code 2 agent status 7 asleep
    exit_code 2 agent status 7
}

@test "an agent of capacity 0 gets no new chat, and keeps what it has" {
    start_siod
    with_agent 7 1
    post_webhook "$(text_webhook wamid.1 491 first)"
    wait_until chat_is 1 assigned
    assert_equal "$(sioctl agent capacity 7 0 -o json | jq -c '[.capacity, .changed]')" '[0,true]'
    assert_equal "$(sioctl agent show 7 -o json | jq -c '[.load, .eligible, .reason]')" '[1,false,"full"]'
    post_webhook "$(text_webhook wamid.2 492 second)"
    wait_until chat_is 2 waiting
    sioctl agent capacity 7 2
    wait_until chat_is 2 assigned
}

# chat_is CHAT STATE
chat_is() {
    [[ $(sioctl chat show "$1" -o json | jq -r .state) == "$2" ]]
}

@test "agent capacity is kept, also over a restart" {
    start_siod
    with_agent 7 1
    assert_equal "$(sioctl agent capacity 7 3 -o json | jq -c '[.capacity, .changed]')" '[3,true]'
    stop_siod
    start_siod
    assert_equal "$(sioctl agent show 7 -o json | jq .capacity)" 3
    assert_equal "$(audited 'agent capacity')" 1
    exit_code 1 agent capacity 99 3
    exit_code 2 agent capacity 7 -- -1
    exit_code 2 agent capacity 7 2147483648
    exit_code 2 agent capacity 7 many
}

@test "room join and room leave move a socket, in its own business" {
    start_siod
    with_agent 7 1
    local socket
    socket=$(socket_of 7)
    assert_equal "$(sioctl room join vip "$socket" -o json | jq -c '[.room, .businessId, .socketId, .member]')" \
        "[\"vip\",1,\"$socket\",true]"
    assert_equal "$(sioctl room show vip -o json | jq -c '[.businessId, .members[].userId]')" '[1,7]'
    assert_equal "$(sioctl room leave vip "$socket" -o tsv | tail -n 1)" $'member\tfalse'
    exit_code 1 room show vip
    exit_code 1 room leave vip "$socket"
    assert_equal "$said" "sioctl: not_found: the socket is not in 'vip'"
    exit_code 1 room join vip nobody
    assert_equal "$said" "sioctl: not_found: no socket 'nobody'"
    exit_code 1 room join business_2 "$socket"
    exit_code 2 room leave business_1 "$socket"
    assert_equal "$(sioctl socket show "$socket" -o json | jq -c .rooms)" '["business_1"]'
    exit_code 2 room join "$(printf 'x%.0s' {1..300})" "$socket"
    exit_code 2 room join vip
    assert_equal "$(audited 'room join')" 4
}

@test "who is taken out of a chat's room stops typing there" {
    start_siod
    post_webhook "$(text_webhook wamid.1 15551230001 hello)"
    with_agent 7 1
    with_agent 8 1
    agent_asks a7_1 join_chat 1
    agent_asks a8_1 join_chat 1
    agent_asks a7_1 typing_start '{"chatId":1}'
    wait_until agent_saw a8_1 '.event == "user_typing"'
    sioctl room leave chat_1 "$(socket_of 7)" >/dev/null
    wait_until agent_saw a8_1 '.event == "user_stop_typing" and .args[0].userId == 7'
}

# left SOCKET REASON: log, metric and `socket show` have the same word.
left() {
    local code=0 words
    left_once() { [[ $(metric "siod_socketio_disconnects_total{reason=\"$1\"}") == 1 ]]; }
    wait_until left_once "$2"
    log_has "socket=$1 .*reason=\"$2\""
    words=$(sioctl socket show "$1" 2>&1) || code=$?
    assert_equal "$code" 1
    assert_contains "$words" ": $2"
}

@test "why a socket left is the same word in the log, the metric and socket show" {
    local ids socket reason
    start_siod -o log.level=debug -o engineio.ping_interval_ms=200 -o engineio.ping_timeout_ms=200
    ids=$(timeout 30 node "$ROOT/tests/lib/leave.mjs" --url "$SIOD_URL" --token "$(token 7 1)" 3>&-)
    while IFS=$'\t' read -r reason socket; do
        left "$socket" "$reason"
    done < <(jq -r 'to_entries[] | "\(.key)\t\(.value)"' <<<"$ids")
    with_agent 8 1
    socket=$(socket_of 8)
    sioctl socket kick "$socket"
    left "$socket" 'server namespace disconnect'
    with_agent 9 1
    socket=$(socket_of 9)
    stop_siod
    log_has "socket=$socket .*reason=\"server shutting down\""
}

@test "socket show and socket kick" {
    start_siod
    with_agent 7 1
    with_agent 8 1
    local socket
    socket=$(socket_of 7)
    assert_equal "$(sioctl socket show "$socket" -o json | jq -c '[.socketId, .userId, .rooms]')" \
        "[\"$socket\",7,[\"business_1\"]]"
    assert_contains "$(sioctl socket show "$socket")" 'socketId'
    assert_equal "$(sioctl socket kick "$socket" -o json)" $'{\n  "kicked": 1\n}'
    wait_until agent_saw a7_1 '.type == "disconnect"'
    exit_code 1 socket show "$socket"
    exit_code 1 socket kick "$socket"
    agent_connected b --token "$(token 8 1)"
    assert_equal "$(sioctl socket kick --user 8 --business 1 -o ndjson)" '{"kicked":2}'
    wait_until agent_saw a8_1 '.type == "disconnect"'
    wait_until agent_saw b '.type == "disconnect"'
    exit_code 1 socket kick --user 8
    exit_code 2 socket kick
    exit_code 2 socket kick "$socket" --user 8
    assert_equal "$(sioctl socket list -o json)" '[]'
}

@test "when a socket connected is the same time whenever it is asked" {
    start_quiet
    with_agent 8 1
    local i talk
    talk=$(for i in {1..60}; do echo "{\"id\":$i,\"cmd\":\"socket list\"}"; done)
    for i in {1..5}; do
        socat -t "$DEADLINE" - "UNIX-CONNECT:$SIOD_SOCKET" 3>&- <<<"$talk"
    done | jq -r 'select(.ok).result[].connectedAt' | sort | uniq -c >"$BATS_TEST_TMPDIR/times"
    assert_equal "$(awk '{ print $1 }' "$BATS_TEST_TMPDIR/times" | paste -sd ' ')" '300 300'
}

@test "emit reaches those in the room of that business, and is kept nowhere" {
    start_siod
    with_agent 7 1
    with_agent 7 2
    assert_equal "$(sioctl emit notice '{"text": "siod restarts\nat six", "n": [1, 2.5]}' --room business_1 --business 1 -o json |
        jq -c '[.event, .room, .businessId, .receivers]')" '["notice","business_1",1,1]'
    wait_until agent_saw a7_1 '.event == "notice" and .args[0].text == "siod restarts\nat six" and .args[0].n == [1, 2.5]'
    assert_equal "$(agent_events a7_2 notice)" ''
    sioctl emit odd '[12345678901234567890, 1e400]' --room business_1 --business 1
    wait_until agent_saw a7_1 '.event == "odd" and (.args[0] | map(type)) == ["number","null"]'
    assert_equal "$(sioctl emit notice null --room business_1 --business 2 -o json | jq .receivers)" 0
    assert_equal "$(sql "SELECT count(*) FROM log WHERE CAST(event AS TEXT) = 'notice'")" 0
    assert_equal "$(sioctl audit --limit 1 -o json | jq -r '.[0].args.json')" '4 bytes'
    exit_code 2 emit notice '{text: 1}' --room r --business 1
    assert_contains "$said" "is not JSON"
    exit_code 2 emit connect '{}' --room r --business 1
    exit_code 2 emit notice '{}' --room r
}

@test "what was emitted by hand is seen by tail, one line each" {
    start_siod
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail --event notice --count 1 -o ndjson >"$BATS_TEST_TMPDIR/t"
    local pid=$!
    wait_until tails_are 1
    sioctl emit notice $'{"a":\n[1,\n2]}' --room r --business 5 >/dev/null
    wait "$pid"
    assert_equal "$(jq -c '[.position, .room, .businessId, .payload]' "$BATS_TEST_TMPDIR/t")" '[null,"r",5,{"a":[1,2]}]'
}

@test "wait: agents and chats, in time and too late" {
    start_siod
    exit_code 4 wait agent/7=online --timeout 50ms
    assert_equal "$said" "sioctl: timed out waiting for 'agent/7=online': not yet: there is no agent 7"
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" wait agent/7=online --timeout 30s
    local pid=$!
    with_agent 7 1
    wait "$pid"
    exit_code 0 wait agent/7=available
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" agent/7=available
    exit_code 4 wait agent/7=away --timeout=1ms
    assert_contains "$said" 'agent 7 is available and online'
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" wait agent/7=away --timeout 1m
    pid=$!
    agent_asks a7_1 agent_status_update '"away"'
    wait "$pid"
    exit_code 4 --timeout 20ms wait chat/1=waiting
    assert_contains "$said" 'there is no chat 1'
    post_webhook "$(text_webhook wamid.1 15551230001 hello)"
    exit_code 0 wait chat/1=waiting -o json
    assert_equal "$(jq -c '[.condition, .met]' "$BATS_TEST_TMPDIR/out")" '["chat/1=waiting",true]'
    exit_code 4 wait chat/1=closed --timeout 0s
    assert_contains "$said" 'chat 1 is waiting'
    exit_code 0 wait chat/1=waiting --business 1
    exit_code 4 wait chat/1=waiting --business 2 --timeout 0s
    exit_code 2 wait chat/1=typing
    exit_code 2 wait agent/7=online --timeout soon
    local code=0
    timeout --preserve-status -s INT 1 "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" wait chat/1=closed --timeout 1h || code=$?
    assert_equal $code 130
}

@test "log level is shown and set" {
    start_siod
    assert_equal "$(sioctl log level)" info
    assert_equal "$(sioctl log level debug -o json | jq -r .level)" debug
    assert_equal "$(sioctl log level -o tsv)" debug
    exit_code 2 log level loud
    assert_equal "$(audited 'log level')" 1
}

@test "config show prints what the daemon runs with, and no secret" {
    start_siod -o presence.offline_grace_ms=4321
    sioctl config show >"$BATS_TEST_TMPDIR/shown.conf"
    assert_contains "$(cat "$BATS_TEST_TMPDIR/shown.conf")" 'offline_grace_ms = 4321'
    assert_contains "$(cat "$BATS_TEST_TMPDIR/shown.conf")" "key_files = {\"$SIOD_DIR/jwt.key\"}"
    refute grep -qF "$(cat "$SIOD_DIR/jwt.key")" "$BATS_TEST_TMPDIR/shown.conf"
    refute grep -qF "$(cat "$SIOD_DIR/app.secret")" "$BATS_TEST_TMPDIR/shown.conf"
    assert_equal "$(sioctl config show -o json | jq -r .config)" "$(cat "$BATS_TEST_TMPDIR/shown.conf")"
    # It is a configuration again.
    exit_code 0 config check -c "$BATS_TEST_TMPDIR/shown.conf"
}

@test "config check needs no daemon and names the line" {
    export SIOD_SOCKET=/nonexistent
    printf 'http { listen = {"127.0.0.1:0"} }\n' >"$BATS_TEST_TMPDIR/good.conf"
    exit_code 0 config check -c "$BATS_TEST_TMPDIR/good.conf" -o json
    assert_equal "$(jq -c .valid "$BATS_TEST_TMPDIR/out")" true
    assert_contains "$said" 'jwt.key_files: at least one file is needed'
    printf 'http {\n  colour = 1\n}\n' >"$BATS_TEST_TMPDIR/bad.conf"
    exit_code 1 config check --config "$BATS_TEST_TMPDIR/bad.conf" -o json
    assert_contains "$said" "$BATS_TEST_TMPDIR/bad.conf:2: "
    assert_equal "$(jq -c .valid "$BATS_TEST_TMPDIR/out")" false
    exit_code 1 config check -c /nonexistent
    exit_code 2 config check
    exit_code 2 config check -c
}

@test "audit lists what was changed, newest first, and looking leaves no trace" {
    start_siod
    sioctl business add 5 --name Acme >/dev/null
    sioctl token mint --user 1 --business 5 >/dev/null
    sioctl status >/dev/null
    sioctl audit >/dev/null
    assert_equal "$(sioctl audit -o json | jq -c 'map([.auditId, .command, .args.business])')" \
        '[[2,"token mint",5],[1,"business add",5]]'
    assert_equal "$(sioctl audit --limit 1 -o tsv | cut -f 1,4)" $'2\ttoken mint'
    assert_contains "$(sioctl audit)" 'business add'
    exit_code 1 agent capacity 8 0
    assert_contains "$(sioctl audit --limit 1)" '{"agent":8,"capacity":0}'
    assert_contains "$(sioctl audit -o ndjson | jq -r .who)" 'uid '
    exit_code 1 audit --limit 1000000
    exit_code 2 audit --limit 0
}

@test "message show finds a message by its id and by the platform's" {
    start_siod
    post_webhook "$(text_webhook wamid.HBgM 15551230001 hello)"
    assert_equal "$(sioctl message show 1 -o json | jq -c '[.id, .wamid, .text, .chatId, .contact.waId]')" \
        '[1,"wamid.HBgM","hello",1,"15551230001"]'
    assert_equal "$(sioctl message show wamid.HBgM -o ndjson | jq .id)" 1
    assert_contains "$(sioctl message show 1)" 'contact.name'
    post_webhook "$(text_webhook 900719925474099 15551230001 'digits only')"
    assert_equal "$(sioctl message show 900719925474099 -o ndjson | jq .id)" 2
    exit_code 1 message show 3
    assert_equal "$said" "sioctl: not_found: no message '3'"
    exit_code 1 message show wamid.none
    exit_code 2 message show
}

@test "chat assign, unassign, close, and explain with who it was" {
    start_siod -o assign.policy=manual
    with_agent 7 1
    with_agent 8 1
    with_agent 9 2
    post_webhook "$(text_webhook wamid.1 15551230001 hello)"
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" wait chat/1=assigned --timeout 1m
    local pid=$!
    assert_equal "$(sioctl chat assign 1 7 --if-waiting -o ndjson)" '{"chatId":1,"businessId":1,"state":"assigned","agentId":7}'
    wait "$pid"
    wait_until agent_saw a8_1 '.event == "chat_assigned" and .args[0].agentId == 7'
    assert_equal "$(sioctl agent show 7 -o json | jq .load)" 1
    exit_code 1 chat assign 1 8 --if-waiting
    assert_equal "$said" 'sioctl: conflict: chat 1 does not wait, or agent 8 is full'
    exit_code 1 chat assign 1 7
    assert_equal "$said" 'sioctl: conflict: chat 1 is with agent 7 already'
    exit_code 0 chat assign 1 8 -o tsv
    exit_code 1 chat assign 1 9
    assert_equal "$said" 'sioctl: not_found: no chat 1, or no agent 9 in its business'
    assert_equal "$(sioctl chat unassign 1 -o json | jq -c '[.state, .agentId]')" '["waiting",null]'
    exit_code 1 chat unassign 1
    assert_equal "$said" 'sioctl: conflict: nobody has chat 1'
    assert_equal "$(sioctl chat close 1 -o json | jq -r .state)" closed
    exit_code 1 chat close 1
    assert_equal "$said" 'sioctl: conflict: chat 1 is closed already'
    assert_equal "$(sioctl chat explain 1 -o json | jq -c 'map(select(.who != null) | [.outcome, .agentId, .policy])')" \
        '[["closed",null,"manual"],["unassigned",null,"manual"],["assigned",8,"manual"],["assigned",7,"manual"]]'
    assert_contains "$(sioctl chat explain 1)" 'unassigned'
    assert_contains "$(sioctl chat explain 1 -o tsv)" $'\tassigned\t8\tmanual\tuid '
    exit_code 1 chat explain 99
    assert_equal "$said" 'sioctl: not_found: no chat 99'
    exit_code 1 chat close 99
    exit_code 1 chat unassign 99
    exit_code 2 chat assign 1
    exit_code 2 chat explain one
}

@test "chat explain names those who were considered, and why not" {
    start_siod
    with_agent 7 1
    with_agent 8 1
    sioctl agent status 8 away >/dev/null
    post_webhook "$(text_webhook wamid.1 15551230001 hello)"
    exit_code 0 wait chat/1=assigned
    assert_equal "$(sioctl chat explain 1 -o json | jq -c '.[0] | [.outcome, .agentId, .policy, .who, (.considered.agents | map([.agentId, .reason]))]')" \
        '["assigned",7,"least_loaded",null,[[7,"eligible"],[8,"away"]]]'
}

@test "more capacity takes chats that wait" {
    start_siod
    with_agent 7 1
    sioctl agent capacity 7 1 >/dev/null
    post_webhook "$(text_webhook wamid.1 15551230001 hello)"
    post_webhook "$(text_webhook wamid.2 15551230002 hello)"
    exit_code 0 wait chat/1=assigned
    assert_equal "$(sioctl agent show 7 -o json | jq -c '[.load, .eligible, .reason]')" '[1,false,"full"]'
    sioctl agent capacity 7 2 >/dev/null
    exit_code 0 wait chat/2=assigned --timeout 20s
}

# ---- tail --since

# start_quiet: the first customer's chat is somebody's, so that each message is two log rows and nothing else is.
start_quiet() {
    start_siod -o assign.policy=manual -o presence.offline_grace_ms=600000
    [[ $SIOD_STARTS == 1 ]] || return 0
    with_agent 7 1
    post_webhook "$(text_webhook wamid.0 15551230001 first)"
    sioctl chat assign 1 7 >/dev/null
    FIRST=$(sql 'SELECT max(position) FROM log')
}

# many_webhooks FIRST LAST: one text message each; two log rows.
many_webhooks() {
    local i
    rm -rf "$BATS_TEST_TMPDIR/in"
    mkdir "$BATS_TEST_TMPDIR/in"
    for ((i = $1; i <= $2; i++)); do
        text_webhook "wamid.$i" 15551230001 "$i" >"$BATS_TEST_TMPDIR/in/$i.json"
    done
    sioctl webhook replay "$BATS_TEST_TMPDIR/in" >/dev/null 2>&1
}

@test "tail --since reads the log from a position, then ends as it is told" {
    start_quiet
    many_webhooks 1 3
    assert_equal "$(sioctl tail --since "$FIRST" --business 1 --count 6 -o ndjson | jq -cs --argjson first "$FIRST" 'map(.position - $first)')" '[1,2,3,4,5,6]'
    assert_equal "$(sioctl tail --since $((FIRST + 4)) --business 1 --idle 100ms -o json | jq -c --argjson first "$FIRST" 'map([.position - $first, .seq, .event])')" \
        '[[5,null,"whatsapp_message_received"],[6,null,"new_message"]]'
    assert_equal "$(sioctl tail --since "$FIRST" --business 1 --event new_message --idle 100ms -o tsv | cut -f 2 | paste -sd ' ')" "$((FIRST + 2)) $((FIRST + 4)) $((FIRST + 6))"
    assert_equal "$(sioctl tail --since $((FIRST + 6)) --business 1 --for 100ms -o ndjson)" ''
    assert_equal "$(sioctl tail --since 0 --business 1 --for 100ms -o ndjson | jq -s 'length == (map(.position) | unique | length)')" true
    assert_equal "$(sioctl tail --since 0 --business 2 --for 100ms -o ndjson)" ''
    exit_code 1 tail --since $((FIRST + 7)) --business 1
    assert_contains "$said" 'does not go so far'
    assert_equal "$(sioctl tail --since "$FIRST" --business 1 --idle 0s -o ndjson | jq -s length)" 6
    assert_equal "$(sioctl tail --idle 0s -o json)" '[]'
    exit_code 2 tail --since 0
    assert_contains "$said" '--since needs --business'
    exit_code 2 tail --since yesterday --business 1
}

@test "tail --chat and --agent show what is about them, from the log and as it happens" {
    start_quiet
    post_webhook "$(text_webhook wamid.1 15551230002 other)"
    post_webhook "$(text_webhook wamid.2 15551230001 again)"
    with_agent 8 1
    sioctl chat assign 2 8 >/dev/null
    assert_equal "$(sioctl tail --since "$FIRST" --business 1 --chat 1 --idle 100ms -o ndjson | jq -r '.room + " " + .event' | paste -sd ,)" \
        'business_1 whatsapp_message_received,chat_1 new_message'
    assert_equal "$(sioctl tail --since "$FIRST" --business 1 --chat 2 --agent 8 --idle 100ms -o ndjson | jq -r '.room + " " + .event')" \
        'business_1 chat_assigned'
    assert_equal "$(sioctl tail --since "$FIRST" --business 1 --chat 2 --chat 1 --idle 100ms -o ndjson | jq -rs 'map(.payload.chatId // .payload.message.chatId) | unique | tostring')" '[1,2]'
    assert_equal "$(sioctl tail --since 0 --business 1 --agent 99 --idle 0s -o json)" '[]'
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail --agent 7 --count 1 -o ndjson >"$BATS_TEST_TMPDIR/t"
    local pid=$!
    wait_until tails_are 1
    sioctl agent status 8 away >/dev/null
    sioctl agent status 7 busy >/dev/null
    wait "$pid"
    assert_equal "$(jq -c '[.event, .payload.agentId, .payload.status]' "$BATS_TEST_TMPDIR/t")" '["agent_status_changed",7,"busy"]'
}

# is_after TIME: a second of it has passed.
is_after() {
    [[ $(jq -rn 'now | todate') > ${1%.*}Z ]]
}

@test "tail --since a time, or so long ago" {
    start_quiet
    many_webhooks 1 2
    local before
    before=$(sql 'SELECT max(at_ms) + 1 FROM log')
    before=$(jq -rn --argjson ms "$before" '($ms / 1000 | floor | todate[:-1]) + ".\(1000 + $ms % 1000 | tostring[1:])Z"')
    wait_until is_after "$before"
    many_webhooks 3 3
    assert_equal "$(sioctl tail --since "$before" --business 1 --idle 100ms -o ndjson | jq -cs --argjson first "$FIRST" 'map(.position - $first)')" '[5,6]'
    assert_equal "$(sioctl tail --since 1h --business 1 --idle 100ms -o ndjson | wc -l)" $((FIRST + 6))
    assert_equal "$(sioctl tail --since 2020-01-01T00:00:00Z --business 1 --idle 100ms -o ndjson | wc -l)" $((FIRST + 6))
    assert_equal "$(sioctl tail --since 2100-01-01T00:00:00+02:00 --business 1 --idle 100ms -o ndjson | wc -l)" 0
}

@test "there is no gap and no repetition where the log ends and the live events begin" {
    start_quiet
    many_webhooks 1 200
    many_webhooks 201 400 &
    local writer=$! round pids=()
    for round in 1 2 3 4 5 6; do
        in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail --since "$FIRST" --business 1 --count 800 -o ndjson \
            >"$BATS_TEST_TMPDIR/seam.$round"
        pids+=($!)
        pause 0.1
    done
    wait "$writer" "${pids[@]}"
    for round in 1 2 3 4 5 6; do
        assert_equal "$(jq -s --argjson first "$FIRST" 'map(.position - $first) == [range(1; 801)]' "$BATS_TEST_TMPDIR/seam.$round")" true
    done
}

@test "a tail that is told where it was goes on over a restart of siod" {
    start_quiet
    many_webhooks 1 2
    local last
    last=$(sioctl tail --since "$FIRST" --business 1 --count 4 -o ndjson | jq -s 'last.position')
    stop_siod
    start_quiet
    many_webhooks 3 3
    assert_equal "$(sioctl tail --since "$last" --business 1 --count 2 -o ndjson | jq -cs --argjson first "$FIRST" 'map(.position - $first)')" '[5,6]'
}

# ---- the examples of sioctl(8)

@test "script: go on when agent 7 is available, or give up" {
    start_siod
    script() {
        if sioctl wait agent/7=available --timeout "$1" >/dev/null 2>&1; then
            echo 'agent 7 takes over'
        elif [[ $? == 4 ]]; then
            echo 'nobody there'
        fi
    }
    assert_equal "$(script 100ms)" 'nobody there'
    with_agent 7 1
    assert_equal "$(script 10s)" 'agent 7 takes over'
}

@test "script: everyone of a business away at six" {
    start_siod
    with_agent 7 1
    with_agent 8 1
    with_agent 9 2
    sioctl agent status 8 busy >/dev/null
    sioctl agent list --business 1 -o tsv |
        while IFS=$'\t' read -r agent business _; do
            sioctl agent status "$agent" away --business "$business" --reason 'closing time' >/dev/null </dev/null
        done
    assert_equal "$(sioctl agent list -o json | jq -c 'map([.agentId, .status])')" '[[7,"away"],[8,"away"],[9,"available"]]'
    assert_equal "$(sioctl audit -o json | jq -c 'map(select(.args.reason == "closing time")) | length')" 2
}

@test "script: all waiting chats round robin" {
    start_siod -o assign.policy=manual
    with_agent 7 1
    with_agent 8 1
    with_agent 9 1
    sioctl agent status 9 away >/dev/null
    local i
    for i in 1 2 3 4 5; do
        post_webhook "$(text_webhook "wamid.$i" "1555123000$i" hello)"
    done
    sioctl agent capacity 8 1 >/dev/null
    local n=0
    sioctl chat list --business 1 --state waiting -o tsv |
        while IFS=$'\t' read -r chat _; do
            mapfile -t agents < <(sioctl agent list --business 1 -o json | jq '.[] | select(.eligible).agentId')
            ((${#agents[@]} > 0)) || break
            sioctl chat assign "$chat" "${agents[n++ % ${#agents[@]}]}" --if-waiting >/dev/null </dev/null
        done
    assert_equal "$(sioctl chat list -o json | jq -c 'map(.agentId)')" '[7,8,7,7,7]'
}

@test "script: page through the rooms with jq" {
    start_siod
    with_agent 7 1
    local socket i
    socket=$(socket_of 7)
    for i in {1..25}; do
        sioctl room join "r$(printf %02d "$i")" "$socket" >/dev/null
    done
    page() {
        sioctl room list -o json | jq -r --argjson page "$1" 'sort_by(.room) | .[$page * 10:($page + 1) * 10][].room'
    }
    assert_equal "$(page 0 | wc -l) $(page 1 | wc -l) $(page 2 | wc -l) $(page 3 | wc -l)" '10 10 6 0'
    assert_equal "$(page 2 | tail -n 1)" r25
}
