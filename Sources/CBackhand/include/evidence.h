/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Evidence: what answers show about a server, beside how long they took; by row and chain. A refused connection is
 * proof, not evidence (feedback.h).
 *
 * Only what the chain placed freely is written here. Children count classes and keep two small sets, of clients and of
 * URLs (EvidenceWriter.swift); the rules are in Evidence.swift, which children ask at failures and the moderator once a
 * second. What comes of them is a bit of row.doubts: the server is asked last, but for one request now and then that
 * probes whether it works again. docs/reliability.md has the rules, docs/limits.md the bounds.
 */
#ifndef BACKHAND_EVIDENCE_H
#define BACKHAND_EVIDENCE_H

#include "feedback.h"

/* Milliseconds between two requests that probe whether a server that failed works again; and, after one that was
 * answered, until the next. */
#define BH_PROBE_MS 1000
#define BH_PROBE_AGAIN_MS 100
/* The longest time between two of them, and what is taken if the moderator has not said it. */
#define BH_PROBE_MOST_MS 8000
/* A request that is not repeatable probes only if no other request has probed for this long. */
#define BH_PROBE_UNREPEATABLE_MS 30000
/* Answers in a row that end a doubt: one may be of the page that always works. */
#define BH_DOUBT_STREAK 4

/* All bits of a slot. */
static inline uint32_t bh_doubt_bits(uint32_t slot) {
    return (UINT32_C(1) << BH_DOUBT_FAILS | UINT32_C(1) << BH_DOUBT_FAILING | UINT32_C(1) << BH_DOUBT_WRONG)
           << (slot & (BH_CHAINS - 1));
}
static inline uint32_t bh_doubt_bit(uint32_t why, uint32_t slot) {
    return UINT32_C(1) << (why + (slot & (BH_CHAINS - 1)));
}

/* Why a slot's chain tries the server last: bits as of slot 0; 0: it does not. */
static inline uint32_t bh_row_doubts(const bh_row_t *_Nonnull row, uint32_t slot) {
    return (bh_half_load(&row->doubts) & bh_doubt_bits(slot)) >> (slot & (BH_CHAINS - 1));
}

static inline bh_evidence_t *_Nonnull bh_row_evidence(bh_row_t *_Nonnull row, uint32_t slot) {
    return (bh_evidence_t *)(void *)((char *)row + offsetof(bh_row_t, evidence)) + (slot & (BH_CHAINS - 1));
}

static inline uint32_t bh_evidence_answers(const bh_evidence_t *_Nonnull evidence, uint32_t kind) {
    return kind < BH_CLASSES ? bh_half_load(&evidence->answers[kind]) : 0;
}

/* Whether a request of the chain may probe now. An end further away than any was not written by a child. */
static inline bool bh_probe_is_due(const bh_evidence_t *_Nonnull evidence, uint64_t now_ms, bool repeatable) {
    uint64_t due = bh_word_load(&evidence->probe_ms);
    if (due > now_ms && due - now_ms > 2 * BH_PROBE_MOST_MS) return true;
    return now_ms >= due + (repeatable ? 0 : BH_PROBE_UNREPEATABLE_MS);
}

