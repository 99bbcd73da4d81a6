/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The port of the first Listen line.
 *
 * httpd's list of listeners does not say which that is. New ones are put at its end, and those that it has from the
 * configuration before at its beginning: as httpd reads its configuration twice, the list is backwards after a start,
 * and after a restart with a further line it is mixed. So the order is that of the lines, and the list only says which
 * of their ports are plain. */

#include "config/mb_config.h"

#include "ap_listen.h"

static int is_plain(apr_port_t port) {
    for (const ap_listen_rec *listener = ap_listeners; listener; listener = listener->next)
        if (listener->bind_addr && listener->bind_addr->port == port
            && (!listener->protocol || strcmp(listener->protocol, "http") == 0))
            return 1;
    return 0;
}

/* Of a line "Listen 10.0.0.4:80 http"; 0: it has none. */
static apr_port_t port_of(apr_pool_t *pool, const char *args) {
    char *address, *zone;
    apr_port_t port = 0;
    return apr_parse_addr_port(&address, &zone, &port, ap_getword_conf(pool, &args), pool) == APR_SUCCESS ? port : 0;
}

uint16_t mb_first_port(void) {
    apr_pool_t *pool;
    apr_port_t port = 0;
    if (apr_pool_create(&pool, NULL) != APR_SUCCESS) return 0;
    /* Only sections that are read at once, as <IfModule>, may hold the line, and these are not in the tree. */
    for (const ap_directive_t *line = ap_conftree; line && !port; line = line->next) {
        if (ap_cstr_casecmp(line->directive, "Listen") != 0) continue;
        apr_port_t found = port_of(pool, line->args);
        if (found && is_plain(found)) port = found;
    }
    apr_pool_destroy(pool);
    return port;
}

uint16_t mb_own_port(const mb_server *settings) {
    if (settings->destinations->nelts && APR_ARRAY_IDX(settings->destinations, 0, bh_destination_t).own_port)
        return APR_ARRAY_IDX(settings->destinations, 0, bh_destination_t).own_port;
    return mb_first_port();
}
