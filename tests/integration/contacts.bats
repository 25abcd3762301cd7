#!/usr/bin/env bats
# Customers: who is who, what becomes of two who are one, and what is shown of them.

load ../lib/siod

setup() {
    setup_siod
    start_siod
}

teardown() {
    teardown_siod
}

# from WAMID NUMBER USER_ID TEXT: a message that has the names that are not empty.
from() {
    text_webhook "$1" "${2:-none}" "$4" | jq -c --arg number "$2" --arg user "$3" '
        .entry[0].changes[0].value |= (
            (if $number == "" then del(.messages[0].from, .contacts[0].wa_id) else . end) |
            (if $user == "" then . else .messages[0].from_user_id = $user | .contacts[0].user_id = $user end))'
}

# number_change WAMID OLD NEW
number_change() {
    text_webhook "$1" "$2" x | jq -c --arg new "$3" '.entry[0].changes[0].value |= (del(.contacts) |
        .messages[0] |= (del(.text) | .type = "system" |
            .system = {body: "changed", type: "user_changed_number", wa_id: $new}))'
}

@test "a customer without a number has a chat like any other" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(from wamid.1 '' DE.7 hello)"
    wait_until agent_saw a '.event == "chat_assigned" and .args[0].agentId == 7'
    assert_equal "$(agent_events a whatsapp_message_received | jq -c '.args[0].message.contact | [.phone, .waId, .userId]')" \
        '[null,null,"DE.7"]'
    assert_equal "$(sioctl chat list -o json | jq -c '.[0].contact | [.phone, .userId]')" '[null,"DE.7"]'
    assert_equal "$(agent_asks a join_chat 1 '{"history":5}' | jq -c '[.messages[].text]')" '["hello"]'
}

@test "two contacts that turn out to be one have one chat, and who was in the other goes on reading" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    agent_connected b --token "$(token 8 1)" --transports websocket
    post_webhook "$(from wamid.1 16505551234 '' 'by number')"
    post_webhook "$(from wamid.2 '' DE.7 'by user id')"
    wait_until agent_saw a '.event == "chat_assigned" and .args[0].chatId == 2'
    assert_equal "$(agent_asks a join_chat 2 | jq .ok)" true
    assert_equal "$(sioctl agent list -o json | jq -c 'map(.load)')" '[1,1]'
    post_webhook "$(from wamid.3 16505551234 DE.7 'by both')"
    wait_until agent_saw a '.event == "new_message" and .args[0].message.wamid == "wamid.3"'
    assert_equal "$(agent_events a chat_merged | jq -c '.args[0] | [.chatId, .into, (.timestamp | length)]')" '[2,1,24]'
    assert_equal "$(agent_events a new_message | jq -c '.args[0].message | [.chatId, .text]')" '[1,"by both"]'
    assert_equal "$(sioctl room list -o json | jq -c 'map(.room) | sort')" '["business_1","chat_1"]'
    assert_equal "$(sioctl chat list -o json | jq -c 'map([.chatId, .contact.phone, .contact.userId])')" \
        '[[1,"16505551234","DE.7"]]'
    assert_equal "$(agent_asks b join_chat 1 '{"history":9}' | jq -c '[.messages[].text]')" \
        '["by number","by user id","by both"]'
    assert_equal "$(agent_asks b join_chat 2 | jq -r .error.code)" not_found
    assert_equal "$(sioctl agent list -o json | jq -c 'map(.load) | sort')" '[0,1]'
    assert_equal "$(sql 'SELECT count(*) FROM chat WHERE state = 1')" 1
    assert_equal "$(sioctl chat explain 1 -o json | jq -c '.[0] | [.outcome, .policy, .considered]')" \
        '["merged","same_customer",{"chatId":2}]'
}

