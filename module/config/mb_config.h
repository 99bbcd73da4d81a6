/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What the configuration says. */
#ifndef MB_CONFIG_H
#define MB_CONFIG_H

#include "base/mb_base.h"

#include "csignature.h"

/* What BackhandKey's file holds. */
typedef struct mb_keys {
    csignature_keys all;
    bool optional; /* what is not signed is accepted, too, as without a key */
} mb_keys;

/* ---- Settings: mb_settings.c ---- */

/* The lines of BackhandLogLevel that one section has had. */
typedef struct mb_log {
    uint32_t bits; /* mb_loglevel.c */
    int before;    /* what LogLevel said before the first of them */
} mb_log;

/* Server-wide settings. Only the main server's count, but for those that a virtual host may have. */
typedef struct mb_server {
    const char *directory;            /* UnixSocketDir, absolute; NULL: not given */
    const char *pid_file;             /* BackhandModeratorPIDFile, absolute; NULL: none */
    const char *drain_file;           /* BackhandDrainFile, absolute; NULL: none */
    mb_log log;                       /* BackhandLogLevel, of each virtual host */
    apr_array_header_t *destinations; /* bh_destination_t, one for each MulticastStats; of virtual hosts too */
    apr_array_header_t *accepted;     /* bh_network_t, one for each AcceptStats; of virtual hosts too */
    apr_array_header_t *checks;       /* bh_check_t, one for each BackhandCheck; of virtual hosts too */
    /* mb_vhost.c: where a virtual host with MulticastStats lines takes requests; atomic words */
    bh_address_t own;
    uint16_t own_port;
    uint64_t own_next_ms;    /* table/mb_self.c: when it may be looked for again */
    uint32_t own_row;        /* table/mb_self.c: where this child found it in the table the last time */
    uint32_t socket_group;   /* BackhandSocketGroup; UINT32_MAX: that of the children */
    mb_keys *keys;           /* BackhandKey; NULL: nothing is signed */
    int expire_s;            /* BackhandExpire, seconds */
    int response_field_size; /* BackhandResponseFieldSize, bytes */
    int capacity;            /* BackhandCapacity, in the unit of bh_facts_t; 0: what is measured */
} mb_server;

/* A switch that a section may leave as it inherits it. */
typedef enum mb_switch { MB_UNSET = -1, MB_OFF = 0, MB_ON = 1 } mb_switch;
/* A number that a section may leave unset. */
static inline uint32_t mb_number_of(int value, int by_default) {
    return (uint32_t)(value == MB_UNSET ? by_default : value);
}
/* As without a line, where a section inherits another one. */
#define MB_AUTO 2

/* Which connections to other servers are kept. */
typedef enum mb_pooling {
    MB_POOL_NONE = 0,  /* new ones, closed after the request */
    MB_POOL_AUTO = 1,  /* as the server can spare them */
    MB_POOL_ALL = 2,   /* all are kept */
    MB_POOL_SHARED = 3 /* as MB_POOL_AUTO, and for all children together where the MPM is prefork */
} mb_pooling;

/* Ranges and defaults of docs/limits.md. */
#define MB_RETRIES_DEFAULT 2
#define MB_RETRIES_MAX 16
#define MB_RETRY_TIMEOUT_DEFAULT_S 30
#define MB_RETRY_TIMEOUT_MAX_S 3600
#define MB_SLOW_START_DEFAULT_S (BH_SLOW_START_MS / 1000)
#define MB_SLOW_START_MAX_S 3600
/* The least is mod_proxy's own limit. The most is memory that a server can make us take for each line: a bound for
 * slips of the pen. The default is what HTTP/2 servers may send, and eight times what httpd takes from clients. */
#define MB_RESPONSE_FIELD_MIN 8192
#define MB_RESPONSE_FIELD_DEFAULT 65536
#define MB_RESPONSE_FIELD_MAX 1048576

