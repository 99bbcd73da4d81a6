/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* WebDAV's requests name other resources of the site in full: Destination says where COPY and MOVE go, If may tag its
 * lists with URLs. A client that came by TLS says "https:", and a server that is asked by http refuses that with 502
 * (mod_dav compares the schemes). So the site is named by the scheme that the server is asked with: the way there of
 * what mb_reverse.c does on the way back.
 *
 * A server may know better than its peer: with ServerName https://… it takes requests for TLS that come without. There
 * a peer's request is given the server's own scheme.
 */

#include "message/mb_message.h"

/* bh_dav_url, or bh_dav_tags. */
typedef size_t change(const char *value, const char *host, bool tls, char *text, size_t size);

static void change_header(request_rec *r, const char *name, change *with, bool tls) {
    const char *old = apr_table_get(r->headers_in, name), *host = apr_table_get(r->headers_in, "Host");
    size_t size = with(old, host, tls, NULL, 0) + 1;
    if (size == 1) return;
    char *new = apr_palloc(r->pool, size);
    with(old, host, tls, new, size);
    apr_table_setn(r->headers_in, name, new);
}

static void rewrite_urls(request_rec *r, bool tls) {
    change_header(r, "Destination", bh_dav_url, tls);
    change_header(r, "If", bh_dav_tags, tls);
}

void mb_dav_rename(request_rec *r, mb_scheme scheme) {
    if (r->method_number != M_GET) /* and HEAD: most requests, and none of WebDAV's */
        rewrite_urls(r, mb_scheme_is_tls(scheme));
}

static int name_as_we_do(request_rec *r) {
    const mb_request *kept = r->main || r->prev ? NULL : mb_request_find(r);
    if (kept && kept->from_peer) rewrite_urls(r, strcmp(ap_http_scheme(r), "https") == 0);
    return DECLINED;
}

void mb_dav_register(apr_pool_t *pool) {
    /* After mb_guard.c, which knows a peer; before others look at the headers. */
    ap_hook_post_read_request(name_as_we_do, NULL, NULL, APR_HOOK_REALLY_FIRST + 1);
}
