#!/usr/bin/env bash
# cppcheck over the sources.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

cache=${BUILD_DIR:-build}/cppcheck
mkdir -p "$cache"
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=uninitvar --suppress=ctuuninitvar \
    -j "$(nproc)" --cppcheck-build-dir="$cache" -D_GNU_SOURCE '-DLIST_HEAD(name,type)=struct name{struct type *lh_first;}' -DSIOD_VERSION='""' -I . libshared siod sioctl ||
    problem "cppcheck found something"
finish
