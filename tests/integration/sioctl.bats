#!/usr/bin/env bats
# sioctl as scripts and people use it: each command in each format, in a pipe and on a terminal, and every exit code.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

# with_a_chat: a daemon with one chat, and agent 7 in it.
with_a_chat() {
    start_siod
    assert_equal "$(post_webhook "$(text_webhook wamid.1 15551230001 hello)")" 200
    agent_connected a --token "$(token 7 1)"
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
}

# exit_code CODE ARGUMENT…: sioctl ends with it; what it says stays in $said.
exit_code() {
    local expected=$1 code=0
    shift
    said=$(sioctl "$@" 2>&1 >"$BATS_TEST_TMPDIR/out") || code=$?
    assert_equal "$* exits $code" "$* exits $expected"
}

# on_terminal ARGUMENT…: what a person would see.
on_terminal() {
    local command
    printf -v command '%q ' "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" "$@"
    TERM=xterm script -qec "$command" /dev/null </dev/null 3>&- | tr -d '\r'
}

tails_are() {
    [[ $(sioctl status -o json | jq .control.tails) == "$1" ]]
}

# tail_in_background NAME ARGUMENT…: is attached when this returns; output in NAME.tail.
tail_in_background() {
    local name=$1 before
    shift
    before=$(sioctl status -o json | jq .control.tails)
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail "$@" >"$BATS_TEST_TMPDIR/$name.tail" \
        2>"$BATS_TEST_TMPDIR/$name.words"
    TAIL_PID=$!
    wait_until tails_are $((before + 1))
}

@test "room list and room show name the rooms and who is in them" {
    with_a_chat
    assert_equal "$(sioctl room list -o json | jq -cS 'sort_by(.room)')" \
        '[{"businessId":1,"members":1,"namespace":"/","room":"business_1"},{"businessId":1,"members":1,"namespace":"/","room":"chat_1"}]'
    assert_equal "$(sioctl room list -o ndjson | jq -r .room | sort | paste -sd ' ')" 'business_1 chat_1'
    assert_equal "$(sioctl room list -o tsv | sort)" $'business_1\t/\t1\t1\nchat_1\t/\t1\t1'
    assert_equal "$(sioctl -H room list -o tsv | head -n 1)" $'room\tnamespace\tbusinessId\tmembers'
    assert_contains "$(sioctl room list)" 'business_1  /          1         1'
    assert_equal "$(sioctl room list --business 2 -o json)" '[]'
    assert_equal "$(sioctl room show chat_1 -o json | jq -c '[.room, .businessId, .members[0].userId]')" '["chat_1",1,7]'
    exit_code 1 room show chat_999
    assert_equal "$said" "sioctl: not_found: no room 'chat_999'"
}

@test "room show looks into the business that is given" {
    start_siod
    agent_connected a --token "$(token 7 1)"
    agent_connected b --token "$(token 8 2)"
    assert_equal "$(sioctl room show business_2 --business 2 -o json | jq -c '[.members[].userId]')" '[8]'
    exit_code 1 room show business_2 --business 1
}

@test "socket list shows who is connected, how, and in which rooms" {
    with_a_chat
    assert_equal "$(sioctl socket list -o json |
        jq -c '.[0] | [.userId, .businessId, .role, (.rooms | sort), (.socketId | length)]')" \
        '[7,1,"agent",["business_1","chat_1"],20]'
    assert_equal "$(sioctl socket list --user 8 -o json)" '[]'
    assert_equal "$(sioctl socket list --user 7 --business 1 -o ndjson | wc -l)" 1
}

is_assigned() {
    [[ $(sql "SELECT state FROM chat WHERE id = $1") == 1 ]]
}

@test "chat list and chat show" {
    with_a_chat
    wait_until is_assigned 1
    assert_equal "$(sioctl chat list -o json |
        jq -c '.[0] | [.chatId, .businessId, .state, .agentId, .contact.name]')" \
        '[1,1,"assigned",7,"Customer 15551230001"]'
    assert_equal "$(sioctl chat list --state closed -o json)" '[]'
    assert_equal "$(sioctl chat list --state assigned -o tsv | cut -f 1-4)" $'1\t1\tassigned\t7'
    assert_contains "$(sioctl chat list)" '1     1         assigned  7      Customer 15551230001'
    assert_equal "$(sioctl chat show 1 -o json | jq .chatId)" 1
    exit_code 1 chat show 99
    assert_equal "$said" 'sioctl: not_found: no chat 99'
}

