/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What the files of the shim share. httpd's types live here and nowhere in the core; mb_ is the shim's prefix, bh_ the core's. */
#ifndef MB_MODULE_H
#define MB_MODULE_H

#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "ap_mpm.h"
#include "apr_strings.h"

#include "backhand.h"

extern module AP_MODULE_DECLARE_DATA backhand_module;
APLOG_USE_MODULE(backhand);

/* The request header that says "a peer has sent this here, do not balance it again"; its value is the client's address. */
#define MB_GUARD_HEADER "Backhand-Proxied"
/* How many servers that were not believed have passed the request on. Only such requests have it. */
#define MB_HOPS_HEADER "Backhand-Hops"
/* In a 503: the server has not done anything with the request, because it does not know the sender as a server. */
#define MB_UNKNOWN_HEADER "Backhand-Refused"
#define MB_STATUS_HANDLER "backhand-handler"

/* ---- Keys: mb_key.c ---- */

typedef struct mb_keys mb_keys;
/* Reads the file at the path, which the configuration names so; the keys are wiped with the pool. NULL, or what is wrong with it. */
const char *mb_key_read(apr_pool_t *pool, const char *given, const char *path, mb_keys **keys);
/* From now on what is not signed is accepted too, as without a key. */
void mb_key_make_optional(mb_keys *keys);
bool mb_key_is_optional(const mb_keys *keys);
/* A bh_sign_fn and a bh_verify_fn. From any thread. */
bool mb_key_sign(const void *keys, const void *bytes, size_t count, uint8_t *signature);
bool mb_key_verify(const void *keys, const void *bytes, size_t count, const uint8_t *signature);
/* The same for the first size bytes of a signature, at most BH_SIGNATURE_SIZE. */
bool mb_key_verify_part(const mb_keys *keys, const void *bytes, size_t count, const uint8_t *signature, size_t size);

/* ---- Configuration: mb_config.c ---- */

/* The lines of BackhandLogLevel that one section has had. */
typedef struct mb_log {
    unsigned int bits; /* mb_loglevel.c */
    int before;        /* what LogLevel said before the first of them */
} mb_log;

/* Server-wide settings. Only the main server's count, but for those that a virtual host may have. */
typedef struct mb_server {
    const char *directory;             /* UnixSocketDir, absolute; NULL: not given */
    const char *pid_file;              /* BackhandModeratorPIDFile, absolute; NULL: none */
    mb_log log;                        /* BackhandLogLevel, of each virtual host */
    apr_array_header_t *destinations;  /* bh_destination_t, one for each MulticastStats; of virtual hosts too */
    apr_array_header_t *accepted;      /* bh_network_t, one for each AcceptStats; of virtual hosts too */
    bh_address_t own;                  /* mb_site.c: where a virtual host with MulticastStats lines takes requests; atomic words */
    uint16_t own_port;
    uint64_t own_next_ms;              /* mb_site.c: when it may be looked for again */
    uint32_t own_row;                  /* mb_site.c: where this child found it in the table the last time */
    gid_t socket_group;                /* BackhandSocketGroup; (gid_t)-1: that of the children */
    mb_keys *keys;                     /* BackhandKey; NULL: nothing is signed */
    int expire_s;                      /* BackhandExpire, seconds */
    int response_field_size;           /* BackhandResponseFieldSize, bytes */
    uint32_t capacity;                 /* BackhandCapacity, in the unit of bh_facts_t; 0: what is measured */
} mb_server;

/* A switch that a section may leave as it inherits it. */
typedef enum mb_switch { MB_UNSET = -1, MB_OFF = 0, MB_ON = 1 } mb_switch;

/* Which connections to other servers are kept. */
typedef enum mb_pooling {
    MB_POOL_NONE = 0, /* new ones that end with the request */
    MB_POOL_AUTO = 1, /* as the server can spare them */
    MB_POOL_ALL = 2,  /* all are kept */
    MB_POOL_SHARED = 3 /* as MB_POOL_AUTO, and for all children together where the MPM is prefork */
} mb_pooling;

/* Ranges and defaults of docs/limits.md. */
#define MB_RETRIES_DEFAULT 2
#define MB_RETRIES_MAX 16
#define MB_RETRY_TIMEOUT_DEFAULT_S 30
#define MB_RETRY_TIMEOUT_MAX_S 3600
#define MB_SLOW_START_DEFAULT_S (BH_SLOW_START_MS / 1000)
#define MB_SLOW_START_MAX_S 3600
/* The least is mod_proxy's own limit. The most is memory that a server can make us take for each line: a bound for slips of the pen. The default
 * is what HTTP/2 servers may send, and eight times what httpd takes from clients. */
