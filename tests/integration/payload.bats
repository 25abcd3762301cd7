#!/usr/bin/env bats
# What customers and WhatsApp say, as clients and the API see it: the fields of each type, changes of messages,
# statuses, and bodies that come in pieces, in parallel, twice, or spoilt.

load ../lib/siod

setup() {
    setup_siod
    start_siod
}

teardown() {
    teardown_siod
}

# message JSON [NAME]: a webhook with one message of customer NAME (491 without one); JSON is merged into it.
message() {
    jq -cn --argjson message "$1" --arg from "${2:-491}" --arg phone "$PHONE_NUMBER_ID" '
        {object: "whatsapp_business_account", entry: [{id: "1", changes: [{field: "messages", value: {
            messaging_product: "whatsapp", metadata: {display_phone_number: "15550783881", phone_number_id: $phone},
            contacts: [{profile: {name: "Customer \($from)"}, wa_id: $from}],
            messages: [{from: $from, timestamp: "1749416383"} + $message]}}]}]}'
}

# said ID: the message of that wamid, as the API and sioctl show it.
said() {
    sioctl message show "$1" -o json
}

post_message() {
    assert_equal "$(post_webhook "$(message "$@")")" 200
}

edit() { # edit ID TARGET SECOND TEXT
    post_message "$(jq -cn --arg id "$1" --arg target "$2" --arg at "$3" --arg text "$4" '{id: $id, timestamp: $at,
        type: "edit", edit: {original_message_id: $target, message: {type: "text", text: {body: $text}}}}')"
}

revoke() { # revoke ID TARGET
    post_message "$(jq -cn --arg id "$1" --arg target "$2" '{id: $id, type: "revoke",
        revoke: {original_message_id: $target}}')"
}

react() { # react ID TARGET SECOND EMOJI
    post_message "$(jq -cn --arg id "$1" --arg target "$2" --arg at "$3" --arg emoji "$4" '{id: $id, timestamp: $at,
        type: "reaction", reaction: {message_id: $target, emoji: $emoji}}')"
}

@test "each type says what it holds, in the event and in what is stored" {
    local file
    agent_connected a --token "$(token 7 1)" --transports websocket
    for file in image audio_voice document location contacts order unsupported text_reply; do
        assert_equal "$file $(post_file "$ROOT/tests/vectors/webhooks/$file.json")" "$file 200"
    done
    wait_until agent_saw a '.event == "whatsapp_message_received" and .args[0].message.type == "unsupported"'
    agent_events a whatsapp_message_received | jq -c '.args[0].message' >"$BATS_TEST_TMPDIR/said"
    while read -r message; do
        # shellcheck disable=SC2016
        assert_equal "$(said "$(jq -r .wamid <<<"$message")" | jq -cS 'del(.contact)')" \
            "$(jq -cS 'del(.contact)' <<<"$message")"
    done <"$BATS_TEST_TMPDIR/said"
    assert_equal "$(jq -c 'select(.type == "image") | [.text, .media.mimeType, .media.caption]' \
        "$BATS_TEST_TMPDIR/said")" '["The scratch is here","image/jpeg","The scratch is here"]'
    assert_equal "$(jq -c 'select(.type == "audio") | [.text, .media.voice]' "$BATS_TEST_TMPDIR/said")" '[null,true]'
    assert_equal "$(jq -c 'select(.type == "location").location | has("latitude")' "$BATS_TEST_TMPDIR/said")" true
    assert_equal "$(jq -c 'select(.type == "contacts").contacts[0].name | has("formatted_name")' \
        "$BATS_TEST_TMPDIR/said")" true
    assert_equal "$(jq -c 'select(.type == "order").order.product_items | length > 0' "$BATS_TEST_TMPDIR/said")" true
    assert_equal "$(jq -c 'select(.type == "unsupported") | .errors[0].code' "$BATS_TEST_TMPDIR/said")" 131051
    assert_equal "$(jq -c 'select(.context.wamid == "wamid.ZWNoby0x").text' "$BATS_TEST_TMPDIR/said")" '"Yes, that one"'
}

