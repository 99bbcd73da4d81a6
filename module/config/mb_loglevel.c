/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandLogLevel, the old way to ask for more lines: facilities and levels of mod_backhand, mapped to LogLevel
 * backhand:…. httpd has one level for a module, so the highest that any facility was given counts. */

#include "config/mb_config.h"

/* What httpd takes for "nothing was said here, look at the surrounding section"; its name is private to httpd. */
#define LEVEL_UNSET (APLOG_NO_MODULE - 1)

/* By the highest level of mod_backhand, from 1 on. */
static const int level_of[] = {0, APLOG_INFO, APLOG_DEBUG, APLOG_TRACE1, APLOG_TRACE8};

/* Where httpd keeps the levels of this section, or of this server. */
static struct ap_logconf *levels_of(cmd_parms *cmd) {
    if (!cmd->path) return &cmd->server->log;
    /* In sections of other modules, as <Proxy>, the core's settings are made by its first line, which may come after
     * ours. */
    core_dir_config *section = ap_set_config_vectors(cmd->server, cmd->context, cmd->path, &core_module, cmd->pool);
    if (!section->log) section->log = ap_new_log_config(cmd->pool, NULL);
    return section->log;
}

const char *mb_loglevel_set(cmd_parms *cmd, void *directory, const char *text) {
    mb_log *log = cmd->path ? &((mb_directory *)directory)->log : &mb_server_of(cmd->server)->log;
    struct ap_logconf *levels = levels_of(cmd);
    int here = backhand_module.module_index;
    char error[BH_ERROR_SIZE];
    uint32_t bits, highest;
    if (bh_loglevel_read(log->bits, text, &bits, &highest, error, sizeof error) != BH_OK)
        return mb_line_complain(cmd, "%s", error);
    /* What LogLevel lines before ours said. */
    if (!log->bits) log->before = levels->module_levels ? levels->module_levels[here] : LEVEL_UNSET;
    log->bits = bits;
    int level = bits ? level_of[highest] : log->before;
    if (bits && log->before > level) level = log->before;
    ap_set_module_loglevel(cmd->pool, levels, here, level);
    return NULL;
}
