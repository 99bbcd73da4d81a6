/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Directives: the engine, and the farms, which all of httpd's servers share. */

#include "athena/ma_athena.h"

/* Of this configuration. */
static apr_array_header_t *farms;

static int forget(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    farms = apr_array_make(pconf, 4, sizeof(ma_farm *));
    return OK;
}

int ma_farm_count(void) { return farms->nelts; }
ma_farm *ma_farm_at(int place) { return APR_ARRAY_IDX(farms, place, ma_farm *); }

const ma_member *ma_member_at(const ma_farm *farm, int place) {
    return APR_ARRAY_IDX(farm->members, place, const ma_member *);
}

const ma_farm *ma_farm_find(bh_piece_t name) {
    for (int i = 0; i < farms->nelts; i++) {
        const char *own = ma_farm_at(i)->config.name;
        if (ap_cstr_casecmpn(own, name.start, name.length) == 0 && !own[name.length]) return ma_farm_at(i);
    }
    return NULL;
}

/* ---- Settings ---- */

void *ma_server_create(apr_pool_t *pool, server_rec *server) {
    ma_server *settings = apr_pcalloc(pool, sizeof *settings);
    settings->engine = -1;
    return settings;
}

void *ma_server_merge(apr_pool_t *pool, void *base, void *add) {
    ma_server *result = apr_pmemdup(pool, add, sizeof *result);
    if (result->engine < 0) result->engine = ((ma_server *)base)->engine;
    if (!result->path) result->path = ((ma_server *)base)->path;
    if (!result->updaters) result->updaters = ((ma_server *)base)->updaters;
    if (!result->keys) result->keys = ((ma_server *)base)->keys;
    return result;
}

void *ma_section_create(apr_pool_t *pool, char *path) { return apr_pcalloc(pool, sizeof(ma_farm)); }

ma_server *ma_server_of(const server_rec *server) {
    return ap_get_module_config(server->module_config, &athena_module);
}

/* ---- Lines ---- */

static const char *set_engine(cmd_parms *cmd, void *section, int on) {
    ma_server_of(cmd->server)->engine = on;
    return NULL;
}

static const char *set_path(cmd_parms *cmd, void *section, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    if (*path != '/' || length < 2)
        return apr_psprintf(cmd->pool, "AthPath '%s': a path of URLs is wanted, such as " MA_PATH_DEFAULT, path);
    ma_server_of(cmd->server)->path = apr_pstrmemdup(cmd->pool, path, length);
    return NULL;
}

/* "10.0.0.4", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "10.1", as `Require ip` has it. */
static const char *add_updaters(cmd_parms *cmd, void *section, const char *text) {
    ma_server *settings = ma_server_of(cmd->server);
    char *base = apr_pstrdup(cmd->pool, text), *mask = strchr(base, '/');
    apr_ipsubnet_t *network;
    if (mask) *mask++ = '\0';
    if (apr_ipsubnet_create(&network, base, mask, cmd->pool) != APR_SUCCESS)
        return apr_psprintf(cmd->pool, "AthAcceptUpdates '%s': an address is wanted, or one with a mask: 10.0.0.0/8",
                            text);
    if (!settings->updaters) settings->updaters = apr_array_make(cmd->pool, 2, sizeof network);
    APR_ARRAY_PUSH(settings->updaters, apr_ipsubnet_t *) = network;
    return NULL;
}

/* While httpd still is root. */
static const char *read_keys(cmd_parms *cmd, const char *file, const void **keys) {
    const char *name = cmd->cmd->name;
    if (*keys) return apr_pstrcat(cmd->pool, name, ": there is one already; its file has room for a second key", NULL);
    const char *wrong = ma_core->read_key(cmd->pool, file, keys);
    return wrong ? apr_pstrcat(cmd->pool, name, ": ", wrong, NULL) : NULL;
}

static const char *set_update_key(cmd_parms *cmd, void *section, const char *file) {
    return read_keys(cmd, file, &ma_server_of(cmd->server)->keys);
}

/* Each configuration is read twice; a restart reads it once. */
static const char *accept_line(cmd_parms *cmd, void *section, const char *value) {
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG)
        ap_log_error(APLOG_MARK, APLOG_INFO | APLOG_STARTUP, 0, cmd->server,
                     "%s is not needed: mod_backhand's shared memory has the state of farms", cmd->cmd->name);
    return NULL;
}

