/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What mod_backhand does for other modules that have its core choose among servers of their configuration. They get it
 * by an optional function, from pre_config on: all LoadModule lines have been read by then, in whatever order. */
#ifndef MB_DOORS_H
#define MB_DOORS_H

#include "httpd.h"

#include "apr_optional.h"
#include "http_config.h"

#include "backhand.h"
#include "farms.h"
#include "states.h"

struct proxy_worker; /* of mod_proxy.h */

/* ---- Requests that such a module sends to one of its servers, through mod_proxy: mb_passage.c ---- */

/* One of these modules, as it is for all of its requests. */
typedef struct backhand_door {
    const module *owner; /* whose per-request data a request's passage is */
    uint32_t retries;    /* how often a request is sent to another server */
    uint64_t most_us;    /* and for how long */
} backhand_door;

/* Instead of an index. */
enum {
    MB_NOBODY = -1,     /* all have failed the request, or the chain admits none */
    MB_UNDECIDED = -2,  /* the core cannot say: there is no table, or it has no row for one of the servers */
    MB_LAST_RESORT = -3 /* only servers that take requests if there is no other one */
};

/* In post_config, before APR_HOOK_REALLY_LAST, when it gets its row. Without an address of the Internet protocols
 * (NULL: it is not known) the key stands for it. The same place is the same server. named is the caller's, and lives as
 * long as the configuration, as the name does. */
void mb_passage_name(apr_pool_t *pconf, bh_named_t *named, const char *name, const apr_sockaddr_t *address,
                     uint16_t port, uint32_t key);
/* Rows for servers that are not known yet: likewise. */
void mb_passage_reserve(apr_pool_t *pconf);
/* Such a server, for as long as the configuration holds; its key is not 0. NULL: no row is left. */
const bh_named_t *mb_passage_newcomer(uint32_t key);
/* Whether its state, or an order for this httpd alone, is that it takes no requests, or only as the last resort. */
int mb_passage_is_out(const bh_named_t *named);
/* Whether the section has a chain for members. */
int mb_passage_has_chain(const struct ap_conf_vector_t *section);

/* What is known of candidates: bits. */
enum {
    MB_LAST = 1,    /* they are the last resort */
    MB_DISTINCT = 2 /* each has a row, and a higher one than the one before it; without this it is looked at */
};
/* The index of the one that the request goes to next, by the section's chain, without those that have failed it; or one
 * of the above. section: NULL: there is none. */
int mb_passage_choose(const backhand_door *door, request_rec *r, const struct ap_conf_vector_t *section,
                      const bh_member_t *candidates, int count, int known);
/* The same for a caller that sends the request itself: nothing is known of the request, and nothing is kept. why: the
 * chain, and how many each of its functions has left; written if there is a decision. */
int mb_passage_best(request_rec *r, const struct ap_conf_vector_t *section, const bh_member_t *candidates, int count,
                    int known, const char **why);
/* How far the request is. */
typedef enum mb_stage {
    MB_NO_STAGE = 0,
    MB_CHOSEN = 1,   /* the core has chosen the server that it is sent to next */
    MB_UNDER_WAY = 2 /* a server has it */
} mb_stage;
mb_stage mb_passage_stage(const backhand_door *door, const request_rec *r);
/* The request is sent to the server now, until mb_passage_end. port: where, if the server has no port of its own; else
 * 0. Returns 0 if it is under way already, or the server has no row. */
int mb_passage_begin(const backhand_door *door, request_rec *r, const struct ap_conf_vector_t *section,
                     const bh_named_t *member, uint16_t port);
/* Around mod_proxy's scheme handler: its connection is kept if the server can spare it. worker: lives as long as the
 * child. Returns what mb_passage_release wants. */
