/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The interface of mod_backhand for Swift. make install puts mod_backhand.h beside httpd's headers. */
#ifndef CMODBACKHAND_H
#define CMODBACKHAND_H

#include <mod_backhand.h>
#include <stdlib.h>

/* The row of a candidate. Other processes write it now and then. */
static inline const serverstat *_Nonnull row_of(ServerSlot candidate) { return &serverstats[candidate.id]; }

#endif
