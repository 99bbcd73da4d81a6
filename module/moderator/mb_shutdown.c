/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Whether httpd is stopping: how the moderator gets to know of it in time.
 *
 * At a stop at once the parent signals the moderator before anything else: prefork signals its whole process group, and
 * all MPMs end with ap_reclaim_child_processes, which begins with "other children". At a restart it has raised the
 * generation before. So a signal of the parent's in the moderator's own generation is proof.
 *
 * At a graceful stop no hook runs in the parent, and the moderator is signalled when all children are gone, which may
 * be hours later. But the parent closes the port, and each child runs child_stopping. So a child leaves a word in the
 * segment and wakes the moderator, whose user it shares. A child that is one too many, has served its
 * MaxConnectionsPerChild or was killed ends in the same way: only the closed port is proof.
 */

#include "moderator/mb_moderator.h"

#include "ap_listen.h"
#include "mpm_common.h"
#include "scoreboard.h"

#include <signal.h>
#include <stdio.h>

/* That of the moderator. */
static int generation;

static int generation_now(void) {
    return ap_scoreboard_image && ap_scoreboard_image->global ? ap_scoreboard_image->global->running_generation : -1;
}

void mb_shutdown_prepare(void) { generation = mb_mpm_generation(); }

/* ---- In a child ---- */

/* Runs in a signal handler with prefork: atomics and kill only. */
static void tell(apr_pool_t *pool, int graceful) {
    (void)pool, (void)graceful; /* prefork calls each end of a child ungraceful */
    int mine = mb_mpm_generation();
    if (!mb_segment || mine < 0 || mine != generation_now()) return;
    bh_half_store(&mb_segment->stopping, 1);
    pid_t moderator = (pid_t)__atomic_load_n(&mb_segment->owner_pid, __ATOMIC_ACQUIRE);
    /* With the children's own rights; what may have its pid by now ignores this signal, unless it asked for it. */
    if (moderator > 1) kill(moderator, SIGURG);
}

/* ---- In the moderator ---- */

/* A socket's local address as /proc/net/tcp writes it, and the table where it stands; NULL: no IP address. */
static const char *write_local(const apr_sockaddr_t *listener, char *text, size_t size) {
    if (listener->family == APR_INET) {
        snprintf(text, size, "%08X:%04X", (unsigned)listener->sa.sin.sin_addr.s_addr, (unsigned)listener->port);
        return "/proc/net/tcp";
    }
#if APR_HAVE_IPV6
    if (listener->family == APR_INET6) {
        uint32_t part[4];
        memcpy(part, &listener->sa.sin6.sin6_addr, sizeof part);
        snprintf(text, size, "%08X%08X%08X%08X:%04X", part[0], part[1], part[2], part[3], (unsigned)listener->port);
        return "/proc/net/tcp6";
    }
#endif
    return NULL;
}

/* Whether the kernel has no listening socket there. A connection that is refused would say so, too, but one that is
 * made counts for MaxConnectionsPerChild, and an address that has moved to another machine would be asked there.
 * Unknown is "no". */
static int is_closed(const apr_sockaddr_t *listener) {
    enum { LISTENING = 0x0A }; /* TCP_LISTEN in the kernel's numbers */
    char wanted[48], local[48], line[256];
    const char *name = write_local(listener, wanted, sizeof wanted);
    FILE *table = name ? fopen(name, "re") : NULL;
    if (!table) return 0;
    int closed = fgets(line, sizeof line, table) != NULL; /* the heading */
    /* Listening sockets come first: of a busy server's thousands of connections, none is read but one. */
    for (unsigned state; closed && fgets(line, sizeof line, table);) {
        if (sscanf(line, " %*d: %47s %*s %x", local, &state) != 2 || state != LISTENING) break;
        if (strcmp(local, wanted) == 0) closed = 0;
    }
    fclose(table);
    return closed;
}

/* All ports are closed together. The first that is open ends the search. */
static int is_port_closed(void) {
    int closed = 0;
    for (const ap_listen_rec *listener = ap_listeners; listener; listener = listener->next) {
        if (!is_closed(listener->bind_addr)) return 0;
        closed = 1;
    }
    return closed;
}

bool mb_shutdown_ask(void *baton, bool told) {
    (void)baton;
    /* The generation last: a restart raises it before it closes a port that its new configuration lacks. */
    return (told || is_port_closed()) && generation_now() == generation;
}

void mb_shutdown_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_child_stopping(tell, NULL, NULL, APR_HOOK_MIDDLE);
}
