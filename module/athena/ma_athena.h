/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_athena's own parts: farms, which are groups of servers with a name that stands where a ProxyPass has a host. */
#ifndef MA_ATHENA_H
#define MA_ATHENA_H

#include "doors/mb_doors.h"

#include "apr_strings.h"
#include "http_config.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_proxy.h"

extern module AP_MODULE_DECLARE_DATA athena_module;

/* mod_backhand; NULL: it is not loaded, or is another version's, and then there is no line of ours. */
extern const backhand_core *ma_core;
extern const backhand_door ma_door;

/* ---- Configuration: ma_config.c ---- */

#define MA_PATH_DEFAULT "/athena"

/* A server of a farm. */
typedef struct ma_member {
    bh_named_t named;
    const char *text;    /* as its line writes it: "app01.example.com:8080" */
    const char *host;    /* "app01.example.com"; "[::1]" */
    apr_port_t port;     /* 0: that of the URL */
    uint32_t weight;     /* hundredths, of loadfactor */
    const char *forward; /* URL for its requests while it is out of service; NULL: none */
} ma_member;

/* A line that names servers by what they announce. */
typedef struct ma_pattern {
    const ap_regex_t *regex;
    uint32_t weight;
} ma_pattern;

/* A farm, and the directory settings of its section. */
typedef struct ma_farm {
    bh_farm_config_t config;      /* as the table of farms has it; name NULL: the settings of another section */
    const char *place;            /* "file:line" */
    apr_array_header_t *members;  /* ma_member * */
    apr_array_header_t *patterns; /* ma_pattern */
    mb_heard_list *heard;         /* servers that they name */
    const char *forward;          /* AthForward; NULL: none */
    int redirects;                /* AthForwardRedirect */
    int has_forwards;             /* some member has one */
    const char *cookie;           /* AthCookie; NULL: none */
    const void *keys;             /* AthCookieKey, for ma_core->verify; they are there if there is a cookie */
    ap_conf_vector_t *section;    /* has the chain */
} ma_farm;

/* Settings of one of httpd's servers. */
typedef struct ma_server {
    int engine;                   /* AthEngine; -1: inherit */
    const char *path;             /* AthPath, without the last slash; NULL: inherit */
    apr_array_header_t *updaters; /* apr_ipsubnet_t *, of AthAcceptUpdates; NULL: inherit */
    const void *keys;             /* AthUpdateKey; NULL: inherit */
} ma_server;

void *ma_server_create(apr_pool_t *pool, server_rec *server);
void *ma_server_merge(apr_pool_t *pool, void *base, void *add);
void *ma_section_create(apr_pool_t *pool, char *path);
extern const command_rec ma_commands[];
ma_server *ma_server_of(const server_rec *server);
/* NULL: no farm has this name; its case does not matter. */
const ma_farm *ma_farm_find(bh_piece_t name);
int ma_farm_count(void);
ma_farm *ma_farm_at(int place);
const ma_member *ma_member_at(const ma_farm *farm, int place);
void ma_config_register(apr_pool_t *pool);

/* ---- What a configuration must have: ma_check.c ---- */

void ma_check_register(apr_pool_t *pool);

/* ---- The table of farms: ma_table.c ---- */

/* AthMirror. */
const char *ma_set_mirror(cmd_parms *cmd, void *section, int on);
void ma_table_register(apr_pool_t *pool);

/* ---- mod_proxy: ma_proxy.c ---- */

/* mod_proxy's functions for URLs. It may be loaded after this module, which cannot be linked with it for that reason.
 */
typedef struct ma_mod_proxy {
    const module *proxy; /* NULL: not loaded */
    __typeof__(&ap_proxy_port_of_scheme) port_of_scheme;
    __typeof__(&ap_proxy_location_reverse_map) map_location;
    __typeof__(&ap_proxy_cookie_reverse_map) map_cookie;
    int (*canon_url)(request_rec *r); /* NULL: a mod_proxy before 2.4.65 */
} ma_mod_proxy;
extern ma_mod_proxy ma_mp;
/* With the configuration. 0: something is missing. */
int ma_proxy_find(void);
/* The port of a URL, also where none is written. */
apr_port_t ma_proxy_port(const bh_ath_url_t *url);

/* ---- Members: ma_members.c ---- */

/* The farm's members, as the core chooses among them: first those of AthMember lines, in their order. */
typedef struct ma_choice {
    bh_member_t *candidates;
    int count;
    const ma_farm *farm;
    const mb_heard *heard; /* the others */
    uint32_t *places;      /* of the candidates that ma_choice_narrow has left, in the list of members */
} ma_choice;
ma_choice ma_choice_make(apr_pool_t *pool, const ma_farm *farm);
/* Leaves those that may get requests by their states. 0: there are none. */
int ma_choice_narrow(ma_choice *choice);
/* Where the core cannot choose, without shared memory or with a full table: one after the other. */
int ma_choice_turn(int count);
/* The member at an index; it lives as long as the pool. */
const ma_member *ma_choice_member(apr_pool_t *pool, const ma_choice *choice, int index);
/* Where the candidates have a member of the farm; -1: it gets no requests by its state. */
int ma_choice_index(const ma_choice *choice, int member);
/* Where requests go that are for a member (-1: any) while it is out of service, or that no other member can take: of
 * the first such member. NULL: there is none. */
const char *ma_choice_forward(const ma_choice *choice, int member);
/* What a farm's servers that announce themselves get: a mb_weigh_fn. */
uint32_t ma_members_weigh(const void *farm, uint32_t row, const char *name);

/* ---- Requests to a farm: ma_request.c ---- */

void ma_request_register(apr_pool_t *pool);

/* ---- Cookies of applications: ma_cookie.c ---- */

/* Where a cookie sends a request. */
typedef struct ma_steering {
    const ma_farm *farm; /* whose members get it */
    int member;          /* its place in the farm; -1: any */
    int moves;           /* another one gets it if this one takes none */
} ma_steering;
ma_steering ma_cookie_read(request_rec *r, const ma_farm *farm);
/* As ma_core->choose. */
int ma_cookie_choose(request_rec *r, ma_steering *steering, const ma_choice *choice);

/* ---- Answers: ma_reverse.c ---- */

/* The request has a URL with the farm's name. Returns where the URL with the member's is to be written, before each
 * attempt: what the member answers with its own name is then as if the farm had answered. */
const char **ma_reverse_begin(request_rec *r, const bh_ath_url_t *url);
void ma_reverse_register(apr_pool_t *pool);

/* ---- The engine's own path: ma_engine.c ---- */

void ma_engine_register(apr_pool_t *pool);

#endif
