#!/usr/bin/env bats
# siod behind nginx with TLS, in the configuration that siod(8) shows.
bats_require_minimum_version 1.5.0
load ../lib/siod
load ../lib/nginx

setup() {
    has_nginx || skip "no nginx: ./dev test --all installs it"
    setup_siod
}

teardown() {
    teardown_nginx
    teardown_siod
}

# through_proxy CURL_ARGUMENT…
through_proxy() {
    curl -sS --max-time "$DEADLINE" --cacert "$NGINX_CERTIFICATE" "$@"
}

POLLING='socket.io/?EIO=4&transport=polling'

# polling_session USER [CURL_ARGUMENT…]: handshake and connect; the URL to poll is in $session.
polling_session() {
    local user=$1 sid
    shift
    sid=$(through_proxy "$@" "$NGINX_URL/$POLLING" | sed 's/^0//' | jq -r .sid)
    session="$NGINX_URL/$POLLING&sid=$sid"
    assert_equal "$(through_proxy "$@" --data-binary "40{\"token\":\"$(token "$user" 1)\"}" "$session")" ok
    assert_contains "$(through_proxy "$@" "$session")" '40{"sid":'
}

address_of() {
    sioctl socket list --user "$1" -o json | jq -r '.[0].address'
}

status_through_proxy() {
    through_proxy -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' "$@"
}

# signed FILE: as arguments for curl, in $signed.
signed() {
    signed=(-H 'Content-Type: application/json' -H "X-Hub-Signature-256: $(signature "$1")" --data-binary "@$1"
    "$NGINX_URL/webhook")
}

@test "old and new clients are served through nginx on every transport" {
    local client transports user=20
    start_siod -o engineio.allow_eio3=true -o http.trusted_proxies=127.0.0.1
    start_nginx
    for client in 2.5 4.8; do
        for transports in polling websocket polling,websocket; do
            user=$((user + 2))
            NODE_EXTRA_CA_CERTS=$NGINX_CERTIFICATE timeout 60 node "$ROOT/tests/lib/clients.mjs" desk \
                --client "$client" --transports "$transports" --url "$NGINX_URL" \
                --secret-file "$SIOD_DIR/app.secret" --tokens "$(token $user 1),$(token $((user + 1)) 1)" \
                --phone-number-id "$PHONE_NUMBER_ID" 3>&- 2>&1
        done
    done
}

@test "an agent has its own address behind a trusted proxy, and cannot choose another" {
    start_siod
    start_nginx
    polling_session 7 --interface 127.0.0.9
    assert_equal "$(address_of 7)" 127.0.0.1
    stop_siod
    teardown_nginx
    start_siod -o http.trusted_proxies=127.0.0.1
    start_nginx
    polling_session 7 --interface 127.0.0.9
    assert_equal "$(address_of 7)" 127.0.0.9
    polling_session 8 --interface 127.0.0.9 -H 'X-Forwarded-For: 203.0.113.7'
    assert_equal "$(address_of 8)" 127.0.0.9
}

@test "over a Unix socket nginx is trusted as unix" {
    start_siod -o "http.listen=127.0.0.1:0,unix:$SIOD_DIR/http.sock" -o http.trusted_proxies=unix
    NGINX_UPSTREAM=unix:$SIOD_DIR/http.sock start_nginx
    agent_connected a --token "$(token 7 1)" --url "$NGINX_URL" --insecure
    wait_until agent_saw a '.type == "upgrade"'
    assert_equal "$(address_of 7)" 127.0.0.1
}

# polls_until TEXT: one poll after the other. Each is answered in its time or fails.
polls_until() {
    local answer=
    until [[ $answer == *"$1"* ]]; do
        answer=$(through_proxy --fail "$session") || return 1
        [[ $answer != 2 ]] || return 1 # a ping: nothing came for a whole interval
    done
}

@test "a parked poll is answered through nginx as soon as there is something, and says that it must be" {
    start_siod
    start_nginx
    polling_session 7
    polls_until whatsapp_message_received 3>&- &
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    wait $!
    curl -sS -D - -o /dev/null "$SIOD_URL/$POLLING" | tr -d '\r' | grep -qix 'x-accel-buffering: no'
}

@test "sessions of several agents share the connections that nginx keeps to siod" {
    local first
    start_siod
    start_nginx 's/keepalive 64/keepalive 1/'
    polling_session 7
    first=$session
    polling_session 8
    # Each of these comes over a TLS connection of its own; to siod all take the same one.
    assert_contains "$(through_proxy --data-binary '420["leave_chat",1]' "$first")" ok
    assert_contains "$(through_proxy --data-binary '421["leave_chat",1]' "$session")" ok
    assert_contains "$(through_proxy "$session")" '431['
    assert_contains "$(through_proxy "$first")" '430['
    assert_equal "$(metric siod_connections_accepted_total)" 2 # with the one that asks
    assert_equal "$(status_through_proxy "$NGINX_URL/$POLLING&sid=none")" 400
}

@test "a webhook in chunks is taken through nginx, whether it collects the chunks or passes them on" {
    local file=$BATS_TEST_TMPDIR/body number=1 change signed
    start_siod
    for change in '' 's/proxy_pass .*/& proxy_request_buffering off;/'; do
        start_nginx "$change"
        {
            text_webhook "wamid.$number" 16505551234 hello
            printf '%200000s' ''
        } >"$file"
        signed "$file"
        assert_equal "$(status_through_proxy -H 'Transfer-Encoding: chunked' "${signed[@]}")" 200
        assert_equal "$(sioctl message show "wamid.$number" -o json | jq -r .text)" hello
        number=$((number + 1))
        teardown_nginx
    done
}

@test "a webhook of Meta's largest size passes" {
    local signed
    start_siod
    start_nginx
    {
        text_webhook wamid.1 16505551234 hello
        printf '%3100000s' ''
    } >"$BATS_TEST_TMPDIR/body"
    signed "$BATS_TEST_TMPDIR/body"
    assert_equal "$(status_through_proxy "${signed[@]}")" 200
}

handshakes_refused() {
    (($(metric siod_engineio_handshakes_refused_total) > $1))
}

@test "where nginx passes no Upgrade on, a WebSocket is refused as one and agents stay on polling" {
    start_siod
    start_nginx '/proxy_set_header (Upgrade|Connection)/d; s/proxy_http_version 1.1;/& proxy_set_header Connection "";/'
    assert_equal "$(status_through_proxy --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
        -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' \
        "$NGINX_URL/socket.io/?EIO=4&transport=websocket")" 400
    assert_equal "$(cat "$BATS_TEST_TMPDIR/answer")" '{"code":3,"message":"Bad request"}'
    agent_connected a --token "$(token 7 1)" --url "$NGINX_URL" --insecure
    wait_until handshakes_refused 1
    post_webhook "$(text_webhook wamid.1 16505551234 hello)"
    wait_until agent_saw a '.event == "whatsapp_message_received"'
    refute agent_saw a '.type == "upgrade" or .type == "disconnect"'
    assert_equal "$(sioctl socket list --user 7 -o json | jq -r '.[0].transport')" polling
}
