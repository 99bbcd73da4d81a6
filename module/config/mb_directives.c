/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The directives, and what those of sections set. docs/directives/ has a page for each; a test compares both. */

#include "config/mb_config.h"

/* One of two words. */
static const char *set_word(cmd_parms *cmd, const char *value, const char *off, const char *on, mb_switch *result) {
    const char *const words[] = {off, on, NULL};
    int chosen;
    const char *wrong = mb_line_choose(cmd, value, words, &chosen);
    if (!wrong) *result = chosen ? MB_ON : MB_OFF;
    return wrong;
}

static const char *set_mode(cmd_parms *cmd, void *directory, const char *value) {
    return set_word(cmd, value, "Act", "Observe", &((mb_directory *)directory)->observe);
}

static const char *set_no_candidate(cmd_parms *cmd, void *directory, const char *value) {
    return set_word(cmd, value, "Local", "Unavailable", &((mb_directory *)directory)->unavailable);
}

static const char *set_walk(cmd_parms *cmd, void *directory, int on) {
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIRECTORY | NOT_IN_FILES);
    return wrong ? wrong : ap_set_flag_slot(cmd, directory, on);
}

static const char *set_pools(cmd_parms *cmd, void *directory, const char *value) {
    static const char *const words[] = {"Auto", "On", "Off", "Shared", NULL};
    static const mb_pooling poolings[] = {MB_POOL_AUTO, MB_POOL_ALL, MB_POOL_NONE, MB_POOL_SHARED};
    int chosen;
    const char *wrong = mb_line_choose(cmd, value, words, &chosen);
    if (wrong) return wrong;
    ((mb_directory *)directory)->pools = poolings[chosen];
    if (poolings[chosen] == MB_POOL_SHARED) mb_line_note(cmd, MB_FIRST_SHARED);
    return NULL;
}

static const char *set_scheme(cmd_parms *cmd, void *directory, const char *value) {
    int *scheme = &((mb_directory *)directory)->scheme;
    const char *wrong = mb_line_choose(cmd, value, mb_scheme_names, scheme);
    if (!wrong) mb_line_note(cmd, MB_FIRST_SCHEME + *scheme);
    return wrong;
}

static const char *set_retries(cmd_parms *cmd, void *directory, const char *text) {
    return mb_line_number(cmd, text, BH_UNIT_NONE, 0, MB_RETRIES_MAX, &((mb_directory *)directory)->retries);
}

static const char *set_slow_start(cmd_parms *cmd, void *directory, const char *text) {
    return mb_line_number(cmd, text, BH_UNIT_SECONDS, 0, MB_SLOW_START_MAX_S,
                          &((mb_directory *)directory)->slow_start_s);
}

static const char *set_retry_timeout(cmd_parms *cmd, void *directory, const char *text) {
    return mb_line_number(cmd, text, BH_UNIT_SECONDS, 1, MB_RETRY_TIMEOUT_MAX_S,
                          &((mb_directory *)directory)->retry_timeout_s);
}

static const char *set_redirect_status(cmd_parms *cmd, void *directory, const char *value) {
    static const char *const words[] = {"302", "307", "308", NULL};
    static const int statuses[] = {HTTP_MOVED_TEMPORARILY, HTTP_TEMPORARY_REDIRECT, HTTP_PERMANENT_REDIRECT};
    int chosen;
    const char *wrong = mb_line_choose(cmd, value, words, &chosen);
    if (!wrong) ((mb_directory *)directory)->redirect_status = statuses[chosen];
    return wrong;
}

/* A switch that is a member of mb_directory. */
#define SWITCH(member) (void *)offsetof(mb_directory, member)

/* Virtual hosts may have lines of their own; of the others with RSRC_CONF, only the main server may. */
#define MB_HOST_CONTEXT RSRC_CONF
#define MB_DIRECTORY_CONTEXT (RSRC_CONF | ACCESS_CONF)

/* What a directive was called before the first release. */
static const char *say_new_name(cmd_parms *cmd, void *config, const char *arguments) {
    (void)config, (void)arguments;
    return apr_pstrcat(cmd->pool, cmd->cmd->name, " is called ", cmd->cmd->cmd_data, NULL);
}

#define RENAMED(old, new) AP_INIT_RAW_ARGS(old, say_new_name, new, MB_DIRECTORY_CONTEXT, "is called " new)

