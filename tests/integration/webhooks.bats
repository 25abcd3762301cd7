#!/usr/bin/env bats
# The webhook endpoint: who may post, what is answered, and that a delivery has its effect once.

load ../lib/siod

setup() {
    setup_siod
    start_siod
    BODY=$BATS_TEST_TMPDIR/body.json
    text_webhook wamid.1 16505551234 "héllo 👋" >"$BODY"
}

teardown() {
    teardown_siod
}

messages() {
    sql "SELECT count(*) FROM message"
}

verify() {
    curl -sS -G -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' "$@" "$SIOD_URL$WEBHOOK_PATH"
}

verify_token() {
    cat "$SIOD_DIR/verify.token"
}

@test "verification answers the challenge, unchanged, to the right token" {
    local status
    status=$(verify --data-urlencode hub.mode=subscribe --data-urlencode 'hub.challenge=12 <b>&=34' \
        --data-urlencode "hub.verify_token=$(verify_token)")
    assert_equal "$status" 200
    assert_equal "$(cat "$BATS_TEST_TMPDIR/answer")" '12 <b>&=34'
}

@test "verification refuses a wrong token, another mode and missing parameters" {
    local token
    token=hub.verify_token=$(verify_token)
    assert_equal "$(verify -d hub.mode=subscribe -d hub.challenge=1 -d hub.verify_token=x)" 403
    assert_equal "$(verify -d hub.mode=unsubscribe -d hub.challenge=1 -d "$token")" 403
    assert_contains "$(cat "$BATS_TEST_TMPDIR/answer")" 'hub.mode is not subscribe'
    assert_equal "$(verify -d hub.mode=subscribe -d "$token")" 400
    assert_contains "$(cat "$BATS_TEST_TMPDIR/answer")" 'hub.challenge is missing'
    for challenge in '1%zz' '1%00' '1&hub.challenge=2'; do
        assert_equal "$(verify -d hub.mode=subscribe -d "hub.challenge=$challenge" -d "$token")" 400
        assert_contains "$(cat "$BATS_TEST_TMPDIR/answer")" 'hub.challenge is there twice, or has a broken escape'
    done
    assert_equal "$(verify -d hub.mode=subscribe -d hub.challenge=1)" 400
    assert_equal "$(verify)" 400
}

@test "the examples of sioctl(8) that sign a webhook are answered 200" {
    local example
    cp "$BODY" "$SIOD_DIR/text.json"
    example=$(sed -n '/^curl -H/,/^[.]Ed/{/^[.]Ed/d; s/\\e$/\\/; p}' "$ROOT/man/sioctl.8")
    assert_contains "$example" 'webhook sign'
    cd "$SIOD_DIR"
    eval "${example//http:\/\/127.0.0.1:3000/"-sS -w %{http_code} $SIOD_URL"}" >"$BATS_TEST_TMPDIR/answer"
    assert_equal "$(tail -c 3 "$BATS_TEST_TMPDIR/answer")" 200
    assert_equal "$(messages)" 1
}

@test "a signed webhook is stored before its 200, with its bytes as they came" {
    assert_equal "$(post_file "$BODY")" 200
    assert_equal "$(messages)" 1
    assert_equal "$(sql "SELECT body = readfile('$BODY') FROM webhook")" 1
}

@test "a missing, wrong or misspelt signature is 401 and stores nothing" {
    local good wrong
    good=$(signature "$BODY")
    for wrong in 'X-Hub-Signature-256;' "X-Hub-Signature-256: sha256=$(printf '0%.0s' {1..64})" \
        "X-Hub-Signature-256: ${good%?}" "X-Hub-Signature-256: ${good#sha256=}" \
        "X-Hub-Signature-256: sha1=${good#sha256=}" "X-Hub-Signature-256: ${good}00" \
        "X-Hub-Signature: sha1=$(openssl dgst -sha1 -hmac "$(cat "$SIOD_DIR/app.secret")" <"$BODY" | sed 's/.*= //')"; do
        assert_equal "$wrong $(post_file "$BODY" -H "$wrong")" "$wrong 401"
    done
    assert_equal "$(messages)" 0
    assert_equal "$(sql "SELECT count(*) FROM webhook")" 0
}