@test "an edit, a reaction and a revoke change the message for everybody, once" {
    post_webhook "$(text_webhook wamid.1 491 uno)"
    agent_connected a --token "$(token 7 1)" --transports websocket
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
    edit wamid.e1 wamid.1 1749416390 dos
    edit wamid.e1 wamid.1 1749416390 dos
    react wamid.r1 wamid.1 1749416391 👍
    react wamid.r1 wamid.1 1749416391 👍
    wait_until agent_saw a '.event == "message_updated" and .args[0].kind == "reaction"'
    assert_equal "$(said wamid.1 | jq -c '[.text, .edited, .reactions[0].emoji, .reactions[0].name]')" \
        '["dos",true,"👍","Customer 491"]'
    revoke wamid.v1 wamid.1
    edit wamid.e2 wamid.1 1749416399 tres
    post_webhook "$(text_webhook wamid.2 491 end)"
    wait_until agent_saw a '.event == "new_message" and .args[0].message.wamid == "wamid.2"'
    assert_equal "$(agent_events a message_updated | jq -c '.args[0] |
        [.chatId, .messageId, .kind, .message.text, .message.edited, .message.revoked, .reaction.emoji]')" \
        '[1,1,"edit","dos",true,null,null]
[1,1,"reaction","dos",true,null,"👍"]
[1,1,"revoke",null,null,true,null]'
    refute grep -q -e uno -e dos -e tres -e 👍 <<<"$(said wamid.1)"
    assert_equal "$(agent_asks a join_chat 1 '{"history":5}' | jq -c '[.messages[] | [.text, .revoked]]')" \
        '[[null,true],["end",null]]'
}

@test "an edit or revoke by somebody else is listed, and changes nothing" {
    local edit
    post_webhook "$(text_webhook wamid.1 491 uno)"
    edit=$(jq -cn '{id: "wamid.e1", type: "edit",
        edit: {original_message_id: "wamid.1", message: {type: "text", text: {body: "forged"}}}}')
    post_message "$edit" 492
    post_message '{"id": "wamid.v1", "type": "revoke", "revoke": {"original_message_id": "wamid.1"}}' 492
    assert_equal "$(said wamid.1 | jq -c '[.text, .edited, .revoked]')" '["uno",null,null]'
    assert_equal "$(sioctl webhook list -o json | jq -c '[.[] | [.state, .counts.edits, .counts.revokes]]')" \
        '[["done",0,1],["done",1,0],["done",0,0]]'
    assert_contains "$(sioctl webhook show 2 -o json)" forged
    edit wamid.e2 wamid.1 1749416390 dos
    assert_equal "$(said wamid.1 | jq -c '[.text, .edited]')" '["dos",true]'
}

@test "changes that come before their message are part of it, over a restart" {
    edit wamid.e2 wamid.1 1749416392 last
    edit wamid.e1 wamid.1 1749416391 earlier
    react wamid.r1 wamid.1 1749416391 ❤
    revoke wamid.v1 wamid.2
    react wamid.r3 wamid.3 1749416391 👍
    react wamid.r4 wamid.3 1749416392 ""
    assert_equal "$(sql "SELECT count(*) FROM message")" 0
    kill_siod
    start_siod
    agent_connected a --token "$(token 7 1)" --transports websocket
    for id in 1 2 3; do
        post_webhook "$(text_webhook "wamid.$id" 491 "text $id")"
    done
    wait_until agent_saw a '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.3"'
    assert_equal "$(agent_events a whatsapp_message_received | jq -c '.args[0].message |
        [.text, .edited, .revoked, .reactions[0].emoji]')" \
        '["last",true,null,"❤"]
[null,null,true,null]
["text 3",null,null,null]'
    assert_equal "$(sql "SELECT count(*) FROM message_change")" 6
}

@test "in a group each participant has a status" {
    local statuses
    agent_connected a --token "$(token 7 1)" --transports websocket
    statuses=$(status_webhook wamid.9 sent 491 | jq -c '.entry[0].changes[0].value.statuses = [
        {id: "wamid.9", status: "delivered", timestamp: "1749416401", recipient_participant_id: "491"},
        {id: "wamid.9", status: "read", timestamp: "1749416402", recipient_participant_id: "492"},
        {id: "wamid.9", status: "failed", timestamp: "1749416403", recipient_participant_id: "493",
            errors: [{code: 131026, title: "Undeliverable"}, {code: 1}]},
        {id: "wamid.9", status: "sent", timestamp: "1749416404", recipient_participant_id: "492"}]')
    post_webhook "$statuses"
    post_webhook "$(echo_webhook wamid.9 491 hi)"
    assert_equal "$(said wamid.9 | jq -c '[.status, .error, [.participants[] | [.id, .status, .errors[1].code]]]')" \
        '["read",null,[["491","delivered",null],["492","read",null],["493","failed",1]]]'
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
    post_webhook "${statuses//delivered/read}"
    wait_until agent_saw a '.event == "message_status_update"'
    post_webhook "$(text_webhook wamid.2 491 end)"
    wait_until agent_saw a '.event == "new_message"'
    assert_equal "$(agent_events a message_status_update | jq -c '.args[0] |
        [.status, .participant.id, .participant.status]')" '["read","491","read"]'
}

