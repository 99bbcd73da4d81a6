/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The queues of the pool of all children, which the core works on: as the process keeps them from one configuration to
 * the next. */

#include "connections/mb_connections.h"

#include "http_main.h"

#define POOL_KEY "mod_backhand.pool"

/* In memory of the process pool: nothing in it points into this module, which is unloaded at each restart. */
static bh_queues_t *queues;

const bh_queues_t *mb_pool_queues(void) { return queues && queues->open ? queues : NULL; }

void mb_pool_prepare(server_rec *server, int is_wanted) {
    apr_pool_userdata_get((void **)&queues, POOL_KEY, server->process->pool);
    if (!queues) {
        queues = apr_pcalloc(server->process->pool, sizeof *queues);
        apr_pool_userdata_set(queues, POOL_KEY, NULL, server->process->pool); /* copies the key */
    }
    if (!is_wanted) bh_queues_close(queues);
    int why = is_wanted && !queues->open ? bh_queues_open(queues) : 0;
    if (why)
        ap_log_error(APLOG_MARK, APLOG_WARNING, why, server,
                     "BH0481: cannot make the pool of all children: each keeps connections of its own");
}
