/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A server whose workers are scarce keeps no idle connections of other servers. Where a connection that waits for its
 * next request holds a worker, answers to hosts inside AcceptStats say "Connection: close" while few workers are idle.
 * That helps beside balancers of older versions and other proxies, which do not know what their connections cost here.
 * No trust follows from it. */

#include "request/mb_request.h"

#include "http_connection.h"
#include "scoreboard.h"

/* One of this many workers must be idle. */
#define SHARE 8

static int holds_workers, processes, threads;

/* Whether fewer workers are idle than there must be. Looks no further than it needs to, while there are enough. */
static int are_scarce(void) {
    int idle = 0, all = 0;
    for (int slot = 0; slot < processes; slot++) {
        const process_score *process = ap_get_scoreboard_process(slot);
        if (!process->pid || process->quiescing) continue;
        for (int thread = 0; thread < threads; thread++) {
            int status = ap_get_scoreboard_worker_from_indexes(slot, thread)->status;
            if (status == SERVER_DEAD || status == SERVER_STARTING || status == SERVER_IDLE_KILL) continue;
            all++;
            idle += status == SERVER_READY;
            if (idle * SHARE >= processes * threads) return 0;
        }
    }
    return idle * SHARE < all || idle < 1;
}

/* Whether this thread's connection comes from a host inside AcceptStats; negative: not looked up. Looked up once a
 * connection, which has its thread for itself in these MPMs: a request that no chain touches has 500 instructions of
 * ours. */
static __thread __attribute__((tls_model("initial-exec"))) int inside;

static int begin(conn_rec *c) {
    if (!c->master) inside = -1;
    return DECLINED;
}

static int is_inside(request_rec *r) {
    if (inside < 0) inside = mb_sender_of(r) != MB_SENDER_OUTSIDE;
    return inside;
}

static int keep_short(request_rec *r) {
    conn_rec *c = r->connection;
    if (!holds_workers || c->master || r->main || r->prev || c->keepalive == AP_CONN_CLOSE) return DECLINED;
    if (is_inside(r) && are_scarce()) c->keepalive = AP_CONN_CLOSE;
    return DECLINED;
}

static void prepare(apr_pool_t *pool, server_rec *server) {
    processes = mb_mpm_most_children();
    threads = mb_mpm_most_threads();
    holds_workers = !mb_mpm_is_async() && mb_main_server()->directory;
}

void mb_spare_register(apr_pool_t *pool) {
    ap_hook_child_init(prepare, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_process_connection(begin, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(keep_short, NULL, NULL, APR_HOOK_REALLY_LAST);
}
