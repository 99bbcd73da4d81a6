/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What this server itself does of the cluster's work, counted as other servers' work is, in row 0: what a chain left
 * here, and what peers have sent. Functions that forecast know then how much there is here and how long it takes, and
 * the moderator announces the means. What no chain touches is not counted, and costs nothing.
 */

#include "table/mb_table.h"

struct mb_local {
    const request_rec *r; /* of the request's own pool, as its internal redirects are */
    uint32_t chain;       /* number of the chain whose time it is */
    int free;             /* whether the chain placed the request freely */
    bh_asked_t asked;     /* if so: what its client and its URL are known by */
    uint64_t since_us;
    uint64_t first_us; /* when the first byte of the answer was there; 0: not yet */
};

static ap_filter_rec_t *first_filter;

static uint32_t chain_of(const request_rec *r) {
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    return settings->chain;
}

/* The end of the request's pool: everything has gone to the client. After a fast redirect (mod_dir, mod_negotiation)
 * the request's configuration, file name and URI lie in a subrequest's pool, and cleanups run after sub-pools are gone:
 * so this is a pre-cleanup, and reads only what lies in the request's own pool. */
static apr_status_t end(void *data) {
    const mb_local *work = data;
    const request_rec *r = work->r;
    while (r->next) r = r->next;
    bh_result_t result = {.outcome = BH_OUTCOME_ANSWERED,
                          .local = true,
                          .chain = work->chain,
                          .status = r->status,
                          .began_us = work->since_us,
                          .first_us = work->first_us,
                          .ended_us = mb_now_us(),
                          .free = work->free,
                          .asked = work->asked};
    bh_feedback_report(mb_segment, &result);
    bh_feedback_end(mb_segment, mb_child_slot, 0, result.ended_us);
    return APR_SUCCESS;
}

bh_asked_t mb_local_asked(const request_rec *r) {
    const apr_sockaddr_t *client = r->useragent_addr;
    return bh_asked_of(client ? client->ipaddr_ptr : NULL, client ? (size_t)client->ipaddr_len : 0, r->unparsed_uri);
}

mb_local *mb_local_begin(request_rec *r, int free) {
    /* What httpd makes of a request inside is part of it. */
    if (!mb_segment || r->main || r->prev) return NULL;
    mb_local *work = apr_palloc(r->pool, sizeof *work);
    *work = (mb_local){.r = r, .chain = chain_of(r), .free = free, .since_us = mb_now_us()};
    if (free) work->asked = mb_local_asked(r);
    bh_feedback_begin(mb_segment, mb_child_slot, 0, work->since_us);
    apr_pool_pre_cleanup_register(r->pool, work, end);
    ap_add_output_filter_handle(first_filter, work, r, r->connection);
    return work;
}

void mb_local_in_chain(mb_local *work, uint32_t chain) { work->chain = chain; }

/* Notes when the answer begins to leave, and leaves its way. */
static apr_status_t note_first(ap_filter_t *filter, apr_bucket_brigade *brigade) {
    mb_local *work = filter->ctx;
    work->first_us = mb_now_us();
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

void mb_local_register(apr_pool_t *pool) {
    first_filter = ap_register_output_filter("BACKHAND_HERE", note_first, NULL, AP_FTYPE_PROTOCOL);
}
