/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A request's body after servers refused it: what mod_proxy has read of it can be read again by what serves the request
 * here. */

#include "proxy/mb_proxy.h"

#define BODY_FILTER "BACKHAND_BODY"

/* Where mod_proxy_http keeps what it has read of the request's body, for its next attempt, and where we keep it then.
 */
#define THEIR_BODY "proxy-req-input"
#define OUR_BODY "mod_backhand.body"

/* What was read of the body, but is not gone. mod_proxy_http must not find it: where "here" is an application that it
 * asks, it would take it beside what our filter gives it. */
static apr_bucket_brigade *take_over_body(request_rec *r) {
    void *body = NULL;
    apr_pool_userdata_get(&body, OUR_BODY, r->pool);
    if (body) return body;
    apr_pool_userdata_get(&body, THEIR_BODY, r->pool);
    if (!body) return NULL;
    apr_pool_userdata_setn(body, OUR_BODY, NULL, r->pool);
    apr_pool_userdata_setn(NULL, THEIR_BODY, NULL, r->pool);
    return body;
}

void mb_body_give_back(request_rec *r) {
    apr_bucket_brigade *body = take_over_body(r);
    if (body && !APR_BRIGADE_EMPTY(body)) ap_add_input_filter(BODY_FILTER, body, r, r->connection);
}

/* Moves at most this many bytes from the front of one brigade to the end of another. */
static apr_status_t take(apr_bucket_brigade *to, apr_bucket_brigade *from, apr_off_t bytes) {
    apr_bucket *rest;
    apr_status_t status = apr_brigade_partition(from, bytes, &rest);
    if (status != APR_SUCCESS && status != APR_INCOMPLETE) return status;
    while (APR_BRIGADE_FIRST(from) != rest && !APR_BRIGADE_EMPTY(from)) {
        apr_bucket *first = APR_BRIGADE_FIRST(from);
        APR_BUCKET_REMOVE(first);
        APR_BRIGADE_INSERT_TAIL(to, first);
        if (APR_BUCKET_IS_EOS(first)) break;
    }
    return APR_SUCCESS;
}

/* Input filter: first what was read before, then what the client still sends. */
static apr_status_t replay(ap_filter_t *filter, apr_bucket_brigade *to, ap_input_mode_t mode, apr_read_type_e block,
                           apr_off_t bytes) {
    apr_bucket_brigade *body = filter->ctx;
    if (APR_BRIGADE_EMPTY(body)) {
        ap_remove_input_filter(filter);
        return ap_get_brigade(filter->next, to, mode, block, bytes);
    }
    switch (mode) {
    case AP_MODE_READBYTES: return take(to, body, bytes);
    case AP_MODE_GETLINE: return apr_brigade_split_line(to, body, block, bytes > 0 ? bytes : HUGE_STRING_LEN);
    case AP_MODE_EXHAUSTIVE: APR_BRIGADE_CONCAT(to, body); return APR_SUCCESS;
    default: /* no module looks ahead into a body, or reads empty lines from it */ return APR_ENOTIMPL;
    }
}

/* An internal redirect (mod_rewrite, Action, ErrorDocument) begins with the connection's filters: ours is lost on the
 * way. What a ProxyPass has read of a request that no chain has decided on is mod_proxy's. */
static void give_back_to_redirect(request_rec *r) {
    if (r->prev && !r->main && apr_table_get(r->prev->subprocess_env, "BACKHAND_ACTION")) mb_body_give_back(r);
}

void mb_body_register(apr_pool_t *pool) {
    /* Before all others: what was read has passed the request's other filters already. */
    ap_register_input_filter(BODY_FILTER, replay, NULL, AP_FTYPE_RESOURCE - 1);
    ap_hook_insert_filter(give_back_to_redirect, NULL, NULL, APR_HOOK_LAST);
}
