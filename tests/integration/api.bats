#!/usr/bin/env bats
# The HTTP API: what it answers, what it refuses, and that one tenant sees nothing of another.

load ../lib/siod

OTHER_NUMBER=222000000000002
ORIGIN=https://desk.example.org

setup() {
    setup_siod
    start_siod -o "business.2.phone_number_ids=$OTHER_NUMBER" -o "http.cors_origins=$ORIGIN"
    OURS=$(token 7 1)
    THEIRS=$(token 7 2)
    SERVICE=$(token 90 1 '"role":"service"')
}

teardown() {
    teardown_siod
}

# call TOKEN METHOD PATH [BODY]: prints the answer as {status, type, body}; the headers go to $BATS_TEST_TMPDIR/headers.
call() {
    local args=(-X "$2")
    [[ -z $1 ]] || args+=(-H "Authorization: Bearer $1")
    [[ -z ${4:-} ]] || args+=(-H 'Content-Type: application/json' --data-binary "$4")
    curl -sS --max-time "$DEADLINE" -D "$BATS_TEST_TMPDIR/headers" -w '\n%{http_code}\n%{content_type}\n' \
        "${args[@]}" "$(url_of "$3")" |
        jq -Rsc 'split("\n") | {status: (.[-3] | tonumber), type: .[-2], body: (.[0] | try fromjson catch null)}'
}

