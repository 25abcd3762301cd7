#!/usr/bin/env bats
# Webhooks that are kept: exported, redacted or not, looked through for what must not be passed on.

load ../lib/siod

setup() {
    setup_siod
    start_siod
    BODY=$BATS_TEST_TMPDIR/body.json
    REC=$BATS_TEST_TMPDIR/rec.siorec
}

teardown() {
    teardown_siod
}

# exits CODE WORDS…
exits() {
    local expected=$1 code=0
    shift
    said=$(sioctl "$@" 2>&1 >"$BATS_TEST_TMPDIR/out") || code=$?
    assert_equal "$* exits $code: $said" "$* exits $expected: $said"
}

# deliver FILE…: over the control socket, in this order.
deliver() {
    sioctl webhook replay "$@" >"$BATS_TEST_TMPDIR/delivered" 2>&1 || :
}

# The deliveries of a recording, without its first line.
deliveries() {
    tail -n +2 "$REC" | jq -c "$1"
}

# body_of FILE LINE: its bytes.
body_of() {
    sed -n "$2p" "$1" | jq -rj 'if .body_b64 then .body_b64 else .body | @base64 end' | base64 -d
}

change() {
    sqlite3 -cmd '.timeout 5000' "$SIOD_DIR/siod.db" "$1"
}

@test "an export without redaction has every byte of every body" {
    local i=1 file
    printf '\377\376 no text' >"$BATS_TEST_TMPDIR/bytes"
    printf '' >"$BATS_TEST_TMPDIR/empty"
    jq -cn '[range(900000)] | {object: "x y", entry: .}' >"$BATS_TEST_TMPDIR/large" # above 4 MiB as a line of base64
    jq -c '.object = "whatsapp_business_account" | .entry |= .[:500000]' "$BATS_TEST_TMPDIR/large" >"$BATS_TEST_TMPDIR/large.json"
    deliver "$VECTORS/batch.json" "$BATS_TEST_TMPDIR/bytes" "$BATS_TEST_TMPDIR/large.json" "$VECTORS/text_unicode_wire.json"
    exits 0 webhook export --no-redact
    cp "$BATS_TEST_TMPDIR/out" "$REC"
    assert_contains "$said" '4 exported'
    assert_equal "$(head -n 1 "$REC" | jq -c '[.siorec, .redacted, (.started_at | type)]')" '[1,false,"string"]'
    assert_equal "$(deliveries '[.webhook_id, .app, .sign, .headers["Content-Type"]]' | head -n 1)" '[1,"control",true,"application/json"]'
    assert_equal "$(deliveries '.at_ms >= 0' | sort -u)" true
    for file in "$VECTORS/batch.json" "$BATS_TEST_TMPDIR/bytes" "$BATS_TEST_TMPDIR/large.json" "$VECTORS/text_unicode_wire.json"; do
        i=$((i + 1))
        body_of "$REC" $i | cmp - "$file"
    done
}

