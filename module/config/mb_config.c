/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The directives and how sections merge. docs/directives/ has a page for each; a test compares both. */

#include "config/mb_config.h"

#include "http_main.h"
#include "apr_lib.h"
#include "unixd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

/* The longest name that we put into UnixSocketDir. */
#define LONGEST_SOCKET "/backhand-65535.sock"

/* Seconds of silence after which a server is forgotten: an hour shows who is missing after a night's reboot, and lets nobody fill the table for
 * long. Less than a minute would take rows from servers that decisions may still hold. */
#define DEFAULT_EXPIRE_S 3600
#define SHORTEST_EXPIRE_S 60
#define LONGEST_EXPIRE_S 604800
/* A thousand times the largest machines: what is more is a slip of the pen. */
#define LARGEST_CAPACITY 1000000000

/* The first Backhand line that was read, for the error text when mod_proxy is missing; NULL: none. Reset when the
 * configuration is read anew. */
static const char *first_chain;
/* Chains that were read; likewise, so that a restart gives each its number again. */
static uint32_t chains;
/* The first Backhand addPrediction; likewise. */
static const char *first_prediction;
/* The same for the schemes of BackhandForward lines. */
static const char *first_forward[MB_SCHEMES];
/* And for BackhandConnectionPools Shared. */
static const char *first_shared;
static mb_server *main_server;

const char *const mb_scheme_names[MB_SCHEMES] = {"http", "https", "h2c", "h2"};

mb_server *mb_main_server(void) { return main_server; }

const char *mb_config_first_chain(void) { return first_chain; }

const char *mb_config_first_forward(mb_scheme scheme) { return first_forward[scheme]; }

const char *mb_config_first_shared(void) { return first_shared; }

mb_server *mb_server_of(const server_rec *server) {
    mb_server *settings = ap_get_module_config(server->module_config, &backhand_module);
    return settings ? settings : main_server;
}

void *mb_server_create(apr_pool_t *pool, server_rec *server) {
    mb_server *settings = apr_pcalloc(pool, sizeof *settings);
    settings->destinations = apr_array_make(pool, 2, sizeof(bh_destination_t));
    settings->accepted = apr_array_make(pool, 2, sizeof(bh_network_t));
    settings->socket_group = (gid_t)-1;
    settings->expire_s = DEFAULT_EXPIRE_S;
    settings->response_field_size = MB_RESPONSE_FIELD_DEFAULT;
    if (!server->is_virtual) main_server = settings;
    return settings;
}

void *mb_directory_create(apr_pool_t *pool, char *path) {
    mb_directory *settings = apr_pcalloc(pool, sizeof *settings);
    (void)path;
    settings->trace = settings->observe = settings->unavailable = settings->walk = settings->self_redirect = settings->filters = MB_UNSET;
    settings->pools = MB_UNSET;
    settings->retries = settings->retry_timeout_s = settings->slow_start_s = settings->forward = MB_UNSET;
    return settings;
}

static mb_switch merged(mb_switch base, mb_switch add) { return add == MB_UNSET ? base : add; }

/* A section with lines of its own replaces the chain that it inherits. */
void *mb_directory_merge(apr_pool_t *pool, void *base_pointer, void *add_pointer) {
    const mb_directory *base = base_pointer, *add = add_pointer;
    mb_directory *result = apr_palloc(pool, sizeof *result);
    result->steps = add->steps ? add->steps : base->steps;
    result->chain = add->steps ? add->chain : base->chain;
    result->place = add->steps ? add->place : base->place;
    result->trace = merged(base->trace, add->trace);
    result->observe = merged(base->observe, add->observe);
    result->unavailable = merged(base->unavailable, add->unavailable);
    result->walk = merged(base->walk, add->walk);
    result->pools = add->pools == MB_UNSET ? base->pools : add->pools;
    result->filters = merged(base->filters, add->filters);
    result->forward = add->forward == MB_UNSET ? base->forward : add->forward;
    result->retries = add->retries == MB_UNSET ? base->retries : add->retries;
    result->retry_timeout_s = add->retry_timeout_s == MB_UNSET ? base->retry_timeout_s : add->retry_timeout_s;
    result->self_redirect = merged(base->self_redirect, add->self_redirect);
    result->redirect_status = add->redirect_status ? add->redirect_status : base->redirect_status;
    result->slow_start_s = add->slow_start_s == MB_UNSET ? base->slow_start_s : add->slow_start_s;
    return result;
}

