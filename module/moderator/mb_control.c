/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The moderator's control socket. The parent makes it, because only root may give it to a group; but what is done in
 * UnixSocketDir, which belongs to the children's user, is done with that user's rights. */

#include "moderator/mb_moderator.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Waiting connections: administrators' tools, a few at once. */
#define CONTROL_BACKLOG 16

/* An error number has seven bits here; this one says that it was about the group. */
#define HANDING_OVER 0x80

struct mb_control {
    int fd;
    pid_t owner; /* the process that made it */
    const char *path;
    mb_rights rights; /* of the children */
    apr_pool_t *pool;
};

/* What the processes with the children's rights work on. */
typedef struct {
    int fd;
    struct sockaddr_un name;
    gid_t group; /* of BackhandSocketGroup, else of the children; -1: as it is made */
} place;

static int remove_socket(void *data) {
    const mb_control *control = data;
    return unlink(control->path) < 0 ? errno : 0;
}

/* Children and the moderator inherit the pool; only the process that bound the socket removes it. */
static apr_status_t close_control(void *data) {
    mb_control *socket = data;
    close(socket->fd);
    if (getpid() == socket->owner) (void)mb_rights_run(&socket->rights, (gid_t)-1, remove_socket, socket);
    return APR_SUCCESS;
}

void mb_control_close(mb_control *socket) { apr_pool_cleanup_run(socket->pool, socket, close_control); }

int mb_control_fd(const mb_control *socket) { return socket->fd; }

/* Whether the process that listens at the other end lives. A daemon that outlived a killed httpd may hold its socket.
 */
static int is_alive(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || kill(peer.pid, 0) == 0 || errno != ESRCH;
}

/* Whether a process answers at the path, or one of another user may: then the path belongs to another httpd. */
static int is_answered(const struct sockaddr_un *name) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct stat info;
    int why = fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) == 0 ? 0 : errno;
    /* EACCES may also be said of the folder. */
    int result =
        fd >= 0 && (why == 0 ? is_alive(fd) : why == EAGAIN || (why == EACCES && lstat(name->sun_path, &info) == 0));
    if (fd >= 0) close(fd);
    return result;
}

/* Owner, group and mode of the socket are right from the beginning. No other user may be root's peer by accident: where
 * httpd was not started as root, it stays as it is made, except for the group. */
static int bind_socket(void *data) {
    place *place = data;
    if (is_answered(&place->name)) return EADDRINUSE;
    unlink(place->name.sun_path); /* left by an httpd that was killed: no process answered */
    mode_t before = umask(0117);
    int bound = bind(place->fd, (struct sockaddr *)&place->name, sizeof place->name);
    int why = errno;
    umask(before);
    if (bound < 0) return why & ~HANDING_OVER;
    /* Not superfluous: a folder may give its own group to what is made in it. */
    if (place->group != (gid_t)-1 && lchown(place->name.sun_path, (uid_t)-1, place->group) < 0)
        return errno | HANDING_OVER;
    return 0;
}

static gid_t group_of(const mb_server *settings, const mb_rights *children) {
    return settings->socket_group != (gid_t)-1 ? settings->socket_group : geteuid() == 0 ? children->group : (gid_t)-1;
}

mb_control *mb_control_open(apr_pool_t *pool, server_rec *server, const mb_server *settings) {
    place place = {.name = {.sun_family = AF_UNIX}};
    const char *path = apr_psprintf(pool, "%s/backhand-%d.sock", settings->directory, mb_own_port(settings));
    const char *doing = "make";
    mb_control *kept = apr_palloc(pool, sizeof *kept);
    int why = 0;
    *kept = (mb_control){.owner = getpid(), .path = path, .rights = mb_rights_of_children(), .pool = pool};
    apr_cpystrn(place.name.sun_path, path, sizeof place.name.sun_path); /* UnixSocketDir has checked the length */
    place.group = group_of(settings, &kept->rights);
    place.fd = kept->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (place.fd < 0) {
        why = errno;
        goto failed;
    }
    why = mb_rights_run(&kept->rights, place.group, bind_socket, &place);
    if (why == EADDRINUSE) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "BH0202: another httpd uses the control socket %s: give each its own UnixSocketDir; "
                     "the moderator is not started, every request is served here",
                     path);
        close(place.fd);
        return NULL;
    }
    doing = why & HANDING_OVER ? "hand over" : "bind";
    if ((why &= ~HANDING_OVER)) goto failed;
    doing = "listen on";
    if (listen(place.fd, CONTROL_BACKLOG) < 0) {
        why = errno;
        goto failed;
    }
    apr_pool_cleanup_register(pool, kept, close_control, apr_pool_cleanup_null);
    return kept;

failed:
    ap_log_error(APLOG_MARK, APLOG_ERR, why, server,
                 "BH0203: cannot %s the control socket %s: the moderator is not started, every request is served here; "
                 "check that UnixSocketDir exists and that its owner is right",
                 doing, path);
    if (place.fd >= 0) close(place.fd);
    return NULL;
}
