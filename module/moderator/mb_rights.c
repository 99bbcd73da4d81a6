/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Writing into folders that others own.
 *
 * httpd's parent may be root, and names in a folder of another user mean what that user likes: between two system calls
 * a socket becomes a hard link to another file, or a folder becomes a link to another folder. So the parent does not
 * act there with its own rights: a process that it forks takes the rights of the folder's user first, and can then do
 * nothing that this user could not do itself. The parent's own rights stay untouched; lowered in place (setfsuid), they
 * would take its death signal and its core dumps with them.
 */

#include "moderator/mb_moderator.h"

#include "unixd.h"

#include <errno.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

bh_rights_t mb_rights_of_children(void) {
    return (bh_rights_t){ap_unixd_config.user_id, ap_unixd_config.group_id, ap_unixd_config.user_name};
}

/* All of the rights, for good. The groups of the user are looked up where it has a name, as httpd does for its
 * children. */
static int take(const bh_rights_t *rights, gid_t group) {
    int named = rights->name && rights->name[0] && rights->name[0] != '#';
    if (named ? initgroups(rights->name, rights->group) < 0 : setgroups(1, &rights->group) < 0) return errno;
    if (setresgid(group, group, group) < 0 || setresuid(rights->user, rights->user, rights->user) < 0) return errno;
    return 0;
}

int mb_rights_run(const bh_rights_t *rights, gid_t group, mb_rights_fn act, void *baton) {
    int state = 0;
    if (geteuid() != 0 || rights->user == 0) return act(baton);
    pid_t pid = fork();
    if (pid == 0) {
        int why = take(rights, group != (gid_t)-1 ? group : rights->group);
        /* Not exit(): that would run httpd's cleanups. */
        _exit(why ? why : act(baton));
    }
    if (pid < 0) return errno;
    while (waitpid(pid, &state, 0) < 0)
        if (errno != EINTR) return errno;
    return WIFEXITED(state) ? WEXITSTATUS(state) : EINTR;
}
