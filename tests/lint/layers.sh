#!/usr/bin/env bash
# Dependencies point one way. The table below is the allow-list: a new arrow is a new line in it.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

# What the files of a folder may include besides the folder's own headers: folders, or single headers of one.
allowed() {
    case $1 in
        libshared) echo "" ;;
        libshared/wire | libshared/ctl) echo "libshared" ;;
        siod/net) echo "libshared libshared/wire" ;;
        siod/engineio) echo "libshared libshared/wire siod/net" ;;
        siod/socketio) echo "libshared libshared/wire siod/net siod/engineio" ;;
        siod/metrics) echo "libshared" ;;
        siod/store) echo "libshared siod/metrics siod/net/loop.h" ;;
        siod/chat) echo "libshared libshared/wire siod/metrics siod/net/loop.h siod/socketio siod/store/store.h" ;;
        siod/webhook)
            echo "libshared libshared/wire siod/metrics siod/net/loop.h siod/net/http.h siod/chat siod/store/store.h"
            ;;
        siod/api)
            echo "libshared siod/metrics siod/net/loop.h siod/net/http.h siod/net/cors.h siod/socketio/socketio.h" \
                "siod/chat siod/store/store.h"
            ;;
        siod/control | siod)
            echo "libshared libshared/wire libshared/ctl siod siod/net siod/engineio siod/socketio siod/metrics" \
                "siod/store/store.h siod/chat siod/webhook siod/api siod/control"
            ;;
        sioctl) echo "libshared libshared/wire libshared/ctl sioctl/replay siod/store/care.h" ;;
        sioctl/replay) echo "libshared libshared/wire libshared/ctl sioctl" ;;
        *) return 1 ;;
    esac
}

# Libraries that are behind one module each, so that they can be replaced there.
owners() {
    case $1 in
        libwebsockets.h) echo 'siod/net/transport*.[ch]' ;;
        http_parser.h) echo 'siod/net/http*.[ch]' ;;
        ev.h) echo 'siod/net/*.[ch] siod/server*.[ch]' ;;
        jwt.h) echo 'libshared/token*.[ch]' ;;
        confuse.h) echo 'libshared/config*.[ch]' ;;
        sqlite3.h) echo 'siod/store/sqlite*.[ch]' ;;
        libpq-fe.h) echo 'siod/store/postgres*.[ch]' ;;
        readline/*) echo 'sioctl/shell*.[ch]' ;;
        curl/*) echo 'sioctl/replay/libcurl.h siod/graph/client*.[ch]' ;;
        *) echo '*' ;;
    esac
}

# matches FILE PATTERN…
matches() {
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2053 # a pattern on purpose
        [[ $file != $pattern ]] || return 0
    done
    return 1
}

check_own() {
    local file=$1 header=$2 folder list
    folder=$(dirname "$file")
    list=$(allowed "$folder") || {
        problem "$file: tests/lint/layers.sh does not know the folder $folder"
        return
    }
    # shellcheck disable=SC2086 # words
    matches "$(dirname "$header")" "$folder" $list || matches "$header" $list ||
        problem "$file: $folder may not include $header"
}

check_library() {
    local list
    set -f
    list=$(owners "$2")
    # shellcheck disable=SC2086 # words
    matches "$1" $list || problem "$1: only $list may include <$2>"
    set +f
}

http_parser_users=$(grep -l '<http_parser.h>' siod/net/*.[ch] 2>/dev/null | wc -l)
((http_parser_users <= 1)) || problem "$http_parser_users files include <http_parser.h>: it stays behind one"

while IFS=: read -r file include; do
    header=${include#*[<\"]}
    header=${header%%[>\"]*}
    case $include in
        *\"*) check_own "$file" "$header" ;;
        *) check_library "$file" "$header" ;;
    esac
done < <(tracked 'libshared/*.[ch]' 'siod/*.[ch]' 'sioctl/*.[ch]' | xargs grep -HE '^ *# *include +[<"]')
finish
