/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* States of farms and members: the core keeps them in the segment, and this httpd's parent says which farms there are.
 */

#include "athena/ma_athena.h"

/* What farms add to the moderator and to the status page. */
static bh_extension_t extension;

static int forget(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    extension = (bh_extension_t){.command = bh_farms_command, .page = bh_farms_page};
    return OK;
}

const char *ma_set_mirror(cmd_parms *cmd, void *section, int on) {
    extension.announce = on ? bh_farms_announce : NULL;
    extension.hear = on ? bh_farms_hear : NULL;
    return NULL;
}

const char *ma_set_expect(cmd_parms *cmd, void *section, const char *text) {
    ma_farm *farm = section;
    char *end;
    long seconds = strtol(text, &end, 10);
    if (!farm->name) return "AthExpectUpdate belongs into an <AthFarm> section";
    if (*end || end == text || seconds < 1 || seconds > 86400)
        return apr_psprintf(cmd->pool, "AthExpectUpdate '%s': a number of seconds from 1 to 86400 is wanted", text);
    farm->config.expect_s = (uint32_t)seconds;
    return NULL;
}

/* Before the moderator is made. */
static int extend(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    if (ma_farms()->nelts) *mb_passage_core()->extension = &extension;
    return OK;
}

static void describe(apr_pool_t *pool, ma_farm *farm) {
    uint32_t *weights = apr_palloc(pool, (size_t)farm->members->nelts * sizeof *weights);
    bh_named_t **members = apr_palloc(pool, (size_t)farm->members->nelts * sizeof *members);
    for (int i = 0; i < farm->members->nelts; i++) {
        ma_member *member = APR_ARRAY_IDX(farm->members, i, ma_member *);
        members[i] = &member->named;
        weights[i] = member->weight;
    }
    farm->config.name = farm->name;
    farm->config.members = members;
    farm->config.weights = weights;
    farm->config.member_count = (uint32_t)farm->members->nelts;
}

/* When the members have rows. */
static int write_table(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    const apr_array_header_t *farms = ma_farms();
    bh_farm_config_t **configs = apr_palloc(ptemp, (size_t)farms->nelts * sizeof *configs);
    const backhand_core *core = mb_passage_core();
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG || !core) return OK;
    for (int i = 0; i < farms->nelts; i++) {
        ma_farm *farm = APR_ARRAY_IDX(farms, i, ma_farm *);
        describe(ptemp, farm);
        configs[i] = &farm->config;
    }
    bh_farms_write(*core->segment, configs, (uint32_t)farms->nelts, core->now_us() / 1000);
    return OK;
}

int ma_choice_narrow(apr_pool_t *pool, const ma_farm *farm, ma_choice *choice) {
    const backhand_core *core = mb_passage_core();
    choice->places = apr_palloc(pool, (size_t)choice->count * sizeof *choice->places);
    choice->count = (int)bh_farm_select(*core->segment, farm->config.number, core->now_us() / 1000, choice->candidates,
                                        choice->places, (uint32_t)choice->count);
    return choice->count > 0;
}

void ma_states_register(apr_pool_t *pool) {
    ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(extend, NULL, NULL, APR_HOOK_LAST);
    /* After mod_backhand, which gives rows. */
    ap_hook_post_config(write_table, NULL, NULL, APR_HOOK_REALLY_LAST + 1);
}
