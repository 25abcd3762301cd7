# bash completion for sioctl(8): it asks `sioctl complete`, which knows what may follow.
# shellcheck shell=bash

# Takes the line apart itself: bash's own words are cut at each = and : and keep their quotes.
_sioctl() {
    local line=${COMP_LINE:0:COMP_POINT} quote='' word='' open='' c i=0
    local head='' # of the last word: what bash leaves as it is
    local -a words found
    while ((i < ${#line})); do
        c=${line:i++:1}
        if [[ -z $quote && $c == [[:blank:]] ]]; then
            [[ -z $open ]] || words+=("$word")
            word='' open='' head=''
            continue
        fi
        open=yes
        case $quote$c in
            \' | \") quote=$c head=$word ;;
            \'\' | \"\") quote='' head=$word ;;
            \\ | \"\\) word+=${line:i++:1} ;;
            *)
                word+=$c
                [[ -n $quote || $COMP_WORDBREAKS != *"$c"* ]] || head=$word
                ;;
        esac
    done
    mapfile -t found < <("${words[0]/#\~\//$HOME/}" complete -- "${words[@]:1}" "$word" 2>/dev/null)
    COMPREPLY=()
    if [[ ${found[0]-} == :files ]]; then
        compopt -o default
        return
    fi
    for c in "${found[@]}"; do
        c=${c:${#head}}
        case $quote in
            \') c=${c//\'/\'\\\'\'} ;;
            \") c=${c//[\"\\\$\`]/\\&} ;;
            *) printf -v c %q "$c" ;;
        esac
        COMPREPLY+=("$c")
    done
    if [[ ${#found[@]} -eq 1 && ${found[0]} == *[=/] ]]; then
        compopt -o nospace
    fi
}
complete -F _sioctl sioctl
