/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Counts what is true and what is not, and tells the latter. */
#ifndef BACKHAND_COUNTING_H
#define BACKHAND_COUNTING_H

#include <stdio.h>

static int passed, failed;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (condition) passed++;                                                                                       \
        else {                                                                                                         \
            failed++;                                                                                                  \
            printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                           \
        }                                                                                                              \
    } while (0)

#endif
