/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Virtual hosts with MulticastStats lines of their own. Each is one more server of the cluster with its own address, as
 * the IP-based hosts of old were: the moderator announces it beside the main server and keeps a row for it, and for its
 * requests that row is "here". With AcceptStats lines of its own, a virtual host also has its own peers: its requests
 * go to them only, and come from them only.
 */

#include "config/mb_config.h"

/* The first ten bits of fe80::/10. */
#define LINK_LOCAL 0x3fa

/* Whether some virtual host has AcceptStats lines of its own: then each server's list also says which candidates its
 * requests have. With one list for all, a server that is heard is a candidate, whatever address it announces. */
static int separate;
static const bh_network_t none = {{1, 1}, {0, 0}};

/* The settings that a virtual host has for itself; NULL: it shares the main server's. */
mb_server *mb_vhost_settings(const server_rec *server) {
    mb_server *settings = mb_server_of(server);
    return server->is_virtual && settings != mb_main_server() ? settings : NULL;
}

/* What <VirtualHost 10.0.0.5:80> says; 0 for *, names of no single address, and link-local addresses, to which other
 * servers cannot send requests. */
static void look_at_section(const server_rec *server, bh_address_t *address, uint16_t *port) {
    *address = (bh_address_t){0, 0};
    *port = 0;
    for (const server_addr_rec *name = server->addrs; name; name = name->next) {
        bh_address_t found;
        if (!*port) *port = name->host_port;
        if (!mb_address_of(name->host_addr, &found) || bh_address_is_zero(found)
            || apr_sockaddr_is_wildcard(name->host_addr) || found.high >> 54 == LINK_LOCAL)
            continue;
        *address = found;
        if (name->host_port) *port = name->host_port;
        return;
    }
}

/* The address by which the moderator knows the virtual host: that of its first line that has one. What no line gives is
 * found as the moderator finds it, again and again: an address may come after the start, and change. Only an IPv4
 * address is found, and its upper word is always the same. */
void mb_vhost_find(mb_server *settings) {
    const bh_destination_t *lines = (const bh_destination_t *)(const void *)settings->destinations->elts;
    bh_address_t address;
    if (bh_moderator_address(lines, (size_t)settings->destinations->nelts, &address) != BH_OK) return;
    bh_word_store(&settings->own.high, address.high);
    bh_word_store(&settings->own.low, address.low);
}

/* Fills in what the lines leave open. */
static void complete(const server_rec *server, mb_server *settings, uint16_t number) {
    bh_destination_t *lines = (bh_destination_t *)(void *)settings->destinations->elts;
    bh_address_t address;
    uint16_t port;
    look_at_section(server, &address, &port);
    bh_destinations_complete(lines, (size_t)settings->destinations->nelts, number, address,
                             port ? port : mb_first_port());
    mb_vhost_find(settings);
    settings->own_port = lines[0].own_port;
}

void mb_vhost_prepare(server_rec *main) {
    uint16_t number = 0;
    separate = 0;
    for (server_rec *server = main->next; server; server = server->next) {
        mb_server *settings = mb_vhost_settings(server);
        if (!settings) continue;
        separate |= settings->accepted->nelts != 0;
        if (settings->destinations->nelts) complete(server, settings, ++number);
    }
}

apr_array_header_t *mb_vhost_destinations(apr_pool_t *pool, server_rec *main) {
    apr_array_header_t *all = apr_array_copy(pool, mb_main_server()->destinations);
    for (server_rec *server = main->next; server; server = server->next)
        if (mb_vhost_settings(server)) apr_array_cat(all, mb_vhost_settings(server)->destinations);
    return all;
}

apr_array_header_t *mb_vhost_accepted(apr_pool_t *pool, server_rec *main) {
    apr_array_header_t *all = apr_array_copy(pool, mb_main_server()->accepted);
    for (server_rec *server = main->next; server; server = server->next)
        if (mb_vhost_settings(server)) apr_array_cat(all, mb_vhost_settings(server)->accepted);
    return all;
}

/* Those of one server, asked as its clients ask it. A virtual host without an announced address is a part of the main
 * server. */
static void add_checks(apr_array_header_t *all, const server_rec *server, const mb_server *settings) {
    const bh_destination_t *lines = (const bh_destination_t *)(const void *)settings->destinations->elts;
    for (int i = 0; i < settings->checks->nelts; i++) {
        bh_check_t *check = &APR_ARRAY_PUSH(all, bh_check_t);
        *check = APR_ARRAY_IDX(settings->checks, i, bh_check_t);
        if (!check->host && server->is_virtual) check->host = server->server_hostname;
        if (server->is_virtual && settings->destinations->nelts) check->vhost = lines[0].vhost;
    }
}

apr_array_header_t *mb_vhost_checks(apr_pool_t *pool, server_rec *main) {
    apr_array_header_t *all = apr_array_make(pool, 1, sizeof(bh_check_t));
    add_checks(all, main, mb_main_server());
    for (server_rec *server = main->next; server; server = server->next)
        if (mb_vhost_settings(server)) add_checks(all, server, mb_vhost_settings(server));
    return all;
}

const apr_array_header_t *mb_vhost_networks(const server_rec *server) {
    const mb_server *settings = mb_server_of(server);
    return settings->accepted->nelts ? settings->accepted : mb_main_server()->accepted;
}

void mb_vhost_restrict(const server_rec *server, bh_request_t *request) {
    const apr_array_header_t *networks = mb_vhost_networks(server);
    if (!separate) return;
    request->accepted = networks->nelts ? (const bh_network_t *)(void *)networks->elts : &none;
    request->accepted_count = networks->nelts ? (size_t)networks->nelts : 1;
}
