# bash completion for sioctl(8): it asks `sioctl complete`, which knows what may follow.
# shellcheck shell=bash
_sioctl() {
    local words
    mapfile -t words < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ ${words[0]-} == :files ]]; then
        compopt -o default
    else
        COMPREPLY=("${words[@]}")
    fi
}
complete -F _sioctl sioctl
