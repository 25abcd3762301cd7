#!/usr/bin/env bash
# How long `sioctl webhook replay` takes for a recording of 10,000 messages of 1,000 customers, into a fresh daemon with
# its defaults (synchronous=FULL, log, metrics, audit): as it is, with 64 connections, and signed over HTTP. Three
# rounds; one line each, with the deliveries a second, the CPU time of both and the commits.
#
#   bench/replay.sh [COUNT]
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
bin=${SIOD_BIN:-$root/build/bin}
count=${1:-10000}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

make_recording() {
    printf '{"siorec":1,"started_at":"2026-03-01T09:30:00.000Z","source":"bench/replay.sh","redacted":true}\n'
    jq -c --argjson count "$count" '. as $body | range($count) as $i | {at_ms: ($i * 10), sign: true, body: ($body |
        .entry[0].changes[0].value |= (.contacts[0].wa_id = "\(15550000000 + $i % 1000)" |
            .messages[0].from = .contacts[0].wa_id | .messages[0].id = "wamid.\($i)" |
            .messages[0].timestamp = "\(1772357400 + $i)") | tojson)}' "$root/tests/vectors/webhooks/text.json"
}

start_siod() {
    rm -rf "$dir/state"
    setpriv --pdeathsig TERM "$bin/siod" --dev "$dir/state" -o http.listen=127.0.0.1:0 2>"$dir/siod.log" &
    pid=$!
    until grep -q 'siod: ready on' "$dir/siod.log"; do
        read -rt 0.02 <> <(:) || :
    done
    url=http://$(sed -n 's/.*siod: ready on //p' "$dir/siod.log")/webhook
    export SIOD_SOCKET=$dir/state/siod.sock
}

# CPU milliseconds of the daemon.
daemon_ms() {
    awk -v hz="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$pid/stat"
}

# measure NAME OPTION…
measure() {
    local name=$1 start end client commits
    shift
    start_siod
    start=${EPOCHREALTIME/./}
    TIMEFORMAT='%U %S'
    { time "$bin/sioctl" webhook replay "$dir/day.siorec" -o ndjson "${@/@URL@/$url}" >"$dir/rows" 2>"$dir/words"; } 2>"$dir/time"
    end=${EPOCHREALTIME/./}
    client=$(awk '{ print int(($1 + $2) * 1000) }' "$dir/time")
    commits=$("$bin/sioctl" status -o json | jq .store.commits)
    printf '%-12s %5d ms %7d/s   siod %4d ms CPU   sioctl %4d ms CPU   %5d commits   %s\n' "$name" \
        $(((end - start) / 1000)) $((count * 1000000 / (end - start))) "$(daemon_ms)" "$client" "$commits" \
        "$(tail -n 1 "$dir/words")"
    kill "$pid"
    wait "$pid" || :
}

make_recording >"$dir/day.siorec"
for _ in 1 2 3; do
    measure socket
    measure socket-64 --concurrency 64
    measure url-64 --url @URL@ --secret-file "$dir/state/app.secret" --concurrency 64
done
