/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The loop guard: a request that a peer has sent here is served here, and is its client's, not the peer's. The header
 * that says so is taken from known servers; with a BackhandKey it must be signed for this very request: "203.0.113.7;
 * t=1700000000; s=0123456789abcdef0123456789abcdef". From outside AcceptStats the header is removed, so that no client
 * can take another one's address. What comes from inside and is not proven is not served at all: the sender is not the
 * client, and its address may open doors. docs/protocol.md describes it. */

#include "request/mb_request.h"

/* Servers whose address is not accepted may pass a request on this often. Then it stays where it is. Three are more
 * than any honest way has, and bound a ring of servers that connect from other addresses than they announce. */
#define MOST_HOPS 3

static void count_round(mb_request *found, const char *hops) {
    int passed = bh_hops_read(hops, MOST_HOPS);
    found->hops = passed < MOST_HOPS ? passed + 1 : MOST_HOPS;
}

/* Not one that another httpd of ours sends as such, but perhaps one that has gone round: mod_proxy has carried it for a
 * server (mb_guard_leave). Looked at for requests with a chain only. */
static const mb_request *note_round(request_rec *r) {
    const char *hops = apr_table_get(r->headers_in, MB_HOPS_HEADER);
    if (!hops) return mb_request_find(r);
    mb_request *found = mb_request_make(r);
    count_round(found, hops);
    apr_table_unset(r->headers_in, MB_HOPS_HEADER);
    return found;
}

int mb_guard_stays_here(request_rec *r) {
    const mb_request *found = note_round(r);
    return found && (mb_request_is_for_us(found) || found->hops >= MOST_HOPS);
}

void mb_guard_count_hop(request_rec *r) {
    const mb_request *found = mb_request_find(r);
    if (found && found->hops) apr_table_setn(r->headers_in, MB_HOPS_HEADER, apr_itoa(r->pool, found->hops));
}

void mb_guard_answered(request_rec *r) {
    const mb_request *found = mb_request_find(r);
    apr_table_unset(r->headers_in, MB_GUARD_HEADER);
    if (found && found->hops) apr_table_unset(r->headers_in, MB_HOPS_HEADER);
}

void mb_guard_leave(request_rec *r) {
    const mb_request *found = mb_request_find(r);
    if (!found || !found->from_peer) return;
    apr_table_unset(r->headers_in, MB_GUARD_HEADER);
    apr_table_setn(r->headers_in, MB_HOPS_HEADER, apr_itoa(r->pool, found->hops ? found->hops : 1));
}

/* ---- Accepting ---- */

static void remove_header(request_rec *r) {
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "removed the header %s that %s has sent", MB_GUARD_HEADER,
                  r->connection->client_ip);
    apr_table_unset(r->headers_in, MB_GUARD_HEADER);
}

/* A stranger says that a server has sent the request. Its address is not accepted, but the hop is counted.
 */
static void doubt(request_rec *r, mb_request *found) {
    count_round(found, apr_table_get(r->headers_in, MB_HOPS_HEADER));
    remove_header(r);
}

static void tell_stranger(request_rec *r) {
    if (mb_vhost_networks(r->server)->nelts && !mb_sender_is_relayed(r))
        MB_LOG_RARELY(
            r, APLOG_WARNING,
            "BH0407: %s is outside AcceptStats and has sent the header %s: if it is a server of the cluster, its "
            "connections come from another address than it announces, which AcceptStats must name too",
            r->connection->client_ip, MB_GUARD_HEADER);
}

static void tell_unknown(request_rec *r) {
    MB_LOG_RARELY(r, APLOG_WARNING,
                  "BH0432: %s is inside AcceptStats, has sent the header %s, and is not a known server: "
                  "answered with 503. A proxy or load balancer must remove that header; a server must announce this "
                  "address, or the cluster "
                  "needs a BackhandKey",
                  r->connection->client_ip, MB_GUARD_HEADER);
}

/* The request is not served, and its error page is the client's, which is not known: it must not see what the sender
 * may see. */
