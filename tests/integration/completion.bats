#!/usr/bin/env bats
# What the shell offers, as the completion scripts ask for it.

load ../lib/siod
load ../lib/terminal

setup() {
    setup_siod
    export SIOD_SOCKET=$BATS_TEST_TMPDIR/none.sock
}

teardown() {
    terminal_stop
    teardown_siod
}

# offers WORD…: the candidates for the last word, on one line.
offers() {
    sioctl complete -- "$@" | paste -sd ' '
}

@test "commands, verbs, options and their values are offered" {
    assert_equal "$(offers '')" 'status wait room socket chat message agent contact business emit tail webhook store token config log audit shell help'
    assert_equal "$(offers t)" 'tail token'
    assert_equal "$(offers room '')" 'list show join leave'
    assert_equal "$(offers agent status 7 a)" 'available away'
    assert_equal "$(offers log level '')" 'error warn info debug'
    assert_equal "$(offers config check -c '')" ':files'
    assert_equal "$(offers ro s)" show
    assert_equal "$(offers -o js)" json
    assert_equal "$(offers chat list --state '')" 'waiting assigned closed'
    assert_equal "$(offers --output tsv chat list --st)" '--state'
    assert_equal "$(offers token mint --role s)" 'supervisor service'
    assert_equal "$(offers wait '')" 'ready settled agent/ chat/'
    assert_equal "$(offers wait agent/7=a)" 'agent/7=available agent/7=away'
    assert_equal "$(offers wait chat/1)" 'chat/1=waiting chat/1=assigned chat/1=closed'
    assert_equal "$(offers webhook replay '')" ':files'
    assert_equal "$(offers webhook sign x --secret-file '')" ':files'
    assert_equal "$(offers webhook quarantine '')" 'list show replay drop'
    assert_equal "$(offers we q r)" replay
    assert_equal "$(offers we q x '')" ''
    assert_equal "$(offers help webhook quarantine d)" drop
    assert_equal "$(offers webhook quarantine drop --a)" '--all'
    assert_equal "$(offers nonsense '')" ''
    assert_equal "$(offers help w)" 'wait webhook'
}

@test "rooms, chats and businesses come from the daemon, and from none without a word" {
    assert_equal "$(offers room show '' 2>&1)" ''
    start_siod
    post_webhook "$(text_webhook wamid.1 15551230001 hello)"
    agent_connected a --token "$(token 7 1)"
    assert_equal "$(offers room show b)" business_1
    assert_equal "$(offers chat show '')" 1
    assert_equal "$(offers tail --business '')" 1
    assert_equal "$(offers webhook quarantine drop '')" 1
    assert_equal "$(offers socket list --user '')" 7
    assert_equal "$(offers agent show '')" 7
    assert_equal "$(offers socket kick '')" "$(sioctl socket list -o json | jq -r '.[0].socketId')"
}

@test "the words that stand before decide: options in any order and spelling, another daemon's socket" {
    assert_equal "$(offers chat list --state=w)" '--state=waiting'
    assert_equal "$(offers --state w)" waiting
    assert_equal "$(offers -Ho js)" json
    assert_equal "$(offers -Ho json chat list --st)" '--state'
    assert_equal "$(offers help chat sh)" show
    assert_equal "$(offers webhook sign x --secret-file=/)" ':files'
    assert_equal "$(offers -- chat list --st)" ''
    start_siod
    local found=$SIOD_SOCKET
    agent_connected a --token "$(token 7 1)"
    agent_connected b --token "$(token 7 2)"
    SIOD_SOCKET=/nonexistent
    assert_equal "$(offers agent show '')" ''
    assert_equal "$(offers -s "$found" agent show '')" 7
    assert_equal "$(offers "-s$found" agent show '')" 7
    assert_equal "$(offers agent show "--socket=$found" '')" 7
    assert_equal "$(offers -s "$found" wait agent/)" 'agent/7='
    assert_equal "$(offers -s "$found" wait agent/7)" \
        'agent/7=available agent/7=busy agent/7=away agent/7=online agent/7=offline'
}

