/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What mod_backhand offers, as Swift likes to see it. mod_backhand.h is the one that make install puts beside httpd's headers. */
#ifndef CMODBACKHAND_H
#define CMODBACKHAND_H

#include <mod_backhand.h>
#include <stdlib.h>

/* What is known of a candidate. Other processes write it now and then. */
static inline const serverstat *_Nonnull row_of(ServerSlot candidate) { return &serverstats[candidate.id]; }

#endif
