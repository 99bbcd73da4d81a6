/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Candidacy functions of one's own: BackhandFromSO loads them when the configuration is read. */

#include "mb_module.h"

#include "apr_dso.h"

const char *mb_loaded_find(cmd_parms *cmd, const char *file, const char *name, const char *argument, bh_step_t *step) {
    char error[BH_ERROR_SIZE];
    apr_dso_handle_t *object;
    apr_dso_handle_sym_t symbol;
    const char *path = ap_server_root_relative(cmd->pool, file);
    if (!path) return apr_psprintf(cmd->pool, "'%s' is not a valid path", file);
    /* The linker counts how often an object is opened, and the pool closes it: loading it again for each line is right. */
    if (apr_dso_load(&object, path, cmd->pool) != APR_SUCCESS)
        return apr_psprintf(cmd->pool, "cannot load '%s': %s", path, apr_dso_error(object, error, sizeof error));
    if (apr_dso_sym(&symbol, object, name) != APR_SUCCESS)
        return apr_psprintf(cmd->pool, "no function '%s' in '%s': %s", name, path,
                            apr_dso_error(object, error, sizeof error));
    memset(step, 0, sizeof *step);
    step->function = BH_FUNCTION_LOADED;
    step->name = apr_pstrdup(cmd->pool, name);
    step->argument = argument ? apr_pstrdup(cmd->pool, argument) : NULL;
    /* ISO C has no conversion from data to function pointers; POSIX promises that it works. */
    memcpy(&step->call, &symbol, sizeof symbol);
    return NULL;
}

static const char *describe(bh_fault_t fault) {
    switch (fault) {
    case BH_FAULT_COUNT: return "returned a count outside 0...MAXSERVERS";
    case BH_FAULT_ID: return "returned an id that no server has";
    case BH_FAULT_TWICE: return "returned a server twice";
    case BH_FAULT_CANARY: return "wrote behind the list";
    default: return "returned something wrong";
    }
}

void mb_loaded_fault(request_rec *r, const bh_step_t *step, bh_fault_t fault) {
    static uint64_t next_ms;
    if (!mb_minute_passed(&next_ms)) return;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0401: candidacy function %s %s: its result is ignored", step->name,
                  describe(fault));
}
