#!/usr/bin/env bats
# `webhook replay` beyond one file after the other: recordings, plans, golden files, reports; and `store digest`.

bats_require_minimum_version 1.5.0

load ../lib/siod

setup() {
    setup_siod
    GOLDEN=$BATS_TEST_TMPDIR/expected.ndjson
    WORDS=$BATS_TEST_TMPDIR/words
    # Edits, revokes, reactions, two names of one customer, echoes and statuses, each message about some other.
    RECORDINGS=$ROOT/tests/vectors/recordings
}

teardown() {
    teardown_siod
}

# recording COUNT: a recording of as many messages, ten milliseconds apart, of ten customers, to stdout.
recording() {
    printf '{"siorec":1,"started_at":"2026-03-01T09:30:00.000Z","redacted":true}\n'
    text_webhook wamid.N 15550000 text | jq -c --argjson count "$1" '. as $body | range($count) as $i |
        {at_ms: ($i * 10), sign: true, body: ($body | .entry[0].changes[0].value |= (
            (.. | strings | select(. == "15550000")) = "1555000\($i % 10)" |
            .messages[0].id = "wamid.\($i)" | .messages[0].text.body = "number \($i)") | tojson)}'
}

# replay ARGUMENT…: rows to stdout, words into $WORDS, the exit code into $code.
replay() {
    code=0
    sioctl webhook replay "$@" 2>"$WORDS" || code=$?
}

# replays ARGUMENT…: must be good.
replays() {
    replay "$@" >"$BATS_TEST_TMPDIR/rows"
    assert_equal "$code" 0
}

fresh_siod() {
    [[ -z ${SIOD_PID:-} ]] || kill_siod
    rm -rf "$SIOD_DIR"
    mkdir -p "$SIOD_DIR"
    start_siod
}

texts() {
    sql "SELECT CAST(text AS TEXT) FROM message ORDER BY id"
}

@test "a recording is replayed in its order, and each of its lines has a name" {
    start_siod
    recording 300 >"$BATS_TEST_TMPDIR/day.siorec"
    replays "$BATS_TEST_TMPDIR" -o ndjson
    assert_equal "$(jq -r '.file' "$BATS_TEST_TMPDIR/rows" | sed -n '1p;300p')" \
        "$BATS_TEST_TMPDIR/day.siorec:2"$'\n'"$BATS_TEST_TMPDIR/day.siorec:301"
    assert_equal "$(texts)" "$(seq 0 299 | sed 's/^/number /')"
    assert_contains "$(cat "$WORDS")" '300 replayed, 300 accepted'
    assert_equal "$(sql "SELECT count(*) FROM audit")" 1
}

@test "a delivery that is not accepted is named" {
    start_siod
    {
        recording 2
        echo '{"at_ms":30,"body":"{\"no"}'
        recording 1 | sed 1d
    } >"$BATS_TEST_TMPDIR/day.siorec"
    replay "$BATS_TEST_TMPDIR/day.siorec" >/dev/null
    assert_equal "$code" 1
    assert_contains "$(cat "$WORDS")" "day.siorec:4: answered 400: not JSON"
    assert_contains "$(cat "$WORDS")" '4 replayed, 3 accepted'
    printf '{"siorec":1}\n{"at_ms":"x"}\n' >"$BATS_TEST_TMPDIR/bad.siorec"
    replay "$BATS_TEST_TMPDIR/day.siorec" "$BATS_TEST_TMPDIR/bad.siorec"
    assert_equal "$code" 1
    assert_contains "$(cat "$WORDS")" 'bad.siorec: line 2'
    assert_equal "$(sql "SELECT count(*) FROM webhook")" 4
}

@test "options that cannot be are refused before anything is sent" {
    # shellcheck disable=SC2034 # for sioctl()
    SIOD_SOCKET=/nonexistent
    local options
    while read -r options; do
        # shellcheck disable=SC2086 # words
        replay "$VECTORS/text.json" $options
        assert_equal "$options: $code" "$options: 2"
    done <<<'--speed 1 --rate 2
--speed -1
--speed fast
--rate 1.2.3
--dup 1.5
--dup .
--concurrency 0
--concurrency 65
--reorder -1
--order backwards
--ids new
--update
--expect - --update
--junit - --tap -
--url http://127.0.0.1:1/'
    replay "$VECTORS/text.json" --seed 0 --dup 0 --reorder 0 --speed 0 --rate 0.5 --order time --ids kept
    assert_equal "$code" 2 # --speed and --rate
    replay "$VECTORS/text.json" --seed 0 --dup 0.5 --reorder 0 --speed 0 --order time --ids kept
    assert_equal "$code" 3
}

