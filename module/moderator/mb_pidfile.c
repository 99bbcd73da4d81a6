/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandModeratorPIDFile: a file with the moderator's process id, there as long as there is a moderator. The parent
 * writes it, which may write where the children's user may not; where another user could change the path meanwhile, it
 * is written with that user's rights. */

#include "moderator/mb_moderator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* The file that this process has written; NULL: none. In memory of the pool that removes it. */
static const char *written;
static pid_t writer;

static int remove_written(void *data) {
    (void)data;
    return unlink(written) < 0 ? errno : 0;
}

/* Children and the moderator inherit the pool. */
static apr_status_t remove_file(void *data) {
    (void)data;
    if (written && writer == getpid()) {
        mb_rights rights = mb_rights_of_path(written);
        (void)mb_rights_run(&rights, (gid_t)-1, remove_written, NULL);
    }
    written = NULL;
    return APR_SUCCESS;
}

void mb_pidfile_remove(void) { remove_file(NULL); }

typedef struct {
    const char *path, *temporary; /* the second a pattern for mkostemp */
    pid_t pid;
} entry;

/* A program that reads the name sees a whole file. What stands there before is replaced, not followed: neither mkostemp
 * nor rename goes through a symbolic link at the end of a path. */
static int replace(void *data) {
    const entry *entry = data;
    char temporary[APR_PATH_MAX], line[32];
    apr_cpystrn(temporary, entry->temporary, sizeof temporary);
    int length = snprintf(line, sizeof line, "%ld\n", (long)entry->pid);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return errno;
    int why = write(fd, line, (size_t)length) != length || fchmod(fd, 0644) < 0 ? errno : 0;
    if (close(fd) < 0 && !why) why = errno;
    if (!why && rename(temporary, entry->path) < 0) why = errno;
    if (why) unlink(temporary);
    return why;
}

void mb_pidfile_write(apr_pool_t *pool, server_rec *server, const char *path, pid_t pid) {
    if (!path) return;
    entry entry = {path, apr_pstrcat(pool, path, ".XXXXXX", NULL), pid};
    mb_rights rights = mb_rights_of_path(path);
    int why = mb_rights_run(&rights, (gid_t)-1, replace, &entry);
    if (why) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, why, server,
                     "BH0209: cannot write the moderator's process id to %s: the moderator runs without the file",
                     path);
        return;
    }
    if (!written) apr_pool_cleanup_register(pool, NULL, remove_file, apr_pool_cleanup_null);
    written = path;
    writer = getpid();
}
