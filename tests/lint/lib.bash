# What the checks share. They run in the root of the tree and look at the files as they are, committed or not.
# shellcheck shell=bash
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

problems=0

problem() {
    printf '%s\n' "$*"
    problems=$((problems + 1))
}

finish() {
    ((problems == 0))
}

# tracked PATTERN…: files of the tree, without what git ignores.
tracked() {
    git ls-files --cached --others --exclude-standard --deduplicate -- "$@" | while read -r file; do
        [[ ! -f $file ]] || echo "$file"
    done
}

# The same names on both sides: the table in front, what is written by hand behind.
# same_names WHAT TABLE_NAMES PAGE PAGE_NAMES
same_names() {
    local name
    if [[ -z $2 || -z $4 ]]; then
        problem "$1: nothing found in the table or in $3: this check is broken"
        return
    fi
    while read -r name; do
        problem "$1 '$name' is missing in $3"
    done < <(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$4"))
    while read -r name; do
        problem "$3 describes $1 '$name', which does not exist"
    done < <(comm -13 <(sort -u <<<"$2") <(sort -u <<<"$4"))
}
