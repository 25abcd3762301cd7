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

# Webhooks on eight connections until the daemon is killed, after a number of answers that differs from round to round.
killed_round() {
    start_siod
    node "$ROOT/tests/lib/flood.mjs" --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" --count 100000 \
        --prefix "$1" --repeat >"$BATS_TEST_TMPDIR/flood.$1" 3>&- &
    local flood=$!
    wait_until acknowledged "$1" $((1 + RANDOM % 150))
    kill_siod
    wait $flood
}

@test "kill -9 during concurrent, repeated and batched webhooks, 50 times: each acknowledged one is there once" {
    local round rounds=50 digest
    [[ -z ${SIOD_TEST_ALL:-} ]] || rounds=1000
    for ((round = 1; round <= rounds; round++)); do
        killed_round "$round"
    done
    start_siod

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
