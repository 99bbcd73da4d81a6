/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A line of the configuration: its place, what is wrong with it, and the first of each kind, for messages that come
 * later. */

#include "config/mb_config.h"

#include "http_main.h"

#include <stdarg.h>

/* Reset when the configuration is read again. */
static const char *first[MB_FIRSTS];

const char *mb_line_complain(cmd_parms *cmd, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *why = apr_pvsprintf(cmd->pool, format, arguments);
    va_end(arguments);
    return apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", why, NULL);
}

int mb_line_is_first_reading(void) {
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG
           && ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST;
}

const char *mb_line_number(cmd_parms *cmd, const char *text, bh_unit_t unit, int least, int most, int *result) {
    char error[BH_ERROR_SIZE];
    uint32_t number;
    if (bh_number_parse(text, unit, (uint32_t)least, (uint32_t)most, &number, error, sizeof error) != BH_OK)
        return mb_line_complain(cmd, "%s", error);
    *result = (int)number;
    return NULL;
}

const char *mb_line_choose(cmd_parms *cmd, const char *text, const char *const *words, size_t count, int *chosen) {
    char error[BH_ERROR_SIZE];
    uint32_t found;
    if (bh_word_choose(text, words, count, true, &found, error, sizeof error) != BH_OK)
        return mb_line_complain(cmd, "%s", error);
    *chosen = (int)found;
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
    memset(first, 0, sizeof first);
    return OK;
}

void mb_line_register(apr_pool_t *pool) { ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE); }
