#!/usr/bin/env bats
# `sioctl shell` as somebody uses it who sits at a terminal, and as a script.

load ../lib/siod
load ../lib/terminal

setup() {
    setup_siod
    export XDG_STATE_HOME=$BATS_TEST_TMPDIR/xdg
    HISTORY=$XDG_STATE_HOME/sioctl/history
}

teardown() {
    terminal_stop
    teardown_siod
}

# with_a_chat: a daemon with one chat, and agent 7.
with_a_chat() {
    start_siod
    assert_equal "$(post_webhook "$(text_webhook wamid.1 15551230001 hello)")" 200
    agent_connected a --token "$(token 7 1)"
    sioctl wait chat/1=assigned --timeout 20s >/dev/null
}

shell_start() {
    terminal_start "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" shell "$@"
    see_last 'sioctl>'
}

tails_are() {
    [[ $(sioctl status -o json | jq .control.tails) == "$1" ]]
}

# control_connections: those that are open now, but the one that asks.
control_connections() {
    sioctl status -o json | jq '.control.connections - 1'
}

has_history() {
    [[ $(cat "$HISTORY") == "$1" ]]
}

@test "nouns, verbs, options, words and live ids are completed" {
    with_a_chat
    shell_start
    type_text ag
    press Tab
    see_last 'sioctl> agent'
    type_text st
    press Tab
    see_last 'sioctl> agent status'
    press Tab
    see_last 'sioctl> agent status 7'
    type_text av
    press Tab
    see_last 'sioctl> agent status 7 available'
    type_text --bus
    press Tab Tab
    see_last "sioctl> agent status 7 available --business 1"
    press C-u
    type_text 'chat list --state='
    press Tab Tab
    see 'assigned  closed    waiting'
    type_text c
    press Tab
    see_last 'sioctl> chat list --state=closed'
    press C-u
    type_text 'wait ag'
    press Tab Tab
    see_last 'sioctl> wait agent/7='
    type_text b
    press Tab
    see_last 'sioctl> wait agent/7=busy'
    press C-u
    type_text qu
    press Tab
    see_last 'sioctl> quit'
}

@test "what is completed is quoted where it has to be, and what a terminal would obey is not offered" {
    with_a_chat
    local socket
    socket=$(sioctl socket list -o json | jq -r '.[0].socketId')
    sioctl room join 'two words' "$socket" >/dev/null
    sioctl room join "it's \"odd\"" "$socket" >/dev/null
    sioctl room join $'evil\e]0;x\a' "$socket" >/dev/null
    shell_start
    type_text 'room show tw'
    press Tab
    see_last 'sioctl> room show two\ words'
    press Enter
    see 'room        two words'
    type_text 'room show "tw'
    press Tab
    see_last 'sioctl> room show "two words"'
    press C-u
    type_text 'room show "it'
    press Tab Enter
    see "room        it's \"odd\""
    type_text 'room show two\ w'
    press Tab
    see_last 'sioctl> room show two\ words'
    press C-u
    type_text 'room show evil'
    press Tab Tab
    type_text X
    see_last 'sioctl> room show evilX'
}

@test "file names are completed where a file is meant" {
    mkdir "$BATS_TEST_TMPDIR/a folder"
    touch "$BATS_TEST_TMPDIR/a folder/it's here"
    SIOD_SOCKET=/nonexistent shell_start
    type_text "webhook sign $BATS_TEST_TMPDIR/a"
    press Tab
    type_text it
    press Tab
    see_last "sioctl> webhook sign ${BATS_TEST_TMPDIR}/a\\ folder/it\\'s\\ here"
    press C-u
    type_text "webhook sign --secret-file=$BATS_TEST_TMPDIR/a"
    press Tab
    see_last "sioctl> webhook sign --secret-file=${BATS_TEST_TMPDIR}/a\\ folder/"
}

@test "one connection serves all lines, and the prompt shows the last failure" {
    with_a_chat
    shell_start
    enter 'chat show 1'
    see 'chatId                         1'
    see_last 'sioctl>'
    assert_equal "$(control_connections)" 1
    enter 'chat show 99'
    see 'sioctl: not_found: no chat 99'
    see_last 'sioctl [1]>'
    enter 'chat show'
    see_last 'sioctl [2]>'
    enter 'room list -o ndjson --business 2'
    see_last 'sioctl>'
    enter '"chat'
    see 'sioctl: a " is not closed'
    enter 'exit now'
    see "sioctl: 'exit' takes no arguments"
    assert_equal "$(control_connections)" 1
}

