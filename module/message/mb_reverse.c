/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* An answer that names the chosen server itself, by its announced address or host name, sends the client past us, or to where it cannot go.
 * Servers get the Host that the client sent, so few do that: an application that knows its own address, a UseCanonicalName On. Then the
 * site is named instead, as ProxyPassReverse would.
 */

#include "message/mb_message.h"

/* Whether the client's site has this name, or one within its domain: then it may have it. */
static int is_of_site(const request_rec *r, mb_piece name) {
    size_t length = r->hostname ? strlen(r->hostname) : 0;
    if (length < name.length || ap_cstr_casecmpn(r->hostname + length - name.length, name.start, name.length) != 0) return 0;
    return length == name.length || r->hostname[length - name.length - 1] == '.';
}

/* The site by its name, which is right: with the server's port it would lead past us. httpd appends the port of its ServerName where the
 * client's Host has none. */
static int is_site(const request_rec *r, mb_piece host) { return host.length && r->hostname && mb_text_equals(host, r->hostname); }

static int is_server(const bh_facts_t *server, mb_piece host) {
    char text[BH_ADDRESS_SIZE];
    bh_address_t address;
    if (host.length && mb_text_equals(host, server->hostname)) return 1;
    if (host.length >= sizeof text) return 0;
    memcpy(text, host.start, host.length);
    text[host.length] = '\0';
    return bh_address_parse(text, &address) == BH_OK && address.low == server->address.low && address.high == server->address.high;
}

/* Where the URL goes on behind its authority if it names the server; else NULL. */
static const char *behind_server(const request_rec *r, const char *url, const bh_facts_t *server, mb_scheme scheme) {
    int tls = scheme == MB_HTTPS || scheme == MB_H2, port;
    const char *prefix = tls ? "https:" : "http:";
    mb_piece host;
    if (ap_cstr_casecmpn(url, prefix, strlen(prefix)) == 0) url += strlen(prefix);
    if (url[0] != '/' || url[1] != '/') return NULL;
    url += 2;
    mb_piece authority = {url, strcspn(url, "/?#")};
    if (!mb_target_authority(authority, tls ? 443 : 80, &host, &port) || port != server->port) return NULL;
    if (!is_server(server, host) && !is_site(r, host)) return NULL;
    return url + authority.length;
}

static const char *reverse_url(request_rec *r, const char *url, const bh_facts_t *server, mb_scheme scheme) {
    const char *rest = behind_server(r, url, server, scheme);
    if (!rest) return url;
    if (*rest != '/') rest = apr_pstrcat(r->pool, "/", rest, NULL);
    return ap_construct_url(r->pool, rest, r);
}

static const char *reverse_cookie(request_rec *r, const char *cookie, const bh_facts_t *server) {
    mb_piece name = mb_target_cookie_domain(cookie);
    if (!name.length || !r->hostname || is_of_site(r, name) || !is_server(server, name)) return cookie;
    return apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, cookie, (apr_size_t)(name.start - cookie)), r->hostname, name.start + name.length, NULL);
}

static int is_field(const apr_table_entry_t *header, const char *name) { return ap_cstr_casecmp(header->key, name) == 0; }

static const char *reverse_field(request_rec *r, const apr_table_entry_t *header, const bh_facts_t *server, mb_scheme scheme) {
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
