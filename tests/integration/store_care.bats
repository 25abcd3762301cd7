#!/usr/bin/env bats
# Looking after the store: checks, copies while the daemon works, migrations.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

flood() {
    node "$ROOT/tests/lib/flood.mjs" --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" --count "$1" \
        --prefix "$2" >"$BATS_TEST_TMPDIR/flood.$2" 3>&-
}

answered() {
    (($(grep -c '^200 ' "$BATS_TEST_TMPDIR/flood.$1") >= $2))
}

@test "a backup under load is whole, and restored it has every message that was acknowledged before" {
    local copy=$BATS_TEST_TMPDIR/copy.db epoch flood
    start_siod
    epoch=$(sioctl status -o json | jq -r .store.epoch)
    flood 100000 load &
    flood=$!
    wait_until answered load 200
    cp "$BATS_TEST_TMPDIR/flood.load" "$BATS_TEST_TMPDIR/before"
    (cd "$BATS_TEST_TMPDIR" && sioctl store backup copy.db -o json >answer)
    assert_equal "$(jq -r .file "$BATS_TEST_TMPDIR/answer")" "$copy"
    assert_equal "$(jq -r .copyOf "$BATS_TEST_TMPDIR/answer")" "$epoch"
    assert_equal "$(stat -c %a "$copy")" 600
    kill_siod
    wait $flood || :

    sioctl store check --file "$copy" >/dev/null
    rm -f "$SIOD_DIR"/siod.db-{wal,shm}
    mv "$copy" "$SIOD_DIR/siod.db"
    start_siod
    sql "SELECT CAST(wamid AS TEXT) FROM message" | sort >"$BATS_TEST_TMPDIR/stored"
    assert_equal "$(sed -n 's/^200 //p' "$BATS_TEST_TMPDIR/before" | sort | comm -23 - "$BATS_TEST_TMPDIR/stored")" ""
    [[ $(sioctl status -o json | jq -r .store.epoch) != "$epoch" ]]
    assert_equal "$(post_webhook "$(text_webhook wamid.after 16505551234 hello)")" 200
    sioctl store check >/dev/null
}

@test "a backup that is interrupted leaves nothing, and one does not overwrite another by accident" {
    local words
    start_siod
    echo precious >"$BATS_TEST_TMPDIR/copy.db"
    words=$(sioctl store backup "$BATS_TEST_TMPDIR/copy.db" 2>&1) && fail 'overwritten'
    assert_contains "$words" --force
    assert_equal "$(cat "$BATS_TEST_TMPDIR/copy.db")" precious
    sioctl store backup "$BATS_TEST_TMPDIR/copy.db" --force >/dev/null
    assert_equal "$(sqlite3 "$BATS_TEST_TMPDIR/copy.db" 'PRAGMA integrity_check')" ok
    assert_equal "$(find "$BATS_TEST_TMPDIR" -name 'copy.db.*')" ""
}

