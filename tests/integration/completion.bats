#!/usr/bin/env bats
# What the shell offers, as the completion scripts ask for it.

load ../lib/siod

setup() {
    setup_siod
    export SIOD_SOCKET=$BATS_TEST_TMPDIR/none.sock
}

teardown() {
    teardown_siod
}

# offers WORD…: the candidates for the last word, on one line.
offers() {
    sioctl complete -- "$@" | paste -sd ' '
}

@test "commands, verbs, options and their values are offered" {
    assert_equal "$(offers '')" 'status wait room socket chat message agent business emit tail webhook token config log audit help'
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
    assert_equal "$(offers wait '')" 'ready agent/ chat/'
    assert_equal "$(offers wait agent/7=a)" 'agent/7=available agent/7=away'
    assert_equal "$(offers wait chat/1)" 'chat/1=waiting chat/1=assigned chat/1=closed'
    assert_equal "$(offers webhook replay '')" ':files'
    assert_equal "$(offers webhook sign x --secret-file '')" ':files'
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
    assert_equal "$(offers socket list --user '')" 7
    assert_equal "$(offers agent show '')" 7
    assert_equal "$(offers socket kick '')" "$(sioctl socket list -o json | jq -r '.[0].socketId')"
}

@test "bash asks sioctl" {
    PATH=$SIOD_BIN:$PATH
    # shellcheck disable=SC1091 # made of the tree
    source "$ROOT/completions/sioctl.bash"
    COMP_WORDS=(sioctl room s)
    COMP_CWORD=2
    COMPREPLY=()
    _sioctl
    assert_equal "${COMPREPLY[*]}" show
    COMP_WORDS=(sioctl '')
    COMP_CWORD=1
    _sioctl
    assert_contains "${COMPREPLY[*]}" 'status wait room'
}
