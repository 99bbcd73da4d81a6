/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The retry policy: which server is asked next for one request, which servers may be asked again, and when it is too
 * late.
 *
 * The core decides (Sources/BackhandCandidacy/Retry), and the caller acts: it runs the chain, forwards, logs, and
 * serves. The state is a value of fixed size in the caller's memory. It points nowhere, so it needs no end.
 *
 * A connection is new, or it is reused: mod_proxy had kept it alive from an earlier request.
 */
#ifndef BACKHAND_RETRY_H
#define BACKHAND_RETRY_H

#include "feedback.h"

/* Servers that failed one request and are remembered, so that no server is asked twice. */
#define BH_TRIED_MOST 32

/* What the caller does next. Append only. */
typedef enum bh_retry_action {
    BH_RETRY_ASK = 0,    /* hand the request to the candidate retry.attempt.place; after a wait, to the same server */
    BH_RETRY_DECIDE = 1, /* run the chain again, without the servers in retry.tried */
    BH_RETRY_NO_CANDIDATE = 2, /* do what the configuration says for a chain that has left no server */
    BH_RETRY_GIVE_UP = 3,      /* no server is left, or it is too late: the client gets an error */
    BH_RETRY_NEXT = 4,         /* after a failure: bh_retry_next says what comes now */
    BH_RETRY_ANSWER = 5,       /* after an attempt: the client gets the result, whatever it is */
    BH_RETRY_WAIT = 6 /* after a failure: wait until this process has descriptors again, and report it once more */
} bh_retry_action_t;

/* What the request allows. */
typedef struct bh_retry_rules {
    uint64_t most_us; /* from the first attempt, after which it is too late for another one (BackhandRetryTimeout) */
    uint32_t retries; /* servers that may fail the request before no other one gets it (BackhandRetries) */
    uint32_t chain;   /* number of the chain, as in bh_request_t */
    bool repeatable;  /* another server may do the request, although the first one may have had it */
    bool asks_self;   /* this httpd is asked over the network, as other servers are (BackhandSelfRedirect) */
} bh_retry_rules_t;

/* Candidates that are remembered with an attempt. */
#define BH_OTHERS 4

/* How the next server is asked. */
typedef struct bh_next_attempt {
    uint32_t place; /* of the candidate in the decision */
    bool in_time;   /* false: it is too late to forward the request, but the client may be redirected, or served here */
    bool may_retry; /* another server gets the request if this one fails */
    /* over a new connection: where a server has closed a reused one, others may have done so, for the same reason */
    bool new_connection;
    bool free; /* the chain could have sent the request to another server: what comes of it is evidence */
    /* with may_retry: rows of the candidates that come after this one, as many as other_count says */
    uint32_t other_count, others[BH_OTHERS];
} bh_next_attempt_t;

static inline void bh_next_attempt_note(bh_next_attempt_t *_Nonnull attempt, uint32_t place, uint32_t row) {
    if (place < BH_OTHERS) attempt->others[place] = row;
}

/* One of the others, or row 0 if that is none. */
static inline uint32_t bh_next_attempt_other(const bh_next_attempt_t *_Nonnull attempt, uint32_t place) {
    return place < BH_OTHERS && attempt->others[place] < BH_ROWS ? attempt->others[place] : 0;
}

/* Where the policy is. Internal to the core. */
typedef enum bh_retry_stage {
    BH_STAGE_DECIDED = 0, /* the chain has run */
    BH_STAGE_AGAIN = 1,   /* it has run once more, with the servers that get a second chance */
    BH_STAGE_CLAIM = 2,   /* the first candidate may be one that is in doubt */
    BH_STAGE_ASK = 3,     /* the candidates get their turn */
    BH_STAGE_ASKED = 4,   /* all of them had it */
    BH_STAGE_OVER = 5,    /* the chain does not run again */
    BH_STAGE_DONE = 6     /* nothing is left to do */
} bh_retry_stage_t;