const command_rec mb_commands[] = {
    AP_INIT_TAKE1("UnixSocketDir", mb_server_set_directory, NULL, RSRC_CONF,
                  "the directory for the control socket and the measured speed"),
    AP_INIT_TAKE12("MulticastStats", mb_server_add_destination, NULL, MB_HOST_CONTEXT,
                   "[own address[:port]] destination:port[,ttl]: where to announce"),
    AP_INIT_ITERATE("AcceptStats", mb_server_add_accepted, NULL, MB_HOST_CONTEXT,
                    "addresses or networks whose announcements and proxied requests are accepted"),
    AP_INIT_TAKE12("BackhandKey", mb_server_set_key, NULL, RSRC_CONF,
                   "a file with the cluster's key, and perhaps a second one that is accepted too; Optional: unsigned "
                   "announcements and requests are accepted too"),
    AP_INIT_TAKE1("BackhandExpire", mb_server_set_expire, NULL, RSRC_CONF,
                  "seconds of silence after which a server is removed from the table"),
    AP_INIT_TAKE1(
        "BackhandCapacity", mb_server_set_capacity, NULL, RSRC_CONF,
        "capacity of all cores that httpd may use, instead of the measured one: a number as the status shows it"),
    AP_INIT_TAKE1("BackhandResponseFieldSize", mb_server_set_response_field_size, NULL, RSRC_CONF,
                  "how many bytes a line in the header of an answer may have"),
    AP_INIT_TAKE1("BackhandSocketGroup", mb_server_set_socket_group, NULL, RSRC_CONF,
                  "the group that may use the control socket"),
    AP_INIT_TAKE1("BackhandModeratorPIDFile", mb_server_set_pid_file, NULL, RSRC_CONF,
                  "a file that holds the moderator's process id while a moderator runs"),
    AP_INIT_TAKE1("BackhandLogLevel", mb_loglevel_set, NULL, MB_DIRECTORY_CONTEXT,
                  "+ or -, then mbcs, dcsn or net, then all or 1 to 4: as LogLevel backhand:..."),
    AP_INIT_TAKE_ARGV("Backhand", mb_chain_add_line, NULL, MB_DIRECTORY_CONTEXT | OR_FILEINFO,
                      "a candidacy function and its argument, or off"),
    AP_INIT_TAKE23("BackhandFromSO", mb_chain_add_loaded, NULL, MB_DIRECTORY_CONTEXT,
                   "a shared object, the candidacy function in it, and its argument"),
    AP_INIT_FLAG("BackhandTrace", ap_set_flag_slot, SWITCH(trace), MB_DIRECTORY_CONTEXT,
                 "On: a response header shows the decision"),
    AP_INIT_TAKE1("BackhandMode", set_mode, NULL, MB_DIRECTORY_CONTEXT,
                  "Act: decide and carry it out; Observe: decide, log, and serve here"),
    AP_INIT_TAKE1("BackhandNoCandidate", set_no_candidate, NULL, MB_DIRECTORY_CONTEXT,
                  "when a chain leaves no server: Local: serve here; Unavailable: 503"),
    AP_INIT_FLAG("BackhandDirectoryWalk", set_walk, SWITCH(walk), MB_DIRECTORY_CONTEXT,
                 "Off: requests that another server answers skip <Directory> and <Files> sections"),
    AP_INIT_TAKE1(
        "BackhandConnectionPools", set_pools, NULL, MB_DIRECTORY_CONTEXT,
        "which connections to other servers are kept: those that the servers can spare (Auto), all (On), none (Off), "
        "in one pool of all children (Shared)"),
    AP_INIT_FLAG("BackhandFilters", ap_set_flag_slot, SWITCH(filters), MB_DIRECTORY_CONTEXT,
                 "On: content filters run here although the server has run them"),
    AP_INIT_TAKE1("BackhandScheme", set_scheme, NULL, MB_DIRECTORY_CONTEXT,
                  "the scheme to other servers: http, https, h2c or h2"),
    AP_INIT_TAKE1("BackhandRetries", set_retries, NULL, MB_DIRECTORY_CONTEXT,
                  "how many servers may fail a repeatable request before the client gets an error"),
    AP_INIT_TAKE1("BackhandRetryTimeout", set_retry_timeout, NULL, MB_DIRECTORY_CONTEXT,
                  "seconds after the first attempt in which another server may be tried"),
    AP_INIT_FLAG("BackhandSelfRedirect", ap_set_flag_slot, SWITCH(self_redirect), MB_DIRECTORY_CONTEXT,
                 "On: requests for this server are proxied to the address that it announces"),
    AP_INIT_TAKE1("BackhandRedirectStatus", set_redirect_status, NULL, MB_DIRECTORY_CONTEXT,
                  "302, 307 or 308: the status of redirects to other servers"),
    AP_INIT_TAKE1("BackhandSlowStart", set_slow_start, NULL, MB_DIRECTORY_CONTEXT,
                  "seconds in which the share of a new server grows to the whole; 0: it has the whole at once"),
    RENAMED("BackhandForward", "BackhandScheme"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
