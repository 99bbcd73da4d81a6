/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The clock that cannot be set, and what is done at most once a minute. */

#include "base/mb_base.h"

#include <time.h>

uint64_t mb_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t mb_now_ms(void) { return mb_now_us() / 1000; }

int mb_minute_passed(uint64_t *next_ms) {
    uint64_t now = mb_now_ms(), next = bh_word_load(next_ms);
    /* Of threads that come at once, one writes the line. */
    return next <= now
           && __atomic_compare_exchange_n(next_ms, &next, now + 60000, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
