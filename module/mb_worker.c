/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_proxy's workers: one of our own for each server, scheme and kind of connection.
 *
 * mod_proxy may be loaded after us, so its functions are looked up once the configuration is read. Workers are made in each child on
 * first use and never freed: a request may still hold one. A row that gets another server gets others, which happens at most once a
 * minute for a row.
 */

#include "mb_proxy.h"

#include "apr_dso.h"
#include "apr_thread_mutex.h"

#include <dlfcn.h>
#include <stdlib.h>

/* Seconds to wait for a connection: a server that does not answer within this is as good as one that refuses. A
 * handshake in one cluster takes milliseconds; three seconds survive one lost SYN (repeated after one second) and its answer. */
#define CONNECT_TIMEOUT_S 3

/* What may come of a request's Upgrade header; mod_proxy drops any other. */
#define UPGRADE "websocket"

mb_mod_proxy mb_mp;

/* What this child keeps for one server. Never freed; address and name are immutable once it can be seen, workers come when they are needed. */
typedef struct peer {
    bh_address_t address;
    uint16_t port;
    const char *name;                     /* "10.0.0.4:80" */
    const char *origins[MB_SCHEMES];      /* "http://10.0.0.4:80" */
    proxy_worker *workers[MB_SCHEMES][2]; /* without and with a pool; NULL: not made yet */
} peer;

const char *const mb_scheme_names[MB_SCHEMES] = {"http", "https", "h2c", "h2"};

static peer *peers[BH_ROWS];
static apr_pool_t *peer_pool;
static apr_thread_mutex_t *peer_lock;

/* ---- mod_proxy's functions ---- */

static void *find(const module *host, const char *name) {
    apr_dso_handle_sym_t symbol;
    if (host->dynamic_load_handle)
        return apr_dso_sym(&symbol, host->dynamic_load_handle, name) == APR_SUCCESS ? symbol : NULL;
    return dlsym(RTLD_DEFAULT, name); /* linked into httpd */
}

/* POSIX promises that a function's address survives in a data pointer; ISO C has no conversion. */
#define FIND(member, name) (*(void **)(void *)&mb_mp.member = find(mb_mp.proxy, name))

int mb_proxy_available(void) { return mb_mp.proxy != NULL; }

const char *mb_proxy_find(void) {
    memset(&mb_mp, 0, sizeof mb_mp);
    module *proxy = ap_find_linked_module("mod_proxy.c");
    if (!proxy) return "mod_proxy";
    if (!ap_find_linked_module("mod_proxy_http.c")) return "mod_proxy_http";
    mb_mp.proxy = proxy;
    FIND(define_worker, "ap_proxy_define_worker");
    FIND(initialize_worker, "ap_proxy_initialize_worker");
    FIND(run_scheme_handler, "proxy_run_scheme_handler");
    for (const module *each = ap_top_module; each; each = each->next)
        if (mb_mp.vector < ((size_t)each->module_index + 1) * sizeof(void *))
            mb_mp.vector = ((size_t)each->module_index + 1) * sizeof(void *);
    if (mb_mp.define_worker && mb_mp.initialize_worker && mb_mp.run_scheme_handler) return NULL;
    mb_mp.proxy = NULL;
    return "a mod_proxy of httpd 2.4";
}

const char *mb_proxy_lacks(mb_scheme scheme) {
    int http2 = (scheme != MB_H2C && scheme != MB_H2) || ap_find_linked_module("mod_proxy_http2.c");
    int tls = (scheme != MB_HTTPS && scheme != MB_H2) || ap_find_linked_module("mod_ssl.c");
    if (http2) return tls ? NULL : "mod_ssl";
    return tls ? "mod_proxy_http2" : "mod_proxy_http2 and mod_ssl";
}

/* ---- Workers ---- */

static int is_of(const peer *known, const bh_facts_t *facts) {
    return known && known->port == facts->port && known->address.low == facts->address.low
           && known->address.high == facts->address.high;
}

/* The server of a row; made under the lock when it is new. */
static peer *peer_of(uint32_t id, const bh_facts_t *facts) {
    peer *known = __atomic_load_n(&peers[id], __ATOMIC_ACQUIRE);
    if (is_of(known, facts)) return known;
    apr_thread_mutex_lock(peer_lock);
    known = peers[id];
    if (!is_of(known, facts)) {
        known = apr_pcalloc(peer_pool, sizeof *known);
        known->address = facts->address;
        known->port = facts->port;
        known->name = mb_endpoint(peer_pool, &facts->address, facts->port);
        for (int i = 0; i < MB_SCHEMES; i++) known->origins[i] = apr_pstrcat(peer_pool, mb_scheme_names[i], "://", known->name, NULL);
        __atomic_store_n(&peers[id], known, __ATOMIC_RELEASE);
    }
    apr_thread_mutex_unlock(peer_lock);
    return known;
}

const char *mb_proxy_name(uint32_t id, const bh_facts_t *facts) { return peer_of(id, facts)->name; }

/* Called with the lock. */
static proxy_worker *make_worker(request_rec *r, const char *origin, int pooled) {
    proxy_worker *made;
    const char *wrong = mb_mp.define_worker(peer_pool, &made, NULL, NULL, origin, 0);
    if (wrong) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0402: mod_proxy refuses a worker for %s: %s", origin, wrong);
        return NULL;
    }
    made->s->conn_timeout = apr_time_from_sec(CONNECT_TIMEOUT_S);
    made->s->conn_timeout_set = 1;
    made->s->disablereuse = !pooled;
    made->s->disablereuse_set = 1;
    apr_cpystrn(made->s->upgrade, UPGRADE, sizeof made->s->upgrade);
    apr_status_t status = mb_mp.initialize_worker(made, r->server, peer_pool);
    if (status != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, status, r, "BH0403: cannot initialise the worker for %s", origin);
        return NULL;
    }
    return made;
}

int mb_worker_find(request_rec *r, uint32_t id, const bh_facts_t *facts, mb_scheme scheme, int pooled, mb_route *way) {
    peer *server = peer_of(id, facts);
    proxy_worker **place = &server->workers[scheme][pooled != 0];
    way->origin = server->origins[scheme];
    way->worker = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (way->worker) return 1;
    apr_thread_mutex_lock(peer_lock);
    if (!(way->worker = *place) && (way->worker = make_worker(r, way->origin, pooled)))
        __atomic_store_n(place, way->worker, __ATOMIC_RELEASE);
    apr_thread_mutex_unlock(peer_lock);
    return way->worker != NULL;
}

static void prepare_child(apr_pool_t *pool, server_rec *server) {
    apr_pool_create(&peer_pool, pool);
    apr_pool_tag(peer_pool, "mod_backhand peers");
    apr_status_t status = apr_thread_mutex_create(&peer_lock, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status == APR_SUCCESS) return;
    ap_log_error(APLOG_MARK, APLOG_CRIT, status, server, "BH0406: cannot make a lock: this child ends, another takes its place");
    exit(APEXIT_CHILDSICK);
}


void mb_worker_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_child_init(prepare_child, NULL, NULL, APR_HOOK_MIDDLE);
}
