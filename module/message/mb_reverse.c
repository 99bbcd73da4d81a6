/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* An answer that names the chosen server itself, by its announced address or host name, sends the client past us, or to
 * where it cannot go. Servers get the Host that the client sent, and few do that: an application that knows its own
 * address, a UseCanonicalName On. Then the site is named instead, as ProxyPassReverse would.
 */

#include "message/mb_message.h"

static const char *reverse_url(request_rec *r, const char *url, const bh_facts_t *server, mb_scheme scheme) {
    const char *rest = bh_location_path(url, server, r->hostname, mb_scheme_is_tls(scheme));
    if (!rest) return url;
    if (*rest != '/') rest = apr_pstrcat(r->pool, "/", rest, NULL);
    return ap_construct_url(r->pool, rest, r);
}

static const char *reverse_cookie(request_rec *r, const char *cookie, const bh_facts_t *server) {
    bh_piece_t name = bh_cookie_domain(cookie, server, r->hostname);
    if (!name.start) return cookie;
    return apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, cookie, (apr_size_t)(name.start - cookie)), r->hostname,
                       name.start + name.length, NULL);
}

static int is_field(const apr_table_entry_t *header, const char *name) {
    return ap_cstr_casecmp(header->key, name) == 0;
}

static const char *reverse_field(request_rec *r, const apr_table_entry_t *header, const bh_facts_t *server,
                                 mb_scheme scheme) {
    int is_url = 0;
    switch (*header->key | 0x20) { /* the letter in lower case */
    case 's': return is_field(header, "Set-Cookie") ? reverse_cookie(r, header->val, server) : header->val;
    case 'l': is_url = is_field(header, "Location"); break;
    case 'c': is_url = is_field(header, "Content-Location"); break;
    case 'u': is_url = is_field(header, "URI"); break;
    }
    return is_url ? reverse_url(r, header->val, server, scheme) : header->val;
}

/* One pass: most answers have none of them. */
void mb_reverse(request_rec *r, const bh_facts_t *server, mb_scheme scheme) {
    const apr_array_header_t *headers = apr_table_elts(r->headers_out);
    for (int i = 0; i < headers->nelts; i++) {
        apr_table_entry_t *header = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);
        header->val = (char *)(intptr_t)reverse_field(r, header, server, scheme); /* APR changes none either */
    }
}
