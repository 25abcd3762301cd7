# A terminal for the integration tests: what is typed goes to the program as from a keyboard, and the screen can be
# looked at. It is a tmux of the test's own, 100 columns wide, that dies with the test. Loaded after siod.bash.
# shellcheck shell=bash

# terminal_start COMMAND…: in a new terminal.
terminal_start() {
    TERMINAL=$BATS_TEST_TMPDIR/tmux
    in_background tmux -D -f /dev/null -S "$TERMINAL"
    TERMINAL_PID=$!
    wait_until test -S "$TERMINAL"
    in_tmux new-session -d -x 100 -y 50 "$(printf '%q ' "$@")"
}

terminal_stop() {
    [[ -n ${TERMINAL_PID:-} ]] || return 0
    if [[ -z ${BATS_TEST_COMPLETED:-} ]]; then
        echo "--- the terminal"
        screen || :
    fi
    in_tmux kill-server || kill "$TERMINAL_PID" || :
    wait "$TERMINAL_PID" || :
    TERMINAL_PID=
}

in_tmux() {
    tmux -S "$TERMINAL" "$@" 3>&-
}

# type_text TEXT: character by character, as it is.
type_text() {
    in_tmux send-keys -l -- "$1"
}

# press KEY…: Enter, Tab, C-c
press() {
    in_tmux send-keys "$@"
}

# enter TEXT: a whole line.
enter() {
    type_text "$1"
    press Enter
}

# What the terminal has shown so far, without blanks at the ends of lines and without empty lines at the end.
screen() {
    in_tmux capture-pane -p -J -S - | sed 's/ *$//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

# shows LINE: some line of the screen is this one.
shows() {
    screen | grep -Fxq -- "$1"
}

# ends_with LINE: the last one is.
ends_with() {
    [[ $(screen | tail -n 1) == "$1" ]]
}

see() {
    wait_until shows "$1"
}

see_last() {
    wait_until ends_with "$1"
}