# url_of PATH|URL
url_of() {
    if [[ $1 == /* ]]; then
        echo "$SIOD_URL$1"
    else
        echo "$1"
    fi
}

get() {
    call "$1" GET "$2"
}

# assert_problem ANSWER STATUS CODE [WORD]: WORD is in the detail.
assert_problem() {
    assert_equal "$(jq -c '[.status, .type, .body.status, .body.code]' <<<"$1")" \
        "[$2,\"application/problem+json\",$2,\"$3\"]"
    assert_contains "$(jq -r .body.detail <<<"$1")" "${4:-}"
}

has_header() {
    grep -iqE -- "^$1"$'\r?$' "$BATS_TEST_TMPDIR/headers"
}

# customers COUNT [PHONE_NUMBER_ID]: each writes once, which makes a chat.
customers() {
    local i
    for ((i = 1; i <= $1; i++)); do
        assert_equal "$(post_webhook "$(text_webhook "wamid.${2:-own}.$i" "4915550$((10000 + i))" hello "${2:-}")")" 200
    done
}

# pages TOKEN PATH FILTER: follows next to the end; what the jq filter says of each page, one a line.
pages() {
    local path=$2 answer turns=0
    while [[ $path != null ]] && ((turns++ < 50)); do
        answer=$(get "$1" "$path")
        assert_equal "$(jq .status <<<"$answer")" 200
        jq -c ".body | $3" <<<"$answer"
        path=$(jq -r .body.next <<<"$answer")
    done
}

# known_agent USER BUSINESS: has a row, and is offline again or not; without chats of its own.
known_agent() {
    agent_connected "a$1_$2" --token "$(token "$1" "$2")" --transports websocket
    wait_until row_exists "agent WHERE user_id = $1 AND business_id = $2"
}

row_exists() {
    [[ $(sql "SELECT count(*) FROM $1") -ge 1 ]]
}

# ---- who may ask

@test "without a good token there is a challenge and a code" {
    answer=$(get "" /api/chats)
    assert_problem "$answer" 401 token_missing
    has_header 'WWW-Authenticate: Bearer realm="siod"'

    answer=$(curl -sS -u a:b "$SIOD_URL/api/chats")
    assert_equal "$(jq -r .code <<<"$answer")" token_missing
    answer=$(curl -sS -H "Authorization: Bearer $OURS" -H "Authorization: Bearer $OURS" "$SIOD_URL/api/chats")
    assert_equal "$(jq -r .code <<<"$answer")" token_missing

    assert_problem "$(get not.a.token /api/chats)" 401 token_invalid
    has_header 'WWW-Authenticate: Bearer realm="siod", error="invalid_token", error_description=".*"'
    assert_problem "$(get "$(jwt '{"userId":7,"businessId":1,"exp":1000}')" /api/chats)" 401 token_expired
    assert_problem "$(get "$(jwt '{"userId":7,"businessId":1,"nbf":99999999999,"exp":99999999999}')" /api/chats)" \
        401 token_not_yet_valid
    assert_problem "$(get "$(jwt "{\"userId\":7,\"exp\":$((EPOCHSECONDS + 60))}")" /api/chats)" 401 claims_invalid
    printf wrong >"$BATS_TEST_TMPDIR/wrong.key"
    assert_problem "$(get "$(jwt '{"userId":7,"businessId":1}' '{"alg":"HS256","typ":"JWT"}' \
        "$BATS_TEST_TMPDIR/wrong.key")" /api/chats)" 401 token_invalid
    refute grep -aq "not.a.token" "$SIOD_LOG"
}

@test "the name of the scheme has no case" {
    assert_equal "$(curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: bEARER $OURS" "$SIOD_URL/api/chats")" 200
}

@test "unknown resources are 404, wrong methods 405 with Allow" {
    assert_problem "$(get "$OURS" /api/nothing)" 404 not_found
    assert_problem "$(get "$OURS" /api/chats/1/nothing)" 404 not_found
    assert_problem "$(get "$OURS" /api/chats/1/close/2)" 404 not_found
    assert_problem "$(call "$OURS" DELETE /api/chats)" 405 method_not_allowed
    has_header 'Allow: GET, HEAD, OPTIONS'
    assert_problem "$(get "$OURS" /api/chats/1/close)" 405 method_not_allowed
    has_header 'Allow: POST, OPTIONS'
}

@test "without origins the API has no OPTIONS, and does not say so" {
    stop_siod
    start_siod
    assert_problem "$(call "$OURS" OPTIONS /api/chats)" 405 method_not_allowed
    has_header 'Allow: GET, HEAD'
    assert_problem "$(call "$OURS" OPTIONS /api/chats/1/close)" 405 method_not_allowed
    has_header 'Allow: POST'
}

@test "HEAD answers like GET, without the body" {
    headers=$(curl -sS -I -H "Authorization: Bearer $OURS" "$SIOD_URL/api/chats")
    assert_contains "$headers" "200 OK"
    assert_contains "$headers" "application/json"
}

# ---- chats

@test "chats have the keys of sioctl and of the events" {
    customers 1
    answer=$(get "$OURS" /api/chats/1)
    assert_equal "$(jq -c '[.status, .type]' <<<"$answer")" '[200,"application/json"]'
    assert_equal "$(jq -c '.body | [.chatId, .businessId, .state, .agentId, .contact.phone, .lastMessageId]' \
        <<<"$answer")" '[1,1,"waiting",null,"491555010001",1]'
    assert_equal "$(jq -cS .body <<<"$answer")" "$(sioctl -o json chat show 1 | jq -cS 'del(.readers, .calls)')"
    assert_equal "$(get "$OURS" /api/chats | jq -cS '.body.items[0]')" "$(jq -cS .body <<<"$answer")"
}

@test "pages of chats follow one another without loss, whatever comes in between" {
    customers 7
    customers 2 $OTHER_NUMBER
    assert_equal "$(pages "$OURS" '/api/chats?limit=2' '[.items[].chatId]')" $'[1,2]\n[3,4]\n[5,6]\n[7]'
    assert_equal "$(pages "$OURS" '/api/chats?limit=7' '[.items[].chatId]')" '[1,2,3,4,5,6,7]'

    next=$(get "$OURS" '/api/chats?limit=3' | jq -r .body.next)
    assert_equal "$(post_webhook "$(text_webhook wamid.late 4915559999999 late)")" 200
    assert_equal "$(call "$OURS" POST /api/chats/4/close | jq .status)" 200
    assert_equal "$(pages "$OURS" "$next" '[.items[].chatId]')" $'[4,5,6]\n[7,10]'
}

@test "chats by state and by agent, on every page" {
    local i
    known_agent 7 1
    customers 6
    wait_until chats_are_with 7 6
    for i in 1 3 5; do
        assert_equal "$(call "$OURS" POST "/api/chats/$i/close" | jq .status)" 200
    done
    assert_equal "$(pages "$OURS" '/api/chats?state=closed&limit=1' '[.items[].chatId]')" $'[1]\n[3]\n[5]'
    assert_equal "$(pages "$OURS" '/api/chats?agent=7&limit=2' '[.items[].chatId]')" $'[2,4]\n[6]'
    assert_equal "$(get "$OURS" '/api/chats?agent=7&state=waiting' | jq -c .body)" '{"items":[],"next":null}'
    assert_equal "$(get "$OURS" '/api/chats?agent=8' | jq -c .body)" '{"items":[],"next":null}'
}

chats_are_with() {
    [[ $(sql "SELECT count(*) FROM chat WHERE agent_id = $1") == "$2" ]]
}

@test "a parameter that is no good is named" {
    customers 1
    assert_problem "$(get "$OURS" '/api/chats?state=open')" 400 invalid_argument "state:"
    assert_problem "$(get "$OURS" '/api/chats?agent=seven')" 400 invalid_argument "agent:"
    assert_problem "$(get "$OURS" '/api/chats?after=-1')" 400 invalid_argument "after:"
    for limit in 0 501 x '' 1.5 99999999999999999999; do
        assert_problem "$(get "$OURS" "/api/chats?limit=$limit")" 400 invalid_argument "limit:"
    done
    for query in 'limit=1&limit=2' 'limit=%zz' 'limit=%'; do
        assert_problem "$(get "$OURS" "/api/chats?$query")" 400 invalid_argument "limit:"
    done
    assert_problem "$(get "$OURS" '/api/chats?state=waiting&%73tate=closed')" 400 invalid_argument "state:"
    assert_problem "$(get "$OURS" '/api/chats/1/messages?before=1&before=1')" 400 invalid_argument "before:"
    assert_problem "$(get "$OURS" /api/chats/x)" 400 invalid_argument "id:"
    assert_problem "$(get "$OURS" /api/chats/0/messages)" 400 invalid_argument "id:"
    assert_problem "$(get "$OURS" '/api/chats/1/messages?before=1&after=1')" 400 invalid_argument "before, after:"
    assert_problem "$(get "$OURS" '/api/chats/1/messages?before=x')" 400 invalid_argument "before:"
    assert_problem "$(get "$OURS" '/api/chats/1/messages?after=4711')" 400 invalid_argument "after:"
    assert_problem "$(get "$OURS" '/api/agents?after=x')" 400 invalid_argument "after:"
}

# next_with CURL_ARGUMENT…: where the next page of chats is said to be.
next_with() {
    curl -sS -H "Authorization: Bearer $OURS" "$@" "$SIOD_URL/api/chats?limit=1" | jq -r .next
}

@test "next is a URL of the host that was asked, and of no other" {
    local long
    customers 2
    assert_equal "$(next_with)" "$SIOD_URL/api/chats?limit=1&after=1"
    assert_equal "$(next_with -H 'Host: desk.example.org:8080')" "http://desk.example.org:8080/api/chats?limit=1&after=1"
    assert_equal "$(next_with -H 'Host: [2001:db8::1]:80')" "http://[2001:db8::1]:80/api/chats?limit=1&after=1"
    # Nobody who is not trusted says where the next page is.
    assert_equal "$(next_with -H 'X-Forwarded-Host: evil.example' -H 'X-Forwarded-Proto: https')" \
        "$SIOD_URL/api/chats?limit=1&after=1"
    # A target in absolute form says it, whatever Host has (RFC 9112, 3.2.2).
    assert_equal "$(next_with --request-target 'http://abs.example:5/api/chats?limit=1' -H 'Host: other.example')" \
        "http://abs.example:5/api/chats?limit=1&after=1"
    assert_equal "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Host: x:99999' "$SIOD_URL/healthz")" 400
    # What is no plain name is not repeated.
    printf -v long '%300s' ''
    for host in 'a b' 'user@evil.example' 'evil.example/x' 'evil.example?x' 'a"b' 'a:99x' 'a:' ':80' '[::1' 'a,b' "${long// /a}"; do
        [[ $(next_with -H "Host: $host") == "/api/chats?limit=1&after=1" ]] ||
            [[ $(curl -sS -o /dev/null -w '%{http_code}' -H "Host: $host" "$SIOD_URL/healthz") == 400 ]] || fail "$host"
    done
    assert_equal "$(next_with -0 -H 'Host:')" "/api/chats?limit=1&after=1"
}

@test "behind a trusted proxy, next is where the proxy was asked" {
    customers 2
    stop_siod
    start_siod -o http.trusted_proxies=127.0.0.1
    assert_equal "$(next_with -H 'X-Forwarded-Host: desk.example.org' -H 'X-Forwarded-Proto: https')" \
        "https://desk.example.org/api/chats?limit=1&after=1"
    assert_equal "$(next_with -H 'Host: desk.example.org' -H 'X-Forwarded-Proto: https')" \
        "https://desk.example.org/api/chats?limit=1&after=1"
    assert_equal "$(next_with -H 'X-Forwarded-Host: a, b' -H 'X-Forwarded-Proto: gopher')" \
        "$SIOD_URL/api/chats?limit=1&after=1"
}

@test "the chats of a state are those of this business, on every page" {
    local i
    known_agent 7 1
    customers 3
    customers 3 $OTHER_NUMBER
    wait_until chats_are_with 7 3
    assert_equal "$(pages "$OURS" '/api/chats?state=assigned&limit=2' '[.items[].chatId]')" $'[1,2]\n[3]'
    assert_equal "$(get "$OURS" '/api/chats?state=waiting' | jq -c .body.items)" '[]'
    assert_equal "$(pages "$THEIRS" '/api/chats?state=waiting&limit=2' '[.items[].chatId]')" $'[4,5]\n[6]'
    assert_equal "$(get "$THEIRS" '/api/chats?state=assigned' | jq -c .body.items)" '[]'
    assert_equal "$(sioctl chat list --state waiting -o json | jq -c 'map(.chatId)')" '[4,5,6]'
    assert_equal "$(sioctl chat list --state assigned -o json | jq -c 'map(.chatId)')" '[1,2,3]'
}

# ---- messages

@test "pages of messages lead back to the first one, or forward to the last" {
    local i
    customers 1
    for i in 2 3 4 5; do
        post_webhook "$(text_webhook "wamid.m$i" 491555010001 "text $i")"
    done
    customers 2 $OTHER_NUMBER
    assert_equal "$(pages "$OURS" '/api/chats/1/messages?limit=2' '[.items[].id]')" $'[4,5]\n[2,3]\n[1]'
    assert_equal "$(pages "$OURS" '/api/chats/1/messages?limit=2&after=1' '[.items[].id]')" $'[2,3]\n[4,5]'
    assert_equal "$(pages "$OURS" '/api/chats/1/messages?before=3' '[.items[].id]')" '[1,2]'
    assert_equal "$(get "$OURS" '/api/chats/1/messages?after=5' | jq -c .body)" '{"items":[],"next":null}'
    message=$(get "$OURS" '/api/chats/1/messages?limit=1' | jq -cS '.body.items[0]')
    assert_equal "$message" "$(sioctl -o json message show 5 | jq -cS .)"
    assert_problem "$(get "$OURS" '/api/chats/1/messages?before=6')" 400 invalid_argument "before:"
}

# group_text WAMID FROM SECOND
group_text() {
    text_webhook "$1" "$2" "$1" | jq -c --arg second "$3" \
        '.entry[0].changes[0].value.messages[0] |= (.group_id = "R3JvdXA=" | .timestamp = $second)'
}

# By second and id they are 1 2 5 3 4 6.
@test "a page of messages is followed by the next one though the message between them is gone" {
    local older newer
    post_webhook "$(group_text wamid.1 4915550701 1749416320)"
    post_webhook "$(group_text wamid.2 4915550701 1749416321)"
    post_webhook "$(group_text wamid.3 4915550701 1749416322)"
    post_webhook "$(group_text wamid.4 4915550702 1749416322)"
    post_webhook "$(group_text wamid.5 4915550703 1749416321)"
    post_webhook "$(group_text wamid.6 4915550701 1749416324)"
    customers 1 $OTHER_NUMBER
    older=$(get "$OURS" '/api/chats/1/messages?limit=2' | jq -c '[[.body.items[].id], .body.next]')
    newer=$(get "$OURS" '/api/chats/1/messages?limit=2&after=1' | jq -c '[[.body.items[].id], .body.next]')
    assert_equal "$(jq -c '.[0]' <<<"$older$newer" | xargs)" "[4,6] [2,5]"
    sioctl contact erase 4915550702 >/dev/null
    sioctl contact erase 4915550703 >/dev/null
    assert_equal "$(pages "$OURS" "$(jq -r '.[1]' <<<"$older")" '[.items[].id]')" $'[2,3]\n[1]'
    assert_equal "$(pages "$OURS" "$(jq -r '.[1]' <<<"$newer")" '[.items[].id]')" '[3,6]'
    # Of what is in other chats, or nowhere, it tells nothing.
    assert_equal "$(get "$OURS" '/api/chats/1/messages?before=7&second=1749416321' | jq -c '[.body.items[].id]')" '[1,2]'
    assert_equal "$(get "$OURS" '/api/chats/1/messages?before=99&second=1749416321' | jq -c '[.body.items[].id]')" '[1,2]'
    assert_problem "$(get "$OURS" '/api/chats/1/messages?second=1749416321')" 400 invalid_argument "second:"
    assert_problem "$(get "$OURS" '/api/chats/1/messages?before=1&second=x')" 400 invalid_argument "second:"
    assert_problem "$(get "$OURS" '/api/chats/2/messages?before=1&second=1')" 404 not_found
}

# ---- agents

@test "agents are listed with what is stored and what is live, in pages" {
    known_agent 7 1
    known_agent 9 1
    known_agent 8 2
    wait_until agent_is_eligible 9
    assert_equal "$(pages "$OURS" '/api/agents?limit=1' '[.items[] | .agentId, .online, .status]')" \
        $'[7,true,"available"]\n[9,true,"available"]'
    assert_equal "$(get "$OURS" /api/agents | jq -cS .body.items)" \
        "$(sioctl -o json agent list --business 1 | jq -cS .)"
    assert_equal "$(get "$THEIRS" /api/agents | jq -c '[.body.items[].agentId]')" '[8]'
}

agent_is_eligible() {
    [[ $(get "$OURS" /api/agents | jq ".body.items[] | select(.agentId == $1).eligible") == true ]]
}

# ---- changes

@test "assign, close and reopen answer after the commit and are told to the business" {
    start_away
    customers 1
    answer=$(call "$OURS" POST /api/chats/1/assign '{"agentId":9}')
    assert_equal "$(jq -c '[.status, .body]' <<<"$answer")" \
        '[200,{"chatId":1,"businessId":1,"state":"assigned","agentId":9}]'
    assert_equal "$(sql "SELECT agent_id FROM chat WHERE id = 1")" 9
    wait_until agent_saw a9_1 '.type == "event" and .event == "chat_assigned" and .args[0].agentId == 9'
    assert_contains "$(sioctl -o json chat explain 1)" '"user 7"'

    assert_problem "$(call "$OURS" POST /api/chats/1/assign '{"agentId":9}')" 409 conflict "does not wait"
    assert_problem "$(call "$OURS" POST /api/chats/1/assign '{"agentId":9,"force":true}')" 409 conflict "already"
    assert_problem "$(call "$OURS" POST /api/chats/1/assign '{"agentId":4711,"force":true}')" 404 not_found "agentId:"
    assert_problem "$(call "$OURS" POST /api/chats/1/reopen)" 409 conflict "not closed"

    assert_equal "$(call "$OURS" POST /api/chats/1/close '{}' | jq -c '[.body.state, .body.agentId]')" '["closed",null]'
    assert_problem "$(call "$OURS" POST /api/chats/1/close)" 409 conflict "closed already"
    assert_equal "$(call "$OURS" POST /api/chats/1/reopen | jq -r .body.state)" waiting
}

# Agent 9 is here and takes nothing by itself.
start_away() {
    known_agent 9 1
    sioctl agent status 9 away >/dev/null
}

@test "a chat is handed to a colleague only by force" {
    start_away
    known_agent 7 1
    customers 1
    wait_until chats_are_with 7 1
    assert_problem "$(call "$OURS" POST /api/chats/1/assign '{"agentId":9}')" 409 conflict
    assert_equal "$(call "$OURS" POST /api/chats/1/assign '{"agentId":"9","force":true}' | jq .body.agentId)" 9
}

@test "read moves the cursor, tells the chat, and never moves back" {
    known_agent 9 1
    customers 1
    post_webhook "$(text_webhook wamid.second 491555010001 again)"
    assert_equal "$(agent_asks a9_1 join_chat 1 | jq .ok)" true
    answer=$(call "$OURS" POST /api/chats/1/read '{"messageId":2}')
    assert_equal "$(jq -c '[.status, .body]' <<<"$answer")" '[200,{"chatId":1,"messageId":2,"moved":true}]'
    wait_until agent_saw a9_1 '.event == "message_read_receipt" and .args[0].messageId == 2 and .args[0].readBy == 7'
    assert_equal "$(call "$OURS" POST /api/chats/1/read '{"messageId":1}' | jq .body.moved)" false
    assert_problem "$(call "$OURS" POST /api/chats/1/read '{"messageId":4711}')" 404 not_found "messageId:"
}

@test "a body that is no good is refused in words" {
    customers 1
    assert_problem "$(call "$OURS" POST /api/chats/1/assign)" 400 syntax
    assert_problem "$(call "$OURS" POST /api/chats/1/assign '{"agentId":')" 400 syntax
    assert_problem "$(call "$OURS" POST /api/chats/1/assign '[7]')" 400 invalid_argument object
    assert_problem "$(call "$OURS" POST /api/chats/1/assign '{}')" 400 invalid_argument agentId
    assert_problem "$(call "$OURS" POST /api/chats/1/assign '{"agentId":-7}')" 400 invalid_argument agentId
    assert_problem "$(call "$OURS" POST /api/chats/1/assign '{"agentId":7,"force":1}')" 400 invalid_argument force
    assert_problem "$(call "$OURS" POST /api/chats/1/read '{"messageId":"x"}')" 400 invalid_argument messageId
    assert_problem "$(call "$OURS" POST /api/chats/1/close nonsense)" 400 syntax
}

@test "a body that is too large is not read" {
    head -c 70000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/large"
    answer=$(curl -sS -H "Authorization: Bearer $OURS" --data-binary "@$BATS_TEST_TMPDIR/large" \
        "$SIOD_URL/api/chats/1/close")
    assert_equal "$(jq -c '[.status, .code]' <<<"$answer")" '[413,"too_large"]'
    assert_equal "$(curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $OURS" \
        -H 'Transfer-Encoding: chunked' --data-binary "@$BATS_TEST_TMPDIR/large" "$SIOD_URL/api/chats/1/close")" 413
    assert_equal "$(curl -sS -o /dev/null -w '%{http_code}' --data-binary "@$BATS_TEST_TMPDIR/large" \
        "$SIOD_URL/api/chats/1/close")" 401
}

# ---- emit

@test "a back end emits to a room of its own business" {
    known_agent 7 1
    customers 1
    assert_equal "$(agent_asks a7_1 join_chat 1 | jq .ok)" true
    answer=$(call "$SERVICE" POST /api/emit '{"event":"invoice_paid","room":"chat_1","payload":{"amount":12.5,"n":[1]}}')
    assert_equal "$(jq -c '[.status, .body]' <<<"$answer")" \
        '[200,{"event":"invoice_paid","room":"chat_1","businessId":1,"receivers":1}]'
    wait_until agent_saw a7_1 '.event == "invoice_paid" and .args[:-1] == [{"amount":12.5,"n":[1]}]'
    call "$SERVICE" POST /api/emit $'{"event":"sp\\u0061ced","room":"chat_1",\n"payload" : {"a" :\n[ 1,\t"b c" ]} }'
    wait_until agent_saw a7_1 '.event == "spaced" and .args[:-1] == [{"a":[1,"b c"]}]'
    call "$SERVICE" POST /api/emit '{"event":"odd","room":"chat_1","payload":[12345678901234567890,1e400,"\ud800"]}'
    wait_until agent_saw a7_1 '.event == "odd" and (.args[0] | map(type)) == ["number","null","string"]'
    assert_equal "$(agent_events a7_1 odd | jq -c '.args[0][2]')" '"�"'
    assert_equal "$(call "$SERVICE" POST /api/emit '{"event":"bare","room":"business_1"}' | jq .body.receivers)" 1
    wait_until agent_saw a7_1 '.event == "bare" and .args[:-1] == []'
}

@test "emit is refused to agents, for foreign rooms and for names that are taken" {
    customers 1
    customers 1 $OTHER_NUMBER
    assert_problem "$(call "$OURS" POST /api/emit '{"event":"x","room":"chat_1"}')" 403 forbidden service
    for room in chat_2 chat_4711 chat_ chat_x chat_01 business_2 business_ business_01; do
        assert_problem "$(call "$SERVICE" POST /api/emit "{\"event\":\"x\",\"room\":\"$room\"}")" 404 not_found "room:"
    done
    assert_problem "$(call "$SERVICE" POST /api/emit '{"event":"x","room":""}')" 400 invalid_argument "room:"
    assert_problem "$(call "$SERVICE" POST /api/emit '{"event":"x"}')" 400 invalid_argument room
    assert_problem "$(call "$SERVICE" POST /api/emit '{"room":"chat_1"}')" 400 invalid_argument event
    for event in '' connect disconnect connect_error; do
        assert_problem "$(call "$SERVICE" POST /api/emit "{\"event\":\"$event\",\"room\":\"chat_1\"}")" \
            400 invalid_argument "event:"
    done
}

# ---- tenants

@test "a foreign chat is refused in the same words as one that does not exist" {
    local request method path body
    known_agent 7 2
    customers 1
    for _ in remembered "asked of the store"; do
        for request in "GET /api/chats/1" "GET /api/chats/1/messages" "GET /api/chats/1/messages?after=1" \
            'POST /api/chats/1/assign {"agentId":7}' 'POST /api/chats/1/assign {"agentId":7,"force":true}' \
            "POST /api/chats/1/close" "POST /api/chats/1/reopen" 'POST /api/chats/1/read {"messageId":1}'; do
            read -r method path body <<<"$request"
            refused=$(call "$THEIRS" "$method" "$path" "$body")
            assert_problem "$refused" 404 not_found
            assert_equal "$refused" "$(call "$THEIRS" "$method" "${path/chats\/1/chats/4711}" "$body")"
        done
        agent_stop a7_2
        stop_siod
        start_siod -o "business.2.phone_number_ids=$OTHER_NUMBER"
    done
    assert_equal "$(get "$THEIRS" /api/chats | jq -c .body)" '{"items":[],"next":null}'
    assert_equal "$(get "$THEIRS" '/api/chats?agent=7' | jq -c .body)" '{"items":[],"next":null}'
    assert_equal "$(sql "SELECT state FROM chat WHERE id = 1")" 0
}

# ---- clients that do not wait

# ask_and_leave REQUEST_LINE [BODY]: the connection is gone before the answer is.
ask_and_leave() {
    local fd
    exec {fd}<>"/dev/tcp/127.0.0.1/${SIOD_URL##*:}"
    printf '%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s' \
        "$1" "$OURS" "${#2}" "${2:-}" >&"$fd"
    exec {fd}>&-
}

@test "clients that leave before the answer harm nobody" {
    customers 2
    for _ in {1..40}; do
        ask_and_leave "GET /api/chats" ""
        ask_and_leave "GET /api/chats/1/messages" ""
        ask_and_leave "GET /api/agents" ""
        ask_and_leave "POST /api/chats/1/read" '{"messageId":1}'
        ask_and_leave "POST /api/chats/1/close" ""
        ask_and_leave "POST /api/chats/1/reopen" ""
    done
    assert_equal "$(get "$OURS" /api/chats | jq '.body.items | length')" 2
}

# ---- browsers

@test "the origins of Socket.IO are those of the API" {
    curl -sS -D "$BATS_TEST_TMPDIR/headers" -X OPTIONS -H "Origin: $ORIGIN" -H 'Access-Control-Request-Method: POST' \
        -H 'Access-Control-Request-Headers: authorization' "$SIOD_URL/api/chats/1/close"
    has_header 'HTTP/1.1 204 .*'
    has_header "Access-Control-Allow-Origin: $ORIGIN"
    has_header 'Access-Control-Allow-Methods: .*POST.*'
    has_header 'Access-Control-Allow-Headers: authorization'

    curl -sS -D "$BATS_TEST_TMPDIR/headers" -H "Origin: $ORIGIN" -H "Authorization: Bearer $OURS" "$SIOD_URL/api/chats"
    has_header "Access-Control-Allow-Origin: $ORIGIN"
    curl -sS -D "$BATS_TEST_TMPDIR/headers" -H "Origin: $ORIGIN" "$SIOD_URL/api/chats"
    has_header 'HTTP/1.1 401 .*'
    has_header "Access-Control-Allow-Origin: $ORIGIN"

    curl -sS -D "$BATS_TEST_TMPDIR/headers" -X OPTIONS -H 'Origin: https://evil.example' "$SIOD_URL/api/chats"
    refute has_header 'Access-Control-Allow-Origin:.*'
    curl -sS -D "$BATS_TEST_TMPDIR/headers" -H 'Origin: https://evil.example' -H "Authorization: Bearer $OURS" \
        "$SIOD_URL/api/chats"
    refute has_header 'Access-Control-Allow-Origin:.*'
}

@test "a chunked body that grows past the limit is refused like one that says its length" {
    head -c 70000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/large"
    for how in 'Transfer-Encoding: chunked' 'X-Length: given'; do
        answer=$(curl -sS -D "$BATS_TEST_TMPDIR/headers" -H "$how" -H "Origin: $ORIGIN" -H "Authorization: Bearer $OURS" \
            -H 'Expect:' --data-binary "@$BATS_TEST_TMPDIR/large" "$SIOD_URL/api/chats/1/close")
        assert_equal "$(jq -c '[.status, .code]' <<<"$answer")" '[413,"too_large"]'
        has_header 'Content-Type: application/problem\+json'
        has_header "Access-Control-Allow-Origin: $ORIGIN"
    done
}

# ---- numbers

@test "requests are counted, let in or not" {
    get "$OURS" /api/chats
    get "" /api/chats
    assert_equal "$(metric 'siod_api_requests_total{result="accepted"}')" 1
    assert_equal "$(metric 'siod_api_requests_total{result="unauthorized"}')" 1
}

@test "who closes its side right behind a request still gets the answer" {
    local port=${SIOD_URL##*:}
    for path in /api/chats /api/agents /api/chats?state=closed; do
        printf 'GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n' "$path" "$OURS" |
            socat -t "$DEADLINE" - "TCP:127.0.0.1:$port" 3>&- >"$BATS_TEST_TMPDIR/answer"
        assert_equal "$(head -n 1 "$BATS_TEST_TMPDIR/answer" | tr -d '\r')" 'HTTP/1.1 200 OK'
    done
}

@test "an origin that is not listed may neither open a session nor use one, and the log says so" {
    local sid url="$SIOD_URL/socket.io/?EIO=4&transport=polling"
    refused() { [[ $(curl -sS -o /dev/null -w '%{http_code}' -H 'Origin: https://evil.example' "$@") == 403 ]]; }
    upgrade=(-m "$DEADLINE" -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13'
        -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
    refused "$url"
    refused "${upgrade[@]}" "$SIOD_URL/socket.io/?EIO=4&transport=websocket"
    wait_until log_has 'origin refused.*origin="https://evil.example" setting=http.cors_origins'

    sid=$(curl -sS -H "Origin: $ORIGIN" "$url" | sed 's/^0//' | jq -r .sid)
    refused "$url&sid=$sid"
    refused --data-binary 40 "$url&sid=$sid"
    refused "${upgrade[@]}" "$SIOD_URL/socket.io/?EIO=4&transport=websocket&sid=$sid"
    assert_equal "$(curl -sS -H "Origin: $ORIGIN" --data-binary 40 "$url&sid=$sid")" ok
}
