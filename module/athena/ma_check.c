/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What a configuration with farms must have, and the servers that it names. */

#include "athena/ma_athena.h"

/* As BackhandRetries and BackhandRetryTimeout are for chains. */
static const mb_passage_rules rules = {.retries = 2, .most_us = UINT64_C(30000000)};

static int complain(server_rec *server, const char *what) {
    ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, server,
                 "BH0168: mod_athena needs %s, which is not loaded: add its LoadModule line", what);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- Lines that send requests to a farm ---- */

/* The farm that one of the line's URLs names; NULL: none does. */
static const ma_farm *farm_in(const char *text) {
    for (const char *mark = strstr(text, "://"); mark; mark = strstr(mark + 1, "://")) {
        const ma_farm *farm = ma_farm_find((bh_piece_t){mark + 3, strcspn(mark + 3, "/:?# \t\"'>|")});
        if (farm) return farm;
    }
    return NULL;
}

static int sends_requests(const ap_directive_t *line) {
    static const char *const names[] = {"ProxyPass", "ProxyPassMatch", "SetHandler", "RewriteRule"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ap_cstr_casecmp(line->directive, names[i]) == 0) return 1;
    return 0;
}

/* OK, or not: the line is for a farm, and cannot be meant so. */
static int check_line(apr_pool_t *ptemp, server_rec *all, const ap_directive_t *line) {
    const ma_farm *farm = sends_requests(line) && line->args ? farm_in(line->args) : NULL;
    if (!farm) return OK;
    const ap_directive_t *chain = mb_lines_chain(ptemp, line);
    if (ma_server_of(mb_lines_server(all, line))->engine != 1)
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, all,
                     "BH0169: %s at %s:%d names the farm %s of %s, and AthEngine is Off there", line->directive,
                     line->filename, line->line_num, farm->name, farm->place);
    else if (ap_strcasestr(line->args, "unix:/") && strchr(line->args, '|'))
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, all,
                     "BH0191: %s at %s:%d names a socket and the farm %s of %s", line->directive, line->filename,
                     line->line_num, farm->name, farm->place);
    else if (chain)
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, all,
                     "BH0194: %s at %s:%d names the farm %s of %s, and Backhand at %s:%d is a chain for the same URLs",
                     line->directive, line->filename, line->line_num, farm->name, farm->place, chain->filename,
                     chain->line_num);
    else return OK;
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* OK, or the first line that is not. */
static int check_lines(apr_pool_t *ptemp, server_rec *all, const ap_directive_t *line) {
    for (; line; line = line->next) {
        if (check_line(ptemp, all, line) != OK) return HTTP_INTERNAL_SERVER_ERROR;
        if (line->first_child && check_lines(ptemp, all, line->first_child) != OK) return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* ---- Farms ---- */

/* A forward is a server's URL: requests that go there are not sent to a farm again. line: the line up to it. */
static int check_forward(server_rec *server, const char *line, const char *text) {
    const ma_farm *other = text ? farm_in(text) : NULL;
    if (!other) return OK;
    ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, server, "BH0193: %s'%s' points at the farm %s of %s", line,
                 text, other->name, other->place);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_farm(apr_pool_t *ptemp, server_rec *server, const ma_farm *farm) {
    int result = check_forward(server, "AthForward ", farm->forward);
    for (int i = 0; i < farm->members->nelts && result == OK; i++) {
        const ma_member *member = APR_ARRAY_IDX(farm->members, i, const ma_member *);
        const char *line = apr_psprintf(ptemp, "AthMember %s of the farm %s: forward=", member->text, farm->name);
        result = check_forward(server, line, member->forward);
    }
    if (farm->patterns->nelts && !mb_lines_have(ap_conftree, "MulticastStats"))
        ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, server,
                     "BH0192: the farm %s of %s has AthMembers lines, and no server can be heard, because there is no "
                     "MulticastStats line",
                     farm->name, farm->place);
    return result;
}

static int check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    int has_proxy = ma_proxy_find(), has_core = mb_passage_prepare(&athena_module, rules);
    if (!ma_farms()->nelts && !ma_keys_are_noted()) return OK;
    if (!has_core) return complain(server, "mod_backhand");
    if (ma_keys_read(pconf, server) != OK) return HTTP_INTERNAL_SERVER_ERROR;
    if (!has_proxy) return complain(server, "mod_proxy");
    int result = check_lines(ptemp, server, ap_conftree);
    for (int i = 0; i < ma_farms()->nelts && result == OK; i++)
        result = check_farm(ptemp, server, APR_ARRAY_IDX(ma_farms(), i, const ma_farm *));
    return result;
}

/* ---- Members ---- */

/* As mod_proxy resolves it: a name may have several addresses, and the first counts. */
static apr_sockaddr_t *resolve(apr_pool_t *ptemp, const ma_farm *farm, const ma_member *member) {
    apr_sockaddr_t *address;
    apr_port_t port = member->port ? member->port : DEFAULT_HTTP_PORT;
    const char *host =
        *member->host == '[' ? apr_pstrmemdup(ptemp, member->host + 1, strlen(member->host) - 2) : member->host;
    apr_status_t failed = apr_sockaddr_info_get(&address, host, APR_UNSPEC, port, 0, ptemp);
    if (!failed) return address;
    ap_log_error(APLOG_MARK, APLOG_NOTICE, failed, ap_server_conf,
                 "BH0190: AthMember %s of the farm %s has no address now: what it announces does not count until the "
                 "next restart",
                 member->text, farm->name);
    return NULL;
}

/* A member is the same server in all farms that have it. */
static int name_all(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    const apr_array_header_t *farms = ma_farms();
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) return OK;
    for (int i = 0; i < farms->nelts; i++) {
        const ma_farm *farm = APR_ARRAY_IDX(farms, i, const ma_farm *);
        for (int j = 0; j < farm->members->nelts; j++) {
            ma_member *member = APR_ARRAY_IDX(farm->members, j, ma_member *);
            apr_ssize_t length = APR_HASH_KEY_STRING;
            mb_passage_name(pconf, &member->named, member->text, resolve(ptemp, farm, member),
                            member->port ? member->port : DEFAULT_HTTP_PORT,
                            apr_hashfunc_default(member->text, &length));
        }
    }
    return OK;
}

void ma_check_register(apr_pool_t *pool) {
    ap_hook_check_config(check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(name_all, NULL, NULL, APR_HOOK_LAST);
}
