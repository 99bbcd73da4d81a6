/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Checks: each server asks its own application whether it works, and announces the result. docs/checks.md tells
 * administrators. */
#ifndef BACKHAND_CHECK_H
#define BACKHAND_CHECK_H

#include "serverstats.h"

/* Most checks of one machine. */
#define BH_CHECKS 64

/* The request header of a check by this httpd's own moderator. */
static inline const char *_Nonnull bh_check_header(void) { return "Backhand-Check"; }

/* One line of BackhandCheck. The application is asked at the address that is announced. The texts stay the caller's. */
typedef struct bh_check {
    const char *_Nullable path;   /* the request target; begins with a slash */
    const char *_Nullable host;   /* the value of Host; NULL: the address and port */
    const char *_Nullable expect; /* the statuses that are good, as "200-299,304" */
    const char *_Nullable text;   /* what the first 4096 bytes of the content must have; NULL: anything */
    uint32_t interval_ms;         /* from the beginning of one check to that of the next, 100 or more */
    uint32_t timeout_ms;          /* until the answer must be there, 100 or more */
    uint32_t rise;                /* checks that must pass in a row before a failing server works again, 1 or more */
    uint32_t fall;                /* checks that must fail in a row before a server is failing, 1 or more */
    uint16_t vhost;               /* bh_destination_t.vhost of the server whose check it is */
} bh_check_t;

/* Whether the value of that header is the one that checks by this segment's moderators have. */
bool bh_check_is_own(const bh_segment_t *_Nullable segment, const char *_Nullable value);

#endif
