/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_proxy carries the bytes: its scheme handler is run with a worker of our own for each server.
 *
 * mod_proxy may be loaded after us, so its functions are looked up once the configuration is read. Workers are made in each child on
 * first use and never freed: a request may still hold one. A row that gets another server gets another worker, which happens at most once a
 * minute for a row.
 */

#include "mb_module.h"

#include "apr_dso.h"
#include "apr_lib.h"
#include "apr_thread_mutex.h"
#include "mod_proxy.h"
#include "util_filter.h"

#include <dlfcn.h>
#include <stdlib.h>

/* Seconds to wait for a connection: a server that does not answer within this is as good as one that refuses. A
 * handshake in one cluster takes milliseconds; three seconds survive one lost SYN (repeated after one second) and its answer. */
#define CONNECT_TIMEOUT_S 3

static struct {
    module *proxy;
    size_t vector; /* bytes of a configuration vector up to the last module */
    __typeof__(&ap_proxy_define_worker) define_worker;
    __typeof__(&ap_proxy_initialize_worker) initialize_worker;
    __typeof__(&proxy_run_scheme_handler) run_scheme_handler;
} mod_proxy;

/* What this child keeps for one server. Never freed; the names are immutable once it can be seen, the worker comes when it is needed. */
typedef struct peer {
    bh_address_t address;
    uint16_t port;
    const char *origin;    /* "http://10.0.0.4:80" */
    proxy_worker *worker;  /* NULL: not made yet */
} peer;

#define SCHEME "http://"
#define FORWARDED_PROTO "X-Forwarded-Proto"

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
#define FIND(member, name) (*(void **)(void *)&mod_proxy.member = find(mod_proxy.proxy, name))

int mb_proxy_available(void) { return mod_proxy.proxy != NULL; }

const char *mb_proxy_find(void) {
    memset(&mod_proxy, 0, sizeof mod_proxy);
    module *proxy = ap_find_linked_module("mod_proxy.c");
    if (!proxy) return "mod_proxy";
    if (!ap_find_linked_module("mod_proxy_http.c")) return "mod_proxy_http";
    mod_proxy.proxy = proxy;
    FIND(define_worker, "ap_proxy_define_worker");
    FIND(initialize_worker, "ap_proxy_initialize_worker");
    FIND(run_scheme_handler, "proxy_run_scheme_handler");
    for (const module *each = ap_top_module; each; each = each->next)
        if (mod_proxy.vector < ((size_t)each->module_index + 1) * sizeof(void *))
            mod_proxy.vector = ((size_t)each->module_index + 1) * sizeof(void *);
    if (mod_proxy.define_worker && mod_proxy.initialize_worker && mod_proxy.run_scheme_handler) return NULL;
    mod_proxy.proxy = NULL;
    return "a mod_proxy of httpd 2.4";
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
        known->origin = apr_pstrcat(peer_pool, SCHEME, mb_endpoint(peer_pool, &facts->address, facts->port), NULL);
        __atomic_store_n(&peers[id], known, __ATOMIC_RELEASE);
    }
    apr_thread_mutex_unlock(peer_lock);
    return known;
}

const char *mb_proxy_name(uint32_t id, const bh_facts_t *facts) { return peer_of(id, facts)->origin + strlen(SCHEME); }

/* Called with the lock. */
static proxy_worker *make_worker(request_rec *r, const peer *server) {
    proxy_worker *made;
    const char *wrong = mod_proxy.define_worker(peer_pool, &made, NULL, NULL, server->origin, 0);
    if (wrong) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0402: mod_proxy refuses a worker for %s: %s", server->origin, wrong);
        return NULL;
    }
    made->s->conn_timeout = apr_time_from_sec(CONNECT_TIMEOUT_S);
    made->s->conn_timeout_set = 1;
    apr_status_t status = mod_proxy.initialize_worker(made, r->server, peer_pool);
    if (status != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, status, r, "BH0403: cannot initialise the worker for %s", server->origin);
        return NULL;
    }
    return made;
}

