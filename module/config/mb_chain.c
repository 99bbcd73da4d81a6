/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The lines of chains: Backhand and BackhandFromSO. */

#include "config/mb_config.h"

/* Chains that were read; reset when the configuration is read again, so that a restart gives each its number again. */
static uint32_t chains;

/* The path of the <Directory> section around a line; NULL: there is none, or a pattern in its place. */
static const char *directory_around(const cmd_parms *cmd) {
    for (const ap_directive_t *section = cmd->directive->parent; section; section = section->parent) {
        if (ap_cstr_casecmp(section->directive, "<Directory") != 0) continue;
        const char *end = strrchr(section->args, '>'),
                   *rest = apr_pstrmemdup(cmd->temp_pool, section->args, end ? (apr_size_t)(end - section->args) : 0);
        const char *path = ap_getword_conf(cmd->temp_pool, &rest); /* "~" before an expression */
        return *path == '/' && !ap_is_matchexp(path) ? path : NULL;
    }
    return NULL;
}

/* A chain that no request will ever find. */
static void warn_of_missing(cmd_parms *cmd) {
    apr_finfo_t info;
    const char *path = directory_around(cmd);
    if (!path || mb_line_is_first_reading()) return;
    apr_status_t status = apr_stat(&info, path, APR_FINFO_TYPE, cmd->temp_pool);
    if (!APR_STATUS_IS_ENOENT(status) && !APR_STATUS_IS_ENOTDIR(status)) return;
    ap_log_error(
        APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, cmd->server,
        "BH0122: the Backhand chain at %s:%d is for the directory %s, which does not exist: no request comes to it",
        cmd->directive->filename, cmd->directive->line_num, path);
}

/* The section of mod_athena. */
#define FARM "<AthFarm"

/* Whether the line is for the members of a balancer or a farm, and not for requests to this server. */
static int is_for_members(const cmd_parms *cmd) {
    const ap_directive_t *section = cmd->directive->parent;
    while (section && ap_cstr_casecmp(section->directive, "<Proxy") != 0
           && ap_cstr_casecmp(section->directive, FARM) != 0)
        section = section->parent;
    if (!section) return 0;
    if (ap_cstr_casecmp(section->directive, FARM) == 0) return 1;
    const char *rest = section->args, *url = ap_getword_conf(cmd->temp_pool, &rest);
    return ap_cstr_casecmpn(url, "balancer:", sizeof "balancer:" - 1) == 0;
}

/* Where the lines of the section's chain go. */
static mb_directory *chain_of(const cmd_parms *cmd, mb_directory *settings) {
    if (!is_for_members(cmd)) return settings;
    if (!settings->of_members) settings->of_members = mb_directory_create(cmd->pool, NULL);
    return settings->of_members;
}

/* The section's own chain, made when its first line is read. */
static const char *append(cmd_parms *cmd, mb_directory *settings, const bh_step_t *step) {
    if (is_for_members(cmd) && ap_cstr_casecmp(cmd->directive->parent->directive, "<Proxy") != 0
        && ap_cstr_casecmp(cmd->directive->parent->directive, FARM) != 0)
        return mb_line_complain(cmd, "%s within <Proxy>: the chain of members is the same for all requests",
                                cmd->directive->parent->directive);
    settings = chain_of(cmd, settings);
    if (!settings->steps) settings->steps = apr_array_make(cmd->pool, 4, sizeof(bh_step_t));
    if (settings->steps->nelts >= BH_STEPS_MAX)
        return mb_line_complain(cmd, "more than %d functions in one chain", BH_STEPS_MAX);
    APR_ARRAY_PUSH(settings->steps, bh_step_t) = *step;
    if (!settings->place) settings->place = mb_line_place(cmd);
    /* No other function of ours takes such a text. */
    if (step->function != BH_FUNCTION_LOADED && step->argument && !settings->cookie)
        settings->cookie = bh_session_line(step->argument);
    /* in .htaccess: it shares a slot with others */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_RUN_MPM) return NULL;
    if (!settings->chain) {
        settings->chain = ++chains;
        warn_of_missing(cmd);
    }
    if (is_for_members(cmd)) return NULL;
    mb_line_note(cmd, MB_FIRST_CHAIN);
    if (strcmp(step->name, "addPrediction") == 0) mb_line_note(cmd, MB_FIRST_PREDICTION);
    return NULL;
}

const char *mb_chain_add_line(cmd_parms *cmd, void *directory, int count, char *const words[]) {
    mb_directory *settings = directory;
    char error[BH_ERROR_SIZE];
    bh_step_t step;
    bool ends;
    if (bh_words_check((const char *const *)words, (size_t)count, &ends, error, sizeof error) != BH_OK)
        return mb_line_complain(cmd, "%s", error);
    if (ends) {
        chain_of(cmd, settings)->steps = apr_array_make(cmd->pool, 1, sizeof(bh_step_t));
        return NULL;
    }
    if (bh_step_parse(words[0], count == 2 ? words[1] : NULL, &step, error, sizeof error) != BH_OK)
        return mb_line_complain(cmd, "%s", error);
    return append(cmd, settings, &step);
}

const char *mb_chain_add_loaded(cmd_parms *cmd, void *directory, const char *file, const char *name,
                                const char *argument) {
    bh_step_t step;
    const char *wrong = mb_loaded_find(cmd, file, name, argument, &step);
    return wrong ? wrong : append(cmd, directory, &step);
}

static int forget(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    chains = 0;
    return OK;
}

void mb_chain_register(apr_pool_t *pool) { ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE); }
