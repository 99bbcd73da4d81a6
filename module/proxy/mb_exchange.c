/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The request that this thread sends to a server. */

#include "proxy/mb_proxy.h"

__thread __attribute__((tls_model("initial-exec"))) mb_exchange mb_now;
__thread __attribute__((tls_model("initial-exec"))) uint64_t mb_spent_us;

uint64_t mb_spent_end(uint64_t mark, uint64_t took_us) {
    uint64_t within = mb_spent_us - mark;
    mb_spent_us = mark + took_us;
    return within;
}
