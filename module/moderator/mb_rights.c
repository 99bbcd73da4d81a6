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
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Symbolic links in one path, as the kernel allows them. */
#define LINKS_MOST 40

mb_rights mb_rights_of_children(void) {
    return (mb_rights){ap_unixd_config.user_id, ap_unixd_config.group_id, ap_unixd_config.user_name};
}

/* All of the rights, for good. The groups of the user are looked up where it has a name, as httpd does for its
 * children. */
static int take(const mb_rights *rights, gid_t group) {
    int named = rights->name && rights->name[0] && rights->name[0] != '#';
    if (named ? initgroups(rights->name, rights->group) < 0 : setgroups(1, &rights->group) < 0) return errno;
    if (setresgid(group, group, group) < 0 || setresuid(rights->user, rights->user, rights->user) < 0) return errno;
    return 0;
}

int mb_rights_run(const mb_rights *rights, gid_t group, mb_rights_fn act, void *baton) {
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

/* What a link leads to, with the rest of the path; 0 if it is too long. */
static int follow(char *path, size_t length) {
    char target[PATH_MAX], next[PATH_MAX], rest[PATH_MAX];
    ssize_t size = 0;
    apr_cpystrn(rest, path + length, sizeof rest);
    path[length] = '\0';
    if ((size = readlink(path, target, sizeof target - 1)) < 0) return 0;
    target[size] = '\0';
    char *slash = strrchr(path, '/');
    slash[1] = '\0'; /* a relative link begins beside itself */
    int needed = snprintf(next, sizeof next, "%s%s%s", target[0] == '/' ? "" : path, target, rest);
    if (needed < 0 || (size_t)needed >= sizeof next) return 0;
    memcpy(path, next, (size_t)needed + 1);
    return 1;
}

/* Whether others than root may make something new there. What an access control list allows shows as the group's
 * rights. */
static int is_shared(const char *path, const struct stat *info) {
    if (S_ISLNK(info->st_mode)) return 0;
    if (info->st_mode & S_IWOTH) return 1;
    return info->st_mode & S_IWGRP && (info->st_gid != 0 || lgetxattr(path, "system.posix_acl_access", NULL, 0) > 0);
}

/* Whether another user can put something else where this is: its owner, or all that may write to a folder. In a sticky
 * one they may change their own only. */
static int is_others(const char *path, const struct stat *info, mb_rights *rights) {
    int open_to_all = !(info->st_mode & S_ISVTX) && is_shared(path, info);
    if (info->st_uid == 0 && !open_to_all) return 0;
    *rights = (mb_rights){info->st_uid ? info->st_uid : ap_unixd_config.user_id, info->st_gid, NULL};
    return 1;
}

mb_rights mb_rights_of_path(const char *file) {
    char path[PATH_MAX];
    struct stat info;
    mb_rights rights = mb_rights_of_children();
    if (apr_cpystrn(path, file, sizeof path) - path != (ptrdiff_t)strlen(file) || path[0] != '/') return rights;
    size_t at = 1;
    int above_shared = 0;
    for (int links = 0; links < LINKS_MOST;) {
        size_t end = at + strcspn(path + at, "/");
        /* the file itself: whatever it is, it is replaced and not followed */
        if (!path[end]) return (mb_rights){0, 0, NULL};
        char kept = path[end];
        path[end] = '\0';
        int missing = lstat(path, &info) < 0, others = !missing && is_others(path, &info, &rights),
            shared = !missing && is_shared(path, &info);
        path[end] = kept;
        /* Nothing there; where others may write to the folder above, even a sticky one, they may put a link of theirs
         * there. */
        if (missing) return above_shared ? mb_rights_of_children() : (mb_rights){0, 0, NULL};
        if (others) return rights;
        above_shared = shared;
        at = end + 1;
        if (!S_ISLNK(info.st_mode)) continue;
        if (!follow(path, end)) return mb_rights_of_children();
        at = 1;
        links++;
    }
    return rights;
}
