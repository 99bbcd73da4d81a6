/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Warnings of lines that are missing, and of those that do nothing. */

#include "config/mb_config.h"

#include "http_main.h"

static void warn_of_gaps(apr_pool_t *pool, server_rec *server) {
    (void)pool;
    const mb_server *main = mb_main_server();
    int announced = 0, believes = 0;
    for (server_rec *each = server; each; each = each->next) {
        const mb_server *settings = mb_server_of(each);
        if (each->is_virtual && settings == main) continue;
        if (!settings->destinations->nelts) continue;
        announced = 1;
        if (mb_vhost_networks(each)->nelts) {
            believes = 1;
            continue;
        }
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, each,
                     "BH0102: MulticastStats without AcceptStats: no announcement is accepted, this server stays alone");
    }
    if (announced && !main->directory)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "BH0103: MulticastStats without UnixSocketDir: the moderator is not started, "
                     "every request is served here");
    if (mb_line_first(MB_FIRST_PREDICTION))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0120: addPrediction at %s does nothing: its lines may be removed", mb_line_first(MB_FIRST_PREDICTION));
    if (believes && !main->keys)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0110: no BackhandKey: announcements of every host inside AcceptStats are accepted, and forged ones too; "
                     "see docs/threat-model.md");
    if (mb_key_is_optional(main->keys))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0121: BackhandKey is Optional: what is not signed is accepted as if there were no key");
}

/* httpd -t runs no post_config, and a start no test_config. */
static int warn_at_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    (void)pconf, (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) warn_of_gaps(ptemp, server);
    return OK;
}

void mb_gaps_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_post_config(warn_at_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_test_config(warn_of_gaps, NULL, NULL, APR_HOOK_FIRST);
}
