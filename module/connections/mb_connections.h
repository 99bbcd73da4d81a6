/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Connections to servers: how many are kept, those that all children have in common, and what keeps one from being
 * made. None of it asks mod_proxy. */
#ifndef MB_CONNECTIONS_H
#define MB_CONNECTIONS_H

#include "table/mb_table.h"

/* ---- Connections that are kept: mb_keep.c ---- */

/* A kept connection stays open after its request, idle or in use (keep-alive). A request on a connection that had an
 * earlier one has reused it. */

/* What this child keeps of one server, with one scheme; all of it is atomic. */
typedef struct mb_kept {
    uint32_t id;      /* the server's row */
    uint32_t open;    /* connections that are kept, idle or in use */
    uint32_t in_use;  /* requests that have one of them, or will have one more */
    uint32_t most;    /* what bounded them at the last request: as bh_row_t.may_keep */
    uint64_t used_ms; /* when one was in use last */
    uint32_t said_ms; /* how long the server waits for the next request, by its answers; 0: they do not say */
} mb_kept;

/* How a request is to be sent. */
typedef enum mb_keep {
    MB_KEEP_NONE = 0, /* on a new connection, which is closed after it */
    MB_KEEP = 1,      /* on a connection that is kept alive: a reused one, or a new one */
    MB_KEEP_RENEW = 2 /* the connections that are kept are too old, or too many: close them all, and choose again */
} mb_keep;

/* The answer to this thread's request says how long its server waits for the next one. */
void mb_keep_heard(unsigned long timeout_s);
/* Whether there are connections, and all of them are idle and too old. */
int mb_keep_is_expired(mb_kept *kept, const bh_facts_t *server, uint64_t now_ms);
/* Before a request is sent. After MB_KEEP mb_keep_end must be called. lent: a connection from the pool of all children,
 * to be closed by the caller; -1: none. */
mb_keep mb_keep_choose(mb_kept *kept, uint32_t id, const bh_facts_t *server, mb_pooling pooling, uint64_t now_ms,
                       int *lent);
/* Whether connections may go into the pool of all children. */
int mb_keep_is_shared(mb_pooling pooling);
/* mod_proxy has made a connection for it. */
void mb_keep_connected(const conn_rec *c);
/* Whether this thread's request, which may keep its connection, needs a new one. */
int mb_keep_is_new(void);
/* Whether as many connections are idle as the child has threads: another one is not worth keeping. */
int mb_keep_has_enough(void);
/* The request is over. */
void mb_keep_end(uint64_t now_ms);
/* What a thread knows of its request, where another thread goes on with it. */
typedef struct mb_keeping {
    mb_kept *kept; /* NULL: its connection is not kept */
    int has_right; /* no connection has it yet */
} mb_keeping;
mb_keeping mb_keep_leave(void);
void mb_keep_return(mb_keeping left);
void mb_keep_register(apr_pool_t *pool);

/* ---- The pool of all children: mb_pool.c ---- */

/* Its queues, which the parent makes before it forks; NULL: none. */
const bh_queues_t *mb_pool_queues(void);
/* Only with prefork: elsewhere a child has a pool for its threads, and what is idle there is rarely what another child
 * needs. In the parent, before it forks: makes its queues, or finds those of the configuration before. Where it is not
 * wanted there are none. */
void mb_pool_prepare(server_rec *server, int is_wanted);

#endif
