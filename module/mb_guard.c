/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The loop guard: a request that a peer has sent here is served here, and is its client's, not the peer's. The header that says so is believed
 * from AcceptStats only; from anybody else it is removed, so that nobody can take another client's address. With a BackhandKey it must be
 * signed too, for this very request: "203.0.113.7; t=1700000000; s=0123456789abcdef0123456789abcdef". docs/protocol.md describes it. */

#include "mb_module.h"
#include "text/mb_text.h"

#include "apr_escape.h"

/* Servers whose address is not believed may pass a request on so often; then it stays where it is. Three are more than any honest way has, and
 * bound a ring of servers that connect from other addresses than they announce. */
#define MOST_HOPS 3

/* Seconds that the clocks of two servers, together with a request's way, may be apart. As long a recorded header is worth something. */
#define MOST_SECONDS 60

/* Its place is with the request that the client began. */
static request_rec *first_of(request_rec *r) {
    while (r->main) r = r->main;
    while (r->prev) r = r->prev;
    return r;
}

mb_request *mb_request_find(request_rec *r) { return ap_get_module_config(first_of(r)->request_config, &backhand_module); }

mb_request *mb_request_make(request_rec *r) {
    mb_request *kept = mb_request_find(r);
    if (kept) return kept;
    kept = apr_pcalloc(first_of(r)->pool, sizeof *kept);
    ap_set_module_config(first_of(r)->request_config, &backhand_module, kept);
    return kept;
}

int mb_guard_stays_here(request_rec *r) {
    const mb_request *found = mb_request_find(r);
    return found && (found->from_peer || found->hops >= MOST_HOPS);
}

void mb_guard_count_hop(request_rec *r) {
    const mb_request *found = mb_request_find(r);
    if (found && found->hops)
        apr_table_setn(r->headers_in, MB_HOPS_HEADER, apr_itoa(r->pool, found->hops));
}

static int sent_by_peer(request_rec *r) {
    const apr_array_header_t *accepted = mb_site_networks(r->server);
    bh_address_t address;
    return accepted->nelts && mb_address_of(r->connection->client_addr, &address)
           && bh_network_contains((const bh_network_t *)(void *)accepted->elts, (size_t)accepted->nelts, &address);
}

/* ---- The signature ---- */

/* As APR writes it, without the zone of a link-local address, which means nothing to another machine. */
static const char *client_of(request_rec *r) {
    const char *text = r->useragent_ip;
    mb_piece address = mb_claim_address((mb_piece){text, strlen(text)});
    return text[address.length] ? apr_pstrmemdup(r->pool, text, address.length) : text;
}

/* What is signed: nothing of it can be changed, or used for another request. */
static const char *signed_text(request_rec *r, const char *client, const char *seconds) {
    return apr_pstrcat(r->pool, MB_GUARD_HEADER "\n", r->method, "\n", mb_proxy_as_sent(r), "\n", client, "\n", seconds, NULL);
}

const char *mb_guard_value(request_rec *r) {
    const mb_keys *keys = mb_main_server()->keys;
    const char *client = client_of(r);
    uint8_t signature[BH_SIGNATURE_SIZE];
    char hex[2 * MB_CLAIM_SIGNED_BYTES + 1];
    if (!keys) return client;
    const char *seconds = apr_psprintf(r->pool, "%" APR_INT64_T_FMT, apr_time_sec(apr_time_now()));
    const char *text = signed_text(r, client, seconds);
    if (!mb_key_sign(keys, text, strlen(text), signature)) return client; /* not believed then */
    apr_escape_hex(hex, signature, MB_CLAIM_SIGNED_BYTES, 0, NULL);
    return apr_pstrcat(r->pool, client, "; t=", seconds, "; s=", hex, NULL);
}

static const char *text_of(request_rec *r, mb_piece piece) { return apr_pstrmemdup(r->pool, piece.start, piece.length); }

/* NULL if there is no key, or if one of ours has signed this for this request just now; else why not. */
static const char *forgery(request_rec *r, const mb_claim *said, const char *client) {
    const mb_keys *keys = mb_main_server()->keys;
    if (!keys) return NULL;
    if (!said->is_signed) return mb_key_is_optional(keys) ? NULL : "it is not signed";
    const char *text = signed_text(r, client, text_of(r, said->seconds));
    if (!mb_key_verify_part(keys, text, strlen(text), said->signature, MB_CLAIM_SIGNED_BYTES))
        return "none of our keys has signed it for this request";
    apr_int64_t age = apr_time_sec(r->request_time) - said->signed_s;
    if (age > MOST_SECONDS || age < -MOST_SECONDS)
        return apr_psprintf(r->pool, "it was signed %" APR_INT64_T_FMT " seconds ago by our clock", age);
    return NULL;
}

