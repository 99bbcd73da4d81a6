/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* One attempt to have a server answer. Until something has gone on to the client, an attempt that failed can be undone,
 * and another server may try: what mod_proxy changed in the request is put back, and a server's "503 Service
 * Unavailable" is held back meanwhile. If no server does better, it is given to the client after all, as the server
 * sent it.
 */

#include "proxy/mb_proxy.h"

#include "http_request.h"
#include "util_filter.h"

#define ANSWER_FILTER "BACKHAND_ANSWER"
static ap_filter_rec_t *answer_filter;

/* By its method alone (RFC 9110, 9.2.2). Others may have had their effect although no answer came. */
static int is_idempotent(const request_rec *r) {
    static const apr_int64_t methods = AP_METHOD_BIT << M_GET /* and HEAD */ | AP_METHOD_BIT << M_OPTIONS
                                       | AP_METHOD_BIT << M_PUT | AP_METHOD_BIT << M_DELETE
                                       | AP_METHOD_BIT << M_PROPFIND;
    return (methods & AP_METHOD_BIT << r->method_number) != 0;
}

int mb_attempt_has_body(request_rec *r) {
    if (!r->header_only) return ap_request_has_body(r);
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    return apr_table_get(r->headers_in, "Transfer-Encoding") || (length && strspn(length, "0") != strlen(length));
}

/* mod_proxy's note on a request that it has begun to send. */
#define SENT "proxy-source-port"

int mb_attempt_is_sent(request_rec *r) { return apr_table_get(r->notes, SENT) != NULL; }

/* A body is gone with the first attempt that was given it. */
int mb_attempt_is_repeatable(request_rec *r) { return is_idempotent(r) && !mb_attempt_has_body(r); }

void mb_attempt_begin(mb_attempt *attempt, request_rec *r) {
    apr_table_unset(r->notes, "proxy-error-override");
    apr_table_unset(r->notes, "proxy_timedout");
    attempt->filter = ap_add_output_filter_handle(answer_filter, attempt, r, r->connection);
    /* Others' headers are then not found in what this attempt may have to leave as it was. mod_proxy_http makes a table
     * of its own. */
    if (mb_scheme_is_http2(attempt->scheme)) {
        r->headers_out = apr_table_copy(r->pool, r->headers_out);
        apr_table_unset(r->notes, SENT);
    }
}

/* mod_proxy's 503 means that there was no connection; or that the server did not say "100 Continue", but then it has
 * seen the request. */
static int is_refusal(const mb_attempt *attempt, request_rec *r, int result) {
    if (result != HTTP_SERVICE_UNAVAILABLE) return 0;
    if (mb_scheme_is_http2(attempt->scheme)) return !mb_attempt_is_sent(r);
    return r->headers_out == attempt->before->headers_out && !apr_table_get(r->notes, "proxy_timedout");
}

/* Too long a line, or no header at all: what mod_proxy calls 502 after it has read an answer. Another server would
 * answer the same. */
static int is_unreadable(const mb_attempt *attempt, const request_rec *r, int result) {
    return result == HTTP_BAD_GATEWAY && !mb_scheme_is_http2(attempt->scheme)
           && r->status_line != attempt->before->status_line && !mb_now.ended;
}

static void tell_unreadable(request_rec *r) {
    MB_LOG_RARELY(r, APLOG_WARNING,
                  "BH0465: mod_proxy cannot read the header of an answer, and says above why: answered with 502, "
                  "no other server is asked; for long lines there is BackhandResponseFieldSize (%d bytes)",
                  mb_main_server()->response_field_size);
}

/* The server has said that it knows no such server as this one. */
static int is_unknown(const request_rec *r, int status) {
    return status == HTTP_SERVICE_UNAVAILABLE && apr_table_get(r->headers_out, MB_UNKNOWN_HEADER);
}

