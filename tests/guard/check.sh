#!/usr/bin/env bash
# Counts the instructions of the hot paths under callgrind and compares them with the table `counts`.
#
#   tests/guard/check.sh [--update] [CASE…]   all cases, or those; --update writes what was counted into the table
#   tests/guard/check.sh --table              only: do the table and the program have the same cases?
#
# What was counted stays in $BUILD_DIR/tests/guard/CASE.callgrind, for callgrind_annotate. Exit 77: nothing to compare.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(cd -- "${BUILD_DIR:-$root/build}" && pwd)/tests/guard
table=$root/tests/guard/counts
program=$build/guard
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# The same code on every machine: glibc and OpenSSL choose by processor otherwise. The rest of the environment is left
# out, its size moves the stack.
same_everywhere=(LC_ALL=C TZ=UTC
    'GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX,-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-BMI2'
    OPENSSL_ia32cap='~0x1000080000000000:0')

check_machine() {
    local machine
    # shellcheck source=/dev/null
    machine="$(. /etc/os-release && echo "$ID ${VERSION_ID:-}"), $(<"$build/compiler")"
    if [[ $machine != "debian 12, GNU 12 x86_64" ]]; then
        echo "the counts are those of debian 12, GNU 12 x86_64 without further flags; this is $machine: skipped"
        exit 77
    fi
}

row() {
    awk -v name="$1" '$1 == name { print $2, $3 }' "$table"
}

table_cases() {
    awk '/^[a-z]/ { print $1 }' "$table"
}

program_cases() {
    "$program" --list | awk '{ print $1 }'
}

check_table() {
    diff <(table_cases) <(program_cases) ||
        { echo "< is only in the table, > only in the program; or in another order" && return 1; }
}

# count CASE: instructions per operation, into $dir/CASE.count.
count() {
    local out=$build/$1.callgrind divisor total
    mkdir "$dir/$1"
    cp "$root/bench/siod.conf" "$dir/$1.conf"
    divisor=$(cd "$dir/$1" && env -i PATH="$PATH" "${same_everywhere[@]}" \
        valgrind -q --tool=callgrind --instr-atstart=no --collect-atstart=no --callgrind-out-file="$out" \
        "$program" "../$1.conf" "$1") || return
    total=$(sed -n 's/^summary: //p' "$out")
    echo $(((total + divisor / 2) / divisor)) >"$dir/$1.count"
}

count_all() {
    local name running=0
    for name in "$@"; do
        ((running++ < $(nproc))) || wait -n || :
        count "$name" 2>"$dir/$name.err" &
    done
    wait
}

compare() {
    local name=$1 expected tolerance got
    read -r expected tolerance < <(row "$name")
    got=$(<"$dir/$name.count")
    awk -v name="$name" -v expected="$expected" -v got="$got" -v tolerance="$tolerance" 'BEGIN {
        change = 100 * (got - expected) / expected
        bad = change > tolerance || -change > tolerance
        verdict = !bad ? "" : change > 0 ? "too many" : "fewer: update the table"
        line = sprintf("%-17s expected %7d  got %7d  %+6.1f %% (%s %%)  %s", name, expected, got, change, tolerance, verdict)
        sub(/ +$/, "", line)
        print line
        exit bad
    }'
}

update() {
    awk -v name="$1" -v got="$2" '
        $1 == name { $0 = sprintf("%-17s %8d %2s", name, got, $3) }
        { print }' "$table" >"$dir/table"
    cat "$dir/table" >"$table"
}

# finish_case CASE: what came out, or why nothing did.
finish_case() {
    if [[ ! -f $dir/$1.count ]]; then
        echo "$1: no count"
        cat "$dir/$1.err"
        return 1
    fi
    compare "$1" && return
    [[ -n $updating ]] || return
    update "$1" "$(<"$dir/$1.count")"
    echo "$1: written to the table"
}

updating=
case ${1:-} in
    --update)
        updating=1
        shift
        ;;
    --table)
        check_table
        exit
        ;;
esac
check_machine
cases=("$@")
((${#cases[@]})) || mapfile -t cases < <(table_cases)
for name in "${cases[@]}"; do
    [[ -n $(row "$name") ]] || {
        echo "there is no case $name in $table" >&2
        exit 2
    }
done
count_all "${cases[@]}"
failed=0
for name in "${cases[@]}"; do
    finish_case "$name" || failed=1
done
if ((failed)); then
    echo "If that is meant: ./dev guard --update, and the reason in the commit."
fi
exit $failed