/* "Directive: why". */
static const char *complain(cmd_parms *cmd, const char *why) {
    return apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", why, NULL);
}

static mb_server *server_settings(cmd_parms *cmd) { return mb_server_of(cmd->server); }

static const char *set_directory(cmd_parms *cmd, void *unused, const char *path) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    (void)unused;
    if (wrong) return wrong;
    const char *full = ap_server_root_relative(cmd->pool, path);
    if (!full) return complain(cmd, apr_psprintf(cmd->pool, "'%s' is not a valid path", path));
    size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof LONGEST_SOCKET;
    if (strlen(full) > longest)
        return complain(cmd, apr_psprintf(cmd->pool, "'%s' is too long: a socket's path leaves room for %lu characters",
                                          full, (unsigned long)longest));
    server_settings(cmd)->directory = full;
    return NULL;
}

static int is_directory(const char *path, apr_pool_t *pool) {
    apr_finfo_t info;
    return apr_stat(&info, path, APR_FINFO_TYPE, pool) == APR_SUCCESS && info.filetype == APR_DIR;
}

static const char *set_pid_file(cmd_parms *cmd, void *unused, const char *path) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    (void)unused;
    if (wrong) return wrong;
    const char *full = ap_runtime_dir_relative(cmd->pool, path); /* as PidFile */
    if (!full) return complain(cmd, apr_psprintf(cmd->pool, "'%s' is not a valid path", path));
    if (is_directory(full, cmd->temp_pool)) return complain(cmd, apr_psprintf(cmd->pool, "'%s' is a directory", path));
    server_settings(cmd)->pid_file = full;
    return NULL;
}

/* The configuration is read twice when httpd starts: whether this is the first time. */
static int is_first_reading(void) {
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG && ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST;
}

/* 240.0.0.0/4 is neither multicast nor anybody's. Old manuals show it. */
static void warn_of_reserved(cmd_parms *cmd, const bh_destination_t *destination) {
    uint32_t group = (uint32_t)destination->group.low;
    if (is_first_reading() || group >> 28 != 0xf || group == UINT32_MAX) return;
    ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, cmd->server,
                 "BH0104: MulticastStats at %s:%d announces to a reserved address, which is no multicast group: most systems and "
                 "routers drop what is sent there; use a group of 239.255.0.0/16", cmd->directive->filename, cmd->directive->line_num);
}

static const char *add_destination(cmd_parms *cmd, void *unused, const char *first, const char *second) {
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    const char *own = NULL, *target;
    char error[BH_ERROR_SIZE];
    bh_destination_t destination;
    (void)unused;
    if (!wrong && second) wrong = mb_names_resolve(cmd, first, &own);
    if (!wrong) wrong = mb_names_resolve(cmd, second ? second : first, &target);
    if (wrong) return wrong;
    if (bh_destination_parse(own, target, &destination, error, sizeof error) != BH_OK)
        return complain(cmd, apr_pstrdup(cmd->pool, error));
    warn_of_reserved(cmd, &destination);
    APR_ARRAY_PUSH(server_settings(cmd)->destinations, bh_destination_t) = destination;
    return NULL;
}

static const char *add_accepted(cmd_parms *cmd, void *unused, const char *text) {
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    char error[BH_ERROR_SIZE];
    bh_network_t network;
    (void)unused;
    if (wrong) return wrong;
    if (bh_network_parse(text, &network, error, sizeof error) != BH_OK)
        return complain(cmd, apr_pstrdup(cmd->pool, error));
    APR_ARRAY_PUSH(server_settings(cmd)->accepted, bh_network_t) = network;
    return NULL;
}

