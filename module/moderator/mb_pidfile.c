/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandModeratorPIDFile: a file with the moderator's process id, there as long as there is a moderator. The parent
 * writes it, which may write where the children's user may not; where another user could change the path meanwhile, it
 * is written with that user's rights. */

#include "moderator/mb_moderator.h"

/* The file that this process has written; NULL: none. In memory of the pool that removes it. */
static const char *written;
static pid_t writer;

/* Children and the moderator inherit the pool. */
static apr_status_t remove_file(void *data) {
    if (written && writer == getpid()) bh_file_remove(written, mb_control_rights());
    written = NULL;
    return APR_SUCCESS;
}

void mb_pidfile_remove(void) { remove_file(NULL); }

void mb_pidfile_write(apr_pool_t *pool, server_rec *server, const char *path, pid_t pid) {
    if (!path) return;
    int why = bh_file_replace(path, apr_psprintf(pool, "%" APR_PID_T_FMT "\n", pid), mb_control_rights());
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
