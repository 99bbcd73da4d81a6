/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What mod_backhand gives other modules that have its core choose among servers of their configuration. They get it by
 * an optional function, so that the LoadModule lines may have any order. */
#ifndef MB_DOORS_H
#define MB_DOORS_H

#include "apr_optional.h"
#include "httpd.h"

#include "backhand.h"

/* A chain. */
typedef struct backhand_chain {
    const bh_step_t *steps;
    size_t count;
    uint32_t number;
    const char *cookie; /* for keep_session; NULL: it sets none */
} backhand_chain;

/* Valid until the next restart. What a function does: backhand.h, and the headers that have it. */
typedef struct backhand_core {
    uint32_t version;             /* BH_BORDER_VERSION: another one is another interface */
    bh_segment_t *const *segment; /* NULL: without shared memory */
    const int32_t *child;         /* this child's slot for what it has in flight */
    /* 0: it is none of the Internet protocols. */
    int (*address_of)(const apr_sockaddr_t *name, bh_address_t *address);
    /* In post_config, before APR_HOOK_REALLY_LAST, when it gets its row: names a server, which is the caller's and
     * lives as long as the configuration. The same place is the same server. */
    void (*name)(apr_pool_t *pconf, bh_named_t *named);
    /* The chain for members that a section has; count 0: it has none. */
    backhand_chain (*chain_of)(const struct ap_conf_vector_t *section);
    /* request: members, tried, chain, repeatable; the rest is added. 0: it cannot be run. */
    int (*decide)(request_rec *r, const bh_step_t *steps, size_t count, bh_request_t *request, bh_decision_t *decision);
    /* In post_config, before APR_HOOK_REALLY_LAST: what the module adds to the moderator and to the status page. */
    const bh_extension_t **extension;
    /* While httpd still is root: reads a file with keys, as BackhandKey does, for verify. The error, or NULL. */
    const char *(*read_key)(apr_pool_t *pconf, const char *given, const char *path, const void **keys);
    bh_verify_fn verify;
    int (*is_repeatable)(request_rec *r);
    int (*has_body)(request_rec *r);
    bh_asked_t (*asked)(const request_rec *r);
    /* When the row's server answers: adds the chain's cookie to the answer's header. */
    void (*keep_session)(request_rec *r, apr_table_t *header, const char *cookie, uint32_t row);
    uint64_t (*now_us)(void);
    /* Whether a minute has passed since it was last true for this word of the caller's: for lines of the log. */
    int (*minute_passed)(uint64_t *next_ms);
    __typeof__(&bh_max_forwards) max_forwards;
    __typeof__(&bh_step_parse) parse;
    __typeof__(&bh_retry_next) next;
    __typeof__(&bh_retry_failed) failed;
    __typeof__(&bh_feedback_report) report;
    __typeof__(&bh_connection_explain) explain;
} backhand_core;

APR_DECLARE_OPTIONAL_FN(const backhand_core *, backhand_core_of, (uint32_t version));

/* From the module that has farms: whether a request that has a chain, and that mod_proxy is to serve, goes to one. Then
 * the chain leaves it alone. */
APR_DECLARE_OPTIONAL_FN(int, backhand_is_for_farm, (const request_rec *r));

void mb_doors_register(apr_pool_t *pool);

#endif
