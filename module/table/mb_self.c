/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The rows that are this httpd itself: row 0, and one of each virtual host with an address of its own. */

#include "table/mb_table.h"

/* Of our own rows, none but the one that is "here" for the request is ever a candidate. */
int mb_self_is(uint32_t id) { return bh_row_own(bh_segment_row(mb_segment, id)); }

/* Looks for it at most once a second. */
static int is_time_to_find(mb_server *settings) {
    uint64_t now = mb_now_ms(), next = bh_word_load(&settings->own_next_ms);
    return next <= now
           && __atomic_compare_exchange_n(&settings->own_next_ms, &next, now + 1000, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
}

/* The row that is the virtual host at the address it is known by; 0 also if there is none. */
static uint32_t look_up(mb_server *settings, int *found) {
    bh_address_t own = {bh_word_load(&settings->own.high), bh_word_load(&settings->own.low)};
    uint32_t before = bh_half_load(&settings->own_row);
    uint32_t row = bh_segment_own_row(mb_segment, &own, settings->own_port, before);
    if (row != before) bh_half_store(&settings->own_row, row);
    *found = row || bh_row_is_own(bh_segment_row(mb_segment, 0), &own, settings->own_port);
    return row;
}

uint32_t mb_self_row(const request_rec *r) {
    mb_server *settings = mb_vhost_settings(r->server);
    int found;
    if (!settings || !settings->own_port) return 0;
    uint32_t row = look_up(settings, &found);
    if (found || !is_time_to_find(settings)) return row;
    mb_vhost_find(settings);
    return look_up(settings, &found);
}
