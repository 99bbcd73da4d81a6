# Licensed under the Apache License, Version 2.0; see LICENSE.

_backhand_announce() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $before in
    -c | --config)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        ;;
    -s | --server | -w | --workers | -k | --check) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "-c --config -s --server -w --workers -k --check -l --listen-only -t --check-config --version -h --help" -- "$current") ;;
    esac
}
complete -F _backhand_announce backhand-announce