@test "typing in a chat that is merged away ends for all who were in it" {
    local name
    for name in a b c; do
        agent_connected "$name" --token "$(token "$((7 + ${#AGENTS[@]}))" 1)" --transports websocket
    done
    post_webhook "$(from wamid.1 16505551234 '' 'by number')"
    post_webhook "$(from wamid.2 '' DE.7 'by user id')"
    for name in a b c; do
        assert_equal "$(agent_asks "$name" join_chat 2 | jq .ok)" true
    done
    agent_asks b typing_start '{"chatId":2}'
    wait_until agent_saw a '.event == "user_typing"'
    wait_until agent_saw c '.event == "user_typing"'
    post_webhook "$(from wamid.3 16505551234 DE.7 'by both')"
    for name in a c; do
        wait_until agent_saw "$name" '.event == "new_message" and .args[0].message.wamid == "wamid.3"'
        assert_equal "$(agent_events "$name" user_stop_typing | jq -c '.args[0].chatId')" 2
    done
}

@test "a merge costs nobody the session who is in a chat with a longer number" {
    post_webhook "$(from wamid.1 16505551234 '' 'by number')"
    post_webhook "$(from wamid.2 '' DE.7 'by user id')"
    post_webhook "$(from wamid.x 16505550000 '' hello | jq -c '.entry[0].changes[0].value |= (del(.contacts) |
        .messages = [.messages[0] + (range(3; 21) | {id: "wamid.\(.)", from: "165055500\(. + 10)"})])')"
    agent_connected a --token "$(token 7 1)" --transports websocket
    agent_connected b --token "$(token 8 1)" --transports websocket
    assert_equal "$(agent_asks a join_chat 20 | jq .ok)" true
    assert_equal "$(agent_asks b join_chat 2 | jq .ok)" true
    in_the_store() { [[ $(sql "SELECT count(*) FROM session WHERE instr(state, '$1')") == "$2" ]]; }
    wait_until in_the_store chat_20 1
    wait_until in_the_store chat_2 2
    post_webhook "$(from wamid.both 16505551234 DE.7 'by both')"
    wait_until agent_saw b '.event == "chat_merged"'
    in_the_store chat_20 1
    wait_until in_the_store chat_2 1
    wait_until in_the_store chat_1 1

    stop_siod
    start_siod -o "http.listen=127.0.0.1:${SIOD_URL##*:}"
    wait_until agent_saw a '.type == "connect" and .recovered'
    wait_until agent_saw b '.type == "connect" and .recovered'
    assert_equal "$(sioctl socket list -o json | jq -c 'map([.userId, (.rooms | sort)]) | sort')" \
        '[[7,["business_1","chat_20"]],[8,["business_1","chat_1"]]]'
}

@test "a waiting chat that is merged away is not given to anybody" {
    post_webhook "$(from wamid.1 16505551234 '' first)"
    post_webhook "$(from wamid.2 '' DE.7 second)"
    post_webhook "$(from wamid.3 16505551234 DE.7 third)"
    agent_connected a --token "$(token 7 1)" --transports websocket
    wait_until agent_saw a '.event == "chat_assigned"'
    assert_equal "$(agent_events a chat_assigned | jq -c '.args[0].chatId')" 1
    assert_equal "$(sioctl agent show 7 -o json | jq -c .load)" 1
}

@test "a number change keeps the chat, whichever of the two messages comes first" {
    post_webhook "$(from wamid.1 16505551234 '' before)"
    post_webhook "$(number_change wamid.2 16505551234 12195555358)"
    post_webhook "$(from wamid.3 12195555358 '' after)"
    assert_equal "$(sioctl chat list -o json | jq -c 'map([.chatId, .contact.phone])')" '[[1,"12195555358"]]'
    post_webhook "$(from wamid.4 4915550001 '' before)"
    post_webhook "$(from wamid.5 4915550002 '' after)"
    post_webhook "$(number_change wamid.6 4915550001 4915550002)"
    assert_equal "$(sioctl chat list -o json | jq -c 'map([.chatId, .contact.phone])')" \
        '[[1,"12195555358"],[2,"4915550002"]]'
    assert_equal "$(sql 'SELECT count(*) FROM message WHERE chat_id = 2')" 3
}

@test "deliveries in any order, doubled and at once, end in one contact with one chat" {
    local i n=0 pids=() bodies=() file
    for i in {1..6}; do
        bodies+=("$(from "wamid.n$i" 16505551234 '' "$i")" "$(from "wamid.u$i" '' DE.7 "$i")"
        "$(from "wamid.b$i" 16505551234 DE.7 "$i")")
    done
    mapfile -t bodies < <(printf '%s\n' "${bodies[@]}" "${bodies[@]}" | shuf --random-source=<(yes 7))
    for i in "${bodies[@]}"; do
        file=$BATS_TEST_TMPDIR/parallel.$((n += 1))
        printf %s "$i" >"$file"
        curl -sS -o /dev/null -w '%{http_code}\n' -H "X-Hub-Signature-256: $(signature "$file")" \
            --data-binary "@$file" -H 'Content-Type: application/json' "$SIOD_URL$WEBHOOK_PATH" >"$file.status" 3>&- &
        pids+=($!)
    done
    wait "${pids[@]}"
    assert_equal "$(cat "$BATS_TEST_TMPDIR"/parallel.*.status | sort | uniq -c | xargs)" "36 200"
    assert_equal "$(sql 'SELECT (SELECT count(*) FROM contact), (SELECT count(*) FROM chat), count(*),
        count(DISTINCT chat_id), count(DISTINCT contact_id) FROM message')" '1|1|18|1|1'
}

@test "contact show finds a customer by every name, with chats and groups" {
    post_webhook "$(from wamid.1 16505551234 DE.7 hello)"
    post_webhook "$(number_change wamid.2 16505551234 12195555358)"
    post_webhook "$(from wamid.3 12195555358 '' group | jq -c '.entry[0].changes[0].value.messages[0].group_id = "R3JvdXA="')"
    local name
    for name in 1 16505551234 12195555358 DE.7; do
        assert_equal "$(sioctl contact show "$name" -o json | jq -c '[.id, .businessId, .phone, (.aliases | map(.value)),
            (.chats | map([.chatId, .groupId]))]')" \
            '[1,1,"12195555358",["12195555358","16505551234","DE.7"],[[1,null],[2,"R3JvdXA="]]]'
    done
    run sioctl contact show 999
    assert_equal "$status" 1
    assert_contains "$output" "no contact '999'"
}

@test "a name in two businesses needs --business" {
    sioctl business add 2 --phone-number-id 555 >/dev/null
    post_webhook "$(from wamid.1 16505551234 '' hello)"
    post_webhook "$(text_webhook wamid.2 16505551234 hello 555)"
    run sioctl contact show 16505551234
    assert_equal "$status" 1
    assert_contains "$output" '--business'
    assert_equal "$(sioctl contact show 16505551234 --business 2 -o json | jq -c '[.id, .businessId]')" '[2,2]'
    assert_equal "$(sioctl business show 2 -o json | jq -c '[.businessId, .phoneNumberIds, .agents, .chats]')" \
        '[2,["555"],0,{"waiting":1,"assigned":0}]'
}

# named WAMID NUMBER USER_ID USERNAME TEXT
named() {
    from "$1" "$2" "$3" "$5" | jq -c --arg name "$4" '.entry[0].changes[0].value.contacts[0].profile.username = $name'
}

@test "all that a customer was ever called is exported and erased, usernames too, and nothing of others" {
    local name document
    post_webhook "$(named wamid.1 16505551234 '' ann.before 'by number')"
    post_webhook "$(named wamid.2 16505551234 '' ann.after 'by number again')"
    post_webhook "$(named wamid.3 '' DE.7 ann.joined 'by user id')"
    post_webhook "$(number_change wamid.4 16505551234 12195555358)"
    post_webhook "$(named wamid.5 12195555358 DE.7 ann.now 'by both')"
    post_webhook "$(named wamid.6 16505550002 DE.8 ann 'ask @ann.before')"
    post_webhook "$(named wamid.7 16505550003 DE.9 bob 'I am bob, and no ann.before')"
    post_webhook "$(jq -c '.entry[0].changes += [$other.entry[0].changes[0]]' --argjson other \
        "$(named wamid.9 16505550003 DE.9 bob 'bob remains')" <<<"$(named wamid.8 '' DE.7 ann.now 'beside bob')")"
    assert_equal "$(sioctl contact show 1 -o json | jq -c '[.aliases[] | select(.kind == "username").value] | sort')" \
        '["ann.after","ann.before","ann.joined","ann.now"]'
    document=$(sioctl contact export 1 -o json)
    assert_equal "$(jq -c '[.webhooks[].elements[] | select(.id) | .id] | unique' <<<"$document")" \
        '["wamid.1","wamid.2","wamid.3","wamid.4","wamid.5","wamid.6","wamid.8"]'
    assert_equal "$(jq -c '[.aliases[] | select(.kind == 3).value] | sort' <<<"$document")" \
        '["ann.after","ann.before","ann.joined","ann.now"]'
    sioctl contact erase 1 >/dev/null
    stop_siod
    for name in 16505551234 12195555358 DE.7 ann.after ann.joined ann.now; do
        refute grep -aF "$name" "$SIOD_DIR/siod.db"
    done
    assert_equal "$(sqlite3 "$SIOD_DIR/siod.db" "SELECT count(*) FROM webhook WHERE instr(body, 'username')")" 2
    assert_equal "$(sqlite3 "$SIOD_DIR/siod.db" "SELECT text FROM message ORDER BY id" | wc -l)" 3
    grep -qaF 'bob remains' "$SIOD_DIR/siod.db"
}

@test "nothing of an erased customer comes back by being delivered once more" {
    local value='{"metadata":{"phone_number_id":"106540352242922"},"contacts":[{"profile":{"name":"Ann"},"wa_id":"16505551234"}]' doc
    doc='{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[
        {"field":"messages","value":'$value',"messages":[
            {"from":"16505551234","id":"wamid.1","timestamp":"1772357400","type":"text","text":{"body":"a"}},
            {"from":"16505551234","id":"wamid.2","timestamp":"1772357400","type":"reaction","reaction":{"message_id":"wamid.9","emoji":"a"}}]}},
        {"field":"calls","value":'$value',"calls":[
            {"id":"wacid.1","from":"16505551234","to":"1","event":"connect","timestamp":"1772357400","direction":"USER_INITIATED"}]}}]}]}'
    post_webhook "$doc"
    sioctl contact erase 16505551234 >/dev/null
    post_webhook "$doc"
    assert_equal "$(sioctl webhook list --limit 1 -o json | jq -c '.[0].counts | [.dups, .inbound, .reactions, .calls]')" '[3,0,0,0]'
    run sioctl contact show 16505551234
    assert_equal "$status" 1
}

