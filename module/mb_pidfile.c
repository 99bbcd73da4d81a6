/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandModeratorPIDFile: a file with the moderator's process id, there as long as there is a moderator. The parent writes it, which may
 * write where the children's user may not. */

#include "mb_module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* The file that this process has written; NULL: none. In memory of the pool that removes it. */
static const char *written;
static pid_t writer;

/* Children and the moderator inherit the pool. */
static apr_status_t remove_file(void *data) {
    (void)data;
    if (written && writer == getpid()) unlink(written);
    written = NULL;
    return APR_SUCCESS;
}

void mb_pidfile_remove(void) { remove_file(NULL); }

/* Whoever reads the name sees a whole file. What stands there before is replaced, not followed: neither mkostemp nor rename goes through a
 * symbolic link at the end of a path. */
static int replace(const char *temporary_template, const char *path, pid_t pid) {
    char temporary[APR_PATH_MAX], line[32];
    apr_cpystrn(temporary, temporary_template, sizeof temporary);
    int length = snprintf(line, sizeof line, "%ld\n", (long)pid);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return -1;
    int failed = write(fd, line, (size_t)length) != length || fchmod(fd, 0644) < 0;
    failed |= close(fd) < 0;
    if (!failed && rename(temporary, path) == 0) return 0;
    int why = errno;
    unlink(temporary);
    errno = why;
    return -1;
}

void mb_pidfile_write(apr_pool_t *pool, server_rec *server, const char *path, pid_t pid) {
    if (!path) return;
    if (replace(apr_pstrcat(pool, path, ".XXXXXX", NULL), path, pid) < 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, errno, server,
                     "BH0209: cannot write the moderator's process id to %s: the moderator runs without the file", path);
        return;
    }
    if (!written) apr_pool_cleanup_register(pool, NULL, remove_file, apr_pool_cleanup_null);
    written = path;
    writer = getpid();
}
