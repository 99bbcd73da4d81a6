/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Servers that the configuration names, as members of a balancer: each has a row, whether it announces itself or not.
 */

#include "table/mb_table.h"

/* bh_named_t *, of this configuration; NULL: there are none. */
static apr_array_header_t *members;
const bh_extension_t *mb_extension;

static int forget(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    members = NULL;
    mb_extension = NULL;
    return OK;
}

void mb_members_name(apr_pool_t *pconf, bh_named_t *named) {
    if (!members) members = apr_array_make(pconf, 16, sizeof named);
    APR_ARRAY_PUSH(members, bh_named_t *) = named;
}

int mb_members_are_named(void) { return members != NULL; }

void mb_members_write(void) {
    bh_members_write(mb_segment, members ? (bh_named_t *const *)(void *)members->elts : NULL,
                     members ? (size_t)members->nelts : 0, mb_now_ms());
}

void mb_members_register(apr_pool_t *pool) { ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE); }
