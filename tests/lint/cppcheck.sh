#!/usr/bin/env bash
# cppcheck over the sources.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

cache=${BUILD_DIR:-build}/cppcheck
mkdir -p "$cache"
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    -j "$(nproc)" --cppcheck-build-dir="$cache" -D_GNU_SOURCE -DSIOD_VERSION='""' -I . libshared siod sioctl ||
    problem "cppcheck found something"
finish
