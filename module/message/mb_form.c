/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Bodies that were read here before the request goes on: mod_auth_form's, of a login that is posted to the page itself.
 *
 * It reads the form through a subrequest, and gives the request itself an empty body, so that the server would find no
 * login in what it gets and answer 401. With a KeptBodySize that is large enough, mod_request's filter keeps the body
 * in that subrequest. It is the one that other modules have filters inserted for although it never runs a handler, and
 * it is found when that happens.
 */

#include "message/mb_message.h"

/* The subrequest ends, perhaps long before its client's request. */
static apr_status_t save_body(void *data) {
    mb_request *kept = data;
    request_rec *client;
    if (!kept->reader) return APR_SUCCESS;
    client = kept->reader->main;
    if (kept->reader->kept_body) {
        kept->read = apr_brigade_create(client->pool, client->connection->bucket_alloc);
        apr_bucket_brigade *body = kept->reader->kept_body;
        if (ap_save_brigade(NULL, &kept->read, &body, client->pool) != APR_SUCCESS) kept->read = NULL;
    }
    kept->reader = NULL;
    return APR_SUCCESS;
}

/* A subrequest before any handler, for a request with a body. Internal redirects have other ways to their bodies. */
static void note_reader(request_rec *r) {
    request_rec *client = r->main;
    if (!client || client->main || client->prev || client->method_number != M_POST || client->kept_body) return;
    mb_request *kept = mb_request_make(client);
    if (kept->reader) return;
    kept->reader = r;
    apr_pool_pre_cleanup_register(r->pool, kept, save_body);
    kept->content_type = apr_table_get(client->headers_in, "Content-Type");
    if (!kept->content_type) kept->content_type = "";
}

static void tell_gone(request_rec *r) {
    MB_LOG_RARELY(r, APLOG_WARNING,
                  "BH0466: the body of a request was read here and not kept, and the server gets none: "
                  "mod_auth_form needs a KeptBodySize that is as large as its forms");
}

void mb_form_give_back(request_rec *r) {
    mb_request *kept = r->kept_body ? mb_request_find(r) : NULL;
    if (!kept || !kept->content_type) return;
    apr_bucket_brigade *body = kept->reader ? kept->reader->kept_body : kept->read;
    apr_off_t length;
    if (!body || apr_brigade_length(body, 1, &length) != APR_SUCCESS) {
        tell_gone(r);
        return;
    }
    r->kept_body = body;
    apr_table_setn(r->headers_in, "Content-Length", apr_off_t_toa(r->pool, length));
    if (*kept->content_type) apr_table_setn(r->headers_in, "Content-Type", kept->content_type);
    kept->reader = NULL;
    kept->content_type = NULL;
}

void mb_form_register(apr_pool_t *pool) { ap_hook_insert_filter(note_reader, NULL, NULL, APR_HOOK_MIDDLE); }
