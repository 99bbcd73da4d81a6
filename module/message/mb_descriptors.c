/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Answers that a lack of descriptors has made wrong.
 *
 * A server without a descriptor cannot open the file that was asked for, and httpd calls that 403, or 500 for a
 * program. A front that is a peer gets 503 instead, and goes on to the next server.
 */

#include "message/mb_message.h"

/* Before the header of an error page of httpd's own leaves. The page is made from here on: it has another text, too. */
static void admit(request_rec *r) {
    const mb_request *kept = mb_request_find(r);
    int status = r->status;
    if (!kept || !kept->from_peer || r->main || (status != HTTP_FORBIDDEN && status != HTTP_INTERNAL_SERVER_ERROR)
        || !bh_shortage_is_near())
        return;
    ap_custom_response(r, status, "This server is short of file descriptors.\n");
    apr_table_setn(r->err_headers_out, "Retry-After", "1");
    r->status = HTTP_SERVICE_UNAVAILABLE;
    r->status_line = NULL;
    r->connection->keepalive = AP_CONN_CLOSE; /* one descriptor more */
    MB_LOG_RARELY(r, APLOG_WARNING,
                  "BH0371: this process lacks descriptors: a request of another server was answered with 503 in "
                  "the place of %d",
                  status);
}

void mb_descriptors_register(apr_pool_t *pool) { ap_hook_insert_error_filter(admit, NULL, NULL, APR_HOOK_FIRST); }