# many COUNT NUMBER: a webhook with as many messages.
many() {
    jq -nc --argjson count "$1" --arg number "$2" '{object: "whatsapp_business_account", entry: [{id: "1", changes: [{field: "messages",
        value: {metadata: {phone_number_id: "106540352242922"}, messages: [range($count) | {from: $number, id: "wamid.old\(.)",
            timestamp: "1772357400", type: "text", text: {body: "old"}}]}}]}]}'
}

@test "what a customer writes while being erased is a new contact's, alone and in a group, and stays" {
    local number=16505551234 i
    in_erasure() { [[ $(sql 'SELECT count(*) FROM erasure') == 1 ]]; }
    agent_connected a --token "$(token 7 1)" --transports websocket
    post_webhook "$(many 3000 $number)"
    post_webhook "$(to_group wamid.g1 4915550701 1749415860)"
    post_webhook "$(to_group wamid.g2 $number 1749415861)"
    # It cannot end before it is let go on: the table that goes last is held.
    sqlite3 "$SIOD_DIR/siod.db" "CREATE TRIGGER held BEFORE DELETE ON chat WHEN NOT EXISTS
        (SELECT 1 FROM message WHERE wamid = x'676f') BEGIN SELECT RAISE(ABORT, 'held'); END"
    run sioctl contact erase $number
    assert_contains "$output" 'not all of contact 1 was erased: do it again'
    in_erasure
    wait_until agent_saw a '.event == "chat_closed" and .args[0].chatId == 1'
    assert_equal "$(sioctl contact show $number -o json | jq .id)" 1
    for i in 1 2 3; do
        post_webhook "$(text_webhook "wamid.new$i" $number "new $i")"
    done
    post_webhook "$(to_group wamid.g3 $number 1749415862)"
    wait_until agent_saw a '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.new3"'
    assert_equal "$(sioctl contact show $number -o json | jq -c '[.id, (.chats | map([.chatId, .state]))]')" \
        '[3,[[2,"assigned"],[3,"assigned"]]]'
    post_webhook "$(text_webhook go 4915550701 go)"
    assert_equal "$(sioctl contact erase $number -o json | jq -c '[.contactId, .messages, .chats]')" '[1,0,1]'
    refute in_erasure
    assert_equal "$(sql "SELECT group_concat(CAST(wamid AS TEXT), ' ') FROM message WHERE contact_id = 3")" \
        'wamid.new1 wamid.new2 wamid.new3 wamid.g3'
    assert_equal "$(sql "SELECT count(*) FROM webhook WHERE instr(body, 'wamid.new')")" 3
    assert_equal "$(sql "SELECT count(*) FROM log WHERE instr(args, 'wamid.new') AND instr(event, 'message')")" 6
    assert_equal "$(sql "SELECT count(*) FROM log WHERE instr(args, 'wamid.old')")" 0
    assert_equal "$(group_now)" '[3006,"wamid.g3","2025-06-08T20:51:02.000Z","2025-06-09T20:51:02.000Z","16505551234"]'
    assert_equal "$(sioctl store check -o json | jq -c 'map(select(.ok | not))')" '[]'
}

