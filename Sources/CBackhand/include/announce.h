/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* backhand-announce, but for its main function. */
#ifndef BACKHAND_ANNOUNCE_H
#define BACKHAND_ANNOUNCE_H

#include "serverstats.h"

/* Runs the program with these arguments, the first of which is its name. Returns its exit code: 0, 1: it cannot work
 * here, 2: the arguments or the configuration are wrong. */
int32_t bh_announce(int32_t count, const char *_Nullable const *_Nonnull arguments);

#endif
