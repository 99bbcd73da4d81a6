/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The moderator's control socket. The parent makes it, because only root may give it to a group; but what is done in
 * UnixSocketDir, which belongs to the children's user, is done with that user's rights. */

#include "moderator/mb_moderator.h"

#include "unixd.h"

struct mb_control {
    int fd;
    pid_t owner; /* the process that made it */
    const char *path;
    bh_rights_t rights; /* of the children */
    apr_pool_t *pool;
};

/* Children and the moderator inherit the pool; only the process that bound the socket removes it. */
static apr_status_t close_control(void *data) {
    mb_control *socket = data;
    close(socket->fd);
    if (getpid() == socket->owner) bh_control_remove(socket->path, socket->rights);
    return APR_SUCCESS;
}

void mb_control_close(mb_control *socket) { apr_pool_cleanup_run(socket->pool, socket, close_control); }

int mb_control_fd(const mb_control *socket) { return socket->fd; }

bh_rights_t mb_control_rights(void) {
    return (bh_rights_t){ap_unixd_config.user_id, ap_unixd_config.group_id, ap_unixd_config.user_name};
}

static uint32_t group_of(const mb_server *settings, const bh_rights_t *children) {
    return settings->socket_group != UINT32_MAX || geteuid() != 0 ? settings->socket_group : children->group;
}

mb_control *mb_control_open(apr_pool_t *pool, server_rec *server, const mb_server *settings) {
    const char *path = apr_psprintf(pool, "%s/backhand-%d.sock", settings->directory, mb_own_port(settings));
    const char *doing = "make";
    mb_control *kept = apr_palloc(pool, sizeof *kept);
    *kept = (mb_control){.owner = getpid(), .path = path, .rights = mb_control_rights(), .pool = pool};
    int why = bh_control_open(path, group_of(settings, &kept->rights), kept->rights, &kept->fd, &doing);
    if (!why) {
        apr_pool_cleanup_register(pool, kept, close_control, apr_pool_cleanup_null);
        return kept;
    }
    if (why == EADDRINUSE)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "BH0202: another httpd uses the control socket %s: give each its own UnixSocketDir; "
                     "the moderator is not started, no request is sent to another server",
                     path);
    else
        ap_log_error(
            APLOG_MARK, APLOG_ERR, why, server,
            "BH0203: cannot %s the control socket %s: the moderator is not started, no request is sent to another "
            "server; "
            "check that UnixSocketDir exists and that its owner is right",
            doing, path);
    return NULL;
}
