/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The contract is headers; the package manager wants one file that compiles them. */
#include "backhand.h"