static proxy_worker *worker_of(request_rec *r, peer *server) {
    proxy_worker *made = __atomic_load_n(&server->worker, __ATOMIC_ACQUIRE);
    if (made) return made;
    apr_thread_mutex_lock(peer_lock);
    if (!(made = server->worker) && (made = make_worker(r, server)))
        __atomic_store_n(&server->worker, made, __ATOMIC_RELEASE);
    apr_thread_mutex_unlock(peer_lock);
    return made;
}

static void prepare_child(apr_pool_t *pool, server_rec *server) {
    apr_pool_create(&peer_pool, pool);
    apr_pool_tag(peer_pool, "mod_backhand peers");
    apr_status_t status = apr_thread_mutex_create(&peer_lock, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status == APR_SUCCESS) return;
    ap_log_error(APLOG_MARK, APLOG_CRIT, status, server, "BH0406: cannot make a lock: this child ends, another takes its place");
    exit(APEXIT_CHILDSICK);
}

/* ---- Forwarding ---- */

/* What mod_proxy looks at in the request, as it was before us. */
typedef struct before {
    char *filename;
    const char *handler;
    int proxyreq;
    ap_conf_vector_t *per_dir_config;
    const char *forwarded_proto;
    int keepalives;
} before;

/* mod_proxy's settings for this directory, but with the client's Host header kept: the servers are one site. */
static ap_conf_vector_t *preserving_host(request_rec *r) {
    const proxy_dir_conf *old = ap_get_module_config(r->per_dir_config, mod_proxy.proxy);
    if (old->preserve_host) return r->per_dir_config;
    proxy_dir_conf *changed = apr_pmemdup(r->pool, old, sizeof *changed);
    changed->preserve_host = changed->preserve_host_set = 1;
    /* A vector of pointers, one for each module; merging it with an empty one would copy it too, for 2,000 instructions. */
    ap_conf_vector_t *copy = apr_pmemdup(r->pool, r->per_dir_config, mod_proxy.vector);
    ap_set_module_config(copy, mod_proxy.proxy, changed);
    return copy;
}

/* The path and query exactly as the client sent them; what other modules made of them here is not what is forwarded. */
const char *mb_proxy_as_sent(request_rec *r) {
    const char *sent = r->unparsed_uri;
    if (*sent == '/') return sent;
    /* The client named a host too, and perhaps no path. Not r->parsed_uri: httpd has undone the escapes in it. */
    const char *host = strstr(sent, "://");
    const char *path = host ? host + strlen("://") + strcspn(host + strlen("://"), "/?") : "";
    return *path == '/' ? path : apr_pstrcat(r->pool, "/", path, NULL);
}

/* mod_proxy drops every header that the client's Connection names. It must not take ours away: a server would believe the request to be this
 * server's own (CVE-2022-31813 was the same with X-Forwarded-For). */
static int is_ours(const char *token) {
    return ap_cstr_casecmp(token, MB_GUARD_HEADER) == 0 || ap_cstr_casecmp(token, MB_HOPS_HEADER) == 0
           || ap_cstr_casecmp(token, FORWARDED_PROTO) == 0;
}

static void protect(request_rec *r, const char *header) {
    const char *tokens = apr_table_get(r->headers_in, header);
    if (!tokens || (!ap_find_token(r->pool, tokens, MB_GUARD_HEADER) && !ap_find_token(r->pool, tokens, MB_HOPS_HEADER)
                    && !ap_find_token(r->pool, tokens, FORWARDED_PROTO)))
        return;
    /* A token of one letter and its comma become three letters at most. */
    char *kept = apr_palloc(r->pool, 2 * strlen(tokens) + 1);
    char *end = kept;
    while (*tokens) {
        /* ap_get_token ends at these, ';' too, and steps over none but the space. */
        if (*tokens == ',' || *tokens == ';' || apr_isspace(*tokens)) {
            tokens++;
            continue;
        }
        const char *token = ap_get_token(r->pool, &tokens, 0);
        if (!*token || is_ours(token)) continue;
        if (end != kept) end = apr_cpystrn(end, ", ", 3);
        end = apr_cpystrn(end, token, strlen(token) + 1);
    }
    *end = '\0';
    if (*kept) apr_table_setn(r->headers_in, header, kept);
    else apr_table_unset(r->headers_in, header);
}