void *mb_passage_keep(const backhand_door *door, request_rec *r, struct proxy_worker *worker);
void mb_passage_release(request_rec *r, void *kept);
/* Whether another server may have the request if the one that has it fails it. */
int mb_passage_may_retry(const backhand_door *door, const request_rec *r);
/* Where mb_hold.c keeps what it has of the request. NULL: there is no place, and nothing is held back. */
typedef struct mb_hold mb_hold;
mb_hold **mb_passage_hold(const backhand_door *door, const request_rec *r);
/* The server took the request and gave no answer, or a 503. Whether another one may get it; if not, mb_passage_end
 * follows. */
int mb_passage_lost(const backhand_door *door, const request_rec *r);
/* Whether mod_proxy has found no address for the server's name, and has sent nothing. */
int mb_passage_is_nameless(const request_rec *r);
/* What mod_proxy's scheme handler returned for it. Returns what it should have: 503 if the server cannot have it. */
int mb_passage_end(const backhand_door *door, const request_rec *r, int result);
void mb_passage_register(void);

/* ---- mod_proxy at work for such a module: mb_send.c ---- */

/* Where a request is sent. */
typedef struct backhand_target {
    char *url;                /* with the server's name; any scheme that mod_proxy has */
    const char *like;         /* a URL whose ProxyPass line has the settings; NULL: none has */
    const bh_named_t *member; /* the server; NULL: it is none of those that are chosen from, and has no row */
    const struct ap_conf_vector_t *section; /* as for mb_passage_begin, which it needs a member for */
    uint16_t port;
    const char **shown; /* where the URL stands whose answer the client gets, for the caller's filters; NULL: nowhere */
} backhand_target;

/* Sends the request, in the place of mod_proxy's handler. result: what a handler returns. Returns 0 if another server
 * may have it; if none does, mb_hold_give follows. */
int mb_send(const backhand_door *door, request_rec *r, const backhand_target *to, int *result);

/* ---- Workers of mod_proxy for servers' origins: mb_origin.c ---- */

/* The worker for the target's URL, with the settings that ProxyPass has for the one that it is like. NULL: it has
 * logged why. */
struct proxy_worker *mb_origin_worker(request_rec *r, const backhand_target *to);
void mb_origin_register(void);

/* ---- Answers that are held back: mb_hold.c ---- */

/* Around mod_proxy's scheme handler, if another server may have the request. */
void mb_hold_begin(const backhand_door *door, request_rec *r, const char *scheme);
/* Whether the answer is a 503 that is held back. The request is then as it was before. result: the handler's, and then
 * what it means: 503; or 502, if the server has broken such an answer off. */
int mb_hold_end(const backhand_door *door, request_rec *r, const backhand_target *to, int *result);
/* No server does better: gives the client the last 503. result: what a handler returns. Returns 0: there is none. */
int mb_hold_give(const backhand_door *door, request_rec *r, int *result);
void mb_hold_register(void);

/* ---- Servers that announce themselves: mb_heard.c ---- */

/* One of them. */
typedef struct mb_heard {
    bh_member_t member;
    bh_place_t place;
} mb_heard;

/* Hundredths of what others get, for the server of a row that announces this name; 0: it is not wanted. */
typedef uint32_t (*mb_weigh_fn)(const void *baton, uint32_t row, const char *name);

/* Those that are wanted. Each child has its list, which is made again only if a server has come, left, or changed its
 * address, port or name. */
typedef struct mb_heard_list mb_heard_list;
mb_heard_list *mb_heard_make(apr_pool_t *pconf, mb_weigh_fn weigh, const void *baton);
/* They are in the order of their rows. This httpd itself is never among them. */
const mb_heard *mb_heard_now(mb_heard_list *list, apr_pool_t *pool, int *count);
/* As it stands in a URL: host "10.0.0.7", or "[::1]"; returns it with the port. */
const char *mb_heard_text(apr_pool_t *pool, const bh_place_t *place, const char **host);

/* ---- All of it, for other modules: mb_doors.c ---- */

