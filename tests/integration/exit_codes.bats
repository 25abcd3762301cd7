#!/usr/bin/env bats
# Every exit code of every command that has it.

load ../lib/siod
load ../lib/commands

filled='' # by fill()

setup() {
    setup_siod
}

teardown() {
    if [[ -n ${SIOD_PID:-} ]]; then
        kill -CONT "$SIOD_PID" # it may hang
    fi
    teardown_siod
}

# ends CODE WORDS…: split at blanks.
ends() {
    local expected=$1
    shift
    fill "$*"
    ends_filled "$expected" "$filled"
}

ends_filled() {
    local expected=$1 code=0
    local -a words
    shift
    read -ra words <<<"$*"
    said=$(sioctl "${words[@]}" 2>&1 >"$BATS_TEST_TMPDIR/out" </dev/null) || code=$?
    assert_equal "$* exits $code: $said" "$* exits $expected: $said"
}

@test "0: the examples are done; 1: what cannot be is refused, with a reason" {
    with_a_full_desk
    local command shape alone example refused before
    local -a words
    while IFS='|' read -r command shape alone example refused before; do
        fill "$before|$command $example"
        if [[ -n $before ]]; then
            read -ra words <<<"${filled%%|*}"
            "${words[@]}" >"$BATS_TEST_TMPDIR/before"
        fi
        ends_filled 0 "${filled#*|}"
        if [[ -n $refused ]]; then
            ends 1 "$command $refused"
            assert_contains "$said" 'sioctl: '
        fi
    done < <(examples)
}

@test "2: what no command understands is a usage error that shows the usage and prints nothing" {
    SIOD_SOCKET=/nonexistent
    local command shape rest
    while IFS='|' read -r command shape rest; do
        ends 2 "$command --frobnicate"
        assert_contains "$said" 'sioctl: unknown option --frobnicate'
        assert_contains "$said" "usage: sioctl $command"
        ends 2 "$command -o yaml"
        ends 2 "$command one two three four five --"
        [[ ! -s $BATS_TEST_TMPDIR/out ]]
    done < <(examples | grep -v -e '^help|' -e '^webhook replay|' -e '^webhook scan|')
}

@test "3: without a daemon, but for what needs none" {
    with_a_full_desk
    stop_siod
    local command shape alone example rest
    while IFS='|' read -r command shape alone example rest; do
        ends "$alone" "$command $example"
        [[ $alone != 3 ]] || assert_contains "$said" "cannot reach siod at $SIOD_SOCKET"
    done < <(examples)
}

# hangs: a daemon that has stopped working but is still there.
hangs() {
    with_a_full_desk
    kill -STOP "$SIOD_PID"
}

@test "4: a daemon that does not answer is given up on" {
    hangs
    local command shape alone example rest
    while IFS='|' read -r command shape alone example rest; do
        [[ $alone != 0 ]] || continue
        ends 4 "-t 50ms $command $example"
        [[ ! -s $BATS_TEST_TMPDIR/out || $shape == stream ]]
    done < <(examples)
}

# has_socket PID: it has at least opened one.
has_socket() {
    [[ -n $(find "/proc/$1/fd" -lname 'socket:*' 2>/dev/null) ]]
}

@test "130: interrupted while waiting, with output that is complete" {
    hangs
    local command shape alone example rest code pid
    local -a words
    while IFS='|' read -r command shape alone example rest; do
        [[ $alone == 3 ]] || continue
        fill "$example"
        read -ra words <<<"$command $filled"
        in_background "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" -o json "${words[@]}" >"$BATS_TEST_TMPDIR/out" \
            2>"$BATS_TEST_TMPDIR/words" </dev/null
        pid=$!
        wait_until has_socket "$pid"
        kill -INT "$pid"
        code=0
        wait "$pid" || code=$?
        assert_equal "$command exits $code" "$command exits 130"
        assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" "$([[ $shape != stream ]] || echo '[]')"
    done < <(examples)
}
