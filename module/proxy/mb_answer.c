/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* An answer that may not be the client's, because another server may do better: what it changes in the request, and a
 * body that is kept meanwhile. */

#include "proxy/mb_proxy.h"

/* Bytes of a 503's body that are kept: an error page has a few hundred. A longer one is passed on at once, and is the
 * answer. */
#define MOST_KEPT (64 * 1024)

/* What an answer changes in the request. */
static void copy(request_rec *r, const request_rec *from) {
    r->status = from->status;
    r->status_line = from->status_line;
    r->headers_out = from->headers_out;
    r->err_headers_out = from->err_headers_out;
    r->trailers_out = from->trailers_out;
    r->content_type = from->content_type;
    r->content_encoding = from->content_encoding;
    r->content_languages = from->content_languages;
    r->no_cache = from->no_cache;
    r->no_local_copy = from->no_local_copy;
    r->sent_bodyct = from->sent_bodyct;
    r->eos_sent = from->eos_sent;
    r->mtime = from->mtime;
}

void mb_answer_undo(request_rec *r, const request_rec *before) {
    copy(r, before);
    /* The one thing that mod_proxy_http adds to, where it replaces all others. */
    r->trailers_out = apr_table_make(r->pool, 1);
}

void mb_answer_put(request_rec *r, const request_rec *answer) {
    copy(r, answer);
    r->eos_sent = 0;
}

apr_status_t mb_answer_hold(ap_filter_t *filter, apr_bucket_brigade **held, apr_bucket_brigade **brigade) {
    apr_off_t length = 0;
    apr_status_t status = ap_save_brigade(filter, held, brigade, filter->r->pool);
    if (status != APR_SUCCESS) return status;
    if (apr_brigade_length(*held, 0, &length) == APR_SUCCESS && length >= 0 && length <= MOST_KEPT) return APR_SUCCESS;
    *brigade = *held;
    *held = NULL;
    return APR_SUCCESS;
}

int mb_answer_is_broken_off(const apr_bucket_brigade *held, int result) {
    return held && (result == DONE || result == AP_FILTER_ERROR || result >= HTTP_INTERNAL_SERVER_ERROR);
}
