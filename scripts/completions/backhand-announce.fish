# Licensed under the Apache License, Version 2.0; see LICENSE.

complete -c backhand-announce -f
complete -c backhand-announce -s c -l config -r -F -d 'the file of directives'
complete -c backhand-announce -s s -l server -x -d 'a server, besides those of the file'
complete -c backhand-announce -s w -l workers -x -d 'how many requests a server can serve at once'
complete -c backhand-announce -s k -l check -x -d 'what each server is asked, to announce whether it works'
complete -c backhand-announce -s l -l listen-only -d 'announces nothing, and knows the servers of others'
complete -c backhand-announce -s t -l check-config -d 'checks the configuration, and does nothing else'
complete -c backhand-announce -l version -d 'shows the version'
complete -c backhand-announce -s h -l help -d 'shows the options'