/* Why a server may be asked once more, if no other one is left: bits of bh_tried_t.marks. */
typedef enum bh_tried_mark {
    BH_TRIED_CLOSED_REUSED = 1, /* it closed a reused connection, and may not have had the request */
    BH_TRIED_UNKNOWN = 2,       /* it does not know this httpd, and has not done anything with the request */
    BH_TRIED_UNREACHED = 4      /* there was no connection to it, or it gave no sign of life */
} bh_tried_mark_t;

/* What is remembered of a server that did not do the request. */
typedef struct bh_tried {
    uint64_t boot_id;  /* that it had */
    uint64_t served;   /* requests of this httpd that it had answered until then */
    uint64_t asked_ms; /* CLOCK_MONOTONIC when it was asked */
    uint32_t marks;    /* of bh_tried_mark_t */
    uint32_t reserved;
} bh_tried_t;

/* One request on its way. The caller reads what it logs: attempt, failures, unknown, lacked, tried. */
typedef struct bh_retry {
    bh_retry_rules_t rules;
    bh_next_attempt_t attempt; /* written with BH_RETRY_ASK and BH_RETRY_NO_CANDIDATE */
    bh_retry_stage_t stage;
    bool outdated;          /* in this run of the chain, a candidate was passed over because the table has changed */
    bool closed_reused;     /* a server closed a reused connection before the first byte of an answer */
    bool waited;            /* the request has waited for descriptors */
    uint64_t begun_us;      /* when the first server was asked; 0: no server has failed yet */
    uint32_t rounds;        /* runs of the chain after the first, without those for second chances */
    uint32_t failed_claims; /* of probes, in this run */
    uint32_t next;          /* place of the candidate that is next */
    uint32_t chances;       /* how often servers had a second chance */
    uint32_t failures;      /* servers that had the request and gave no usable answer */
    uint32_t unknown;       /* servers that do not know this httpd */
    uint32_t lacked;        /* servers that could not be asked because this process lacks something */
    uint32_t tried_count;
    uint32_t tried[BH_TRIED_MOST]; /* rows of the servers that have had their chance; as many as tried_count says */
    bh_tried_t of[BH_TRIED_MOST];  /* the same servers */
} bh_retry_t;

/* A server did not do the request. */
typedef struct bh_failure {
    bh_outcome_t outcome;
    uint32_t id;        /* row of the server */
    uint64_t boot_id;   /* of its facts, as it was asked */
    uint64_t began_us;  /* CLOCK_MONOTONIC when it was asked, */
    uint64_t now_us;    /* and now */
    bool held;          /* it has answered with a 503, which has not gone to the client */
    bool closed_reused; /* it closed a reused connection before the first byte of an answer */
    bool lacks;         /* this process lacked something for the connection */
    bool recovered;     /* second report of BH_OUTCOME_STARVED: this process has descriptors again */
} bh_failure_t;

/* The chain has run for the first time. */
static inline void bh_retry_begin(bh_retry_t *_Nonnull retry, bh_retry_rules_t rules) {
    memset(retry, 0, offsetof(bh_retry_t, tried));
    retry->rules = rules;
}

/* The chain does not run again: there was no decision, or the next one could not be made. */
static inline void bh_retry_end_rounds(bh_retry_t *_Nonnull retry) { retry->stage = BH_STAGE_OVER; }

/* Whether bh_retry_next looks at the time. The first attempt of most requests does not, and is spared the clock. */
static inline bool bh_retry_needs_time(const bh_retry_t *_Nonnull retry, bool probe) {
    return retry->begun_us || probe || retry->rules.asks_self;
}

static inline bool bh_retry_has_tried(const bh_retry_t *_Nonnull retry, uint32_t id) {
    for (uint32_t i = 0; i < retry->tried_count; i++)
        if (retry->tried[i] == id) return true;
    return false;
}

/* Arrays, which Swift sees as separate fields. The mask keeps the place inside. */
static inline uint32_t *_Nonnull bh_retry_id(bh_retry_t *_Nonnull retry, uint32_t place) {
    return &retry->tried[place & (BH_TRIED_MOST - 1)];
}
static inline bh_tried_t *_Nonnull bh_retry_of(bh_retry_t *_Nonnull retry, uint32_t place) {
    return &retry->of[place & (BH_TRIED_MOST - 1)];
}

#endif
