/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A server's "503 Service Unavailable" is held back while another one may have the request, as mb_attempt.c does it for
 * chains. If none does better, it is given to the client after all, as the server sent it. */

#include "doors/mb_doors.h"
#include "balance/mb_balance.h"

#include "util_filter.h"

static ap_filter_rec_t *answer_filter;

/* Of one request. */
struct mb_hold {
    request_rec before; /* as each attempt finds it */
    /* The attempt that is under way. */
    ap_filter_t *filter;      /* NULL: its answer goes to the client, or there is none */
    apr_bucket_brigade *body; /* of its 503; NULL: it has not answered so */
    int is_replaced; /* ProxyErrorOverride wants a page of this httpd in its place, and mod_proxy is not told */
    /* The last 503 that was held back. */
    const request_rec *answer; /* NULL: there is none */
    apr_bucket_brigade *kept;  /* its body; NULL: ProxyErrorOverride wants another one */
    const char **shown, *url;  /* of backhand_target */
};

/* Of an ErrorDocument, mod_proxy leaves the status of what it explains (with ProxyErrorOverride, or if the answer has
 * none), and its line with it. */
static int is_unavailable(const mb_hold *hold, const request_rec *r) {
    return r->status == HTTP_SERVICE_UNAVAILABLE
           && (hold->before.status != r->status || hold->before.status_line != r->status_line);
}

/* Output filter, the first of all: sees the answer before any other does. */
static apr_status_t take_answer(ap_filter_t *filter, apr_bucket_brigade *brigade) {
    mb_hold *hold = filter->ctx;
    request_rec *r = filter->r;
    if (!hold->body && is_unavailable(hold, r)) hold->body = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    if (hold->body && hold->is_replaced) return apr_brigade_cleanup(brigade);
    if (hold->body) {
        apr_status_t status = mb_answer_hold(filter, &hold->body, &brigade);
        if (hold->body) return status;
    }
    hold->filter = NULL;
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

/* ---- ProxyErrorOverride ---- */

/* The statuses that it replaces, without 503, in their order. */
static apr_array_header_t *other_codes(apr_pool_t *pool, const apr_array_header_t *codes) {
    apr_array_header_t *others = apr_array_make(pool, 200, sizeof(int));
    for (int i = 0; i < codes->nelts; i++)
        if (APR_ARRAY_IDX(codes, i, int) != HTTP_SERVICE_UNAVAILABLE)
            APR_ARRAY_PUSH(others, int) = APR_ARRAY_IDX(codes, i, int);
    for (int code = 400; !codes->nelts && code < 600; code++) /* all of them */
        if (code != HTTP_SERVICE_UNAVAILABLE) APR_ARRAY_PUSH(others, int) = code;
    return others;
}

static int is_replaced(const request_rec *r, const proxy_dir_conf *conf) {
    const apr_array_header_t *codes = conf->error_override_codes;
    if (!conf->error_override || !ap_is_initial_req((request_rec *)(intptr_t)r)) return 0;
    for (int i = 0; i < codes->nelts; i++)
        if (APR_ARRAY_IDX(codes, i, int) == HTTP_SERVICE_UNAVAILABLE) return 1;
    return !codes->nelts;
}

/* mod_proxy_fcgi sends the page for ProxyErrorOverride itself, before another server could be asked: of a 503, it does
 * not see that it is replaced. */
static void hide_override(mb_hold *hold, request_rec *r, const char *scheme) {
    proxy_dir_conf *conf = ap_get_module_config(r->per_dir_config, mb_mp.proxy);
    hold->is_replaced = strcmp(scheme, "fcgi") == 0 && is_replaced(r, conf);
    if (!hold->is_replaced) return;
    r->per_dir_config = mb_prepare_section(r, &conf);
    conf->error_override_codes = other_codes(r->pool, conf->error_override_codes);
    conf->error_override = conf->error_override_codes->nelts > 0;
}

/* ---- An attempt ---- */

void mb_hold_begin(const backhand_door *door, request_rec *r, const char *scheme) {
    mb_hold **kept = mb_passage_hold(door, r), *hold;
    /* mod_proxy_http makes a table of its own for an answer's header; others write into the request's. */
    int adds = strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0;
    if (!kept || !mb_passage_may_retry(door, r)) return;
    if (!*kept) {
        *kept = apr_palloc(r->pool, sizeof **kept);
        (*kept)->answer = NULL;
    }
    hold = *kept;
    hold->before = *r;
    hold->body = NULL;
    hold->filter = ap_add_output_filter_handle(answer_filter, hold, r, r->connection);
    apr_table_unset(r->notes, "proxy-error-override");
    hide_override(hold, r, scheme);
    if (!adds) return;
    r->headers_out = apr_table_copy(r->pool, r->headers_out);
    r->err_headers_out = apr_table_copy(r->pool, r->err_headers_out);
}

/* NULL: no attempt of the request could be followed by another one. */
static mb_hold *hold_of(const backhand_door *door, const request_rec *r) {
    mb_hold **kept = mb_passage_hold(door, r);
    return kept ? *kept : NULL;
}

int mb_hold_end(const backhand_door *door, request_rec *r, const backhand_target *to, int *result) {
    mb_hold *hold = hold_of(door, r);
    if (!hold) return 0;
    r->per_dir_config = hold->before.per_dir_config;
    if (!hold->filter) return 0;
    ap_remove_output_filter(hold->filter);
    hold->filter = NULL;
    if (mb_answer_is_broken_off(hold->body, *result)) {
        hold->body = NULL;
        *result = r->connection->aborted ? DONE : HTTP_BAD_GATEWAY;
    }
    int is_theirs = *result < HTTP_INTERNAL_SERVER_ERROR || apr_table_get(r->notes, "proxy-error-override");
    if (!is_theirs) mb_answer_undo(r, &hold->before); /* part of an answer */
    if (!hold->body && !(is_theirs && *result == HTTP_SERVICE_UNAVAILABLE)) return 0;
    if (hold->is_replaced) r->status = HTTP_OK; /* as mod_proxy has it, so that it is no error within another one */
    hold->answer = apr_pmemdup(r->pool, r, sizeof *r);
    hold->kept = hold->is_replaced ? NULL : hold->body;
    hold->shown = to->shown;
    hold->url = to->url;
    apr_table_unset(r->notes, "proxy-error-override");
    mb_answer_undo(r, &hold->before);
    *result = HTTP_SERVICE_UNAVAILABLE;
    return 1;
}

int mb_hold_give(const backhand_door *door, request_rec *r, int *result) {
    mb_hold *hold = hold_of(door, r);
    if (!hold || !hold->answer) return 0;
    if (hold->shown) *hold->shown = hold->url;
    mb_answer_put(r, hold->answer);
    *result = hold->kept ? OK : HTTP_SERVICE_UNAVAILABLE;
    if (hold->kept) ap_pass_brigade(r->output_filters, hold->kept);
    return 1;
}

void mb_hold_register(void) {
    /* Before what a chain's cookie waits for. */
    answer_filter = ap_register_output_filter("BACKHAND_MEMBER_ANSWER", take_answer, NULL, AP_FTYPE_RESOURCE - 2);
}
