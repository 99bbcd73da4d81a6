/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Which hosts are servers of the cluster, where there is no key. AcceptStats alone does not tell: load balancers and
 * other proxies are in its networks, too, and pass on what their clients send. A server is a host that has announced
 * itself and whose row has not expired; the table outlives graceful restarts, so that a server knows the others before
 * it hears them again.
 *
 * What counts is the other end of the TCP connection. mod_remoteip changes the request's address, and other modules may
 * change the connection's, by what a proxy says; with the PROXY protocol the one that speaks HTTP is any client.
 */

#include "request/mb_request.h"

/* mod_remoteip keeps something with each connection that has the PROXY protocol. NULL: it is not loaded. */
static module *remoteip;
/* Whether announcements are heard. The httpd of heavy-back.conf has no MulticastStats: its AcceptStats lines are all
 * that it knows of servers. */
static int hears;

static conn_rec *master_of(request_rec *r) { return r->connection->master ? r->connection->master : r->connection; }

int mb_sender_is_relayed(request_rec *r) {
    conn_rec *connection = master_of(r);
    apr_sockaddr_t *peer = NULL;
    bh_address_t said, real;
    if (remoteip && ap_get_module_config(connection->conn_config, remoteip)) return 1;
    apr_socket_t *socket = ap_get_conn_socket(connection);
    /* APR knows it from accept(): no system call. */
    if (!socket || apr_socket_addr_get(&peer, APR_REMOTE, socket) != APR_SUCCESS) return 1;
    return !mb_address_of(connection->client_addr, &said) || !mb_address_of(peer, &real)
           || !bh_address_equals(said, real);
}

mb_sender mb_sender_of(request_rec *r) {
    const apr_array_header_t *accepted = mb_vhost_networks(r->server);
    bh_address_t address;
    if (!accepted->nelts || !mb_address_of(master_of(r)->client_addr, &address)
        || !bh_network_contains((const bh_network_t *)(void *)accepted->elts, (size_t)accepted->nelts, &address)
        || mb_sender_is_relayed(r))
        return MB_SENDER_OUTSIDE;
    if (!hears) return MB_SENDER_SERVER;
    return mb_segment && bh_segment_knows(mb_segment, address) ? MB_SENDER_SERVER : MB_SENDER_INSIDE;
}

static int prepare(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    remoteip = ap_find_linked_module("mod_remoteip.c");
    hears = mb_vhost_destinations(ptemp, server)->nelts != 0;
    return OK;
}

void mb_sender_register(apr_pool_t *pool) { ap_hook_post_config(prepare, NULL, NULL, APR_HOOK_MIDDLE); }
