/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The moderator's control socket. The parent binds it, because only root may give it to a group. */

#include "mb_module.h"

#include "unixd.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Waiting connections: administrators' tools, a few at once. */
#define CONTROL_BACKLOG 16

struct mb_control {
    int fd;
    pid_t owner;       /* the process that bound it */
    const char *path;
    apr_pool_t *pool;
};

/* Children and the moderator inherit the pool; only the process that bound the socket removes it. */
static apr_status_t close_control(void *data) {
    mb_control *socket = data;
    close(socket->fd);
    if (getpid() == socket->owner) unlink(socket->path);
    return APR_SUCCESS;
}

void mb_control_close(mb_control *socket) { apr_pool_cleanup_run(socket->pool, socket, close_control); }

int mb_control_fd(const mb_control *socket) { return socket->fd; }

/* Whether the process that listens at the other end lives. A daemon that a killed httpd left behind may hold its socket. */
static int is_alive(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || kill(peer.pid, 0) == 0 || errno != ESRCH;
}

/* Whether somebody answers at the path: then it belongs to another httpd. */
static int answered(const struct sockaddr_un *name) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) == 0 && is_alive(fd);
    if (fd >= 0) close(fd);
    return result;
}

/* Owner and group of the socket: those of the children, or the group of BackhandSocketGroup. Nobody may be root's peer by
 * accident: where httpd was not started as root, it stays as it is made, except for the group. */
static int give_away(const char *path, const mb_server *settings) {
    gid_t group = settings->socket_group != (gid_t)-1 ? settings->socket_group
                  : geteuid() == 0                    ? ap_unixd_config.group_id
                                                      : (gid_t)-1;
    uid_t user = geteuid() == 0 ? ap_unixd_config.user_id : (uid_t)-1;
    return lchown(path, user, group);
}

mb_control *mb_control_open(apr_pool_t *pool, server_rec *server, const mb_server *settings) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const char *path = apr_psprintf(pool, "%s/backhand-%d.sock", settings->directory, mb_own_port(settings));
    const char *doing = "make";
    apr_cpystrn(name.sun_path, path, sizeof name.sun_path); /* UnixSocketDir has checked the length */
    if (answered(&name)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "BH0202: another httpd uses the control socket %s: give each its own UnixSocketDir; "
                     "the moderator is not started, every request is served here", path);
        return NULL;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) goto failed;
    doing = "bind";
    unlink(path); /* left by an httpd that was killed: nobody answered */
    mode_t before = umask(0117);
    int bound = bind(fd, (struct sockaddr *)&name, sizeof name);
    umask(before);
    if (bound < 0) goto failed;
    doing = "hand over";
    if (give_away(path, settings) < 0) goto failed;
    doing = "listen on";
    if (listen(fd, CONTROL_BACKLOG) < 0) goto failed;
    mb_control *kept = apr_palloc(pool, sizeof *kept);
    *kept = (mb_control){fd, getpid(), path, pool};
    apr_pool_cleanup_register(pool, kept, close_control, apr_pool_cleanup_null);
    return kept;

failed:;
    apr_status_t why = errno;
    ap_log_error(APLOG_MARK, APLOG_ERR, why, server,
                 "BH0203: cannot %s the control socket %s: the moderator is not started, every request is served here; "
                 "check that UnixSocketDir exists and that its owner is right", doing, path);
    if (fd >= 0) close(fd);
    return NULL;
}
