/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Whether httpd is stopping: how the moderator gets to know of it in time.
 *
 * The parent tells nobody: between its stop signal and the closing of its listeners it runs no hook, and the moderator hears of the stop when all
 * children are gone, which after "graceful-stop" may be hours later. But each child runs child_stopping, and can tell a stop from a restart:
 * a restart has raised the generation before. So a child leaves a word in the segment and wakes the moderator, whose user it shares. A child that is
 * one too many, or has served its MaxConnectionsPerChild, ends just so: whether the port is closed tells them apart.
 */

#include "mb_module.h"

#include "ap_listen.h"
#include "mpm_common.h"
#include "scoreboard.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

/* That of the moderator. */
static int generation;

static int generation_now(void) {
    return ap_scoreboard_image && ap_scoreboard_image->global ? ap_scoreboard_image->global->running_generation : -1;
}

void mb_leaving_prepare(void) { ap_mpm_query(AP_MPMQ_GENERATION, &generation); }

/* ---- In a child ---- */

/* Runs in a signal handler with prefork: atomics and kill only. */
static void tell(apr_pool_t *pool, int graceful) {
    (void)pool;
    int mine = -1;
    if (!mb_segment || ap_mpm_query(AP_MPMQ_GENERATION, &mine) != APR_SUCCESS || mine != generation_now()) return;
    bh_half_store(&mb_segment->stopping, graceful ? BH_STOPPING_GRACEFUL : BH_STOPPING_NOW);
    pid_t moderator = __atomic_load_n(&mb_segment->owner_pid, __ATOMIC_ACQUIRE);
    /* Whoever may have its pid by now ignores this signal, unless it asked for it. */
    if (moderator > 1) kill(moderator, SIGURG);
}

/* ---- In the moderator ---- */

/* The address that reaches a listener from this machine. */
static void make_reachable(struct sockaddr_storage *name) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)name;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)name;
    if (name->ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY)) v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (name->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) v6->sin6_addr = in6addr_loopback;
}

/* Whether a connection to it is refused. One that is made is closed unused. */
static int is_refused(const apr_sockaddr_t *listener) {
    struct sockaddr_storage name;
    if (listener->salen > sizeof name) return 0;
    memset(&name, 0, sizeof name);
    memcpy(&name, &listener->sa, listener->salen);
    make_reachable(&name);
    int fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    int why = connect(fd, (struct sockaddr *)&name, listener->salen) < 0 ? errno : 0;
    if (why == EINPROGRESS) {
        /* On one machine the answer comes in microseconds. */
        struct pollfd wait = {fd, POLLOUT, 0};
        socklen_t size = sizeof why;
        if (poll(&wait, 1, 5) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) < 0) why = 0;
    }
    close(fd);
    return why == ECONNREFUSED;
}

static int is_port_closed(void) {
    for (const ap_listen_rec *listener = ap_listeners; listener; listener = listener->next)
        if (!listener->protocol || strcmp(listener->protocol, "http") == 0) return is_refused(listener->bind_addr);
    return 0;
}

bool mb_leaving_ask(void *baton, bool told) {
    (void)baton;
    return generation_now() == generation && (told || is_port_closed());
}

void mb_leaving_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_child_stopping(tell, NULL, NULL, APR_HOOK_MIDDLE);
}
