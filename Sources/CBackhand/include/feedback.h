/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Feedback: the results of the requests that the children of one httpd send to servers, kept in serverstats for all of
 * them.
 *
 * Requests in flight, their times and errors as moving means, and what failures mean for the next requests: back-off
 * and doubt. Children write without locks; decisions and the status read. Limits are in docs/limits.md.
 */
#ifndef BACKHAND_FEEDBACK_H
#define BACKHAND_FEEDBACK_H

#include "serverstats.h"

/* What became of a request that was sent to a server. Append only. */
typedef enum bh_outcome {
    /* an answer went to the client, or the client is gone, or the result is an error that the server means */
    BH_OUTCOME_ANSWERED = 0,
    BH_OUTCOME_REFUSED = 1, /* no connection: the request has not reached the server */
    BH_OUTCOME_UNKNOWN = 2, /* the server does not know this httpd, and has not done anything */
    BH_OUTCOME_FAILED = 3,  /* nothing has gone to the client, and another server may do it */
    /* nothing has gone to the client, but no other server gets it: the server may have done it, and the request is not
     * repeatable, or it is too late */
    BH_OUTCOME_NO_RETRY = 4,
    BH_OUTCOME_STARVED = 5 /* no connection, and none to any other server: this process lacks descriptors or memory */
} bh_outcome_t;

/* The client and the URL of a request: a bit of each set of bh_evidence_t. */
typedef struct bh_asked {
    uint64_t client;
    uint64_t url;
} bh_asked_t;

/* How a request ended that was sent to a server, or served here: what bh_feedback_report draws its conclusions from. */
typedef struct bh_result {
    bh_outcome_t outcome;
    uint32_t id;       /* row of the server; 0: this httpd itself */
    uint32_t chain;    /* number of the chain that has sent it, as in bh_request_t */
    int32_t status;    /* of the answer, as the client gets it */
    uint64_t began_us; /* CLOCK_MONOTONIC, as the next two */
    uint64_t first_us; /* the answer's first byte; 0: not seen */
    uint64_t ended_us;
    uint64_t parts_us;  /* between them: of requests within this one, such as those for parts of a page */
    bh_asked_t asked;   /* only if free */
    bool local;         /* this httpd has served it itself */
    bool free;          /* the chain placed the request freely: what comes of it is evidence */
    bool complete;      /* the server's answer did not end half way, and mod_proxy reports no failure */
    bool has_body;      /* mod_proxy waits for the client's body before it connects */
    bool untrusted;     /* the TLS handshake failed */
    bool silent;        /* the server showed no sign of life */
    bool reached;       /* there was no connection, but the server takes connections again */
    bool lacks;         /* there was no connection, because this process lacks what one needs */
    bool unreadable;    /* the server has answered, but mod_proxy cannot read the header */
    bool unknown;       /* the server says that it does not know this httpd */
    bool client_failed; /* mod_proxy reports an error of the client, such as an upload that was broken off */
} bh_result_t;

/* What of it is worth a line in the log: bits of what bh_feedback_report returns. */
typedef enum bh_warning { BH_WARNING_UNTRUSTED = 1, BH_WARNING_SILENT = 2, BH_WARNING_UNKNOWN = 4 } bh_warning_t;

