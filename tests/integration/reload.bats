#!/usr/bin/env bats
# A running daemon takes over the settings that config.def marks RELOAD, all of a file or nothing of it, and nobody is
# disconnected by that.

load ../lib/siod

setup() {
    setup_siod
    CONF=$BATS_TEST_TMPDIR/siod.conf
    printf 'secret\n' | tee "$SIOD_DIR/jwt.key" "$SIOD_DIR/app.secret" >"$SIOD_DIR/verify.token"
    declare -gA CONFIG=()
    configure
}

teardown() {
    [[ -z ${UPLOAD:-} ]] || kill "$UPLOAD" 2>/dev/null || :
    teardown_siod
}

# configure [SECTION[.TITLE].KEY=VALUE]…: the base, and these on top, become the file.
configure() {
    local item name section
    local base=(
        'http.listen={"127.0.0.1:0"}'
        engineio.max_payload=10000
        "jwt.key_files={\"$SIOD_DIR/jwt.key\"}"
        "app main.secret_files={\"$SIOD_DIR/app.secret\"}"
        "app main.verify_token_file=\"$SIOD_DIR/verify.token\""
        "store.url=\"sqlite:$SIOD_DIR/siod.db\""
        "control.socket=\"$SIOD_DIR/siod.sock\""
        'business 1.name="Acme"'
        "business 1.phone_number_ids={\"$PHONE_NUMBER_ID\"}"
    )
    CONFIG=()
    for item in "${base[@]}" "$@"; do
        CONFIG["${item%%=*}"]=${item#*=}
    done
    printf '%s\n' "${!CONFIG[@]}" | sed 's/\.[^.]*$//' | sort -u | while read -r section; do
        printf '%s {\n' "$section"
        for name in "${!CONFIG[@]}"; do
            [[ ${name%.*} != "$section" ]] || printf '    %s = %s\n' "${name##*.}" "${CONFIG[$name]}"
        done
        printf '}\n'
    done >"$CONF"
}

start_configured() {
    launch_siod -c "$CONF" "$@"
    SIOD_SOCKET=$SIOD_DIR/siod.sock
    export SIOD_URL SIOD_SOCKET
    wait_until siod_is_ready
}

# reload_to [SETTING=VALUE]…: the outcome of each change, one word or two a line, in $outcome.
reload_to() {
    configure "$@"
    outcome=$(sioctl config reload -o json | jq -r '.[] | "\(.setting) \(.outcome)"')
}

reload_settings() {
    sed -nE 's/^(SETTING|CHOICE) *\(([a-z_]+), ([a-z0-9_]+),.*RELOAD.*/\2.\3/p' "$ROOT/libshared/config.def"
}

status_of() {
    curl -sS -o /dev/null -w '%{http_code}' "$@"
}

answers() {
    [[ $(status_of "$SIOD_URL$2") == "$1" ]]
}

handshake() {
    status_of "$@" "$SIOD_URL/socket.io/?EIO=4&transport=polling"
}

flood() {
    node "$ROOT/tests/lib/flood.mjs" --url "$SIOD_URL" --secret-file "$SIOD_DIR/app.secret" "$@"
}

certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$BATS_TEST_TMPDIR/$1.key" -out "$BATS_TEST_TMPDIR/$1.crt" 2>/dev/null
}

# subject_is NAME: of the certificate that the daemon shows.
subject_is() {
    openssl s_client -connect "${SIOD_URL#http://}" </dev/null 2>/dev/null | grep -q "^subject=CN = $1"
}

# nested LEVELS: a webhook of no product that is known.
nested() {
    printf '{"object":"x","entry":%s%s}' "$(printf '[%.0s' $(seq "$1"))" "$(printf ']%.0s' $(seq "$1"))"
}

# ---- one function for each setting: it changes it in a running daemon and looks at the effect

effect_http_cors_origins() {
    reload_to 'http.cors_origins={"http://a.example"}'
    curl -sS -D - -o /dev/null -H 'Origin: http://a.example' "$SIOD_URL/api/chats" |
        grep -qi '^access-control-allow-origin: http://a.example'
    assert_equal "$(handshake -H 'Origin: http://a.example')" 200
    assert_equal "$(handshake -H 'Origin: http://b.example')" 403
    reload_to 'http.cors_origins={"http://b.example"}'
    assert_equal "$(handshake -H 'Origin: http://a.example')" 403
    assert_equal "$(handshake -H 'Origin: http://b.example')" 200
}

