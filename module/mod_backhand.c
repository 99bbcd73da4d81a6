/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The module record. Each topic registers hooks of its own. */

#include "balance/mb_balance.h"
#include "doors/mb_doors.h"
#include "moderator/mb_moderator.h"
#include "status/mb_status.h"

/* What the original told the world; ServerTokens decides how much of it is seen. */
static int tell_version(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    ap_add_version_component(pconf, "balanced_by_mod_backhand/" BACKHAND_VERSION);
    return OK;
}

static void register_hooks(apr_pool_t *pool) {
    mb_line_register(pool);
    mb_chain_register(pool);
    ap_hook_post_config(tell_version, NULL, NULL, APR_HOOK_MIDDLE);
    mb_mod_proxy_register(pool);
    mb_warnings_register(pool);
    mb_segment_register(pool);
    mb_members_register(pool);
    mb_moderator_register(pool);
    mb_worker_register(pool);
    mb_keep_register(pool);
    mb_handshake_register(pool);
    mb_guest_register(pool);
    mb_response_register(pool);
    mb_park_register(pool);
    mb_silence_register(pool);
    mb_descriptors_register(pool);
    mb_shutdown_register(pool);
    mb_body_register(pool);
    mb_local_register(pool);
    mb_guard_register(pool);
    mb_dav_register(pool);
    mb_attempt_register(pool);
    mb_filters_register(pool);
    mb_form_register(pool);
    mb_merge_register(pool);
    mb_spare_register(pool);
    mb_early_register(pool);
    mb_decide_register(pool);
    mb_balance_register(pool);
    mb_doors_register(pool);
    mb_resume_register(pool);
    mb_status_register(pool);
    mb_server_status_register(pool);
}

module AP_MODULE_DECLARE_DATA backhand_module = {
    STANDARD20_MODULE_STUFF,
    mb_directory_create,
    mb_directory_merge,
    mb_server_create,
    NULL, /* servers are not merged: only the main server's settings count */
    mb_commands,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