@test "an erased customer's chat is nobody's: all are out of its room, and nobody joins it" {
    agent_connected a --token "$(token 7 1)" --transports websocket
    agent_connected b --token "$(token 8 1)" --transports websocket
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    assert_equal "$(agent_asks a join_chat 1 | jq .ok)" true
    assert_equal "$(agent_asks b join_chat 1 | jq .ok)" true
    in_the_store() { [[ $(sql "SELECT count(*) FROM session WHERE instr(state, 'chat_1')") == "$1" ]]; }
    wait_until in_the_store 2
    agent_asks a typing_start '{"chatId":1}'
    wait_until agent_saw b '.event == "user_typing"'
    sioctl contact erase 16505551234
    in_the_store 0
    wait_until agent_saw b '.event == "user_stop_typing"'
    assert_equal "$(sioctl room list -o json | jq -c 'map(.room)')" '["business_1"]'
    assert_equal "$(agent_asks a typing_start '{"chatId":1}' | jq -r .error.code)" not_in_chat
    assert_equal "$(agent_asks a join_chat 1)" '{"ok":false,"error":{"code":"not_found","message":"no such chat"}}'
    assert_equal "$(agent_asks a join_chat 1 '{"history":1}')" "$(agent_asks a join_chat 1)"
}

@test "export and erase take every name of a contact, and refuse one that means two" {
    sioctl business add 2 --phone-number-id 555 >/dev/null
    post_webhook "$(from wamid.1 16505551234 DE.7 hello)"
    post_webhook "$(text_webhook wamid.2 16505551234 hello 555)"
    post_webhook "$(from wamid.3 1 '' short)"
    run sioctl contact erase 16505551234
    assert_equal "$status" 1
    assert_contains "$output" 'more than one contact'
    run sioctl contact export 1 -o json
    assert_equal "$status" 1
    assert_equal "$(sioctl contact export +1 -o json | jq -c .contact.id)" 3
    assert_equal "$(sioctl contact export DE.7 -o json | jq -c .contact.id)" 1
    run sioctl contact export 99999
    assert_contains "$output" "no contact '99999'"
    assert_equal "$(sioctl contact erase 16505551234 --business 2 -o json | jq -c '[.contactId, .messages]')" '[2,1]'
    assert_equal "$(sioctl contact erase 16505551234 -o json | jq -c '[.contactId, .messages]')" '[1,1]'
    assert_equal "$(sioctl contact erase +1 -o json | jq -c '[.contactId, .messages]')" '[3,1]'
    stop_siod
    refute grep -aF 16505551234 "$SIOD_DIR/siod.db"
}

