#!/usr/bin/env bash
# Every public header compiles alone.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

cmake --build "${BUILD_DIR:-build}" --target all_verify_interface_header_sets -- --quiet ||
    problem "a header does not compile alone"
finish
