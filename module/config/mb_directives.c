/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The directives, and what those of sections set. docs/directives/ has a page for each; a test compares both. */

#include "config/mb_config.h"

/* Seconds of BackhandExpire. Less than a minute would take rows from servers that decisions may still hold. */
#define SHORTEST_EXPIRE_S 60
#define LONGEST_EXPIRE_S 604800
/* A thousand times the largest machines: what is more is a slip of the pen. */
#define LARGEST_CAPACITY 1000000000

/* What the words of a directive stand for. */
typedef struct mb_words {
    size_t member;            /* of mb_directory, an int */
    const char *const *words; /* in the order in which an error names them */
    size_t count;
    const int *values; /* of each word; NULL: its place in the list */
    int first;         /* with the value added, the kind of mb_line_note; MB_FIRST_NOTHING: none */
} mb_words;

static const char *const modes[] = {"Act", "Observe"}, *const lacks[] = {"Local", "Unavailable"};
static const char *const pools[] = {"Auto", "On", "Off", "Shared"}, *const redirects[] = {"302", "307", "308"};
static const char *const asyncs[] = {"Auto", "On", "Off"};
static const int switches[] = {MB_AUTO, MB_ON, MB_OFF};
static const int poolings[] = {MB_POOL_AUTO, MB_POOL_ALL, MB_POOL_NONE, MB_POOL_SHARED};
static const int statuses[] = {HTTP_MOVED_TEMPORARILY, HTTP_TEMPORARY_REDIRECT, HTTP_PERMANENT_REDIRECT};

static mb_words mode = {offsetof(mb_directory, observe), modes, 2, NULL, MB_FIRST_NOTHING};
static mb_words no_candidate = {offsetof(mb_directory, unavailable), lacks, 2, NULL, MB_FIRST_NOTHING};
static mb_words pooling = {offsetof(mb_directory, pools), pools, 4, poolings, MB_FIRST_POOLING};
static mb_words async = {offsetof(mb_directory, async), asyncs, 3, switches, MB_FIRST_NOTHING};
static mb_words scheme = {offsetof(mb_directory, scheme), mb_scheme_names, MB_SCHEMES, NULL, MB_FIRST_SCHEME};
static mb_words redirect_status = {offsetof(mb_directory, redirect_status), redirects, 3, statuses, MB_FIRST_NOTHING};

static const char *set_word(cmd_parms *cmd, void *directory, const char *value) {
    const mb_words *rule = cmd->info;
    int chosen = 0;
    const char *wrong = mb_line_choose(cmd, value, rule->words, rule->count, &chosen);
    if (wrong) return wrong;
    if (rule->values) chosen = rule->values[chosen];
    *(int *)((char *)directory + rule->member) = chosen;
    if (rule->first != MB_FIRST_NOTHING) mb_line_note(cmd, rule->first + chosen);
    return NULL;
}

/* Which numbers a directive takes. */
typedef struct mb_range {
    size_t member; /* an int of mb_directory, or of mb_server where the main server alone may have the directive */
    bh_unit_t unit;
    int least, most;
} mb_range;

static mb_range retries = {offsetof(mb_directory, retries), BH_UNIT_NONE, 0, MB_RETRIES_MAX};
static mb_range retry_timeout = {offsetof(mb_directory, retry_timeout_s), BH_UNIT_SECONDS, 1, MB_RETRY_TIMEOUT_MAX_S};
static mb_range slow_start = {offsetof(mb_directory, slow_start_s), BH_UNIT_SECONDS, 0, MB_SLOW_START_MAX_S};
static mb_range expire = {offsetof(mb_server, expire_s), BH_UNIT_SECONDS, SHORTEST_EXPIRE_S, LONGEST_EXPIRE_S};
static mb_range capacity = {offsetof(mb_server, capacity), BH_UNIT_NONE, 1, LARGEST_CAPACITY};
static mb_range response_field = {offsetof(mb_server, response_field_size), BH_UNIT_BYTES, MB_RESPONSE_FIELD_MIN,
                                  MB_RESPONSE_FIELD_MAX};

static const char *set_number(cmd_parms *cmd, void *directory, const char *text) {
    const mb_range *range = cmd->info;
    int *number = (int *)((char *)directory + range->member);
    return mb_line_number(cmd, text, range->unit, range->least, range->most, number);
}

static const char *set_server_number(cmd_parms *cmd, void *unused, const char *text) {
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    return wrong ? wrong : set_number(cmd, mb_server_of(cmd->server), text);
}

static const char *set_walk(cmd_parms *cmd, void *directory, int on) {
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIRECTORY | NOT_IN_FILES);
    return wrong ? wrong : ap_set_flag_slot(cmd, directory, on);
}

/* A switch that is a member of mb_directory. */
#define SWITCH(member) (void *)offsetof(mb_directory, member)

/* Virtual hosts may have lines of their own; of the others with RSRC_CONF, only the main server may. */
#define MB_HOST_CONTEXT RSRC_CONF
#define MB_DIRECTORY_CONTEXT (RSRC_CONF | ACCESS_CONF)