# of_desk NUMBER_ID DISPLAYED WAMID FROM TEXT
of_desk() {
    text_webhook "$3" "$4" "$5" "$1" | jq -c --arg number "$2" '.entry[0].changes[0].value.metadata.display_phone_number = $number'
}

# bodies: the webhooks, and how long their bodies are.
bodies() {
    sql "SELECT id || ':' || length(body) FROM webhook ORDER BY id" | xargs
}

@test "erasing a contact who is another business's desk leaves that business's webhooks alone" {
    local before i
    sioctl business add 2 --phone-number-id 222 >/dev/null
    for i in 1 2 3; do
        post_webhook "$(of_desk 111 15550100200 "wamid.$i" "1555888000$i" hello)"
    done
    post_webhook "$(of_desk 111 15550100200 wamid.4 15558880004 quarantined | jq -c '.entry[0].changes[0].value.messages += [7]')"
    before=$(bodies)
    post_webhook "$(of_desk 222 15550100300 wamid.5 15550100200 'from desk to desk')"
    assert_equal "$(sioctl contact export 15550100200 --business 2 -o json | jq -c '[.webhooks[].webhookId]')" '[5]'
    assert_equal "$(sioctl contact erase 15550100200 --business 2 -o json | jq -c '[.webhooks, .messages]')" '[1,1]'
    assert_equal "$(bodies)" "$before 5:0"
}