bundle_is() {
    [[ $(curl -sS "$SIOD_URL/socket.io/socket.io.min.js") == "$1" ]]
}

effect_http_client_bundle_file() {
    local file=$BATS_TEST_TMPDIR/bundle.js
    answers 404 /socket.io/socket.io.min.js
    echo 'one()' >"$file"
    reload_to "http.client_bundle_file=\"$file\""
    bundle_is 'one()'
    # The same name, and another client in the file.
    echo 'two()' >"$file"
    bundle_is 'one()'
    assert_equal "$(sioctl config reload -o tsv | cut -f 1,4)" $'http.client_bundle_file\tapplied'
    bundle_is 'two()'
    reload_to
    answers 404 /socket.io/socket.io.min.js
}

effect_http_trusted_proxies() {
    curl -sS -o /dev/null -H 'X-Forwarded-For: 203.0.113.7' "$SIOD_URL/api/chats"
    reload_to 'http.trusted_proxies={"127.0.0.0/8", "unix"}'
    refute log_has 'from=203.0.113.7'
    curl -sS -o /dev/null -H 'X-Forwarded-For: 203.0.113.7' "$SIOD_URL/api/chats"
    wait_until log_has 'from=203.0.113.7'
}

effect_http_tls_cert_file() {
    certificate one
    certificate two
    reload_to "http.tls_cert_file=\"$BATS_TEST_TMPDIR/one.crt\"" "http.tls_key_file=\"$BATS_TEST_TMPDIR/one.key\""
    subject_is one
    reload_to "http.tls_cert_file=\"$BATS_TEST_TMPDIR/two.crt\"" "http.tls_key_file=\"$BATS_TEST_TMPDIR/two.key\""
    subject_is two
    # The same names, and another certificate in the files.
    cp "$BATS_TEST_TMPDIR/one.crt" "$BATS_TEST_TMPDIR/two.crt"
    cp "$BATS_TEST_TMPDIR/one.key" "$BATS_TEST_TMPDIR/two.key"
    sioctl config reload
    subject_is one
    reload_to
    answers 200 /healthz
}

effect_http_tls_key_file() {
    effect_http_tls_cert_file
}

effect_jwt_key_files() {
    local old
    old=$(token 7 1)
    assert_equal "$(status_of -H "Authorization: Bearer $old" "$SIOD_URL/api/chats")" 200
    echo another >"$SIOD_DIR/jwt.key"
    sioctl config reload
    assert_equal "$(status_of -H "Authorization: Bearer $old" "$SIOD_URL/api/chats")" 401
    assert_equal "$(status_of -H "Authorization: Bearer $(token 7 1)" "$SIOD_URL/api/chats")" 200
    assert_equal "$(status_of -H "Authorization: Bearer $(sioctl token mint --user 7 --business 1)" "$SIOD_URL/api/chats")" 200
    echo third >"$SIOD_DIR/third.key"
    reload_to "jwt.key_files={\"$SIOD_DIR/third.key\"}"
    assert_equal "$(status_of -H "Authorization: Bearer $(token 7 1)" "$SIOD_URL/api/chats")" 401
    assert_equal "$(status_of -H "Authorization: Bearer $(sioctl token mint --user 7 --business 1)" "$SIOD_URL/api/chats")" 200
    echo secret >"$SIOD_DIR/jwt.key"
}

effect_app_secret_files() {
    text_webhook wamid.secret 16505551234 hello >"$BATS_TEST_TMPDIR/body"
    echo rotated >"$SIOD_DIR/next.secret"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body" -H "X-Hub-Signature-256: $(signature "$BATS_TEST_TMPDIR/body" "$SIOD_DIR/next.secret")")" 401
    reload_to "app main.secret_files={\"$SIOD_DIR/app.secret\", \"$SIOD_DIR/next.secret\"}"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body" -H "X-Hub-Signature-256: $(signature "$BATS_TEST_TMPDIR/body" "$SIOD_DIR/next.secret")")" 200
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body")" 200
    reload_to "app main.secret_files={\"$SIOD_DIR/next.secret\"}"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body")" 401
}

effect_app_verify_token_file() {
    local url="$SIOD_URL/webhook?hub.mode=subscribe&hub.challenge=99&hub.verify_token"
    assert_equal "$(status_of "$url=secret")" 200
    echo new >"$SIOD_DIR/verify.token"
    sioctl config reload
    assert_equal "$(status_of "$url=secret")" 403
    assert_equal "$(status_of "$url=new")" 200
    echo secret >"$SIOD_DIR/verify.token"
}

