# fish completion for sioctl(8): it asks `sioctl complete`, which knows what may follow.
function __sioctl_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (sioctl complete -- $words[2..] 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        string join \n -- $found
    end
end
complete -c sioctl -f -a '(__sioctl_complete)'
