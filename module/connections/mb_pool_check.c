/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The moderator looks through the pool of all children (mb_pool.c), once a second.
 *
 * It takes one connection after the other out and puts it back, at the end of its queue, so that children miss one at a
 * time. It closes what the server is about to close or has closed, what the server can spare no more, and what is left
 * of servers that are gone. And it counts: a child that is killed between a message and its count would leave one too
 * many for ever.
 */

#include "connections/mb_connections.h"

#include <unistd.h>

/* Messages that it looks at in one queue: more than the kernel lets wait there (a socket's buffer of 208 kB holds less
 * than 300), so that a child that goes on and on with messages does not keep it. */
#define MOST_LOOKED 512

static uint16_t seen[BH_ROWS]; /* in this round */
static int16_t off[BH_ROWS];   /* by how much the count was wrong in the last round */

/* Whether the row's server can spare no more than others that are kept. */
static int is_one_too_many(uint32_t id) {
    uint32_t may = bh_half_load(&bh_segment_row(mb_segment, id)->may_keep);
    return !bh_shared_has_room(mb_segment, id, -1) || (may < BH_KEEP_ONE && bh_row_kept(mb_segment, id) > may);
}

/* Whether the connection goes on waiting; if not it is closed. */
static int goes_on(const mb_waiting *one, uint64_t now_ms) {
    const bh_row_t *row = bh_segment_row(mb_segment, one->id);
    bh_facts_t server;
    int has = bh_row_heard(row) && bh_row_copy(row, &server);
    if (!mb_pool_keep(one, has ? &server : NULL, now_ms)) return 0;
    if (!is_one_too_many(one->id)) return 1;
    mb_pool_drop(one);
    return 0;
}

static void look_through(uint32_t queue, uint64_t now_ms) {
    mb_waiting one;
    for (int looked = 0; looked < MOST_LOOKED; looked++) {
        mb_received what = mb_pool_receive(queue, &one);
        if (what == MB_RECEIVED_NONE) return;
        if (what == MB_RECEIVED_OTHER) continue;
        int is_second = one.round_ms == now_ms; /* seen in this round: all others are after it */
        one.round_ms = now_ms;
        if (!is_second && !goes_on(&one, now_ms)) continue;
        if (mb_pool_send(&one)) {
            close(one.fd);
            if (is_second) return;
            seen[one.id]++;
        } else {
            mb_pool_drop(&one);
            if (is_second) seen[one.id]--;
        }
    }
}

/* Mends the count of a row if it was wrong in the same way twice, and no child moved anything meanwhile. */
static void count_again(uint32_t id) {
    int32_t waiting = __atomic_load_n(&bh_segment_shared(mb_segment, id)->waiting, __ATOMIC_RELAXED);
    int difference = waiting - seen[id];
    if (difference > INT16_MAX || difference < INT16_MIN) difference = difference < 0 ? INT16_MIN : INT16_MAX;
    if (difference && difference == off[id]) {
        bh_shared_add(mb_segment, id, -difference);
        difference = 0;
    }
    off[id] = (int16_t)difference;
}

/* One line a minute, with what was counted since the last. */
static void tell(server_rec *server) {
    static uint64_t told, next_ms;
    uint64_t counted = bh_counter_load(mb_segment, BH_COUNT_NOT_CONNECTIONS);
    if (counted == told || !mb_minute_passed(&next_ms)) return;
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, 0, server,
        "BH0480: %lu times something was in the pool of all children that is not a connection to the server that it "
        "was put there for: closed",
        (unsigned long)(counted - told));
    told = counted;
}

/* The configuration before had the pool: what waited has been closed with its last child. */
static void forget_counts(uint32_t rows) {
    for (uint32_t id = 0; id < rows; id++) {
        uint32_t waiting = bh_shared_waiting(mb_segment, id);
        if (waiting) bh_shared_add(mb_segment, id, -(int32_t)waiting);
    }
}

void mb_pool_check(void *server) {
    uint64_t now_ms = mb_now_ms();
    uint32_t rows = bh_segment_rows(mb_segment);
    if (!mb_pool_is_open()) {
        forget_counts(rows);
        return;
    }
    memset(seen, 0, sizeof seen);
    for (uint32_t queue = 0; queue < BH_POOLS; queue++) {
        const uint32_t *moves = &mb_segment->pools[queue].moves;
        uint32_t before = bh_half_load(moves);
        look_through(queue, now_ms);
        if (bh_half_load(moves) != before) continue;
        for (uint32_t id = queue; id < rows; id += BH_POOLS) count_again(id);
    }
    tell(server);
}