@test "options alone on a line hold from then on, those of the shell from the start" {
    with_a_chat
    shell_start -o tsv
    enter 'room list --business 2 -H'
    see $'room    namespace       businessId      members'
    enter '-o json'
    enter 'room list --business 2'
    see '[]'
    enter '--colour'
    see_last 'sioctl [2]>'
}

@test "Ctrl-C ends a tail or a wait and the shell goes on, Ctrl-D leaves" {
    start_siod
    shell_start
    enter tail
    wait_until tails_are 1
    press C-c
    see_last 'sioctl [130]>'
    wait_until tails_are 0
    enter 'wait agent/7=online --timeout 1h'
    see 'sioctl [130]> wait agent/7=online --timeout 1h'
    wait_until waits_for_siod
    press C-c
    see '^C'
    see_last 'sioctl [130]>'
    type_text 'half a line'
    see_last 'sioctl [130]> half a line'
    press C-c
    see 'sioctl [130]> half a line^C'
    see_last 'sioctl [130]>'
    enter 'room list -o json'
    see '[]'
    see_last 'sioctl>'
    press C-d
    wait_until terminal_is_gone
}

# The wait has been asked for.
waits_for_siod() {
    (($(control_connections) == 1))
}

terminal_is_gone() {
    ! in_tmux list-sessions >"$BATS_TEST_TMPDIR/sessions" 2>&1 || [[ ! -s $BATS_TEST_TMPDIR/sessions ]]
}

@test "exit leaves, also quit, and a SIGTERM with 130" {
    SIOD_SOCKET=/nonexistent
    local word
    terminal_start bash --norc --noprofile -i
    for word in exit quit; do
        enter "$(printf '%q ' "$SIOD_BIN/sioctl" -s /nonexistent shell); echo \"status \$? of $word\""
        see_last 'sioctl>'
        enter "$word"
        see "status 0 of $word"
    done
    enter "$(printf '%q ' "$SIOD_BIN/sioctl" -s /nonexistent shell) & fg; echo \"status \$? of TERM\""
    see_last 'sioctl>'
    kill -TERM "$(pgrep -f "sioctl -s /nonexistent shell" -P "$(in_tmux display -p '#{pane_pid}')")"
    see 'status 130 of TERM'
}

@test "a shell that is suspended comes back" {
    SIOD_SOCKET=/nonexistent
    terminal_start bash --norc --noprofile -i
    enter "PS1='bash: '; $(printf '%q ' "$SIOD_BIN/sioctl" -s /nonexistent shell)"
    see_last 'sioctl>'
    type_text 'hel'
    see_last 'sioctl> hel'
    press C-z
    see_last 'bash:'
    enter fg
    see_last 'sioctl> hel'
    type_text 'p room'
    press Enter
    see 'room list   List the rooms that have members'
}

@test "a daemon that goes away is noticed at the prompt, and found again by the next command" {
    start_siod
    shell_start
    enter 'room list -o json'
    see '[]'
    type_text 'room li'
    see_last 'sioctl> room li'
    stop_siod
    see 'sioctl: siod closed the connection; the next command looks for it again'
    see_last 'sioctl> room li'
    enter st
    see "sioctl: cannot reach siod at $SIOD_SOCKET: No such file or directory"
    see_last 'sioctl [3]>'
    start_siod
    enter 'room list -o tsv --header'
    see_last 'sioctl>'
}

@test "the history is kept privately, in order, and without what is secret" {
    start_siod
    local token
    token=$(token 7 1)
    mkdir -p "$XDG_STATE_HOME/sioctl"
    printf 'business list\n' >"$HISTORY"
    chmod 644 "$HISTORY"
    shell_start
    press Up
    see_last 'sioctl> business list'
    press C-u
    enter 'room list'
    enter 'room list'
    enter "token verify $token"
    enter "token verify opaque-secret --bad-option"
    enter "tokn verify $token"
    enter "frobnicate s3cret"
    enter "webhook replay x --url https://user:pass@localhost/ --secret-file y"
    enter 'emit x {"text":"private"} --room r --business 1'
    enter ' room list -o json'
    enter 'token verify - --key-file /etc/key --bad'
    enter 'token mint --user 7 --business 1 --key-file /none'
    enter 'status # of the day'
    enter 'chat list'
    see_last 'sioctl>'
    wait_until has_history $'business list\nroom list\ntoken mint --user 7 --business 1 --key-file /none\nchat list'
    assert_equal "$(stat -c %a "$HISTORY")" 600
    press Up Up Up Up
    see_last 'sioctl> emit x {"text":"private"} --room r --business 1'
}

