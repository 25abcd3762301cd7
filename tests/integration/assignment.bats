#!/usr/bin/env bats
# Who gets a chat, when it waits, when it comes back.

load ../lib/siod

setup() {
    setup_siod
}

teardown() {
    teardown_siod
}

# customer_writes WAMID FROM [TEXT]
customer_writes() {
    assert_equal "$(post_webhook "$(text_webhook "$1" "$2" "${3:-hello}")")" 200
}

# chat_is CHAT STATE AGENT: in the store, agent 0 = none.
chat_is() {
    [[ $(sql "SELECT CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'assigned' ELSE 'closed' END, agent_id
              FROM chat WHERE id = $1") == "$2|$3" ]]
}

# decisions CHAT: outcome, rule and agent of each, the oldest first.
decisions() {
    sql "SELECT CAST(outcome AS TEXT), CAST(policy AS TEXT), agent_id FROM decision
         WHERE chat_id = $1 ORDER BY id" | paste -sd' '
}

online() {
    [[ $(sql "SELECT count(*) FROM agent WHERE online AND user_id = $1") == 1 ]]
}

offline() {
    refute online "$1" 2>/dev/null
}

# eligible USER…: these agents could have a chat now, and no others.
eligible() {
    [[ $(sioctl agent list -o ndjson | jq 'select(.eligible).agentId' | paste -sd' ') == "$*" ]]
}

was_told() {
    [[ $(sql 'SELECT waiting_told FROM chat') == 1 ]]
}

@test "a new chat goes to an agent, and the business is told who the customer is" {
    start_siod
    agent_connected ann --token "$(token 7 1)" --transports websocket
    wait_until online 7
    customer_writes wamid.1 16505551234 "is anybody there"
    wait_until agent_saw ann '.event == "chat_assigned"'
    assert_equal "$(agent_events ann chat_assigned | jq -c '.args[0] | [.chatId, .agentId,
        .customerInfo.first_name, .customerInfo.phone, .customerInfo.lastMessage.text]')" \
        '[1,7,"Customer","16505551234","is anybody there"]'
    agent_events ann chat_assigned | jq -e '.args[0].timestamp | test("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z$")'
    chat_is 1 assigned 7
    assert_equal "$(decisions 1)" 'assigned|least_loaded|7'
    customer_writes wamid.2 16505551234 again
    wait_until agent_saw ann '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.2"'
    assert_equal "$(agent_events ann chat_assigned | wc -l)" 1
}

@test "a chat that nobody can take waits, announced once, and goes out oldest first" {
    start_siod
    agent_connected ann --token "$(token 7 1)" --transports websocket
    wait_until online 7
    agent_asks ann agent_status_update '"busy"'
    customer_writes wamid.1 16505550001
    customer_writes wamid.2 16505550002
    customer_writes wamid.3 16505550001 "still here"
    wait_until agent_saw ann '.event == "whatsapp_message_received" and .args[0].message.wamid == "wamid.3"'
    wait_until agent_saw ann '.event == "chat_waiting" and .args[0].chatId == 2'
    assert_equal "$(agent_events ann chat_waiting | jq -c '.args[0] | [.chatId, .customerInfo.phone]' | paste -sd' ')" \
        '[1,"16505550001"] [2,"16505550002"]'
    assert_equal "$(sql "SELECT considered ->> '$.agents[0].reason' FROM
        (SELECT CAST(considered AS TEXT) AS considered FROM decision WHERE chat_id = 1)")" busy
    agent_asks ann agent_status_update '"available"'
    wait_until chat_is 2 assigned 7
    assert_equal "$(agent_events ann chat_assigned | jq '.args[0].chatId' | paste -sd' ')" '1 2'
    assert_equal "$(decisions 1)" 'waiting|least_loaded|0 assigned|least_loaded|7'
}

@test "chats are shared evenly, and nobody gets more than the capacity" {
    start_siod -o assign.capacity=3
    agent_connected ann --token "$(token 7 1)" --transports websocket
    agent_connected bob --token "$(token 8 1)" --transports websocket
    agent_connected zoe --token "$(token 9 2)" --transports websocket
    wait_until online 7
    wait_until online 8
    for n in 1 2 3 4 5 6 7; do
        customer_writes "wamid.$n" "1650555000$n"
    done
    wait_until agent_saw ann '.event == "chat_waiting"'
    assert_equal "$(sql 'SELECT agent_id, count(*) FROM chat GROUP BY agent_id' | paste -sd' ')" '0|1 7|3 8|3'
    assert_equal "$(agent_lines zoe '.type == "event" and (.event | startswith("chat_"))' | wc -l)" 0
}

@test "an agent who is gone for the grace gives back what is not answered" {
    start_siod -o presence.offline_grace_ms=300 -o assign.policy=round_robin
    agent_connected ann --token "$(token 7 1)" --transports websocket
    wait_until online 7
    customer_writes wamid.1 16505550001
    customer_writes wamid.2 16505550002
    wait_until chat_is 2 assigned 7
    post_webhook "$(echo_webhook wamid.3 16505550002 "we are on it")"
    agent_stop ann
    wait_until chat_is 1 waiting 0
    chat_is 2 assigned 7
    agent_connected bob --token "$(token 8 1)" --transports websocket
    wait_until chat_is 1 assigned 8
    assert_equal "$(decisions 1)" \
        'assigned|round_robin|7 unassigned|agent_offline|0 waiting|round_robin|0 assigned|round_robin|8'
    customer_writes wamid.4 16505550002 "thank you, but"
    wait_until chat_is 2 assigned 8
    assert_equal "$(decisions 2 | cut -d' ' -f2-)" 'reopened|customer_wrote|0 assigned|round_robin|8'
}

@test "round_robin remembers whose turn it is over a restart, an absence, and a chat given by hand" {
    local -a options=(-o assign.policy=round_robin -o presence.offline_grace_ms=300)
    start_siod "${options[@]}"
    agent_connected ann --token "$(token 7 1)" --transports websocket
    agent_connected bob --token "$(token 8 1)" --transports websocket
    wait_until online 7
    wait_until online 8
    customer_writes wamid.1 16505550001
    wait_until chat_is 1 assigned 7
    post_webhook "$(echo_webhook wamid.2 16505550001 "we are on it")" # the chat stays with its agent
    agent_stop ann
    agent_stop bob
    stop_siod
    start_siod "${options[@]}"
    agent_connected ann2 --token "$(token 7 1)" --transports websocket
    agent_connected bob2 --token "$(token 8 1)" --transports websocket
    wait_until eligible 7 8
    customer_writes wamid.3 16505550003
    wait_until chat_is 2 assigned 8
    post_webhook "$(echo_webhook wamid.4 16505550003 "we are on it")"
    agent_stop bob2
    wait_until offline 8
    agent_connected bob3 --token "$(token 8 1)" --transports websocket
    wait_until eligible 7 8
    customer_writes wamid.5 16505550005
    wait_until chat_is 3 assigned 7
    sioctl chat assign 3 8
    customer_writes wamid.6 16505550006
    wait_until chat_is 4 assigned 7
}

@test "waiting chats are examined again at start, without a second announcement" {
    start_siod
    customer_writes wamid.1 16505550001
    wait_until was_told
    kill_siod
    start_siod
    agent_connected ann --token "$(token 7 1)" --transports websocket
    wait_until chat_is 1 assigned 7
    assert_equal "$(decisions 1)" 'waiting|least_loaded|0 assigned|least_loaded|7'
}

# crowd FIRST LAST: chats of as many customers that wait and were never announced; siod does not run.
crowd() {
    sqlite3 "$SIOD_DIR/siod.db" "
        WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
            INSERT INTO contact(id, business_id, name, phone, wa_id, created_at_ms)
            SELECT i, 1, CAST('Customer' AS BLOB), CAST(i AS BLOB), CAST(i AS BLOB), 0 FROM n;
        INSERT INTO chat(id, business_id, phone_number_id, contact_id, created_at_ms, waiting_since_ms)
            SELECT id, 1, CAST('$PHONE_NUMBER_ID' AS BLOB), id, 1, id FROM contact WHERE id >= $1;
        UPDATE sequence SET last = $2 WHERE name = 'chat';"
}

# announced CONDITION: how many times chats were, and how many chats.
announced() {
    sql "SELECT count(*), count(DISTINCT chat) FROM
        (SELECT id, CAST(args AS TEXT) ->> '\$.chatId' AS chat FROM log WHERE event = CAST('chat_waiting' AS BLOB))
        WHERE ${1:-true}"
}

is_announced() {
    [[ $(announced "chat = $1") == '1|1' ]]
}

all_told() {
    [[ $(sql 'SELECT count(*) FROM chat WHERE waiting_told = 0') == 0 ]]
}

@test "chats that wait unannounced at start are announced once, over restarts, and hold nothing up" {
    start_siod -o assign.policy=manual
    customer_writes wamid.1 16505550001
    wait_until is_announced 1
    stop_siod
    crowd 1001 6000

    start_siod -o assign.policy=manual
    customer_writes wamid.2 16505550002
    wait_until is_announced 6001
    refute all_told # it came later than all those, and was told of before the last of them
    stop_siod
    start_siod -o assign.policy=manual
    customer_writes wamid.3 16505550003
    wait_until is_announced 6002
    kill_siod
    refute all_told
    start_siod
    wait_until all_told
    assert_equal "$(announced)" '5003|5003'
    stop_siod
    start_siod
    customer_writes wamid.4 16505550004
    wait_until is_announced 6003
    assert_equal "$(announced)" '5004|5004'
}

@test "nobody gets anything by itself when the policy is manual" {
    start_siod -o assign.policy=manual
    agent_connected ann --token "$(token 7 1)" --transports websocket
    customer_writes wamid.1 16505550001
    wait_until agent_saw ann '.event == "chat_waiting"'
    assert_equal "$(decisions 1)" 'waiting|manual|0'
    agent_stop ann
    stop_siod
    start_siod
    wait_until chat_is 1 assigned 7
}

@test "a back end that is connected as a service gets no chats" {
    start_siod
    agent_connected bot --token "$(token 5 1 '"role":"service"')" --transports websocket
    wait_until online 5
    customer_writes wamid.1 16505550001
    wait_until agent_saw bot '.event == "chat_waiting"'
    agent_connected ann --token "$(token 7 1)" --transports websocket
    wait_until chat_is 1 assigned 7
}

@test "a chat that the business begins on its phone needs nobody until the customer answers" {
    start_siod
    agent_connected ann --token "$(token 7 1)" --transports websocket
    wait_until online 7
    post_webhook "$(echo_webhook wamid.1 16505550001 "your parcel is here")"
    chat_is 1 closed 0
    customer_writes wamid.2 16505550001 "coming"
    wait_until chat_is 1 assigned 7
    wait_until agent_saw ann '.event == "chat_assigned"'
}

@test "a user who comes with another role gets chats by that one" {
    start_siod
    agent_connected bot --token "$(token 5 1 '"role":"service"')" --transports websocket
    customer_writes wamid.1 16505550001
    wait_until agent_saw bot '.event == "chat_waiting"'
    assert_equal "$(sioctl agent show 5 -o json | jq -c '[.role, .reason]')" '["service","service"]'
    agent_connected person --token "$(token 5 1)" --transports websocket
    wait_until chat_is 1 assigned 5
    assert_equal "$(sioctl agent show 5 -o json | jq -c '[.role, .eligible]')" '["agent",true]'
}

# is_agent ROLE ONLINE ELIGIBLE REASON: what agent 5 is.
is_agent() {
    [[ $(sioctl agent show 5 -o json | jq -c '[.role, .online, .eligible, .reason]' | tr -d '"') == "[$1,$2,$3,$4]" ]]
}

@test "a user whose back end alone has stayed for the grace is online and gets no chats" {
    start_siod -o presence.offline_grace_ms=300
    agent_connected bot --token "$(token 5 1 '"role":"service"')" --transports websocket
    agent_connected person --token "$(token 5 1)" --transports websocket
    agent_connected other --token "$(token 5 1 '"role":"supervisor"')" --transports websocket
    wait_until is_agent supervisor true true null
    agent_stop other
    agent_stop person
    wait_until is_agent service true false service
    customer_writes wamid.1 16505550001
    wait_until agent_saw bot '.event == "chat_waiting"'
    assert_equal "$(agent_events bot user_offline)" ''

    agent_connected person --token "$(token 5 1)" --transports websocket
    wait_until chat_is 1 assigned 5
    is_agent agent true true null
    agent_stop bot
    agent_stop person
    wait_until offline 5
}

@test "a user whose back end stays may be away for the grace" {
    start_siod -o presence.offline_grace_ms=60000
    agent_connected bot --token "$(token 5 1 '"role":"service"')" --transports websocket
    agent_connected person --token "$(token 5 1)" --transports websocket
    wait_until is_agent agent true true null
    agent_stop person
    wait_until sockets_are 1
    customer_writes wamid.1 16505550001
    wait_until chat_is 1 assigned 5
}

@test "a back end that comes while its user is away takes nothing from it before the grace is over" {
    start_siod -o presence.offline_grace_ms=60000
    agent_connected person --token "$(token 5 1)" --transports websocket
    wait_until is_agent agent true true null
    agent_stop person
    wait_until sockets_are 0
    agent_connected bot --token "$(token 5 1 '"role":"service"')" --transports websocket
    customer_writes wamid.1 16505550001
    wait_until chat_is 1 assigned 5
    is_agent agent true true null
}

@test "a chat that is taken from an agent goes to another; back only if there is no other" {
    start_siod
    agent_connected ann --token "$(token 7 1)" --transports websocket
    customer_writes wamid.1 16505550001
    customer_writes wamid.2 16505550002
    wait_until chat_is 2 assigned 7
    agent_connected bob --token "$(token 8 1)" --transports websocket
    sioctl agent capacity 8 1
    sioctl chat unassign 1
    wait_until chat_is 1 assigned 8
    sioctl chat unassign 2
    wait_until agent_saw ann '.event == "chat_assigned" and .args[0].chatId == 1'
    wait_until chat_is 2 assigned 7
    assert_equal "$(sioctl chat explain 1 -o json | jq -c '.[0].considered.agents | map([.agentId, .reason])')" \
        '[[8,"eligible"],[7,"avoided"]]'
}

@test "the business is told when a chat is closed, and by whom it was served" {
    start_siod
    customer_writes wamid.1 16505550001
    wait_until was_told
    sioctl chat show 1 -o json | jq -e '.waitingSince | test("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z$")'
    agent_connected ann --token "$(token 7 1)" --transports websocket
    wait_until chat_is 1 assigned 7
    assert_equal "$(sioctl chat show 1 -o json | jq .waitingSince)" null
    sioctl chat close 1
    wait_until agent_saw ann '.event == "chat_closed"'
    assert_equal "$(agent_events ann chat_closed | jq -c '.args[0] | [.chatId, .agentId, (.timestamp | length)]')" '[1,7,24]'
}

@test "who has connected is found by whoever asks at once" {
    start_siod
    for user in 11 12 13 14 15; do
        agent_connected "a$user" --token "$(token "$user" 1)" --transports websocket
        sioctl agent show "$user"
        sioctl agent list -o json | jq -e "any(.agentId == $user and .online)"
        sioctl agent status "$user" busy
    done
}