@test "the signature is over the bytes: the same document serialised again does not match" {
    local header
    header="X-Hub-Signature-256: $(signature "$BODY")"
    jq . "$BODY" >"$BODY.pretty"
    jq -ca . "$BODY" >"$BODY.ascii"
    assert_equal "$(post_file "$BODY.pretty" -H "$header")" 401
    assert_equal "$(post_file "$BODY.ascii" -H "$header")" 401
    assert_equal "$(post_file "$BODY.ascii")" 200
    assert_equal "$(sql "SELECT CAST(text AS TEXT) FROM message")" "héllo 👋"
}

@test "each of several secrets is good" {
    stop_siod
    printf 'old\n' >"$SIOD_DIR/old.secret"
    printf 'new' >"$SIOD_DIR/new.secret"
    start_siod -o "app.dev.secret_files=$SIOD_DIR/old.secret,$SIOD_DIR/new.secret"
    assert_equal "$(post_file "$BODY" -H "X-Hub-Signature-256: $(signature "$BODY" "$SIOD_DIR/old.secret")")" 200
    assert_equal "$(post_file "$BODY" -H "X-Hub-Signature-256: $(signature "$BODY" "$SIOD_DIR/new.secret")")" 200
    assert_equal "$(post_file "$BODY" -H "X-Hub-Signature-256: $(signature "$BODY" "$SIOD_DIR/app.secret")")" 401
}

@test "what is signed but no JSON is 400 and goes to quarantine" {
    printf '{"object":' >"$BODY"
    assert_equal "$(post_file "$BODY")" 400
    assert_equal "$(sql "SELECT count(*) FROM webhook WHERE state <> 0")" 1
}

@test "a field, type or number that nobody knows is kept and answered 200" {
    jq '.entry[0].changes[0].field = "something_new"' "$BODY" >"$BODY.field"
    jq '.entry[0].changes[0].value.messages[0] |= (.type = "hologram" | .id = "wamid.2" | .hologram = {a: 1})' \
        "$BODY" >"$BODY.type"
    assert_equal "$(post_file "$BODY.field")" 200
    assert_equal "$(post_file "$BODY.type")" 200
    assert_equal "$(sql "SELECT count(*) FROM webhook")" 2
    assert_equal "$(sql "SELECT CAST(type AS TEXT) FROM message")" hologram
}

@test "a number that no business has goes to quarantine with 200" {
    stop_siod
    cat >"$BATS_TEST_TMPDIR/siod.conf" <<END
http { listen = {"127.0.0.1:0"} }
jwt { key_files = {"$SIOD_DIR/jwt.key"} }
app main { secret_files = {"$SIOD_DIR/app.secret"} }
store { url = "sqlite:$SIOD_DIR/other.db" }
control { socket = "$SIOD_DIR/siod.sock" }
business 5 { phone_number_ids = {"555"} }
END
    launch_siod -c "$BATS_TEST_TMPDIR/siod.conf"
    wait_until siod_is_ready
    assert_equal "$(post_file "$BODY")" 200
    assert_equal "$(sqlite3 "$SIOD_DIR/other.db" "SELECT (SELECT count(*) FROM message), count(*) FROM webhook
        WHERE state <> 0")" "0|1"
}

@test "the same webhook twice has one effect" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    assert_equal "$(post_file "$BODY")" 200
    assert_equal "$(post_file "$BODY")" 200
    assert_equal "$(post_webhook "$(text_webhook wamid.2 16505551234 end)")" 200
    wait_until agent_saw a '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.2"'
    assert_equal "$(agent_events a whatsapp_message_received | wc -l)" 2
    assert_equal "$(messages)" 2
    assert_equal "$(sql "SELECT count(*) FROM webhook")" 3
}

