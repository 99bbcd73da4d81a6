/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* WebDAV's requests name other resources of the site in full: Destination says where COPY and MOVE go, If may tag its lists with URLs. A client
 * that came by TLS says "https:", and a server that is asked by http refuses that with 502 (mod_dav compares the schemes). So the site is named
 * by the scheme that the server is asked with: the way there of what mb_reverse.c does on the way back.
 *
 * A server may know better than its peer: with ServerName https://… it takes requests for TLS that come without. There a peer's request is
 * given the server's own scheme.
 */

#include "message/mb_message.h"

#define DESTINATION "Destination"
#define CONDITION "If"

/* Appends a URL, with this scheme if it is the site's; whether that has changed it. */
static int put_url(request_rec *r, apr_array_header_t *parts, mb_piece url, const char *scheme) {
    const char *host = apr_table_get(r->headers_in, "Host");
    size_t origin = host ? mb_url_origin(url, host) : 0, old = origin ? (size_t)(strchr(url.start, ':') - url.start) : 0;
    int changes = origin && !mb_text_equals((mb_piece){url.start, old}, scheme);
    if (changes) {
        /* By the header Host alone: the URL may have had its scheme's port, which is not the other scheme's. */
        APR_ARRAY_PUSH(parts, const char *) = apr_pstrcat(r->pool, scheme, "://", host, NULL);
        url = (mb_piece){url.start + origin, url.length - origin};
    }
    APR_ARRAY_PUSH(parts, const char *) = apr_pstrmemdup(r->pool, url.start, url.length);
    return changes;
}

static const char *destination_with(request_rec *r, const char *value, const char *scheme) {
    apr_array_header_t *parts = apr_array_make(r->pool, 2, sizeof(const char *));
    return put_url(r, parts, (mb_piece){value, strlen(value)}, scheme) ? apr_array_pstrcat(r->pool, parts, '\0') : value;
}

static const char *condition_with(request_rec *r, const char *value, const char *scheme) {
    apr_array_header_t *parts = apr_array_make(r->pool, 4, sizeof(const char *));
    const char *at = value, *copied = value;
    int changes = 0;
    for (mb_piece tag; (tag = mb_url_next_tag(&at)).start;) {
        APR_ARRAY_PUSH(parts, const char *) = apr_pstrmemdup(r->pool, copied, (apr_size_t)(tag.start - copied));
        changes |= put_url(r, parts, tag, scheme);
        copied = tag.start + tag.length;
    }
    APR_ARRAY_PUSH(parts, const char *) = copied;
    return changes ? apr_array_pstrcat(r->pool, parts, '\0') : value;
}

typedef const char *change(request_rec *r, const char *value, const char *scheme);

/* What the header was; NULL: it has not changed. */
static const char *change_header(request_rec *r, const char *name, change *with, const char *scheme) {
    const char *old = apr_table_get(r->headers_in, name);
    const char *new = old ? with(r, old, scheme) : NULL;
    if (new == old) return NULL;
    apr_table_setn(r->headers_in, name, new);
    return old;
}

static mb_dav rewrite_urls(request_rec *r, const char *scheme) {
    return (mb_dav){change_header(r, DESTINATION, destination_with, scheme), change_header(r, CONDITION, condition_with, scheme)};
}

mb_dav mb_dav_begin(request_rec *r, mb_scheme scheme) {
    if (r->method_number == M_GET) return (mb_dav){NULL, NULL}; /* and HEAD: most requests, and none of WebDAV's */
    return rewrite_urls(r, scheme == MB_HTTPS || scheme == MB_H2 ? "https" : "http");
}

void mb_dav_end(request_rec *r, const mb_dav *before) {
    if (before->destination) apr_table_setn(r->headers_in, DESTINATION, before->destination);
    if (before->condition) apr_table_setn(r->headers_in, CONDITION, before->condition);
}

static int name_as_we_do(request_rec *r) {
    const mb_request *kept = r->main || r->prev ? NULL : mb_request_find(r);
    if (kept && kept->from_peer) (void)rewrite_urls(r, ap_http_scheme(r));
    return DECLINED;
}

void mb_dav_register(apr_pool_t *pool) {
    (void)pool;
    /* After mb_guard.c, which knows a peer; before others look at the headers. */
    ap_hook_post_read_request(name_as_we_do, NULL, NULL, APR_HOOK_REALLY_FIRST + 1);
}
