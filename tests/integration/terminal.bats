#!/usr/bin/env bats
# Nothing that a customer, a file or an argument is called reaches the operator's terminal as an escape sequence.

load ../lib/siod

setup() {
    setup_siod
    start_siod
    EVIL=$'E\e]0;x\a\e[31mvil'
}

teardown() {
    teardown_siod
}

# on_a_terminal ARGUMENT…: what a terminal would get, colours taken away.
on_a_terminal() {
    script -qec "$(printf '%q ' "$SIOD_BIN/sioctl" -s "$SIOD_SOCKET" "$@")" /dev/null </dev/null 3>&- |
        sed 's/\x1b\[[0-9;]*m//g'
}

refute_control_characters() {
    refute grep -qP '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]' <<<"$1"
}

@test "names of customers are shown with their control characters spelt out" {
    local command words
    post_webhook "$(text_webhook wamid.1 16505551234 "$EVIL" | jq -c --arg name "$EVIL" \
        '.entry[0].changes[0].value.contacts[0].profile.name = $name')"
    for command in "chat list" "chat show 1" "webhook list" "status"; do
        read -ra words <<<"$command"
        refute_control_characters "$(on_a_terminal "${words[@]}")"
    done
    assert_contains "$(on_a_terminal chat list)" 'E\x1b]0;x\x07\x1b[31mvil'
}

@test "words on stderr are as harmless as tables" {
    run sioctl room show "$EVIL"
    assert_equal "$status" 1
    assert_contains "$output" 'E\x1b]0;x\x07\x1b[31mvil'
    refute_control_characters "$output"
    run sioctl webhook replay "$BATS_TEST_TMPDIR/$EVIL"
    assert_equal "$status" 1
    refute_control_characters "$output"
}

@test "claims of a token are shown with their names spelt out" {
    local token format text
    token=$(jwt '{"\u001b]0;x\u0007":[{"a":1}],"\u001b\u001b":"v"}')
    for format in text json ndjson tsv; do
        text=$(on_a_terminal token decode "$token" -o "$format")
        refute_control_characters "$text"
        refute grep -qP '\]0;x\a' <<<"$text"
    done
    text=$(on_a_terminal token decode "$token" | tr -d '\r')
    assert_contains "$text" $'\n\nclaims.\\x1b]0;x\\x07:\na\n1'
    assert_contains "$text" 'claims.\x1b\x1b  v'
}