# with_odd_rooms: names that a shell has to quote.
with_odd_rooms() {
    start_siod
    agent_connected a --token "$(token 7 1)"
    local socket room
    socket=$(sioctl socket list -o json | jq -r '.[0].socketId')
    for room in 'two words' "$ODD" 'co:lon' "evil"$'\e[31m'; do
        sioctl room join "$room" "$socket" >/dev/null
    done
    mkdir "$BATS_TEST_TMPDIR/folder"
    touch "$BATS_TEST_TMPDIR/folder/key file"
    export PATH=$SIOD_BIN:$PATH
}

# completes TYPED SHOWN: the line after a Tab. The prompt of each shell is '% '.
completes() {
    type_text "$1"
    press Tab
    see_last "% $2"
    press C-u
    see_last %
}

# gives TYPED SHOWN LINE: after a Tab and Enter, the last line of the output is this one.
gives() {
    type_text "$1"
    press Tab
    see_last "% $2"
    press Enter
    see "$3"
    see_last %
}

ODD="it's \"odd\"."
ESCAPED="it\\'s\\ \\\"odd\\\"."

# What the three have in common; each quotes in its own way.
completes_the_usual() {
    completes 'sioctl ag' 'sioctl agent'
    completes 'sioctl agent show ' 'sioctl agent show 7'
    completes 'sioctl room show b' 'sioctl room show business_1'
    completes 'sioctl chat list --st' 'sioctl chat list --state'
    completes 'sioctl chat list --state=w' 'sioctl chat list --state=waiting'
    completes 'sioctl wait agent/7=av' 'sioctl wait agent/7=available'
    completes 'sioctl -o js' 'sioctl -o json'
    completes 'sioctl help chat sh' 'sioctl help chat show'
    completes "sioctl -s $SIOD_SOCKET agent show " "sioctl -s $SIOD_SOCKET agent show 7"
    completes "sioctl webhook sign $BATS_TEST_TMPDIR/fold" "sioctl webhook sign $BATS_TEST_TMPDIR/folder/"
    completes "sioctl webhook sign --secret-file=$BATS_TEST_TMPDIR/fold" \
        "sioctl webhook sign --secret-file=$BATS_TEST_TMPDIR/folder/"
    gives 'sioctl room show tw' 'sioctl room show two\ words' 'room        two words'
    gives 'sioctl room show "tw' 'sioctl room show "two words"' 'room        two words'
    completes 'sioctl room show evil' 'sioctl room show evil'
}

@test "bash" {
    with_odd_rooms
    terminal_start bash --norc --noprofile -i
    enter "PS1='% '; source '$ROOT/completions/sioctl.bash'; clear"
    see_last %
    completes_the_usual
    gives 'sioctl room show co:' 'sioctl room show co:lon' 'room        co:lon'
    gives 'sioctl room show it' "sioctl room show $ESCAPED" "room        $ODD"
    gives 'sioctl room show "it' 'sioctl room show "it'"'"'s \"odd\"."' "room        $ODD"
}

@test "zsh" {
    with_odd_rooms
    mkdir "$BATS_TEST_TMPDIR/functions"
    ln -s "$ROOT/completions/_sioctl" "$BATS_TEST_TMPDIR/functions/_sioctl"
    terminal_start zsh -f -i
    enter "PS1='%% '; fpath=($BATS_TEST_TMPDIR/functions \$fpath); autoload -U compinit; compinit -u -d $BATS_TEST_TMPDIR/dump; clear"
    see_last %
    completes_the_usual
    gives 'sioctl room show co:' 'sioctl room show co:lon' 'room        co:lon'
    gives 'sioctl room show it' "sioctl room show $ESCAPED" "room        $ODD"
}

@test "fish" {
    with_odd_rooms
    export XDG_DATA_HOME=$BATS_TEST_TMPDIR/data XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config HOME=$BATS_TEST_TMPDIR
    terminal_start fish -N -i
    enter "function fish_prompt; echo '% '; end; function fish_greeting; end; set -g fish_autosuggestion_enabled 0; source '$ROOT/completions/sioctl.fish'; clear"
    see_last %
    completes_the_usual
    gives 'sioctl room show co:' 'sioctl room show co:lon' 'room        co:lon'
    gives 'sioctl room show it' "sioctl room show $ESCAPED" "room        $ODD"
}