@test "a backup to a name that the protocol has no words for is refused, and not written elsewhere" {
    local status=0 words dir
    start_siod
    words=$(sioctl store backup "$BATS_TEST_TMPDIR/"$'bk\xff.db' 2>&1) || status=$?
    assert_equal "$status" 2
    assert_contains "$words" 'file: what is not UTF-8'
    dir=$BATS_TEST_TMPDIR/$'in\xff'
    mkdir "$dir"
    status=0
    (cd "$dir" && sioctl store backup copy.db) || status=$?
    assert_equal "$status" 2
    assert_equal "$(find "$BATS_TEST_TMPDIR" -name '*.db' ! -path "$SIOD_DIR/*")" ''
}

@test "what is wrong with a store is said by the check that finds it, with exit code 1" {
    local found code=0
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    stop_siod
    sqlite3 "$SIOD_DIR/siod.db" 'DELETE FROM log WHERE position = 2'
    found=$(sioctl store check --file "$SIOD_DIR/siod.db" -o json) || code=$?
    assert_equal "$code" 1
    assert_equal "$(jq -r '.[] | select(.ok | not).check' <<<"$found")" log
    start_siod
    code=0
    found=$(sioctl store check -o json) || code=$?
    assert_equal "$code" 1
    assert_contains "$(jq -r '.[] | select(.ok | not).details' <<<"$found")" 'business 1: '
}

@test "a database file is migrated when no daemon has it, and a newer one is refused" {
    local db=$SIOD_DIR/siod.db newest words
    start_siod
    newest=$(sioctl store migrate -o json | jq .newest)
    words=$(sioctl store migrate --file "$db" 2>&1) && fail 'migrated under a daemon'
    assert_contains "$words" 'in use'
    stop_siod
    assert_equal "$(sioctl store migrate --file "$db" -o json | jq -c '[.version, .applied]')" "[$newest,[]]"
    : >"$BATS_TEST_TMPDIR/empty"
    words=$(sioctl store migrate --file "$BATS_TEST_TMPDIR/empty" 2>&1) && fail 'a store was made of nothing'
    assert_contains "$words" 'empty'
    assert_equal "$(find "$BATS_TEST_TMPDIR" -name 'empty*' -printf '%f %s\n')" 'empty 0'
    sqlite3 "$db" 'PRAGMA user_version = 999'
    words=$(sioctl store migrate --file "$db" 2>&1) && fail 'a newer schema was taken'
    assert_contains "$words" 'version 999'
    assert_contains "$words" "up to $newest"
}

@test "what is older than the settings say is purged, and whoever asks for it in the log is told" {
    local old=$(((EPOCHSECONDS - 31 * 86400) * 1000)) gap
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    post_webhook "$(text_webhook wamid.2 16505551234 two)"
    sioctl tail --since 0 --business 1 --count 5 -o ndjson | jq -r .payload.message.text >"$BATS_TEST_TMPDIR/texts"
    stop_siod
    sqlite3 "$SIOD_DIR/siod.db" "UPDATE log SET at_ms = $old WHERE position <= 3;
        UPDATE webhook SET received_at_ms = $old WHERE id = 1"
    start_siod
    purged() { [[ $(sql 'SELECT count(*) FROM webhook') == 1 && $(sql 'SELECT log_purged FROM business') == 3 ]]; }
    wait_until purged
    assert_equal "$(sioctl tail --since 0 --business 1 --count 1 -o ndjson | head -n 1)" \
        '{"type":"gap","from":1,"to":3,"reason":"removed"}'
    gap=$(sioctl tail --since 1 --business 1 --count 1 2>&1 >/dev/null)
    assert_contains "$gap" 'positions 2 to 3 are no longer in the log'
    assert_equal "$(sioctl tail --since 3 --business 1 --count 1 -o ndjson | jq -r .position)" 4
    sioctl store check >/dev/null
    assert_equal "$(metric 'siod_store_purged_rows_total{kind="log"}')" 3
    assert_equal "$(sql 'SELECT count(*) FROM message')" 2
}

@test "how large the store is and how it grows is in the status" {
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    stop_siod
    sqlite3 "$SIOD_DIR/siod.db" "DELETE FROM growth; INSERT INTO growth VALUES ($(((EPOCHSECONDS - 86400) * 1000)), 4096)"
    start_siod
    grows() { sioctl status -o json | jq -e '.store.growthBytesPerDay > 10000' >/dev/null; }
    wait_until grows
    sioctl status -o json | jq -e '.store | .bytes == .fileBytes + .walBytes and .logRows == 3 and .schema >= 6' >/dev/null
    (($(metric siod_store_growth_bytes_per_day) > 10000))
    (($(metric siod_store_wal_bytes) > 0))
}

# overwrite TABLE BYTE: the table's first page in the database file.
overwrite() {
    local page
    page=$(sqlite3 -readonly "$SIOD_DIR/siod.db" "SELECT rootpage FROM sqlite_schema WHERE name = '$1'")
    head -c 4096 /dev/zero | tr '\0' "$2" |
        dd of="$SIOD_DIR/siod.db" bs=4096 seek=$((page - 1)) conv=notrunc status=none
}

@test "a damaged page: 503 and no event, readyz and status say so, and nothing crashes" {
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    stop_siod
    overwrite webhook x
    start_siod
    assert_equal "$(post_webhook "$(text_webhook wamid.2 16505551234 two)")" 503
    is_damaged() { [[ $(curl -s "$SIOD_URL/readyz") == *"is damaged: restore a backup"* ]]; }
    wait_until is_damaged
    assert_equal "$(curl -s -o "$BATS_TEST_TMPDIR/why" -w '%{http_code}' "$SIOD_URL/readyz")" 503
    assert_contains "$(sioctl status -o json | jq -r '.store | .health + ": " + .failure')" 'failed: '
    assert_equal "$(post_webhook "$(text_webhook wamid.2 16505551234 two)")" 503
    refute sioctl store check >/dev/null
    assert_equal "$(curl -s -o "$BATS_TEST_TMPDIR/why" -w '%{http_code}' "$SIOD_URL/healthz")" 200
}

@test "a log that was cut off after a kill is noticed: a new history, and a word in the status" {
    local epoch
    start_siod
    epoch=$(sioctl status -o json | jq -r .store.epoch)
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    kill_siod
    start_siod
    assert_equal "$(sioctl status -o json | jq -c '[.store.epoch, .store.notice]')" "[\"$epoch\",null]"
    post_webhook "$(text_webhook wamid.2 16505551234 two)"
    kill_siod
    truncate -s -8192 "$SIOD_DIR/siod.db-wal"
    start_siod
    [[ $(sioctl status -o json | jq -r .store.epoch) != "$epoch" ]]
    assert_contains "$(sioctl status -o json | jq -r .store.notice)" missing
    assert_equal "$(post_webhook "$(text_webhook wamid.2 16505551234 two)")" 200
    sioctl store check >/dev/null
}

@test "a log whose database is gone is not begun upon, and nothing is lost when that is back" {
    local words
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 one)"
    kill_siod
    mv "$SIOD_DIR/siod.db" "$BATS_TEST_TMPDIR/away.db"
    for make in true "touch $SIOD_DIR/siod.db"; do
        $make
        words=$(run_siod --dev "$SIOD_DIR" -o http.listen=127.0.0.1:0 2>&1) && fail 'started'
        assert_contains "$words" "$SIOD_DIR/siod.db-wal is not: put the database back"
        words=$(sioctl store check --file "$SIOD_DIR/siod.db" 2>&1) && fail 'checked'
        assert_contains "$words" "$SIOD_DIR/siod.db-wal is not: put the database back"
    done
    mv "$BATS_TEST_TMPDIR/away.db" "$SIOD_DIR/siod.db"
    start_siod
    assert_equal "$(sql 'SELECT count(*) FROM message')" 1
    assert_equal "$(sioctl status -o json | jq .store.notice)" null
}

@test "a contact is exported as one document, and erased: rows, raw bodies and log" {
    local document
    start_siod
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(text_webhook wamid.1 16505551234 'my secret')"
    post_webhook "$(text_webhook wamid.2 16505550002 'still here')"
    wait_until agent_saw a '.event == "new_message" or .event == "chat_assigned"'
    document=$(sioctl contact export 1 -o json)
    assert_equal "$(jq -r '.contact.waId + " " + .messages[0].text' <<<"$document")" '16505551234 my secret'
    assert_equal "$(jq '[.aliases, .chats, .messages, .webhooks] | map(length)' -c <<<"$document")" '[1,1,1,1]'
    refute grep -q 16505550002 <<<"$document"

    sioctl contact erase 1 -o json >"$BATS_TEST_TMPDIR/erased"
    assert_equal "$(jq -c '[.messages, .chats, .webhooks]' "$BATS_TEST_TMPDIR/erased")" '[1,1,1]'
    refute sioctl contact export 1
    assert_equal "$(sioctl agent show 7 -o json | jq .load)" 1
    assert_equal "$(sioctl tail --since 0 --business 1 --for 300ms -o ndjson | grep -c 'my secret')" 0
    sioctl store check >/dev/null
    assert_equal "$(post_webhook "$(text_webhook wamid.1 16505551234 'my secret')")" 200
    assert_equal "$(sql 'SELECT count(*) FROM message')" 1
    stop_siod
    refute grep -qa 'Customer 16505551234' <(sqlite3 "$SIOD_DIR/siod.db" "SELECT quote(args) FROM log" | xxd -r -p)
    assert_equal "$(sqlite3 "$SIOD_DIR/siod.db" "SELECT count(*) FROM webhook WHERE instr(body, 'my secret') AND id = 1")" 0
}
