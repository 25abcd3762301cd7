#!/usr/bin/env bats
# What hostile clients are answered holds nothing that was never written, and nothing is lost on the way: memcheck sees
# what the sanitizers do not.

load ../lib/siod

teardown() {
    [[ -z ${SERVER:-} ]] || kill "$SERVER" 2>/dev/null || :
}

@test "no attack reaches memory that was never written, or makes it leak" {
    local log=$BATS_TEST_TMPDIR/conformance.log report=$BATS_TEST_TMPDIR/memcheck.log
    [[ -n ${SIOD_TEST_ALL:-} && -z ${SIOD_SANITIZE:-} ]] || skip "long: ./dev test --all"
    in_background valgrind --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --log-file="$report" \
        "$SIOD_TESTS/conformance_server" --listen 127.0.0.1:0 --eio3 --ping-interval 600000 --ping-timeout 600000 \
        --connect-timeout 600000 2>"$log"
    SERVER=$!
    wait_until grep -q 'ready on ' "$log"
    node "$ROOT/tests/lib/attack.mjs" --port "$(sed -n 's/^ready on .*://p' "$log")" --pid "$SERVER" --deadline-s 200
    kill "$SERVER"
    wait "$SERVER" || {
        cat "$report"
        false
    }
    SERVER=
}
