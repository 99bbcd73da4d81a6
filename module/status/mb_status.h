/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Pages that show the table. */
#ifndef MB_STATUS_H
#define MB_STATUS_H

#include "table/mb_table.h"

/* The name that SetHandler gives the page. */
#define MB_STATUS_HANDLER "backhand-handler"
/* A bh_write_fn for the body of a request. */
bool mb_status_put(void *r, const char *text, size_t length);
void mb_status_register(apr_pool_t *pool);
/* mod_status's page: mb_server_status.c. */
void mb_server_status_register(apr_pool_t *pool);

#endif
