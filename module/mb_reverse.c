/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* An answer that names the chosen server itself, by its announced address or host name, sends the client past us, or to where it cannot go.
 * Servers get the Host that the client sent, so few do that: an application that knows its own address, a UseCanonicalName On. Then the
 * site is named instead, as ProxyPassReverse would.
 */

#include "mb_module.h"

#include "apr_lib.h"

/* What a URL or a cookie names. */
typedef struct piece {
    const char *start;
    size_t length;
} piece;

static int is_text(piece text, const char *other) {
    return text.length == strlen(other) && ap_cstr_casecmpn(text.start, other, text.length) == 0;
}

/* Whether the client's site has this name, or one within its domain: then it may have it. */
static int is_of_site(const request_rec *r, piece name) {
    size_t length = r->hostname ? strlen(r->hostname) : 0;
    if (length < name.length || ap_cstr_casecmpn(r->hostname + length - name.length, name.start, name.length) != 0) return 0;
    return length == name.length || r->hostname[length - name.length - 1] == '.';
}

static int is_server(const bh_facts_t *server, piece host) {
    char text[BH_ADDRESS_SIZE];
    bh_address_t address;
    if (host.length && is_text(host, server->hostname)) return 1;
    if (host.length >= sizeof text) return 0;
    memcpy(text, host.start, host.length);
    text[host.length] = '\0';
    return bh_address_parse(text, &address) == BH_OK && address.low == server->address.low && address.high == server->address.high;
}

/* "10.0.0.4:80", "[2001:db8::4]", "web4". Without a port: the one of the scheme. 0: it is none. */
static int split(piece authority, int port, piece *host, int *named) {
    const char *end = authority.start + authority.length, *rest;
    if (authority.length && authority.start[0] == '[') {
        const char *close = memchr(authority.start, ']', authority.length);
        if (!close) return 0;
        *host = (piece){authority.start + 1, (size_t)(close - authority.start - 1)};
        rest = close + 1;
    }
    else {
        rest = memchr(authority.start, ':', authority.length);
        if (!rest) rest = end;
        *host = (piece){authority.start, (size_t)(rest - authority.start)};
    }
    *named = port;
    if (rest == end) return 1;
    if (*rest++ != ':' || end - rest > 5) return 0;
    if (rest == end) return 1;
    for (*named = 0; rest < end; rest++) {
        if (!apr_isdigit(*rest)) return 0;
        *named = *named * 10 + (*rest - '0');
    }
    return 1;
}

/* Where the URL goes on behind its authority if it names the server; else NULL. */
static const char *behind_server(const request_rec *r, const char *url, const bh_facts_t *server, mb_scheme scheme) {
    int tls = scheme == MB_HTTPS || scheme == MB_H2, port;
    const char *prefix = tls ? "https:" : "http:";
    piece host;
    if (ap_cstr_casecmpn(url, prefix, strlen(prefix)) == 0) url += strlen(prefix);
    if (url[0] != '/' || url[1] != '/') return NULL;
    url += 2;
    piece authority = {url, strcspn(url, "/?#")};
    if (!split(authority, tls ? 443 : 80, &host, &port) || port != server->port || !is_server(server, host)) return NULL;
    /* A machine may be called as the site is. */
    if (is_text(host, server->hostname) && r->hostname && is_text(host, r->hostname)) return NULL;
    return url + authority.length;
}

static const char *reverse_url(request_rec *r, const char *url, const bh_facts_t *server, mb_scheme scheme) {
    const char *rest = behind_server(r, url, server, scheme);
    if (!rest) return url;
    if (*rest != '/') rest = apr_pstrcat(r->pool, "/", rest, NULL);
    return ap_construct_url(r->pool, rest, r);
}

/* The value of a cookie's last Domain, which is the one that counts; NULL if there is none. */
static const char *domain_of(const char *cookie, size_t *length) {
    const char *found = NULL;
    while ((cookie = strchr(cookie, ';'))) {
        do cookie++;
        while (apr_isspace(*cookie));
        if (ap_cstr_casecmpn(cookie, "domain=", 7) != 0) continue;
        found = cookie + 7;
        if (*found == '.') found++;
        *length = strcspn(found, "; \t");
    }
    return found;
}

static const char *reverse_cookie(request_rec *r, const char *cookie, const bh_facts_t *server) {
    size_t length = 0;
    const char *domain = domain_of(cookie, &length);
    piece name = {domain, length};
    if (!domain || !length || !r->hostname || is_of_site(r, name) || !is_server(server, name)) return cookie;
    return apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, cookie, (apr_size_t)(domain - cookie)), r->hostname, domain + length, NULL);
}

static int is_url(const char *name) {
    return ap_cstr_casecmp(name, "Location") == 0 || ap_cstr_casecmp(name, "Content-Location") == 0 || ap_cstr_casecmp(name, "URI") == 0;
}

/* One pass: most answers have none of them. */
void mb_reverse(request_rec *r, const bh_facts_t *server, mb_scheme scheme) {
    const apr_array_header_t *headers = apr_table_elts(r->headers_out);
    for (int i = 0; i < headers->nelts; i++) {
        apr_table_entry_t *header = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);
        const char *value = header->val;
        if (!strchr("LlCcUuSs", *header->key)) continue;
        if (is_url(header->key)) value = reverse_url(r, value, server, scheme);
        else if (ap_cstr_casecmp(header->key, "Set-Cookie") == 0) value = reverse_cookie(r, value, server);
        header->val = (char *)(intptr_t)value; /* APR changes none either */
    }
}
