#!/usr/bin/env bash
# Resident memory per idle connection: agents connected over WebSocket, joined to their business, doing nothing.
#
#   bench/memory.sh [CONNECTIONS]
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
connections=${1:-5000}
bin=${SIOD_BIN:-$root/build/bin}
dir=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null; rm -rf "$dir"' EXIT

bash "$root/bench/prepare.sh" "$dir" 1 >/dev/null
(cd "$dir" && exec setpriv --pdeathsig TERM "$bin/siod" -c "$root/bench/siod.conf" -o http.listen=127.0.0.1:0) \
    2>"$dir/log" &
pid=$!
until grep -q 'siod: ready on' "$dir/log"; do
    kill -0 $pid
    read -rt 0.02 <> <(:) || :
done
node "$root/bench/idle.mjs" --url "http://$(sed -n 's/^siod: ready on //p' "$dir/log")" --secret-file "$dir/jwt.key" \
    --pid $pid --connections "$connections"
