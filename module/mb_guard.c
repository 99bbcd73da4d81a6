/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The loop guard: a request that a peer has sent here is served here, and is its client's, not the peer's. The header that says so is believed
 * from AcceptStats only; from anybody else it is removed, so that nobody can take another client's address. */

#include "mb_module.h"

#include <arpa/inet.h>

static const char from_peer; /* its address marks such requests in the request's configuration */

int mb_guard_from_peer(request_rec *r) {
    while (r->main) r = r->main;
    while (r->prev) r = r->prev;
    return ap_get_module_config(r->request_config, &backhand_module) == &from_peer;
}

static int address_of(const apr_sockaddr_t *name, bh_address_t *address) {
    char text[BH_ADDRESS_SIZE];
    return apr_sockaddr_ip_getbuf(text, sizeof text, (apr_sockaddr_t *)name) == APR_SUCCESS
           && bh_address_parse(text, address) == BH_OK;
}

static int sent_by_peer(request_rec *r) {
    const apr_array_header_t *accepted = mb_main_server()->accepted;
    bh_address_t address;
    return accepted->nelts && address_of(r->connection->client_addr, &address)
           && bh_network_contains((const bh_network_t *)(void *)accepted->elts, (size_t)accepted->nelts, &address);
}

/* The client's address as a numeric text; anything else would be looked up as a name. */
static apr_sockaddr_t *client_address(request_rec *r, const char *text) {
    bh_address_t address;
    apr_sockaddr_t *result;
    if (bh_address_parse(text, &address) != BH_OK) return NULL;
    if (apr_sockaddr_info_get(&result, text, APR_UNSPEC, 0, 0, r->pool) != APR_SUCCESS) return NULL;
    return result;
}

static void remove_header(request_rec *r) {
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "removed the header %s that %s has sent", MB_GUARD_HEADER,
                  r->connection->client_ip);
    apr_table_unset(r->headers_in, MB_GUARD_HEADER);
}

static int believe_or_remove(request_rec *r) {
    const char *value = apr_table_get(r->headers_in, MB_GUARD_HEADER);
    if (mb_segment) bh_segment_arrival(mb_segment);
    if (!value) return DECLINED;
    if (!sent_by_peer(r)) {
        remove_header(r);
        return DECLINED;
    }
    /* Whatever the value is: a peer's request is not balanced again. */
    ap_set_module_config(r->request_config, &backhand_module, (void *)&from_peer);
    apr_sockaddr_t *client = client_address(r, value);
    if (client) {
        r->useragent_addr = client;
        r->useragent_ip = apr_pstrdup(r->pool, value);
    }
    else remove_header(r);
    return DECLINED;
}

void mb_guard_register(apr_pool_t *pool) {
    (void)pool;
    /* Before mod_remoteip and whatever else looks at the client's address. */
    ap_hook_post_read_request(believe_or_remove, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
