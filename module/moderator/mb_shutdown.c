/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Whether httpd is stopping: how the moderator gets to know of it in time.
 *
 * At a stop at once the parent signals the moderator before anything else: prefork signals its whole process group, and
 * all MPMs end with ap_reclaim_child_processes, which begins with "other children". At a restart it has raised the
 * generation before. So a signal of the parent's in the moderator's own generation is proof. A signal of any other
 * process is none: see bh_farewell_t.
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

/* That of the moderator. */
static int generation;

static int generation_now(void) {
    return ap_scoreboard_image && ap_scoreboard_image->global ? ap_scoreboard_image->global->running_generation : -1;
}

void mb_shutdown_prepare(void) { generation = mb_mpm_generation(); }

/* ---- In a child ---- */

/* Runs in a signal handler with prefork: atomics and kill only. */
static void tell(apr_pool_t *pool, int graceful) {
    int mine = mb_mpm_generation();
    if (!mb_segment || mine < 0 || mine != generation_now()) return;
    bh_half_store(&mb_segment->stopping, 1);
    pid_t moderator = (pid_t)__atomic_load_n(&mb_segment->owner_pid, __ATOMIC_ACQUIRE);
    /* With the children's own rights; what may have its pid by now ignores this signal, unless it asked for it. */
    if (moderator > 1) kill(moderator, SIGURG);
}

/* ---- In the moderator ---- */

/* All ports are closed together. The first that is open ends the search. */
static int is_port_closed(void) {
    int closed = 0;
    for (const ap_listen_rec *listener = ap_listeners; listener; listener = listener->next) {
        const apr_sockaddr_t *name = listener->bind_addr;
        bh_address_t address;
        if (!mb_address_of(name, &address) || !bh_port_is_closed(&address, name->port, name->family != APR_INET))
            return 0;
        closed = 1;
    }
    return closed;
}

bool mb_shutdown_ask(void *baton, bool told) {
    /* The generation last: a restart raises it before it closes a port that its new configuration lacks. */
    return (told || is_port_closed()) && generation_now() == generation;
}

void mb_shutdown_register(apr_pool_t *pool) { ap_hook_child_stopping(tell, NULL, NULL, APR_HOOK_MIDDLE); }
