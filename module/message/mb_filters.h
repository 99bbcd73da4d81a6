/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What the files share that keep answers from being processed twice. */
#ifndef MB_FILTERS_H
#define MB_FILTERS_H

#include "mb_module.h"
#include "text/mb_text.h"

/* The header of an answer that names the content filters which the server has run. */
#define MB_FILTERED_HEADER "Backhand-Filtered"

/* From now on the answer's header is the server's; what the front adds to it is merged when all its filters have added theirs: mb_merge.c.
 * own: the header before the answer. */
void mb_merge_begin(request_rec *r, const apr_table_t *own);
void mb_merge_register(apr_pool_t *pool);

#endif
