/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The request as mod_proxy gets it, and as it was. */

#include "proxy/mb_proxy.h"

#define FORWARDED_PROTO "X-Forwarded-Proto"
/* mod_proxy's note of a Unix socket, which it connects to in place of what the URL names. */
#define SOCKET_NOTE "uds_path"

ap_conf_vector_t *mb_prepare_section(request_rec *r, proxy_dir_conf **changed) {
    const proxy_dir_conf *old = ap_get_module_config(r->per_dir_config, mb_mp.proxy);
    /* mod_proxy knows how large its own are. It changes neither. */
    *changed = mb_mp.is_newer ? mb_mp.proxy->merge_dir_config(r->pool, (void *)(intptr_t)old,
                                                              mb_mp.proxy->create_dir_config(r->pool, NULL))
                              : apr_pmemdup(r->pool, old, sizeof **changed);
    /* A vector of pointers, one for each module; merging it with an empty one would copy it too, for 2,000
     * instructions. */
    ap_conf_vector_t *copy = apr_pmemdup(r->pool, r->per_dir_config, mb_mp.vector);
    ap_set_module_config(copy, mb_mp.proxy, *changed);
    return copy;
}

/* mod_proxy's settings for this directory, but with the client's Host header kept: the servers are one site. */
static ap_conf_vector_t *preserving_host(request_rec *r) {
    const proxy_dir_conf *old = ap_get_module_config(r->per_dir_config, mb_mp.proxy);
    if (old->preserve_host && !old->interpolate_env) return r->per_dir_config;
    proxy_dir_conf *changed;
    ap_conf_vector_t *copy = mb_prepare_section(r, &changed);
    changed->preserve_host = changed->preserve_host_set = 1;
    /* mod_proxy interpolates ahead of its own handler only, and would look for the result */
    changed->interpolate_env = 0;
    return copy;
}

/* mod_proxy drops every header that the client's Connection names. It must not take ours away: a server would take the
 * request for this server's own (CVE-2022-31813 was the same with X-Forwarded-For). */
static void protect(request_rec *r, const char *header) {
    static const char *const ours[] = {MB_GUARD_HEADER, MB_HOPS_HEADER, FORWARDED_PROTO, NULL};
    const char *list = apr_table_get(r->headers_in, header);
    if (!list || !bh_tokens_name(list, ours)) return;
    size_t size = 2 * strlen(list) + 1;
    char *kept = apr_palloc(r->pool, size);
    if (bh_tokens_without(list, ours, kept, size)) apr_table_setn(r->headers_in, header, kept);
    else apr_table_unset(r->headers_in, header);
}

void mb_prepare_keepalives(request_rec *r) {
    conn_rec *connection = r->connection;
    int most = r->server->keep_alive_max;
    if (most && connection->keepalives >= most) connection->keepalive = AP_CONN_CLOSE;
    connection->keepalives = 0;
}

/* As mod_proxy's handler, which is passed by, does it. What is not a number goes on as it is: the server may mind. */
static void count_down(request_rec *r) {
    int64_t most = bh_max_forwards(apr_table_get(r->headers_in, "Max-Forwards"));
    if (most)
        apr_table_setn(r->headers_in, "Max-Forwards",
                       apr_psprintf(r->pool, "%" APR_INT64_T_FMT, (apr_int64_t)(most - 1)));
}

/* Whether mod_remoteip, or another module, takes the sender for a proxy that names its client: then what it says
 * of the scheme counts, too. With the PROXY protocol the headers may be the client's own. */
static int is_by_proxy(request_rec *r) {
    return r->useragent_addr != r->connection->client_addr && !mb_sender_is_relayed(r);
}

const char *mb_prepare(request_rec *r, char *filename) {
    const char *socket = apr_table_get(r->notes, SOCKET_NOTE);
    if (socket) apr_table_unset(r->notes, SOCKET_NOTE);
    r->filename = filename;
    r->handler = MB_PROXY_HANDLER;
    r->proxyreq = PROXYREQ_REVERSE;
    r->per_dir_config = preserving_host(r);
    mb_prepare_keepalives(r);
    r->headers_in = apr_table_copy(r->pool, r->headers_in);
    protect(r, "Connection");
    protect(r, "Proxy-Connection");
    apr_table_setn(r->headers_in, MB_GUARD_HEADER, mb_guard_value(r));
    mb_guard_count_hop(r);
    if (r->method_number == M_OPTIONS) count_down(r);
    if (strcmp(ap_http_scheme(r), "https") == 0) apr_table_setn(r->headers_in, FORWARDED_PROTO, "https");
    else if (!is_by_proxy(r)) apr_table_unset(r->headers_in, FORWARDED_PROTO);
    return socket;
}

void mb_prepare_undo(request_rec *r, const request_rec *before, const char *socket) {
    r->filename = before->filename;
    r->handler = before->handler;
    r->proxyreq = before->proxyreq;
    r->per_dir_config = before->per_dir_config;
    if (socket) apr_table_setn(r->notes, SOCKET_NOTE, socket);
}