/* Atomic changes of words that several children write. */
static inline void bh_word_add(uint64_t *_Nonnull word, uint64_t value) {
    __atomic_add_fetch(word, value, __ATOMIC_RELAXED);
}
static inline uint32_t bh_half_add(uint32_t *_Nonnull word, uint32_t value) {
    return __atomic_add_fetch(word, value, __ATOMIC_RELAXED);
}
static inline void bh_word_set_bits(uint64_t *_Nonnull word, uint64_t bits) {
    __atomic_fetch_or(word, bits, __ATOMIC_RELAXED);
}
/* The next two return the word as it was before. */
static inline uint32_t bh_half_set_bits(uint32_t *_Nonnull word, uint32_t bits) {
    return __atomic_fetch_or(word, bits, __ATOMIC_RELAXED);
}
static inline uint32_t bh_half_clear_bits(uint32_t *_Nonnull word, uint32_t bits) {
    return __atomic_fetch_and(word, ~bits, __ATOMIC_RELAXED);
}
/* Whether the member with this key, which is not 0, has the row from now on, or had it. */
static inline bool bh_row_claim(bh_row_t *_Nonnull row, uint32_t key) {
    uint32_t has = 0;
    return __atomic_compare_exchange_n(&row->claim, &has, key, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) || has == key;
}
/* False if another child has changed it meanwhile. */
static inline bool bh_word_swap(uint64_t *_Nonnull word, uint64_t before, uint64_t after) {
    return __atomic_compare_exchange_n(word, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static inline void bh_segment_arrival(bh_segment_t *_Nonnull segment) {
    __atomic_add_fetch(&segment->arrivals, 1, __ATOMIC_RELAXED);
}

/* The request that has arrived comes from another server, which has decided for this one. */
static inline void bh_segment_forwarded(bh_segment_t *_Nonnull segment) {
    __atomic_add_fetch(&segment->forwarded, 1, __ATOMIC_RELAXED);
}

static inline bh_child_t *_Nonnull bh_segment_children(bh_segment_t *_Nonnull segment) {
    return (bh_child_t *)(void *)(segment + 1);
}

/* The children's slots that there is memory for. bytes: the mapping's, from the caller's own memory: the children's
 * user can write the segment, and the parent is root. */
static inline uint32_t bh_child_slots(size_t bytes) {
    size_t slots = bytes < sizeof(bh_segment_t) ? 0 : (bytes - sizeof(bh_segment_t)) / sizeof(bh_child_t);
    return slots < INT32_MAX ? (uint32_t)slots : INT32_MAX;
}

/* Claims one of the slots (bh_child_slots) for the process; -1 if none is free: its requests then count in the sums
 * only. */
static inline int32_t bh_child_claim(bh_segment_t *_Nonnull segment, uint32_t slots, int32_t pid) {
    bh_child_t *children = bh_segment_children(segment);
    for (uint32_t i = 0; i < slots; i++) {
        int32_t none = 0;
        if (!__atomic_compare_exchange_n(&children[i].pid, &none, pid, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            continue;
        uint32_t claimed = __atomic_load_n(&segment->children, __ATOMIC_RELAXED);
        while (claimed < i + 1
               && !__atomic_compare_exchange_n(&segment->children, &claimed, i + 1, false, __ATOMIC_ACQ_REL,
                                               __ATOMIC_RELAXED)) {}
        return (int32_t)i;
    }
    return -1;
}

/* The parent, when a child is gone: subtracts what it had in flight, and what it kept. slots: as above.
 * Reads claimed slots only, because each has separate pages. */
static inline void bh_child_forget(bh_segment_t *_Nonnull segment, uint32_t slots, int32_t pid, uint64_t now_us) {
    bh_child_t *children = bh_segment_children(segment);
    uint32_t claimed = __atomic_load_n(&segment->children, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < claimed && i < slots; i++) {
        if (__atomic_load_n(&children[i].pid, __ATOMIC_ACQUIRE) != pid) continue;
        for (uint32_t id = 0; id < BH_ROWS; id++) {
            uint32_t kept = __atomic_exchange_n(&children[i].kept[id], 0, __ATOMIC_RELAXED);
            if (kept) __atomic_sub_fetch(&segment->rows_extended[id].kept, kept, __ATOMIC_RELAXED);
            uint32_t left = __atomic_exchange_n(&children[i].in_flight[id], 0, __ATOMIC_RELAXED);
            if (!left) continue;
            __atomic_sub_fetch(&segment->rows_extended[id].in_flight, left, __ATOMIC_RELAXED);
            __atomic_add_fetch(&segment->rows_extended[id].in_flight_us, left * now_us, __ATOMIC_RELAXED);
        }
        __atomic_store_n(&children[i].pid, 0, __ATOMIC_RELEASE);
    }
}

/* A request goes to the server; child is what bh_child_claim returned, now_us CLOCK_MONOTONIC in microseconds. The sum
 * first: a child killed between the two leaves at most one request too many, never one too few. */
static inline void bh_feedback_begin(bh_segment_t *_Nonnull segment, int32_t child, uint32_t id, uint64_t now_us) {
    bh_row_t *row = &segment->rows_extended[id];
    __atomic_add_fetch(&row->in_flight, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&row->in_flight_us, now_us, __ATOMIC_RELAXED);
    if (child >= 0) __atomic_add_fetch(&bh_segment_children(segment)[child].in_flight[id], 1, __ATOMIC_RELAXED);
}

/* The request is over, however it ended. */
static inline void bh_feedback_end(bh_segment_t *_Nonnull segment, int32_t child, uint32_t id, uint64_t now_us) {
    bh_row_t *row = &segment->rows_extended[id];
    if (child >= 0) __atomic_sub_fetch(&bh_segment_children(segment)[child].in_flight[id], 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&row->in_flight_us, now_us, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&row->in_flight, 1, __ATOMIC_RELAXED);
}

/* A connection to the server is going to be kept. The sum first, as above. most: BH_KEEP_ALL takes a right in any case;
 * false: there is none left. */
static inline bool bh_keep_take(bh_segment_t *_Nonnull segment, int32_t child, uint32_t id, uint32_t most) {
    uint32_t *kept = &segment->rows_extended[id].kept;
    if (bh_half_load(kept) >= most && most != BH_KEEP_ALL) return false;
    if (__atomic_add_fetch(kept, 1, __ATOMIC_RELAXED) > most) {
        __atomic_sub_fetch(kept, 1, __ATOMIC_RELAXED);
        return false;
    }
    if (child >= 0) __atomic_add_fetch(&bh_segment_children(segment)[child].kept[id], 1, __ATOMIC_RELAXED);
    return true;
}

/* It is closed. */
static inline void bh_keep_give(bh_segment_t *_Nonnull segment, int32_t child, uint32_t id) {
    if (child >= 0) __atomic_sub_fetch(&bh_segment_children(segment)[child].kept[id], 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&segment->rows_extended[id].kept, 1, __ATOMIC_RELAXED);
}

/* A child begins to take a connection out of the pool of all children, or to put one in. */
static inline void bh_pool_move(bh_segment_t *_Nonnull segment, uint32_t pool) {
    __atomic_add_fetch(&segment->pools[pool & (BH_POOLS - 1)].moves, 1, __ATOMIC_ACQ_REL);
}

/* Before one is put in, so that one too many is counted if the child is killed meanwhile, and none too few; and after
 * one was taken out. */
static inline void bh_shared_add(bh_segment_t *_Nonnull segment, uint32_t id, int32_t change) {
    __atomic_add_fetch(&segment->shared[id].waiting, change, __ATOMIC_RELAXED);
}

/* Connections to the row's server that are kept: by children, and in their common pool. */
static inline uint32_t bh_row_kept(bh_segment_t *_Nonnull segment, uint32_t id) {
    return bh_half_load(&segment->rows_extended[id].kept) + bh_shared_waiting(segment, id);
}

/* Whether one more than now may wait; more: 0, or -1 if it is one of them already. */
static inline bool bh_shared_has_room(bh_segment_t *_Nonnull segment, uint32_t id, int more) {
    const bh_shared_t *shared = bh_segment_shared(segment, id);
    return bh_shared_waiting(segment, id) + (uint32_t)more < bh_half_load(&shared->most)
           || bh_row_kept(segment, id) <= bh_half_load(&shared->most_kept);
}

/* How many of them the moderator counts: below 0 for a moment. */
static inline int32_t bh_shared_count(bh_segment_t *_Nonnull segment, uint32_t id) {
    return __atomic_load_n(&segment->shared[id].waiting, __ATOMIC_RELAXED);
}

/* How often a child has begun to take or to put; it wraps. */
static inline uint32_t bh_pool_moves(bh_segment_t *_Nonnull segment, uint32_t pool) {
    return bh_half_load(&segment->pools[pool & (BH_POOLS - 1)].moves);
}

/* The last milliseconds of a server's KeepAliveTimeout: a request that begins in them may meet the connection's end on
 * its way. */
#define BH_KEEP_MARGIN_MS 1000
/* Milliseconds for which a connection is kept to a server that does not say for how long it keeps its own. */
#define BH_KEEP_UNKNOWN_MS 1000

/* Of less than two seconds half is left: with BackhandConnectionPools On connections are kept to such servers, too. */
static inline uint32_t bh_keep_lifetime_of(uint32_t keepalive_ms) {
    uint32_t half = keepalive_ms / 2;
    return keepalive_ms - (half < BH_KEEP_MARGIN_MS ? half : BH_KEEP_MARGIN_MS);
}

/* Milliseconds for which a connection to the server may wait for its next request. most: as in bh_row_t.may_keep. 0:
 * for ever. */
static inline uint32_t bh_keep_lifetime(const bh_facts_t *_Nonnull server, uint32_t most) {
    if (server->keepalive_ms) return bh_keep_lifetime_of(server->keepalive_ms);
    return most == BH_KEEP_ONE ? BH_KEEP_UNKNOWN_MS : 0;
}

/* A moving mean in one word, so that children update it without a lock: above, the value in sixteenths (up to 2^28);
 * below, the time of the last sample in units of 64 us, which wrap after 76 hours. 0: no sample yet. */
#define BH_MEAN_SHIFT 4
#define BH_MEAN_CLOCK_SHIFT 6
#define BH_MEAN_MOST ((UINT64_C(1) << 28) - 1)

static inline uint64_t bh_mean_value(uint64_t word) { return word >> (32 + BH_MEAN_SHIFT); }

/* Microseconds since the last sample, up to 76 hours. Times that seem to lie ahead, by a minute at most, are another
 * child's, a moment ago. */
static inline uint64_t bh_mean_age_us(uint64_t word, uint64_t now_us) {
    uint32_t age = (uint32_t)(now_us >> BH_MEAN_CLOCK_SHIFT) - (uint32_t)word;
    return age > UINT32_MAX - (UINT32_C(1) << 20) ? 0 : (uint64_t)age << BH_MEAN_CLOCK_SHIFT;
}

/* A mean that is known to be that. */
static inline uint64_t bh_mean_word(uint64_t value, uint64_t now_us) {
    uint64_t word = (value > BH_MEAN_MOST ? BH_MEAN_MOST : value) << (32 + BH_MEAN_SHIFT)
                    | (uint32_t)(now_us >> BH_MEAN_CLOCK_SHIFT);
    return word ? word : 1;
}

/* Takes a sample in. Its weight is age / (age + tau_us), so what is tau old counts half. A sample above clip times the
 * value counts as that: one odd request changes little, many do. clip 0: none. */
static inline __attribute__((always_inline)) void bh_mean_add(uint64_t *_Nonnull word, uint64_t now_us, uint64_t sample,
                                                              uint64_t tau_us, uint64_t clip) {
    uint64_t old = bh_word_load(word), next;
    if (sample > BH_MEAN_MOST) sample = BH_MEAN_MOST;
    do {
        uint64_t value = old >> 32, aimed = sample << BH_MEAN_SHIFT;
        if (old) {
            uint64_t age = bh_mean_age_us(old, now_us);
            uint64_t most = clip * (value ? value : 1);
            if (clip && aimed > most) aimed = most;
            /* 2^32 * 2^28 fits: a sample's age counts up to 268 s. */
            if (age > BH_MEAN_MOST) age = BH_MEAN_MOST;
            value = aimed >= value ? value + (aimed - value) * age / (age + tau_us)
                                   : value - (value - aimed) * age / (age + tau_us);
        } else {
            value = aimed;
        }
        if (value > UINT32_MAX) value = UINT32_MAX;
        next = value << 32 | (uint32_t)(now_us >> BH_MEAN_CLOCK_SHIFT);
        if (!next) next = 1;
    } while (!__atomic_compare_exchange_n(word, &old, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* Half of the mean is younger than this: shorter ones follow chance, longer ones miss what lasts a few seconds. */
#define BH_LATENCY_TAU_US 1000000
/* A sample counts as at most this many times the mean. */
#define BH_LATENCY_CLIP 4

/* The slot of a chain's times. */
static inline uint32_t bh_chain_slot(uint32_t chain) { return chain < BH_CHAINS ? chain : 0; }

/* The moving mean of the times of a slot's requests at the server: latency, or one of latency_of, which follows it.
 * Runs for each server at each decision, so it does not look what it was given: the mask keeps it inside the row. */
static inline uint64_t *_Nonnull bh_row_latency(bh_row_t *_Nonnull row, uint32_t slot) {
    return (uint64_t *)(void *)((char *)row + offsetof(bh_row_t, latency)) + (slot & (BH_CHAINS - 1));
}

/* The share of failures of a slot's requests at the server, as a moving mean: what the moderator made of the evidence.
 */
static inline uint64_t *_Nonnull bh_row_failing(bh_row_t *_Nonnull row, uint32_t slot) {
    return (uint64_t *)(void *)((char *)row + offsetof(bh_row_t, failing)) + (slot & (BH_CHAINS - 1));
}

/* Whether answers of the class show how quick the server is: always those with what was asked for, never failures; the
 * others where the chain's other servers give them in like share. Bits of row.counted: one for each of the three. */
static inline uint32_t bh_counted_bit(uint32_t slot, uint32_t kind) {
    return UINT32_C(1) << (4 * (slot & (BH_CHAINS - 1)) + (kind & 3));
}
static inline bool bh_class_is_time(bh_row_t *_Nonnull row, uint32_t slot, uint32_t kind) {
    return kind == BH_CLASS_GOOD
           || (kind < BH_CLASS_FAILED && bh_half_load(&row->counted) & bh_counted_bit(slot, kind));
}

/* Shares of classes are compared from this many answers of each server on. */
#define BH_EVIDENCE_FEWEST 20

/* Answers of the server to freely placed requests of the slot's chain that were not failures; they wrap. */
static inline uint32_t bh_row_answers(const bh_row_t *_Nonnull row, uint32_t slot) {
    const bh_evidence_t *evidence = &row->evidence[slot & (BH_CHAINS - 1)];
    uint32_t answers = 0;
    for (uint32_t kind = 0; kind < BH_CLASS_FAILED; kind++) answers += bh_half_load(&evidence->answers[kind]);
    return answers;
}

/* Whether some are there, but too few to be compared. */
static inline bool bh_row_is_unproven(const bh_row_t *_Nonnull row, uint32_t slot) {
    uint32_t answers = bh_row_answers(row, slot);
    return answers && answers < BH_EVIDENCE_FEWEST;
}

/* Whether there are enough to be compared, and all of them show speed. */
static inline bool bh_row_is_proven(const bh_row_t *_Nonnull row, uint32_t slot) {
    const uint32_t *answers = row->evidence[slot & (BH_CHAINS - 1)].answers;
    return bh_half_load(&answers[BH_CLASS_GOOD]) >= BH_EVIDENCE_FEWEST
           && !(bh_half_load(&answers[BH_CLASS_UNCHANGED]) | bh_half_load(&answers[BH_CLASS_ELSEWHERE])
                | bh_half_load(&answers[BH_CLASS_WRONG]));
}

/* Those of the answers that do not show speed so far. */
static inline uint32_t bh_row_uncounted(bh_row_t *_Nonnull row, uint32_t slot) {
    const bh_evidence_t *evidence = &row->evidence[slot & (BH_CHAINS - 1)];
    uint32_t answers = 0;
    for (uint32_t kind = 0; kind < BH_CLASS_FAILED; kind++)
        if (!bh_class_is_time(row, slot, kind)) answers += bh_half_load(&evidence->answers[kind]);
    return answers;
}

/* The back-off of a server that refuses connections (Backoff.swift), in milliseconds: long enough to spare clients,
 * short enough that a restart is noticed. */
#define BH_BACKOFF_MIN_MS 1000
#define BH_BACKOFF_MAX_MS 16000
#define BH_BACKOFF_DOUBLINGS 4

/* Whether a back-off until then is under way. An end further away than any back-off lasts was not written by a child.
 */
static inline bool bh_backoff_lasts(uint64_t until_ms, uint64_t now_ms) {
    return until_ms > now_ms && until_ms - now_ms <= 2 * BH_BACKOFF_MAX_MS;
}

/* Milliseconds of a back-off until then that are left; 0: none is under way. The end is a value, loaded once: children
 * write it meanwhile. */
static inline uint64_t bh_backoff_left(uint64_t until_ms, uint64_t now_ms) {
    return bh_backoff_lasts(until_ms, now_ms) ? until_ms - now_ms : 0;
}

/* Whether a server refused a connection a moment ago. */
static inline bool bh_row_is_refusing(const bh_row_t *_Nonnull row, uint64_t now_ms) {
    return bh_backoff_lasts(bh_row_backoff(row), now_ms);
}

/* Whether no connection has worked since a back-off that is over. After a while that tells nothing any more: as for the
 * next refusal, each time as long as the longest back-off takes one doubling back. */
static inline bool bh_row_is_unreached(const bh_row_t *_Nonnull row, uint64_t now_ms) {
    uint64_t until = bh_row_backoff(row);
    return until <= now_ms && bh_half_load(&row->refused) > (now_ms - until) / BH_BACKOFF_MAX_MS;
}

/* After a back-off, requests that are not repeatable go elsewhere for this long, or until one request is answered.
 */
#define BH_DOUBT_MS 2000

/* The server has refused a request because it does not know this httpd. It refuses all others too, until it hears our
 * announcements. For this long, requests that are not repeatable go elsewhere; one answered request ends it. */
#define BH_UNKNOWN_MS 60000

/* BH_DOUBT_UNKNOWN, which Swift cannot see. */
static inline uint32_t bh_doubt_unknown(void) { return BH_DOUBT_UNKNOWN; }

/* Whether it refused a connection, and the end of the back-off was less than that ago; or it does not know us. */
static inline bool bh_row_is_doubtful(const bh_row_t *_Nonnull row, uint64_t now_ms) {
    if (bh_half_load(&row->doubts) & BH_DOUBT_UNKNOWN && now_ms - bh_word_load(&row->unknown_ms) < BH_UNKNOWN_MS)
        return true;
    /* The refusal may be long ago: its server is not answered for by that. */
    return bh_half_load(&row->refused) && now_ms - bh_row_backoff(row) < BH_DOUBT_MS;
}

#endif