@test "the history is bounded" {
    mkdir -p "$XDG_STATE_HOME/sioctl"
    seq -f 'chat show %.0f' 3000 >"$HISTORY"
    SIOD_SOCKET=/nonexistent shell_start
    assert_equal "$(wc -l <"$HISTORY")" 1000
    assert_equal "$(tail -n 1 "$HISTORY")" 'chat show 3000'
    assert_equal "$(stat -c %a "$HISTORY")" 600
    press Up
    see_last 'sioctl> chat show 3000'
}

@test "names of customers do not reach the terminal as escape sequences, and NO_COLOR is honoured" {
    start_siod
    post_webhook "$(text_webhook wamid.1 16505551234 x | jq -c --arg name $'E\e]0;x\a\e[31mvil' \
        '.entry[0].changes[0].value.contacts[0].profile.name = $name')"
    shell_start
    enter 'chat show 1'
    see 'contact.name                   E\x1b]0;x\x07\x1b[31mvil'
    assert_contains "$(in_tmux capture-pane -pe)" $'\e[1mcontact.name'
    in_tmux kill-server
    wait "$TERMINAL_PID" || :
    export NO_COLOR=1
    shell_start
    enter 'chat show 1'
    see 'contact.name                   E\x1b]0;x\x07\x1b[31mvil'
    [[ $(in_tmux capture-pane -pe) != *$'\e[1m'* ]]
}

@test "a script runs line by line, goes on after a failure, and ends with the exit code of the last one" {
    with_a_chat
    local code=0
    sioctl shell -o ndjson >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/words" <<'LINES' || code=$?
# what is there
chat list --state 'assigned'

chat show 99 # nothing
business add 5 --name "Acme \"& Co\""
frobnicate
agent\ list
chat show 1
LINES
    assert_equal $code 2
    assert_equal "$(jq -c '[.chatId, .businessId, .name]' "$BATS_TEST_TMPDIR/out" | paste -sd ' ')" \
        '[1,1,null] [null,5,"Acme \"& Co\""] [1,1,null]'
    assert_equal "$(grep line "$BATS_TEST_TMPDIR/words")" \
        $'sioctl: line 4: exit code 1\nsioctl: line 6: exit code 2\nsioctl: line 7: exit code 2'
    assert_equal "$(printf 'room list\r\nquit\nfrobnicate\n' | sioctl shell -o json)" "$(sioctl room list -o json)"
    assert_equal "$(printf 'room show business_1 -o json' | sioctl shell | jq -r .room)" business_1
    [[ ! -e $HISTORY ]]
}

@test "a script may not read itself, nor start another shell, and stops when nobody reads" {
    start_siod
    local code=0
    printf 'token verify -\neyJ.x.y\n' | sioctl shell 2>"$BATS_TEST_TMPDIR/words" || code=$?
    assert_equal $code 2
    assert_contains "$(cat "$BATS_TEST_TMPDIR/words")" 'the standard input is the script'
    code=0
    sioctl shell 2>"$BATS_TEST_TMPDIR/words" <<<shell || code=$?
    assert_equal $code 2
    assert_contains "$(cat "$BATS_TEST_TMPDIR/words")" 'this is the shell already'
    yes status | sioctl shell | head -n 1 >"$BATS_TEST_TMPDIR/out"
    assert_equal "${PIPESTATUS[*]:1:1}" 0
}

@test "a script uses one connection, or that of a line's own, and an interrupt ends it" {
    start_siod
    local first=$SIOD_SOCKET code=0 pid
    printf 'status -o json\nstatus -o json\n' | sioctl shell >"$BATS_TEST_TMPDIR/out"
    assert_equal "$(jq -s 'map(.control.connections) | unique | length' "$BATS_TEST_TMPDIR/out")" 1
    printf 'room list -s /nonexistent\nroom list -o json\n' | sioctl shell >"$BATS_TEST_TMPDIR/out" || code=$?
    assert_equal $code 3
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" '[]'
    printf 'tail -o json\nroom list\n' >"$BATS_TEST_TMPDIR/script"
    in_background "$SIOD_BIN/sioctl" -s "$first" shell <"$BATS_TEST_TMPDIR/script" >"$BATS_TEST_TMPDIR/out"
    pid=$!
    wait_until tails_are 1
    kill -INT "$pid"
    code=0
    wait "$pid" || code=$?
    assert_equal $code 130
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" '[]'
}
