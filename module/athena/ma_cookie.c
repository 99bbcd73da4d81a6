/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* AthCookie: the application says by a signed cookie where a client's requests go. */

#include "athena/ma_athena.h"

/* The member that the cookie names; -1: the farm has none of this name. */
static int member_of(const ma_farm *farm, bh_piece_t text) {
    for (int i = 0; i < farm->members->nelts; i++) {
        const char *own = ma_member_at(farm, i)->text;
        if (ma_core->names_equal((bh_piece_t){own, strlen(own)}, text)) return i;
    }
    return -1;
}

/* Also what the application has signed, and names a member or a farm that there is not. */
static void refuse(request_rec *r, const ma_farm *farm, uint32_t times) {
    if (*ma_core->segment) bh_counter_add_many(*ma_core->segment, BH_COUNT_REFUSED_COOKIES, times);
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "%u cookies %s are none that the farm %s accepts", times, farm->cookie,
                  farm->config.name);
}

ma_steering ma_cookie_read(request_rec *r, const ma_farm *farm) {
    ma_steering steering = {.farm = farm, .member = -1};
    const char *header = farm->cookie ? apr_table_get(r->headers_in, "Cookie") : NULL;
    if (!header) return steering;
    bh_ath_cookie_rules_t rules = {.name = farm->cookie,
                                   .farm = farm->config.name,
                                   .keys = farm->keys,
                                   .verify = ma_core->verify,
                                   .now_s = apr_time_sec(r->request_time)};
    bh_ath_cookie_t cookie;
    uint32_t refused = ma_core->cookie_read(&rules, header, &cookie);
    if (cookie.steer == BH_ATH_STEER_FARM) {
        const ma_farm *other = ma_farm_find(cookie.target);
        if (other) steering.farm = other;
        else refused++;
    } else if (cookie.steer != BH_ATH_STEER_NONE) {
        steering.member = member_of(farm, cookie.target);
        steering.moves = cookie.steer == BH_ATH_STEER_PREFER;
        if (steering.member < 0) refused++;
    }
    if (refused) refuse(r, farm, refused);
    return steering;
}

/* It keeps the clients that it has. */
static int drains(const ma_member *member) {
    if (!*ma_core->segment || !member->named.row) return 0;
    const bh_row_t *row = bh_segment_row(*ma_core->segment, member->named.row);
    return bh_row_state(row) == BH_STATE_DRAINING && !bh_row_is_refusing(row, ma_core->now_ms());
}

int ma_cookie_choose(request_rec *r, ma_steering *steering, const ma_choice *choice) {
    const ma_farm *farm = steering->farm;
    if (steering->member >= 0) {
        int index = ma_choice_index(choice, steering->member), chosen = MB_NOBODY;
        int is_last = !steering->moves || drains(ma_member_at(farm, steering->member)) ? MB_LAST : 0;
        if (index >= 0) chosen = ma_core->choose(&ma_door, r, farm->section, choice->candidates + index, 1, is_last);
        if (chosen == MB_UNDECIDED && steering->moves) steering->member = -1; /* if it fails */
        if (chosen >= 0 || chosen == MB_UNDECIDED) return index;
        if (!steering->moves) return chosen;
        steering->member = -1;
    }
    int is_last = ma_choice_forward(choice, -1) ? 0 : MB_LAST;
    int chosen = ma_core->choose(&ma_door, r, farm->section, choice->candidates, choice->count, is_last);
    return chosen == MB_UNDECIDED ? ma_choice_turn(choice->count) : chosen;
}
