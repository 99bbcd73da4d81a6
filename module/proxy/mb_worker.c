/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_proxy's workers: one of our own for each server, scheme and kind of connection.
 *
 * Workers are made in each child on first use. All that a child keeps for one server, a peer, has a pool of its own,
 * and is held by the table and by each request that uses it. The table lets go of it when its row has another server,
 * or none: with the last request, which may be a tunnel that lasts for hours, the pool goes, with connections, workers
 * and memory. The small record itself is kept for another server, so that a thread that has just read its address from
 * the table may still look at it: hold() tells it that it came too late.
 */

#include "proxy/mb_proxy.h"

#include "mpm_common.h"

#include "apr_thread_mutex.h"

#include <stdlib.h>

/* Seconds to wait for a connection: a server that does not answer within this is as good as one that refuses. A
 * handshake in one cluster takes milliseconds; three seconds survive one lost SYN (repeated after one second) and its
 * answer. */
#define CONNECT_TIMEOUT_S 3

/* What may come of a request's Upgrade header; mod_proxy drops any other. */
#define UPGRADE "websocket"

/* What this child keeps for one server. Immutable while it is held, but for the workers, which come when they are
 * needed. */
typedef struct mb_peer {
    uint32_t holders;     /* the table is one, and each request another; 0: it belongs to no server */
    struct mb_peer *next; /* of those that belong to no server */
    apr_pool_t *pool;     /* of all that follows */
    bh_address_t address;
    uint16_t port;
    uint32_t keepalive_ms;                /* as the server announced it: its pools close connections by that */
    const char *name;                     /* "10.0.0.4:80" */
    const char *origins[MB_SCHEMES];      /* "http://10.0.0.4:80" */
    mb_source *sources;                   /* where its connections come from */
    uint64_t probed;                      /* mb_route.probed */
    mb_kept kept[MB_SCHEMES];             /* connections that are kept */
    proxy_worker *workers[MB_SCHEMES][2]; /* without and with a pool; NULL: not made yet */
} mb_peer;

static mb_peer *peers[BH_ROWS];
static mb_peer *unused;
static apr_pool_t *peer_pool;
static apr_thread_mutex_t *peer_lock;

/* Servers that one sweep lets go of: to close a server's connections takes 50 us, and a request waits meanwhile. */
#define MOST_SWEPT 64
#define SWEEP_MS 1000

/* ---- Workers ---- */

static int is_of(const mb_peer *known, const bh_facts_t *facts) {
    return known->port == facts->port && known->keepalive_ms == facts->keepalive_ms
           && bh_address_equals(known->address, facts->address);
}

