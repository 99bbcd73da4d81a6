/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The parts of Apache::Backhand in C.
 *
 * Backhand.xs  what Perl sees
 * ab_table.c   where serverstats is now
 * ab_tie.c     values that are tied to a row
 * ab_server.c  the extended row as a hash
 * ab_child.c   runs what a child begins with in all interpreters
 *
 * No symbol of mod_backhand's or mod_perl's is linked: perl outside of httpd has neither.
 */
#ifndef AB_H
#define AB_H

#define PERL_NO_GET_CONTEXT
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

#include "feedback.h"
#include "serverstats.h"

/* Rows 0...MAXSERVERS-1, and the segment that they are in. Both croak, with one sentence, if there are none. */
serverstat *ab_table(pTHX);
bh_segment_t *ab_segment(pTHX);
/* mod_backhand_personal_arriba of this process; croaks if mod_backhand is not loaded. */
int *ab_table_arriba(pTHX);

/* "address:port", or "[address]:port", as the status page has it. */
SV *ab_contact(pTHX_ const bh_facts_t *facts);

/* A reference to an array of MAXSERVERS hashes, whose values are tied to the rows. */
SV *ab_tied_rows(pTHX);
/* A reference to a scalar that is tied to mod_backhand_personal_arriba. */
SV *ab_load_personal_arriba(pTHX);

/* The server's extended row; undef if no server has the id. */
SV *ab_server(pTHX_ IV id);

/* Runs the PerlChildInit handler of this name with these words in all other interpreters of the child. In any other
 * phase, and without threads, it does nothing. */
void ab_child_repeat(pTHX_ const char *name, SV **words, int count);

#endif