/* The caller's request probes; false if another one has just begun to. */
static inline bool bh_probe_claim(bh_row_t *_Nonnull row, uint32_t slot, uint64_t now_ms, bool repeatable) {
    bh_evidence_t *evidence = bh_row_evidence(row, slot);
    uint64_t due = bh_word_load(&evidence->probe_ms);
    if (!bh_probe_is_due(evidence, now_ms, repeatable)) return false;
    uint32_t gap = BH_PROBE_MS;
    if (bh_row_doubts(row, slot) == bh_doubt_bit(BH_DOUBT_WRONG, 0)) {
        gap = bh_half_load(&evidence->gap_ms);
        if (!gap || gap > BH_PROBE_MOST_MS) gap = BH_PROBE_MOST_MS;
        if (gap < BH_PROBE_MS) gap = BH_PROBE_MS;
    }
    return __atomic_compare_exchange_n(&evidence->probe_ms, &due, now_ms + gap, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

/* From now on the chain tries the server last; false if it did so already. */
static inline bool bh_doubt_begin(bh_row_t *_Nonnull row, uint32_t slot, uint32_t why, uint64_t probe_ms) {
    bh_evidence_t *evidence = bh_row_evidence(row, slot);
    if (!bh_row_doubts(row, slot)) {
        bh_half_store(&evidence->streak, 0);
        bh_word_store(&evidence->probe_ms, probe_ms);
    }
    uint32_t bit = bh_doubt_bit(why, slot);
    return !(__atomic_fetch_or(&row->doubts, bit, __ATOMIC_RELAXED) & bit);
}

static inline void bh_doubt_end(bh_row_t *_Nonnull row, uint32_t bits) {
    __atomic_fetch_and(&row->doubts, ~bits, __ATOMIC_RELAXED);
}

/* Pairs of sets of bh_evidence_t, one of clients and one of URLs: those of all answers, of wrong ones, and of failures.
 */
typedef enum bh_sets { BH_SETS_ALL = 0, BH_SETS_WRONG = 1, BH_SETS_FAILED = 2 } bh_sets_t;
BH_ASSERT(offsetof(bh_evidence_t, urls) == offsetof(bh_evidence_t, clients) + 16
              && offsetof(bh_evidence_t, wrong_clients) == offsetof(bh_evidence_t, clients) + 32
              && offsetof(bh_evidence_t, failed_clients) == offsetof(bh_evidence_t, clients) + 64,
          "bh_evidence_add() takes them as one array");

static inline void bh_set_add(uint64_t *_Nonnull set, uint64_t bit) {
    if (!(bh_word_load(set) & bit)) bh_word_set_bits(set, bit);
}

/* Adds a client and a URL to one half of a pair. */
static inline void bh_evidence_add(bh_evidence_t *_Nonnull evidence, bh_sets_t sets, uint32_t half, bh_asked_t asked) {
    uint64_t *clients =
        (uint64_t *)(void *)((char *)evidence + offsetof(bh_evidence_t, clients)) + 4 * sets + (half & 1);
    bh_set_add(clients, asked.client);
    bh_set_add(clients + 2, asked.url);
}

/* Counts an answer. */
static inline void bh_evidence_count(bh_evidence_t *_Nonnull evidence, bh_class_t kind) {
    if (kind < BH_CLASSES) bh_half_add(&evidence->answers[kind], 1);
}

/* What one half of a set and the other have together. */
static inline uint64_t bh_set_both(const uint64_t set[_Nonnull 2]) {
    return bh_word_load(&set[0]) | bh_word_load(&set[1]);
}
static inline uint64_t bh_evidence_clients(const bh_evidence_t *_Nonnull evidence) {
    return bh_set_both(evidence->clients);
}
static inline uint64_t bh_evidence_urls(const bh_evidence_t *_Nonnull evidence) { return bh_set_both(evidence->urls); }
static inline uint64_t bh_evidence_wrong_clients(const bh_evidence_t *_Nonnull evidence) {
    return bh_set_both(evidence->wrong_clients);
}
static inline uint64_t bh_evidence_wrong_urls(const bh_evidence_t *_Nonnull evidence) {
    return bh_set_both(evidence->wrong_urls);
}
static inline uint64_t bh_evidence_failed_clients(const bh_evidence_t *_Nonnull evidence) {
    return bh_set_both(evidence->failed_clients);
}
static inline uint64_t bh_evidence_failed_urls(const bh_evidence_t *_Nonnull evidence) {
    return bh_set_both(evidence->failed_urls);
}

/* The moderator: children fill the other half of a row's sets, which is emptied before. */
static inline void bh_evidence_turn(bh_row_t *_Nonnull row) {
    uint32_t next = bh_half_load(&row->generation) + 1, half = next & 1;
    for (uint32_t slot = 0; slot < BH_CHAINS; slot++) {
        bh_evidence_t *evidence = bh_row_evidence(row, slot);
        uint64_t *sets[] = {&evidence->clients[half],        &evidence->urls[half],
                            &evidence->wrong_clients[half],  &evidence->wrong_urls[half],
                            &evidence->failed_clients[half], &evidence->failed_urls[half]};
        for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
            if (bh_word_load(sets[i])) bh_word_store(sets[i], 0);
    }
    bh_half_store(&row->generation, next);
}

/* A row that gets another server forgets it all. */
static inline void bh_evidence_forget(bh_row_t *_Nonnull row) {
    bh_half_store(&row->doubts, 0);
    bh_half_store(&row->counted, 0);
    for (uint32_t slot = 0; slot < BH_CHAINS; slot++) {
        uint64_t *words = (uint64_t *)(void *)bh_row_evidence(row, slot);
        for (size_t i = 0; i < sizeof(bh_evidence_t) / sizeof *words; i++) bh_word_store(&words[i], 0);
        bh_word_store(bh_row_failing(row, slot), 0);
    }
}

#endif
