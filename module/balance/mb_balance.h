/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What becomes of a request in a section with a chain. */
#ifndef MB_BALANCE_H
#define MB_BALANCE_H

#include "proxy/mb_proxy.h"

/* ---- The handler: mb_balance.c ---- */

/* Another module's: whether a request that has a chain goes to a farm, and mod_proxy is to serve it. NULL: no such
 * module is loaded. */
extern int (*mb_balance_is_for_farm)(const request_rec *r);
void mb_balance_register(apr_pool_t *pool);

/* ---- Which requests a chain decides on: mb_scope.c ---- */

/* Pages about this very httpd: of another server they would show something else. */
int mb_scope_shows_this_server(const char *handler);
/* OPTIONS may say how many servers it may still pass: whether that is none. */
int mb_scope_has_arrived(const request_rec *r);
/* Whether a client has sent the request itself, and may mean another server by it. */
int mb_scope_is_clients_own(const request_rec *r);
/* Whether there is a table to decide on, and mod_proxy to carry it out. */
int mb_scope_can_decide(void);
/* Whether the request is one that the chain of these settings decides on, now. */
int mb_scope_wants(request_rec *r, const mb_directory *settings);

/* ---- Decisions: mb_decide.c ---- */

/* Runs the chain over the servers that have not been tried; 0: it cannot be run. */
int mb_decide(request_rec *r, const mb_directory *settings, const uint32_t *tried, uint32_t tried_count,
              bh_decision_t *decision);
/* Runs the chain over the request's members: what they are, and who has failed it, is filled in; the rest is here. */
int mb_decide_members(request_rec *r, const bh_step_t *steps, size_t count, bh_request_t *request,
                      bh_decision_t *decision);
void mb_decide_register(apr_pool_t *pool);

/* ---- Decisions as texts: mb_trace.c ---- */

/* Servers that one text names. */
#define MB_TRACE_MOST_NAMED 8
/* "byAge:8>6,byLogWindow:6>2,byLoad:2": each function with the servers before and after it. */
const char *mb_trace_chain(request_rec *r, const mb_directory *settings, const bh_decision_t *decision);
/* "10.0.0.4:80 silent 7 s, 10.0.0.5:80 slow start": what speaks against the other servers now, whatever the chain says;
 * "": nothing. */
const char *mb_trace_servers(request_rec *r);

/* ---- What happened to a request: mb_dispatch_log.c ---- */

/* A request on its way. */
typedef struct mb_dispatch_state {
    request_rec *r;
    const mb_directory *settings;
    bh_decision_t *decision;
    bh_retry_t *retry;       /* which servers it has tried, and how it goes on */
    int walked;              /* whether <Directory> sections have had their say */
    mb_attempt *held;        /* the last attempt that has kept a 503 back; NULL: there is none */
    const char *held_server; /* its server */
    const char *refusals;    /* servers without a connection, and why: the first of them; NULL: none */
    int refused;             /* how many */
    int gave_up;             /* no server took it, which has a line of its own */
    const char *server;      /* that is asked, if no thread waits for its answer */
} mb_dispatch_state;

/* What is done with the request, for the environment and the trace. */
void mb_dispatch_log_action(const mb_dispatch_state *about, const char *action, const char *server);
/* An attempt that did not work. */
void mb_dispatch_log_failure(mb_dispatch_state *about, const char *server, const mb_attempt *attempt);
/* Servers without a connection, once the request is over. */
void mb_dispatch_log_refusals(const mb_dispatch_state *about);
/* No server is left to try. */
void mb_dispatch_log_given_up(const mb_dispatch_state *about);
/* The chain has left no server. */
void mb_dispatch_log_no_candidate(const mb_dispatch_state *about);
void mb_dispatch_log_no_own_address(request_rec *r);

/* ---- Decisions carried out: mb_dispatch.c ---- */

/* Returns what a handler returns. walked: whether <Directory> sections have had their say. */
int mb_dispatch(request_rec *r, const mb_directory *settings, bh_decision_t *decision, int walked);
/* Goes on with a request whose answer no thread has waited for. Returns what a handler returns. */
int mb_dispatch_again(mb_dispatch_state *about, mb_attempt *attempt, const bh_facts_t *facts, int is_ended);
/* 503 with Retry-After. */
int mb_dispatch_unavailable(request_rec *r);
/* Only with BackhandSelfRedirect: sends the request to our own announced address. */
int mb_dispatch_home(request_rec *r, const mb_directory *settings);
/* Only with BackhandSelfRedirect: what must not be served here has no other place yet. */
int mb_dispatch_no_own_address(request_rec *r);

/* ---- Requests that wait without a thread: mb_suspend.c, mb_resume.c ---- */

/* All that lay on the stack of the thread that sent the request. */
typedef struct mb_suspended {
    mb_dispatch_state about;
    bh_retry_t retry;
    bh_decision_t decision;
    bh_facts_t facts;
    mb_attempt attempt;
} mb_suspended;
/* The client's connection has one until a thread goes on. The handler returns SUSPENDED next. server: the one that is
 * asked. */
void mb_suspend_begin(const mb_dispatch_state *about, const mb_attempt *attempt, const char *server);
/* NULL: nothing of the connection waits. */
mb_suspended *mb_suspend_of(const conn_rec *c);
void mb_suspend_end(mb_suspended *waits);
void mb_resume_register(apr_pool_t *pool);

/* ---- Decided before the directory walk: mb_early.c ---- */

void mb_early_register(apr_pool_t *pool);
/* Serves a request here whose <Directory> sections were not looked at: from the beginning, and then with them. */
int mb_early_serve_here(request_rec *r);

/* ---- Redirects: mb_redirect.c ---- */

/* How a candidate gets a request. */
typedef enum mb_way { MB_WAY_HERE, MB_WAY_FORWARD, MB_WAY_REDIRECT } mb_way;
/* The way of a candidate in the mode BACKHAND_MODE_REDIRECT. MB_WAY_FORWARD: the client has asked for that server by
 * the name that a redirect would have; MB_WAY_HERE: for this server, which is a candidate too and may have the request
 * (may_stay). */
mb_way mb_redirect_way(request_rec *r, const bh_decision_t *decision, const ServerSlot *chosen, const bh_facts_t *facts,
                       int may_stay);
/* Redirects the client to the candidate; returns what a handler returns. status MB_UNSET: 302. */
int mb_redirect_send(request_rec *r, const ServerSlot *chosen, const bh_facts_t *facts, int status);

#endif
