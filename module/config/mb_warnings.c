/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What the core is told of the configuration, to warn of it: at each start, and by the check of the configuration. */

#include "config/mb_config.h"

#include "http_main.h"

/* The tree as a list. */
static void collect(const ap_directive_t *first, uint32_t depth, apr_array_header_t *lines) {
    for (const ap_directive_t *each = first; each; each = each->next) {
        const char *arguments = each->args;
        if (ap_cstr_casecmp(each->directive, "DocumentRoot") == 0)
            arguments = ap_server_root_relative(lines->pool, ap_getword_conf(lines->pool, &arguments));
        if (arguments)
            APR_ARRAY_PUSH(lines, bh_line_t) =
                (bh_line_t){each->directive, arguments, each->filename, (uint32_t)each->line_num, depth};
        if (each->first_child) collect(each->first_child, depth + 1, lines);
    }
}

static void warn_of_lines(apr_pool_t *pool, server_rec *server) {
    const mb_server *main = mb_main_server();
    apr_array_header_t *servers = apr_array_make(pool, 4, sizeof(bh_advised_t));
    for (server_rec *each = server; each; each = each->next) {
        const mb_server *settings = mb_server_of(each);
        const apr_array_header_t *networks = mb_vhost_networks(each);
        if (each->is_virtual && settings == main) continue;
        APR_ARRAY_PUSH(servers, bh_advised_t) =
            (bh_advised_t){.destinations = (const bh_destination_t *)(void *)settings->destinations->elts,
                           .destination_count = (size_t)settings->destinations->nelts,
                           .networks = (const bh_network_t *)(void *)networks->elts,
                           .network_count = (size_t)networks->nelts,
                           .server = each};
    }
    apr_array_header_t *lines = apr_array_make(pool, 64, sizeof(bh_line_t));
    collect(ap_conftree, 0, lines);
    bh_advice_t advice = {.servers = (const bh_advised_t *)(void *)servers->elts,
                          .server_count = (size_t)servers->nelts,
                          .lines = (const bh_line_t *)(void *)lines->elts,
                          .line_count = (size_t)lines->nelts,
                          .has_directory = main->directory,
                          .has_keys = main->keys,
                          .keys_optional = main->keys && main->keys->optional,
                          .first_chain = mb_line_first(MB_FIRST_CHAIN),
                          .first_prediction = mb_line_first(MB_FIRST_PREDICTION),
                          .first_shared = mb_mpm_is_prefork() ? NULL : mb_line_first(MB_FIRST_SHARED),
                          .log = mb_log_line};
    bh_advice_tell(&advice);
}

static void warn_of_directory(apr_pool_t *pool, server_rec *server) {
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

/* httpd -t runs this, and no post_config. */
static void warn_at_check(apr_pool_t *pool, server_rec *server) {
    warn_of_lines(pool, server);
    warn_of_directory(pool, server);
}

/* A start runs this, and no test_config. The moderator itself complains of its directory. */
static int warn_at_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) return OK;
    warn_of_lines(ptemp, server);
    return OK;
}

void mb_warnings_register(apr_pool_t *pool) {
    ap_hook_post_config(warn_at_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_test_config(warn_at_check, NULL, NULL, APR_HOOK_FIRST);
}
