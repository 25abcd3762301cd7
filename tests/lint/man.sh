#!/usr/bin/env bash
# Manual pages are correct mdoc.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

mapfile -t pages < <(tracked 'man/*')
# mandoc looks for the pages that .Xr names among those installed, and takes ROOMS for a misspelt ERRORS.
mandoc -Tlint -Wstyle "${pages[@]}" |
    grep -vE 'referenced manual not found: Xr|possible typo in section name' && problem "mandoc found something"
finish
