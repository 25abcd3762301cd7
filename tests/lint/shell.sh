#!/usr/bin/env bash
# Shell scripts, bats files and completions: shellcheck, and shfmt's layout.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

mapfile -t scripts < <(tracked dev .ci/run '*.sh' '*.bash')
mapfile -t tests < <(tracked '*.bats')
# SC2030, SC2031, SC2153: each bats test is a subshell, and helpers set variables of the test.
shellcheck -x -P SCRIPTDIR -e SC2030,SC2031,SC2153 "${scripts[@]}" "${tests[@]}" || problem "shellcheck found something"
shfmt -i 4 -ci -d "${scripts[@]}" || problem "shfmt -i 4 -ci would write these scripts differently"
if ((${#tests[@]})); then
    shfmt -i 4 -ci -ln bats -d "${tests[@]}" || problem "shfmt -i 4 -ci -ln bats would write these tests differently"
fi
mapfile -t modules < <(tracked '*.mjs')
for module in "${modules[@]}"; do
    node --check "$module" || problem "$module does not parse"
done
finish