@test "the same webhook eight times in parallel has one effect, and each is answered 200" {
    local i pids=()
    agent_connected a --token "$(token 7 1)" --transports websocket
    for i in {1..8}; do
        curl -sS -o /dev/null -w '%{http_code}\n' -H "X-Hub-Signature-256: $(signature "$BODY")" \
            --data-binary "@$BODY" -H 'Content-Type: application/json' "$SIOD_URL$WEBHOOK_PATH" \
            >"$BATS_TEST_TMPDIR/status.$i" 3>&- &
        pids+=($!)
    done
    wait "${pids[@]}"
    assert_equal "$(sort "$BATS_TEST_TMPDIR"/status.* | uniq -c | xargs)" "8 200"
    assert_equal "$(post_webhook "$(text_webhook wamid.2 16505551234 end)")" 200
    wait_until agent_saw a '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.2"'
    assert_equal "$(agent_events a whatsapp_message_received | wc -l)" 2
    assert_equal "$(sql "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM contact), count(*) FROM chat")" \
        "2|1|1"
}

@test "every element of a batch is handled" {
    jq '.entry[0].changes[0].value.messages += [.entry[0].changes[0].value.messages[0] | .id = "wamid.2"] |
        .entry[0].changes += [.entry[0].changes[0] | .value.messages |= map(.id += ".b")] |
        .entry += [.entry[0] | .changes[].value.messages[].id |= "\(.).c"]' "$BODY" >"$BODY.batch"
    assert_equal "$(post_file "$BODY.batch")" 200
    assert_equal "$(messages)" 8
}

@test "a status never goes back" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(echo_webhook wamid.9 16505551234 hi)"
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
    post_webhook "$(status_webhook wamid.9 read 16505551234)"
    post_webhook "$(status_webhook wamid.9 delivered 16505551234)"
    post_webhook "$(status_webhook wamid.9 failed 16505551234)"
    post_file "$BODY"
    wait_until agent_saw a '.event == "new_message"'
    assert_equal "$(agent_events a message_status_update | jq -r '.args[0].status')" read
}

@test "a status that overtakes its message is applied when the message comes" {
    post_webhook "$(status_webhook wamid.9 delivered 16505551234)"
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(echo_webhook wamid.9 16505551234 hi)"
    assert_equal "$(agent_asks a join_chat 1 '{"history":5}' | jq -r '.messages[0].status')" delivered
}

@test "other methods and types are refused" {
    assert_equal "$(curl -sS -o /dev/null -w '%{http_code}' -X PUT "$SIOD_URL$WEBHOOK_PATH")" 405
    assert_equal "$(post_file "$BODY" -H 'Content-Type: text/plain')" 415
    assert_equal "$(curl -sS -o /dev/null -w '%{http_code}' "$SIOD_URL/no/such/path")" 404
}

@test "a body of 4 MiB is taken, one byte more is 413" {
    local size=$((4 * 1024 * 1024)) pad
    pad=$((size - $(text_webhook wamid.big 16505551234 "" | tr -d '\n' | wc -c)))
    text_webhook wamid.big 16505551234 "@" | tr -d '\n' | sed 's/@.*//' >"$BODY.big"
    head -c $pad /dev/zero | tr '\0' x >>"$BODY.big"
    text_webhook wamid.big 16505551234 "@" | tr -d '\n' | sed 's/.*@//' >>"$BODY.big"
    assert_equal "$(wc -c <"$BODY.big")" $size
    assert_equal "$(post_file "$BODY.big")" 200
    assert_equal "$(sql "SELECT length(text) FROM message")" $pad
    printf ' ' >>"$BODY.big"
    assert_equal "$(post_file "$BODY.big")" 413
}

@test "a body may come in chunks" {
    assert_equal "$(post_file "$BODY" -H 'Transfer-Encoding: chunked')" 200
    assert_equal "$(messages)" 1
}
