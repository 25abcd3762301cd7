#!/usr/bin/env bash
# clang-tidy over the sources; .clang-tidy says which checks. With names of files, only those.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

build=${BUILD_DIR:-build}
mapfile -t files < <(
    if (($#)); then
        printf '%s\n' "$@"
    else
        tracked 'libshared/*.c' 'siod/*.c' 'sioctl/*.c' 'tests/fuzz/*.c'
    fi
)
# gcc's own warnings in the compile commands mean nothing to clang.
printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$build" --quiet --warnings-as-errors='*' \
        --extra-arg=-Wno-unknown-warning-option 2> >(grep -vE '^[0-9]+ warnings? generated|^$' >&2) ||
    problem "clang-tidy found something"
finish