static const char *set_socket_group(cmd_parms *cmd, void *unused, const char *name) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    apr_gid_t group;
    (void)unused;
    if (wrong) return wrong;
    if (*name == '#') {
        char *end;
        errno = 0;
        unsigned long number = strtoul(name + 1, &end, 10);
        if (!apr_isdigit(name[1]) || *end || errno || number >= (gid_t)-1)
            return complain(cmd, apr_psprintf(cmd->pool, "'%s' is not a group number", name));
        group = (apr_gid_t)number;
    }
    else if (apr_gid_get(&group, name, cmd->temp_pool) != APR_SUCCESS)
        return complain(cmd, apr_psprintf(cmd->pool, "there is no group '%s'", name));
    server_settings(cmd)->socket_group = group;
    return NULL;
}

static const char *set_key(cmd_parms *cmd, void *unused, const char *file, const char *optional) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    mb_server *settings = server_settings(cmd);
    (void)unused;
    if (wrong) return wrong;
    if (settings->keys) return complain(cmd, "there is one already; its file has room for a second key");
    const char *path = ap_server_root_relative(cmd->pool, file);
    if (!path) return complain(cmd, apr_psprintf(cmd->pool, "'%s' is not a valid path", file));
    if (optional && ap_cstr_casecmp(optional, "Optional") != 0) /* which may be a part of the key: it is not repeated */
        return complain(cmd, "after the file may stand only the word Optional");
    wrong = mb_key_read(cmd->pool, file, path, &settings->keys);
    if (wrong) return complain(cmd, wrong);
    if (optional) mb_key_make_optional(settings->keys);
    return NULL;
}

static const char *set_expire(cmd_parms *cmd, void *unused, const char *value) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    char *end;
    (void)unused;
    if (wrong) return wrong;
    apr_int64_t seconds = apr_strtoi64(value, &end, 10);
    if (!apr_isdigit(*value) || *end || seconds < SHORTEST_EXPIRE_S || seconds > LONGEST_EXPIRE_S)
        return complain(cmd, apr_psprintf(cmd->pool, "'%s' is not a number of seconds from %d to %d", value, SHORTEST_EXPIRE_S,
                                          LONGEST_EXPIRE_S));
    server_settings(cmd)->expire_s = (int)seconds;
    return NULL;
}

static const char *set_capacity(cmd_parms *cmd, void *unused, const char *value) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    char *end;
    (void)unused;
    if (wrong) return wrong;
    apr_int64_t capacity = apr_strtoi64(value, &end, 10);
    if (!apr_isdigit(*value) || *end || capacity < 1 || capacity > LARGEST_CAPACITY)
        return complain(cmd, apr_psprintf(cmd->pool, "'%s' is not a whole number from 1 to %d", value, LARGEST_CAPACITY));
    server_settings(cmd)->capacity = (uint32_t)capacity;
    return NULL;
}

/* The path of the <Directory> section around a line; NULL: there is none, or a pattern in its place. */
static const char *directory_around(const cmd_parms *cmd) {
    for (const ap_directive_t *section = cmd->directive->parent; section; section = section->parent) {
        if (ap_cstr_casecmp(section->directive, "<Directory") != 0) continue;
        const char *end = strrchr(section->args, '>'), *rest = apr_pstrmemdup(cmd->temp_pool, section->args, end ? (apr_size_t)(end - section->args) : 0);
        const char *path = ap_getword_conf(cmd->temp_pool, &rest); /* "~" before an expression */
        return *path == '/' && !ap_is_matchexp(path) ? path : NULL;
    }
    return NULL;
}

