/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* When warnings about the configuration are logged: at each start, and by the check of the configuration. */

#include "config/mb_config.h"

#include "http_main.h"

/* httpd -t runs this, and no post_config. */
static void warn_at_check(apr_pool_t *pool, server_rec *server) {
    mb_gaps_warn(server);
    mb_covered_warn(pool, server);
    mb_advice_warn(server);
    mb_advice_warn_of_directory(pool, server);
}

/* A start runs this, and no test_config. The moderator itself complains of its directory. */
static int warn_at_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    (void)pconf, (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) return OK;
    mb_gaps_warn(server);
    mb_covered_warn(ptemp, server);
    mb_advice_warn(server);
    return OK;
}

void mb_warnings_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_post_config(warn_at_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_test_config(warn_at_check, NULL, NULL, APR_HOOK_FIRST);
}