@test "a failure shows all of its errors" {
    post_webhook "$(echo_webhook wamid.9 491 hi)"
    post_webhook "$(status_webhook wamid.9 failed 491 | jq -c '.entry[0].changes[0].value.statuses[0].errors =
        [{code: 131047, title: "Re-engagement message"}, {code: 131026, title: "Undeliverable"}]')"
    assert_equal "$(said wamid.9 | jq -c '[.status, .error.code, [.errors[].code]]')" '["failed",131047,[131047,131026]]'
}

# Everything at once: what one body has of each kind.
everything() {
    jq -cs 'reduce .[1:][] as $w (.[0]; .entry += $w.entry)' <<<"$(
        text_webhook wamid.1 491 one
        text_webhook wamid.2 492 two
        edit_of wamid.e1 wamid.1
        echo_webhook wamid.9 491 nine
        status_webhook wamid.9 delivered 491
        status_webhook wamid.9 read 491
    )"
}

edit_of() {
    message "$(jq -cn --arg id "$1" --arg target "$2" '{id: $id, type: "edit", edit: {original_message_id: $target,
        message: {type: "text", text: {body: "edited"}}}}')"
}

outcome() {
    sql "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM contact), (SELECT count(*) FROM chat),
        (SELECT count(*) FROM status), (SELECT count(*) FROM message_change),
        (SELECT group_concat(CAST(text AS TEXT), ' ') FROM (SELECT text FROM message ORDER BY wamid))"
}

# in_pieces FILE SIZE [HEADER]: posts it in writes of that many bytes, chunks of that size where HEADER says so.
in_pieces() {
    python3 - "$1" "$2" "${3:-}" "$(signature "$1")" "$SIOD_URL" "$WEBHOOK_PATH" <<'END'
import socket, sys, urllib.parse
path, size, coding, signature, url, target = sys.argv[1:]
size = int(size)
body = open(path, "rb").read()
where = urllib.parse.urlsplit(url)
if coding:
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    length = "Transfer-Encoding: chunked"
else:
    length = "Content-Length: %d" % len(body)
head = ("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Hub-Signature-256: %s\r\n%s\r\n"
        "Connection: close\r\n\r\n" % (target, signature, length)).encode()
s = socket.create_connection((where.hostname, where.port))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
data = head + body
for i in range(0, len(data), size):
    s.sendall(data[i:i + size])
print(s.makefile("rb").readline().split()[1].decode())
END
}

@test "a body in pieces of one byte, or in chunks of one, is the same body" {
    everything >"$BATS_TEST_TMPDIR/all.json"
    assert_equal "$(in_pieces "$BATS_TEST_TMPDIR/all.json" 1)" 200
    assert_equal "$(outcome)" "3|2|2|2|1|edited two nine"
    assert_equal "$(in_pieces "$BATS_TEST_TMPDIR/all.json" 1 chunked)" 200
    assert_equal "$(outcome)" "3|2|2|2|1|edited two nine"
    assert_equal "$(sioctl webhook list -o json | jq -c '[.[].counts | [.inbound, .edits, .echoes, .statuses, .dups]]')" \
        '[[0,0,0,0,6],[2,1,1,2,0]]'
}

