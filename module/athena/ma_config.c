/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Directives: the engine, and the farms, which all of httpd's servers share. */

#include "athena/ma_athena.h"

#define PATH_DEFAULT "/athena"
/* A member's share is a whole number of hundredths in the core. */
#define LOADFACTOR_MOST 100

/* Of this configuration. */
static apr_array_header_t *farms;

static int forget(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    farms = apr_array_make(pconf, 4, sizeof(ma_farm *));
    return OK;
}

const apr_array_header_t *ma_farms(void) { return farms; }

const ma_farm *ma_farm_find(bh_piece_t name) {
    for (int i = 0; i < farms->nelts; i++) {
        const ma_farm *farm = APR_ARRAY_IDX(farms, i, const ma_farm *);
        if (bh_ath_names_equal((bh_piece_t){farm->name, strlen(farm->name)}, name)) return farm;
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
    if (!result->key) result->key = ((ma_server *)base)->key;
    return result;
}

void *ma_section_create(apr_pool_t *pool, char *path) { return apr_pcalloc(pool, sizeof(ma_farm)); }

const ma_server *ma_server_of(const server_rec *server) {
    return ap_get_module_config(server->module_config, &athena_module);
}

/* ---- Lines ---- */

static const char *set_engine(cmd_parms *cmd, void *section, int on) {
    ((ma_server *)ap_get_module_config(cmd->server->module_config, &athena_module))->engine = on;
    return NULL;
}

static const char *set_path(cmd_parms *cmd, void *section, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    if (*path != '/' || length < 2)
        return apr_psprintf(cmd->pool, "AthPath '%s': a path of URLs is wanted, such as " PATH_DEFAULT, path);
    ((ma_server *)ap_get_module_config(cmd->server->module_config, &athena_module))->path =
        apr_pstrmemdup(cmd->pool, path, length);
    return NULL;
}

/* "10.0.0.4", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "10.1", as `Require ip` has it. */
static const char *add_updaters(cmd_parms *cmd, void *section, const char *text) {
    ma_server *settings = ap_get_module_config(cmd->server->module_config, &athena_module);
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

static const char *set_update_key(cmd_parms *cmd, void *section, const char *file) {
    ma_server *settings = ap_get_module_config(cmd->server->module_config, &athena_module);
    if (settings->key) return "AthUpdateKey: there is one already; its file has room for a second key";
    return ma_key_note(cmd, file, &settings->key);
}

/* Each configuration is read twice; a restart reads it once. */
static const char *accept_line(cmd_parms *cmd, void *section, const char *value) {
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG)
        ap_log_error(APLOG_MARK, APLOG_INFO | APLOG_STARTUP, 0, cmd->server,
                     "%s is not needed: mod_backhand's shared memory has the state of farms", cmd->cmd->name);
    return NULL;
}

/* NULL: the line stands in a section of a farm. */
static const char *outside(cmd_parms *cmd, const ma_farm *farm) {
    return farm->name ? NULL : apr_psprintf(cmd->pool, "%s belongs into an <AthFarm> section", cmd->cmd->name);
}

static const char *check_url(cmd_parms *cmd, const char *what, const char *text) {
    bh_ath_url_t url;
    return bh_ath_url_split(text, &url) ? NULL
                                        : apr_psprintf(cmd->pool, "%s'%s': a whole URL is wanted, such as %s", what,
                                                       text, "http://sorry.example.com/");
}

/* word: "loadfactor=2", or "forward=URL" where there is room for one; text: what the line is for. */
static const char *set_option(cmd_parms *cmd, const char *text, const char *word, uint32_t *weight,
                              const char **forward) {
    char *end;
    if (forward && ap_cstr_casecmpn(word, "forward=", 8) == 0)
        return check_url(cmd, apr_psprintf(cmd->pool, "AthMember %s: forward=", text), *forward = word + 8);
    if (ap_cstr_casecmpn(word, "loadfactor=", 11) != 0)
        return apr_psprintf(cmd->pool, "%s %s: unknown '%s'; loadfactor= %s known", cmd->cmd->name, text, word,
                            forward ? "and forward= are" : "is");
    double factor = strtod(word + 11, &end);
    if (*end || !word[11] || !(factor >= 0.01 && factor <= LOADFACTOR_MOST))
        return apr_psprintf(cmd->pool, "%s %s: loadfactor=%s: a number from 0.01 to %d is wanted", cmd->cmd->name, text,
                            word + 11, LOADFACTOR_MOST);
    *weight = (uint32_t)(factor * 100 + 0.5);
    return NULL;
}

static const char *read_address(cmd_parms *cmd, ma_member *member) {
    char *scope;
    char *host;
    apr_port_t port;
    if (apr_parse_addr_port(&host, &scope, &port, member->text, cmd->pool) != APR_SUCCESS || !host || scope
        || strpbrk(member->text, "/?#@"))
        return apr_psprintf(cmd->pool, "AthMember '%s': a name or an address is wanted, with or without a port",
                            member->text);
    member->host = strchr(host, ':') ? apr_pstrcat(cmd->pool, "[", host, "]", NULL) : host;
    member->port = port;
    return NULL;
}

static const char *add_member(cmd_parms *cmd, void *section, int count, char *const words[]) {
    ma_farm *farm = section;
    const char *wrong = outside(cmd, farm);
    if (wrong) return wrong;
    if (!count) return "AthMember: a name or an address is wanted";
    ma_member *member = apr_pcalloc(cmd->pool, sizeof *member);
    *member = (ma_member){.text = words[0], .weight = 100};
    if ((wrong = read_address(cmd, member))) return wrong;
    for (int i = 1; i < count; i++)
        if ((wrong = set_option(cmd, member->text, words[i], &member->weight, &member->forward))) return wrong;
    for (int i = 0; i < farm->members->nelts; i++)
        if (ap_cstr_casecmp(APR_ARRAY_IDX(farm->members, i, ma_member *)->text, member->text) == 0)
            return apr_psprintf(cmd->pool, "AthMember %s: farm %s has it already", member->text, farm->name);
    APR_ARRAY_PUSH(farm->members, ma_member *) = member;
    return NULL;
}

static const char *add_members(cmd_parms *cmd, void *section, const char *text, const char *factor) {
    ma_farm *farm = section;
    const char *wrong = outside(cmd, farm);
    ma_pattern pattern = {ap_pregcomp(cmd->pool, text, AP_REG_ICASE | AP_REG_NOSUB), 100};
    if (!wrong && !pattern.regex)
        wrong = apr_psprintf(cmd->pool, "AthMembers '%s': a regular expression is wanted", text);
    if (!wrong && factor) wrong = set_option(cmd, text, factor, &pattern.weight, NULL);
    if (!wrong) APR_ARRAY_PUSH(farm->patterns, ma_pattern) = pattern;
    return wrong;
}

static const char *set_forward(cmd_parms *cmd, void *section, const char *text) {
    ma_farm *farm = section;
    const char *wrong = outside(cmd, farm);
    if (!wrong) wrong = check_url(cmd, "AthForward ", text);
    if (!wrong) farm->forward = text;
    return wrong;
}

static const char *set_forward_redirect(cmd_parms *cmd, void *section, int on) {
    ma_farm *farm = section;
    farm->forward_redirects = on;
    return outside(cmd, farm);
}

static const char *set_cookie(cmd_parms *cmd, void *section, const char *name) {
    ma_farm *farm = section;
    if (!bh_ath_cookie_name_check(name))
        return apr_psprintf(cmd->pool, "AthCookie '%s': the name of a cookie is wanted, of 64 characters at most",
                            name);
    farm->cookie = name;
    return outside(cmd, farm);
}

/* The file is read by mod_backhand, which may be loaded later. */
static const char *set_cookie_key(cmd_parms *cmd, void *section, const char *file) {
    ma_farm *farm = section;
    const char *wrong = outside(cmd, farm);
    if (farm->key) return "AthCookieKey: the farm has one already; its file has room for a second key";
    return wrong ? wrong : ma_key_note(cmd, file, &farm->key);
}

/* What can stand where a URL has its host. */
static int is_name(const char *name) {
    if (!*name || strlen(name) > 253) return 0;
    for (; *name; name++)
        if (!apr_isalnum(*name) && !strchr("._-", *name)) return 0;
    return 1;
}

static const char *begin_farm(cmd_parms *cmd, ma_farm *farm, const char *arguments) {
    const char *end = strrchr(arguments, '>'), *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_LOC_FILE | NOT_IN_LIMIT);
    if (wrong) return wrong;
    if (!end) return "<AthFarm> lacks its '>'";
    const char *rest = apr_pstrmemdup(cmd->pool, arguments, (apr_size_t)(end - arguments));
    farm->name = ap_getword_conf(cmd->pool, &rest);
    if (!is_name(farm->name) || *rest)
        return apr_psprintf(cmd->pool, "<AthFarm %s>: one name is wanted, of letters, digits, '.', '_' and '-'",
                            apr_pstrmemdup(cmd->pool, arguments, (apr_size_t)(end - arguments)));
    const ma_farm *other = ma_farm_find((bh_piece_t){farm->name, strlen(farm->name)});
    farm->place = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    farm->members = apr_array_make(cmd->pool, 4, sizeof(ma_member *));
    farm->patterns = apr_array_make(cmd->pool, 1, sizeof(ma_pattern));
    farm->heard = mb_heard_make(cmd->pool, ma_members_weigh, farm);
    return other ? apr_psprintf(cmd->pool, "<AthFarm %s>: the farm is at %s already", farm->name, other->place) : NULL;
}

