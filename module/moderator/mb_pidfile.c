/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandModeratorPIDFile: a file with the moderator's process id, there as long as there is a moderator. The parent
 * writes it, which may write where the children's user may not; where another user could change the path meanwhile, it
 * is written with that user's rights. */

#include "moderator/mb_moderator.h"

#include <errno.h>

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
        bh_rights_t rights = bh_rights_of_path(written, mb_rights_of_children());
        (void)mb_rights_run(&rights, (gid_t)-1, remove_written, NULL);
    }
    written = NULL;
    return APR_SUCCESS;
}

void mb_pidfile_remove(void) { remove_file(NULL); }

typedef struct {
    const char *path, *text;
} entry;

/* A reader of the name sees a whole file. What stands there before is replaced, not followed. */
static int replace(void *data) {
    const entry *entry = data;
    return bh_file_replace(entry->path, entry->text);
}

void mb_pidfile_write(apr_pool_t *pool, server_rec *server, const char *path, pid_t pid) {
    if (!path) return;
    entry entry = {path, apr_psprintf(pool, "%" APR_PID_T_FMT "\n", pid)};
    bh_rights_t rights = bh_rights_of_path(path, mb_rights_of_children());
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
