#compdef backhand-announce
# Licensed under the Apache License, Version 2.0; see LICENSE.

_arguments -s \
    '(-c --config)'{-c,--config}'[the file of directives]:file:_files' \
    '*'{-s,--server}'[a server, besides those of the file]:address and port: ' \
    '(-w --workers)'{-w,--workers}'[how many requests a server can serve at once]:number: ' \
    '(-k --check)'{-k,--check}'[what each server is asked, to announce whether it works]:path: ' \
    '(-l --listen-only)'{-l,--listen-only}'[announces nothing, and knows the servers of others]' \
    '(-t --check-config)'{-t,--check-config}'[checks the configuration, and does nothing else]' \
    '--version[shows the version]' \
    '(-h --help)'{-h,--help}'[shows the options]'
