/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Requests by which our own moderator asks whether the application works (BackhandCheck). They have a header that only
 * processes of this httpd can write, because its value is in the memory that they share. */

#include "request/mb_request.h"

/* The moderator asks from the server's own address, so the value never leaves this machine. */
static int is_inside(const conn_rec *c) { return apr_sockaddr_equal(c->client_addr, c->local_addr); }

int mb_check_recognise(request_rec *r) {
    if (!mb_line_first(MB_FIRST_CHECK) || !mb_segment) return 0;
    const char *value = apr_table_get(r->headers_in, bh_check_header());
    if (!value || !is_inside(r->connection) || !bh_check_is_own(mb_segment, value)) return 0;
    mb_request_make(r)->is_check = 1;
    apr_table_unset(r->headers_in, bh_check_header()); /* what runs here may show its headers */
    return 1;
}

/* What ends the hooks of a log without an error: mod_log_config's is not called. */
static int leave_out(request_rec *r) {
    const mb_request *found = mb_request_find(r);
    return found && found->is_check ? DONE : DECLINED;
}

void mb_check_register(apr_pool_t *pool) { ap_hook_log_transaction(leave_out, NULL, NULL, APR_HOOK_REALLY_FIRST); }
