/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The project's version, in this one place: the module, the tools and the tests read it here. */
#ifndef BACKHAND_VERSION_H
#define BACKHAND_VERSION_H

#define BACKHAND_VERSION "0.1.0"

/* For Swift, which makes a String of a macro. */
static inline const char *bh_version(void) { return BACKHAND_VERSION; }

#endif