/* 0: it does not belong to the server any more, or soon to another one. */
static int hold(mb_peer *known) {
    uint32_t holders = bh_half_load(&known->holders);
    while (holders)
        if (__atomic_compare_exchange_n(&known->holders, &holders, holders + 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return 1;
    return 0;
}

static void release(mb_peer *known) {
    if (__atomic_sub_fetch(&known->holders, 1, __ATOMIC_ACQ_REL)) return;
    apr_pool_destroy(known->pool);
    apr_thread_mutex_lock(peer_lock);
    known->next = unused;
    unused = known;
    apr_thread_mutex_unlock(peer_lock);
}

/* Held by the table and by the caller. Called with the lock. */
static mb_peer *make_peer(const bh_facts_t *facts) {
    mb_peer *made = unused;
    apr_pool_t *pool;
    apr_pool_create(&pool, peer_pool);
    apr_pool_tag(pool, "mod_backhand peer");
    if (made) unused = made->next;
    else made = apr_pcalloc(peer_pool, sizeof *made);
    made->pool = pool;
    made->address = facts->address;
    made->port = facts->port;
    made->keepalive_ms = facts->keepalive_ms;
    made->name = mb_endpoint(pool, &facts->address, facts->port);
    for (int i = 0; i < MB_SCHEMES; i++)
        made->origins[i] = apr_pstrcat(pool, mb_scheme_names[i], "://", made->name, NULL);
    memset(made->workers, 0, sizeof made->workers);
    memset(made->kept, 0, sizeof made->kept);
    made->sources = NULL; /* another server's, which went with its pool */
    made->probed = 0;
    bh_half_store(&made->holders, 2);
    return made;
}

/* The row's server is new, or another one than before. */
static mb_peer *replace(uint32_t id, const bh_facts_t *facts) {
    apr_thread_mutex_lock(peer_lock);
    mb_peer *known = peers[id], *old = NULL;
    if (known && is_of(known, facts)) hold(known); /* the table holds it */
    else {
        old = known;
        known = make_peer(facts);
        __atomic_store_n(&peers[id], known, __ATOMIC_RELEASE);
    }
    apr_thread_mutex_unlock(peer_lock);
    if (old) release(old);
    return known;
}

/* The server of a row, held for the caller. */
static mb_peer *peer_of(uint32_t id, const bh_facts_t *facts) {
    mb_peer *known = __atomic_load_n(&peers[id], __ATOMIC_ACQUIRE);
    if (!known || !hold(known)) return replace(id, facts);
    /* Between the two steps it may have become another row's. */
    if (__atomic_load_n(&peers[id], __ATOMIC_ACQUIRE) == known && is_of(known, facts)) return known;
    release(known);
    return replace(id, facts);
}

const char *mb_worker_name(apr_pool_t *pool, uint32_t id, const bh_facts_t *facts) {
    mb_peer *known = peer_of(id, facts);
    const char *name = apr_pstrdup(pool, known->name);
    release(known);
    return name;
}

/* Whether what is kept has been unused for longer than the server keeps it: the server closes it, or has closed it. */
static int is_unused(mb_peer *known, const bh_facts_t *facts, uint64_t now_ms) {
    int past = 0;
    for (int i = 0; i < MB_SCHEMES; i++) {
        if (!bh_half_load(&known->kept[i].open) && !bh_half_load(&known->kept[i].in_use)) continue;
        if (!mb_keep_is_expired(&known->kept[i], facts, now_ms)) return 0;
        past = 1;
    }
    return past;
}

static int is_wanted(uint32_t id, mb_peer *known, uint64_t now_ms) {
    const bh_row_t *row = bh_segment_row(mb_segment, id);
    bh_facts_t facts;
    if (!bh_row_heard(row)) return 0;
    return !bh_row_copy(row, &facts) || (is_of(known, &facts) && !is_unused(known, &facts, now_ms));
}

/* Takes the peer out of the table if its server is gone, or all that is kept of it is too old. */
static int let_go(uint32_t id, uint64_t now_ms) {
    apr_thread_mutex_lock(peer_lock);
    mb_peer *gone = peers[id];
    if (gone && is_wanted(id, gone, now_ms)) gone = NULL;
    if (gone) __atomic_store_n(&peers[id], NULL, __ATOMIC_RELEASE);
    apr_thread_mutex_unlock(peer_lock);
    if (gone) release(gone);
    return gone != NULL;
}

void mb_worker_sweep(uint64_t now_ms) {
    static uint64_t next_ms;
    uint64_t next = bh_word_load(&next_ms);
    if (next > now_ms
        || !__atomic_compare_exchange_n(&next_ms, &next, now_ms + SWEEP_MS, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    uint32_t rows = bh_segment_rows(mb_segment);
    int swept = 0;
    for (uint32_t id = 0; id < rows && swept < MOST_SWEPT; id++)
        if (__atomic_load_n(&peers[id], __ATOMIC_RELAXED)) swept += let_go(id, now_ms);
    if (swept == MOST_SWEPT) bh_word_store(&next_ms, now_ms); /* the next request goes on */
}

proxy_worker *mb_worker_define(apr_pool_t *pool, const char *origin, const char **wrong) {
    proxy_worker *made;
    if ((*wrong = mb_mp.define_worker(pool, &made, NULL, NULL, origin, 0))) return NULL;
    made->s->conn_timeout = apr_time_from_sec(CONNECT_TIMEOUT_S);
    made->s->conn_timeout_set = 1;
    return made;
}

/* Called with the lock. */
static proxy_worker *make_worker(request_rec *r, apr_pool_t *pool, const char *origin, int reuse,
                                 uint32_t lifetime_ms) {
    const char *wrong;
    proxy_worker *made = mb_worker_define(pool, origin, &wrong);
    if (!made) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0402: mod_proxy refuses a worker for %s: %s", origin, wrong);
        return NULL;
    }
    /* A request that waits without a thread has a connection, too. */
    if (mb_park_is_possible()) {
        made->s->hmax = (MB_PARK_MOST + 1) * 2 * mb_mpm_threads() + 512;
#ifdef AP_MPMQ_CAN_WAITIO
        made->s->address_ttl_set = 1; /* the record stays, also if its connection is never used again */
#endif
    }
    made->s->disablereuse = !reuse;
    made->s->disablereuse_set = 1;
    if (lifetime_ms) {
        /* Of several idle ones, the server closes those first that have been idle longest: mod_proxy, too. Beyond smax,
         * it does so at each release. */
        made->s->ttl = apr_time_from_msec(lifetime_ms);
        made->s->smax = 0;
    }
    apr_cpystrn(made->s->upgrade, UPGRADE, sizeof made->s->upgrade);
    apr_status_t status = mb_mp.initialize_worker(made, r->server, pool);
    if (status != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, status, r, "BH0403: cannot initialise the worker for %s", origin);
        return NULL;
    }
    return made;
}

/* Takes a server's connections, which are too old or too many, out of the table: they are closed with the last request
 * that has one. */
static void forget(uint32_t id, mb_peer *old) {
    apr_thread_mutex_lock(peer_lock);
    int was_there = peers[id] == old;
    if (was_there) __atomic_store_n(&peers[id], NULL, __ATOMIC_RELEASE);
    apr_thread_mutex_unlock(peer_lock);
    if (was_there) release(old);
    release(old);
}

/* The server, held; whether connections to it are reused, now or later; and one from the pool of all children, or -1.
 */
static mb_peer *choose_peer(uint32_t id, const bh_facts_t *facts, mb_scheme scheme, mb_pooling pooling, int *reuse,
                            int *lent) {
    mb_peer *server = peer_of(id, facts);
    mb_keep keep = MB_KEEP_NONE;
    uint64_t now_ms = pooling == MB_POOL_NONE ? 0 : mb_now_ms();
    while (pooling != MB_POOL_NONE
           && (keep = mb_keep_choose(&server->kept[scheme], id, facts, pooling, now_ms, lent)) == MB_KEEP_RENEW) {
        forget(id, server);
        server = peer_of(id, facts);
    }
    *reuse = keep == MB_KEEP;
    return server;
}

/* NULL: there is none, and it has been logged why. */
static proxy_worker *worker_of(request_rec *r, mb_peer *server, const bh_facts_t *facts, mb_scheme scheme, int reuse) {
    proxy_worker **place = &server->workers[scheme][reuse], *found = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (found) return found;
    uint32_t most = bh_half_load(&server->kept[scheme].most);
    /* One alone is looked at before each request: what answers say of it may change. */
    uint32_t lifetime_ms = most == BH_KEEP_ONE ? 0 : bh_keep_lifetime(facts, most);
    apr_thread_mutex_lock(peer_lock);
    if (!(found = *place) && (found = make_worker(r, server->pool, server->origins[scheme], reuse, lifetime_ms)))
        __atomic_store_n(place, found, __ATOMIC_RELEASE);
    apr_thread_mutex_unlock(peer_lock);
    return found;
}

int mb_worker_find(request_rec *r, uint32_t id, const bh_facts_t *facts, mb_scheme scheme, mb_pooling pooling,
                   mb_route *way) {
    int reuse, lent = -1;
    /* TLS and HTTP/2 have more of a connection than its socket. */
    if (pooling == MB_POOL_SHARED && scheme != MB_HTTP) pooling = MB_POOL_AUTO;
    mb_peer *server = way->peer = choose_peer(id, facts, scheme, pooling, &reuse, &lent);
    way->shared = reuse && mb_keep_is_shared(pooling);
    way->origin = server->origins[scheme];
    way->probed = &server->probed;
    way->from = mb_source_find(r, &server->sources, facts, server->pool, peer_pool, peer_lock);
    way->worker = worker_of(r, server, facts, scheme, reuse);
    if (lent >= 0) mb_lend_begin(way, lent);
    if (way->worker) return 1;
    if (reuse) mb_keep_end(mb_now_ms());
    release(server);
    return 0;
}

void mb_worker_release(const mb_route *way) { release(way->peer); }

/* Peers come and go while other threads use the child's pool: theirs has an allocator of its own, with a lock. */
static apr_status_t make_pool(apr_pool_t *pool) {
    apr_allocator_t *allocator;
    apr_thread_mutex_t *lock;
    apr_status_t status = apr_allocator_create(&allocator);
    if (status != APR_SUCCESS) return status;
    if ((status = apr_thread_mutex_create(&lock, APR_THREAD_MUTEX_DEFAULT, pool)) != APR_SUCCESS
        || (status = apr_pool_create_ex(&peer_pool, pool, NULL, allocator)) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return status;
    }
    apr_allocator_mutex_set(allocator, lock);
    apr_allocator_max_free_set(allocator, ap_max_mem_free);
    apr_allocator_owner_set(allocator, peer_pool);
    apr_pool_tag(peer_pool, "mod_backhand peers");
    return APR_SUCCESS;
}

static void prepare_child(apr_pool_t *pool, server_rec *server) {
    apr_status_t status = make_pool(pool);
    if (status == APR_SUCCESS) status = apr_thread_mutex_create(&peer_lock, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status == APR_SUCCESS) return;
    ap_log_error(APLOG_MARK, APLOG_CRIT, status, server,
                 "BH0406: cannot make a lock or a pool: this child ends, another takes its place");
    exit(APEXIT_CHILDSICK);
}

void mb_worker_register(apr_pool_t *pool) { ap_hook_child_init(prepare_child, NULL, NULL, APR_HOOK_MIDDLE); }
