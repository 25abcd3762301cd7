#!/usr/bin/env bash
# C files are formatted by clang-format; .def files are aligned by hand.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

tracked '*.[ch]' | xargs clang-format --dry-run -Werror || problem "run: clang-format -i on the files above"
finish