@test "of what came to a number of nobody's only what names the contact as a customer is erased" {
    stop_siod
    cat >"$BATS_TEST_TMPDIR/siod.conf" <<END
http { listen = {"127.0.0.1:0"} }
jwt { key_files = {"$SIOD_DIR/jwt.key"} }
app main { secret_files = {"$SIOD_DIR/app.secret"} }
store { url = "sqlite:$SIOD_DIR/siod.db" }
control { socket = "$SIOD_DIR/siod.sock" }
business 1 { phone_number_ids = {"111"} }
END
    rm "$SIOD_DIR"/siod.db*
    launch_siod -c "$BATS_TEST_TMPDIR/siod.conf"
    wait_until siod_is_ready
    post_webhook "$(of_desk 111 15550100111 wamid.1 15558880001 hello)"
    post_webhook "$(of_desk 333 15558880001 wamid.2 15558880002 'ask 15558880001')"
    post_webhook "$(of_desk 333 15550100333 wamid.3 15558880001 hello)"
    assert_equal "$(sioctl contact erase 15558880001 -o json | jq -c .webhooks)" 2
    assert_equal "$(sql "SELECT id FROM webhook WHERE length(body) > 0")" 2
}

@test "what came to a number stays with whose it was then, whoever has the number now" {
    local number=16505551234 document
    post_webhook "$(text_webhook wamid.1 $number 'told to one' 111)"
    post_webhook "$(group_status wamid.g 111 $number)"
    sioctl business add 2 --phone-number-id 111 --phone-number-id 222 >/dev/null
    post_webhook "$(text_webhook wamid.2 $number 'told to two' 111)"
    post_webhook "$(jq -c '.entry += [$other.entry[0]]' --argjson other "$(text_webhook wamid.3 $number 'beside two' 333)" \
        <<<"$(text_webhook wamid.4 $number 'beside one' 222)")"
    assert_equal "$(sql "SELECT group_concat(CAST(owners AS TEXT), ' ') FROM webhook")" '1 1 2 {"222":2,"333":1}'
    document=$(sioctl contact export $number --business 1 -o json)
    assert_equal "$(jq -c '[.webhooks[].elements[].id // empty]' <<<"$document")" '["wamid.1","wamid.g","wamid.3"]'
    assert_equal "$(jq -c '[.statuses[].wamid]' <<<"$document")" '["wamid.g"]'
    document=$(sioctl contact export $number --business 2 -o json)
    assert_equal "$(jq -c '[.webhooks[].elements[].id // empty]' <<<"$document")" '["wamid.2","wamid.4"]'
    assert_equal "$(jq -c '[.statuses[].wamid]' <<<"$document")" '[]'
    sioctl contact erase $number --business 1 >/dev/null
    assert_equal "$(sql "SELECT group_concat(id, ' ') FROM webhook WHERE instr(body, 'told to')")" 3
    assert_equal "$(sql "SELECT group_concat(id, ' ') FROM webhook WHERE instr(body, 'beside one')")" 4
    assert_equal "$(sql 'SELECT count(*) FROM status')" 0
    sioctl contact erase $number --business 2 >/dev/null
    assert_equal "$(sql "SELECT count(*) FROM webhook WHERE instr(body, '$number')")" 0
}

