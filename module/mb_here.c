/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What this server itself works on, counted as other servers' work is, in row 0: every request while it is not with another server. Functions
 * that forecast know then exactly how much there is here, and the moderator announces the mean.
 *
 * A time is noted only where a chain chose this server, or a peer's chain did: what is served without balancing says nothing about that.
 */

#include "mb_module.h"

static int was_balanced(const request_rec *r) {
    const char *action = apr_table_get(r->subprocess_env, "BACKHAND_ACTION");
    return action && (strcmp(action, "local") == 0 || strcmp(action, "looped") == 0);
}

static void note_time(const request_rec *r, uint64_t us) {
    while (r->next) r = r->next;
    int failed = r->status >= HTTP_INTERNAL_SERVER_ERROR;
    if (!us) us = 1;
    bh_feedback_time(mb_segment, 0, mb_now_us(), 0, us, failed);
    if (failed) bh_feedback_failed(mb_segment, 0);
    else bh_feedback_served(mb_segment, 0, us);
}

void mb_here_leave(request_rec *r) {
    mb_request *kept = mb_request_find(r);
    if (!kept || !kept->here_since_us) return;
    bh_feedback_end(mb_segment, mb_child_slot, 0, mb_now_us());
    kept->here_since_us = 0;
}

/* The end of the request's pool: everything has gone to the client. */
static apr_status_t end(void *data) {
    request_rec *r = data;
    mb_request *kept = mb_request_find(r);
    uint64_t now = mb_now_us();
    uint64_t us = kept && kept->here_since_us && kept->here_since_us < now ? now - kept->here_since_us : 0;
    if (kept && kept->here_since_us && was_balanced(r)) note_time(r, us);
    mb_here_leave(r);
    return APR_SUCCESS;
}

void mb_here_enter(request_rec *r) {
    if (!mb_segment) return;
    mb_request *kept = mb_request_make(r);
    if (kept->here_since_us) return;
    kept->here_since_us = mb_now_us();
    bh_feedback_begin(mb_segment, mb_child_slot, 0, kept->here_since_us);
}

void mb_here_begin(request_rec *r) {
    if (!mb_segment) return;
    mb_here_enter(r);
    apr_pool_cleanup_register(r->pool, r, end, apr_pool_cleanup_null);
}
