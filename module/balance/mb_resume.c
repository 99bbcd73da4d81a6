/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Requests that wait for a server without a thread (proxy/mb_park.c): how they leave their thread, and how another one
 * goes on with them.
 *
 * http_core calls a handler that returns SUSPENDED, and leaves the connection in a state in which httpd 2.4 forgets it.
 * So a hook calls http_core, and then has the MPM wait for the server's answer. When it is there, the MPM calls the
 * hooks of process_connection as for a new request.
 */

#include "balance/mb_balance.h"

#include "http_connection.h"
#include "scoreboard.h"

/* http_core's hook; NULL: no request waits so. */
static ap_HOOK_process_connection_t *http;

static void find_http(apr_pool_t *pool, server_rec *server) {
    const apr_array_header_t *hooks = mb_park_is_possible() ? ap_hook_get_process_connection() : NULL;
    for (int i = 0; hooks && i < hooks->nelts; i++) {
        const ap_LINK_process_connection_t *hook = &APR_ARRAY_IDX(hooks, i, ap_LINK_process_connection_t);
        if (strcmp(hook->szName, "http_core.c") == 0) http = hook->pFunc;
    }
}

/* NULL: nothing of the connection waits. */
static mb_suspended *suspended_of(const conn_rec *c) { return http ? mb_suspend_of(c) : NULL; }

/* As ap_process_async_request does it. */
static void end_request(mb_suspended *waits, int result) {
    request_rec *r = waits->about.r;
    const char *handler = waits->attempt.before->handler;
    if (result == DECLINED) { /* to be served here */
        r->handler = handler;
        mb_request_make(r)->stays = 1;
        result = ap_run_handler(r);
        if (result == DECLINED) result = HTTP_INTERNAL_SERVER_ERROR;
    }
    r->handler = handler;
    if (result == SUSPENDED) {
        r->connection->cs->state = CONN_STATE_SUSPENDED;
        return;
    }
    int status = r->status;
    if (result != OK && result != DONE) r->status = HTTP_OK;
    ap_die(result, r);
    if (r->status == HTTP_OK) r->status = status; /* an error after the answer had begun */
    ap_process_request_after_handler(r);
}

static void go_on(mb_suspended *waits, mb_park_state state) {
    request_rec *r = waits->about.r;
    mb_suspend_end(waits);
    ap_update_child_status(r->connection->sbh, SERVER_BUSY_WRITE, r);
    ap_time_process_request(r->connection->sbh, START_PREQUEST);
    mb_park_end(waits->attempt.park, state);
    end_request(waits, mb_dispatch_again(&waits->about, &waits->attempt, &waits->facts, state == MB_PARK_ENDED));
}

/* First of all hooks. */
static int resume(conn_rec *c) {
    mb_suspended *waits = suspended_of(c);
    if (!waits) return DECLINED;
    mb_park *park = waits->attempt.park;
    mb_park_return(park, c);
    mb_park_state state = mb_forward_look(&waits->attempt);
    if (state == MB_PARK_WAITS) mb_park_wait(park, c);
    else {
        go_on(waits, state);
        if (c->cs->state != CONN_STATE_WRITE_COMPLETION && c->cs->state != CONN_STATE_SUSPENDED)
            c->cs->state = CONN_STATE_LINGER;
    }
    return OK;
}

/* Just before http_core's. */
static int process(conn_rec *c) {
    if (!http || !c->cs || c->master) return DECLINED;
    mb_park_serve(c);
    int result = http(c);
    mb_park_serve(NULL);
    const mb_suspended *waits = suspended_of(c);
    if (waits) mb_park_wait(waits->attempt.park, c);
    return result;
}

/* No thread was idle for as long as Timeout says, and the MPM closes the connection: this thread waits. */
static int close_late(conn_rec *c) {
    mb_suspended *waits = suspended_of(c);
    if (!waits) return OK;
    conn_state_e state = c->cs->state;
    mb_park_return(waits->attempt.park, c);
    c->keepalive = AP_CONN_CLOSE;
    /* for the answer, too, not only for the close */
    apr_socket_timeout_set(ap_get_conn_socket(c), c->base_server->timeout);
    go_on(waits, mb_forward_look(&waits->attempt));
    c->cs->state = state;
    return OK;
}

void mb_resume_register(apr_pool_t *pool) {
    static const char *const before[] = {"http_core.c", NULL};
    ap_hook_child_init(find_http, NULL, NULL, APR_HOOK_LAST);
    ap_hook_process_connection(resume, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_process_connection(process, NULL, before, APR_HOOK_REALLY_LAST);
    ap_hook_pre_close_connection(close_late, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