has_no_socket() {
    [[ $(sioctl socket list --user "$1" -o json) == '[]' ]]
}

effect_presence_offline_grace_ms() {
    reload_to presence.offline_grace_ms=1
    agent_connected graceless --token "$(token 21 1)"
    sioctl wait agent/21=online --timeout 20s
    agent_stop graceless
    sioctl wait agent/21=offline --timeout 20s
    reload_to presence.offline_grace_ms=3600000
    agent_connected graceful --token "$(token 22 1)"
    sioctl wait agent/22=online --timeout 20s
    agent_stop graceful
    wait_until has_no_socket 22
    assert_equal "$(sioctl agent show 22 -o json | jq .online)" true
}

# types TIMES: the witness, in chat 1.
types() {
    local i
    for ((i = 0; i < $1; i++)); do
        agent_tell witness '{"emit":["typing_start",{"chatId":1}]}'
    done
    agent_asks witness join_chat 1 >/dev/null
}

# typing_seen TIMES
typing_seen() {
    (($(agent_lines reader '.event == "user_typing"' | wc -l) == $1))
}

effect_typing_throttle_ms() {
    reload_to typing.throttle_ms=60000 typing.expire_ms=0
    agent_connected reader --token "$(token 23 1)"
    agent_asks reader join_chat 1
    agent_asks witness join_chat 1
    types 3
    wait_until typing_seen 1
    reload_to typing.throttle_ms=0 typing.expire_ms=0
    types 3
    wait_until typing_seen 4
    agent_stop reader
}

effect_typing_expire_ms() {
    reload_to typing.throttle_ms=0 typing.expire_ms=50
    agent_connected expiry --token "$(token 24 1)"
    agent_asks expiry join_chat 1
    agent_asks witness join_chat 1
    types 1
    wait_until agent_saw expiry '.event == "user_stop_typing"'
    agent_stop expiry
}

effect_assign_policy() {
    local chat
    reload_to assign.policy=manual
    post_webhook "$(text_webhook wamid.policy 16505550002 hello)"
    chat=$(sioctl chat list --state waiting -o json | jq '.[0].chatId')
    sioctl agent status 9 available
    [[ $chat != null ]]
    reload_to assign.policy=least_loaded
    sioctl wait "chat/$chat=assigned" --timeout 20s
}

effect_assign_capacity() {
    reload_to assign.capacity=3
    agent_connected newcomer --token "$(token 25 1)"
    sioctl wait agent/25=online --timeout 20s
    assert_equal "$(sioctl agent show 25 -o json | jq .capacity)" 3
    agent_stop newcomer
}

effect_limits_connections() {
    reload_to limits.connections=1
    assert_equal "$(status_of "$SIOD_URL/healthz" || :)" 503
    reload_to limits.connections=0
    answers 200 /healthz
}

effect_limits_connections_per_address() {
    reload_to limits.connections_per_address=1
    assert_equal "$(handshake)" 503
    reload_to limits.connections_per_address=0
    assert_equal "$(handshake)" 200
}

effect_limits_connections_per_user() {
    reload_to limits.connections_per_user=1
    agent_connected single --token "$(token 26 1)"
    agent_start double --token "$(token 26 1)"
    wait_until agent_saw double '.type == "connect_error"'
    agent_stop double
    agent_stop single
}

effect_limits_handshakes_per_s() {
    local i statuses=
    reload_to limits.handshakes_per_s=1
    for i in 1 2 3 4 5 6; do
        statuses+=$(handshake)
    done
    assert_contains "$statuses" 503
}

effect_limits_rooms_per_socket() {
    reload_to limits.rooms_per_socket=1
    agent_connected roomy --token "$(token 27 1)"
    assert_contains "$(agent_asks roomy join_chat 1)" rate_limited
    reload_to limits.rooms_per_socket=2
    assert_contains "$(agent_asks roomy join_chat 1)" '"ok":true'
    agent_stop roomy
}

effect_limits_events_per_s() {
    local i
    reload_to limits.events_per_s=2
    agent_connected busy --token "$(token 28 1)" --transports websocket
    for i in 1 2 3 4 5 6; do
        agent_tell busy '{"emit":["leave_chat",1],"ack":true,"tag":"x"}'
    done
    wait_until agent_saw busy '.args[0].error.code == "rate_limited"'
    agent_stop busy
}

