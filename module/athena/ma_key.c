/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Files with keys: mod_backhand reads them, and may be loaded after the lines that name them. */

#include "athena/ma_athena.h"

/* ma_key *, of this configuration; NULL: there are none. */
static apr_array_header_t *noted;

static int forget(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    noted = NULL;
    return OK;
}

const char *ma_key_note(cmd_parms *cmd, const char *file, const ma_key **key) {
    ma_key *made = apr_pcalloc(cmd->pool, sizeof *made);
    *made = (ma_key){cmd->cmd->name, file, ap_server_root_relative(cmd->pool, file), NULL};
    if (!made->path) return apr_psprintf(cmd->pool, "%s '%s' is not a valid path", made->directive, file);
    if (!noted) noted = apr_array_make(cmd->pool, 1, sizeof made);
    APR_ARRAY_PUSH(noted, ma_key *) = made;
    *key = made;
    return NULL;
}

/* While httpd still is root. */
int ma_keys_read(apr_pool_t *pconf, server_rec *server) {
    for (int i = 0; noted && i < noted->nelts; i++) {
        ma_key *key = APR_ARRAY_IDX(noted, i, ma_key *);
        const char *wrong = mb_passage_core()->read_key(pconf, key->file, key->path, &key->keys);
        if (!wrong) continue;
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, server, "BH0173: %s: %s", key->directive, wrong);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

int ma_keys_are_noted(void) { return noted != NULL; }

void ma_key_register(apr_pool_t *pool) { ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE); }
