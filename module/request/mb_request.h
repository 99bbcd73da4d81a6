/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A request: what is kept with it, and whether a peer has sent it. */
#ifndef MB_REQUEST_H
#define MB_REQUEST_H

#include "table/mb_table.h"

/* The request header that says "a peer has sent this here, do not balance it again"; its value is the client's address.
 */
#define MB_GUARD_HEADER BH_GUARD_HEADER
/* How many servers that were not accepted as peers have passed the request on. Only such requests have it. */
#define MB_HOPS_HEADER "Backhand-Hops"
/* In a 503: the server has not done anything with the request, because it does not know the sender as a server. */
#define MB_UNKNOWN_HEADER "Backhand-Refused"

/* ---- The record: mb_request.c ---- */

/* What is kept with a client's request, from the guard on. */
typedef struct mb_request {
    int from_peer;             /* a peer has sent it here */
    int is_check;              /* our own moderator has: a check of BackhandCheck */
    int hops;                  /* servers that it has passed that were not accepted as peers */
    const request_rec *reader; /* message/mb_form.c: a subrequest that may have read the body; NULL: there is none */
    apr_bucket_brigade *read;  /* what it has read, if it is gone; NULL: nothing */
    const char *content_type;  /* of that body; NULL: no module has read one */
    /* message/mb_filters.c: the answer to a peer is an error page that httpd itself makes */
    int of_httpd;
    /* message/mb_filters.c: names of the content filters that a peer's answer passes; NULL: not known */
    const char *filtered;
    /* balance/mb_early.c: decided before <Directory> sections were looked at; NULL: not yet */
    const bh_decision_t *decided;
    const apr_array_header_t *steps; /* the chain that has decided so */
    int waited;                      /* for a server's answer, without a thread */
    int stays;                       /* no server has taken it: it is served here, and no chain is run again */
    mb_local *local;                 /* a peer has sent it: what is counted of it; NULL: nothing */
} mb_request;
/* Whether it is a request for this server, and no other one. */
static inline int mb_request_is_for_us(const mb_request *found) { return found->from_peer || found->is_check; }
/* That of the request that the client began; NULL: nothing to keep so far. */
static inline request_rec *mb_request_first(request_rec *r) {
    while (r->main) r = r->main;
    while (r->prev) r = r->prev;
    return r;
}
static inline mb_request *mb_request_find(request_rec *r) {
    return ap_get_module_config(mb_request_first(r)->request_config, &backhand_module);
}
/* The same, made if there is none. */
mb_request *mb_request_make(request_rec *r);
/* The path and query exactly as the client sent them. */
const char *mb_request_as_sent(request_rec *r);

/* ---- The loop guard: mb_guard.c, mb_signature.c ---- */

void mb_guard_register(apr_pool_t *pool);
/* The header's value for a request that is passed on: its client's address, and with a key a signature. */
const char *mb_guard_value(request_rec *r);
/* Whether the request must not be balanced: a peer has sent it, or our own moderator, or it goes round. */
int mb_guard_stays_here(request_rec *r);
/* Before the request is passed on: says how often servers that were not accepted did so. */
void mb_guard_count_hop(request_rec *r);
/* A server answers: parts of the page that this httpd adds (SSI) see nothing that was meant for it. */
void mb_guard_answered(request_rec *r);
/* Before mod_proxy has a request for another ProxyPass: what a peer has said of its client goes no further,
 * only that it has been passed on. */
void mb_guard_leave(request_rec *r);
/* Why the header is not one that a holder of our keys has signed for this request just now; NULL: it is. Only where
 * there is a key. */
const char *mb_claim_forgery(request_rec *r, const bh_claim_t *said);

/* ---- Checks by our own moderator: mb_check.c ---- */

/* Whether it is one: it is served here, and neither counted nor logged. */
int mb_check_recognise(request_rec *r);
void mb_check_register(apr_pool_t *pool);

/* ---- Senders: mb_sender.c ---- */

/* What is at the other end of a request's connection. */
typedef enum mb_sender {
    MB_SENDER_OUTSIDE, /* outside AcceptStats, or an address that the connection does not have (PROXY protocol) */
    MB_SENDER_INSIDE,  /* inside AcceptStats, but not a server that is known */
    MB_SENDER_SERVER   /* a server of the cluster by its address */
} mb_sender;
mb_sender mb_sender_of(request_rec *r);
/* Whether something between the client and httpd says which address the connection has. */
int mb_sender_is_relayed(request_rec *r);
void mb_sender_register(apr_pool_t *pool);

/* ---- Connections of other servers while workers are scarce: mb_spare.c ---- */

void mb_spare_register(apr_pool_t *pool);

#endif