/* What a directive was called before the first release. */
static const char *say_new_name(cmd_parms *cmd, void *config, const char *arguments) {
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
    AP_INIT_TAKE1("BackhandExpire", set_server_number, &expire, RSRC_CONF,
                  "seconds of silence after which a server is removed from the table"),
    AP_INIT_TAKE1(
        "BackhandCapacity", set_server_number, &capacity, RSRC_CONF,
        "capacity of all cores that httpd may use, instead of the measured one: a number as the status shows it"),
    AP_INIT_TAKE1("BackhandResponseFieldSize", set_server_number, &response_field, RSRC_CONF,
                  "how many bytes a line in the header of an answer may have"),
    AP_INIT_TAKE1("BackhandSocketGroup", mb_server_set_socket_group, NULL, RSRC_CONF,
                  "the group that may use the control socket"),
    AP_INIT_TAKE1("BackhandModeratorPIDFile", mb_server_set_pid_file, NULL, RSRC_CONF,
                  "a file that holds the moderator's process id while a moderator runs"),
    AP_INIT_TAKE1("BackhandDrainFile", mb_server_set_drain_file, NULL, RSRC_CONF,
                  "a file: while it is there, this server announces that it is draining"),
    AP_INIT_RAW_ARGS("BackhandCheck", mb_server_add_check, NULL, MB_HOST_CONTEXT,
                     "a path and name=value: this server asks its application whether it works, and announces that"),
    AP_INIT_TAKE1("BackhandLogLevel", mb_loglevel_set, NULL, MB_DIRECTORY_CONTEXT,
                  "+ or -, then mbcs, dcsn or net, then all or 1 to 4: as LogLevel backhand:..."),
    AP_INIT_TAKE_ARGV("Backhand", mb_chain_add_line, NULL, MB_DIRECTORY_CONTEXT | OR_FILEINFO,
                      "a candidacy function and its argument, or off"),
    AP_INIT_TAKE23("BackhandFromSO", mb_chain_add_loaded, NULL, MB_DIRECTORY_CONTEXT,
                   "a shared object, the candidacy function in it, and its argument"),
    AP_INIT_FLAG("BackhandTrace", ap_set_flag_slot, SWITCH(trace), MB_DIRECTORY_CONTEXT,
                 "On: a response header shows the decision"),
    AP_INIT_TAKE1("BackhandMode", set_word, &mode, MB_DIRECTORY_CONTEXT,
                  "Act: decide and carry it out; Observe: decide, log, and serve here"),
    AP_INIT_TAKE1("BackhandNoCandidate", set_word, &no_candidate, MB_DIRECTORY_CONTEXT,
                  "when a chain leaves no server: Local: serve here; Unavailable: 503"),
    AP_INIT_FLAG("BackhandDirectoryWalk", set_walk, SWITCH(walk), MB_DIRECTORY_CONTEXT,
                 "Off: requests that another server answers skip <Directory> and <Files> sections"),
    AP_INIT_TAKE1(
        "BackhandConnectionPools", set_word, &pooling, MB_DIRECTORY_CONTEXT,
        "which connections to other servers are kept: those that the servers can spare (Auto), all (On), none (Off), "
        "in one pool of all children (Shared)"),
    AP_INIT_TAKE1("BackhandAsync", set_word, &async, MB_DIRECTORY_CONTEXT,
                  "whether requests wait for other servers without a thread: where that is safe (Auto), On or Off"),
    AP_INIT_FLAG("BackhandFilters", ap_set_flag_slot, SWITCH(filters), MB_DIRECTORY_CONTEXT,
                 "On: content filters run here although the server has run them"),
    AP_INIT_TAKE1("BackhandScheme", set_word, &scheme, MB_DIRECTORY_CONTEXT,
                  "the scheme to other servers: http, https, h2c or h2"),
    AP_INIT_TAKE1("BackhandRetries", set_number, &retries, MB_DIRECTORY_CONTEXT,
                  "how many servers may fail a repeatable request before the client gets an error"),
    AP_INIT_TAKE1("BackhandRetryTimeout", set_number, &retry_timeout, MB_DIRECTORY_CONTEXT,
                  "seconds after the first attempt in which another server may be tried"),
    AP_INIT_FLAG("BackhandSelfRedirect", ap_set_flag_slot, SWITCH(self_redirect), MB_DIRECTORY_CONTEXT,
                 "On: requests for this server are proxied to the address that it announces"),
    AP_INIT_TAKE1("BackhandRedirectStatus", set_word, &redirect_status, MB_DIRECTORY_CONTEXT,
                  "302, 307 or 308: the status of redirects to other servers"),
    AP_INIT_TAKE1("BackhandSlowStart", set_number, &slow_start, MB_DIRECTORY_CONTEXT,
                  "seconds in which the share of a new server grows to the whole; 0: it has the whole at once"),
    RENAMED("BackhandForward", "BackhandScheme"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