static const char *read_farm(cmd_parms *cmd, void *section, const char *arguments) {
    ap_conf_vector_t *own = ap_create_per_dir_config(cmd->pool);
    ma_farm *farm = ap_set_config_vectors(cmd->server, own, cmd->path, (module *)(intptr_t)&athena_module, cmd->pool);
    const char *wrong = begin_farm(cmd, farm, arguments);
    if (wrong) return wrong;
    int old_override = cmd->override;
    char *old_path = cmd->path;
    farm->section = own;
    cmd->path = (char *)(intptr_t)farm->name;
    cmd->override = OR_ALL | ACCESS_CONF;
    wrong = ap_walk_config(cmd->directive->first_child, cmd, own);
    cmd->override = old_override;
    cmd->path = old_path;
    if (wrong) return wrong;
    if (!farm->members->nelts && !farm->patterns->nelts)
        return apr_psprintf(cmd->pool, "<AthFarm %s> has no AthMember or AthMembers line", farm->name);
    if (!farm->cookie != !farm->key)
        return apr_psprintf(cmd->pool, "<AthFarm %s>: AthCookie and AthCookieKey need each other", farm->name);
    APR_ARRAY_PUSH(farms, ma_farm *) = farm;
    return NULL;
}

const command_rec ma_commands[] = {
    AP_INIT_FLAG("AthEngine", set_engine, NULL, RSRC_CONF, "On or Off: whether farms and the engine's path are served"),
    AP_INIT_TAKE1("AthPath", set_path, NULL, RSRC_CONF, "the engine's path: " PATH_DEFAULT " if there is no line"),
    AP_INIT_ITERATE("AthAcceptUpdates", add_updaters, NULL, RSRC_CONF,
                    "addresses, with or without a mask, whose updates count"),
    AP_INIT_TAKE1("AthUpdateKey", set_update_key, NULL, RSRC_CONF, "a file with the key that signs updates"),
    AP_INIT_TAKE1("AthSHMFile", accept_line, NULL, RSRC_CONF, "accepted, and not needed"),
    AP_INIT_TAKE1("AthAllowDiverseMulti", accept_line, NULL, RSRC_CONF, "accepted, and not needed"),
    AP_INIT_RAW_ARGS("<AthFarm", read_farm, NULL, RSRC_CONF, "a farm: a name for a group of servers"),
    AP_INIT_TAKE_ARGV("AthMember", add_member, NULL, ACCESS_CONF,
                      "a server of the farm, loadfactor=number, and forward=URL"),
    AP_INIT_TAKE12("AthMembers", add_members, NULL, ACCESS_CONF,
                   "a regular expression for names that servers announce, and loadfactor=number"),
    AP_INIT_TAKE1("AthForward", set_forward, NULL, ACCESS_CONF, "the URL for requests that no member can take"),
    AP_INIT_FLAG("AthForwardRedirect", set_forward_redirect, NULL, ACCESS_CONF,
                 "On or Off: whether clients are redirected to AthForward"),
    AP_INIT_TAKE1("AthCookie", set_cookie, NULL, ACCESS_CONF, "the cookie by which the application steers requests"),
    AP_INIT_TAKE1("AthCookieKey", set_cookie_key, NULL, ACCESS_CONF, "a file with the key that signs such cookies"),
    AP_INIT_TAKE1("AthExpectUpdate", ma_set_expect, NULL, ACCESS_CONF, "seconds within which members send an update"),
    AP_INIT_FLAG("AthMirror", ma_set_mirror, NULL, RSRC_CONF, "On or Off: whether balancers tell each other states"),
    {NULL},
};

void ma_config_register(apr_pool_t *pool) { ap_hook_pre_config(forget, NULL, NULL, APR_HOOK_MIDDLE); }
