/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* C, because Embedded Swift makes no programs with the system's own start. */
#include "announce.h"

int main(int count, char **arguments) { return bh_announce(count, (const char *const *)arguments); }
