# fish completion for sioctl(8): it asks `sioctl complete`, which knows what may follow.
function __sioctl_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l plain (string unescape -- $word; or string trim -l -c '"\'' -- $word)
    set -l found ($words[1] complete -- $words[2..] "$plain" 2>/dev/null)
    if test "$found[1]" = :files
        set -l stem (string match -r -- '^--[^=]*=' $plain; or echo '')
        printf '%s\n' $stem(__fish_complete_path (string replace -- "$stem" '' "$plain"))
    else
        printf '%s\n' $found
    end
end
complete -c sioctl -f -a '(__sioctl_complete)'
