#!/usr/bin/env bash
# clang-tidy over the sources; .clang-tidy says which checks. With names of files, only those. The unit tests are read
# for clang's own warnings alone: gcc misses some, and `./dev build fuzz` compiles them with clang.
#
# The analyzer follows each function along a third of the paths that it would; with SIOD_TEST_ALL (`./dev lint --all`)
# along all of them, which takes three times as long.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

build=${BUILD_DIR:-build}
paths=(--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=75000)
[[ -z ${SIOD_TEST_ALL:-} ]] || paths=()

# gcc's own warnings in the compile commands mean nothing to clang.
# tidy WHAT OPTION… <files: one each line
tidy() {
    local what=$1
    shift
    tr '\n' '\0' |
        xargs -0 -r -n 1 -P "$(nproc)" clang-tidy -p "$build" --quiet --warnings-as-errors='*' \
            --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument "$@" 2> >(grep -vE '^[0-9]+ warnings? generated|^$' >&2) ||
        problem "clang-tidy found something in $what"
}

if (($#)); then
    printf '%s\n' "$@" | tidy "those files" "${paths[@]}"
else
    tracked 'libshared/*.c' 'siod/*.c' 'sioctl/*.c' 'tests/fuzz/*.c' | tidy "the sources" "${paths[@]}"
    tracked 'tests/unit/*.c' 'tests/lib/*.c' | tidy "the unit tests" '--checks=-*,misc-definitions-in-headers'
fi
finish
