# bash completion for siod(8).
# shellcheck shell=bash
_siod() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    case $prev in
        -c | --config) compopt -o default ;;
        --dev) compopt -o dirnames ;;
        -o | --option) ;;
        *) mapfile -t COMPREPLY < <(compgen -W '-c -o -n -v -h --config --option --check --verbose --dev --version --help' -- "$cur") ;;
    esac
}
complete -F _siod siod