/* How servers are asked: BackhandScheme. */
typedef enum mb_scheme { MB_HTTP = 0, MB_HTTPS = 1, MB_H2C = 2, MB_H2 = 3, MB_SCHEMES = 4 } mb_scheme;
static inline int mb_scheme_is_tls(mb_scheme scheme) { return scheme == MB_HTTPS || scheme == MB_H2; }
static inline int mb_scheme_is_http2(mb_scheme scheme) { return scheme == MB_H2C || scheme == MB_H2; }
/* "http" and so on. */
extern const char *const mb_scheme_names[MB_SCHEMES];

/* Settings of one directory. */
typedef struct mb_directory {
    apr_array_header_t *steps; /* bh_step_t; NULL: inherit; empty: off */
    uint32_t chain;            /* number of the chain, for bh_request_t; it goes with the steps */
    const char *place;         /* "file:line" of its first line; likewise */
    const char *cookie;        /* what its line of bySession has after "cookie="; NULL: none; likewise */
    /* of a <Proxy balancer://…> section: its chain, which runs over the members alone; NULL: inherit */
    struct mb_directory *of_members;
    mb_log log; /* BackhandLogLevel: only while the section is read */
    /* From here on each is an int that a section inherits where it is MB_UNSET. */
    mb_switch trace;         /* BackhandTrace */
    mb_switch observe;       /* BackhandMode Observe */
    mb_switch unavailable;   /* BackhandNoCandidate Unavailable */
    mb_switch walk;          /* BackhandDirectoryWalk */
    int pools;               /* BackhandConnectionPools: mb_pooling */
    int async;               /* BackhandAsync: mb_switch, or MB_AUTO */
    mb_switch filters;       /* BackhandFilters */
    int scheme;              /* BackhandScheme: mb_scheme */
    int retries;             /* BackhandRetries */
    int retry_timeout_s;     /* BackhandRetryTimeout */
    int slow_start_s;        /* BackhandSlowStart */
    mb_switch self_redirect; /* BackhandSelfRedirect */
    int redirect_status;     /* BackhandRedirectStatus */
} mb_directory;

void *mb_server_create(apr_pool_t *pool, server_rec *server);
void *mb_directory_create(apr_pool_t *pool, char *path);
void *mb_directory_merge(apr_pool_t *pool, void *base, void *add);
/* Settings of the main server; valid from post_config on. */
mb_server *mb_main_server(void);
/* Settings of a server; those of the main server where it has none of its own. */
mb_server *mb_server_of(const server_rec *server);

/* ---- Directives: mb_directives.c ---- */

extern const command_rec mb_commands[];

/* Their functions elsewhere. Each returns an error text or NULL. mb_server.c: */
const char *mb_server_set_directory(cmd_parms *cmd, void *unused, const char *path);
const char *mb_server_set_pid_file(cmd_parms *cmd, void *unused, const char *path);
const char *mb_server_set_drain_file(cmd_parms *cmd, void *unused, const char *path);
const char *mb_server_add_destination(cmd_parms *cmd, void *unused, const char *first, const char *second);
const char *mb_server_add_accepted(cmd_parms *cmd, void *unused, const char *text);
const char *mb_server_add_check(cmd_parms *cmd, void *unused, const char *arguments);
const char *mb_server_set_socket_group(cmd_parms *cmd, void *unused, const char *name);
const char *mb_server_set_key(cmd_parms *cmd, void *unused, const char *file, const char *optional);
/* mb_chain.c: */
const char *mb_chain_add_line(cmd_parms *cmd, void *directory, int count, char *const words[]);
const char *mb_chain_add_loaded(cmd_parms *cmd, void *directory, const char *file, const char *name,
                                const char *argument);
void mb_chain_register(apr_pool_t *pool);
/* mb_loglevel.c: */
const char *mb_loglevel_set(cmd_parms *cmd, void *directory, const char *text);
/* mb_names.c: puts the address in the place of a host's name in MulticastStats. */
const char *mb_names_resolve(cmd_parms *cmd, const char *text, const char **resolved);

/* ---- Lines: mb_line.c ---- */