#define MB_RESPONSE_FIELD_MIN 8192
#define MB_RESPONSE_FIELD_DEFAULT 65536
#define MB_RESPONSE_FIELD_MAX 1048576

/* How servers are asked: BackhandForward. */
typedef enum mb_scheme { MB_HTTP = 0, MB_HTTPS = 1, MB_H2C = 2, MB_H2 = 3, MB_SCHEMES = 4 } mb_scheme;
/* "http" and so on. */
extern const char *const mb_scheme_names[MB_SCHEMES];

/* Settings of one directory. */
typedef struct mb_directory {
    apr_array_header_t *steps;   /* bh_step_t; NULL: inherit; empty: off */
    uint32_t chain;              /* number of the chain, for bh_request_t; it goes with the steps */
    const char *place;           /* "file:line" of its first line; likewise */
    mb_switch trace;             /* BackhandTrace */
    mb_switch observe;           /* BackhandMode Observe */
    mb_switch unavailable;       /* BackhandNoCandidate Unavailable */
    mb_switch walk;              /* BackhandDirectoryWalk */
    int pools;                   /* BackhandConnectionPools: mb_pooling; MB_UNSET: inherit */
    mb_switch filters;           /* BackhandFilters */
    int forward;                 /* BackhandForward: mb_scheme; MB_UNSET: inherit */
    int retries;                 /* BackhandRetries; MB_UNSET: inherit */
    int retry_timeout_s;         /* BackhandRetryTimeout; likewise */
    int slow_start_s;            /* BackhandSlowStart; likewise */
    mb_log log;                  /* BackhandLogLevel: only while the section is read */
    mb_switch self_redirect;     /* BackhandSelfRedirect */
    int redirect_status;         /* BackhandRedirectStatus; 0: not given */
} mb_directory;

extern const command_rec mb_commands[];
void *mb_server_create(apr_pool_t *pool, server_rec *server);
void *mb_directory_create(apr_pool_t *pool, char *path);
void *mb_directory_merge(apr_pool_t *pool, void *base, void *add);
/* Settings of the main server; valid from post_config on. */
mb_server *mb_main_server(void);
/* Settings of a server; those of the main server where it has none of its own. */
mb_server *mb_server_of(const server_rec *server);
void mb_config_register(apr_pool_t *pool);
/* Place of the first Backhand line that was read, "file:line"; NULL: there is none. */
const char *mb_config_first_chain(void);
/* The same of the first BackhandConnectionPools Shared. */
const char *mb_config_first_shared(void);
/* Warnings of what leaves a server alone: mb_advice.c. */
void mb_advice_register(apr_pool_t *pool);
/* Warnings of chains that a ProxyPass line hides: mb_covered.c. */
void mb_covered_register(apr_pool_t *pool);

/* BackhandLogLevel: mb_loglevel.c. Returns an error text or NULL. */
const char *mb_loglevel_set(cmd_parms *cmd, void *directory, const char *text);
/* MulticastStats: mb_names.c. Puts the address in the place of a host's name. Returns an error text or NULL. */
const char *mb_names_resolve(cmd_parms *cmd, const char *text, const char **resolved);

/* BackhandFromSO: mb_loaded.c. Returns an error text or NULL. */
const char *mb_loaded_find(cmd_parms *cmd, const char *file, const char *name, const char *argument, bh_step_t *step);
/* Says that a loaded function's result was bad, at most once a minute in each child; that it has damaged memory, each time: the core tells it
 * once. */
void mb_loaded_fault(request_rec *r, const bh_step_t *step, bh_fault_t fault);

/* ---- Addresses between httpd and the core: mb_address.c ---- */

/* The address alone, without port and zone; 0: it is not an address of the Internet protocols. */
int mb_address_of(const apr_sockaddr_t *name, bh_address_t *address);
/* 127.0.0.0/8 or ::1: every machine itself. */
int mb_address_is_loopback(const bh_address_t *address);
/* In APR's form, without a port. */
apr_sockaddr_t *mb_address_for_apr(apr_pool_t *pool, const bh_address_t *address);

/* ---- Virtual hosts as servers of their own: mb_site.c ---- */