@test "parts of it, each four times and all at once, end as the whole does" {
    local n=0 file pids=()
    for _ in {1..4}; do
        for part in "text_webhook wamid.1 491 one" "text_webhook wamid.2 492 two" "edit_of wamid.e1 wamid.1" \
            "echo_webhook wamid.9 491 nine" "status_webhook wamid.9 delivered 491" "status_webhook wamid.9 read 491"; do
            file=$BATS_TEST_TMPDIR/part.$((++n))
            $part >"$file"
        done
    done
    for file in "$BATS_TEST_TMPDIR"/part.*; do
        post_file "$file" >"$file.status" 3>&- &
        pids+=($!)
    done
    wait "${pids[@]}"
    assert_equal "$(sort "$BATS_TEST_TMPDIR"/part.*.status | uniq -c | xargs)" "$n 200"
    assert_equal "$(outcome)" "3|2|2|2|1|edited two nine"
    assert_equal "$(said wamid.9 | jq -r .status)" read
    assert_equal "$(sioctl webhook list -o json | jq -c '[.[].counts.dups] | add')" 18
}

@test "a bad element never loses its neighbours" {
    local body
    body=$(text_webhook wamid.1 491 good | jq -c '.entry[0].changes[0].value |= (.messages = [
        7, null, [], {id: 1}, {from: "491"}, {from: {}, id: "wamid.x"}, {from: "491", id: ""},
        {from: "491", id: "wamid.g", type: "text", group_id: []},
        .messages[0], (.messages[0] | .id = 1234567890123 | .from = 491 | .timestamp = "soon" | .text = 9),
        (.messages[0] | .id = "wamid.3" | del(.type))] |
        .statuses = [1, {id: "wamid.1"}, {id: "wamid.1", status: "READ"}, {status: "read"},
            {id: "wamid.1", status: "read", timestamp: -4, errors: "x"}] | .contacts += [1, null, {wa_id: 5}]) |
        .entry[0].changes += [1, {}, {field: "messages", value: []}, {field: 7, value: {}}] | .entry += [null, {}, 3]')
    assert_equal "$(post_webhook "$body")" 200
    assert_equal "$(sql "SELECT group_concat(CAST(wamid AS TEXT), ' ') FROM (SELECT wamid FROM message ORDER BY id)")" \
        "wamid.1 1234567890123 wamid.3"
    assert_equal "$(sql "SELECT count(*), count(DISTINCT contact_id) FROM message")" "3|1"
    assert_equal "$(sioctl webhook list -o json | jq -c '.[0] | [.state, .counts.inbound, .counts.statuses]')" \
        '["quarantined",3,1]'
}

@test "deep, doubled, huge and broken values reach nobody malformed and stop nothing" {
    local deep text
    agent_connected a --token "$(token 7 1)" --transports websocket
    deep=$(printf '[%.0s' {1..500})$(printf ']%.0s' {1..500})
    sed "s/\"text\":{\"body\":\"@\"}/\"hologram\":$deep/; s/\"type\":\"text\"/\"type\":\"hologram\"/" \
        <<<"$(text_webhook wamid.1 491 @)" >"$BATS_TEST_TMPDIR/deep"
    sed 's/"body":"@"/"body":"first","body":1e999999,"body":"a\\u0000b\\ud800c"/; s/"timestamp":"[0-9]*"/"timestamp":1e400/' \
        <<<"$(text_webhook wamid.2 491 @)" >"$BATS_TEST_TMPDIR/twice"
    text=$(text_webhook wamid.3 491 @)
    printf %s "${text/'"body":"@"'/'"body":123456789012345678901234567890,"a":-1.5e-999'}" >"$BATS_TEST_TMPDIR/huge"
    text=$(text_webhook wamid.4 491 @)
    printf %s "${text/@/$'\xff\xfe'}" >"$BATS_TEST_TMPDIR/bytes"
    printf '%.0s[' {1..100000} >"$BATS_TEST_TMPDIR/pit"
    for file in deep twice huge bytes; do
        assert_equal "$file $(post_file "$BATS_TEST_TMPDIR/$file")" "$file 200"
    done
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/pit")" 400
    post_webhook "$(text_webhook wamid.5 491 end)"
    wait_until agent_saw a '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.5"'
    assert_equal "$(agent_events a whatsapp_message_received | jq -c '.args[0].message |
        [.wamid, .type, .text, (.raw | tostring | length < 300)]')" \
        '["wamid.1","hologram",null,true]
["wamid.2","text","a\u0000b�c",true]
["wamid.3","text","123456789012345678901234567890",true]
["wamid.4","text","��",true]
["wamid.5","text","end",true]'
    refute agent_saw a '.type == "disconnect"'
    assert_equal "$(sql "SELECT count(*) FROM webhook WHERE state <> 0")" 1
}
