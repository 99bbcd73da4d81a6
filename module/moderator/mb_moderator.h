/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The helper process, as the parent starts it and keeps it. */
#ifndef MB_MODERATOR_H
#define MB_MODERATOR_H

#include "connections/mb_connections.h"

void mb_moderator_register(apr_pool_t *pool);

/* ---- The control socket: mb_control.c ---- */

/* It listens. */
typedef struct mb_control mb_control;
/* Binds it; it is closed and its file removed with the pool. NULL: it has logged why. */
mb_control *mb_control_open(apr_pool_t *pool, server_rec *server, const mb_server *settings);
/* Closes it early. In the process that bound it the file goes too, in others it stays. */
void mb_control_close(mb_control *socket);
int mb_control_fd(const mb_control *socket);
/* The rights of httpd's children, which may use it. */
bh_rights_t mb_control_rights(void);

/* ---- What the moderator is given: mb_describe.c ---- */

/* All but its sockets. Also numbers the virtual hosts. */
bh_moderator_config_t mb_describe(apr_pool_t *pool, server_rec *server, const mb_control *control);

/* ---- BackhandModeratorPIDFile: mb_pidfile.c ---- */

/* Removed with the pool, or earlier. path NULL: none. */
void mb_pidfile_write(apr_pool_t *pool, server_rec *server, const char *path, pid_t pid);
void mb_pidfile_remove(void);

/* ---- Whether httpd is stopping: mb_shutdown.c ---- */

/* A bh_shutdown_fn. */
bool mb_shutdown_ask(void *baton, bool told);
/* Before the moderator is forked. */
void mb_shutdown_prepare(void);
void mb_shutdown_register(apr_pool_t *pool);

#endif