effect_limits_bytes_per_s() {
    local text i
    text=$(printf '%9000s' '')
    reload_to limits.bytes_per_s=1
    agent_connected wordy --token "$(token 29 1)" --transports websocket --no-reconnect
    for i in 1 2 3; do
        agent_tell wordy "{\"emit\":[\"leave_chat\",\"$text\"]}"
    done
    wait_until agent_saw wordy '.type == "disconnect"'
    agent_stop wordy
}

# A polling client that does not come for what waits for it. What two webhooks make may wait, whatever its size.
effect_limits_queue_bytes() {
    local i sid url="$SIOD_URL/socket.io/?EIO=4&transport=polling"
    reload_to limits.queue_bytes=1000
    sid=$(curl -sS "$url" | sed 's/^0//' | jq -r .sid)
    curl -sS -o /dev/null --data-binary "40{\"token\":\"$(token 30 1)\"}" "$url&sid=$sid"
    for i in {1..6}; do
        post_webhook "$(text_webhook "wamid.queue$i" 16505550001 "$(printf '%2000s' x)")"
    done
    wait_until log_has 'slow polling client cut limit=limits.queue_bytes' # a GET would fetch what waits
    answers 400 "/socket.io/?EIO=4&transport=polling&sid=$sid"
}

# Half a body is more than there may be of all that is incomplete.
effect_limits_partial_bytes() {
    local sid url="$SIOD_URL/socket.io/?EIO=4&transport=polling"
    reload_to limits.partial_bytes=5000
    sid=$(curl -sS "$url" | sed 's/^0//' | jq -r .sid)
    assert_equal "$(printf '%9000s' 4 | status_of --data-binary @- "$url&sid=$sid")" 503
}

effect_limits_header_bytes() {
    reload_to limits.header_bytes=2000
    assert_equal "$(status_of -H "X-Long: $(printf '%3000s' x)" "$SIOD_URL/healthz")" 431
}

effect_limits_body_bytes() {
    text_webhook wamid.body 16505551234 "$(printf '%3000s' x)" >"$BATS_TEST_TMPDIR/body"
    reload_to limits.body_bytes=1000
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body")" 413
}

effect_limits_body_bytes_in_flight() {
    local fd
    reload_to limits.body_bytes_in_flight=1000
    mkfifo "$BATS_TEST_TMPDIR/upload"
    socat -u "PIPE:$BATS_TEST_TMPDIR/upload" "TCP:127.0.0.1:${SIOD_URL##*:}" 3>&- &
    UPLOAD=$!
    exec {fd}>"$BATS_TEST_TMPDIR/upload"
    printf 'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n%s\r\n\r\n%1200s' \
        'Content-Length: 2000' "X-Hub-Signature-256: sha256=$(printf '0%.0s' {1..64})" '{' >&"$fd"
    wait_until answers 503 /readyz
    reload_to
    answers 200 /readyz
    kill "$UPLOAD"
    exec {fd}>&-
    UPLOAD=
}

effect_limits_store_queue() {
    reload_to limits.store_queue=1
    flood --count 300 --concurrency 32 >"$BATS_TEST_TMPDIR/flood"
    assert_contains "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/flood" | sort -u | xargs)" 503
}

effect_limits_json_depth() {
    nested 30 >"$BATS_TEST_TMPDIR/body"
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body")" 200
    reload_to limits.json_depth=20
    assert_equal "$(post_file "$BATS_TEST_TMPDIR/body")" 400
}

effect_log_level() {
    reload_to log.level=debug
    assert_equal "$(sioctl log level)" debug
    reload_to log.level=warn
    assert_equal "$(sioctl log level)" warn
}

effect_log_format() {
    reload_to log.format=json
    sioctl config reload
    [[ $(tail -n 1 "$SIOD_LOG" | jq -r .message) == 'configuration reloaded' ]]
}

effect_business_name() {
    reload_to 'business 1.name="Other"'
    assert_equal "$(sioctl business list -o json | jq -r '.[0].name')" Other
}

effect_business_phone_number_ids() {
    reload_to 'business 5.phone_number_ids={"555"}'
    assert_equal "$(post_webhook "$(text_webhook wamid.five 16505550005 hello 555)")" 200
    assert_equal "$(sioctl chat list --business 5 -o json | jq length)" 1
    # A number that moves from one business to the other.
    reload_to "business 5.phone_number_ids={\"555\", \"$PHONE_NUMBER_ID\"}" 'business 1.phone_number_ids={"556"}'
    assert_equal "$(post_webhook "$(text_webhook wamid.six 16505550006 hello)")" 200
    assert_equal "$(sioctl chat list --business 5 -o json | jq length)" 2
}

