/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_proxy's functions, and workers for members: one for each URL's origin and each ProxyPass line, made in each child
 * on first use. */

#include "athena/ma_athena.h"

#include "apr_hash.h"
#include "apr_thread_mutex.h"

/* Seconds to wait for a connection where ProxyPass says nothing: another member can have the request. */
#define CONNECT_TIMEOUT_S 3

ma_mod_proxy ma_mp;

/* Of this child. */
static apr_pool_t *workers_pool;
static apr_hash_t *workers;
static apr_thread_mutex_t *workers_lock;

#define FIND(member, name) MB_PASSAGE_FIND(ma_mp.member, ma_mp.proxy, name)

int ma_proxy_find(void) {
    memset(&ma_mp, 0, sizeof ma_mp);
    ma_mp.proxy = ap_find_linked_module("mod_proxy.c");
    if (!ma_mp.proxy) return 0;
    FIND(define_worker, "ap_proxy_define_worker");
    FIND(initialize_worker, "ap_proxy_initialize_worker");
    FIND(get_worker, "ap_proxy_get_worker");
    FIND(port_of_scheme, "ap_proxy_port_of_scheme");
    FIND(run_scheme_handler, "proxy_run_scheme_handler");
    FIND(map_location, "ap_proxy_location_reverse_map");
    FIND(map_cookie, "ap_proxy_cookie_reverse_map");
    FIND(canon_url, "ap_proxy_canon_url");
    return ma_mp.define_worker && ma_mp.initialize_worker && ma_mp.get_worker && ma_mp.port_of_scheme
           && ma_mp.run_scheme_handler && ma_mp.map_location && ma_mp.map_cookie;
}

/* What a ProxyPass line, or a <Proxy> section, has set for the farm counts for its members. */
static void take_settings(proxy_worker_shared *to, const proxy_worker_shared *from) {
#define TAKE(field)                                                                                                    \
    if (from->field##_set) {                                                                                           \
        to->field = from->field;                                                                                       \
        to->field##_set = 1;                                                                                           \
    }
    TAKE(timeout)
    TAKE(conn_timeout)
    TAKE(acquire)
    TAKE(ping_timeout)
    TAKE(keepalive)
    TAKE(disablereuse)
    TAKE(recv_buffer_size)
    TAKE(io_buffer_size)
    TAKE(response_field_size)
#undef TAKE
    if (from->hmax) to->hmax = from->hmax;
    if (from->smax) to->smax = from->smax;
    if (from->min) to->min = from->min;
    if (from->ttl) to->ttl = from->ttl;
    to->flush_packets = from->flush_packets;
    to->flush_wait = from->flush_wait;
    apr_cpystrn(to->upgrade, from->upgrade, sizeof to->upgrade);
    apr_cpystrn(to->secret, from->secret, sizeof to->secret);
}

/* Called with the lock. */
static proxy_worker *make(request_rec *r, const char *origin, const proxy_worker *like) {
    proxy_worker *made;
    const char *wrong = ma_mp.define_worker(workers_pool, &made, NULL, NULL, origin, 0);
    if (wrong) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0163: mod_proxy refuses a worker for %s: %s", origin, wrong);
        return NULL;
    }
    made->s->conn_timeout = apr_time_from_sec(CONNECT_TIMEOUT_S);
    made->s->conn_timeout_set = 1;
    if (like) take_settings(made->s, like->s);
    apr_status_t status = ma_mp.initialize_worker(made, r->server, workers_pool);
    if (status != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, status, r, "BH0164: cannot initialise the worker for %s", origin);
        return NULL;
    }
    made->s->status |= PROXY_WORKER_IGNORE_ERRORS; /* the core says when a member is left out */
    return made;
}

proxy_worker *ma_proxy_worker(request_rec *r, const char *url, const char *like) {
    proxy_server_conf *conf = ap_get_module_config(r->server->module_config, ma_mp.proxy);
    proxy_worker *own = ma_mp.get_worker(r->pool, NULL, conf, url);
    if (own) return own; /* the configuration has one for just this server */
    bh_ath_url_t parts;
    const proxy_worker *line = like ? ma_mp.get_worker(r->pool, NULL, conf, like) : NULL;
    if (!bh_ath_url_split(url, &parts)) return NULL;
    const char *origin = apr_pstrmemdup(r->pool, parts.origin.start, parts.origin.length);
    /* What one host has not verified, or sends a certificate of its own over, is not for another one. */
    const char *key = apr_psprintf(r->pool, "%s %pp %pp", origin, (const void *)r->server, (const void *)line);
    apr_thread_mutex_lock(workers_lock);
    proxy_worker *worker = apr_hash_get(workers, key, APR_HASH_KEY_STRING);
    if (!worker && (worker = make(r, origin, line)))
        apr_hash_set(workers, apr_pstrdup(workers_pool, key), APR_HASH_KEY_STRING, worker);
    apr_thread_mutex_unlock(workers_lock);
    return worker;
}

static void prepare_child(apr_pool_t *pool, server_rec *server) {
    apr_pool_create(&workers_pool, pool);
    workers = apr_hash_make(workers_pool);
    apr_thread_mutex_create(&workers_lock, APR_THREAD_MUTEX_DEFAULT, workers_pool);
}

void ma_proxy_register(apr_pool_t *pool) { ap_hook_child_init(prepare_child, NULL, NULL, APR_HOOK_MIDDLE); }