# batch COUNT: one webhook with a message from so many customers.
batch() {
    text_webhook wamid.0 1555 x | jq -c --argjson count "$1" '.entry[0].changes[0].value |=
        (.contacts[0] as $contact | .messages[0] as $message | .contacts = [] | .messages = [] |
            reduce range($count) as $i (.; .messages += [$message | .id += ".\($i)" | .from += "\($i)"]))'
}

agent_is_in() {
    (($(sioctl room list -o ndjson | grep -c chat_) == $1))
}

@test "more chats, rooms and members than fit into a piece come all, each once" {
    start_siod -o limits.rooms_per_socket=0 -o limits.events_per_s=0
    batch 1100 >"$BATS_TEST_TMPDIR/all"
    sioctl webhook replay "$BATS_TEST_TMPDIR/all" 2>/dev/null
    assert_equal "$(sioctl chat list -o json | jq -c '[length, (map(.chatId) | unique | length)]')" '[1100,1100]'
    assert_equal "$(sioctl chat list -o ndjson | wc -l)" 1100
    agent_connected a --token "$(token 7 1)"
    local i
    for i in {1..1100}; do
        agent_tell a "{\"emit\":[\"join_chat\",$i]}"
    done
    wait_until agent_is_in 1100
    assert_equal "$(sioctl room list -o json | jq -c '[length, (map(.room) | unique | length)]')" '[1101,1101]'
    assert_equal "$(sioctl socket list -o json | jq '.[0].rooms | length')" 1101
}

@test "business add, list, and what it refuses" {
    start_siod
    assert_equal "$(sioctl business add 5 --name 'Acme & Co' --phone-number-id 222 --phone-number-id 111 --phone-number-id 222 -o json |
        jq -c '[.businessId, .name, .phoneNumberIds]')" '[5,"Acme & Co",["111","222"]]'
    assert_equal "$(sioctl business list -o json | jq -c 'map([.businessId, .source])')" '[[1,"config"],[5,"control"]]'
    exit_code 1 business add 5 --name again
    assert_equal "$said" 'sioctl: exists: business 5 exists already'
    exit_code 1 business add 6 --name other --phone-number-id 111
    assert_contains "$said" 'sioctl: exists: '
    exit_code 1 business add 1 --name x
    assert_contains "$said" 'sioctl: read_only: '
    assert_equal "$(sql "SELECT count(*) FROM audit WHERE CAST(command AS TEXT) = 'business add'")" 4
}

@test "tail prints what is emitted and ends by count" {
    start_siod
    tail_in_background t --count 2 -o ndjson
    post_webhook "$(text_webhook wamid.1 15551230001 hello)"
    wait "$TAIL_PID"
    assert_equal "$(jq -cs 'map([.event, .room, .businessId, .position]) | sort' "$BATS_TEST_TMPDIR/t.tail")" \
        '[["new_message","chat_1",1,2],["whatsapp_message_received","business_1",1,1]]'
    assert_equal "$(jq -s '[.[].seq] | . == (sort | unique)' "$BATS_TEST_TMPDIR/t.tail")" true
    assert_equal "$(jq -r .payload.message.text "$BATS_TEST_TMPDIR/t.tail" | sort -u)" hello
}

@test "tail filters by event, room and business" {
    start_siod
    tail_in_background event --event new_message --count 2 -o json
    local event=$TAIL_PID
    tail_in_background room --room chat_2 --count 1 -o tsv
    local room=$TAIL_PID
    tail_in_background none --business 2 --for 2s -o ndjson
    local none=$TAIL_PID
    post_webhook "$(text_webhook wamid.1 15551230001 one)"
    post_webhook "$(text_webhook wamid.2 15551230002 two)"
    wait "$event" "$room" "$none"
    assert_equal "$(jq -c 'map([.event, .payload.message.text])' "$BATS_TEST_TMPDIR/event.tail")" \
        '[["new_message","one"],["new_message","two"]]'
    assert_equal "$(cut -f 4,5 "$BATS_TEST_TMPDIR/room.tail")" $'new_message\tchat_2'
    assert_equal "$(cat "$BATS_TEST_TMPDIR/none.tail")" ''
}