static const char *read_line(cmd_parms *cmd, int count, const char *const words[], int is_pattern,
                             bh_ath_line_t *line) {
    char error[BH_ATH_ERROR_SIZE];
    if (ma_core->line_read(words, (uint32_t)count, is_pattern, line, error, sizeof error) == BH_ATH_OK) return NULL;
    return apr_pstrcat(cmd->pool, cmd->cmd->name, " ", error, NULL);
}

static const char *add_member(cmd_parms *cmd, void *section, int count, char *const words[]) {
    ma_farm *farm = section;
    bh_ath_line_t line;
    if (!count) return "AthMember: a name or an address is wanted";
    const char *wrong = read_line(cmd, count, (const char *const *)words, 0, &line);
    if (wrong) return wrong;
    for (int i = 0; i < farm->members->nelts; i++)
        if (ap_cstr_casecmp(ma_member_at(farm, i)->text, words[0]) == 0)
            return apr_psprintf(cmd->pool, "AthMember %s: farm %s has it already", words[0], farm->config.name);
    ma_member *member = apr_pcalloc(cmd->pool, sizeof *member);
    const char *host = apr_pstrmemdup(cmd->pool, line.host.start, line.host.length);
    *member =
        (ma_member){.text = words[0], .host = host, .port = line.port, .weight = line.weight, .forward = line.forward};
    APR_ARRAY_PUSH(farm->members, ma_member *) = member;
    farm->has_forwards |= line.forward != NULL;
    return NULL;
}

static const char *add_members(cmd_parms *cmd, void *section, const char *text, const char *factor) {
    const char *const words[] = {text, factor};
    bh_ath_line_t line;
    const ap_regex_t *regex = ap_pregcomp(cmd->pool, text, AP_REG_ICASE | AP_REG_NOSUB);
    if (!regex) return apr_psprintf(cmd->pool, "AthMembers '%s': a regular expression is wanted", text);
    const char *wrong = read_line(cmd, factor ? 2 : 1, words, 1, &line);
    if (!wrong) APR_ARRAY_PUSH(((ma_farm *)section)->patterns, ma_pattern) = (ma_pattern){regex, line.weight};
    return wrong;
}

static const char *set_cookie_key(cmd_parms *cmd, void *farm, const char *file) {
    return read_keys(cmd, file, &((ma_farm *)farm)->keys);
}

static const char *set_expect(cmd_parms *cmd, void *farm, const char *text) {
    int seconds = 0;
    const char *wrong = ma_core->number(cmd, text, BH_UNIT_SECONDS, 1, 86400, &seconds);
    ((ma_farm *)farm)->config.expect_s = (uint32_t)seconds;
    return wrong;
}

static const char *begin_farm(cmd_parms *cmd, ma_farm *farm, const char *arguments) {
    const char *end = strrchr(arguments, '>'), *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_LOC_FILE | NOT_IN_LIMIT);
    if (wrong) return wrong;
    if (!end) return "<AthFarm> lacks its '>'";
    const char *rest = apr_pstrmemdup(cmd->pool, arguments, (apr_size_t)(end - arguments));
    farm->config.name = ap_getword_conf(cmd->pool, &rest);
    if (!ma_core->farm_name_check(farm->config.name) || *rest)
        return apr_psprintf(cmd->pool, "<AthFarm %s>: one name is wanted, of letters, digits, '.', '_' and '-'",
                            apr_pstrmemdup(cmd->pool, arguments, (apr_size_t)(end - arguments)));
    const ma_farm *other = ma_farm_find((bh_piece_t){farm->config.name, strlen(farm->config.name)});
    farm->place = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    farm->members = apr_array_make(cmd->pool, 4, sizeof(ma_member *));
    farm->patterns = apr_array_make(cmd->pool, 1, sizeof(ma_pattern));
    farm->heard = ma_core->heard_make(cmd->pool, ma_members_weigh, farm);
    return other ? apr_psprintf(cmd->pool, "<AthFarm %s>: the farm is at %s already", farm->config.name, other->place)
                 : NULL;
}

