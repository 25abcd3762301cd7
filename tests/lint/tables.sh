#!/usr/bin/env bash
# What is written by hand beside a table says the same as the table, both ways: commands, settings, events, metrics, error
# codes and options against the manual pages.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.bash"

# items PAGE MACRO [SECTION]: the names behind `.It MACRO` in a page, or in one section of it.
items() {
    awk -v macro="$2" -v section="${3:-}" '
        $1 == ".Sh" { here = section == "" || substr($0, 5) == section }
        here && $1 == ".It" && $2 == macro { sub(/^\.It [A-Z][a-z] /, ""); print }' "$1"
}

# The words in front of the arguments. A row without help is plumbing and is not described.
commands() {
    sed -nE '/, *""\)$/d; s/^CTL\(\w+, *"([a-z]+( [a-z]+){0,2})[ "].*/\1/p' libshared/ctl/commands.def
}

# .It Ic room list Op Fl -business Ar business
documented_commands() {
    items man/sioctl.8 Ic COMMANDS | sed -E 's/ +(Ar|Op|Fl|Oo|No|Brq|Ns) .*//'
}

settings() {
    sed -nE 's/^(SETTING|CHOICE) *\((\w+), *(\w+),.*/\2.\3/p' libshared/config.def
}

# .Ss http, then .It Ic listen No = Ar list
documented_settings() {
    awk '$1 == ".Ss" { section = $2 } $1 == ".It" && $2 == "Ic" { print section "." $3 }' man/siod.conf.5
}

reloadable_settings() {
    sed -nE 's/^(SETTING|CHOICE) *\((\w+), *(\w+),.*RELOAD.*/\2.\3/p' libshared/config.def
}

documented_reloadable() {
    awk '$1 == ".Ss" { section = $2 } $1 == ".It" && $2 == "Ic" { key = $3 }
        $0 == "Reloadable." { print section "." key }' man/siod.conf.5
}

events() {
    sed -nE 's/^(ON|EMIT) *\(\w+, *"(\w+)".*/\2/p' siod/chat/events.def
}

# {} in a path is {id} for a reader.
resources() {
    sed -nE 's/^ROUTE\(\w+, *"(\w+)", *"([^"]+)".*/\1 \2/p' siod/api/routes.def | sed 's/{}/{id}/'
}

metrics() {
    sed -nE 's/^METRIC\(\w+, *(\w+), *"(\w+)".*/\1 \2/p' siod/metrics/metrics.def |
        awk '{ print $2 ($1 == "COUNTER" ? "_total" : "") }'
}

# The long ones: `  -c, --config FILE` in siod's usage, .It Fl c , Fl -config Ar FILE in the page.
siod_options() {
    sed -nE 's/^ *"  (-\w, |    )--([a-z-]+).*/\2/p' siod/main.c
}

sioctl_options() {
    sed -nE "s/^OPT\\(\w+, *'.', *\"([a-z-]+)\".*/\\1/p" libshared/ctl/options.def
}

# documented_options PAGE [SECTION]
documented_options() {
    items "$1" Fl "${2:-}" | sed -nE 's/^.*(^| )-([a-z-]+).*/\2/p'
}

# What tsv has, `room list: room , namespace , …`; not of what prints a recording, and of plumbing and help.
columns() {
    sed -nE 's/^COLUMN\((\w+), *(BOTH|TSV), *"[^"]*", *"([^"]+)".*/\1 \3/p' sioctl/views.def |
        sed -E '/^(webhook_export|webhook_fetch|help) /d; s/^audit_list /audit /' |
        awk '{ row[$1] = row[$1] (row[$1] == "" ? "" : " , ") $2 }
            END { for (id in row) { name = id; gsub(/_/, " ", name); if (row[id] ~ /,/) print name ": " row[id] } }'
}

# The members that the page names for a command, one behind the other.
documented_members() {
    awk '$1 == ".It" && $2 == "Ic" { name = substr($0, 8); sub(/ +(Ar|Op|Fl|Oo) .*/, "", name); printf "\n%s:", name }
        $1 == ".Va" { printf " %s", substr($0, 5) }' man/sioctl.8
}

# needs ACCESS: the commands that the daemon answers to nobody with less.
needs() {
    sed -nE "s/^CTL\\(\\w+, *\"([a-z]+( [a-z]+){0,2})[ \"].* $1, *(DAEMON|BOTH),.*/\\1/p" libshared/ctl/commands.def
}

# documented_needs ACCESS: of log level the arguments decide.
documented_needs() {
    awk -v access="$1" '$1 == ".It" || $1 == ".El" { here = $2 == "Em" && $3 == access }
        here && $1 == ".Ic" { print substr($0, 5) }' man/siod-control.7 |
        sed 's/ ,$//; s/ , /\n/g' | grep -vx 'log level'
}

# Without those that only an event, an HTTP request or a start can meet with.
codes() {
    sed -nE 's/^ERROR\(\w+, *"(\w+)".*/\1/p' libshared/error.def |
        grep -vxE 'unknown_event|not_in_chat|unauthorized|token_missing|unsupported'
}

# .It Li not_found , exists
documented_codes() {
    awk '$1 == ".Ss" || $1 == ".Sh" { here = $2 == "Errors" }
        here && $1 == ".It" { print substr($0, 8) }' man/siod-control.7 | sed 's/ , /\n/g'
}

same_names command "$(commands)" man/sioctl.8 "$(documented_commands)"
same_names "command with operate access" "$(needs OPERATE)" man/siod-control.7 "$(documented_needs operate)"
same_names "command with admin access" "$(needs ADMIN)" man/siod-control.7 "$(documented_needs admin)"
same_names "error code" "$(codes)" man/siod-control.7 "$(documented_codes)"
same_names setting "$(settings)" man/siod.conf.5 "$(documented_settings)"
same_names "reloadable setting" "$(reloadable_settings)" man/siod.conf.5 "$(documented_reloadable)"
same_names event "$(events)" man/siod-events.7 "$(items man/siod-events.7 Ic | cut -d ' ' -f 1)"
same_names resource "$(resources)" man/siod-api.7 "$(items man/siod-api.7 Ic RESOURCES)"
same_names metric "$(metrics)" man/siod.8 "$(items man/siod.8 Li METRICS)"
same_names "option of siod" "$(siod_options)" man/siod.8 "$(documented_options man/siod.8)"
same_names "option of sioctl" "$(sioctl_options)" man/sioctl.8 "$(documented_options man/sioctl.8 DESCRIPTION)"
members=$(documented_members)
while IFS=: read -r command list; do
    grep -q "^$command:.*$list" <<<"$members" ||
        problem "man/sioctl.8 does not name the columns of '$command' in tsv:$list"
done < <(columns)
grep -q 'sioctl complete' completions/sioctl.bash || problem "completions/sioctl.bash does not ask \`sioctl complete\`"
finish