@test "what came before siod noted whose a number was is of whose it is now" {
    local number=16505551234
    post_webhook "$(text_webhook wamid.1 $number one 111)"
    stop_siod
    sqlite3 "$SIOD_DIR/siod.db" "UPDATE webhook SET owners = x''"
    start_siod
    sioctl business add 2 --phone-number-id 111 >/dev/null
    post_webhook "$(text_webhook wamid.2 $number two 111)"
    assert_equal "$(sioctl contact export $number --business 1 -o json | jq -c '.webhooks')" '[]'
    assert_equal "$(sioctl contact export $number --business 2 -o json | jq -c '[.webhooks[].webhookId]')" '[1,2]'
}

# group_status WAMID NUMBER_ID PARTICIPANT
group_status() {
    status_webhook "$1" delivered R3JvdXA= | jq -c --arg number "$2" --arg name "$3" '.entry[0].changes[0].value |=
        (.metadata.phone_number_id = $number | .statuses[0] |= (.recipient_type = "group" | .recipient_participant_id = $name))'
}

@test "a number that two businesses know is erased and exported in one, and the other keeps all it has" {
    local number=16505551234 document
    sioctl business add 2 --phone-number-id 222 >/dev/null
    post_webhook "$(text_webhook wamid.1 $number one 111)"
    post_webhook "$(text_webhook wamid.2 $number two 222)"
    post_webhook "$(jq -c '.entry += [$other.entry[0]]' --argjson other "$(text_webhook wamid.3 $number 'beside two' 111)" \
        <<<"$(text_webhook wamid.4 $number 'beside one' 222)")"
    post_webhook "$(group_status wamid.5 111 $number)"
    post_webhook "$(group_status wamid.6 222 $number)"
    document=$(sioctl contact export $number --business 2 -o json)
    assert_equal "$(jq -c '[.events[].room] | unique' <<<"$document")" '["business_2","chat_2"]'
    assert_equal "$(jq -c '[.webhooks[].elements[].id // empty]' <<<"$document")" '["wamid.2","wamid.4","wamid.6"]'
    assert_equal "$(jq -c '[.statuses[].wamid]' <<<"$document")" '["wamid.6"]'
    sioctl contact erase $number --business 2 >/dev/null
    document=$(sioctl contact export $number -o json)
    assert_equal "$(jq -c '[.contact.businessId, (.events | length), (.messages | length)]' <<<"$document")" '[1,5,2]'
    assert_equal "$(jq -c '[.webhooks[].elements[].id // empty]' <<<"$document")" '["wamid.1","wamid.3","wamid.5"]'
    assert_equal "$(jq -c '[.statuses[].wamid]' <<<"$document")" '["wamid.5"]'
    assert_equal "$(sql "SELECT count(*) FROM log WHERE business_id = 2 AND args <> x'' AND instr(args, '$number')")" 0
}

# failed WAMID NUMBER_ID TITLE
failed() {
    status_webhook "$1" failed 1 | jq -c --arg number "$2" --arg title "$3" '.entry[0].changes[0].value |=
        (.metadata.phone_number_id = $number | .statuses[0].errors = [{code: 131026, title: $title}])'
}

