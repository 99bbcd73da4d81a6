/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What the files of the loop guard share. */
#ifndef MB_GUARD_H
#define MB_GUARD_H

#include "mb_module.h"
#include "text/mb_text.h"

/* Why the header is not one that a holder of our keys has signed for this request just now; NULL: it is. Only where there is a key. */
const char *mb_claim_forgery(request_rec *r, const mb_claim *said);

/* Who is at the other end of a request's connection: mb_sender.c. */
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