/* A chain that no request will ever find. */
static void warn_of_missing(cmd_parms *cmd) {
    apr_finfo_t info;
    const char *path = directory_around(cmd);
    if (!path || is_first_reading()) return;
    apr_status_t status = apr_stat(&info, path, APR_FINFO_TYPE, cmd->temp_pool);
    if (!APR_STATUS_IS_ENOENT(status) && !APR_STATUS_IS_ENOTDIR(status)) return;
    ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, cmd->server,
                 "BH0122: the Backhand chain at %s:%d is for the directory %s, which does not exist: no request comes to it", cmd->directive->filename,
                 cmd->directive->line_num, path);
}

/* The section's own chain, made when its first line is read. */
static const char *append(cmd_parms *cmd, mb_directory *settings, const bh_step_t *step) {
    if (!settings->steps) settings->steps = apr_array_make(cmd->pool, 4, sizeof(bh_step_t));
    if (settings->steps->nelts >= BH_STEPS_MAX)
        return complain(cmd, apr_psprintf(cmd->pool, "more than %d functions in one chain", BH_STEPS_MAX));
    APR_ARRAY_PUSH(settings->steps, bh_step_t) = *step;
    if (!settings->place) settings->place = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_RUN_MPM) return NULL; /* in .htaccess: it shares a slot with others */
    if (!settings->chain) {
        settings->chain = ++chains;
        warn_of_missing(cmd);
    }
    const char *line = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    if (!first_chain) first_chain = line;
    if (!first_prediction && strcmp(step->name, "addPrediction") == 0) first_prediction = line;
    return NULL;
}

static const char *add_function(cmd_parms *cmd, void *directory, const char *name, const char *argument) {
    mb_directory *settings = directory;
    char error[BH_ERROR_SIZE];
    bh_step_t step;
    /* backhand_off: the function's name in C, which users of old took for the word. */
    if (strcmp(name, "off") == 0 || strcmp(name, "backhand_off") == 0) {
        if (argument) return complain(cmd, apr_psprintf(cmd->pool, "%s takes no argument, but '%s' was given", name, argument));
        settings->steps = apr_array_make(cmd->pool, 1, sizeof(bh_step_t));
        return NULL;
    }
    if (bh_step_parse(name, argument, &step, error, sizeof error) != BH_OK)
        return complain(cmd, apr_pstrdup(cmd->pool, error));
    return append(cmd, settings, &step);
}

static int is_function(const char *word) {
    const char *name;
    for (int32_t id = 1; (name = bh_function_name(id)); id++)
        if (strcmp(name, word) == 0) return 1;
    return 0;
}

/* More words than a function and its argument: two functions on one line, or an argument of several words. */
static const char *complain_of_words(cmd_parms *cmd, int count, char *const words[]) {
    const char *argument = words[1];
    for (int i = 1; i < count; i++)
        if (is_function(words[i]))
            return complain(cmd, apr_psprintf(cmd->pool, "'%s' after '%s': each function needs a Backhand line of its own", words[i], words[0]));
    for (int i = 2; i < count; i++) argument = apr_pstrcat(cmd->pool, argument, " ", words[i], NULL);
    return complain(cmd, apr_psprintf(cmd->pool, "%s takes one argument, but got %d words: put quotes around them: Backhand %s \"%s\"", words[0],
                                      count - 1, words[0], argument));
}

static const char *add_line(cmd_parms *cmd, void *directory, int count, char *const words[]) {
    if (!count) return complain(cmd, "it needs a candidacy function and perhaps its argument, or off");
    if (count > 2 || (count == 2 && is_function(words[1]))) return complain_of_words(cmd, count, words);
    return add_function(cmd, directory, words[0], count == 2 ? words[1] : NULL);
}

static const char *add_loaded(cmd_parms *cmd, void *directory, const char *file, const char *name, const char *argument) {
    bh_step_t step;
    const char *wrong = mb_loaded_find(cmd, file, name, argument, &step);
    return wrong ? complain(cmd, wrong) : append(cmd, directory, &step);
}

