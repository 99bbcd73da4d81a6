/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The table of servers in shared memory, and what this httpd itself is and does in it. */
#ifndef MB_TABLE_H
#define MB_TABLE_H

#include "config/mb_config.h"

/* ---- Shared memory: mb_segment.c ---- */

/* NULL where no moderator is configured. Set in post_config, inherited by children. */
extern bh_segment_t *mb_segment;
/* What the server of that row tells of itself; 0: the row is written again and again while it is read. */
int mb_facts_of(uint32_t id, bh_facts_t *facts);
/* Makes or finds the segment that outlives restarts. */
apr_status_t mb_segment_attach(server_rec *server);
void mb_segment_register(apr_pool_t *pool);
/* This child's slot for what it has in flight; -1: none. */
extern int32_t mb_child_slot;

/* ---- Cookies of bySession: mb_session.c ---- */

/* Its keys are those of a child. */
extern bh_sessions_t mb_sessions;
/* In each child. */
void mb_session_prepare(void);
/* The row's server answers: adds the cookie that keeps the client there to a header of the answer, if the client has
 * another one or none. cookie: what bySession has after "cookie="; NULL: the chain sets none. */
void mb_session_keep(request_rec *r, apr_table_t *header, const char *cookie, uint32_t id);

/* ---- Servers that the configuration names: mb_members.c ---- */

/* In post_config. It is the caller's, and lives as long as the configuration. */
void mb_members_name(apr_pool_t *pconf, bh_named_t *named);
int mb_members_are_named(void);
/* Before the moderator starts: gives each a row. */
void mb_members_write(void);
/* What another module adds for them to the moderator and to the status page; NULL: nothing. */
extern const bh_extension_t *mb_extension;
void mb_members_register(apr_pool_t *pool);

/* ---- The rows of this httpd: mb_self.c ---- */

/* Row of the server that "here" is for a request: 0, or that of its virtual host. */
uint32_t mb_self_row(const request_rec *r);
/* Whether a server that a decision has left is this one. */
int mb_self_is(uint32_t id);

/* ---- What is done here of the cluster's work: mb_local.c ---- */

typedef struct mb_local mb_local;
/* The request, which a chain left here or a peer has sent, is this server's work until its end. Its time is that of its
 * section's chain. free: the chain placed it freely. NULL: it is not counted. */
mb_local *mb_local_begin(request_rec *r, int free);
/* What the request's client and its URL are known by. */
bh_asked_t mb_local_asked(const request_rec *r);
/* The request's section was not known at the beginning: the number of its chain. */
void mb_local_in_chain(mb_local *work, uint32_t chain);
void mb_local_register(apr_pool_t *pool);

#endif