@test "a speed and a rate take their time" {
    start_siod
    recording 41 >"$BATS_TEST_TMPDIR/day.siorec"
    local start=${EPOCHREALTIME/./}
    replays "$BATS_TEST_TMPDIR/day.siorec" --speed 0.5
    ((${EPOCHREALTIME/./} - start >= 800000))
    start=${EPOCHREALTIME/./}
    replays "$BATS_TEST_TMPDIR/day.siorec" --rate 50
    ((${EPOCHREALTIME/./} - start >= 800000))
    assert_equal "$(sql 'SELECT count(*) FROM message')" 41
    # What is due after ages is not sent at once.
    replays_a_while "$BATS_TEST_TMPDIR/day.siorec" --rate 0.0000000000000001
    sed -i '3s/"at_ms":10/"at_ms":9007199254740992/; 4,$d' "$BATS_TEST_TMPDIR/day.siorec"
    replays_a_while "$BATS_TEST_TMPDIR/day.siorec" --speed 1
}

# replay_begun ARGUMENT…: in the background as $replay_pid; one is answered, which the first is at once.
replay_begun() {
    in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" webhook replay "$@" -o ndjson >"$BATS_TEST_TMPDIR/rows" 2>"$WORDS"
    replay_pid=$!
    wait_until grep -q . "$BATS_TEST_TMPDIR/rows"
}

# replays_a_while ARGUMENT…: interrupted then.
replays_a_while() {
    local code=0
    replay_begun "$@"
    kill -INT "$replay_pid"
    wait "$replay_pid" || code=$?
    assert_equal "$code $(wc -l <"$BATS_TEST_TMPDIR/rows")" '130 1'
}

@test "the same seed disturbs the order in the same way, another in another" {
    recording 60 >"$BATS_TEST_TMPDIR/day.siorec"
    local seed orders=()
    for seed in 5 5 6; do
        fresh_siod
        replays "$BATS_TEST_TMPDIR/day.siorec" --reorder 7 --dup 0.2 --seed $seed -o ndjson
        orders+=("$(jq -c '[.file[-3:], .copy]' "$BATS_TEST_TMPDIR/rows")")
        assert_equal "$(texts | sort)" "$(seq 0 59 | sed 's/^/number /' | sort)"
    done
    assert_equal "${orders[0]}" "${orders[1]}"
    [[ ${orders[0]} != "${orders[2]}" ]]
    (($(wc -l <"$BATS_TEST_TMPDIR/rows") > 60))
}

@test "over HTTP each is signed, and one that is not to be signed goes as it was recorded" {
    start_siod
    recording 3 >"$BATS_TEST_TMPDIR/day.siorec"
    jq -c 'if .at_ms == 10 then .sign = false | .headers = {"X-Hub-Signature-256": "sha256=no"} else . end' \
        "$BATS_TEST_TMPDIR/day.siorec" >"$BATS_TEST_TMPDIR/unsigned.siorec"
    replays "$BATS_TEST_TMPDIR/day.siorec" --url "$SIOD_URL$WEBHOOK_PATH" --secret-file "$SIOD_DIR/app.secret" \
        --concurrency 4
    assert_equal "$(sql 'SELECT count(*) FROM message')" 3
    replay "$BATS_TEST_TMPDIR/unsigned.siorec" --url "$SIOD_URL$WEBHOOK_PATH" --secret-file "$SIOD_DIR/app.secret" >/dev/null
    assert_equal "$code" 1
    assert_contains "$(cat "$WORDS")" 'unsigned.siorec:3: answered 401'
    assert_contains "$(cat "$WORDS")" '3 replayed, 2 accepted'
}

@test "over HTTP a password in the URL is not shown, and no time at all is not without end" {
    start_siod
    local url=127.0.0.1:1/webhook secret=$SIOD_DIR/app.secret
    replay "$VECTORS/text.json" --url "http://user:hunter2@$url" --secret-file "$secret"
    assert_contains "$code $(cat "$WORDS")" "3 sioctl: http://$url: "
    refute grep -q hunter2 "$WORDS"
    replay "$VECTORS/text.json" --url "ftp://user:hunter2@$url" --secret-file "$secret"
    assert_contains "$code $(cat "$WORDS")" "2 sioctl: --url: 'ftp://$url' is not "
    refute grep -q hunter2 "$WORDS"
    kill -STOP "$SIOD_PID"
    replay "$VECTORS/text.json" -t 0s --url "$SIOD_URL$WEBHOOK_PATH" --secret-file "$secret"
    kill -CONT "$SIOD_PID"
    assert_equal "$code $(cat "$WORDS")" "4 sioctl: $SIOD_URL$WEBHOOK_PATH: timed out
sioctl: 0 of 1 replayed, 0 accepted"
}