/* With the count of kept-alive requests at 0 mod_proxy answers 502 when a server dies before its first byte; otherwise it closes the client's
 * connection unanswered. Then httpd itself would not see that this is the last request of the connection. */
static void forget_keepalives(conn_rec *connection, int most) {
    if (most && connection->keepalives >= most) connection->keepalive = AP_CONN_CLOSE;
    connection->keepalives = 0;
}

static before dress(request_rec *r, char *filename) {
    before old = {r->filename, r->handler, r->proxyreq, r->per_dir_config, apr_table_get(r->headers_in, FORWARDED_PROTO),
                  r->connection->keepalives};
    r->filename = filename;
    r->handler = "proxy-server";
    r->proxyreq = PROXYREQ_REVERSE;
    r->per_dir_config = preserving_host(r);
    forget_keepalives(r->connection, r->server->keep_alive_max);
    protect(r, "Connection");
    protect(r, "Proxy-Connection");
    apr_table_setn(r->headers_in, MB_GUARD_HEADER, mb_guard_value(r));
    mb_guard_count_hop(r);
    if (strcmp(ap_http_scheme(r), "https") == 0) apr_table_setn(r->headers_in, FORWARDED_PROTO, "https");
    return old;
}

static void undress(request_rec *r, const before *old) {
    r->filename = old->filename;
    r->handler = old->handler;
    r->proxyreq = old->proxyreq;
    r->per_dir_config = old->per_dir_config;
    apr_table_unset(r->headers_in, MB_GUARD_HEADER);
    apr_table_unset(r->headers_in, MB_HOPS_HEADER);
    if (old->forwarded_proto) apr_table_setn(r->headers_in, FORWARDED_PROTO, old->forwarded_proto);
    else apr_table_unset(r->headers_in, FORWARDED_PROTO);
}

/* Whether a server died in the middle of its answer: mod_proxy then breaks the client's connection too. */
static int broke_off(const request_rec *r, int result) {
    return result == DONE && !r->connection->aborted && r->status != HTTP_SWITCHING_PROTOCOLS;
}

static void count(uint32_t id, mb_outcome outcome, int is_good, apr_time_t took) {
    uint64_t us = took > 0 ? (uint64_t)took : 0;
    if (outcome == MB_ANSWERED && is_good) {
        bh_feedback_served(mb_segment, id, us);
        return;
    }
    bh_feedback_failed(mb_segment, id);
    if (outcome == MB_REFUSED) bh_feedback_refused(mb_segment, id, mb_now_ms(), us / 1000);
    else if (outcome != MB_ANSWERED) bh_feedback_lost(mb_segment, id, mb_now_ms(), us / 1000);
}

mb_outcome mb_proxy_forward(request_rec *r, uint32_t id, const bh_facts_t *facts, int repeatable, mb_attempt *attempt) {
    peer *server = peer_of(id, facts);
    proxy_worker *worker = worker_of(r, server);
    if (!worker) { /* it has said why: as good as refused */
        count(id, MB_REFUSED, 0, 0);
        return MB_REFUSED;
    }
    char *url = apr_pstrcat(r->pool, "proxy:", server->origin, mb_proxy_as_sent(r), NULL) + strlen("proxy:");
    proxy_server_conf *settings = ap_get_module_config(r->server->module_config, mod_proxy.proxy);
    before old = dress(r, url - strlen("proxy:"));
    mb_attempt_begin(attempt, r, repeatable);
    apr_time_t began = apr_time_now();
    bh_feedback_begin(mb_segment, mb_child_slot, id);
    int result = mod_proxy.run_scheme_handler(r, worker, settings, url, NULL, 0);
    bh_feedback_end(mb_segment, mb_child_slot, id);
    apr_time_t took = apr_time_now() - began;

    mb_outcome outcome = mb_attempt_end(attempt, r, result);
    /* mod_proxy counts one more request where it keeps the client's connection. */
    r->connection->keepalives += old.keepalives;
    count(id, outcome, (result == OK || result == DONE) && !broke_off(r, result), took);
    if (outcome == MB_REFUSED || outcome == MB_FAILED) undress(r, &old);
    return outcome;
}

