#!/usr/bin/env bash
# What must not be in a file of the tree: paths of some machine, hosts of package registries, things left for later,
# tests that sleep, files that are generated.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

# nowhere WHY EXTENDED_REGEX PATHSPEC…
nowhere() {
    local why=$1 regex=$2 line
    shift 2
    while read -r line; do
        problem "$why: $line"
    done < <(tracked "$@" ':!tests/lint/tree.sh' ':!LICENSE' | xargs grep -nIE -- "$regex" | cut -c1-160)
}

nowhere "path of a machine" '(^|[^a-z.])/(work|farm|home|root)/' .
nowhere "host of a package registry" 'registry\.(npmjs|yarnpkg)|(deb|security|ftp)\.debian' .
nowhere "resolved address in a lock file" '"resolved"' '*package-lock.json'
nowhere "left for later" '\b(TODO|FIXME|XXX|HACK)\b' '*.[ch]' '*.def' '*.sh' '*.bash' '*.bats' '*.mjs' dev
nowhere "a test that sleeps" '\bsleep ' 'tests/*.bats' 'tests/*.bash'
nowhere "a test that sleeps" '\b(sleep|usleep)\(' 'tests/*.[ch]'
nowhere "white space at the end of a line" '[[:blank:]]$' '*.[ch]' '*.def' '*.sh' '*.bash' '*.bats' '*.mjs' 'man/*'

while read -r file; do
    problem "generated file: $file"
done < <(tracked '*.o' '*.a' '*.so' '*.gcda' '*.gcno' '*.profraw' '*node_modules/*')
finish