@test "tail ends by time and by silence with status 0, and by an interrupt with 130" {
    start_siod
    exit_code 0 tail --for 50ms
    exit_code 0 tail --idle 50ms -o json
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" '[]'
    exit_code 0 tail --idle 50ms -o tsv -H
    assert_equal "$(cut -f 1,2 "$BATS_TEST_TMPDIR/out")" $'seq\tposition'
    exit_code 0 webhook export --since 2099-01-01T00:00:00Z -o tsv -H
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/out")" 1
    local code=0
    tail_in_background t -o json
    kill -TERM "$TAIL_PID"
    wait "$TAIL_PID" || code=$?
    assert_equal $code 130
    assert_equal "$(cat "$BATS_TEST_TMPDIR/t.tail")" '[]'
    code=0
    wait_until tails_are 0
    tail_in_background t -o json
    post_webhook "$(text_webhook wamid.1 15551230001 one)"
    wait_until grep -q new_message "$BATS_TEST_TMPDIR/t.tail"
    kill -TERM "$TAIL_PID"
    wait "$TAIL_PID" || code=$?
    assert_equal $code 130
    jq -e 'map(.event) | contains(["new_message"])' "$BATS_TEST_TMPDIR/t.tail"
    code=0
    wait_until tails_are 0
    timeout --preserve-status -s INT 1 "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail -o json >"$BATS_TEST_TMPDIR/out" || code=$?
    assert_equal $code 130
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" '[]'
}

@test "a reader that has seen enough is no failure" {
    start_siod
    local -a codes
    sioctl help -o ndjson | head -n 1 >/dev/null
    codes=("${PIPESTATUS[@]}")
    assert_equal "${codes[0]}" 0
    exit_code 0 room list
    local code=0
    sioctl status >/dev/full 2>"$BATS_TEST_TMPDIR/words" || code=$?
    assert_equal $code 1
    assert_contains "$(cat "$BATS_TEST_TMPDIR/words")" 'cannot write'
    code=0
    sioctl status >&- 2>"$BATS_TEST_TMPDIR/words" || code=$?
    assert_equal "$code $(cat "$BATS_TEST_TMPDIR/words")" '1 sioctl: cannot write: Bad file descriptor'
}

