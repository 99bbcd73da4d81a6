/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Warnings of what is allowed, but leaves a server alone in its cluster: `apachectl configtest` shows them before any request does. */

#include "config/mb_config.h"

#include "http_main.h"

#include <errno.h>
#include <sys/socket.h>

/* Whether the address is one of this machine's: a socket can be bound to it. Also where the kernel lets any address be bound to. */
static int is_ours(apr_pool_t *pool, const char *text) {
    apr_sockaddr_t *name;
    apr_socket_t *probe;
    if (apr_sockaddr_info_get(&name, text, APR_UNSPEC, 0, 0, pool) != APR_SUCCESS) return 1;
    if (apr_socket_create(&probe, name->family, SOCK_DGRAM, 0, pool) != APR_SUCCESS) return 1;
    apr_status_t status = apr_socket_bind(probe, name);
    apr_socket_close(probe);
    return status != EADDRNOTAVAIL;
}

static void look_at_own(apr_pool_t *pool, server_rec *server, const bh_destination_t *line) {
    const apr_array_header_t *networks = mb_vhost_networks(server);
    char text[BH_ADDRESS_SIZE];
    if (bh_address_is_zero(line->own) || bh_address_format(&line->own, text, sizeof text) != BH_OK) return;
    if (!is_ours(pool, text))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0142: MulticastStats announces %s, which is not an address of this machine now: nothing is announced there until it is", text);
    /* Those that one address is told of may have other roles, and other lines. */
    int is_group = (uint32_t)line->group.low >> 28 == 0xe;
    if (is_group && networks->nelts && !bh_network_contains((const bh_network_t *)(void *)networks->elts, (size_t)networks->nelts, &line->own))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0143: MulticastStats announces %s, which is outside this server's own AcceptStats: servers with the same AcceptStats lines drop "
                     "these announcements", text);
}

static void look_at_directory(apr_pool_t *pool, server_rec *server, const char *path) {
    apr_finfo_t info;
    apr_status_t status = apr_stat(&info, path, APR_FINFO_TYPE, pool);
    if (status == APR_SUCCESS && info.filetype == APR_DIR) return;
    ap_log_error(APLOG_MARK, APLOG_WARNING, status, server,
                 "BH0140: UnixSocketDir %s is not a directory: the moderator cannot start; make it, for the user of the children", path);
}

/* A pool that the MPM cannot have. */
static void look_at_shared(server_rec *server) {
    if (mb_line_first(MB_FIRST_SHARED) && !mb_mpm_is_prefork())
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server, "BH0482: BackhandConnectionPools Shared at %s means Auto here: only children of prefork, which "
                     "have one thread, have connections in common", mb_line_first(MB_FIRST_SHARED));
}

static void advise_of_lines(apr_pool_t *pool, server_rec *server) {
    const mb_server *main = mb_main_server();
    int announced = 0;
    look_at_shared(server);
    for (server_rec *each = server; each; each = each->next) {
        const mb_server *settings = mb_server_of(each);
        if (each->is_virtual && settings == main) continue;
        for (int i = 0; i < settings->destinations->nelts; i++)
            look_at_own(pool, each, &APR_ARRAY_IDX(settings->destinations, i, bh_destination_t));
        announced |= settings->destinations->nelts != 0;
    }
    if (!announced && mb_line_first(MB_FIRST_CHAIN))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0141: the Backhand chain at %s has no server to choose from: there is no MulticastStats line, so that no other server is heard",
                     mb_line_first(MB_FIRST_CHAIN));
}

/* httpd -t runs no post_config, and a start no test_config. At a start the moderator itself complains of its directory. */
static void advise(apr_pool_t *pool, server_rec *server) {
    advise_of_lines(pool, server);
    if (mb_main_server()->directory) look_at_directory(pool, server, mb_main_server()->directory);
}

static int advise_at_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    (void)pconf, (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) advise_of_lines(ptemp, server);
    return OK;
}

void mb_advice_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_post_config(advise_at_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_test_config(advise, NULL, NULL, APR_HOOK_MIDDLE);
}
