/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What a configuration with farms must have. */

#include "athena/ma_athena.h"

const backhand_core *ma_core;
/* As BackhandRetries and BackhandRetryTimeout are for chains. */
const backhand_door ma_door = {.owner = &athena_module, .retries = 2, .most_us = UINT64_C(30000000)};

/* What it has logged keeps httpd from starting. */
#define REFUSED HTTP_INTERNAL_SERVER_ERROR

static int complain(const char *what) {
    ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, NULL,
                 "BH0168: mod_athena needs %s, which is not loaded: add its LoadModule line", what);
    return REFUSED;
}

/* ---- Before the lines are carried out: which directives there are ---- */

/* Most names of the original's directives are lost, so each unknown name that begins as they do counts as one. */
static int check_name(const ap_directive_t *line) {
    module *first = ap_top_module;
    if (ap_cstr_casecmpn(line->directive + (*line->directive == '<'), "Ath", 3) != 0) return OK;
    const command_rec *known = ap_find_command_in_modules(line->directive, &first);
    if (!known)
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, NULL,
                     "BH0174: %s at %s:%d is not a directive of this mod_athena: docs/upgrading-from-mod_athena.md "
                     "says what takes the place of the old ones",
                     line->directive, line->filename, line->line_num);
    else if (known->req_override == ACCESS_CONF
             && (!line->parent || ap_cstr_casecmp(line->parent->directive, "<AthFarm") != 0))
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, NULL,
                     "BH0175: %s at %s:%d belongs into an <AthFarm> section", line->directive, line->filename,
                     line->line_num);
    else return ma_core ? OK : complain("mod_backhand");
    return REFUSED;
}

static int check_names(const ap_directive_t *line) {
    int result = OK;
    for (; line && result == OK; line = line->next)
        if ((result = check_name(line)) == OK) result = check_names(line->first_child);
    return result;
}

static int begin(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    APR_OPTIONAL_FN_TYPE(backhand_core_of) *core_of = APR_RETRIEVE_OPTIONAL_FN(backhand_core_of);
    ma_core = core_of ? core_of(BH_BORDER_VERSION) : NULL;
    return check_names(ap_conftree);
}

/* ---- Lines that send requests to a farm ---- */

/* The first farm that the line names; NULL: none. wrong: why no farm can stand there; NULL: one can. */
static const ma_farm *farm_in(const ap_directive_t *line, const char **wrong) {
    const ma_farm *farm = NULL;
    bh_piece_t host = {NULL, 0};
    while (!farm && ma_core->line_host(line->directive, line->args, &host, wrong)) farm = ma_farm_find(host);
    return farm;
}

/* OK, or not: the line is for a farm, and cannot be meant so. */
static int check_line(apr_pool_t *ptemp, server_rec *all, const ap_directive_t *line) {
    const char *wrong;
    const ma_farm *farm = farm_in(line, &wrong);
    if (!farm) return OK;
    const ap_directive_t *chain = ma_core->line_chain(ptemp, line);
    const char *place = apr_psprintf(ptemp, "%s at %s:%d", line->directive, line->filename, line->line_num);
    const char *name = apr_psprintf(ptemp, "the farm %s of %s", farm->config.name, farm->place);
    if (wrong)
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, all, "BH0191: %s names %s, and %s", place, name, wrong);
    else if (ma_server_of(ma_core->line_server(all, line))->engine != 1)
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, all, "BH0169: %s names %s, and AthEngine is Off there",
                     place, name);
    else if (chain)
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, all,
                     "BH0194: %s names %s, and Backhand at %s:%d is a chain for the same URLs", place, name,
                     chain->filename, chain->line_num);
    else return OK;
    return REFUSED;
}

static int check_lines(apr_pool_t *ptemp, server_rec *all, const ap_directive_t *line) {
    int result = OK;
    for (; line && result == OK; line = line->next)
        if ((result = check_line(ptemp, all, line)) == OK) result = check_lines(ptemp, all, line->first_child);
    return result;
}

/* ---- Farms ---- */

/* Members and forwards are servers: requests that go there are not sent to a farm again. line: the line up to it. */
static int check_host(const char *line, const char *text, bh_piece_t host) {
    const ma_farm *other = ma_farm_find(host);
    if (!other) return OK;
    ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, NULL, "BH0193: %s'%s' points at the farm %s of %s", line,
                 text, other->config.name, other->place);
    return REFUSED;
}

static int check_forward(const char *line, const char *text) {
    bh_ath_url_t url;
    return text && ma_core->url_split(text, &url) ? check_host(line, text, url.host) : OK;
}

static int check_member(apr_pool_t *ptemp, const ma_farm *farm, const ma_member *member) {
    const char *line = apr_psprintf(ptemp, "AthMember %s of the farm %s: ", member->text, farm->config.name);
    int result = check_host(line, member->host, (bh_piece_t){member->host, strlen(member->host)});
    return result == OK ? check_forward(apr_pstrcat(ptemp, line, "forward=", NULL), member->forward) : result;
}

static int check_farm(apr_pool_t *ptemp, const ma_farm *farm) {
    int result = check_forward("AthForward ", farm->forward);
    for (int i = 0; i < farm->members->nelts && result == OK; i++)
        result = check_member(ptemp, farm, ma_member_at(farm, i));
    if (farm->patterns->nelts && !ma_core->lines_have(ap_conftree, "MulticastStats"))
        ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, NULL,
                     "BH0192: the farm %s of %s has AthMembers lines, and no server can be heard, because there is no "
                     "MulticastStats line",
                     farm->config.name, farm->place);
    return result;
}

static int check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    if (!ma_proxy_find() && ma_farm_count()) return complain("mod_proxy");
    if (!ma_farm_count()) return OK;
    int result = check_lines(ptemp, server, ap_conftree);
    for (int i = 0; i < ma_farm_count() && result == OK; i++) result = check_farm(ptemp, ma_farm_at(i));
    return result;
}

void ma_check_register(apr_pool_t *pool) {
    ap_hook_pre_config(begin, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check, NULL, NULL, APR_HOOK_MIDDLE);
}
