/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandKey: the core reads the file with the configuration, while httpd still is root; what it holds lives on only
 * in memory that goes with the configuration. */

#include "config/mb_config.h"

static apr_status_t forget(void *keys) {
    csignature_forget(keys);
    return APR_SUCCESS;
}

const char *mb_key_read(apr_pool_t *pool, const char *given, const char *path, mb_keys **result) {
    char error[BH_ERROR_SIZE];
    mb_keys *keys = apr_pcalloc(pool, sizeof *keys);
    apr_pool_cleanup_register(pool, &keys->all, forget, apr_pool_cleanup_null);
    if (bh_key_read(given, path, csignature_add, &keys->all, error, sizeof error) != BH_OK)
        return apr_pstrdup(pool, error);
    *result = keys;
    return NULL;
}
