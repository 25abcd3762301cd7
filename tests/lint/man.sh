#!/usr/bin/env bash
# Manual pages are correct mdoc.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

mapfile -t pages < <(tracked 'man/*')
# mandoc looks for the pages that .Xr names in the system's manual: our own are not there.
mandoc -Tlint -Wstyle "${pages[@]}" | grep -v 'referenced manual not found: Xr' && problem "mandoc found something"
finish