@test "with fresh ids a recording goes into the same store again, and what belongs together stays so" {
    start_siod
    mkdir "$BATS_TEST_TMPDIR/in"
    cp "$VECTORS"/{text,text_reply,echo,status_sent,status_delivered}.json "$BATS_TEST_TMPDIR/in/"
    replays "$BATS_TEST_TMPDIR/in"
    replays "$BATS_TEST_TMPDIR/in" --ids fresh -o json
    assert_equal "$(jq 'map(.counts.dups) | add' "$BATS_TEST_TMPDIR/rows")" 0
    assert_equal "$(sql 'SELECT count(*), count(DISTINCT wamid) FROM message')" "6|6"
    # The reply points to the same as before, or to its new name; each status to its own message.
    assert_equal "$(sql "SELECT count(*) FROM message AS reply JOIN message AS target ON target.wamid = reply.context_wamid")" \
        "$(sql "SELECT 2 * count(*) FROM (SELECT 1 FROM message AS reply JOIN message AS target ON
            target.wamid = reply.context_wamid WHERE reply.id <= 3)")"
    assert_equal "$(sql "SELECT count(*) FROM (SELECT status, count(*) AS n FROM message GROUP BY status) WHERE n % 2 = 1")" 0
}

@test "a golden file is met again by the same deliveries, however fast, however many at a time and however often" {
    start_siod
    replays "$VECTORS" "$RECORDINGS" --expect "$GOLDEN" --update
    assert_equal "$(head -n 1 "$GOLDEN" | jq -c .siogolden)" 1
    refute grep -q "$(date +%Y-%m)" "$GOLDEN"
    local options
    while read -r options; do
        fresh_siod
        # shellcheck disable=SC2086 # words
        replay "$VECTORS" "$RECORDINGS" --expect "$GOLDEN" $options >/dev/null
        [[ $code == 0 ]] || fail "with '$options':" "$(cut -c 1-300 "$WORDS")"
    done <<<'--order recorded
--rate 400
--concurrency 8
--dup 0.4 --concurrency 16 --seed 3'
    fresh_siod
    replay "$VECTORS" "$RECORDINGS" --expect "$GOLDEN" --concurrency 8 --url "$SIOD_URL$WEBHOOK_PATH" \
        --secret-file "$SIOD_DIR/app.secret" >/dev/null
    [[ $code == 0 ]] || fail "over HTTP: $(cut -c 1-300 "$WORDS")"
    # Which of two edits in one second counts is a matter of their ids, and the recordings have such two.
    fresh_siod
    replays "$VECTORS" --expect "$GOLDEN" --update
    fresh_siod
    replays "$VECTORS" --expect "$GOLDEN" --ids fresh
}