/* Finds out where each takes requests, and numbers them. In post_config, before the moderator is described. */
void mb_site_prepare(server_rec *main);
/* The lines of all servers, the main server's first. */
apr_array_header_t *mb_site_destinations(apr_pool_t *pool, server_rec *main);
apr_array_header_t *mb_site_accepted(apr_pool_t *pool, server_rec *main);
/* The networks that count for requests to this server: its own, else the main server's. */
const apr_array_header_t *mb_site_networks(const server_rec *server);
/* Row of the server that "here" is for a request: 0, or that of its virtual host. */
uint32_t mb_site_row(const request_rec *r);
/* Who is "here", and who may be a candidate. */
void mb_site_describe(const request_rec *r, bh_request_t *request);

/* ---- Shared memory: mb_segment.c ---- */

/* NULL where no moderator is configured. Set in post_config, inherited by children. */
extern bh_segment_t *mb_segment;
/* What the server of that row tells of itself; 0: the row is being written all the time. */
int mb_facts_of(uint32_t id, bh_facts_t *facts);
/* Makes or finds the segment that outlives restarts. */
apr_status_t mb_segment_attach(server_rec *server);
void mb_segment_register(apr_pool_t *pool);
/* This child's slot for what it has in flight; -1: none. */
extern int32_t mb_child_slot;

/* ---- The pool of all children: mb_pool.c, mb_tend.c ---- */

/* A connection in it, as a message carries it. */
typedef struct mb_waiting {
    uint64_t mark;     /* mb_pool_send writes it */
    uint64_t used_ms;  /* when a request used it last */
    uint64_t round_ms; /* when the moderator looked at it last; 0: it has not yet */
    bh_address_t address; /* the server that it goes to */
    uint32_t id;       /* that server's row */
    uint32_t port;
    int fd;            /* in the process that has it now */
    uint32_t reserved;
} mb_waiting;

/* Milliseconds for which a connection to the server may wait for its next request. most: as in bh_row_t.may_keep. 0: for ever. */
uint32_t mb_keep_lifetime(const bh_facts_t *server, uint32_t most);

/* Whether the MPM is prefork. Elsewhere a child has a pool for its threads, and what is idle there is rarely what another child needs. */
int mb_pool_is_possible(void);
/* Says where it is asked for in vain. */
void mb_pool_advise(server_rec *server);
/* In the parent, before it forks: makes its queues, or finds those of the configuration before. Where it is not wanted there are none. */
void mb_pool_prepare(server_rec *server, int is_wanted);
int mb_pool_is_open(void);
/* Whether the descriptor is one of its. */
int mb_pool_has(int fd);
/* Takes a connection to the server, with a right to keep it; -1: there is none. */
int mb_pool_take(uint32_t id, const bh_facts_t *server, uint64_t now_ms);
/* Puts a copy of the connection in, whose right stays with the caller, who closes both. 0: there is no room. */
int mb_pool_put(uint32_t id, const bh_facts_t *server, int fd, uint64_t now_ms);

/* For both: one message. */
typedef enum mb_received {
    MB_RECEIVED_NONE = 0,
    MB_RECEIVED = 1,
    MB_RECEIVED_OTHER = 2 /* it was none of ours: counted and closed */
} mb_received;
int mb_pool_send(const mb_waiting *one);
mb_received mb_pool_receive(uint32_t queue, mb_waiting *one);
/* Whether another request may have it: it is what it says, open, to the row's server (NULL: there is none), not too old, and nothing is left to be read.
 * If not it is closed; what is not what it says is counted. */
int mb_pool_keep(const mb_waiting *one, const bh_facts_t *server, uint64_t now_ms);
/* Closes it, and counts it among those that wait no more. */
void mb_pool_drop(const mb_waiting *one);
/* The moderator's look through it. */
void mb_tend(void *server);

/* ---- The moderator: mb_moderator.c, mb_control.c, mb_rights.c, mb_scoreboard.c ---- */

void mb_moderator_register(apr_pool_t *pool);
/* Our port: that of the first MulticastStats if it gives one, or of the first plain Listen; 0: there is none. */
uint16_t mb_own_port(const mb_server *settings);
/* The port of the first Listen without TLS; 0: there is none. */
uint16_t mb_first_port(void);
/* Whose rights something is done with: mb_rights.c. */
typedef struct mb_rights {
    uid_t user; /* 0: as this process */
    gid_t group;
    const char *name; /* for the user's other groups; NULL: none */
} mb_rights;
mb_rights mb_rights_of_children(void);
/* Those of the user that could change what the path of a file means; root's if no other user can. */
mb_rights mb_rights_of_path(const char *file);
/* Returns 0 or an error number, of one byte. */
typedef int (*mb_rights_fn)(void *baton);
/* Calls the function in a process that has these rights and no others; here, if this one is not root. group -1: that of the rights. What it
 * returned, or why it could not be called. */
