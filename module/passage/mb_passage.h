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

/* In check_config, for the module that has the requests. 0: mod_backhand is not loaded, or is another version's. */
int mb_passage_prepare(const module *door);
/* In post_config, before APR_HOOK_REALLY_LAST, when it gets its row. Without an address of the Internet protocols
 * (NULL: it is not known) the key stands for it. The same place is the same server. name: lives as long as pconf. */
void mb_passage_name(apr_pool_t *pconf, bh_named_t *named, const char *name, const apr_sockaddr_t *address,
                     uint16_t port, uint32_t key);
/* Rows for servers that are not known yet: likewise. */
void mb_passage_reserve(apr_pool_t *pconf);
/* Such a server, for as long as the configuration holds; its key is not 0. NULL: no row is left. */
const bh_named_t *mb_passage_newcomer(uint32_t key);
/* Whether the section has a chain for members. */
int mb_passage_has_chain(const ap_conf_vector_t *section);
/* The index of the one that the request goes to next, by the section's chain, without those that have failed it; or one
 * of the above. section: NULL: there is none. is_last: the last resort is one. */
int mb_passage_choose(request_rec *r, const ap_conf_vector_t *section, const bh_member_t *candidates, int count,
                      int is_last);
/* Whether the core has chosen the server that the request is sent to next. */
int mb_passage_is_chosen(const request_rec *r);
/* The request is sent to the server now, until mb_passage_end. 0: it is under way already, or the server has no row. */
int mb_passage_begin(request_rec *r, const ap_conf_vector_t *section, const bh_named_t *member);
/* What mod_proxy's scheme handler returned for it. */
void mb_passage_end(request_rec *r, int result);

#endif