/* One of two words. */
static const char *set_word(cmd_parms *cmd, const char *value, const char *off, const char *on, mb_switch *result) {
    if (ap_cstr_casecmp(value, on) == 0) *result = MB_ON;
    else if (ap_cstr_casecmp(value, off) == 0) *result = MB_OFF;
    else return complain(cmd, apr_psprintf(cmd->pool, "'%s' is neither %s nor %s", value, off, on));
    return NULL;
}

static const char *set_mode(cmd_parms *cmd, void *directory, const char *value) {
    return set_word(cmd, value, "Act", "Observe", &((mb_directory *)directory)->observe);
}

static const char *set_no_candidate(cmd_parms *cmd, void *directory, const char *value) {
    return set_word(cmd, value, "Local", "Unavailable", &((mb_directory *)directory)->unavailable);
}

static const char *set_trace(cmd_parms *cmd, void *directory, int on) {
    (void)cmd;
    ((mb_directory *)directory)->trace = on ? MB_ON : MB_OFF;
    return NULL;
}

static const char *set_walk(cmd_parms *cmd, void *directory, int on) {
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIRECTORY | NOT_IN_FILES);
    if (wrong) return wrong;
    ((mb_directory *)directory)->walk = on ? MB_ON : MB_OFF;
    return NULL;
}

static const char *set_pools(cmd_parms *cmd, void *directory, const char *value) {
    static const struct { const char *word; mb_pooling pooling; } words[] = {{"Auto", MB_POOL_AUTO}, {"On", MB_POOL_ALL}, {"Off", MB_POOL_NONE},
                                                                               {"Shared", MB_POOL_SHARED}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (ap_cstr_casecmp(value, words[i].word) == 0) {
            ((mb_directory *)directory)->pools = words[i].pooling;
            if (words[i].pooling == MB_POOL_SHARED && !first_shared)
                first_shared = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
            return NULL;
        }
    return complain(cmd, apr_psprintf(cmd->pool, "'%s' is none of Auto, On, Off and Shared", value));
}

static const char *set_filters(cmd_parms *cmd, void *directory, int on) {
    (void)cmd;
    ((mb_directory *)directory)->filters = on ? MB_ON : MB_OFF;
    return NULL;
}

static const char *set_forward(cmd_parms *cmd, void *directory, const char *value) {
    for (int scheme = 0; scheme < MB_SCHEMES; scheme++) {
        if (ap_cstr_casecmp(value, mb_scheme_names[scheme]) != 0) continue;
        ((mb_directory *)directory)->forward = scheme;
        if (!first_forward[scheme])
            first_forward[scheme] = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
        return NULL;
    }
    return complain(cmd, apr_psprintf(cmd->pool, "'%s' is none of http, https, h2c and h2", value));
}

/* A whole number in a range, for the directive's member. */
static const char *set_number(cmd_parms *cmd, const char *text, int least, int most, int *result) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (!apr_isdigit(*text) || *end || errno || number < least || number > most)
        return complain(cmd, apr_psprintf(cmd->pool, "'%s' is not a whole number from %d to %d", text, least, most));
    *result = (int)number;
    return NULL;
}

static const char *set_response_field_size(cmd_parms *cmd, void *unused, const char *text) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    (void)unused;
    return wrong ? wrong : set_number(cmd, text, MB_RESPONSE_FIELD_MIN, MB_RESPONSE_FIELD_MAX, &server_settings(cmd)->response_field_size);
}

static const char *set_retries(cmd_parms *cmd, void *directory, const char *text) {
    return set_number(cmd, text, 0, MB_RETRIES_MAX, &((mb_directory *)directory)->retries);
}

static const char *set_slow_start(cmd_parms *cmd, void *directory, const char *text) {
    return set_number(cmd, text, 0, MB_SLOW_START_MAX_S, &((mb_directory *)directory)->slow_start_s);
}

