#!/usr/bin/env bats
# Every command in every format, in a pipe and on a terminal.

load ../lib/siod
load ../lib/commands

filled='' # by fill()

setup() {
    setup_siod
}

teardown() {
    if [[ -z ${BATS_TEST_COMPLETED:-} && -n ${at:-} ]]; then
        echo "--- sioctl $at"
        head -n 20 "$out"
    fi
    teardown_siod
}

# on_terminal ARGUMENT…: what a terminal of 132 columns gets, without its carriage returns.
on_terminal() {
    local command
    printf -v command '%q ' "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" "$@"
    TERM=xterm script -qec "stty cols 132 rows 24; $command 2>/dev/null" /dev/null </dev/null 3>&- | tr -d '\r'
}

# Bytes that a terminal obeys, or that end a line or a column early.
refute_controls() {
    refute grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$1"
}

check_json() {
    local wanted=object
    [[ $shape == list || $shape == stream || $shape == script ]] && wanted=array
    refute_controls "$1"
    assert_equal "$(jq -s 'length' "$1")" 1
    assert_equal "$(jq -r type "$1")" $wanted
}

check_ndjson() {
    refute_controls "$1"
    assert_equal "$(jq -r type "$1" | sort -u)" "$([[ ! -s $1 ]] || echo object)"
    assert_equal "$(wc -l <"$1")" "$(jq -s length "$1")"
    [[ $shape == list || $shape == stream || $shape == script ]] || assert_equal "$(wc -l <"$1")" 1
}

# As many columns in each line as in the first, which has their names; or path and value.
check_tsv() {
    refute_controls "$1"
    [[ -s $1 ]]
    case $shape in
        list | stream | script)
            refute grep -qvP '^\w+(\t\w+)+$' <(head -n 1 "$1")
            assert_equal "$(awk -F '\t' '{ print NF }' "$1" | sort -u | wc -l)" 1
            ;;
        object) refute grep -qvP '^[^\t]+\t[^\t]*$' "$1" ;;
        value) refute grep -q $'\t' "$1" ;;
    esac
}

check_text() {
    refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]' "$1"
    [[ -s $1 ]]
}

# The lines of a list fit.
check_width() {
    local line
    while read -r line; do
        ((${#line} <= 132)) || fail "wider than the terminal: $line" || return 1
    done < <(sed 's/\xe6\x97\xa5\|\xe6\x9c\xac/&x/g' "$1")
}

# run_example FORMAT RUNNER: its output is in the file $out.
run_example() {
    local -a words
    fill "$before|$example"
    if [[ -n $before ]]; then
        read -ra words <<<"${filled%%|*}"
        "${words[@]}" >"$BATS_TEST_TMPDIR/before"
    fi
    read -ra words <<<"$command ${filled#*|}"
    "$2" -H -o "$1" "${words[@]}" >"$out" <<<'room list'
}

# walk RUNNER: all formats of all commands, checked.
walk() {
    local command shape example before format
    out=$BATS_TEST_TMPDIR/out
    while IFS='|' read -r command shape _ example _ before; do
        for format in text json ndjson tsv; do
            at="$command $example -o $format"
            "$1" "$format"
        done
    done < <(examples)
}

in_a_pipe() {
    run_example "$1" sioctl 2>/dev/null
    "check_$1" "$out"
}

# Colour is the only thing that a terminal gets to obey.
at_a_terminal() {
    [[ $shape != script ]] || return 0
    run_example "$1" on_terminal
    if [[ $1 == text ]]; then
        sed -i 's/\x1b\[[01]m//g' "$out"
    fi
    "check_$1" "$out"
    if [[ $1$shape == textlist ]]; then
        check_width "$out"
    fi
}

@test "every command has an example here" {
    SIOD_SOCKET=/nonexistent
    assert_equal "$(commands_without_example)" ''
    assert_equal "$(examples_without_command)" ''
}

@test "every command prints every format in a pipe" {
    with_a_full_desk
    walk in_a_pipe
}

@test "every command prints every format on a terminal" {
    with_a_full_desk
    walk at_a_terminal
}

@test "nothing is cut off in a pipe" {
    with_a_full_desk
    local name
    name=$(sioctl chat show 1 -o json | jq -r .contact.name)
    assert_contains "$name" 'as long as only customers have'
    assert_contains "$(sioctl chat list)" 'as long as only customers have'
    assert_contains "$(sioctl chat list -o tsv)" 'as long as only customers have'
    [[ $(on_terminal chat list) != *'as long as only customers have'* ]]
    assert_contains "$(on_terminal chat list)" …
    assert_contains "$(on_terminal chat list -o tsv)" 'as long as only customers have'
}