# Taken over, and no effect that could be seen from outside: there is one namespace, and nothing is purged yet.
SHOWN='limits.sockets_per_connection=3 retention.raw_body_days=9 retention.log_days=9 retention.message_days=9'

shown() {
    local item=$1 key=${1##*.}
    reload_to "$item"
    assert_equal "$outcome" "${item%%=*} applied"
    sioctl config show | grep -qx "    ${key%%=*} = ${item##*=}"
}

@test "each setting that reloads has its effect in the running daemon, and nobody is disconnected" {
    local setting
    start_configured
    agent_connected witness --token "$(token 9 1)" --transports websocket --no-reconnect
    post_webhook "$(text_webhook wamid.first 16505550001 hello)"
    wait_until agent_saw witness '.event == "whatsapp_message_received"'
    for setting in $(reload_settings); do
        echo "# $setting"
        if [[ $SHOWN == *"$setting="* ]]; then
            shown "$(grep -oE "$setting=[0-9]+" <<<"$SHOWN")"
        else
            "effect_${setting/./_}"
        fi
        reload_to
    done
    refute agent_saw witness '.type == "disconnect"'
    assert_contains "$(agent_asks witness join_chat 1)" '"ok":true'
}

@test "what a reload did is reported, and what needs a restart stays reported until then" {
    start_configured -o log.level=debug
    reload_to log.level=error typing.expire_ms=1 recovery.enabled=false 'app second.secret_files={"x"}' \
        'app second.path="/second"' || :
    assert_equal "$outcome" ''
    reload_to log.level=error typing.expire_ms=1 recovery.enabled=false "app second.path=\"/second\"" \
        "app second.secret_files={\"$SIOD_DIR/app.secret\"}"
    assert_equal "$(sort <<<"$outcome" | paste -sd ,)" \
        'app.second.path needs restart,app.second.secret_files needs restart,app.second.verify_token_file needs restart,recovery.enabled needs restart,typing.expire_ms applied'
    assert_equal "$(sioctl log level)" debug # -o wins, as it did at the start
    sioctl config reload -o json >"$BATS_TEST_TMPDIR/again"
    assert_equal "$(jq -c '.[] | select(.setting == "recovery.enabled")' "$BATS_TEST_TMPDIR/again")" \
        '{"setting":"recovery.enabled","old":true,"new":false,"outcome":"needs restart"}'
    assert_equal "$(jq length "$BATS_TEST_TMPDIR/again")" 4
    sioctl config show >"$BATS_TEST_TMPDIR/shown"
    grep -qx '    enabled = true' "$BATS_TEST_TMPDIR/shown"
    grep -qx '# recovery.enabled = false' "$BATS_TEST_TMPDIR/shown"
    grep -qx '    expire_ms = 1' "$BATS_TEST_TMPDIR/shown"
    sioctl config check -c "$BATS_TEST_TMPDIR/shown"
    assert_equal "$(sioctl config show -o json | jq -c '.pending | map(.setting)')" \
        '["app.second.path","app.second.secret_files","app.second.verify_token_file","recovery.enabled"]'
    reload_to
    assert_equal "$(sioctl config show -o json | jq -c .pending)" '[]'
    assert_equal "$(sql "SELECT count(*) FROM audit WHERE CAST(command AS TEXT) = 'config reload'")" 4
}

@test "files that were rotated under their names are reported, and nothing of what is in them" {
    start_configured
    assert_equal "$(sioctl config reload -o json)" '[]'
    echo rotated-key >"$SIOD_DIR/jwt.key"
    echo rotated-secret >"$SIOD_DIR/app.secret"
    assert_equal "$(sioctl config reload -o tsv | cut -f 1,4 | paste -sd ,)" \
        $'jwt.key_files\tapplied,app.main.secret_files\tapplied'
    assert_equal "$(sioctl config reload -o json)" '[]'
    refute grep -r 'rotated-' "$SIOD_LOG"
}

# keeps_everything TEXT: a reload fails with TEXT, and the daemon is as it was.
keeps_everything() {
    local before code=0
    before=$(sioctl config show)
    sioctl config reload 2>"$BATS_TEST_TMPDIR/err" || code=$?
    assert_equal "$code" 1
    assert_contains "$(cat "$BATS_TEST_TMPDIR/err")" "$1"
    assert_equal "$(sioctl config show)" "$before"
    kill -HUP "$SIOD_PID"
    wait_until log_has "configuration not reloaded why=.*$1"
    assert_equal "$(sioctl config show)" "$before"
}

@test "after any error everything stays as it was, and the place is named" {
    start_configured
    sioctl business add 77 --phone-number-id 777
    configure log.level=debug typing.expire_ms=-5
    keeps_everything "siod.conf:$(grep -n expire_ms "$CONF" | cut -d : -f 1)"
    configure log.level=debug
    echo 'typing {' >>"$CONF"
    keeps_everything 'section typing is not closed'
    configure log.level=debug 'jwt.key_files={"/nonexistent"}'
    keeps_everything 'jwt.key_files: /nonexistent'
    configure log.level=debug 'app main.secret_files={"/nonexistent"}'
    keeps_everything 'app.main.secret_files: /nonexistent'
    configure log.level=debug 'http.tls_cert_file="/nonexistent"' 'http.tls_key_file="/nonexistent"'
    keeps_everything 'http.tls_cert_file'
    configure log.level=debug 'http.client_bundle_file="/nonexistent"'
    keeps_everything 'http.client_bundle_file: /nonexistent'
    configure log.level=debug 'business 1.name="Changed"' 'business 5.phone_number_ids={"777"}'
    keeps_everything "siod.conf:$(grep -n '"777"' "$CONF" | cut -d : -f 1): business.5.phone_number_ids: phone number id 777"
    assert_equal "$(sioctl business list -o json | jq -c 'map([.businessId, .name])')" '[[1,"Acme"],[77,""]]'
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    configure log.level=debug "app main.secret_files={\"$BATS_TEST_TMPDIR/fifo\"}"
    keeps_everything "siod.conf:$(grep -n fifo "$CONF" | cut -d : -f 1): app.main.secret_files: $BATS_TEST_TMPDIR/fifo is no"
    rm "$CONF"
    keeps_everything "$CONF"
    mkfifo "$CONF"
    keeps_everything "$CONF is no regular file"
    assert_equal "$(status_of -H "Authorization: Bearer $(token 7 1)" "$SIOD_URL/api/chats")" 200
}

@test "at the start a configuration and a key may come through pipes" {
    mkfifo "$BATS_TEST_TMPDIR/fifo.conf" "$BATS_TEST_TMPDIR/fifo.key"
    configure "jwt.key_files={\"$BATS_TEST_TMPDIR/fifo.key\"}"
    launch_siod -c "$BATS_TEST_TMPDIR/fifo.conf"
    cat "$CONF" >"$BATS_TEST_TMPDIR/fifo.conf"
    cat "$SIOD_DIR/jwt.key" >"$BATS_TEST_TMPDIR/fifo.key"
    wait_until siod_is_ready
    assert_equal "$(status_of -H "Authorization: Bearer $(token 7 1)" "$SIOD_URL/api/chats")" 200
}

@test "SIGHUP does what config reload does" {
    start_configured
    configure log.level=debug 'business 1.name="Hup"' recovery.enabled=false
    kill -HUP "$SIOD_PID"
    wait_until log_has 'configuration reloaded changed=2 needs_restart=1'
    assert_equal "$(sioctl business list -o json | jq -r '.[0].name')" Hup
    assert_equal "$(sioctl log level)" debug
    log_has 'setting needs a restart setting=recovery.enabled'
}

@test "the service manager hears of a reload and of its end" {
    local notify=$BATS_TEST_TMPDIR/notify
    socat -u "UNIX-RECV:$notify" "OPEN:$notify.out,creat,append" 3>&- &
    UPLOAD=$!
    wait_until test -S "$notify"
    NOTIFY_SOCKET=$notify start_configured
    : >"$notify.out"
    sioctl config reload
    wait_until grep -q READY=1 "$notify.out"
    assert_equal "$(tr -d '0-9' <"$notify.out" | paste -sd ,)" 'RELOADING=,MONOTONIC_USEC=READY='
}

@test "log level is what config show shows, and the next reload goes back to the file" {
    start_configured
    sioctl log level debug
    sioctl config show | grep -qx '    level = debug'
    assert_equal "$(sioctl config show -o json | jq -c .pending)" '[]'
    reload_to
    assert_equal "$outcome" 'log.level applied'
    assert_equal "$(sioctl log level)" info
}

@test "a daemon that was started with -v goes on at level debug" {
    start_configured -v
    reload_to log.level=warn
    assert_equal "$(sioctl log level)" debug
}