static const char *set_retry_timeout(cmd_parms *cmd, void *directory, const char *text) {
    return set_number(cmd, text, 1, MB_RETRY_TIMEOUT_MAX_S, &((mb_directory *)directory)->retry_timeout_s);
}

static const char *set_self_redirect(cmd_parms *cmd, void *directory, int on) {
    (void)cmd;
    ((mb_directory *)directory)->self_redirect = on ? MB_ON : MB_OFF;
    return NULL;
}

static const char *set_redirect_status(cmd_parms *cmd, void *directory, const char *value) {
    static const char *const allowed[] = {"302", "307", "308"};
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (strcmp(value, allowed[i]) == 0) {
            ((mb_directory *)directory)->redirect_status = atoi(value);
            return NULL;
        }
    return complain(cmd, apr_psprintf(cmd->pool, "'%s' is none of 302, 307 and 308", value));
}

/* Virtual hosts may have lines of their own; of the others with RSRC_CONF, only the main server may. */
#define MB_HOST_CONTEXT RSRC_CONF
#define MB_DIRECTORY_CONTEXT (RSRC_CONF | ACCESS_CONF)

const command_rec mb_commands[] = {
    AP_INIT_TAKE1("UnixSocketDir", set_directory, NULL, RSRC_CONF,
                  "the directory for the control socket and the measured speed"),
    AP_INIT_TAKE12("MulticastStats", add_destination, NULL, MB_HOST_CONTEXT,
                   "[own address[:port]] destination:port[,ttl]: where to announce"),
    AP_INIT_ITERATE("AcceptStats", add_accepted, NULL, MB_HOST_CONTEXT,
                    "addresses or networks whose announcements and proxied requests are accepted"),
    AP_INIT_TAKE12("BackhandKey", set_key, NULL, RSRC_CONF,
                   "a file with the cluster's key, and perhaps a second one that is accepted too; Optional: what is not signed is accepted too"),
    AP_INIT_TAKE1("BackhandExpire", set_expire, NULL, RSRC_CONF,
                  "seconds of silence after which a server is forgotten"),
    AP_INIT_TAKE1("BackhandCapacity", set_capacity, NULL, RSRC_CONF,
                  "what all cores that httpd may use can do, instead of what is measured: a number as the status shows it"),
    AP_INIT_TAKE1("BackhandResponseFieldSize", set_response_field_size, NULL, RSRC_CONF,
                  "bytes that a line of an answer's header may have"),
    AP_INIT_TAKE1("BackhandSocketGroup", set_socket_group, NULL, RSRC_CONF,
                  "the group that may use the control socket"),
    AP_INIT_TAKE1("BackhandModeratorPIDFile", set_pid_file, NULL, RSRC_CONF,
                  "a file that holds the moderator's process id while there is one"),
    AP_INIT_TAKE1("BackhandLogLevel", mb_loglevel_set, NULL, MB_DIRECTORY_CONTEXT,
                  "+ or -, then mbcs, dcsn or net, then all or 1 to 4: as LogLevel backhand:..."),
    AP_INIT_TAKE_ARGV("Backhand", add_line, NULL, MB_DIRECTORY_CONTEXT | OR_FILEINFO,
                      "a candidacy function and its argument, or off"),
    AP_INIT_TAKE23("BackhandFromSO", add_loaded, NULL, MB_DIRECTORY_CONTEXT,
                   "a shared object, the candidacy function in it, and its argument"),
    AP_INIT_FLAG("BackhandTrace", set_trace, NULL, MB_DIRECTORY_CONTEXT,
                 "On: a response header tells the decision"),
    AP_INIT_TAKE1("BackhandMode", set_mode, NULL, MB_DIRECTORY_CONTEXT,
                  "Act: decide and do it; Observe: decide, tell, and serve here"),
    AP_INIT_TAKE1("BackhandNoCandidate", set_no_candidate, NULL, MB_DIRECTORY_CONTEXT,
                  "when a chain leaves nobody: Local: serve here; Unavailable: 503"),
    AP_INIT_FLAG("BackhandDirectoryWalk", set_walk, NULL, MB_DIRECTORY_CONTEXT,
                 "Off: <Directory> and <Files> sections are not looked at for requests that another server answers"),
    AP_INIT_TAKE1("BackhandConnectionPools", set_pools, NULL, MB_DIRECTORY_CONTEXT,
                  "connections to other servers that are kept: as the servers can spare them (Auto), all (On), or none (Off)"),
    AP_INIT_FLAG("BackhandFilters", set_filters, NULL, MB_DIRECTORY_CONTEXT,
                 "On: content filters run here although the server has run them"),
    AP_INIT_TAKE1("BackhandForward", set_forward, NULL, MB_DIRECTORY_CONTEXT,
                  "how other servers are asked: http, https, h2c or h2"),
    AP_INIT_TAKE1("BackhandRetries", set_retries, NULL, MB_DIRECTORY_CONTEXT,
                  "how many servers may fail a request that is safe to repeat, before the client is told"),
    AP_INIT_TAKE1("BackhandRetryTimeout", set_retry_timeout, NULL, MB_DIRECTORY_CONTEXT,
                  "seconds after the first server was asked in which another one may be tried"),
    AP_INIT_FLAG("BackhandSelfRedirect", set_self_redirect, NULL, MB_DIRECTORY_CONTEXT,
                 "On: what the chain leaves here is proxied to the address that this server announces"),
    AP_INIT_TAKE1("BackhandRedirectStatus", set_redirect_status, NULL, MB_DIRECTORY_CONTEXT,
                  "302, 307 or 308: the status of redirects to other servers"),
    AP_INIT_TAKE1("BackhandSlowStart", set_slow_start, NULL, MB_DIRECTORY_CONTEXT,
                  "seconds in which the share of a server that has come grows to the whole; 0: it has the whole at once"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};

static int forget_chains(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp) {
    (void)pconf, (void)plog, (void)ptemp;
    first_chain = first_prediction = first_shared = NULL;
    chains = 0;
    memset(first_forward, 0, sizeof first_forward);
    return OK;
}

static void warn_of_gaps(apr_pool_t *pool, server_rec *server) {
    (void)pool;
    int announced = 0, believes = 0;
    for (server_rec *each = server; each; each = each->next) {
        const mb_server *settings = mb_server_of(each);
        if (each->is_virtual && settings == main_server) continue;
        if (!settings->destinations->nelts) continue;
        announced = 1;
        if (mb_site_networks(each)->nelts) {
            believes = 1;
            continue;
        }
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, each,
                     "BH0102: MulticastStats without AcceptStats: no announcement is accepted, this server stays alone");
    }
    if (announced && !main_server->directory)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "BH0103: MulticastStats without UnixSocketDir: the moderator is not started, "
                     "every request is served here");
    if (first_prediction)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0120: addPrediction at %s does nothing: its lines may be removed", first_prediction);
    if (believes && !main_server->keys)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0110: no BackhandKey: every host inside AcceptStats, and whoever can forge its address, is believed; "
                     "see docs/threat-model.md");
    if (mb_key_is_optional(main_server->keys))
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     "BH0121: BackhandKey is Optional: what is not signed is accepted as if there were no key");
}

/* httpd -t runs no post_config, and a start no test_config. */
static int warn_at_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    (void)pconf, (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) warn_of_gaps(ptemp, server);
    return OK;
}

/* What the original told the world; ServerTokens decides how much of it is seen. */
static int tell_version(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    (void)plog, (void)ptemp, (void)server;
    ap_add_version_component(pconf, "balanced_by_mod_backhand/" BACKHAND_VERSION);
    return OK;
}

void mb_config_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_post_config(tell_version, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_config(forget_chains, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(warn_at_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_test_config(warn_of_gaps, NULL, NULL, APR_HOOK_FIRST);
}