/* Valid until the next restart. What a function does: above, and the headers that have it. */
typedef struct backhand_core {
    uint32_t version;             /* BH_BORDER_VERSION: another one is another interface */
    bh_segment_t *const *segment; /* NULL: without shared memory */
    __typeof__(&mb_passage_name) name;
    __typeof__(&mb_passage_reserve) reserve;
    __typeof__(&mb_passage_newcomer) newcomer;
    __typeof__(&mb_passage_is_out) is_out;
    __typeof__(&mb_passage_has_chain) has_chain;
    __typeof__(&mb_passage_choose) choose;
    __typeof__(&mb_passage_best) best;
    __typeof__(&mb_passage_stage) stage;
    __typeof__(&mb_passage_begin) begin;
    __typeof__(&mb_passage_keep) keep;
    __typeof__(&mb_passage_release) release;
    __typeof__(&mb_passage_end) end;
    __typeof__(&mb_send) send;
    __typeof__(&mb_hold_give) give;
    __typeof__(&mb_heard_make) heard_make;
    __typeof__(&mb_heard_now) heard_now;
    __typeof__(&mb_heard_text) heard_text;
    /* A function of a module that may be loaded after the caller, which cannot be linked with it for that reason. NULL:
     * it has none of this name. */
    void *(*find)(const module *host, const char *name);
    /* Lines of the configuration: the server that one is for; whether one of some, or of those in their sections, has
     * the name; the Backhand line of a chain for the URLs of a line, NULL if there is none. */
    const server_rec *(*line_server)(const server_rec *all, const ap_directive_t *line);
    int (*lines_have)(const ap_directive_t *line, const char *name);
    const ap_directive_t *(*line_chain)(apr_pool_t *ptemp, const ap_directive_t *line);
    /* 503, with the second after which a client should come again. */
    int (*unavailable)(request_rec *r);
    /* A directive's number in these bounds. The error, or NULL. */
    const char *(*number)(cmd_parms *cmd, const char *text, bh_unit_t unit, int least, int most, int *result);
    /* In post_config, before APR_HOOK_REALLY_LAST: the moderator and the status page serve farms. is_mirrored: and tell
     * other balancers of their states. */
    void (*show_farms)(int is_mirrored);
    /* While httpd still is root: reads a file with keys, as BackhandKey does, for verify. The error, or NULL. */
    const char *(*read_key)(apr_pool_t *pconf, const char *file, const void **keys);
    bh_verify_fn verify;
    uint64_t (*now_ms)(void);
    /* Whether a minute has passed since it was last true for this word of the caller's: for lines of the log. */
    int (*minute_passed)(uint64_t *next_ms);
    __typeof__(&bh_max_forwards) max_forwards;
    /* What farms have of the core. */
    __typeof__(&bh_ath_answer_make) answer_make;
    __typeof__(&bh_ath_answer_write) answer_write;
    __typeof__(&bh_ath_farm_name_check) farm_name_check;
    __typeof__(&bh_ath_line_read) line_read;
    __typeof__(&bh_ath_line_host) line_host;
    __typeof__(&bh_ath_is_of_browsers) is_of_browsers;
    __typeof__(&bh_ath_cookie_domain) cookie_domain;
    __typeof__(&bh_ath_cookie_name_check) cookie_name_check;
    __typeof__(&bh_ath_cookie_read) cookie_read;
    __typeof__(&bh_ath_names_equal) names_equal;
    __typeof__(&bh_ath_url_split) url_split;
    __typeof__(&bh_farm_join) farm_join;
    __typeof__(&bh_farm_select) farm_select;
    __typeof__(&bh_farms_write) farms_write;
    __typeof__(&bh_member_standing) member_standing;
} backhand_core;

/* POSIX promises that a function's address survives in a data pointer; ISO C has no conversion. */
#define BACKHAND_FIND(core, function, host, name) (*(void **)(void *)&(function) = (core)->find(host, name))

APR_DECLARE_OPTIONAL_FN(const backhand_core *, backhand_core_of, (uint32_t version));

/* From the module that has farms: whether a request that has a chain, and that mod_proxy is to serve, goes to one. Then
 * the chain leaves it alone. */
APR_DECLARE_OPTIONAL_FN(int, backhand_is_for_farm, (const request_rec *r));

void mb_doors_register(apr_pool_t *pool);

#endif
