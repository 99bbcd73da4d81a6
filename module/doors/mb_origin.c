/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Workers of mod_proxy for servers' origins: one for each ProxyPass line, host and set of <Proxy> sections, made in
 * each child on first use. */

#include "doors/mb_doors.h"
#include "balance/mb_balance.h"

#include "apr_fnmatch.h"
#include "apr_hash.h"

#define PROXY "proxy:"

/* ---- <Proxy> sections, which may have SSLProxy lines ---- */

/* Which count for the request: '0' or '1' for each. */
#define SECTIONS "backhand-proxy-sections"

static int is_tls(const char *url) {
    return ap_cstr_casecmpn(url, "https:", 6) == 0 || ap_cstr_casecmpn(url, "wss:", 4) == 0
           || ap_cstr_casecmpn(url, "h2:", 3) == 0;
}

/* As mod_proxy finds it out. */
static int counts_for(const ap_conf_vector_t *section, const char *url) {
    const proxy_dir_conf *of = ap_get_module_config(section, mb_mp.proxy);
    return of->r              ? !ap_regexec(of->r, url, 0, NULL, 0)
           : of->p_is_fnmatch ? apr_fnmatch(of->p, url, 0) == APR_SUCCESS
                              : strncmp(url, of->p, strlen(of->p)) == 0;
}

/* Just before mod_proxy, which has them count: later the URL is another one. */
static int note_sections(request_rec *r) {
    if (!r->proxyreq || !r->filename || !mb_mp.proxy || strncmp(r->filename, PROXY, sizeof PROXY - 1) != 0)
        return DECLINED;
    const char *url = r->filename + sizeof PROXY - 1;
    const proxy_server_conf *conf = ap_get_module_config(r->server->module_config, mb_mp.proxy);
    int count = conf->sec_proxy->nelts;
    if (!count || !is_tls(url)) return DECLINED;
    char *sections = apr_pcalloc(r->pool, (apr_size_t)count + 1);
    for (int i = 0; i < count; i++)
        sections[i] = counts_for(APR_ARRAY_IDX(conf->sec_proxy, i, ap_conf_vector_t *), url) ? '1' : '0';
    apr_table_setn(r->notes, SECTIONS, sections);
    return DECLINED;
}

/* ---- Workers of this child ---- */

static apr_pool_t *workers_pool;
static apr_hash_t *workers;
static apr_thread_mutex_t *workers_lock;

/* What a ProxyPass line, or a <Proxy> section, has set for the URL that a request names counts for each server
 * that it goes to. */
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
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 130)
    TAKE(address_ttl)
#endif
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

/* Called with the lock. NULL: it has logged why. */
static proxy_worker *make(request_rec *r, const char *origin, const proxy_worker *like) {
    const char *wrong;
    proxy_worker *made = mb_worker_define(workers_pool, origin, &wrong);
    if (!made) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0163: mod_proxy refuses a worker for %s: %s", origin, wrong);
        return NULL;
    }
    if (like) take_settings(made->s, like->s);
    apr_status_t status = mb_mp.initialize_worker(made, r->server, workers_pool);
    if (status != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, status, r, "BH0164: cannot initialise the worker for %s", origin);
        return NULL;
    }
    made->s->status |= PROXY_WORKER_IGNORE_ERRORS; /* the core says when a server is left out */
    return made;
}

/* What a child's workers are found by. What one host, or one <Proxy> section, has not verified, or sends a certificate
 * of its own over, is not for another one. */
static const char *key_of(request_rec *r, bh_piece_t origin, const proxy_worker *line, const char *sections,
                          apr_size_t *length) {
    const void *const owners[] = {r->server, line};
    size_t more = strlen(sections);
    char *key = apr_palloc(r->pool, *length = sizeof owners + more + origin.length);
    memcpy(key, owners, sizeof owners);
    memcpy(key + sizeof owners, sections, more);
    memcpy(key + sizeof owners + more, origin.start, origin.length);
    return key;
}

proxy_worker *mb_origin_worker(request_rec *r, const backhand_target *to) {
    proxy_server_conf *conf = ap_get_module_config(r->server->module_config, mb_mp.proxy);
    proxy_worker *own = mb_mp.get_worker(r->pool, NULL, conf, to->url);
    int has_sections = conf->sec_proxy->nelts && is_tls(to->url);
    /* The configuration has one for just this server, but its connections may be of other sections. */
    if (own && !has_sections) return own;
    const proxy_worker *line = own ? own : to->like ? mb_mp.get_worker(r->pool, NULL, conf, to->like) : NULL;
    const char *sections = has_sections ? apr_table_get(r->notes, SECTIONS) : NULL;
    bh_ath_url_t parts;
    if (!bh_ath_url_split(to->url, &parts)) return NULL;
    apr_size_t length;
    const char *key = key_of(r, parts.origin, line, sections ? sections : "", &length);
    apr_thread_mutex_lock(workers_lock);
    proxy_worker *worker = apr_hash_get(workers, key, (apr_ssize_t)length);
    if (!worker && (worker = make(r, apr_pstrmemdup(r->pool, parts.origin.start, parts.origin.length), line)))
        apr_hash_set(workers, apr_pmemdup(workers_pool, key, length), (apr_ssize_t)length, worker);
    apr_thread_mutex_unlock(workers_lock);
    return worker;
}

static void prepare_child(apr_pool_t *pool, server_rec *server) {
    apr_pool_create(&workers_pool, pool);
    workers = apr_hash_make(workers_pool);
    apr_thread_mutex_create(&workers_lock, APR_THREAD_MUTEX_DEFAULT, workers_pool);
}

void mb_origin_register(void) {
    static const char *const before[] = {"mod_proxy.c", NULL};
    ap_hook_child_init(prepare_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_map_to_storage(note_sections, NULL, before, APR_HOOK_FIRST);
}