# sleeps PID: it is sioctl, and waits for something.
sleeps() {
    [[ $(cat "/proc/$1/comm") == sioctl && $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status") == S ]]
}

@test "a reader that is slow is waited for, also over an interrupt and where writing does not block" {
    local slow=$BATS_TEST_TMPDIR/slow way pid filled
    mkfifo "$slow"
    # What dd sets without a file of its own stays with the descriptor.
    for way in blocking nonblocking; do
        exec 7<>"$slow"
        if [[ $way == blocking ]]; then
            dd if=/dev/zero of="$slow" bs=4096 oflag=nonblock 2>"$BATS_TEST_TMPDIR/dd" || :
        else
            dd if=/dev/zero bs=4096 oflag=nonblock >&7 2>"$BATS_TEST_TMPDIR/dd" || :
        fi
        filled=$(sed -n 's/^\([0-9]*\) bytes .*/\1/p' "$BATS_TEST_TMPDIR/dd")
        in_background "$SIOD_BIN/sioctl" help -o json >&7
        pid=$!
        wait_until sleeps "$pid"
        kill -INT "$pid"
        head -c "$filled" "$slow" >/dev/null
        wait "$pid"
        (dd if="$slow" bs=64K iflag=nonblock 2>/dev/null || :) | jq -e 'length > 40'
        exec 7>&-
    done
}

@test "an interrupt while an input is read ends with 130 and without a word" {
    local some=$BATS_TEST_TMPDIR/some none=$BATS_TEST_TMPDIR/none key=$BATS_TEST_TMPDIR/key words pid code
    mkfifo "$some" "$none"
    echo 0123456789abcdef0123456789abcdef >"$key"
    exec 7<>"$some" # what is written to it has come, and its end has not
    while read -r words; do
        printf abc >&7
        # shellcheck disable=SC2086 # words
        in_background "$SIOD_BIN/sioctl" -s /nonexistent $words <&7 >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/words"
        pid=$!
        wait_until sleeps "$pid"
        kill -INT "$pid"
        code=0
        wait "$pid" || code=$?
        assert_equal "$words: $code $(cat "$BATS_TEST_TMPDIR/words" "$BATS_TEST_TMPDIR/out")" "$words: 130 "
    done <<LINES
token verify -
token verify - --key-file $key
token verify x --key-file $none
token decode -
token revoke -
token mint --user 1 --business 1 --key-file $some
token mint --user 1 --business 1 --key-file $none
token mint --user 1 --business 1 --algorithm HS256 --key-file $none
webhook sign - --secret-file $key
webhook sign $key --secret-file $none
webhook verify - --secret-file $key --signature x
webhook scan -
webhook replay -
webhook replay $none
webhook replay $key --expect -
config check -c $some
config check -c $none
LINES
    exec 7>&-
}

# to_nobody COMMAND…: with its output in a pipe whose other end is closed.
to_nobody() {
    local pipe=$BATS_TEST_TMPDIR/nobody
    [[ -p $pipe ]] || mkfifo "$pipe"
    exec 7<>"$pipe"
    exec 8>"$pipe" 7>&-
    "$@" >&8 8>&-
}

@test "a reader that has gone makes no failure, and no success of one" {
    start_siod
    local key=$BATS_TEST_TMPDIR/key bad=$BATS_TEST_TMPDIR/bad.json words
    echo 15551230001 >"$key"
    printf '{"no' >"$bad"
    # exit_code() has stdout for itself.
    nobody_sioctl() {
        local code=0
        to_nobody sioctl "${@:2}" 2>"$BATS_TEST_TMPDIR/words" || code=$?
        assert_equal "${*:2}: $code" "${*:2}: $1"
        refute grep -q pipe "$BATS_TEST_TMPDIR/words"
    }
    while read -r words; do
        # shellcheck disable=SC2086 # words
        nobody_sioctl $words
    done <<LINES
1 token verify bad
1 webhook verify $key --secret-file $key --signature x
1 webhook scan $key
1 config check -c /nonexistent
1 webhook replay $bad
1 webhook replay $bad --junit -
1 webhook replay $bad --tap -
0 webhook replay $VECTORS/text.json
0 webhook replay $VECTORS/text.json --junit -
0 webhook replay $VECTORS/text.json --tap -
0 webhook export
0 status
0 tail --since 0 --business 1
LINES
    # Judged by what is expected, a replay is made to its end.
    nobody_sioctl 0 webhook replay "$VECTORS" --ids fresh --tap "$BATS_TEST_TMPDIR/tap"
    refute grep -q '^not ok' "$BATS_TEST_TMPDIR/tap"
    assert_equal "$(grep -c '^ok' "$BATS_TEST_TMPDIR/tap")" "$(find "$VECTORS" -name '*.json' | wc -l)"
}

@test "tail ends when its reader goes, also while nothing happens" {
    start_siod
    local pipe=$BATS_TEST_TMPDIR/pipe pid
    mkfifo "$pipe"
    exec 7<>"$pipe"
    exec 8>"$pipe"
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" tail >&8 7>&- 8>&-
    pid=$!
    wait_until tails_are 1
    exec 7>&- 8>&-
    wait_until has_ended "$pid"
    wait "$pid"
}

@test "webhook replay over the control socket tells what became of each file" {
    start_siod
    mkdir "$BATS_TEST_TMPDIR/in"
    text_webhook wamid.1 15551230001 one >"$BATS_TEST_TMPDIR/in/2.json"
    text_webhook wamid.1 15551230001 one >"$BATS_TEST_TMPDIR/in/10.json"
    echo ignored >"$BATS_TEST_TMPDIR/in/readme.txt"
    exit_code 0 webhook replay "$BATS_TEST_TMPDIR/in" -o json
    assert_equal "$said" 'sioctl: 2 replayed, 2 accepted'
    assert_equal "$(jq -c 'map([(.file | split("/") | last), .status, .counts.inbound, .counts.dups])' "$BATS_TEST_TMPDIR/out")" \
        '[["10.json",200,1,0],["2.json",200,0,1]]'
    printf '{"no' >"$BATS_TEST_TMPDIR/broken"
    exit_code 1 webhook replay "$BATS_TEST_TMPDIR/broken" -o json
    assert_equal "$(jq '.[0].status' "$BATS_TEST_TMPDIR/out")" 400
    exit_code 1 webhook replay "$BATS_TEST_TMPDIR/nothing"
    assert_contains "$said" 'No such file'
    mkdir "$BATS_TEST_TMPDIR/empty"
    exit_code 1 webhook replay "$BATS_TEST_TMPDIR/empty"
    assert_equal "$(text_webhook wamid.2 15551230002 two | sioctl webhook replay - -o ndjson 2>/dev/null | jq .counts.inbound)" 1
    assert_equal "$(sql "SELECT count(*) FROM audit WHERE CAST(command AS TEXT) = 'webhook deliver'")" 3
}

@test "a payload is stored byte for byte, whatever bytes it has" {
    start_siod
    text_webhook wamid.1 15551230001 $'caf\xc3\xa9 \xf0\x9f\x99\x82 "quoted" \\ back' >"$BATS_TEST_TMPDIR/a.json"
    text_webhook wamid.2 15551230001 LONE | sed 's/LONE/lone \\ud83d/' >"$BATS_TEST_TMPDIR/b.json"
    head -c 1000000 /dev/zero | tr '\0' '"' >"$BATS_TEST_TMPDIR/quotes"
    text_webhook wamid.3 15551230001 x | jq -c --rawfile text "$BATS_TEST_TMPDIR/quotes" \
        '.entry[0].changes[0].value.messages[0].text.body = $text' >"$BATS_TEST_TMPDIR/c.json"
    printf '{"object":"x\xff\x00"}' >"$BATS_TEST_TMPDIR/d.json"
    exit_code 0 webhook replay "$BATS_TEST_TMPDIR"/[abc].json
    exit_code 1 webhook replay "$BATS_TEST_TMPDIR/d.json" -o ndjson
    assert_equal "$(jq .status "$BATS_TEST_TMPDIR/out")" 400
    local id file
    for id in 1 2 3 4; do
        file=$BATS_TEST_TMPDIR/$(tr 1-4 a-d <<<$id).json
        sql "SELECT hex(body) FROM webhook WHERE id = $id" | tr A-F a-f >"$BATS_TEST_TMPDIR/stored"
        od -An -v -tx1 "$file" | tr -d ' \n' | cat - <(echo) | cmp - "$BATS_TEST_TMPDIR/stored"
    done
}

@test "webhook replay over HTTP signs each file, and a wrong secret is refused" {
    start_siod
    text_webhook wamid.1 15551230001 one >"$BATS_TEST_TMPDIR/one.json"
    exit_code 0 webhook replay "$BATS_TEST_TMPDIR/one.json" --url "$SIOD_URL$WEBHOOK_PATH" --secret-file "$SIOD_DIR/app.secret"
    echo wrong >"$BATS_TEST_TMPDIR/wrong.secret"
    exit_code 1 webhook replay "$BATS_TEST_TMPDIR/one.json" --url "$SIOD_URL$WEBHOOK_PATH" \
        --secret-file "$BATS_TEST_TMPDIR/wrong.secret" -o json
    assert_equal "$(jq '.[0].status < 500 and .[0].status >= 400' "$BATS_TEST_TMPDIR/out")" true
    exit_code 3 webhook replay "$BATS_TEST_TMPDIR/one.json" --url http://127.0.0.1:1/ --secret-file "$SIOD_DIR/app.secret"
    exit_code 2 webhook replay "$BATS_TEST_TMPDIR/one.json" --url "$SIOD_URL$WEBHOOK_PATH"
    exit_code 2 webhook replay "$BATS_TEST_TMPDIR/one.json" --secret-file "$SIOD_DIR/app.secret"
}

@test "HTTP alone wants libcurl, and says so where it is not or is another" {
    start_siod
    text_webhook wamid.1 15551230001 one >"$BATS_TEST_TMPDIR/one.json"
    ln -s "$(ldd "$SIOD_BIN/sioctl" | awk '$1 == "libjansson.so.4" { print $3 }')" "$BATS_TEST_TMPDIR/libcurl.so.4"
    export LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
    exit_code 1 webhook replay "$BATS_TEST_TMPDIR/one.json" --url "$SIOD_URL$WEBHOOK_PATH" --secret-file "$SIOD_DIR/app.secret"
    assert_contains "$said" "HTTP needs libcurl.so.4: "
    assert_contains "$said" "undefined symbol: curl_"
    exit_code 0 webhook replay "$BATS_TEST_TMPDIR/one.json"
}

@test "webhook list is newest first and limited" {
    start_siod
    local i
    for i in 1 2 3; do
        post_webhook "$(text_webhook "wamid.$i" 15551230001 "$i")"
    done
    assert_equal "$(sioctl webhook list -o json | jq -c 'map([.webhookId, .state, .counts.inbound])')" \
        '[[3,"done",1],[2,"done",1],[1,"done",1]]'
    assert_equal "$(sioctl webhook list --limit 1 -o tsv | cut -f 1)" 3
    assert_contains "$(sioctl webhook list)" 'inbound=1'
}

@test "webhook list finds what siod keeps but does not read, by its field" {
    start_siod
    local unknown
    unknown=$(jq -r '.entry[0].changes[0].field' "$VECTORS/unknown_field.json")
    post_webhook "$(text_webhook wamid.1 15551230001 hello)"
    post_webhook "$(jq -c . "$VECTORS/template_status.json")"
    post_webhook "$(jq -c . "$VECTORS/unknown_field.json")"
    post_webhook "$(jq -c --slurpfile other "$VECTORS/template_status.json" \
        '.entry += $other[0].entry' <<<"$(text_webhook wamid.2 15551230001 both)")"
    assert_equal "$(sioctl webhook list -o json | jq -c 'map(.fields)')" \
        "[[\"messages\",\"message_template_status_update\"],[\"$unknown\"],[\"message_template_status_update\"],[\"messages\"]]"
    assert_equal "$(sioctl webhook list --field message_template_status_update -o tsv | cut -f 1 | xargs)" "4 2"
    assert_equal "$(sioctl webhook list --field messages -o tsv | cut -f 1 | xargs)" "4 1"
    assert_equal "$(sioctl webhook list --field calls -o json)" '[]'
}

@test "webhook sign needs no daemon and agrees with openssl" {
    printf s3cret >"$BATS_TEST_TMPDIR/secret"
    printf '{"a":1}\n' >"$BATS_TEST_TMPDIR/body"
    export SIOD_SOCKET=/nonexistent
    assert_equal "$(sioctl webhook sign "$BATS_TEST_TMPDIR/body" --secret-file "$BATS_TEST_TMPDIR/secret")" \
        "$(signature "$BATS_TEST_TMPDIR/body" "$BATS_TEST_TMPDIR/secret")"
    exit_code 1 webhook sign /nonexistent --secret-file "$BATS_TEST_TMPDIR/secret"
    exit_code 2 webhook sign "$BATS_TEST_TMPDIR/body"
}

@test "tokens are minted, verified and decoded without a daemon" {
    export SIOD_SOCKET=/nonexistent
    echo 0123456789abcdef0123456789abcdef >"$BATS_TEST_TMPDIR/key"
    local token
    token=$(sioctl token mint --user 7 --business 1 --role supervisor --ttl 1h --claim x=y --key-file "$BATS_TEST_TMPDIR/key")
    [[ $token =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]]
    assert_equal "$(sioctl token verify "$token" --key-file "$BATS_TEST_TMPDIR/key" -o json |
        jq -c '[.valid, .userId, .businessId, .role]')" '[true,7,1,"supervisor"]'
    assert_equal "$(sioctl token decode - -o json <<<"$token" | jq -c '[.header.alg, .claims.userId, .claims.x]')" '["HS256",7,"y"]'
    token=$(sioctl token mint --user 7 --business 1 --claim exp=1 --key-file "$BATS_TEST_TMPDIR/key")
    exit_code 1 token verify "$token" --key-file "$BATS_TEST_TMPDIR/key" -o json
    assert_contains "$said" 'sioctl: token_expired: '
    assert_equal "$(jq -c '[.valid, .code]' "$BATS_TEST_TMPDIR/out")" '[false,"token_expired"]'
    exit_code 1 token decode nonsense
    exit_code 3 token mint --user 7 --business 1
}

@test "a token is decoded whatever JSON it has" {
    export SIOD_SOCKET=/nonexistent
    local claims expected
    echo 0123456789abcdef0123456789abcdef >"$BATS_TEST_TMPDIR/key"
    while IFS='|' read -r claims expected; do
        exit_code 0 token decode "$(jwt "$claims" '{"alg":"HS256"}' "$BATS_TEST_TMPDIR/key")" -o json
        assert_equal "$(jq -c '[.header.alg, .claims]' "$BATS_TEST_TMPDIR/out")" "[\"HS256\",$expected]"
        exit_code 0 token decode "$(jwt '{}' "{\"alg\":\"HS256\",\"x\":$claims}" "$BATS_TEST_TMPDIR/key")" -o json
        assert_equal "$(jq -c .header.x "$BATS_TEST_TMPDIR/out")" "$expected"
    done <<'LINES'
{"a\u0000b":1}|{"a\\u0000b":1}
{"a":"b\u0000c"}|{"a":"b\u0000c"}
{"a":"\ud800"}|{"a":"�"}
{"a":123456789012345678901234567890}|{"a":"123456789012345678901234567890"}
{"a":1e400}|{"a":"1e400"}
LINES
}

@test "a PEM key signs with the algorithm that was chosen, and never by accident" {
    export SIOD_SOCKET=/nonexistent
    local dir=$BATS_TEST_TMPDIR token
    openssl ecparam -genkey -name prime256v1 -noout -out "$dir/private.pem" 2>/dev/null
    openssl ec -in "$dir/private.pem" -pubout -out "$dir/public.pem" 2>/dev/null
    exit_code 1 token mint --user 7 --business 1 --key-file "$dir/private.pem"
    assert_contains "$said" 'choose --algorithm'
    token=$(sioctl token mint --user 7 --business 1 --key-file "$dir/private.pem" --algorithm ES256)
    exit_code 0 token verify "$token" --key-file "$dir/public.pem" --algorithm ES256
}

@test "the daemon mints with its own keys" {
    start_siod
    local token
    token=$(sioctl token mint --user 7 --business 1 --name Ann)
    assert_equal "$(sioctl token verify "$token" -o json | jq -c '[.valid, .name]')" '[true,"Ann"]'
    assert_equal "$(sioctl token verify "$token" --key-file "$SIOD_DIR/jwt.key" -o json | jq .valid)" true
    agent_connected a --token "$token"
    exit_code 1 token verify "${token}x"
    assert_contains "$said" 'token_invalid'
    assert_equal "$(sql "SELECT count(*) FROM audit WHERE CAST(command AS TEXT) = 'token mint'")" 1
}

@test "status has what an operator asks first" {
    start_siod
    assert_equal "$(sioctl status -o json | jq -c '[.ready, .pid, .store.health, (.listeners | length), .store.businesses]')" \
        "[true,$SIOD_PID,\"ok\",1,1]"
    assert_contains "$(sioctl status)" 'store.health'
    assert_contains "$(sioctl status -o tsv)" $'ready\ttrue'
    assert_equal "$(sioctl status -o ndjson | wc -l)" 1
}

@test "wait ready waits for a daemon that is only being started" {
    SIOD_SOCKET=$SIOD_DIR/siod.sock
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" wait ready --timeout 20s
    local pid=$!
    start_siod
    wait "$pid"
    stop_siod
    exit_code 4 wait ready --timeout 50ms
    assert_contains "$said" 'timed out'
}

@test "a daemon that does not answer is given up on" {
    start_siod
    kill -STOP "$SIOD_PID"
    exit_code 4 -t 100ms status
    kill -CONT "$SIOD_PID"
    exit_code 0 status
}

@test "what is wrong with a command line is said before anything is connected" {
    export SIOD_SOCKET=/nonexistent
    local line
    while IFS='|' read -r line expected; do
        # shellcheck disable=SC2086 # words
        exit_code 2 $line
        assert_equal "${said%%$'\n'*}" "sioctl: $expected"
    done <<'LINES'
frobnicate|unknown command 'frobnicate'
t|'t' is ambiguous: tail, token
room|'room' needs a verb: list, show, join, leave
chat show|missing <chat>
chat show abc|'abc' is not a chat id
chat show 1 2|unexpected argument '2'
room list --colour|unknown option --colour
--colour room list|unknown option --colour
--out json agent list|unknown option --out
agent --out json --help|unknown option --out
--limit 5 agent|'agent' needs a verb: list, show, status, capacity
tail --count 0|--count: '0' is not a positive number
tail --for 10|--for: '10' is not a duration like 500ms, 10s, 5m or 1h
status -o yaml|--output: 'yaml' is not an output format: text, json, ndjson, tsv
token mint --user 1|missing --business
LINES
    assert_contains "$said" 'usage: sioctl token mint --user <user>'
    exit_code 2
}

@test "where there is no daemon the exit status is 3 and the path is named" {
    export SIOD_SOCKET=$BATS_TEST_TMPDIR/none.sock
    exit_code 3 status
    assert_equal "$said" "sioctl: cannot reach siod at $BATS_TEST_TMPDIR/none.sock: No such file or directory"
}

@test "the socket is found by option, environment and the present directory, in this order" {
    start_siod
    local found=$SIOD_SOCKET
    assert_equal "$(SIOD_SOCKET=/nonexistent "$SIOD_BIN/sioctl" -s "$found" status -o json | jq .ready)" true
    assert_equal "$(SIOD_SOCKET=$found "$SIOD_BIN/sioctl" status -o json | jq .ready)" true
    mkdir "$BATS_TEST_TMPDIR/here"
    ln -s "$SIOD_DIR" "$BATS_TEST_TMPDIR/here/siod-dev"
    cd "$BATS_TEST_TMPDIR/here"
    unset SIOD_SOCKET
    assert_equal "$("$SIOD_BIN/sioctl" status -o json | jq .ready)" true
}

@test "there is colour on a terminal, none in a pipe and none with NO_COLOR" {
    with_a_chat
    assert_contains "$(on_terminal room list)" $'\e[1mROOM'
    assert_contains "$(on_terminal room list)" 'business_1  /          1         1'
    [[ $(NO_COLOR=1 on_terminal room list) != *$'\e'* ]]
    [[ $(sioctl room list) != *$'\e'* ]]
    [[ $(on_terminal room list -o json) != *$'\e'* ]]
    assert_contains "$(on_terminal status)" $'\e[1mready\e[0m'
}

@test "help explains each command, --version prints the version" {
    export SIOD_SOCKET=/nonexistent
    exit_code 0 help
    assert_contains "$(cat "$BATS_TEST_TMPDIR/out")" 'room list'
    assert_contains "$(sioctl help room show)" 'usage: sioctl room show <room>'
    assert_contains "$(sioctl room show --help)" 'usage: sioctl room show <room>'
    assert_contains "$(sioctl help chat)" 'chat show'
    local command
    while read -r command; do
        # shellcheck disable=SC2086 # words
        assert_contains "$(sioctl help $command)" "usage: sioctl $command"
    done < <(sioctl help -o json | jq -r '.[].command')
    exit_code 2 help nonsense
    [[ $(sioctl --version) == 'sioctl '* ]]
    assert_equal "$(sioctl agent --help)" "$(sioctl help agent)"
    assert_equal "$(sioctl --help webhook quar -o json)" "$(sioctl help webhook quar -o json)"
    exit_code 2 nonsense --help
    local option
    for option in --version --help 'room show --help'; do
        # shellcheck disable=SC2086 # words
        refute sioctl $option >/dev/full 2>"$BATS_TEST_TMPDIR/words"
        assert_equal "$(cat "$BATS_TEST_TMPDIR/words")" 'sioctl: cannot write: No space left on device'
    done
}

@test "the words behind a replay come when its output is whole" {
    start_siod
    sioctl webhook replay "$VECTORS/text.json" -o json >"$BATS_TEST_TMPDIR/both" 2>&1
    assert_equal "$(tail -n 1 "$BATS_TEST_TMPDIR/both")" 'sioctl: 1 replayed, 1 accepted'
    assert_equal "$(head -n -1 "$BATS_TEST_TMPDIR/both" | jq -c 'map(.status)')" '[200]'
}

@test "the example of a shortened command is one" {
    start_siod
    words=$(sed -n 's/^\.Ql sioctl \(.* li\)$/\1/p' "$ROOT/man/sioctl.8")
    # shellcheck disable=SC2086 # words
    assert_equal "$(sioctl $words -o json)" "$(sioctl room list -o json)"
}
