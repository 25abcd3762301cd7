#!/usr/bin/env bats
# An acknowledged webhook survives: whenever the daemon is killed, what got its 200 is in the store, once.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

acknowledged() {
    (($(grep -c '^200 ' "$BATS_TEST_TMPDIR/flood.$1") >= $2))
}

# An agent that reads what comes in and changes its status: killed_round ROUND reads.
agent_reads() {
    node "$ROOT/tests/lib/reader.mjs" --url "$SIOD_URL" --token "$(token 7 1)" >"$BATS_TEST_TMPDIR/reads.$1" 3>&- &
    reader=$!
    wait_until grep -q '^connected' "$BATS_TEST_TMPDIR/reads.$1"
}

# What was acknowledged as read and lies behind the agent's read cursor is not there; the status that was acknowledged
# last, or the one under way behind it, is.
check_reads() {
    local last
    cat "$BATS_TEST_TMPDIR"/reads.* | sed -n 's/^read \([0-9]*\) \([0-9]*\)$/(\1,\2)/p' | paste -sd, - >"$BATS_TEST_TMPDIR/read"
    assert_equal "$(sql "WITH acknowledged(chat_id, message_id) AS (VALUES $(cat "$BATS_TEST_TMPDIR/read"))
        SELECT count(*) FROM acknowledged a JOIN message m ON m.id = a.message_id AND m.chat_id = a.chat_id
        JOIN read_cursor c ON c.chat_id = a.chat_id AND c.user_id = 7
        WHERE (c.wa_timestamp_s, c.message_id) >= (m.wa_timestamp_s, m.id)")" \
        "$(cat "$BATS_TEST_TMPDIR"/reads.* | grep -c '^read ')"
    last=$(sed -n 's/^status //p' "$BATS_TEST_TMPDIR/reads.$1" | tail -n 1)
    [[ -n $last ]]
    assert_contains "$(printf '%s\n' 'busy away' 'away available' 'available busy' | grep "^$last ")" \
        "$(sql 'SELECT status FROM agent WHERE user_id = 7')"
}

# Webhooks on eight connections until the daemon is killed, after a number of answers that differs from round to round.
killed_round() {
    local reader=
    start_siod
    [[ ${2:-} != reads ]] || agent_reads "$1"
    node "$ROOT/tests/lib/flood.mjs" --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" --count 100000 \
        --prefix "$1" --repeat >"$BATS_TEST_TMPDIR/flood.$1" 3>&- &
    local flood=$!
    [[ -z $reader ]] || wait_until grep -q '^read ' "$BATS_TEST_TMPDIR/reads.$1"
    wait_until acknowledged "$1" $((1 + RANDOM % 150))
    kill_siod
    wait $flood ${reader:+"$reader"}
}

@test "kill -9 during concurrent, repeated and batched webhooks and an agent's writes, again and again: what was acknowledged is there once" {
    local round rounds=50 digest
    [[ -z ${SIOD_SANITIZE:-} ]] || rounds=20
    [[ -z ${SIOD_TEST_ALL:-} ]] || rounds=1000
    for ((round = 1; round <= rounds; round++)); do
        killed_round "$round" "$( ((round % 10 == 0)) && echo reads)"
    done
    start_siod
    check_reads "$rounds"

    cat "$BATS_TEST_TMPDIR"/flood.* | sed -n 's/^200 //p' | sort -u >"$BATS_TEST_TMPDIR/acknowledged"
    sql "SELECT CAST(wamid AS TEXT) FROM message" | sort >"$BATS_TEST_TMPDIR/stored"
    (($(wc -l <"$BATS_TEST_TMPDIR/acknowledged") >= 20))
    assert_equal "$(uniq -d "$BATS_TEST_TMPDIR/stored")" ""
    assert_equal "$(comm -23 "$BATS_TEST_TMPDIR/acknowledged" "$BATS_TEST_TMPDIR/stored")" ""

    assert_equal "$(sql "SELECT count(*) = max(position) AND min(position) = 1 FROM log")" 1
    assert_equal "$(sql "SELECT max(position) = (SELECT position FROM business WHERE id = 1) FROM log")" 1
    assert_equal "$(sql "SELECT count(*) = 2 * (SELECT count(*) FROM message) FROM log
        WHERE CAST(event AS TEXT) IN ('new_message', 'whatsapp_message_received')")" 1
    assert_equal "$(sql "SELECT count(*) FROM contact")" 10
    assert_equal "$(sql "SELECT count(*) FROM chat")" 10
    sioctl store check >/dev/null
    assert_equal "$(sioctl status -o json | jq .store.notice)" null
    digest=$(sioctl store digest -o json | jq -c '[.digest, .chats, .messages]')

    # The same messages, given to a daemon that nobody kills, leave the same behind.
    stop_siod
    sqlite3 "$SIOD_DIR/siod.db" "SELECT CAST(wamid AS TEXT) FROM message" | sed 's/^wamid\.//' >"$BATS_TEST_TMPDIR/all"
    SIOD_DIR=$SIOD_DIR.again
    mkdir "$SIOD_DIR"
    start_siod
    node "$ROOT/tests/lib/flood.mjs" --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" --numbers "$BATS_TEST_TMPDIR/all" \
        >"$BATS_TEST_TMPDIR/again" 3>&-
    assert_equal "$(sioctl store digest -o json | jq -c '[.digest, .chats, .messages]')" "$digest"
}