static int refuse(request_rec *r, int status) {
    static const bh_address_t unspecified = {0, UINT64_C(0xffff) << 32};
    r->useragent_addr = mb_address_for_apr(r->pool, &unspecified);
    r->useragent_ip = (char *)(intptr_t)"0.0.0.0"; /* httpd changes none either */
    remove_header(r);
    return status;
}

/* A front of ours sends the request to another server then. Not again over this connection, which may come from a wrong
 * address. */
static int turn_away(request_rec *r) {
    apr_table_setn(r->err_headers_out, "Retry-After", "1");
    apr_table_setn(r->err_headers_out, MB_UNKNOWN_HEADER, "unknown-server");
    r->connection->keepalive = AP_CONN_CLOSE;
    return refuse(r, HTTP_SERVICE_UNAVAILABLE);
}

/* The client is what the header says, or there is none: the sender is never taken for it. */
static int believe(request_rec *r, const bh_claim_t *said, mb_request *found) {
    const char *text = apr_pstrmemdup(r->pool, said->client.start, said->plain);
    found->from_peer = 1;
    if (mb_segment) bh_segment_forwarded(mb_segment);
    if (!said->has_address) {
        MB_LOG_RARELY(r, APLOG_WARNING, "BH0431: the header %s from %s holds no address: answered with 400",
                      MB_GUARD_HEADER, r->connection->client_ip);
        return refuse(r, HTTP_BAD_REQUEST);
    }
    r->useragent_addr = mb_address_for_apr(r->pool, &said->address);
    r->useragent_ip = (char *)(intptr_t)text;
    apr_table_setn(r->headers_in, MB_GUARD_HEADER, text); /* other modules must not see the signature */
    found->local = mb_local_begin(r, 0);
    return DECLINED;
}

/* From inside AcceptStats. */
static int check_claim(request_rec *r, mb_sender sender, const char *value, mb_request *found) {
    bh_claim_t said = bh_claim_read(value);
    const mb_keys *keys = mb_main_server()->keys;
    /* An Optional key asks of what is not signed as much as no key does. */
    if (keys && (said.is_signed || !keys->optional)) {
        const char *wrong = mb_claim_forgery(r, &said);
        if (!wrong) return believe(r, &said, found);
        MB_LOG_RARELY(r, APLOG_WARNING, "BH0430: the header %s from %s is not accepted: %s: answered with 503",
                      MB_GUARD_HEADER, r->connection->client_ip, wrong);
    } else if (sender == MB_SENDER_SERVER) return believe(r, &said, found);
    else tell_unknown(r);
    return turn_away(r);
}

/* Some requests httpd refuses before it calls the hook (400, 417): the error page is the first that it is called for.
 */
static int remove_unseen(request_rec *r) {
    if (mb_request_find(r)) return DECLINED;
    apr_table_unset(r->headers_in, MB_GUARD_HEADER);
    apr_table_unset(r->headers_in, MB_HOPS_HEADER);
    return DECLINED;
}

/* Once for each request that came over the network. httpd calls the hook again for internal redirects (ErrorDocument,
 * rewriting in a directory), which have the first request's headers as the first call has left them, and its client's
 * address. */
static int believe_or_remove(request_rec *r) {
    const char *value = apr_table_get(r->headers_in, MB_GUARD_HEADER);
    if (r->prev || r->main) return value ? remove_unseen(r) : DECLINED;
    if (mb_check_recognise(r)) return DECLINED;
    if (mb_segment) bh_segment_arrival(mb_segment);
    if (!value) return DECLINED;
    mb_request *found = mb_request_make(r);
    mb_sender sender = mb_sender_of(r);
    int status = DECLINED;
    if (sender == MB_SENDER_OUTSIDE) {
        tell_stranger(r);
        doubt(r, found);
    } else {
        found->hops = bh_hops_read(apr_table_get(r->headers_in, MB_HOPS_HEADER), MOST_HOPS);
        status = check_claim(r, sender, value, found);
    }
    apr_table_unset(r->headers_in, MB_HOPS_HEADER);
    return status;
}

void mb_guard_register(apr_pool_t *pool) {
    mb_sender_register(pool);
    mb_check_register(pool);
    /* Before mod_remoteip and whatever else looks at the client's address. */
    ap_hook_post_read_request(believe_or_remove, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