bh_outcome_t mb_attempt_end(mb_attempt *attempt, request_rec *r, int result) {
    if (attempt->filter && !attempt->passed) ap_remove_output_filter(attempt->filter);
    /* The attempt lies on the stack. */
    if (attempt->filter) attempt->filter->ctx = NULL;
    attempt->filter = NULL;
    attempt->result = result;
    mb_response_restore(r);
    if (!attempt->shown.unknown && mb_answer_is_broken_off(attempt->held, result)) {
        attempt->held = NULL;
        attempt->result = r->connection->aborted ? DONE : HTTP_BAD_GATEWAY;
        if (attempt->result == DONE) return BH_OUTCOME_ANSWERED;
        mb_answer_undo(r, attempt->before);
        return BH_OUTCOME_FAILED;
    }
    if (attempt->held) return attempt->shown.unknown ? BH_OUTCOME_UNKNOWN : BH_OUTCOME_FAILED;
    if (attempt->passed || result < HTTP_INTERNAL_SERVER_ERROR) return BH_OUTCOME_ANSWERED;
    /* mod_proxy_http2 calls it an error that a client is gone. There is no client to answer, and the server is not to
     * blame. */
    if (mb_scheme_is_http2(attempt->scheme) && r->connection->aborted) {
        attempt->result = DONE;
        return BH_OUTCOME_ANSWERED;
    }
    if (is_refusal(attempt, r, result)) return BH_OUTCOME_REFUSED;
    /* With ProxyErrorOverride its answer is not passed on. */
    if (r->headers_out != attempt->before->headers_out && is_unknown(r, result)) {
        attempt->shown.unknown = true;
        return mb_attempt_has_body(r) ? BH_OUTCOME_NO_RETRY : BH_OUTCOME_UNKNOWN;
    }
    /* Of its own accord mod_proxy leaves the headers alone; with ProxyErrorOverride it brings a server's error back. */
    int is_theirs = r->headers_out != attempt->before->headers_out && apr_table_get(r->notes, "proxy-error-override");
    if (is_theirs && (!attempt->how.may_retry || result != HTTP_SERVICE_UNAVAILABLE)) return BH_OUTCOME_ANSWERED;
    if (is_unreadable(attempt, r, result)) {
        attempt->shown.unreadable = true;
        tell_unreadable(r);
        return BH_OUTCOME_ANSWERED;
    }
    return attempt->how.may_retry ? BH_OUTCOME_FAILED : BH_OUTCOME_NO_RETRY;
}

void mb_attempt_move(mb_attempt *attempt) {
    if (attempt->filter) attempt->filter->ctx = attempt;
}

void mb_attempt_undo(mb_attempt *attempt, request_rec *r) {
    attempt->answer = apr_pmemdup(r->pool, r, sizeof *r);
    mb_answer_undo(r, attempt->before);
}

int mb_attempt_give(mb_attempt *attempt, request_rec *r) {
    mb_answer_put(r, attempt->answer);
    mb_filters_answer(r, attempt->before->headers_out);
    /* So that httpd leaves its Date and Server, as it does with others of mod_proxy's. */
    r->proxyreq = PROXYREQ_REVERSE;
    ap_pass_brigade(r->output_filters, attempt->held);
    r->proxyreq = PROXYREQ_NONE;
    return OK;
}

/* Output filter, the first of all: sees the answer before any other does. */
static apr_status_t take_answer(ap_filter_t *filter, apr_bucket_brigade *brigade) {
    mb_attempt *attempt = filter->ctx;
    request_rec *r = filter->r;
    if (!attempt) return ap_pass_brigade(filter->next, brigade);
    if (!attempt->shown.first_us) attempt->shown.first_us = mb_now_us();
    mb_response_restore(r);
    if (!attempt->held) mb_reverse(r, attempt->server, attempt->scheme);
    if (!attempt->passed && is_unknown(r, r->status)) attempt->shown.unknown = true;
    int may_hold = attempt->shown.unknown ? !mb_attempt_has_body(r) : attempt->how.may_retry;
    if (may_hold && !attempt->held && r->status == HTTP_SERVICE_UNAVAILABLE)
        attempt->held = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    if (attempt->held) {
        apr_status_t status = mb_answer_hold(filter, &attempt->held, &brigade);
        if (attempt->held) return status;
    }
    attempt->passed = 1;
    /* From here on other filters may ask for parts of the page (SSI), which connect to servers of their own. */
    mb_now.connects = 0;
    /* Filters that make pages of parts are of this type, and filters stand in the order of their types. */
    if (filter->next->frec->ftype < AP_FTYPE_CONTENT_SET) mb_guard_answered(r);
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    mb_session_keep(r, r->headers_out, settings->cookie, attempt->shown.id);
    mb_filters_answer(r, attempt->before->headers_out);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

void mb_attempt_register(apr_pool_t *pool) {
    answer_filter = ap_register_output_filter(ANSWER_FILTER, take_answer, NULL, AP_FTYPE_RESOURCE - 1);
}