/* "Directive: why", which is formatted. */
const char *mb_line_complain(cmd_parms *cmd, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A whole number in a range, for the directive's member. Returns an error text or NULL. */
const char *mb_line_number(cmd_parms *cmd, const char *text, bh_unit_t unit, int least, int most, int *result);
/* Which of the words the text is; upper and lower case are the same. Returns an error text or NULL. */
const char *mb_line_choose(cmd_parms *cmd, const char *text, const char *const *words, size_t count, int *chosen);
/* The configuration is read twice when httpd starts: whether this is the first time. */
int mb_line_is_first_reading(void);
/* "file:line". */
const char *mb_line_place(const cmd_parms *cmd);

/* Kinds of lines of which the first is remembered. */
enum {
    MB_FIRST_NOTHING,
    MB_FIRST_CHAIN,      /* Backhand and BackhandFromSO, outside .htaccess */
    MB_FIRST_CHECK,      /* BackhandCheck */
    MB_FIRST_PREDICTION, /* Backhand addPrediction */
    MB_FIRST_POOLING,    /* BackhandConnectionPools, for each mb_pooling */
    MB_FIRST_SHARED = MB_FIRST_POOLING + MB_POOL_SHARED,
    MB_FIRST_SCHEME, /* BackhandScheme, for each mb_scheme */
    MB_FIRSTS = MB_FIRST_SCHEME + MB_SCHEMES
};
/* If no line of the kind was read before, this is the first. */
void mb_line_note(const cmd_parms *cmd, int kind);
/* Place of the first; NULL: there is none. */
const char *mb_line_first(int kind);
void mb_line_register(apr_pool_t *pool);

/* ---- Warnings: mb_warnings.c ---- */

void mb_warnings_register(apr_pool_t *pool);

/* ---- Loaded functions: mb_loaded.c ---- */

/* Returns an error text or NULL. */
const char *mb_loaded_find(cmd_parms *cmd, const char *file, const char *name, const char *argument, bh_step_t *step);
/* Says that a loaded function's result was bad, at most once a minute in each child; that it has damaged memory, each
 * time: the core tells it once. */
void mb_loaded_fault(request_rec *r, const bh_step_t *step, bh_fault_t fault);

/* ---- Lines where they stand: mb_lines.c ---- */

/* The server that the line is for. */
const server_rec *mb_lines_server(const server_rec *all, const ap_directive_t *line);
/* Whether one of these lines, or of those in their sections, has the name. */
int mb_lines_have(const ap_directive_t *line, const char *name);
/* The Backhand line of a chain in the section of a line, or of a ProxyPass in the <Location> of its path; NULL: there
 * is none. <Location> sections for other paths that cover the same URLs are not looked at. */
const ap_directive_t *mb_lines_chain(apr_pool_t *ptemp, const ap_directive_t *line);

/* ---- Keys: mb_key.c ---- */

/* Reads the file at the path, which the configuration names so; the keys are wiped with the pool. NULL, or what is
 * wrong with it. */
const char *mb_key_read(apr_pool_t *pool, const char *given, const char *path, mb_keys **keys);

/* ---- Ports: mb_listen.c ---- */

/* Our port: that of the first MulticastStats if it gives one, or of the first plain Listen; 0: there is none. */
uint16_t mb_own_port(const mb_server *settings);
/* The port of the first Listen without TLS; 0: there is none. */
uint16_t mb_first_port(void);

/* ---- Virtual hosts as servers of their own: mb_vhost.c ---- */

/* Finds out where each takes requests, and numbers them. In post_config, before the moderator is described. */
void mb_vhost_prepare(server_rec *main);
/* The lines of all servers, the main server's first. */
apr_array_header_t *mb_vhost_destinations(apr_pool_t *pool, server_rec *main);
apr_array_header_t *mb_vhost_accepted(apr_pool_t *pool, server_rec *main);
/* Checks of all servers, each with its virtual host. */
apr_array_header_t *mb_vhost_checks(apr_pool_t *pool, server_rec *main);
/* The networks that count for requests to this server: its own, else the main server's. */
const apr_array_header_t *mb_vhost_networks(const server_rec *server);
/* The settings that a virtual host has for itself; NULL: it shares the main server's. */
mb_server *mb_vhost_settings(const server_rec *server);
/* Looks up the address by which the moderator knows the virtual host with these settings. */
void mb_vhost_find(mb_server *settings);
/* Which servers may be candidates for requests to this server. */
void mb_vhost_restrict(const server_rec *server, bh_request_t *request);

#endif