@test "a failed status of an unknown message is of whom its errors name, in the business it came to" {
    local number=16505551234
    post_webhook "$(failed wamid.1 111 "no $number")"
    sioctl business add 2 --phone-number-id 111 --phone-number-id 222 >/dev/null
    post_webhook "$(failed wamid.2 222 "no $number")"
    post_webhook "$(failed wamid.3 333 "no ${number}0")"
    post_webhook "$(text_webhook wamid.4 $number one 333)"
    post_webhook "$(text_webhook wamid.5 $number two 222)"
    assert_equal "$(sioctl contact export $number --business 1 -o json | jq -c '.statuses | map([.wamid, .businessId])')" '[["wamid.1",1]]'
    assert_equal "$(sioctl contact export $number --business 2 -o json | jq -c '.statuses | map([.wamid, .businessId])')" '[["wamid.2",2]]'
    sioctl contact erase $number --business 1 >/dev/null
    assert_equal "$(sql "SELECT group_concat(CAST(wamid AS TEXT), ' ') FROM status")" 'wamid.2 wamid.3'
    sioctl contact erase $number --business 2 >/dev/null
    assert_equal "$(sql "SELECT group_concat(CAST(wamid AS TEXT), ' ') FROM status")" wamid.3
}

@test "ids of siod's own and the account's id are not taken for a short number" {
    local i document
    for i in 1 2 3 4 5; do
        post_webhook "$(text_webhook "wamid.$i" "1555888000$i" hello | jq -c '.entry[0].id = "3"')"
    done
    post_webhook "$(text_webhook wamid.6 3 hello | jq -c '.entry[0].id = "9988" | .entry[0].changes[0].value.messages[0].from = 3')"
    document=$(sioctl contact export +3 -o json)
    assert_equal "$(jq -c '[.events[].args[0] | .chatId // .message.chatId] | unique' <<<"$document")" '[6]'
    assert_equal "$(jq -c '[.webhooks[].webhookId]' <<<"$document")" '[6]'
    assert_equal "$(sioctl contact erase +3 -o json | jq -c '[.webhooks, .messages]')" '[1,1]'
    assert_equal "$(sql "SELECT group_concat(id) FROM (SELECT id FROM log WHERE args = x'' ORDER BY id)")" 16,17,18
}

# to_group WAMID FROM SECOND: a text in a group.
to_group() {
    text_webhook "$1" "$2" "text of $1" | jq -c --arg second "$3" \
        '.entry[0].changes[0].value.messages[0] |= (.group_id = "R3JvdXA=" | .timestamp = $second)'
}

# reaction_of WAMID FROM SECOND TARGET
reaction_of() {
    to_group "$1" "$2" "$3" | jq -c --arg target "$4" '.entry[0].changes[0].value.messages[0] |=
        (del(.text) | .type = "reaction" | .reaction = {message_id: $target, emoji: "+"})'
}

group_now() {
    sioctl chat list -o json | jq -c '.[] | select(.groupId) |
        [.lastMessageId, .lastMessage.wamid, .lastMessageAt, .windowExpiresAt, .contact.phone]'
}

@test "a group that loses a contact's messages goes on with the last one of the others" {
    local at=2025-06-08T20:51
    post_webhook "$(to_group wamid.1 4915550701 1749415861)"
    post_webhook "$(reaction_of wamid.2 4915550703 1749415862 wamid.1)"
    post_webhook "$(to_group wamid.3 4915550702 1749415863)"
    post_webhook "$(reaction_of wamid.4 4915550702 1749415864 wamid.1)"
    assert_equal "$(group_now)" "[2,\"wamid.3\",\"$at:03.000Z\",\"2025-06-09T20:51:04.000Z\",\"4915550702\"]"
    sioctl contact erase 4915550702 >/dev/null
    assert_equal "$(group_now)" "[1,\"wamid.1\",\"$at:01.000Z\",\"2025-06-09T20:51:02.000Z\",\"4915550701\"]"
    assert_equal "$(sioctl store check -o json | jq -c 'map(select(.ok | not))')" '[]'
    sioctl contact erase 4915550701 >/dev/null
    sioctl contact erase 4915550703 >/dev/null
    assert_equal "$(group_now)" '[null,null,null,null,null]'
    assert_equal "$(sioctl store check -o json | jq -c 'map(select(.ok | not))')" '[]'
    post_webhook "$(to_group wamid.5 4915550704 1749415860)"
    assert_equal "$(group_now)" "[3,\"wamid.5\",\"$at:00.000Z\",\"2025-06-09T20:51:00.000Z\",\"4915550704\"]"
}
