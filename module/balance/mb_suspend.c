/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What is kept of a request while it waits for a server without a thread. */

#include "balance/mb_balance.h"

mb_suspended *mb_suspend_of(const conn_rec *c) { return ap_get_module_config(c->conn_config, &backhand_module); }

static void forget(const mb_suspended *waits) {
    ap_set_module_config(waits->about.r->connection->conn_config, &backhand_module, NULL);
}

/* The request's pool goes, and no thread has gone on with it: the child ends, or the MPM had to close the connection.
 */
static apr_status_t abandon(void *data) {
    mb_suspended *waits = data;
    if (!mb_park_is_possible()) return APR_SUCCESS; /* the process ends */
    mb_park_return(waits->attempt.park, waits->about.r->connection);
    mb_park_end(waits->attempt.park, MB_PARK_ENDED);
    mb_forward_abandon(&waits->attempt);
    forget(waits);
    return APR_SUCCESS;
}

void mb_suspend_begin(const mb_dispatch_state *about, const mb_attempt *attempt, const char *server) {
    request_rec *r = about->r;
    mb_suspended *waits = apr_palloc(r->pool, sizeof *waits);
    *waits = (mb_suspended){*about, *about->retry, *about->decision, *attempt->server, *attempt};
    waits->about.server = server;
    waits->about.retry = &waits->retry;
    waits->about.decision = &waits->decision;
    waits->attempt.server = &waits->facts;
    mb_request_make(r)->waited = 1;
    mb_attempt_move(&waits->attempt);
    mb_park_move(waits->attempt.park, &waits->attempt);
    ap_set_module_config(r->connection->conn_config, &backhand_module, waits);
    apr_pool_pre_cleanup_register(r->pool, waits, abandon);
}

void mb_suspend_end(mb_suspended *waits) {
    forget(waits);
    apr_pool_cleanup_kill(waits->about.r->pool, waits, abandon);
}
