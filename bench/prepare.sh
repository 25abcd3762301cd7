#!/usr/bin/env bash
# A state directory for measurements: the secrets that the generators sign with, and, for fan-out, chats 1 to N of
# business 1000. Prints the command that starts siod in it.
#
#   bench/prepare.sh DIR [CHATS]
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
dir=${1:?usage: bench/prepare.sh DIR [CHATS]}
chats=${2:-250}
bin=${SIOD_BIN:-$root/build/bin}

start() {
    (cd "$dir" && exec setpriv --pdeathsig TERM "$bin/siod" -c "$root/bench/siod.conf" -o http.listen=127.0.0.1:0) \
        2>"$dir/prepare.log" &
    pid=$!
    until grep -q 'siod: ready on' "$dir/prepare.log"; do
        kill -0 $pid || {
            cat "$dir/prepare.log" >&2
            exit 1
        }
        read -rt 0.02 <> <(:) || :
    done
}

mkdir -p "$dir"
rm -f "$dir"/siod.db*
: >"$dir/prepare.log"
printf 'lab-jwt-secret\n' >"$dir/jwt.key"
printf 'lab-app-secret\n' >"$dir/app.secret"
printf 'lab-verify-token\n' >"$dir/verify.token"
start
url=http://$(sed -n 's/^siod: ready on //p' "$dir/prepare.log")
# One connection, so that the chats get their numbers in order; one customer a chat.
node "$root/tests/lib/flood.mjs" --url "$url" --secret-file "$dir/app.secret" --phone 100000000001000 \
    --count "$chats" --customers "$chats" --concurrency 1 --prefix prepare >"$dir/prepare.out"
kill -TERM $pid
wait $pid
echo "$(grep -c '^200 ' "$dir/prepare.out") chats; start it with: cd $dir && $bin/siod -c $root/bench/siod.conf"
