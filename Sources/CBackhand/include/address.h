/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Addresses, and the comparisons of addresses for the shim and the core. */
#ifndef BACKHAND_ADDRESS_H
#define BACKHAND_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/* An IPv6 address as a 128-bit number; IPv4 a.b.c.d is ::ffff:a.b.c.d. Two words compare faster than 16 bytes. */
typedef struct bh_address {
    uint64_t high;
    uint64_t low;
} bh_address_t;

static inline bool bh_address_equals(bh_address_t left, bh_address_t right) {
    return left.low == right.low && left.high == right.high;
}

/* Whether there is none: all bits are zero. */
static inline bool bh_address_is_zero(bh_address_t address) { return !(address.high | address.low); }

static inline bool bh_address_is_ipv4(bh_address_t address) { return address.high == 0 && address.low >> 32 == 0xffff; }

/* 127.0.0.0/8 or ::1: every machine itself. */
static inline bool bh_address_is_loopback(bh_address_t address) {
    return address.high == 0 && (address.low == 1 || address.low >> 24 == 0xffff7f);
}

#endif
