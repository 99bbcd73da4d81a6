/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A request that a module sends to one of its servers, through mod_proxy: the core decides, and sees what comes of it.
 * Part of each such module. */
#ifndef MB_PASSAGE_H
#define MB_PASSAGE_H

#include "doors/mb_doors.h"

#include "http_config.h"

/* Instead of an index. */
enum {
    MB_NOBODY = -1,     /* all have failed the request, or the chain admits none */
    MB_UNDECIDED = -2,  /* the core cannot say: there is no table, or it has no row for one of the servers */
    MB_LAST_RESORT = -3 /* only servers that take requests if there is no other one */
};

/* How often a request is sent to another server, and for how long. */
typedef struct mb_passage_rules {
    uint32_t retries;
    uint64_t most_us;
} mb_passage_rules;

/* With the module's hooks. name: of its filter for answers. */
void mb_passage_register(const char *name);
/* A function of a module that may be loaded after the caller, which cannot be linked with it for that reason. NULL: it
 * has none of this name. */
void *mb_passage_find(const module *host, const char *name);
/* POSIX promises that a function's address survives in a data pointer; ISO C has no conversion. */
#define MB_PASSAGE_FIND(function, host, name) (*(void **)(void *)&(function) = mb_passage_find(host, name))
/* In check_config, for the module that has the requests. 0: mod_backhand is not loaded, or is another version's. */
int mb_passage_prepare(const module *door, mb_passage_rules rules);
/* The core, after that; NULL: mod_backhand is not loaded. */
const backhand_core *mb_passage_core(void);
/* In post_config, before APR_HOOK_REALLY_LAST, when it gets its row. Without an address of the Internet protocols
 * (NULL: it is not known) the key stands for it. The same place is the same server. name: lives as long as pconf. */
void mb_passage_name(apr_pool_t *pconf, bh_named_t *named, const char *name, const apr_sockaddr_t *address,
                     uint16_t port, uint32_t key);
/* Rows for servers that are not known yet: likewise. */
void mb_passage_reserve(apr_pool_t *pconf);
/* Such a server, for as long as the configuration holds; its key is not 0. NULL: no row is left. */
const bh_named_t *mb_passage_newcomer(uint32_t key);
/* Whether its state, or an order for this httpd alone, is that it takes no requests, or only as the last resort. */
int mb_passage_is_out(const bh_named_t *named);

/* Whether the section has a chain for members. */
int mb_passage_has_chain(const ap_conf_vector_t *section);
/* The index of the one that the request goes to next, by the section's chain, without those that have failed it; or one
 * of the above. section: NULL: there is none. is_last: the last resort is one. */
int mb_passage_choose(request_rec *r, const ap_conf_vector_t *section, const bh_member_t *candidates, int count,
                      int is_last);
/* The same for a caller that sends the request itself: nothing is known of the request, and nothing is kept. why: the
 * chain, and how many each of its functions has left; written if there is a decision. */
int mb_passage_best(request_rec *r, const ap_conf_vector_t *section, const bh_member_t *candidates, int count,
                    int is_last, const char **why);
/* Whether the core has chosen the server that the request is sent to next. */
int mb_passage_is_chosen(const request_rec *r);
/* The request is sent to the server now, until mb_passage_end. port: where, if the server has no port of its own; else
 * 0. Returns 0 if it is under way already, or the server has no row. */
int mb_passage_begin(request_rec *r, const ap_conf_vector_t *section, const bh_named_t *member, uint16_t port);
/* The server took the request and gave no answer. Whether another one may get it; if not, mb_passage_end follows. */
int mb_passage_lost(request_rec *r);
/* What mod_proxy's scheme handler returned for it. */
void mb_passage_end(request_rec *r, int result);

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

/* ---- Lines of the configuration: mb_lines.c ---- */

/* The server that the line is for. */
const server_rec *mb_lines_server(const server_rec *all, const ap_directive_t *line);
/* Whether one of these lines, or of those in their sections, has the name. */
int mb_lines_have(const ap_directive_t *line, const char *name);
/* The Backhand line of a chain in the section of a line, or of a ProxyPass in the <Location> of its path; NULL: there
 * is none. <Location> sections for other paths that cover the same URLs are not looked at. */
const ap_directive_t *mb_lines_chain(apr_pool_t *ptemp, const ap_directive_t *line);

#endif
