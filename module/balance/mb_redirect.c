/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Candidates in the mode BACKHAND_MODE_REDIRECT: the client is told to ask the server itself. A redirect keeps the scheme that the client
 * came by, and path and query as it sent them. Clients that it would send round in a circle are not redirected.
 */

#include "balance/mb_balance.h"
#define HTTP_PORT 80
#define HTTPS_PORT 443

/* Whom a URL names. */
typedef struct authority {
    const char *scheme;
    const char *host; /* IPv6 addresses in brackets */
    apr_port_t port;
} authority;

static apr_port_t usual_port(const char *scheme) { return strcmp(scheme, "https") == 0 ? HTTPS_PORT : HTTP_PORT; }

/* Where BackhandScheme says that the announced port speaks TLS, it is asked there. Otherwise the scheme is the client's: a server announces its
 * plain port; for TLS all servers have one port, the one that the client has reached here. ServerName https://name[:port] tells of TLS that ends before this httpd: then that port is what clients see. */
static void choose_scheme_and_port(const request_rec *r, const bh_facts_t *facts, authority *to) {
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    int is_tls = settings->scheme == MB_HTTPS || settings->scheme == MB_H2;
    to->scheme = is_tls ? "https" : ap_http_scheme(r);
    if (is_tls) {
        to->port = facts->port;
        return;
    }
    if (strcmp(to->scheme, "https") != 0) to->port = facts->port;
    else if (!r->server->server_scheme) to->port = r->connection->local_addr->port;
    else to->port = r->server->port ? r->server->port : HTTPS_PORT;
}

/* Whether the client is on this machine, where a loopback address means what it means here. */
static int is_client_here(const request_rec *r) {
    bh_address_t address;
    return mb_address_of(r->useragent_addr, &address) && mb_address_is_loopback(&address);
}

/* Whether the name or address would lead every client to its own machine. */
static int is_loopback(const char *host) {
    bh_address_t address;
    if (bh_address_parse(host, &address) == BH_OK) return mb_address_is_loopback(&address);
    size_t length = strlen(host), suffix = strlen(".localhost");
    return ap_cstr_casecmp(host, "localhost") == 0 || ap_cstr_casecmp(host, "localhost.localdomain") == 0
           || (length > suffix && ap_cstr_casecmp(host + length - suffix, ".localhost") == 0);
}

static void complain_of_name(request_rec *r, const char *format, const bh_facts_t *facts) {
    static uint64_t next_ms;
    if (!mb_minute_passed(&next_ms)) return;
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                  "BH0421: '%s' makes no host name of the server name '%s' and the Host header '%s': redirected to the address", format,
                  facts->hostname, r->hostname ? r->hostname : "");
}

/* The name that the format makes, or the address if there is no format or what it makes is no name: it may come from the Host header. */
static const char *choose_host(request_rec *r, const char *format, const bh_facts_t *facts, int complain) {
    char name[BH_NAME_SIZE], address[BH_ADDRESS_SIZE];
    if (format && bh_name_expand(format, facts->hostname, r->hostname, name, sizeof name) == BH_OK && (!is_loopback(name) || is_client_here(r)))
        return apr_pstrdup(r->pool, name);
    if (format && complain) complain_of_name(r, format, facts);
    if (bh_address_format(&facts->address, address, sizeof address) != BH_OK) return "";
    return strchr(address, ':') ? apr_pstrcat(r->pool, "[", address, "]", NULL) : apr_pstrdup(r->pool, address);
}

static authority choose(request_rec *r, const char *format, const bh_facts_t *facts, int complain) {
    authority to;
    choose_scheme_and_port(r, facts, &to);
    to.host = choose_host(r, format, facts, complain);
    return to;
}

/* httpd keeps IPv6 addresses of the Host header without their brackets, and an address can be written in several ways. */
static int is_same_host(const char *asked, const char *host) {
    bh_address_t left, right;
    if (*host != '[') return ap_cstr_casecmp(asked, host) == 0;
    char text[BH_ADDRESS_SIZE + 1];
    apr_cpystrn(text, host + 1, sizeof text);
    text[strcspn(text, "]")] = '\0';
    return bh_address_parse(asked, &left) == BH_OK && bh_address_parse(text, &right) == BH_OK && left.high == right.high
           && left.low == right.low;
}

/* Whether the client has asked for just this. */
static int has_asked_for(const request_rec *r, const authority *to) {
    apr_port_t asked = r->parsed_uri.port_str ? r->parsed_uri.port : usual_port(ap_http_scheme(r));
    return strcmp(ap_http_scheme(r), to->scheme) == 0 && r->hostname && asked == to->port && is_same_host(r->hostname, to->host);
}

/* This server among the candidates; NULL: it is not there. */
static const ServerSlot *find_self(const bh_decision_t *decision) {
    for (uint32_t i = 0; i < decision->count; i++)
        if (mb_self_is((uint32_t)decision->servers[i].id)) return &decision->servers[i];
    return NULL;
}

/* Whether the client has asked for this server by what a redirect to it would say: it was redirected here, or knows us. If this server is
 * not redirected to itself, the rule of the chosen one counts. */
static int has_arrived(request_rec *r, const bh_decision_t *decision, const ServerSlot *chosen) {
    const ServerSlot *self = find_self(decision);
    bh_facts_t facts;
    if (!self || !mb_facts_of((uint32_t)self->id, &facts)) return 0;
    authority to = choose(r, (self->mode == BACKHAND_MODE_REDIRECT ? self : chosen)->hostheader, &facts, 0);
    return has_asked_for(r, &to);
}

/* Whether the redirect would name the server's own loopback address, which is the client's for the client. */
static int leads_home(const request_rec *r, const authority *to, const bh_facts_t *facts) {
    bh_address_t address;
    int is_name = *to->host != '[' && bh_address_parse(to->host, &address) != BH_OK;
    return !is_name && mb_address_is_loopback(&facts->address) && !is_client_here(r);
}

mb_way mb_redirect_way(request_rec *r, const bh_decision_t *decision, const ServerSlot *chosen, const bh_facts_t *facts, int may_stay) {
    authority to = choose(r, chosen->hostheader, facts, 0);
    if (has_asked_for(r, &to)) return MB_WAY_FORWARD;
    if (leads_home(r, &to, facts)) return MB_WAY_FORWARD; /* its request can still be sent on */
    return may_stay && has_arrived(r, decision, chosen) ? MB_WAY_HERE : MB_WAY_REDIRECT;
}

/* httpd answers request lines with control bytes itself, in its unsafe mode too: what was sent cannot end the header. */
int mb_redirect_send(request_rec *r, const ServerSlot *chosen, const bh_facts_t *facts, int status) {
    authority to = choose(r, chosen->hostheader, facts, 1);
    const char *port = to.port == usual_port(to.scheme) ? "" : apr_psprintf(r->pool, ":%u", (unsigned)to.port);
    apr_table_setn(r->headers_out, "Location", apr_pstrcat(r->pool, to.scheme, "://", to.host, port, mb_request_as_sent(r), NULL));
    return status ? status : HTTP_MOVED_TEMPORARILY;
}
