/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Warnings of what is allowed, but leaves a server alone in its cluster: `apachectl configtest` shows them before any
 * request does. */

#include "config/mb_config.h"

static void look_at_own(server_rec *server, const bh_destination_t *line) {
    const apr_array_header_t *networks = mb_vhost_networks(server);
    char text[BH_ADDRESS_SIZE];
    if (bh_address_is_zero(line->own) || bh_address_format(&line->own, text, sizeof text) != BH_OK) return;
    if (!bh_moderator_has_address(&line->own))
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, server,
            "BH0142: MulticastStats announces %s, which is not an address of this machine now: nothing is announced "
            "there until it is",
            text);
    /* Those that one address is told of may have other roles, and other lines. */
    int is_group = (uint32_t)line->group.low >> 28 == 0xe;
    if (is_group && networks->nelts
        && !bh_network_contains((const bh_network_t *)(void *)networks->elts, (size_t)networks->nelts, &line->own))
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, server,
            "BH0143: MulticastStats announces %s, which is outside this server's own AcceptStats: servers with the "
            "same AcceptStats lines drop "
            "these announcements",
            text);
}

/* A pool that the MPM cannot have. */
static void look_at_shared(server_rec *server) {
    if (mb_line_first(MB_FIRST_SHARED) && !mb_mpm_is_prefork())
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0482: BackhandConnectionPools Shared at %s means Auto here: only children of prefork, which "
                     "have one thread, have connections in common",
                     mb_line_first(MB_FIRST_SHARED));
}

void mb_advice_warn(server_rec *server) {
    const mb_server *main = mb_main_server();
    int announced = 0;
    look_at_shared(server);
    for (server_rec *each = server; each; each = each->next) {
        const mb_server *settings = mb_server_of(each);
        if (each->is_virtual && settings == main) continue;
        for (int i = 0; i < settings->destinations->nelts; i++)
            look_at_own(each, &APR_ARRAY_IDX(settings->destinations, i, bh_destination_t));
        announced |= settings->destinations->nelts != 0;
    }
    if (!announced && mb_line_first(MB_FIRST_CHAIN))
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, server,
            "BH0141: the Backhand chain at %s has no server to choose from: there is no MulticastStats line, so that "
            "no other server is heard",
            mb_line_first(MB_FIRST_CHAIN));
}

void mb_advice_warn_of_directory(apr_pool_t *pool, server_rec *server) {
    const char *path = mb_main_server()->directory;
    apr_finfo_t info;
    apr_status_t status = path ? apr_stat(&info, path, APR_FINFO_TYPE, pool) : APR_SUCCESS;
    if (!path || (status == APR_SUCCESS && info.filetype == APR_DIR)) return;
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, status, server,
        "BH0140: UnixSocketDir %s is not a directory: the moderator cannot start; make it, for the user of the "
        "children",
        path);
}
