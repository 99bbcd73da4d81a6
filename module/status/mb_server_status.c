/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Our few figures on mod_status's page. docs/status.md describes them. */

#include "status/mb_status.h"

#include "apr_optional_hooks.h"
#include "mod_status.h"

static int show(request_rec *r, int flags) {
    if (!mb_segment) return DECLINED;
    (void)bh_figures_write(mb_segment, flags & AP_STATUS_SHORT, mb_now_ms(), mb_status_put, r);
    return OK;
}

void mb_server_status_register(apr_pool_t *pool) {
    APR_OPTIONAL_HOOK(ap, status_hook, show, NULL, NULL, APR_HOOK_MIDDLE);
}