int mb_rights_run(const mb_rights *rights, gid_t group, mb_rights_fn act, void *baton);
/* The listening control socket. */
typedef struct mb_control mb_control;
/* Binds it; it is closed and its file removed with the pool. NULL: it has logged why. */
mb_control *mb_control_open(apr_pool_t *pool, server_rec *server, const mb_server *settings);
/* Closes it early. In the process that bound it the file goes too, in others it stays. */
void mb_control_close(mb_control *socket);
int mb_control_fd(const mb_control *socket);
/* BackhandModeratorPIDFile: mb_pidfile.c. Removed with the pool, or earlier. path NULL: none. */
void mb_pidfile_write(apr_pool_t *pool, server_rec *server, const char *path, pid_t pid);
void mb_pidfile_remove(void);
/* A bh_workers_fn. */
void mb_scoreboard_workers(void *baton, bh_workers_t *workers);
/* Workers that are idle at this moment, counted up to enough. */
uint32_t mb_scoreboard_idle(uint32_t enough);
/* A bh_leaving_fn: mb_leaving.c. */
bool mb_leaving_ask(void *baton, bool told);
/* Before the moderator is forked. */
void mb_leaving_prepare(void);
void mb_leaving_register(apr_pool_t *pool);

/* ---- Requests: mb_guard.c, mb_balance.c, mb_proxy.c, mb_status.c ---- */

typedef struct mb_here mb_here;
/* What is kept with a client's request, from the guard on. */
typedef struct mb_request {
    int from_peer;                /* a peer has sent it here */
    int hops;                     /* servers that it has passed without being believed */
    const request_rec *reader;    /* mb_form.c: a subrequest that may have read the body; NULL: there is none */
    apr_bucket_brigade *read;     /* what it has read, if it is gone; NULL: nothing */
    const char *content_type;     /* of that body; NULL: nobody has read one */
    int of_httpd;                 /* mb_filters.c: the answer to a peer is an error page that httpd itself makes */
    const char *filtered;         /* mb_filters.c: names of the content filters that a peer's answer passes; NULL: not known */
    const bh_decision_t *decided; /* mb_walk.c: decided before <Directory> sections were looked at; NULL: not yet */
    const apr_array_header_t *steps; /* the chain that has decided so */
    mb_here *here;                /* a peer has sent it: what is counted of it; NULL: nothing */
} mb_request;
/* That of the request that the client began; NULL: nothing to keep so far. */
static inline request_rec *mb_request_first(request_rec *r) {
    while (r->main) r = r->main;
    while (r->prev) r = r->prev;
    return r;
}
static inline mb_request *mb_request_find(request_rec *r) {
    return ap_get_module_config(mb_request_first(r)->request_config, &backhand_module);
}
/* The same, made if there is none. */
mb_request *mb_request_make(request_rec *r);

/* ---- What answers say of a server: mb_evidence.c ---- */

bh_class_t mb_evidence_class(int status);
/* Only of a request that the chain placed freely: no session, name or lack of others has decided. */
void mb_evidence_note(uint32_t id, uint32_t chain, bh_class_t class, bh_asked_t asked, uint64_t now_ms);
/* What its client and its URL are known by. */
bh_asked_t mb_evidence_asked(const request_rec *r);

/* mb_here.c: the request, which a chain left here or a peer has sent, is this server's work until its end. Its time is that of its section's chain.
 * free: the chain placed it freely. */
void mb_here_begin(request_rec *r, int free);
/* The request's section was not known at the beginning: the number of its chain. */
void mb_here_in_chain(mb_here *work, uint32_t chain);
void mb_here_register(apr_pool_t *pool);

void mb_guard_register(apr_pool_t *pool);
/* The header's value for a request that is passed on: its client's address, and with a key a signature. */
const char *mb_guard_value(request_rec *r);
/* Whether the request must not be balanced: a peer has sent it, or it goes round. */
int mb_guard_stays_here(request_rec *r);
/* Before the request is passed on: says how often that was not believed. */
void mb_guard_count_hop(request_rec *r);
/* A server answers: parts of the page that this httpd adds (SSI) see nothing that was meant for it. */
void mb_guard_answered(request_rec *r);
/* Before mod_proxy has a request for somebody else's ProxyPass: what a peer has said of its client goes no further, only that it has been passed on. */
void mb_guard_leave(request_rec *r);

