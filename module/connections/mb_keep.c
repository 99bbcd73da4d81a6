/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Connections to servers that are kept: as many as the server can spare, and no more.
 *
 * Where an idle connection holds a worker of the server, a connection is kept by a right, of which the moderator says
 * how many there are (bh_row_t.may_keep). A right is taken before a request goes out on a new connection; without one
 * the request says "Connection: close", so that the worker is free at once. The right goes back when the connection is
 * closed, however that happens: by a cleanup on its pool. If the child is killed, the parent takes its rights back.
 */

#include "connections/mb_connections.h"

/* A server that says that it waits for longer than an hour counts as one that waits for an hour. */
#define MOST_SAID_S 3600

/* What this thread's request does to the connections of a server. */
static __thread __attribute__((tls_model("initial-exec"))) mb_keeping now;

/* Goes with a connection that is kept. */
static apr_status_t give(void *data) {
    mb_kept *kept = data;
    __atomic_sub_fetch(&kept->open, 1, __ATOMIC_RELAXED);
    bh_keep_give(mb_segment, mb_child_slot, kept->id);
    return APR_SUCCESS;
}

static int threads = 1; /* of this child */

/* Of a server that does not announce it, as long as its answers say (Keep-Alive: timeout=). */
static uint32_t lifetime_of(const mb_kept *kept, const bh_facts_t *server, uint32_t most) {
    uint32_t said_ms = server->keepalive_ms ? 0 : bh_half_load(&kept->said_ms);
    return said_ms ? bh_keep_lifetime_of(said_ms) : bh_keep_lifetime(server, most);
}

void mb_keep_heard(unsigned long timeout_s) {
    if (now.kept)
        bh_half_store(&now.kept->said_ms, (uint32_t)(timeout_s < MOST_SAID_S ? timeout_s : MOST_SAID_S) * 1000);
}

/* Whether the one that was used last is too old for another request. */
static int is_too_old(mb_kept *kept, const bh_facts_t *server, uint32_t most, uint64_t now_ms) {
    uint32_t longest = lifetime_of(kept, server, most);
    uint64_t used = bh_word_load(&kept->used_ms);
    return longest && now_ms > used && now_ms - used >= longest;
}

/* Of several connections mod_proxy has a list, and closes those that are too old (ttl) before it takes one. To forget
 * them all would keep them open as long as one of them has a request. */
static int is_expired(mb_kept *kept, const bh_facts_t *server, uint32_t most, uint64_t now_ms) {
    return (threads == 1 || most == BH_KEEP_ONE) && is_too_old(kept, server, most, now_ms);
}

int mb_keep_is_expired(mb_kept *kept, const bh_facts_t *server, uint64_t now_ms) {
    return bh_half_load(&kept->open) && !bh_half_load(&kept->in_use)
           && is_too_old(kept, server, bh_half_load(&kept->most), now_ms);
}

/* Whether there is one that no request of this child has. */
static int has_idle(mb_kept *kept, uint32_t in_use) { return in_use < bh_half_load(&kept->open); }

int mb_keep_has_enough(void) {
    return now.kept && bh_half_load(&now.kept->open) >= bh_half_load(&now.kept->in_use) + (uint32_t)threads;
}

int mb_keep_is_new(void) { return now.has_right; }

/* in_use: other requests of this child. */
static int take(uint32_t id, uint32_t in_use, uint32_t most) {
    if (most == BH_KEEP_ONE && in_use) return 0;
    if (most >= BH_KEEP_ONE) return bh_keep_take(mb_segment, mb_child_slot, id, BH_KEEP_ALL);
    uint32_t waiting = bh_shared_waiting(mb_segment, id);
    return most > waiting && bh_keep_take(mb_segment, mb_child_slot, id, most - waiting);
}

/* More than there should be by now: the server has less to spare than it had, or another balancer has come. */
static int are_too_many(uint32_t id, uint32_t most) { return most < BH_KEEP_ONE && bh_row_kept(mb_segment, id) > most; }

int mb_keep_is_shared(mb_pooling pooling) { return pooling == MB_POOL_SHARED && threads == 1 && mb_pool_queues(); }

mb_keep mb_keep_choose(mb_kept *kept, uint32_t id, const bh_facts_t *server, mb_pooling pooling, uint64_t now_ms,
                       int *lent) {
    uint32_t most = pooling == MB_POOL_ALL ? BH_KEEP_ALL : bh_half_load(&bh_segment_row(mb_segment, id)->may_keep);
    kept->id = id;
    bh_half_store(&kept->most, most);
    now.has_right = 0;
    now.kept = kept;
    uint32_t in_use = __atomic_fetch_add(&kept->in_use, 1, __ATOMIC_RELAXED);
    if (has_idle(kept, in_use)) {
        if (!is_expired(kept, server, most, now_ms) && !are_too_many(id, most)) return MB_KEEP;
        __atomic_sub_fetch(&kept->in_use, 1, __ATOMIC_RELAXED);
        now.kept = NULL;
        return MB_KEEP_RENEW;
    }
    if (most && mb_keep_is_shared(pooling)
        && (*lent = bh_pool_take(mb_pool_queues(), mb_segment, mb_child_slot, id, server, now_ms)) >= 0) {
        now.has_right = 1;
        return MB_KEEP;
    }
    if ((now.has_right = take(id, in_use, most))) return MB_KEEP;
    __atomic_sub_fetch(&kept->in_use, 1, __ATOMIC_RELAXED);
    now.kept = NULL;
    return MB_KEEP_NONE;
}

void mb_keep_connected(const conn_rec *c) {
    if (!now.kept) return;
    /* Where a kept one was closed meanwhile, mod_proxy makes another one in its place: it counts, too. */
    if (!now.has_right) bh_keep_take(mb_segment, mb_child_slot, now.kept->id, BH_KEEP_ALL);
    now.has_right = 0;
    __atomic_add_fetch(&now.kept->open, 1, __ATOMIC_RELAXED);
    apr_pool_cleanup_register(c->pool, now.kept, give, apr_pool_cleanup_null);
}

void mb_keep_end(uint64_t now_ms) {
    if (!now.kept) return;
    if (now.has_right) bh_keep_give(mb_segment, mb_child_slot, now.kept->id);
    bh_word_store(&now.kept->used_ms, now_ms);
    __atomic_sub_fetch(&now.kept->in_use, 1, __ATOMIC_RELAXED);
    now.has_right = 0;
    now.kept = NULL;
}

mb_keeping mb_keep_leave(void) {
    mb_keeping left = now;
    now = (mb_keeping){.kept = NULL};
    return left;
}

void mb_keep_return(mb_keeping left) { now = left; }

static void count_threads(apr_pool_t *pool, server_rec *server) { threads = mb_mpm_threads(); }

void mb_keep_register(apr_pool_t *pool) { ap_hook_child_init(count_threads, NULL, NULL, APR_HOOK_MIDDLE); }
