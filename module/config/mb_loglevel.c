/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* BackhandLogLevel, the old way to ask for more lines: facilities and levels of mod_backhand, mapped to LogLevel
 * backhand:…. httpd has one level for a module, so the highest that any facility was given counts. */

#include "config/mb_config.h"

/* What httpd takes for "nothing was said here, look at the surrounding section"; its name is private to httpd. */
#define LEVEL_UNSET (APLOG_NO_MODULE - 1)
#define LEVELS 4

static const char *const facilities[] = {"mbcs", "dcsn", "net", NULL};
static const int level_of[LEVELS] = {APLOG_INFO, APLOG_DEBUG, APLOG_TRACE1, APLOG_TRACE8};

/* Where httpd keeps the levels of this section, or of this server. */
static struct ap_logconf *levels_of(cmd_parms *cmd) {
    if (!cmd->path) return &cmd->server->log;
    /* In sections of other modules, as <Proxy>, the core's settings are made by its first line, which may come after
     * ours. */
    core_dir_config *section = ap_set_config_vectors(cmd->server, cmd->context, cmd->path, &core_module, cmd->pool);
    if (!section->log) section->log = ap_new_log_config(cmd->pool, NULL);
    return section->log;
}

/* "+dcsn2" as bits: four for each facility. 0: it cannot be read. */
static unsigned int read_bits(const char *text) {
    for (int i = 0; facilities[i]; i++) {
        size_t length = strlen(facilities[i]);
        const char *level = text + length;
        if (ap_cstr_casecmpn(text, facilities[i], length) != 0) continue;
        if (ap_cstr_casecmp(level, "all") == 0) return 0xfu << (LEVELS * i);
        if (*level >= '1' && *level <= '4' && !level[1]) return 1u << (LEVELS * i + *level - '1');
    }
    return 0;
}

/* The most that any facility was given. */
static int highest(unsigned int bits) {
    int found = 0;
    for (int bit = 0; bits >> bit; bit++)
        if (bits >> bit & 1 && bit % LEVELS > found) found = bit % LEVELS;
    return level_of[found];
}

const char *mb_loglevel_set(cmd_parms *cmd, void *directory, const char *text) {
    mb_log *log = cmd->path ? &((mb_directory *)directory)->log : &mb_server_of(cmd->server)->log;
    struct ap_logconf *levels = levels_of(cmd);
    int here = backhand_module.module_index;
    unsigned int bits = *text == '+' || *text == '-' ? read_bits(text + 1) : 0;
    if (!bits)
        return mb_line_complain(
            cmd, "'%s' is not a log level: give + or -, then mbcs, dcsn or net, then all, 1, 2, 3 or 4, as +dcsnall",
            text);
    /* What LogLevel lines before ours said. */
    if (!log->bits) log->before = levels->module_levels ? levels->module_levels[here] : LEVEL_UNSET;
    if (*text == '+') log->bits |= bits;
    else log->bits &= ~bits;
    int level = log->bits ? highest(log->bits) : log->before;
    if (log->bits && log->before > level) level = log->before;
    ap_set_module_loglevel(cmd->pool, levels, here, level);
    return NULL;
}