void mb_balance_register(apr_pool_t *pool);
/* Whether the request is one that the chain of these settings decides on, now. */
int mb_balance_wants(request_rec *r, const mb_directory *settings);
/* Runs the chain over the servers that have not been tried; 0: it cannot be run. */
int mb_balance_decide(request_rec *r, const mb_directory *settings, const uint32_t *tried, uint32_t tried_count,
                      bh_decision_t *decision);
/* Whether a server that a decision has left is this one. */
int mb_balance_is_here(uint32_t id);

/* Carries a decision out: mb_carry.c. Returns what a handler returns. walked: whether <Directory> sections have had their say. */
int mb_carry_out(request_rec *r, const mb_directory *settings, bh_decision_t *decision, int walked);
/* 503 with Retry-After. */
int mb_carry_unavailable(request_rec *r);
/* Only with BackhandSelfRedirect: sends the request to our own announced address. */
int mb_carry_home(request_rec *r, const mb_directory *settings);
/* Only with BackhandSelfRedirect: what must not be served here has no other place yet. */
int mb_carry_no_own_address(request_rec *r);

void mb_walk_register(apr_pool_t *pool);
/* Serves a request here whose <Directory> sections were not looked at: from the beginning, and then with them. */
int mb_walk_serve_here(request_rec *r);

/* ---- Attempts to have a server answer: mb_attempt.c ---- */

typedef enum mb_outcome {
    MB_ANSWERED, /* an answer went to the client, or it is gone, or the result is an error that the server means */
    MB_REFUSED,  /* no connection: the request has not reached the server */
    MB_UNKNOWN,  /* the server does not know this httpd, and has not done anything: after mb_attempt_undo */
    MB_FAILED,   /* nothing has gone to the client, and another server may do it: after mb_attempt_undo */
    MB_LOST,     /* nothing has gone to the client, but the server may have done it: it must not be done again */
    MB_STARVED   /* no connection, and none to any other server: this process lacks descriptors or memory */
} mb_outcome;

/* What an answer changes in a request. */
typedef struct mb_answer {
    int status;
    const char *status_line;
    apr_table_t *headers_out;
    apr_table_t *trailers_out;
    const char *content_type;
    const char *content_encoding;
    apr_array_header_t *content_languages;
    int no_cache;
    int no_local_copy;
    apr_off_t sent_bodyct;
    int eos_sent;
    apr_time_t mtime;
} mb_answer;

typedef struct mb_attempt {
    mb_answer before;         /* the request without an answer */
    mb_answer answer;         /* the one that was undone */
    apr_bucket_brigade *held; /* the body of a 503 that has not gone to the client; NULL: there is none */
    ap_filter_t *filter;
    int repeatable;
    int is_unknown;           /* the server has not done anything, because it does not know this httpd */
    int free;                 /* the chain placed the request freely: what comes of it is evidence */
    int passed;               /* something has gone on to the client */
    int unreadable;           /* the server has answered, but mod_proxy cannot read the header */
    int was_kept;             /* over a connection that mod_proxy had kept from an earlier request */
    uint32_t chain;           /* number of the chain that has sent it: whose times its own count among */
    const bh_facts_t *server; /* who is asked, and how */
    mb_scheme scheme;
    int result;               /* what mod_proxy returned */
    int why;                  /* errno of a refusal, as the kernel says it to another connection; 0: not known */
    int lacks;                /* errno of what this process lacked for a connection; 0: nothing */
    uint64_t began_us;        /* CLOCK_MONOTONIC, as the next */
    uint64_t first_us;        /* CLOCK_MONOTONIC of the answer's first byte; 0: not seen */
} mb_attempt;

/* Whether the request may be done again by another server, although the first may have had it. */
int mb_attempt_is_safe(request_rec *r);
/* Before mod_proxy runs. server: valid until mb_attempt_end. */
void mb_attempt_begin(mb_attempt *attempt, request_rec *r, int repeatable, const bh_facts_t *server, mb_scheme scheme);
/* After it has: what became of it. */
mb_outcome mb_attempt_end(mb_attempt *attempt, request_rec *r, int result);
/* Puts the request back to what it was before, for the next attempt. */
void mb_attempt_undo(mb_attempt *attempt, request_rec *r);
/* Gives the client the answer that was held back and undone. Returns what a handler returns. */
int mb_attempt_give(mb_attempt *attempt, request_rec *r);
void mb_attempt_register(apr_pool_t *pool);

