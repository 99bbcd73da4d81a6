/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The servers that a configuration names, and the table of farms in the segment: the core keeps their states, and this
 * httpd's parent says which there are. */

#include "athena/ma_athena.h"

static int is_mirrored;

static int forget(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    is_mirrored = 0;
    return OK;
}

const char *ma_set_mirror(cmd_parms *cmd, void *section, int on) {
    is_mirrored = on;
    return NULL;
}

/* As mod_proxy resolves it: a name may have several addresses, and the first counts. */
static apr_sockaddr_t *resolve(apr_pool_t *ptemp, const ma_farm *farm, const ma_member *member, apr_port_t port) {
    apr_sockaddr_t *address;
    const char *host =
        *member->host == '[' ? apr_pstrmemdup(ptemp, member->host + 1, strlen(member->host) - 2) : member->host;
    apr_status_t failed = apr_sockaddr_info_get(&address, host, APR_UNSPEC, port, 0, ptemp);
    if (!failed) return address;
    ap_log_error(APLOG_MARK, APLOG_NOTICE, failed, ap_server_conf,
                 "BH0190: AthMember %s of the farm %s has no address now: what it announces does not count until the "
                 "next restart",
                 member->text, farm->config.name);
    return NULL;
}

/* A member is the same server in all farms that have it. */
static void name_farm(apr_pool_t *pconf, apr_pool_t *ptemp, ma_farm *farm) {
    int count = farm->members->nelts;
    bh_named_t **members = apr_palloc(pconf, (size_t)count * sizeof *members);
    uint32_t *weights = apr_palloc(pconf, (size_t)count * sizeof *weights);
    for (int i = 0; i < count; i++) {
        ma_member *member = APR_ARRAY_IDX(farm->members, i, ma_member *);
        apr_port_t port = member->port ? member->port : DEFAULT_HTTP_PORT;
        apr_ssize_t length = APR_HASH_KEY_STRING;
        members[i] = &member->named;
        weights[i] = member->weight;
        ma_core->name(pconf, &member->named, member->text, resolve(ptemp, farm, member, port), port,
                      apr_hashfunc_default(member->text, &length));
    }
    farm->config.members = members;
    farm->config.weights = weights;
    farm->config.member_count = (uint32_t)count;
}

/* Before the moderator is made, and the members get rows. */
static int name_all(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) return OK;
    for (int i = 0; i < ma_farm_count(); i++) name_farm(pconf, ptemp, ma_farm_at(i));
    if (ma_farm_count()) ma_core->show_farms(is_mirrored);
    return OK;
}

static int write_table(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    int count = ma_farm_count();
    bh_farm_config_t **configs = apr_palloc(ptemp, (size_t)count * sizeof *configs);
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG || !ma_core) return OK;
    for (int i = 0; i < count; i++) configs[i] = &ma_farm_at(i)->config;
    ma_core->farms_write(*ma_core->segment, configs, (uint32_t)count, ma_core->now_ms());
    return OK;
}

void ma_table_register(apr_pool_t *pool) {
    ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(name_all, NULL, NULL, APR_HOOK_LAST);
    /* After mod_backhand, which gives rows. */
    ap_hook_post_config(write_table, NULL, NULL, APR_HOOK_REALLY_LAST + 1);
}