/* ---- Believing ---- */

static void remove_header(request_rec *r) {
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "removed the header %s that %s has sent", MB_GUARD_HEADER,
                  r->connection->client_ip);
    apr_table_unset(r->headers_in, MB_GUARD_HEADER);
}

/* A stranger says that a server has sent the request. Its address is not believed; that it has come round is counted. */
static void doubt(request_rec *r, mb_request *found) {
    int passed = mb_claim_hops(apr_table_get(r->headers_in, MB_HOPS_HEADER), MOST_HOPS);
    found->hops = passed < MOST_HOPS ? passed + 1 : MOST_HOPS;
    remove_header(r);
}

static void tell_stranger(request_rec *r) {
    static uint64_t next_ms;
    if (mb_site_networks(r->server)->nelts && mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "BH0407: %s is outside AcceptStats and has sent the header %s: if it is a server of the cluster, its "
                      "connections come from another address than it announces, which AcceptStats must name too",
                      r->connection->client_ip, MB_GUARD_HEADER);
}

static void tell_forgery(request_rec *r, const char *why) {
    static uint64_t next_ms;
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0430: the header %s from %s is not believed: %s", MB_GUARD_HEADER,
                      r->connection->client_ip, why);
}

static void tell_no_address(request_rec *r) {
    static uint64_t next_ms;
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0431: the header %s from %s holds no address: answered with 400", MB_GUARD_HEADER,
                      r->connection->client_ip);
}

/* The request is not served, and its error page is the client's, which is not known: it must not see what the sender may see. */
static int refuse(request_rec *r, int status) {
    static const bh_address_t unspecified = {0, UINT64_C(0xffff) << 32};
    r->useragent_addr = mb_address_for_apr(r->pool, &unspecified);
    r->useragent_ip = (char *)(intptr_t)"0.0.0.0"; /* httpd changes none either */
    remove_header(r);
    return status;
}

/* The client is what the header says, or there is none: the sender is never taken for it. */
static int believe(request_rec *r, mb_piece client, mb_request *found) {
    const char *text = text_of(r, mb_claim_address(client));
    bh_address_t address;
    found->from_peer = 1;
    if (bh_address_parse(text, &address) != BH_OK) {
        tell_no_address(r);
        return refuse(r, HTTP_BAD_REQUEST);
    }
    r->useragent_addr = mb_address_for_apr(r->pool, &address);
    r->useragent_ip = (char *)(intptr_t)text;
    apr_table_setn(r->headers_in, MB_GUARD_HEADER, text); /* a signature is nobody else's business */
    mb_here_begin(r);
    return DECLINED;
}

static int judge(request_rec *r, const char *value, mb_request *found) {
    mb_claim said = mb_claim_read(value);
    const char *wrong = forgery(r, &said, text_of(r, said.client));
    if (!wrong) return believe(r, said.client, found);
    tell_forgery(r, wrong);
    doubt(r, found);
    return DECLINED;
}

/* Once for each request that came over the network. httpd calls the hook again for internal redirects (ErrorDocument, rewriting in a
 * directory), which have the first request's headers as the first call has left them, and its client's address. */
static int believe_or_remove(request_rec *r) {
    if (r->prev || r->main) return DECLINED;
    const char *value = apr_table_get(r->headers_in, MB_GUARD_HEADER);
    if (mb_segment) bh_segment_arrival(mb_segment);
    if (!value) return DECLINED;
    mb_request *found = mb_request_make(r);
    int status = DECLINED;
    if (sent_by_peer(r)) status = judge(r, value, found);
    else {
        tell_stranger(r);
        doubt(r, found);
    }
    apr_table_unset(r->headers_in, MB_HOPS_HEADER);
    return status;
}

void mb_guard_register(apr_pool_t *pool) {
    (void)pool;
    /* Before mod_remoteip and whatever else looks at the client's address. */
    ap_hook_post_read_request(believe_or_remove, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
