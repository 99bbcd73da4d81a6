/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Directives of the original mod_athena that this one does not have. Most of their names are lost, so each unknown name
 * that begins as they do counts as one of them. */

#include "athena/ma_athena.h"

static const ap_directive_t *find_old(const ap_directive_t *line) {
    for (; line; line = line->next) {
        const char *name = line->directive + (*line->directive == '<');
        module *first = ap_top_module;
        if (ap_cstr_casecmpn(name, "Ath", 3) == 0 && !ap_find_command_in_modules(line->directive, &first)) return line;
        const ap_directive_t *inner = find_old(line->first_child);
        if (inner) return inner;
    }
    return NULL;
}

/* The lines have been read, and are not carried out yet. */
static int look_for_old(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    const ap_directive_t *old = find_old(ap_conftree);
    if (!old) return OK;
    ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, NULL,
                 "BH0174: %s at %s:%d is not a directive of this mod_athena: docs/upgrading-from-mod_athena.md says "
                 "what takes the place of the old ones",
                 old->directive, old->filename, old->line_num);
    return HTTP_INTERNAL_SERVER_ERROR;
}

void ma_old_register(apr_pool_t *pool) { ap_hook_pre_config(look_for_old, NULL, NULL, APR_HOOK_MIDDLE); }
