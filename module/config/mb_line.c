/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A line of the configuration: its place, what is wrong with it, and the first of each kind, for messages that come later. */

#include "config/mb_config.h"

#include "http_main.h"
#include "apr_lib.h"

#include <errno.h>
#include <stdlib.h>

/* Reset when the configuration is read again. */
static const char *first[MB_FIRSTS];

const char *mb_line_complain(cmd_parms *cmd, const char *why) {
    return apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", why, NULL);
}

int mb_line_is_first_reading(void) {
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG && ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST;
}

const char *mb_line_number(cmd_parms *cmd, const char *text, int least, int most, int *result) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (!apr_isdigit(*text) || *end || errno || number < least || number > most)
        return mb_line_complain(cmd, apr_psprintf(cmd->pool, "'%s' is not a whole number from %d to %d", text, least, most));
    *result = (int)number;
    return NULL;
}

const char *mb_line_place(const cmd_parms *cmd) {
    return apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
}

void mb_line_note(const cmd_parms *cmd, int kind) {
    if (!first[kind]) first[kind] = mb_line_place(cmd);
}

const char *mb_line_first(int kind) { return first[kind]; }

static int forget(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    (void)pconf, (void)plog, (void)ptemp;
    memset(first, 0, sizeof first);
    return OK;
}

void mb_line_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE);
}
