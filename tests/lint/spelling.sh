#!/usr/bin/env bash
# Spelling in code, comments and documents. Test data and the licence are not ours to correct.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

# words that are names here
ignore=ser,fo,nd,te,ot,hel,ue,iif,readby
tracked ':!LICENSE' ':!tests/vectors' ':!tests/fuzz/corpus' ':!tests/conformance' ':!*.lock' ':!*package-lock.json' |
    xargs codespell --ignore-words-list "$ignore" || problem "codespell found something"
finish
