/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The addresses that belong to servers: without a key, a request from one of them may name its client.
 *
 * A server connects from the address that it announces, or from another one that it announces as well, along another
 * line of MulticastStats. The moderator keeps these with the server's row, and all of them in a hash table, so that a
 * child finds one without a lock and without looking at every row. There are two tables: one is read while the other is
 * made.
 */
#ifndef BACKHAND_KNOWN_H
#define BACKHAND_KNOWN_H

#include "serverstats.h"

/* A table is at most half full, and three quarters at its largest size, so probing ends soon; the limit bounds it
 * whatever the shared memory holds. */
#define BH_KNOWN_PROBES 64

static inline uint32_t bh_known_hash(const bh_address_t *_Nonnull address) {
    uint64_t mixed = (address->low ^ address->high * UINT64_C(0xbf58476d1ce4e5b9)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

/* The slot that has the address, or where it would have a place; NULL: neither. */
static inline const bh_address_t *_Nullable bh_known_find(const bh_known_t *_Nonnull table,
                                                          const bh_address_t *_Nonnull address) {
    uint32_t mask = bh_half_load(&table->mask) & (BH_KNOWN_SLOTS - 1), start = bh_known_hash(address);
    for (uint32_t i = 0; i < BH_KNOWN_PROBES; i++) {
        const bh_address_t *slot = &table->slots[(start + i) & mask];
        uint64_t low = __atomic_load_n(&slot->low, __ATOMIC_ACQUIRE), high = bh_word_load(&slot->high);
        bh_address_t found = {high, low};
        if (bh_address_equals(found, *address) || bh_address_is_zero(found)) return slot;
    }
    return NULL;
}

/* Whether it is an address of a server whose row has not expired, or of this httpd. */
static inline bool bh_segment_knows(const bh_segment_t *_Nonnull segment, bh_address_t address) {
    if (bh_address_is_zero(address)) return false;
    for (int try = 0; try < BH_ROW_TRIES; try++) {
        uint32_t turn = __atomic_load_n(&segment->known_turn, __ATOMIC_ACQUIRE);
        const bh_address_t *slot = bh_known_find(&segment->known[turn & 1], &address);
        bool found = slot && bh_word_load(&slot->low) == address.low && bh_word_load(&slot->high) == address.high;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&segment->known_turn, __ATOMIC_RELAXED) == turn) return found;
    }
    return false;
}

/* One of the addresses from which the row's server may connect, beside the row's own; zero: there is none. */
static inline bh_address_t bh_row_other(const bh_segment_t *_Nonnull segment, uint32_t id, uint32_t number) {
    const bh_address_t *other = &segment->others[id].addresses[number];
    return (bh_address_t){bh_word_load(&other->high), bh_word_load(&other->low)};
}

/* ---- The moderator that owns the segment ---- */

static inline void bh_row_set_other(bh_segment_t *_Nonnull segment, uint32_t id, uint32_t number,
                                    bh_address_t address) {
    bh_address_t *other = &segment->others[id].addresses[number];
    __atomic_store_n(&other->high, address.high, __ATOMIC_RELAXED);
    __atomic_store_n(&other->low, address.low, __ATOMIC_RELAXED);
}

/* Adds an address to a table; false if it is too full. A reader meanwhile finds the address or does not; a slot that is
 * half written is another address than any that is looked up: the low word, which is not zero in an IPv4 address, comes
 * last. */
static inline bool bh_known_add(bh_known_t *_Nonnull table, bh_address_t address) {
    bh_address_t *slot = (bh_address_t *)(uintptr_t)bh_known_find(table, &address);
    if (!slot) return false;
    __atomic_store_n(&slot->high, address.high, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->low, address.low, __ATOMIC_RELEASE);
    return true;
}

/* The table that is read now. */
static inline bh_known_t *_Nonnull bh_known_current(bh_segment_t *_Nonnull segment) {
    return &segment->known[segment->known_turn & 1];
}

/* The other one, empty, with this number of slots, a power of two. Readers use it after bh_known_commit. */
static inline bh_known_t *_Nonnull bh_known_begin(bh_segment_t *_Nonnull segment, uint32_t slots) {
    bh_known_t *table = &segment->known[(segment->known_turn + 1) & 1];
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < slots && i < BH_KNOWN_SLOTS; i++) {
        __atomic_store_n(&table->slots[i].low, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&table->slots[i].high, 0, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&table->mask, slots - 1, __ATOMIC_RELAXED);
    return table;
}

static inline void bh_known_commit(bh_segment_t *_Nonnull segment) {
    __atomic_add_fetch(&segment->known_turn, 1, __ATOMIC_RELEASE);
}

#endif