@test "what differs from a golden file is shown and reported under the delivery it belongs to" {
    start_siod
    mkdir "$BATS_TEST_TMPDIR/in"
    text_webhook wamid.1 15551230001 one >"$BATS_TEST_TMPDIR/in/1.json"
    text_webhook wamid.2 15551230002 two >"$BATS_TEST_TMPDIR/in/2.json"
    printf '{"no' >"$BATS_TEST_TMPDIR/in/3.json"
    replays "$BATS_TEST_TMPDIR/in" --expect "$GOLDEN" --update
    fresh_siod
    text_webhook wamid.2 15551230002 other >"$BATS_TEST_TMPDIR/in/2.json"
    replay "$BATS_TEST_TMPDIR/in" --expect "$GOLDEN" --junit "$BATS_TEST_TMPDIR/report.xml" --tap - >"$BATS_TEST_TMPDIR/tap"
    assert_equal "$code" 1
    assert_equal "$(grep '^@@' "$WORDS")" '@@ 2.json @@'
    assert_equal "$(sed -n 's/^\([-+]\){.*"text":"\([^"]*\)".*/\1\2/p' "$WORDS" | sort | uniq -c | xargs)" '2 +other 2 -two'
    assert_equal "$(grep -v '^#' "$BATS_TEST_TMPDIR/tap")" \
        $'TAP version 13\n1..3\nok 1 - 1.json\nnot ok 2 - 2.json\nok 3 - 3.json'
    assert_equal "$(grep -c '<testcase' "$BATS_TEST_TMPDIR/report.xml")" 3
    assert_contains "$(cat "$BATS_TEST_TMPDIR/report.xml")" 'tests="3" failures="1"'
    # Without a golden file the answers alone are judged.
    replay "$BATS_TEST_TMPDIR/in" --tap - >"$BATS_TEST_TMPDIR/tap"
    assert_equal "$code" 1
    assert_equal "$(grep '^not' "$BATS_TEST_TMPDIR/tap")" 'not ok 3 - 3.json'
    replay "$BATS_TEST_TMPDIR/in" --expect "$BATS_TEST_TMPDIR/none" --junit "$BATS_TEST_TMPDIR/report.xml"
    assert_equal "$code" 1
    assert_contains "$(cat "$WORDS")" 'none: No such file'
    replay "$BATS_TEST_TMPDIR/in" --expect "$BATS_TEST_TMPDIR/in/1.json"
    assert_contains "$(cat "$WORDS")" 'line 1: not a golden file'
}

@test "a golden file needs a daemon that answers, and is not waited for" {
    start_siod
    kill -STOP "$SIOD_PID"
    replay "$VECTORS/text.json" -t 50ms --expect "$GOLDEN" --update
    kill -CONT "$SIOD_PID"
    assert_equal "$code $(cat "$WORDS")" '4 sioctl: siod does not answer'
    stop_siod
    replay "$VECTORS/text.json" --expect "$GOLDEN" --update
    assert_contains "$code $(cat "$WORDS")" "3 sioctl: cannot reach siod at $SIOD_SOCKET: "
    [[ ! -e $GOLDEN ]]
}

@test "deliveries of files of one name, and of one file given twice, are told apart" {
    start_siod
    cd "$BATS_TEST_TMPDIR"
    mkdir -p a/in b/in
    text_webhook wamid.1 15551230001 one >a/in/x.json
    text_webhook wamid.2 15551230002 two >b/in/x.json
    text_webhook wamid.3 15551230003 three >a/in/y.json
    printf '{"no' >bad.json
    local paths=(a/in "$PWD/b/in" a/in/y.json bad.json ./bad.json)
    replays "${paths[@]}" --expect "$GOLDEN" --update
    assert_equal "$(jq -r '.answer | values' "$GOLDEN" | xargs -d '\n' printf '%s|')" \
        'a/in/x.json|y.json|b/in/x.json|y.json (2)|bad.json|./bad.json|'
    assert_equal "$(jq -r 'select(.event == "new_message").record' "$GOLDEN" | sort | xargs)" 'a/in/x.json b/in/x.json y.json'
    fresh_siod
    text_webhook wamid.2 15551230002 other >b/in/x.json
    replay "${paths[@]}" --expect "$GOLDEN" --tap - >tap
    assert_equal "$code $(grep '^@@' "$WORDS")" '1 @@ b/in/x.json @@'
    assert_equal "$(grep -v '^#' tap)" "TAP version 13
1..6
ok 1 - a/in/x.json
ok 2 - y.json
not ok 3 - b/in/x.json
ok 4 - y.json (2)
ok 5 - bad.json
ok 6 - ./bad.json"
    replay "${paths[@]}" --junit - >junit
    assert_equal "$code $(grep -c '<testcase' junit) $(grep -c '<failure' junit)" '1 6 2'
}

@test "a replay that ends early reports what was done, and the rest as skipped" {
    local tap=$BATS_TEST_TMPDIR/tap day=$BATS_TEST_TMPDIR/day.siorec never='--rate 0.0000000000000001'
    start_siod
    recording 3 >"$day"
    # shellcheck disable=SC2086 # words
    replays_a_while "$day" $never --tap "$tap" --junit "$BATS_TEST_TMPDIR/xml"
    assert_equal "$(cat "$tap")" $'TAP version 13\n1..3
ok 1 - day.siorec:2
ok 2 - day.siorec:3 # SKIP not answered
ok 3 - day.siorec:4 # SKIP not answered'
    assert_contains "$(cat "$BATS_TEST_TMPDIR/xml")" 'tests="3" failures="0" errors="0" skipped="2"'
    # shellcheck disable=SC2086 # words
    replays_a_while "$day" $never --tap "$tap" --expect "$GOLDEN" --update
    assert_equal "$(grep '^ok' "$tap" | head -n 2)" $'ok 1 - day.siorec:2 # SKIP not compared
ok 2 - day.siorec:3 # SKIP not answered'
    [[ ! -e $GOLDEN ]]
    # As for a daemon that is gone.
    code=0
    # shellcheck disable=SC2086 # words
    replay_begun "$day" $never --tap "$tap"
    kill_siod
    wait "$replay_pid" || code=$?
    assert_equal "$code $(grep '^ok' "$tap" | tail -n 2)" '3 ok 2 - day.siorec:3 # SKIP not answered
ok 3 - day.siorec:4 # SKIP not answered'
    rm "$tap"
    replay "$day" --tap "$tap"
    assert_equal "$code $(ls "$tap" 2>&1)" "3 ls: cannot access '$tap': No such file or directory"
}

@test "one file cannot hold two results, nor the standard output the golden file, by whatever name" {
    # shellcheck disable=SC2034 # for sioctl()
    SIOD_SOCKET=/nonexistent
    local options
    cd "$BATS_TEST_TMPDIR"
    touch there other
    ln there hard
    ln -s there soft
    mkfifo pipe
    while read -r options; do
        # shellcheck disable=SC2086 # words
        replay "$VECTORS/text.json" $options >out
        assert_equal "$options: $code" "$options: 2"
        # shellcheck disable=SC2086 # words
        { replay "$VECTORS/text.json" $options && echo "$code" >code; } | cat >/dev/null
        assert_equal "$options: $(cat code)" "$options: 2"
    done <<<"--junit new --tap new
--junit new --tap ./new
--junit new --tap $PWD/new
--junit there --tap soft
--junit there --tap hard
--junit pipe --tap pipe
--junit - --tap /dev/stdout
--expect there --junit soft
--expect there --update --junit there
--expect new --update --tap $PWD/new
--expect /dev/stdout --update
--expect /dev/fd/1 --update
--expect /proc/self/fd/1 --update"
    # The daemon is looked for: nothing is wrong with these.
    while read -r options; do
        # shellcheck disable=SC2086 # words
        replay "$VECTORS/text.json" $options >out
        assert_equal "$options: $code" "$options: 3"
    done <<<"--junit new --tap newer
--junit /dev/null --tap /dev/null
--junit - --tap there
--junit there --tap other
--expect new --update --junit there --tap -
--expect /dev/null --update"
    replay "$VECTORS/text.json" --expect - --junit - >out < <(printf '{"siogolden":1,"counted":true}\n')
    assert_equal "$code" 3
}

@test "a report to the standard output by another name is all that is there" {
    start_siod
    { replay "$VECTORS/text.json" --tap /dev/stdout && echo end; } >"$BATS_TEST_TMPDIR/out"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" $'TAP version 13\n1..1\nok 1 - text.json\nend'
    replay "$VECTORS/text.json" --tap /dev/stdout | cat >"$BATS_TEST_TMPDIR/out"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" $'TAP version 13\n1..1\nok 1 - text.json'
}

# hash FILE…
hash() {
    sha256sum "$@" | cut -d ' ' -f 1
}

@test "what a replay writes replaces what was there when it is whole, and where it cannot nothing is delivered" {
    start_siod
    local before options file=$BATS_TEST_TMPDIR/in.json dir=$BATS_TEST_TMPDIR/out
    cp "$VECTORS/text.json" "$file"
    mkdir "$dir"
    while read -r options; do
        # shellcheck disable=SC2086 # words
        replay "$file" $options
        assert_equal "$options: $code $(cat "$WORDS")" "$options: 1 sioctl: $dir/none/x: No such file or directory"
    done <<<"--junit $dir/none/x
--tap $dir/none/x
--expect $dir/none/x --update"
    replay "$file" --tap "$dir"
    assert_equal "$code $(cat "$WORDS")" "1 sioctl: $dir: Is a directory"
    assert_equal "$(sql 'SELECT count(*) FROM webhook')" 0
    # A disk that is full is a limit on what one file may hold.
    replays "$VECTORS" --expect "$dir/golden" --update
    chmod 640 "$dir/golden"
    ln -s golden "$dir/link"
    before=$(hash "$dir/golden")
    code=0
    (trap '' XFSZ && ulimit -f 1 && exec "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" webhook replay "$VECTORS" --ids fresh \
        --expect "$dir/golden" --update >/dev/null 2>"$WORDS" 3>&-) || code=$?
    assert_contains "$code $(cat "$WORDS")" "sioctl: $dir/golden: File too large"
    assert_equal "$code $(hash "$dir/golden")" "1 $before"
    replays "$file" --expect "$dir/link" --update --tap /dev/fd/9 --junit /dev/null 9>"$dir/tap"
    assert_equal "$(grep -c '"answer"' "$dir/golden") $(stat -c %a "$dir/golden")" '1 640'
    [[ -L $dir/link && -s $dir/tap && -c /dev/null ]]
    # Nothing else is left, of those that failed neither.
    assert_equal "$(ls "$dir")" $'golden\nlink\ntap'
}

@test "agents on the desk are part of what is expected" {
    local round
    for round in --update ''; do
        fresh_siod
        agent_connected a --token "$(token 7 1)"
        sioctl wait agent/7=online >/dev/null
        # shellcheck disable=SC2086 # words
        replays "$VECTORS/text.json" "$VECTORS/text_reply.json" --expect "$GOLDEN" $round
        agent_stop a
    done
    assert_equal "$(jq -r 'select(.event == "chat_assigned").payload.agentId' "$GOLDEN")" 7
}

@test "any order, repetition and concurrency ends in the same digest" {
    local seed digest want seeds=6
    [[ -z ${SIOD_TEST_ALL:-} ]] || seeds=1000
    fresh_siod
    replays "$VECTORS" "$RECORDINGS"
    want=$(sioctl store digest)
    assert_equal ${#want} 64
    for ((seed = 1; seed <= seeds; seed++)); do
        fresh_siod
        replays "$VECTORS" "$RECORDINGS" --order shuffle --dup 0.3 --concurrency 8 --seed $seed
        digest=$(sioctl store digest)
        [[ $digest == "$want" ]] || fail "seed $seed ends in $digest, not in $want"
    done
}

@test "a reaction in a group stays its customer's when two turn out to be one" {
    local wamid
    start_siod
    for wamid in G0 GY B0 B2; do
        replays - < <(sed -n 1p "$RECORDINGS/mixed.siorec" && grep -F "\"id\\\":\\\"wamid.$wamid\\\"" "$RECORDINGS/mixed.siorec")
    done
    assert_equal "$(sql 'SELECT count(*), count(contact.id) FROM reaction LEFT JOIN contact ON contact.id = contact_id')" '1|1'
}

@test "the digest is that of the rows, also after a restart" {
    start_siod
    recording 1500 >"$BATS_TEST_TMPDIR/day.siorec"
    replays "$BATS_TEST_TMPDIR/day.siorec"
    sioctl store digest -o json >"$BATS_TEST_TMPDIR/digest"
    assert_equal "$(jq -c 'del(.digest)' "$BATS_TEST_TMPDIR/digest")" '{"chats":10,"messages":1500,"statuses":0}'
    stop_siod
    start_siod
    assert_equal "$(sioctl store digest)" "$(jq -r .digest "$BATS_TEST_TMPDIR/digest")"
    sioctl webhook replay "$VECTORS/text.json" >/dev/null 2>&1
    refute [ "$(sioctl store digest)" = "$(jq -r .digest "$BATS_TEST_TMPDIR/digest")" ]
}

@test "script: recordings in continuous integration" {
    cd "$BATS_TEST_TMPDIR"
    mkdir recordings
    recording 50 >recordings/day.siorec
    cp "$VECTORS/batch.json" recordings/
    sed -n '/^In continuous integration/,/^\.Ed/p' "$ROOT/man/sioctl.8" | sed -e '1,/^\.Bd/d' -e '/^\.Ed/d' -e 's/\\e/\\/g' >job
    assert_equal "$(wc -l <job)" 9
    PATH=$SIOD_BIN:$PATH
    # What is expected, as the manual says.
    sed -e 's/--expect expected.ndjson/& --update/' -e 's/| diff expected.digest -/>expected.digest/' job >update
    timeout 60 bash update 3>&-
    assert_equal "$(wc -c <expected.digest)" 65
    rm -rf state
    timeout 60 bash job 3>&-
    assert_contains "$(cat report.xml)" 'tests="51" failures="0"'
    rm -rf state
    sed -i 's/number 17/number 71/' recordings/day.siorec
    run timeout 60 bash job 3>&-
    assert_equal "$status" 1
    assert_contains "$output" '@@ day.siorec:19 @@'
}