/* How a candidate gets a request. */
typedef enum mb_way { MB_WAY_HERE, MB_WAY_FORWARD, MB_WAY_REDIRECT } mb_way;
/* mb_redirect.c: the way of a candidate in the mode BACKHAND_MODE_REDIRECT. MB_WAY_FORWARD: the client has asked for that server by the name
 * that a redirect would have; MB_WAY_HERE: for this server, which is a candidate too and may have the request (may_stay). */
mb_way mb_redirect_way(request_rec *r, const bh_decision_t *decision, const ServerSlot *chosen, const bh_facts_t *facts, int may_stay);
/* Redirects the client to the candidate; returns what a handler returns. status 0: 302. */
int mb_redirect_send(request_rec *r, const ServerSlot *chosen, const bh_facts_t *facts, int status);

/* ---- Answers that name the server itself: mb_reverse.c ---- */

/* Names the site instead in Location, Content-Location, URI and Set-Cookie, as ProxyPassReverse would. */
void mb_reverse(request_rec *r, const bh_facts_t *server, mb_scheme scheme);

/* ---- WebDAV's URLs: mb_dav.c ---- */

/* What was in Destination and If; NULL: nothing was changed there. */
typedef struct mb_dav {
    const char *destination;
    const char *condition;
} mb_dav;
/* Before the request is sent on: names the site by the scheme that the server is asked with. */
mb_dav mb_dav_begin(request_rec *r, mb_scheme scheme);
/* The request as it was. */
void mb_dav_end(request_rec *r, const mb_dav *before);
void mb_dav_register(apr_pool_t *pool);

/* ---- Bodies that were read here: mb_form.c ---- */

/* Before the request is sent on: its body is the one that the client has sent. */
void mb_form_give_back(request_rec *r);
void mb_form_register(apr_pool_t *pool);

/* ---- Answers that two httpds process: mb_filters.c, mb_merge.c ---- */

/* The header of an answer has come, and nothing has gone on. own: the header before it. */
void mb_filters_answer(request_rec *r, const apr_table_t *own);
void mb_filters_register(apr_pool_t *pool);

void mb_status_register(apr_pool_t *pool);
/* mod_status's page: mb_server_status.c. */
void mb_server_status_register(apr_pool_t *pool);

/* mb_shortage.c: answers that a lack of descriptors has made wrong. */
void mb_shortage_register(apr_pool_t *pool);
void mb_proxy_register(apr_pool_t *pool);
/* Looks up mod_proxy's functions. NULL, or the name of the module that is missing. */
const char *mb_proxy_find(void);
/* NULL, or the name of what is missing for a scheme beside those. */
const char *mb_proxy_lacks(mb_scheme scheme);
/* Whether they were found. */
int mb_proxy_available(void);
/* Whether mod_proxy is quiet of this server's attempts to connect, as LogLevel asks for nothing else: mb_quiet.c. */
int mb_quiet_wants(const server_rec *server);
/* "10.0.0.4:80" for the server of the row. */
const char *mb_proxy_name(apr_pool_t *pool, uint32_t id, const bh_facts_t *facts);
/* Lets go of servers that the table has no more; once a second. now_ms: CLOCK_MONOTONIC. */
void mb_proxy_sweep(uint64_t now_ms);
/* How the request is sent. */
typedef struct mb_sending {
    int repeatable; /* another server may do it if this one fails */
    int fresh;      /* over no connection that was kept */
    int free;       /* the chain placed it freely: what comes of it is evidence */
} mb_sending;
/* Sends the request to the server of the row. */
mb_outcome mb_proxy_forward(request_rec *r, const mb_directory *settings, uint32_t id, const bh_facts_t *facts, mb_sending how, mb_attempt *attempt);
/* The path and query exactly as the client sent them. */
const char *mb_proxy_as_sent(request_rec *r);
/* After MB_REFUSED, before the request is served here: what mod_proxy has read of its body can be read again. */
void mb_proxy_give_back(request_rec *r);

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t mb_now_ms(void);
/* Microseconds of it. */
uint64_t mb_now_us(void);
/* Whether a minute has passed since it was last true for this word; for log lines that a client could repeat at will. One word for each
 * line, of each child. */
int mb_minute_passed(uint64_t *next_ms);
/* "10.0.0.4:80" or "[2001:db8::4]:80". */
const char *mb_endpoint(apr_pool_t *pool, const bh_address_t *address, uint16_t port);

#endif