/* What its lines have left. */
static const char *check_farm(cmd_parms *cmd, const ma_farm *farm) {
    if (!farm->members->nelts && !farm->patterns->nelts)
        return apr_psprintf(cmd->pool, "<AthFarm %s> has no AthMember or AthMembers line", farm->config.name);
    if (farm->cookie && !ma_core->cookie_name_check(farm->cookie))
        return apr_psprintf(cmd->pool, "AthCookie '%s': the name of a cookie is wanted, of 64 characters at most",
                            farm->cookie);
    if (!farm->cookie != !farm->keys)
        return apr_psprintf(cmd->pool, "<AthFarm %s>: AthCookie and AthCookieKey need each other", farm->config.name);
    bh_ath_url_t url;
    if (farm->forward && !ma_core->url_split(farm->forward, &url))
        return apr_psprintf(cmd->pool, "AthForward '%s': a whole URL is wanted, such as http://sorry.example.com/",
                            farm->forward);
    return NULL;
}

static const char *read_farm(cmd_parms *cmd, void *section, const char *arguments) {
    ap_conf_vector_t *own = ap_create_per_dir_config(cmd->pool);
    ma_farm *farm = ap_set_config_vectors(cmd->server, own, cmd->path, (module *)(intptr_t)&athena_module, cmd->pool);
    const char *wrong = begin_farm(cmd, farm, arguments);
    if (wrong) return wrong;
    int old_override = cmd->override;
    char *old_path = cmd->path;
    farm->section = own;
    cmd->path = (char *)(intptr_t)farm->config.name;
    cmd->override = OR_ALL | ACCESS_CONF;
    wrong = ap_walk_config(cmd->directive->first_child, cmd, own);
    cmd->override = old_override;
    cmd->path = old_path;
    if (!wrong) wrong = check_farm(cmd, farm);
    if (!wrong) APR_ARRAY_PUSH(farms, ma_farm *) = farm;
    return wrong;
}

#define SLOT(field) (void *)APR_OFFSETOF(ma_farm, field)

/* What an <AthFarm> section has is of ACCESS_CONF, and ma_check.c refuses it elsewhere. */
const command_rec ma_commands[] = {
    AP_INIT_FLAG("AthEngine", set_engine, NULL, RSRC_CONF, "On or Off: whether farms and the engine's path are served"),
    AP_INIT_TAKE1("AthPath", set_path, NULL, RSRC_CONF, "the engine's path: " MA_PATH_DEFAULT " if there is no line"),
    AP_INIT_ITERATE("AthAcceptUpdates", add_updaters, NULL, RSRC_CONF, "addresses or networks whose updates count"),
    AP_INIT_TAKE1("AthUpdateKey", set_update_key, NULL, RSRC_CONF, "a file with the key that signs updates"),
    AP_INIT_TAKE1("AthSHMFile", accept_line, NULL, RSRC_CONF, "accepted, and not needed"),
    AP_INIT_TAKE1("AthAllowDiverseMulti", accept_line, NULL, RSRC_CONF, "accepted, and not needed"),
    AP_INIT_RAW_ARGS("<AthFarm", read_farm, NULL, RSRC_CONF, "a farm: a name for a group of servers"),
    AP_INIT_TAKE_ARGV("AthMember", add_member, NULL, ACCESS_CONF, "a server, loadfactor=number, and forward=URL"),
    AP_INIT_TAKE12("AthMembers", add_members, NULL, ACCESS_CONF, "a pattern of announced names, loadfactor=number"),
    AP_INIT_TAKE1("AthForward", ap_set_string_slot, SLOT(forward), ACCESS_CONF, "a URL if no member takes a request"),
    AP_INIT_FLAG("AthForwardRedirect", ap_set_flag_slot, SLOT(redirects), ACCESS_CONF, "On or Off: by a redirect"),
    AP_INIT_TAKE1("AthCookie", ap_set_string_slot, SLOT(cookie), ACCESS_CONF, "by which the application steers"),
    AP_INIT_TAKE1("AthCookieKey", set_cookie_key, NULL, ACCESS_CONF, "a file with the key that signs such cookies"),
    AP_INIT_TAKE1("AthExpectUpdate", set_expect, NULL, ACCESS_CONF, "seconds within which members send an update"),
    AP_INIT_FLAG("AthMirror", ma_set_mirror, NULL, RSRC_CONF, "On or Off: whether balancers tell each other states"),
    {NULL},
};

void ma_config_register(apr_pool_t *pool) { ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE); }
