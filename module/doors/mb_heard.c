/* Licensed under the Apache License, Version 2.0; see LICENSE. */

#include "doors/mb_doors.h"
#include "balance/mb_balance.h"

#include "apr_thread_mutex.h"

struct mb_heard_list {
    mb_weigh_fn weigh;
    const void *baton;
    apr_thread_mutex_t *lock;    /* of what follows */
    apr_pool_t *pool;            /* NULL: this child has not looked yet */
    apr_array_header_t *servers; /* mb_heard */
    uint32_t membership;
};

mb_heard_list *mb_heard_make(apr_pool_t *pconf, mb_weigh_fn weigh, const void *baton) {
    mb_heard_list *list = apr_pcalloc(pconf, sizeof *list);
    list->weigh = weigh;
    list->baton = baton;
    apr_thread_mutex_create(&list->lock, APR_THREAD_MUTEX_DEFAULT, pconf);
    return list;
}

static void gather(mb_heard_list *list, const bh_segment_t *segment) {
    bh_facts_t facts;
    for (uint32_t id = 1, rows = bh_segment_rows(segment); id < rows; id++) {
        const bh_row_t *row = bh_segment_row(segment, id);
        if (!bh_row_heard(row) || bh_row_own(row) || !bh_row_copy(row, &facts)) continue;
        uint32_t weight = list->weigh(list->baton, id, facts.hostname);
        if (weight) APR_ARRAY_PUSH(list->servers, mb_heard) = (mb_heard){{id, weight}, {facts.address, facts.port}};
    }
}

/* Called with the lock. What changes meanwhile changes membership after it, so that the next request looks again. */
static void look(mb_heard_list *list) {
    const bh_segment_t *segment = mb_segment;
    uint32_t membership = segment ? bh_segment_membership(segment) : 0;
    if (list->pool && list->membership == membership) return;
    if (list->pool) apr_pool_clear(list->pool);
    else apr_pool_create(&list->pool, NULL);
    list->membership = membership;
    list->servers = apr_array_make(list->pool, 8, sizeof(mb_heard));
    if (segment) gather(list, segment);
}

const mb_heard *mb_heard_now(mb_heard_list *list, apr_pool_t *pool, int *count) {
    apr_thread_mutex_lock(list->lock);
    look(list);
    *count = list->servers->nelts;
    const mb_heard *copy = apr_pmemdup(pool, list->servers->elts, (size_t)*count * sizeof *copy);
    apr_thread_mutex_unlock(list->lock);
    return copy;
}

const char *mb_heard_text(apr_pool_t *pool, const bh_place_t *place, const char **host) {
    const char *text = mb_endpoint(pool, &place->address, place->port);
    *host = apr_pstrmemdup(pool, text, (apr_size_t)(strrchr(text, ':') - text));
    return text;
}
