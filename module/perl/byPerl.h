/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The parts of byPerl.so, a shared object for BackhandFromSO. It uses mod_backhand's public header, as custom functions
 * do, and mod_perl's.
 *
 * byPerl.c    borrows an interpreter of mod_perl's for the call
 * bp_sub.c    finds the sub that the configuration names
 * bp_call.c   calls it with the request and the ids, under eval
 * bp_ids.c    checks what it returned, and makes the new list of it
 */
#ifndef BY_PERL_H
#define BY_PERL_H

#define PERL_NO_GET_CONTEXT
#include "apr.h"
/* mod_perl declares functions of its own inline and defines them elsewhere: as C89 has it, and C99 does not. */
#undef APR_INLINE
#define APR_INLINE
#include "mod_perl.h"

#include "mod_backhand.h"

/* The sub of a line of the configuration, as one interpreter has it. */
typedef struct bp_sub {
    SV *code;             /* the interpreter's */
    const char *argument; /* what follows the sub's name; NULL: nothing */
} bp_sub;

/* All functions that return a text return NULL if nothing is wrong. Otherwise the text ends the sentence "the sub,
 * which …", and lives as long as the pool. */

/* Finds the sub that the text of the configuration names, or makes it. */
const char *bp_sub_find(pTHX_ apr_pool_t *pool, const char *text, bp_sub *sub);

/* Calls the sub of this text with the request and the ids of the *n servers, and replaces them by what it returned. If
 * something is wrong, the list stays as it is. */
const char *bp_call(pTHX_ request_rec *r, const char *text, ServerSlot *servers, int *n);

/* $@ as a text without its last newline, for the log. */
const char *bp_call_error(pTHX_ apr_pool_t *pool);

/* Replaces the list by the ids of the array. A server that stays keeps its mode, wherever it goes. */
const char *bp_ids_take(pTHX_ apr_pool_t *pool, AV *ids, ServerSlot *servers, int *n);

#endif
