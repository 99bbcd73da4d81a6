/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Requests and answers that pass through two httpds: what must be another there, and what must not be done twice. */
#ifndef MB_MESSAGE_H
#define MB_MESSAGE_H

#include "connections/mb_connections.h"
#include "request/mb_request.h"

/* ---- Answers that name the server itself: mb_reverse.c ---- */

/* Names the site instead in Location, Content-Location, URI and Set-Cookie, as ProxyPassReverse would. */
void mb_reverse(request_rec *r, const bh_facts_t *server, mb_scheme scheme);

/* ---- WebDAV's URLs: mb_dav.c ---- */

/* Before the request is sent on: names the site by the scheme that the server is asked with. */
void mb_dav_rename(request_rec *r, mb_scheme scheme);
void mb_dav_register(apr_pool_t *pool);

/* ---- Bodies that were read here: mb_form.c ---- */

/* Before the request is sent on: its body is the one that the client has sent. */
void mb_form_give_back(request_rec *r);
void mb_form_register(apr_pool_t *pool);

/* ---- Answers that two httpds process: mb_filters.c, mb_merge.c ---- */

/* The header of an answer that names the content filters which the server has run. */
#define MB_FILTERED_HEADER "Backhand-Filtered"
/* The header of an answer has come, and nothing has gone on. own: the header before it. */
void mb_filters_answer(request_rec *r, const apr_table_t *own);
void mb_filters_register(apr_pool_t *pool);
/* From now on the answer's header is the server's; what the front adds to it is merged when all its filters have added
 * theirs: mb_merge.c. own: the header before the answer. */
void mb_merge_begin(request_rec *r, const apr_table_t *own);
void mb_merge_register(apr_pool_t *pool);

/* ---- Answers that a lack of descriptors has made wrong: mb_descriptors.c ---- */

void mb_descriptors_register(apr_pool_t *pool);

#endif