/* ---- After a refusal: the request is served here ---- */

#define BODY_FILTER "BACKHAND_BODY"

/* What mod_proxy keeps of the request's body between attempts: read already, but not gone. */
static apr_bucket_brigade *read_body(request_rec *r) {
    void *body = NULL;
    apr_pool_userdata_get(&body, "proxy-req-input", r->pool);
    return body && !APR_BRIGADE_EMPTY((apr_bucket_brigade *)body) ? body : NULL;
}

void mb_proxy_give_back(request_rec *r) {
    apr_bucket_brigade *body = read_body(r);
    if (body) ap_add_input_filter(BODY_FILTER, body, r, r->connection);
}

/* Moves at most so many bytes from the front of one brigade to the end of another. */
static apr_status_t take(apr_bucket_brigade *to, apr_bucket_brigade *from, apr_off_t bytes) {
    apr_bucket *rest;
    apr_status_t status = apr_brigade_partition(from, bytes, &rest);
    if (status != APR_SUCCESS && status != APR_INCOMPLETE) return status;
    while (APR_BRIGADE_FIRST(from) != rest && !APR_BRIGADE_EMPTY(from)) {
        apr_bucket *first = APR_BRIGADE_FIRST(from);
        APR_BUCKET_REMOVE(first);
        APR_BRIGADE_INSERT_TAIL(to, first);
        if (APR_BUCKET_IS_EOS(first)) break;
    }
    return APR_SUCCESS;
}

/* Input filter: first what was read before, then what the client still sends. */
static apr_status_t replay(ap_filter_t *filter, apr_bucket_brigade *to, ap_input_mode_t mode, apr_read_type_e block,
                           apr_off_t bytes) {
    apr_bucket_brigade *body = filter->ctx;
    if (APR_BRIGADE_EMPTY(body)) {
        ap_remove_input_filter(filter);
        return ap_get_brigade(filter->next, to, mode, block, bytes);
    }
    switch (mode) {
    case AP_MODE_READBYTES:
        return take(to, body, bytes);
    case AP_MODE_GETLINE:
        return apr_brigade_split_line(to, body, block, bytes > 0 ? bytes : HUGE_STRING_LEN);
    case AP_MODE_EXHAUSTIVE:
        APR_BRIGADE_CONCAT(to, body);
        return APR_SUCCESS;
    default: /* nobody looks ahead into a body, or reads empty lines from it */
        return APR_ENOTIMPL;
    }
}

/* An internal redirect (mod_rewrite, Action, ErrorDocument) begins with the connection's filters: ours is lost on the way. */
static void give_back_to_redirect(request_rec *r) {
    if (r->prev && !r->main) mb_proxy_give_back(r);
}

void mb_proxy_register(apr_pool_t *pool) {
    (void)pool;
    /* Before all others: what was read has passed the request's other filters already. */
    ap_register_input_filter(BODY_FILTER, replay, NULL, AP_FTYPE_RESOURCE - 1);
    ap_hook_insert_filter(give_back_to_redirect, NULL, NULL, APR_HOOK_LAST);
    ap_hook_child_init(prepare_child, NULL, NULL, APR_HOOK_MIDDLE);
}
