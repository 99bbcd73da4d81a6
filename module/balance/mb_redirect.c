/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Candidates in the mode BACKHAND_MODE_REDIRECT: the client is told to ask the server itself. A redirect keeps the
 * scheme that the client came by, and path and query as it sent them. Clients that it would send round in a circle are
 * not redirected.
 */

#include "balance/mb_balance.h"

/* For TLS all servers have one port, the one that the client has reached here. ServerName https://name[:port] tells of
 * TLS that ends before this httpd: then that port is what clients see. */
static apr_port_t tls_port_of(const request_rec *r) {
    if (!r->server->server_scheme) return r->connection->local_addr->port;
    return r->server->port ? r->server->port : DEFAULT_HTTPS_PORT;
}

/* Whether the client is on this machine, so that a loopback address leads it to this machine too. */
static bool is_client_local(const request_rec *r) {
    bh_address_t address;
    return mb_address_of(r->useragent_addr, &address) && bh_address_is_loopback(address);
}

static void choose(const request_rec *r, const char *format, const bh_facts_t *facts, bh_redirect_t *to) {
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    bool tls = strcmp(ap_http_scheme(r), "https") == 0;
    apr_port_t port = r->parsed_uri.port_str ? r->parsed_uri.port : tls ? DEFAULT_HTTPS_PORT : DEFAULT_HTTP_PORT;
    bh_visitor_t asked = {.host = r->hostname,
                          .port = port,
                          .tls_port = tls_port_of(r),
                          .tls = tls,
                          .servers_tls = mb_scheme_is_tls((mb_scheme)settings->scheme),
                          .local = is_client_local(r)};
    bh_redirect_make(format, facts, &asked, to);
}

static void complain_of_name(request_rec *r, const char *format, const bh_facts_t *facts) {
    MB_LOG_RARELY(
        r, APLOG_WARNING,
        "BH0421: '%s' makes no host name of the server name '%s' and the Host header '%s': redirected to the address",
        format, facts->hostname, r->hostname ? r->hostname : "");
}

/* This server among the candidates; NULL: it is not there. */
static const ServerSlot *find_self(const bh_decision_t *decision) {
    for (uint32_t i = 0; i < decision->count; i++)
        if (mb_self_is((uint32_t)decision->servers[i].id)) return &decision->servers[i];
    return NULL;
}

/* Whether the client has asked for this server by what a redirect to it would say: it was redirected here, or knows us.
 * If this server is not redirected to itself, the rule of the chosen one counts. */
static int has_arrived(request_rec *r, const bh_decision_t *decision, const ServerSlot *chosen) {
    const ServerSlot *self = find_self(decision);
    bh_facts_t facts;
    bh_redirect_t to;
    if (!self || !mb_facts_of((uint32_t)self->id, &facts)) return 0;
    choose(r, (self->mode == BACKHAND_MODE_REDIRECT ? self : chosen)->hostheader, &facts, &to);
    return to.asked;
}

mb_way mb_redirect_way(request_rec *r, const bh_decision_t *decision, const ServerSlot *chosen, const bh_facts_t *facts,
                       int may_stay) {
    bh_redirect_t to;
    choose(r, chosen->hostheader, facts, &to);
    if (to.asked || to.leads_home) return MB_WAY_FORWARD; /* its request can still be sent on */
    return may_stay && has_arrived(r, decision, chosen) ? MB_WAY_HERE : MB_WAY_REDIRECT;
}

/* httpd answers request lines with control bytes itself, in its unsafe mode too: what was sent cannot end the header.
 */
int mb_redirect_send(request_rec *r, const ServerSlot *chosen, const bh_facts_t *facts, int status) {
    bh_redirect_t to;
    choose(r, chosen->hostheader, facts, &to);
    if (chosen->hostheader && !to.named) complain_of_name(r, chosen->hostheader, facts);
    apr_table_setn(r->headers_out, "Location", apr_pstrcat(r->pool, to.origin, mb_request_as_sent(r), NULL));
    return status == MB_UNSET ? HTTP_MOVED_TEMPORARILY : status;
}