@test "a redacted export has nobody in it, and is handled in the same way" {
    local before after word
    deliver "$VECTORS"/*.json
    before=$(sioctl webhook list --limit 1000 -o json | jq -c 'reverse | map([.state, .counts])')
    sioctl webhook export >"$REC"
    assert_equal "$(head -n 1 "$REC" | jq .redacted)" true
    exits 0 webhook scan "$REC"
    # Nothing that was stored of people may be in it, names of members aside.
    deliveries '.body | fromjson | .. | scalars' >"$BATS_TEST_TMPDIR/values"
    while read -r word; do
        [[ ${#word} -lt 5 ]] || ! grep -qF -- "$word" "$BATS_TEST_TMPDIR/values" || fail "still there: $word"
    done < <(sql "SELECT CAST(phone AS TEXT) FROM contact UNION SELECT CAST(name AS TEXT) FROM contact
        UNION SELECT CAST(user_id AS TEXT) FROM contact UNION SELECT CAST(text AS TEXT) FROM message
        UNION SELECT CAST(wamid AS TEXT) FROM message")
    # The same messages from as many people, as pseudonyms.
    stop_siod
    mv "$SIOD_DIR/siod.db" "$BATS_TEST_TMPDIR/before.db"
    rm -f "$SIOD_DIR"/siod.db*
    start_siod
    deliver "$REC"
    after=$(sioctl webhook list --limit 1000 -o json | jq -c 'reverse | map([.state, .counts])')
    assert_equal "$after" "$before"
    for word in contact chat message status; do
        assert_equal "$word $(sql "SELECT count(*) FROM $word")" \
            "$word $(sqlite3 "$BATS_TEST_TMPDIR/before.db" "SELECT count(*) FROM $word")"
    done
}

@test "pseudonyms are the same within an export and not in another" {
    post_webhook "$(text_webhook wamid.1 15551230001 'hello Bob')" >/dev/null
    post_webhook "$(text_webhook wamid.2 15551230001 'hello Bob')" >/dev/null
    sioctl webhook export >"$REC"
    local of='.body | fromjson | .entry[0].changes[0].value.messages[0] | [.from, .text.body]'
    assert_equal "$(deliveries "$of" | sort -u | wc -l)" 1
    assert_equal "$(deliveries '.body | fromjson | .entry[0].changes[0].value.messages[0].id' | sort -u | wc -l)" 2
    assert_equal "$(deliveries '.body | fromjson | .entry[0].changes[0].value | .messages[0].from == .contacts[0].wa_id')" $'true\ntrue'
    mv "$REC" "$REC.1"
    sioctl webhook export >"$REC"
    refute cmp -s "$REC" "$REC.1"
}

@test "an export can be narrowed: by time, to the newest, to ids" {
    local i
    for i in 1 2 3 4 5; do
        post_webhook "$(text_webhook "wamid.$i" 15551230001 "$i")" >/dev/null
    done
    change "UPDATE webhook SET received_at_ms = received_at_ms - 7200000 WHERE id <= 2"
    change "UPDATE webhook SET body = x'' WHERE id = 4"
    ids() {
        sioctl webhook export "$@" 2>"$BATS_TEST_TMPDIR/words" | tail -n +2 | jq -cs 'map(.webhook_id)'
    }
    assert_equal "$(ids)" '[1,2,3,5]'
    assert_equal "$(ids --limit 2)" '[3,5]'
    assert_equal "$(ids --since 1h)" '[3,5]'
    assert_equal "$(ids --until 1h)" '[1,2]'
    assert_equal "$(ids --until 1h --limit 1)" '[2]'
    assert_equal "$(ids --since 3h --until 2100-01-01T00:00:00Z)" '[1,2,3,5]'
    assert_equal "$(ids --since 2100-01-01T00:00:00Z)" '[]'
    assert_equal "$(ids --id 5 --id 1 --id 5)" '[1,5]'
    exits 1 webhook export --id 1 --id 77
    assert_contains "$said" 'webhook 77 is not there'
    exits 1 webhook export --id 4
    exits 2 webhook export --since soon
    exits 0 webhook export --redact
    exits 2 webhook export --redact --no-redact
    assert_equal "$(sioctl webhook export --since 2100-01-01T00:00:00Z 2>/dev/null | jq -c '[.siorec, .redacted]')" '[1,true]'
    assert_equal "$(sioctl webhook export -o json 2>/dev/null | jq -c 'map(.siorec // .webhook_id)')" '[1,1,2,3,5]'
}

@test "a long export comes in pages, in order and whole" {
    mkdir "$BATS_TEST_TMPDIR/in"
    post_webhook "$(text_webhook wamid.0 15551230001 x)" >/dev/null
    change "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO webhook (id, received_at_ms, state, app, counts, reason, body)
        SELECT n.i, received_at_ms + n.i, state, app, counts, reason, body FROM webhook, n WHERE id = 1"
    change "DELETE FROM webhook WHERE id % 7 = 3"
    sioctl webhook export --no-redact -o ndjson 2>/dev/null | tail -n +2 | jq .webhook_id |
        cmp - <(seq 20000 | awk '$1 % 7 != 3')
    sioctl webhook export --limit 9000 2>/dev/null | tail -n +2 | jq .webhook_id |
        cmp - <(seq 20000 | awk '$1 % 7 != 3' | tail -n 9000)
}

@test "scan finds people and secrets, and says where" {
    text_webhook wamid.1 15551230001 'call me' >"$BODY"
    exits 1 webhook scan "$BODY" -o json
    assert_contains "$said" findings
    assert_equal "$(jq -c '.[0] | keys' "$BATS_TEST_TMPDIR/out")" '["file","kind","line","path"]'
    assert_contains "$(jq -c 'map([.path, .kind])' "$BATS_TEST_TMPDIR/out")" '["entry[0].changes[0].value.messages[0].from","phone number"]'
    post_file "$BODY" >/dev/null
    sioctl webhook export >"$REC"
    sioctl webhook export --no-redact >"$REC.raw"
    exits 0 webhook scan "$REC" "$REC"
    exits 1 webhook scan "$REC" "$REC.raw"
    exits 0 webhook scan - <"$REC"
    # One thing that was forgotten is enough.
    local i bad
    for bad in '.headers.Authorization = "Bearer x"' '.headers["X-Forwarded-For"] = "192.0.2.1"' \
        '.body |= sub("\"text [a-z0-9 ]*"; "\"Hi Bob")' '.body |= sub("\"999[0-9]*"; "\"15551230001")' \
        '.body |= sub("Person [a-z0-9]*"; "bob@example.com")' '.body |= "hello"' \
        '.body |= sub("Person [a-z0-9]*"; "EAAGm0PX4ZCpsBAKZCVr0ZBpRqZBgqQ8")'; do
        (head -n 1 "$REC" && tail -n +2 "$REC" | jq -c "$bad") >"$REC.bad"
        exits 1 webhook scan "$REC.bad" -o json
        assert_equal "$bad: $(jq -c 'map(.line) | unique' "$BATS_TEST_TMPDIR/out")" "$bad: [2]"
    done
    printf 'all is well\ntoken: EAAGm0PX4ZCpsBAKZCVr0ZBpRqZBgqQ8\n' >"$BODY"
    exits 1 webhook scan "$BODY" -o tsv
    assert_equal "$(cut -f 2,3 "$BATS_TEST_TMPDIR/out")" $'2\taccess token'
    printf '{"siorec":1}\n{"body":1}\n' >"$REC"
    exits 1 webhook scan "$REC"
    assert_contains "$said" 'line 2: body: a string expected'
    exits 1 webhook scan /nonexistent
}

@test "verify judges a signature as the daemon does" {
    local good
    text_webhook wamid.1 15551230001 x >"$BODY"
    good=$(sioctl webhook sign "$BODY" --secret-file "$SIOD_DIR/app.secret")
    exits 0 webhook verify "$BODY" --secret-file "$SIOD_DIR/app.secret" --signature "$good" -o json
    assert_equal "$(jq -c . "$BATS_TEST_TMPDIR/out")" '{"valid":true}'
    echo >>"$BODY"
    exits 1 webhook verify "$BODY" --secret-file "$SIOD_DIR/app.secret" --signature "$good"
    assert_contains "$said" 'does not match'
    exits 1 webhook verify - --secret-file "$SIOD_DIR/app.secret" --signature "${good#sha256=}" <"$BODY"
    assert_contains "$said" malformed
    exits 1 webhook verify "$BODY" --secret-file /nonexistent --signature "$good"
    exits 2 webhook verify "$BODY" --secret-file "$SIOD_DIR/app.secret"
}
